package gitops

import (
	"testing"

	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/sandbox/githost"
)

// Who rolled the apps out anew is whoever changed the chart, not whose commit
// Argo CD happened to deploy.
func TestChanged(t *testing.T) {
	h := newHost(t)
	seed := tip(t, h)
	chart := func(v string) map[string]string {
		return map[string]string{"deploy/charts/web-app/values.yaml": "limit: " + v + "\n"}
	}
	var s script
	one := s.commit("main", ci, "chart: one", []string{string(seed)}, chart("1"))
	two := s.commit("main", bob, "chart: two", nil, chart("2"))
	after := s.commit("main", person, "elsewhere", nil, layerOf("sha-2222222"))
	side := s.commit("side", person, "chart: three", []string{one}, chart("3"))
	later := s.commit("side", ci, "elsewhere", []string{side}, map[string]string{"README": "1"})
	merge := s.commit("main", "Hub <hub@x>", "Merge side", []string{after, later}, mapOf(chart("3"), "README", "1"))
	last := s.commit("main", ci, "elsewhere again", []string{merge}, layerOf("sha-3333333"))
	marks := s.run(t, h, githost.WebCore)
	marks["seed"] = seed
	for _, row := range []struct {
		name, from, to string
		want           string // "" for no change
	}{
		{"nothing", two, after, ""},
		{"nothing, to itself", two, two, ""},
		{"the commit itself", "seed", one, "chart: one by ci@synestra.io"},
		{"the newest of two, before somebody else's", "seed", after, "chart: two by bob@synestra.io"},
		{"what was merged", after, last, "chart: three by ann@synestra.io"},
		{"back", after, one, " by"},
		{"to another branch", two, later, "chart: three by ann@synestra.io"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := open(t, h)
			got, err := r.Changed(t.Context(), marks[row.from], marks[row.to], "deploy/charts/web-app")
			if err != nil {
				t.Fatal(err)
			}
			said := ""
			if got != nil {
				said = got.Subject + " by"
				for _, a := range got.Authors {
					said += " " + a.Email
				}
				if got.Subject == "" && got.Revision != marks[row.to] {
					t.Errorf("it is %s", got.Revision)
				}
			}
			if said != row.want {
				t.Errorf("%q, want %q", said, row.want)
			}
		})
	}
	if _, err := open(t, h).Changed(t.Context(), marks[one], release.Revision("main"), "deploy"); err == nil {
		t.Error("a branch is taken for a commit")
	}
}
