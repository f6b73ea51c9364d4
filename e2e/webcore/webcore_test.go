package webcore

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
)

func newRepo(t *testing.T) *Repo {
	t.Helper()
	r, err := Create(t.Context(), filepath.Join(t.TempDir(), "web-core.git"))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSetTagChangesOneLineOfOneFile(t *testing.T) {
	ctx, r := t.Context(), newRepo(t)
	before, err := r.AddApp(ctx, App{Name: "synestra-io", DevTag: "sha-2222222"})
	if err != nil {
		t.Fatal(err)
	}
	commit, err := r.SetTag(ctx, Person(), "prod", "synestra-io", "sha-9f8e7d6")
	if err != nil {
		t.Fatal(err)
	}
	head, err := r.Head(ctx)
	if err != nil || head != commit {
		t.Fatalf("the head is %s, %v; want the commit %s", head, err, commit)
	}
	stat, err := r.git(ctx, nil, "log", "--format=%an %s", "--numstat", before+".."+commit)
	if want := "Rita Rival release(prod): synestra-io sha-9f8e7d6\n\n1\t1\tdeploy/env/release-prod/synestra-io.yaml\n"; err != nil || string(stat) != want {
		t.Errorf("got\n%s%v\nwant\n%s", stat, err, want)
	}
	for _, row := range []struct{ revision, env, want string }{
		{Branch, "prod", "sha-9f8e7d6"},
		{Branch, "dev", "sha-2222222"},
		{before, "prod", FirstTag},
	} {
		if got, err := r.Tag(ctx, row.revision, row.env, "synestra-io"); err != nil || got != row.want {
			t.Errorf("%s at %s: got %q, %v; want %q", row.env, row.revision, got, err, row.want)
		}
	}
}

func TestSetTagRefusesWhatIsNotThere(t *testing.T) {
	if commit, err := newRepo(t).SetTag(t.Context(), CI(), "dev", "nobody", "sha-1"); err == nil {
		t.Errorf("committed %s for an app without a layer", commit)
	}
}

// Two Repos on one folder do not share the lock, as a push over HTTP does not: every commit must survive all the same.
func TestNoCommitIsLostToARace(t *testing.T) {
	ctx, ours := t.Context(), newRepo(t)
	theirs := &Repo{dir: ours.dir}
	const apps = 6
	for i := range apps {
		if _, err := ours.AddApp(ctx, App{Name: fmt.Sprint("app", i)}); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for i := range apps {
		repo := []*Repo{ours, theirs}[i%2]
		wg.Go(func() {
			if _, err := repo.SetTag(ctx, CI(), "dev", fmt.Sprint("app", i), "sha-new"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range apps {
		if tag, err := ours.Tag(ctx, Branch, "dev", fmt.Sprint("app", i)); err != nil || tag != "sha-new" {
			t.Errorf("app%d has %q, %v", i, tag, err)
		}
	}
}
