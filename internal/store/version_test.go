package store

import (
	"os"
	"slices"
	"testing"

	"github.com/synestra/promoter/internal/release"
)

// testdata/version1.sql is a database as the first version of the schema had
// it: an operation on its way, one that ended, a delivery that waits.
func TestVersion1IsBroughtUpToDate(t *testing.T) {
	path := file(t)
	dump, err := os.ReadFile("testdata/version1.sql")
	must(t, err)
	old := other(t, path)
	_, err = old.Exec(string(dump))
	must(t, err)
	must(t, old.Close())

	s := open(t, path)
	ops, err := s.Recent(t.Context(), "web", 10)
	if err != nil || ids(ops) != "2 1" {
		t.Fatalf("operations: %q, %v", ids(ops), err)
	}
	for i, want := range []release.Stage{release.StageHealthy, release.StageWriting} {
		if op := ops[i]; op.Progress.Stage != want || op.To != "v2" || op.Created != at || op.Lease != operation("1").Lease {
			t.Errorf("operation %s: %+v", op.ID, op)
		}
	}
	if unfinished, err := s.Unfinished(t.Context()); err != nil || ids(unfinished) != "1" {
		t.Errorf("unfinished: %q, %v", ids(unfinished), err)
	}
	must(t, s.Save(t.Context(), ops[1]))
	if got := pending(t, s); !slices.Equal(got, []string{"waits"}) {
		t.Errorf("pending: %q", got)
	}
	if accept(t, s, "settled") {
		t.Error("what was settled is fresh")
	}
	if adopted, err := s.Adopted(t.Context()); err != nil || adopted {
		t.Errorf("it is adopted: %v, %v", adopted, err)
	}
	record(t, s, leader(t, s, "me"), newNotice("n", "C1", "u"))
}
