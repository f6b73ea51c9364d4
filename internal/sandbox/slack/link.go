package slack

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	maxSockets = 10               // per app; one more is turned away
	maxAck     = 20 << 10         // bytes; Slack silently drops acknowledgements of this size or more
	ticketLife = 30 * time.Second // of a URL from apps.connections.open
)

// openConnection is apps.connections.open: a WebSocket URL that works once.
func (s *Server) openConnection(args) (reply, error) {
	ticket := newID()
	s.hub.tickets[ticket] = s.opt.Now()
	return reply{"url": "ws://" + s.addr + "/link?ticket=" + ticket + "&app_id=" + AppID}, nil
}

// redeem uses up a ticket.
func (s *Server) redeem(ticket string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	made, ok := s.hub.tickets[ticket]
	delete(s.hub.tickets, ticket)
	return ok && s.opt.Now().Sub(made) <= ticketLife
}

// serveLink is the life of a socket: hello, pings, acknowledgements.
func (s *Server) serveLink(w http.ResponseWriter, r *http.Request) {
	if !s.redeem(r.URL.Query().Get("ticket")) {
		http.Error(w, "this URL was used, has expired or never was", http.StatusForbidden)
		return
	}
	// Clients name Slack as their origin; the ticket is what lets them in.
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	k := &socket{conn: conn, gone: make(chan struct{}), waiting: map[string][]chan json.RawMessage{}}
	defer k.conn.Close()
	count, ok := s.join(k)
	if !ok {
		k.send(disconnectMessage("too_many_websockets"))
		k.close()
		return
	}
	defer s.leave(k)
	k.send(helloMessage(count))
	var pinging sync.WaitGroup
	defer pinging.Wait()
	pinging.Go(func() { s.pings(k) })
	defer close(k.gone)
	s.read(k)
}

// join adds a socket; count is how many there are then.
func (s *Server) join(k *socket) (count int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := s.hub.open()
	if s.closed || len(open) >= maxSockets {
		return 0, false
	}
	s.hub.sockets = append(s.hub.sockets, k)
	s.touch()
	return len(open) + 1, true
}

func (s *Server) leave(k *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hub.sockets = slices.DeleteFunc(s.hub.sockets, func(other *socket) bool { return other == k })
	s.touch()
}

func (s *Server) pings(k *socket) {
	ticker := time.NewTicker(s.opt.PingEvery)
	defer ticker.Stop()
	for {
		k.ping()
		select {
		case <-ticker.C:
		case <-k.gone:
			return
		}
	}
}

// read takes acknowledgements until the connection ends.
func (s *Server) read(k *socket) {
	for {
		_, raw, err := k.conn.ReadMessage()
		if err != nil {
			return
		}
		var ack struct {
			EnvelopeID string          `json:"envelope_id"`
			Payload    json.RawMessage `json:"payload"`
		}
		switch err := json.Unmarshal(raw, &ack); {
		case err != nil:
			s.opt.Log.Warn("acknowledgement is no JSON object", "err", err)
		case len(raw) >= maxAck:
			s.opt.Log.Warn("acknowledgement dropped: too large", "envelope", ack.EnvelopeID, "bytes", len(raw))
		case !k.acknowledge(ack.EnvelopeID, ack.Payload):
			s.opt.Log.Warn("acknowledgement of nothing that waits on this socket", "envelope", ack.EnvelopeID)
		}
	}
}

func helloMessage(count int) any {
	return map[string]any{
		"type":            "hello",
		"num_connections": count,
		"connection_info": map[string]any{"app_id": AppID},
		"debug_info": map[string]any{
			"host": "applink-sandbox", "build_number": 1, "approximate_connection_time": 18060,
		},
	}
}

func disconnectMessage(reason string) any {
	return map[string]any{
		"type": "disconnect", "reason": reason,
		"debug_info": map[string]any{"host": "applink-sandbox"},
	}
}
