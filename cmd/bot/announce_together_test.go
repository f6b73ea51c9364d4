package main

import (
	"strings"
	"testing"

	"github.com/synestra/promoter/internal/automation"
	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/sandbox/argocd"
	"github.com/synestra/promoter/internal/sandbox/slack"
)

// gathering has notices hold several apps, as they usually do.
func gathering(c *config) {
	hurried(c)
	c.times.Gather = automation.DefaultTimes().Gather
}

const chartValues = "deploy/charts/web-app/values.yaml"

// A commit to the chart rolls all apps out: one message for all. One that
// changes nothing of what is rendered is none.
func TestChartCommit(t *testing.T) {
	t.Parallel()
	s := newStage(t, gathering, tagged("sha-1", "red", "green", "blue")...)
	s.watching()
	s.wait("the rollouts", func() bool { return s.ledgers(func(l release.Ledger) bool { return len(l.Rollouts) > 0 }) })
	values := s.gitOut("show", "main:"+chartValues)
	s.push("chart: a remark", map[string][]byte{chartValues: []byte("# a remark\n" + values + "\n")})
	s.push("chart: trace", map[string][]byte{chartValues: []byte(strings.Replace(values, "env: {}", "env: {TRACE: all}", 1) + "\n")})
	s.push("docs: elsewhere", map[string][]byte{"README.md": []byte("# web-core\n")}) // may be the one that is deployed
	s.notice("", 1, "3 apps rolled out anew in prod", "chart: trace", "red", "green", "blue", "None of the app's own files changed", "by "+eva)
	s.release("prod", "red", "sha-2")
	s.notice("", 1, "red in prod: `sha-1` → `sha-2`")
	s.only(releases, "", 1)
}

// ledgers says that all ledgers of prod are so.
func (s *stage) ledgers(ok func(release.Ledger) bool) bool {
	all, err := s.bot.store.Ledgers(s.t.Context())
	if err != nil {
		return false
	}
	for _, l := range all {
		if l.Environment == "prod" && !ok(l) {
			return false
		}
	}
	return true
}

// Of several apps at once the first is posted at once, and the others are added
// to it.
func TestSeveralAtOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t, gathering, tagged("sha-1", "red", "green", "blue")...)
	s.argo.Behave("sha-bad", argocd.Behaviour{Reason: "CrashLoopBackOff", Deadline: 4})
	s.watching()
	s.release("prod", "red", "sha-2")
	first := s.notice("", 1, "red in prod: `sha-1` → `sha-2` · healthy")
	files := layerOf("prod", "green", "sha-2")
	for path, content := range layerOf("prod", "blue", "sha-bad") {
		files[path] = content
	}
	s.push("two more", files)
	m := s.notice("", 1, "3 apps updated in prod", "1 failed", "red in prod", "green in prod: `sha-1` → `sha-2` · healthy", "blue in prod: `sha-1` → `sha-bad` · degraded", eva)
	s.argo.Behave("sha-bad", argocd.Behaviour{})
	s.notice("", 1, "blue in prod: `sha-1` → `sha-bad` · healthy · recovered after")
	if m.TS != first.TS || len(s.notices(releases, "")) != 1 {
		t.Errorf("%s", s.draw())
	}
}

// What was replaced before it went live is named in its successor's notice.
func TestSupersededIsNamed(t *testing.T) {
	t.Parallel()
	s := newStage(t, hurried, tagged("sha-1", "rolling", "unseen")...)
	s.argo.Behave("sha-slow", argocd.Behaviour{Ready: 100000, Deadline: 1000000})
	s.watching()
	s.release("prod", "rolling", "sha-slow")
	s.wait("a rollout", func() bool { return s.argo.State("web-rolling-prod").Tag == "sha-slow" })
	s.argo.HoldController(true)
	s.release("prod", "unseen", "sha-2")
	s.release("prod", "unseen", "sha-3")
	s.release("prod", "rolling", "sha-3")
	s.argo.HoldController(false)
	s.notice("rolling", 1, "rolling in prod: `sha-1` → `sha-3` · healthy", "`sha-slow` by "+eva+" was superseded before it went live")
	s.notice("unseen", 1, "unseen in prod: `sha-1` → `sha-3` · healthy", "`sha-2` by "+eva+" was superseded before it went live")
	s.only(releases, "rolling", 1)
	s.only(releases, "unseen", 1)
}

// The channels beside the one of operations.
const (
	ops   = "C0OPS"
	quiet = "C0QUIET"
	devs  = "C0DEVS"
)

// What an operation's message tells is told once more in other channels only;
// a muted kind nowhere; dev's releases where they are wanted.
func TestRouting(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(c *config) {
		hurried(c)
		c.Notices.Routes = []automation.Route{
			{Apps: []string{"*"}, Environments: []string{"prod"}, Channels: []string{releases, ops}},
			{Apps: []string{"sh*"}, Environments: []string{"prod"}, Channels: []string{quiet}, Mute: []release.NoticeKind{release.NoticeSettings, release.NoticeRollback}},
			{Apps: []string{"*"}, Environments: []string{"dev"}, Channels: []string{devs}},
		}
	})
	for _, id := range []string{ops, quiet, devs} {
		s.slack.AddChannel(slack.Channel{ID: id, Name: strings.ToLower(id), BotIsMember: true})
	}
	s.watching()
	s.command(ana, releases, "/promote", "synestra-io")
	s.noticeIn(ops, "synestra-io", 1, "synestra-io in prod: `sha-1` → `sha-2` · healthy", "by Ana Lima through this bot")
	s.told()

	s.push("shop: settings", map[string][]byte{"deploy/env/prod/shop.yaml": []byte("env: {MORE: yes}\n")})
	s.noticeIn(ops, "shop", 1, "new settings")
	s.release("prod", "shop", "sha-6")
	s.noticeIn(quiet, "shop", 1, "shop in prod: `sha-5` → `sha-6` · healthy")
	s.release("dev", "shop", "sha-7")
	s.noticeIn(devs, "shop", 1, "shop in dev: `sha-5` → `sha-7` · healthy", "by "+eva)
	s.release("prod", "synestra-io", "sha-3")
	s.notice("synestra-io", 1, "synestra-io in prod: `sha-2` → `sha-3` · healthy")
	s.noticeIn(ops, "synestra-io", 2, "synestra-io in prod: `sha-2` → `sha-3` · healthy")
	s.noticeIn(ops, "shop", 2, "sha-6")
	for channel, n := range map[string]int{releases: 3, ops: 4, quiet: 1, devs: 1} {
		if got := s.notices(channel, ""); len(got) != n {
			t.Errorf("%d notices in %s, not %d", len(got), channel, n)
		}
	}
}

// A channel that Slack does not know ends the start, with the key that names it.
func TestUnknownChannel(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(c *config) {
		c.Notices.Routes = []automation.Route{{Apps: []string{"*"}, Environments: []string{"prod"}, Channels: []string{releases, "C0NOWHERE"}}}
	})
	s.ends("notices.routes[0].channels[1]", "C0NOWHERE")
}

// What there is when the bot first looks is no news. An app that comes later is.
func TestNewApp(t *testing.T) {
	t.Parallel()
	s := newStage(t, hurried)
	s.watching()
	files := layerOf("prod", "fresh", "sha-1")
	files["deploy/env/prod/fresh.yaml"] = []byte("env: {NODE_ENV: production}\ningress: {hosts: [fresh.example]}\n")
	s.push("fresh: a new app", files)
	s.argo.Add(argocd.AppSpec{App: "fresh", Environment: "prod", AutoSync: true})
	s.notice("fresh", 1, "🚀 fresh in prod: now `sha-1` · healthy", "fresh: a new app", "fresh.example", "by "+eva)
	s.release("prod", "shop", "sha-6")
	s.notice("shop", 1, "shop in prod")
	s.only(releases, "", 2)
}

// What comes before there is a ledger is not told; the same commit taken in by a
// second bot on the same store is told once.
func TestTwoBots(t *testing.T) {
	t.Parallel()
	s := newStage(t, hurried)
	s.watching()
	second := s.in(t)
	second.start()
	s.release("prod", "shop", "sha-6")
	s.notice("shop", 1, "shop in prod: `sha-5` → `sha-6` · healthy")
	s.stop() // the one that leads
	s.release("prod", "shop", "sha-7")
	s.notice("shop", 2, "shop in prod: `sha-6` → `sha-7` · healthy")
	s.only(releases, "", 2)
}
