package release

import (
	"cmp"
	"slices"
	"strings"
)

// Status is how an app stands as a whole. They are in the order in which people
// want to see them.
type Status int

// The statuses.
const (
	StatusBroken  Status = iota
	StatusUnknown        // something of it is not known
	StatusMoving         // something is on its way
	StatusAhead          // dev and prod have different releases
	StatusHot            // the same release, but dev has drifted from it
	StatusInSync
)

// Sight is what is known of an app in one environment without asking anybody
// for this app.
type Sight struct {
	Environment string
	Missing     bool // there is no release layer
	Git         Content
	// Snapshot is the Application as last seen, nil if it is not seen.
	Snapshot *Snapshot
}

// Overview is one app among all of them.
type Overview struct {
	App       App
	Dev, Prod Sight
	Held      bool        // automation is held
	Running   []Operation // on their way
}

// Status is how the app stands, and why. It claims no more than what Git says
// now and Argo CD last said: a live session may be behind an app that is in sync.
func (o Overview) Status() (Status, string) {
	status, why := StatusInSync, []string(nil)
	worse := func(s Status, words string) {
		status = min(status, s)
		if words != "" {
			why = append(why, words)
		}
	}
	for _, s := range []Sight{o.Prod, o.Dev} {
		worse(s.status(s.Environment == o.Prod.Environment))
	}
	for _, op := range o.Running {
		worse(StatusMoving, string(op.Kind)+" "+string(op.Progress.Stage))
	}
	if !o.Dev.Missing && !o.Prod.Missing && o.Dev.Git.Tag != o.Prod.Git.Tag {
		worse(StatusAhead, "")
	}
	return status, strings.Join(why, ", ")
}

// Hot says that dev was seen to have drifted.
func (o Overview) Hot() bool {
	return o.Dev.Snapshot != nil && o.Dev.Snapshot.Sync != "Unknown" && o.Dev.Snapshot.drifted()
}

// Pods are those of the operation that is rolling out, as far as it has said.
func (o Overview) Pods() (ready, total int) {
	for _, op := range o.Running {
		if op.Progress.Total > 0 {
			return op.Progress.Ready, op.Progress.Total
		}
	}
	return 0, 0
}

// status is how one environment stands by itself. Prod is strict: drift there
// is a fault.
func (s Sight) status(strict bool) (Status, string) {
	name := s.Environment
	switch {
	case s.Missing:
		return StatusAhead, "no release layer for " + name
	case s.Git.Tag == "":
		return StatusBroken, name + "'s layer has no readable tag"
	case s.Snapshot == nil:
		return StatusUnknown, name + " is not seen"
	}
	a := s.Snapshot
	switch {
	case a.Health == "Degraded", a.Health == "Missing":
		return StatusBroken, name + " " + a.Health
	case a.Busy():
		return StatusMoving, name + " syncing"
	case a.Sync == "OutOfSync" && strict:
		return StatusBroken, name + " OutOfSync"
	case a.Sync == "OutOfSync":
		return StatusHot, name + " OutOfSync"
	case a.Health == "Progressing":
		return StatusMoving, name + " Progressing"
	case a.Sync != "Synced", a.Health != "Healthy":
		return StatusUnknown, name + " " + cmp.Or(Plain(a.Sync), "Unknown") + ", " + cmp.Or(Plain(a.Health), "Unknown")
	case !s.runs():
		return StatusUnknown, name + " is not seen to run its tag"
	}
	return StatusInSync, ""
}

// runs says that some pod has the image that Git asks for.
func (s Sight) runs() bool {
	return slices.ContainsFunc(s.Snapshot.Images, func(image string) bool {
		repository, tag := SplitImage(image)
		return tag == s.Git.Tag && (s.Git.Repository == "" || repository == s.Git.Repository)
	})
}

// SortOverviews puts what needs somebody's attention first.
func SortOverviews(all []Overview) {
	slices.SortStableFunc(all, func(a, b Overview) int {
		this, _ := a.Status()
		that, _ := b.Status()
		return cmp.Or(cmp.Compare(this, that), cmp.Compare(a.App, b.App))
	})
}
