package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/synestra/promoter/internal/release"
)

const example = "../../config.example.yaml"

// tokens is an environment with the secrets that the bot needs, changed by
// name=value pairs.
func tokens(changed ...string) func(string) string {
	all := map[string]string{
		"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1", "GIT_TOKEN": "git-1", "ARGOCD_AUTH_TOKEN": "argo-1",
	}
	for _, c := range changed {
		name, value, _ := strings.Cut(c, "=")
		all[name] = value
	}
	return func(name string) string { return all[name] }
}

// needed has what no configuration can do without.
const needed = "slack: {channel: C0123456789}\ngit: {url: https://github.com/synestra/web-core.git}\n"

func TestExample(t *testing.T) {
	got, err := loadConfig(example, tokens())
	if err != nil {
		t.Fatal(err)
	}
	// Apart from what has no default, the example shows the defaults.
	want := defaultConfig()
	want.Slack.Channel, want.Git.URL, want.ArgoCD.WebURL = "C0123456789", "https://github.com/synestra/web-core.git", "https://argocd.synestra.io"
	want.Permissions = release.Policy{{
		Commands: []string{"promote", "reset-dev", "rollback"}, Apps: []string{"*"}, Environments: []string{"dev", "prod"},
		Users: []string{"U012AB3CD"}, Groups: []string{"S0614TZR7"},
	}}
	want.AutoPromote, want.Sources, want.Schedules = []autoPromotion{}, []source{}, []schedule{}
	got.Secrets = secrets{}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// wholeExample is the example with the entries that are commented out: they
// follow their list, as deep as its key.
func wholeExample(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`^( *)(\w+:)( \[\])?$`)
	lines := strings.Split(string(data), "\n")
	for i := range lines {
		key := list.FindStringSubmatch(lines[i])
		for j := i + 1; key != nil && j < len(lines); j++ {
			entry, ok := strings.CutPrefix(lines[j], key[1]+"# ")
			if !ok {
				break
			}
			lines[i], lines[j] = key[1]+key[2], key[1]+entry
		}
	}
	return []byte(strings.Join(lines, "\n"))
}

// The example has every key, each with a comment at its first place.
func TestExampleIsComplete(t *testing.T) {
	var file yaml.Node
	if err := yaml.Unmarshal(wholeExample(t), &file); err != nil {
		t.Fatal(err)
	}
	explained := map[string]bool{}
	var look func(n *yaml.Node, path, above string)
	look = func(n *yaml.Node, path, above string) {
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i < len(n.Content); i += 2 {
				key, value := n.Content[i], n.Content[i+1]
				full := join(path, key.Value)
				explained[full] = explained[full] || above+key.HeadComment != ""
				above = ""
				look(value, full, "")
			}
		case yaml.SequenceNode:
			for _, entry := range n.Content {
				look(entry, path+"[]", entry.HeadComment)
			}
		}
	}
	look(file.Content[0], "", "")
	for _, key := range allKeys(reflect.TypeFor[config](), "") {
		if comment, there := explained[key]; !there || !comment {
			t.Errorf("%s: in the example %v, with a comment %v", key, there, comment)
		}
		delete(explained, key)
	}
	for key := range explained {
		t.Errorf("%s is in the example and no key", key)
	}
}

func TestManifest(t *testing.T) {
	if _, err := loadConfig("../../deploy/kubernetes/config.yaml", tokens()); err != nil {
		t.Error(err)
	}
}

func TestDefaults(t *testing.T) {
	c, err := parseConfig("c", []byte(needed), tokens())
	if err != nil {
		t.Fatal(err)
	}
	want := defaultConfig()
	want.Slack.Channel, want.Git.URL = "C0123456789", "https://github.com/synestra/web-core.git"
	c.Secrets = secrets{}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

func TestValuesAreRead(t *testing.T) {
	c, err := parseConfig("c", []byte(`
slack: {channel: G777, api_url: "http://127.0.0.1:9/api", listen: "127.0.0.1:0"}
git: {url: "http://localhost:8/web-core.git", branch: release/2.x, username: oauth2, committer: {name: bot}}
argocd: {server: "[::1]:80", plaintext: true, insecure: true, web_url: "http://argo/"}
store: {path: /data/x.db}
environments:
  - {name: dev, layer: "a/{app}/dev.yml", values: "{app}.yaml", application: "{app}"}
  - {name: prod, layer: "a/{app}/prod.yml", values: "b/{app}.yaml", application: "{app}-live", confirm: false}
tag_path: web.image.tag
rollout: {noticed: 1s, syncing: 2m, timeout: 1h30m}
permissions: [{commands: [promote], apps: ["shop-*", web], environments: [prod], users: [cli, W12], force: true}]
align: never
auto_promote:
`), tokens())
	if err != nil {
		t.Fatal(err)
	}
	want := defaultConfig()
	want.Slack.Channel, want.Slack.APIURL, want.Slack.Listen = "G777", "http://127.0.0.1:9/api/", "127.0.0.1:0"
	want.Git.URL, want.Git.Branch, want.Git.Username, want.Git.Committer.Name = "http://localhost:8/web-core.git", "release/2.x", "oauth2", "bot"
	want.ArgoCD.Server, want.ArgoCD.Plaintext, want.ArgoCD.Insecure, want.ArgoCD.WebURL = "[::1]:80", true, true, "http://argo"
	want.Store.Path, want.TagPath = "/data/x.db", "web.image.tag"
	want.Environments = []release.Environment{
		{Name: "dev", Layer: "a/{app}/dev.yml", Values: "{app}.yaml", Application: "{app}"},
		{Name: "prod", Layer: "a/{app}/prod.yml", Values: "b/{app}.yaml", Application: "{app}-live"},
	}
	want.Rollout.Noticed, want.Rollout.Syncing, want.Rollout.Timeout = time.Second, 2*time.Minute, 90*time.Minute
	want.Align = release.AlignNever
	want.Permissions = release.Policy{{Commands: []string{"promote"}, Apps: []string{"shop-*", "web"}, Environments: []string{"prod"}, Users: []string{"cli", "W12"}, Force: true}}
	c.Secrets = secrets{}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	if e := c.environments(); e.Dev != want.Environments[0] || e.Prod != want.Environments[1] {
		t.Errorf("environments: %+v", e)
	}
	if r := c.rules(); r.Noticed != time.Second || r.Syncing != 2*time.Minute || r.Rollout != 90*time.Minute || r.Stall != release.DefaultRules().Stall {
		t.Errorf("rules: %+v", r)
	}
	if !reflect.DeepEqual(c.policy(), want.Permissions) {
		t.Errorf("policy: %+v", c.policy())
	}
}

// Each row is a file, and all that is wrong with it.
func TestProblems(t *testing.T) {
	const environments = "environments:\n- {name: dev, layer: %s, values: 'v/{app}', application: 'd-{app}'}\n- {name: prod, layer: 'p/{app}', values: 'w/{app}', application: 'p-{app}'}\n"
	tests := []struct {
		name, yaml string // needed comes first, in lines 1 and 2
		want       []string
	}{
		{"no text in a key", "langauge: en", []string{"c:3: langauge is not a key; did you mean language?"}},
		{"a key in another section", "channel: C012", []string{"c:3: channel is not a key; did you mean slack.channel?"}},
		{"a misspelt key further in", "argocd: {weburl: 'https://x'}", []string{"c:3: argocd.weburl is not a key; did you mean argocd.web_url?"}},
		{"a key like none", "rollout: {\nxyzzy: 1}", []string{"c:4: rollout.xyzzy is not a key; known here: noticed, syncing, timeout"}},
		{"a key in a list", "permissions:\n- {comands: [promote], apps: ['*'], environments: [prod], users: [cli]}", []string{
			"c:4: permissions[0].commands is missing: any of promote, reset-dev, rollback, resume",
			"c:4: permissions[0].comands is not a key; did you mean permissions[0].commands?",
		}},
		{"a key twice", "tag_path: a\ntag_path: b\nstores: {}\nlanguage: fr", []string{
			"c:4: tag_path is given twice, first in line 3",
			"c:5: stores is not a key; did you mean store?",
			"c:6: language must be en (ru comes later)",
		}},
		{"the library's own key", "\"-\": {}", []string{"c:3: - is not a key; known here: " + strings.Join(keysOf(reflect.TypeFor[config]()), ", ")}},
		{"the secrets' field", "secrets: {}", []string{"c:3: secrets does not belong here: secrets come from the environment or from files, never from this file"}},

		{"text for a section", "store: here", []string{"c:3: store must hold keys, such as path"}},
		{"a section for text", "language: {a: b}", []string{"c:3: language must be text"}},
		{"text for a list", "permissions: me", []string{"c:3: permissions must be a list: [one, two]"}},
		{"text in a list of sections", "permissions: [me]", []string{"c:3: permissions[0] must hold keys, such as commands, apps, environments, users, groups, force"}},
		{"nothing in a list", "permissions: [{commands: [~], apps: ['*'], environments: [prod], users: [cli]}]", []string{"c:3: permissions[0].commands[0] must be text"}},
		{"a number for a time", "rollout: {timeout: 15}", []string{"c:3: rollout.timeout must be a time such as 90s, 15m or 1h30m"}},
		{"a list for a time", "rollout: {timeout: [15m]}", []string{"c:3: rollout.timeout must be a time such as 90s, 15m or 1h30m"}},
		{"text for a switch", "argocd: {plaintext: 'true', insecure: yes}", []string{"c:3: argocd.insecure must be true or false", "c:3: argocd.plaintext must be true or false"}},
		{"binary text", "tag_path: !!binary aW1hZ2U=", []string{"c:3: tag_path must be text"}},
		{"two documents", "---\nlanguage: en", []string{"c:3: has more than one YAML document"}},

		{"Russian", "language: ru", []string{"c:3: language ru is not supported yet: use en"}},
		{"another language", "language: fr", []string{"c:3: language must be en (ru comes later)"}},
		{"no path", "store: {path: ''}", []string{"c:3: store.path is missing: the path of the bot's database file"}},
		{"tag path", "tag_path: image..tag", []string{"c:3: tag_path must be the keys down to the tag, such as image.tag"}},
		{"tag path with a list in it", "tag_path: images[0].tag", []string{"c:3: tag_path must be the keys down to the tag, such as image.tag"}},
		{"no time at all", "rollout: {noticed: 0s, syncing: -1s,\n timeout: 0s}", []string{"c:3: rollout.noticed must be above zero", "c:3: rollout.syncing must be above zero", "c:4: rollout.timeout must be above zero"}},

		{"one environment", "environments: [{name: prod}]", []string{"c:3: environments must be exactly two: dev, then prod"}},
		{"no environments", "environments: []", []string{"c:3: environments must be exactly two: dev, then prod"}},
		{"the wrong way round", "environments:\n- {name: prod, layer: 'p/{app}', values: 'w/{app}', application: 'p-{app}'}\n- {name: dev, layer: 'd/{app}', values: 'v/{app}', application: 'd-{app}'}", []string{
			"c:4: environments[0].name must be dev: releases go from dev, the first, to prod, the second",
			"c:5: environments[1].name must be prod: releases go from dev, the first, to prod, the second",
		}},
		{"parts of an environment missing", "environments:\n- {name: dev, layer: 'd/{app}'}\n- {name: prod, layer: 'p/{app}', values: 'w/{app}', application: 'p-{app}'}", []string{
			"c:4: environments[0].application must be an Application's name with {app} in it once, such as web-{app}-dev",
			"c:4: environments[0].values is missing: a path in the repository with {app} in it",
		}},
		{"one layer for both", fmt.Sprintf(environments, "'p/{app}'"), []string{"c:5: environments[1].layer is the same as environments[0].layer"}},
		{"one application for both", strings.Replace(fmt.Sprintf(environments, "'q/{app}'"), "d-{app}", "p-{app}", 1), []string{"c:5: environments[1].application is the same as environments[0].application"}},
		{"the layer is the values", fmt.Sprintf(environments, "'v/{app}'"), []string{"c:4: environments[0].values is the same as environments[0].layer"}},
		{"no app in the path", fmt.Sprintf(environments, "a.yaml"), []string{"c:4: environments[0].layer must have {app} in it once, and no other braces"}},
		{"the app twice in the path", fmt.Sprintf(environments, "'{app}/{app}.yaml'"), []string{"c:4: environments[0].layer must have {app} in it once, and no other braces"}},
		{"another brace", fmt.Sprintf(environments, "'{env}/{app}.yaml'"), []string{"c:4: environments[0].layer must have {app} in it once, and no other braces"}},
		{"from the root", fmt.Sprintf(environments, "'/a/{app}.yaml'"), []string{pathProblem}},
		{"out of the repository", fmt.Sprintf(environments, "'../{app}.yaml'"), []string{pathProblem}},
		{"round about", fmt.Sprintf(environments, "'a/../b/{app}.yaml'"), []string{pathProblem}},
		{"backslashes", fmt.Sprintf(environments, "'a\\{app}.yaml'"), []string{pathProblem}},
		{"a folder", fmt.Sprintf(environments, "'a/{app}/'"), []string{pathProblem}},
		{"asking first", strings.Replace(fmt.Sprintf(environments, "'q/{app}'"), "name: prod", "confirm: true, name: prod", 1), []string{"c:5: environments[1].confirm is not supported yet: leave it out, or at false"}},
		{"capitals in an application", strings.Replace(fmt.Sprintf(environments, "'q/{app}'"), "d-{app}", "D-{app}", 1), []string{"c:4: environments[0].application must be an Application's name with {app} in it once, such as web-{app}-dev"}},

		{"an empty rule", "permissions: [{}]", []string{
			"c:3: permissions[0] gives rights to nobody: it needs users or groups",
			"c:3: permissions[0].apps is missing: app names, or patterns such as \"*\"",
			"c:3: permissions[0].commands is missing: any of promote, reset-dev, rollback, resume",
			"c:3: permissions[0].environments is missing: any of dev, prod",
		}},
		{"a rule with all wrong", "permissions: [{commands: [promote, deploy], apps: ['[', ''], environments: [staging], users: [ana, S12], groups: [U12, '*']}]", []string{
			"c:3: permissions[0].apps[0] must be an app's name or a pattern such as \"shop-*\"",
			"c:3: permissions[0].apps[1] must be an app's name or a pattern such as \"shop-*\"",
			"c:3: permissions[0].commands[1] must be one of promote, reset-dev, rollback, resume",
			"c:3: permissions[0].environments[0] must be one of dev, prod",
			"c:3: permissions[0].groups[0] must be a Slack user group's id, such as S0614TZR7",
			"c:3: permissions[0].groups[1] must be a Slack user group's id, such as S0614TZR7",
			"c:3: permissions[0].users[0] must be a Slack user's id, such as U012AB3CD (in Slack: profile, ⋮, copy member ID), or cli for the command line",
			"c:3: permissions[0].users[1] must be a Slack user's id, such as U012AB3CD (in Slack: profile, ⋮, copy member ID), or cli for the command line",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			expectProblems(t, needed+tt.yaml, tokens(), tt.want)
		})
	}
}

const pathProblem = "c:4: environments[0].layer must be a path from the top of the repository, such as deploy/env/dev/{app}.yaml, without . or .. in it"

func expectProblems(t *testing.T, file string, env func(string) string, want []string) {
	t.Helper()
	_, err := parseConfig("c", []byte(file), env)
	var got []string
	if err != nil {
		got = strings.Split(err.Error(), "\n")
	}
	slices.Sort(got)
	want = slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Errorf("problems:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// Each row is one value of one key, alone wrong.
func TestBadValues(t *testing.T) {
	const (
		missingChannel = "is missing: the id of the channel for prod updates, such as C0123456789; Slack shows it at the end of the channel's details"
		noCredentials  = "must hold no user or password: set it in the environment as GIT_TOKEN, or the path of a file that holds it as GIT_TOKEN_FILE"
		overHTTP       = "must begin with https://: over http:// the token could be read on its way; only this machine may be http://"
		server         = "must be host:port, such as argocd-server.argocd.svc:443"
		web            = "must be the address of Argo CD in a browser, such as https://argocd.example.com"
		listen         = "must be an address to listen at, such as :8080 or 127.0.0.1:8080"
		branch         = "must be a branch's name, such as main"
		user           = "must be a user name; GitHub takes x-access-token, GitLab oauth2"
	)
	tests := []struct{ key, value, want string }{
		{"slack.channel", `""`, missingChannel},
		{"slack.channel", `~`, missingChannel},
		{"slack.channel", `"#releases"`, "must be the channel's id, not its name; Slack shows it at the end of the channel's details"},
		{"slack.channel", `releases`, "must be a channel's id, such as C0123456789"},
		{"slack.channel", `D0123456789`, "must be a channel's id, such as C0123456789"},
		{"slack.mode", `rtm`, "must be socket or http"},
		{"slack.listen", `8080`, listen},
		{"slack.listen", `":http"`, listen},
		{"slack.listen", `":65536"`, listen},
		{"slack.api_url", `http://slack.example/api/`, overHTTP},
		{"slack.api_url", `""`, "must be an https:// URL"},
		{"git.url", `""`, "is missing: the repository's https:// URL"},
		{"git.url", `git@github.com:synestra/web-core.git`, "must be an https:// URL: SSH is not supported yet"},
		{"git.url", `ssh://git@github.com/synestra/web-core.git`, "must be an https:// URL: SSH is not supported yet"},
		{"git.url", `http://github.com/synestra/web-core.git`, overHTTP},
		{"git.url", `http://127.0.0.1.evil.example/web-core.git`, overHTTP},
		{"git.url", `ftp://github.com/synestra/web-core.git`, "must begin with https://"},
		{"git.url", `github.com/synestra/web-core.git`, "must be an https:// URL"},
		{"git.url", `https://`, "must be an https:// URL"},
		{"git.url", `https://github.com:0x/a.git`, "must be an https:// URL"},
		{"git.url", `https://github.com/`, "names no repository"},
		{"git.url", `https://ana@github.com/a.git`, noCredentials},
		{"git.url", `https://ana:hunter2@github.com/a.git`, noCredentials},
		{"git.url", `https://github.com/a.git?token=hunter2`, "must not have a ? or # part"},
		{"git.branch", `""`, branch},
		{"git.branch", `-x`, branch},
		{"git.branch", `refs/heads/main`, branch},
		{"git.branch", `a..b`, branch},
		{"git.branch", `"a b"`, branch},
		{"git.username", `""`, user},
		{"git.username", `"a:b"`, user},
		{"git.username", `"a\nb"`, user},
		{"git.committer.name", `"a <b>"`, "must be a name, without < and >"},
		{"git.committer.name", `""`, "must be a name, without < and >"},
		{"git.committer.email", `promoter`, "must be a mail address"},
		{"git.committer.email", `"a@b>\nparent x"`, "must be a mail address"},
		{"argocd.server", `https://argocd.example.com`, "must be host:port without a scheme, such as argocd-server.argocd.svc:443"},
		{"argocd.server", `argocd.example.com`, server},
		{"argocd.server", `argocd.example.com:443/argo`, server},
		{"argocd.server", `:443`, server},
		{"argocd.server", `argocd:0`, server},
		{"argocd.web_url", `argocd.example.com`, web},
		{"argocd.web_url", `"javascript:alert(1)"`, web},
		{"argocd.web_url", `https://a:b@argocd.example.com`, web},
		{"argocd.web_url", `https://argocd.example.com/?x=1`, web},
	}
	for _, tt := range tests {
		t.Run(tt.key+" "+tt.value, func(t *testing.T) {
			keys := strings.Split(tt.key, ".")
			value := map[string]any{}
			if err := yaml.Unmarshal([]byte(needed), &value); err != nil {
				t.Fatal(err)
			}
			inner := value
			for _, k := range keys[:len(keys)-1] {
				if inner[k] == nil {
					inner[k] = map[string]any{}
				}
				inner = inner[k].(map[string]any)
			}
			var given any
			if err := yaml.Unmarshal([]byte(tt.value), &given); err != nil {
				t.Fatal(err)
			}
			inner[keys[len(keys)-1]] = given
			file, err := yaml.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			_, err = parseConfig("c", file, tokens())
			if err == nil {
				t.Fatal("no problem")
			}
			got := regexp.MustCompile(`^c(:\d+)?: `).ReplaceAllString(err.Error(), "")
			if got != tt.key+" "+tt.want {
				t.Errorf("got  %s\nwant %s %s", got, tt.key, tt.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("the error shows a password")
			}
		})
	}
}

func TestSecretsInTheFile(t *testing.T) {
	place := func(name string) string {
		return fmt.Sprintf("set it in the environment as %s, or the path of a file that holds it as %s_FILE", name, name)
	}
	tests := []struct{ yaml, want string }{
		{"slack: {channel: C0123456789, bot_token: hunter2}", "c:1: slack.bot_token does not belong here: " + place("SLACK_BOT_TOKEN")},
		{"slack: {channel: C0123456789, app-token: hunter2}", "c:1: slack.app-token does not belong here: " + place("SLACK_APP_TOKEN")},
		{"slack: {channel: C0123456789, signing_secret: hunter2}", "c:1: slack.signing_secret does not belong here: " + place("SLACK_SIGNING_SECRET")},
		{"slack: {channel: xoxb-hunter2}", "c:1: slack.channel looks like a credential: " + place("SLACK_BOT_TOKEN")},
		{"GIT_TOKEN: hunter2\nslack: {channel: C0123456789}", "c:1: GIT_TOKEN does not belong here: " + place("GIT_TOKEN")},
		{"argocd: {token: hunter2}\nslack: {channel: C0123456789}", "c:1: argocd.token does not belong here: " + place("ARGOCD_AUTH_TOKEN")},
		{"argocd: {server: eyJhunter2}\nslack: {channel: C0123456789}", "c:1: argocd.server looks like a credential: " + place("ARGOCD_AUTH_TOKEN")},
		{"store: {database_url: 'postgres://a:hunter2@b'}\nslack: {channel: C0123456789}", "c:1: store.database_url does not belong here: " + place("DATABASE_URL")},
		{"sources: [{apps: ['*'], repository: 'https://a/b', token: hunter2}]\nslack: {channel: C0123456789}", "c:1: sources[0].token does not belong here: " + place("SOURCE_TOKEN")},
		{"permissions: [{commands: [promote], apps: ['*'], environments: [dev], users: [ghp_hunter2]}]\nslack: {channel: C0123456789}", "c:1: permissions[0].users[0] looks like a credential: secrets come from the environment or from files, never from this file"},
	}
	for _, tt := range tests {
		t.Run(tt.yaml, func(t *testing.T) {
			expectProblems(t, tt.yaml+"\ngit: {url: 'https://github.com/synestra/web-core.git'}", tokens(), []string{tt.want})
		})
	}
}

func TestFilesThatAreNoConfiguration(t *testing.T) {
	missing := []string{
		"c: slack.channel is missing: the id of the channel for prod updates, such as C0123456789; Slack shows it at the end of the channel's details",
		"c: git.url is missing: the repository's https:// URL",
	}
	tests := []struct {
		name, file string
		want       []string
	}{
		{"empty", "", missing},
		{"comments", "# nothing\n", missing},
		{"nothing", "~", missing},
		{"text", "hello", append([]string{"c: must hold keys, such as " + strings.Join(keysOf(reflect.TypeFor[config]()), ", ")}, missing...)},
		{"no YAML", "a: b: c", []string{"c: not valid YAML: mapping values are not allowed in this context"}},
		{"no YAML further down", "a: b\n\tc", []string{"c: not valid YAML: line 2: found a tab character that violates indentation"}},
		{"an unknown anchor", "slack: *x", []string{"c: not valid YAML: unknown anchor 'x' referenced"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { expectProblems(t, tt.file, tokens(), tt.want) })
	}
	_, err := loadConfig(filepath.Join(t.TempDir(), "none.yaml"), tokens())
	if err == nil || !strings.Contains(err.Error(), "none.yaml: no such file or directory (config.example.yaml is one to begin with)") {
		t.Errorf("a file that is not there: %v", err)
	}
}

// Problems come in the order of the file, those without a line at the end.
func TestProblemsAreInOrder(t *testing.T) {
	_, err := parseConfig("c", []byte("tag_path: ''\nlanguage: fr\nslack:\n  mode: x\nrollout: {timeout: 0s}\n"), tokens("GIT_TOKEN=", "SLACK_BOT_TOKEN=nonsense"))
	if err == nil {
		t.Fatal("no problem")
	}
	got := regexp.MustCompile(`(?m)^(c\S*) (\S+).*$`).ReplaceAllString(err.Error(), "$1 $2")
	want := strings.Join([]string{
		"c:1: tag_path", "c:2: language", "c:3: slack.channel", "c:4: slack.mode", "c:5: rollout.timeout",
		"c: GIT_TOKEN", "c: SLACK_BOT_TOKEN", "c: git.url",
	}, "\n")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Anchors are plain YAML, and may save people from repeating themselves.
func TestAnchors(t *testing.T) {
	c, err := parseConfig("c", []byte(needed+`
permissions:
  - {commands: [promote], apps: ["*"], environments: [prod], users: &team [U12, U34]}
  - {commands: [reset-dev], apps: ["*"], environments: [dev], users: *team}
`), tokens())
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Permissions[1].Users; !slices.Equal(got, []string{"U12", "U34"}) {
		t.Errorf("users: %q", got)
	}
}

func FuzzParseConfig(f *testing.F) {
	data, err := os.ReadFile(example)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(data))
	f.Add(needed)
	f.Add("a: &a [*a]")
	f.Add("slack: &s {channel: *s}")
	f.Add("permissions: [&p {users: [*p]}]")
	f.Add("auto_promote: [{window: &w {cron: *w}}]")
	f.Fuzz(func(t *testing.T, file string) {
		c, err := parseConfig("c", []byte(file), tokens())
		if err == nil && (c.Slack.Channel == "" || c.Git.URL == "" || len(c.Environments) != 2) {
			t.Errorf("accepted %+v", c)
		}
	})
}
