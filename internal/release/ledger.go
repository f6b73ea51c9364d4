package release

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// How is by what way a change of what runs came about.
type How string

// The ways.
const (
	HowCommit  How = "commit"  // a commit to the app's own files
	HowSync    How = "sync"    // Argo CD was made to deploy something else: a rollback, a sync of another revision
	HowOutside How = "outside" // neither Git nor Argo CD: somebody changed the cluster
	HowChart   How = "chart"   // a commit to other files rolled the app out anew
)

// Ledger is what is known of one app in one environment, from one look to the
// next and over restarts: how far Git and Argo CD have been taken in, what
// people were last told, and the updates that have not come to their end. Each
// update is told once because taking it in, and telling it, are stored with
// the ledger in one step.
//
// Its methods are pure: each returns the ledger as it is after something was
// seen. They do not change what they are called on.
type Ledger struct {
	App         App
	Environment string
	Application string
	UID         string // of the Application; another one is another Application

	Cursor    Revision          // the branch has been taken in up to here
	Content   Content           // what Git says at the cursor
	Deployed  Deployed          // the last sync that was taken in
	Told      Told              // what people were last told, or what there was when the bot first looked
	Open      []Update          // updates on their way, and failed ones that may recover: those that Argo CD has synced, then those that it has not, each oldest first
	Rollouts  map[string]string // of each workload, the number of its rollout when last all was well
	Suspect   *Suspect          // it runs what Argo CD did not deploy, nil if it does not
	Astray    *Astray           // it runs what Git does not say, nil if it does not
	Soak      *Soak             // how long the release has been seen to be well, nil if nobody wants to know
	Waits     *Refusal          // why the verified release is not promoted by itself, nil for no reason
	Alignment *Alignment        // dev is to follow, nil if there is nothing to do
	Seq       int               // numbers what has no id of its own
}

// Deployed is a sync that Argo CD has carried out.
type Deployed struct {
	HistoryID int64
	StartedAt string   // the cluster's time; "" if that was not seen
	Revision  Revision // of the source we follow
	Content   Content  // what Git says there
	By        string   // who asked for it, "" if Argo CD did it by itself
	Older     bool     // the revision is older than the one deployed before, or on another branch
	Unchanged bool     // it found everything as it was to be
	Charted   bool     // other files that the app is rendered from differ from the revision before
}

// Told is a release that people know to be live, or to have failed.
type Told struct {
	Content  Content
	Revision Revision
	How      How
	At       time.Time
	Failed   bool
}

// Update is one change of what an app runs in an environment, from when it is
// first seen until it is told and can get no better.
type Update struct {
	ID         string // the same whoever sees it, and after every restart
	How        How
	To         Content
	Commit     Revision // that brought it, "" if none did
	Edit       *Edit    // of a commit to the app's own files
	By         string   // who asked Argo CD for it
	Rollback   bool     // to a release that the environment ran before
	Regression bool     // Argo CD went back by itself
	Synced     bool     // Argo CD has deployed it, be it live or not
	Opened     time.Time
	Late       bool // it may have been out before the bot saw it, so how long it took is not known
	Baseline   Baseline
	Progress   Progress
	Outcome    Stage     // the stage that was told last, "" if none was
	FailedAt   time.Time // when a failure was first told
	From       Told      // what people knew before that
	Skipped    []Skipped // updates that it replaced before they were seen live
}

// Suspect is that the cluster runs what Argo CD did not deploy. Argo CD may be
// about to put it right.
type Suspect struct {
	Live  Tag
	Since time.Time
}

// Astray is that what runs is not what the layer says.
type Astray struct {
	Live, Git Tag
	Since     time.Time
	Warned    string // id of the warning, "" before there is one
}

// Alignment is that dev is to follow prod.
type Alignment struct {
	Update string // of prod
	To     Tag
	Since  time.Time
	Wait   string // what is waited for, "" if that is not known yet
}

// Telling is an update that people are to be told of now: for the first time,
// or because how it stands has changed.
type Telling struct {
	Update    Update
	From      Told          // what they knew before
	Kind      NoticeKind    //
	Took      time.Duration // from when it was seen until now; 0 if that is not known
	Recovered time.Duration // since its failure was told; 0 if none was
	Warning   *Astray       // of a warning, what it warns of
	Over      bool          // it is over
}

// Record is what automation stores in one step: all of it, or nothing.
type Record struct {
	Ledgers []Ledger
	Notices []Notice // new, or changed
	Hold    *Hold    // to be put on
	Lift    App      // whose hold is to be lifted, "" for none
}

// Adopt begins a ledger with what there is. Nobody is told of that, but of what
// waits to be deployed people will be.
func Adopt(app App, env Environment, s Snapshot, tip Revision, now Content, deployed Deployed, at time.Time) Ledger {
	told := Told{Content: now, Revision: tip, How: HowCommit, At: at}
	if tag := deployed.Content.Tag; tag != "" && tag != now.Tag {
		told.Content, told.Revision = deployed.Content, deployed.Revision
	}
	return Ledger{
		App: app, Environment: env.Name, Application: s.Name, UID: s.UID,
		Cursor: tip, Content: now, Deployed: deployed, Told: told,
	}
}

// id names an update of this app: in each way there is only one with that key.
func (l Ledger) id(how How, key string) string {
	return l.Environment + "/" + string(l.App) + "/" + string(how) + "/" + key
}

// number is a key for what has none of its own.
func (l *Ledger) number() string {
	l.Seq++
	return strconv.Itoa(l.Seq)
}

// baseline is the Application as it was when the last sync had been taken in.
// What there was to compare with is not known, so any comparison counts as new.
func (l Ledger) baseline() Baseline {
	return Baseline{UID: l.UID, HistoryID: l.Deployed.HistoryID, StartedAt: l.Deployed.StartedAt}
}

// Remade is the ledger once the Application was deleted and made anew: its
// history begins again, and what is on its way is judged by the new one.
func (l Ledger) Remade(uid string) Ledger {
	l.UID = uid
	l.Deployed = Deployed{HistoryID: -1, Revision: l.Deployed.Revision, Content: l.Deployed.Content}
	l.Open = slices.Clone(l.Open)
	for i := range l.Open {
		l.Open[i].Baseline = l.baseline()
	}
	return l
}

// TakeEdits takes in what the branch has gained since the cursor. late says
// that it may be there for long, since the bot was away.
func (l Ledger) TakeEdits(h History, late bool, now time.Time) Ledger {
	if h.Tip == l.Cursor {
		return l
	}
	edits, again := h.Edits, ""
	if !h.Whole {
		// The branch was rewritten, or has gone on too far: what is in the list may
		// have been taken in before. Only where it ends is certain.
		edits = nil
		if !h.Now.Same(l.Content) {
			edits = []Edit{{Revision: h.Tip, Before: l.Content, After: h.Now, Subject: "the branch was rewritten, or has gone on too far to be read back"}}
			if len(h.Edits) > 0 && h.Edits[0].After.Same(h.Now) {
				edits = h.Edits[:1]
			}
			again = "-" + l.number() // the branch may have come to this commit before
		}
	}
	for _, e := range slices.Backward(edits) {
		// A layer without a readable tag cannot be proven to run.
		if e.Before.Same(e.After) || e.After.Tag == "" || l.knows(e.Revision) {
			continue
		}
		l.Open = append(slices.Clone(l.Open), Update{
			ID: l.id(HowCommit, string(e.Revision)+again), How: HowCommit, To: e.After, Commit: e.Revision, Edit: &e,
			Opened: now, Late: late, Baseline: l.baseline(), Progress: Progress{Stage: StageCommitted, Since: now},
		})
	}
	l.Cursor, l.Content = h.Tip, h.Now
	return l
}

func (l Ledger) knows(commit Revision) bool {
	return l.Told.How == HowCommit && l.Told.Revision == commit ||
		slices.ContainsFunc(l.Open, func(u Update) bool { return u.Edit != nil && u.Commit == commit })
}

// NewSyncs are the syncs that the snapshot shows and the ledger has not taken
// in, oldest first; source is the one that is followed. What Git says of their
// revisions is still to be filled in.
func (l Ledger) NewSyncs(s Snapshot, source int) []Deployed {
	var found []Deployed
	for _, d := range s.History {
		if r := at(d.Revisions, source); d.ID > l.Deployed.HistoryID && r.IsCommit() {
			found = append(found, Deployed{HistoryID: d.ID, Revision: r, By: d.By})
		}
	}
	slices.SortFunc(found, func(a, b Deployed) int { return int(a.HistoryID - b.HistoryID) })
	last := s.Operation
	if last == nil || running(last) || last.DryRun || last.Phase != "Succeeded" || last.StartedAt == l.Deployed.StartedAt {
		return found
	}
	r := at(last.Result, source)
	if !r.IsCommit() {
		return found
	}
	if n := len(found) - 1; n >= 0 && found[n].Revision == r {
		found[n].StartedAt, found[n].Unchanged = last.StartedAt, last.Unchanged
		return found
	}
	// One that did not sync everything enters no history (argo-cd#27875).
	return append(found, Deployed{HistoryID: max(s.HistoryID, l.Deployed.HistoryID), StartedAt: last.StartedAt, Revision: r, By: last.By, Unchanged: last.Unchanged})
}

// TakeSync takes in a sync. It opens an update where the sync deployed
// something else than people know of, or than was on its way, and no commit
// accounts for it.
func (l Ledger) TakeSync(d Deployed, late bool, now time.Time) Ledger {
	before := l.Deployed
	l.Deployed = d
	l = l.replaced(now, func(u Update) bool { return !u.To.Same(d.Content) })
	if d.Unchanged && d.Content.Tag == l.Told.Content.Tag && !l.Told.Failed {
		return l // nothing was deployed: what waits to be, still does
	}
	last := l.synced()
	if i := l.accounts(d, last); i >= 0 {
		if u := &l.Open[i]; !u.Synced {
			u.Synced, u.By = true, d.By
			if u.Progress.Stage == StageSuperseded {
				u.onlySync(now)
			}
		}
		return l
	}
	u := Update{
		To: d.Content, Commit: d.Revision, By: d.By, Regression: d.Older && d.By == "", Synced: true, Opened: now, Late: late,
		Baseline: Baseline{UID: l.UID, HistoryID: before.HistoryID, StartedAt: before.StartedAt},
		Progress: Progress{Stage: StageSyncing, Since: now},
	}
	underWay := last >= 0 && l.Open[last].Outcome == "" && !l.Open[last].To.Same(d.Content)
	switch {
	case d.Content.Tag == "":
		return l
	case !d.Content.Same(l.Told.Content), l.Told.Failed, underWay:
		u.How = HowSync
		u.ID = l.id(HowSync, l.UID+"-"+strconv.FormatInt(d.HistoryID, 10)+"-"+d.StartedAt)
	case d.Charted && len(l.Rollouts) > 0:
		u.How, u.ID, u.Regression = HowChart, l.id(HowChart, string(d.Revision)), false
	default:
		return l
	}
	l = l.replaced(now, func(Update) bool { return true })
	l.Open = slices.Insert(l.Open, l.synced()+1, u)
	return l
}

// synced is the index of the update that Argo CD has deployed last, -1 if none
// of the open ones was.
func (l Ledger) synced() int {
	for i, u := range slices.Backward(l.Open) {
		if u.Synced {
			return i
		}
	}
	return -1
}

// accounts is the index of the open update that a sync carries out, -1 if it is
// none: the last that was synced once more, or a commit that was not synced so
// far. A sync of what was synced before the last goes back.
func (l Ledger) accounts(d Deployed, last int) int {
	found := -1
	for i, u := range l.Open {
		switch {
		case !u.To.Same(d.Content):
		case i == last && u.Progress.Stage != StageSuperseded:
			found = i
		case i > last && u.Commit == d.Revision:
			return i
		case i > last:
			found = i
		}
	}
	return found
}

// onlySync has a commit that Git has moved on from, and that Argo CD deployed
// all the same, be judged by that sync.
func (u *Update) onlySync(now time.Time) {
	u.How, u.Progress = HowSync, Progress{Stage: StageSyncing, Since: now}
}

// replaced ends updates that are no commit's, for Argo CD has one sync at a
// time. What became of a commit is seen by itself.
func (l Ledger) replaced(now time.Time, which func(Update) bool) Ledger {
	l.Open = slices.Clone(l.Open)
	for i := range l.Open {
		if u := &l.Open[i]; u.How != HowCommit && which(*u) {
			u.Progress = u.Progress.Enter(StageSuperseded, now)
		}
	}
	return l
}

// Apart says that what an update deploys is not what the branch says, so that
// the Application is not expected to be in sync.
func (l Ledger) Apart(u Update) bool { return u.How == HowSync && !u.To.Same(l.Content) }

// Operation is the update in the form that [Observe] judges.
func (l Ledger) Operation(u Update, env Environment) Operation {
	op := Operation{
		ID: u.ID, Kind: KindObserved, App: l.App, Environment: l.Environment, Application: l.Application,
		To: u.To.Tag, Repository: u.To.Repository, Created: u.Opened, Baseline: u.Baseline, Progress: u.Progress, Apart: l.Apart(u),
	}
	if u.How == HowCommit {
		op.Commit, op.Path, op.Values = u.Commit, env.LayerPath(l.App), env.ValuesPath(l.App)
	}
	return op
}

// update is the update with the id.
func (l Ledger) update(id string) (int, bool) {
	i := slices.IndexFunc(l.Open, func(u Update) bool { return u.ID == id })
	return i, i >= 0
}

// Progressed takes in how an update stands now. rollouts are the numbers of the
// workloads' rollouts where they were read, nil where they were not. The
// telling is nil while there is nothing to tell.
func (l Ledger) Progressed(id string, p Progress, rollouts map[string]string, now time.Time) (Ledger, *Telling) {
	i, found := l.update(id)
	if !found {
		return l, nil
	}
	l.Open = slices.Clone(l.Open)
	u := &l.Open[i]
	if u.Progress.Stage == StageSuperseded {
		return l, nil // it was still on its way when that was found
	}
	u.Progress = p
	switch {
	case p.Stage == StageSuperseded && u.How == HowCommit && i == l.synced():
		u.onlySync(now)
		return l, nil
	case p.Stage == StageHealthy:
		return l.live(i, rollouts, now)
	case p.Stage == StageSuperseded && u.Outcome != "":
		// It was told as failed, and what came after it is told by itself.
		l.Open = slices.Delete(l.Open, i, i+1)
		return l, nil
	case p.Stage == StageSuperseded:
		return l.named(i)
	case !p.Stage.Failed():
		return l, nil
	case u.Outcome == p.Stage, u.Outcome != "" && p.Stage == StageDegraded:
		return l, nil
	}
	return l.failed(i, now)
}

// named has the superseded update at i named by the one that replaced it, if
// that was told as failed already. Otherwise it will be when that is told.
func (l Ledger) named(i int) (Ledger, *Telling) {
	next := slices.IndexFunc(l.Open[i+1:], func(u Update) bool { return u.Outcome != "" })
	if next < 0 {
		return l, nil
	}
	by := l.Open[i+1+next]
	by.Skipped = append(l.Open[i].skipped(), by.Skipped...)
	l.Open[i+1+next] = by
	l.Open = slices.Delete(l.Open, i, i+1)
	t := &Telling{Update: by, From: by.From, Kind: by.kind(by.From)}
	t.Update.Progress.Stage = by.Outcome // it may be on its way once more
	return l, t
}

// live takes in that the update at i is what runs, proven. What stands before
// it and is not through can only have been replaced by it.
func (l Ledger) live(i int, rollouts map[string]string, now time.Time) (Ledger, *Telling) {
	u, before := l.Open[i], l.Told
	left := false // what people know of had been left
	u.Skipped = slices.Clone(u.Skipped)
	for _, o := range l.Open[:i] {
		u.Skipped = append(u.Skipped, o.skipped()...)
		left = left || o.Synced && !o.To.Same(u.To)
	}
	// Settings that came into being without any sync had no effect.
	unchanged := u.To.Same(before.Content) || u.Progress.Memory.Had && !u.Synced && u.To.Tag == before.Content.Tag
	if u.How == HowChart {
		unchanged = len(rollouts) == 0 || len(l.Rollouts) == 0 || maps.Equal(rollouts, l.Rollouts)
	}
	l.Open = slices.DeleteFunc(slices.Clone(l.Open[i+1:]), Update.past)
	l.Told = Told{Content: u.To, Revision: u.Commit, How: u.How, At: now}
	if len(rollouts) > 0 {
		l.Rollouts = rollouts
	}
	l.Suspect = nil
	t := &Telling{From: before}
	switch {
	case u.Outcome != "": // told as failed before
		t.From, t.Recovered = u.From, max(now.Sub(u.FailedAt), time.Second)
	case unchanged && !left && !before.Failed:
		return l, nil
	}
	if !u.Late {
		t.Took = now.Sub(u.Opened)
	}
	u.Outcome = StageHealthy
	t.Update, t.Kind = u, u.kind(t.From)
	return l, t
}

// failed takes in that the update at i has failed, which may not be its end.
func (l Ledger) failed(i int, now time.Time) (Ledger, *Telling) {
	u := l.Open[i]
	if u.Outcome == "" {
		u.FailedAt, u.From = now, l.Told
		l.Told = Told{Content: u.To, Revision: u.Commit, How: u.How, At: now, Failed: true}
		u.Skipped = slices.Clone(u.Skipped)
		var kept []Update
		for _, o := range l.Open[:i] {
			if u.Synced || o.Progress.Stage == StageSuperseded {
				u.Skipped = append(u.Skipped, o.skipped()...)
			} else if !o.past() {
				kept = append(kept, o)
			}
		}
		l.Open, i = append(kept, l.Open[i:]...), len(kept)
	}
	u.Outcome = u.Progress.Stage
	l.Open[i] = u
	return l, &Telling{Update: u, From: u.From, Kind: u.kind(u.From)}
}

// past says that people know of the failure and no sync was seen. Once they
// have been told of another update, its recovery would be another one again.
func (u Update) past() bool { return u.Outcome != "" && !u.Synced }

// skipped names an update in the notice of the one that replaced it, after
// those that it replaced itself. One that was told as failed is known already,
// and so are those.
func (u Update) skipped() []Skipped {
	list := slices.Clone(u.Skipped)
	switch {
	case u.Outcome != "":
		return nil
	case u.How == HowChart:
		return list
	}
	s := Skipped{Tag: u.To.Tag, Commit: u.Commit, Note: u.fate()}
	if u.Edit != nil {
		for _, a := range u.Edit.Authors {
			s.Authors = append(s.Authors, a.Name)
		}
	} else if u.By != "" {
		s.Authors = []string{u.By}
	}
	return append(list, s)
}

// fate is what is known of an update that was replaced.
func (u Update) fate() string {
	switch {
	case u.Late:
		return "it came and went while the bot was away"
	case u.Synced:
		return "it was replaced before all of it was seen live"
	}
	return "it was replaced before it was seen to be deployed"
}

// kind is what the update is to people who know of before.
func (u Update) kind(before Told) NoticeKind {
	switch {
	case u.Regression:
		return NoticeRegression
	case u.How == HowChart:
		return NoticeChart
	case u.Rollback:
		return NoticeRollback
	case u.To.Tag == before.Content.Tag && u.Edit != nil:
		return NoticeSettings
	}
	return NoticeRelease
}

// IsRollback says that the update goes back to a tag that the environment had
// before. The history is all that is known of it.
func (u Update) IsRollback(all History) bool {
	switch {
	case u.How == HowChart, u.Edit != nil && u.Edit.Before.Tag == u.Edit.After.Tag:
		return false
	case u.Edit == nil && u.To.Tag == all.Now.Tag:
		return false // the newest that Git says
	}
	if i := slices.IndexFunc(all.Edits, func(e Edit) bool { return e.Revision == u.Commit }); i >= 0 && u.Edit != nil {
		all = History{Now: u.To, Edits: all.Edits[i:], Whole: all.Whole} // as it was by then
	}
	back, known := Rollback(all, u.To.Tag)
	return back && known
}

// Drop forgets an update that has ended and can no longer get better, or that
// was watched for long enough. One that was superseded is still to be named.
func (l Ledger) Drop(id string) Ledger {
	i, found := l.update(id)
	if found && l.Open[i].Progress.Stage.Ended() && l.Open[i].Progress.Stage != StageSuperseded {
		l.Open = slices.Delete(slices.Clone(l.Open), i, i+1)
	}
	return l
}

// Quiet says that no update is on its way or failing.
func (l Ledger) Quiet() bool {
	return !slices.ContainsFunc(l.Open, func(u Update) bool { return u.Progress.Stage != StageSuperseded })
}

// suspectTime is how long the cluster may run what Argo CD did not deploy
// before that is an update: self-heal puts it right within seconds.
const suspectTime = 10 * time.Second

// TakeLive takes in what the cluster itself runs. It is asked while all is
// quiet and something is odd. It opens an update, told at once, where somebody
// changed the cluster; and it warns where it runs what Git does not say for
// longer than Argo CD may need to notice a commit.
func (l Ledger) TakeLive(live Live, rules Rules, now time.Time) (Ledger, []Telling) {
	tag, settled := l.running(live)
	if tag == "" || !l.Quiet() {
		l.Suspect = nil
		return l, nil
	}
	var told []Telling
	if t := l.outside(tag, settled, now); t != nil {
		told = append(told, *t)
	}
	if t := l.astray(tag, rules, now); t != nil {
		told = append(told, *t)
	}
	return l, told
}

// running is the one tag that the app's workloads run, "" if there is none, or
// more than one, and whether they run it completely.
func (l Ledger) running(live Live) (tag Tag, settled bool) {
	if live.Problem != "" || live.Session != nil {
		return "", false
	}
	repository := l.Content.Repository
	workloads := live.Of(repository)
	if repository == "" {
		workloads = live.App("", l.Told.Content.Tag)
	}
	for _, w := range workloads {
		for _, image := range w.Images {
			name, t := SplitImage(image)
			if repository != "" && name != repository {
				continue
			}
			if tag != "" && t != tag {
				return "", false
			}
			tag = t
		}
	}
	return tag, all(workloads, Workload.Settled)
}

func (l *Ledger) outside(tag Tag, settled bool, now time.Time) *Telling {
	known := tag == l.Told.Content.Tag || tag == l.Deployed.Content.Tag && l.Told.How != HowOutside
	switch {
	case known:
		l.Suspect = nil
		return nil
	case l.Suspect == nil || l.Suspect.Live != tag:
		l.Suspect = &Suspect{tag, now}
		return nil
	case !settled || now.Sub(l.Suspect.Since) < suspectTime:
		return nil
	}
	to := l.Deployed.Content
	to.Tag = tag
	u := Update{
		ID: l.id(HowOutside, l.number()), How: HowOutside, To: to, Opened: l.Suspect.Since,
		Progress: Progress{Stage: StageHealthy, Since: now}, Outcome: StageHealthy,
	}
	t := &Telling{Update: u, From: l.Told, Kind: NoticeRelease}
	l.Told, l.Suspect = Told{Content: to, How: HowOutside, At: now}, nil
	return t
}

func (l *Ledger) astray(tag Tag, rules Rules, now time.Time) *Telling {
	git := l.Content.Tag
	a := l.Astray
	switch {
	case tag == git || git == "":
		l.Astray = nil
		if a == nil || a.Warned == "" {
			return nil
		}
		return &Telling{Update: l.warning(*a), Kind: NoticeDrift, Warning: a, Over: true}
	case a == nil || a.Live != tag || a.Git != git:
		next := &Astray{Live: tag, Git: git, Since: now}
		if a != nil && a.Warned != "" { // the warning stands; what it says has changed
			next.Since, next.Warned = a.Since, a.Warned
			l.Astray = next
			return &Telling{Update: l.warning(*next), Kind: NoticeDrift, Warning: next}
		}
		l.Astray = next
		return nil
	case a.Warned != "" || now.Sub(a.Since) < rules.Noticed:
		return nil
	}
	warned := *a
	warned.Warned = l.id("astray", l.number())
	l.Astray = &warned
	return &Telling{Update: l.warning(warned), Kind: NoticeDrift, Warning: &warned}
}

func (l Ledger) warning(a Astray) Update {
	return Update{ID: a.Warned, How: HowOutside, To: Content{Tag: a.Live}, Opened: a.Since, Progress: Progress{Stage: StageHealthy}}
}

// Reopened is the progress of an update that has failed, as it is watched on:
// it may recover.
func (p Progress) Reopened(now time.Time) Progress {
	stage := StageCommitted
	if p.Memory.Applied {
		stage, p.Memory.AppliedAt = StageRollingOut, now
	}
	p = p.Enter(stage, now)
	p.Memory.Idle, p.Memory.Drifts = 0, 0
	return p
}
