package release

import "time"

// Kind is what an operation is for.
type Kind string

// The kinds of operation.
const (
	KindPromote  Kind = "promote"
	KindResetDev Kind = "reset-dev"
	KindRollback Kind = "rollback"
	KindAlign    Kind = "align"    // the bot's own: dev follows prod
	KindObserved Kind = "observed" // somebody else's: nothing is done, only seen
)

// Operation is anything that changes a layer or asks Argo CD to sync. It is
// stored before its first outside effect and after each, so that a restarted
// process continues at the step where it stopped. Its ID is in the commit's
// trailers and in the Slack message's metadata, so that store, Git and Slack
// can each be reconciled from another.
type Operation struct {
	ID          string // ULID
	Kind        Kind
	App         App
	Environment string // the one that changes
	Application string // its Argo CD Application
	Path        string // the layer to write; "" if this operation only syncs
	Values      string // path of a file that must be as the commit has it, too; "" for none
	Apart       bool   // it deploys what the branch does not say, so that being in sync is not expected
	From, To    Tag
	Repository  string // image repository, to know the app's workloads by; "" if the layer names none
	By          Person
	Forced      bool     // the dev-health checks were passed over by right
	Notes       []string // what people should know: differing keys, what was passed over
	Delivery    string   // the request it came from: one request is at most one operation
	Asked       Channel  // where it was asked for
	Message     Place    // its one message; zero until it is posted
	Reply       Place    // the one thread reply that tells of its failure; zero until posted
	Base        Revision // the branch's tip when the change was decided
	Commit      Revision // "" until it is pushed
	Supersedes  string   // id of the unfinished operation it takes over from
	Created     time.Time
	Baseline    Baseline // the Application before the first outside effect
	Progress    Progress
	Told        bool // its end has been shown; nothing is left to do
	Lease       Lease
}

// Moved says that the Application has moved on from the operation's baseline:
// a sync was requested, begun or recorded since.
func (o Operation) Moved(s Snapshot) bool {
	return s.Requested != nil || s.HistoryID > o.Baseline.HistoryID ||
		s.Operation != nil && s.Operation.StartedAt != o.Baseline.StartedAt
}

// Yields says whether one of that kind may take over from this operation. A
// rollback does not wait for a rollout, only until it is known what was written.
func (o Operation) Yields(to Kind) bool {
	return !o.Progress.Advancing() || to == KindRollback && o.Progress.Stage != StageWriting
}

// Made says that an edit is what the operation wrote, and not a copy of its
// commit with the same trailers.
func (o Operation) Made(e Edit) bool {
	return o.ID == e.Trailers["Operation-Id"] && (o.Commit == e.Revision || o.Commit == "" && !o.Progress.Stage.Ended())
}

// Writes tells an operation that makes a commit from one that only syncs.
func (o Operation) Writes() bool { return o.Path != "" }

// Target is the channel for an operation's message: where it was asked for, or
// the fallback where the bot has no part in the conversation, where another
// organisation reads along, and for what was not asked for in Slack.
func Target(op Operation, fallback string) string {
	if op.Asked.ID == "" || op.Asked.Direct || op.Asked.Shared {
		return fallback
	}
	return op.Asked.ID
}

// Lease says which process works on a stored thing. A save under a lease that
// has since passed to another owner is refused by its fence.
type Lease struct {
	Owner string
	Fence int64 // grows with each change of owner
	Until time.Time
}

// Change is one edit of one layer as compare-and-set: From becomes To. It
// holds all that goes into the commit, so that the same change on the same
// parent is the same commit, however often it is made.
type Change struct {
	Operation string // its trailer is how a pushed commit is known again
	Path      string
	From, To  Tag
	Base      Revision // no commit of this change is older than this one
	Author    Identity
	Message   string
	At        time.Time
}

// Stage is how far an operation has come. A stage is claimed only on proof;
// see [Observe].
type Stage string

// The stages on the way, and the ends.
const (
	StageWriting    Stage = "writing"     // deciding, committing, pushing; or asking Argo CD to sync
	StageCommitted  Stage = "committed"   // the branch has the commit
	StageNoticed    Stage = "noticed"     // Argo CD compares or syncs a revision that contains it
	StageSyncing    Stage = "syncing"     // Argo CD applies it
	StageRollingOut Stage = "rolling out" // applied; the cluster is getting there
	StageDegraded   Stage = "degraded"    // applied and failing; may recover

	StageHealthy       Stage = "healthy"
	StageNoEffect      Stage = "no effect"       // Argo CD is in sync with the commit and nothing changed
	StageRefused       Stage = "refused"         // decided against after it was stored; nothing was written
	StageFailedToWrite Stage = "failed to write" // the host refused the push, or the change could not be made
	StageSyncFailed    Stage = "sync failed"
	StageStillDegraded Stage = "degraded at the deadline"
	StageStillHot      Stage = "still hot" // synced, and a live session is still there, or cannot be ruled out
	StageSuperseded    Stage = "superseded"
	StageTimedOut      Stage = "timed out"
	StageGone          Stage = "gone" // the Application was deleted
)

// Ended tells an end from a stage on the way.
func (s Stage) Ended() bool {
	switch s {
	case StageWriting, StageCommitted, StageNoticed, StageSyncing, StageRollingOut, StageDegraded:
		return false
	}
	return true
}

// MayRecover tells the ends after which all may yet become well.
func (s Stage) MayRecover() bool {
	return s == StageSyncFailed || s == StageStillDegraded || s == StageTimedOut
}

// Failed tells the stages in which a person should look: failures, and
// degraded, which may still recover.
func (s Stage) Failed() bool {
	switch s {
	case StageRefused, StageFailedToWrite, StageSyncFailed, StageStillDegraded, StageStillHot, StageTimedOut, StageGone, StageDegraded, StageNoEffect:
		return true
	}
	return false
}

// Advancing says that an operation still has its app and environment to
// itself: a new request is refused, where otherwise it supersedes.
func (p Progress) Advancing() bool {
	return !p.Stage.Ended() && p.Stage != StageDegraded && !p.Stalled
}
