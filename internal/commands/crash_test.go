package commands

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// process is one run of Operations, from its start until it is stopped or dies.
type process struct {
	*Operations
	stop func()
	over chan struct{}
}

func start(ctx context.Context, l *link, owner string) *process {
	ctx, stop := context.WithCancel(ctx)
	rules := release.DefaultRules()
	rules.Rollout = time.Minute
	p := &process{
		Operations: &Operations{
			Repository: l, Applications: l, Store: l, Messages: l, Source: source, Rules: rules,
			Owner: owner, Entered: func(release.Operation) {}, Log: slog.New(slog.DiscardHandler),
		},
		stop: stop, over: make(chan struct{}),
	}
	go func() {
		defer close(p.over)
		_ = p.Run(ctx) // always nil
	}()
	synctest.Wait()
	return p
}

func (p *process) end() {
	p.stop()
	<-p.over
}

func promotion() release.Operation {
	return release.Operation{
		ID: "01A", Kind: release.KindPromote, App: "shop", Environment: "prod", Application: "web-shop-prod", Path: "layer",
		From: "sha-1", To: "sha-2", Repository: "web", By: release.Person{ID: "U1", Name: "ana"}, Delivery: "d1",
		Asked: release.Channel{ID: "C1"}, Base: rev(1), Created: time.Now(), Progress: release.Progress{Stage: release.StageWriting, Since: time.Now()},
	}
}

func reset() release.Operation {
	op := promotion()
	op.Kind, op.Environment, op.Application, op.Path, op.From, op.To = release.KindResetDev, "dev", "web-shop-dev", "", "sha-1", "sha-1"
	return op
}

// withBaseline gives an operation the Application as it is now.
func withBaseline(t *testing.T, o *outside, op release.Operation) release.Operation {
	t.Helper()
	s, err := o.link(0, false).Application(t.Context(), op.Application)
	if err != nil {
		t.Fatal(err)
	}
	op.Baseline = s.Baseline()
	return op
}

// A process dies before or after each of its outside effects in turn; the next
// one finishes the operation: one commit or sync, one message, one end.
func TestDiesAtEveryStep(t *testing.T) {
	for _, c := range []struct {
		name   string
		op     func() release.Operation
		broken bool
		end    release.Stage
	}{
		{"promote", promotion, false, release.StageHealthy},
		{"promote a broken release", promotion, true, release.StageStillDegraded},
		{"sync only", reset, false, release.StageHealthy},
	} {
		t.Run(c.name, func(t *testing.T) {
			steps := len(liveAndDie(t, c.op, c.broken, 0, false, c.end))
			if steps < 8 {
				t.Fatalf("only %d steps to die at", steps)
			}
			for at := 1; at <= steps; at++ {
				for _, after := range []bool{false, true} {
					t.Run(fmt.Sprintf("step %d, after %v", at, after), func(t *testing.T) {
						liveAndDie(t, c.op, c.broken, at, after, c.end)
					})
				}
			}
		})
	}
}

// liveAndDie runs an operation through a process that dies at a step (0 for
// never) and one after it, and returns the first one's steps.
func liveAndDie(t *testing.T, make func() release.Operation, broken bool, at int, after bool, end release.Stage) (steps []string) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutside()
		o.broken = broken
		op := withBaseline(t, o, make())
		first := o.link(at, after)
		one := start(t.Context(), first, "one")
		_, err := one.Start(t.Context(), op)
		if err != nil && !first.dead {
			t.Fatal(err)
		}
		select {
		case <-first.died:
		case <-time.After(5 * time.Minute):
		}
		one.end()
		stored := len(o.ops) > 0
		two := start(t.Context(), o.link(0, false), "two")
		if !stored {
			// It died before anything was stored: the request is worked off again.
			if _, err := two.Start(t.Context(), op); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Minute)
		two.end()
		steps = first.names
		judgeOutside(t, o, op, end, steps)
	})
	return steps
}

func judgeOutside(t *testing.T, o *outside, op release.Operation, end release.Stage, steps []string) {
	t.Helper()
	stored := o.op(op.ID)
	if stored.Progress.Stage != end || !stored.Told {
		t.Errorf("ended %q (%s), told %v; steps %q", stored.Progress.Stage, stored.Progress.Note, stored.Told, steps)
	}
	commits, syncs := 0, len(o.syncs)
	for _, c := range o.commits {
		if c.operation == op.ID {
			commits++
		}
	}
	if op.Writes() && (commits != 1 || syncs != 0) || !op.Writes() && (commits != 0 || syncs != 1) {
		t.Errorf("%d commits, %d syncs; steps %q", commits, syncs, steps)
	}
	var messages, replies int
	for _, p := range o.posts {
		if p.reply {
			replies++
			continue
		}
		messages++
		if p.last.Stage != end {
			t.Errorf("the message shows %q; steps %q", p.last.Stage, steps)
		}
	}
	wantReplies := 0
	if end.Failed() {
		wantReplies = 1
	}
	if messages != 1 || replies != wantReplies {
		t.Errorf("%d messages, %d replies; steps %q", messages, replies, steps)
	}
}

// A stopped process gives its leases back, so the next goes on at once.
func TestStopsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutside()
		op := withBaseline(t, o, promotion())
		one := start(t.Context(), o.link(0, false), "one")
		if _, err := one.Start(t.Context(), op); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		one.end()
		if owner := o.op(op.ID).Lease.Owner; owner != "" {
			t.Fatalf("the lease is still %q's", owner)
		}
		two := start(t.Context(), o.link(0, false), "two")
		time.Sleep(10 * time.Second)
		if stage := o.op(op.ID).Progress.Stage; stage != release.StageHealthy {
			t.Errorf("ten seconds later it is %q", stage)
		}
		two.end()
	})
}

// While one operation advances, another of the same app and environment is
// refused with a link to it; a stalled or degraded one is taken over.
func TestOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutside()
		o.broken = true
		l := o.link(0, false)
		p := start(t.Context(), l, "one")
		if _, err := p.Start(t.Context(), withBaseline(t, o, promotion())); err != nil {
			t.Fatal(err)
		}
		next := promotion()
		next.ID, next.Delivery, next.From, next.To = "01B", "d2", "sha-2", "sha-3"
		_, err := p.Start(t.Context(), withBaseline(t, o, next))
		no, ok := err.(*release.Refusal)
		if !ok || no.Code != release.CodeInProgress || no.Link != (release.Place{Channel: "C1", TS: "1"}) {
			t.Fatalf("second request: %v", err)
		}
		time.Sleep(20 * time.Second)
		if stage := o.op("01A").Progress.Stage; stage != release.StageDegraded {
			t.Fatalf("the first is %q", stage)
		}
		if _, err := p.Start(t.Context(), withBaseline(t, o, next)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the second has taken over
		o.mu.Lock()
		o.broken = false
		o.mu.Unlock()
		time.Sleep(time.Minute)
		first, second := o.op("01A"), o.op("01B")
		if first.Progress.Stage != release.StageSuperseded || first.Progress.By != "01B" {
			t.Errorf("the first is %q by %q", first.Progress.Stage, first.Progress.By)
		}
		if second.Progress.Stage != release.StageHealthy || second.Supersedes != "01A" || len(second.Notes) != 1 {
			t.Errorf("the second is %q, supersedes %q, notes %q", second.Progress.Stage, second.Supersedes, second.Notes)
		}
		p.end()
	})
}

// silent is a Slack that does not answer.
type silent struct{ *link }

func (silent) Open(ctx context.Context, _ release.Operation) (release.Place, error) {
	<-ctx.Done()
	return release.Place{}, ctx.Err()
}

func (silent) Find(ctx context.Context, _ release.Operation) (release.Place, bool, error) {
	<-ctx.Done()
	return release.Place{}, false, ctx.Err()
}

// A release waits ten seconds for Slack, then goes out without its message,
// which is adopted once it is there.
func TestSlackIsAbsent(t *testing.T) {
	for _, resumed := range []bool{false, true} {
		t.Run(fmt.Sprintf("resumed %v", resumed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOutside()
				l := o.link(0, false)
				op := withBaseline(t, o, promotion())
				p := start(t.Context(), l, "one")
				p.Messages = silent{l}
				began := time.Now()
				if resumed {
					o.mu.Lock()
					o.ops[op.ID] = op
					o.mu.Unlock()
					time.Sleep(adoptEvery + openTime)
				} else if _, err := p.Start(t.Context(), op); err != nil {
					t.Fatal(err)
				}
				took := time.Since(began)
				synctest.Wait()
				o.mu.Lock()
				if last := o.commits[len(o.commits)-1]; last.operation != op.ID || took > 15*time.Second || strings.Contains(last.message, "Slack-Message") {
					t.Errorf("after %v the last commit is %+v", took, last)
				}
				o.mu.Unlock()
				late := release.Place{Channel: "C1", TS: "7"}
				p.Moved(op.ID, late)
				time.Sleep(time.Minute)
				if stored := o.op(op.ID); stored.Message != late || stored.Progress.Stage != release.StageHealthy {
					t.Errorf("its message is %v, its stage %q", stored.Message, stored.Progress.Stage)
				}
				p.end()
			})
		})
	}
}

// A process that is stopped while it posts keeps its lease until Slack has
// answered or had its time, so that the next one does not post as well.
func TestStopsAfterThePost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutside()
		l := o.link(0, false)
		op := withBaseline(t, o, promotion())
		p := start(t.Context(), l, "one")
		p.Messages = silent{l}
		go func() { _, _ = p.Start(t.Context(), op) }() // nobody is left to hear its answer
		synctest.Wait()
		began := time.Now()
		p.end()
		stored := o.op(op.ID)
		if took := time.Since(began); took != openTime || stored.Lease.Owner != "" || stored.Progress.Stage != release.StageWriting {
			t.Errorf("stopped after %v, the lease is %q's, the stage %q", took, stored.Lease.Owner, stored.Progress.Stage)
		}
	})
}
