package slackui

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/synestra/promoter/internal/release"
	sandbox "github.com/synestra/promoter/internal/sandbox/slack"
)

// news is a notice of one release.
func news(channel string) release.Notice {
	return release.Notice{
		ID: "01JD7ZK3V7Q8M2X5T6N4R1B0C9", Kind: release.NoticeRelease, Channel: channel, Created: time.Now(), Seq: 1,
		Items: []release.Item{{
			Kind: release.NoticeRelease, App: "synestra-io", Environment: "prod", From: "sha-1a2b3c", To: "sha-9f8e7d",
			How: release.HowCommit, Authors: []string{"Ana Lima"}, At: time.Now(), Stage: release.StageStillDegraded,
		}},
	}
}

// better is the notice after what it tells of has recovered.
func better(n release.Notice) release.Notice {
	it := n.Items[0]
	it.Stage, it.Recovered = release.StageHealthy, 4*time.Minute
	n.Items, n.Seq = []release.Item{it}, n.Seq+1
	return n
}

// told is the notice after it was posted.
func (b *bench) told(n release.Notice) release.Notice {
	b.t.Helper()
	place, err := b.ui.PostNotice(b.ctx(), n)
	if err != nil {
		b.t.Fatalf("PostNotice: %v\n%s", err, b.log)
	}
	n.Place = place
	return n
}

// Whatever goes wrong on the way, there is one message in the end, and the
// place is its.
func TestNoticeIsPostedOnce(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		faults []sandbox.Fault
		posts  int
	}{
		{"all well", nil, 1},
		{"answer lost", []sandbox.Fault{{DropReply: true}}, 1},
		{"no answer, not posted", []sandbox.Fault{{Hang: true}}, 2},
		{"server error", []sandbox.Fault{{Status: http.StatusServiceUnavailable}}, 2},
		{"may have succeeded", []sandbox.Fault{{Error: "internal_error"}}, 2},
		{"too many", []sandbox.Fault{{Error: "ratelimited", RetryAfter: time.Second}}, 2},
		{"posted late", []sandbox.Fault{{Delay: 400 * time.Millisecond, DropReply: true}}, 1},
		{"several", []sandbox.Fault{{Status: 503}, {Hang: true}, {DropReply: true}}, 3},
		{"blocks not taken", []sandbox.Fault{{Error: "invalid_blocks"}}, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := newBench(t, sandbox.Options{})
			b.times.call = 300 * time.Millisecond
			b.times.settle = 200 * time.Millisecond
			b.ready()
			b.fail("chat.postMessage", row.faults)
			n := b.told(news(team))
			m := b.look(team)
			if m.TS != n.Place.TS || n.Place.Channel != team || !shows(m, "synestra-io") {
				t.Errorf("PostNotice says %v; the message is at %s: %s", n.Place, m.TS, m.Text)
			}
			if posts := b.Calls("chat.postMessage"); posts != row.posts {
				t.Errorf("%d posts, want %d", posts, row.posts)
			}
			if got := string(m.Metadata); !strings.Contains(got, `"promoter_notice"`) || !strings.Contains(got, n.ID) {
				t.Errorf("metadata %s", got)
			}
		})
	}
}

// What is not in the history yet may still come, until the call's deadline.
func TestLookForANoticeWaitsForTheDeadline(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	b.times.call, b.times.settle = 600*time.Millisecond, 10*time.Millisecond
	b.ready()
	begun := time.Now()
	b.FailNext("chat.postMessage", 1, sandbox.Fault{Status: 503})
	b.told(news(team))
	if took := time.Since(begun); took < b.times.call {
		t.Errorf("posted again after %v, before the first call's deadline", took)
	}
}

func TestNoticeOfUnknownOutcome(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name      string
		hinder    func(b *bench)
		noHistory bool
	}{
		{"history forbidden", func(b *bench) { b.MissingScope("conversations.history", "channels:history") }, true},
		{"no member", func(b *bench) { b.FailNext("conversations.history", 1, sandbox.Fault{Error: "not_in_channel"}) }, true},
		{"history down", func(b *bench) { b.FailNext("conversations.history", 9, sandbox.Fault{Status: 503}) }, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := newBench(t, sandbox.Options{})
			b.times.call = 300 * time.Millisecond
			b.ready()
			b.FailNext("chat.postMessage", 1, sandbox.Fault{DropReply: true})
			row.hinder(b)
			n := news(team)
			_, err := b.ui.PostNotice(b.ctx(), n)
			if !errors.Is(err, release.ErrOutcomeUnknown) || errors.Is(err, release.ErrNoHistory) != row.noHistory {
				t.Fatalf("PostNotice: %v", err)
			}
			if posts := b.Calls("chat.postMessage"); posts != 1 {
				t.Errorf("%d posts", posts)
			}
			_, _, err = b.ui.FindNotice(b.ctx(), n)
			if errors.Is(err, release.ErrNoHistory) != (row.name == "history forbidden") {
				t.Errorf("FindNotice: %v", err)
			}
		})
	}
}

// The caller's own deadline may end a post before its outcome is known.
func TestNoticeWithinADeadline(t *testing.T) {
	b := readied(t)
	b.FailNext("chat.postMessage", 1, sandbox.Fault{Delay: 200 * time.Millisecond, DropReply: true})
	ctx, stop := context.WithTimeout(b.ctx(), 100*time.Millisecond)
	defer stop()
	n := news(team)
	if _, err := b.ui.PostNotice(ctx, n); !errors.Is(err, release.ErrOutcomeUnknown) {
		t.Fatalf("PostNotice: %v", err)
	}
	b.until("Slack has posted it", func() bool { return len(b.posted(team)) == 1 })
	place, found, err := b.ui.FindNotice(b.ctx(), n)
	if err != nil || !found || place.TS != b.look(team).TS {
		t.Errorf("FindNotice: %v, %v, %v", place, found, err)
	}
}

func TestNoticeThatIsNotThereIsNotFound(t *testing.T) {
	b := readied(t)
	b.opened(operation(team))
	other := news(team)
	other.ID = "01JD7ZK3V7Q8M2X5T6N4R1BXXX"
	b.told(other)
	if place, found, err := b.ui.FindNotice(b.ctx(), news(team)); found || err != nil {
		t.Errorf("FindNotice: %v, %v, %v", place, found, err)
	}
	// An operation is not taken for a notice of the same id, nor the other way round.
	n := news(team)
	n.ID = operation(team).ID
	if place, found, err := b.ui.FindNotice(b.ctx(), n); found || err != nil {
		t.Errorf("FindNotice by an operation's id: %v, %v, %v", place, found, err)
	}
}

// A history is read page by page; in one that is too long to be looked through,
// not found means nothing.
func TestNoticeInALongHistory(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	u := b.ready()
	n := b.told(news(team))
	chatter := func(messages int) {
		for range messages {
			if _, err := b.Say(ana, team, "chatter"); err != nil {
				t.Fatal(err)
			}
		}
	}
	chatter(2 * historyPage)
	if place, found, err := u.FindNotice(b.ctx(), n); err != nil || !found || place != n.Place {
		t.Errorf("on the third page: %v, %v, %v", place, found, err)
	}
	chatter(historyPage * (historyPages - 2))
	if place, found, err := u.FindNotice(b.ctx(), n); found || !errors.Is(err, release.ErrNoHistory) {
		t.Errorf("beyond the last page: %v, %v, %v", place, found, err)
	}
}

func TestNoticeWhereTheBotCannotPost(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, channel, code string
		want                release.Code
		do                  string
	}{
		{"hidden", outside, "", release.CodeUnknownChannel, "/invite @promoter"},
		{"archived", archived, "", release.CodeCannotPost, "not archived"},
		{"no such channel", "C0NOWHERE", "", release.CodeUnknownChannel, "Check the channel's id"},
		{"not in channel", team, "not_in_channel", release.CodeCannotPost, "/invite @promoter"},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := readied(t)
			if row.code != "" {
				b.FailNext("chat.postMessage", 1, sandbox.Fault{Error: row.code})
			}
			_, err := b.ui.PostNotice(b.ctx(), news(row.channel))
			b.refused(err, row.want, row.do)
		})
	}
}

// Errors after which a notice was certainly not posted are neither a refusal
// nor an unknown outcome.
func TestNoticeThatWasNotPosted(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		hinder func(b *bench)
	}{
		{"token revoked", func(b *bench) { b.Revoke("xoxb-sandbox", "token_revoked") }},
		{"Slack cannot be reached", func(b *bench) { b.Close() }},
		{"too many, to the end", func(b *bench) {
			b.FailNext("chat.postMessage", 9, sandbox.Fault{Error: "ratelimited", RetryAfter: time.Minute})
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := readied(t)
			row.hinder(b)
			_, err := b.ui.PostNotice(b.ctx(), news(team))
			if no, refused := errors.AsType[*release.Refusal](err); err == nil || refused || errors.Is(err, release.ErrOutcomeUnknown) {
				t.Errorf("PostNotice: %v, %v", err, no)
			}
			if n := len(b.posted(team)); n != 0 {
				t.Errorf("%d messages", n)
			}
		})
	}
}

func TestNoticeIsEditedInPlace(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		faults []sandbox.Fault
	}{
		{"all well", nil},
		{"too many", []sandbox.Fault{{Error: "ratelimited", RetryAfter: time.Second}}},
		{"answer lost", []sandbox.Fault{{DropReply: true}}},
		{"down for a while", []sandbox.Fault{{Status: 503}, {Error: "internal_error"}}},
		{"blocks not taken", []sandbox.Fault{{Error: "invalid_blocks"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := readied(t)
			n := b.told(news(team))
			b.fail("chat.update", row.faults)
			if err := b.ui.EditNotice(b.ctx(), better(n)); err != nil {
				t.Fatalf("EditNotice: %v", err)
			}
			m := b.look(team)
			if !strings.Contains(m.Text, "healthy") || m.TS != n.Place.TS {
				t.Errorf("it shows %s", m.Text)
			}
			if place, found, err := b.ui.FindNotice(b.ctx(), n); err != nil || !found || place != n.Place {
				t.Errorf("after the edit it is not found again: %v, %v, %v", place, found, err)
			}
			if !strings.Contains(string(m.Metadata), `"seq":2`) {
				t.Errorf("metadata %s", m.Metadata)
			}
		})
	}
}

func TestNoticeThatCannotBeEdited(t *testing.T) {
	b := readied(t)
	if err := b.ui.EditNotice(b.ctx(), news(team)); err == nil {
		t.Error("edited what was not posted")
	}
	n := b.told(news(team))
	b.FailNext("chat.update", 2, sandbox.Fault{Error: "edit_window_closed"})
	for range 2 { // the same state twice is one reply
		if err := b.ui.EditNotice(b.ctx(), better(n)); err != nil {
			t.Fatalf("EditNotice: %v", err)
		}
	}
	all := b.posted(team)
	if len(all) != 2 || all[1].ThreadTS != n.Place.TS || !strings.Contains(all[1].Text, "healthy") {
		t.Errorf("messages: %+v", all)
	}
	b.FailNext("chat.update", 1, sandbox.Fault{Error: "is_archived"})
	if no, refused := errors.AsType[*release.Refusal](b.ui.EditNotice(b.ctx(), better(n))); !refused {
		t.Errorf("in an archived channel: %v", no)
	}
	if err := b.Delete(sandbox.MessageRef{Channel: n.Place.Channel, TS: n.Place.TS}); err != nil {
		t.Fatal(err)
	}
	if err := b.ui.EditNotice(b.ctx(), better(n)); !errors.Is(err, release.ErrGone) {
		t.Errorf("EditNotice of a deleted message: %v", err)
	}
}

// Edits of notices leave some of the budget to the ends of operations.
func TestNoticesLeaveBudget(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	u := b.ready()
	n := b.told(news(team))
	edits := 0
	for {
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		n = better(n)
		err := u.EditNotice(ctx, n)
		stop()
		if err != nil {
			break
		}
		edits++
	}
	if edits == 0 || edits > 12 {
		t.Errorf("%d edits at once", edits)
	}
	if wait := u.display.budget.take(final, time.Now()); wait != 0 {
		t.Errorf("the end of an operation must wait %v", wait)
	}
}
