package slackui

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/synestra/promoter/internal/release"
)

func TestBudgetLeavesRoomForEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget()
		take := func(k urgency) int { // as many as there are
			n := 0
			for b.take(k, time.Now()) == 0 {
				n++
			}
			return n
		}
		if ticks, stages, finals := take(tick), take(stage), take(final); ticks != 5 || stages != 3 || finals != 2 {
			t.Errorf("%d, %d and %d edits at once, want 5, 3 and 2", ticks, stages, finals)
		}
		for _, k := range []urgency{final, stage, tick} {
			wait := b.take(k, time.Now())
			time.Sleep(wait)
			if again := b.take(k, time.Now()); again != 0 {
				t.Errorf("urgency %d: %v more after waiting %v", k, again, wait)
			}
		}
	})
}

func TestBudgetOfAnyMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget()
		var made []time.Time
		for began := time.Now(); time.Since(began) < 10*time.Minute; {
			if wait := b.take(final, time.Now()); wait > 0 {
				time.Sleep(wait)
				continue
			}
			made = append(made, time.Now())
		}
		most := 0
		for i, first := range made {
			n := 0
			for _, at := range made[i:] {
				if at.Sub(first) < time.Minute {
					n++
				}
			}
			most = max(most, n)
		}
		if most > 50 || most < 40 {
			t.Errorf("up to %d edits in a minute; Slack allows 50", most)
		}
	})
}

func TestBudgetStopsWhenSlackSaysSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget()
		b.close(time.Now().Add(7 * time.Second))
		b.close(time.Now().Add(2 * time.Second)) // does not shorten it
		if wait := b.take(final, time.Now()); wait != 7*time.Second {
			t.Errorf("wait %v, want 7s", wait)
		}
		time.Sleep(7 * time.Second)
		if wait := b.take(final, time.Now()); wait != 0 {
			t.Errorf("wait %v more", wait)
		}
	})
}

func TestUrgency(t *testing.T) {
	t.Parallel()
	rolling := release.Progress{Stage: release.StageRollingOut, Ready: 3, Total: 6}
	change := func(f func(p *release.Progress)) release.Progress {
		p := rolling
		f(&p)
		return p
	}
	for _, row := range []struct {
		name string
		now  release.Progress
		want urgency
	}{
		{"pods", change(func(p *release.Progress) { p.Ready = 4 }), tick},
		{"stage", change(func(p *release.Progress) { p.Stage = release.StageDegraded }), stage},
		{"cause", change(func(p *release.Progress) { p.Cause = &release.Cause{} }), stage},
		{"stalled", change(func(p *release.Progress) { p.Stalled = true }), stage},
		{"blind", change(func(p *release.Progress) { p.Blind = true }), stage},
		{"end", change(func(p *release.Progress) { p.Stage = release.StageHealthy }), final},
	} {
		if got := urgencyOf(row.now, rolling); got != row.want {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}
