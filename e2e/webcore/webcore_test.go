package webcore

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/synestra/promoter/internal/sandbox/githost"
)

func newRepo(t *testing.T) *Repo {
	t.Helper()
	host, err := githost.Start(t.TempDir(), "s3cret")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	r, err := Create(t.Context(), host)
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
	commit, err := r.SetTag(ctx, Person, "prod", "synestra-io", "sha-9f8e7d6")
	if err != nil {
		t.Fatal(err)
	}
	log, err := r.host.Git(ctx, githost.WebCore, "log", "--format=%H %an: %s", "--numstat", before+".."+githost.Branch)
	want := commit + " Rita Rival: release(prod): synestra-io sha-9f8e7d6\n\n1\t1\tdeploy/env/release-prod/synestra-io.yaml"
	if err != nil || log != want {
		t.Errorf("got\n%s%v\nwant\n%s", log, err, want)
	}
	for _, row := range []struct{ revision, env, want string }{
		{githost.Branch, "prod", "sha-9f8e7d6"},
		{githost.Branch, "dev", "sha-2222222"},
		{before, "prod", FirstTag},
	} {
		if got, err := r.Tag(ctx, row.revision, row.env, "synestra-io"); err != nil || got != row.want {
			t.Errorf("%s at %s: got %q, %v; want %q", row.env, row.revision, got, err, row.want)
		}
	}
}

func TestSetTagRefusesWhatIsNotThere(t *testing.T) {
	if commit, err := newRepo(t).SetTag(t.Context(), CI, "dev", "nobody", "sha-1"); err == nil {
		t.Errorf("committed %s for an app without a layer", commit)
	}
}

func TestValuesOfAnEnvironment(t *testing.T) {
	got := string(App{Name: "shop", Replicas: 4, ProgressDeadline: 5 * time.Second}.values("dev"))
	want := `# dev environment of shop
command: ["next", "dev", "--port", "3000"]
env:
  NODE_ENV: development
replicas: 4
progressDeadlineSeconds: 5
ingress:
  hosts:
    - dev.shop.synestra.io
envFrom:
  secretRef: web-shop-dev-env
  extraSecretRefs:
    - web-shop-dev-s3-env
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A rival whose commit lands when a push has arrived, and before git looks at it, wins; the push changes nothing.
func TestARivalIsQuicker(t *testing.T) {
	ctx, r := t.Context(), newRepo(t)
	if _, err := r.AddApp(ctx, App{Name: "shop"}); err != nil {
		t.Fatal(err)
	}
	clone := filepath.Join(t.TempDir(), "clone")
	url := strings.Replace(r.URL(), "http://", "http://x-access-token:s3cret@", 1)
	git := func(args ...string) error {
		cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0"}
		out, err := cmd.CombinedOutput()
		t.Logf("git %s: %v\n%s", args[0], err, out)
		return err
	}
	if git("clone", "-q", url, clone) != nil || git("-C", clone, "commit", "-q", "--allow-empty", "-m", "ours") != nil {
		t.Fatal("no commit to push")
	}
	var once sync.Once
	r.host.Intercept(func(request githost.Request) githost.Fault {
		if request.Kind == githost.Push {
			once.Do(func() {
				if _, err := r.SetTag(ctx, Person, "prod", "shop", "sha-rival"); err != nil {
					t.Error(err)
				}
			})
		}
		return githost.Fault{}
	})
	if git("-C", clone, "push", "-q", "origin", "HEAD:main") == nil {
		t.Error("the push won against a rival that was there before")
	}
	if tag, err := r.Tag(ctx, githost.Branch, "prod", "shop"); err != nil || tag != "sha-rival" {
		t.Errorf("the tag is %q, %v; want the rival's", tag, err)
	}
	if git("-C", clone, "pull", "-q", "--rebase") != nil || git("-C", clone, "push", "-q", "origin", "HEAD:main") != nil {
		t.Error("not pushed after the rival's commit was taken in")
	}
}

func TestRevertBringsBackWhatWasThere(t *testing.T) {
	ctx, r := t.Context(), newRepo(t)
	added, err := r.AddApp(ctx, App{Name: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	commit, err := r.SetTag(ctx, Person, "prod", "shop", "sha-2222222")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.SetTag(ctx, CI, "dev", "shop", "sha-3333333"); err != nil {
		t.Fatal(err)
	}
	revert, err := r.Revert(ctx, CI, commit)
	if err != nil {
		t.Fatal(err)
	}
	changed, err := r.host.Git(ctx, githost.WebCore, "diff", "--name-only", added, revert)
	if want := LayerPath("dev", "shop"); err != nil || changed != want {
		t.Errorf("differs from before the commit in %q, %v, want %q alone", changed, err, want)
	}
	subject, err := r.host.Git(ctx, githost.WebCore, "show", "--no-patch", "--format=%an: %s", revert)
	if want := `ci: Revert "release(prod): shop sha-2222222"`; err != nil || subject != want {
		t.Errorf("got %q, %v, want %q", subject, err, want)
	}
}

func TestSetReplicasLeavesTheTag(t *testing.T) {
	ctx, r := t.Context(), newRepo(t)
	app := App{Name: "shop"}
	before, err := r.AddApp(ctx, app)
	if err != nil {
		t.Fatal(err)
	}
	after, err := r.SetReplicas(ctx, Person, "prod", app, 3)
	if err != nil {
		t.Fatal(err)
	}
	changed, err := r.host.Git(ctx, githost.WebCore, "diff", "--numstat", before, after)
	if want := "1\t0\t" + ValuesPath("prod", "shop"); err != nil || changed != want {
		t.Errorf("changed %q, %v, want %q", changed, err, want)
	}
}

func TestChartsHasTheChart(t *testing.T) {
	r := newRepo(t)
	ours, err := r.host.Git(t.Context(), githost.WebCore, "rev-parse", "main:"+ChartPath)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := r.host.Git(t.Context(), Charts, "rev-parse", "main:"+ChartPath)
	if err != nil || ours != theirs {
		t.Errorf("charts.git has %s, %v, want %s", theirs, err, ours)
	}
}
