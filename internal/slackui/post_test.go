package slackui

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/synestra/promoter/internal/release"
	sandbox "github.com/synestra/promoter/internal/sandbox/slack"
	"github.com/synestra/promoter/internal/slackui/card"
)

func TestPostOfUnknownOutcome(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		faults []sandbox.Fault
	}{
		{"answer lost", []sandbox.Fault{{DropReply: true}}},
		{"no answer, not posted", []sandbox.Fault{{Hang: true}}},
		{"server error", []sandbox.Fault{{Status: 500}}},
		{"may have succeeded", []sandbox.Fault{{Error: "fatal_error"}}},
		{"too many", []sandbox.Fault{{Error: "ratelimited", RetryAfter: time.Second}}},
		{"posted late", []sandbox.Fault{{Delay: 400 * time.Millisecond, DropReply: true}}},
		{"several", []sandbox.Fault{{Status: 503}, {Error: "internal_error"}, {DropReply: true}}},
		{"blocks not taken", []sandbox.Fault{{Error: "invalid_blocks"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := newBench(t, sandbox.Options{})
			b.times.call, b.times.settle = 300*time.Millisecond, 300*time.Millisecond
			b.ready()
			b.fail("chat.postMessage", row.faults)
			op := b.opened(operation(team))
			if m := b.look(team); m.TS != op.Message.TS || !shows(m, "synestra-io") {
				t.Errorf("Open says %v; the message is at %s: %s", op.Message, m.TS, m.Text)
			}
			b.settled(at(op, release.StageHealthy))
			if m := b.look(team); !strings.Contains(m.Text, "healthy") {
				t.Errorf("it shows %s", m.Text)
			}
		})
	}
}

// Rather twice than never.
func TestPostOfUnknownOutcomeWithoutHistory(t *testing.T) {
	b := readied(t)
	b.MissingScope("conversations.history", "channels:history")
	b.FailNext("chat.postMessage", 1, sandbox.Fault{DropReply: true})
	op := b.opened(operation(team))
	all := b.posted(team)
	if len(all) != 2 || all[1].TS != op.Message.TS {
		t.Errorf("%d messages, the place is %v", len(all), op.Message)
	}
}

// Another app, or a person, cannot make its message ours.
func TestOnlyOurOwnMessageIsFound(t *testing.T) {
	t.Parallel()
	me := identity{Team: "T", User: "UBOT", Bot: "BBOT"}
	for _, row := range []struct {
		user, bot string
		ours      bool
	}{{"UBOT", "BBOT", true}, {"UBOT", "", true}, {"", "BBOT", true}, {"U1", "B1", false}, {"", "", false}} {
		var m slack.Message
		m.User, m.BotID = row.user, row.bot
		if got := me.wrote(m); got != row.ours {
			t.Errorf("message by %q, %q is ours: %v", row.user, row.bot, got)
		}
	}
}

func TestWhereTheMessageGoes(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		asked release.Channel
		want  string
	}{
		{"channel", release.Channel{ID: team}, team},
		{"direct message", release.Channel{ID: anasDirect, Direct: true}, deploys},
		{"shared channel", release.Channel{ID: partner, Shared: true}, deploys},
		{"command line", release.Channel{}, deploys},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := readied(t)
			op := operation("")
			op.Asked = row.asked
			if got := b.opened(op).Message.Channel; got != row.want {
				t.Errorf("posted in %s, want %s", got, row.want)
			}
		})
	}
}

func TestRefusalWhereTheBotCannotPost(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, channel, code, do string }{
		{"no member", outside, "", "/invite @promoter"},
		{"archived", archived, "", "not archived"},
		{"no such channel", "C0NOWHERE", "", "/invite @promoter"},
		{"not in channel", team, "not_in_channel", "/invite @promoter"},
		{"restricted", team, "restricted_action", "/invite @promoter"},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := readied(t)
			if row.code != "" {
				b.FailNext("chat.postMessage", 1, sandbox.Fault{Error: row.code})
			}
			_, err := b.ui.Open(b.ctx(), operation(row.channel))
			b.refused(err, release.CodeCannotPost, row.do)
			if n := b.Calls("chat.postMessage"); n != 1 {
				t.Errorf("%d posts were tried", n)
			}
		})
	}
}

func TestErrorThatIsNoRefusal(t *testing.T) {
	b := readied(t)
	b.Revoke("xoxb-sandbox", "token_revoked")
	_, err := b.ui.Open(b.ctx(), operation(team))
	if no, refused := errors.AsType[*release.Refusal](err); err == nil || refused {
		t.Errorf("Open with a revoked token: %v, %v", err, no)
	}
}

func TestReply(t *testing.T) {
	b := readied(t)
	op := b.opened(operation(team))
	if _, err := b.ui.Reply(b.ctx(), operation(team)); err == nil {
		t.Error("replied to no message")
	}
	op = at(op, release.StageDegraded)
	op.Progress.Cause = &release.Cause{Summary: "Deployment web: ProgressDeadlineExceeded"}
	b.FailNext("chat.postMessage", 1, sandbox.Fault{DropReply: true})
	place, err := b.ui.Reply(b.ctx(), op)
	if err != nil {
		t.Fatal(err)
	}
	all := b.posted(team)
	if len(all) != 2 || all[1].TS != place.TS || all[1].ThreadTS != op.Message.TS || all[1].Broadcast {
		t.Fatalf("messages: %+v", all)
	}
	if !shows(all[1], "@"+ana) || !shows(all[1], "ProgressDeadlineExceeded") {
		t.Errorf("the reply says %s, %s", all[1].Text, all[1].Blocks)
	}
	op.Reply = place
	op = at(op, release.StageHealthy)
	op.Progress.Cause = nil
	if again, err := b.ui.Reply(b.ctx(), op); err != nil || again != place {
		t.Fatalf("the second reply is %v, %v", again, err)
	}
	all = b.posted(team)
	if len(all) != 2 || !shows(all[1], "in the end: healthy") {
		t.Errorf("messages: %+v", all)
	}
	if err := b.Delete(sandbox.MessageRef{Channel: place.Channel, TS: place.TS}); err != nil {
		t.Fatal(err)
	}
	if again, err := b.ui.Reply(b.ctx(), op); err != nil || again == place || len(b.posted(team)) != 2 {
		t.Errorf("a deleted reply is followed by %v, %v", again, err)
	}
}

// All that a card can be is taken by Slack as it is.
func TestCardsAreTaken(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	b.cfg.Links = Links{Repository: "https://github.com/a/b", ArgoCD: "https://argocd.example"}
	u := b.ready()
	for _, nasty := range []string{"x", strings.Repeat("`<!channel>& ", 400), strings.Repeat("é\n", 3000), "\xff\u202e:rocket:"} {
		op := operation(team)
		op.Application, op.Commit, op.Base = "web", release.Revision(strings.Repeat("a", 40)), release.Revision(strings.Repeat("b", 40))
		op.By.Name, op.Notes = nasty, []string{nasty, nasty, nasty, nasty, nasty}
		op = pods(at(op, release.StageDegraded), 3)
		op.Progress.Note = nasty
		c := &release.Cause{Summary: nasty}
		for range 10 {
			c.Pods = append(c.Pods, release.PodFailure{Pod: nasty, Reason: nasty, Message: nasty})
			c.Resources = append(c.Resources, release.Resource{Kind: nasty, Name: nasty, Message: nasty})
		}
		op.Progress.Cause = c
		var choices []release.Choice
		for range 5 {
			choices = append(choices, release.Choice{Click: "x.y", Subject: "q", Label: nasty, Confirm: nasty})
		}
		for name, m := range map[string]card.Message{
			"operation": u.cards.Operation(op), "reply": u.cards.Reply(op),
			"answer": u.cards.Answer(release.Answer{Text: nasty, Choices: choices}, ""),
		} {
			if _, err := u.postOnce(t.Context(), spot{channel: team}, m, mark(markOperation, op)); err != nil {
				t.Errorf("%s with %.20q: %v", name, nasty, err)
			}
		}
	}
}
