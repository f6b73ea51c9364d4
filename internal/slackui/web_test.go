package slackui

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	sandbox "github.com/synestra/promoter/internal/sandbox/slack"
)

// call is one HTTP request, right unless it says otherwise.
type call struct {
	path   string        // after /slack/
	method string        // POST if empty
	media  string        // that of the path if empty
	body   string        // what is sent
	signed string        // what is signed; body if empty
	secret string        // signing if empty
	ahead  time.Duration // of the timestamp
	change func(http.Header)
}

func (c call) request(t testing.TB, address string) *http.Request {
	t.Helper()
	or := func(s *string, otherwise string) {
		if *s == "" {
			*s = otherwise
		}
	}
	or(&c.method, http.MethodPost)
	or(&c.signed, c.body)
	or(&c.secret, signing)
	if c.path == "events" {
		or(&c.media, "application/json")
	}
	or(&c.media, "application/x-www-form-urlencoded")
	req, err := http.NewRequestWithContext(context.Background(), c.method, address+"/slack/"+c.path, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	timestamp := strconv.FormatInt(time.Now().Add(c.ahead).Unix(), 10)
	req.Header.Set("Content-Type", c.media)
	req.Header.Set("X-Slack-Request-Timestamp", timestamp)
	req.Header.Set("X-Slack-Signature", sandbox.Sign(c.secret, timestamp, []byte(c.signed)))
	if c.change != nil {
		c.change(req.Header)
	}
	return req
}

// typed is a command's body.
func typed(trigger string) string {
	return url.Values{
		"command": {"/promote"}, "text": {"private words"}, "user_id": {ana}, "user_name": {"ana"}, "channel_id": {team},
		"channel_name": {"team"}, "trigger_id": {trigger}, "is_enterprise_install": {"false"},
	}.Encode()
}

// padded is a command's body of so many bytes.
func padded(trigger string, size int) string {
	body := typed(trigger) + "&x="
	return body + strings.Repeat("x", size-len(body))
}

// clicked is a click's body.
func clicked(trigger string) string {
	return url.Values{"payload": {`{"type":"block_actions","trigger_id":"` + trigger + `","user":{"id":"U0ANA"},"channel":{"id":"C0TEAM"},` +
		`"container":{"is_ephemeral":true},"actions":[{"action_id":"click/0/reset-dev.confirm","value":"x"}]}`}}.Encode()
}

func header(name, value string) func(http.Header) {
	return func(h http.Header) {
		if value == "" {
			h.Del(name)
			return
		}
		h.Set(name, value)
	}
}

// Each row is a request, its answer, and how many rows are in the store after
// it, of this and those before.
func TestRequests(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	b.cfg.Signing = signing
	b.run()
	address := b.serve(b.ui)
	const stale, fresh = 5*time.Minute + 10*time.Second, 5*time.Minute - 10*time.Second
	unsigned := func(h http.Header) {
		h.Del("X-Slack-Signature")
		h.Del("X-Slack-Request-Timestamp")
	}
	const signature, timestamp = "X-Slack-Signature", "X-Slack-Request-Timestamp"
	retry := header("X-Slack-Retry-Num", "1")
	for _, row := range []struct {
		name   string
		call   call
		status int
		stored int
		says   string
	}{
		{"wrong secret", call{path: "commands", body: typed("1"), secret: "other"}, 401, 0, ""},
		{"no headers", call{path: "commands", body: typed("1"), change: unsigned}, 401, 0, ""},
		{"no signature", call{path: "commands", body: typed("1"), change: header(signature, "")}, 401, 0, ""},
		{"no timestamp", call{path: "commands", body: typed("1"), change: header(timestamp, "")}, 401, 0, ""},
		{"another timestamp", call{path: "commands", body: typed("1"), change: header(timestamp, "1")}, 401, 0, ""},
		{"no number", call{path: "commands", body: typed("1"), change: header(timestamp, "private words")}, 401, 0, ""},
		{"no hex", call{path: "commands", body: typed("1"), change: header(signature, "v0=private words")}, 401, 0, ""},
		{"half a signature", call{path: "commands", body: typed("1"), change: header(signature, "v0=00")}, 401, 0, ""},
		{"another version", call{path: "commands", body: typed("1"), change: func(h http.Header) {
			h.Set(signature, "v1="+strings.TrimPrefix(h.Get(signature), "v0="))
		}}, 401, 0, ""},
		{"old", call{path: "commands", body: typed("1"), ahead: -stale}, 401, 0, ""},
		{"future", call{path: "commands", body: typed("1"), ahead: stale}, 401, 0, ""},
		{"another body", call{path: "commands", body: typed("1"), signed: typed("2")}, 401, 0, ""},
		{"unsigned click", call{path: "interactivity", body: clicked("1"), change: unsigned}, 401, 0, ""},
		{"unsigned event", call{path: "events", body: `{"type":"url_verification","challenge":"x"}`, change: unsigned}, 401, 0, ""},
		{"too big", call{path: "commands", body: padded("1", 1<<20+1)}, 413, 0, ""},
		{"too big and unsigned", call{path: "commands", body: padded("1", 1<<20+1), change: unsigned}, 413, 0, ""},
		{"GET", call{path: "commands", method: http.MethodGet, body: typed("1")}, 405, 0, ""},
		{"PUT", call{path: "interactivity", method: http.MethodPut, body: clicked("1")}, 405, 0, ""},
		{"elsewhere", call{path: "other", body: typed("1")}, 404, 0, ""},
		{"JSON for a command", call{path: "commands", media: "application/json", body: typed("1")}, 415, 0, ""},
		{"no type", call{path: "commands", body: typed("1"), change: header("Content-Type", "")}, 415, 0, ""},
		{"a form for an event", call{path: "events", media: "application/x-www-form-urlencoded", body: "a=b"}, 415, 0, ""},
		{"no form", call{path: "commands", body: "%zz"}, 400, 0, ""},
		{"no trigger", call{path: "commands", body: "command=%2Fpromote"}, 400, 0, ""},
		{"no payload", call{path: "interactivity", body: "other=x"}, 400, 0, ""},
		{"payload in the query", call{path: "interactivity?payload=" + url.QueryEscape(`{"type":"block_actions"}`), body: "other=x"}, 400, 0, ""},
		{"no JSON", call{path: "events", body: "{"}, 400, 0, ""},
		{"certificate check", call{path: "commands", body: "ssl_check=1&token=xxx", change: unsigned}, 200, 0, ""},
		{"certificate check at events", call{path: "events", media: "application/x-www-form-urlencoded", body: "ssl_check=1", change: unsigned}, 200, 0, ""},
		{"signed certificate check", call{path: "commands", body: "ssl_check=1&" + typed("1")}, 200, 0, ""},
		{"certificate check with a command", call{path: "commands", body: "ssl_check=1&" + typed("1"), change: unsigned}, 200, 0, ""},
		{"certificate check wrongly signed", call{path: "commands", body: "ssl_check=1", secret: "other"}, 401, 0, ""},
		{"no certificate check", call{path: "commands", body: "ssl_check=0&" + typed("1"), change: unsigned}, 401, 0, ""},
		{"challenge", call{path: "events", body: `{"type":"url_verification","challenge":"3eZ<br>"}`}, 200, 0, `{"challenge":"3eZ<br>"}`},
		{"event", call{path: "events", body: `{"type":"event_callback","event_id":"Ev1","event":{"type":"app_home_opened"}}`}, 200, 0, ""},
		{"opened link", call{path: "interactivity", body: "payload=" + url.QueryEscape(`{"type":"block_actions","trigger_id":"9","actions":[{"action_id":"link/commit"}]}`)}, 200, 0, ""},

		{"command", call{path: "commands", body: typed("1")}, 200, 1, ""},
		{"command again", call{path: "commands", body: typed("1"), change: retry}, 200, 1, ""},
		{"command that is a retry", call{path: "commands", body: typed("2"), change: retry}, 200, 2, ""},
		{"click", call{path: "interactivity", body: clicked("1")}, 200, 3, ""},
		{"click again", call{path: "interactivity", body: clicked("1"), change: retry}, 200, 3, ""},
		{"old enough to be in time", call{path: "commands", body: typed("3"), ahead: -fresh}, 200, 4, ""},
		{"in time ahead", call{path: "commands", body: typed("4"), ahead: fresh}, 200, 5, ""},
		{"media type with a charset", call{path: "commands", media: "application/x-www-form-urlencoded; charset=utf-8", body: typed("5")}, 200, 6, ""},
		{"as big as may be", call{path: "commands", body: padded("6", 1<<20)}, 200, 7, ""},
	} {
		resp, err := http.DefaultClient.Do(row.call.request(t, address))
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		said, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if row.status != http.StatusOK {
			row.says = http.StatusText(row.status)
		}
		if err == nil && row.status == http.StatusOK && row.says != "" {
			said = canonical(t, said)
			row.says = string(canonical(t, []byte(row.says)))
		}
		if got := strings.TrimSpace(string(said)); err != nil || resp.StatusCode != row.status || got != row.says && row.status != 404 && row.status != 405 {
			t.Errorf("%s: %d %q, %v, want %d %q", row.name, resp.StatusCode, got, err, row.status, row.says)
		}
		if got := b.inbox.stored(); got != row.stored {
			t.Errorf("%s: %d rows in the store, want %d", row.name, got, row.stored)
		}
	}
	b.done(7)
	b.worked(7)
	log := b.log.String()
	for _, why := range []string{"no signature", "check this machine's clock", "check SLACK_SIGNING_SECRET"} {
		if !strings.Contains(log, why) {
			t.Errorf("the log does not say %q:\n%s", why, log)
		}
	}
	for _, secret := range []string{signing, "private words", "private+words", "v0=", "xxx"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q:\n%s", secret, log)
		}
	}
}

func canonical(t *testing.T, raw []byte) []byte {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// stored is how many rows there are.
func (m *memory) stored() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.state)
}

// Before the start and after the end requests are turned down, and what comes
// again is then taken in.
func TestRequestsWhileNobodyTakesThemIn(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	b.cfg.Signing = signing
	u := b.ready()
	u.times.accept = 20 * time.Millisecond
	address := b.serve(u)
	status := func(trigger string) int {
		t.Helper()
		resp, err := http.DefaultClient.Do(call{path: "commands", body: typed(trigger)}.request(t, address))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := status("1"); got != http.StatusServiceUnavailable || u.Ready() == nil {
		t.Errorf("before the start: %d, ready: %v", got, u.Ready())
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- u.Run(ctx) }()
	b.until("it is taken in", func() bool { return status("1") == http.StatusOK })
	b.done(1)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := status("2"); got != http.StatusServiceUnavailable {
		t.Errorf("after the end: %d", got)
	}
	if got := b.inbox.stored(); got != 1 {
		t.Errorf("%d rows in the store, want 1", got)
	}
}

// A request that is being stored when the bot stops is answered all the same,
// and what is answered is what becomes of it.
func TestStopWhileARequestIsStored(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	b.cfg.Signing = signing
	b.times.accept = patience
	b.inbox.hold, b.inbox.entered = make(chan struct{}), make(chan string, 1)
	stop := b.run()
	acked := make(chan sandbox.Ack, 1)
	go func() {
		ack, err := b.Command(b.ctx(), ana, team, "/promote", "synestra-io")
		if err != nil {
			t.Error(err)
		}
		acked <- ack
	}()
	<-b.inbox.entered
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	b.notAccepted(<-acked)
	close(b.inbox.hold) // it is stored now, too late
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if void, worked := b.inbox.count("void"), b.asked.count(); void != 1 || worked != 0 {
		t.Errorf("%d void, %d worked on", void, worked)
	}
}

// Without a signing secret nothing is taken for Slack's, not even what is
// signed with none.
func TestRequestsWithoutASigningSecret(t *testing.T) {
	b := readied(t)
	w := httptest.NewRecorder()
	req := call{path: "commands", body: typed("1")}.request(t, "")
	req.Header.Set("X-Slack-Signature", sandbox.Sign("", req.Header.Get("X-Slack-Request-Timestamp"), []byte(typed("1"))))
	b.ui.Requests().ServeHTTP(w, req)
	if w.Code != http.StatusUnauthorized {
		t.Errorf("status %d", w.Code)
	}
}

// known is an inbox that has every request already, so that none is worked on.
type known struct {
	*memory
	rows chan Accepted
}

func (k known) Accept(_ context.Context, key string, payload []byte) (bool, error) {
	k.rows <- Accepted{key, payload}
	return false, nil
}

func FuzzRequests(f *testing.F) {
	f.Add("commands", "application/x-www-form-urlencoded", typed("1"), int64(0), "")
	f.Add("commands", "application/x-www-form-urlencoded", typed("1"), int64(-301), "")
	f.Add("commands", "application/x-www-form-urlencoded", "ssl_check=1", int64(0), "v0=00")
	f.Add("commands", "application/x-www-form-urlencoded; charset=utf-8", "text=%ff&text=b&trigger_id=1", int64(0), "")
	f.Add("interactivity", "application/x-www-form-urlencoded", clicked("1"), int64(299), "")
	f.Add("interactivity", "application/x-www-form-urlencoded", "payload=%7B%22type%22:1%7D", int64(0), "")
	f.Add("events", "application/json", `{"type":"url_verification","challenge":"x"}`, int64(0), "")
	f.Add("events", "application/json", `{"type":{}}`, int64(0), "v0=")
	rows := make(chan Accepted, 1)
	u, err := New(Config{BotToken: "xoxb-1", Signing: signing, Channel: team, Log: slog.New(slog.DiscardHandler)}, known{newMemory(), rows}, nil)
	if err != nil {
		f.Fatal(err)
	}
	u.times.accept = patience // a row that comes later would be taken for the next request's
	ctx, stop := context.WithCancel(context.Background())
	var taking sync.WaitGroup
	taking.Go(func() { _ = u.takeIn(ctx) })
	f.Cleanup(func() { stop(); taking.Wait() })
	served := u.Requests()
	f.Fuzz(func(t *testing.T, path, media, body string, ahead int64, signature string) {
		if path != "commands" && path != "interactivity" && path != "events" {
			t.Skip("there are no other endpoints")
		}
		req := call{path: path, media: media, body: body, ahead: time.Duration(ahead%1000) * time.Second}.request(t, "")
		off := max(ahead%1000, -(ahead % 1000)) // the clock may tick meanwhile
		if signature != "" {
			req.Header.Set("X-Slack-Signature", signature)
		}
		u.verdicts.all = nil // there would be very many
		w := httptest.NewRecorder()
		served.ServeHTTP(w, req)
		var row *Accepted
		select {
		case got := <-rows:
			row = &got
		default:
		}
		switch {
		case (signature != "" || off > 301) && (w.Code != http.StatusUnauthorized || row != nil):
			t.Errorf("not signed: status %d, stored %v", w.Code, row)
		case signature == "" && off < 299 && w.Code == http.StatusUnauthorized:
			t.Error("signed, and turned down")
		}
		if row == nil {
			return
		}
		if kind, id, ok := strings.Cut(row.Key, ":"); !ok || id == "" || kind != kindCommand && kind != kindInteraction {
			t.Errorf("stored as %q", row.Key)
		}
		if r, err := parseRequest(*row); err == nil && (r.By.ID == "" || r.Channel.ID == "" || r.Delivery != row.Key) {
			t.Errorf("read as %+v", r)
		}
	})
}
