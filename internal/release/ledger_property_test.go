package release_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/synestra/promoter/internal/release"
)

// world is a branch, an Argo CD and a cluster in which things happen at random,
// and a bot that looks at them when it gets round to it.
type world struct {
	*tale
	dice
	auto    bool // Argo CD syncs by itself
	applied Content
	settled bool         // the cluster runs what was applied
	broken  map[Tag]bool // never get healthy
	clock   int          // of the cluster, in seconds
	follows map[string]Operation
	held    map[string]Progress // found out, and not yet delivered
	synced  []deploy            // what was applied, each time it changed
}

// deploy is one change of what is applied.
type deploy struct {
	says    Content
	partial bool // it enters no history, so it can be missed
	seen    bool // the bot has looked while it was the last
}

func newWorld(t *testing.T, d dice) *world {
	w := &world{
		tale: newTale(t), dice: d, auto: d.IntN(3) > 0, applied: content("A"), settled: true, broken: map[Tag]bool{"F": true},
		follows: map[string]Operation{}, held: map[string]Progress{},
	}
	w.hasty = func() bool { return d.IntN(10) > 0 }
	w.s.Operation, w.clock = nil, 100
	w.compare()
	return w
}

func (w *world) tip() step { return w.branch[len(w.branch)-1] }

func (w *world) tick() {
	d := 1 + w.IntN(20)
	w.clock += d
	w.now = w.now.Add(time.Duration(d) * time.Second)
}

// pushed makes a commit, mostly to the app's own files.
func (w *world) pushed() {
	switch c := w.tip().says; w.IntN(6) {
	case 0:
		w.other()
	case 1:
		c.Values = one(w.dice, "v1", "v2")
		w.commit(c, false)
	default:
		w.push(one(w.dice, Tag("A"), "B", "C", "D", "E", "F"))
	}
}

// compare has Argo CD look at Git.
func (w *world) compare() {
	w.s.Revisions, w.s.ReconciledAt, w.s.AutoSync = []Revision{w.tip().rev}, sec(w.clock), w.auto
	status := "OutOfSync"
	if w.tip().says.Same(w.applied) {
		status = "Synced"
	}
	w.s.Sync, w.s.Resources = status, []Resource{{Kind: "Deployment", Name: "shop", Status: status}}
	w.s.Health = "Healthy"
	if !w.settled {
		w.s.Health = "Progressing"
		if w.broken[w.applied.Tag] {
			w.s.Health = "Degraded"
		}
	}
}

// apply has Argo CD sync.
func (w *world) apply(to step, by string) {
	w.tick()
	partial := w.IntN(8) == 0
	if n := len(w.synced); n > 0 && w.synced[n-1].partial && !w.synced[n-1].seen {
		w.synced = w.synced[:n-1] // nobody can have seen that
	}
	if before := w.before(); !to.says.Same(before) {
		w.synced = append(w.synced, deploy{says: to.says, partial: partial})
	}
	if !to.says.Same(w.applied) {
		w.applied, w.settled = to.says, false
	}
	at := sec(w.clock)
	w.s.Operation = &SyncOperation{Phase: "Succeeded", StartedAt: at, FinishedAt: at, Requested: []Revision{to.rev}, Result: []Revision{to.rev}, By: by}
	if !partial {
		w.s.HistoryID++
		w.s.History = append(slices.Clone(w.s.History), Deployment{ID: w.s.HistoryID, StartedAt: at, Revisions: []Revision{to.rev}, By: by})
	}
	if w.IntN(2) == 0 {
		w.compare()
	}
}

// before is what was applied last, as far as anybody can know.
func (w *world) before() Content {
	if n := len(w.synced); n > 0 {
		return w.synced[n-1].says
	}
	return content("A")
}

// roll lets the cluster, and then Argo CD, get on.
func (w *world) roll() {
	w.tick()
	w.settled = !w.broken[w.applied.Tag]
	w.compare()
}

func (w *world) refresh() {
	w.tick()
	w.compare()
	if w.auto && w.s.Sync == "OutOfSync" {
		w.apply(w.tip(), "")
	}
}

// anyone syncs any commit, mostly the newest.
func (w *world) anyone() {
	to := w.tip()
	if w.IntN(2) == 0 {
		to = w.branch[w.IntN(len(w.branch))]
	}
	w.apply(to, "ann")
}

func (w *world) watch() {
	w.look()
	if n := len(w.synced); n > 0 {
		w.synced[n-1].seen = true
	}
	if w.l.Quiet() {
		w.do(func(l Ledger) (Ledger, []Telling) { return l.TakeLive(w.live(), DefaultRules(), w.now) })
	}
}

func (w *world) live() Live {
	ready := 1
	if w.settled {
		ready = 3
	}
	return Live{Workloads: []Workload{deployment(w.applied.Tag, ready)}}
}

// follow has an update looked at, and what was found out delivered now or later.
func (w *world) follow(u Update) {
	if _, busy := w.held[u.ID]; busy || u.Progress.Stage == StageSuperseded {
		return
	}
	op, begun := w.follows[u.ID]
	if !begun {
		op = w.l.Operation(u, ledgerEnv)
		if op.Progress.Stage.Ended() {
			op.Progress = op.Progress.Reopened(w.now)
		}
	}
	op.Apart = w.l.Apart(u)
	rules := DefaultRules()
	if u.Outcome != "" {
		rules.Noticed, rules.Syncing, rules.Rollout = 24*time.Hour, 24*time.Hour, 24*time.Hour
	}
	live := w.live()
	look := Look{Snapshot: w.s, Sources: []int{0}, Facts: w.facts(u), At: w.now}
	p, wants := Observe(op, look, rules)
	if wants.Live {
		look.Live = &live
		p, _ = Observe(op, look, rules)
	}
	changed := p.Stage != op.Progress.Stage || p.Memory != op.Progress.Memory
	op.Progress = p
	w.follows[u.ID] = op
	if changed {
		w.held[u.ID] = p
	}
}

func (w *world) facts(u Update) map[Revision]Fact {
	facts := map[Revision]Fact{}
	_, ours := w.find(u.Commit)
	for i, s := range w.branch {
		f := Fact{Relation: RelationSame, Keeps: s.says.Tag == u.To.Tag && s.says.Values == u.To.Values}
		switch {
		case i < ours:
			f.Relation = RelationOlder
		case i > ours:
			f.Relation = RelationNewer
		}
		facts[s.rev] = f
	}
	return facts
}

// deliver hands on what was found out of an update, be it open or not.
func (w *world) deliver(id string) {
	p, found := w.held[id]
	if !found {
		return
	}
	delete(w.held, id)
	w.progressed(id, p, nil)
	if p.Stage.Ended() {
		delete(w.follows, id)
	}
}

// restart has the bot begin anew with what it has stored.
func (w *world) restart() {
	var l Ledger
	if err := json.Unmarshal([]byte(stored(w.t, w.l)), &l); err != nil {
		w.t.Fatal(err)
	}
	w.l = l
	clear(w.follows)
	clear(w.held)
}

// attend looks at everything, for as long as there is something new.
func (w *world) attend() {
	for range 6 {
		w.watch()
		for _, u := range slices.Clone(w.l.Open) {
			w.follow(u)
			w.deliver(u.ID)
		}
	}
}

// happens has one thing happen.
func (w *world) happens() {
	w.tick()
	switch w.IntN(15) {
	case 0, 1:
		w.pushed()
	case 2, 3:
		w.refresh()
	case 4:
		w.anyone()
	case 5, 6:
		w.roll()
	case 7:
		w.auto = w.IntN(2) == 0
	case 8, 9:
		w.watch()
	case 10, 11:
		for _, u := range w.l.Open {
			if w.IntN(3) > 0 {
				w.follow(u)
			}
		}
	case 12:
		for _, u := range slices.Clone(w.l.Open) {
			w.deliver(u.ID)
		}
		for id := range w.updates {
			if w.IntN(3) > 0 {
				w.deliver(id)
			}
		}
	case 13:
		w.restart()
	case 14:
		w.roll()
		w.attend()
	}
}

// end lets everything come to rest, with what Git says live, as nothing else is
// sure to.
func (w *world) end() {
	w.auto = true
	clear(w.broken)
	for range 8 {
		w.now = w.now.Add(time.Minute)
		w.refresh()
		w.roll()
		w.attend()
	}
}

// flat is all that people are told of, one after another: what was live or
// failed, and what was replaced before.
func (w *world) flat() (tags []Tag) {
	seen := map[string]bool{}
	for _, t := range w.told {
		if t.Warning != nil || seen[t.Update.ID] {
			continue
		}
		seen[t.Update.ID] = true
		for _, s := range t.Update.Skipped {
			tags = append(tags, s.Tag)
		}
		tags = append(tags, t.Update.To.Tag)
	}
	return tags
}

// check compares what was told with what happened.
func (w *world) check() {
	w.t.Helper()
	w.chained()
	if len(w.l.Open) > 0 || w.l.Told.Failed || !w.l.Told.Content.Same(w.tip().says) || w.l.Suspect != nil || w.l.Astray != nil {
		w.t.Errorf("all is at rest, and the ledger is not: %+v", w.l)
	}
	told := w.flat()
	for i, d := range w.synced {
		n := slices.Index(told, d.says.Tag)
		if n < 0 {
			w.t.Errorf("%d: %s was deployed, and is not told in its turn", i, d.says.Tag)
			break
		}
		told = told[n+1:]
	}
	w.checkNames()
	for _, t := range w.told {
		ran := t.Update.To.Tag == "A" || slices.ContainsFunc(w.synced, func(d deploy) bool { return d.says.Tag == t.Update.To.Tag })
		if t.Warning == nil && t.Update.Outcome == StageHealthy && !ran || t.Warning == nil && t.Update.How == HowOutside {
			w.t.Errorf("it never was: %s", line(t))
		}
	}
}

// checkNames checks that each commit is told, or named, at most once.
func (w *world) checkNames() {
	w.t.Helper()
	named, seen := map[Revision]int{}, map[string]bool{}
	for _, t := range w.told {
		if t.Warning != nil || seen[t.Update.ID] {
			continue
		}
		seen[t.Update.ID] = true
		if t.Update.Edit != nil {
			named[t.Update.Edit.Revision]++
		}
		for _, s := range t.Update.Skipped {
			if len(s.Authors) > 0 && strings.HasPrefix(s.Authors[0], "by-") {
				named[s.Commit]++
			}
		}
	}
	for rev, n := range named {
		if n > 1 {
			s, _ := w.find(rev)
			w.t.Errorf("the commit of %s (%s) is told of %d times", s.says.Tag, rev[36:], n)
		}
	}
}

// story prints what happened, for a test that fails.
func (w *world) story() {
	w.t.Helper()
	if !w.t.Failed() {
		return
	}
	for _, s := range w.branch {
		w.t.Logf("commit %s: %s %s", s.rev[36:], s.says.Tag, s.says.Values)
	}
	for _, d := range w.synced {
		w.t.Logf("applied: %s %s (partial %v)", d.says.Tag, d.says.Values, d.partial)
	}
	w.t.Logf("told:\n\t%s", strings.Join(w.lines(), "\n\t"))
	w.t.FailNow()
}

// Whatever happens, and whenever the bot looks: all that was deployed is told,
// or named as replaced, once and in its order; nothing else is; and in the end
// nothing is left over.
func TestLedgerTellsEverythingOnce(t *testing.T) {
	told, skipped := 0, 0
	for seed := range uint64(300) {
		w := newWorld(t, dice{rand.New(rand.NewPCG(seed, 1))})
		for range 20 + w.IntN(80) {
			w.happens()
		}
		w.end()
		w.check()
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
		w.story()
		for _, telling := range w.told {
			told, skipped = told+1, skipped+len(telling.Update.Skipped)
		}
	}
	if told < 600 || skipped < 400 {
		t.Errorf("only %d tellings and %d updates skipped: the dice are too tame", told, skipped)
	}
}

// A bot that is always there tells of each release by itself.
func TestLedgerTellsEachReleaseWhenAttentive(t *testing.T) {
	for seed := range uint64(100) {
		w := newWorld(t, dice{rand.New(rand.NewPCG(seed, 2))})
		clear(w.broken)
		for range 10 + w.IntN(20) {
			switch w.IntN(5) {
			case 0:
				w.pushed()
			case 1:
				w.refresh()
			case 2:
				w.anyone()
			case 3:
				w.auto = !w.auto
			case 4:
				w.restart()
			}
			w.attend()
			w.roll()
			w.attend()
		}
		w.end()
		w.check()
		live, want := []string{"A v1"}, []string{"A v1"}
		for _, told := range w.told {
			to := string(told.Update.To.Tag) + " " + told.Update.To.Values
			// After a failure people are told that what was live before still is.
			if told.Warning == nil && told.Update.Outcome == StageHealthy && !(told.From.Failed && to == live[len(live)-1]) {
				live = append(live, to)
			}
		}
		for _, d := range w.synced {
			want = append(want, string(d.says.Tag)+" "+d.says.Values)
		}
		if !slices.Equal(live, want) {
			t.Errorf("seed %d: told %s, and live were %s", seed, live, want)
		}
		w.story()
	}
}
