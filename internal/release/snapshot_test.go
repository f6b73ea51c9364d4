package release_test

import (
	"reflect"
	"slices"
	"testing"

	. "github.com/synestra/promoter/internal/release"
)

func TestFollows(t *testing.T) {
	for _, c := range []struct {
		name    string
		sources []Source
		want    []int
	}{
		{"as configured", []Source{{webCore, "main"}}, []int{0}},
		{"without .git", []Source{{"https://git.test/synestra/web-core", "main"}}, []int{0}},
		{"with a slash at the end", []Source{{"https://git.test/synestra/web-core.git/", "main"}}, []int{0}},
		{"in capitals", []Source{{"HTTPS://Git.Test/Synestra/Web-Core.git", "main"}}, []int{0}},
		{"with spaces around", []Source{{" " + webCore + "\n", "main"}}, []int{0}},
		{"with a user and a port", []Source{{"https://bot:x@git.test:8443/synestra/web-core.git", "main"}}, []int{0}},
		{"by SSH", []Source{{"git@git.test:synestra/web-core.git", "main"}}, []int{0}},
		{"by SSH with a scheme", []Source{{"ssh://git@git.test:22/synestra/web-core.git", "main"}}, []int{0}},
		{"by a full ref", []Source{{webCore, "refs/heads/main"}}, []int{0}},
		{"by the default branch", []Source{{webCore, "HEAD"}, {webCore, ""}}, []int{0, 1}},
		{"another branch", []Source{{webCore, "next"}, {webCore, "Main"}}, nil},
		{"a tag", []Source{{webCore, "v1"}, {webCore, "refs/tags/main"}}, nil},
		{"another host", []Source{{"https://git.example/synestra/web-core.git", "main"}}, nil},
		{"another owner", []Source{{"https://git.test/rival/web-core.git", "main"}}, nil},
		{"a longer name", []Source{{"https://git.test/synestra/web-core-old.git", "main"}, {"https://git.test/x/synestra/web-core", "main"}}, nil},
		{"by index", []Source{{"https://charts.test", "1.2.3"}, {webCore, "main"}, {"oci://x/y", "1"}, {"git@git.test:synestra/web-core", "main"}}, []int{1, 3}},
		{"nothing", []Source{{"", "main"}, {"://", "main"}}, nil},
		{"no source", nil, nil},
	} {
		if got := (Snapshot{Sources: c.sources}).Follows(webCore, "main"); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestMentioned(t *testing.T) {
	s := Snapshot{
		Revisions: []Revision{stranger, ours},
		Requested: &SyncRequest{[]Revision{stranger, newer}},
		Operation: &SyncOperation{Requested: []Revision{stranger, "main"}, Result: []Revision{stranger, older}},
		History:   []Deployment{{ID: 1, Revisions: []Revision{stranger, ours}}, {ID: 2, Revisions: []Revision{stranger, changed}}, {ID: 3, Revisions: []Revision{stranger}}},
	}
	if got, want := s.Mentioned([]int{1}), []Revision{ours, newer, older, changed}; !slices.Equal(got, want) {
		t.Errorf("mentioned %v, want %v", got, want)
	}
	if got := (Snapshot{Revisions: []Revision{ours}}).Mentioned(nil); got != nil {
		t.Errorf("in no source: %v", got)
	}
}

func TestBaseline(t *testing.T) {
	a := before(shapes["single"]).condition("ComparisonError", "boom", 1)
	want := Baseline{UID: "uid-1", HistoryID: 7, StartedAt: sec(-60), ReconciledAt: sec(0), Health: "Healthy", Errors: a.Conditions}
	if got := a.Baseline(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	if got := (Snapshot{HistoryID: -1}).Baseline(); got.StartedAt != "" || got.HistoryID != -1 {
		t.Errorf("of an Application never synced: %+v", got)
	}
}

func TestFactContains(t *testing.T) {
	for relation, want := range map[Relation]bool{
		RelationUnknown: false, RelationSame: true, RelationNewer: true, RelationOlder: false, RelationDiverged: false, "?": false,
	} {
		if got := (Fact{Relation: relation, Keeps: true}).Contains(); got != want {
			t.Errorf("%q contains it: %v", relation, got)
		}
	}
}

func TestSettled(t *testing.T) {
	whole := Workload{Generation: 4, Observed: 4, Desired: 3, Updated: 3, Available: 3, Total: 3}
	for _, c := range []struct {
		name   string
		change func(*Workload)
		want   bool
	}{
		{"whole", func(*Workload) {}, true},
		{"seen again since", func(w *Workload) { w.Observed = 5 }, true},
		{"not seen", func(w *Workload) { w.Observed = 3 }, false},
		{"not all are new", func(w *Workload) { w.Updated = 2 }, false},
		{"not all are new, and old ones fill up", func(w *Workload) { w.Updated, w.Total = 2, 3 }, false},
		{"not all are available", func(w *Workload) { w.Available = 2 }, false},
		{"an old one is left", func(w *Workload) { w.Total, w.Available = 4, 4 }, false},
		{"too many", func(w *Workload) { w.Updated, w.Total, w.Available = 4, 4, 4 }, false},
		{"scaled to zero", func(w *Workload) { *w = Workload{Generation: 4, Observed: 4} }, true},
	} {
		w := whole
		c.change(&w)
		if got := w.Settled(); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestWorkloadsOfTheApp(t *testing.T) {
	named := func(name string, images ...string) Workload { return Workload{Name: name, Images: images} }
	clone := named("shop-okteto", shopImg+":sha-2")
	clone.Clone = true
	l := Live{Workloads: []Workload{
		named("shop", shopImg+":sha-2"), named("worker", "busybox:1", shopImg+":sha-1@sha256:00"), clone,
		named("cache", "redis:7.4"), named("shop-admin", shopImg+"-admin:sha-2"), named("bare"),
	}}
	names := func(list []Workload) (found []string) {
		for _, w := range list {
			found = append(found, w.Name)
		}
		return found
	}
	for _, c := range []struct {
		name string
		got  []Workload
		want []string
	}{
		{"of a repository", l.Of(shopImg), []string{"shop", "worker"}},
		{"of another", l.Of("redis"), []string{"cache"}},
		{"of none", l.Of("nginx"), nil},
		{"of any", l.Of(""), []string{"shop", "worker", "cache", "shop-admin", "bare"}},
		{"the app's", l.App(shopImg, "sha-2"), []string{"shop", "worker"}},
		{"the app's, at a tag that nothing has", l.App(shopImg, "sha-9"), []string{"shop", "worker"}},
		{"the app's, by its tag", l.App("", "sha-2"), []string{"shop", "shop-admin"}},
		{"the app's, unknown", l.App("", "sha-9"), []string{"shop", "worker", "cache", "shop-admin", "bare"}},
	} {
		if got := names(c.got); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestRuns(t *testing.T) {
	w := Workload{Images: []string{"busybox:1", shopImg + ":sha-2@sha256:00"}}
	for _, c := range []struct {
		repository string
		tag        Tag
		want       bool
	}{
		{shopImg, "sha-2", true},
		{"", "sha-2", true},
		{"", "1", true},
		{shopImg, "1", false}, // the sidecar's
		{shopImg, "sha-1", false},
		{shopImg, "", false},
		{"registry.test/web/shop2", "sha-2", false},
	} {
		if got := w.Runs(c.repository, c.tag); got != c.want {
			t.Errorf("runs %s:%s: %v", c.repository, c.tag, got)
		}
	}
}

func TestSplitImage(t *testing.T) {
	for image, want := range map[string][2]string{
		"registry.test/web/shop:sha-1":            {"registry.test/web/shop", "sha-1"},
		"registry.test:5000/web/shop:sha-1":       {"registry.test:5000/web/shop", "sha-1"},
		"registry.test:5000/web/shop":             {"registry.test:5000/web/shop", ""},
		"registry.test:5000/web/shop@sha256:0011": {"registry.test:5000/web/shop", ""},
		"shop:sha-1@sha256:0011":                  {"shop", "sha-1"},
		"shop":                                    {"shop", ""},
		"shop:":                                   {"shop", ""},
		"":                                        {"", ""},
	} {
		repository, tag := SplitImage(image)
		if repository != want[0] || string(tag) != want[1] {
			t.Errorf("%q: %q, %q", image, repository, tag)
		}
	}
}

// What is not known of a session, by what the cluster shows.
func TestLeftover(t *testing.T) {
	original := Workload{Name: "shop", Desired: 2, Marked: true}
	down, bare, clone := original, original, Workload{Name: "shop-okteto", Clone: true, Desired: 1}
	down.Desired, bare.Marked = 0, false
	for name, c := range map[string]struct {
		live Live
		seen []string
		want string
	}{
		"marks alone":                  {Live{Workloads: []Workload{original}}, nil, "shop"},
		"marks, the clone was listed":  {Live{Workloads: []Workload{original}}, []string{"shop-okteto"}, ""},
		"marks, another was listed":    {Live{Workloads: []Workload{original}}, []string{"cart-okteto"}, "shop"},
		"marks, and a session":         {Live{Workloads: []Workload{original, clone}, Session: &Session{Workload: "shop-okteto"}}, nil, ""},
		"marks on what is scaled down": {Live{Workloads: []Workload{down}}, nil, ""},
		"no marks":                     {Live{Workloads: []Workload{bare}}, nil, ""},
	} {
		if got := c.live.Leftover(c.seen); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := (Live{Workloads: []Workload{original, clone}}).Clones(); !slices.Equal(got, []string{"shop-okteto"}) {
		t.Errorf("clones %q", got)
	}
}
