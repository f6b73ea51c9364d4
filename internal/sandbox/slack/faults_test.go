package slack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestFaults(t *testing.T) {
	s := start(t, Options{})
	post := func() answer { return call(t, s, "chat.postMessage", "channel", "C1", "text", "x") }

	s.FailNext("chat.postMessage", 2, Fault{Error: "fatal_error"})
	s.FailNext("chat.postMessage", 1, Fault{Error: "ratelimited", RetryAfter: 1500 * time.Millisecond})
	s.FailNext("chat.postMessage", 1, Fault{Error: "ratelimited"})
	s.FailNext("chat.postMessage", 1, Fault{Status: 503})
	for i, want := range []string{"200 fatal_error ", "200 fatal_error ", "429 ratelimited 2", "429 ratelimited ", "503  "} {
		a := post()
		if got := fmt.Sprint(a.status, " ", a.code(), " ", a.header.Get("Retry-After")); got != want {
			t.Errorf("call %d: %q, want %q", i, got, want)
		}
	}
	if n := len(s.Messages("C1")); n != 0 {
		t.Errorf("%d messages came out of failed calls", n)
	}
	if a := post(); a.body["ok"] != true || len(s.Messages("C1")) != 1 {
		t.Errorf("after the faults: %v", a.body)
	}
	if a := call(t, s, "auth.test"); a.body["ok"] != true {
		t.Errorf("another method: %v", a.body)
	}
	if n := s.Calls("chat.postMessage"); n != 6 {
		t.Errorf("%d calls", n)
	}
}

func TestDropReply(t *testing.T) {
	s := start(t, Options{})
	s.FailNext("chat.postMessage", 1, Fault{DropReply: true})
	if a, err := send(t, formRequest(t, s, "chat.postMessage", "channel", "C1", "text", "x")); err == nil {
		t.Errorf("answer = %v", a.body)
	}
	if n := len(s.Messages("C1")); n != 1 {
		t.Errorf("%d messages: the work must be done, once", n)
	}
}

func TestHang(t *testing.T) {
	s := start(t, Options{})
	s.FailNext("chat.update", 1, Fault{Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if a, err := send(t, formRequest(t, s, "chat.update").WithContext(ctx)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("answer = %v, err = %v", a.body, err)
	}
}

// TestHangEndsWithTheServer: Close does not wait for the client.
func TestHangEndsWithTheServer(t *testing.T) {
	s := start(t, Options{})
	s.FailNext("chat.update", 1, Fault{Hang: true})
	failed := make(chan error, 1)
	req := formRequest(t, s, "chat.update")
	go func() {
		_, err := send(t, req)
		failed <- err
	}()
	if err := s.Wait(within(t), func() bool { return s.Calls("chat.update") == 1 }); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := <-failed; err == nil {
		t.Error("the call was answered")
	}
}

// TestFaultsEndWithoutAnAnswer: a handler that merely returns would answer 200.
func TestFaultsEndWithoutAnAnswer(t *testing.T) {
	s := start(t, Options{})
	for _, f := range []Fault{{Hang: true}, {Delay: time.Hour}} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			over, cancel := context.WithCancel(r.Context())
			cancel()
			if s.before(over, w, f) {
				t.Errorf("%+v: the work would be done", f)
			}
		}))
		req, err := http.NewRequestWithContext(within(t), http.MethodPost, srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if a, err := send(t, req); err == nil {
			t.Errorf("%+v: answer %v", f, a.body)
		}
		srv.Close()
	}
}

func TestDelay(t *testing.T) {
	s := start(t, Options{})
	s.FailNext("chat.postMessage", 1, Fault{Delay: 50 * time.Millisecond})
	began := time.Now()
	mustPost(t, s, "text", "x")
	if took := time.Since(began); took < 50*time.Millisecond {
		t.Errorf("took %s", took)
	}
}

func TestResponseURLFaults(t *testing.T) {
	s := start(t, Options{})
	url := commandURL(t, s, "C1")
	s.FailNext(ResponseURL, 1, Fault{Status: 500})
	if a := postJSON(t, url, "", `{"text":"x"}`); a.status != 500 || len(s.Messages("C1")) != 0 {
		t.Errorf("status %d, %d messages", a.status, len(s.Messages("C1")))
	}
}

func TestLimits(t *testing.T) {
	c := newClock()
	s := start(t, Options{Now: c.now, StrictLimits: true, UpdatesPerMinute: 3})
	try := func(want int, retry, method string, pairs ...string) {
		t.Helper()
		a := call(t, s, method, pairs...)
		if a.status != want || a.header.Get("Retry-After") != retry {
			t.Errorf("%s %v: status %d, Retry-After %q", method, pairs, a.status, a.header.Get("Retry-After"))
		}
	}
	post := []string{"channel", "C1", "text", "x"}
	for range 4 { // a short burst
		try(200, "", "chat.postMessage", post...)
	}
	try(429, "4", "chat.postMessage", post...)
	try(200, "", "chat.postMessage", "channel", "G2", "text", "x") // each channel has its own
	c.t = c.t.Add(3500 * time.Millisecond)
	try(429, "1", "chat.postMessage", post...)
	c.t = c.t.Add(500 * time.Millisecond)
	try(200, "", "chat.postMessage", post...)

	update := []string{"channel", "C1", "ts", s.Messages("C1")[0].TS, "text", "y"}
	other := []string{"channel", "G2", "ts", s.Messages("G2")[0].TS, "text", "y"}
	try(200, "", "chat.update", update...)
	c.t = c.t.Add(10 * time.Second)
	try(200, "", "chat.update", update...)
	try(200, "", "chat.update", other...)
	try(429, "50", "chat.update", other...) // all channels share it
	c.t = c.t.Add(50 * time.Second)
	try(200, "", "chat.update", update...)
	try(429, "10", "chat.update", update...)
}

func TestNoLimitsUnlessStrict(t *testing.T) {
	s := start(t, Options{UpdatesPerMinute: 1})
	for range 20 {
		mustPost(t, s, "text", "x")
	}
}
