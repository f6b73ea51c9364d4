package release

import (
	"slices"
	"time"
)

// Progress is how an operation stands: its stage, what people see of it, and
// what [Observe] must remember from one snapshot to the next. Times are ours.
type Progress struct {
	Stage Stage
	Since time.Time // when this stage was entered
	Seq   int       // grows with every change that people can see
	Past  []Passed  // the stages before this one, oldest first

	Ready, Total int    // pods, once rolling out
	Note         string // what is being waited for, or how the stage is to be read
	Cause        *Cause // why it fails, nil while nothing does
	// Folded is the newer commit that Argo CD deployed ours with, "" if it deployed ours itself.
	Folded Revision
	// By is what superseded it: a commit or an operation's id.
	By string
	// Stalled says that nothing has moved for a while. It is not an end.
	Stalled bool
	// Blind says that Argo CD cannot be asked at the moment.
	Blind bool

	Memory Memory
}

// Passed is a stage that an operation has been in.
type Passed struct {
	Stage Stage
	At    time.Time // when it was entered
}

// Cause is why an operation fails, as the cluster or Argo CD or Git says it.
type Cause struct {
	Summary   string // one line: "Deployment web: ProgressDeadlineExceeded"
	Pods      []PodFailure
	Resources []Resource
}

// Memory is what one snapshot cannot tell about the ones before it.
type Memory struct {
	Compared     bool      // Argo CD has compared a revision with our commit
	Applied      bool      // a sync of our commit has succeeded, or the cluster had it before
	AppliedAt    time.Time // when we saw that
	Had          bool      // the cluster had it before Argo CD looked
	AppliedStart string    // start of the last sync by then, where the cluster had it before
	DegradedAt   time.Time // health has been Degraded since
	HealthyAt    time.Time // everything has been well since, where no live check is possible
	MovedAt      time.Time // when anything last moved
	Reconciled   string    // reconciledAt of the last comparison of our commit
	Drifts       int       // comparisons after the sync that still found it OutOfSync
	Idle         int       // comparisons of our commit that led to nothing; after the first, a hard refresh is asked for
	IdleStart    string    // start of the last sync by then
	IdleRan      bool      // the tag ran by then
	Refreshes    int       // refreshes asked for in this stage
}

// EnteredAt is when the stage was first entered; zero if it never was.
func (p Progress) EnteredAt(s Stage) time.Time {
	if i := slices.IndexFunc(p.Past, func(q Passed) bool { return q.Stage == s }); i >= 0 {
		return p.Past[i].At
	}
	if p.Stage == s {
		return p.Since
	}
	return time.Time{}
}

// Enter is the progress with another stage. Entering the stage it is in
// changes nothing.
func (p Progress) Enter(s Stage, now time.Time) Progress {
	if p.Stage == s {
		return p
	}
	if p.Stage != "" {
		p.Past = append(slices.Clone(p.Past), Passed{p.Stage, p.Since})
	}
	p.Stage, p.Since, p.Stalled = s, now, false
	p.Memory.Refreshes = 0
	return p
}
