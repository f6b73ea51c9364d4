package main

import (
	"fmt"
	"net"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/synestra/promoter/internal/release"
)

// environmentNames are the two environments, in the order releases take.
var environmentNames = []string{"dev", "prod"}

// check adds what is wrong with the values.
func (c config) check(p *problems) {
	switch c.Language {
	case "en":
	case "ru":
		p.add("language", "ru is not supported yet: use en")
	default:
		p.add("language", "must be en (ru comes later)")
	}
	c.checkSlack(p)
	c.checkGit(p)
	c.checkArgoCD(p)
	p.need(c.Store.Path != "", "store.path", "is missing: the path of the bot's database file")
	c.checkEnvironments(p)
	p.need(tagPath.MatchString(c.TagPath), "tag_path", "must be the keys down to the tag, such as image.tag")
	p.need(c.Rollout.Noticed > 0, "rollout.noticed", "must be above zero")
	p.need(c.Rollout.Syncing > 0, "rollout.syncing", "must be above zero")
	p.need(c.Rollout.Timeout > 0, "rollout.timeout", "must be above zero")
	for i, rule := range c.Permissions {
		c.checkRule(p, fmt.Sprintf("permissions[%d]", i), rule)
	}
	c.checkAutomation(p)
}

var (
	channelID = regexp.MustCompile(`^[CG][A-Z0-9]{2,}$`)
	userID    = regexp.MustCompile(`^[UW][A-Z0-9]{2,}$`)
	groupID   = regexp.MustCompile(`^S[A-Z0-9]{2,}$`)
	tagPath   = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
	branch    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._+/-]*$`)
	plainName = regexp.MustCompile(`^[^<>[:cntrl:]]+$`)
	mail      = regexp.MustCompile(`^[^<>@\s[:cntrl:]]+@[^<>@\s[:cntrl:]]+$`)
	appName   = regexp.MustCompile(`^[a-z0-9.-]*\{app\}[a-z0-9.-]*$`)
)

func (c config) checkSlack(p *problems) {
	p.need(c.Slack.Mode == modeSocket || c.Slack.Mode == modeHTTP, "slack.mode", "must be socket or http")
	_, port, err := net.SplitHostPort(c.Slack.Listen)
	p.need(err == nil && isPort(port, 0), "slack.listen", "must be an address to listen at, such as :8080 or 127.0.0.1:8080")
	checkService(p, "slack.api_url", c.Slack.APIURL)
	checkChannel(p, "slack.channel", c.Slack.Channel, "the channel for prod updates")
}

// checkChannel checks the id of a channel; what is the channel's part.
func checkChannel(p *problems, key, id, what string) {
	switch {
	case id == "":
		p.add(key, "is missing: the id of %s, such as C0123456789; Slack shows it at the end of the channel's details", what)
	case strings.HasPrefix(id, "#"):
		p.add(key, "must be the channel's id, not its name; Slack shows it at the end of the channel's details")
	default:
		p.need(channelID.MatchString(id), key, "must be a channel's id, such as C0123456789")
	}
}

func (c config) checkGit(p *problems) {
	checkRepository(p, "git.url", c.Git.URL)
	ok := branch.MatchString(c.Git.Branch) && !strings.HasPrefix(c.Git.Branch, "refs/") && !strings.Contains(c.Git.Branch, "..")
	p.need(ok, "git.branch", "must be a branch's name, such as main")
	checkUsername(p, "git.username", c.Git.Username)
	p.need(plainName.MatchString(c.Git.Committer.Name), "git.committer.name", "must be a name, without < and >")
	p.need(mail.MatchString(c.Git.Committer.Email), "git.committer.email", "must be a mail address")
}

// checkRepository checks a repository's URL. It is nil if it cannot be used.
func checkRepository(p *problems, key, raw string) *url.URL {
	switch {
	case raw == "":
		p.add(key, "is missing: the repository's https:// URL")
	case strings.HasPrefix(raw, "ssh://"), strings.HasPrefix(raw, "git@"):
		p.add(key, "must be an https:// URL: SSH is not supported yet")
	default:
		if u := checkService(p, key, raw); u != nil {
			p.need(strings.Trim(u.Path, "/") != "", key, "names no repository")
			return u
		}
	}
	return nil
}

func checkUsername(p *problems, key, name string) {
	p.need(plainName.MatchString(name) && !strings.Contains(name, ":"), key, "must be a user name; GitHub takes x-access-token, GitLab oauth2")
}

func (c config) checkArgoCD(p *problems) {
	host, port, err := net.SplitHostPort(c.ArgoCD.Server)
	switch {
	case strings.Contains(c.ArgoCD.Server, "://"):
		p.add("argocd.server", "must be host:port without a scheme, such as argocd-server.argocd.svc:443")
	default:
		p.need(err == nil && isHost(host) && isPort(port, 1), "argocd.server", "must be host:port, such as argocd-server.argocd.svc:443")
	}
	if c.ArgoCD.WebURL == "" {
		return
	}
	u, err := url.Parse(c.ArgoCD.WebURL)
	ok := err == nil && (u.Scheme == "https" || u.Scheme == "http") && isHost(u.Hostname()) && u.User == nil && u.RawQuery == "" && u.Fragment == ""
	p.need(ok, "argocd.web_url", "must be the address of Argo CD in a browser, such as https://argocd.example.com")
}

// checkService checks the URL of something that the bot sends credentials to.
// It is nil if the URL cannot be used. Its value is never shown: a URL may
// hold a credential.
func checkService(p *problems, key, raw string) *url.URL {
	u, err := url.Parse(raw)
	switch {
	case err != nil || !isHost(u.Hostname()) || u.Port() != "" && !isPort(u.Port(), 1):
		p.add(key, "must be an https:// URL")
	case u.User != nil:
		p.add(key, "must hold no user or password: %s", secretPlace(key))
	case u.RawQuery != "" || u.Fragment != "":
		p.add(key, "must not have a ? or # part")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		p.add(key, "must begin with https://: over http:// the token could be read on its way; only this machine may be http://")
	case u.Scheme != "https" && u.Scheme != "http":
		p.add(key, "must begin with https://")
	default:
		return u
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func isHost(host string) bool { return host != "" && !strings.ContainsAny(host, " /\\@\t\r\n") }

func isPort(port string, least int) bool {
	n, err := strconv.Atoi(port)
	return err == nil && n >= least && n <= 65535
}

func (c config) checkEnvironments(p *problems) {
	if len(c.Environments) != len(environmentNames) {
		p.add("environments", "must be exactly two: dev, then prod")
		return
	}
	used := map[string]string{} // the key that has each file or Application
	for i, env := range c.Environments {
		key := fmt.Sprintf("environments[%d]", i)
		p.need(env.Name == environmentNames[i], key+".name", "must be %s: releases go from dev, the first, to prod, the second", environmentNames[i])
		checkPath(p, key+".layer", env.Layer)
		checkPath(p, key+".values", env.Values)
		p.need(strings.Count(env.Application, "{app}") == 1 && appName.MatchString(env.Application), key+".application",
			"must be an Application's name with {app} in it once, such as web-{app}-%s", environmentNames[i])
		p.need(!env.Confirm, key+".confirm", "is not supported yet: leave it out, or at false")
		for _, name := range [][2]string{{".layer", env.Layer}, {".values", env.Values}, {".application", env.Application}} {
			other, taken := used[name[1]]
			p.need(!taken, key+name[0], "is the same as %s", other)
			used[name[1]] = key + name[0]
		}
	}
}

// checkPath checks the template of a path in the repository.
func checkPath(p *problems, key, template string) {
	switch filled := strings.Replace(template, "{app}", "app", 1); {
	case template == "":
		p.add(key, "is missing: a path in the repository with {app} in it")
	case !strings.Contains(template, "{app}"), strings.ContainsAny(filled, "{}"):
		p.add(key, "must have {app} in it once, and no other braces")
	case path.IsAbs(filled), path.Clean(filled) != filled, strings.HasPrefix(filled, ".."), strings.ContainsAny(filled, "\\\x00"):
		p.add(key, "must be a path from the top of the repository, such as deploy/env/dev/{app}.yaml, without . or .. in it")
	}
}

func (c config) checkRule(p *problems, key string, rule release.Rule) {
	among(p, key+".commands", rule.Commands, release.RuleCommands())
	among(p, key+".environments", rule.Environments, environmentNames)
	checkApps(p, key+".apps", rule.Apps)
	p.need(len(rule.Users)+len(rule.Groups) > 0, key, "gives rights to nobody: it needs users or groups")
	for i, id := range rule.Users {
		p.need(id == "cli" || userID.MatchString(id), fmt.Sprintf("%s.users[%d]", key, i),
			"must be a Slack user's id, such as U012AB3CD (in Slack: profile, ⋮, copy member ID), or cli for the command line")
	}
	for i, id := range rule.Groups {
		p.need(groupID.MatchString(id), fmt.Sprintf("%s.groups[%d]", key, i), "must be a Slack user group's id, such as S0614TZR7")
	}
}

// checkApps checks names of apps, or patterns as of [release.Covers].
func checkApps(p *problems, key string, patterns []string) {
	p.need(len(patterns) > 0, key, `is missing: app names, or patterns such as "*"`)
	for i, pattern := range patterns {
		_, err := path.Match(pattern, "")
		p.need(err == nil && pattern != "", fmt.Sprintf("%s[%d]", key, i), `must be an app's name or a pattern such as "shop-*"`)
	}
}

// among checks that a list has entries, all of them known.
func among(p *problems, key string, list, known []string) {
	p.need(len(list) > 0, key, "is missing: any of %s", strings.Join(known, ", "))
	for i, entry := range list {
		oneOf(p, fmt.Sprintf("%s[%d]", key, i), entry, known)
	}
}

// oneOf checks that a word is known.
func oneOf[T ~string](p *problems, key string, word T, known []T) {
	p.need(slices.Contains(known, word), key, "must be one of %s", words(known))
}

// words lists words for people.
func words[T ~string](all []T) string {
	text := make([]string, len(all))
	for i, w := range all {
		text[i] = string(w)
	}
	return strings.Join(text, ", ")
}
