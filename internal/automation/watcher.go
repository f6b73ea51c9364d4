package automation

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/synestra/promoter/internal/release"
)

const (
	idleTime     = 5 * time.Minute // how often a watcher looks without any reason
	recoveryTime = 24 * time.Hour  // a failure may recover for this long
)

// watcher keeps the ledger of one app in one environment. All that changes the
// ledger happens in its own goroutine.
type watcher struct {
	*shift
	app    release.App
	env    release.Environment
	ledger release.Ledger   // as it is stored
	exists bool             // the ledger does
	known  bool             // it did when the watching began
	before release.Revision // how far the branch was known before there was this app
	first  bool             // nothing was taken in yet: what is found may be old

	snapshot  release.Snapshot
	seen      bool
	tips      chan struct{}
	following map[string]*follower // by update
	followAt  map[string]time.Time // when one that has failed is followed again
	progress  chan progress
	extras    map[string]extras // by update: what takes time to find out
	found     chan extras
	aligned   chan aligned
	aligning  bool
	alignAt   time.Time // when it is tried again
	soaked    chan soaked
	soaking   bool
	soakAt    time.Time // when it is looked again
	promoteAt time.Time // when it is tried again
	work      sync.WaitGroup
	log       *slog.Logger
}

func newWatcher(s *shift, app release.App, env release.Environment) *watcher {
	ledger, exists := s.ledgers[key{app, env.Name}]
	return &watcher{
		shift: s, app: app, env: env, ledger: ledger, exists: exists, known: exists, before: s.before, first: true,
		tips: make(chan struct{}, 1), following: map[string]*follower{}, followAt: map[string]time.Time{}, progress: make(chan progress),
		extras: map[string]extras{}, found: make(chan extras), aligned: make(chan aligned), soaked: make(chan soaked),
		log: s.Log.With("app", app, "environment", env.Name),
	}
}

func (w *watcher) run(ctx context.Context) {
	events, stop := w.Applications.Follow(w.env.ApplicationName(w.app))
	defer stop()
	defer w.work.Wait()
	moved := false // the branch may have moved since it was last taken in
	timer := time.NewTimer(idleTime)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-events:
			if !w.sees(s) {
				continue
			}
		case <-w.tips:
			moved = true
		case <-timer.C:
		case p := <-w.progress:
			// Whoever follows a rollout hears of the same events, so what it has seen
			// is here by now.
			select {
			case s := <-events:
				if w.sees(s) {
					w.catchUp(ctx, p)
				}
			default:
			}
			w.progressed(ctx, p)
		case x := <-w.found:
			w.extend(ctx, x)
		case r := <-w.aligned:
			w.alignmentEnded(ctx, r)
		case r := <-w.soaked:
			w.soakEnded(ctx, r)
		}
		next := w.step(ctx, &moved)
		timer.Reset(next)
	}
}

// step takes in what there is to be seen, and says when to look again.
func (w *watcher) step(ctx context.Context, moved *bool) time.Duration {
	if !w.seen {
		return idleTime
	}
	ledger, more, err := w.takeIn(ctx, *moved)
	if err == nil {
		err = w.save(ctx, ledger, more...)
	}
	if err != nil {
		if ctx.Err() == nil {
			w.log.WarnContext(ctx, "taking in what has changed", "err", err)
		}
		return w.Times.Retry
	}
	*moved = false
	if !w.exists {
		return idleTime
	}
	w.first = false
	return min(w.follow(ctx), w.align(ctx), w.verify(ctx), w.lookAgain())
}

func (w *watcher) lookAgain() time.Duration {
	if w.ledger.Suspect != nil || w.ledger.Astray != nil {
		return w.Times.Odd
	}
	return idleTime
}

// save stores the ledger together with what people are told, and makes it the
// watcher's.
func (w *watcher) save(ctx context.Context, l release.Ledger, told ...release.Telling) error {
	if w.exists && len(told) == 0 && sameLedger(l, w.ledger) {
		w.ledger = l
		return nil
	}
	if l.App == "" {
		return nil // there is nothing to be seen of it yet
	}
	record := release.Record{Ledgers: []release.Ledger{l}}
	w.holds(ctx, l, &record)
	if err := w.outbox.record(ctx, record, w.items(ctx, l, told)); err != nil {
		return err
	}
	w.ledger, w.exists = l, true
	return nil
}

// sameLedger says that nothing differs which must be stored now. The cursor
// alone moves with every commit to the repository; reading on from an older
// one comes to the same.
func sameLedger(a, b release.Ledger) bool {
	return a.UID == b.UID && a.Content.Same(b.Content) && a.Deployed.HistoryID == b.Deployed.HistoryID && a.Deployed.StartedAt == b.Deployed.StartedAt &&
		a.Deployed.Revision == b.Deployed.Revision && a.Told.At.Equal(b.Told.At) && a.Seq == b.Seq && same(a.Suspect, b.Suspect) && same(a.Astray, b.Astray) && same(a.Alignment, b.Alignment) && same(a.Soak, b.Soak) &&
		maps.Equal(a.Rollouts, b.Rollouts) && slices.EqualFunc(a.Open, b.Open, func(u, v release.Update) bool {
		return u.ID == v.ID && u.Outcome == v.Outcome && u.By == v.By && u.Progress.Seq == v.Progress.Seq && u.Progress.Stage == v.Progress.Stage && u.Progress.Memory == v.Progress.Memory
	})
}

func same[T comparable](a, b *T) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

// holds puts a hold on the app whose prod goes back to an earlier release, and
// lifts it where prod goes on to another one, or somebody promotes one.
func (w *watcher) holds(ctx context.Context, l release.Ledger, record *release.Record) {
	if w.env.Name != w.Environments.Prod.Name {
		return
	}
	for _, u := range l.Open {
		if slices.ContainsFunc(w.ledger.Open, func(old release.Update) bool { return old.ID == u.ID }) {
			continue
		}
		// Where both are seen at once, which came first is not known: it is held.
		switch {
		case w.promoted(ctx, u):
			record.Lift = w.app
		case u.MayGoBack():
			record.Hold = &release.Hold{App: w.app, Since: u.Opened, Update: u.ID, By: by(u), Reason: w.reason(u)}
		case u.How == release.HowCommit && u.To.Tag != w.ledger.Content.Tag:
			record.Lift = w.app
		}
	}
}
