package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// judge compares what people were told of the app with what was true. What is
// missing may still come; what is wrong cannot be made good.
func (a *historyApp) judge() (missing, wrong []string) {
	v := a.told.items(a.name)
	own, skipped := map[string]release.Item{}, map[release.Revision]int{}
	var syncs []release.Item
	for _, item := range v {
		for _, s := range item.Skipped {
			skipped[s.Commit]++
		}
		switch _, commit, isCommit := strings.Cut(item.Update, "/commit/"); {
		case item.How == release.HowSync && !isCommit:
			syncs = append(syncs, item)
		case !isCommit || a.editOf(commit) < 1:
			wrong = append(wrong, fmt.Sprintf("told of what is no change of the app: %+v", item))
		default:
			own[commit] = item
		}
	}
	facts := a.truth.all()
	// What people know: of the newest edit they were told of, and of the one they
	// were told of last, since an earlier one may be through later.
	known, failed := 0, false
	last, lastFailed, lastAt := 0, false, time.Time{}
	for i := 1; i < len(a.edits); i++ {
		e := a.edits[i]
		item, told := own[e.commit]
		n := skipped[release.Revision(e.commit)]
		switch {
		case told && n > 0 || n > 1:
			wrong = append(wrong, fmt.Sprintf("edit %d (%s) is told twice", i, e.to.tag))
		case told:
			wrong = append(wrong, a.claims(i, item, facts)...)
			if !failed && !a.cameBack(e, item) && e.to.rendered() == a.edits[known].to.rendered() && item.Recovered == 0 && item.Stage == release.StageHealthy && !a.ranElse(known, i, facts) && !a.drifted(a.edits[known+1], facts) {
				wrong = append(wrong, fmt.Sprintf("edit %d (%s) changed nothing, and is told", i, e.to.tag))
			}
			known, failed = i, item.Stage != release.StageHealthy
			if item.At.After(lastAt) {
				last, lastFailed, lastAt = known, failed, item.At
			}
		case n == 1 || e.to.rendered() == a.edits[i-1].to.rendered():
		case !a.undone(known, i, own, facts) && !a.undone(last, i, own, facts):
			missing = append(missing, fmt.Sprintf("edit %d (%s, %s) is neither told nor named in its successor's notice", i, e.how, e.to.tag))
		}
	}
	if unknown := a.lastIsTold(known, failed); unknown != nil && a.lastIsTold(last, lastFailed) != nil {
		missing = append(missing, unknown...)
	}
	for _, e := range a.edits[1:] {
		if item, told := own[e.commit]; told && a.cameBack(e, item) {
			syncs = append(syncs, item)
		}
	}
	m, w := a.judgeSyncs(syncs)
	return append(missing, m...), append(wrong, w...)
}

// cameBack says that an edit is told as what Argo CD went back to after a
// person had rolled back, which happens where it was not through by then.
func (a *historyApp) cameBack(e edit, item release.Item) bool {
	return slices.ContainsFunc(a.manuals, func(m manual) bool { return m.to == e.to && m.at.After(e.at) && item.At.After(m.at) })
}

func (a *historyApp) editOf(commit string) int {
	return slices.IndexFunc(a.edits, func(e edit) bool { return e.commit == commit })
}

// claims checks that what an item says of an edit was true by then.
func (a *historyApp) claims(i int, item release.Item, facts []sight) []string {
	e := a.edits[i]
	if item.To != release.Tag(e.to.tag) {
		return []string{fmt.Sprintf("edit %d is told as %s, not %s", i, item.To, e.to.tag)}
	}
	for _, s := range facts {
		switch {
		case s.at.After(item.At.Add(time.Millisecond)):
		case item.Stage == release.StageHealthy && s.live(e.to) && a.commits.reached(e.commit, s.compared):
			return nil
		case item.Stage != release.StageHealthy && (s.failing || s.health == "Degraded") && (a.commits.reached(e.commit, s.compared) || a.commits.reached(e.commit, s.deployed)):
			return nil
		}
	}
	return []string{fmt.Sprintf("edit %d (%s) is told as %s at %s, which was not true by then", i, e.to.tag, item.Stage, item.At.Format("05.000"))}
}

// ranElse says that between two edits something else was deployed than the
// first of them.
func (a *historyApp) ranElse(known, i int, facts []sight) bool {
	return slices.ContainsFunc(facts, func(s sight) bool {
		if s.deployed == "" || s.syncFailed || !a.commits.reached(a.edits[known].commit, s.deployed) && known > 0 || a.commits.reached(a.edits[i].commit, s.deployed) {
			return false
		}
		return a.contentAt(s.deployed).rendered() != a.edits[known].to.rendered()
	})
}

// drifted says that the cluster was changed after Argo CD had seen an edit. The
// sync that heals that is the edit's, too.
func (a *historyApp) drifted(e edit, facts []sight) bool {
	return slices.ContainsFunc(facts, func(s sight) bool {
		return a.commits.reached(e.commit, s.compared) && s.sync != "Synced"
	})
}

// undone says that an edit was taken back before it was deployed: then nothing
// came of either, and nobody need be told.
func (a *historyApp) undone(known, i int, own map[string]release.Item, facts []sight) bool {
	for m := i; m < len(a.edits); m++ {
		if _, told := own[a.edits[m].commit]; told {
			return false
		}
		if a.edits[m].to.rendered() == a.edits[known].to.rendered() {
			return !a.ranElse(known, m, facts)
		}
	}
	return false
}

// lastIsTold says what is missing while people do not know what runs now.
func (a *historyApp) lastIsTold(known int, failed bool) []string {
	s, last := a.truth.now(), a.edits[len(a.edits)-1]
	switch {
	case len(a.manuals)%2 == 1: // a rollback stands, which is judged by itself
		return nil
	case a.edits[known].to.rendered() != last.to.rendered():
		return []string{fmt.Sprintf("%s env %d is not told; people know of edit %d", last.to.tag, last.to.env, known)}
	case failed != s.failing:
		return []string{fmt.Sprintf("edit %d: failed %v is told, and failing %v is true", known, failed, s.failing)}
	}
	return nil
}

// judgeSyncs compares what is told of syncs with what people had Argo CD deploy.
func (a *historyApp) judgeSyncs(syncs []release.Item) (missing, wrong []string) {
	slices.SortFunc(syncs, func(x, y release.Item) int { return x.At.Compare(y.At) })
	for _, m := range a.manuals {
		i := slices.IndexFunc(syncs, func(item release.Item) bool { return item.To == release.Tag(m.to.tag) && item.At.After(m.at) })
		switch {
		case i >= 0:
			syncs = slices.Delete(slices.Clone(syncs), i, i+1)
		case m.needed:
			missing = append(missing, fmt.Sprintf("the sync to %s env %d is not told", m.to.tag, m.to.env))
		}
	}
	for _, item := range syncs {
		wrong = append(wrong, fmt.Sprintf("told of a sync that changed nothing: %+v", item))
	}
	return missing, wrong
}
