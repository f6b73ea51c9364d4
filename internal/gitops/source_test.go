package gitops

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/sandbox/githost"
)

const site = "site.git"

// source makes a source repository beside web-core from a script.
func source(t *testing.T, write func(*script)) (*githost.Host, *Source, func(mark string) string) {
	t.Helper()
	h := newHost(t)
	if err := h.Create(site); err != nil {
		t.Fatal(err)
	}
	var s script
	write(&s)
	marks := s.run(t, h, site)
	h.ResetCounts()
	return h, openSource(t, h), func(mark string) string { return string(marks[mark]) }
}

func openSource(t *testing.T, h *githost.Host) *Source {
	t.Helper()
	s, err := OpenSource(SourceConfig{URL: h.URL(site), Username: "x-access-token", Token: func(context.Context) (string, error) { return secret, nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func subjects(commits []release.SourceCommit) string {
	var all []string
	for _, c := range commits {
		all = append(all, c.Subject+" by "+c.Author)
	}
	return strings.Join(all, ", ")
}

func TestBetween(t *testing.T) {
	// 1 ── 2 ── 3 ── 6 ── 7 ── … ── 18
	//      ╰─ 4 ── 5 ─╯
	h, s, id := source(t, func(s *script) {
		s.commit("main", ci, "one", nil, map[string]string{"f": "1"})
		two := s.commit("main", ci, "two", nil, map[string]string{"f": "2"})
		three := s.commit("main", person, "three\n\nbody", nil, map[string]string{"f": "3"})
		s.commit("side", bob, "four", []string{two}, map[string]string{"g": "4"})
		five := s.commit("side", bob, "five", nil, map[string]string{"g": "5"})
		s.commit("main", person, "Merge side", []string{three, five}, map[string]string{"g": "5"})
		for n := range 12 {
			s.commit("main", ci, fmt.Sprint("n", n+7), nil, map[string]string{"f": fmt.Sprint(n)})
		}
		s.commit("release", ci, "a fix elsewhere", []string{two}, map[string]string{"f": "fix"})
	})
	for _, row := range []struct {
		name, from, to, want string
		more                 int
	}{
		{"a merge", id(":2")[:7], id(":6")[:7], "Merge side by Ann Person, five by Bob, four by Bob, three by Ann Person", 0},
		{"what the other side has", id(":5"), id(":6")[:10], "Merge side by Ann Person, three by Ann Person", 0},
		{"the same", id(":3")[:7], id(":3"), "", 0},
		{"backwards", id(":6")[:7], id(":2")[:7], "", 0},
		{"apart", id(":3")[:7], id(":5")[:7], "five by Bob, four by Bob", 0},
		{"many", id(":2")[:7], id(":18")[:7], "n18 by ci, n17 by ci, n16 by ci, n15 by ci, n14 by ci, n13 by ci, n12 by ci, n11 by ci", 8},
		{"another branch, in full", id(":3")[:7], id(":19"), "a fix elsewhere by ci", 0},
	} {
		got, more, err := s.Between(t.Context(), row.from, row.to)
		if err != nil || subjects(got) != row.want || more != row.more {
			t.Errorf("%s: got %s and %d more, %v", row.name, subjects(got), more, err)
		}
		if len(got) > 0 && row.name == "a merge" && (string(got[0].Revision) != id(":6") || got[0].URL != "") {
			t.Errorf("the merge is %+v", got[0])
		}
	}
	if c := h.Counts(); c[githost.Fetch].Requests != 2 { // the default branch, and the other one
		t.Errorf("took %v", c)
	}
	for name, want := range map[string]string{
		"1234567": "no commit 1234567 among the last 2000", strings.Repeat("1", 40): "no commit 1111",
		"main": "no commit id", "abc": "no commit id", "": "no commit id", "ABCDEF0": "no commit id",
	} {
		if got, _, err := s.Between(t.Context(), id(":2"), name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("to %q: %v, %v", name, got, err)
		}
	}
	// CI has pushed since: what is new is fetched, once.
	newest, err := h.Commit(t.Context(), site, ci, "newest", map[string][]byte{"f": []byte("new")})
	if err != nil {
		t.Fatal(err)
	}
	h.ResetCounts()
	if got, more, err := s.Between(t.Context(), id(":18")[:7], newest[:7]); err != nil || subjects(got) != "newest by ci" || more != 0 {
		t.Errorf("after a push: %s, %d, %v", subjects(got), more, err)
	}
	if c := h.Counts()[githost.Fetch]; c.Requests != 1 || c.Down > 1000 {
		t.Errorf("one commit more took %+v", c)
	}
}

// TestBetweenBeyondTheBound: what was read is cut off at 2,000 commits, but not
// what is told.
func TestBetweenBeyondTheBound(t *testing.T) {
	const all = maxSourceCommits + 300
	h, s, id := source(t, func(s *script) {
		s.commit("main", ci, "first", nil, nil)
		side := s.commit("side", bob, "old work", nil, nil)
		for n := range all {
			s.commit("main", ci, fmt.Sprint("n", n), nil, nil)
		}
		s.commit("main", ci, "merge", []string{fmt.Sprint(":", all+2), side}, nil)
	})
	tip := id(fmt.Sprint(":", all+3))
	got, more, err := s.Between(t.Context(), id(":2300")[:9], tip[:9])
	if err != nil || subjects(got) != "merge by ci, n2299 by ci, n2298 by ci, old work by Bob" || more != 0 {
		t.Errorf("got %s and %d more, %v", subjects(got), more, err)
	}
	if c := h.Counts()[githost.Fetch]; c.Requests > 2 || c.Down > 400_000 {
		t.Errorf("took %+v", c)
	}
	if _, _, err := s.Between(t.Context(), id(":20")[:9], tip); err == nil || !strings.Contains(err.Error(), "among the last 2000") {
		t.Errorf("from before the bound: %v", err)
	}
	if got, more, err := s.Between(t.Context(), id(":20"), tip); err != nil || len(got)+more != all-20+2+2 {
		t.Errorf("in full from before the bound: %d and %d more, %v", len(got), more, err)
	}
}

func TestNewestFirstWhereClocksDiffer(t *testing.T) {
	h, s, id := source(t, func(s *script) {
		s.commit("main", ci, "one", nil, nil)
		s.commit("main", ci, "from the future", nil, nil) // of 2027
	})
	hash, err := h.Commit(t.Context(), site, "a <a@b>", "after it", nil)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := s.Between(t.Context(), id(":1"), hash)
	if err != nil || subjects(got) != "after it by a, from the future by ci" {
		t.Errorf("got %s, %v", subjects(got), err)
	}
}

func TestSourceErrorsNameTheirSettings(t *testing.T) {
	for url, want := range map[string]string{
		"git@github.com:a/b.git": "sources: repository: SSH is not supported yet", "": "sources: repository: an https:// address",
		"https://u:pa55@host/x.git": "SOURCE_TOKEN",
	} {
		if _, err := OpenSource(SourceConfig{URL: url}); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "pa55") {
			t.Errorf("%q: %v", url, err)
		}
	}
	h := newHost(t)
	wrong, err := OpenSource(SourceConfig{URL: h.URL(githost.WebCore), Token: func(context.Context) (string, error) { return "wr0ng", nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer wrong.Close()
	for _, s := range []*Source{wrong, openSource(t, h)} { // a wrong token; no such repository
		_, _, err := s.Between(t.Context(), "1111111", "2222222")
		if err == nil || strings.Contains(err.Error(), "git.") || strings.Contains(err.Error(), "GIT_TOKEN") || strings.Contains(err.Error(), "wr0ng") ||
			!strings.Contains(err.Error(), "SOURCE_TOKEN") {
			t.Errorf("got %v", err)
		}
	}
}
