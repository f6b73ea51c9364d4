package release

import (
	"slices"
	"strconv"
	"time"
)

// NewSyncs are the syncs that the snapshot shows and the ledger has not taken
// in, oldest first; source is the one that is followed. What Git says of their
// revisions is still to be filled in.
func (l Ledger) NewSyncs(s Snapshot, source int) []Deployed {
	var found []Deployed
	for _, d := range s.done() {
		if r := at(d.Revisions, source); d.ID > l.Deployed.HistoryID && r.IsCommit() {
			found = append(found, Deployed{HistoryID: d.ID, StartedAt: d.StartedAt, Revision: r, By: d.By})
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
	if n := len(found) - 1; n >= 0 && found[n].Revision == r && (found[n].StartedAt == "" || found[n].StartedAt == last.StartedAt) {
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
	if d.Chart != nil { // what failed is another commit's
		l = l.replaced(now, func(u Update) bool { return u.How == HowChart && u.Outcome != "" })
	}
	last := l.synced()
	if i := l.accounts(d, last); i >= 0 {
		if u := &l.Open[i]; u.How == HowChart && d.Chart != nil {
			u.Chart, u.Commit = d.Chart, d.Revision
		}
		if u := &l.Open[i]; !u.Synced {
			u.Synced, u.By = true, d.By
			if u.Progress.Stage == StageSuperseded {
				u.onlySync(now)
			}
		}
		return l
	}
	u := Update{
		To: d.Content, Commit: d.Revision, By: d.By, Regression: d.Older && d.By == "", Synced: true, Older: d.Older, Opened: now, Late: late,
		Baseline: Baseline{UID: l.UID, HistoryID: before.HistoryID, StartedAt: before.StartedAt},
		Progress: Progress{Stage: StageSyncing, Since: now},
	}
	underWay := last >= 0 && l.Open[last].Outcome == "" && !l.Open[last].To.Same(d.Content)
	switch {
	case d.Content.Tag == "":
		return l
	case !d.Content.Same(l.Told.Content), l.Told.Failed && !(l.Told.How == HowChart && d.Chart != nil), underWay:
		u.How = HowSync
		u.ID = l.id(HowSync, l.UID+"-"+strconv.FormatInt(d.HistoryID, 10)+"-"+d.StartedAt)
	case d.Chart != nil && len(l.Rollouts) > 0:
		u.Chart = d.Chart
		u.How, u.ID, u.Regression = HowChart, l.id(HowChart, l.UID+"-"+strconv.FormatInt(d.HistoryID, 10)+"-"+d.StartedAt), false
	default:
		return l
	}
	l = l.replaced(now, func(Update) bool { return true })
	l.Open = slices.Insert(l.Open, l.synced()+1, u)
	return l
}

// Brought are the commits that waited to be deployed and that a sync may have
// brought, newest first: those that say what it deployed. Git is to be asked
// which of them its revision contains. It is nil where there is nothing to ask.
func (l Ledger) Brought(d Deployed) []Revision {
	var found []Revision
	for _, u := range slices.Backward(l.Open[l.synced()+1:]) {
		if u.To.Same(d.Content) && u.Commit != "" && !u.closed() {
			found = append(found, u.Commit)
		}
	}
	if slices.Contains(found, d.Revision) {
		return nil
	}
	return found
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
// far and that it contains. A sync of what was synced before the last goes back.
func (l Ledger) accounts(d Deployed, last int) int {
	found := -1
	for i, u := range l.Open {
		switch {
		case !u.To.Same(d.Content), u.closed():
		case i == last && u.Progress.Stage != StageSuperseded:
			found = i
		case i > last && (u.Commit == d.Revision || u.Commit == d.Brings):
			return i
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
