package release

import (
	"slices"
	"time"
)

// evidence is what one look says about our effect. A revision has our effect
// if it contains our commit and the layer still has our tag there; for an
// operation that only syncs, every sync since the baseline has it.
type evidence struct {
	looked    bool // some source we follow was last compared at a revision with our effect
	compared  bool // every one was
	requested bool // an operation to such a revision is queued or running
	foreign   bool // the operation that is queued or running is known to be to another one
	ended     bool // the last operation was to such a revision, and is over
	applied   bool // a sync with our effect has succeeded
	had       bool // and found everything as it was to be
	quiet     bool // no operation is queued or running, and Argo CD has compared after the last one
	anew      bool // compared, and later than the baseline and the last look that was
	idle      bool // anew and in sync, and no sync can have made it so

	folded    Revision // what was applied first, if it is newer than ours
	older     Revision // compared, and older than ours
	overtaken Revision // contains our commit, and our tag is no longer there
	rewritten Revision // compared instead of ours: neither contains the other
	regressed Revision // deployed by the last operation, without our commit in it
	start     string   // of the last operation
}

func weigh(op Operation, look Look) evidence {
	var e evidence
	if op.Writes() {
		e = weighCommit(op, look)
	} else {
		e = weighSync(op, look.Snapshot)
	}
	s, last := look.Snapshot, look.Snapshot.Operation
	if last != nil {
		e.start = last.StartedAt
	}
	e.quiet = !s.Busy() && (last == nil || notBefore(s.ReconciledAt, last.FinishedAt))
	e.anew = e.compared && s.ReconciledAt != op.Progress.Memory.Reconciled && s.ReconciledAt != op.Baseline.ReconciledAt
	e.idle = op.Writes() && e.anew && s.Sync == "Synced" && !s.Busy() && look.knowsSyncsSince(op.Baseline)
	return e
}

// weighCommit looks for our commit.
func weighCommit(op Operation, look Look) evidence {
	s, last := look.Snapshot, look.Snapshot.Operation
	current, past := s.syncs()
	e := evidence{
		looked:   look.first(Fact.effective, s.Revisions) != "",
		compared: look.every(s.Revisions, Fact.effective),
	}
	if s.Busy() && (last == nil || !last.DryRun || !running(last)) {
		e.requested = look.first(Fact.effective, current...) != ""
		e.foreign = look.first(Fact.without, current...) != ""
	}
	e.older = look.first(Fact.older, s.Revisions)
	e.overtaken = look.first(Fact.overtaken, slices.Concat([][]Revision{s.Revisions}, current, past)...)
	if look.first(Fact.Contains, s.Revisions) == "" {
		e.rewritten = look.first(Fact.diverged, s.Revisions)
	}
	if last != nil && !last.DryRun {
		e.ended = look.first(Fact.effective, past...) != ""
		if last.Phase == "Succeeded" {
			e.applied = look.every(last.Result, Fact.effective)
			e.had = e.applied && last.Unchanged
			e.folded = look.first(Fact.newer, last.Result)
			e.regressed = look.first(Fact.without, last.Result)
		}
	}
	// The operation that applied ours may have been overwritten by a later one.
	for _, d := range s.done() {
		if d.ID > op.Baseline.HistoryID && look.every(d.Revisions, Fact.effective) {
			e.applied, e.folded = true, look.first(Fact.newer, d.Revisions)
			break
		}
	}
	return e
}

// knowsSyncsSince says that Git knows the revisions of all syncs that the
// snapshot shows since the baseline, so that none can have been ours unseen.
func (l Look) knowsSyncsSince(b Baseline) bool {
	if last := l.Snapshot.Operation; begun(b, last) {
		synced := last.Result
		if len(synced) == 0 {
			synced = last.Requested // it failed before it got there
		}
		if !l.every(synced, Fact.known) {
			return false
		}
	}
	return all(l.Snapshot.History, func(d Deployment) bool { return d.ID <= b.HistoryID || l.every(d.Revisions, Fact.known) })
}

// weighSync weighs for an operation that only syncs. There is no commit to look
// for: our effect is a sync that is newer than the baseline.
func weighSync(op Operation, s Snapshot) evidence {
	last := s.Operation
	e := evidence{compared: true, requested: s.Busy()}
	e.ended = begun(op.Baseline, last) && !running(last) && !last.DryRun
	e.applied = e.ended && last.Phase == "Succeeded" || s.HistoryID > op.Baseline.HistoryID
	e.had = e.ended && last.Phase == "Succeeded" && last.Unchanged
	return e
}

// begun says that the operation was begun after the baseline.
func begun(b Baseline, o *SyncOperation) bool { return o != nil && o.StartedAt != b.StartedAt }

// syncs are the revisions of the operation that is queued or running, and of
// the last one that is over.
func (s Snapshot) syncs() (current, past [][]Revision) {
	if s.Requested != nil {
		current = append(current, s.Requested.Revisions)
	}
	switch o := s.Operation; {
	case o == nil:
	case running(o):
		current = append(current, o.Requested, o.Result)
	default:
		past = [][]Revision{o.Requested, o.Result}
	}
	return current, past
}

// done is the deployment history without the operation that is running. Argo CD
// records it shortly before it ends, which is when it says what it changed.
func (s Snapshot) done() []Deployment {
	if s.Operation == nil || !running(s.Operation) {
		return s.History
	}
	return slices.DeleteFunc(slices.Clone(s.History), func(d Deployment) bool { return d.StartedAt == s.Operation.StartedAt })
}

// every says that the revisions of all sources we follow are so.
func (l Look) every(revisions []Revision, ok func(Fact) bool) bool {
	return len(l.Sources) > 0 && all(l.Sources, func(i int) bool { return ok(l.Facts[at(revisions, i)]) })
}

// first is the first revision of a source we follow that is so, "" if none is.
func (l Look) first(ok func(Fact) bool, lists ...[]Revision) Revision {
	for _, revisions := range lists {
		for _, i := range l.Sources {
			if r := at(revisions, i); ok(l.Facts[r]) {
				return r
			}
		}
	}
	return ""
}

func (f Fact) effective() bool { return f.Contains() && f.Keeps }
func (f Fact) overtaken() bool { return f.Contains() && !f.Keeps }
func (f Fact) newer() bool     { return f.Relation == RelationNewer }
func (f Fact) older() bool     { return f.Relation == RelationOlder }
func (f Fact) diverged() bool  { return f.Relation == RelationDiverged }
func (f Fact) without() bool   { return f.older() || f.diverged() }
func (f Fact) known() bool     { return f.Relation != RelationUnknown }

// running tells a sync that is under way, or between two attempts, from one
// that is over. While it retries, finishedAt is set and the phase stays Running.
func running(o *SyncOperation) bool { return o.Phase == "Running" || o.Phase == "Terminating" }

// notBefore compares two of the cluster's own times. An empty or unreadable one
// proves nothing.
func notBefore(a, b string) bool {
	x, errA := time.Parse(time.RFC3339, a)
	y, errB := time.Parse(time.RFC3339, b)
	return errA == nil && errB == nil && !x.Before(y)
}

// remember adds to the memory what this look shows and the next may not.
func (m *Memory) remember(e evidence, look Look) {
	s := look.Snapshot
	if e.applied && !m.Applied {
		m.Applied, m.AppliedAt, m.Had = true, look.At, e.had
		if e.had {
			m.AppliedStart = e.start
		}
	}
	m.Compared = m.Compared || e.looked
	if !e.anew {
		return
	}
	m.Reconciled = s.ReconciledAt
	if m.Applied && e.quiet && s.Sync == "OutOfSync" {
		m.Drifts++
	}
}
