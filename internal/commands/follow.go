package commands

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// How often a followed Application is read without an event: the watch may
// drop events, and progress between two health changes makes none.
const (
	pollRolling = time.Second
	pollWaiting = 5 * time.Second
	askGap      = 500 * time.Millisecond // between askings of the cluster that cannot end the rollout
)

// follow looks until the operation has ended or ctx does.
func (c *carrier) follow(ctx context.Context) {
	events, stop := c.Applications.Follow(c.op.Application)
	defer stop()
	f := c.follower(&c.op, c.Rules, c.become, c.log)
	defer f.refreshing.wait()
	for {
		c.answerFailure(ctx)
		poll := time.NewTimer(pollTime(c.op.Progress.Stage))
		select {
		case <-ctx.Done():
		case by := <-c.mail.superseded:
			c.takenOver(ctx, by)
		case place := <-c.mail.moved:
			c.moved(ctx, place)
		case s := <-events:
			f.look(ctx, s)
		case s := <-f.refreshed:
			f.look(ctx, s)
		case <-poll.C:
			f.poll(ctx)
		}
		poll.Stop()
		if ctx.Err() != nil || c.op.Progress.Stage.Ended() {
			return
		}
	}
}

// Watch follows an effect that somebody else has brought about, in the form of
// an operation, until it has ended or ctx has. It claims no less proof than of
// an operation of our own, and does nothing but ask Argo CD to look at Git.
// changed is called with each new progress, one call at a time.
func (o *Operations) Watch(ctx context.Context, op release.Operation, rules release.Rules, changed func(context.Context, release.Progress)) {
	events, stop := o.Applications.Follow(op.Application)
	defer stop()
	f := o.follower(&op, rules, func(ctx context.Context, p release.Progress) {
		if p.Seq != op.Progress.Seq || p.Stage != op.Progress.Stage || p.Memory != op.Progress.Memory {
			op.Progress = p
			changed(ctx, p)
		}
	}, o.Log.With("id", op.ID))
	defer f.refreshing.wait()
	for ctx.Err() == nil && !op.Progress.Stage.Ended() {
		poll := time.NewTimer(pollTime(op.Progress.Stage))
		select {
		case <-ctx.Done():
		case s := <-events:
			f.look(ctx, s)
		case s := <-f.refreshed:
			f.look(ctx, s)
		case <-poll.C:
			f.poll(ctx)
		}
		poll.Stop()
	}
}

func pollTime(s release.Stage) time.Duration {
	switch s {
	case release.StageRollingOut, release.StageDegraded:
		return pollRolling
	}
	return pollWaiting
}

// takenOver ends the operation: another one has changed the same layer.
func (c *carrier) takenOver(ctx context.Context, by string) {
	p := c.op.Progress.Enter(release.StageSuperseded, time.Now().UTC())
	p.By, p.Note, p.Cause = by, fmt.Sprintf("a newer operation, %s, took over", by), nil
	p.Seq++
	c.become(ctx, p)
}

// answerFailure tells the person once it is sure that something is wrong,
// without waiting for the deadline.
func (c *carrier) answerFailure(ctx context.Context) {
	if c.op.Progress.Stage != release.StageDegraded || c.op.Reply.TS != "" || c.op.Message.TS == "" {
		return
	}
	ctx, stop := context.WithTimeout(ctx, 15*time.Second)
	defer stop()
	if err := c.reply(ctx); err != nil {
		c.log.WarnContext(ctx, "replying in the thread", "err", err)
	}
}

// follower is what one process knows of an Application that it looks at for an
// operation.
type follower struct {
	*Operations
	op         *release.Operation
	rules      release.Rules
	become     func(context.Context, release.Progress) // makes it the operation's
	facts      map[release.Revision]release.Fact       // facts never change
	version    int64                                   // newest resource version seen, and of which object
	uid        string
	asked      time.Time // when the cluster was last asked
	refreshing task
	refreshed  chan release.Snapshot
	log        *slog.Logger
}

func (o *Operations) follower(op *release.Operation, rules release.Rules, become func(context.Context, release.Progress), log *slog.Logger) follower {
	return follower{
		Operations: o, op: op, rules: rules, become: become, log: log,
		facts: map[release.Revision]release.Fact{}, refreshed: make(chan release.Snapshot, 1),
	}
}

// poll reads the Application now.
func (f *follower) poll(ctx context.Context) {
	asked, stop := context.WithTimeout(ctx, 10*time.Second)
	s, err := f.Applications.Application(asked, f.op.Application)
	stop()
	if err != nil {
		f.lost(ctx, err)
		return
	}
	f.look(ctx, s)
}

// lost notes that Argo CD could not be asked.
func (f *follower) lost(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	f.log.WarnContext(ctx, "looking at the rollout", "err", err)
	f.become(ctx, release.Lost(f.op.Progress, time.Now().UTC(), f.rules))
}

// look lets one snapshot, and the cluster where that is needed, say how the
// operation stands.
func (f *follower) look(ctx context.Context, s release.Snapshot) {
	if s.UID == f.uid && s.ResourceVersion < f.version {
		return // from a server that is behind the one we asked before
	}
	f.uid, f.version = s.UID, s.ResourceVersion
	look := release.Look{Snapshot: s, Sources: s.Follows(f.Source.URL, f.Source.Branch), At: time.Now().UTC()}
	look.Facts = f.learn(ctx, s, look.Sources)
	op := *f.op
	var wants release.Wants
	op.Progress, wants = release.Observe(op, look, f.rules)
	if wants.Live {
		// While pods come and go, every one of them is an event. Being busy with
		// those, we would be late for the one that says that all is well.
		if !s.Well() && time.Since(f.asked) < askGap {
			return
		}
		f.asked = time.Now()
		asked, stop := context.WithTimeout(ctx, 10*time.Second)
		live, err := f.Applications.Live(asked, op.Application)
		stop()
		if err != nil {
			f.lost(ctx, err)
			return
		}
		look.Live, look.At = &live, time.Now().UTC()
		op.Progress, wants = release.Observe(op, look, f.rules)
	}
	if wants.Hard {
		// "No effect" is claimed on it, so it counts only once it was answered, and
		// nothing that was seen before counts any more.
		answer, err := f.Applications.Refresh(ctx, op.Application, true)
		if err != nil {
			f.lost(ctx, err)
			return
		}
		f.uid, f.version = answer.UID, answer.ResourceVersion
		select {
		case f.refreshed <- answer:
		default: // there is a newer one to come
		}
	}
	if wants.Refresh {
		op.Progress = op.Progress.Refreshed()
		f.refresh(ctx)
	}
	f.become(ctx, op.Progress)
}

// learn asks Git about the revisions a snapshot speaks of. What Git cannot say
// now stays unknown, and proves nothing.
func (f *follower) learn(ctx context.Context, s release.Snapshot, sources []int) map[release.Revision]release.Fact {
	if !f.op.Writes() {
		return nil
	}
	for _, rev := range s.Mentioned(sources) {
		if _, known := f.facts[rev]; known {
			continue
		}
		asked, stop := context.WithTimeout(ctx, 20*time.Second)
		fact, err := f.Repository.Fact(asked, f.op.Commit, rev, f.op.Path, f.op.Values, f.op.To)
		stop()
		if err != nil {
			f.log.WarnContext(ctx, "asking Git about a revision", "revision", rev, "err", err)
			continue
		}
		f.facts[rev] = fact
	}
	return f.facts
}

// refresh reminds Argo CD to look at Git, beside the looking: it answers only
// when the controller has. Its answer is one more look.
func (f *follower) refresh(ctx context.Context) {
	f.refreshing.start(func() {
		s, err := f.Applications.Refresh(ctx, f.op.Application, false)
		if err != nil {
			if ctx.Err() == nil {
				f.log.WarnContext(ctx, "refreshing the Application", "err", err)
			}
			return
		}
		select {
		case f.refreshed <- s:
		default:
		}
	})
}

// task runs one piece of work at a time, beside its owner, who waits for it.
type task struct{ done chan struct{} }

func (t *task) start(work func()) {
	if t.done != nil {
		select {
		case <-t.done:
		default:
			return // still at the last one
		}
	}
	done := make(chan struct{})
	t.done = done
	go func() {
		defer close(done)
		work()
	}()
}

func (t *task) wait() {
	if t.done != nil {
		<-t.done
	}
}
