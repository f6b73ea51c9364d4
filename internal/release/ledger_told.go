package release

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

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
	switch u := l.Open[i]; {
	case u.Progress.Stage == StageSuperseded:
		return l, nil // it was still on its way when that was found
	case p.Stage == StageHealthy && !u.Synced && l.outdates(p):
		return l, nil // it will be looked at anew
	}
	l.Open = slices.Clone(l.Open)
	u := &l.Open[i]
	u.Progress = p
	switch {
	case p.Stage == StageSuperseded && u.How == HowCommit && i == l.synced():
		u.onlySync(now)
		return l, nil
	case p.Stage == StageHealthy:
		return l.live(i, rollouts, now)
	case p.Stage == StageSuperseded && u.Outcome != "":
		// It was told as failed, and what came after it is told by itself.
		return l.tidied(), nil
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
	l = l.tidied()
	t := &Telling{Update: by, From: by.From, Kind: by.kind(by.From)}
	t.Update.Progress.Stage = by.Outcome // it may be on its way once more
	return l, t
}

// live takes in that the update at i is what runs, proven. What stands before
// it and is not through can only have been replaced by it.
func (l Ledger) live(i int, rollouts map[string]string, now time.Time) (Ledger, *Telling) {
	u, before := l.Open[i], l.Told
	left := false // what people know of had been left
	brought, last := u.Synced, l.synced()
	u.Skipped = slices.Clone(u.Skipped)
	for j, o := range l.Open[:i] {
		if j == last && o.Edit == nil && o.Outcome == "" && o.To.Same(u.To) { // of another revision that says the same
			brought, u.By = true, cmp.Or(u.By, o.By)
			u.Skipped = append(u.Skipped, o.Skipped...)
			continue
		}
		u.Skipped = append(u.Skipped, o.skipped()...)
		left = left || o.Synced && !o.To.Same(u.To)
	}
	// Settings that came into being without any sync had no effect.
	unchanged := u.To.Same(before.Content) || u.Progress.Memory.Had && !brought && u.To.Tag == before.Content.Tag
	if u.How == HowChart {
		unchanged = len(rollouts) == 0 || len(l.Rollouts) == 0 || maps.Equal(rollouts, l.Rollouts)
	}
	l.Open = slices.Clone(l.Open[i+1:])
	for j := range l.Open {
		if o := &l.Open[j]; o.past() {
			o.Progress = o.Progress.Enter(StageSuperseded, now)
		}
	}
	l = l.tidied()
	l.Told = Told{Content: u.To, Revision: u.Commit, How: u.How, At: now, Seen: true}
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

// outdates says that a sync has been taken in that was begun after an update
// was seen to be live without any: what runs now is another matter.
func (l Ledger) outdates(p Progress) bool {
	m := p.Memory
	return m.Had && l.Deployed.StartedAt != "" && m.AppliedStart != l.Deployed.StartedAt && !notBefore(m.AppliedStart, l.Deployed.StartedAt)
}

// tidied is without the failed updates that have come to their end. One stands
// while another before it is not through, since that may have to be named in
// its notice.
func (l Ledger) tidied() Ledger {
	waiting := false
	l.Open = slices.DeleteFunc(slices.Clone(l.Open), func(u Update) bool {
		waiting = waiting || u.Outcome == ""
		return u.closed() && !waiting
	})
	return l
}

// closed says that people know of the failure, and it is no longer followed.
func (u Update) closed() bool { return u.Outcome != "" && u.Progress.Stage == StageSuperseded }

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
		return "it came while the bot was away, and whether it was live is not known"
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
	if i := slices.IndexFunc(all.Edits, func(e Edit) bool { return e.After.Tag == u.To.Tag }); i >= 0 && u.Edit == nil && !u.Older {
		// It went on, if not as far as Git has by now.
		all = History{Now: u.To, Edits: all.Edits[i:], Whole: all.Whole}
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
