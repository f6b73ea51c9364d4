package slack

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// clock is a time that stands still until it is moved. It is moved only while
// no request is under way.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func newClock() *clock { return &clock{t: time.Date(2026, 11, 24, 5, 53, 32, 0, time.UTC)} }

// start runs a stand-in with a few people and one channel of each kind.
func start(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.AddUser(User{ID: "U1", Name: "ana", RealName: "Ana Lima"})
	s.AddUser(User{ID: "U2", Name: "ben"})
	s.AddGroup(Group{ID: "S1", Handle: "deployers", Users: []string{"U1"}})
	s.AddChannel(Channel{ID: "C1", Name: "deploys", BotIsMember: true})
	s.AddChannel(Channel{ID: "C2", Name: "general"})
	s.AddChannel(Channel{ID: "G1", Name: "secret", Private: true})
	s.AddChannel(Channel{ID: "G2", Name: "ops", Private: true, BotIsMember: true})
	s.AddChannel(Channel{ID: "D1", IM: true, BotIsMember: true})
	s.AddChannel(Channel{ID: "C9", Name: "old", Archived: true, BotIsMember: true})
	return s
}

// within is a context for steps over sockets.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// answer is what came back over HTTP.
type answer struct {
	status int
	header http.Header
	body   map[string]any
}

func (a answer) code() string {
	code, _ := a.body["error"].(string)
	return code
}

func (a answer) str(key string) string {
	s, _ := a.body[key].(string)
	return s
}

func send(t *testing.T, req *http.Request) (answer, error) {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: resp.StatusCode, header: resp.Header, body: map[string]any{}}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(raw, &a.body); err != nil {
			t.Fatalf("answer %q: %v", raw, err)
		}
	} else {
		a.body["text"] = string(raw)
	}
	return a, nil
}

func formRequest(t *testing.T, s *Server, method string, pairs ...string) *http.Request {
	t.Helper()
	form := url.Values{"token": {"xoxb-sandbox"}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	req, err := http.NewRequestWithContext(within(t), http.MethodPost, s.APIURL()+method, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req
}

// call is one Web API call as a form, with the bot token unless pairs has another.
func call(t *testing.T, s *Server, method string, pairs ...string) answer {
	t.Helper()
	a, err := send(t, formRequest(t, s, method, pairs...))
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	return a
}

// postJSON posts JSON anywhere.
func postJSON(t *testing.T, to, token, body string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t), http.MethodPost, to, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	a, err := send(t, req)
	if err != nil {
		t.Fatalf("POST %s: %v", to, err)
	}
	return a
}

// must posts a message and returns where it is.
func mustPost(t *testing.T, s *Server, pairs ...string) MessageRef {
	t.Helper()
	a := call(t, s, "chat.postMessage", append([]string{"channel", "C1"}, pairs...)...)
	if a.body["ok"] != true {
		t.Fatalf("chat.postMessage: %v", a.body)
	}
	return MessageRef{a.str("channel"), a.str("ts")}
}

// client is the bot's end of one socket, without any library of Slack's.
type client struct {
	t     *testing.T
	conn  *websocket.Conn
	hello map[string]any
	pings chan struct{}
	in    chan map[string]any // what arrived, closed at the end
}

func socketURL(t *testing.T, s *Server) string {
	t.Helper()
	a := postJSON(t, s.APIURL()+"apps.connections.open", "xapp-sandbox", "")
	if a.body["ok"] != true {
		t.Fatalf("apps.connections.open: %v", a.body)
	}
	return a.str("url")
}

// dial opens a socket and reads it in the background until it ends.
func dial(t *testing.T, s *Server) *client {
	t.Helper()
	conn, _, err := websocket.DefaultDialer.DialContext(within(t), socketURL(t, s), nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, conn: conn, pings: make(chan struct{}, 100), in: make(chan map[string]any, 100)}
	conn.SetPingHandler(func(string) error {
		select {
		case c.pings <- struct{}{}:
		default:
		}
		return nil
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(c.in)
		for {
			var m map[string]any
			if conn.ReadJSON(&m) != nil {
				return
			}
			c.in <- m
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	c.hello = c.next()
	return c
}

// next is the next message, or nil when the socket has ended.
func (c *client) next() map[string]any {
	c.t.Helper()
	select {
	case m := <-c.in:
		return m
	case <-time.After(10 * time.Second):
		c.t.Fatal("nothing arrived on the socket")
		return nil
	}
}

func (c *client) ack(envelope map[string]any, payload string) {
	c.t.Helper()
	ack := map[string]any{"envelope_id": envelope["envelope_id"]}
	if payload != "" {
		ack["payload"] = json.RawMessage(payload)
	}
	if err := c.conn.WriteJSON(ack); err != nil {
		c.t.Error(err)
	}
}

// ackAll acknowledges whatever arrives, and passes it on.
func (c *client) ackAll(payload string) <-chan map[string]any {
	seen := make(chan map[string]any, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for m := range c.in {
			seen <- m
			if m["envelope_id"] != nil {
				c.ack(m, payload)
			}
		}
	}()
	c.t.Cleanup(func() { c.conn.Close(); <-done })
	return seen
}
