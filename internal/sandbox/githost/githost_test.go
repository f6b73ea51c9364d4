package githost

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func start(t *testing.T) *Host {
	t.Helper()
	h, err := Start(t.TempDir(), "s3cret")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	if _, err := h.Seed(t.Context(), App{"synestra-io", "sha-2222222", "sha-1111111"}); err != nil {
		t.Fatal(err)
	}
	return h
}

// client runs the git command line as a person's machine would.
func client(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(environment(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// clone clones web-core and commits something in it.
func clone(t *testing.T, h *Host) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "clone")
	for _, args := range [][]string{
		{"clone", "-q", h.URL(WebCore), dir},
		{"-C", dir, "commit", "-q", "--allow-empty", "-m", "mine"},
	} {
		if out, err := client(t, ".", args...); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	return dir
}

func withToken(h *Host, token string) string {
	return strings.Replace(h.URL(WebCore), "://", "://bot:"+token+"@", 1)
}

func TestSeedIsWhatTheRunbookDescribes(t *testing.T) {
	h := start(t)
	got, err := h.Git(t.Context(), WebCore, "show", "main:deploy/env/release-prod/synestra-io.yaml")
	if err != nil || !strings.Contains(got, `tag: "sha-1111111" # managed`) {
		t.Errorf("prod layer: %q, %v", got, err)
	}
	files, err := h.Git(t.Context(), WebCore, "ls-tree", "-r", "--name-only", "main")
	want := strings.Join([]string{
		"deploy/charts/web-app/Chart.yaml",
		"deploy/charts/web-app/templates/deployment.yaml",
		"deploy/charts/web-app/templates/service.yaml",
		"deploy/charts/web-app/values.yaml",
		"deploy/env/dev/synestra-io.yaml",
		"deploy/env/prod/synestra-io.yaml",
		"deploy/env/release-dev/synestra-io.yaml",
		"deploy/env/release-prod/synestra-io.yaml",
	}, "\n")
	if err != nil || files != want {
		t.Errorf("files:\n%s\n%v", files, err)
	}
}

func TestPushNeedsTheToken(t *testing.T) {
	h := start(t)
	dir := clone(t, h)
	for _, row := range []struct {
		name, url string
		ok        bool
	}{
		{"anonymous", h.URL(WebCore), false},
		{"wrong token", withToken(h, "wrong"), false},
		{"token", withToken(h, "s3cret"), true},
	} {
		if out, err := client(t, dir, "push", "-q", row.url, "HEAD:main"); (err == nil) != row.ok {
			t.Errorf("%s: %v: %s", row.name, err, out)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.URL(WebCore)+"/info/refs?service=git-upload-pack", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("bot", "wrong")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("a wrong token could read: %s", answer.Status)
	}
	if c := h.Counts()[Push]; c.Requests != 1 || c.Up == 0 || c.Down == 0 {
		t.Errorf("counted %+v pushes, want 1 with bytes", c)
	}
}

func TestFaults(t *testing.T) {
	for _, row := range []struct {
		name  string
		fault Fault
		lands bool
	}{
		{"status", Fault{Status: http.StatusServiceUnavailable}, false},
		{"lost reply", Fault{LoseReply: true}, true},
		{"hang", Fault{Hang: true}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := start(t)
			dir := clone(t, h)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			h.Intercept(func(r Request) Fault {
				if r.Kind != Push {
					return Fault{}
				}
				if row.fault.Hang {
					cancel() // nothing else would end it
				}
				return row.fault
			})
			cmd := exec.CommandContext(ctx, "git", "push", "-q", withToken(h, "s3cret"), "HEAD:main")
			cmd.Dir, cmd.Env, cmd.WaitDelay = dir, environment(), time.Second
			if out, err := cmd.CombinedOutput(); err == nil {
				t.Errorf("the client was told of success: %s", out)
			}
			log, err := h.Git(t.Context(), WebCore, "log", "--format=%s", "main")
			if err != nil || strings.Contains(log, "mine") != row.lands {
				t.Errorf("branch has %q, %v; landed should be %t", log, err, row.lands)
			}
		})
	}
}

func TestOlderProtocol(t *testing.T) {
	h := start(t)
	h.HideV2()
	if out, err := client(t, ".", "ls-remote", h.URL(WebCore)); err != nil || !strings.Contains(out, "refs/heads/main") {
		t.Fatalf("%v: %s", err, out)
	}
	if c := h.Counts(); c[LsRefs].Requests != 0 || c[Discovery].Requests != 1 {
		t.Errorf("spoke v2: %v", c)
	}
}

func TestConcurrentCommitsAllLand(t *testing.T) {
	h := start(t)
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			if _, err := h.Commit(t.Context(), WebCore, "ci <ci@synestra.io>", fmt.Sprint("n", i), map[string][]byte{fmt.Sprint("f", i): []byte("x")}); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	out, err := h.Git(t.Context(), WebCore, "ls-tree", "--name-only", "main")
	if n := strings.Count(out, "f"); err != nil || n != 8 {
		t.Errorf("%d of 8 commits in the branch, %v", n, err)
	}
	if _, err := h.Git(t.Context(), WebCore, "fsck", "--strict"); err != nil {
		t.Error(err)
	}
	hash, err := h.Commit(t.Context(), WebCore, "a <a@b>", "remove", map[string][]byte{"f1": nil})
	if tip, _ := h.Git(t.Context(), WebCore, "rev-parse", "main"); err != nil || tip != hash {
		t.Errorf("commit says %q, branch %q, %v", hash, tip, err)
	}
}
