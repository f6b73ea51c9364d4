package gitops

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/sandbox/githost"
)

func TestLayers(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	l := read(t, r, "synestra-io")
	if l.Revision != tip(t, h) || l.App != "synestra-io" {
		t.Errorf("read %s at %s", l.App, l.Revision)
	}
	p := l.Prod
	if p.Path != prodPath || p.Missing || p.Flaw != nil || p.Tag != "sha-1111111" || p.Digest != "" || p.Blob != git(t, h, "rev-parse", "main:"+prodPath) {
		t.Errorf("prod is %+v", p)
	}
	if want := map[string]string{"image.repository": "registry.synestra.io/web/synestra-io"}; !maps.Equal(p.Settings, want) {
		t.Errorf("settings are %v, want %v", p.Settings, want)
	}
	if l.Dev.Tag != "sha-2222222" {
		t.Errorf("dev is %+v", l.Dev)
	}
	// Without an answer from the host in between, what somebody else has written is seen.
	commitAs(t, h, ci, map[string][]byte{"deploy/env/release-dev/synestra-io.yaml": githost.ReleaseLayer("synestra-io", "sha-3333333")})
	if l := read(t, r, "synestra-io"); l.Dev.Tag != "sha-3333333" {
		t.Errorf("dev is %q after CI wrote it", l.Dev.Tag)
	}
}

func TestLayersTell(t *testing.T) {
	const good = "image:\n  repository: r\n  tag: v1\n"
	for _, row := range []struct {
		name          string
		layer, values string // "" for no such file
		tag           release.Tag
		flaw, digest  string
	}{
		{"missing", "", "", "", "", ""},
		{"no values", good, "", "v1", "", ""},
		{"empty values", good, "# nothing\n", "v1", "", ""},
		{"two documents", good + "---\n" + good, "", "", "more than one document", ""},
		{"tag is no tag", "image:\n  tag: 'a b'\n", "", "", "no image tag", ""},
		{"digest beside the tag", good + "  digest: sha256:aa\n", "", "v1", "", "sha256:aa"},
		{"null digest beside the tag", good + "  digest:\n", "", "v1", "", ""},
		{"digest in the repository", "image:\n  repository: r@sha256:bb\n  tag: v1\n", "", "v1", "", "sha256:bb"},
		{"digest in the tag", "image:\n  tag: v1@sha256:cc\n", "", "", "no image tag", "sha256:cc"},
		{"digest in the values", good, "image: {digest: \"sha256:dd\"}\n", "v1", "", "sha256:dd"},
		{"image with a digest in the values", good, "image: r@sha256:ee\n", "v1", "", "sha256:ee"},
		{"digest by a merge in the values", good, "d: &d\n  digest: sha256:ff\nimage:\n  <<: *d\n", "v1", "", "sha256:ff"},
		{"digest by an alias in the values", good, "d: &d {repository: \"r@sha256:ab\"}\nimage: *d\n", "v1", "", "sha256:ab"},
		{"values are no YAML", good, "a: [\n", "", "deploy/env/prod/x.yaml beside it cannot be read", ""},
		{"endless merges in the values", good, bomb(), "", "too many merge keys", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := readLocal(t, row.layer, row.values)
			if l.Missing != (row.layer == "") || l.Tag != row.tag || l.Digest != row.digest {
				t.Errorf("read %+v", l)
			}
			if (l.Flaw == nil) != (row.flaw == "") || l.Flaw != nil && !strings.Contains(l.Flaw.Reason, row.flaw) {
				t.Errorf("flaw is %+v, want %q", l.Flaw, row.flaw)
			}
		})
	}
}

// bomb has merges of merges, 12 levels of 8 each.
func bomb() string {
	var b strings.Builder
	b.WriteString("a0: &a0 {x: 1}\n")
	for i := range 12 {
		from, to := string(rune('a'+i))+"0", string(rune('b'+i))+"0"
		b.WriteString(to + ": &" + to + "\n  <<: [" + strings.TrimSuffix(strings.Repeat("*"+from+", ", 8), ", ") + "]\n")
	}
	b.WriteString("image:\n  <<: *m0\n")
	return b.String()
}

// readLocal reads a layer from files that need no host.
func readLocal(t *testing.T, layer, values string) release.Layer {
	t.Helper()
	r := &Repo{objects: newCache(cacheBytes), tagPath: tagPath}
	at := func(path, content string) file {
		if content == "" {
			return file{path: path, missing: true}
		}
		o := newObject(plumbing.BlobObject, []byte(content))
		r.objects.put(o)
		return file{path: path, entry: entry{mode: "100644", hash: o.hash}}
	}
	l, err := r.layer(t.Context(), at("deploy/env/release-prod/x.yaml", layer), at("deploy/env/prod/x.yaml", values))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLayersOfOddFiles(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	const path = "deploy/env/release-prod/odd.yaml"
	special := func(mode, hash string) func() {
		return func() {
			var s script
			s.commit("main", person, "odd", []string{string(tip(t, h))}, nil)
			fmt.Fprintf(&s, "M %s %s %s\n", mode, hash, path)
			s.run(t, h, githost.WebCore)
		}
	}
	for _, row := range []struct {
		flaw string
		make func()
	}{
		{"symbolic link", special("120000", git(t, h, "rev-parse", "main:"+prodPath))},
		{"submodule", special("160000", string(tip(t, h)))},
		{"folder", func() { commitAs(t, h, person, map[string][]byte{path: nil, path + "/x": []byte("1")}) }},
	} {
		row.make()
		l := read(t, r, "odd")
		if l.Prod.Missing || l.Prod.Flaw == nil || !strings.Contains(l.Prod.Flaw.Reason, row.flaw) || !l.Dev.Missing {
			t.Errorf("%s: read %+v", row.flaw, l.Prod)
		}
	}
}

func TestApps(t *testing.T) {
	h := newHost(t, githost.App{Name: "b", Dev: "1", Prod: "1"}, githost.App{Name: "a", Dev: "1", Prod: "1"})
	var log bytes.Buffer
	r := open(t, h, logTo(&log))
	layer := githost.ReleaseLayer("x", "1")
	commitAs(t, h, person, map[string][]byte{
		"deploy/env/release-dev/only-dev.yaml":   layer,
		"deploy/env/release-prod/only-prod.yaml": layer,
		"deploy/env/release-dev/UPPER.yaml":      layer,
		"deploy/env/release-dev/README.md":       []byte("hi"),
		"deploy/env/release-dev/sub/deep.yaml":   layer,
		"deploy/env/release-dev/dir.yaml/x":      layer,
	})
	want := []release.Presence{{App: "a", Dev: true, Prod: true}, {App: "b", Dev: true, Prod: true}, {App: "only-dev", Dev: true}, {App: "only-prod", Prod: true}}
	for range 2 {
		got, rev, err := r.Apps(t.Context())
		if err != nil || !slices.Equal(got, want) || rev != tip(t, h) {
			t.Errorf("got %v at %s, %v, want %v", got, rev, err, want)
		}
	}
	if n := strings.Count(log.String(), "UPPER"); n != 1 {
		t.Errorf("the odd name was logged %d times:\n%s", n, log.String())
	}
}

func TestAppsInFoldersOfTheirOwn(t *testing.T) {
	h := newHost(t)
	layer := githost.ReleaseLayer("x", "v1")
	commitAs(t, h, person, map[string][]byte{"sites/a/dev/release.yaml": layer, "sites/a/prod/release.yaml": layer, "sites/b/dev/release.yaml": layer, "sites/c/x": layer})
	r := open(t, h, func(c *Config) {
		c.Environments.Dev.Layer, c.Environments.Prod.Layer = "sites/{app}/dev/release.yaml", "sites/{app}/prod/release.yaml"
	})
	got, _, err := r.Apps(t.Context())
	if want := []release.Presence{{App: "a", Dev: true, Prod: true}, {App: "b", Dev: true}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if l := read(t, r, "a"); l.Prod.Tag != "v1" {
		t.Errorf("read %+v", l.Prod)
	}
}

func TestLayersOfManyAppsCostOneFetch(t *testing.T) {
	var apps []githost.App
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		apps = append(apps, githost.App{Name: name, Dev: "v2", Prod: "v1"})
	}
	h := newHost(t, apps...)
	r := open(t, h)
	read(t, r, "a")
	h.ResetCounts()
	for _, a := range apps {
		read(t, r, release.App(a.Name))
	}
	if c := h.Counts(); c[githost.Fetch].Requests != 0 || c[githost.LsRefs].Requests != len(apps) {
		t.Errorf("took %v, want one ls-refs each and no fetch", c)
	}
}
