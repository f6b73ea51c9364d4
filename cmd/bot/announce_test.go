package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/synestra/promoter/internal/automation"
	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/sandbox/argocd"
	"github.com/synestra/promoter/internal/sandbox/githost"
	"github.com/synestra/promoter/internal/sandbox/slack"
)

// hurried has automation wait less, and keep its notices apart.
func hurried(c *config) {
	c.times = automation.Times{
		Lease: 2 * time.Second, Renew: 500 * time.Millisecond, Take: 50 * time.Millisecond,
		Retry: 200 * time.Millisecond, Odd: 500 * time.Millisecond, Soak: 100 * time.Millisecond, Recover: 200 * time.Millisecond,
		Promote: 500 * time.Millisecond, Align: time.Second, AlignSoon: 100 * time.Millisecond,
		Gather: time.Nanosecond, GatherSummary: 2 * time.Minute, Post: 500 * time.Millisecond, Due: 100 * time.Millisecond, Away: 24 * time.Hour,
	}
	c.Align = release.AlignNever
}

// tagged are apps whose dev and prod run the same.
func tagged(tag string, names ...string) []githost.App {
	var apps []githost.App
	for _, name := range names {
		apps = append(apps, githost.App{Name: name, Dev: tag, Prod: tag})
	}
	return apps
}

// watching starts the bot, and waits until it knows what there is.
func (s *stage) watching() {
	s.t.Helper()
	s.start()
	s.wait("the ledgers", func() bool {
		ledgers, err := s.bot.store.Ledgers(s.t.Context())
		if err != nil {
			return false
		}
		prod := 0
		for _, l := range ledgers {
			if l.Environment == "prod" {
				prod++
			}
		}
		return prod == len(s.apps)
	})
}

// eva is the person whose commits nobody asked the bot for.
const eva = "Eva Ray"

// push commits as Eva.
func (s *stage) push(message string, files map[string][]byte) string {
	s.t.Helper()
	commit, err := s.git.Commit(s.t.Context(), githost.WebCore, eva+" <eva@synestra.io>", message, files)
	if err != nil {
		s.t.Fatal(err)
	}
	return commit
}

func (s *stage) release(environment, app, tag string) string {
	s.t.Helper()
	return s.push(fmt.Sprintf("%s: %s", app, tag), layerOf(environment, app, tag))
}

func layerOf(environment, app, tag string) map[string][]byte {
	return map[string][]byte{"deploy/env/release-" + environment + "/" + app + ".yaml": githost.ReleaseLayer(app, tag)}
}

// marked says that a message is a notice.
func marked(m slack.Message) bool {
	var metadata struct {
		Type string `json:"event_type"`
	}
	return json.Unmarshal(m.Metadata, &metadata) == nil && metadata.Type == "promoter_notice"
}

// notices are those in a channel that speak of an app, "" for any.
func (s *stage) notices(channel, app string) []slack.Message {
	return s.messages(channel, func(m slack.Message) bool {
		return marked(m) && (app == "" || strings.Contains(s.slack.Render(m), app))
	})
}

// notice waits for the nth notice of an app, counted from 1, to say all of it.
func (s *stage) notice(app string, n int, say ...string) slack.Message {
	s.t.Helper()
	return s.noticeIn(releases, app, n, say...)
}

func (s *stage) noticeIn(channel, app string, n int, say ...string) (m slack.Message) {
	s.t.Helper()
	s.wait(fmt.Sprintf("notice %d of %s with %q", n, app, say), func() bool {
		all := s.notices(channel, app)
		if len(all) < n {
			return false
		}
		m = all[n-1]
		return contains(s.slack.Render(m), say...)
	})
	return m
}

func contains(text string, all ...string) bool {
	for _, part := range all {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

// only checks that an app has so many notices.
func (s *stage) only(channel, app string, n int) {
	s.t.Helper()
	if got := s.notices(channel, app); len(got) != n {
		var b strings.Builder
		for _, m := range got {
			b.WriteString(s.slack.Render(m))
		}
		s.t.Errorf("%d notices of %s, not %d:\n%s", len(got), app, n, b.String())
	}
}

// in is the stage for a subtest.
func (s *stage) in(t *testing.T) *stage {
	c := *s
	c.t = t
	return &c
}

// Every kind of change, by people and by no one, each of its own app. What
// happens to one app is told of no other.
func TestAnnounced(t *testing.T) {
	t.Parallel()
	s := newStage(t, hurried, tagged("sha-1", "commit", "settings", "comment", "failing", "revert", "rollback", "noise", "neighbour")...)
	s.watching()
	expected := map[string]int{"commit": 1, "settings": 1, "comment": 1, "failing": 1, "revert": 2, "rollback": 3, "noise": 1, "neighbour": 1}
	t.Run("all", func(t *testing.T) {
		for name, do := range map[string]func(*stage){
			"commit": commitToProd, "settings": settingsOnly, "comment": commentOnly, "failing": failsAndRecovers,
			"revert": revertIsRollback, "rollback": rollbackInArgoCD, "noise": noiseIsNothing,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				do(s.in(t))
			})
		}
	})
	if t.Failed() {
		return
	}
	// Neither a restart of Argo CD's server nor one of the bot is news.
	s.must(s.argo.Restart())
	s.stop()
	s.watching()
	s.release("prod", "neighbour", "sha-2")
	s.notice("neighbour", 1, "neighbour in prod: `sha-1` → `sha-2` · healthy")
	for app, n := range expected {
		s.only(releases, app, n)
	}
}

func commitToProd(s *stage) {
	commit := s.release("prod", "commit", "sha-2")
	m := s.notice("commit", 1, "🚀 commit in prod: `sha-1` → `sha-2` · healthy", commit[:7]+" commit: sha-2", "commit.synestra.io", "by "+eva+" ·", "Argo CD", "Commit", "Compare")
	if !strings.HasPrefix(m.Text, "🚀 commit in prod: sha-1 → sha-2, healthy, by "+eva) {
		s.t.Errorf("a phone shows %q", m.Text)
	}
	if state := s.argo.State("web-commit-prod"); state.Tag != "sha-2" || state.Ready != state.Replicas {
		s.t.Errorf("told too early: %+v", state)
	}
}

func settingsOnly(s *stage) {
	s.push("settings: more memory", map[string][]byte{"deploy/env/prod/settings.yaml": []byte("env: {NODE_ENV: production, MORE: yes}\n")})
	s.notice("settings", 1, "⚙️ settings in prod: new settings, `sha-1` · healthy", "settings: more memory", "by "+eva)
}

// A remark in the layer is no release, and the release after it is one.
func commentOnly(s *stage) {
	layer := layerOf("prod", "comment", "sha-1")
	for path, content := range layer {
		layer[path] = append([]byte("# a remark\n"), content...)
	}
	s.push("comment: a remark", layer)
	s.release("prod", "comment", "sha-2")
	s.notice("comment", 1, "comment in prod: `sha-1` → `sha-2` · healthy")
}

func failsAndRecovers(s *stage) {
	s.argo.Behave("sha-bad", argocd.Behaviour{Reason: "CrashLoopBackOff", Message: "missing env", Deadline: 4})
	s.release("prod", "failing", "sha-bad")
	failed := s.notice("failing", 1, "failing in prod: `sha-1` → `sha-bad` · degraded", "CrashLoopBackOff", "missing env", "by "+eva)
	s.argo.Behave("sha-bad", argocd.Behaviour{})
	m := s.notice("failing", 1, "🚀 failing in prod: `sha-1` → `sha-bad` · healthy · recovered after")
	if m.TS != failed.TS || contains(s.slack.Render(m), "CrashLoopBackOff") {
		s.t.Errorf("it is another message, or still says why it failed:\n%s", s.slack.Render(m))
	}
}

func revertIsRollback(s *stage) {
	s.release("prod", "revert", "sha-2")
	s.notice("revert", 1, "revert in prod: `sha-1` → `sha-2` · healthy")
	s.release("prod", "revert", "sha-1")
	s.notice("revert", 2, "⏪ revert rolled back in prod: `sha-2` → `sha-1` · healthy", "On hold: prod went back to `sha-1`", "by "+eva)
	if hold, held, err := s.bot.store.Hold(s.t.Context(), "revert"); err != nil || !held || hold.By != eva || !contains(hold.Reason, "sha-1") {
		s.t.Errorf("hold %+v, %v, %v", hold, held, err)
	}
}

func rollbackInArgoCD(s *stage) {
	const app = "web-rollback-prod"
	s.release("prod", "rollback", "sha-2")
	s.notice("rollback", 1, "rollback in prod: `sha-1` → `sha-2` · healthy")
	s.must(s.argo.SetAutoSync(app, false, false))
	s.must(s.argo.Rollback(app, "olga"))
	m := s.notice("rollback", 2, "⏪ rollback rolled back in prod: `sha-2` → `sha-1` · healthy", "by olga in Argo CD", "On hold: prod went back to `sha-1`")
	if contains(s.slack.Render(m), "ther resources") {
		s.t.Errorf("the app's own Deployment is called another's:\n%s", s.slack.Render(m))
	}
	if _, held, err := s.bot.store.Hold(s.t.Context(), "rollback"); err != nil || !held {
		s.t.Errorf("held %v, %v", held, err)
	}
	s.must(s.argo.SyncBy(app, "olga", ""))
	s.notice("rollback", 3, "🚀 rollback in prod: `sha-1` → `sha-2` · healthy", "by olga in Argo CD")
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// settled waits until an Application is well and has been asked for so many syncs.
func (s *stage) settled(application string, syncs int) {
	s.t.Helper()
	s.wait(application+" to settle", func() bool {
		state := s.argo.State(application)
		return len(state.Syncs) >= syncs && !state.Operating && state.Sync == "Synced" && state.Health == "Healthy" && state.Ready == state.Replicas
	})
}

// A sync that changes nothing, new pods, a release that is unwell for a while,
// and what self-heal puts right: of none of it anything is told.
func noiseIsNothing(s *stage) {
	const app = "web-noise-prod"
	syncs := len(s.argo.State(app).Syncs)
	s.must(s.argo.SyncBy(app, "olga", ""))
	s.settled(app, syncs+1)
	s.must(s.argo.DeletePods(app))
	s.wait("new pods", func() bool { return s.argo.State(app).Ready == 0 })
	s.settled(app, 0)
	s.must(s.argo.SetImage(app, "sha-9"))
	s.settled(app, syncs+2)
	// The same tag is run by other apps, so its behaviour is not touched: a
	// release of its own is unwell instead, after it was told.
	s.release("prod", "noise", "sha-noise")
	s.notice("noise", 1, "noise in prod: `sha-1` → `sha-noise` · healthy")
	s.argo.Behave("sha-noise", argocd.Behaviour{Reason: "CrashLoopBackOff", Deadline: 3})
	s.must(s.argo.DeletePods(app))
	s.wait("a degraded app", func() bool { return s.argo.State(app).Health == "Degraded" })
	s.argo.Behave("sha-noise", argocd.Behaviour{})
	s.settled(app, 0)
}
