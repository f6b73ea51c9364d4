package release

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// soakGap is how long may pass between two sights of dev for the time between
// them to count as seen.
const soakGap = 30 * time.Second

// Soak is how long dev has been seen to run its Git tag well. Only time that
// was seen counts: between two sights, both of them good, not far apart, and
// with nothing moved from one to the other.
type Soak struct {
	Tag     Tag
	Counted time.Duration
	Since   time.Time // when the count began anew
	Why     string    // why it did
	Seen    time.Time // the newest sight
	Well    bool      // all was well in the last one
	Unwell  time.Time // since when it is not, zero while it is
	Marks   SoakMarks // of the last one
}

// SoakMarks are what does not stay the same when something has happened between
// two sights.
type SoakMarks struct {
	UID         string
	HealthSince string
	HistoryID   int64
	Workloads   string // their rollouts and images
}

// SoakSight is one look at dev. A look for which Argo CD gave no answer at all
// is none: time passes unseen.
type SoakSight struct {
	At  time.Time
	Git Content // what Git says of dev
	Dev Running
}

// Observe takes a sight in. The count begins anew with another tag, at any hot
// moment, when dev has been anything but well for the debounce, and when
// something moved while it was not seen. It never counts more than was seen.
func (s Soak) Observe(sight SoakSight, rules Rules) Soak {
	if no := sight.Dev.Problem; no != nil && no.Code == CodeArgoUnreachable {
		return s
	}
	layer, marks := sight.layer(), sight.marks()
	hot := sight.Dev.hot(layer)
	unwell := sight.Dev.unverified(layer)
	passed := sight.At.Sub(s.Seen)
	watched := passed >= 0 && passed <= soakGap
	next := s
	next.Well, next.Marks = hot == "" && unwell == "", marks
	if sight.At.After(s.Seen) {
		next.Seen = sight.At // never back, or time would count twice
	}
	next.Unwell = since(s.Unwell, !next.Well, sight.At)
	switch {
	case s.Tag != sight.Git.Tag:
		next.Tag = sight.Git.Tag
		return next.anew(sight.At, fmt.Sprintf("`%s` is new in Git", Plain(string(sight.Git.Tag))))
	case hot != "":
		return next.anew(sight.At, hot)
	case !watched && marks != s.Marks, marks.UID != s.Marks.UID:
		return next.anew(sight.At, "it changed while it was not seen")
	case !s.Unwell.IsZero() && sight.At.Sub(s.Unwell) >= rules.Debounce:
		return next.anew(sight.At, joinNotes("it was not well for too long", unwell))
	case watched && s.Well && next.Well && marks == s.Marks:
		next.Counted += passed
	}
	return next
}

func (s Soak) anew(at time.Time, why string) Soak {
	s.Counted, s.Since, s.Why = 0, at, why
	return s
}

// Left is how much of the needed time the tag has still to be seen well.
func (s Soak) Left(tag Tag, needed time.Duration) time.Duration {
	if s.Tag != tag {
		return needed
	}
	return max(0, needed-s.Counted)
}

// layer is the part of dev's layer that decides what should run.
func (v SoakSight) layer() Layer {
	return Layer{Tag: v.Git.Tag, Settings: map[string]string{"image.repository": v.Git.Repository}}
}

func (v SoakSight) marks() SoakMarks {
	snapshot := v.Dev.Snapshot
	var workloads []string
	for _, w := range v.Dev.Live.Of("") {
		rollout := w.Rollout
		if rollout == "" {
			rollout = fmt.Sprint("generation ", w.Generation)
		}
		workloads = append(workloads, fmt.Sprint(w.Kind, "/", w.Namespace, "/", w.Name, " ", rollout, " ", w.Images))
	}
	slices.Sort(workloads)
	return SoakMarks{UID: snapshot.UID, HealthSince: snapshot.HealthSince, HistoryID: snapshot.HistoryID, Workloads: strings.Join(workloads, ", ")}
}
