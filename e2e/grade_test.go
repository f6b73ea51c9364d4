package e2e

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// jitter is how far the observer and a teller may differ in when they saw the
// same thing: both watch the cluster, each over a connection of its own.
const jitter = 50 * time.Millisecond

// fault is what goes wrong with the message about an update.
type fault string

const (
	noFault   fault = ""
	answer503 fault = "HTTP 503"   // Slack answers once with it, and does nothing
	lostReply fault = "lost reply" // Slack posts the message, and the answer is lost
)

// told is an update that was pushed, and what became of it in truth.
type told struct {
	app, tag, commit string
	fault            fault
	proven           time.Time // zero: it never came to be live
}

// claim is that a message says that an update is live.
type claim struct {
	message string // its ts
	at      time.Time
}

// grade is how well somebody told of the updates.
type grade struct {
	early, missing, doubled int
	lost                    map[fault]int
	late                    []time.Duration // after the truth, of each claim that was true when it was made, and met no fault
}

// gradeOf compares what was claimed of each update, in the order it was, with the truth.
func gradeOf(updates []told, claims func(told) []claim) grade {
	g := grade{lost: map[fault]int{}}
	for _, u := range updates {
		made := claims(u)
		var places []string
		for _, c := range made {
			if !slices.Contains(places, c.message) {
				places = append(places, c.message)
			}
		}
		if len(places) > 1 {
			g.doubled++
		}
		switch {
		case len(made) > 0 && (u.proven.IsZero() || made[0].at.Before(u.proven.Add(-jitter))):
			g.early++
		case len(made) > 0 && u.fault == noFault:
			g.late = append(g.late, max(0, made[0].at.Sub(u.proven)))
		case len(made) > 0 || u.proven.IsZero():
		case u.fault != noFault:
			g.lost[u.fault]++
		default:
			g.missing++
		}
	}
	slices.Sort(g.late)
	return g
}

// percentile is the smallest latency that this part of all do not exceed, 0 if there are none.
func (g grade) percentile(part float64) time.Duration {
	if len(g.late) == 0 {
		return 0
	}
	return g.late[int(math.Ceil(part*float64(len(g.late))))-1]
}

func (g grade) String() string {
	return fmt.Sprintf("%6d %8d %8d %9d %11d %6d %9s %9s", g.early, g.missing, g.doubled, g.lost[answer503], g.lost[lostReply],
		len(g.late), g.percentile(0.5).Round(time.Millisecond), g.percentile(0.95).Round(time.Millisecond))
}

// gradeHead are the columns of a grade. True and late are counted of the updates without a fault.
const gradeHead = " early  missing  doubled  lost@503  lost@reply   true    median       p95"

func TestGrade(t *testing.T) {
	truth := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	after := func(message string, d time.Duration) claim { return claim{message, truth.Add(d)} }
	for _, row := range []struct {
		name   string
		fault  fault
		never  bool // came to be live
		claims []claim
		want   string // early, missing, doubled, lost by 503, by a lost reply, true
	}{
		{name: "true", claims: []claim{after("1", 3*time.Millisecond)}, want: "0 0 0 0 0 1"},
		{name: "within the jitter", claims: []claim{after("1", -jitter)}, want: "0 0 0 0 0 1"},
		{name: "early", claims: []claim{after("1", -jitter-1)}, want: "1 0 0 0 0 0"},
		{name: "early, and again when it is true", claims: []claim{after("1", -time.Second), after("2", 0)}, want: "1 0 1 0 0 0"},
		{name: "told in two messages", claims: []claim{after("1", 0), after("2", 1)}, want: "0 0 1 0 0 1"},
		{name: "edited", claims: []claim{after("1", 0), after("1", 1)}, want: "0 0 0 0 0 1"},
		{name: "not told", want: "0 1 0 0 0 0"},
		{name: "never live, not told", never: true, want: "0 0 0 0 0 0"},
		{name: "never live, told", never: true, claims: []claim{after("1", 0)}, want: "1 0 0 0 0 0"},
		{name: "lost by a 503", fault: answer503, want: "0 0 0 1 0 0"},
		{name: "lost by a lost reply", fault: lostReply, want: "0 0 0 0 1 0"},
		{name: "told in spite of a 503", fault: answer503, claims: []claim{after("1", time.Minute)}, want: "0 0 0 0 0 0"},
		{name: "doubled by a lost reply", fault: lostReply, claims: []claim{after("1", 0), after("2", 1)}, want: "0 0 1 0 0 0"},
	} {
		u := told{fault: row.fault, proven: truth}
		if row.never {
			u.proven = time.Time{}
		}
		g := gradeOf([]told{u}, func(told) []claim { return row.claims })
		got := fmt.Sprint(g.early, g.missing, g.doubled, g.lost[answer503], g.lost[lostReply], len(g.late))
		if got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
	g := grade{late: []time.Duration{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}}
	if g.percentile(0.5) != 10 || g.percentile(0.95) != 19 || (grade{}).percentile(0.5) != 0 {
		t.Errorf("median %d, p95 %d, of none %d", g.percentile(0.5), g.percentile(0.95), (grade{}).percentile(0.5))
	}
	if fields := strings.Fields(g.String()); len(fields) != len(strings.Fields(gradeHead)) {
		t.Errorf("%d columns under %d headings", len(fields), len(strings.Fields(gradeHead)))
	}
}
