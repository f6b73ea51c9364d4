package release

import (
	"fmt"
	"reflect"
	"time"
)

// Rules are the budgets of a rollout. None of them is compared with another
// machine's clock.
type Rules struct {
	Noticed  time.Duration // from the push until Argo CD compares the commit
	Syncing  time.Duration // until the sync has been applied
	Rollout  time.Duration // until the app is healthy on it
	Debounce time.Duration // health must be Degraded this long before it is said
	Hold     time.Duration // all must be well this long where the cluster cannot be asked
	Stall    time.Duration // without any movement, a rollout counts as stalled
	Refresh  time.Duration // between reminders to Argo CD to look at Git again
}

// DefaultRules suit Argo CD's own defaults: it looks at Git every 2 to 3
// minutes (2.14: 180 s; since 3.0: 120 s and up to 60 s of jitter), so a commit
// that is not noticed after 10 minutes will not be.
func DefaultRules() Rules {
	return Rules{
		Noticed: 10 * time.Minute, Syncing: 15 * time.Minute, Rollout: 15 * time.Minute,
		Debounce: 30 * time.Second, Hold: 5 * time.Second, Stall: 2 * time.Minute, Refresh: 15 * time.Second,
	}
}

// Look is what there is to see of an operation's Application at one time.
type Look struct {
	Snapshot Snapshot
	Sources  []int             // of [Snapshot.Follows]
	Facts    map[Revision]Fact // of [Snapshot.Mentioned]; a missing one is unknown
	Live     *Live             // read after the snapshot; nil if the cluster was not asked
	At       time.Time         // now, by our clock
}

// Wants is what [Observe] needs to be able to say more.
type Wants struct {
	// Live asks for the cluster. Of a look without [Look.Live] nothing was said:
	// read it and observe the same snapshot again. Of a look with it, the
	// cluster is worth asking again soon, since a rollout can move without an
	// event of its Application.
	Live    bool
	Refresh bool // ask Argo CD to look at Git
	Hard    bool // with its manifest cache dropped; it must be done, for no effect is claimed on it
}

// Observe is the state machine of a rollout: from an operation whose effect is
// out (its commit is pushed, or its sync is asked for) and one look, to how it
// stands now. It claims a stage only on what the look proves: every stage can
// be reached from a single snapshot, since a watch may drop the ones between.
// An operation that has ended stays as it is.
//
// Contains, below, means that a revision is our commit or a descendant of it;
// that alone says Argo CD has seen it, for revisions move on with every commit
// to the repository. Healthy needs, in one snapshot: a successful sync of a
// revision that contains it, no operation queued or running, Synced on a
// revision that contains it and still has our tag, Healthy, and compared after
// the sync ended, because between the end of a sync and the next comparison
// Argo CD still shows the old pods' health (argo-cd#9070). Then the cluster
// itself must say that every pod of the app runs our tag.
func Observe(op Operation, look Look, rules Rules) (Progress, Wants) {
	before := op.Progress
	if before.Stage != "" && before.Stage.Ended() {
		return before, Wants{}
	}
	p := before
	e := weigh(op, look)
	p.Memory.remember(e, look)
	v, wants := judge(op, &p.Memory, e, look, rules)
	if wants.Live && look.Live == nil {
		return before, wants
	}
	p = p.Enter(v.stage, look.At)
	p.Note, p.Cause, p.By, p.Blind = v.note, v.cause, v.by, false
	if e.applied && !before.Memory.Applied {
		p.Folded = e.folded
	}
	if p.Memory.Applied && look.Live != nil && look.Live.Problem == "" {
		p.Ready, p.Total = Pods(look.Live.App(op.Repository, op.To), op.Repository, op.To)
	}
	if p.Memory.MovedAt.IsZero() || p.Stage != before.Stage || p.Ready != before.Ready || p.Total != before.Total {
		p.Memory.MovedAt = look.At
	}
	p.Stalled = look.At.Sub(p.Memory.MovedAt) >= rules.Stall
	p = expire(p, look.At, rules)
	return p.seen(before), wants.within(p, look.At, rules)
}

// Lost is the progress while Argo CD cannot be asked: nothing is claimed of a
// rollout that is out of sight, failure neither. Long after every budget the
// operation ends, saying that it was not seen to its end.
func Lost(p Progress, now time.Time, rules Rules) Progress {
	if p.Stage.Ended() {
		return p
	}
	before := p
	p.Blind = true
	if now.Sub(p.Since) >= rules.Noticed+rules.Syncing+rules.Rollout+time.Hour {
		p = p.Enter(StageTimedOut, now)
		p.Note = "Argo CD could not be asked, so how it ended is not known"
	}
	return p.seen(before)
}

// seen raises the sequence number if people can see a difference.
func (p Progress) seen(before Progress) Progress {
	if !reflect.DeepEqual(p.visible(), before.visible()) {
		p.Seq++
	}
	return p
}

// visible is what people see: all but the book-keeping. Since and Past change
// with the stage only.
func (p Progress) visible() Progress {
	p.Memory, p.Since, p.Past = Memory{}, time.Time{}, nil
	return p
}

// expire ends a stage that has used up its time.
func expire(p Progress, now time.Time, rules Rules) Progress {
	since, budget, end := p.Since, rules.Syncing, StageTimedOut
	switch p.Stage {
	case StageCommitted:
		budget = rules.Noticed
	case StageNoticed, StageSyncing:
	case StageRollingOut:
		since, budget = p.Memory.AppliedAt, rules.Rollout
	case StageDegraded:
		since, budget, end = p.Memory.AppliedAt, rules.Rollout, StageStillDegraded
	default:
		return p
	}
	if now.Sub(since) < budget {
		return p
	}
	switch {
	case end == StageStillDegraded:
	case p.Stage != StageCommitted:
		p.Note = joinNotes(fmt.Sprintf("still %s", p.Stage), p.Note)
	case p.Note == "":
		p.Note = "Argo CD has not looked at the commit"
	}
	return p.Enter(end, now)
}

func joinNotes(a, b string) string {
	if b == "" {
		return a
	}
	return a + ": " + b
}

// within limits refreshes: at once, then ever more rarely.
func (w Wants) within(p Progress, now time.Time, rules Rules) Wants {
	if p.Stage.Ended() {
		return Wants{}
	}
	if w.Refresh && now.Sub(p.Since) < time.Duration(p.Memory.Refreshes*p.Memory.Refreshes)*rules.Refresh {
		w.Refresh = false
	}
	return w
}

// Refreshed notes that Argo CD was asked to look at Git.
func (p Progress) Refreshed() Progress {
	p.Memory.Refreshes++
	return p
}

// Pods counts the pods of a tag that are ready, and the pods there should be. A
// Deployment's status counts old and new available pods together; as many as
// there are old pods are taken off, so the count can be too low while old pods
// are failing, never too high.
func Pods(workloads []Workload, repository string, tag Tag) (ready, total int) {
	for _, w := range workloads {
		total += w.Desired
		if w.Observed < w.Generation || !w.Runs(repository, tag) {
			continue
		}
		ready += max(0, min(w.Available-(w.Total-w.Updated), w.Desired))
	}
	return ready, total
}
