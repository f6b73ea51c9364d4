package release

import (
	"slices"
	"testing"
	"time"
)

func TestEntries(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 11, 24, 12, minute, 0, 0, time.UTC) }
	ended := func(id string, begun int, stage Stage, took time.Duration) Operation {
		return Operation{
			ID: id, Kind: KindPromote, Environment: "prod", From: "A", To: "B", Created: at(begun), By: Person{ID: "U1", Name: "Ana"},
			Progress: Progress{Stage: stage, Since: at(begun).Add(took)},
		}
	}
	elsewhere := ended("5", 50, StageHealthy, time.Minute)
	elsewhere.Environment = "dev"
	ours := func(id string) map[string]string {
		return map[string]string{"Operation-Id": id, "Operation-Kind": "promote", "Requested-By": "Ana (U1)"}
	}
	h := History{Edits: []Edit{
		{Revision: "e", Before: Content{Tag: "D"}, After: Content{Tag: "B"}, Trailers: ours("2"), Authors: []Identity{{Name: "x"}}, At: at(60)}, // a copy of b
		{Revision: "d", Before: Content{Tag: "C"}, After: Content{Tag: "D"}, Authors: []Identity{{Name: "ci"}}, At: at(5)},                      // its author's clock is late
		{Revision: "c", Before: Content{Tag: "B"}, After: Content{Tag: "C"}, Authors: []Identity{{Name: "Eva"}}, At: at(40)},
		{Revision: "b", Before: Content{Tag: "A"}, After: Content{Tag: "B"}, Trailers: ours("2"), Authors: []Identity{{Name: "x"}}, At: at(20)},
		{Revision: "a", Before: Content{Tag: ""}, After: Content{Tag: "A"}, Trailers: ours("lost"), At: at(10)},
	}}
	l := Ledger{
		Environment: "prod", Told: Told{Revision: "c", How: HowCommit, Seen: true},
		Open: []Update{{How: HowCommit, Commit: "d", Progress: Progress{Stage: StageRollingOut}}},
	}
	second := ended("2", 20, StageHealthy, 90*time.Second)
	second.Commit = "b"
	ops := []Operation{elsewhere, ended("3", 30, StageFailedToWrite, time.Minute), second}
	want := []Entry{
		{At: at(60), From: "D", To: "B", Who: "Ana (U1)", What: "promote"},
		{At: at(5), From: "C", To: "D", Who: "ci", Outcome: StageRollingOut},
		{At: at(40), From: "B", To: "C", Who: "Eva", Outcome: StageHealthy},
		{At: at(30), From: "A", To: "B", Who: "Ana (U1)", What: "promote", Outcome: StageFailedToWrite},
		{At: at(20), From: "A", To: "B", Who: "Ana (U1)", What: "promote", Outcome: StageHealthy, Took: 90 * time.Second},
		{At: at(10), To: "A", Who: "Ana (U1)", What: "promote"},
	}
	got := Entries(h, ops, l)
	if len(got) != len(want) {
		t.Fatalf("%d entries: %+v", len(got), got)
	}
	if i := slices.IndexFunc(want, func(e Entry) bool { return got[slices.Index(want, e)] != e }); i >= 0 {
		t.Errorf("entry %d is %+v, want %+v", i, got[i], want[i])
	}
}
