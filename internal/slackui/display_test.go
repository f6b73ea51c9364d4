package slackui

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/synestra/promoter/internal/release"
	sandbox "github.com/synestra/promoter/internal/sandbox/slack"
)

// moves is where Config.Moved was told messages are.
type moves struct {
	mu  sync.Mutex
	all []release.Place
}

func (m *moves) moved(_ string, p release.Place) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = append(m.all, p)
}

func (m *moves) last() release.Place {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.all) == 0 {
		return release.Place{}
	}
	return m.all[len(m.all)-1]
}

// opened posts the operation's message.
func (b *bench) opened(op release.Operation) release.Operation {
	b.t.Helper()
	place, err := b.ui.Open(b.ctx(), op)
	if err != nil {
		b.t.Fatal(err)
	}
	op.Message = place
	return op
}

func (b *bench) settled(op release.Operation) {
	b.t.Helper()
	if err := b.ui.Settle(b.ctx(), op); err != nil {
		b.t.Fatalf("%v\n%s", err, b.log)
	}
}

func TestOneMessageIsEditedToTheEnd(t *testing.T) {
	b := newBench(t, sandbox.Options{StrictLimits: true})
	b.ready()
	op := b.opened(operation(team))
	first := b.look(team)
	if got := (sandbox.MessageRef{Channel: op.Message.Channel, TS: op.Message.TS}); first.MessageRef != got || first.User != sandbox.BotUserID {
		t.Errorf("Open says %v, the message is %v by %s", got, first.MessageRef, first.User)
	}
	for _, s := range []release.Stage{release.StageCommitted, release.StageNoticed, release.StageSyncing, release.StageRollingOut, release.StageHealthy} {
		op = at(op, s)
		b.ui.Show(op)
		if s == release.StageRollingOut {
			b.settled(op)
			if m := b.look(team); !shows(m, "rolling out") {
				t.Errorf("it shows %s", m.Text)
			}
		}
	}
	b.settled(op)
	m := b.look(team)
	if !shows(m, "healthy") || !shows(m, op.ID) || m.Edited {
		t.Errorf("at the end it shows %s, %s", m.Text, m.Blocks)
	}
	if meta := string(m.Metadata); !strings.Contains(meta, op.ID) || !strings.Contains(meta, markOperation) {
		t.Errorf("the edit has lost the mark: %s", meta)
	}
}

func TestUnchangedStateIsNotSent(t *testing.T) {
	b := readied(t)
	op := b.opened(operation(team))
	op.Progress.Seq++
	b.settled(op)
	if n := b.Calls("chat.update"); n != 0 {
		t.Errorf("%d edits of an unchanged message", n)
	}
	op = at(op, release.StageCommitted)
	b.settled(op)
	b.settled(op)
	if n := b.Calls("chat.update"); n != 1 {
		t.Errorf("%d edits, want 1", n)
	}
}

func TestOlderStateIsDropped(t *testing.T) {
	b := readied(t)
	op := b.opened(operation(team))
	committed := at(op, release.StageCommitted)
	healthy := at(committed, release.StageHealthy)
	b.settled(healthy)
	b.settled(committed) // returns, since something newer is on show
	other := operation(deploys)
	other.ID = "01OTHER"
	other = b.opened(other)
	rolling := at(at(other, release.StageCommitted), release.StageRollingOut)
	b.settled(rolling)
	b.settled(at(other, release.StageCommitted))
	if m := b.look(deploys); !shows(m, "rolling out") {
		t.Errorf("it went back to %s", m.Text)
	}
	late := committed
	late.Progress.Seq = healthy.Progress.Seq + 1
	b.settled(late)
	if m := b.look(team); !shows(m, "healthy") || len(m.Edits) != 1 {
		t.Errorf("it shows %s after %d edits", m.Text, len(m.Edits))
	}
}

// Many states in a short time become few edits, of which the last has the last state.
func TestEditsAreThinnedOut(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	b.cfg.EditGap = 300 * time.Millisecond
	b.ready()
	op := b.opened(operation(team))
	began := time.Now()
	op = at(op, release.StageRollingOut)
	for i := range 50 {
		op = pods(op, i)
		b.ui.Show(op)
	}
	op = at(op, release.StageHealthy)
	b.settled(op)
	took := time.Since(began)
	if most := int(took/b.cfg.EditGap) + 1; b.Calls("chat.update") > most {
		t.Errorf("%d edits in %v, want at most %d", b.Calls("chat.update"), took, most)
	}
	if took < b.cfg.EditGap-50*time.Millisecond {
		t.Errorf("edited %v after it was posted", took)
	}
	if m := b.look(team); !shows(m, "healthy") {
		t.Errorf("it shows %s", m.Text)
	}
}

func TestDefaultGapBetweenEdits(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	b.cfg.EditGap = 0
	if gap := b.ready().cfg.EditGap; gap != 2*time.Second {
		t.Errorf("edits are %v apart, want 2s", gap)
	}
}

func TestEndIsShownWhateverFails(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		faults []sandbox.Fault
	}{
		{"too many", []sandbox.Fault{{Error: "ratelimited", RetryAfter: time.Second}}},
		{"too many, not saying for how long", []sandbox.Fault{{Error: "ratelimited", RetryAfter: time.Second}, {Status: 502}}},
		{"server errors", []sandbox.Fault{{Status: 500}, {Status: 503}, {Error: "fatal_error"}, {Error: "internal_error"}}},
		{"connections lost", []sandbox.Fault{{DropReply: true}, {DropReply: true}}},
		{"no answer", []sandbox.Fault{{Hang: true}}},
		{"token revoked for a while", []sandbox.Fault{{Error: "token_revoked"}, {Error: "invalid_auth"}}},
		{"blocks not taken", []sandbox.Fault{{Error: "invalid_blocks"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := newBench(t, sandbox.Options{})
			b.times.call = 300 * time.Millisecond
			b.ready()
			op := b.opened(operation(team))
			b.fail("chat.update", row.faults)
			op = at(op, release.StageHealthy)
			b.ui.Show(op)
			b.settled(op)
			if m := b.look(team); !strings.Contains(m.Text, "healthy") {
				t.Errorf("it shows %s", m.Text)
			}
		})
	}
}

// Slack's limit holds for all messages together. Ends get through all the same.
func TestManyOperationsUnderSlacksLimits(t *testing.T) {
	b := newBench(t, sandbox.Options{StrictLimits: true})
	u := b.ready()
	ops := make([]release.Operation, editBurst+4)
	for i := range ops {
		id := string(rune('A' + i))
		b.AddChannel(sandbox.Channel{ID: "C0" + id, Name: "c" + id, BotIsMember: true})
		op := operation("C0" + id)
		op.ID += id
		ops[i] = b.opened(op)
	}
	began := time.Now()
	for round := range 20 {
		for i := range ops {
			ops[i] = pods(at(ops[i], release.StageRollingOut), round)
			u.Show(ops[i])
		}
	}
	for i := range ops {
		ops[i] = at(ops[i], release.StageHealthy)
		u.Show(ops[i])
	}
	for _, op := range ops {
		b.settled(op)
		if m := b.look(op.Asked.ID); !shows(m, "healthy") {
			t.Errorf("%s shows %s", op.Asked.ID, m.Text)
		}
	}
	most := editBurst + int(time.Since(began).Minutes()*editsPerMinute) + 1
	if n := b.Calls("chat.update"); n > most {
		t.Errorf("%d edits in %v, want at most %d", n, time.Since(began), most)
	}
}

func TestSlacksPauseIsKept(t *testing.T) {
	b := readied(t)
	op := b.opened(operation(team))
	b.FailNext("chat.update", 1, sandbox.Fault{Error: "ratelimited", RetryAfter: 2 * time.Second})
	began := time.Now()
	b.settled(at(op, release.StageHealthy))
	if took := time.Since(began); took < 2*time.Second || b.Calls("chat.update") != 2 {
		t.Errorf("%d edits in %v; Slack asked for 2s without", b.Calls("chat.update"), took)
	}
}

func TestDeletedMessageIsPostedAnew(t *testing.T) {
	b := readied(t)
	op := b.opened(operation(team))
	if err := b.Delete(sandbox.MessageRef{Channel: op.Message.Channel, TS: op.Message.TS}); err != nil {
		t.Fatal(err)
	}
	op = at(op, release.StageCommitted)
	b.settled(op)
	m := b.look(team)
	if got := b.where.last(); got.TS != m.TS || got.TS == op.Message.TS || !shows(m, "committed") {
		t.Errorf("Moved was told %v; the message is at %s and shows %s", got, m.TS, m.Text)
	}
	op = at(op, release.StageHealthy) // the caller has not heard of the move yet
	b.settled(op)
	if m := b.look(team); !shows(m, "healthy") {
		t.Errorf("the new message shows %s", m.Text)
	}
}

func TestMessageThatCannotBeEdited(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"cant_update_message", "edit_window_closed"} {
		t.Run(code, func(t *testing.T) {
			b := readied(t)
			op := b.opened(operation(team))
			b.FailNext("chat.update", 100, sandbox.Fault{Error: code})
			for _, s := range []release.Stage{release.StageCommitted, release.StageSyncing, release.StageRollingOut} {
				op = at(op, s)
				b.settled(op)
			}
			if n := len(b.posted(team)); n != 1 {
				t.Errorf("%d messages before the end", n)
			}
			op = at(op, release.StageSyncFailed)
			b.settled(op)
			b.settled(op)
			all := b.posted(team)
			if len(all) != 2 || all[1].ThreadTS != op.Message.TS || !shows(all[1], "sync failed") {
				t.Fatalf("messages: %+v", all)
			}
			if n := b.Calls("chat.update"); n != 2 {
				t.Errorf("%d edits were tried, want 2", n)
			}
			// Nor does the next process repeat it.
			b.ready()
			b.settled(op)
			if n := len(b.posted(team)); n != 2 {
				t.Errorf("%d messages after a restart", n)
			}
		})
	}
}

func TestChannelArchivedUnderWay(t *testing.T) {
	b := readied(t)
	op := b.opened(operation(team))
	b.FailNext("chat.update", 1, sandbox.Fault{Error: "is_archived"})
	op = at(op, release.StageHealthy)
	b.settled(op)
	if m := b.look(deploys); !shows(m, "healthy") || b.where.last().Channel != deploys {
		t.Errorf("%s shows %s; Moved was told %v", deploys, m.Text, b.where.last())
	}
}

func TestMessageThatCouldNotBeOpenedIsPostedLater(t *testing.T) {
	b := readied(t)
	b.FailNext("chat.postMessage", postAttempts, sandbox.Fault{Status: 503})
	op := operation(team)
	_, err := b.ui.Open(b.ctx(), op)
	if no, refused := errors.AsType[*release.Refusal](err); err == nil || refused {
		t.Fatalf("Open while Slack is down: %v, %v", err, no)
	}
	op = at(op, release.StageCommitted)
	b.settled(op)
	if m := b.look(team); b.where.last().TS != m.TS || !shows(m, "committed") {
		t.Errorf("Moved was told %v; the message is at %s", b.where.last(), m.TS)
	}
}

// Open may give up while Slack is still at it. The message is not looked for
// before it must have appeared, so there is one.
func TestMessageThatAppearsAfterItWasGivenUp(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	b.times.call = 600 * time.Millisecond
	b.ready()
	b.FailNext("chat.postMessage", 1, sandbox.Fault{Delay: 400 * time.Millisecond, DropReply: true})
	op := operation(team)
	impatient, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	if _, err := b.ui.Open(impatient, op); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Open of a post that takes longer: %v", err)
	}
	b.settled(at(op, release.StageCommitted))
	if m := b.look(team); b.where.last().TS != m.TS || !shows(m, "committed") || b.Calls("chat.postMessage") != 1 {
		t.Errorf("Moved was told %v; the message is at %s and shows %s", b.where.last(), m.TS, m.Text)
	}
}

func TestRestartFindsTheMessage(t *testing.T) {
	b := readied(t)
	op := operation(team)
	if _, found, err := b.ui.Find(b.ctx(), op); err != nil || found {
		t.Fatalf("found before it was posted: %v, %v", found, err)
	}
	if _, err := b.Say(ana, team, "about "+op.ID); err != nil {
		t.Fatal(err)
	}
	place := b.opened(op).Message
	for range historyPage + 10 { // more than one page lies above it
		if _, err := b.Say(ana, team, "chatter"); err != nil {
			t.Fatal(err)
		}
	}
	b.ready() // the process ended before it stored the place
	got, found, err := b.ui.Find(b.ctx(), op)
	if err != nil || !found || got != place {
		t.Fatalf("found %v, %v, %v, want %v", got, found, err, place)
	}
	other := op
	other.ID = "01OTHER"
	if got, found, err := b.ui.Find(b.ctx(), other); err != nil || found {
		t.Errorf("another operation's message is %v, %v", got, err)
	}
	b.settled(at(op, release.StageHealthy)) // without the place
	if m, _ := b.Message(sandbox.MessageRef{Channel: place.Channel, TS: place.TS}); !shows(m, "healthy") || b.where.last() != place {
		t.Errorf("it shows %s; Moved was told %v", m.Text, b.where.last())
	}
}

func TestFlush(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	b.cfg.EditGap = 200 * time.Millisecond
	b.ready()
	op := at(b.opened(operation(team)), release.StageHealthy)
	b.ui.Show(op)
	if err := b.ui.Flush(b.ctx()); err != nil {
		t.Fatal(err)
	}
	if m := b.look(team); !shows(m, "healthy") {
		t.Errorf("after Flush it shows %s", m.Text)
	}
	b.ui.Show(at(op, release.StageGone)) // too late, and no matter
	if err := b.ui.Settle(b.ctx(), op); err == nil {
		t.Error("Settle after Flush says that it was shown")
	}
}

func TestFlushThatRunsOutOfTime(t *testing.T) {
	b := readied(t)
	op := at(b.opened(operation(team)), release.StageHealthy)
	b.FailNext("chat.update", 1000, sandbox.Fault{Status: 500})
	b.ui.Show(op)
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	if err := b.ui.Flush(ctx); err == nil || !strings.Contains(err.Error(), op.ID) {
		t.Errorf("Flush: %v", err)
	}
}
