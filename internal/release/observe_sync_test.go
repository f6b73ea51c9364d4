package release_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/synestra/promoter/internal/release"
)

// resetting is a /reset-dev with equal tags: nothing is written, Argo CD is
// asked to sync.
func resetting(a app) Operation {
	op := promotion(a)
	op.Kind, op.Environment, op.Path, op.Commit = KindResetDev, "dev", "", ""
	op.From = op.To
	return op
}

// dev is the Application of dev on its tag, with a session on it. Label tracking
// shows the clone as something to prune, annotation tracking shows nothing.
func dev(tracking string) app {
	a := before(shapes["single"]).cluster(deployment("sha-2", 3), clone())
	if tracking == "label" {
		a = a.compared(older, "OutOfSync", 0)
	}
	return a.hot()
}

func clone() Workload {
	w := deployment("dev", 3)
	w.Name, w.Images, w.Clone = "shop-okteto", []string{"okteto/dev"}, true
	return w
}

// pruned is the moment after a sync that removed the clone.
func (a app) pruned() app { return a.cluster(deployment("sha-2", 3)) }

func TestSyncOnly(t *testing.T) {
	for _, tracking := range []string{"label", "annotation"} {
		a := dev(tracking)
		running := a.running(older, 10)
		succeeded := running.ended("Succeeded", 12)
		synced := succeeded.compared(older, "Synced", 13)
		recorded := synced.queued(older)
		failed := running.ended("Failed", 12).operation(func(o *SyncOperation) { o.Message = "denied" })
		wrong := deployment("sha-1", 3)
		for _, r := range []row{
			{"not begun", []app{a}, StageSyncing, "asked for, and not begun", nil},
			{"not begun, and compared meanwhile", []app{a.compared(older, "Synced", 5).pruned(), a.compared(older, "Synced", 6).pruned()}, StageSyncing, "not begun", nil},
			{"queued", []app{a.queued(older)}, StageSyncing, "-", nil},
			{"running", []app{running}, StageSyncing, "-", nil},
			{"running, and no longer queued", []app{unqueued(running)}, StageSyncing, "-", nil},
			{"succeeded, and not recorded", []app{unrecorded(synced.pruned())}, StageHealthy, "-", nil},
			{"failed", []app{failed}, StageSyncFailed, "-", func(p Progress) bool { return p.Cause.Summary == "denied" }},
			{"a dry run failed", []app{failed.dry()}, StageSyncing, "", nil},
			{"a dry run succeeded", []app{succeeded.compared(older, "Synced", 13).pruned().dry()}, StageSyncing, "", nil},
			{"succeeded, not compared", []app{succeeded.compared(older, "Synced", 11).pruned()}, StageRollingOut, "-", nil},
			{"succeeded, and still hot", []app{synced}, StageStillHot, "the live session on shop-okteto is still there: Argo CD cannot remove it, run okteto down", nil},
			{"succeeded, and the session is gone", []app{synced.pruned()}, StageHealthy, "-", nil},
			{"succeeded, and the marks are left", []app{synced.pruned().marked()}, StageStillHot, "shop still has Okteto's marks, and whether a live session is behind them cannot be seen; okteto down takes them away", nil},
			{"succeeded, and the pods are not back, nor the marks gone", []app{synced.cluster(deployment("sha-2", 1)).marked()}, StageRollingOut, "-", nil},
			{"succeeded, and the marks of one that is none of ours are left", []app{synced.stranger(), synced.stranger().later(time.Minute)}, StageStillHot, "redis still has", nil},
			{"succeeded, and the pods are not back", []app{synced.cluster(deployment("sha-2", 1))}, StageRollingOut, "-", nil},
			{"succeeded, and another tag runs", []app{synced.cluster(wrong)}, StageRollingOut, "does not run sha-2", nil},
			{"succeeded, and the session cannot be seen", []app{synced.unseen(), synced.unseen().later(time.Minute)}, StageRollingOut, "whether the session has ended cannot be seen: forbidden", nil},
			{"recorded, and another sync queued", []app{recorded.pruned()}, StageRollingOut, "a sync is running", nil},
			{"not one of our workloads", []app{synced.cluster(), synced.cluster().later(time.Minute)}, StageHealthy, "could not be counted", nil},
			{"gone", []app{func() app { b := a; b.Deleted = true; return b }()}, StageGone, "", nil},
			{"another branch is none of our business", []app{func() app { b := synced.pruned(); b.Sources = nil; return b }()}, StageHealthy, "-", nil},
		} {
			t.Run(tracking+"/"+r.name, func(t *testing.T) {
				r.judge(t, watch(t, resetting(a)).see(r.looks...))
			})
		}
	}
}

// marked has Okteto's marks on the original, which a sync leaves there.
func (a app) marked() app {
	a.live.Workloads = slices.Clone(a.live.Workloads)
	a.live.Workloads[0].Marked = true
	return a
}

// stranger has the marks on a workload that does not run the app's image.
func (a app) stranger() app {
	w := deployment("7.4", 1)
	w.Name, w.Images, w.Marked = "redis", []string{"redis:7.4"}, true
	return a.cluster(w)
}

// Argo CD had listed the clone, so that it is gone now is known, whatever marks
// are left. That of another workload proves nothing.
func TestMarksOfAPrunedClone(t *testing.T) {
	a := dev("label")
	for clone, want := range map[string]Stage{"shop-okteto": StageHealthy, "cart-okteto": StageStillHot} {
		op := resetting(a)
		op.Baseline.Clones = []string{clone}
		p := watch(t, op).see(a.running(older, 10), a.running(older, 10).ended("Succeeded", 12).compared(older, "Synced", 13).pruned().marked())
		if p.Stage != want {
			t.Errorf("after %s was listed: %s, %q", clone, p.Stage, p.Note)
		}
	}
}

func unqueued(a app) app { a.Requested = nil; return a }

// unrecorded is as under revisionHistoryLimit: 0.
func unrecorded(a app) app { a.History, a.HistoryID = nil, 7; return a }

// Pruning takes a moment: a clone that is being removed is no standing session.
func TestPruningTakesTime(t *testing.T) {
	a := dev("label")
	w := watch(t, resetting(a))
	synced := func(at int) app { return a.running(older, 10).ended("Succeeded", 12).compared(older, "OutOfSync", at) }
	if p := w.see(a.running(older, 10), synced(12), synced(13).later(15*time.Second)); p.Stage != StageRollingOut {
		t.Fatalf("after two comparisons: %s", p.Stage)
	}
	gone := watch(t, w.op)
	if p := gone.see(synced(14).compared(older, "Synced", 14).pruned()); p.Stage != StageHealthy {
		t.Errorf("pruned: %s", p.Stage)
	}
	if p := w.see(synced(14)); p.Stage != StageStillHot {
		t.Errorf("after three comparisons: %s", p.Stage)
	}
}

// A comparison from before the sync can bear the second in which it ended.
func TestTheBaselinesComparisonIsNoDrift(t *testing.T) {
	a := dev("label")
	w := watch(t, resetting(a))
	if p := w.see(a.running(older, 0).ended("Succeeded", 0)); p.Stage != StageRollingOut || p.Memory.Drifts != 0 {
		t.Errorf("%+v", p)
	}
}

// A session may stand beside a new tag, too.
func TestResetToAnotherTag(t *testing.T) {
	a := before(shapes["twice"])
	op := promotion(a)
	op.Kind, op.Environment = KindResetDev, "dev"
	for _, r := range []row{
		{"the session is gone", []app{a.done()}, StageHealthy, "-", nil},
		{"the session stands", []app{a.done().hot()}, StageStillHot, "run okteto down", nil},
		{"the session stands, and the tag was there", []app{a.compared(ours, "Synced", 5).cluster(deployment("sha-2", 3)).hot()}, StageStillHot, "run okteto down", nil},
		{"compared before the sync ended", []app{a.done().compared(ours, "Synced", 11).hot()}, StageRollingOut, "-", nil},
		{"not compared", []app{a.done().compared(ours, "Unknown", 14).hot()}, StageRollingOut, "", nil},
		{"the session cannot be seen", []app{a.done().unseen(), a.done().unseen().later(time.Minute)}, StageRollingOut, "cannot be seen", nil},
	} {
		t.Run(r.name, func(t *testing.T) { r.judge(t, watch(t, op).see(r.looks...)) })
	}
}

// A session on prod is nothing a promotion can end.
func TestAPromotionDoesNotWaitForASession(t *testing.T) {
	a := before(shapes["single"])
	if p := watch(t, promotion(a)).see(a.done().hot()); p.Stage != StageHealthy {
		t.Errorf("stage = %s", p.Stage)
	}
}

func TestASyncThatIsNeverBegun(t *testing.T) {
	a := dev("annotation")
	if p := watch(t, resetting(a)).see(a, a.later(15*time.Minute)); p.Stage != StageTimedOut || !strings.Contains(p.Note, "not begun") {
		t.Errorf("%s, %q", p.Stage, p.Note)
	}
}
