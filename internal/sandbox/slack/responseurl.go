package slack

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	hookUses = 5 // of one response URL
	hookLife = 30 * time.Minute
)

// hook is one response URL: a way to answer one command or click.
type hook struct {
	channel string
	user    string
	origin  MessageRef // the message that was clicked; zero for a command
	made    time.Time
	uses    int
}

// hookURL hands out the URL of a hook. The caller holds mu.
func (s *Server) hookURL(h *hook) string {
	id := newID()
	s.hooks[id] = h
	return "http://" + s.addr + "/response/" + id
}

// serveResponse is a post to a response URL.
func (s *Server) serveResponse(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "reading the body: "+err.Error(), http.StatusBadRequest)
		return
	}
	fault, _ := s.arrive(ResponseURL)
	if !s.before(r.Context(), w, fault) {
		return
	}
	status, body := http.StatusOK, "ok"
	if err := s.useHook(r.PathValue("id"), raw); err != nil {
		status, body = hookStatus(err), err.Error()
	}
	if fault.DropReply {
		drop(w)
		return
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // the client may be gone: nothing left to do for it
}

func hookStatus(err error) int {
	var e *apiError
	if errors.As(err, &e) && (e.code == "used_url" || e.code == "expired_url") {
		return http.StatusNotFound
	}
	return http.StatusBadRequest
}

// useHook answers through a response URL. A refused body uses it up as well.
func (s *Server) useHook(id string, raw []byte) error {
	a, err := jsonArgs(raw)
	if err != nil {
		return &apiError{code: "invalid_payload"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hooks[id]
	switch {
	case h == nil, s.opt.Now().Sub(h.made) > hookLife:
		return &apiError{code: "expired_url"}
	case h.uses >= hookUses:
		return &apiError{code: "used_url"}
	}
	h.uses++
	return s.respond(h, a)
}

// respond does what an answer asks for: a new message, which only the person
// sees unless response_type is in_channel, or a change of the one that was
// clicked. It needs no membership in the channel. The caller holds mu.
func (s *Server) respond(h *hook, a args) error {
	origin := s.log.find(h.origin)
	if origin != nil && origin.Deleted {
		origin = nil
	}
	if a.is("delete_original") {
		if origin == nil {
			return &apiError{code: "message_not_found"}
		}
		s.remove(origin)
		return nil
	}
	if t := a["response_type"]; t != "" && t != "ephemeral" && t != "in_channel" {
		return &apiError{code: "invalid_response_type", problems: []string{fmt.Sprintf("unknown response_type %q", t)}}
	}
	delete(a, "metadata") // kept by chat methods only
	c, err := contentOf(a, maxPostText)
	if err != nil {
		return err
	}
	if a.is("replace_original") && origin != nil {
		s.update(origin, s.fillIDs(c))
		return nil
	}
	m := Message{MessageRef: MessageRef{Channel: h.channel}, User: BotUserID, ThreadTS: a["thread_ts"], Content: s.fillIDs(c)}
	if a["response_type"] != "in_channel" {
		m.EphemeralFor = h.user
	}
	s.post(m)
	return nil
}
