package commands

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// A write that fails without having landed is tried again for this long, one
// whose outcome is not known for longer.
const (
	writeTime   = 2 * time.Minute
	unknownTime = 15 * time.Minute
)

// openTime is for how long a release waits for its message to be posted.
const openTime = 10 * time.Second

// carrier is one operation on its way, from the step it is at to its end.
type carrier struct {
	*Operations
	op      release.Operation
	resumed bool // an earlier process may have done more than it could store
	nowhere bool // there is no place for its message
	mail    *mailbox
	opened  chan<- opening // told once how the message was opened; buffered
	log     *slog.Logger
}

func (c *carrier) run(ctx context.Context) {
	c.open(ctx)
	if c.op.Progress.Stage == release.StageWriting && ctx.Err() == nil {
		if c.op.Writes() {
			c.write(ctx)
		} else {
			c.askSync(ctx)
		}
	}
	if ctx.Err() == nil && !c.op.Progress.Stage.Ended() {
		if c.op.Supersedes != "" {
			c.supersede(c.op.Supersedes, c.op.ID)
		}
		c.follow(ctx)
	}
	if c.op.Progress.Stage.Ended() {
		c.tell(ctx)
	}
}

// open posts the operation's message before anything is written. Where it
// cannot be posted the person learns so, and nothing is done; that Slack does
// not answer does not decide whether a release goes out.
func (c *carrier) open(ctx context.Context) {
	var first opening
	defer func() { c.opened <- first }()
	err := c.place(ctx)
	var no *release.Refusal
	switch {
	case err == nil:
		first.place = c.op.Message
	case errors.As(err, &no) && !c.resumed:
		first.refusal, c.op.Told = no, true
		c.op.Progress = c.op.Progress.Enter(release.StageRefused, time.Now().UTC())
		c.save(ctx)
	case no != nil:
		// The earlier process may have written already, so it goes on untold.
		c.log.ErrorContext(ctx, "the operation cannot be told", "why", no.Say)
		c.nowhere = true
	default:
		c.log.WarnContext(ctx, "opening the message", "err", err)
		c.Messages.Show(c.op)
	}
}

// place finds or posts the message. Given up, it is found or posted later, by
// Show.
func (c *carrier) place(ctx context.Context) error {
	if c.op.Message.TS != "" {
		return nil
	}
	// A started post is finished even while stopping: the next process could look
	// for it while Slack is still at it, and post it again.
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), openTime)
	defer stop()
	place, found := release.Place{}, false
	var err error
	if c.resumed {
		if place, found, err = c.Messages.Find(ctx, c.op); err != nil {
			return err
		}
	}
	if !found {
		if place, err = c.Messages.Open(ctx, c.op); err != nil {
			return err
		}
	}
	c.moved(ctx, place)
	return nil
}

// moved stores where the message is.
func (c *carrier) moved(ctx context.Context, place release.Place) {
	c.op.Message = place
	c.save(ctx)
}

// write pushes the commit.
func (c *carrier) write(ctx context.Context) {
	began, unsure := time.Now(), c.resumed
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		// A started write is finished even while stopping: it takes seconds, and
		// its outcome is worth knowing.
		finish, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		commit, err := c.Repository.Apply(finish, c.op.Change())
		stop()
		unsure = unsure || errors.Is(err, release.ErrOutcomeUnknown)
		var no *release.Refusal
		switch {
		case err == nil:
			c.op.Commit = commit
			c.log.InfoContext(ctx, "layer written", "commit", commit, "took", time.Since(began))
			c.enter(ctx, release.StageCommitted, "", nil)
			return
		case errors.As(err, &no):
			c.enter(ctx, release.StageRefused, no.Say, nil)
			return
		case errors.Is(err, release.ErrWriteRejected), errors.Is(err, release.ErrUnauthorized) && !unsure:
			c.log.WarnContext(ctx, "push refused", "err", err)
			c.enter(ctx, release.StageFailedToWrite, "", &release.Cause{Summary: release.Plain(err.Error())})
			return
		}
		c.log.WarnContext(ctx, "writing the layer", "err", err)
		switch spent := time.Since(began); {
		case unsure && spent >= unknownTime:
			c.enter(ctx, release.StageTimedOut, "whether the commit landed is not known: look for Operation-Id "+c.op.ID+" in the branch", nil)
			return
		case !unsure && spent >= writeTime:
			c.enter(ctx, release.StageFailedToWrite, "", &release.Cause{Summary: "the Git host cannot be reached; nothing was written"})
			return
		}
		c.note(ctx, "the Git host does not answer; trying again")
		if !pause(ctx, wait) {
			return
		}
	}
}

// askSync asks Argo CD to sync, once: where the Application has moved on from
// the baseline, it was asked before.
func (c *carrier) askSync(ctx context.Context) {
	began := time.Now()
	for wait := time.Second; ; wait = min(2*wait, 10*time.Second) {
		err := c.syncOnce(ctx)
		switch {
		case err == nil:
			c.enter(ctx, release.StageSyncing, "", nil)
			return
		case ctx.Err() != nil:
			return
		case errors.Is(err, release.ErrBusy):
			c.note(ctx, "waiting for the running sync to finish")
		case errors.Is(err, release.ErrNotVisible), errors.Is(err, release.ErrDenied):
			c.enter(ctx, release.StageFailedToWrite, "", &release.Cause{Summary: release.Plain(err.Error())})
			return
		default:
			c.log.WarnContext(ctx, "asking for a sync", "err", err)
			c.note(ctx, "Argo CD does not answer; trying again")
		}
		if time.Since(began) >= c.Rules.Syncing {
			c.enter(ctx, release.StageTimedOut, "Argo CD did not take the sync", nil)
			return
		}
		if !pause(ctx, wait) {
			return
		}
	}
}

func (c *carrier) syncOnce(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, 20*time.Second)
	defer stop()
	s, err := c.Applications.Application(ctx, c.op.Application)
	if err != nil {
		return err
	}
	if s.Busy() && !c.resumed {
		return release.ErrBusy
	}
	if c.op.Moved(s) {
		if c.resumed {
			return nil
		}
		// Somebody else's sync came between: ours must be newer than that one.
		clones := c.op.Baseline.Clones // not of the snapshot, and not less seen for it
		c.op.Baseline = s.Baseline()
		c.op.Baseline.Clones = clones
		if err := c.Store.Save(ctx, c.op); err != nil {
			return err
		}
	}
	return c.Applications.Sync(ctx, c.op.Application, release.SyncAsk{
		Prune: true, Operation: c.op.ID, By: c.op.By.Signature(),
	})
}

// tell shows the end, and answers for a failure in the thread.
func (c *carrier) tell(ctx context.Context) {
	for wait := time.Second; !c.op.Told; wait = min(2*wait, time.Minute) {
		err := c.tellOnce(ctx)
		if err == nil || errors.Is(err, release.ErrFenced) {
			return
		}
		c.log.WarnContext(ctx, "telling the end", "err", err)
		if !pause(ctx, wait) {
			return
		}
	}
}

func (c *carrier) tellOnce(ctx context.Context) error {
	if !c.nowhere {
		if err := c.Messages.Settle(ctx, c.op); err != nil {
			return err
		}
		select {
		case place := <-c.mail.moved:
			c.moved(ctx, place)
		default:
		}
		if c.op.Progress.Stage.Failed() || c.op.Reply.TS != "" {
			if err := c.reply(ctx); err != nil {
				return err
			}
		}
	}
	c.op.Told = true
	return c.Store.Save(ctx, c.op)
}

func (c *carrier) reply(ctx context.Context) error {
	place, err := c.Messages.Reply(ctx, c.op)
	if err != nil {
		return err
	}
	c.op.Reply = place
	return c.Store.Save(ctx, c.op)
}

// enter stores a new stage, then shows it.
func (c *carrier) enter(ctx context.Context, s release.Stage, note string, cause *release.Cause) {
	p := c.op.Progress.Enter(s, time.Now().UTC())
	p.Note, p.Cause = note, cause
	p.Seq++
	c.become(ctx, p)
}

// note stores and shows what is being waited for.
func (c *carrier) note(ctx context.Context, note string) {
	p := c.op.Progress
	if p.Note == note {
		return
	}
	p.Note = note
	p.Seq++
	c.become(ctx, p)
}

// become stores a changed progress, then shows it if people can see the change.
func (c *carrier) become(ctx context.Context, p release.Progress) {
	seen := p.Seq != c.op.Progress.Seq
	entered := p.Stage != c.op.Progress.Stage
	changed := seen || p.Memory != c.op.Progress.Memory
	c.op.Progress = p
	if changed {
		c.save(ctx)
	}
	if entered {
		c.log.InfoContext(ctx, "stage", "stage", p.Stage, "note", p.Note)
		c.Entered(c.op)
	}
	if seen {
		c.Messages.Show(c.op)
	}
}

// save stores the operation. What cannot be stored now is stored with the next
// change; the outside effects are safe to repeat until then.
func (c *carrier) save(ctx context.Context) {
	err := c.Store.Save(context.WithoutCancel(ctx), c.op)
	if err != nil && !errors.Is(err, release.ErrFenced) {
		c.log.ErrorContext(ctx, "storing the operation", "err", err)
	}
}

// pause waits, or returns false because ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
