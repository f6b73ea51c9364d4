package release

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// glance is dev at a second, well on sha-2 unless it is changed.
func glance(second int, change ...func(*Running)) SoakSight {
	dev := runs(flow.Dev, "sha-2")
	dev.Snapshot.HealthSince = "2026-11-24T11:00:00Z"
	dev.Live.Workloads[0].Rollout = "4"
	for _, c := range change {
		c(&dev)
	}
	return SoakSight{At: noon.Add(time.Duration(second) * time.Second), Git: Content{Tag: "sha-2", Repository: image}, Dev: dev}
}

func TestSoak(t *testing.T) {
	ill := func(r *Running) { r.Snapshot.Health = "Degraded" }
	rolling := func(r *Running) { r.Live.Workloads[0].Updated = 1 }
	session := func(r *Running) { r.Live.Session = &Session{Workload: "shop"} }
	drifted := func(r *Running) { r.Snapshot.Sync = "OutOfSync" }
	other := func(r *Running) { r.Live.Workloads[0].Images = []string{image + ":sha-9"} }
	blind := func(r *Running) { r.Live = Live{Problem: "forbidden"} }
	hidden := func(r *Running) { r.Problem = Refuse(CodeNotVisible, "", "It cannot be seen.") }
	silent := func(r *Running) { r.Problem = Refuse(CodeArgoUnreachable, "", "No answer.") }
	flipped := func(r *Running) { r.Snapshot.HealthSince = "2026-11-24T12:00:07Z" }
	synced := func(r *Running) { r.Snapshot.HistoryID++ }
	rolled := func(r *Running) { r.Live.Workloads[0].Rollout = "5" }
	swapped := func(r *Running) { r.Live.Workloads[0].Images = append(r.Live.Workloads[0].Images, "sidecar:2") }
	regenerated := func(r *Running) { r.Live.Workloads[0].Rollout, r.Live.Workloads[0].Generation = "", 3 }
	anotherApplication := func(r *Running) { r.Snapshot.UID = "other" }
	newTag := func(v SoakSight) SoakSight {
		v.Git.Tag = "sha-3"
		v.Dev.Live.Workloads[0].Images = []string{image + ":sha-3"}
		return v
	}
	for _, c := range []struct {
		name   string
		sights []SoakSight
		want   int // seconds counted
		why    string
	}{
		{"one look", []SoakSight{glance(0)}, 0, "`sha-2` is new in Git"},
		{"watched", []SoakSight{glance(0), glance(20), glance(50), glance(55)}, 55, "is new"},
		{"a gap of 30 s counts", []SoakSight{glance(0), glance(30)}, 30, ""},
		{"a longer one does not, what was counted stays", []SoakSight{glance(0), glance(10), glance(41), glance(50)}, 19, "is new"},
		{"a night unseen", []SoakSight{glance(0), glance(10), glance(36000), glance(36010)}, 20, "is new"},
		{"another tag", []SoakSight{glance(0), glance(10), newTag(glance(20)), newTag(glance(25))}, 5, "`sha-3` is new in Git"},
		{"a short illness is not counted", []SoakSight{glance(0), glance(10), glance(20, ill), glance(30, ill, flipped), glance(40, flipped), glance(45, flipped)}, 15, "is new"},
		{"a long illness", []SoakSight{glance(0), glance(10), glance(20, ill), glance(49, ill), glance(50, ill)}, 0, "not well for too long: it is Degraded"},
		{"a long illness that just ended", []SoakSight{glance(0), glance(10), glance(20, ill), glance(49, ill), glance(51), glance(52)}, 1, "not well for too long"},
		{"an illness between others is its own", []SoakSight{glance(0), glance(1, ill), glance(21), glance(22, ill), glance(42), glance(52)}, 10, "is new"},
		{"a rollout is no illness, and not counted", []SoakSight{glance(0), glance(10, rolling), glance(30), glance(35)}, 5, "is new"},
		{"a session", []SoakSight{glance(0), glance(10), glance(11, session), glance(12), glance(20)}, 8, "live session"},
		{"drift", []SoakSight{glance(0), glance(10), glance(11, drifted)}, 0, "OutOfSync"},
		{"another image", []SoakSight{glance(0), glance(10), glance(11, other)}, 0, "does not run that"},
		{"out of sight", []SoakSight{glance(0), glance(10), glance(11, blind)}, 0, "forbidden"},
		{"hidden", []SoakSight{glance(0), glance(10), glance(11, hidden)}, 0, "cannot be seen"},
		{"no answer is no look", []SoakSight{glance(0), glance(10), glance(11, silent), glance(20)}, 20, "is new"},
		{"no answer for long", []SoakSight{glance(0), glance(10), glance(30, silent), glance(50), glance(51)}, 11, "is new"},
		{"health moved in a gap", []SoakSight{glance(0), glance(10), glance(60, flipped), glance(61, flipped)}, 1, "changed while it was not seen"},
		{"a sync in a gap", []SoakSight{glance(0), glance(10), glance(60, synced)}, 0, "changed while it was not seen"},
		{"a rollout in a gap", []SoakSight{glance(0), glance(10), glance(60, rolled)}, 0, "changed while it was not seen"},
		{"another image beside it in a gap", []SoakSight{glance(0), glance(10), glance(60, swapped)}, 0, "changed while it was not seen"},
		{"no rollout numbers, another generation in a gap", []SoakSight{glance(0, regenerated), glance(10, regenerated), glance(60, regenerated, func(r *Running) {
			r.Live.Workloads[0].Generation, r.Live.Workloads[0].Observed = 4, 4
		})}, 0, "changed while it was not seen"},
		{"health moved under watch, unseen", []SoakSight{glance(0), glance(10), glance(20, flipped), glance(25, flipped)}, 15, "is new"},
		{"a sync under watch", []SoakSight{glance(0), glance(10), glance(20, synced), glance(25, synced)}, 15, "is new"},
		{"another Application under watch", []SoakSight{glance(0), glance(10), glance(20, anotherApplication)}, 0, "changed"},
		{"looks in the wrong order", []SoakSight{glance(0), glance(20), glance(15), glance(25)}, 25, "is new"},
		{"a late look at a session counts", []SoakSight{glance(0), glance(20), glance(15, session), glance(25)}, 0, "live session"},
		{"the clock went back", []SoakSight{glance(1000), glance(1010), glance(10), glance(20), glance(1015)}, 15, "is new"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s Soak
			for _, sight := range c.sights {
				s = s.Observe(sight, DefaultRules())
			}
			if want := time.Duration(c.want) * time.Second; s.Counted != want || !strings.Contains(s.Why, c.why) {
				t.Errorf("counted %v, want %v; since %v: %s", s.Counted, want, s.Since, s.Why)
			}
		})
	}
}

func TestSoakLeft(t *testing.T) {
	s := Soak{Tag: "sha-2", Counted: 10 * time.Minute}
	if a, b, c := s.Left("sha-2", time.Hour), s.Left("sha-2", time.Minute), s.Left("sha-3", time.Hour); a != 50*time.Minute || b != 0 || c != time.Hour {
		t.Error(a, b, c)
	}
}

// days is a dev environment by the second: what was wrong in it, and the marks
// that it left.
type days struct {
	wrong []string // "", "ill", "hot"
	marks []int    // a number that moves with every change of health, sync or rollout
	tags  []int
}

func live(r *rand.Rand, seconds int) days {
	var d days
	wrong, mark, tag := "", 0, 0
	for range seconds {
		switch n := r.IntN(400); {
		case n < 3:
			tag++
			mark++
		case n < 8 && wrong == "":
			wrong = []string{"ill", "ill", "hot"}[r.IntN(3)]
			mark++
		case n < 40 && wrong != "":
			wrong = ""
			mark++
		case n == 50:
			mark++ // a sync that changes nothing
		}
		d.wrong, d.marks, d.tags = append(d.wrong, wrong), append(d.marks, mark), append(d.tags, tag)
	}
	return d
}

func (d days) sight(second int) SoakSight {
	tag := Tag(fmt.Sprint("sha-", d.tags[second]))
	v := glance(second, func(r *Running) {
		r.Live.Workloads[0].Images = []string{image + ":" + string(tag)}
		switch mark := d.marks[second]; mark % 3 {
		case 0:
			r.Snapshot.HistoryID = int64(mark)
		case 1:
			r.Snapshot.HealthSince = fmt.Sprint(mark)
		case 2:
			r.Live.Workloads[0].Rollout = fmt.Sprint(mark)
		}
		switch d.wrong[second] {
		case "ill":
			r.Snapshot.Health = "Progressing"
		case "hot":
			r.Live.Session = &Session{Workload: "shop"}
		}
	})
	v.Git.Tag = tag
	return v
}

// However dev fares and however often it is looked at, the count is at most the
// time since it began anew that was both good and watched; and where dev is good
// and watched, all of it is counted.
func TestSoakNeverCountsTooMuch(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var counted time.Duration
	for range 400 {
		d := live(r, 1200)
		var s Soak
		at, began, good := 0, 0, 0 // the last look, the one it began anew at, good seconds watched since
		s = s.Observe(d.sight(0), DefaultRules())
		for at < 1199 {
			next := min(1199, at+1+r.IntN(36))
			s = s.Observe(d.sight(next), DefaultRules())
			if s.Since.Equal(noon.Add(time.Duration(next) * time.Second)) {
				began, good = next, 0
			}
			if began < next && next-at <= 30 && d.good(at, next) {
				good += next - at
			}
			if s.Counted != time.Duration(good)*time.Second {
				t.Fatalf("at %d it has counted %v, and %d s since %d were good and watched", next, s.Counted, good, began)
			}
			if hot := d.wrong[next] == "hot" || d.tags[next] != d.tags[at]; hot && s.Counted != 0 {
				t.Fatalf("at %d it has counted %v", next, s.Counted)
			}
			if next-at > 30 && d.marks[next] != d.marks[at] && s.Counted != 0 {
				t.Fatalf("at %d, after a gap in which something moved, it has counted %v", next, s.Counted)
			}
			counted = max(counted, s.Counted)
			at = next
		}
	}
	if counted < 3*time.Minute {
		t.Errorf("never counted more than %v", counted)
	}
}

// good says that nothing was wrong from one second to another, and nothing moved.
func (d days) good(from, to int) bool {
	for second := from; second <= to; second++ {
		if d.wrong[second] != "" || d.marks[second] != d.marks[from] {
			return false
		}
	}
	return true
}
