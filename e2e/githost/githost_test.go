package githost

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// git runs the real client, deaf to the developer's own configuration and never asking for a password.
func git(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func mustGit(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := git(t, dir, args...)
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(out)
}

// serve starts a host with one repository and returns it with a clone that has a commit to push.
func serve(t *testing.T) (host *Host, bare, clone string) {
	t.Helper()
	root := t.TempDir()
	bare, clone = filepath.Join(root, "repo.git"), filepath.Join(t.TempDir(), "clone")
	mustGit(t, root, "init", "-q", "--bare", "-b", "main", bare)
	host, err := Serve(t.Context(), root, "s3cret")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	mustGit(t, filepath.Dir(clone), "clone", "-q", host.URL+"/repo.git", clone)
	mustGit(t, clone, "commit", "-q", "--allow-empty", "-m", "one")
	return host, bare, clone
}

func TestPushNeedsTheToken(t *testing.T) {
	host, bare, clone := serve(t)
	for _, row := range []struct {
		userinfo string
		accepted bool
	}{{"", false}, {"x:wrong@", false}, {"x-access-token:s3cret@", true}} {
		url := strings.Replace(host.URL, "http://", "http://"+row.userinfo, 1) + "/repo.git"
		out, err := git(t, clone, "push", "-q", url, "HEAD:main")
		if (err == nil) != row.accepted {
			t.Errorf("with %q: %v\n%s", row.userinfo, err, out)
		}
		if _, missing := git(t, bare, "rev-parse", "--verify", "main"); (missing == nil) != row.accepted {
			t.Errorf("with %q: the branch is there: %v", row.userinfo, missing == nil)
		}
	}
	if tip := mustGit(t, clone, "ls-remote", host.URL+"/repo.git", "main"); !strings.HasPrefix(tip, mustGit(t, clone, "rev-parse", "HEAD")) {
		t.Errorf("read without a token: %q", tip)
	}
}

func TestARivalIsQuicker(t *testing.T) {
	host, bare, clone := serve(t)
	url := strings.Replace(host.URL, "http://", "http://x:s3cret@", 1) + "/repo.git"
	mustGit(t, clone, "push", "-q", url, "HEAD:main")
	mustGit(t, clone, "commit", "-q", "--allow-empty", "-m", "ours")

	var rival string
	host.OnNextPush(func() {
		out, err := git(t, bare, "commit-tree", "main^{tree}", "-p", "main", "-m", "theirs")
		rival = strings.TrimSpace(out)
		if _, moved := git(t, bare, "update-ref", "refs/heads/main", rival); err != nil || moved != nil {
			t.Errorf("the rival's commit: %v, %v\n%s", err, moved, out)
		}
	})
	if out, err := git(t, clone, "push", "-q", url, "HEAD:main"); err == nil {
		t.Errorf("the push won against a rival that was there before:\n%s", out)
	}
	if got := mustGit(t, bare, "rev-parse", "main"); got != rival || rival == "" {
		t.Errorf("the branch is at %s, want the rival's %s", got, rival)
	}
	mustGit(t, clone, "pull", "-q", "--rebase", url, "main")
	mustGit(t, clone, "push", "-q", url, "HEAD:main") // called once only: nobody is quicker now
}
