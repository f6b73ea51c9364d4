package main

import (
	"database/sql"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/synestra/promoter/internal/sandbox/slack"
)

// In HTTP mode no socket is opened, and Slack's proof that the address is ours
// is answered on slack.listen, beside health and metrics.
func TestHTTPMode(t *testing.T) {
	t.Parallel()
	s := newStage(t, inMode(modeHTTP))
	s.start()
	ack, err := s.slack.Deliver(t.Context(), slack.Envelope{Type: "events_api", Payload: json.RawMessage(`{"type":"url_verification","challenge":"3eZ"}`)})
	if err != nil || strings.TrimSpace(string(ack.Payload)) != `{"challenge":"3eZ"}` {
		t.Errorf("the challenge is answered with %s, %v", ack.Payload, err)
	}
	for path, want := range map[string]int{
		"/healthz": http.StatusOK, "/readyz": http.StatusOK, "/metrics": http.StatusOK, "/slack/commands": http.StatusMethodNotAllowed,
	} {
		if got := s.get(path); got != want {
			t.Errorf("GET %s: %d, want %d", path, got, want)
		}
	}
	if n := s.slack.Calls("apps.connections.open"); n != 0 {
		t.Errorf("%d sockets were asked for", n)
	}
}

// In Socket Mode Slack's requests are no matter of slack.listen.
func TestSocketModeServesNoRequests(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.start()
	if got := s.get("/slack/commands"); got != http.StatusNotFound {
		t.Errorf("GET /slack/commands: %d", got)
	}
}

// A click over HTTP, and answers at its response address.
func TestClickOverHTTP(t *testing.T) {
	t.Parallel()
	s := newStage(t, inMode(modeHTTP))
	if err := s.argo.GoHot("shop"); err != nil {
		t.Fatal(err)
	}
	s.wait("the session", func() bool { return s.argo.State("web-shop-dev").SessionStands })
	s.start()
	s.click(s.ask(ana, "/reset-dev", "shop"), "Reset anyway")
	s.wait("an operation", func() bool { return len(s.public(releases)) == 1 })
	s.told()
	if !slices.Contains(s.argo.State("web-shop-dev").Syncs, "bot") {
		t.Errorf("dev was not reset:\n%s", s.draw())
	}
}

// Slack delivers a command again, to this process and to the next: it is done
// once.
func TestRedeliveryOverHTTPIsDoneOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t, inMode(modeHTTP))
	s.start()
	ack, err := s.slack.Command(t.Context(), ana, releases, "/promote", "synestra-io")
	if err != nil {
		t.Fatal(err)
	}
	again := func() {
		t.Helper()
		if ack, err := s.slack.Redeliver(t.Context(), ack.Envelope); err != nil || ack.Payload != nil {
			t.Errorf("the redelivery is answered with %s, %v", ack.Payload, err)
		}
	}
	again()
	s.shows("is on `sha-2` in prod")
	again()
	s.stop()
	s.start()
	again()
	s.told()
	if got := s.commits(); len(got) != 1 || len(s.public(releases)) != 1 || len(s.private(ana)) != 0 {
		t.Errorf("commits %q\n%s", got, s.draw())
	}
}

// The store is too slow to accept a command: the answer says so, and it is not
// worked on when the store is well again, nor when Slack delivers it again.
func TestSlowStoreOverHTTP(t *testing.T) {
	t.Parallel()
	s := newStage(t, inMode(modeHTTP))
	s.start()
	release := s.lockStore()
	ack, err := s.slack.Command(t.Context(), ana, releases, "/promote", "synestra-io")
	release()
	if err != nil || !strings.Contains(string(ack.Payload), "Not accepted") || !strings.Contains(string(ack.Payload), `"ephemeral"`) {
		t.Errorf("answered with %s, %v", ack.Payload, err)
	}
	if again, err := s.slack.Redeliver(t.Context(), ack.Envelope); err != nil || !strings.Contains(string(again.Payload), "Not accepted") {
		t.Errorf("the redelivery is answered with %s, %v", again.Payload, err)
	}
	s.command(ana, releases, "/promote", "shop") // which comes after it
	s.told()
	if got := s.commits(); len(got) != 0 || len(s.public(releases)) != 0 {
		t.Errorf("commits %q\n%s", got, s.draw())
	}
	if told := s.private(ana); len(told) != 1 {
		t.Errorf("the person was told %d times:\n%s", len(told), s.draw())
	}
}

// lockStore has somebody else write to the store until release is called.
func (s *stage) lockStore() (release func()) {
	s.t.Helper()
	db, err := sql.Open("sqlite", "file:"+s.c.Store.Path+"?_txlock=immediate&_busy_timeout=5000")
	if err != nil {
		s.t.Fatal(err)
	}
	tx, err := db.BeginTx(s.t.Context(), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return func() {
		s.t.Helper()
		if err := tx.Rollback(); err != nil {
			s.t.Error(err)
		}
		if err := db.Close(); err != nil {
			s.t.Error(err)
		}
	}
}

// What Slack did not sign changes nothing, and the secret is in no log, however
// much is logged.
func TestForgedRequest(t *testing.T) {
	t.Parallel()
	s := newStage(t, inMode(modeHTTP))
	s.start()
	s.slack.SendOverHTTP(slack.RequestURLs{Commands: s.url("/slack/commands")}, "forged")
	_, err := s.slack.Command(t.Context(), ana, releases, "/promote", "synestra-io")
	if err == nil || !strings.Contains(err.Error(), "status 401") {
		t.Errorf("answered with %v", err)
	}
	s.told()
	if got := s.commits(); len(got) != 0 || len(s.slack.Messages(releases)) != 0 {
		t.Errorf("commits %q\n%s", got, s.draw())
	}
	log := s.logs.String()
	if !strings.Contains(log, "check SLACK_SIGNING_SECRET") || strings.Contains(log, worldSigning) || strings.Contains(log, "synestra-io") {
		t.Errorf("the log:\n%s", log)
	}
}
