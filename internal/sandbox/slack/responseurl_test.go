package slack

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// commandURL runs a command and returns its response URL.
func commandURL(t *testing.T, s *Server, channel string) string {
	t.Helper()
	seen := dial(t, s).ackAll("")
	if _, err := s.Command(within(t), "U1", channel, "/promote", "x"); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint((<-seen)["payload"].(map[string]any)["response_url"])
}

func TestResponseURL(t *testing.T) {
	s := start(t, Options{})
	url := commandURL(t, s, "G1") // where the bot is no member
	tests := []struct {
		name, body string
		status     int
		shown      string // the new message
		everyone   bool
	}{
		{"ephemeral by default", `{"text":"a"}`, 200, "a", false},
		{"in channel", `{"text":"b","response_type":"in_channel"}`, 200, "b", true},
		{"as slack-go sends it", `{"text":"c","replace_original":false,"metadata":{"event_type":"","event_payload":null},"blocks":null}`, 200, "c", false},
		{"bad blocks", `{"blocks":[{"type":"section"}]}`, 400, "", false},
		{"nothing to say, fifth use", `{}`, 400, "", false},
		{"sixth use", `{"text":"d"}`, 404, "", false},
	}
	for _, tt := range tests {
		before := len(s.Messages("G1"))
		a := postJSON(t, url, "", tt.body)
		if a.status != tt.status {
			t.Errorf("%s: status %d %v, want %d", tt.name, a.status, a.body, tt.status)
		}
		shown := s.Messages("G1")[before:]
		switch {
		case tt.shown == "" && len(shown) > 0:
			t.Errorf("%s: shown %+v", tt.name, shown)
		case tt.shown == "":
		case len(shown) != 1 || shown[0].Text != tt.shown || (shown[0].EphemeralFor == "") != tt.everyone || shown[0].User != BotUserID:
			t.Errorf("%s: shown %+v", tt.name, shown)
		}
	}
	if s.Calls(ResponseURL) != len(tests) {
		t.Errorf("%d calls", s.Calls(ResponseURL))
	}
}

func TestResponseURLRefusals(t *testing.T) {
	c := newClock()
	s := start(t, Options{Now: c.now})
	url := commandURL(t, s, "C1")
	for _, body := range []string{`{`, `[]`, `{"text":"x","response_type":"shout"}`, `{"delete_original":true}`} {
		if a := postJSON(t, url, "", body); a.status != http.StatusBadRequest {
			t.Errorf("%s: status %d", body, a.status)
		}
	}
	if a := postJSON(t, url+"x", "", `{"text":"x"}`); a.status != http.StatusNotFound {
		t.Errorf("made up: status %d", a.status)
	}
	c.t = c.t.Add(30*time.Minute + time.Second)
	if a := postJSON(t, url, "", `{"text":"x"}`); a.status != http.StatusNotFound || !strings.Contains(a.str("text"), "expired_url") {
		t.Errorf("after half an hour: %d %v", a.status, a.body)
	}
	if got := len(s.Messages("C1")); got != 0 {
		t.Errorf("%d messages", got)
	}
}

func TestReplaceAndDeleteOriginal(t *testing.T) {
	s := start(t, Options{})
	seen := dial(t, s).ackAll("")
	a := call(t, s, "chat.postEphemeral", "channel", "C1", "user", "U1", "text", "sure?", "blocks", card)
	whisper := MessageRef{"C1", a.str("message_ts")}
	normal := mustPost(t, s, "text", "sure?", "blocks", card)
	for _, ref := range []MessageRef{whisper, normal} {
		hook := click(t, s, seen, ref)
		if a := postJSON(t, hook, "", `{"replace_original":true,"text":"done"}`); a.status != http.StatusOK {
			t.Errorf("replace: %d %v", a.status, a.body)
		}
		if m, _ := s.Message(ref); m.Text != "done" || m.Blocks != nil || len(m.Edits) != 1 {
			t.Errorf("replaced = %+v", m)
		}
		postJSON(t, hook, "", `{"text":"beside"}`)
		if a := postJSON(t, hook, "", `{"delete_original":true}`); a.status != http.StatusOK {
			t.Errorf("delete: %d %v", a.status, a.body)
		}
		if m, _ := s.Message(ref); !m.Deleted {
			t.Errorf("not deleted: %+v", m)
		}
	}
	if got := len(s.Messages("C1")); got != 4 {
		t.Errorf("%d messages, want the two and one beside each", got)
	}
}
