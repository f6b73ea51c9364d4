// Package automation does what happens unasked: it tells what the environments
// run, whoever changed it, has dev follow prod, promotes what was verified in
// dev, and reports on a schedule.
//
// Truth comes from two sides: the history of the release layers says what
// should run, and Argo CD and the cluster say what does. What is concluded from
// them is decided in package release; here it is looked at, stored and told.
package automation

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// repository is the Git repository with the release layers.
type repository interface {
	// Contents is what Git says of every app in an environment, at the tip.
	Contents(ctx context.Context, environment string) (map[release.App]release.Content, release.Revision, error)
	Content(ctx context.Context, app release.App, environment string, at release.Revision) (release.Content, error)
	// History goes back to a revision, or as far as it can with "". most bounds
	// the edits, 0 for all.
	History(ctx context.Context, app release.App, environment string, since release.Revision, most int) (release.History, error)
	Fact(ctx context.Context, commit, rev release.Revision, path, values string, tag release.Tag) (release.Fact, error)
	// Changed is the newest commit between two that changed what is at a path, nil
	// where they have the same there.
	Changed(ctx context.Context, a, b release.Revision, path string) (*release.Edit, error)
	// Hosts are where the app is to be seen, from its environment values.
	Hosts(ctx context.Context, app release.App, environment string) ([]string, error)
	// Follow gives the branch's tip each time it is seen to have moved.
	Follow() (<-chan release.Revision, func())
}

// applications is Argo CD and the cluster behind it.
type applications interface {
	Application(ctx context.Context, name string) (release.Snapshot, error)
	Follow(name string) (<-chan release.Snapshot, func())
	Live(ctx context.Context, name string) (release.Live, error)
}

// rollouts follows a rollout that somebody else has brought about.
type rollouts interface {
	Watch(ctx context.Context, op release.Operation, rules release.Rules, changed func(context.Context, release.Progress))
}

// desk carries out what automation has decided, as an operation like any other.
// A *release.Refusal says why not. The same decision is carried out once.
type desk interface {
	Align(ctx context.Context, app release.App, update string, ask release.AlignAsk) (release.Operation, error)
	AutoPromote(ctx context.Context, app release.App, ask release.AutoAsk) (release.Operation, error)
}

// changelogs lists what a release brings.
type changelogs interface {
	Changelog(ctx context.Context, app release.App, from, to release.Tag) *release.Changelog
}

// memory is what outlives the process. What is stored under a lease that has
// passed to another process is refused with release.ErrFenced.
type memory interface {
	Lead(ctx context.Context, name, owner string, ttl time.Duration, now time.Time) (release.Lease, bool, error)
	Resign(ctx context.Context, name string, l release.Lease) error
	Ledgers(ctx context.Context) ([]release.Ledger, error)
	// Record stores all of it or nothing. It is refused with release.ErrExists
	// where another notice of the channel tells of an update already.
	Record(ctx context.Context, name string, l release.Lease, r release.Record) error
	Unshown(ctx context.Context) ([]release.Notice, error)
	NoticeOf(ctx context.Context, update, channel string) (release.Notice, bool, error)
	NewestNotice(ctx context.Context, channel string) (release.Notice, bool, error)
	Shown(ctx context.Context, name string, l release.Lease, n release.Notice) error
	Hold(ctx context.Context, app release.App) (release.Hold, bool, error)
	Holds(ctx context.Context) ([]release.Hold, error)
	LastRun(ctx context.Context, job string) (time.Time, bool, error)
	Ran(ctx context.Context, name string, l release.Lease, job string, at time.Time, notices []release.Notice) error
	Operation(ctx context.Context, id string) (release.Operation, bool, error)
	Failures(ctx context.Context, since time.Time) ([]release.Operation, error)
}

// messages is the channel.
type messages interface {
	// PostNotice posts once. After release.ErrOutcomeUnknown it may stand, and
	// FindNotice finds out.
	PostNotice(ctx context.Context, n release.Notice) (release.Place, error)
	FindNotice(ctx context.Context, n release.Notice) (release.Place, bool, error)
	// EditNotice fails with release.ErrGone where somebody has deleted it.
	EditNotice(ctx context.Context, n release.Notice) error
}

// Settings are what the configuration says.
type Settings struct {
	Routes      []Route
	Align       release.AlignMode
	AutoPromote []AutoPromote
	Jobs        []Job
	// Channel is where operations are told that were not asked for in a channel.
	Channel string
}

// Automation is all of it. One process at a time does it, of those that share a
// store.
type Automation struct {
	Repository   repository
	Applications applications
	Rollouts     rollouts
	Desk         desk
	Changelogs   changelogs
	Store        memory
	Messages     messages
	Environments release.Environments
	URL, Branch  string // of the repository
	Rules        release.Rules
	Settings     Settings
	Times        Times
	Owner        string // names this process
	NewID        func() string
	Log          *slog.Logger
}

// leaseName names the lease: automation is taken over a while after its process
// has died, or at once after it has stopped.
const leaseName = "automation"

// Run does it while this process holds the lease, until ctx ends.
func (a *Automation) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		lease, ours, err := a.Store.Lead(ctx, leaseName, a.Owner, a.Times.Lease, time.Now())
		if err != nil && ctx.Err() == nil {
			a.Log.ErrorContext(ctx, "taking the lease of automation", "err", err)
		}
		if ours {
			a.lead(ctx, lease)
		}
		pause(ctx, a.Times.Take)
	}
	return nil
}

// lead works under the lease until ctx ends or the lease is lost.
func (a *Automation) lead(ctx context.Context, lease release.Lease) {
	held, lose := context.WithCancelCause(ctx)
	var all sync.WaitGroup
	all.Go(func() { a.renew(held, lose) })
	s := newShift(a, lease)
	s.run(held)
	lose(nil)
	all.Wait()
	if ctx.Err() == nil {
		a.Log.WarnContext(ctx, "automation ends here", "why", context.Cause(held))
		return
	}
	finish, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer stop()
	if err := a.Store.Resign(finish, leaseName, lease); err != nil && !errors.Is(err, release.ErrFenced) {
		a.Log.WarnContext(ctx, "giving up the lease of automation", "err", err)
	}
}

// renew keeps the lease. Without an answer from the store for as long as it
// lasts, it counts as lost.
func (a *Automation) renew(ctx context.Context, lose context.CancelCauseFunc) {
	renewed := time.Now()
	for pause(ctx, a.Times.Renew) {
		asked := time.Now()
		_, ours, err := a.Store.Lead(ctx, leaseName, a.Owner, a.Times.Lease, asked)
		switch {
		case ctx.Err() != nil:
		case err == nil && !ours:
			lose(errors.New("another process has taken the lease"))
		case err == nil:
			renewed = asked
		case time.Since(renewed) > a.Times.Lease-a.Times.Renew:
			lose(err)
		}
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
