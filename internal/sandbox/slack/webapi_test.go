package slack

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestTokens(t *testing.T) {
	s := start(t, Options{})
	s.Revoke("xoxb-old", "token_revoked")
	tests := []struct{ method, token, want string }{
		{"auth.test", "xoxb-sandbox", ""},
		{"auth.test", "", "not_authed"},
		{"auth.test", "xoxb-other", "invalid_auth"},
		{"auth.test", "xoxb-old", "token_revoked"},
		{"auth.test", "xapp-sandbox", "not_allowed_token_type"},
		{"apps.connections.open", "xoxb-sandbox", "not_allowed_token_type"},
		{"apps.connections.open", "xapp-sandbox", ""},
		{"chat.conjure", "xoxb-sandbox", "unknown_method"},
	}
	for _, tt := range tests {
		if got := call(t, s, tt.method, "token", tt.token).code(); got != tt.want {
			t.Errorf("%s with %q: error %q, want %q", tt.method, tt.token, got, tt.want)
		}
	}
	s.Revoke("xoxb-sandbox", "account_inactive")
	if got := call(t, s, "auth.test").code(); got != "account_inactive" {
		t.Errorf("revoked: error %q", got)
	}
	s.Revoke("xoxb-sandbox", "")
	if a := call(t, s, "auth.test"); a.str("user_id") != BotUserID || a.str("team_id") != TeamID || a.str("bot_id") != BotID {
		t.Errorf("auth.test = %v", a.body)
	}
}

// TestForms sends the same call in each form that clients use.
func TestForms(t *testing.T) {
	s := start(t, Options{})
	blocks := `[{"type":"section","text":{"type":"mrkdwn","text":"hi"}}]`
	form := formRequest(t, s, "chat.postMessage", "token", "", "channel", "C1", "text", "x", "blocks", blocks)
	form.Header.Set("Authorization", "Bearer xoxb-sandbox")
	if a, err := send(t, form); err != nil || a.body["ok"] != true {
		t.Errorf("form with a header: %v %v", a.body, err)
	}
	if a := call(t, s, "chat.postMessage", "channel", "C1", "text", "x", "blocks", blocks); a.body["ok"] != true {
		t.Errorf("form with a token: %v", a.body)
	}
	if a := postJSON(t, s.APIURL()+"chat.postMessage", "xoxb-sandbox", `{"channel":"C1","text":"x","blocks":`+blocks+`}`); a.body["ok"] != true {
		t.Errorf("JSON: %v", a.body)
	}
	if a := postJSON(t, s.APIURL()+"chat.postMessage", "xoxb-sandbox", `{"channel":`); a.code() != "invalid_json" {
		t.Errorf("broken JSON: %v", a.body)
	}
	for _, m := range s.Messages("C1") {
		if m.Text != "x" || !strings.Contains(string(m.Blocks), `"hi"`) {
			t.Errorf("message = %q %s", m.Text, m.Blocks)
		}
	}
	ref := s.Messages("C1")[0].MessageRef
	req, err := http.NewRequestWithContext(within(t), http.MethodGet,
		s.APIURL()+"chat.getPermalink?channel=C1&message_ts="+ref.TS, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer xoxb-sandbox")
	want := "https://sandbox.slack.com/archives/C1/p" + strings.ReplaceAll(ref.TS, ".", "")
	if a, err := send(t, req); err != nil || a.str("permalink") != want {
		t.Errorf("permalink = %v %v, want %s", a.body, err, want)
	}
}

func TestPostRefusals(t *testing.T) {
	s := start(t, Options{})
	long := strings.Repeat("é", 4_001)
	tests := []struct {
		name, want string
		pairs      []string
	}{
		{"member", "", []string{"channel", "C1", "text", "x"}},
		{"public channel without membership", "", []string{"channel", "C2", "text", "x"}},
		{"private channel with membership", "", []string{"channel", "G2", "text", "x"}},
		{"private channel without membership", "channel_not_found", []string{"channel", "G1", "text", "x"}},
		{"no such channel", "channel_not_found", []string{"channel", "C404", "text", "x"}},
		{"archived", "is_archived", []string{"channel", "C9", "text", "x"}},
		{"nothing to say", "no_text", []string{"channel", "C1"}},
		{"no blocks, no text", "no_text", []string{"channel", "C1", "blocks", "[ ]"}},
		{"long", "", []string{"channel", "C1", "text", long}},
		{"too long", "msg_too_long", []string{"channel", "C1", "text", strings.Repeat(long, 10)}},
		{"blocks that are no JSON", "invalid_blocks_format", []string{"channel", "C1", "blocks", "{"}},
		{"blocks that are no list", "invalid_blocks_format", []string{"channel", "C1", "blocks", "{}"}},
		{"no such thread", "thread_not_found", []string{"channel", "C1", "text", "x", "thread_ts", "1.000000"}},
		{"attachments", "invalid_attachments", []string{"channel", "C1", "text", "x", "attachments", `[{"text":"x"}]`}},
		{"metadata without a type", "invalid_metadata_format", []string{"channel", "C1", "text", "x", "metadata", `{"event_type":"","event_payload":{}}`}},
		{"metadata without a payload", "invalid_metadata_format", []string{"channel", "C1", "text", "x", "metadata", `{"event_type":"a"}`}},
		{"metadata two levels deep", "invalid_metadata_schema", []string{"channel", "C1", "text", "x", "metadata", `{"event_type":"a","event_payload":{"a":{"b":{"c":1}}}}`}},
		{"metadata one level deep", "", []string{"channel", "C1", "text", "x", "metadata", `{"event_type":"a","event_payload":{"a":{"b":1},"c":"d","e":true}}`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if a := call(t, s, "chat.postMessage", tt.pairs...); a.code() != tt.want {
				t.Errorf("error %q, want %q", a.code(), tt.want)
			}
		})
	}
}

func TestPublicNeedsItsScope(t *testing.T) {
	s := start(t, Options{Scopes: []string{"chat:write"}})
	if a := call(t, s, "chat.postMessage", "channel", "C2", "text", "x"); a.code() != "not_in_channel" {
		t.Errorf("without chat:write.public: error %q", a.code())
	}
	a := call(t, s, "users.info", "user", "U1")
	if a.code() != "missing_scope" || a.str("needed") != "users:read" || a.str("provided") != "chat:write" {
		t.Errorf("users.info = %v", a.body)
	}
}

func TestMissingScope(t *testing.T) {
	s := start(t, Options{})
	s.MissingScope("chat.update", "chat:write")
	a := call(t, s, "chat.update", "channel", "C1", "ts", "1.0", "text", "x")
	if a.code() != "missing_scope" || a.str("needed") != "chat:write" || strings.Contains(a.str("provided")+",", "chat:write,") {
		t.Errorf("chat.update = %v", a.body)
	}
}

func TestTimestampsAreUnique(t *testing.T) {
	c := newClock()
	s := start(t, Options{Now: c.now})
	seen := map[string]bool{}
	last := ""
	for range 5 {
		ts := mustPost(t, s, "text", "x").TS
		if seen[ts] || ts <= last || !strings.HasPrefix(ts, "1795499612.") || len(ts) != len("1795499612.000000") {
			t.Errorf("ts %q after %q", ts, last)
		}
		seen[ts], last = true, ts
	}
}

func TestUpdate(t *testing.T) {
	s := start(t, Options{})
	blocks := `[{"type":"section","text":{"type":"mrkdwn","text":"one"}}]`
	ref := mustPost(t, s, "text", "one", "blocks", blocks, "metadata", `{"event_type":"op","event_payload":{"id":"1"}}`)
	update := func(pairs ...string) answer {
		return call(t, s, "chat.update", append([]string{"channel", ref.Channel, "ts", ref.TS}, pairs...)...)
	}
	if a := update("text", "two", "blocks", strings.ReplaceAll(blocks, "one", "two")); a.body["ok"] != true || a.str("ts") != ref.TS {
		t.Fatalf("update = %v", a.body)
	}
	m, _ := s.Message(ref)
	if !strings.Contains(string(m.Blocks), "two") || m.Edited || len(m.Edits) != 1 || m.Edits[0].Text != "one" {
		t.Errorf("after blocks: %+v", m)
	}
	if !strings.Contains(string(m.Metadata), `"op"`) {
		t.Errorf("metadata not kept: %s", m.Metadata)
	}
	update("text", "three")
	m, _ = s.Message(ref)
	if m.Blocks != nil || m.Text != "three" || !m.Edited || len(m.Edits) != 2 {
		t.Errorf("a text alone must remove the blocks: %+v", m)
	}
	if a := update("text", strings.Repeat("x", 4_001)); a.code() != "msg_too_long" {
		t.Errorf("long update: %v", a.body)
	}

	theirs, err := s.Say("U1", "C1", "mine")
	if err != nil {
		t.Fatal(err)
	}
	call(t, s, "chat.postEphemeral", "channel", "C1", "user", "U1", "text", "psst")
	all := s.Messages("C1")
	whisper := all[len(all)-1]
	if whisper.EphemeralFor != "U1" {
		t.Fatalf("last message = %+v", whisper)
	}
	gone := mustPost(t, s, "text", "gone")
	if err := s.Delete(gone); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(gone); err == nil {
		t.Error("deleted twice")
	}
	tests := []struct {
		name string
		at   MessageRef
		want string
	}{
		{"someone else's", theirs, "cant_update_message"},
		{"ephemeral", whisper.MessageRef, "message_not_found"},
		{"deleted", gone, "message_not_found"},
		{"never there", MessageRef{"C1", "1.000000"}, "message_not_found"},
		{"another channel", MessageRef{"G2", ref.TS}, "message_not_found"},
		{"no such channel", MessageRef{"C404", ref.TS}, "channel_not_found"},
	}
	for _, tt := range tests {
		if a := call(t, s, "chat.update", "channel", tt.at.Channel, "ts", tt.at.TS, "text", "x"); a.code() != tt.want {
			t.Errorf("%s: error %q, want %q", tt.name, a.code(), tt.want)
		}
	}
}

func TestEphemeral(t *testing.T) {
	s := start(t, Options{})
	tests := []struct{ channel, user, want string }{
		{"C1", "U1", ""},
		{"C1", "U404", "user_not_in_channel"},
		{"C2", "U1", "not_in_channel"},
		{"G1", "U1", "channel_not_found"},
	}
	for _, tt := range tests {
		a := call(t, s, "chat.postEphemeral", "channel", tt.channel, "user", tt.user, "text", "x")
		if a.code() != tt.want || (tt.want == "" && a.str("message_ts") == "") {
			t.Errorf("%s for %s: %v, want error %q", tt.channel, tt.user, a.body, tt.want)
		}
	}
}

func TestDeleteAndReact(t *testing.T) {
	s := start(t, Options{Scopes: append(DefaultScopes(), "reactions:write")})
	ref := mustPost(t, s, "text", "x")
	react := []string{"channel", ref.Channel, "timestamp", ref.TS, "name", "rocket"}
	if a := call(t, s, "reactions.add", react...); a.body["ok"] != true {
		t.Errorf("reactions.add = %v", a.body)
	}
	if a := call(t, s, "reactions.add", react...); a.code() != "already_reacted" {
		t.Errorf("again = %v", a.body)
	}
	if m, _ := s.Message(ref); !slices.Equal(m.Reactions, []string{"rocket"}) {
		t.Errorf("reactions = %v", m.Reactions)
	}
	theirs, err := s.Say("U1", "C1", "mine")
	if err != nil {
		t.Fatal(err)
	}
	if a := call(t, s, "chat.delete", "channel", "C1", "ts", theirs.TS); a.code() != "cant_delete_message" {
		t.Errorf("deleting someone else's = %v", a.body)
	}
	if a := call(t, s, "chat.delete", "channel", "C1", "ts", ref.TS); a.body["ok"] != true {
		t.Errorf("chat.delete = %v", a.body)
	}
	if m, _ := s.Message(ref); !m.Deleted {
		t.Error("not deleted")
	}
	if a := call(t, s, "chat.getPermalink", "channel", "C1", "message_ts", ref.TS); a.code() != "message_not_found" {
		t.Errorf("permalink of a deleted message = %v", a.body)
	}
}

// TestGeneratedIDs checks that blocks and actions without an id get one.
func TestGeneratedIDs(t *testing.T) {
	s := start(t, Options{})
	ref := mustPost(t, s, "text", "x", "blocks", `[{"type":"actions","elements":[
		{"type":"button","text":{"type":"plain_text","text":"A"}},
		{"type":"button","action_id":"mine","text":{"type":"plain_text","text":"B"},"value":"v"}]}]`)
	m, _ := s.Message(ref)
	buttons := m.Buttons()
	if len(buttons) != 2 || buttons[0].ActionID == "" || buttons[1].ActionID != "mine" || buttons[1].Value != "v" {
		t.Errorf("buttons = %+v", buttons)
	}
	var blocks []map[string]any
	if err := json.Unmarshal(m.Blocks, &blocks); err != nil || blocks[0]["block_id"] == nil {
		t.Errorf("blocks = %s, %v", m.Blocks, err)
	}
}

func TestWarnsWithoutText(t *testing.T) {
	s := start(t, Options{})
	a := call(t, s, "chat.postMessage", "channel", "C1", "blocks", `[{"type":"divider"}]`)
	if a.str("warning") != "missing_text_in_message" {
		t.Errorf("answer = %v", a.body)
	}
}
