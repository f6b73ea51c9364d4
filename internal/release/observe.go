package release

import (
	"fmt"
	"slices"
	"strings"
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
	Live    bool // ask the cluster, then observe again
	Refresh bool // ask Argo CD to look at Git
	Hard    bool // with its manifest cache dropped
}

// Observe is the state machine of a rollout: from an operation whose effect is
// out (its commit is pushed, or its sync is asked for) and one look, to how it
// stands now. It claims a stage only on what the look proves: every stage can
// be reached from a single snapshot, since a watch may drop the ones between.
//
// Contains, below, means that a revision is our commit or a descendant of it;
// that alone says Argo CD has seen it, for revisions move on with every commit
// to the repository. Healthy needs, in one snapshot: a successful sync of a
// revision that contains it, no operation queued, Synced on a revision that
// contains it and still has our tag, Healthy, and compared after the sync
// ended, because between the end of a sync and the next comparison Argo CD
// still shows the old pods' health (argo-cd#9070). Then the cluster itself must
// say that every pod of the app runs our tag.
func Observe(op Operation, look Look, rules Rules) (Progress, Wants) {
	p := op.Progress
	before := p
	p.Blind = false
	if p.Memory.MovedAt.IsZero() {
		p.Memory.MovedAt = look.At
	}
	e := weigh(op, look)
	remember(&p.Memory, e, look, op)
	v, wants := judge(op, p, e, look, rules)
	p.Memory = v.memory
	p = p.Enter(v.stage, look.At)
	p.Note, p.Cause, p.By = v.note, v.cause, v.by
	if e.folded != "" {
		p.Folded = e.folded
	}
	if look.Live != nil && look.Live.Problem == "" {
		p.Ready, p.Total = pods(look.Live.Of(op.Repository), op)
	}
	moved := p.Stage != before.Stage || p.Ready != before.Ready || p.Total != before.Total
	if moved {
		p.Memory.MovedAt = look.At
	}
	p.Stalled = !p.Stage.Ended() && look.At.Sub(p.Memory.MovedAt) >= rules.Stall
	if !p.Stage.Ended() {
		p = expire(p, look.At, rules)
	}
	return p.seen(before), wants.within(p, look.At, rules)
}

// Lost is the progress while Argo CD cannot be asked: nothing is claimed of a
// rollout that is out of sight, failure neither. Long after every budget the
// operation ends, saying that it was not seen to its end.
func Lost(p Progress, now time.Time, rules Rules) Progress {
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
	same := p.Stage == before.Stage && p.Ready == before.Ready && p.Total == before.Total &&
		p.Note == before.Note && p.Folded == before.Folded && p.By == before.By &&
		p.Stalled == before.Stalled && p.Blind == before.Blind && p.Cause.equal(before.Cause)
	if !same {
		p.Seq++
	}
	return p
}

func (c *Cause) equal(d *Cause) bool {
	if c == nil || d == nil {
		return c == d
	}
	return c.Summary == d.Summary && slices.Equal(c.Pods, d.Pods) && slices.Equal(c.Resources, d.Resources)
}

// evidence is what a look says about our effect.
type evidence struct {
	noticed    bool // Argo CD compares, or syncs to, a revision with our effect
	compared   bool // every source we follow was last compared at such a revision
	keeps      bool // and our tag still stands at all of them
	requested  bool // an operation to such a revision is queued or running
	foreign    bool // an operation to another revision is queued or running
	ended      bool // the last operation was ours, and is over
	applied    bool // a sync with our effect has succeeded
	started    string // of the last operation
	appliedBy  string // start of the operation that applied ours, "" if it is no longer the last one
	overtaken  Revision // compared, and our tag is no longer there
	rewritten  Revision // compared, and our commit is not in its history, nor it in ours
	regressed  Revision // applied after ours, and older than it
	folded     Revision // newer than ours, and what was applied
	reconciled bool     // compared after the last operation ended
}

func weigh(op Operation, look Look) evidence {
	s := look.Snapshot
	var e evidence
	last := s.Operation
	fresh := last != nil && last.StartedAt != op.Baseline.StartedAt
	if !op.Writes() {
		// There is no commit to look for: our effect is a sync that is newer
		// than the baseline.
		e.noticed = fresh || s.Requested != nil || s.HistoryID > op.Baseline.HistoryID
		e.compared, e.keeps = true, true
		e.requested = s.Requested != nil || fresh && running(last)
		e.ended = fresh && !running(last)
		e.applied = e.ended && last.Phase == "Succeeded" && !last.DryRun || s.HistoryID > op.Baseline.HistoryID
		e.reconciled = last == nil || notBefore(s.ReconciledAt, last.FinishedAt)
		return e
	}
	fact := func(revisions []Revision, i int) Fact { return look.Facts[at(revisions, i)] }
	all := func(revisions []Revision, ok func(Fact) bool) bool {
		return len(look.Sources) > 0 && !slices.ContainsFunc(look.Sources, func(i int) bool { return !ok(fact(revisions, i)) })
	}
	some := func(revisions []Revision) bool {
		return slices.ContainsFunc(look.Sources, func(i int) bool { return fact(revisions, i).Contains() })
	}
	e.compared = all(s.Revisions, Fact.Contains)
	e.keeps = all(s.Revisions, func(f Fact) bool { return f.Contains() && f.Keeps })
	for _, i := range look.Sources {
		switch f := fact(s.Revisions, i); {
		case f.Contains() && !f.Keeps:
			e.overtaken = s.Revisions[i]
		case f.Relation == RelationDiverged:
			e.rewritten = s.Revisions[i]
		}
	}
	if s.Requested != nil {
		e.requested = some(s.Requested.Revisions)
		e.foreign = !e.requested
	}
	if last != nil {
		e.started = last.StartedAt
		ours := some(last.Requested) || some(last.Result)
		if running(last) {
			e.requested = e.requested || ours
			e.foreign = !e.requested
		}
		e.ended = ours && !running(last)
		e.applied = all(last.Result, Fact.Contains) && last.Phase == "Succeeded" && !last.DryRun
		if i := slices.IndexFunc(look.Sources, func(i int) bool { return fact(last.Result, i).Relation == RelationOlder }); i >= 0 && last.Phase == "Succeeded" && fresh {
			e.regressed = at(last.Result, look.Sources[i])
		}
		if e.applied {
			e.appliedBy = last.StartedAt
			for _, i := range look.Sources {
				if fact(last.Result, i).Relation == RelationNewer {
					e.folded = at(last.Result, i)
				}
			}
		}
	}
	// The operation that applied ours may have been overwritten by a later one.
	for _, d := range s.History {
		e.applied = e.applied || d.ID > op.Baseline.HistoryID && all(d.Revisions, Fact.Contains)
	}
	e.noticed = some(s.Revisions) || e.requested || e.ended || e.applied
	e.reconciled = last == nil || notBefore(s.ReconciledAt, last.FinishedAt)
	return e
}

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

// remember adds to the memory what this snapshot shows and the next may not.
func remember(m *Memory, e evidence, look Look, op Operation) {
	s := look.Snapshot
	if e.applied && !m.Applied {
		m.Applied, m.AppliedAt, m.AppliedStart = true, look.At, e.appliedBy
	}
	newComparison := s.ReconciledAt != m.Reconciled && s.ReconciledAt != op.Baseline.ReconciledAt
	if newComparison {
		m.Reconciled = s.ReconciledAt
		if m.Applied && e.reconciled && s.Sync == "OutOfSync" {
			m.Drifts++
		}
		if !m.Applied && e.compared && s.Sync == "Synced" && s.Requested == nil && !e.ended && !e.requested {
			m.Idle++
		}
	}
	if s.Sync != "Synced" {
		m.Idle = 0
	}
	if !m.Applied || !e.reconciled || s.Health != "Degraded" {
		m.DegradedAt = time.Time{}
	} else if m.DegradedAt.IsZero() {
		m.DegradedAt = look.At
	}
}

// verdict is what a look comes to.
type verdict struct {
	stage  Stage
	note   string
	cause  *Cause
	by     string
	memory Memory
}

// judge is the table of stages, the first row that holds. Each row is a case
// of the test.
func judge(op Operation, p Progress, e evidence, look Look, rules Rules) (verdict, Wants) {
	s, m := look.Snapshot, p.Memory
	v := verdict{memory: m}
	switch {
	case s.Deleted || s.UID != op.Baseline.UID:
		v.stage, v.note = StageGone, "the Application was deleted"
		if !s.Deleted {
			v.note = "the Application was deleted and made anew"
		}
	case op.Writes() && len(look.Sources) == 0:
		v.stage, v.note = StageSuperseded, "the Application no longer deploys this branch"
	case e.overtaken != "":
		v.stage, v.by = StageSuperseded, string(e.overtaken)
		v.note = fmt.Sprintf("commit %s changed the tag again", e.overtaken.Short())
	case e.rewritten != "" && p.Stage != StageCommitted:
		v.stage, v.by = StageSuperseded, string(e.rewritten)
		v.note = fmt.Sprintf("the branch was rewritten: %s does not have this commit", e.rewritten.Short())
	case m.Applied && e.regressed != "" && e.started != m.AppliedStart:
		v.stage, v.by = StageSuperseded, string(e.regressed)
		v.note = fmt.Sprintf("Argo CD went back to the older revision %s", e.regressed.Short())
	case m.Applied && !e.requested:
		return rollout(op, v, e, look, rules)
	case e.requested:
		v.stage, v.note = StageSyncing, syncNote(s.Operation)
	case e.ended && (s.Operation.Phase == "Failed" || s.Operation.Phase == "Error"):
		v.stage = StageSyncFailed
		v.cause = &Cause{Summary: Plain(s.Operation.Message), Resources: s.Operation.Failed}
	case m.Idle > 0:
		return idle(op, v, look)
	case e.noticed:
		v.stage, v.note = StageNoticed, waitNote(s, e)
		return v, Wants{Refresh: true}
	case !op.Writes():
		v.stage = StageSyncing // asked for, and not begun
	default:
		v.stage = StageCommitted
		if c, ok := newError(s, op.Baseline); ok {
			v.note = "Argo CD cannot render the manifests: " + Plain(c.Message)
		} else if e.foreign {
			v.note = "waiting for the previous sync to finish"
		}
		return v, Wants{Refresh: true}
	}
	return v, Wants{}
}

// rollout judges what comes after a successful sync.
func rollout(op Operation, v verdict, e evidence, look Look, rules Rules) (verdict, Wants) {
	s := look.Snapshot
	v.stage = StageRollingOut
	if look.Live == nil {
		v.stage = keepRolling(op.Progress.Stage)
		v.note, v.cause = op.Progress.Note, op.Progress.Cause
		return v, Wants{Live: true}
	}
	workloads := look.Live.Of(op.Repository)
	blind := look.Live.Problem != "" || len(workloads) == 0
	settled := !blind && all(workloads, func(w Workload) bool { return w.Runs(op.Repository, op.To) && w.Settled() })
	quiet := s.Requested == nil && e.reconciled
	synced := s.Sync == "Synced" || v.memory.Drifts > 2 && workloadSynced(s, workloads)
	well := quiet && synced && e.compared && e.keeps && s.Health == "Healthy"

	if op.Kind == KindResetDev && look.Live.Session != nil && quiet && s.Sync != "Unknown" {
		v.memory.HealthyAt = time.Time{}
		if v.memory.Drifts > 0 || s.Sync == "Synced" {
			v.stage = StageStillHot
			v.note = fmt.Sprintf("the live session on %s is still there: Argo CD cannot remove it", Plain(look.Live.Session.Workload))
			return v, Wants{}
		}
	}
	switch {
	case op.Kind == KindResetDev && look.Live.Problem != "":
		v.note = "whether the session has ended cannot be seen: " + Plain(look.Live.Problem)
		return v, Wants{Live: true}
	case well && settled:
		v.stage = StageHealthy
		if s.Sync != "Synced" {
			v.note = "other resources are OutOfSync: " + outOfSync(s)
		}
		return v, Wants{}
	case well && blind:
		// The cluster cannot be asked, or the app's pods are not ones we know
		// how to count. Then it must hold for a while, or be compared again
		// later than the second in which the sync ended.
		if v.memory.HealthyAt.IsZero() {
			v.memory.HealthyAt = look.At
		}
		if look.At.Sub(v.memory.HealthyAt) >= rules.Hold {
			v.stage = StageHealthy
			v.note = "Argo CD says so; the pods could not be counted"
			return v, Wants{}
		}
	default:
		v.memory.HealthyAt = time.Time{}
	}
	if cause, failing := degraded(op, v.memory, e, look, workloads, rules); failing {
		v.stage, v.cause = StageDegraded, cause
		if op.Baseline.Health == "Degraded" {
			v.note = "it was degraded before, too"
		}
		return v, Wants{Live: true}
	}
	switch {
	case e.foreign:
		v.note = "another sync is running"
	case s.Sync == "OutOfSync" && e.reconciled:
		v.note = "applied, and still OutOfSync: " + outOfSync(s)
	case s.Health == "Suspended":
		v.note = "the rollout is paused"
	case s.Health == "Missing":
		v.note = "resources are missing"
	}
	return v, Wants{Live: true, Refresh: s.Sync == "OutOfSync" || !e.reconciled || settled && !well}
}

// keepRolling keeps degraded as it is until the cluster has been asked again.
func keepRolling(s Stage) Stage {
	if s == StageDegraded {
		return s
	}
	return StageRollingOut
}

// degraded says whether the rollout is failing, and why. The Deployment's own
// word that its deadline has passed counts at once; Degraded as such must last,
// since it also flickers while an autoscaler has no metrics (argo-cd#6287).
func degraded(op Operation, m Memory, e evidence, look Look, workloads []Workload, rules Rules) (*Cause, bool) {
	s := look.Snapshot
	cause := &Cause{Pods: look.Live.Failing}
	for _, w := range workloads {
		if w.DeadlineExceeded && w.Observed >= w.Generation && w.Runs(op.Repository, op.To) {
			cause.Summary = fmt.Sprintf("%s %s: %s", w.Kind, w.Name, Plain(w.Message))
			return cause, true
		}
	}
	if m.DegradedAt.IsZero() || look.At.Sub(m.DegradedAt) < rules.Debounce || !e.reconciled {
		return nil, false
	}
	cause.Summary = "health is Degraded"
	if s.HealthMessage != "" {
		cause.Summary = Plain(s.HealthMessage)
	}
	for _, r := range s.Resources {
		if r.Health == "Degraded" {
			cause.Summary = strings.TrimSuffix(fmt.Sprintf("%s %s: %s", r.Kind, r.Name, Plain(r.Message)), ": ")
			break
		}
	}
	return cause, true
}

// idle judges a commit that Argo CD has compared without finding anything to do.
func idle(op Operation, v verdict, look Look) (verdict, Wants) {
	s := look.Snapshot
	if look.Live == nil {
		v.stage = StageNoticed
		return v, Wants{Live: true}
	}
	workloads := look.Live.Of(op.Repository)
	if look.Live.Problem == "" && len(workloads) > 0 && s.Health == "Healthy" &&
		all(workloads, func(w Workload) bool { return w.Runs(op.Repository, op.To) && w.Settled() }) {
		v.stage, v.note = StageHealthy, "it was already running"
		return v, Wants{}
	}
	if !v.memory.Hard {
		// A path filter can make an Application look Synced although only a
		// hard refresh shows the difference (argo-cd#27727).
		v.stage, v.memory.Hard, v.memory.Idle = StageNoticed, true, 0
		return v, Wants{Hard: true}
	}
	v.stage = StageNoEffect
	v.note = "Argo CD is in sync with this commit and had nothing to change: a path filter leaves the layer out, or the chart does not use it"
	return v, Wants{}
}

// expire ends a stage that has used up its time.
func expire(p Progress, now time.Time, rules Rules) Progress {
	spent := now.Sub(p.Since)
	switch p.Stage {
	case StageCommitted:
		if spent >= rules.Noticed {
			p.Note = joinNotes("Argo CD has not looked at the commit", p.Note)
			return p.Enter(StageTimedOut, now)
		}
	case StageNoticed, StageSyncing:
		if spent >= rules.Syncing {
			p.Note = joinNotes(fmt.Sprintf("still %s", p.Stage), p.Note)
			return p.Enter(StageTimedOut, now)
		}
	case StageRollingOut, StageDegraded:
		if now.Sub(p.Memory.AppliedAt) >= rules.Rollout {
			end := StageTimedOut
			if p.Stage == StageDegraded {
				end = StageStillDegraded
			}
			return p.Enter(end, now)
		}
	}
	return p
}

func joinNotes(a, b string) string {
	if b == "" {
		return a
	}
	return a + ": " + b
}

// within limits refreshes: at once, then ever more rarely.
func (w Wants) within(p Progress, now time.Time, rules Rules) Wants {
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

// pods counts the new pods that are ready, and the pods there should be. A
// Deployment's status counts old and new available pods together; as many as
// there are old pods are taken off, so the count can be too low while old pods
// are failing, never too high.
func pods(workloads []Workload, op Operation) (ready, total int) {
	for _, w := range workloads {
		total += w.Desired
		if w.Observed < w.Generation || !w.Runs(op.Repository, op.To) {
			continue
		}
		ready += max(0, min(w.Available-(w.Total-w.Updated), w.Updated, w.Desired))
	}
	return ready, total
}

func all[T any](list []T, ok func(T) bool) bool {
	return !slices.ContainsFunc(list, func(t T) bool { return !ok(t) })
}

// workloadSynced says that Argo CD finds the app's own workloads in sync,
// whatever else drifts for good (mutating webhooks, hooks).
func workloadSynced(s Snapshot, workloads []Workload) bool {
	return len(workloads) > 0 && all(workloads, func(w Workload) bool {
		return slices.ContainsFunc(s.Resources, func(r Resource) bool {
			return r.Kind == w.Kind && r.Namespace == w.Namespace && r.Name == w.Name && r.Status == "Synced"
		})
	})
}

func outOfSync(s Snapshot) string {
	var names []string
	for _, r := range s.Resources {
		if r.Status == "OutOfSync" {
			names = append(names, r.Kind+" "+r.Name)
		}
	}
	if len(names) > 3 {
		names = append(names[:3], "…")
	}
	return Plain(strings.Join(names, ", "))
}

func syncNote(o *SyncOperation) string {
	switch {
	case o == nil:
		return ""
	case running(o) && o.FinishedAt != "":
		return fmt.Sprintf("retry %d: %s", o.RetryCount, Plain(o.Message))
	case len(o.Hooks) > 0:
		return "running hook " + Plain(o.Hooks[0])
	}
	return ""
}

// waitNote says what a noticed commit is waiting for.
func waitNote(s Snapshot, e evidence) string {
	for _, c := range s.Conditions {
		if c.Type == "ComparisonError" {
			return "Argo CD cannot render the manifests: " + Plain(c.Message)
		}
		if c.Type == "SyncError" {
			return Plain(c.Message)
		}
	}
	switch {
	case e.foreign:
		return "waiting for the previous sync to finish"
	case s.Sync == "OutOfSync" && !s.AutoSync:
		return "auto-sync is off: waiting for someone to sync in Argo CD"
	}
	return ""
}

// newError is a condition that keeps Argo CD from comparing and was not there
// before the push.
func newError(s Snapshot, b Baseline) (Condition, bool) {
	for _, c := range s.Conditions {
		if c.Type == "ComparisonError" && !slices.Contains(b.Errors, c) {
			return c, true
		}
	}
	return Condition{}, false
}
