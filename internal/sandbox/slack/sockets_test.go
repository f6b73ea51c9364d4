package slack

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func TestHello(t *testing.T) {
	s := start(t, Options{PingEvery: time.Millisecond})
	for n := 1; n <= 2; n++ {
		c := dial(t, s)
		if c.hello["type"] != "hello" || c.hello["num_connections"] != float64(n) {
			t.Errorf("hello %d = %v", n, c.hello)
		}
		if c.hello["connection_info"].(map[string]any)["app_id"] != AppID {
			t.Errorf("hello = %v", c.hello)
		}
		for range 3 {
			select {
			case <-c.pings:
			case <-time.After(10 * time.Second):
				t.Fatal("no ping")
			}
		}
	}
	if s.Sockets() != 2 {
		t.Errorf("%d sockets", s.Sockets())
	}
}

func TestSocketURLWorksOnce(t *testing.T) {
	c := newClock()
	s := start(t, Options{Now: c.now})
	used := socketURL(t, s)
	conn, _, err := websocket.DefaultDialer.DialContext(within(t), used, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	refused := func(name, url string) {
		t.Helper()
		if conn, _, err := websocket.DefaultDialer.DialContext(within(t), url, nil); err == nil {
			conn.Close()
			t.Errorf("a URL that is %s was accepted", name)
		}
	}
	refused("used", used)
	late := socketURL(t, s)
	refused("made up", strings.Replace(late, "ticket=", "ticket=x", 1))
	c.t = c.t.Add(31 * time.Second)
	refused("expired", late)
}

func TestEleventhSocketIsTurnedAway(t *testing.T) {
	s := start(t, Options{})
	for range 10 {
		dial(t, s)
	}
	c := dial(t, s)
	if c.hello["type"] != "disconnect" || c.hello["reason"] != "too_many_websockets" {
		t.Errorf("first message = %v", c.hello)
	}
	if m := c.next(); m != nil {
		t.Errorf("then %v, want the end", m)
	}
	if s.Sockets() != 10 {
		t.Errorf("%d sockets", s.Sockets())
	}
}

// TestEachEnvelopeGoesToOneSocket also shows that all sockets get their share.
func TestEachEnvelopeGoesToOneSocket(t *testing.T) {
	s := start(t, Options{})
	a, b := dial(t, s).ackAll(""), dial(t, s).ackAll("")
	const n = 10
	for range n {
		if _, err := s.Command(within(t), "U1", "C1", "/promote", "x"); err != nil {
			t.Fatal(err)
		}
	}
	if len(a)+len(b) != n || len(a) != n/2 {
		t.Errorf("%d + %d deliveries of %d", len(a), len(b), n)
	}
}

func TestCommandPayload(t *testing.T) {
	s := start(t, Options{})
	seen := dial(t, s).ackAll("")
	s.AddChannel(Channel{ID: "G3", Name: "mpdm-ana--ben-1", MPIM: true})
	text := `  <!channel> "a" & ` + "`b`" + ` ../x 😀 ` + "\u202e"
	triggers := map[string]bool{}
	for channel, name := range map[string]string{
		"C1": "deploys", "G2": "privategroup", "D1": "directmessage", "G3": "mpdm-ana--ben-1",
	} {
		ack, err := s.Command(within(t), "U1", channel, "/promote", text)
		if err != nil {
			t.Fatal(err)
		}
		e := <-seen
		if e["type"] != "slash_commands" || e["accepts_response_payload"] != true || e["envelope_id"] != ack.Envelope.ID {
			t.Errorf("envelope = %v", e)
		}
		p := e["payload"].(map[string]any)
		for key, want := range map[string]any{
			"command": "/promote", "text": text, "channel_id": channel, "channel_name": name,
			"user_id": "U1", "user_name": "ana", "team_id": TeamID, "api_app_id": AppID,
		} {
			if p[key] != want {
				t.Errorf("%s: %s = %q, want %q", channel, key, p[key], want)
			}
		}
		trigger := fmt.Sprint(p["trigger_id"])
		if triggers[trigger] || !strings.HasPrefix(fmt.Sprint(p["response_url"]), "http://127.0.0.1:") {
			t.Errorf("payload = %v", p)
		}
		triggers[trigger] = true
	}
	for _, bad := range [][3]string{{"U404", "C1", "/x"}, {"U1", "C404", "/x"}, {"U1", "C1", "x"}} {
		if _, err := s.Command(within(t), bad[0], bad[1], bad[2], ""); err == nil {
			t.Errorf("command %v was sent", bad)
		}
	}
}

func TestNoSocket(t *testing.T) {
	s := start(t, Options{})
	if _, err := s.Command(within(t), "U1", "C1", "/promote", "x"); !errors.Is(err, ErrDispatchFailed) {
		t.Errorf("err = %v", err)
	}
}

// TestRedelivery lets one socket sleep: the retry goes to the other one, even
// if it is not its turn, in another envelope with the same trigger.
func TestRedelivery(t *testing.T) {
	t.Parallel()
	s := start(t, Options{AckTimeout: time.Second})
	one, other := dial(t, s), dial(t, s)
	type result struct {
		ack Ack
		err error
	}
	got := make(chan result, 1)
	go func() {
		ack, err := s.Command(t.Context(), "U1", "C1", "/promote", "x")
		got <- result{ack, err}
	}()
	var first, second map[string]any
	awake := other
	select {
	case first = <-one.in:
	case first = <-other.in:
		awake = one
	}
	between := make(chan error, 1)
	go func() {
		_, err := s.Deliver(t.Context(), Envelope{Type: "interactive", Payload: mustJSON("x")})
		between <- err
	}()
	awake.ack(awake.next(), "")
	if err := <-between; err != nil {
		t.Fatal(err)
	}
	second = awake.next()
	awake.ack(second, "")
	r := <-got
	if !errors.Is(r.err, ErrOperationTimeout) {
		t.Errorf("err = %v", r.err)
	}
	if r.ack.Envelope.ID != second["envelope_id"] || first["envelope_id"] == second["envelope_id"] || r.ack.After == 0 {
		t.Errorf("ack = %+v of %v", r.ack, second)
	}
	if first["retry_attempt"] != nil || second["retry_attempt"] != float64(1) || second["retry_reason"] != "timeout" {
		t.Errorf("first = %v, second = %v", first, second)
	}
	trigger := func(e map[string]any) any { return e["payload"].(map[string]any)["trigger_id"] }
	if trigger(first) != trigger(second) {
		t.Errorf("triggers %v and %v", trigger(first), trigger(second))
	}
}

func TestRedeliverOnDemand(t *testing.T) {
	s := start(t, Options{})
	seen := dial(t, s).ackAll("")
	ack, err := s.Command(within(t), "U1", "C1", "/promote", "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Deliver(within(t), ack.Envelope); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Redeliver(within(t), ack.Envelope); err != nil {
		t.Fatal(err)
	}
	first, same, retry := <-seen, <-seen, <-seen
	if first["envelope_id"] != same["envelope_id"] || fmt.Sprint(first) != fmt.Sprint(same) {
		t.Errorf("the same envelope twice: %v, %v", first, same)
	}
	if retry["envelope_id"] == first["envelope_id"] || fmt.Sprint(retry["payload"]) != fmt.Sprint(first["payload"]) || retry["retry_attempt"] != float64(1) {
		t.Errorf("retry = %v", retry)
	}
}

// TestAckOnAnotherSocket: an acknowledgement counts on the socket that got the envelope.
func TestAckOnAnotherSocket(t *testing.T) {
	s := start(t, Options{AckTimeout: 50 * time.Millisecond})
	one, other := dial(t, s), dial(t, s)
	done := make(chan error, 1)
	go func() {
		_, err := s.Deliver(t.Context(), Envelope{Type: "interactive", Payload: mustJSON("x")})
		done <- err
	}()
	select {
	case e := <-one.in:
		other.ack(e, "")
	case e := <-other.in:
		one.ack(e, "")
	}
	if err := <-done; !errors.Is(err, ErrOperationTimeout) {
		t.Errorf("err = %v", err)
	}
}

// TestSameEnvelopeAfterATimeout: an acknowledgement is for who waits now, not
// for who gave up.
func TestSameEnvelopeAfterATimeout(t *testing.T) {
	t.Parallel()
	s := start(t, Options{AckTimeout: time.Second})
	c := dial(t, s)
	e := Envelope{ID: "e1", Type: "interactive", Payload: mustJSON("x")}
	if _, err := s.Deliver(within(t), e); !errors.Is(err, ErrOperationTimeout) {
		t.Fatalf("err = %v", err)
	}
	c.next()
	done := make(chan error, 1)
	go func() {
		_, err := s.Deliver(t.Context(), e)
		done <- err
	}()
	c.ack(c.next(), "")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAckPayload(t *testing.T) {
	big := `{"text":"` + strings.Repeat("x", 20<<10) + `"}`
	tests := []struct {
		name, payload string
		shown         string // the ephemeral text
		everyone      bool
		fails         bool
	}{
		{name: "none"},
		{name: "null", payload: `null`},
		{name: "text", payload: `{"text":"on it"}`, shown: "on it"},
		{name: "to everyone", payload: `{"text":"on it","response_type":"in_channel"}`, shown: "on it", everyone: true},
		{name: "nothing to show", payload: `{"response_type":"ephemeral"}`},
		{name: "bad blocks", payload: `{"blocks":[{"type":"section"}]}`, fails: true},
		{name: "no object", payload: `"on it"`, fails: true},
		{name: "20 KB is dropped", payload: big, fails: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := Options{}
			if tt.payload == big {
				o.AckTimeout = 50 * time.Millisecond // it is waited out, twice
			}
			s := start(t, o)
			dial(t, s).ackAll(tt.payload)
			ack, err := s.Command(within(t), "U1", "C2", "/promote", "x")
			if (err != nil) != tt.fails {
				t.Fatalf("err = %v", err)
			}
			if tt.payload == big && !errors.Is(err, ErrOperationTimeout) {
				t.Errorf("err = %v", err)
			}
			if !tt.fails && string(ack.Payload) != tt.payload {
				t.Errorf("payload = %s", ack.Payload)
			}
			shown := s.Messages("C2")
			switch {
			case tt.shown == "" && len(shown) > 0:
				t.Errorf("shown: %+v", shown)
			case tt.shown == "":
			case len(shown) != 1 || shown[0].Text != tt.shown || (shown[0].EphemeralFor == "U1") == tt.everyone:
				t.Errorf("shown: %+v", shown)
			}
		})
	}
}

func TestDisconnect(t *testing.T) {
	s := start(t, Options{})
	old := dial(t, s)
	young := dial(t, s).ackAll("")
	s.Disconnect("refresh_requested", 1)
	if m := old.next(); m["type"] != "disconnect" || m["reason"] != "refresh_requested" {
		t.Errorf("message = %v", m)
	}
	if s.Sockets() != 1 {
		t.Errorf("%d sockets", s.Sockets())
	}
	for range 3 {
		if _, err := s.Command(within(t), "U1", "C1", "/promote", "x"); err != nil {
			t.Fatal(err)
		}
	}
	if len(young) != 3 {
		t.Errorf("%d envelopes on the socket that stays", len(young))
	}
	s.Disconnect("link_disabled", 1)
	for range 3 {
		<-young
	}
	if m := <-young; m["reason"] != "link_disabled" {
		t.Errorf("message = %v", m)
	}
	if err := s.Wait(within(t), func() bool { return s.Sockets() == 0 }); err != nil {
		t.Error(err)
	}
}

func TestCut(t *testing.T) {
	s := start(t, Options{})
	one := dial(t, s)
	dial(t, s)
	s.Cut(1)
	if m := one.next(); m != nil {
		t.Errorf("message = %v, want the end", m)
	}
	if s.Sockets() != 1 {
		t.Errorf("%d sockets", s.Sockets())
	}
}

func TestSilence(t *testing.T) {
	s := start(t, Options{AckTimeout: 50 * time.Millisecond, PingEvery: time.Millisecond})
	c := dial(t, s)
	s.Silence(1)
	if s.Sockets() != 1 {
		t.Errorf("%d sockets: Slack must not notice", s.Sockets())
	}
	if _, err := s.Deliver(within(t), Envelope{Type: "interactive", Payload: mustJSON("x")}); !errors.Is(err, ErrOperationTimeout) {
		t.Errorf("err = %v", err)
	}
	if len(c.in) > 0 {
		t.Errorf("it got %v", <-c.in)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	s, err := Start(Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, s)
	events, _ := s.Events()
	waited := make(chan error, 1)
	go func() { waited <- s.Wait(t.Context(), func() bool { return false }) }()
	s.Close()
	s.Close()
	if m := c.next(); m != nil {
		t.Errorf("message = %v, want the end", m)
	}
	if _, open := <-events; open {
		t.Error("an event after the end")
	}
	if err := <-waited; err == nil {
		t.Error("Wait ended well")
	}
	if _, err := send(t, formRequest(t, s, "auth.test")); err == nil {
		t.Error("still serving")
	}
}
