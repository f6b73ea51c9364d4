package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/synestra/promoter/internal/sandbox/argocd"
	"github.com/synestra/promoter/internal/sandbox/githost"
	"github.com/synestra/promoter/internal/sandbox/slack"
)

// Every refusal, from the slash command to the sentence that only the person
// sees; and that nothing was changed.
func TestRefusals(t *testing.T) {
	t.Parallel()
	const prodLayer, devLayer = "deploy/env/release-prod/synestra-io.yaml", "deploy/env/release-dev/synestra-io.yaml"
	layer := func(path, content string) func(*stage) {
		return func(s *stage) { s.commit("by hand", map[string][]byte{path: []byte(content)}) }
	}
	guest := func(s *stage) {
		s.slack.AddUser(slack.User{ID: "U0GUEST", Name: "guest", Guest: true})
		s.slack.AddGroup(slack.Group{ID: deployer, Handle: "deployers", Users: []string{ana, "U0GUEST"}})
	}
	var typed []func(*testing.T, *stage)
	for _, c := range []struct {
		name          string
		prepare       func(*stage)
		user          string
		command, text string
		want          string
	}{
		{"unknown app", nil, ana, "/promote", "synestra-oi", "Did you mean `synestra-io`?"},
		{"no app to reset", nil, ana, "/reset-dev", "", "Which app's dev should be reset?"},
		{"no right", nil, bob, "/promote", "synestra-io", "no rule gives you that right"},
		{"no right to reset", nil, bob, "/reset-dev", "synestra-io", "no rule gives you that right"},
		{"a guest of the group", guest, "U0GUEST", "/promote", "synestra-io", "can't release"},
		{"a guest who reads", guest, "U0GUEST", "/release", "status", "can't see releases"},
		{"a guest who reads of an app", guest, "U0GUEST", "/release", "status shop", "can't see releases"},
		{"a guest who asks for a history", guest, "U0GUEST", "/release", "history shop", "can't see releases"},
		{"a guest who asks why", guest, "U0GUEST", "/release", "why shop", "can't see releases"},
		{"a guest who is offered something", guest, "U0GUEST", "/promote", "", "can't see releases"},
		{"a reader who cannot be known", func(s *stage) {
			s.slack.FailNext("users.info", 100, slack.Fault{Status: 500})
		}, ana, "/release", "status", "cannot be found out"},
		{"groups cannot be read", func(s *stage) {
			s.slack.FailNext("usergroups.list", 100, slack.Fault{Status: 500})
			s.slack.FailNext("usergroups.users.list", 100, slack.Fault{Status: 500})
		}, ana, "/promote", "synestra-io", "cannot be found out"},
		{"no right to force", func(s *stage) { s.c.Permissions[0].Force = false }, ana, "/promote", "synestra-io --force", "not with `--force`"},
		{"prod has the tag", nil, ana, "/promote", "shop", "Prod of `shop` already runs `sha-5`"},
		{"dev degraded", func(s *stage) { s.degrade("synestra-io") }, ana, "/promote", "synestra-io", "it is Degraded"},
		{"dev hot", func(s *stage) { s.hot("synestra-io") }, ana, "/promote", "synestra-io", "live session on `synestra-io-okteto`"},
		{"dev drifted", func(s *stage) { s.drift("web-synestra-io-dev") }, ana, "/promote", "synestra-io", "it is OutOfSync"},
		{"tag_path missing", layer(prodLayer, "image:\n  repository: x\n"), ana, "/promote", "synestra-io", "not safely editable"},
		{"alias", layer(prodLayer, "x: &v sha-1\nimage:\n  tag: *v\n"), ana, "/promote", "synestra-io", "alias"},
		{"duplicate key", layer(prodLayer, "image:\n  tag: a\n  tag: b\n"), ana, "/promote", "synestra-io", "`" + prodLayer + ":3` is not safely editable"},
		{"two documents", layer(prodLayer, "image:\n  tag: a\n---\nimage:\n  tag: b\n"), ana, "/promote", "synestra-io", "document"},
		{"not YAML", layer(prodLayer, "image: [\n"), ana, "/promote", "synestra-io", "not safely editable"},
		{"reset of a broken layer", layer(devLayer, "image:\n  tag: a\n  tag: b\n"), ana, "/reset-dev", "synestra-io", "not safely editable"},
		{"rollback of a broken layer", layer(prodLayer, "image:\n  tag: a\n  tag: b\n"), ana, "/rollback", "synestra-io", "not safely editable"},
		{"rollback of a digest", layer(prodLayer, "image:\n  repository: x\n  tag: sha-1\n  digest: sha256:"+strings.Repeat("a", 64)+"\n"), ana, "/rollback", "synestra-io", "image digest"},
		{"rollback of a hidden Application", func(s *stage) { s.argo.Forbid("web-synestra-io-prod") }, ana, "/rollback", "synestra-io", "`web-synestra-io-prod` cannot be seen"},
		{"in dev only", func(s *stage) { s.commit("remove", map[string][]byte{prodLayer: nil}) }, ana, "/promote", "synestra-io", "`" + prodLayer + "` is missing"},
		{"in prod only", func(s *stage) { s.commit("remove", map[string][]byte{devLayer: nil}) }, ana, "/promote", "synestra-io", "`" + devLayer + "` is missing"},
		{"hidden Application", func(s *stage) { s.argo.Forbid("web-synestra-io-prod") }, ana, "/promote", "synestra-io", "`web-synestra-io-prod` cannot be seen"},
		{"hidden dev Application", func(s *stage) { s.argo.Forbid("web-synestra-io-dev") }, ana, "/promote", "synestra-io", "`web-synestra-io-dev` cannot be seen"},
		{"Argo CD down", func(s *stage) { s.argo.Stop() }, ana, "/promote", "synestra-io", "Argo CD cannot be asked"},
		{"digest in the layer", layer(prodLayer, "image:\n  repository: x\n  tag: sha-1\n  digest: sha256:"+strings.Repeat("a", 64)+"\n"), ana, "/promote", "synestra-io", "image digest"},
		{"digest in the values", func(s *stage) {
			s.commit("pin", map[string][]byte{"deploy/env/prod/synestra-io.yaml": []byte("image:\n  digest: sha256:" + strings.Repeat("a", 64) + "\n")})
		}, ana, "/promote", "synestra-io", "image digest"},
		{"Git down", func(*stage) {}, ana, "/promote", "synestra-io", "Git cannot be asked"},
		{"the bot is not in the channel", func(s *stage) {
			s.slack.AddChannel(slack.Channel{ID: releases, Name: "releases", Private: true})
			s.slack.AddChannel(slack.Channel{ID: "C0OWN", Name: "own", BotIsMember: true})
			s.c.Slack.Channel = "C0OWN"
		}, ana, "/promote", "synestra-io", "/invite"},
		{"unknown verb", nil, ana, "/release", "shwo", "I don't know `/release shwo`"},
		{"a verb that pings", nil, ana, "/release", "<!channel> <@U1>", "I don't know"},
		{"unknown topic", nil, ana, "/release", "help me", "I don't know `/release help me`"},
		{"a misspelt app of a verb", nil, ana, "/release", "status synestra-oi", "Did you mean `synestra-io`?"},
		{"several apps of a verb", nil, ana, "/release", "status shop synestra-io", "one at a time"},
		{"an option of a verb", nil, ana, "/release", "status shop --force", "I don't know the option"},
		{"nothing to explain", nil, ana, "/release", "why", "Which app should be explained?"},
		{"nothing to resume", nil, ana, "/release", "resume", "Which app's hold should be lifted?"},
		{"nothing held", nil, ana, "/release", "resume shop", "Automation is not held for `shop`"},
		{"no right to resume", nil, bob, "/release", "resume shop", "can't resume `shop` in prod"},
		{"a misspelt app to resume", nil, ana, "/release", "resume shpo", "Did you mean `shop`?"},
		{"no app for a history", nil, ana, "/release", "history", "Which app's history?"},
		{"no app to roll back", nil, ana, "/rollback", "", "Which app should be rolled back?"},
		{"a misspelt app to roll back", nil, ana, "/rollback", "synestra-oi sha-1", "Did you mean `synestra-io`?"},
		{"no right to roll back", nil, bob, "/rollback", "shop", "can't rollback `shop` in prod"},
		{"nothing before", nil, ana, "/rollback", "shop", "Prod of `shop` never had another release than `sha-5`"},
		{"a tag never there", nil, ana, "/rollback", "shop sha-1", "Prod of `shop` never had `sha-1`"},
		{"a tag that pings", nil, ana, "/rollback", "shop <!channel>", "is no tag"},
		{"a rollback by force", nil, ana, "/rollback", "shop --force", "I don't know the option"},
		{"three words to roll back", nil, ana, "/rollback", "shop sha-1 sha-2", "one at a time"},
		{"several apps", nil, ana, "/promote", "shop synestra-io", "one at a time"},
		{"unknown option", nil, ana, "/promote", "shop --now", "I don't know the option"},
		{"a path", nil, ana, "/promote", "../x", "is not an app's name"},
		{"a channel ping", nil, ana, "/promote", "<!channel>", "is not an app's name"},
		{"a mention", nil, ana, "/promote", "<@U1>", "is not an app's name"},
		{"5,000 characters", nil, ana, "/promote", strings.Repeat("x", 5000), "is not an app's name"},
		{"control characters", nil, ana, "/promote", "a\x00\x1b[31mb", "is not an app's name"},
		{"backticks", nil, ana, "/promote", "`whoami`", "is not an app's name"},
	} {
		if c.prepare == nil {
			typed = append(typed, func(t *testing.T, s *stage) {
				s.t = t
				s.refused(s.ask(c.user, c.command, c.text), c.want, 0)
			})
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, nil)
			c.prepare(s)
			commits := len(s.commits())
			if c.name == "Git down" {
				s.git.Intercept(func(githost.Request) githost.Fault { return githost.Fault{Status: 503} })
			}
			s.start()
			s.refused(s.ask(c.user, c.command, c.text), c.want, commits)
		})
	}
	// What depends on nothing but the words shares one world.
	t.Run("typed", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, nil)
		s.start()
		for _, refused := range typed {
			refused(t, s)
		}
	})
}

// A misspelt name has a button, and pressing it is no more than typing it
// right: the person who presses it needs the right.
func TestMeant(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.start()
	for _, c := range []struct{ command, text, label string }{
		{"/promote", "synestra-oi", "/promote synestra-io"},
		{"/promote", "synestra-oi --force", "/promote synestra-io --force"},
		{"/reset-dev", "synestra", "/reset-dev synestra-io"},
	} {
		question := s.ask(bob, c.command, c.text)
		if b := button(question, c.label); b.ActionID == "" || !strings.Contains(string(question.Blocks), "Are you sure?") {
			t.Fatalf("no button %q that asks once more:\n%s", c.label, s.slack.Render(question))
		}
		s.click(question, c.label)
		s.wait("a refusal", func() bool {
			return slices.ContainsFunc(s.private(bob), func(m slack.Message) bool {
				return m.TS == question.TS && strings.Contains(s.slack.Render(m), "no rule gives you that right")
			})
		})
	}
	if got := s.commits(); len(got) != 0 {
		t.Errorf("commits = %q", got)
	}
	s.click(s.ask(ana, "/promote", "synestra-oi"), "/promote synestra-io")
	s.shows("is on `sha-2` in prod")
	s.told()
	if len(s.private(ana)) != 0 {
		t.Errorf("the question stands:\n%s", s.draw())
	}
	help := s.ask(ana, "/release", "hlep promote")
	s.click(help, "/release help promote")
	s.wait("help", func() bool { return strings.Contains(s.slack.Render(s.private(ana)[0]), "/promote <app> --force") })
}

func button(m slack.Message, label string) slack.Button {
	for _, b := range m.Buttons() {
		if b.Label == label {
			return b
		}
	}
	return slack.Button{}
}

// degrade has CI release something to dev that crashes.
func (s *stage) degrade(app string) {
	s.t.Helper()
	s.argo.Behave("sha-bad", argocd.Behaviour{Reason: "CrashLoopBackOff", Message: "back-off restarting failed container", Deadline: 3})
	s.commit(app+": sha-bad", map[string][]byte{"deploy/env/release-dev/" + app + ".yaml": githost.ReleaseLayer(app, "sha-bad")})
	s.wait("a degraded dev", func() bool { return s.argo.State("web-"+app+"-dev").Health == "Degraded" })
}

func (s *stage) hot(app string) {
	s.t.Helper()
	if err := s.argo.GoHot(app); err != nil {
		s.t.Fatal(err)
	}
	s.wait("a session", func() bool { return s.argo.State("web-" + app + "-dev").SessionStands })
}

func (s *stage) drift(application string) {
	s.t.Helper()
	if err := s.argo.Drift(application); err != nil {
		s.t.Fatal(err)
	}
	s.wait("drift", func() bool { return s.argo.State(application).Sync == "OutOfSync" })
}

func TestOffer(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.start()
	drawn := s.slack.Render(s.ask(ana, "/promote", ""))
	for _, want := range []string{"synestra-io", "sha-1", "sha-2", "verified in dev", "/promote synestra-io"} {
		if !strings.Contains(drawn, want) {
			t.Errorf("the offer lacks %q:\n%s", want, drawn)
		}
	}
	if strings.Contains(drawn, "shop") {
		t.Errorf("the offer has an app that is not ahead:\n%s", drawn)
	}
}

// --force passes over the state of dev, and says so in message and commit.
func TestForce(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.hot("synestra-io")
	s.start()
	s.command(ana, releases, "/promote", "synestra-io --force")
	m := s.shows("is on `sha-2` in prod")
	if drawn := s.slack.Render(m); !strings.Contains(drawn, "Forced past the checks of dev") {
		t.Errorf("the message does not say so:\n%s", drawn)
	}
	if body := s.gitOut("log", "-1", "--format=%B", "main"); !strings.Contains(body, "Forced past the checks of dev") {
		t.Errorf("the commit does not say so:\n%s", body)
	}
}

// One request that takes longer than a person waits is refused while it runs,
// with a link to its message.
func TestAlreadyInProgress(t *testing.T) {
	s := midRollout(t, 400)
	answer := s.ask(ana, "/promote", "synestra-io")
	drawn := s.slack.Render(answer)
	if !strings.Contains(drawn, "is being changed by Ana Lima") {
		t.Errorf("answer:\n%s", drawn)
	}
	first := s.public(releases)[0]
	if link := strings.ReplaceAll(first.TS, ".", ""); !strings.Contains(string(answer.Blocks), link) {
		t.Errorf("no link to %s in %s", first.TS, answer.Blocks)
	}
	if len(s.commits()) != 1 {
		t.Errorf("commits = %q", s.commits())
	}
}

// A failing rollout ends with its cause, one reply that mentions who asked,
// and makes room for the next request.
func TestDegraded(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(c *config) { c.Rollout.Timeout = 8 * time.Second })
	s.argo.Behave("sha-bad", argocd.Behaviour{Reason: "CrashLoopBackOff", Message: "missing env PAYMENTS_URL", Deadline: 3})
	s.commit("synestra-io: sha-bad", map[string][]byte{"deploy/env/release-dev/synestra-io.yaml": githost.ReleaseLayer("synestra-io", "sha-bad")})
	s.start()
	s.command(ana, releases, "/promote", "synestra-io --force")
	m := s.shows("CrashLoopBackOff")
	s.told()
	drawn := s.slack.Render(s.shows("sha-bad"))
	for _, want := range []string{"missing env PAYMENTS_URL", "synestra-io-"} {
		if !strings.Contains(drawn, want) {
			t.Errorf("the end lacks %q:\n%s", want, drawn)
		}
	}
	replies := s.replies()
	if len(replies) != 1 || replies[0].ThreadTS != m.TS || !strings.Contains(string(replies[0].Blocks)+replies[0].Text, "<@"+ana+">") {
		t.Errorf("%d replies to the message %s:\n%s", len(replies), m.TS, s.draw())
	}
	if strings.Contains(drawn, "is on `sha-bad`") {
		t.Errorf("a failure is told as a success:\n%s", drawn)
	}
}

// From a direct message, and from a channel shared with another organisation,
// the operation is told in the bot's own channel, and the person learns where.
func TestToldInTheOwnChannel(t *testing.T) {
	t.Parallel()
	for name, channel := range map[string]slack.Channel{
		"direct message": {ID: "D0ANA", Name: "directmessage", IM: true, BotIsMember: true},
		"shared channel": {ID: "C0SHARED", Name: "with-others", Shared: true, BotIsMember: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, nil)
			s.slack.AddChannel(channel)
			s.start()
			s.command(ana, channel.ID, "/promote", "synestra-io")
			m := s.shows("is on `sha-2` in prod")
			s.told()
			answers := s.messages(channel.ID, func(m slack.Message) bool { return m.EphemeralFor == ana })
			if len(answers) != 1 || !strings.Contains(string(answers[0].Blocks)+answers[0].Text, strings.ReplaceAll(m.TS, ".", "")) {
				t.Errorf("answers = %+v", answers)
			}
			if others := s.public(channel.ID); len(others) != 0 {
				t.Errorf("told there too: %+v", others)
			}
		})
	}
}
