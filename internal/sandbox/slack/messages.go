package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// MessageRef is where a message is: its channel, and its ts, which is unique there.
type MessageRef struct{ Channel, TS string }

// Content is what a message says at one time.
type Content struct {
	Text     string
	Blocks   json.RawMessage // a JSON list; nil if there are none. Missing block_ids and action_ids are filled in, as Slack does
	Metadata json.RawMessage // a JSON object; nil if there is none
}

// Message is a message as it is now, with what it was before.
type Message struct {
	MessageRef
	Content
	ThreadTS     string // the ts of the message this one replies to
	Broadcast    bool   // a reply that is also shown in the channel
	User         string // the author's user id
	EphemeralFor string // the one user id who sees it; empty for a normal message
	Edited       bool   // shown with "(edited)": last updated without blocks
	Deleted      bool
	Edits        []Content // what it said before each update, oldest first
	Reactions    []string  // emoji names without colons
}

// EventKind is what happened to a message.
type EventKind string

// The kinds of events.
const (
	Posted            EventKind = "posted"
	Updated           EventKind = "updated"
	Deleted           EventKind = "deleted"
	Ephemeral         EventKind = "ephemeral" // posted for one person
	EphemeralReplaced EventKind = "ephemeral replaced"
	EphemeralDeleted  EventKind = "ephemeral deleted"
	Reaction          EventKind = "reaction"
)

// Event is one thing that people see happen.
type Event struct {
	Kind    EventKind
	Message Message // as it was right after
	At      time.Time
}

// Messages lists all that was ever posted in a channel, oldest first,
// ephemeral and deleted messages included.
func (s *Server) Messages(channel string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Message
	for _, m := range s.log.channels[channel] {
		all = append(all, m.snapshot())
	}
	return all
}

// Message is the message at ref as it is now; false if there never was one.
func (s *Server) Message(ref MessageRef) (Message, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.log.find(ref)
	if m == nil {
		return Message{}, false
	}
	return m.snapshot(), true
}

// Events delivers everything that happens from now on, in order, without loss,
// until stop is called or the server closes; then the channel is closed.
func (s *Server) Events() (events <-chan Event, stop func()) {
	out, stopped, finished := make(chan Event), make(chan struct{}), make(chan struct{})
	s.mu.Lock()
	from := len(s.log.events)
	s.mu.Unlock()
	if !s.enter() {
		close(out)
		return out, func() {}
	}
	go func() {
		defer s.running.Done()
		defer close(finished)
		defer close(out)
		s.feed(out, from, stopped)
	}()
	return out, sync.OnceFunc(func() { close(stopped); <-finished })
}

// feed sends the log of events from one position on.
func (s *Server) feed(out chan<- Event, from int, stopped <-chan struct{}) {
	for {
		s.mu.Lock()
		batch, changed := s.log.events[from:], s.changed
		s.mu.Unlock()
		for _, e := range batch {
			select {
			case out <- e:
			case <-stopped:
				return
			case <-s.done:
				return
			}
		}
		from += len(batch)
		if len(batch) > 0 {
			continue
		}
		select {
		case <-changed:
		case <-stopped:
			return
		case <-s.done:
			return
		}
	}
}

// Wait returns when cond holds; it is asked again after each change of the
// stand-in's state (messages, sockets, calls, people). An error means that ctx
// ended or the server closed first.
func (s *Server) Wait(ctx context.Context, cond func() bool) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if cond() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the Slack stand-in: %w", context.Cause(ctx))
		case <-s.done:
			return errors.New("waiting for the Slack stand-in: it was closed")
		}
	}
}

// messageLog is what was posted, and what happened. Guarded by Server.mu.
type messageLog struct {
	channels map[string][]*Message
	events   []Event
	last     map[string]int64 // per channel, the newest ts in microseconds
	blocks   int              // block and action ids made up
}

func newMessageLog() messageLog {
	return messageLog{channels: map[string][]*Message{}, last: map[string]int64{}}
}

// stamp makes a ts that is unique in its channel and never goes back.
func (l *messageLog) stamp(channel string, now time.Time) string {
	us := max(now.UnixMicro(), l.last[channel]+1)
	l.last[channel] = us
	return fmt.Sprintf("%d.%06d", us/1e6, us%1e6)
}

func (l *messageLog) find(ref MessageRef) *Message {
	for _, m := range l.channels[ref.Channel] {
		if m.TS == ref.TS {
			return m
		}
	}
	return nil
}

func (m *Message) snapshot() Message {
	c := *m
	c.Edits, c.Reactions = slices.Clone(m.Edits), slices.Clone(m.Reactions)
	return c
}

// post adds a message and stamps it. The caller holds mu.
func (s *Server) post(m Message) *Message {
	m.TS = s.log.stamp(m.Channel, s.opt.Now())
	s.log.channels[m.Channel] = append(s.log.channels[m.Channel], &m)
	s.happened(&m, Posted, Ephemeral)
	return &m
}

// update replaces what a message says and keeps what it said. The caller holds mu.
func (s *Server) update(m *Message, c Content) {
	m.Edits = append(m.Edits, m.Content)
	m.Content = c
	m.Edited = c.Blocks == nil && m.EphemeralFor == ""
	s.happened(m, Updated, EphemeralReplaced)
}

// remove marks a message as deleted. The caller holds mu.
func (s *Server) remove(m *Message) {
	m.Deleted = true
	s.happened(m, Deleted, EphemeralDeleted)
}

// happened records an event: one kind for normal messages, another for ephemeral ones.
func (s *Server) happened(m *Message, normal, ephemeral EventKind) {
	kind := normal
	if m.EphemeralFor != "" {
		kind = ephemeral
	}
	s.log.events = append(s.log.events, Event{Kind: kind, Message: m.snapshot(), At: s.opt.Now()})
	s.touch()
}
