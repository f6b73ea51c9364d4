package gitops

import (
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/sandbox/githost"
)

type factRow struct {
	name string
	rev  release.Revision
	want release.Fact
	err  bool
}

func TestFact(t *testing.T) {
	h := newHost(t)
	layer := func(tag string) map[string][]byte {
		return map[string][]byte{prodPath: githost.ReleaseLayer("synestra-io", tag)}
	}
	seed := tip(t, h)
	old := commitAs(t, h, ci, map[string][]byte{"a": []byte("1")})
	r := open(t, h)
	ours, err := r.Apply(t.Context(), promotion(read(t, r, "synestra-io"), "01A"))
	if err != nil {
		t.Fatal(err)
	}
	newer := commitAs(t, h, ci, map[string][]byte{"a": []byte("2")})
	moved := commitAs(t, h, person, layer("sha-3333333"))
	gone := commitAs(t, h, person, map[string][]byte{prodPath: nil})
	// The branch goes on from before our commit, which stays reachable elsewhere.
	git(t, h, "update-ref", "refs/heads/main", string(old))
	fork := commitAs(t, h, person, layer("sha-2222222"))
	git(t, h, "update-ref", "refs/heads/other", string(gone))

	rows := []factRow{
		{"same", ours, release.Fact{Relation: release.RelationSame, Keeps: true}, false},
		{"newer, keeps", newer, release.Fact{Relation: release.RelationNewer, Keeps: true}, false},
		{"newer, another tag", moved, release.Fact{Relation: release.RelationNewer}, false},
		{"newer, file gone", gone, release.Fact{Relation: release.RelationNewer}, false},
		{"older", old, release.Fact{Relation: release.RelationOlder}, false},
		{"oldest", seed, release.Fact{Relation: release.RelationOlder}, false},
		{"diverged", fork, release.Fact{Relation: release.RelationDiverged, Keeps: true}, false},
		{"no such commit", "1111111111111111111111111111111111111111", release.Fact{}, true},
		{"a branch", "main", release.Fact{}, true},
		{"nothing", "", release.Fact{}, true},
	}
	fresh := open(t, h)
	checkFacts(t, h, fresh, ours, rows)
	// Our commit is one that the host has lost: nothing is claimed.
	if got, err := fresh.Fact(t.Context(), "2222222222222222222222222222222222222222", newer, prodPath, "", "sha-2222222"); got != (release.Fact{}) || err == nil {
		t.Errorf("our commit is lost: got %+v, %v", got, err)
	}
}

// checkFacts asks for facts, and a second time for those that can be told: they
// are not asked of the host again.
func checkFacts(t *testing.T, h *githost.Host, fresh *Repo, ours release.Revision, rows []factRow) {
	t.Helper()
	for _, row := range rows {
		got, err := fresh.Fact(t.Context(), ours, row.rev, prodPath, "", "sha-2222222")
		if got != row.want || (err != nil) != row.err {
			t.Errorf("%s: got %+v, %v, want %+v", row.name, got, err, row.want)
		}
	}
	h.ResetCounts()
	for _, row := range rows {
		if row.err {
			continue
		}
		if got, err := fresh.Fact(t.Context(), ours, row.rev, prodPath, "", "sha-2222222"); got != row.want || err != nil {
			t.Errorf("%s, asked again: got %+v, %v", row.name, got, err)
		}
	}
	if c := h.Counts(); len(c) != 0 {
		t.Errorf("facts were asked for again: %v", c)
	}
}

// TestFactsAsTheBranchMoves follows one commit as a rollout does.
func TestFactsAsTheBranchMoves(t *testing.T) {
	h := newHost(t)
	seed := tip(t, h)
	r := open(t, h)
	ours, err := r.Apply(t.Context(), promotion(read(t, r, "synestra-io"), "01A"))
	if err != nil {
		t.Fatal(err)
	}
	fact := func(rev release.Revision, want release.Fact) {
		t.Helper()
		if got, err := r.Fact(t.Context(), ours, rev, prodPath, "", "sha-2222222"); got != want || err != nil {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	h.ResetCounts()
	fact(ours, release.Fact{Relation: release.RelationSame, Keeps: true})
	fact(seed, release.Fact{Relation: release.RelationOlder})
	if c := h.Counts(); len(c) != 0 {
		t.Errorf("what we have just pushed was asked for: %v", c)
	}
	fact(commitAs(t, h, ci, map[string][]byte{"a": []byte("1")}), release.Fact{Relation: release.RelationNewer, Keeps: true})
	if c := h.Counts(); c[githost.LsRefs].Requests != 1 || c[githost.Fetch].Requests != 1 {
		t.Errorf("a commit that Argo CD saw first took %v", c)
	}
	fact(commitAs(t, h, person, map[string][]byte{prodPath: githost.ReleaseLayer("synestra-io", "x")}), release.Fact{Relation: release.RelationNewer})
}

func TestFactsThroughAMerge(t *testing.T) {
	h := newHost(t)
	base := tip(t, h)
	r := open(t, h)
	ours, err := r.Apply(t.Context(), promotion(read(t, r, "synestra-io"), "01A"))
	if err != nil {
		t.Fatal(err)
	}
	// A side branch from before our commit is merged after it.
	var s script
	side := s.commit("side", person, "x", []string{string(base)}, nil)
	merge := s.commit("main", person, "x", []string{string(ours), side}, nil)
	marks := s.run(t, h, githost.WebCore)
	for rev, want := range map[release.Revision]release.Relation{marks[merge]: release.RelationNewer, marks[side]: release.RelationDiverged, base: release.RelationOlder} {
		if got, err := r.Fact(t.Context(), ours, rev, prodPath, "", "sha-2222222"); err != nil || got.Relation != want {
			t.Errorf("%s: got %+v, %v, want %s", rev, got, err, want)
		}
	}
}

func TestHistoryBetween(t *testing.T) {
	// root ── a ── b ── d    d merges s, which began before root.
	//        older ── s ─╯
	id := func(s string) (h plumbing.Hash) { copy(h[:], s); return h }
	h := history{root: id("root"), commits: map[plumbing.Hash]commit{}}
	for name, parents := range map[string][]string{"a": {"root"}, "b": {"a"}, "s": {"older"}, "d": {"b", "s"}} {
		var c commit
		for _, p := range parents {
			c.parents = append(c.parents, id(p))
		}
		h.commits[id(name)] = c
	}
	for _, row := range []struct {
		base, tip        string
		gained           int
		contained, known bool
	}{
		{"root", "d", 4, true, true},
		{"a", "d", 3, true, true},
		{"d", "a", 0, false, true},
		{"a", "root", 0, false, true},
		{"b", "s", 1, false, true},
		{"s", "b", 0, false, false}, // what s reaches beyond root is not known
		{"root", "root", 0, true, true},
		{"a", "x", 0, false, false},
		{"x", "a", 0, false, false},
	} {
		got, known := h.between(id(row.base), id(row.tip))
		if len(got.gained) != row.gained || got.contained != row.contained || known != row.known {
			t.Errorf("%s to %s: %d gained, contained %t, known %t; want %+v", row.base, row.tip, len(got.gained), got.contained, known, row)
		}
	}
}
