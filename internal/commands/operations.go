package commands

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// writer is the Git repository as an operation needs it.
type writer interface {
	// Apply makes the change a commit on the branch. It is safe to call again
	// with the same change after any error or crash: a commit that landed is
	// found, not repeated.
	Apply(ctx context.Context, c release.Change) (release.Revision, error)
	Fact(ctx context.Context, commit, rev release.Revision, path, values string, tag release.Tag) (release.Fact, error)
}

// rollouts is Argo CD as an operation needs it.
type rollouts interface {
	applications
	Refresh(ctx context.Context, name string, hard bool) (release.Snapshot, error)
	Sync(ctx context.Context, name string, ask release.SyncAsk) error
	Follow(name string) (<-chan release.Snapshot, func())
}

// memory is what outlives the process. A save under a lease that has passed to
// another process is refused with release.ErrFenced.
type memory interface {
	// Begin stores a new operation unless decide, given the newest unfinished
	// one of the same app and environment (nil if there is none), refuses. Two
	// requests can never both begin.
	Begin(ctx context.Context, op release.Operation, decide func(current *release.Operation) error) error
	Save(ctx context.Context, op release.Operation) error
	OperationOf(ctx context.Context, delivery string) (release.Operation, bool, error)
	Current(ctx context.Context, app release.App, environment string) (release.Operation, bool, error)
	Unfinished(ctx context.Context) ([]release.Operation, error)
	Claim(ctx context.Context, id, owner string, ttl time.Duration, now time.Time) (release.Operation, bool, error)
	Renew(ctx context.Context, op release.Operation, ttl time.Duration, now time.Time) error
	Release(ctx context.Context, op release.Operation) error
}

// messages shows operations to people.
type messages interface {
	// Open posts the operation's one message. A refusal means that it cannot be
	// posted where it belongs. After any other error Show finds or posts it, and
	// [Operations.Moved] learns where.
	Open(ctx context.Context, op release.Operation) (release.Place, error)
	// Find looks for a message that an earlier process may have posted.
	Find(ctx context.Context, op release.Operation) (release.Place, bool, error)
	// Show redraws it, at some time; the latest state wins.
	Show(op release.Operation)
	// Settle returns when the operation's last state is on show.
	Settle(ctx context.Context, op release.Operation) error
	// Reply tells of a failure in the message's thread, or brings up to date
	// what op.Reply told.
	Reply(ctx context.Context, op release.Operation) (release.Place, error)
}

// Leases: an operation is taken over this long after its owner has died, or at
// once after it has stopped.
const (
	leaseTime  = 15 * time.Second
	renewEvery = 4 * time.Second
	adoptEvery = 2 * time.Second
)

// errStopping leaves a request to the next process.
var errStopping = fmt.Errorf("stopping: %w", context.Canceled)

// Operations carries operations out: remember, write, follow, tell. Every step
// can be the one that a restarted process continues at.
type Operations struct {
	Repository   writer
	Applications rollouts
	Store        memory
	Messages     messages
	Source       Source
	Rules        release.Rules
	Owner        string                     // this process; unique
	Entered      func(op release.Operation) // told of every new stage
	Log          *slog.Logger

	mu       sync.Mutex          // held for map look-ups only
	carried  map[string]*mailbox // by operation id
	running  context.Context     //nolint:containedctx // the life of Run, which owns the goroutines
	carriers sync.WaitGroup
}

// Run carries on what was left unfinished, by an earlier process or by another
// that has died, until ctx ends; then it waits until every operation is at a
// step where another process can continue.
func (o *Operations) Run(ctx context.Context) error {
	o.mu.Lock()
	o.running = ctx
	o.mu.Unlock()
	defer o.carriers.Wait()
	look := time.NewTicker(adoptEvery)
	defer look.Stop()
	for {
		o.adopt(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
	}
}

func (o *Operations) adopt(ctx context.Context) {
	unfinished, err := o.Store.Unfinished(ctx)
	if err != nil && ctx.Err() == nil {
		o.Log.ErrorContext(ctx, "reading unfinished operations", "err", err)
	}
	for _, op := range unfinished {
		if !o.reserve(op.ID) {
			continue
		}
		claimed, ok, err := o.Store.Claim(ctx, op.ID, o.Owner, leaseTime, time.Now())
		if err != nil || !ok {
			o.leave(op.ID)
			if err != nil && ctx.Err() == nil {
				o.Log.ErrorContext(ctx, "claiming an operation", "id", op.ID, "err", err)
			}
			continue
		}
		o.Log.InfoContext(ctx, "operation taken up", "id", op.ID, "stage", claimed.Progress.Stage)
		o.carry(claimed, true)
	}
}

// reserve makes an operation this process's business alone, or says that it
// already is, or that the process is stopping.
func (o *Operations) reserve(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.running == nil || o.running.Err() != nil || o.carried[id] != nil {
		return false
	}
	if o.carried == nil {
		o.carried = map[string]*mailbox{}
	}
	o.carried[id] = &mailbox{superseded: make(chan string, 1), moved: make(chan release.Place, 1)}
	return true
}

// mailbox is how an operation on its way hears from the rest of the process.
// The newest letter counts.
type mailbox struct {
	superseded chan string        // the operation that has taken over
	moved      chan release.Place // where its message is now
}

func (o *Operations) leave(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.carried, id)
}

// begun says that a request has already become an operation.
func (o *Operations) begun(ctx context.Context, delivery string) (bool, error) {
	if delivery == "" {
		return false, nil
	}
	_, found, err := o.Store.OperationOf(ctx, delivery)
	return found, err
}

// free refuses while another operation has the app's environment to itself.
func (o *Operations) free(ctx context.Context, app release.App, environment string) error {
	current, found, err := o.Store.Current(ctx, app, environment)
	if err != nil {
		return err
	}
	if found && current.Progress.Advancing() {
		return inProgress(current)
	}
	return nil
}

func inProgress(current release.Operation) *release.Refusal {
	no := release.Refuse(release.CodeInProgress, "Wait for it to end.", "`%s` in %s is being changed by %s: `%s` → `%s`, %s.",
		current.App, current.Environment, current.By.Name, current.From, current.To, string(current.Progress.Stage))
	no.Link = current.Message
	return no
}

// Start stores the operation, opens its message and carries it out. What it
// returns is for the person who asked; the rest is in the message.
func (o *Operations) Start(ctx context.Context, op release.Operation) (release.Answer, error) {
	current, found, err := o.Store.Current(ctx, op.App, op.Environment)
	if err != nil {
		return release.Answer{}, err
	}
	if found {
		op.Supersedes = current.ID
		op.Notes = append(op.Notes, "Takes over from "+string(current.Kind)+" "+string(current.To)+", which was "+string(current.Progress.Stage))
	}
	if !o.reserve(op.ID) {
		return release.Answer{}, errStopping
	}
	op.Lease = release.Lease{Owner: o.Owner, Fence: 1, Until: time.Now().Add(leaseTime)}
	err = o.Store.Begin(ctx, op, func(now *release.Operation) error {
		if now != nil && (!now.Yields(op.Kind) || now.ID != op.Supersedes) {
			return inProgress(*now)
		}
		return nil
	})
	if err != nil {
		o.leave(op.ID)
		if errors.Is(err, release.ErrExists) {
			return release.Answer{}, nil // the same request, handled side by side
		}
		return release.Answer{}, err
	}
	o.Log.InfoContext(ctx, "operation begun", "id", op.ID, "kind", op.Kind, "app", op.App, "environment", op.Environment,
		"from", op.From, "to", op.To, "by", op.By.ID, "forced", op.Forced)

	opened := o.carry(op, false)
	select {
	case <-ctx.Done():
		return release.Answer{}, context.Cause(ctx)
	case first := <-opened:
		if first.refusal != nil {
			return release.Answer{}, first.refusal
		}
		if first.place.TS != "" && first.place.Channel != op.Asked.ID {
			return release.Answer{Text: "On it. I tell how it goes there.", Link: first.place}, nil
		}
		return release.Answer{}, nil
	}
}

// opening is how the posting of a message went.
type opening struct {
	place   release.Place
	refusal *release.Refusal
}

// carry works on a reserved operation whose lease is ours until it is finished
// or Run ends, and reports how its message was opened.
func (o *Operations) carry(op release.Operation, resumed bool) <-chan opening {
	o.mu.Lock()
	defer o.mu.Unlock()
	mail, opened := o.carried[op.ID], make(chan opening, 1)
	ctx, lost := context.WithCancel(o.running)
	o.carriers.Go(func() {
		keeping := make(chan struct{})
		go func() {
			defer close(keeping)
			o.keep(ctx, op, lost)
		}()
		c := carrier{Operations: o, op: op, resumed: resumed, mail: mail, opened: opened, log: o.Log.With("id", op.ID)}
		c.run(ctx)
		lost()
		<-keeping
		if err := o.Store.Release(context.WithoutCancel(ctx), c.op); err != nil && !errors.Is(err, release.ErrFenced) {
			c.log.WarnContext(ctx, "giving the lease back", "err", err)
		}
		o.leave(op.ID)
	})
	return opened
}

// keep renews the lease. When another process has it, this one lets go at once.
func (o *Operations) keep(ctx context.Context, op release.Operation, lost func()) {
	renew := time.NewTicker(renewEvery)
	defer renew.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-renew.C:
		}
		err := o.Store.Renew(ctx, op, leaseTime, time.Now())
		switch {
		case errors.Is(err, release.ErrFenced):
			lost()
			return
		case err != nil && ctx.Err() == nil:
			o.Log.WarnContext(ctx, "renewing a lease", "id", op.ID, "err", err)
		}
	}
}

// supersede tells an operation carried here that another has taken over.
func (o *Operations) supersede(id, by string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if m := o.carried[id]; m != nil {
		put(m.superseded, by)
	}
}

// Moved tells an operation carried here where its message is from now on: it
// was posted late, or anew after somebody deleted it.
func (o *Operations) Moved(id string, place release.Place) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if m := o.carried[id]; m != nil {
		put(m.moved, place)
	}
}

// put leaves a letter in a box for one, in place of an older one. There is one
// writer at a time.
func put[T any](box chan T, letter T) {
	select {
	case <-box:
	default:
	}
	box <- letter
}
