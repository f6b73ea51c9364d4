package release_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	. "github.com/synestra/promoter/internal/release"
)

// dice make Applications at random: mostly plausible, never sensible on
// purpose. Their seed is fixed, so a failure comes back.
type dice struct{ *rand.Rand }

func one[T any](d dice, of ...T) T { return of[d.IntN(len(of))] }

// revision is one of those that matter, more often ours than not.
func (d dice) revision() Revision {
	if d.IntN(10) > 0 {
		return one(d, ours, ours, newer, older)
	}
	return one(d, changed, diverged, unheard, "", "main")
}

func (d dice) revisions(a app) []Revision {
	list := a.at(d.revision())
	switch {
	case len(list) == 2 && d.IntN(4) == 0:
		list[1] = d.revision()
	case d.IntN(30) == 0:
		list = list[:d.IntN(len(list)+1)]
	}
	return list
}

func (d dice) app(sources []Source) app {
	a := before(sources)
	a.Revisions = d.revisions(a)
	a.Sync = one(d, "Synced", "Synced", "Synced", "OutOfSync", "OutOfSync", "Unknown", "")
	a.Health = one(d, "Healthy", "Healthy", "Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown", "")
	a.ReconciledAt = one(d, sec(0), sec(10), sec(12), sec(12), sec(13), sec(14), sec(15), "", "soon")
	a.Operation = d.operation(a)
	if d.IntN(6) == 0 {
		a.Requested = &SyncRequest{d.revisions(a)}
		a.Operation = one(d, nil, nil, a.Operation)
	}
	for range max(0, d.IntN(5)-2) {
		a = a.recorded(d.revisions(a))
	}
	for range d.IntN(3) {
		a = a.condition(one(d, "ComparisonError", "SyncError", "InvalidSpecError"), "why", d.IntN(20))
	}
	a.Resources[0].Status = one(d, "Synced", "Synced", "OutOfSync", "Unknown", "")
	if d.IntN(40) == 0 {
		a.UID = "uid-2"
	}
	a.Deleted = d.IntN(40) == 0
	a.live, a.after = d.live(), one(d, 0, time.Second, 4*time.Second, 5*time.Second, 31*time.Second, 8*time.Minute)
	return a
}

func (d dice) operation(a app) *SyncOperation {
	if d.IntN(8) == 0 {
		return nil
	}
	return &SyncOperation{
		Phase:     one(d, "Succeeded", "Succeeded", "Succeeded", "Succeeded", "Running", "Terminating", "Failed", "Error", ""),
		StartedAt: one(d, sec(-60), sec(-60), sec(10), sec(10), sec(11)), FinishedAt: one(d, sec(12), sec(12), sec(12), sec(14), ""),
		DryRun: d.IntN(8) == 0, Requested: d.revisions(a), Result: d.revisions(a), Message: "why", RetryCount: int64(d.IntN(3)),
		Hooks: one(d, nil, []string{"migrate"}), Failed: one(d, nil, []Resource{{Kind: "Job", Name: "migrate"}}),
	}
}

func (d dice) live() Live {
	var l Live
	for range d.IntN(3) {
		w := deployment(one(d, Tag("sha-2"), "sha-2", "sha-2", "sha-2", "sha-1"), one(d, 3, 3, 3, 2, 0))
		w.Observed = one(d, int64(2), 2, 2, 2, 1)
		w.Images[0] = one(d, w.Images[0], w.Images[0], w.Images[0], "redis:7.4")
		w.DeadlineExceeded = d.IntN(8) == 0
		okteto := d.IntN(10)
		w.Clone, w.Marked = okteto == 0, okteto == 1
		if d.IntN(10) == 0 {
			w.Desired, w.Updated, w.Available, w.Total = d.IntN(4), d.IntN(4), d.IntN(4), d.IntN(6)
		}
		l.Workloads = append(l.Workloads, w)
	}
	if d.IntN(4) == 0 {
		l.Session = &Session{Workload: "shop-okteto"}
	}
	l.Problem = one(d, "", "", "", "forbidden")
	return l
}

func (d dice) kindOf(a app) Operation {
	switch op := promotion(a); d.IntN(4) {
	case 0:
		return resetting(a)
	case 1:
		op.Kind = KindResetDev
		return op
	default:
		return op
	}
}

// Whatever is seen, in whatever order: nothing panics, the same look says the
// same, Seq counts what people can see, and healthy is never said unless every
// part of its condition holds (all checked by the watcher).
func TestNothingIsHealthyWithoutProof(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(1, 2))}
	ends := map[Stage]int{}
	for range 15000 {
		sources := shapes[one(d, "single", "twice", "among strangers")]
		w := watch(t, d.kindOf(before(sources)))
		for range 1 + d.IntN(6) {
			w.see(d.app(sources))
		}
		ends[w.op.Progress.Stage]++
	}
	for _, s := range []Stage{
		StageCommitted, StageNoticed, StageSyncing, StageRollingOut, StageDegraded, StageHealthy, StageNoEffect,
		StageSyncFailed, StageStillHot, StageSuperseded, StageTimedOut, StageGone,
	} {
		if ends[s] < 5 {
			t.Errorf("%q was reached %d times: the dice are too tame to prove anything", s, ends[s])
		}
	}
}

// further orders the stages by how much they claim.
var further = map[Stage]int{
	StageCommitted: 0, StageNoticed: 1, StageSyncing: 2, StageRollingOut: 3, StageDegraded: 3, StageSyncFailed: 3,
	StageNoEffect: 4, StageHealthy: 4, StageStillHot: 4, StageSuperseded: 5, StageGone: 5,
}

// What Git cannot say proves nothing: with any of the facts missing, no look
// gets further than with all of them.
func TestUnknownIsNeverFurther(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(3, 4))}
	held := 0
	for range 10000 {
		sources := shapes[one(d, "single", "twice", "among strangers")]
		op := promotion(before(sources))
		op.Progress.Memory.Idle = d.IntN(2)
		a := d.app(sources)
		if o := a.Operation; o != nil && o.StartedAt == op.Baseline.StartedAt {
			a.Operation = before(sources).Operation // nothing can have had our commit by then
		} else if o != nil {
			o.Requested = one(d, o.Result, a.at("main")) // Argo CD resolves what it was asked for
		}
		if a.Operation != nil {
			op.Progress.Memory.IdleStart = a.Operation.StartedAt
		}
		look := Look{Snapshot: a.Snapshot, Sources: a.Follows(webCore, "main"), Facts: facts(), Live: &a.live, At: start}
		known, _ := Observe(op, look, DefaultRules())
		for rev := range look.Facts {
			if !slices.Contains(a.Mentioned(look.Sources), rev) {
				continue
			}
			look.Facts = facts()
			delete(look.Facts, rev)
			unknown, _ := Observe(op, look, DefaultRules())
			if further[unknown.Stage] > further[known.Stage] {
				t.Fatalf("without %s: %s, with it: %s\n%+v", rev.Short(), unknown.Stage, known.Stage, a)
			}
			if further[unknown.Stage] < further[known.Stage] {
				held++
			}
		}
	}
	if held < 500 {
		t.Errorf("only %d looks were held back: the dice are too tame", held)
	}
}
