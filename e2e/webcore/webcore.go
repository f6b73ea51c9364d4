// Package webcore is the GitOps repository of the end-to-end range, and the people and machines that commit to it beside
// the bot.
package webcore

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/synestra/promoter/internal/sandbox/githost"
)

const (
	// ChartPath is the folder of the chart that every app shares.
	ChartPath = "deploy/charts/web-app"
	// Charts is a repository with the same chart in the same folder, for Applications that take the values from elsewhere.
	Charts = "charts.git"
	// FirstTag is the image tag of an app that names none.
	FirstTag = "sha-0000001"

	// CI is the pipeline that writes the dev layer after a build, as the author of a commit.
	CI = "ci <ci@synestra.io>"
	// Person is somebody of the team with a clone of the repository, as the author of a commit.
	Person = "Rita Rival <rita@synestra.io>"
)

// App is one web app as its four files describe it. Empty values mean the chart's defaults, and FirstTag.
type App struct {
	Name             string
	DevTag, ProdTag  string
	Replicas         int
	ProgressDeadline time.Duration // how long a rollout may stand still before Kubernetes calls it failed; whole seconds
	TwoSources       bool          // its Applications take the chart from Charts and the values from web-core ($values)
}

// Tag is the tag that the app is added with in env (dev or prod).
func (a App) Tag(env string) string {
	tag := a.DevTag
	if env == "prod" {
		tag = a.ProdTag
	}
	if tag == "" {
		return FirstTag
	}
	return tag
}

// Repo is web-core on its host. It may be used from several goroutines, also beside pushes by others.
type Repo struct{ host *githost.Host }

// Create makes web-core on the host, with the chart and no app, and Charts.
func Create(ctx context.Context, host *githost.Host) (*Repo, error) {
	if _, err := host.Seed(ctx); err != nil {
		return nil, fmt.Errorf("making web-core: %w", err)
	}
	if err := host.Create(Charts); err != nil {
		return nil, fmt.Errorf("making %s: %w", Charts, err)
	}
	if _, err := host.Git(ctx, githost.WebCore, "push", "--quiet", "./"+Charts, githost.Branch); err != nil {
		return nil, fmt.Errorf("making %s: %w", Charts, err)
	}
	return &Repo{host}, nil
}

// URL is where web-core is served.
func (r *Repo) URL() string { return r.host.URL(githost.WebCore) }

// ChartsURL is where Charts is served.
func (r *Repo) ChartsURL() string { return r.host.URL(Charts) }

// AddApp commits the four files of an app and returns the commit.
func (r *Repo) AddApp(ctx context.Context, app App) (string, error) {
	files := map[string][]byte{}
	for _, env := range []string{"dev", "prod"} {
		files[LayerPath(env, app.Name)] = githost.ReleaseLayer(app.Name, app.Tag(env))
		files[ValuesPath(env, app.Name)] = app.values(env)
	}
	commit, err := r.host.Commit(ctx, githost.WebCore, CI, "Add "+app.Name, files)
	if err != nil {
		return "", fmt.Errorf("adding %s to web-core: %w", app.Name, err)
	}
	return commit, nil
}

// SetTag writes tag into the app's release layer of env as one commit by author, and returns the commit.
func (r *Repo) SetTag(ctx context.Context, author, env, app, tag string) (string, error) {
	layer, err := r.layer(ctx, githost.Branch, env, app)
	if err != nil {
		return "", err
	}
	if !tagLine().MatchString(layer) {
		return "", fmt.Errorf("setting the %s tag of %s: no tag in %q", env, app, layer)
	}
	edited := []byte(tagLine().ReplaceAllString(layer, "${1}"+tag+"${3}"))
	subject := fmt.Sprintf("release(%s): %s %s", env, app, tag)
	commit, err := r.host.Commit(ctx, githost.WebCore, author, subject, map[string][]byte{LayerPath(env, app): edited})
	if err != nil {
		return "", fmt.Errorf("setting the %s tag of %s: %w", env, app, err)
	}
	return commit, nil
}

// SetReplicas changes the app's values of env as one commit by author, and returns the commit. The tag stays.
func (r *Repo) SetReplicas(ctx context.Context, author, env string, app App, replicas int) (string, error) {
	app.Replicas = replicas
	commit, err := r.host.Commit(ctx, githost.WebCore, author, fmt.Sprintf("%s: %d pods in %s", app.Name, replicas, env),
		map[string][]byte{ValuesPath(env, app.Name): app.values(env)})
	if err != nil {
		return "", fmt.Errorf("setting the %s pods of %s: %w", env, app.Name, err)
	}
	return commit, nil
}

// Revert undoes a commit as `git revert` does, as author, and returns the new commit. Nobody may have changed the same
// files since.
func (r *Repo) Revert(ctx context.Context, author, commit string) (string, error) {
	subject, err := r.host.Git(ctx, githost.WebCore, "show", "--no-patch", "--format=%s", commit)
	if err != nil {
		return "", fmt.Errorf("reverting %s: %w", commit, err)
	}
	changed, err := r.host.Git(ctx, githost.WebCore, "diff-tree", "--no-commit-id", "--name-only", "-r", commit)
	if err != nil {
		return "", fmt.Errorf("reverting %s: %w", commit, err)
	}
	files := map[string][]byte{}
	for path := range strings.Lines(changed + "\n") {
		path = strings.TrimSpace(path)
		before, err := r.host.Git(ctx, githost.WebCore, "show", commit+"^:"+path)
		if err != nil {
			return "", fmt.Errorf("reverting %s: %w", commit, err)
		}
		files[path] = []byte(before + "\n")
	}
	message := fmt.Sprintf("Revert %q\n\nThis reverts commit %s.", subject, commit)
	revert, err := r.host.Commit(ctx, githost.WebCore, author, message, files)
	if err != nil {
		return "", fmt.Errorf("reverting %s: %w", commit, err)
	}
	return revert, nil
}

// Tag returns the tag in the app's release layer of env at revision, a commit or branch.
func (r *Repo) Tag(ctx context.Context, revision, env, app string) (string, error) {
	layer, err := r.layer(ctx, revision, env, app)
	if err != nil {
		return "", err
	}
	found := tagLine().FindStringSubmatch(layer)
	if found == nil {
		return "", fmt.Errorf("reading the %s tag of %s: no tag in %q", env, app, layer)
	}
	return found[2], nil
}

func (r *Repo) layer(ctx context.Context, revision, env, app string) (string, error) {
	layer, err := r.host.Git(ctx, githost.WebCore, "show", revision+":"+LayerPath(env, app))
	if err != nil {
		return "", fmt.Errorf("reading the %s layer of %s: %w", env, app, err)
	}
	return layer + "\n", nil // Git leaves out the last line break
}

// LayerPath is the path of the app's release layer of env.
func LayerPath(env, app string) string { return "deploy/env/release-" + env + "/" + app + ".yaml" }

// ValuesPath is the path of the app's environment values of env.
func ValuesPath(env, app string) string { return "deploy/env/" + env + "/" + app + ".yaml" }

func tagLine() *regexp.Regexp { return regexp.MustCompile(`(?m)^(  tag: ")([^"]*)(")`) }

// values is an environment's values file as teams write it: what differs between dev and prod, never the tag.
func (a App) values(env string) []byte {
	host, node, command := a.Name+".synestra.io", "production", `["next", "start"]`
	if env == "dev" {
		host, node, command = "dev."+host, "development", `["next", "dev", "--port", "3000"]`
	}
	var file strings.Builder
	fmt.Fprintf(&file, "# %s environment of %s\ncommand: %s\nenv:\n  NODE_ENV: %s\n", env, a.Name, command, node)
	if a.Replicas != 0 {
		fmt.Fprintf(&file, "replicas: %d\n", a.Replicas)
	}
	if a.ProgressDeadline != 0 {
		fmt.Fprintf(&file, "progressDeadlineSeconds: %.0f\n", a.ProgressDeadline.Seconds())
	}
	fmt.Fprintf(&file, "ingress:\n  hosts:\n    - %s\n", host)
	fmt.Fprintf(&file, "envFrom:\n  secretRef: web-%[1]s-%[2]s-env\n  extraSecretRefs:\n    - web-%[1]s-%[2]s-s3-env\n", a.Name, env)
	return []byte(file.String())
}
