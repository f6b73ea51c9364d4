package release_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/synestra/promoter/internal/release"
)

// The commits of the stories, as seen from ours.
var (
	older    = Revision(strings.Repeat("0a", 20))
	ours     = Revision(strings.Repeat("0b", 20))
	newer    = Revision(strings.Repeat("0c", 20)) // another file was changed on top
	changed  = Revision(strings.Repeat("0d", 20)) // the tag was changed again on top
	diverged = Revision(strings.Repeat("0e", 20)) // of a rewritten branch
	unheard  = Revision(strings.Repeat("0f", 20)) // Git could not be asked about it
	stranger = Revision(strings.Repeat("99", 20)) // of another repository
)

func facts() map[Revision]Fact {
	return map[Revision]Fact{
		older: {Relation: RelationOlder}, ours: {Relation: RelationSame, Keeps: true}, newer: {Relation: RelationNewer, Keeps: true},
		changed: {Relation: RelationNewer}, diverged: {Relation: RelationDiverged},
		// Nobody may ask about a source that we do not follow.
		stranger: {Relation: RelationDiverged},
	}
}

const (
	webCore = "https://git.test/synestra/web-core.git"
	shopImg = "registry.test/web/shop"
)

// The shapes of Applications: which of their sources are ours.
var shapes = map[string][]Source{
	"single": {{webCore, "main"}},
	"twice":  {{webCore, "main"}, {"git@git.test:synestra/web-core", "HEAD"}},
	"among strangers": {
		{"https://charts.test", "1.2.3"},
		{webCore, "main"},
		{"https://git.test/other/repo", "main"},
	},
}

// app is an Application and its cluster at one moment of a story. Its methods
// return the next moment.
type app struct {
	Snapshot
	live  Live
	after time.Duration // since the moment before
}

// before is the Application as it was before the push: Synced and Healthy on
// the older commit and tag.
func before(sources []Source) app {
	a := app{after: time.Second, Snapshot: Snapshot{
		Name: "web-shop-prod", UID: "uid-1", AutoSync: true, Sources: sources, HistoryID: 7,
		Resources: []Resource{{Kind: "Deployment", Name: "shop", Status: "Synced"}},
	}}
	a.Revisions, a.Sync, a.Health, a.ReconciledAt = a.at(older), "Synced", "Healthy", sec(0)
	a.History = []Deployment{{ID: 7, Revisions: a.at(older)}}
	a.Operation = &SyncOperation{Phase: "Succeeded", StartedAt: sec(-60), FinishedAt: sec(-58), Requested: a.at(older), Result: a.at(older)}
	return a.cluster(deployment("sha-1", 3))
}

// sec is a time as the cluster writes it. Its clock is years behind ours.
func sec(n int) string {
	return time.Date(2026, 11, 24, 12, 0, n, 0, time.UTC).Format(time.RFC3339)
}

// at has the revision in the place of each source that is ours.
func (a app) at(r Revision) []Revision {
	if len(a.Sources) == 3 {
		return []Revision{"1.2.3", r, stranger}
	}
	return slices.Repeat([]Revision{r}, len(a.Sources))
}

func (a app) compared(r Revision, sync string, at int) app {
	a.Revisions, a.Sync, a.ReconciledAt = a.at(r), sync, sec(at)
	status := "Synced"
	if sync != "Synced" {
		status = sync
	}
	a.Resources = []Resource{{Kind: "Deployment", Name: "shop", Status: status}}
	return a
}

func (a app) health(h string) app { a.Health = h; return a }

// queued has a sync requested; Argo CD clears the last operation then.
func (a app) queued(r Revision) app {
	a.Requested, a.Operation = &SyncRequest{a.at(r)}, nil
	return a
}

func (a app) running(r Revision, start int) app {
	a.Requested = &SyncRequest{a.at(r)}
	a.Operation = &SyncOperation{Phase: "Running", StartedAt: sec(start), Requested: a.at(r)}
	return a
}

// ended ends the operation; a success is recorded in the history.
func (a app) ended(phase string, at int) app {
	o := *a.Operation
	o.Phase, o.FinishedAt, o.Result = phase, sec(at), o.Requested
	a.Requested, a.Operation = nil, &o
	if phase == "Succeeded" {
		a = a.recorded(o.Result)
	}
	return a
}

func (a app) recorded(r []Revision) app {
	a.HistoryID++
	a.History = append(slices.Clone(a.History), Deployment{ID: a.HistoryID, Revisions: r})
	return a
}

// operation changes a copy of the operation.
func (a app) operation(change func(*SyncOperation)) app {
	o := *a.Operation
	change(&o)
	a.Operation = &o
	return a
}

func (a app) condition(kind, message string, at int) app {
	a.Conditions = append(slices.Clone(a.Conditions), Condition{kind, message, sec(at)})
	return a
}

func (a app) resource(r Resource) app {
	a.Resources = append(slices.Clone(a.Resources), r)
	return a
}

func (a app) cluster(w ...Workload) app { a.live = Live{Workloads: w}; return a }

func (a app) unseen() app { a.live = Live{Problem: "forbidden"}; return a }

func (a app) hot() app {
	a.live.Session = &Session{Workload: "shop-okteto", Image: "okteto/dev"}
	return a
}

func (a app) later(d time.Duration) app { a.after = d; return a }

// applied is the moment after a successful sync and its comparison: the old
// pods are being replaced.
func (a app) applied() app {
	return a.running(ours, 10).ended("Succeeded", 12).compared(ours, "Synced", 13).health("Progressing").cluster(deployment("sha-2", 0))
}

// done is the last moment of a promotion.
func (a app) done() app { return a.applied().health("Healthy").cluster(deployment("sha-2", 3)) }

// deployment has n of its 3 new pods ready, and 3-n old ones left.
func deployment(tag Tag, n int) Workload {
	return Workload{
		Kind: "Deployment", Name: "shop", Generation: 2, Observed: 2, Images: []string{shopImg + ":" + string(tag)},
		Desired: 3, Updated: 3, Ready: 3, Available: 3, Total: 6 - n,
	}
}

// promotion is the operation of the stories: sha-1 to sha-2 in prod.
func promotion(a app) Operation {
	return Operation{
		ID: "01JD", Kind: KindPromote, App: "shop", Environment: "prod", Application: a.Name, Path: "release-prod/shop.yaml",
		From: "sha-1", To: "sha-2", Repository: shopImg, Commit: ours, Baseline: a.Baseline(),
		Progress: Progress{Stage: StageWriting, Since: start},
	}
}

// start is when the stories begin, by our clock.
var start = time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)

// watcher looks at one moment after the other as a caller of Observe does, and
// checks at each what must hold always.
type watcher struct {
	t     *testing.T
	op    Operation
	facts map[Revision]Fact
	now   time.Time
	wants Wants // of the last look
	proof proof
}

func watch(t *testing.T, op Operation) *watcher {
	return &watcher{t: t, op: op, facts: facts(), now: start}
}

// fork is a second watcher of what was seen so far.
func (w *watcher) fork() *watcher {
	f := *w
	f.proof.comparisons = maps.Clone(w.proof.comparisons)
	return &f
}

func (w *watcher) see(moments ...app) Progress {
	w.t.Helper()
	for _, a := range moments {
		w.now = w.now.Add(a.after)
		w.look(a)
	}
	return w.op.Progress
}

func (w *watcher) look(a app) {
	w.t.Helper()
	look := Look{Snapshot: a.Snapshot, Sources: a.Follows(webCore, "main"), Facts: w.facts, At: w.now}
	was := w.op.Progress
	p, wants := Observe(w.op, look, DefaultRules())
	if wants.Live {
		if !reflect.DeepEqual(p, was) {
			w.t.Fatalf("said something before the cluster was asked:\n%+v\n%+v", was, p)
		}
		look.Live = &a.live
		p, wants = Observe(w.op, look, DefaultRules())
	}
	w.op.Progress, w.wants = p, wants
	w.checkSeq(was, p)
	if healthy := w.proof.add(w.op, look); p.Stage == StageHealthy && was.Stage != StageHealthy && !healthy {
		w.t.Fatalf("healthy without proof: %+v\n%+v", a, p)
	}
	if again, _ := Observe(w.op, look, DefaultRules()); !reflect.DeepEqual(again, p) {
		w.t.Fatalf("the same look says something else the second time:\n%+v\n%+v", p, again)
	}
	if p.Stage.Ended() && wants != (Wants{}) {
		w.t.Fatalf("%s wants %+v", p.Stage, wants)
	}
}

// checkSeq finds the difference that people can see by leaving out all that
// they can't.
func (w *watcher) checkSeq(was, p Progress) {
	w.t.Helper()
	visible := func(p Progress) Progress {
		p.Memory, p.Past, p.Since, p.Seq = Memory{}, nil, time.Time{}, 0
		return p
	}
	want := was.Seq
	if !reflect.DeepEqual(visible(was), visible(p)) {
		want++
	}
	if p.Seq != want {
		w.t.Fatalf("Seq = %d, want %d:\n%+v\n%+v", p.Seq, want, was, p)
	}
}

// proof collects, look by look, what healthy has to be proven by. It is written
// from the rule, not from the code.
type proof struct {
	applied     bool
	comparisons map[string]bool // that found drift after the sync
	since       time.Time       // all has been well, and no pod could be counted
}

func (f *proof) add(op Operation, look Look) bool {
	s := look.Snapshot
	has := func(revisions []Revision) bool {
		for _, i := range look.Sources {
			if i >= len(revisions) {
				return false
			}
			fact := look.Facts[revisions[i]]
			if !fact.Keeps || fact.Relation != RelationSame && fact.Relation != RelationNewer {
				return false
			}
		}
		return len(look.Sources) > 0
	}
	busy, over := s.Requested != nil, true
	if o := s.Operation; o != nil {
		success := o.Phase == "Succeeded" && !o.DryRun
		busy = busy || o.Phase == "Running" || o.Phase == "Terminating"
		over = o.FinishedAt != "" && s.ReconciledAt >= o.FinishedAt
		f.applied = f.applied || success && (has(o.Result) || !op.Writes() && o.StartedAt != op.Baseline.StartedAt)
	}
	for _, d := range s.History {
		f.applied = f.applied || d.ID > op.Baseline.HistoryID && (has(d.Revisions) || !op.Writes())
	}
	runs, settled, known := cluster(op, look.Live)
	compared := has(s.Revisions) || !op.Writes()
	f.applied = f.applied || runs && compared && s.Sync == "Synced" && !busy && op.Writes()
	if f.comparisons == nil {
		f.comparisons = map[string]bool{}
	}
	if f.applied && compared && s.Sync == "OutOfSync" {
		f.comparisons[s.ReconciledAt] = true
	}
	drifts := s.Sync == "OutOfSync" && len(f.comparisons) > 2 &&
		slices.ContainsFunc(s.Resources, func(r Resource) bool { return r.Kind == "Deployment" && r.Name == "shop" && r.Status == "Synced" })
	well := f.applied && !busy && over && compared && (s.Sync == "Synced" || drifts) && s.Health == "Healthy" &&
		!s.Deleted && s.UID == op.Baseline.UID
	if op.Kind == KindResetDev {
		well = well && look.Live != nil && look.Live.Problem == "" && look.Live.Session == nil &&
			!slices.ContainsFunc(look.Live.Workloads, func(w Workload) bool {
				return w.Marked && w.Desired > 0 && !slices.Contains(op.Baseline.Clones, w.Name+"-okteto")
			})
	}
	// Where the pods cannot be counted it must have been so for 5 s.
	if !well || known {
		f.since = time.Time{}
	} else if f.since.IsZero() {
		f.since = look.At
	}
	return well && (settled || !known && look.At.Sub(f.since) >= 5*time.Second)
}

// cluster says whether all Deployments of the app have the tag, run it
// completely, and whether any could be seen.
func cluster(op Operation, live *Live) (runs, settled, known bool) {
	if live == nil || live.Problem != "" {
		return false, false, false
	}
	runs, settled = true, true
	for _, w := range live.Workloads {
		if w.Clone || !strings.HasPrefix(w.Images[0], op.Repository+":") {
			continue
		}
		known = true
		runs = runs && w.Images[0] == op.Repository+":"+string(op.To)
		settled = settled && w.Observed >= w.Generation && w.Updated == w.Desired && w.Available >= w.Desired && w.Total == w.Desired
	}
	return runs && known, runs && settled && known, known
}
