package release

import (
	"slices"
	"strings"
	"testing"
)

func TestPrevious(t *testing.T) {
	for _, c := range []struct {
		name string
		prod History
		want Tag // "" where it is not certain
	}{
		{"the one before", lived("A B C"), "B"},
		{"only one", lived("A"), ""},
		{"values changed since", lived("A B B B"), "A"},
		{"rolled back once", lived("A B C B"), "A"},
		{"rolled back to the first", lived("A B A"), ""},
		{"rolled back, and on", lived("A B A C"), "A"},
		{"rolled back, and promoted again", lived("A B A B"), "A"},
		{"rolled back past one", lived("A B C A D"), "A"},
		{"once not readable", lived("A - B"), ""},
		{"not known from its beginning", short(lived("A B A"), 1), ""},
	} {
		got, known := c.prod.Previous()
		if got != c.want || known != (c.want != "") {
			t.Errorf("%s: %q, %v; want %q", c.name, got, known, c.want)
		}
	}
}

func TestEarlier(t *testing.T) {
	if got := lived("A B C - B D").Earlier(3); !slices.Equal(got, []Tag{"B", "C", "A"}) {
		t.Errorf("earlier %q", got)
	}
	if got := lived("A B C").Earlier(1); !slices.Equal(got, []Tag{"B"}) {
		t.Errorf("the last %q", got)
	}
	if got := lived("A").Earlier(10); len(got) != 0 {
		t.Errorf("of one %q", got)
	}
}

// back is an app whose prod runs sha-2 after sha-0 and sha-1, with a dev that
// nothing good can be said of.
func back() State {
	s := shop()
	s.Layers.Prod.Tag, s.Prod = "sha-2", runs(flow.Prod, "sha-2")
	s.Layers.Dev.Flaw = &Flaw{Reason: "not YAML"}
	s.Dev.Problem = Refuse(CodeArgoUnreachable, "", "gone")
	return s
}

func TestGoBack(t *testing.T) {
	for to, want := range map[Tag]Tag{"": "sha-1", "sha-1": "sha-1", "sha-0": "sha-0"} {
		plan, no := GoBack(back(), lived("sha-0 sha-1 sha-2"), to)
		if no != nil || plan.Path != "deploy/env/release-prod/shop.yaml" || plan.From != "sha-2" || plan.To != want || plan.Repository != image || plan.Ask != "" {
			t.Errorf("to %q: %+v, %v", to, plan, no)
		}
	}
	plan, no := GoBack(back(), lived("sha-1 sha-2 sha-2"), "sha-1")
	if no != nil || !slices.ContainsFunc(plan.Notes, func(n string) bool { return strings.Contains(n, "Only the tag goes back") }) {
		t.Errorf("other settings have changed: %+v, %v", plan, no)
	}
}

func TestGoBackRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*State)
		prod   History
		to     Tag
		code   Code
		say    string
	}{
		{"no layer", func(s *State) { s.Layers.Prod.Missing = true }, lived("sha-1 sha-2"), "", CodeOneEnvironment, "is missing"},
		{"not editable", func(s *State) { s.Layers.Prod.Flaw = &Flaw{Reason: "x", Line: 3} }, lived("sha-1 sha-2"), "", CodeNotEditable, "yaml:3"},
		{"a digest", func(s *State) { s.Layers.Prod.Digest = "sha256:a" }, lived("sha-1 sha-2"), "", CodeDigest, "image digest"},
		{"hidden", func(s *State) { s.Prod.Problem = Refuse(CodeNotVisible, "", "hidden") }, lived("sha-1 sha-2"), "", CodeNotVisible, "hidden"},
		{"elsewhere", func(s *State) { s.Prod.Follows = nil }, lived("sha-1 sha-2"), "", CodeElsewhere, "does not deploy"},
		{"the branch moved", func(*State) {}, lived("sha-1 sha-3"), "", CodeBranchMoved, "moved"},
		{"there already", func(*State) {}, lived("sha-1 sha-2"), "sha-2", CodeAlreadyThere, "Prod of `shop` already runs `sha-2`"},
		{"there already, in Git", func(s *State) { s.Prod.Snapshot.Health = "Degraded" }, lived("sha-1 sha-2"), "sha-2", CodeAlreadyThere, "in Git; but as for what runs, it is Degraded"},
		{"never there", func(*State) {}, lived("sha-1 sha-2"), "sha-9", CodeNeverThere, "Prod of `shop` never had `sha-9`."},
		{"never seen there", func(*State) {}, short(lived("sha-0 sha-1 sha-2"), 1), "sha-0", CodeNeverThere, "as far back as its history can be read"},
		{"a tag that breaks out", func(*State) {}, lived("sha-1 sha-2"), "`x\n<!here>", CodeNeverThere, "never had `ˋx <!here>`"},
		{"nothing before", func(*State) {}, lived("sha-2"), "", CodeNoPrevious, "never had another release"},
		{"after a rollback", func(*State) {}, lived("sha-2 sha-3 sha-2"), "", CodeNoPrevious, "cannot be told for certain"},
		{"a short history", func(*State) {}, short(lived("sha-0 sha-1 sha-2"), 1), "", CodeNoPrevious, "cannot be told for certain"},
	} {
		s := back()
		c.change(&s)
		_, no := GoBack(s, c.prod, c.to)
		if no == nil || no.Code != c.code || !strings.Contains(no.Say, c.say) {
			t.Errorf("%s: %v", c.name, no)
		}
	}
}

// A rollback does not wait for a rollout, and nothing else takes over from one.
func TestYields(t *testing.T) {
	for _, c := range []struct {
		at   Stage
		kind Kind
		want bool
	}{
		{StageWriting, KindRollback, false},
		{StageCommitted, KindRollback, true},
		{StageRollingOut, KindRollback, true},
		{StageRollingOut, KindPromote, false},
		{StageDegraded, KindPromote, true},
	} {
		if got := (Operation{Progress: Progress{Stage: c.at}}).Yields(c.kind); got != c.want {
			t.Errorf("%s to a %s: %v", c.at, c.kind, got)
		}
	}
}
