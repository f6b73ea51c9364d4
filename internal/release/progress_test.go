package release_test

import (
	"slices"
	"testing"
	"time"

	. "github.com/synestra/promoter/internal/release"
)

func TestEnter(t *testing.T) {
	minute := func(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }
	p := Progress{Seq: 4, Stalled: true, Memory: Memory{Refreshes: 3}}
	p = p.Enter(StageWriting, minute(0))
	if len(p.Past) != 0 || p.Stage != StageWriting || !p.Since.Equal(minute(0)) || p.Stalled || p.Memory.Refreshes != 0 || p.Seq != 4 {
		t.Fatalf("the first stage: %+v", p)
	}
	p.Stalled, p.Memory.Refreshes = true, 2
	if same := p.Enter(StageWriting, minute(1)); !same.Since.Equal(minute(0)) || !same.Stalled || same.Memory.Refreshes != 2 || len(same.Past) != 0 {
		t.Errorf("the same stage: %+v", same)
	}
	p = p.Enter(StageCommitted, minute(2)).Enter(StageDegraded, minute(3)).Enter(StageRollingOut, minute(4)).Enter(StageDegraded, minute(5))
	want := []Passed{{StageWriting, minute(0)}, {StageCommitted, minute(2)}, {StageDegraded, minute(3)}, {StageRollingOut, minute(4)}}
	if !slices.Equal(p.Past, want) {
		t.Errorf("past = %v", p.Past)
	}
	for stage, at := range map[Stage]time.Time{StageWriting: minute(0), StageDegraded: minute(3), StageRollingOut: minute(4), StageHealthy: {}} {
		if got := p.EnteredAt(stage); !got.Equal(at) {
			t.Errorf("%s entered at %v, want %v", stage, got, at)
		}
	}
	if got := p.Enter(StageHealthy, minute(6)).EnteredAt(StageHealthy); !got.Equal(minute(6)) {
		t.Errorf("the present stage was entered at %v", got)
	}
}

// Two progresses that come from one do not write into each other's past.
func TestEnterCopiesThePast(t *testing.T) {
	p := Progress{Stage: StageCommitted, Past: make([]Passed, 0, 8)}
	a := p.Enter(StageNoticed, start)
	b := Progress{Stage: StageSyncing, Past: p.Past}.Enter(StageRollingOut, start)
	if a.Past[0].Stage != StageCommitted || b.Past[0].Stage != StageSyncing {
		t.Errorf("%v, %v", a.Past, b.Past)
	}
}

func TestStages(t *testing.T) {
	for stage, want := range map[Stage]struct{ ended, failed, advancing bool }{
		StageWriting:       {false, false, true},
		StageCommitted:     {false, false, true},
		StageNoticed:       {false, false, true},
		StageSyncing:       {false, false, true},
		StageRollingOut:    {false, false, true},
		StageDegraded:      {false, true, false},
		StageHealthy:       {true, false, false},
		StageNoEffect:      {true, true, false},
		StageRefused:       {true, true, false},
		StageFailedToWrite: {true, true, false},
		StageSyncFailed:    {true, true, false},
		StageStillDegraded: {true, true, false},
		StageStillHot:      {true, true, false},
		StageSuperseded:    {true, false, false},
		StageTimedOut:      {true, true, false},
		StageGone:          {true, true, false},
	} {
		if stage.Ended() != want.ended || stage.Failed() != want.failed {
			t.Errorf("%s: ended %v, failed %v", stage, stage.Ended(), stage.Failed())
		}
		if got := (Progress{Stage: stage}).Advancing(); got != want.advancing {
			t.Errorf("%s: advancing %v", stage, got)
		}
		if (Progress{Stage: stage, Stalled: true}).Advancing() {
			t.Errorf("%s advances though stalled", stage)
		}
	}
}
