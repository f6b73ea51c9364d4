package release_test

import (
	"slices"
	"testing"
	"time"

	. "github.com/synestra/promoter/internal/release"
)

// walks are the ways one auto-synced commit goes through Argo CD 2.14, event by
// event. Some may swap: the sync is faster than the comparison it came from is
// written, or the comparison after it is written before its end.
func walks(a app) map[string][]app {
	tag := func(n int) Workload { return deployment("sha-2", n) }
	unready := tag(3)
	unready.Observed = 1

	asked := a
	asked.ResourceVersion++ // the refresh annotation
	compared := func(b app) app { return b.compared(ours, "OutOfSync", 10) }
	hook := func(o *SyncOperation) { o.Hooks = []string{"migrate"} }
	running := a.running(ours, 10)
	recorded := compared(running).recorded(a.at(ours))
	succeeded := compared(running).ended("Succeeded", 12)
	synced := succeeded.compared(ours, "Synced", 13).health("Progressing")
	early := compared(running).compared(ours, "Synced", 12).health("Progressing")
	end := []app{
		synced.cluster(unready), synced.cluster(tag(0)), synced.cluster(tag(1)), synced.cluster(tag(2)), synced.cluster(tag(3)),
		synced.health("Healthy").cluster(tag(3)),
	}
	head := []app{asked, a.queued(ours), compared(a.queued(ours)), compared(running), compared(running).operation(hook)}
	return map[string][]app{
		"in order":                     slices.Concat(head, []app{recorded, succeeded}, end),
		"the comparison comes late":    slices.Concat([]app{asked, a.queued(ours), running, compared(running), succeeded}, end),
		"the end comes late":           slices.Concat(head, []app{early, early.ended("Succeeded", 12)}, end),
		"all within one second":        slices.Concat(head, []app{compared(running).ended("Succeeded", 10), synced.compared(ours, "Synced", 10)}, end),
		"the new pods are there first": slices.Concat(head, []app{succeeded.cluster(tag(3)), synced.cluster(tag(3))}, end),
	}
}

// rank orders the stages of a promotion that goes well.
var rank = []Stage{StageWriting, StageCommitted, StageNoticed, StageSyncing, StageRollingOut, StageHealthy}

// The watch may drop any events but the last state: whatever is left of a
// promotion, healthy is never claimed early, no stage is taken back, and the
// last look tells the whole.
func TestEverySubsetOfTheEvents(t *testing.T) {
	for shape, sources := range shapes {
		for name, events := range walks(before(sources)) {
			t.Run(shape+"/"+name, func(t *testing.T) {
				seeOrMiss(watch(t, promotion(before(sources))), events)
			})
		}
	}
}

func seeOrMiss(w *watcher, events []app) {
	if len(events) == 1 {
		if p := w.see(events[0]); p.Stage != StageHealthy {
			w.t.Fatalf("ends as %+v", p)
		}
		return
	}
	missed := w.fork()
	seeOrMiss(missed, events[1:])
	was := w.op.Progress.Stage
	p := w.see(events[0])
	if p.Stage == StageHealthy || slices.Index(rank, p.Stage) < slices.Index(rank, was) {
		w.t.Fatalf("after %s: %+v", was, p)
	}
	seeOrMiss(w, events[1:])
}

func TestThePastIsKept(t *testing.T) {
	a := before(shapes["single"])
	p := watch(t, promotion(a)).see(walks(a)["in order"]...)
	var stages []Stage
	for _, q := range p.Past {
		stages = append(stages, q.Stage)
	}
	if want := []Stage{StageWriting, StageCommitted, StageSyncing, StageRollingOut}; !slices.Equal(stages, want) {
		t.Errorf("past = %v", stages)
	}
	if got := p.EnteredAt(StageSyncing); !got.Equal(start.Add(2 * time.Second)) {
		t.Errorf("syncing since %v", got)
	}
}

// A sync that Argo CD repeats every few seconds (self-heal against a webhook)
// makes one long rollout, not many short syncs.
func TestSelfHealingDoesNotGoBack(t *testing.T) {
	a := before(shapes["single"])
	w := watch(t, promotion(a))
	w.see(a.applied())
	for i := range 10 {
		w.see(a.applied().running(ours, 20+i), a.applied().running(ours, 20+i).ended("Succeeded", 20+i).compared(ours, "OutOfSync", 20+i))
	}
	if p := w.op.Progress; p.Stage != StageRollingOut || len(p.Past) != 1 {
		t.Errorf("%+v", p)
	}
}

func TestBudgets(t *testing.T) {
	a := before(shapes["single"])
	noticed := a.compared(ours, "OutOfSync", 5)
	for _, c := range []struct {
		name  string
		state app
		limit time.Duration
		end   Stage
		note  string
	}{
		{"never noticed", a, 10 * time.Minute, StageTimedOut, "Argo CD has not looked at the commit"},
		{"never rendered", a.condition("ComparisonError", "boom", 5), 10 * time.Minute, StageTimedOut, "Argo CD cannot render the manifests: boom"},
		{"never synced", noticed, 15 * time.Minute, StageTimedOut, "still noticed"},
		{"never synced by hand", manual(noticed), 15 * time.Minute, StageTimedOut, "still noticed: auto-sync is off: waiting for someone to sync in Argo CD"},
		{"never applied", noticed.running(ours, 6), 15 * time.Minute, StageTimedOut, "still syncing"},
		{"never healthy", a.applied(), 15 * time.Minute, StageTimedOut, "still rolling out"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := watch(t, promotion(a))
			w.see(c.state)
			if p := w.see(c.state.later(c.limit - time.Second)); p.Stage.Ended() {
				t.Fatalf("too early: %s", p.Stage)
			}
			if p := w.see(c.state.later(time.Second)); p.Stage != c.end || p.Note != c.note {
				t.Errorf("%s, %q", p.Stage, p.Note)
			}
		})
	}
}

// The budget of a rollout does not begin anew when it fails and recovers.
func TestARolloutHasOneBudget(t *testing.T) {
	a := before(shapes["single"])
	overdue := deployment("sha-2", 1)
	overdue.DeadlineExceeded = true
	w := watch(t, promotion(a))
	w.see(a.applied(), a.applied().cluster(overdue).later(8*time.Minute), a.applied().later(time.Minute))
	if p := w.fork().see(a.applied().later(6 * time.Minute)); p.Stage != StageTimedOut {
		t.Errorf("stage = %s", p.Stage)
	}
	if p := w.see(a.applied().cluster(overdue).later(6 * time.Minute)); p.Stage != StageStillDegraded {
		t.Errorf("failing again: stage = %s", p.Stage)
	}
}

// A look that comes after the deadline, as after a restart, still counts first.
func TestTheTruthComesBeforeTheDeadline(t *testing.T) {
	a := before(shapes["single"])
	w := watch(t, promotion(a))
	if p := w.see(a.applied(), a.done().later(time.Hour)); p.Stage != StageHealthy || p.EnteredAt(StageTimedOut) != (time.Time{}) {
		t.Errorf("%+v", p)
	}
}

func TestStalled(t *testing.T) {
	a := before(shapes["single"])
	one := a.applied().cluster(deployment("sha-2", 1))
	w := watch(t, promotion(a))
	w.see(a.applied(), one.later(119*time.Second))
	if p := w.see(one.later(119 * time.Second)); p.Stalled || !p.Advancing() {
		t.Fatal("stalled although a pod came")
	}
	if p := w.see(one.later(time.Second)); !p.Stalled || p.Advancing() || p.Stage.Ended() {
		t.Fatalf("not stalled: %+v", p)
	}
	if p := w.see(a.applied().cluster(deployment("sha-2", 2))); p.Stalled {
		t.Error("stalled although a pod came")
	}
	if p := w.see(a.applied().cluster(deployment("sha-2", 2)).later(3*time.Minute), a.done()); p.Stalled || p.Stage != StageHealthy {
		t.Errorf("at the end: %+v", p)
	}
}

// Every kind of movement counts.
func TestNotStalled(t *testing.T) {
	a := before(shapes["single"])
	noticed := a.compared(ours, "OutOfSync", 5)
	more := deployment("sha-2", 0)
	more.Desired = 5
	for name, moments := range map[string][2]app{
		"another stage": {noticed, noticed.running(ours, 6)},
		"more pods":     {a.applied(), a.applied().cluster(more)},
		"a pod":         {a.applied(), a.applied().cluster(deployment("sha-2", 1))},
	} {
		then := moments[1]
		if p := watch(t, promotion(a)).see(moments[0], then.later(119*time.Second), then.later(119*time.Second)); p.Stalled {
			t.Errorf("%s: %+v", name, p)
		}
	}
	for _, stage := range []Stage{"", StageWriting, StageCommitted} {
		op := promotion(a)
		op.Progress.Stage = stage
		if p := watch(t, op).see(a.later(9 * time.Minute)); p.Stage != StageCommitted || p.Stalled {
			t.Errorf("at the first look, from %q: %+v", stage, p)
		}
	}
}

// Argo CD is reminded at once, after 15 s and after 60 s, and anew in each
// stage that waits for it.
func TestReminders(t *testing.T) {
	a := before(shapes["single"])
	w := watch(t, promotion(a))
	var at []time.Duration
	for range 100 {
		w.see(a)
		if w.wants.Refresh {
			at = append(at, w.now.Sub(w.op.Progress.Since))
			w.op.Progress = w.op.Progress.Refreshed()
		}
	}
	if want := []time.Duration{0, 15 * time.Second, 60 * time.Second}; !slices.Equal(at, want) {
		t.Errorf("reminded at %v", at)
	}
	for _, c := range []struct {
		name  string
		state app
		want  Wants
	}{
		{"noticed", a.compared(ours, "OutOfSync", 5), Wants{Refresh: true}},
		{"syncing", a.running(ours, 6), Wants{}},
		{"applied, not compared", a.applied().compared(ours, "Synced", 11), Wants{Live: true, Refresh: true}},
		{"applied, not in sync", a.applied().compared(ours, "OutOfSync", 13), Wants{Live: true, Refresh: true}},
		{"rolling out", a.applied(), Wants{Live: true}},
		{"the cluster is ahead", a.applied().cluster(deployment("sha-2", 3)), Wants{Live: true, Refresh: true}},
		{"healthy", a.done(), Wants{}},
	} {
		w := watch(t, promotion(a))
		if w.see(c.state); w.wants != c.want {
			t.Errorf("%s: wants %+v", c.name, w.wants)
		}
	}
}

func TestLost(t *testing.T) {
	a := before(shapes["single"])
	w := watch(t, promotion(a))
	rolling := w.see(a.applied().cluster(deployment("sha-2", 1)))
	p := Lost(rolling, w.now.Add(20*time.Minute), DefaultRules())
	if p.Stage != StageRollingOut || !p.Blind || p.Seq != rolling.Seq+1 || p.Ready != 1 {
		t.Fatalf("lost: %+v", p)
	}
	if again := Lost(p, w.now.Add(21*time.Minute), DefaultRules()); again.Seq != p.Seq {
		t.Error("lost twice is seen twice")
	}
	w.op.Progress = p
	if found := w.see(a.applied().cluster(deployment("sha-2", 2))); found.Blind || found.Seq != p.Seq+1 {
		t.Errorf("found again: %+v", found)
	}
	limit := 100 * time.Minute // all budgets and an hour
	if p := Lost(rolling, rolling.Since.Add(limit-1), DefaultRules()); p.Stage.Ended() {
		t.Errorf("given up too early: %+v", p)
	}
	if p := Lost(rolling, rolling.Since.Add(limit), DefaultRules()); p.Stage != StageTimedOut || p.Note == "" {
		t.Errorf("given up: %+v", p)
	}
	healthy := watch(t, promotion(a)).see(a.done())
	if p := Lost(healthy, start.Add(time.Hour*1000), DefaultRules()); p.Stage != StageHealthy || p.Blind || p.Seq != healthy.Seq {
		t.Errorf("after the end: %+v", p)
	}
}
