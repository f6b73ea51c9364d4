package release_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/synestra/promoter/internal/release"
)

// ledgerEnv is the environment of the tales.
var ledgerEnv = Environment{Name: "prod", Layer: "env/prod/{app}.yaml", Values: "env/prod/values-{app}.yaml", Application: "web-{app}-prod"}

// step is a commit on the branch of a tale.
type step struct {
	rev   Revision
	says  Content
	chart bool // it changes the chart
}

// tale is what happens to one app, and what the ledger makes of it. It does
// what the watcher does, in the watcher's order. Every change of the ledger is
// made on a copy that has been stored and read, too, and must come to the same.
type tale struct {
	t       *testing.T
	l       Ledger
	now     time.Time
	branch  []step
	lost    []step // by a rewriting
	s       Snapshot
	begun   int // syncs
	late    bool
	updates map[string]Update // all that there ever were, as they were last seen
	told    []Telling
	hasty   func() bool // leaves out the copy this time; nil for never
}

func content(tag Tag) Content { return Content{Tag: tag, Repository: shopImg, Values: "v1"} }

// newTale begins with A live, and the bot knows it.
func newTale(t *testing.T) *tale {
	t.Helper()
	w := &tale{t: t, now: start, updates: map[string]Update{}}
	a := w.push("A")
	w.s = Snapshot{Name: "web-shop-prod", UID: "uid-1", AutoSync: true, Sources: shapes["single"], HistoryID: -1}
	w.record(a, "", true)
	d := w.syncs(w.adopted(Deployed{HistoryID: -1}))
	w.l = w.adopted(d[len(d)-1])
	w.l.Rollouts = map[string]string{"web": "1"}
	return w
}

func (w *tale) adopted(d Deployed) Ledger {
	tip := w.branch[len(w.branch)-1]
	return Adopt("shop", ledgerEnv, w.s, tip.rev, tip.says, d, w.now)
}

// push commits.
func (w *tale) push(tag Tag) Revision { return w.commit(content(tag), false) }

func (w *tale) commit(c Content, chart bool) Revision {
	rev := Revision(fmt.Sprintf("%040x", len(w.branch)+len(w.lost)+1))
	w.branch = append(w.branch, step{rev, c, chart})
	return rev
}

// values commits other values of the same tag.
func (w *tale) values(v string) Revision {
	c := w.branch[len(w.branch)-1].says
	c.Values = v
	return w.commit(c, false)
}

// chart commits to the chart only.
func (w *tale) chart() Revision { return w.commit(w.branch[len(w.branch)-1].says, true) }

// other commits to another app's files.
func (w *tale) other() Revision { return w.commit(w.branch[len(w.branch)-1].says, false) }

// rewrite takes the newest commits off the branch.
func (w *tale) rewrite(n int) {
	keep := len(w.branch) - n
	w.lost, w.branch = append(w.lost, w.branch[keep:]...), slices.Clone(w.branch[:keep])
}

func (w *tale) find(rev Revision) (step, int) {
	if i := slices.IndexFunc(w.branch, func(s step) bool { return s.rev == rev }); i >= 0 {
		return w.branch[i], i
	}
	i := slices.IndexFunc(w.lost, func(s step) bool { return s.rev == rev })
	return w.lost[i], -1
}

// history is what Git says of the branch.
func (w *tale) history(since Revision) History {
	h := History{Tip: w.branch[len(w.branch)-1].rev, Now: w.branch[len(w.branch)-1].says, Whole: since == ""}
	for i := len(w.branch) - 1; i >= 0; i-- {
		s := w.branch[i]
		if s.rev == since {
			h.Whole = true
			break
		}
		var before Content
		if i > 0 {
			before = w.branch[i-1].says
		}
		if !before.Same(s.says) {
			h.Edits = append(h.Edits, Edit{Revision: s.rev, Before: before, After: s.says, Authors: []Identity{{Name: "by-" + string(s.says.Tag)}}})
		}
	}
	return h
}

// record has Argo CD sync a revision; a full sync enters the history.
func (w *tale) record(rev Revision, by string, full bool) {
	w.begun++
	at := sec(w.begun * 10)
	w.s.Operation = &SyncOperation{Phase: "Succeeded", StartedAt: at, FinishedAt: at, Requested: []Revision{rev}, Result: []Revision{rev}, By: by}
	if full {
		w.s.HistoryID++
		w.s.History = append(slices.Clone(w.s.History), Deployment{ID: w.s.HistoryID, StartedAt: at, Revisions: []Revision{rev}, By: by})
	}
}

func (w *tale) syncs(l Ledger) []Deployed {
	list := l.NewSyncs(w.s, 0)
	before := l.Deployed.Revision
	for i := range list {
		d := &list[i]
		s, n := w.find(d.Revision)
		d.Content = s.says
		if before != "" && before != d.Revision {
			_, m := w.find(before)
			d.Older = n < m || m < 0
			for _, between := range w.branch[max(0, min(n, m)+1) : max(n, m)+1] {
				if between.chart && d.Content.Same(l.Told.Content) {
					d.Chart = &Edit{Revision: between.rev, Authors: []Identity{{Name: "by-chart"}}}
				}
			}
		}
		before = d.Revision
	}
	return list
}

// do changes the ledger, and does the same to one that was stored and read.
func (w *tale) do(change func(Ledger) (Ledger, []Telling)) {
	w.t.Helper()
	copied := change
	if w.hasty == nil || !w.hasty() {
		copied = w.onCopy(change)
	}
	next, told := copied(w.l)
	for _, u := range next.Open {
		w.updates[u.ID] = u
	}
	w.l = next
	for _, t := range told {
		if t.Update.ID == "" || t.Warning == nil && t.Update.Outcome == "" {
			w.t.Fatalf("a telling without an id or an outcome: %+v", t)
		}
		w.told = append(w.told, t)
	}
}

// onCopy is the change that is made on a copy, too.
func (w *tale) onCopy(change func(Ledger) (Ledger, []Telling)) func(Ledger) (Ledger, []Telling) {
	return func(l Ledger) (Ledger, []Telling) {
		w.t.Helper()
		was := stored(w.t, l)
		var copied Ledger
		if err := json.Unmarshal([]byte(was), &copied); err != nil {
			w.t.Fatal(err)
		}
		next, told := change(l)
		if got := stored(w.t, l); got != was {
			w.t.Fatalf("the ledger it was called on has changed:\n%s\n%s", was, got)
		}
		again, retold := change(copied)
		if a, b := stored(w.t, next), stored(w.t, again); a != b || stored(w.t, told) != stored(w.t, retold) {
			w.t.Fatalf("after a restart it comes to another ledger:\n%s\n%s", a, b)
		}
		return next, told
	}
}

func stored(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// look takes in what Git and Argo CD show; twice, which must be as once.
func (w *tale) look() *tale {
	w.t.Helper()
	w.now = w.now.Add(10 * time.Second)
	w.do(w.takeIn)
	if w.hasty != nil && w.hasty() {
		return w
	}
	once := stored(w.t, w.l)
	w.do(w.takeIn)
	if again := stored(w.t, w.l); again != once {
		w.t.Fatalf("the same look again changes the ledger:\n%s\n%s", once, again)
	}
	return w
}

func (w *tale) takeIn(l Ledger) (Ledger, []Telling) {
	if l.UID != w.s.UID {
		l.UID, l.Deployed = w.s.UID, Deployed{HistoryID: -1, Revision: l.Deployed.Revision, Content: l.Deployed.Content}
	}
	l = w.recognise(l, l.TakeEdits(w.history(l.Cursor), w.late, w.now))
	for _, d := range w.syncs(l) {
		_, at := w.find(d.Revision)
		for _, commit := range l.Brought(d) {
			if _, n := w.find(commit); n <= at && d.Brings == "" {
				d.Brings = commit
			}
		}
		l = w.recognise(l, l.TakeSync(d, w.late, w.now))
	}
	return l, nil
}

// recognise marks the new updates that are rollbacks.
func (w *tale) recognise(before, l Ledger) Ledger {
	l.Open = slices.Clone(l.Open)
	for i, u := range l.Open {
		if !slices.ContainsFunc(before.Open, func(o Update) bool { return o.ID == u.ID }) {
			l.Open[i].Rollback = u.IsRollback(w.history(""))
		}
	}
	return l
}

// sync has Argo CD sync, and looks.
func (w *tale) sync(rev Revision, by string) *tale {
	w.t.Helper()
	w.record(rev, by, true)
	return w.look()
}

// id is the newest update of a commit or, by its tag, of another kind.
func (w *tale) id(of string) string {
	w.t.Helper()
	for _, u := range slices.Backward(w.l.Open) {
		if string(u.Commit) == of && u.Edit != nil || string(u.How)+" "+string(u.To.Tag) == of {
			return u.ID
		}
	}
	for id, u := range w.updates {
		if string(u.Commit) == of && u.Edit != nil || string(u.How)+" "+string(u.To.Tag) == of {
			return id // no longer open
		}
	}
	w.t.Fatalf("there never was an update %q: %+v", of, w.l.Open)
	return ""
}

// gets has an update get to stages, one after another.
func (w *tale) gets(of string, stages ...Stage) *tale {
	w.t.Helper()
	id := w.id(of)
	for _, s := range stages {
		w.now = w.now.Add(10 * time.Second)
		p := w.updates[id].Progress
		if p.Stage.Ended() {
			p = p.Reopened(w.now)
		}
		p = p.Enter(s, w.now)
		p.Memory.Applied = p.Memory.Applied || slices.Contains([]Stage{StageRollingOut, StageDegraded, StageStillDegraded, StageHealthy}, s)
		w.progressed(id, p, w.l.Rollouts)
	}
	return w
}

// ran has an update found to have been running before Argo CD looked.
func (w *tale) ran(of string) *tale {
	w.t.Helper()
	id := w.id(of)
	w.now = w.now.Add(10 * time.Second)
	p := w.updates[id].Progress.Enter(StageHealthy, w.now)
	p.Memory.Applied, p.Memory.Had, p.Memory.AppliedStart = true, true, w.s.Operation.StartedAt
	w.progressed(id, p, w.l.Rollouts)
	return w
}

// progressed does as the watcher does.
func (w *tale) progressed(id string, p Progress, rollouts map[string]string) {
	w.t.Helper()
	w.do(func(l Ledger) (Ledger, []Telling) {
		l, t := l.Progressed(id, p, rollouts, w.now)
		if p.Stage.Ended() && !p.Stage.MayRecover() {
			l = l.Drop(id)
		}
		if t == nil {
			return l, nil
		}
		return l, []Telling{*t}
	})
}

// cluster takes in what runs, some time later.
func (w *tale) cluster(tag Tag, after time.Duration) *tale {
	w.t.Helper()
	w.now = w.now.Add(after)
	w.do(func(l Ledger) (Ledger, []Telling) {
		return l.TakeLive(Live{Workloads: []Workload{deployment(tag, 3)}}, DefaultRules(), w.now)
	})
	return w
}

// line is a telling in one line.
func line(t Telling) string {
	u := t.Update
	if t.Warning != nil {
		if t.Over {
			return fmt.Sprintf("drift of %s from %s over", t.Warning.Live, t.Warning.Git)
		}
		return fmt.Sprintf("drift: %s, not %s", t.Warning.Live, t.Warning.Git)
	}
	b := fmt.Sprintf("%s %s→%s %s by %s", t.Kind, t.From.Content.Tag, u.To.Tag, u.Outcome, u.How)
	if u.Edit != nil {
		b += " of " + u.Edit.Authors[0].Name
	}
	if u.By != "" {
		b += " (" + u.By + ")"
	}
	for _, s := range u.Skipped {
		b += " -" + string(s.Tag)
	}
	if t.Recovered > 0 {
		b += " recovered"
	}
	if u.Outcome == StageHealthy && t.Took == 0 && u.How != HowOutside {
		b += " late"
	}
	return b
}

func (w *tale) lines() []string {
	var list []string
	for _, t := range w.told {
		list = append(list, line(t))
	}
	return list
}

// chained checks that what people are told goes on from what they were told.
func (w *tale) chained() {
	w.t.Helper()
	known, seen := "A", map[string]string{}
	for _, t := range w.told {
		if t.Warning != nil {
			continue
		}
		from, told := seen[t.Update.ID]
		if !told {
			from, seen[t.Update.ID] = known, known
		}
		if string(t.From.Content.Tag) != from {
			w.t.Errorf("told to go on from %s, and people know of %s: %s", t.From.Content.Tag, from, line(t))
		}
		if t.Update.Outcome == StageHealthy && told != (t.Recovered > 0) {
			w.t.Errorf("told twice, or recovered from nothing: %s", line(t))
		}
		known = string(t.Update.To.Tag)
	}
}

func TestLedgerTells(t *testing.T) {
	for _, c := range []struct {
		name string
		tale func(w *tale)
		want []string // what is told
		open string   // tags of what is still open
	}{
		{"a commit", func(w *tale) {
			b := w.push("B")
			w.look().sync(b, "").gets(string(b), StageNoticed, StageSyncing, StageRollingOut, StageHealthy)
		}, []string{"release A→B healthy by commit of by-B"}, ""},
		{"a commit that somebody syncs", func(w *tale) {
			b := w.push("B")
			w.look().sync(b, "ann").gets(string(b), StageHealthy)
		}, []string{"release A→B healthy by commit of by-B (ann)"}, ""},
		{"a commit that is synced before Git is looked at", func(w *tale) {
			b := w.push("B")
			w.sync(b, "").gets(string(b), StageHealthy)
		}, []string{"release A→B healthy by commit of by-B"}, ""},
		{"a commit that is proven live before its sync is taken in", func(w *tale) {
			b := w.push("B")
			w.look().gets(string(b), StageHealthy).sync(b, "ann")
		}, []string{"release A→B healthy by commit of by-B"}, ""},
		{"a commit, with another app's on top", func(w *tale) {
			b, o := w.push("B"), w.other()
			w.look().sync(o, "").gets(string(b), StageHealthy)
		}, []string{"release A→B healthy by commit of by-B"}, ""},
		{"another app's commit", func(w *tale) { w.sync(w.other(), "") }, nil, ""},
		{"a comment in the layer", func(w *tale) {
			c := content("A")
			c.Settings = map[string]string{}
			w.sync(w.commit(c, false), "")
		}, nil, ""},
		{"a sync that does nothing", func(w *tale) { w.sync(w.branch[0].rev, "ann") }, nil, ""},
		{"a sync of some resources that does nothing", func(w *tale) {
			w.record(w.branch[0].rev, "", false)
			w.look()
		}, nil, ""},
		{"the first is live, then the second", func(w *tale) {
			b := w.push("B")
			w.sync(b, "").gets(string(b), StageHealthy)
			c := w.push("C")
			w.sync(c, "").gets(string(c), StageHealthy)
		}, []string{"release A→B healthy by commit of by-B", "release B→C healthy by commit of by-C"}, ""},
		{"the first is superseded before it is synced", func(w *tale) {
			b := w.push("B")
			w.look()
			c := w.push("C")
			w.look().gets(string(b), StageSuperseded).sync(c, "").gets(string(c), StageHealthy)
		}, []string{"release A→C healthy by commit of by-C -B"}, ""},
		{"the second is live before it is known that the first is superseded", func(w *tale) {
			b, c := w.push("B"), w.push("C")
			w.look().sync(c, "").gets(string(c), StageHealthy).gets(string(b), StageSuperseded)
		}, []string{"release A→C healthy by commit of by-C -B"}, ""},
		{"the first is live when the second has been told", func(w *tale) {
			b, c := w.push("B"), w.push("C")
			w.look().sync(b, "").sync(c, "").gets(string(c), StageHealthy).gets(string(b), StageHealthy)
		}, []string{"release A→C healthy by commit of by-C -B"}, ""},
		{"the first was live, which is known after the second was synced", func(w *tale) {
			b, c := w.push("B"), w.push("C")
			w.look().sync(b, "").sync(c, "").gets(string(b), StageHealthy).gets(string(c), StageHealthy)
		}, []string{"release A→B healthy by commit of by-B", "release B→C healthy by commit of by-C"}, ""},
		{"the sync of the first ends after the second was compared", func(w *tale) {
			b, c := w.push("B"), w.push("C")
			w.look().gets(string(b), StageSuperseded).sync(b, "").sync(c, "").gets(string(c), StageHealthy)
		}, []string{"release A→C healthy by commit of by-C -B"}, ""},
		{"the first is synced and superseded, and the second never is synced", func(w *tale) {
			b, c := w.push("B"), w.push("C")
			w.look().sync(b, "").gets(string(b), StageRollingOut, StageSuperseded, StageRollingOut, StageHealthy).gets(string(c), StageTimedOut)
		}, []string{"release A→B healthy by sync of by-B", "release B→C timed out by commit of by-C"}, "C"},
		{"the first is superseded and then synced, and the second never is", func(w *tale) {
			b, c := w.push("B"), w.push("C")
			w.look().gets(string(b), StageSuperseded).sync(b, "ann").gets(string(b), StageHealthy).gets(string(c), StageNoticed)
		}, []string{"release A→B healthy by sync of by-B (ann)"}, "C"},
		{"a failure", func(w *tale) {
			b := w.push("B")
			w.sync(b, "").gets(string(b), StageRollingOut, StageDegraded, StageRollingOut, StageDegraded)
		}, []string{"release A→B degraded by commit of by-B"}, "B"},
		{"a failure for good", func(w *tale) {
			b := w.push("B")
			w.sync(b, "").gets(string(b), StageDegraded, StageStillDegraded, StageStillDegraded)
		}, []string{"release A→B degraded by commit of by-B", "release A→B degraded at the deadline by commit of by-B"}, "B"},
		{"a failure that can get no better", func(w *tale) {
			b := w.push("B")
			w.look().gets(string(b), StageNoEffect)
		}, []string{"release A→B no effect by commit of by-B"}, ""},
		{"a failure that recovers", func(w *tale) {
			b := w.push("B")
			w.sync(b, "").gets(string(b), StageRollingOut, StageDegraded, StageHealthy)
		}, []string{"release A→B degraded by commit of by-B", "release A→B healthy by commit of by-B recovered"}, ""},
		{"a failure that is reverted", func(w *tale) {
			b := w.push("B")
			w.sync(b, "").gets(string(b), StageDegraded)
			a := w.push("A")
			w.sync(a, "").gets(string(b), StageSuperseded).gets(string(a), StageHealthy)
		}, []string{"release A→B degraded by commit of by-B", "rollback B→A healthy by commit of by-A"}, ""},
		{"a failure that is reverted, which is live first", func(w *tale) {
			b := w.push("B")
			w.sync(b, "").gets(string(b), StageDegraded)
			a := w.push("A")
			w.sync(a, "").gets(string(a), StageHealthy).gets(string(b), StageSuperseded)
		}, []string{"release A→B degraded by commit of by-B", "rollback B→A healthy by commit of by-A"}, ""},
		{"a failed sync that is reverted", func(w *tale) {
			b := w.push("B")
			w.look().gets(string(b), StageSyncFailed)
			a := w.push("A")
			w.look().gets(string(b), StageSuperseded).ran(string(a))
		}, []string{"release A→B sync failed by commit of by-B", "rollback B→A healthy by commit of by-A"}, ""},
		{"a failure that names another is followed by a release", func(w *tale) {
			b, c := w.push("B"), w.push("C")
			w.look().gets(string(b), StageSuperseded).sync(c, "").gets(string(c), StageDegraded)
			d := w.push("D")
			w.sync(d, "").gets(string(d), StageHealthy)
		}, []string{"release A→C degraded by commit of by-C -B", "release C→D healthy by commit of by-D"}, ""},
		{"a failure that recovers after the next was compared", func(w *tale) {
			b := w.push("B")
			w.sync(b, "").gets(string(b), StageDegraded)
			w.push("C")
			w.look().gets(string(b), StageSuperseded, StageRollingOut, StageHealthy)
		}, []string{"release A→B degraded by commit of by-B", "release A→B healthy by sync of by-B recovered"}, "C"},
		{"a failure that was given up is synced after all", func(w *tale) {
			b := w.push("B")
			w.look().gets(string(b), StageNoEffect).sync(b, "ann").gets("sync B", StageHealthy)
		}, []string{"release A→B no effect by commit of by-B", "release B→B healthy by sync (ann)"}, ""},
		{"settings", func(w *tale) {
			b := w.values("v2")
			w.sync(b, "").gets(string(b), StageRollingOut, StageHealthy)
		}, []string{"settings A→A healthy by commit of by-A"}, ""},
		{"settings that fail, and recover", func(w *tale) {
			b := w.values("v2")
			w.sync(b, "").gets(string(b), StageDegraded, StageHealthy)
		}, []string{"settings A→A degraded by commit of by-A", "settings A→A healthy by commit of by-A recovered"}, ""},
		{"settings without effect", func(w *tale) {
			b := w.values("v2")
			w.look().gets(string(b), StageNoticed).ran(string(b))
			w.sync(w.other(), "")
		}, nil, ""},
		{"settings without effect, synced by hand", func(w *tale) {
			b := w.values("v2")
			w.look().record(b, "ann", true)
			w.s.Operation.Unchanged = true
			w.look().ran(string(b))
		}, nil, ""},
		{"settings without effect, seen before the sync by hand ends", func(w *tale) {
			b := w.values("v2")
			w.look().record(b, "ann", true)
			w.s.Operation.Phase = "Running"
			w.look()
			w.s.Operation.Phase, w.s.Operation.Unchanged = "Succeeded", true
			w.look().ran(string(b))
		}, nil, ""},
		{"settings without effect, found before a rollback and heard of after it", func(w *tale) {
			b := w.values("v2")
			w.sync(b, "").gets(string(b), StageHealthy)
			c := w.values("v3")
			w.look()
			before := w.s.Operation
			w.record(w.branch[0].rev, "ann", true)
			w.look()
			w.s.Operation, before = before, w.s.Operation
			w.ran(string(c))
			w.s.Operation = before
			w.gets("sync A", StageHealthy)
		}, []string{"settings A→A healthy by commit of by-A", "release A→A healthy by sync (ann)"}, "A"},
		{"settings, and a sync of the same that found nothing to do, seen at once", func(w *tale) {
			b := w.values("v2")
			w.record(b, "", true)
			w.record(b, "", false)
			w.s.Operation.Unchanged = true
			w.look().ran(string(b))
		}, []string{"settings A→A healthy by commit of by-A"}, ""},
		{"a release that is being rolled out, another, and back to it in Git", func(w *tale) {
			b := w.push("B")
			w.sync(b, "")
			c, again := w.push("C"), w.push("B")
			w.look().gets(string(c), StageSuperseded).ran(string(again))
		}, []string{"rollback A→B healthy by commit of by-B -B -C"}, ""},
		{"a release that Git has gone on from, synced by hand", func(w *tale) {
			b := w.push("B")
			w.look().gets(string(b), StageTimedOut)
			c := w.push("C")
			w.look().gets(string(b), StageSuperseded)
			w.sync(b, "ann").gets("sync B", StageHealthy)
			w.sync(c, "").gets(string(c), StageHealthy)
		}, []string{
			"release A→B timed out by commit of by-B", "release B→B healthy by sync (ann)", "release B→C healthy by commit of by-C",
		}, ""},
		{"a chart commit that fails, and the one that mends it", func(w *tale) {
			w.sync(w.chart(), "").gets("chart A", StageDegraded)
			w.sync(w.chart(), "")
			w.gets("chart A", StageHealthy)
		}, []string{"chart A→A degraded by chart", "chart A→A healthy by chart"}, ""},
		{"settings that an older revision brings, and Git then says", func(w *tale) {
			b := w.values("v2")
			w.sync(b, "").gets(string(b), StageHealthy)
			c := w.values("v1")
			w.sync(w.branch[0].rev, "ann").ran(string(c))
		}, []string{"settings A→A healthy by commit of by-A", "settings A→A healthy by commit of by-A (ann)"}, ""},
		{"a failure that waits while Argo CD goes back", func(w *tale) {
			b := w.push("B")
			w.sync(b, "").gets(string(b), StageHealthy)
			c := w.push("C")
			w.look().gets(string(c), StageTimedOut)
			w.sync(w.branch[0].rev, "ann").gets("sync A", StageHealthy)
			w.sync(c, "bob").gets("sync C", StageHealthy)
		}, []string{
			"release A→B healthy by commit of by-B", "release B→C timed out by commit of by-C",
			"rollback C→A healthy by sync (ann)", "release A→C healthy by sync (bob)",
		}, ""},
		{"a failure replaces what was on its way", func(w *tale) {
			b, c := w.push("B"), w.push("C")
			w.look().sync(b, "").sync(c, "").gets(string(c), StageDegraded).gets(string(b), StageHealthy).gets(string(c), StageHealthy)
		}, []string{"release A→C degraded by commit of by-C -B", "release A→C healthy by commit of by-C -B recovered"}, ""},
		{"settings that fail to be synced, and are reverted", func(w *tale) {
			b := w.values("v2")
			w.look().gets(string(b), StageSyncFailed)
			c := w.values("v1")
			w.look().gets(string(b), StageSuperseded).ran(string(c))
		}, []string{"settings A→A sync failed by commit of by-A", "settings A→A healthy by commit of by-A"}, ""},
		{"a rollback in Argo CD, and back", func(w *tale) {
			b := w.push("B")
			w.sync(b, "").gets(string(b), StageHealthy)
			w.sync(w.branch[0].rev, "ann").gets("sync A", StageRollingOut, StageHealthy)
			w.sync(b, "bob").gets("sync B", StageRollingOut, StageHealthy)
		}, []string{"release A→B healthy by commit of by-B", "rollback B→A healthy by sync (ann)", "release A→B healthy by sync (bob)"}, ""},
		{"a rollback in Argo CD, and back before it is live", func(w *tale) {
			b := w.push("B")
			w.sync(b, "").gets(string(b), StageHealthy)
			w.sync(w.branch[0].rev, "ann").gets("sync A", StageRollingOut)
			w.sync(b, "bob").gets("sync A", StageTimedOut).gets("sync B", StageHealthy)
		}, []string{"release A→B healthy by commit of by-B", "release B→B healthy by sync (bob) -A"}, ""},
		{"a rollback in Argo CD before the commit is live", func(w *tale) {
			b := w.push("B")
			w.sync(b, "").gets(string(b), StageRollingOut)
			w.sync(w.branch[0].rev, "ann").gets(string(b), StageSuperseded).gets("sync A", StageHealthy)
		}, []string{"rollback A→A healthy by sync (ann) -B"}, ""},
		{"the same, and the commit is known to be superseded first", func(w *tale) {
			b := w.push("B")
			w.sync(b, "").gets(string(b), StageRollingOut, StageSuperseded)
			w.sync(w.branch[0].rev, "ann").gets("sync A", StageHealthy)
		}, []string{"rollback A→A healthy by sync (ann) -B"}, ""},
		{"a rollback in Argo CD while a commit waits", func(w *tale) {
			b := w.push("B")
			w.sync(b, "").gets(string(b), StageHealthy)
			c := w.push("C")
			w.look().sync(w.branch[0].rev, "ann").gets("sync A", StageHealthy)
			w.sync(c, "").gets(string(c), StageHealthy)
		}, []string{"release A→B healthy by commit of by-B", "rollback B→A healthy by sync (ann)", "release A→C healthy by commit of by-C"}, ""},
		{"a rollback in Argo CD that a waiting commit replaces", func(w *tale) {
			b := w.push("B")
			w.sync(b, "").gets(string(b), StageHealthy)
			c := w.push("C")
			w.look().sync(w.branch[0].rev, "ann").sync(c, "").gets(string(c), StageHealthy).gets("sync A", StageTimedOut)
		}, []string{"release A→B healthy by commit of by-B", "release B→C healthy by commit of by-C -A"}, ""},
		{"the same, and the rollback is looked at once more", func(w *tale) {
			b := w.push("B")
			w.sync(b, "").gets(string(b), StageHealthy)
			c := w.push("C")
			w.look().sync(w.branch[0].rev, "ann").sync(c, "").gets("sync A", StageTimedOut).gets(string(c), StageHealthy)
		}, []string{"release A→B healthy by commit of by-B", "release B→C healthy by commit of by-C -A"}, ""},
		{"a rollback in Argo CD that fails, and another", func(w *tale) {
			b := w.push("B")
			w.sync(b, "").gets(string(b), StageHealthy)
			c := w.push("C")
			w.sync(c, "").gets(string(c), StageHealthy)
			w.sync(b, "ann").gets("sync B", StageTimedOut)
			w.sync(w.branch[0].rev, "ann").gets("sync B", StageHealthy).gets("sync A", StageHealthy)
		}, []string{
			"release A→B healthy by commit of by-B", "release B→C healthy by commit of by-C",
			"rollback C→B timed out by sync (ann)", "rollback B→A healthy by sync (ann)",
		}, ""},
		{"a sync that is in the history before it has ended", func(w *tale) {
			b := w.push("B")
			w.sync(b, "").gets(string(b), StageHealthy)
			w.record(w.branch[0].rev, "ann", true)
			w.s.Operation.Phase = "Running"
			w.look()
			o := *w.s.Operation
			o.Phase = "Succeeded"
			w.s.Operation = &o
			w.look().gets("sync A", StageHealthy)
		}, []string{"release A→B healthy by commit of by-B", "rollback B→A healthy by sync (ann)"}, ""},
		{"a person's sync that self-heal mends", func(w *tale) {
			b := w.push("B")
			w.sync(b, "").gets(string(b), StageHealthy)
			w.record(w.branch[0].rev, "ann", true)
			w.record(w.branch[0].rev, "", false)
			w.look().gets("sync A", StageHealthy)
		}, []string{"release A→B healthy by commit of by-B", "rollback B→A healthy by sync (ann)"}, ""},
		{"Argo CD goes back by itself", func(w *tale) {
			b := w.push("B")
			w.sync(b, "").gets(string(b), StageHealthy)
			w.sync(w.branch[0].rev, "").gets("sync A", StageHealthy)
		}, []string{"release A→B healthy by commit of by-B", "regression B→A healthy by sync"}, ""},
		{"Argo CD deploys a commit by self-heal, which enters no history", func(w *tale) {
			b := w.push("B")
			w.record(b, "", false)
			w.look().gets(string(b), StageHealthy)
		}, []string{"release A→B healthy by commit of by-B"}, ""},
		{"a chart commit that rolls out", func(w *tale) {
			w.sync(w.chart(), "")
			id := w.id("chart A")
			w.progressed(id, w.l.Open[0].Progress.Enter(StageHealthy, w.now), map[string]string{"web": "2"})
		}, []string{"chart A→A healthy by chart late"}, ""},
		{"a chart commit that does not", func(w *tale) { w.sync(w.chart(), "").gets("chart A", StageHealthy) }, nil, ""},
		{"a chart commit of which it is not known", func(w *tale) {
			w.sync(w.chart(), "")
			w.progressed(w.id("chart A"), w.l.Open[0].Progress.Enter(StageHealthy, w.now), nil)
		}, nil, ""},
		{"a chart commit that a waiting commit replaces", func(w *tale) {
			k := w.chart()
			b := w.push("B")
			w.look().sync(k, "").sync(b, "").gets(string(b), StageHealthy).gets("chart A", StageTimedOut)
		}, []string{"release A→B healthy by commit of by-B"}, ""},
		{"a chart commit and a release together", func(w *tale) {
			w.chart()
			b := w.push("B")
			w.sync(b, "").gets(string(b), StageHealthy)
		}, []string{"release A→B healthy by commit of by-B"}, ""},
		{"several syncs while the bot was away", func(w *tale) {
			w.late = true
			b, c := w.push("B"), w.push("C")
			w.record(b, "", true)
			w.record(c, "", true)
			w.look().gets(string(b), StageSuperseded).gets(string(c), StageHealthy)
		}, []string{"release A→C healthy by commit of by-C -B late"}, ""},
		{"a failure is told, then an earlier rollout, and then what came between", func(w *tale) {
			b := w.push("B")
			w.sync(b, "").gets(string(b), StageRollingOut)
			c, d := w.push("C"), w.push("D")
			w.look().gets(string(d), StageSyncFailed).gets(string(b), StageHealthy).gets(string(c), StageSuperseded)
		}, []string{
			"release A→D sync failed by commit of by-D", "release D→B healthy by commit of by-B",
			"release A→D sync failed by commit of by-D -C",
		}, ""},
		{"forth and back and on while the bot was away", func(w *tale) {
			w.late = true
			for _, tag := range []Tag{"B", "A", "C", "A", "D"} {
				w.push(tag)
				w.record(w.other(), "", true)
			}
			d := w.branch[len(w.branch)-2].rev
			w.look()
			for _, u := range w.l.Open[:4] {
				w.gets(string(u.Commit), StageSuperseded)
			}
			w.gets(string(d), StageHealthy)
		}, []string{"release A→D healthy by commit of by-D -B -A -C -A late"}, ""},
		{"healed, gone and back while the bot was away", func(w *tale) {
			w.late = true
			w.record(w.other(), "", true)
			b := w.push("B")
			w.record(w.other(), "", true)
			a := w.push("A")
			w.record(w.other(), "", true)
			w.look().gets(string(b), StageSuperseded).gets(string(a), StageHealthy)
		}, []string{"rollback A→A healthy by commit of by-A -B late"}, ""},
		{"a rollback of a rollout while the bot was away", func(w *tale) {
			w.late = true
			b, c := w.push("B"), w.push("C")
			w.record(b, "", true)
			w.record(c, "", true)
			w.record(b, "ann", true)
			w.look().gets(string(b), StageSuperseded).gets(string(c), StageSuperseded).gets("sync B", StageHealthy)
		}, []string{"rollback A→B healthy by sync (ann) -B -C late"}, ""},
		{"gone and back while the bot was away", func(w *tale) {
			w.late = true
			b := w.push("B")
			w.record(b, "", true)
			w.record(w.branch[0].rev, "ann", true)
			w.look().gets(string(b), StageSuperseded).gets("sync A", StageHealthy)
		}, []string{"rollback A→A healthy by sync (ann) -B late"}, ""},
		{"the branch is rewritten to before a release", func(w *tale) {
			b := w.push("B")
			w.sync(b, "").gets(string(b), StageHealthy)
			a := w.branch[0].rev
			w.rewrite(1)
			w.sync(a, "").gets(string(a), StageHealthy)
		}, []string{"release A→B healthy by commit of by-B", "release B→A healthy by commit of by-A"}, ""},
		{"the branch is rewritten, and says the same", func(w *tale) {
			w.look()
			w.other()
			w.look()
			w.rewrite(1)
			w.other()
			w.look()
		}, nil, ""},
		{"the Application is made anew", func(w *tale) {
			w.s.UID, w.s.HistoryID, w.s.History = "uid-2", -1, nil
			w.sync(w.branch[0].rev, "")
		}, nil, ""},
		{"the Application is made anew, with another release", func(w *tale) {
			b := w.push("B")
			w.s.UID, w.s.HistoryID, w.s.History = "uid-2", -1, nil
			w.sync(b, "").gets(string(b), StageHealthy)
		}, []string{"release A→B healthy by commit of by-B"}, ""},
		{"A to B to A in Git", func(w *tale) {
			b, a := w.push("B"), w.push("A")
			w.look().gets(string(b), StageSuperseded).ran(string(a))
		}, nil, ""},
		{"A to B to A in Git, with a sync that does nothing", func(w *tale) {
			b, a := w.push("B"), w.push("A")
			w.look().gets(string(b), StageSuperseded).sync(a, "").gets(string(a), StageHealthy)
		}, nil, ""},
		{"A to B to A, with B synced", func(w *tale) {
			b, a := w.push("B"), w.push("A")
			w.look().sync(b, "").sync(a, "").gets(string(a), StageHealthy).gets(string(b), StageSuperseded)
		}, []string{"rollback A→A healthy by commit of by-A -B"}, ""},
		{"A to B to A to B, each synced", func(w *tale) {
			b, a, again := w.push("B"), w.push("A"), w.push("B")
			w.look().sync(b, "").sync(a, "").sync(again, "ann").gets(string(b), StageSuperseded).gets(string(again), StageHealthy)
		}, []string{"rollback A→B healthy by commit of by-B (ann) -B -A"}, ""},
		{"kubectl set image, put right at once", func(w *tale) {
			w.cluster("X", 0).cluster("X", 5*time.Second).cluster("A", 4*time.Second).cluster("X", 5*time.Second)
		}, nil, ""},
		{"kubectl set image", func(w *tale) {
			w.cluster("X", 0).cluster("X", 10*time.Second).cluster("X", time.Minute)
		}, []string{"release A→X healthy by outside"}, ""},
		{"kubectl set image, and self-heal later", func(w *tale) {
			w.cluster("X", 0).cluster("X", 10*time.Second).cluster("A", 10*time.Second)
			w.record(w.branch[0].rev, "", false)
			w.look().cluster("A", 10*time.Second).gets("sync A", StageHealthy)
		}, []string{"release A→X healthy by outside", "release X→A healthy by sync"}, ""},
		{"kubectl set image, and self-heal to what Git went back to", func(w *tale) {
			w.push("B")
			a := w.push("A")
			w.look().ran(string(a))
			w.cluster("X", 0).cluster("X", 10*time.Second)
			w.record(a, "", false)
			w.look().gets("sync A", StageHealthy)
		}, []string{"release A→X healthy by outside", "release X→A healthy by sync"}, ""},
		{"kubectl set image, and back", func(w *tale) {
			w.cluster("X", 0).cluster("X", 10*time.Second).cluster("A", 10*time.Second).cluster("A", 10*time.Second)
		}, []string{"release A→X healthy by outside", "release X→A healthy by outside"}, ""},
		{"kubectl set image, which Git then says", func(w *tale) {
			w.cluster("X", 0).cluster("X", 10*time.Second)
			x := w.push("X")
			w.look().ran(string(x))
		}, []string{"release A→X healthy by outside"}, ""},
		{"kubectl set image during a rollout", func(w *tale) {
			b := w.push("B")
			w.look().cluster("X", 0).cluster("X", time.Hour).gets(string(b), StageHealthy)
		}, []string{"release A→B healthy by commit of by-B"}, ""},
		{"drift, another drift, and its end", func(w *tale) {
			w.cluster("X", 0).cluster("X", 10*time.Second).cluster("X", 9*time.Minute)
			w.cluster("X", 50*time.Second).cluster("X", time.Hour)
			w.cluster("Y", time.Minute).cluster("Y", 10*time.Second).cluster("A", time.Minute).cluster("A", 10*time.Second)
		}, []string{
			"release A→X healthy by outside", "drift: X, not A", "drift: Y, not A", "release X→Y healthy by outside",
			"drift of Y from A over", "release Y→A healthy by outside",
		}, ""},
		{"drift that is short", func(w *tale) {
			w.cluster("X", 0).cluster("A", time.Second).cluster("X", time.Hour).cluster("A", time.Second)
		}, nil, ""},
		{"drift from a commit that is rolled back in Argo CD", func(w *tale) {
			b := w.push("B")
			w.sync(b, "").gets(string(b), StageHealthy)
			w.sync(w.branch[0].rev, "ann").gets("sync A", StageHealthy).cluster("A", 0).cluster("A", 10*time.Minute)
			w.sync(b, "ann").gets("sync B", StageHealthy).cluster("B", time.Second)
		}, []string{
			"release A→B healthy by commit of by-B", "rollback B→A healthy by sync (ann)", "drift: A, not B",
			"release A→B healthy by sync (ann)", "drift of A from B over",
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newTale(t)
			c.tale(w)
			if got := w.lines(); !slices.Equal(got, c.want) {
				t.Errorf("told\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(c.want, "\n\t"))
			}
			var open []string
			for _, u := range w.l.Open {
				open = append(open, string(u.To.Tag))
			}
			if got := strings.Join(open, " "); got != c.open {
				t.Errorf("open: %q, want %q", got, c.open)
			}
			w.chained()
		})
	}
}

func TestLedgerSaysHowLongItTook(t *testing.T) {
	w := newTale(t)
	b := w.push("B")
	w.look().sync(b, "").gets(string(b), StageRollingOut, StageDegraded, StageStillDegraded, StageRollingOut, StageHealthy)
	last := w.told[len(w.told)-1]
	if last.Took != time.Minute || last.Recovered != 30*time.Second {
		t.Errorf("took %s, recovered after %s: %v", last.Took, last.Recovered, w.lines())
	}
	if first := w.told[0]; first.Update.ID != last.Update.ID || !reflect.DeepEqual(first.From, last.From) {
		t.Errorf("it is not one update: %+v, %+v", first, last)
	}
}

func TestLedgerWarnsOnce(t *testing.T) {
	w := newTale(t)
	w.cluster("X", 0).cluster("X", 10*time.Minute).cluster("Y", time.Second).cluster("A", time.Minute)
	ids := map[string]bool{}
	for _, told := range w.told {
		if told.Warning != nil {
			ids[told.Update.ID] = true
		}
	}
	if len(ids) != 1 || len(w.told) < 3 {
		t.Errorf("one warning has the ids %v: %v", ids, w.lines())
	}
	w.cluster("X", time.Minute).cluster("X", 10*time.Minute)
	if last := w.told[len(w.told)-1]; last.Warning == nil || ids[last.Update.ID] {
		t.Errorf("another warning has an id that was used: %+v", last)
	}
}

// Of what is not on the branch's word, being in sync is not expected.
func TestLedgerOperation(t *testing.T) {
	w := newTale(t)
	b := w.push("B")
	w.look()
	op := w.l.Operation(w.l.Open[0], ledgerEnv)
	if op.Commit != b || op.Apart || !op.Writes() || op.Baseline.HistoryID != 0 || op.Baseline.UID != "uid-1" || op.To != "B" {
		t.Errorf("of a commit: %+v", op)
	}
	w.sync(b, "").gets(string(b), StageHealthy).sync(w.branch[0].rev, "ann")
	op = w.l.Operation(w.l.Open[0], ledgerEnv)
	if op.Commit != "" || !op.Apart || op.Writes() || op.Baseline.HistoryID != 1 {
		t.Errorf("of a rollback: %+v", op)
	}
	w.sync(b, "ann")
	if op = w.l.Operation(w.l.Open[len(w.l.Open)-1], ledgerEnv); op.Apart || op.Writes() {
		t.Errorf("of the way back: %+v", op)
	}
}

// What was on its way when the bot first looked is news when it is live.
func TestLedgerAdoptsWhatIsDeployed(t *testing.T) {
	w := newTale(t)
	a, b := w.l.Deployed, w.push("B")
	w.l = w.adopted(a)
	w.sync(b, "").gets("sync B", StageHealthy)
	if got, want := w.lines(), []string{"release A→B healthy by sync"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

// An id belongs to one update, though the branch may come to a commit again.
func TestLedgerRewrittenBranchHasItsOwnUpdates(t *testing.T) {
	w := newTale(t)
	b := w.push("B")
	w.sync(b, "").gets(string(b), StageHealthy)
	c := w.push("C")
	w.sync(c, "").gets(string(c), StageHealthy)
	w.rewrite(1)
	w.sync(b, "").gets(string(b), StageHealthy)
	if len(w.told) != 3 || w.told[2].Update.ID == w.told[0].Update.ID {
		t.Errorf("told %q", w.lines())
	}
}
