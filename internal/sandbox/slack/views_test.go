package slack

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestViews(t *testing.T) {
	c := newClock()
	s := start(t, Options{Now: c.now})
	seen := dial(t, s).ackAll("")
	trigger := func() string {
		if _, err := s.Command(within(t), "U1", "C1", "/promote", ""); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint((<-seen)["payload"].(map[string]any)["trigger_id"])
	}
	input := `{"type":"input","label":{"type":"plain_text","text":"App"},"element":{"type":"plain_text_input"}}`
	modal := `{"type":"modal","title":{"type":"plain_text","text":"Promote"},"blocks":[` + input + `]}`
	first := trigger()
	opened := call(t, s, "views.open", "trigger_id", first, "view", modal)
	if opened.body["ok"] != true {
		t.Fatalf("views.open = %v", opened.body)
	}
	late := trigger()
	c.t = c.t.Add(3*time.Second + time.Millisecond)
	for _, tt := range []struct{ trigger, view, want string }{
		{first, modal, "exchanged_trigger_id"},
		{late, modal, "expired_trigger_id"},
		{"1.2.x", modal, "invalid_trigger_id"},
		{trigger(), `{"type":"home","blocks":[]}`, "invalid_arguments"},
		{trigger(), `{"type":"modal","blocks":[]}`, "invalid_arguments"},
		{trigger(), strings.Replace(modal, "plain_text_input", "crystal_ball", 1), "invalid_blocks"},
	} {
		if a := call(t, s, "views.open", "trigger_id", tt.trigger, "view", tt.view); a.code() != tt.want {
			t.Errorf("error %q, want %q", a.code(), tt.want)
		}
	}
	id := opened.body["view"].(map[string]any)["id"].(string)
	if a := call(t, s, "views.update", "view_id", id, "view", strings.Replace(modal, "Promote", "Changed", 1)); a.body["ok"] != true {
		t.Errorf("views.update = %v", a.body)
	}
	if a := call(t, s, "views.update", "view_id", "V404", "view", modal); a.code() != "not_found" {
		t.Errorf("updating nothing = %v", a.body)
	}
	home := `{"user_id":"U1","view":{"type":"home","blocks":[{"type":"divider"}]}}`
	for range 2 { // a person has one Home tab
		if a := postJSON(t, s.APIURL()+"views.publish", "xoxb-sandbox", home); a.body["ok"] != true {
			t.Errorf("views.publish = %v", a.body)
		}
	}
	got := s.Views("U1")
	if len(got) != 2 || got[0].Type != "modal" || !strings.Contains(string(got[0].View), "Changed") || got[1].Type != "home" {
		t.Errorf("views = %+v", got)
	}
}
