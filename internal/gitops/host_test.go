package gitops

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/sandbox/githost"
)

const (
	secret   = "t0ken-s3cret"
	prodPath = "deploy/env/release-prod/synestra-io.yaml"
	ci       = "ci <ci@synestra.io>"
	person   = "Ann Person <ann@synestra.io>"
)

var runbook = release.Environments{
	Dev:  release.Environment{Name: "dev", Layer: "deploy/env/release-dev/{app}.yaml", Values: "deploy/env/dev/{app}.yaml"},
	Prod: release.Environment{Name: "prod", Layer: "deploy/env/release-prod/{app}.yaml", Values: "deploy/env/prod/{app}.yaml"},
}

// seeded is the folder of a Git host with a web-core of synestra-io alone, which
// is made once: a copy of it starts no process.
var seeded = sync.OnceValues(func() (fs.FS, error) {
	dir, err := os.MkdirTemp("", "seeded")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	h, err := githost.Start(dir, secret)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	if _, err := h.Seed(context.Background(), githost.App{Name: "synestra-io", Dev: "sha-2222222", Prod: "sha-1111111"}); err != nil {
		return nil, err
	}
	files := fstest.MapFS{}
	return files, fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(filepath.Join(dir, path))
		files[path] = &fstest.MapFile{Data: content}
		return err
	})
})

// newHost starts a Git host with a seeded web-core, of synestra-io alone if no
// apps are given. The test runs beside others: it mostly waits for git.
func newHost(t *testing.T, apps ...githost.App) *githost.Host {
	t.Helper()
	t.Parallel()
	dir := t.TempDir()
	h, err := githost.Start(dir, secret)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	if apps != nil {
		_, err = h.Seed(t.Context(), apps...)
	} else if files, failed := seeded(); failed != nil {
		err = failed
	} else {
		err = os.CopyFS(dir, files)
	}
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func config(h *githost.Host) Config {
	return Config{
		URL: h.URL(githost.WebCore), Branch: "main", Username: "x-access-token",
		Token:        func(context.Context) (string, error) { return secret, nil },
		Committer:    release.Identity{Name: "promoter", Email: "promoter@synestra.io"},
		TagPath:      []string{"image", "tag"},
		Environments: runbook,
		Log:          slog.New(slog.DiscardHandler),
	}
}

// open opens web-core as the bot does; with may change the configuration.
func open(t *testing.T, h *githost.Host, with ...func(*Config)) *Repo {
	t.Helper()
	cfg := config(h)
	for _, f := range with {
		f(&cfg)
	}
	r, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// read reads an app's layers and fails the test if it cannot.
func read(t *testing.T, r *Repo, app release.App) release.Layers {
	t.Helper()
	l, err := r.Layers(t.Context(), app)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// promotion is the change that copies dev's tag to prod.
func promotion(l release.Layers, operation string) release.Change {
	return change(l.Prod.Path, l.Prod.Tag, l.Dev.Tag, l.Revision, operation)
}

func change(path string, from, to release.Tag, base release.Revision, operation string) release.Change {
	return release.Change{
		Operation: operation, Path: path, From: from, To: to, Base: base,
		Author:  release.Identity{Name: "Ann Person", Email: "u1@slack.synestra.io"},
		Message: fmt.Sprintf("release(prod): %s → %s\n\nOperation-Id: %s\nFrom-Tag: %s\nTo-Tag: %s\n", from, to, operation, from, to),
		At:      time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
	}
}

// git runs git on web-core.
func git(t *testing.T, h *githost.Host, args ...string) string {
	t.Helper()
	out, err := h.Git(t.Context(), githost.WebCore, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// tip is the newest commit of web-core's branch.
func tip(t *testing.T, h *githost.Host) release.Revision {
	t.Helper()
	hash, err := h.Tip(githost.WebCore)
	if err != nil {
		t.Fatal(err)
	}
	return release.Revision(hash)
}

// commitAs commits to web-core beside the bot.
func commitAs(t *testing.T, h *githost.Host, author string, files map[string][]byte) release.Revision {
	t.Helper()
	hash, err := h.Commit(t.Context(), githost.WebCore, author, "A change by somebody else", files)
	if err != nil {
		t.Fatal(err)
	}
	return release.Revision(hash)
}

// onPush has f decide on each push, counted from 1.
func onPush(h *githost.Host, f func(n int) githost.Fault) {
	n := 0
	h.Intercept(func(r githost.Request) githost.Fault {
		if r.Kind != githost.Push {
			return githost.Fault{}
		}
		n++
		return f(n)
	})
}

// commits are the hashes of the branch, the newest first, without the seed.
func commits(t *testing.T, h *githost.Host) []string {
	t.Helper()
	all := strings.Fields(git(t, h, "log", "--format=%H", "main"))
	return all[:len(all)-1]
}

// sound checks what must hold after everything: no object is missing or
// malformed, and the branch is one line.
func sound(t *testing.T, h *githost.Host) {
	t.Helper()
	git(t, h, "fsck", "--strict", "--full")
	if merges := git(t, h, "rev-list", "--merges", "main"); merges != "" {
		t.Errorf("the branch has merges: %s", merges)
	}
}

// oneLine checks that a commit changes one line of one file.
func oneLine(t *testing.T, h *githost.Host, commit string) {
	t.Helper()
	if got := git(t, h, "show", "--format=", "--numstat", commit); strings.Count(got, "\n") != 0 || !strings.HasPrefix(got, "1\t1\t") {
		t.Errorf("%s changes %q, want one line of one file", commit, got)
	}
}

func logTo(b *bytes.Buffer) func(*Config) {
	return func(c *Config) { c.Log = slog.New(slog.NewTextHandler(b, nil)) }
}
