package commands

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// outside is all that outlives a process: disk, Git, cluster and Slack. A
// process reaches it through its own [link], so that it can die at any call.
type outside struct {
	mu      sync.Mutex
	ops     map[string]release.Operation
	commits []commit
	posts   []post
	syncs   []time.Time

	question release.Question
	taken    string // the click that has it
	broken   bool   // the release never becomes ready
}

// op is an operation as it is stored now.
func (o *outside) op(id string) release.Operation {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ops[id]
}

type commit struct {
	operation string
	rev       release.Revision
	tag       release.Tag
	at        time.Time
	message   string
}

type post struct {
	operation string
	place     release.Place
	last      release.Progress
	reply     bool
}

func newOutside() *outside {
	return &outside{
		ops:     map[string]release.Operation{},
		commits: []commit{{rev: rev(1), tag: "sha-1", at: time.Now().Add(-time.Hour)}},
	}
}

func rev(n int) release.Revision { return release.Revision(fmt.Sprintf("%040x", n)) }

var errDead = errors.New("the process is dead")

// link is one process's way outside. At call dieAt it dies: before the call has
// its effect, or right after. From then on nothing it does has any.
type link struct {
	*outside
	calls int
	dieAt int
	after bool
	dead  bool
	died  chan struct{}
	names []string
}

func (o *outside) link(dieAt int, after bool) *link {
	return &link{outside: o, dieAt: dieAt, after: after, died: make(chan struct{})}
}

// call runs one outside effect under the lock.
func (l *link) call(name string, effect func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return errDead
	}
	l.calls++
	l.names = append(l.names, name)
	dying := l.calls == l.dieAt
	if dying && !l.after {
		l.dead = true
		close(l.died)
		return errDead
	}
	err := effect()
	if dying {
		l.dead = true
		close(l.died)
		return errDead
	}
	return err
}

// disk

func (l *link) Begin(_ context.Context, op release.Operation, decide func(*release.Operation) error) error {
	return l.call("begin", func() error {
		for _, known := range l.ops {
			if known.ID == op.ID || known.Delivery != "" && known.Delivery == op.Delivery {
				return release.ErrExists
			}
		}
		current, found := l.current(op.App, op.Environment)
		at := &current
		if !found {
			at = nil
		}
		if err := decide(at); err != nil {
			return err
		}
		l.ops[op.ID] = op
		return nil
	})
}

func (l *link) current(app release.App, environment string) (release.Operation, bool) {
	for _, id := range slices.Backward(slices.Sorted(maps.Keys(l.ops))) {
		if op := l.ops[id]; op.App == app && op.Environment == environment && !op.Progress.Stage.Ended() {
			return op, true
		}
	}
	return release.Operation{}, false
}

func (l *link) Current(_ context.Context, app release.App, environment string) (op release.Operation, found bool, err error) {
	err = l.call("current", func() error { op, found = l.current(app, environment); return nil })
	return op, found, err
}

func (l *link) Save(_ context.Context, op release.Operation) error {
	return l.call("save "+string(op.Progress.Stage), func() error {
		stored := l.ops[op.ID]
		if stored.Lease.Owner != op.Lease.Owner || stored.Lease.Fence != op.Lease.Fence {
			return release.ErrFenced
		}
		op.Lease = stored.Lease
		l.ops[op.ID] = op
		return nil
	})
}

func (l *link) OperationOf(_ context.Context, delivery string) (op release.Operation, found bool, err error) {
	err = l.call("operation of", func() error {
		for _, o := range l.ops {
			if o.Delivery == delivery {
				op, found = o, true
			}
		}
		return nil
	})
	return op, found, err
}

// Looking for work and keeping a lease happen all the time, beside the steps of
// an operation: they count as no step to die at.
func (l *link) Unfinished(context.Context) ([]release.Operation, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return nil, errDead
	}
	var found []release.Operation
	for _, id := range slices.Sorted(maps.Keys(l.ops)) {
		if !l.ops[id].Told {
			found = append(found, l.ops[id])
		}
	}
	return found, nil
}

func (l *link) Claim(_ context.Context, id, owner string, ttl time.Duration, now time.Time) (release.Operation, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	op := l.ops[id]
	if l.dead || op.Lease.Owner != "" && op.Lease.Owner != owner && now.Before(op.Lease.Until) {
		return release.Operation{}, false, nil
	}
	op.Lease = release.Lease{Owner: owner, Fence: op.Lease.Fence + 1, Until: now.Add(ttl)}
	l.ops[id] = op
	return op, true, nil
}

func (l *link) Renew(_ context.Context, op release.Operation, ttl time.Duration, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	stored := l.ops[op.ID]
	if l.dead || stored.Lease.Fence != op.Lease.Fence {
		return release.ErrFenced
	}
	stored.Lease.Until = now.Add(ttl)
	l.ops[op.ID] = stored
	return nil
}

func (l *link) Release(_ context.Context, op release.Operation) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	stored := l.ops[op.ID]
	if !l.dead && stored.Lease.Fence == op.Lease.Fence {
		stored.Lease.Owner = ""
		l.ops[op.ID] = stored
	}
	return nil
}

// Git

func (l *link) Apply(_ context.Context, c release.Change) (found release.Revision, err error) {
	err = l.call("apply", func() error {
		for _, known := range l.commits {
			if known.operation == c.Operation {
				found = known.rev
				return nil
			}
		}
		if last := l.commits[len(l.commits)-1]; last.tag != c.From {
			return release.Refuse(release.CodeMoved, "", "The tag is `%s` now.", last.tag)
		}
		found = rev(len(l.commits) + 1)
		l.commits = append(l.commits, commit{c.Operation, found, c.To, time.Now(), c.Message})
		return nil
	})
	return found, err
}

func (l *link) Fact(_ context.Context, commit, rev release.Revision, _, _ string, tag release.Tag) (release.Fact, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, seen := 0, 0
	for i, c := range l.commits {
		if c.rev == commit {
			at = i
		}
		if c.rev == rev {
			seen = i
		}
	}
	relation := release.RelationSame
	switch {
	case seen < at:
		relation = release.RelationOlder
	case seen > at:
		relation = release.RelationNewer
	}
	return release.Fact{Relation: relation, Keeps: l.commits[seen].tag == tag}, nil
}

// The cluster. What it shows follows from how long ago it was given something
// to do, in the order of a real Argo CD.

var source = Source{URL: "https://git.example/web-core.git", Branch: "main"}

func (l *link) Application(_ context.Context, name string) (s release.Snapshot, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return s, errDead
	}
	last := l.commits[len(l.commits)-1]
	began := last.at
	if len(l.syncs) > 0 {
		began = l.syncs[len(l.syncs)-1]
	}
	before := rev(max(1, len(l.commits)-1))
	s = release.Snapshot{
		Name: name, UID: "uid", AutoSync: true, HistoryID: int64(len(l.commits) + len(l.syncs)), Sync: "Synced", Health: "Healthy",
		Sources: []release.Source{{RepoURL: source.URL, TargetRevision: source.Branch}}, Revisions: []release.Revision{last.rev},
		ReconciledAt: stamp(began.Add(3 * time.Second)),
		Operation: &release.SyncOperation{
			Phase: "Succeeded", StartedAt: stamp(began.Add(time.Second)), FinishedAt: stamp(began.Add(2 * time.Second)),
			Requested: []release.Revision{last.rev}, Result: []release.Revision{last.rev},
		},
	}
	switch spent := time.Since(began); {
	case spent < time.Second:
		s.Revisions, s.Operation.Requested, s.Operation.Result = []release.Revision{before}, []release.Revision{before}, []release.Revision{before}
		s.Operation.StartedAt, s.Operation.FinishedAt, s.ReconciledAt = stamp(began.Add(-time.Hour)), stamp(began.Add(-time.Hour)), stamp(began.Add(-time.Hour))
		s.HistoryID--
		if len(l.syncs) > 0 {
			s.Requested = &release.SyncRequest{}
		}
	case spent < 2*time.Second:
		s.Sync, s.Operation.Phase, s.Operation.FinishedAt, s.ReconciledAt = "OutOfSync", "Running", "", stamp(began.Add(time.Second))
		s.HistoryID--
	case spent < 3*time.Second: // the sync is over and the old pods are healthy
		s.Sync, s.ReconciledAt = "OutOfSync", stamp(began.Add(time.Second))
	case spent < 6*time.Second || l.broken && len(l.commits) > 1:
		s.Health = "Progressing"
	}
	if l.broken && time.Since(began) > 10*time.Second {
		s.Health = "Degraded"
	}
	return s, nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func (l *link) Live(context.Context, string) (release.Live, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return release.Live{}, errDead
	}
	last := l.commits[len(l.commits)-1]
	w := release.Workload{Kind: "Deployment", Name: "shop", Generation: 2, Observed: 2, Desired: 2, Images: []string{"web:" + string(last.tag)}}
	spent := time.Since(last.at)
	switch {
	case l.broken && len(l.commits) > 1:
		w.Total, w.Available, w.Updated = 3, 2, 1
		w.DeadlineExceeded, w.Message = spent > 10*time.Second, "ProgressDeadlineExceeded"
		return release.Live{Workloads: []release.Workload{w}, Failing: []release.PodFailure{{Pod: "shop-1", Reason: "CrashLoopBackOff"}}}, nil
	case spent < 6*time.Second:
		w.Total, w.Updated, w.Available = 3, 1, 2
	default:
		w.Total, w.Updated, w.Available, w.Ready = 2, 2, 2, 2
	}
	return release.Live{Workloads: []release.Workload{w}}, nil
}

func (l *link) Refresh(ctx context.Context, name string, _ bool) (release.Snapshot, error) {
	return l.Application(ctx, name)
}

func (l *link) Sync(context.Context, string, release.SyncAsk) error {
	return l.call("sync", func() error {
		l.syncs = append(l.syncs, time.Now())
		return nil
	})
}

func (l *link) Follow(string) (<-chan release.Snapshot, func()) {
	return make(chan release.Snapshot), func() {}
}

// Slack

func (l *link) Open(_ context.Context, op release.Operation) (place release.Place, err error) {
	err = l.call("open", func() error {
		place = release.Place{Channel: op.Asked.ID, TS: fmt.Sprint(len(l.posts) + 1)}
		l.posts = append(l.posts, post{operation: op.ID, place: place, last: op.Progress})
		return nil
	})
	return place, err
}

func (l *link) Find(_ context.Context, op release.Operation) (place release.Place, found bool, err error) {
	err = l.call("find", func() error {
		for _, p := range l.posts {
			if p.operation == op.ID && !p.reply {
				place, found = p.place, true
			}
		}
		return nil
	})
	return place, found, err
}

func (l *link) Show(op release.Operation) {
	_ = l.call("show "+string(op.Progress.Stage), func() error { // the dead show nothing
		for i := range l.posts {
			if l.posts[i].place == op.Message && op.Progress.Seq >= l.posts[i].last.Seq {
				l.posts[i].last = op.Progress
			}
		}
		return nil
	})
}

func (l *link) Settle(_ context.Context, op release.Operation) error {
	l.Show(op)
	return nil
}

func (l *link) Reply(_ context.Context, op release.Operation) (place release.Place, err error) {
	err = l.call("reply", func() error {
		for _, p := range l.posts {
			if p.operation == op.ID && p.reply { // Slack's stand for looking it up by its metadata
				place = p.place
				return nil
			}
		}
		place = release.Place{Channel: op.Asked.ID, TS: fmt.Sprint(len(l.posts) + 1)}
		l.posts = append(l.posts, post{operation: op.ID, place: place, reply: true})
		return nil
	})
	return place, err
}
