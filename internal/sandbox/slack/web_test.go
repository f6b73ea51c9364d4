package slack

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"
)

// received is one request as the bot gets it.
type received struct {
	path   string
	header http.Header
	body   string
}

// overHTTP runs a stand-in that delivers to answer.
func overHTTP(t *testing.T, o Options, answer func(n int, w http.ResponseWriter)) (*Server, <-chan received) {
	t.Helper()
	s := start(t, o)
	seen := make(chan received, 10)
	var n atomic.Int32
	bot := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		seen <- received{r.URL.Path, r.Header, string(body)}
		answer(int(n.Add(1)), w)
	}))
	t.Cleanup(bot.Close)
	s.SendOverHTTP(RequestURLs{bot.URL + "/commands", bot.URL + "/interactivity", bot.URL + "/events"}, "hush")
	return s, seen
}

func (r received) signed(t *testing.T, now time.Time) {
	t.Helper()
	stamp := r.header.Get("X-Slack-Request-Timestamp")
	if stamp != "1795499612" || now.Unix() != 1795499612 || r.header.Get("X-Slack-Signature") != Sign("hush", stamp, []byte(r.body)) {
		t.Errorf("timestamp %s at %d, signature %s", stamp, now.Unix(), r.header.Get("X-Slack-Signature"))
	}
}

func TestCommandOverHTTP(t *testing.T) {
	c := newClock()
	s, seen := overHTTP(t, Options{Now: c.now}, func(_ int, w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"response_type":"ephemeral","text":"not now"}`)
	})
	text := ` <!channel> & "a" + 😀 `
	ack, err := s.Command(within(t), "U1", "C1", "/promote", text)
	if err != nil || string(ack.Payload) != `{"response_type":"ephemeral","text":"not now"}` {
		t.Fatalf("acknowledged with %s, %v", ack.Payload, err)
	}
	r := <-seen
	r.signed(t, c.t)
	form, err := url.ParseQuery(r.body)
	if err != nil || r.path != "/commands" || r.header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		t.Errorf("%+v, %v", r, err)
	}
	if form.Get("text") != text || form.Get("command") != "/promote" || form.Get("trigger_id") == "" || form.Get("is_enterprise_install") != "false" {
		t.Errorf("form = %v", form)
	}
	if _, retried := r.header["X-Slack-Retry-Num"]; retried {
		t.Errorf("a first delivery says that it is a retry: %v", r.header)
	}
	if all := s.Messages("C1"); len(all) != 1 || all[0].EphemeralFor != "U1" || all[0].Text != "not now" {
		t.Errorf("messages = %+v", all)
	}
}

func TestClickOverHTTP(t *testing.T) {
	s, seen := overHTTP(t, Options{}, func(int, http.ResponseWriter) {})
	m := mustPost(t, s, "text", "x", "blocks",
		`[{"type":"actions","elements":[{"type":"button","action_id":"go","value":"1","text":{"type":"plain_text","text":"Go"}}]}]`)
	ack, err := s.Click(within(t), "U1", m, "go")
	if err != nil || ack.Payload != nil {
		t.Fatalf("acknowledged with %s, %v", ack.Payload, err)
	}
	r := <-seen
	form, err := url.ParseQuery(r.body)
	if err != nil || r.path != "/interactivity" || len(form) != 1 || form.Get("payload") != string(ack.Envelope.Payload) {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestEventOverHTTP(t *testing.T) {
	s, seen := overHTTP(t, Options{}, func(_ int, w http.ResponseWriter) { _, _ = io.WriteString(w, "3eZbr") })
	payload := `{"type":"url_verification","challenge":"3eZbr"}`
	ack, err := s.Deliver(within(t), Envelope{Type: "events_api", Payload: json.RawMessage(payload)})
	if err != nil || string(ack.Payload) != `{"text":"3eZbr"}` {
		t.Fatalf("acknowledged with %s, %v", ack.Payload, err)
	}
	if r := <-seen; r.path != "/events" || r.body != payload || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("%+v", r)
	}
}

// What is late or answered with a 5xx is delivered once more; the person has
// seen the error by then.
func TestRedeliveryOverHTTP(t *testing.T) {
	late := make(chan struct{})
	for _, row := range []struct {
		name   string
		first  func(w http.ResponseWriter)
		want   error
		reason string // of the retry; "" if there is none
	}{
		{"5xx", func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }, ErrRequestFailed, "http_error"},
		{"4xx", func(w http.ResponseWriter) { w.WriteHeader(http.StatusUnauthorized) }, ErrRequestFailed, ""},
		{"elsewhere", func(w http.ResponseWriter) {
			w.Header().Set("Location", "/commands")
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, ErrRequestFailed, ""},
		{"cut off", func(w http.ResponseWriter) { drop(w) }, ErrDispatchFailed, ""},
		{"late", func(http.ResponseWriter) { <-late }, ErrOperationTimeout, "http_timeout"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s, seen := overHTTP(t, Options{AckTimeout: 300 * time.Millisecond}, func(n int, w http.ResponseWriter) {
				if n == 1 {
					row.first(w)
				}
			})
			ack, err := s.Command(within(t), "U1", "C1", "/promote", "x")
			if row.want == ErrOperationTimeout {
				close(late)
			}
			if !errors.Is(err, row.want) {
				t.Errorf("the person sees %v", err)
			}
			first := <-seen
			if row.reason == "" {
				if len(seen) != 0 {
					t.Error("it was delivered again")
				}
				return
			}
			retry := <-seen
			if retry.body != first.body || retry.header.Get("X-Slack-Retry-Num") != "1" || retry.header.Get("X-Slack-Retry-Reason") != row.reason {
				t.Errorf("retry %+v\nof %+v", retry, first)
			}
			if ack.Envelope.RetryAttempt != 1 || ack.After == 0 {
				t.Errorf("acknowledgement %+v", ack)
			}
		})
	}
}

func TestNobodyAtTheRequestURL(t *testing.T) {
	s := start(t, Options{})
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	s.SendOverHTTP(RequestURLs{Commands: gone.URL}, "hush")
	if _, err := s.Command(within(t), "U1", "C1", "/promote", "x"); !errors.Is(err, ErrDispatchFailed) {
		t.Errorf("the person sees %v", err)
	}
}
