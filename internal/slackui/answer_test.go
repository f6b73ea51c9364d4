package slackui

import (
	"strings"
	"testing"
	"time"

	"github.com/synestra/promoter/internal/release"
	sandbox "github.com/synestra/promoter/internal/sandbox/slack"
)

// question is an answer with buttons.
var question = release.Answer{Text: "There is a live session on `web-okteto`.", Choices: []release.Choice{
	{Click: "reset-dev.confirm", Subject: "q1", Label: "Reset anyway", Danger: true, Confirm: "This discards the session."},
	{Click: "reset-dev.cancel", Subject: "q1", Label: "Cancel"},
}}

func TestClickBecomesARequestAndItsAnswerReplacesTheQuestion(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	b.asked = calls{answer: question}
	b.run()
	b.promote(anasDirect, "x")
	b.until("the question is asked", func() bool { return len(b.whispered(anasDirect)) == 1 })
	b.asked.answers(release.Answer{Text: "Cancelled. Nothing was changed."})
	if _, err := b.Click(b.ctx(), ana, b.whispered(anasDirect)[0].MessageRef, "click/1/reset-dev.cancel"); err != nil {
		t.Fatal(err)
	}
	b.until("the question is answered", func() bool {
		all := b.whispered(anasDirect)
		return len(all) == 1 && shows(all[0], "Cancelled.") && !shows(all[0], "Reset anyway")
	})
	r := b.asked.requests()[1]
	if r.Command != "reset-dev" || r.Click != "cancel" || r.Subject != "q1" || r.By.ID != ana || !r.Channel.Direct || r.Channel.ID != anasDirect || r.Text != "" {
		t.Errorf("request of the click: %+v", r)
	}
}

func TestEmptyAnswerToAClickTakesTheQuestionAway(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	b.asked = calls{answer: question}
	b.run()
	b.promote(team, "x")
	b.until("the question is asked", func() bool { return len(b.whispered(team)) == 1 })
	b.asked.answers(release.Answer{})
	if _, err := b.Click(b.ctx(), ana, b.whispered(team)[0].MessageRef, "click/0/reset-dev.confirm"); err != nil {
		t.Fatal(err)
	}
	b.until("the question is gone", func() bool { return len(b.whispered(team)) == 0 })
}

func TestEmptyAnswerToACommandSaysNothing(t *testing.T) {
	b := running(t)
	b.promote(team, "x")
	b.done(1)
	if n := b.Calls(sandbox.ResponseURL) + b.Calls("chat.postEphemeral") + b.Calls("chat.postMessage"); n != 0 {
		t.Errorf("%d messages about nothing", n)
	}
}

// A click on a message that everybody sees must not replace that message.
func TestClickOnACommonMessageKeepsIt(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	b.asked = calls{answer: release.Answer{Text: "Noted."}}
	b.run()
	place, err := b.ui.post(t.Context(), spot{channel: team}, b.ui.cards.Answer(question, ""), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Click(b.ctx(), ana, sandbox.MessageRef{Channel: place.Channel, TS: place.TS}, "click/0/reset-dev.confirm"); err != nil {
		t.Fatal(err)
	}
	b.until("it is answered", func() bool { return len(b.whispered(team)) == 1 })
	if m := b.look(team); !shows(m, "live session") || len(m.Edits) != 0 {
		t.Errorf("the message now says %s", m.Text)
	}
}

func TestWaysOfAnswering(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name                          string
		channel                       string
		age                           time.Duration
		faults                        map[string]sandbox.Fault
		response, ephemeral, messages int // calls
		fails                         bool
	}{
		{name: "young", channel: team, response: 1},
		{name: "old", channel: team, age: time.Hour, ephemeral: 1},
		{name: "response address fails", channel: team, faults: map[string]sandbox.Fault{sandbox.ResponseURL: {Status: 500}}, response: 1, ephemeral: 1},
		{name: "response address is used up", channel: team, faults: map[string]sandbox.Fault{sandbox.ResponseURL: {Status: 404}}, response: 1, ephemeral: 1},
		{name: "old, in a foreign conversation", channel: outside, age: time.Hour, ephemeral: 1, messages: 1, fails: true},
		{name: "too many", channel: team, age: time.Hour, faults: map[string]sandbox.Fault{"chat.postEphemeral": {Error: "ratelimited", RetryAfter: time.Second}}, ephemeral: 2},
		{name: "blocks not taken", channel: team, age: time.Hour, faults: map[string]sandbox.Fault{"chat.postEphemeral": {Error: "invalid_blocks"}}, ephemeral: 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := running(t)
			b.promote(row.channel, "x")
			b.done(1)
			r := b.asked.requests()[0]
			r.At = r.At.Add(-row.age)
			for method, fault := range row.faults {
				b.FailNext(method, 1, fault)
			}
			err := b.ui.Answer(b.ctx(), r, release.Answer{Text: "Here you are."})
			if (err != nil) != row.fails {
				t.Errorf("error: %v", err)
			}
			if got := b.Calls(sandbox.ResponseURL); got != row.response {
				t.Errorf("%d posts to the response address, want %d", got, row.response)
			}
			if got := b.Calls("chat.postEphemeral"); got != row.ephemeral {
				t.Errorf("%d calls of chat.postEphemeral, want %d", got, row.ephemeral)
			}
			if got := b.Calls("chat.postMessage"); got != row.messages {
				t.Errorf("%d calls of chat.postMessage, want %d", got, row.messages)
			}
			if told := b.whispered(row.channel); !row.fails && (len(told) != 1 || !shows(told[0], "Here you are.") || told[0].EphemeralFor != ana) {
				t.Errorf("told: %+v", told)
			}
		})
	}
}

// A public answer is told to everybody, by whatever way Slack leaves open, once;
// to other organisations it is not.
func TestPublicAnswer(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name     string
		age      time.Duration
		shared   bool
		fault    sandbox.Fault // of the response address
		public   int
		whispers int
	}{
		{name: "young", public: 1},
		{name: "old", age: time.Hour, public: 1},
		{name: "response address fails", fault: sandbox.Fault{Status: 404}, public: 1},
		{name: "shared with others", shared: true, whispers: 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := running(t)
			b.promote(team, "x")
			b.done(1)
			r := b.asked.requests()[0]
			r.At, r.Channel.Shared = r.At.Add(-row.age), row.shared
			if row.fault != (sandbox.Fault{}) {
				b.FailNext(sandbox.ResponseURL, 1, row.fault)
			}
			if err := b.ui.Answer(b.ctx(), r, release.Answer{Public: true, Text: "The hold is lifted."}); err != nil {
				t.Fatal(err)
			}
			all, whispered := b.posted(team), b.whispered(team)
			if len(all) != row.public || len(whispered) != row.whispers {
				t.Fatalf("%d for all, %d for one", len(all), len(whispered))
			}
			if row.public == 1 && (!shows(all[0], "The hold is lifted.") || shows(all[0], "Only you")) {
				t.Errorf("told: %s", all[0].Blocks)
			}
		})
	}
}

func TestResponded(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		status int
		said   string
		ok     bool
	}{
		{200, "ok", true},
		{200, `{"ok":true}`, true},
		{200, "", true},
		{201, "ok", true},
		{200, `{"ok":false,"error":"invalid_blocks"}`, false},
		{404, "used_url", false},
		{500, "", false},
		{302, "", false},
	} {
		if err := responded(row.status, []byte(row.said)); (err == nil) != row.ok {
			t.Errorf("status %d, %q: %v", row.status, row.said, err)
		}
	}
}

func TestAnswerLinksAMessage(t *testing.T) {
	b := running(t)
	place, err := b.ui.Open(t.Context(), operation(team))
	if err != nil {
		t.Fatal(err)
	}
	b.asked.answers(release.Answer{Text: "It goes on there.", Link: place})
	b.promote(team, "x")
	b.until("it is answered", func() bool { return len(b.whispered(team)) == 1 })
	address, err := b.ui.Permalink(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	if m := b.whispered(team)[0]; !strings.Contains(m.Text, "<"+address+"|See the message>") {
		t.Errorf("%q does not link %q", m.Text, address)
	}
	// A message that is gone is no reason not to answer.
	b.asked.mu.Lock()
	b.asked.answer.Link.TS = "1.000000"
	b.asked.mu.Unlock()
	b.promote(team, "x")
	b.until("it is answered", func() bool { return len(b.whispered(team)) == 2 })
}

// What people type reaches the handler as it is, and what comes back of it is
// taken by Slack and does no harm.
func TestBadInput(t *testing.T) {
	b := running(t)
	inputs := []string{
		"", "   ", "unknown", "Synestra-IO", "one two", `"quoted"`, "`ticks`", "../x", "a/b", "--all", "-rf", "a\x01b\x7f", strings.Repeat("x", 5000),
		"🚀", "<!channel>", "<@U0ANA>", "<https://evil.example|synestra-io>", "'; DROP TABLE operations; --", "$(reboot) | cat && :", "\u202egnp", ":rocket:",
		"&lt;!here&gt;", "*bold* _it_ ~no~", "{app}",
	}
	for i, text := range inputs {
		b.asked.answers(release.Answer{Refusal: release.Refuse(release.CodeBadName, "Type a name.", "`%s` is not an app's name.", text)})
		b.promote(team, text)
		b.done(i + 1)
		requests := b.asked.requests()
		if got := requests[len(requests)-1].Text; got != text {
			t.Errorf("typed %q, got %q", text, got)
		}
	}
	told := b.whispered(team)
	if len(told) != len(inputs) {
		t.Fatalf("%d answers to %d requests", len(told), len(inputs))
	}
	for i, m := range told {
		for _, bad := range []string{"<!", "<@", "<http", `\u003c!`, `\u003c@`, `\u003chttp`} {
			if strings.Contains(string(m.Blocks), bad) || strings.Contains(m.Text, bad) {
				t.Errorf("the answer to %q holds %q:\n%s", inputs[i], bad, m.Blocks)
			}
		}
	}
	if b.Calls("chat.postEphemeral") != 0 {
		t.Error("an answer was not taken at the response address")
	}
}

func TestPlaceOfARequest(t *testing.T) {
	b := running(t)
	for i, row := range []struct {
		channel        string
		direct, shared bool
	}{
		{team, false, false},
		{deploys, false, false},
		{partner, false, true},
		{anasDirect, true, false},
		{groupDirect, true, false},
		{outside, false, false}, // the bot cannot see it; Slack will refuse the message
	} {
		b.promote(row.channel, "x")
		b.until("it is worked on", func() bool { return b.asked.count() == i+1 })
		if got, want := b.asked.requests()[i].Channel, (release.Channel{ID: row.channel, Direct: row.direct, Shared: row.shared}); got != want {
			t.Errorf("channel %+v, want %+v", got, want)
		}
	}
}

// Whether a channel is shared with strangers is not taken to be false because
// it cannot be read.
func TestUnreadableChannelIsTakenToBeShared(t *testing.T) {
	b := newBench(t, sandbox.Options{Scopes: sandbox.DefaultScopes()})
	b.MissingScope("conversations.info", "channels:read")
	u := b.ready()
	if !u.isShared(t.Context(), team) {
		t.Error("a channel that cannot be read is taken not to be shared")
	}
	if u.isShared(t.Context(), deploys) {
		t.Error("the configured channel is taken to be shared")
	}
}
