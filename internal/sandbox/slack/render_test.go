package slack

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestRender draws each testdata/*.json, in plain and in color.
func TestRender(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cards: %v", err)
	}
	c := newClock()
	zone := time.FixedZone("CET", 3600)
	for _, color := range []bool{false, true} {
		s := start(t, Options{Now: c.now, Zone: zone, Color: color})
		suffix := ".plain.golden"
		if color {
			suffix = ".color.golden"
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			ref := mustPost(t, s, "text", "fallback", "blocks", string(raw))
			m, _ := s.Message(ref)
			golden(t, file[:len(file)-len(".json")]+suffix, s.Render(m))
		}
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
	}
}

func TestRenderText(t *testing.T) {
	c := newClock()
	s := start(t, Options{Now: c.now, Zone: time.UTC})
	tests := []struct{ text, want string }{
		{"plain", "plain"},
		{"*bold* and *more*, 2*3*4", "bold and more, 2*3*4"},
		{"*a* *b* *c*", "a b c"},
		{"_it_ ~no~ a_b_c", "it ~no~ a_b_c"},
		{"`a*b*c` `<@U1>`", "`a*b*c` `@ana`"},
		{"a ` alone *b*", "a ` alone b"},
		{"<@U1> <@U9|x> <#C1> <#C1|old>", "@ana @U9 #deploys #deploys"},
		{"<!subteam^S1> <!here> <!channel>", "@deployers @here @channel"},
		{"<https://a/b_c_d|the commit> <https://a>", "the commit https://a"},
		{"&lt;!channel&gt; &amp;lt;", "<!channel> &lt;"},
		{":rocket: :white_check_mark: :nosuch:", "🚀 ✅ :nosuch:"},
		{"<!date^1795499612^{date_short_pretty} {time_secs}|then>", "today 05:53:32"},
		{"<!date^1795413212^{date_pretty} at {time}|then>", "yesterday at 05:53"},
		{"<!date^1795586012^{date_long_pretty}|then>", "tomorrow"},
		{"<!date^1764000000^{date_num} {date_short} {date}|then>", "2025-11-24 Nov 24, 2025 November 24, 2025"},
		{"<!date^1795499000^{ago}|then>", "10 min ago"},
		{"<!date^soon^{time}|then>", "then"},
		{"a < b", "a < b"},
		{"x\n```one\n\ttwo```\ny", "x\n  │ one\n  │ \ttwo\n  y"},
		{"&gt; quoted", "▌ quoted"},
	}
	for _, tt := range tests {
		got := s.Render(Message{MessageRef: MessageRef{"C1", "1795499612.000000"}, User: BotUserID, Content: Content{Text: tt.text}})
		if want := "@promoter APP in #deploys · 05:53\n  " + tt.want + "\n"; got != want {
			t.Errorf("%q: got\n%s\nwant\n%s", tt.text, got, want)
		}
	}
}

func TestRenderTitle(t *testing.T) {
	s := start(t, Options{Zone: time.UTC})
	at := MessageRef{"C1", "1795499612.000000"}
	tests := []struct {
		m    Message
		want string
	}{
		{Message{MessageRef: at, User: "U1"}, "@ana in #deploys · 05:53\n"},
		{Message{MessageRef: MessageRef{"D1", at.TS}, User: "U1"}, "@ana in a direct message · 05:53\n"},
		{Message{MessageRef: at, User: BotUserID, EphemeralFor: "U1"}, "@promoter APP in #deploys · 05:53 · only visible to @ana\n"},
		{Message{MessageRef: at, User: "U1", ThreadTS: "1.0", Broadcast: true}, "@ana in #deploys · 05:53 · in a thread · also sent to the channel\n"},
		{Message{MessageRef: at, User: "U1", Edited: true}, "@ana in #deploys · 05:53 · edited\n"},
		{Message{MessageRef: at, User: "U1", Deleted: true, Content: Content{Text: "secret"}}, "@ana in #deploys · 05:53\n  This message was deleted.\n"},
		{Message{MessageRef: at, User: "U1", Content: Content{Text: "x"}, Reactions: []string{"eyes", "odd"}}, "@ana in #deploys · 05:53\n  x\n  (👀 1) (:odd: 1)\n"},
	}
	for _, tt := range tests {
		if got := s.Render(tt.m); got != tt.want {
			t.Errorf("got\n%s\nwant\n%s", got, tt.want)
		}
	}
}

func TestColumns(t *testing.T) {
	for text, want := range map[string]int{
		"abc": 3, "é": 1, "e\u0301": 1, "✅ ok": 5, "🚀": 2, "漢字": 4, "⚠️": 1, "\x1b[1mab\x1b[0m": 2, "▓░": 2,
	} {
		if got := columns(text); got != want {
			t.Errorf("columns(%q) = %d, want %d", text, got, want)
		}
	}
}
