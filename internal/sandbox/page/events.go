package page

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/synestra/promoter/internal/sandbox/slack"
)

// lookEvery is how often it is looked for what nobody tells of: what Git and
// Argo CD say.
const lookEvery = 250 * time.Millisecond

// events is the stream (server-sent events) of all that the page shows: first
// how things stand, then each change. A browser that lost it asks anew.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	happened, stop := s.o.Slack.Events()
	defer stop()
	w.Header().Set("Content-Type", "text/event-stream")
	out := &stream{w: w, control: http.NewResponseController(w), last: map[string][]byte{}}
	out.send("hello", s.hello())
	for _, m := range s.o.Slack.Messages(s.o.Channel) { // those that come meanwhile are told again
		out.send("message", shown(m))
	}
	s.look(r.Context(), out)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for out.err == nil {
		select {
		case <-r.Context().Done():
			return
		case e, ok := <-happened:
			if !ok {
				return
			}
			if e.Message.Channel == s.o.Channel {
				out.send("message", shown(e.Message))
			}
		case <-look.C:
			s.look(r.Context(), out)
		}
	}
}

// look tells of what has changed.
func (s *Server) look(ctx context.Context, out *stream) {
	out.sendNew("applications", s.applications())
	if tip, err := s.o.Git.Tip(repository); err == nil && tip != out.tip {
		if commits, err := s.commits(ctx); err == nil {
			out.tip = tip
			out.send("commits", commits)
		}
	}
	for _, p := range s.o.People {
		for _, v := range s.o.Slack.Views(p.ID) {
			out.sendNew("view "+v.ID, view{ID: v.ID, User: v.User, Type: v.Type, View: v.View})
		}
	}
}

// stream is one browser that is told.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	last    map[string][]byte // what was last said of a thing
	tip     string            // the newest commit that was told
	err     error             // the first; after it nothing is sent
}

// sendNew sends what is not as it was last told. The event's name is the first
// word of the thing's.
func (s *stream) sendNew(thing string, v any) {
	data, err := json.Marshal(v)
	if err == nil && bytes.Equal(data, s.last[thing]) {
		return
	}
	s.last[thing] = data
	name, _, _ := bytes.Cut([]byte(thing), []byte(" "))
	s.send(string(name), json.RawMessage(data))
}

func (s *stream) send(name string, v any) {
	if s.err != nil {
		return
	}
	data, err := json.Marshal(v) // which has no line break
	if err == nil {
		_, err = fmt.Fprintf(s.w, "event: %s\ndata: %s\n\n", name, data)
	}
	if err == nil {
		err = s.control.Flush()
	}
	s.err = err
}

// hello is what stays as it is.
type hello struct {
	Channel   string            `json:"channel"`
	Bot       string            `json:"bot"` // the bot's user id
	People    []Person          `json:"people"`
	Commands  []Command         `json:"commands"`
	Apps      []string          `json:"apps"`
	Acts      []act             `json:"acts"`
	Users     map[string]string `json:"users"` // names by id
	RealNames map[string]string `json:"realNames"`
	Groups    map[string]string `json:"groups"`
	Channels  map[string]string `json:"channels"`
	Emoji     map[string]string `json:"emoji"`
}

func (s *Server) hello() hello {
	h := hello{
		Channel: s.o.Channel, Bot: slack.BotUserID, People: s.o.People, Commands: s.o.Commands, Apps: s.o.Apps, Acts: acts(),
		Users: map[string]string{}, RealNames: map[string]string{}, Groups: map[string]string{}, Channels: map[string]string{},
		Emoji: slack.Emoji(),
	}
	users, groups, channels := s.o.Slack.Directory()
	for _, u := range users {
		h.Users[u.ID], h.RealNames[u.ID] = u.Name, u.RealName
	}
	for _, g := range groups {
		h.Groups[g.ID] = g.Handle
	}
	for _, c := range channels {
		h.Channels[c.ID] = c.Name
	}
	return h
}

// message is a message as the page draws it.
type message struct {
	TS        string          `json:"ts"`
	Thread    string          `json:"thread,omitempty"` // the message it replies to
	Broadcast bool            `json:"broadcast,omitempty"`
	User      string          `json:"user"`
	For       string          `json:"for,omitempty"` // the only one who sees it
	Edited    bool            `json:"edited,omitempty"`
	Deleted   bool            `json:"deleted,omitempty"`
	Text      string          `json:"text"`
	Blocks    json.RawMessage `json:"blocks,omitempty"`
	Reactions []string        `json:"reactions,omitempty"`
}

func shown(m slack.Message) message {
	out := message{
		TS: m.TS, Broadcast: m.Broadcast, User: m.User, For: m.EphemeralFor, Edited: m.Edited, Deleted: m.Deleted,
		Text: m.Text, Blocks: m.Blocks, Reactions: m.Reactions,
	}
	if m.ThreadTS != m.TS {
		out.Thread = m.ThreadTS
	}
	return out
}

// view is a modal or Home tab as the page draws it.
type view struct {
	ID   string          `json:"id"`
	User string          `json:"user"`
	Type string          `json:"type"`
	View json.RawMessage `json:"view"`
}
