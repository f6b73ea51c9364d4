package main

import (
	"log/slog"
	"strings"

	"github.com/synestra/promoter/internal/argocd"
	"github.com/synestra/promoter/internal/gitops"
	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/slackui"
)

// What each room is told of the configuration.

func (c config) gitops(log *slog.Logger) gitops.Config {
	return gitops.Config{
		URL: c.Git.URL, Branch: c.Git.Branch, Username: c.Git.Username, Token: c.Secrets.Git.now,
		Committer: c.Git.Committer, TagPath: strings.Split(c.TagPath, "."), Environments: c.environments(), Log: log,
	}
}

func (c config) argocd(log *slog.Logger) argocd.Config {
	return argocd.Config{
		Server: c.ArgoCD.Server, Token: c.Secrets.ArgoCD.now, Plaintext: c.ArgoCD.Plaintext, Insecure: c.ArgoCD.Insecure,
		UserAgent: "promoter", Log: log, Applications: c.concerns,
	}
}

// concerns says whether an Application can be one of ours by its name.
func (c config) concerns(name string) bool {
	for _, env := range []release.Environment{c.environments().Dev, c.environments().Prod} {
		before, after, _ := strings.Cut(env.Application, "{app}")
		if len(name) > len(before)+len(after) && strings.HasPrefix(name, before) && strings.HasSuffix(name, after) {
			return true
		}
	}
	return false
}

func (c config) slackui(log *slog.Logger) slackui.Config {
	groups := false
	for _, rule := range c.Permissions {
		groups = groups || len(rule.Groups) > 0
	}
	app, signing := c.Secrets.SlackApp.loaded(), ""
	if c.Slack.Mode == modeHTTP {
		app, signing = "", c.Secrets.SlackSigning.loaded()
	}
	return slackui.Config{
		APIURL: c.Slack.APIURL, BotToken: c.Secrets.SlackBot.loaded(), AppToken: app, Signing: signing,
		Channel: c.Slack.Channel, Groups: groups, EditGap: c.editGap,
		Links: slackui.Links{Repository: c.Git.URL, ArgoCD: c.ArgoCD.WebURL, Namespace: "argocd"}, Log: log,
	}
}
