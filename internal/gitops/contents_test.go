package gitops

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/sandbox/githost"
)

func TestContents(t *testing.T) {
	apps := []githost.App{}
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		apps = append(apps, githost.App{Name: name, Dev: "v2", Prod: "v1"})
	}
	h := newHost(t, apps...)
	commitAs(t, h, person, map[string][]byte{
		file3("bad"):                        []byte("image: ["),
		file3("merged"):                     []byte("x: &x {tag: v9, repository: r}\nimage:\n  <<: *x\n"),
		file3("UPPER"):                      []byte("image: {tag: v1}\n"),
		file3("a"):                          []byte("image: {tag: v1}\nreplicas: 3\n"),
		"deploy/env/prod/b.yaml":            nil,
		"deploy/env/prod/alone.yaml":        []byte("x: 1\n"),
		"deploy/env/release-prod/README.md": []byte("hi"),
		"deploy/env/release-prod/c.yaml/x":  []byte("in the way"),
	})
	r := open(t, h)
	ask := func(name string, fetches int) map[release.App]release.Content {
		t.Helper()
		h.ResetCounts()
		got, rev, err := r.Contents(t.Context(), "prod")
		if err != nil || rev != tip(t, h) {
			t.Fatalf("%s: at %s, %v", name, rev, err)
		}
		if c := h.Counts(); c[githost.LsRefs].Requests != 1 || c[githost.Fetch].Requests > fetches {
			t.Errorf("%s took %v, want at most %d fetches", name, c, fetches)
		}
		return got
	}
	got := ask("the first time", 2) // the tip's trees, the layers
	if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, []release.App{"a", "b", "bad", "d", "e", "f", "merged"}) {
		t.Errorf("the apps are %v", names)
	}
	a, b := got["a"], got["b"]
	if a.Tag != "v1" || a.Repository != "" || a.Settings["replicas"] != "3" || a.Values != git(t, h, "rev-parse", "main:deploy/env/prod/a.yaml") {
		t.Errorf("a is %+v", a)
	}
	if b.Tag != "v1" || b.Repository != "registry.synestra.io/web/b" || b.Values != "" || got["bad"].Tag != "" || got["merged"].Tag != "v9" {
		t.Errorf("b is %+v, bad %+v, merged %+v", b, got["bad"], got["merged"])
	}
	ask("nothing new", 0)
	commitAs(t, h, ci, map[string][]byte{file3("d"): []byte("image: {tag: v5}\n"), file3("b"): nil})
	got = ask("a commit more", 1)
	if _, there := got["b"]; there || got["d"].Tag != "v5" || !got["a"].Same(a) {
		t.Errorf("after a commit: %v", got)
	}
	if _, _, err := r.Contents(t.Context(), "stage"); err == nil || !strings.Contains(err.Error(), `no environment "stage"`) {
		t.Errorf("an unknown environment: %v", err)
	}
}

// TestContentsTreeByTree: tree by tree, but not app by app.
func TestContentsTreeByTree(t *testing.T) {
	apps := []githost.App{}
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		apps = append(apps, githost.App{Name: name, Dev: "v2", Prod: "v1"})
	}
	h := newHost(t, apps...)
	files := map[string][]byte{}
	for _, a := range apps {
		files["sites/"+a.Name+"/prod/release.yaml"] = []byte("image: {tag: " + a.Name + "}\n")
	}
	commitAs(t, h, person, files)
	if err := h.Configure(t.Context(), githost.WebCore, "uploadpackfilter.combine.allow", "false"); err != nil {
		t.Fatal(err)
	}
	r := open(t, h, func(c *Config) { c.Environments.Prod.Layer = "sites/{app}/prod/release.yaml" })
	got, _, err := r.Contents(t.Context(), "prod")
	if err != nil || len(got) != len(apps) || got["h"].Tag != "h" || got["h"].Values == "" {
		t.Errorf("got %v, %v", got, err)
	}
	// A refused filter, the tip, a level each of five, the layers.
	if c := h.Counts()[githost.Fetch].Requests; c > 8 {
		t.Errorf("took %d fetches", c)
	}
}

func TestContent(t *testing.T) {
	h := newHost(t)
	seed := tip(t, h)
	r := open(t, h)
	is := func(name string, at release.Revision, want release.Tag) {
		t.Helper()
		got, err := r.Content(t.Context(), "synestra-io", "prod", at)
		if err != nil || got.Tag != want || got.Values == "" {
			t.Errorf("%s: got %+v, %v, want %s", name, got, err, want)
		}
	}
	is("the tip, not known yet", seed, "sha-1111111")
	two := commitAs(t, h, ci, map[string][]byte{prodPath: githost.ReleaseLayer("synestra-io", "sha-7777777")})
	is("newer than what is known", two, "sha-7777777")
	git(t, h, "update-ref", "refs/heads/main", string(seed))
	three := commitAs(t, h, ci, map[string][]byte{prodPath: nil})
	git(t, h, "update-ref", "refs/heads/other", string(two))
	is("gone", three, "")
	fresh := open(t, h)
	r = fresh
	is("on no branch that we read", two, "sha-7777777")
	h.ResetCounts()
	is("again", two, "sha-7777777")
	if c := h.Counts(); len(c) != 0 {
		t.Errorf("asked again for what never changes: %v", c)
	}
	for _, at := range []release.Revision{"", "main", "1111111111111111111111111111111111111111"} {
		if got, err := r.Content(t.Context(), "synestra-io", "prod", at); err == nil {
			t.Errorf("at %q there is %+v", at, got)
		}
	}
}

func TestFollow(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	early, stopEarly := r.Follow()
	defer stopEarly()
	next := func(ch <-chan release.Revision) release.Revision {
		select {
		case rev := <-ch:
			return rev
		default:
			return ""
		}
	}
	if got := next(early); got != "" {
		t.Errorf("told of %s before it was known", got)
	}
	l := read(t, r, "synestra-io")
	if got := next(early); got != l.Revision {
		t.Errorf("told of %q, want %s", got, l.Revision)
	}
	read(t, r, "synestra-io")
	if got := next(early); got != "" {
		t.Errorf("told of %s again", got)
	}
	late, stop := r.Follow()
	commitAs(t, h, ci, map[string][]byte{"a": []byte("1")})
	read(t, r, "synestra-io")
	mine, err := r.Apply(t.Context(), promotion(read(t, r, "synestra-io"), "01A"))
	if err != nil {
		t.Fatal(err)
	}
	for name, ch := range map[string]<-chan release.Revision{"early": early, "late": late} {
		if got := next(ch); got != mine {
			t.Errorf("%s was told of %q, want the newest, %s", name, got, mine)
		}
	}
	stop()
	commitAs(t, h, ci, map[string][]byte{"a": []byte("2")})
	read(t, r, "synestra-io")
	if next(late) != "" || next(early) == "" {
		t.Error("who stopped is told, or who did not is not")
	}
}

func TestFactOfValues(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	const values, none = "deploy/env/prod/synestra-io.yaml", "deploy/env/prod/none.yaml"
	ours := tip(t, h)
	same := commitAs(t, h, ci, map[string][]byte{"a": []byte("1")})
	other := commitAs(t, h, ci, map[string][]byte{values: []byte("replicas: 9\n"), none: []byte("x: 1\n")})
	gone := commitAs(t, h, ci, map[string][]byte{values: nil})
	for _, row := range []struct {
		name   string
		rev    release.Revision
		values string
		tag    release.Tag
		want   bool
	}{
		{"the same", same, values, "sha-1111111", true},
		{"changed", other, values, "sha-1111111", false},
		{"changed, not asked", other, "", "sha-1111111", true},
		{"gone", gone, values, "sha-1111111", false},
		{"never there", same, none, "sha-1111111", true},
		{"came", other, none, "sha-1111111", false},
		{"the same, another tag", same, values, "sha-2222222", false},
	} {
		if got, err := r.Fact(t.Context(), ours, row.rev, prodPath, row.values, row.tag); err != nil || got.Keeps != row.want || got.Relation != release.RelationNewer {
			t.Errorf("%s: got %+v, %v", row.name, got, err)
		}
	}
}

func TestReadHosts(t *testing.T) {
	for _, row := range []struct{ name, values, want string }{
		{"names", "ingress:\n  hosts:\n    - b.x.io\n    - a.x.io\n", "b.x.io a.x.io"},
		{"mappings", "ingress:\n  hosts:\n    - host: a.x.io\n      paths: [{path: /}]\n    - {host: b.x.io}\n", "a.x.io b.x.io"},
		{"one host", "ingress: {enabled: true, host: a.x.io}\n", "a.x.io"},
		{"hostname", "ingress: {hostname: a.x.io, extraHosts: []}\n", "a.x.io"},
		{"one name under hosts", "ingress: {hosts: a.x.io}\n", "a.x.io"},
		{"at the top", "host: a.x.io\nhosts: [b.x.io]\n", "a.x.io b.x.io"},
		{"with tls", "ingress:\n  tls: [{hosts: [a.x.io], secretName: s}]\n  hosts: [a.x.io]\n", "a.x.io"},
		{"named ingresses", "ingress:\n  main: {hosts: [{host: a.x.io}]}\n  admin: {enabled: false, host: b.x.io}\n", "a.x.io"},
		{"an alias", "h: &h [a.x.io]\ningress: {hosts: *h}\n", "a.x.io"},
		{"switched off", "ingress: {enabled: false, hosts: [a.x.io]}\n", ""},
		{"no names", "ingress: {hosts: ['*.x.io', '{{ .x }}', 10.0.0.1, localhost, 'a.x.io/b', 'A b', -a.io, 'x.io|evil', 7]}\n", ""},
		{"another service's host", "redis: {host: redis.x.io}\nenv: {HOSTS: a.x.io}\n", ""},
		{"six", "ingress: {hosts: [f.io, a.io, b.io, a.io, c.io, d.io, e.io]}\n", "f.io a.io b.io c.io d.io"},
		{"no ingress", "replicas: 1\n", ""},
		{"no YAML", "ingress: [\n", ""},
		{"nothing", "", ""},
		{"within itself", "ingress: &i\n  hosts: [a.x.io]\n  more: *i\n", "a.x.io"},
		{"endless merges", bomb() + "ingress: {x: *m0, hosts: [a.x.io]}\n", "a.x.io"},
	} {
		if got := strings.Join(readHosts([]byte(row.values)), " "); got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

func TestHosts(t *testing.T) {
	r := open(t, newHost(t))
	for env, want := range map[string]string{"prod": "synestra-io.synestra.io", "dev": "dev.synestra-io.synestra.io"} {
		if got, err := r.Hosts(t.Context(), "synestra-io", env); err != nil || !slices.Equal(got, []string{want}) {
			t.Errorf("%s: got %v, %v", env, got, err)
		}
	}
	if got, err := r.Hosts(t.Context(), "nobody", "prod"); err != nil || got != nil {
		t.Errorf("of no app: %v, %v", got, err)
	}
}
