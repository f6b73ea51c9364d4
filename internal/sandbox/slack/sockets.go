package slack

import (
	"slices"
	"time"
)

// leaveWithin is the time from a disconnect message to the close.
const leaveWithin = 10 * time.Second

// hub is the open sockets. Guarded by Server.mu.
type hub struct {
	tickets map[string]time.Time // unused URLs of apps.connections.open, and when they were made
	sockets []*socket            // oldest first
	turn    int                  // who is next
}

func newHub() hub { return hub{tickets: map[string]time.Time{}} }

func (h *hub) all() []*socket { return slices.Clone(h.sockets) }

// open is the sockets that get envelopes.
func (h *hub) open() []*socket {
	return slices.DeleteFunc(h.all(), func(k *socket) bool { return k.leaving })
}

// pick is the next socket in turn, another one than avoid if there is one.
func (h *hub) pick(avoid *socket) *socket {
	open := h.open()
	if len(open) > 1 {
		open = slices.DeleteFunc(open, func(k *socket) bool { return k == avoid })
	}
	if len(open) == 0 {
		return nil
	}
	h.turn++
	return open[h.turn%len(open)]
}

// Sockets counts the open sockets that get envelopes, silenced ones included.
func (s *Server) Sockets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.hub.open())
}

// oldest is the n oldest sockets that get envelopes. The caller holds mu.
func (h *hub) oldest(n int) []*socket {
	open := h.open()
	return open[:min(n, len(open))]
}

// Disconnect asks the n oldest sockets to go away, with Slack's reason:
// warning or refresh_requested (they are closed 10 s later if they are still
// there), link_disabled or too_many_websockets (at once). They get no more
// envelopes.
func (s *Server) Disconnect(reason string, n int) {
	s.mu.Lock()
	going := s.hub.oldest(n)
	for _, k := range going {
		k.leaving = true
	}
	s.touch()
	s.mu.Unlock()
	for _, k := range going {
		k.send(disconnectMessage(reason))
		if reason == "link_disabled" || reason == "too_many_websockets" {
			k.close()
			continue
		}
		if s.enter() {
			go func() {
				defer s.running.Done()
				s.closeLater(k)
			}()
		}
	}
}

func (s *Server) closeLater(k *socket) {
	timer := time.NewTimer(leaveWithin)
	defer timer.Stop()
	select {
	case <-timer.C:
		k.close()
	case <-k.gone:
	case <-s.done:
	}
}

// Cut closes the TCP connections of the n oldest sockets without a word.
func (s *Server) Cut(n int) {
	s.mu.Lock()
	going := s.hub.oldest(n)
	for _, k := range going {
		k.leaving = true
	}
	s.touch()
	s.mu.Unlock()
	for _, k := range going {
		k.cut()
	}
}

// Silence makes the n oldest sockets half-open: nothing arrives on either
// side any more, pings included, but Slack still gives them envelopes.
func (s *Server) Silence(n int) {
	s.mu.Lock()
	quiet := s.hub.oldest(n)
	s.mu.Unlock()
	for _, k := range quiet {
		k.setSilent()
	}
}
