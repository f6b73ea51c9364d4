package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/synestra/promoter/internal/sandbox/argocd"
	"github.com/synestra/promoter/internal/sandbox/githost"
	"github.com/synestra/promoter/internal/sandbox/slack"
)

// Credentials of the stand-ins. They open nothing else.
const (
	worldBotToken = "xoxb-sandbox"
	worldAppToken = "xapp-sandbox"
	worldSigning  = "signing-sandbox" // only in HTTP mode
	worldGitToken = "git-sandbox"
	worldArgoCD   = "argocd-sandbox"
)

// The people and channels of the stand-in world.
const (
	ana      = "U0ANA"     // may do everything
	bob      = "U0BOB"     // may do nothing
	deployer = "S0DEPLOY"  // the group that gives ana her rights
	releases = "C0RELEASE" // the channel
)

// world is everything the bot talks to, standing in on loopback and speaking
// the real protocols.
type world struct {
	dir   string
	git   *githost.Host
	argo  *argocd.Server
	slack *slack.Server
}

// worldOptions say how fast the world turns and what is in it.
type worldOptions struct {
	pace  time.Duration // one step of the simulated cluster
	poll  time.Duration // how often Argo CD looks for commits that nobody announced
	apps  []githost.App
	slack slack.Options
	log   *slog.Logger
}

func newWorld(ctx context.Context, dir string, o worldOptions) (w *world, err error) {
	w = &world{dir: dir}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	repositories := filepath.Join(dir, "git")
	if err := os.MkdirAll(repositories, 0o700); err != nil {
		return nil, err
	}
	if w.git, err = githost.Start(repositories, worldGitToken); err != nil {
		return w, fmt.Errorf("starting the Git host: %w", err)
	}
	if _, err = w.git.Seed(ctx, o.apps...); err != nil {
		return w, fmt.Errorf("seeding web-core: %w", err)
	}
	w.argo, err = argocd.Start(argocd.Options{
		Repo: filepath.Join(repositories, githost.WebCore), URL: w.git.URL(githost.WebCore), Branch: githost.Branch,
		Token: worldArgoCD, Pace: o.pace, Poll: o.poll, Log: o.log,
	})
	if err != nil {
		return w, fmt.Errorf("starting Argo CD's stand-in: %w", err)
	}
	for _, app := range o.apps {
		w.argo.Add(argocd.AppSpec{App: app.Name, Environment: "dev", AutoSync: true, Replicas: 2})
		w.argo.Add(argocd.AppSpec{App: app.Name, Environment: "prod", AutoSync: true, SelfHeal: true, Replicas: 4})
	}
	o.slack.BotToken, o.slack.AppToken, o.slack.Log = worldBotToken, worldAppToken, o.log
	if w.slack, err = slack.Start(o.slack); err != nil {
		return w, fmt.Errorf("starting Slack's stand-in: %w", err)
	}
	w.slack.AddUser(slack.User{ID: ana, Name: "ana", RealName: "Ana Lima"})
	w.slack.AddUser(slack.User{ID: bob, Name: "bob", RealName: "Bob Stone"})
	w.slack.AddGroup(slack.Group{ID: deployer, Handle: "deployers", Users: []string{ana}})
	w.slack.AddChannel(slack.Channel{ID: releases, Name: "releases", BotIsMember: true})
	return w, nil
}

// track makes the app's dev know its resources by annotation, as Argo CD 3 does:
// it then never prunes the clone of a live session.
func (w *world) track(app string) {
	w.argo.Add(argocd.AppSpec{App: app, Environment: "dev", AutoSync: true, Replicas: 2, AnnotationTracking: true})
}

// config is the bot's configuration for this world, as a file would have it.
func (w *world) config() string {
	return fmt.Sprintf(`
slack: {api_url: %q, channel: %s, listen: "127.0.0.1:0"}
git: {url: %q, branch: %s, committer: {name: promoter, email: promoter@synestra.io}}
argocd: {server: %q, plaintext: true, web_url: "https://argocd.example"}
store: {path: %q}
rollout: {timeout: 1m} # nothing here takes longer
environments:
  - {name: dev,  layer: "deploy/env/release-dev/{app}.yaml",  values: "deploy/env/dev/{app}.yaml",  application: "web-{app}-dev"}
  - {name: prod, layer: "deploy/env/release-prod/{app}.yaml", values: "deploy/env/prod/{app}.yaml", application: "web-{app}-prod"}
permissions:
  - {commands: [promote, reset-dev, rollback], apps: ["*"], environments: [dev, prod], groups: [%s], force: true}
`, w.slack.APIURL(), releases, w.git.URL(githost.WebCore), githost.Branch, w.argo.Addr(), filepath.Join(w.dir, "promoter.db"), deployer)
}

// environ is the bot's environment in this world.
func (w *world) environ(key string) string {
	return map[string]string{
		"SLACK_BOT_TOKEN": worldBotToken, "SLACK_APP_TOKEN": worldAppToken, "SLACK_SIGNING_SECRET": worldSigning,
		"GIT_TOKEN": worldGitToken, "ARGOCD_AUTH_TOKEN": worldArgoCD,
	}[key]
}

func (w *world) close() error {
	var problems []error
	if w.slack != nil {
		w.slack.Close()
	}
	if w.argo != nil {
		w.argo.Close()
	}
	if w.git != nil {
		problems = append(problems, w.git.Close())
	}
	return errors.Join(problems...)
}
