package automation

import (
	"context"
	"errors"
	"fmt"
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

// progress is how an update stands.
type progress struct {
	update string
	p      release.Progress
	by     *follower
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

// takeIn is the ledger with everything in it that the snapshot and Git show.
func (w *watcher) takeIn(ctx context.Context, moved bool) (release.Ledger, []release.Telling, error) {
	s, l := w.snapshot, w.ledger
	follows := s.Follows(w.URL, w.Branch)
	if s.Deleted || len(follows) == 0 {
		return l, nil, nil // it does not deploy our repository: nothing can be said of it
	}
	source := follows[0]
	if !w.exists {
		var err error
		if l, err = w.adopt(ctx, s, source); err != nil {
			return l, nil, err
		}
		moved = true
	}
	if l.UID != s.UID { // made anew: its history begins again
		l = l.Remade(s.UID)
	}
	syncs := l.NewSyncs(s, source)
	var err error
	for i := range syncs {
		// Of a revision that Git had not heard of, this brings the branch up to date.
		if syncs[i].Content, err = w.Repository.Content(ctx, w.app, w.env.Name, syncs[i].Revision); err != nil {
			return l, nil, err
		}
	}
	if moved || w.first || len(syncs) > 0 {
		if l, err = w.takeEdits(ctx, l); err != nil {
			return l, nil, err
		}
	}
	for _, d := range syncs {
		if l, err = w.takeSync(ctx, l, d, source); err != nil {
			return l, nil, err
		}
	}
	return w.takeLive(ctx, l)
}

// adopt begins the ledger. What there is when the bot first looks is no news;
// what an app begins with that comes later is.
func (w *watcher) adopt(ctx context.Context, s release.Snapshot, source int) (release.Ledger, error) {
	h, err := w.Repository.History(ctx, w.app, w.env.Name, w.before, 0)
	if err != nil {
		return w.ledger, err
	}
	if w.before != "" && h.Whole && len(h.Edits) > 0 && h.Edits[len(h.Edits)-1].Before.Tag == "" {
		l := release.Adopt(w.app, w.env, s, w.before, release.Content{}, release.Deployed{HistoryID: -1}, time.Now().UTC())
		return l, nil
	}
	deployed := release.Deployed{HistoryID: -1}
	if syncs := (release.Ledger{Deployed: deployed}).NewSyncs(s, source); len(syncs) > 0 {
		deployed = syncs[len(syncs)-1]
		if deployed.Content, err = w.Repository.Content(ctx, w.app, w.env.Name, deployed.Revision); err != nil {
			return w.ledger, err
		}
	}
	return release.Adopt(w.app, w.env, s, h.Tip, h.Now, deployed, time.Now().UTC()), nil
}

func (w *watcher) takeEdits(ctx context.Context, l release.Ledger) (release.Ledger, error) {
	h, err := w.Repository.History(ctx, w.app, w.env.Name, l.Cursor, 0)
	if err != nil {
		return l, err
	}
	return w.recognise(ctx, l.TakeEdits(h, w.first && w.known, time.Now().UTC()), l.Open)
}

// recognise marks the updates that were not open before, and that go back to
// what the environment ran before.
func (w *watcher) recognise(ctx context.Context, l release.Ledger, before []release.Update) (release.Ledger, error) {
	old := func(u release.Update) bool {
		return slices.ContainsFunc(before, func(o release.Update) bool { return o.ID == u.ID })
	}
	if !slices.ContainsFunc(l.Open, func(u release.Update) bool { return !old(u) }) {
		return l, nil
	}
	all, err := w.Repository.History(ctx, w.app, w.env.Name, "", 0)
	if err != nil {
		return l, err
	}
	l.Open = slices.Clone(l.Open)
	for i := range l.Open {
		if u := &l.Open[i]; !old(*u) {
			u.Rollback = u.IsRollback(all)
		}
	}
	return l, nil
}

func (w *watcher) takeSync(ctx context.Context, l release.Ledger, d release.Deployed, source int) (release.Ledger, error) {
	if before := l.Deployed.Revision; before != "" && before != d.Revision {
		fact, err := w.Repository.Fact(ctx, before, d.Revision, w.env.LayerPath(w.app), "", d.Content.Tag)
		if err != nil {
			return l, err
		}
		d.Older = fact.Relation == release.RelationOlder || fact.Relation == release.RelationDiverged
		if path := w.chart(source); path != "" && d.Content.Same(l.Told.Content) {
			if d.Charted, err = w.Repository.Differs(ctx, before, d.Revision, path); err != nil {
				return l, err
			}
		}
	}
	return w.recognise(ctx, l.TakeSync(d, w.first && w.known, time.Now().UTC()), l.Open)
}

// chart is the folder that the app is rendered from, "" if it is not in our
// repository.
func (w *watcher) chart(source int) string {
	for _, i := range append([]int{source}, w.snapshot.Follows(w.URL, w.Branch)...) {
		if i < len(w.snapshot.Paths) && w.snapshot.Paths[i] != "" && w.snapshot.Paths[i] != "." {
			return w.snapshot.Paths[i]
		}
	}
	return ""
}

// takeLive asks the cluster where the snapshot is odd: in sync with the known
// images there is nothing to ask for.
func (w *watcher) takeLive(ctx context.Context, l release.Ledger) (release.Ledger, []release.Telling, error) {
	if !l.Quiet() || w.snapshot.Busy() || l.Rollouts != nil && !w.odd(l) {
		return l, nil, nil
	}
	asked, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	// The cluster's word is of now. A snapshot from before the watch was lost may
	// lack the sync that brought what runs.
	now, err := w.Applications.Application(asked, l.Application)
	if err != nil {
		return l, nil, fmt.Errorf("reading the Application: %w", err)
	}
	if now.UID != w.snapshot.UID || now.ResourceVersion > w.snapshot.ResourceVersion {
		w.snapshot = now
		return w.takeIn(ctx, true)
	}
	live, err := w.Applications.Live(asked, l.Application)
	if err != nil {
		return l, nil, fmt.Errorf("asking the cluster: %w", err)
	}
	if l.Rollouts == nil && live.Problem == "" {
		l.Rollouts = live.Rollouts(l.Content.Repository)
	}
	l, told := l.TakeLive(live, w.Rules, time.Now().UTC())
	return l, told, nil
}

// odd says that the cluster may run what it should not.
func (w *watcher) odd(l release.Ledger) bool {
	if l.Suspect != nil || l.Astray != nil || w.snapshot.Sync != "Synced" || l.Told.How == release.HowOutside {
		return true
	}
	return slices.ContainsFunc(w.snapshot.Images, func(image string) bool {
		repository, tag := release.SplitImage(image)
		return repository == l.Content.Repository && tag != l.Content.Tag
	})
}

// follow has each open update followed, lets go of those that are closed, and
// says when to look again.
func (w *watcher) follow(ctx context.Context) (again time.Duration) {
	again = idleTime
	for id, f := range w.following {
		i := slices.IndexFunc(w.ledger.Open, func(u release.Update) bool { return u.ID == id && u.Progress.Stage != release.StageSuperseded })
		if i < 0 {
			w.letGo(id)
			delete(w.extras, id)
			delete(w.followAt, id)
		} else if f.manner != w.manner(w.ledger.Open[i]) {
			w.letGo(id) // what it is judged by has changed
		}
	}
	for _, u := range w.ledger.Open {
		if w.following[u.ID] != nil || u.Progress.Stage == release.StageSuperseded {
			continue
		}
		if wait := time.Until(w.followAt[u.ID]); wait > 0 {
			again = min(again, wait)
			continue
		}
		op, rules := w.ledger.Operation(u, w.env), w.Rules
		if u.Outcome != "" { // it has failed, and may recover
			rules.Noticed, rules.Syncing, rules.Rollout = recoveryTime, recoveryTime, recoveryTime
		}
		if op.Progress.Stage.Ended() {
			op.Progress = op.Progress.Reopened(time.Now().UTC())
		}
		following, stop := context.WithCancel(ctx)
		f := &follower{stop, w.manner(u)}
		w.following[u.ID] = f
		w.work.Go(func() {
			defer stop()
			w.Rollouts.Watch(following, op, rules, func(ctx context.Context, p release.Progress) {
				select {
				case w.progress <- progress{u.ID, p, f}:
				case <-ctx.Done():
				}
			})
		})
		w.lookUp(ctx, u)
	}
	return again
}

// follower is who follows an update.
type follower struct {
	stop   context.CancelFunc
	manner manner
}

// manner is what decides how an update is judged. It can change on its way: the
// branch goes on, a commit that was overtaken is judged by its sync, the
// Application is made anew.
type manner struct {
	how   release.How
	apart bool
	uid   string
}

func (w *watcher) manner(u release.Update) manner {
	return manner{u.How, w.ledger.Apart(u), u.Baseline.UID}
}

// letGo ends the following of an update.
func (w *watcher) letGo(id string) {
	if f := w.following[id]; f != nil {
		f.stop()
		delete(w.following, id)
	}
}

// catchUp takes in the syncs that what is about to be told was concluded from:
// an older sync that is taken in after the telling would look like a new one.
func (w *watcher) catchUp(ctx context.Context, p progress) {
	ledger, more, err := w.takeIn(ctx, false)
	if err == nil {
		err = w.save(ctx, ledger, more...)
	}
	if err != nil && ctx.Err() == nil {
		w.log.WarnContext(ctx, "taking in what an update came from", "update", p.update, "err", err)
	}
}

// sees keeps a newer snapshot. An older one is from a server that is behind.
func (w *watcher) sees(s release.Snapshot) bool {
	if w.seen && s.UID == w.snapshot.UID && s.ResourceVersion < w.snapshot.ResourceVersion {
		return false
	}
	w.snapshot, w.seen = s, true
	return true
}

// progressed takes in how an update stands, and tells it.
func (w *watcher) progressed(ctx context.Context, p progress) {
	i := slices.IndexFunc(w.ledger.Open, func(u release.Update) bool { return u.ID == p.update })
	if i < 0 || w.following[p.update] != p.by {
		return // from one who was let go
	}
	u := w.ledger.Open[i]
	var rollouts map[string]string
	if u.How == release.HowChart && p.p.Stage == release.StageHealthy {
		rollouts = w.rollouts(ctx)
	}
	now := time.Now().UTC()
	l, telling := w.ledger.Progressed(p.update, p.p, rollouts, now)
	if p.p.Stage.Ended() {
		if !p.p.Stage.MayRecover() || u.Outcome != "" && now.Sub(u.FailedAt) >= recoveryTime {
			l = l.Drop(p.update)
		}
		w.letGo(p.update)
		if p.p.Stage.Failed() { // it may recover, and is followed anew
			w.followAt[p.update] = time.Now().Add(w.Times.Recover)
		}
	}
	var told []release.Telling
	if telling != nil {
		told = append(told, *telling)
		l = w.followUp(l, *telling)
	}
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		err := w.save(ctx, l, told...)
		if err == nil || ctx.Err() != nil {
			break
		}
		w.log.ErrorContext(ctx, "storing an update", "update", p.update, "err", err)
		if errors.Is(err, release.ErrFenced) || !pause(ctx, wait) {
			return
		}
	}
	if telling != nil && telling.Update.Outcome == release.StageHealthy && u.How != release.HowChart {
		w.ledger.Rollouts = nil // to be read anew
	}
}

func (w *watcher) rollouts(ctx context.Context) map[string]string {
	asked, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	live, err := w.Applications.Live(asked, w.ledger.Application)
	if err != nil || live.Problem != "" {
		w.log.WarnContext(ctx, "asking the cluster for its rollouts", "err", err)
		return nil
	}
	return live.Rollouts(w.ledger.Content.Repository)
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
	w.holds(l, &record)
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
// lifts it where prod goes on to another one.
func (w *watcher) holds(l release.Ledger, record *release.Record) {
	if w.env.Name != w.Environments.Prod.Name {
		return
	}
	for _, u := range l.Open {
		if slices.ContainsFunc(w.ledger.Open, func(old release.Update) bool { return old.ID == u.ID }) {
			continue
		}
		// Where both are seen at once, which came first is not known: it is held.
		switch {
		case u.Rollback || u.Regression:
			record.Hold = &release.Hold{App: w.app, Since: u.Opened, Update: u.ID, By: by(u), Reason: w.reason(u)}
		case u.How == release.HowCommit && u.To.Tag != w.ledger.Content.Tag:
			record.Lift = w.app
		}
	}
}
