package slack

import (
	"fmt"
	"slices"
	"testing"
)

func texts(a answer) []string {
	var found []string
	messages, _ := a.body["messages"].([]any)
	for _, m := range messages {
		object, _ := m.(map[string]any)
		text, _ := object["text"].(string)
		found = append(found, text)
	}
	return found
}

func TestHistory(t *testing.T) {
	s := start(t, Options{})
	root := mustPost(t, s, "text", "1", "metadata", `{"event_type":"op","event_payload":{"id":"42"}}`)
	mustPost(t, s, "text", "reply", "thread_ts", root.TS)
	mustPost(t, s, "text", "shouted", "thread_ts", root.TS, "reply_broadcast", "true")
	call(t, s, "chat.postEphemeral", "channel", "C1", "user", "U1", "text", "psst")
	second := mustPost(t, s, "text", "2")
	gone := mustPost(t, s, "text", "gone")
	if err := s.Delete(gone); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		with []string
		want []string
	}{
		{"newest first, no replies, whispers or deleted", nil, []string{"2", "shouted", "1"}},
		{"oldest is exclusive", []string{"oldest", root.TS}, []string{"2", "shouted"}},
		{"unless inclusive", []string{"oldest", root.TS, "inclusive", "1"}, []string{"2", "shouted", "1"}},
		{"latest", []string{"latest", second.TS}, []string{"shouted", "1"}},
		{"limit", []string{"limit", "1"}, []string{"2"}},
	}
	for _, tt := range tests {
		a := call(t, s, "conversations.history", append([]string{"channel", "C1"}, tt.with...)...)
		if got := texts(a); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v (%v)", tt.name, got, tt.want, a.code())
		}
	}
	a := call(t, s, "conversations.replies", "channel", "C1", "ts", root.TS)
	if got := texts(a); !slices.Equal(got, []string{"1", "reply", "shouted"}) {
		t.Errorf("replies = %v", got)
	}
	if a := call(t, s, "conversations.replies", "channel", "C1", "ts", "1.0"); a.code() != "thread_not_found" {
		t.Errorf("replies to nothing = %v", a.body)
	}
}

func TestHistoryMetadata(t *testing.T) {
	s := start(t, Options{})
	mustPost(t, s, "text", "1", "metadata", `{"event_type":"op","event_payload":{"id":"42"}}`)
	for _, with := range []string{"", "true"} {
		a := call(t, s, "conversations.history", "channel", "C1", "include_all_metadata", with)
		first := a.body["messages"].([]any)[0].(map[string]any)
		if _, has := first["metadata"]; has != (with == "true") {
			t.Errorf("include_all_metadata %q: metadata %v", with, first["metadata"])
		}
	}
}

func TestHistoryPages(t *testing.T) {
	s := start(t, Options{})
	var want []string
	for i := range 5 {
		want = append([]string{fmt.Sprint(i)}, want...)
		mustPost(t, s, "text", fmt.Sprint(i))
	}
	var got []string
	cursor := ""
	for {
		a := call(t, s, "conversations.history", "channel", "C1", "limit", "2", "cursor", cursor)
		got = append(got, texts(a)...)
		cursor, _ = a.body["response_metadata"].(map[string]any)["next_cursor"].(string)
		if (cursor != "") != (a.body["has_more"] == true) {
			t.Fatalf("has_more and next_cursor differ: %v", a.body)
		}
		if cursor == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("pages = %v, want %v", got, want)
	}
	if a := call(t, s, "conversations.history", "channel", "C1", "cursor", "nonsense"); a.code() != "invalid_cursor" {
		t.Errorf("cursor = %v", a.body)
	}
}

func TestReadingNeedsScopeAndMembership(t *testing.T) {
	s := start(t, Options{Scopes: []string{"channels:history", "channels:read"}})
	tests := []struct{ method, channel, want string }{
		{"conversations.history", "C1", ""},
		{"conversations.history", "C2", "not_in_channel"},
		{"conversations.history", "G1", "channel_not_found"},
		{"conversations.history", "G2", "missing_scope"},
		{"conversations.history", "D1", "missing_scope"},
		{"conversations.info", "C2", ""},
		{"conversations.info", "G2", "missing_scope"},
		{"conversations.info", "G1", "channel_not_found"},
	}
	for _, tt := range tests {
		if got := call(t, s, tt.method, "channel", tt.channel).code(); got != tt.want {
			t.Errorf("%s of %s: error %q, want %q", tt.method, tt.channel, got, tt.want)
		}
	}
}

func TestUsers(t *testing.T) {
	s := start(t, Options{})
	s.AddUser(User{ID: "UG", Name: "guest", Guest: true})
	s.AddUser(User{ID: "US", Name: "single", SingleChannel: true})
	s.AddUser(User{ID: "UX", Name: "stranger", Team: "T2", Stranger: true})
	s.AddUser(User{ID: "UB", Name: "robot", Bot: true})
	s.AddUser(User{ID: "UD", Name: "left", Deleted: true})
	tests := []struct {
		id   string
		want string // the flags that are set, and the team
	}{
		{"U1", TeamID},
		{"UG", TeamID + " is_restricted"},
		{"US", TeamID + " is_restricted is_ultra_restricted"},
		{"UX", "T2 is_stranger"},
		{"UB", TeamID + " is_bot"},
		{"UD", TeamID + " deleted"},
	}
	for _, tt := range tests {
		u, _ := call(t, s, "users.info", "user", tt.id).body["user"].(map[string]any)
		got := fmt.Sprint(u["team_id"])
		for _, flag := range []string{"is_restricted", "is_ultra_restricted", "is_stranger", "is_bot", "deleted"} {
			if u[flag] == true {
				got += " " + flag
			}
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.id, got, tt.want)
		}
	}
	if a := call(t, s, "users.info", "user", "U404"); a.code() != "user_not_found" {
		t.Errorf("nobody = %v", a.body)
	}
	if a := call(t, s, "bots.info", "bot", BotID); a.body["ok"] != true {
		t.Errorf("bots.info = %v", a.body)
	}
}

func TestGroups(t *testing.T) {
	s := start(t, Options{})
	s.AddGroup(Group{ID: "S2", Handle: "empty"})
	a := call(t, s, "usergroups.users.list", "usergroup", "S1")
	if got := fmt.Sprint(a.body["users"]); got != "[U1]" {
		t.Errorf("users of S1 = %s", got)
	}
	if a := call(t, s, "usergroups.users.list", "usergroup", "S404"); a.code() != "no_such_subteam" {
		t.Errorf("users of nothing = %v", a.body)
	}
	for _, with := range []string{"", "true"} {
		groups := call(t, s, "usergroups.list", "include_users", with).body["usergroups"].([]any)
		first := groups[0].(map[string]any)
		if _, has := first["users"]; len(groups) != 2 || first["handle"] != "deployers" || has != (with == "true") {
			t.Errorf("include_users %q: %v", with, groups)
		}
	}
}
