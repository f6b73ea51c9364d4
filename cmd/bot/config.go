package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/synestra/promoter/internal/automation"
	"github.com/synestra/promoter/internal/release"
)

// config is the bot's configuration: a YAML file, and secrets from the
// environment. Its keys, with what they mean, are in config.example.yaml.
// One that was loaded has been checked, so nobody needs to check it again.
type config struct {
	Language string
	Slack    struct {
		Mode    string
		Listen  string
		APIURL  string `yaml:"api_url"`
		Channel string
	}
	Git struct {
		URL       string
		Branch    string
		Username  string
		Committer release.Identity
	}
	ArgoCD struct {
		Server    string
		Plaintext bool
		Insecure  bool
		WebURL    string `yaml:"web_url"`
	} `yaml:"argocd"`
	Store        struct{ Path string }
	Environments []release.Environment
	TagPath      string `yaml:"tag_path"`
	Rollout      struct{ Noticed, Syncing, Timeout time.Duration }
	Permissions  release.Policy
	Align        release.AlignMode
	AutoPromote  []autoPromotion `yaml:"auto_promote"`
	Notices      struct{ Routes []automation.Route }
	Sources      []source
	Schedules    []schedule

	Secrets secrets `yaml:"-"`

	// Tests shorten these.
	editGap time.Duration // least time between two edits of a message; 0 for the default
	times   automation.Times
}

// How requests arrive from Slack.
const (
	modeSocket = "socket"
	modeHTTP   = "http"
)

// defaultConfig has the value of every key that a file may leave out. What
// nobody can guess (slack.channel, git.url) has none.
func defaultConfig() config {
	var c config
	c.Language = "en"
	c.Slack.Mode, c.Slack.Listen, c.Slack.APIURL = modeSocket, ":8080", "https://slack.com/api/"
	c.Git.Branch, c.Git.Username = "main", "x-access-token"
	c.Git.Committer = release.Identity{Name: "promoter", Email: "promoter@synestra.io"}
	c.ArgoCD.Server = "argocd-server.argocd.svc:443"
	c.Store.Path = "promoter.db"
	for _, name := range environmentNames {
		c.Environments = append(c.Environments, release.Environment{
			Name: name, Layer: "deploy/env/release-" + name + "/{app}.yaml", Values: "deploy/env/" + name + "/{app}.yaml", Application: "web-{app}-" + name,
		})
	}
	c.TagPath = "image.tag"
	rules := release.DefaultRules()
	c.Rollout.Noticed, c.Rollout.Syncing, c.Rollout.Timeout = rules.Noticed, rules.Syncing, rules.Rollout
	c.Align = release.AlignWhenBehind
	c.times = automation.DefaultTimes()
	return c
}

// loadConfig reads the file at the path and the secrets from the environment.
// The error lists everything that is wrong, each with its line.
func loadConfig(path string, env func(string) string) (config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return config{}, fmt.Errorf("reading the configuration: %w (config.example.yaml is one to begin with)", err)
	}
	return parseConfig(path, data, env)
}

// parseConfig is loadConfig of a file's content. The name is for its errors.
func parseConfig(name string, data []byte, env func(string) string) (config, error) {
	c, p := defaultConfig(), newProblems(name)
	readYAML(data, &c, p)
	c.Secrets = loadSecrets(env, c.Slack.Mode, p)
	if p.lines != nil { // it is YAML at all
		c.check(p)
	}
	if err := p.err(); err != nil {
		return config{}, err
	}
	if !strings.HasSuffix(c.Slack.APIURL, "/") { // method names are put right behind it
		c.Slack.APIURL += "/"
	}
	c.ArgoCD.WebURL = strings.TrimRight(c.ArgoCD.WebURL, "/")
	return c, nil
}

func (c config) policy() release.Policy { return c.Permissions }

func (c config) environments() release.Environments {
	return release.Environments{Dev: c.Environments[0], Prod: c.Environments[1]}
}

func (c config) rules() release.Rules {
	rules := release.DefaultRules()
	rules.Noticed, rules.Syncing, rules.Rollout = c.Rollout.Noticed, c.Rollout.Syncing, c.Rollout.Timeout
	return rules
}
