package slack

import (
	"encoding/json"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const writeWithin = 5 * time.Second

// socket is one WebSocket of the bot. The request that opened it reads it.
type socket struct {
	conn *websocket.Conn
	gone chan struct{} // closed when the reader ends

	leaving bool // told to go, gets no more envelopes; guarded by Server.mu

	mu      sync.Mutex // guards all below, and lets one write at a time; not taken under Server.mu
	silent  bool
	waiting map[string][]chan json.RawMessage // envelope id → who waits for its acknowledgement
}

func (k *socket) setSilent() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.silent = true
}

// send writes a message. An error is the reader's to notice: it ends the socket.
func (k *socket) send(message any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.silent {
		return
	}
	_ = k.conn.SetWriteDeadline(time.Now().Add(writeWithin))
	if err := k.conn.WriteJSON(message); err != nil {
		_ = k.conn.Close()
	}
}

func (k *socket) ping() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.silent {
		return
	}
	_ = k.conn.WriteControl(websocket.PingMessage, []byte("ping"), time.Now().Add(writeWithin))
}

// close ends the socket in the WebSocket way.
func (k *socket) close() {
	bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = k.conn.WriteControl(websocket.CloseMessage, bye, time.Now().Add(writeWithin))
	_ = k.conn.Close()
}

// cut ends the connection with a TCP reset.
func (k *socket) cut() {
	if tcp, ok := k.conn.NetConn().(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a close that lingers is not abrupt, nothing worse
	}
	_ = k.conn.Close()
}

// expect registers who waits for the acknowledgement of an envelope.
func (k *socket) expect(envelope string) <-chan json.RawMessage {
	k.mu.Lock()
	defer k.mu.Unlock()
	ack := make(chan json.RawMessage, 1)
	k.waiting[envelope] = append(k.waiting[envelope], ack)
	return ack
}

// forget takes back an expect.
func (k *socket) forget(envelope string, ack <-chan json.RawMessage) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.waiting[envelope] = slices.DeleteFunc(k.waiting[envelope], func(c chan json.RawMessage) bool { return c == ack })
	if len(k.waiting[envelope]) == 0 {
		delete(k.waiting, envelope)
	}
}

// acknowledge hands an acknowledgement to the first who waits for it on this
// socket. Whether Slack takes one on another socket is not documented, so this
// does not.
func (k *socket) acknowledge(envelope string, payload json.RawMessage) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	queue := k.waiting[envelope]
	if k.silent || len(queue) == 0 {
		return false
	}
	queue[0] <- payload // buffered, and each is sent to once
	k.waiting[envelope] = queue[1:]
	return true
}
