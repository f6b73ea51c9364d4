// Package webcore is the GitOps repository of the end-to-end range: the chart, the environment values and the release
// layers of a web-core, and the people and machines that commit to it beside the bot.
package webcore

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// Branch is the only branch; everything is deployed from it.
	Branch = "main"
	// ChartPath is the folder of the chart that every app shares.
	ChartPath = "deploy/charts/web-app"
	// FirstTag is the image tag of an app that names none.
	FirstTag = "sha-0000001"
	// maxTries bounds how often a commit that lost a race is made again.
	maxTries = 10
)

//go:embed chart
var chart embed.FS

// Author is who commits.
type Author struct{ Name, Email string }

// CI is the pipeline that writes the dev layer after a build.
func CI() Author { return Author{"ci", "ci@synestra.io"} }

// Person is somebody of the team with a clone of the repository.
func Person() Author { return Author{"Rita Rival", "rita@synestra.io"} }

// App is one web app as its four files describe it. Zero values mean the chart's defaults and FirstTag.
type App struct {
	Name             string
	DevTag, ProdTag  string
	Replicas         int
	ProgressDeadline time.Duration // how long a rollout may stand still before Kubernetes calls it failed; whole seconds
}

// Repo is a bare web-core on disk. It is safe for concurrent use, also beside pushes that come in over HTTP.
type Repo struct {
	dir string
	mu  sync.Mutex // one commit at a time; pushes by others are met by trying again
}

// Create makes the bare repository dir with the chart in it. Partial fetches and fetches by commit are allowed, as on
// the hosts that teams use.
func Create(ctx context.Context, dir string) (*Repo, error) {
	r := &Repo{dir: dir}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making web-core: %w", err)
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--bare", "--initial-branch=" + Branch},
		{"config", "uploadpack.allowFilter", "true"},
		{"config", "uploadpack.allowAnySHA1InWant", "true"},
		{"config", "gc.auto", "0"},
	} {
		if _, err := r.git(ctx, nil, args...); err != nil {
			return nil, fmt.Errorf("making web-core: %w", err)
		}
	}
	files, err := chartFiles()
	if err != nil {
		return nil, fmt.Errorf("making web-core: %w", err)
	}
	if _, err := r.commit(ctx, CI(), "Add the web-app chart", files); err != nil {
		return nil, fmt.Errorf("making web-core: %w", err)
	}
	return r, nil
}

// AddApp commits the four files of an app and returns the commit.
func (r *Repo) AddApp(ctx context.Context, app App) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.commit(ctx, CI(), "Add "+app.Name, appFiles(app))
}

// SetTag writes tag into the app's release layer of env (dev or prod) as one commit and returns it.
func (r *Repo) SetTag(ctx context.Context, author Author, env, app, tag string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for try := 1; ; try++ {
		layer, err := r.git(ctx, nil, "show", Branch+":"+LayerPath(env, app))
		if err != nil {
			return "", fmt.Errorf("setting the %s tag of %s: %w", env, app, err)
		}
		edited, err := replaceTag(layer, tag)
		if err != nil {
			return "", fmt.Errorf("setting the %s tag of %s: %w", env, app, err)
		}
		subject := fmt.Sprintf("release(%s): %s %s", env, app, tag)
		commit, err := r.commit(ctx, author, subject, map[string][]byte{LayerPath(env, app): edited})
		if err == nil || try == maxTries || ctx.Err() != nil {
			return commit, err
		}
	}
}

// Tag returns the image tag in the app's release layer of env at revision (a commit, or Branch).
func (r *Repo) Tag(ctx context.Context, revision, env, app string) (string, error) {
	layer, err := r.git(ctx, nil, "show", revision+":"+LayerPath(env, app))
	if err != nil {
		return "", fmt.Errorf("reading the %s tag of %s: %w", env, app, err)
	}
	found := tagLine().FindSubmatch(layer)
	if found == nil {
		return "", fmt.Errorf("reading the %s tag of %s: no tag in %q", env, app, layer)
	}
	return string(found[2]), nil
}

// Head returns the branch's commit.
func (r *Repo) Head(ctx context.Context) (string, error) {
	out, err := r.git(ctx, nil, "rev-parse", "--verify", "refs/heads/"+Branch)
	if err != nil {
		return "", fmt.Errorf("reading the head of web-core: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// LayerPath is the path of the app's release layer of env.
func LayerPath(env, app string) string { return "deploy/env/release-" + env + "/" + app + ".yaml" }

// ValuesPath is the path of the app's environment values of env.
func ValuesPath(env, app string) string { return "deploy/env/" + env + "/" + app + ".yaml" }

// commit adds or replaces files in one commit on the branch and returns it. If the branch moved meanwhile it fails and
// changes nothing: git fast-import leaves a ref alone whose new tip would not contain the old one.
func (r *Repo) commit(ctx context.Context, author Author, subject string, files map[string][]byte) (string, error) {
	var stream bytes.Buffer
	fmt.Fprintf(&stream, "commit refs/heads/%s\nmark :1\n", Branch)
	fmt.Fprintf(&stream, "committer %s <%s> %d +0000\n", author.Name, author.Email, time.Now().Unix())
	fmt.Fprintf(&stream, "data %d\n%s\n", len(subject), subject)
	if head, err := r.Head(ctx); err == nil {
		fmt.Fprintf(&stream, "from %s\n", head)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&stream, "M 100644 inline %s\ndata %d\n%s\n", name, len(files[name]), files[name])
	}
	stream.WriteString("get-mark :1\ndone\n")
	out, err := r.git(ctx, stream.Bytes(), "fast-import", "--quiet", "--done")
	if err != nil {
		return "", fmt.Errorf("committing %q: %w", subject, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// git runs git in the repository, deaf to the developer's own configuration.
func (r *Repo) git(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = r.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.dir, "GIT_CONFIG_NOSYSTEM=1"}
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("git %s: %w\n%s", args[0], err, failed.Stderr)
	}
	if err != nil {
		return nil, fmt.Errorf("git %s: %w", args[0], err)
	}
	return out, nil
}

func tagLine() *regexp.Regexp { return regexp.MustCompile(`(?m)^(  tag: ")([^"]*)(")`) }

func replaceTag(layer []byte, tag string) ([]byte, error) {
	if !tagLine().Match(layer) {
		return nil, fmt.Errorf("no tag in %q", layer)
	}
	return tagLine().ReplaceAll(layer, []byte("${1}"+tag+"${3}")), nil
}

func chartFiles() (map[string][]byte, error) {
	files := map[string][]byte{}
	err := fs.WalkDir(chart, "chart", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := chart.ReadFile(name)
		files[path.Join(ChartPath, strings.TrimPrefix(name, "chart/"))] = content
		return err
	})
	return files, err
}
