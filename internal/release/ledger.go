package release

import (
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
	Brings    Revision // of the [Ledger.Brought], the newest that it contains, "" for none
	By        string   // who asked for it, "" if Argo CD did it by itself
	Older     bool     // the revision is older than the one deployed before, or on another branch
	Unchanged bool     // it found everything as it was to be
	Chart     *Edit    // the newest commit that changed other files that the app is rendered from; nil if none did since the revision before
}

// Told is a release that people know to be live, or to have failed.
type Told struct {
	Content  Content
	Revision Revision
	How      How
	At       time.Time
	Failed   bool
	Seen     bool // live, and not only there when the bot first looked
}

// Update is one change of what an app runs in an environment, from when it is
// first seen until it is told and can get no better.
type Update struct {
	ID         string // the same whoever sees it, and after every restart
	How        How
	To         Content
	Commit     Revision // that brought it, "" if none did
	Edit       *Edit    // of a commit to the app's own files
	Chart      *Edit    // of the commit to other files that rolled it out anew
	By         string   // who asked Argo CD for it
	Rollback   bool     // to a release that the environment ran before
	Rewritten  bool     // another tag by a way that is not known, so it may be a rollback
	Regression bool     // Argo CD went back by itself
	Older      bool     // the sync was of an older revision than the one deployed before, or of another branch
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

// MayGoBack says that the update goes back to an earlier release, or that
// whether it does cannot be told.
func (u Update) MayGoBack() bool { return u.Rollback || u.Regression || u.Rewritten }

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
			Rewritten: !h.Whole && e.After.Tag != e.Before.Tag,
			Opened:    now, Late: late, Baseline: l.baseline(), Progress: Progress{Stage: StageCommitted, Since: now},
		})
	}
	l.Cursor, l.Content = h.Tip, h.Now
	return l
}

func (l Ledger) knows(commit Revision) bool {
	return l.Told.How == HowCommit && l.Told.Revision == commit ||
		slices.ContainsFunc(l.Open, func(u Update) bool { return u.Edit != nil && u.Commit == commit })
}
