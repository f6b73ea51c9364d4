package release_test

import (
	"strings"
	"testing"
	"time"

	. "github.com/synestra/promoter/internal/release"
)

func TestDegraded(t *testing.T) {
	overdue := deployment("sha-2", 1)
	overdue.DeadlineExceeded, overdue.Message = true, "ReplicaSet has timed out\nprogressing"
	stale, other := overdue, overdue
	stale.Observed = 1
	other.Images = []string{shopImg + ":sha-1"}
	pod := PodFailure{"shop-1", "CrashLoopBackOff", "exit 1"}
	broken := Resource{Kind: "Ingress", Name: "shop", Status: "Synced", Health: "Degraded", Message: "no address"}
	runRows(t, func(a app) []row {
		bad := a.applied().health("Degraded")
		failing := a.applied().cluster(overdue)
		failing.live.Failing = []PodFailure{pod}
		spoken := bad.resource(broken)
		spoken.HealthMessage = "something is wrong"
		appOnly := bad
		appOnly.HealthMessage = "something is wrong"
		busy := bad.running(ours, 20).ended("Running", 21)
		return []row{
			{"the deadline has passed", []app{failing}, StageDegraded, "-", func(p Progress) bool {
				return p.Cause.Summary == "Deployment shop: ReplicaSet has timed out progressing" && p.Cause.Pods[0] == pod
			}},
			{"the deadline of a state not looked at yet", []app{a.applied().cluster(stale)}, StageRollingOut, "-", nil},
			{"the deadline of another tag", []app{a.applied().cluster(other)}, StageRollingOut, "", nil},
			{"flickers", []app{bad, bad.later(29 * time.Second)}, StageRollingOut, "-", nil},
			{"flickers twice", []app{bad, bad.later(29 * time.Second), bad.health("Progressing"), bad.later(29 * time.Second)}, StageRollingOut, "-", nil},
			{"lasts", []app{bad, bad.later(30 * time.Second)}, StageDegraded, "-", func(p Progress) bool { return p.Cause.Summary == "health is Degraded" }},
			{"lasts, and is named", []app{spoken, spoken.later(30 * time.Second)}, StageDegraded, "-", func(p Progress) bool { return p.Cause.Summary == "Ingress shop: no address" }},
			{"lasts, and Argo CD says why", []app{appOnly, appOnly.later(30 * time.Second)}, StageDegraded, "-", func(p Progress) bool { return p.Cause.Summary == "something is wrong" }},
			{"lasts, while the cluster cannot be asked", []app{bad.unseen(), bad.unseen().later(30 * time.Second)}, StageDegraded, "-", nil},
			{"what it was before the sync says nothing", []app{a.health("Degraded"), a.health("Degraded").later(time.Minute)}, StageCommitted, "-", nil},
			{"what it was before the comparison says nothing", []app{bad.compared(ours, "Synced", 11), bad.compared(ours, "Synced", 11).later(time.Minute)}, StageRollingOut, "-", nil},
			{"what it is during a sync says nothing", []app{busy, busy.later(time.Minute)}, StageRollingOut, "a sync is running", nil},
			{"recovers", []app{failing, a.done()}, StageHealthy, "-", func(p Progress) bool { return p.Cause == nil && !p.EnteredAt(StageDegraded).IsZero() }},
			{"moves again", []app{failing, a.applied().cluster(deployment("sha-2", 2))}, StageRollingOut, "-", func(p Progress) bool { return p.Cause == nil }},
			{"at the deadline", []app{failing, failing.later(15 * time.Minute)}, StageStillDegraded, "-", func(p Progress) bool { return p.Cause.Pods[0] == pod }},
		}
	})
}

// A sync that finds everything as it was to be is remembered as one that has
// changed nothing: of changed values it may be the only trace.
func TestASyncThatChangesNothing(t *testing.T) {
	for _, unchanged := range []bool{false, true} {
		a := before(shapes["single"])
		done := a.done().operation(func(o *SyncOperation) { o.Unchanged = unchanged })
		if p := watch(t, promotion(a)).see(done); p.Stage != StageHealthy || p.Memory.Had != unchanged {
			t.Errorf("unchanged %v: %q, had it %v", unchanged, p.Stage, p.Memory.Had)
		}
		// The history has it shortly before the operation ends.
		ending := done.operation(func(o *SyncOperation) { o.Phase, o.Unchanged = "Running", false })
		ending.History = []Deployment{{ID: 9, StartedAt: done.Operation.StartedAt, Revisions: a.at(ours)}}
		if p := watch(t, promotion(a)).see(ending, done); p.Stage != StageHealthy || p.Memory.Had != unchanged {
			t.Errorf("unchanged %v, seen before it ended: %q, had it %v", unchanged, p.Stage, p.Memory.Had)
		}
	}
}

// A message is redrawn when another pod fails, or the same one differently.
func TestACauseThatChangesIsSeen(t *testing.T) {
	a := before(shapes["single"])
	overdue := deployment("sha-2", 1)
	overdue.DeadlineExceeded = true
	w := watch(t, promotion(a))
	for seq, pods := range [][]PodFailure{nil, {{"shop-1", "ErrImagePull", ""}}, {{"shop-1", "ImagePullBackOff", ""}}, {{"shop-2", "ImagePullBackOff", ""}}} {
		bad := a.applied().cluster(overdue)
		bad.live.Failing = pods
		if p := w.see(bad, bad); p.Seq != seq+1 {
			t.Errorf("Seq = %d with %v", p.Seq, pods)
		}
	}
}

func TestItWasDegradedBefore(t *testing.T) {
	a := before(shapes["single"]).health("Degraded")
	bad := a.applied().health("Degraded")
	if p := watch(t, promotion(a)).see(bad, bad.later(time.Minute)); p.Stage != StageDegraded || !strings.Contains(p.Note, "degraded before") {
		t.Errorf("%+v", p)
	}
}

// A commit that Argo CD has compared without syncing.
func TestIdle(t *testing.T) {
	runRows(t, func(a app) []row {
		idle := a.compared(ours, "Synced", 5)
		there := idle.cluster(deployment("sha-2", 3))
		partly := idle.cluster(deployment("sha-2", 1)).health("Progressing")
		sync := func(phase string, r Revision) app { return idle.running(r, 3).ended(phase, 4) }
		return []row{
			{"it was already running", []app{there}, StageHealthy, "it was already running", nil},
			{"it was already running, and never synced", []app{never(there)}, StageHealthy, "it was already running", nil},
			{"it was already rolling out", []app{partly}, StageRollingOut, "-", func(p Progress) bool { return p.Ready == 1 && p.Total == 3 }},
			{"it was already rolling out, and then ran", []app{partly, partly, there}, StageHealthy, "-", nil},
			{"it was already there, and failing", []app{partly.health("Degraded"), partly.health("Degraded").later(time.Minute)}, StageDegraded, "-", nil},
			{"it was already there, and was rolled back", []app{partly, partly.running(older, 30).ended("Succeeded", 31)}, StageSuperseded, "0a0a0a0", nil},
			{"one comparison is not enough", []app{idle}, StageNoticed, "-", func(p Progress) bool { return p.Memory.Idle == 1 && p.Total == 0 }},
			{"one comparison is not enough, with auto-sync off", []app{manual(idle)}, StageNoticed, "-", nil},
			{"the same comparison twice is one", []app{idle, idle.later(time.Minute)}, StageNoticed, "-", nil},
			{"nothing to do after a hard refresh either", []app{idle, idle.compared(ours, "Synced", 9)}, StageNoEffect, "path filter", nil},
			{"something else was synced in between", []app{idle, idle.compared(ours, "Synced", 9).running(older, 9).ended("Succeeded", 9)}, StageNoticed, "-", nil},
			{"nothing to do for a newer commit either", []app{idle, idle.compared(newer, "Synced", 9)}, StageNoEffect, "path filter", nil},
			{"nothing to do, with no workload of the app", []app{idle.cluster(), idle.cluster().compared(ours, "Synced", 9)}, StageNoEffect, "path filter", nil},
			{"nothing to do, out of sight", []app{idle.unseen(), idle.unseen().compared(ours, "Synced", 9)}, StageNoEffect, "could not be seen: forbidden", nil},
			{"the hard refresh shows the difference", []app{idle, idle.compared(ours, "OutOfSync", 9)}, StageNoticed, "-", nil},
			{"the hard refresh shows it, and it is synced", []app{idle, a.done()}, StageHealthy, "-", nil},
			{"a sync is queued", []app{idle, idle.compared(ours, "Synced", 9).queued("main")}, StageNoticed, "-", nil},
			{"after an older sync ended", []app{sync("Succeeded", older), sync("Succeeded", older).compared(ours, "Synced", 9)}, StageNoEffect, "", nil},
			{"after an older sync failed before it began", []app{resultless(sync("Error", older)), resultless(sync("Error", older)).compared(ours, "Synced", 9)}, StageNoEffect, "", nil},
			{"after a sync before the push, of what Git has forgotten", []app{forgotten(idle), forgotten(idle).compared(ours, "Synced", 9)}, StageNoEffect, "", nil},
			{"after a recorded sync of what Git does not know", []app{idle.recorded(a.at(unheard)), idle.recorded(a.at(unheard)).compared(ours, "Synced", 9)}, StageNoticed, "-", nil},
			{"after an older sync failed", []app{sync("Error", older), sync("Error", older).compared(ours, "Synced", 9)}, StageNoEffect, "", nil},
			{"after a sync of what Git does not know", []app{sync("Succeeded", unheard), sync("Succeeded", unheard).compared(ours, "Synced", 9)}, StageNoticed, "-", nil},
			{"compared in part", []app{inPart(there)}, map[bool]Stage{true: StageNoticed, false: StageHealthy}[len(a.Sources) == 2], "", nil},
		}
	})
}

// Changed values change nothing where Argo CD says so after a hard refresh, and
// the tag runs meanwhile.
func TestIdleSettings(t *testing.T) {
	a := before(shapes["single"])
	there := a.compared(ours, "Synced", 5).cluster(deployment("sha-2", 3))
	elsewhere := func(at int) app { return a.compared(ours, "Synced", at) }
	for _, r := range []row{
		{"before the hard refresh", []app{there}, StageNoticed, "-", nil},
		{"after it", []app{there, there.compared(ours, "Synced", 9)}, StageHealthy, "it was already running", nil},
		{"somebody changed the cluster, perhaps after it", []app{there, elsewhere(9)}, StageNoticed, "-", nil},
		{"somebody changed the cluster, and it is in sync with that", []app{there, elsewhere(9), elsewhere(12)}, StageNoEffect, "path filter", nil},
		{"and changed it back", []app{elsewhere(5), there.compared(ours, "Synced", 9)}, StageNoticed, "-", nil},
		{"and changed it back before a comparison", []app{elsewhere(5), there.compared(ours, "Synced", 9), there.compared(ours, "Synced", 12)}, StageHealthy, "it was already running", nil},
	} {
		t.Run(r.name, func(t *testing.T) {
			op := promotion(a)
			op.Values = "deploy/env/prod/shop.yaml"
			p := watch(t, op).see(r.looks...)
			r.judge(t, p)
		})
	}
}

func resultless(a app) app { return a.operation(func(o *SyncOperation) { o.Result = nil }) }

// forgotten has no revision that Git knows from before the push.
func forgotten(a app) app {
	a.History = []Deployment{{ID: 7, Revisions: a.at(unheard)}}
	return a.operation(func(o *SyncOperation) { o.Requested, o.Result = a.at(unheard), a.at(unheard) })
}

func manual(a app) app { a.AutoSync = false; return a }

// never has no trace of a sync.
func never(a app) app {
	a.Operation, a.History, a.HistoryID = nil, nil, -1
	return a
}

// inPart has the last of several sources at the older commit.
func inPart(a app) app {
	if len(a.Sources) == 2 {
		a.Revisions = []Revision{ours, older}
	}
	return a
}

func TestAHardRefreshIsAskedForOnce(t *testing.T) {
	a := before(shapes["single"])
	w := watch(t, promotion(a))
	w.see(a.compared(ours, "Synced", 5))
	if !w.wants.Hard || w.wants.Refresh {
		t.Fatalf("wants %+v", w.wants)
	}
	w.see(a.compared(ours, "Synced", 5), a.compared(ours, "OutOfSync", 9))
	if w.wants.Hard {
		t.Error("and again")
	}
}

// The sources of one Application may be ahead of each other.
func TestEverySourceMustHaveIt(t *testing.T) {
	a := before(shapes["twice"])
	mixed := a.done()
	mixed.Revisions = []Revision{ours, older}
	if p := watch(t, promotion(a)).see(mixed); p.Stage != StageRollingOut {
		t.Errorf("compared in part: %s", p.Stage)
	}
	half := a.done().operation(func(o *SyncOperation) { o.Result = []Revision{older, ours} })
	half.History, half.HistoryID = a.History, 7
	// In sync all the same: what runs decides.
	if p := watch(t, promotion(a)).see(half); p.Stage != StageHealthy || p.Note != "it was already running" {
		t.Errorf("applied in part, in sync: %s, %s", p.Stage, p.Note)
	}
	if p := watch(t, promotion(a)).see(half.compared(older, "Synced", 5)); p.Stage != StageNoticed || p.Note != "" {
		t.Errorf("applied in part, not compared: %s, %s", p.Stage, p.Note)
	}
	folding := half.compared(ours, "OutOfSync", 14).operation(func(o *SyncOperation) { o.Result = []Revision{older, newer} })
	if p := watch(t, promotion(a)).see(folding); p.Stage != StageNoticed || p.Folded != "" {
		t.Errorf("applied in part, with a newer commit: %+v", p)
	}
	half = half.compared(ours, "OutOfSync", 14)
	if p := watch(t, promotion(a)).see(half, half.recorded([]Revision{older, ours})); p.Stage != StageNoticed {
		t.Errorf("applied in part, not in sync: %s", p.Stage)
	}
	torn := a
	torn.Revisions = []Revision{diverged, ours}
	if p := watch(t, promotion(a)).see(torn, torn); p.Stage != StageNoticed {
		t.Errorf("an old comparison of one source: %s", p.Stage)
	}
}

// A source of another repository says nothing, whatever its revision.
func TestAStrangersRevisionIsNobodysBusiness(t *testing.T) {
	a := before(shapes["among strangers"])
	for _, fact := range facts() {
		w := watch(t, promotion(a))
		w.facts[stranger] = fact
		w.facts["1.2.3"] = fact
		if p := w.see(a, a.running(older, 3), a.running(older, 3).ended("Succeeded", 4)); p.Stage != StageCommitted {
			t.Errorf("%+v: %s", fact, p.Stage)
		}
		if p := w.see(a.done()); p.Stage != StageHealthy {
			t.Errorf("%+v: %s", fact, p.Stage)
		}
	}
}

// An application may be followed by name in the snapshot's list and have fewer
// revisions than sources while it cannot be compared.
func TestRevisionsMayBeMissing(t *testing.T) {
	a := before(shapes["among strangers"])
	short := a.done()
	short.Revisions = short.Revisions[:1]
	if p := watch(t, promotion(a)).see(short); p.Stage != StageRollingOut {
		t.Errorf("stage = %s", p.Stage)
	}
}

func TestAnOldRecordIsNotOurs(t *testing.T) {
	a := before(shapes["single"])
	a.History = append(a.History, Deployment{ID: 7, Revisions: a.at(ours)})
	if p := watch(t, promotion(a)).see(a.compared(ours, "OutOfSync", 5)); p.Stage != StageNoticed {
		t.Errorf("stage = %s", p.Stage)
	}
}

// Permanent drift (mutating webhooks, hooks) is lived with where the app's own
// workload is in sync.
func TestPermanentDrift(t *testing.T) {
	a := before(shapes["single"])
	drifting := func(at int, workload string) app {
		d := a.done().compared(ours, "OutOfSync", at)
		d.Resources = []Resource{
			{Kind: "Deployment", Name: "shop", Status: workload},
			{Kind: "ConfigMap", Name: "a", Status: "OutOfSync"},
			{Kind: "ConfigMap", Name: "b", Status: "OutOfSync"},
			{Kind: "ConfigMap", Name: "c", Status: "OutOfSync"},
			{Kind: "ConfigMap", Name: "d", Status: "OutOfSync"},
		}
		return d
	}
	w := watch(t, promotion(a))
	if p := w.see(drifting(13, "Synced"), drifting(13, "Synced")); p.Stage != StageRollingOut || p.Note != "" {
		t.Fatalf("after one comparison: %s, %q", p.Stage, p.Note)
	}
	if p := w.see(drifting(14, "Synced")); p.Stage != StageRollingOut || p.Note != "applied, and still OutOfSync: ConfigMap a, ConfigMap b, ConfigMap c, …" {
		t.Fatalf("after two comparisons: %s, %q", p.Stage, p.Note)
	}
	if p := w.see(drifting(15, "OutOfSync")); p.Stage != StageRollingOut {
		t.Fatalf("the workload drifts: %s", p.Stage)
	}
	unknown := drifting(16, "Synced")
	unknown.Sync = "Unknown"
	if p := w.see(unknown); p.Stage != StageRollingOut {
		t.Fatalf("not compared: %s", p.Stage)
	}
	blind := drifting(17, "Synced").unseen()
	if p := w.see(blind, blind.later(time.Minute)); p.Stage != StageRollingOut {
		t.Fatalf("the workload is out of sight: %s", p.Stage)
	}
	if p := w.see(drifting(18, "Synced")); p.Stage != StageHealthy || !strings.Contains(p.Note, "other resources are OutOfSync: ConfigMap a") {
		t.Errorf("after three comparisons: %s, %q", p.Stage, p.Note)
	}
}

// Only OutOfSync after the sync is drift that lasts.
func TestWhatIsNoDrift(t *testing.T) {
	a := before(shapes["single"])
	w := watch(t, promotion(a))
	for i := range 4 {
		w.see(a.compared(ours, "OutOfSync", 5+i))
	}
	for i := range 4 {
		w.see(a.applied().compared(ours, "Synced", 13+i))
	}
	drifting := a.done().compared(ours, "OutOfSync", 20)
	drifting.Resources = []Resource{{Kind: "Deployment", Name: "shop", Status: "Synced"}}
	if p := w.see(drifting); p.Stage != StageRollingOut || p.Memory.Drifts != 1 {
		t.Errorf("%+v", p)
	}
}

// Drift found while a sync runs is not permanent.
func TestDriftDuringASyncIsNotCounted(t *testing.T) {
	a := before(shapes["single"])
	w := watch(t, promotion(a))
	for i := range 5 {
		w.see(a.applied().compared(ours, "OutOfSync", 20+i).running(ours, 19))
	}
	if n := w.op.Progress.Memory.Drifts; n != 0 {
		t.Errorf("drifts = %d", n)
	}
}

// Without a word of the cluster, Argo CD's must hold.
func TestBlind(t *testing.T) {
	a := before(shapes["single"])
	blind := a.done().unseen()
	anonymous := a.done().cluster()
	for _, b := range []app{blind, anonymous} {
		w := watch(t, promotion(a))
		if p := w.see(b, b.later(4*time.Second)); p.Stage != StageRollingOut || p.Note != "" {
			t.Errorf("too early: %s, %q", p.Stage, p.Note)
		}
		if p := w.see(b.health("Progressing"), b, b.later(4*time.Second)); p.Stage != StageRollingOut {
			t.Errorf("after an interruption: %s", p.Stage)
		}
		if p := w.see(a.done().cluster(deployment("sha-2", 2)), b, b.later(4*time.Second)); p.Stage != StageRollingOut {
			t.Errorf("after the cluster said no: %s", p.Stage)
		}
		if p := w.see(b.later(time.Second)); p.Stage != StageHealthy || !strings.Contains(p.Note, "could not be counted") {
			t.Errorf("after 5 s: %s, %q", p.Stage, p.Note)
		}
	}
	w := watch(t, promotion(a))
	p := w.see(a.applied().cluster(deployment("sha-2", 2)), blind)
	if p.Ready != 2 || p.Total != 3 {
		t.Errorf("pods = %d of %d, want the last count", p.Ready, p.Total)
	}
}

// What comes beside a problem means nothing.
func TestNothingIsReadBesideAProblem(t *testing.T) {
	a := before(shapes["single"])
	overdue := deployment("sha-2", 1)
	overdue.DeadlineExceeded = true
	for _, w := range []Workload{overdue, deployment("sha-2", 3), deployment("sha-1", 3)} {
		torn := a.done().cluster(w)
		torn.live.Problem = "reading Deployment shop: denied"
		if p := watch(t, promotion(a)).see(torn); p.Stage != StageRollingOut || p.Total != 0 {
			t.Errorf("%+v", p)
		}
	}
}

// A layer may name no repository, and the app may bring a cache along.
func TestTheRepositoryMayBeUnknown(t *testing.T) {
	a := before(shapes["single"])
	op := promotion(a)
	op.Repository = ""
	cache := deployment("7.4", 3)
	cache.Name, cache.Images = "cache", []string{"redis:7.4"}
	none := watch(t, op)
	if p := none.see(a.done().cluster(cache), a.done().cluster(cache).later(time.Minute)); p.Stage != StageRollingOut {
		t.Errorf("nothing has the tag: %s", p.Stage)
	}
	if p := watch(t, op).see(a.done().cluster(cache, deployment("sha-2", 2))); p.Stage != StageRollingOut || p.Ready != 2 || p.Total != 3 {
		t.Errorf("two of three: %+v", p)
	}
	w := watch(t, op)
	look := a.done().cluster(cache, deployment("sha-2", 3))
	live := look.live
	p, _ := Observe(w.op, Look{Snapshot: look.Snapshot, Sources: []int{0}, Facts: facts(), Live: &live, At: start}, DefaultRules())
	if p.Stage != StageHealthy || p.Total != 3 {
		t.Errorf("all: %+v", p)
	}
}

// Pods of the old tag are never counted as new ones.
func TestPodCounts(t *testing.T) {
	for _, c := range []struct {
		name string
		w    Workload
		want int
	}{
		{"rolling, surge of one", Workload{Desired: 4, Updated: 2, Available: 4, Total: 5}, 1},
		{"old pods failing", Workload{Desired: 4, Updated: 4, Available: 1, Total: 6}, 0},
		{"more old pods than new", Workload{Desired: 4, Updated: 1, Available: 4, Total: 5}, 0},
		{"complete", Workload{Desired: 4, Updated: 4, Available: 4, Total: 4}, 4},
		{"scaled down meanwhile", Workload{Desired: 2, Updated: 4, Available: 4, Total: 4}, 2},
		{"not looked at", Workload{Generation: 2, Observed: 1, Desired: 4, Updated: 4, Available: 4, Total: 4}, 0},
	} {
		c.w.Kind, c.w.Name, c.w.Images = "Deployment", "shop", []string{shopImg + ":sha-2"}
		a := before(shapes["single"])
		if p := watch(t, promotion(a)).see(a.applied().cluster(c.w)); p.Ready != c.want || p.Total != c.w.Desired {
			t.Errorf("%s: %d of %d, want %d", c.name, p.Ready, p.Total, c.want)
		}
	}
}
