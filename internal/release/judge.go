package release

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// verdict is what a look comes to.
type verdict struct {
	stage Stage
	note  string
	cause *Cause
	by    string
}

// judge is the table of stages, the first row that holds. Each row is a case
// of the test.
func judge(op Operation, m *Memory, e evidence, look Look, rules Rules) (verdict, Wants) {
	s := look.Snapshot
	switch {
	case s.Deleted:
		return verdict{stage: StageGone, note: "the Application was deleted"}, Wants{}
	case s.UID != op.Baseline.UID:
		return verdict{stage: StageGone, note: "the Application was deleted and made anew"}, Wants{}
	case op.Writes() && len(look.Sources) == 0:
		return verdict{stage: StageSuperseded, note: "the Application no longer deploys this branch"}, Wants{}
	case e.overtaken != "":
		return superseded(e.overtaken, "commit %s changed the tag again"), Wants{}
	case e.rewritten != "" && m.Compared:
		return superseded(e.rewritten, "the branch was rewritten: %s does not have this commit"), Wants{}
	case e.regressed != "" && m.Applied && e.start != m.AppliedStart:
		return superseded(e.regressed, "Argo CD has since deployed %s, which does not have this commit"), Wants{}
	case m.Applied:
		return rollout(op, m, e, look, rules)
	case e.requested:
		return verdict{stage: StageSyncing, note: syncNote(s.Operation)}, Wants{}
	case e.ended && failed(s.Operation) && !s.Busy():
		cause := &Cause{Summary: Plain(s.Operation.Message), Resources: s.Operation.Failed}
		return verdict{stage: StageSyncFailed, cause: cause}, Wants{}
	case e.idle:
		return idle(op, m, e, look, rules)
	case e.ended || m.Compared:
		return verdict{stage: StageNoticed, note: waitNote(s, op.Baseline, *m, e)}, Wants{Refresh: true}
	case !op.Writes():
		return verdict{stage: StageSyncing, note: "asked for, and not begun"}, Wants{}
	}
	v := verdict{stage: StageCommitted}
	if c, ok := newCondition(s, op.Baseline, "ComparisonError"); ok {
		v.note = "Argo CD cannot render the manifests: " + Plain(c.Message)
	} else if e.foreign {
		v.note = "waiting for the previous sync to finish"
	}
	return v, Wants{Refresh: true}
}

func superseded(by Revision, say string) verdict {
	return verdict{stage: StageSuperseded, by: string(by), note: fmt.Sprintf(say, by.Short())}
}

func failed(o *SyncOperation) bool { return o.Phase == "Failed" || o.Phase == "Error" }

// rollout judges what comes after a successful sync.
func rollout(op Operation, m *Memory, e evidence, look Look, rules Rules) (verdict, Wants) {
	if look.Live == nil {
		return verdict{}, Wants{Live: true}
	}
	s, c := look.Snapshot, ask(op, *look.Live)
	synced := s.Sync == "Synced" || op.Apart || s.Sync == "OutOfSync" && m.Drifts > 2 && workloadSynced(s, c.workloads)
	well := e.quiet && e.compared && synced && s.Health == "Healthy" && !c.sessionUnseen
	m.HealthyAt = since(m.HealthyAt, well && c.blind, look.At)
	m.DegradedAt = since(m.DegradedAt, e.quiet && s.Health == "Degraded", look.At)
	done := well && (c.settled || c.blind && look.At.Sub(m.HealthyAt) >= rules.Hold)
	switch {
	case c.session != "" && e.quiet && (s.Sync == "Synced" || m.Drifts > 2):
		// Pruning takes a moment, in which it is still OutOfSync.
		return verdict{
			stage: StageStillHot,
			note:  fmt.Sprintf("the live session on %s is still there: Argo CD cannot remove it, run okteto down", c.session),
		}, Wants{}
	case done && c.leftover != "":
		return verdict{stage: StageStillHot, note: leftover(c.leftover)}, Wants{}
	case well && c.settled:
		return verdict{stage: StageHealthy, note: healthyNote(op, s, c)}, Wants{}
	case done:
		return verdict{stage: StageHealthy, note: "Argo CD says so; the pods could not be counted"}, Wants{}
	}
	if cause := degraded(op, *m, c, look, rules); cause != nil {
		v := verdict{stage: StageDegraded, cause: cause}
		if op.Baseline.Health == "Degraded" {
			v.note = "it was degraded before, too"
		}
		return v, Wants{Live: true}
	}
	remind := s.Sync == "OutOfSync" && !op.Apart || !e.quiet || c.settled && !well
	return verdict{stage: StageRollingOut, note: rolloutNote(op, *m, e, s, c)}, Wants{Live: true, Refresh: remind}
}

// since is from when on something has held, zero if it does not.
func since(was time.Time, holds bool, now time.Time) time.Time {
	switch {
	case !holds:
		return time.Time{}
	case was.IsZero():
		return now
	}
	return was
}

// cluster is what the cluster itself says of the app.
type cluster struct {
	workloads []Workload
	problem   string // why it could not be asked
	blind     bool   // it could not, or has no workload that we know for the app's
	runs      bool   // every workload of the app has our tag
	settled   bool   // and runs it completely
	failing   []PodFailure
	// session is the live session that was to be removed, "" if there is none.
	session       string
	sessionUnseen bool // whether there is one could not be seen
	leftover      string
}

func ask(op Operation, live Live) cluster {
	if live.Problem != "" {
		return cluster{problem: Plain(live.Problem), blind: true, sessionUnseen: op.Kind == KindResetDev}
	}
	var c cluster
	c.workloads, c.failing = live.App(op.Repository, op.To), live.Failing
	c.blind = len(c.workloads) == 0
	c.runs = !c.blind && all(c.workloads, func(w Workload) bool { return w.Runs(op.Repository, op.To) })
	c.settled = c.runs && all(c.workloads, Workload.Settled)
	if op.Kind != KindResetDev {
		return c
	}
	c.leftover = live.Leftover(op.Baseline.Clones)
	if live.Session != nil {
		c.session = Plain(live.Session.Workload)
	}
	return c
}

// degraded says why the rollout is failing, nil if it is not. The Deployment's
// own word that its deadline has passed counts at once; Degraded as such must
// last, since it also flickers while an autoscaler has no metrics
// (argo-cd#6287).
func degraded(op Operation, m Memory, c cluster, look Look, rules Rules) *Cause {
	s := look.Snapshot
	for _, w := range c.workloads {
		if w.DeadlineExceeded && w.Observed >= w.Generation && w.Runs(op.Repository, op.To) {
			return &Cause{Summary: fmt.Sprintf("%s %s: %s", w.Kind, w.Name, Plain(w.Message)), Pods: c.failing}
		}
	}
	if m.DegradedAt.IsZero() || look.At.Sub(m.DegradedAt) < rules.Debounce {
		return nil
	}
	cause := &Cause{Summary: "health is Degraded", Pods: c.failing}
	if s.HealthMessage != "" {
		cause.Summary = Plain(s.HealthMessage)
	}
	if i := slices.IndexFunc(s.Resources, func(r Resource) bool { return r.Health == "Degraded" }); i >= 0 {
		r := s.Resources[i]
		cause.Summary = joinNotes(r.Kind+" "+r.Name, Plain(r.Message))
	}
	return cause
}

// idle judges a commit that Argo CD has compared without finding anything to do.
func idle(op Operation, m *Memory, e evidence, look Look, rules Rules) (verdict, Wants) {
	if look.Live == nil {
		return verdict{}, Wants{Live: true}
	}
	c := ask(op, *look.Live)
	if m.IdleStart != e.start || m.IdleRan != c.runs {
		// A sync, or somebody else, has changed the cluster, perhaps after Argo CD
		// compared: only the next comparison is of what runs now.
		m.Idle, m.IdleStart, m.IdleRan = 0, e.start, c.runs
	}
	// Whether changed values change nothing, only a hard refresh shows: the tag
	// runs in any case.
	if c.runs && (op.Values == "" || m.Idle > 0) {
		// The cluster has had it before Argo CD looked.
		m.Applied, m.AppliedAt, m.AppliedStart, m.Had = true, look.At, e.start, true
		v, wants := rollout(op, m, e, look, rules)
		if v.stage == StageHealthy && v.note == "" {
			v.note = "it was already running"
		}
		return v, wants
	}
	m.Idle++
	if m.Idle == 1 {
		// A path filter can make an Application look Synced although only a
		// hard refresh shows the difference (argo-cd#27727).
		return verdict{stage: StageNoticed, note: waitNote(look.Snapshot, op.Baseline, *m, e)}, Wants{Hard: true}
	}
	why := "a path filter leaves the layer out, or the chart does not use it"
	if c.problem != "" {
		why = "what runs could not be seen: " + c.problem
	}
	return verdict{stage: StageNoEffect, note: "Argo CD is in sync with this commit and had nothing to change: " + why}, Wants{}
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

// healthyNote says what healthy does not mean.
func healthyNote(op Operation, s Snapshot, c cluster) string {
	switch {
	case all(c.workloads, func(w Workload) bool { return w.Desired == 0 }):
		return "it is scaled to zero, so no pod runs it"
	case s.Sync != "Synced" && !op.Apart:
		return joinNotes("other resources are OutOfSync", outOfSync(s))
	}
	return ""
}

// rolloutNote says what a rollout is waiting for.
func rolloutNote(op Operation, m Memory, e evidence, s Snapshot, c cluster) string {
	laggard := slices.IndexFunc(c.workloads, func(w Workload) bool { return !w.Runs(op.Repository, op.To) })
	switch {
	case s.Busy():
		return "a sync is running"
	case e.ended && failed(s.Operation):
		return joinNotes("a later sync failed", Plain(s.Operation.Message))
	case c.sessionUnseen:
		return "whether the session has ended cannot be seen: " + c.problem
	case comparisonError(s) != "":
		return comparisonError(s)
	case s.Sync == "OutOfSync" && m.Drifts > 1:
		// The first may be from the very second in which the sync ended.
		return joinNotes("applied, and still OutOfSync", outOfSync(s))
	case s.Health == "Suspended":
		return "the rollout is paused"
	case s.Health == "Missing":
		return "resources are missing"
	case s.Sync == "Synced" && e.quiet && e.compared && laggard >= 0:
		w := c.workloads[laggard]
		return fmt.Sprintf("in sync, but %s %s does not run %s", w.Kind, w.Name, op.To)
	}
	return ""
}

func syncNote(o *SyncOperation) string {
	switch {
	case o == nil || !running(o):
		return ""
	case o.FinishedAt != "":
		return joinNotes(fmt.Sprintf("retry %d", o.RetryCount), Plain(o.Message))
	case len(o.Hooks) > 0:
		return "running hook " + Plain(o.Hooks[0])
	}
	return ""
}

// waitNote says what a noticed commit is waiting for.
func waitNote(s Snapshot, b Baseline, m Memory, e evidence) string {
	failure, tried := newCondition(s, b, "SyncError")
	switch {
	case comparisonError(s) != "":
		return comparisonError(s)
	case tried:
		return Plain(failure.Message)
	case e.foreign:
		return "waiting for the previous sync to finish"
	case m.Compared && !e.looked && e.older != "":
		return fmt.Sprintf("Argo CD went back to the older commit %s", e.older.Short())
	case s.Sync == "OutOfSync" && !s.AutoSync:
		return "auto-sync is off: waiting for someone to sync in Argo CD"
	}
	return ""
}

// comparisonError says why Argo CD cannot compare, "" if it can.
func comparisonError(s Snapshot) string {
	for _, c := range s.Conditions {
		if c.Type == "ComparisonError" {
			return "Argo CD cannot render the manifests: " + Plain(c.Message)
		}
	}
	return ""
}

// newCondition is a condition of the type that was not there before the push.
func newCondition(s Snapshot, b Baseline, kind string) (Condition, bool) {
	for _, c := range s.Conditions {
		if c.Type == kind && !slices.Contains(b.Errors, c) {
			return c, true
		}
	}
	return Condition{}, false
}
