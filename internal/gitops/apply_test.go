package gitops

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/sandbox/githost"
)

// refusedFor fails the test unless err is a refusal of that code.
func refusedFor(t *testing.T, err error, code release.Code) *release.Refusal {
	t.Helper()
	refusal := (*release.Refusal)(nil)
	if !errors.As(err, &refusal) || refusal.Code != code {
		t.Fatalf("got %v, want a refusal %s", err, code)
	}
	return refusal
}

// pushes are how many pushes the host has seen.
func pushes(h *githost.Host) int { return h.Counts()[githost.Push].Requests }

func TestApplyAfterACrash(t *testing.T) {
	h := newHost(t)
	first := open(t, h)
	c := promotion(read(t, first, "synestra-io"), "01A")
	want, err := first.Apply(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name  string
		since map[string][]byte // what others commit before the restart
	}{
		{"nothing since", nil},
		{"others since", map[string][]byte{"README.md": []byte("hi\n")}},
		{"undone since", map[string][]byte{prodPath: githost.ReleaseLayer("synestra-io", "sha-1111111")}},
	} {
		if row.since != nil {
			commitAs(t, h, person, row.since)
		}
		h.ResetCounts()
		got, err := open(t, h).Apply(t.Context(), c)
		if err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", row.name, got, err, want)
		}
		if n := pushes(h); n != 0 {
			t.Errorf("%s: pushed %d times, want 0", row.name, n)
		}
	}
}

func TestApplyComparesBeforeItSets(t *testing.T) {
	rows := []struct {
		app     string
		content []byte // what a rival makes of the layer meanwhile
		code    release.Code
		says    string
	}{
		{"moved", githost.ReleaseLayer("moved", "sha-3333333"), release.CodeMoved, "`sha-3333333` now"},
		{"there", githost.ReleaseLayer("there", "sha-2222222"), release.CodeAlreadyThere, "already says `sha-2222222`"},
		{"gone", nil, release.CodeNotEditable, "no such file"},
		{"alias", []byte("x: &t sha-1111111\nimage:\n  tag: *t\n"), release.CodeNotEditable, "line 3: image.tag is an alias"},
		{"comment", append([]byte("# hello\n"), githost.ReleaseLayer("comment", "sha-1111111")...), "", ""},
	}
	var apps []githost.App
	for _, row := range rows {
		apps = append(apps, githost.App{Name: row.app, Dev: "sha-2222222", Prod: "sha-1111111"})
	}
	h := newHost(t, apps...)
	r := open(t, h)
	for _, row := range rows {
		l := read(t, r, release.App(row.app))
		rival := commitAs(t, h, person, map[string][]byte{l.Prod.Path: row.content})
		_, err := r.Apply(t.Context(), promotion(l, "01"+row.app))
		if row.code == "" {
			want := strings.Replace(string(row.content), "sha-1111111", "sha-2222222", 1)
			if got := git(t, h, "show", "main:"+l.Prod.Path); err != nil || got+"\n" != want {
				t.Errorf("%s: layer is %q, %v, want %q", row.app, got, err, want)
			}
			continue
		}
		if refusal := refusedFor(t, err, row.code); !strings.Contains(refusal.Say, row.says) {
			t.Errorf("%s: says %q, want %q in it", row.app, refusal.Say, row.says)
		}
		if tip := tip(t, h); tip != rival {
			t.Errorf("%s: something was pushed: %s", row.app, tip)
		}
	}
}

func TestApplyTheSameChangeAtOnce(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	c := promotion(read(t, r, "synestra-io"), "01A")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := r.Apply(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if have := commits(t, h); len(have) != 1 {
		t.Errorf("branch has %v, want one commit", have)
	}
}

func TestApplyTwoOperationsOnOneLayer(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	l := read(t, r, "synestra-io")
	var landed, moved atomic.Int32
	var all sync.WaitGroup
	for i := range 6 {
		c := change(l.Prod.Path, l.Prod.Tag, release.Tag(fmt.Sprint("sha-", i)), l.Revision, fmt.Sprint("01-", i))
		all.Go(func() {
			_, err := r.Apply(t.Context(), c)
			refusal := (*release.Refusal)(nil)
			switch {
			case err == nil:
				landed.Add(1)
			case errors.As(err, &refusal) && refusal.Code == release.CodeMoved:
				moved.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if landed.Load() != 1 || moved.Load() != 5 || len(commits(t, h)) != 1 {
		t.Errorf("%d landed and %d were refused, branch has %v", landed.Load(), moved.Load(), commits(t, h))
	}
}

func TestApplyOnARewrittenBranch(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	commitAs(t, h, ci, map[string][]byte{"a": []byte("1")})
	l := read(t, r, "synestra-io")
	git(t, h, "update-ref", "refs/heads/main", "main~1")
	commitAs(t, h, person, map[string][]byte{"a": []byte("2")})
	_, err := r.Apply(t.Context(), promotion(l, "01A"))
	if refusal := refusedFor(t, err, release.CodeMoved); !strings.Contains(refusal.Say, "rewritten") {
		t.Errorf("says %q", refusal.Say)
	}
	// What is decided on the branch as it is now can be written.
	if _, err := r.Apply(t.Context(), promotion(read(t, r, "synestra-io"), "01B")); err != nil {
		t.Error(err)
	}
	sound(t, h)
}

func TestApplyFromABaseThatThisProcessHasNotSeen(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	read(t, r, "synestra-io")
	commitAs(t, h, ci, map[string][]byte{"a": []byte("1")})
	c := promotion(read(t, open(t, h), "synestra-io"), "01A") // another replica
	if _, err := r.Apply(t.Context(), c); err != nil {
		t.Error(err)
	}
}

func TestApplyIsNotFooledByAQuotedTrailer(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	l := read(t, r, "synestra-io")
	if _, err := h.Commit(t.Context(), githost.WebCore, person, "Revert it\n\nOperation-Id: 01A\n\nwas wrong.", map[string][]byte{"a": nil, "b": []byte("1")}); err != nil {
		t.Fatal(err)
	}
	got, err := r.Apply(t.Context(), promotion(l, "01A"))
	if err != nil {
		t.Fatal(err)
	}
	oneLine(t, h, string(got))
}

func TestApplyAuthorCannotForgeAHeader(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	c := promotion(read(t, r, "synestra-io"), "01A")
	c.Author = release.Identity{Name: "Eve\ncommitter Root <root@x> 0 +0000\x00", Email: "e\r\nparent 0>@x"}
	got, err := r.Apply(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	raw := git(t, h, "cat-file", "commit", string(got))
	head, _, _ := strings.Cut(raw, "\n\n")
	want := []string{"tree ", "parent ", "author Evecommitter Root root@x 0 +0000 <eparent 0@x> ", "committer promoter <promoter@synestra.io> "}
	for i, line := range strings.Split(head, "\n") {
		if i >= len(want) || !strings.HasPrefix(line, want[i]) {
			t.Errorf("header line %d is %q", i, line)
		}
	}
	sound(t, h)
}

func TestApplyRefusesUnsafeChanges(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	good := promotion(read(t, r, "synestra-io"), "01A")
	for _, row := range []struct {
		name  string
		spoil func(*release.Change)
	}{
		{"no operation", func(c *release.Change) { c.Operation = "" }},
		{"trailer missing", func(c *release.Change) { c.Message = "release(prod): x" }},
		{"trailer of another", func(c *release.Change) { c.Operation = "01B" }},
		{"NUL in the message", func(c *release.Change) { c.Message = "a\x00b" + c.Message }},
		{"no change", func(c *release.Change) { c.To = c.From }},
		{"not a tag", func(c *release.Change) { c.To = "a b" }},
		{"no base", func(c *release.Change) { c.Base = "main" }},
		{"values file", func(c *release.Change) { c.Path = "deploy/env/prod/synestra-io.yaml" }},
		{"outside", func(c *release.Change) { c.Path = "deploy/env/release-prod/../x.yaml" }},
	} {
		c := good
		row.spoil(&c)
		if _, err := r.Apply(t.Context(), c); err == nil {
			t.Errorf("%s: was applied", row.name)
		}
	}
	if have := commits(t, h); len(have) != 0 {
		t.Errorf("branch has %v", have)
	}
}
