package slack

import (
	"fmt"
	"strings"
	"testing"
)

const card = `[{"type":"section","text":{"type":"mrkdwn","text":"x"},"accessory":
	{"type":"button","action_id":"stop","style":"danger","value":"op_1","text":{"type":"plain_text","text":"Stop"}}},
	{"type":"actions","block_id":"links","elements":[
	{"type":"button","action_id":"argo","url":"https://argo","text":{"type":"plain_text","text":"Argo CD"}}]}]`

func TestClick(t *testing.T) {
	s := start(t, Options{})
	seen := dial(t, s).ackAll("")
	ref := mustPost(t, s, "text", "x", "blocks", card, "metadata", `{"event_type":"op","event_payload":{"id":"1"}}`)
	if _, err := s.Click(within(t), "U2", ref, "stop"); err != nil {
		t.Fatal(err)
	}
	e := <-seen
	p := e["payload"].(map[string]any)
	if e["type"] != "interactive" || e["accepts_response_payload"] != false || p["type"] != "block_actions" {
		t.Errorf("envelope = %v", e)
	}
	action := p["actions"].([]any)[0].(map[string]any)
	if action["action_id"] != "stop" || action["value"] != "op_1" || action["block_id"] == nil || action["action_ts"] == nil {
		t.Errorf("action = %v", action)
	}
	user, container := p["user"].(map[string]any), p["container"].(map[string]any)
	if user["id"] != "U2" || user["team_id"] != TeamID || container["message_ts"] != ref.TS || container["is_ephemeral"] != false {
		t.Errorf("user = %v, container = %v", user, container)
	}
	message := p["message"].(map[string]any)
	if message["ts"] != ref.TS || message["metadata"] == nil || p["trigger_id"] == "" || p["response_url"] == "" {
		t.Errorf("payload = %v", p)
	}
	if _, err := s.Click(within(t), "U1", ref, "argo"); err != nil {
		t.Fatal(err)
	}
	link := (<-seen)["payload"].(map[string]any)["actions"].([]any)[0].(map[string]any)
	if link["block_id"] != "links" || link["url"] != "https://argo" {
		t.Errorf("a link button sends a payload too, got %v", link)
	}
}

const menus = `[{"type":"actions","block_id":"menus","elements":[
	{"type":"static_select","action_id":"tag","placeholder":{"type":"plain_text","text":"Which"},"options":[
		{"text":{"type":"plain_text","text":"One"},"value":"v1"},{"text":{"type":"plain_text","text":"Two"},"value":"v2"}]},
	{"type":"static_select","action_id":"grouped","option_groups":[{"label":{"type":"plain_text","text":"G"},"options":[
		{"text":{"type":"plain_text","text":"Three"},"value":"v3"}]}]},
	{"type":"overflow","action_id":"more","options":[{"text":{"type":"plain_text","text":"Rest"},"value":"rest"}]},
	{"type":"users_select","action_id":"who"}]}]`

func TestChoose(t *testing.T) {
	s := start(t, Options{})
	seen := dial(t, s).ackAll("")
	ref := mustPost(t, s, "text", "x", "blocks", menus)
	for _, c := range []struct{ action, kind, value string }{
		{"tag", "static_select", "v2"}, {"grouped", "static_select", "v3"}, {"more", "overflow", "rest"}, {"who", "users_select", "U2"},
	} {
		if _, err := s.Choose(within(t), "U1", ref, c.action, c.value); err != nil {
			t.Fatal(err)
		}
		action := (<-seen)["payload"].(map[string]any)["actions"].([]any)[0].(map[string]any)
		if action["type"] != c.kind || action["action_id"] != c.action || action["block_id"] != "menus" || action["action_ts"] == nil {
			t.Errorf("action = %v", action)
		}
		chosen := action["selected_user"]
		if option, is := action["selected_option"].(map[string]any); is {
			chosen = option["value"]
		}
		if chosen != c.value {
			t.Errorf("%s: %v is chosen, not %s", c.action, chosen, c.value)
		}
	}
	for action, value := range map[string]string{"tag": "v3", "grouped": "", "nothing": "v1"} {
		if _, err := s.Choose(within(t), "U1", ref, action, value); err == nil {
			t.Errorf("%q was chosen of %s", value, action)
		}
	}
	if _, err := s.Click(within(t), "U1", ref, "tag"); err == nil {
		t.Error("a menu was clicked like a button")
	}
}

func TestClickOnEphemeral(t *testing.T) {
	s := start(t, Options{})
	seen := dial(t, s).ackAll("")
	a := call(t, s, "chat.postEphemeral", "channel", "C1", "user", "U1", "text", "x", "blocks", card)
	ref := MessageRef{"C1", a.str("message_ts")}
	if _, err := s.Click(within(t), "U2", ref, "stop"); err == nil {
		t.Error("U2 clicked on what only U1 sees")
	}
	if _, err := s.Click(within(t), "U1", ref, "stop"); err != nil {
		t.Fatal(err)
	}
	p := (<-seen)["payload"].(map[string]any)
	if p["message"] != nil || p["container"].(map[string]any)["is_ephemeral"] != true {
		t.Errorf("payload = %v", p)
	}
}

func TestClickOnWhatIsNotThere(t *testing.T) {
	s := start(t, Options{})
	dial(t, s).ackAll("")
	ref := mustPost(t, s, "text", "x", "blocks", card)
	call(t, s, "chat.update", "channel", ref.Channel, "ts", ref.TS, "text", "done")
	gone := mustPost(t, s, "text", "x", "blocks", card)
	if err := s.Delete(gone); err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]MessageRef{"buttons were removed": ref, "deleted": gone, "never there": {"C1", "1.0"}} {
		if _, err := s.Click(within(t), "U1", at, "stop"); err == nil {
			t.Errorf("%s: clicked", name)
		}
	}
}

// click presses the card's button and returns the click's response URL.
func click(t *testing.T, s *Server, seen <-chan map[string]any, ref MessageRef) string {
	t.Helper()
	if _, err := s.Click(within(t), "U1", ref, "stop"); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint((<-seen)["payload"].(map[string]any)["response_url"])
}

func TestEvents(t *testing.T) {
	s := start(t, Options{Scopes: append(DefaultScopes(), "reactions:write")})
	seen := dial(t, s).ackAll("")
	mustPost(t, s, "text", "before")
	events, stop := s.Events()
	ref := mustPost(t, s, "text", "one", "blocks", card)
	call(t, s, "chat.update", "channel", "C1", "ts", ref.TS, "text", "two", "blocks", card)
	call(t, s, "reactions.add", "channel", "C1", "timestamp", ref.TS, "name", "eyes")
	a := call(t, s, "chat.postEphemeral", "channel", "C1", "user", "U1", "text", "psst", "blocks", card)
	whisper := MessageRef{"C1", a.str("message_ts")}
	hook := click(t, s, seen, whisper)
	postJSON(t, hook, "", `{"replace_original":true,"text":"hush"}`)
	postJSON(t, hook, "", `{"delete_original":true}`)
	call(t, s, "chat.delete", "channel", "C1", "ts", ref.TS)
	want := []string{
		"posted one", "updated two", "reaction two", "ephemeral psst",
		"ephemeral replaced hush", "ephemeral deleted hush", "deleted two",
	}
	for _, w := range want {
		e := <-events
		if got := fmt.Sprint(e.Kind, " ", e.Message.Text); got != w {
			t.Errorf("event %q, want %q", got, w)
		}
	}
	stop()
	stop()
	if e, open := <-events; open {
		t.Errorf("event %v after stop", e)
	}
}

func TestWait(t *testing.T) {
	s := start(t, Options{})
	done := make(chan error, 1)
	go func() {
		done <- s.Wait(t.Context(), func() bool { return len(s.Messages("C1")) == 2 })
	}()
	mustPost(t, s, "text", "1")
	mustPost(t, s, "text", "2")
	if err := <-done; err != nil {
		t.Error(err)
	}
	ctx := within(t)
	go func() { done <- s.Wait(ctx, func() bool { return s.Calls("chat.update") > 0 }) }()
	call(t, s, "chat.update")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestSayAsNobody(t *testing.T) {
	s := start(t, Options{})
	if _, err := s.Say("U404", "C1", "x"); err == nil || !strings.Contains(err.Error(), "AddUser") {
		t.Errorf("err = %v", err)
	}
}
