package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	maxBody         = 1 << 20 // bytes of a request
	codeRateLimited = "ratelimited"
)

// args are the arguments of a call, however they came. Values that are not
// strings are JSON text, as they are in a form.
type args map[string]string

// is tells a flag that is set.
func (a args) is(name string) bool { return a[name] == "true" || a[name] == "1" }

// reply is what a call answers, beside "ok".
type reply map[string]any

// apiError is an answer with "ok": false.
type apiError struct {
	code     string
	problems []string // response_metadata.messages
	fields   reply    // anything else
}

func (e *apiError) Error() string {
	return strings.Join(append([]string{e.code}, e.problems...), " ")
}

// method is one Web API method. Its work is done under Server.mu.
type method struct {
	work  func(*Server, args) (reply, error)
	scope string // that the bot token must have, if the method alone decides it
	app   bool   // takes the app token, not the bot token
	limit limit
}

// methods is all that this stand-in can do. The tiers are those of the
// methods' reference pages.
func methods() map[string]method {
	tier2, tier3, tier4 := limit{calls: 20, per: time.Minute}, limit{calls: 50, per: time.Minute}, limit{calls: 100, per: time.Minute}
	return map[string]method{
		"auth.test":             {work: (*Server).authTest},
		"apps.connections.open": {work: (*Server).openConnection, app: true},
		"chat.postMessage":      {work: (*Server).postMessage, scope: "chat:write", limit: limit{calls: 4, per: 4 * time.Second, channel: true}},
		"chat.update":           {work: (*Server).updateMessage, scope: "chat:write", limit: tier3},
		"chat.postEphemeral":    {work: (*Server).postEphemeral, scope: "chat:write", limit: tier4},
		"chat.delete":           {work: (*Server).deleteMessage, scope: "chat:write", limit: tier3},
		"chat.getPermalink":     {work: (*Server).permalink},
		"conversations.info":    {work: (*Server).channelInfo, limit: tier3},
		"conversations.history": {work: (*Server).history, limit: tier3},
		"conversations.replies": {work: (*Server).replies, limit: tier3},
		"users.info":            {work: (*Server).userInfo, scope: "users:read", limit: tier4},
		"bots.info":             {work: (*Server).botInfo, scope: "users:read", limit: tier3},
		"usergroups.list":       {work: (*Server).groupList, scope: "usergroups:read", limit: tier2},
		"usergroups.users.list": {work: (*Server).groupUsers, scope: "usergroups:read", limit: tier2},
		"reactions.add":         {work: (*Server).addReaction, scope: "reactions:write", limit: tier3},
		"views.open":            {work: (*Server).openView, limit: tier4},
		"views.update":          {work: (*Server).updateView, limit: tier4},
		"views.publish":         {work: (*Server).publishView, limit: tier4},
	}
}

// serveAPI is one Web API call.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("method")
	a, token, err := readCall(w, r)
	fault, _ := s.arrive(name)
	if !s.before(r.Context(), w, fault) {
		return
	}
	var answer reply
	if err == nil {
		answer, err = s.call(name, token, a)
	}
	if fault.DropReply {
		drop(w)
		return
	}
	var slow *tooFast
	var bad *apiError
	switch {
	case err == nil:
		writeReply(w, http.StatusOK, answer)
	case errors.As(err, &slow):
		writeError(w, http.StatusTooManyRequests, slow.retryAfter, &apiError{code: codeRateLimited})
	case errors.As(err, &bad):
		writeError(w, http.StatusOK, 0, bad)
	default:
		s.opt.Log.Error("web api call broke", "method", name, "err", err)
		writeError(w, http.StatusOK, 0, &apiError{code: "internal_error"})
	}
}

// readCall takes the arguments and the token out of a request: a query, a form
// or JSON; the token as an argument or in the Authorization header.
func readCall(w http.ResponseWriter, r *http.Request) (args, string, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	a := args{}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // none means a form
	if kind == "application/json" {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, "", &apiError{code: "request_timeout"}
		}
		if len(raw) > 0 {
			if a, err = jsonArgs(raw); err != nil {
				return nil, "", &apiError{code: "invalid_json"}
			}
		}
	} else if err := r.ParseForm(); err != nil {
		return nil, "", &apiError{code: "invalid_form_data"}
	}
	for name := range r.Form {
		a[name] = r.Form.Get(name)
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		token = a["token"]
	}
	delete(a, "token")
	return a, token, nil
}

// jsonArgs reads arguments from a JSON object.
func jsonArgs(raw []byte) (args, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, fmt.Errorf("reading a JSON object: %w", err)
	}
	a := args{}
	for name, value := range object {
		var text string
		switch err := json.Unmarshal(value, &text); {
		case string(value) == "null":
		case err == nil:
			a[name] = text
		default:
			a[name] = string(value)
		}
	}
	return a, nil
}

// call checks that the token may call a method now, and does its work.
func (s *Server) call(name, token string, a args) (reply, error) {
	m, ok := s.methods[name]
	if !ok {
		return nil, &apiError{code: "unknown_method", fields: reply{"req_method": name}}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.authorize(m, token); err != nil {
		return nil, err
	}
	if scope, lost := s.faults.lost[name]; lost {
		return nil, s.missingScope(scope)
	}
	if err := s.need(m.scope); err != nil {
		return nil, err
	}
	if err := s.throttle(name, m.limit, a["channel"]); err != nil {
		return nil, err
	}
	return m.work(s, a)
}

// authorize checks the token. The caller holds mu.
func (s *Server) authorize(m method, token string) error {
	right, wrong := s.opt.BotToken, s.opt.AppToken
	if m.app {
		right, wrong = wrong, right
	}
	switch code := s.faults.revoked[token]; {
	case token == "":
		return &apiError{code: "not_authed"}
	case code != "":
		return &apiError{code: code}
	case token == wrong:
		return &apiError{code: "not_allowed_token_type"}
	case token != right:
		return &apiError{code: "invalid_auth"}
	}
	return nil
}

// need checks that the bot token has a scope; every token has none ("").
func (s *Server) need(scope string) error {
	if scope == "" || slices.Contains(s.opt.Scopes, scope) {
		return nil
	}
	return s.missingScope(scope)
}

func (s *Server) missingScope(scope string) error {
	provided := slices.DeleteFunc(slices.Clone(s.opt.Scopes), func(have string) bool { return have == scope })
	return &apiError{code: "missing_scope", fields: reply{"needed": scope, "provided": strings.Join(provided, ",")}}
}

func writeReply(w http.ResponseWriter, status int, r reply) {
	answer := reply{"ok": true}
	for name, value := range r {
		answer[name] = value
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // the client may be gone: nothing left to do for it
}

func writeError(w http.ResponseWriter, status int, retryAfter time.Duration, e *apiError) {
	answer := reply{"ok": false, "error": e.code}
	for name, value := range e.fields {
		answer[name] = value
	}
	if len(e.problems) > 0 {
		answer["errors"] = e.problems
		var messages []string
		for _, p := range e.problems {
			messages = append(messages, "[ERROR] "+p)
		}
		answer["response_metadata"] = map[string]any{"messages": messages}
	}
	setRetryAfter(w, retryAfter)
	writeReply(w, status, answer)
}
