package release_test

import (
	"strings"
	"testing"
	"time"

	. "github.com/synestra/promoter/internal/release"
)

// row is a short story: what was looked at, and how the operation stands then.
type row struct {
	name  string
	looks []app
	want  Stage
	note  string // a part of the note; "-" for none at all
	check func(Progress) bool
}

func runRows(t *testing.T, rows func(a app) []row) {
	t.Helper()
	for shape, sources := range shapes {
		for _, r := range rows(before(sources)) {
			t.Run(shape+"/"+r.name, func(t *testing.T) {
				p := watch(t, promotion(before(sources))).see(r.looks...)
				r.judge(t, p)
			})
		}
	}
}

func (r row) judge(t *testing.T, p Progress) {
	t.Helper()
	if p.Stage != r.want {
		t.Fatalf("stage = %q, want %q: %+v", p.Stage, r.want, p)
	}
	if r.note == "-" && p.Note != "" || r.note != "-" && !strings.Contains(p.Note, r.note) {
		t.Errorf("note = %q, want %q", p.Note, r.note)
	}
	if r.check != nil && !r.check(p) {
		t.Errorf("progress = %+v", p)
	}
}

func TestCommitted(t *testing.T) {
	runRows(t, func(a app) []row {
		broken := a.condition("ComparisonError", "helm: no such value", 5)
		return []row{
			{"nothing seen yet", []app{a}, StageCommitted, "-", nil},
			{"looked at, before the push reached it", []app{a.compared(older, "Synced", 5)}, StageCommitted, "-", nil},
			{"a revision Git does not know yet", []app{a.compared(unheard, "OutOfSync", 5)}, StageCommitted, "-", nil},
			{"the old branch of an earlier rewriting", []app{a.compared(diverged, "Synced", 5)}, StageCommitted, "-", nil},
			{"another sync first", []app{a.running(older, 3)}, StageCommitted, "waiting for the previous sync", nil},
			{"another sync is queued first", []app{a.queued(older)}, StageCommitted, "waiting for the previous sync", nil},
			{"another sync, of a revision Git does not know", []app{a.running(unheard, 3)}, StageCommitted, "-", nil},
			{"another sync, of a branch by its name", []app{a.queued("main")}, StageCommitted, "-", nil},
			{"another sync ended", []app{a.running(older, 3), a.running(older, 3).ended("Succeeded", 5)}, StageCommitted, "-", nil},
			{"another sync failed", []app{a.running(older, 3).ended("Failed", 5)}, StageCommitted, "-", nil},
			{"manifests cannot be rendered", []app{broken}, StageCommitted, "cannot render the manifests: helm: no such value", nil},
			{"another condition", []app{a.condition("OrphanedResourceWarning", "x", 5)}, StageCommitted, "-", nil},
		}
	})
}

func TestAnOldErrorIsNotOurs(t *testing.T) {
	a := before(shapes["single"]).condition("ComparisonError", "old trouble", -30)
	w := watch(t, promotion(a))
	if p := w.see(a); p.Note != "" {
		t.Errorf("note = %q", p.Note)
	}
	if p := w.see(a.condition("ComparisonError", "old trouble", 5)); !strings.Contains(p.Note, "old trouble") {
		t.Errorf("the same error anew: note = %q", p.Note)
	}
}

func TestNoticed(t *testing.T) {
	runRows(t, func(a app) []row {
		noticed := a.compared(ours, "OutOfSync", 5)
		return []row{
			{"compared", []app{noticed}, StageNoticed, "-", nil},
			{"compared as part of a newer commit", []app{a.compared(newer, "OutOfSync", 5)}, StageNoticed, "-", nil},
			{"manifests cannot be rendered", []app{noticed.condition("ComparisonError", "boom", 5)}, StageNoticed, "cannot render the manifests: boom", nil},
			{"auto-sync gave up", []app{noticed.condition("SyncError", "Failed sync attempt", 6)}, StageNoticed, "Failed sync attempt", nil},
			{"auto-sync is off", []app{manual(noticed)}, StageNoticed, "auto-sync is off", nil},
			{"auto-sync is off, and nothing to do", []app{manual(a.compared(unheard, "Synced", 6))}, StageCommitted, "-", nil},
			{"another sync first", []app{noticed.running(older, 3)}, StageNoticed, "waiting for the previous sync", nil},
			{"a dry run of it", []app{noticed.running(ours, 6).operation(func(o *SyncOperation) { o.DryRun = true })}, StageNoticed, "-", nil},
			{"a dry run of it ended", []app{noticed.running(ours, 6).ended("Succeeded", 7).dry()}, StageNoticed, "-", nil},
			{"a dry run of it failed", []app{noticed.running(ours, 6).ended("Failed", 7).dry()}, StageNoticed, "-", nil},
			{"and lost from sight again", []app{noticed, a.compared("", "Unknown", 6)}, StageNoticed, "-", nil},
			{"and gone back from", []app{noticed, a.compared(older, "Synced", 6)}, StageNoticed, "went back to the older commit 0a0a0a0", nil},
		}
	})
}

// dry makes a success one of a dry run, which changes nothing and is not
// recorded.
func (a app) dry() app {
	a.History, a.HistoryID = a.History[:1], 7
	return a.operation(func(o *SyncOperation) { o.DryRun = true })
}

func TestASyncErrorFromBeforeIsNotOurs(t *testing.T) {
	a := before(shapes["single"]).condition("SyncError", "Failed sync attempt to 0a0a0a0", -30)
	if p := watch(t, promotion(a)).see(a.compared(ours, "OutOfSync", 5)); p.Stage != StageNoticed || p.Note != "" {
		t.Errorf("%s, note = %q", p.Stage, p.Note)
	}
}

func TestSyncing(t *testing.T) {
	runRows(t, func(a app) []row {
		noticed := a.compared(ours, "OutOfSync", 5)
		retry := noticed.running(ours, 6).operation(func(o *SyncOperation) {
			o.FinishedAt, o.RetryCount, o.Message = sec(8), 2, "webhook down"
		})
		byBranch := noticed.running("main", 6).operation(func(o *SyncOperation) { o.Result = a.at(ours) })
		return []row{
			{"queued before the comparison is written", []app{a.queued(ours)}, StageSyncing, "-", nil},
			{"queued", []app{noticed.queued(ours)}, StageSyncing, "-", nil},
			{"running", []app{noticed.running(ours, 6)}, StageSyncing, "-", nil},
			{"running, as part of a newer commit", []app{a.running(newer, 6)}, StageSyncing, "-", nil},
			{"running, asked for by the branch's name", []app{byBranch}, StageSyncing, "-", nil},
			{"terminating", []app{noticed.running(ours, 6).operation(func(o *SyncOperation) { o.Phase = "Terminating" })}, StageSyncing, "-", nil},
			{"between two attempts", []app{retry}, StageSyncing, "retry 2: webhook down", nil},
			{"between two attempts, compared since", []app{retry.compared(ours, "Synced", 9).health("Healthy").cluster(deployment("sha-2", 3))}, StageSyncing, "retry 2", nil},
			{"a hook", []app{noticed.running(ours, 6).operation(func(o *SyncOperation) { o.Hooks = []string{"migrate"} })}, StageSyncing, "running hook migrate", nil},
			{"running, after the tag was changed and changed back", []app{a.compared(newer, "OutOfSync", 20).recorded(a.at(changed)).running(newer, 21)}, StageSyncing, "-", nil},
			{"queued after a dry run of it", []app{noticed.running(ours, 6).ended("Succeeded", 7).dry().requested(ours)}, StageSyncing, "-", nil},
			{"queued again after a failure that was not ours", []app{noticed.running(older, 3).ended("Failed", 4).requested(ours)}, StageSyncing, "-", nil},
		}
	})
}

// requested has a sync queued by hand, which keeps the last operation.
func (a app) requested(r Revision) app {
	a.Requested = &SyncRequest{a.at(r)}
	return a
}

func TestSyncFailed(t *testing.T) {
	runRows(t, func(a app) []row {
		lost := Resource{Kind: "Deployment", Name: "shop", Status: "SyncFailed", Message: "immutable"}
		failed := a.compared(ours, "OutOfSync", 5).running(ours, 6).ended("Failed", 8).operation(func(o *SyncOperation) {
			o.Message, o.Failed = "one or more objects\nfailed", []Resource{lost}
		})
		early := a.running(ours, 6).ended("Error", 8).operation(func(o *SyncOperation) { o.Result = nil })
		return []row{
			{"failed", []app{failed}, StageSyncFailed, "-", func(p Progress) bool {
				return p.Cause.Summary == "one or more objects failed" && len(p.Cause.Resources) == 1 && p.Cause.Resources[0] == lost
			}},
			{"before anything was applied", []app{early}, StageSyncFailed, "-", nil},
			{"after everything was in sync, by a hook", []app{failed.compared(ours, "Synced", 9)}, StageSyncFailed, "-", nil},
			{"and is tried again", []app{failed.requested("main")}, StageNoticed, "-", nil},
			{"and stays so", []app{failed, a.done()}, StageSyncFailed, "-", nil},
		}
	})
}

func TestRollingOut(t *testing.T) {
	runRows(t, func(a app) []row {
		synced := a.compared(ours, "OutOfSync", 10).running(ours, 10)
		succeeded := synced.ended("Succeeded", 12)
		overwritten := a.compared(newer, "Synced", 20).recorded(a.at(ours)).running(older, 19)
		healing := a.done().running(ours, 20)
		lag := deployment("sha-2", 3)
		lag.Observed = 1
		wrong := a.done().cluster(deployment("sha-1", 3))
		return []row{
			// The false positive of argo-cd#9070.
			{"succeeded, with the old pods' health", []app{succeeded}, StageRollingOut, "-", nil},
			{"succeeded in the second of the comparison", []app{succeeded.compared(ours, "OutOfSync", 12)}, StageRollingOut, "-", nil},
			{"in sync before the sync ended", []app{succeeded.compared(ours, "Synced", 11).cluster(deployment("sha-2", 3))}, StageRollingOut, "-", nil},
			{"no pod yet", []app{a.applied()}, StageRollingOut, "-", func(p Progress) bool { return p.Ready == 0 && p.Total == 3 }},
			{"two pods", []app{a.applied().cluster(deployment("sha-2", 2))}, StageRollingOut, "-", func(p Progress) bool { return p.Ready == 2 && p.Total == 3 }},
			{"the cluster is ahead of Argo CD", []app{a.applied().cluster(deployment("sha-2", 3))}, StageRollingOut, "-", nil},
			{"Argo CD is ahead of the cluster", []app{a.done().cluster(deployment("sha-2", 2))}, StageRollingOut, "-", nil},
			{"the Deployment has not been looked at", []app{a.done().cluster(lag)}, StageRollingOut, "-", func(p Progress) bool { return p.Ready == 0 }},
			{"one of two workloads", []app{a.done().cluster(deployment("sha-2", 3), deployment("sha-1", 3))}, StageRollingOut, "does not run sha-2", nil},
			{"in sync with another image", []app{wrong}, StageRollingOut, "in sync, but Deployment shop does not run sha-2", func(p Progress) bool { return p.Ready == 0 && p.Total == 3 }},
			{"compared at a revision Git does not know", []app{a.done().compared(unheard, "Synced", 14)}, StageRollingOut, "-", nil},
			{"compared at an older revision", []app{a.done().compared(older, "Synced", 14)}, StageRollingOut, "-", nil},
			{"cannot be compared", []app{a.done().compared(ours, "Unknown", 14)}, StageRollingOut, "-", nil},
			{"cannot be rendered", []app{a.done().compared(ours, "Unknown", 14).condition("ComparisonError", "boom", 14)}, StageRollingOut, "cannot render the manifests: boom", nil},
			{"recorded, and another sync running", []app{overwritten}, StageRollingOut, "a sync is running", nil},
			{"synced once more", []app{healing}, StageRollingOut, "a sync is running", nil},
			{"synced once more by a queued operation", []app{a.done().queued(ours)}, StageRollingOut, "a sync is running", nil},
			{"a later sync failed", []app{a.applied(), healing.ended("Failed", 21).operation(func(o *SyncOperation) { o.Message = "denied" })}, StageRollingOut, "a later sync failed: denied", nil},
			{"paused", []app{a.applied().health("Suspended")}, StageRollingOut, "paused", nil},
			{"missing", []app{a.applied().health("Missing")}, StageRollingOut, "missing", nil},
			{"health unknown", []app{a.done().health("Unknown")}, StageRollingOut, "-", nil},
			{"an unreadable time", []app{a.done().operation(func(o *SyncOperation) { o.FinishedAt = "soon" })}, StageRollingOut, "-", nil},
			{"no time", []app{a.done().operation(func(o *SyncOperation) { o.FinishedAt = "" })}, StageRollingOut, "-", nil},
		}
	})
}

func TestHealthy(t *testing.T) {
	runRows(t, func(a app) []row {
		overwritten := a.running(newer, 20).ended("Succeeded", 22).compared(newer, "Synced", 22).cluster(deployment("sha-2", 3))
		overwritten.History = []Deployment{{ID: 7, Revisions: a.at(older)}, {ID: 8, Revisions: a.at(ours)}, {ID: 9, Revisions: a.at(newer)}}
		partial := a.done() // a sync of some resources is not recorded
		partial.History, partial.HistoryID = a.History, a.HistoryID
		idle := deployment("sha-2", 3)
		idle.Desired, idle.Updated, idle.Ready, idle.Available, idle.Total = 0, 0, 0, 0, 0
		foreign := deployment("7.4", 3)
		foreign.Name, foreign.Images = "cache", []string{"redis:7.4"}
		return []row{
			{"at once", []app{a.done()}, StageHealthy, "-", func(p Progress) bool { return p.Ready == 3 && p.Total == 3 && p.Folded == "" }},
			{"in the second the sync ended", []app{a.done().compared(ours, "Synced", 12)}, StageHealthy, "-", nil},
			{"after a sync of some resources", []app{partial}, StageHealthy, "-", nil},
			{
				"folded into a newer commit",
				[]app{a.running(newer, 10).ended("Succeeded", 12).compared(newer, "Synced", 13).cluster(deployment("sha-2", 3))},
				StageHealthy, "-", func(p Progress) bool { return p.Folded == newer },
			},
			{"a newer commit was deployed after ours", []app{overwritten}, StageHealthy, "-", func(p Progress) bool { return p.Folded == "" }},
			{"a newer commit was deployed while ours rolled out", []app{a.applied(), overwritten}, StageHealthy, "-", func(p Progress) bool { return p.Folded == "" }},
			{"a newer commit was deployed while ours rolled out, and nothing is recorded", []app{unrecorded(a.applied()), unrecorded(overwritten)}, StageHealthy, "-", func(p Progress) bool { return p.Folded == "" }},
			{"a newer commit was compared since", []app{a.done().compared(newer, "Synced", 30)}, StageHealthy, "-", nil},
			{"beside another app's workload", []app{a.done().cluster(deployment("sha-2", 3), foreign)}, StageHealthy, "-", func(p Progress) bool { return p.Total == 3 }},
			{"scaled to zero", []app{a.done().cluster(idle)}, StageHealthy, "scaled to zero", nil},
			{"and stays so", []app{a.done(), a.done().health("Degraded").later(time.Hour)}, StageHealthy, "-", nil},
		}
	})
}

func TestSuperseded(t *testing.T) {
	by := func(r Revision) func(Progress) bool { return func(p Progress) bool { return p.By == string(r) } }
	runRows(t, func(a app) []row {
		elsewhere := a
		elsewhere.Sources = []Source{{"https://git.test/other/repo", "main"}}
		pinned := a
		pinned.Sources = []Source{{webCore, "v1.0"}}
		noticed := a.compared(ours, "OutOfSync", 5)
		rolledBack := a.done().running(older, 30).ended("Succeeded", 32)
		return []row{
			{"before it was applied", []app{a.compared(changed, "OutOfSync", 5)}, StageSuperseded, "commit 0d0d0d0 changed the tag again", by(changed)},
			{"by the sync of another tag", []app{a.queued(changed)}, StageSuperseded, "0d0d0d0", by(changed)},
			{"by a running sync of another tag", []app{a.running(changed, 6)}, StageSuperseded, "0d0d0d0", by(changed)},
			{"by a sync of another tag that has ended", []app{a.running(changed, 6).ended("Succeeded", 7)}, StageSuperseded, "0d0d0d0", by(changed)},
			{"while it rolled out", []app{a.applied(), a.applied().compared(changed, "OutOfSync", 20)}, StageSuperseded, "0d0d0d0", by(changed)},
			{"the branch was rewritten", []app{noticed, a.compared(diverged, "OutOfSync", 6)}, StageSuperseded, "rewritten: 0e0e0e0 does not have this commit", by(diverged)},
			{"the branch was rewritten after it was applied", []app{a.applied(), a.applied().compared(diverged, "OutOfSync", 20)}, StageSuperseded, "rewritten", by(diverged)},
			{"rolled back", []app{a.applied(), rolledBack}, StageSuperseded, "since deployed 0a0a0a0", by(older)},
			{"rolled back, seen at once", []app{rolledBack}, StageSuperseded, "since deployed 0a0a0a0", by(older)},
			{"replaced by a rewritten branch", []app{a.applied(), a.applied().running(diverged, 30).ended("Succeeded", 32)}, StageSuperseded, "since deployed 0e0e0e0", by(diverged)},
			{"the Application reads another repository", []app{noticed, elsewhere}, StageSuperseded, "no longer deploys", nil},
			{"the Application is pinned to a tag", []app{pinned}, StageSuperseded, "no longer deploys", nil},
			{"a rollback that failed is none", []app{a.applied(), a.applied().running(older, 30).ended("Failed", 32)}, StageRollingOut, "", nil},
			{"a rollback that is running is none yet", []app{a.applied(), a.done().running(older, 30)}, StageRollingOut, "a sync is running", nil},
			{"a dry run of a rollback is none", []app{a.applied(), a.done().running(older, 30).ended("Succeeded", 32).dry()}, StageRollingOut, "", nil},
			{"an old comparison during our sync is no rewriting", []app{a.compared(diverged, "Synced", 1).running(ours, 6), a.compared(diverged, "Synced", 1).running(ours, 6)}, StageSyncing, "-", nil},
		}
	})
}

func TestGone(t *testing.T) {
	runRows(t, func(a app) []row {
		deleted, anew := a.done(), a.done()
		deleted.Deleted = true
		anew.UID = "uid-2"
		return []row{
			{"deleted", []app{deleted}, StageGone, "was deleted", nil},
			{"made anew under the same name", []app{anew}, StageGone, "made anew", nil},
		}
	})
}
