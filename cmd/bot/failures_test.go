package main

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synestra/promoter/internal/sandbox/argocd"
	"github.com/synestra/promoter/internal/sandbox/githost"
	"github.com/synestra/promoter/internal/sandbox/slack"
)

// promote starts the bot and asks it for synestra-io in prod.
func (s *stage) promote() {
	s.t.Helper()
	s.start()
	s.command(ana, releases, "/promote", "synestra-io")
}

// midRollout is a stage on which the promoted pods take that many steps to be
// ready, and none is yet.
func midRollout(t *testing.T, ready int) *stage {
	t.Helper()
	t.Parallel()
	s := newStage(t, nil)
	s.argo.Behave("sha-2", argocd.Behaviour{Ready: ready})
	s.promote()
	s.shows("0 of 4 pods ready")
	return s
}

// onFirstPush has f decide on the first push, and says whether there was one.
func (s *stage) onFirstPush(f func() githost.Fault) *atomic.Bool {
	var pushed atomic.Bool
	s.git.Intercept(func(r githost.Request) githost.Fault {
		if r.Kind == githost.Push && pushed.CompareAndSwap(false, true) {
			return f()
		}
		return githost.Fault{}
	})
	return &pushed
}

// The bot is stopped in mid-rollout; the next one ends the operation on the
// same message.
func TestRestartInMidRollout(t *testing.T) {
	s := midRollout(t, 100)
	s.stop()
	s.start()
	s.shows("is on `sha-2` in prod")
	s.told()
	if len(s.commits()) != 1 || len(s.public(releases)) != 1 {
		t.Errorf("commits %q\n%s", s.commits(), s.draw())
	}
}

// The answer to the push is lost: the commit is found again, not repeated.
func TestLostPushReply(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	lost := s.onFirstPush(func() githost.Fault { return githost.Fault{LoseReply: true} })
	s.promote()
	s.shows("is on `sha-2` in prod")
	if !lost.Load() || len(s.commits()) != 1 {
		t.Errorf("lost %v, commits %q", lost.Load(), s.commits())
	}
}

// A rival's commit lands between reading and pushing; both survive.
func TestRivalCommit(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.onFirstPush(func() githost.Fault {
		s.commit("shop: sha-6", map[string][]byte{"deploy/env/release-dev/shop.yaml": githost.ReleaseLayer("shop", "sha-6")})
		return githost.Fault{}
	})
	s.promote()
	s.shows("is on `sha-2` in prod")
	got := s.commits()
	if len(got) != 2 || got[0] != "release(prod): synestra-io sha-1 → sha-2" || got[1] != "shop: sha-6" {
		t.Errorf("commits = %q", got)
	}
}

// A rival changes the same tag first: the promotion is refused, not forced.
func TestRivalOfTheSameTag(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.onFirstPush(func() githost.Fault {
		s.commit("hotfix", map[string][]byte{"deploy/env/release-prod/synestra-io.yaml": githost.ReleaseLayer("synestra-io", "sha-9")})
		return githost.Fault{}
	})
	s.promote()
	s.shows("sha-9")
	s.told()
	if got := s.commits(); len(got) != 1 || got[0] != "hotfix" {
		t.Errorf("commits = %q", got)
	}
	if len(s.replies()) != 1 {
		t.Errorf("nobody was told:\n%s", s.draw())
	}
}

// A hook of the host refuses: that is told with the host's reason, and not
// tried again.
func TestPushRefused(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	if err := s.git.Hook(githost.WebCore, "pre-receive", "#!/bin/sh\necho 'main is protected by policy 7' >&2\nexit 1\n"); err != nil {
		t.Fatal(err)
	}
	s.promote()
	s.shows("main is protected by policy 7")
	s.told()
	if pushes := s.git.Counts()[githost.Push].Requests; pushes != 1 || len(s.commits()) != 0 {
		t.Errorf("%d pushes, commits %q", pushes, s.commits())
	}
}

// Argo CD's server goes away in mid-rollout and comes back.
func TestArgoCDRestarts(t *testing.T) {
	s := midRollout(t, 100)
	s.argo.Stop()
	s.shows("Argo CD cannot be asked at the moment")
	if err := s.argo.Restart(); err != nil {
		t.Fatal(err)
	}
	s.shows("is on `sha-2` in prod")
}

// Slack does not answer when the message is to be posted: the release goes out
// all the same, and is told as soon as Slack is there again, once.
func TestSlackIsAway(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.start()
	s.slack.FailNext("chat.postMessage", 2, slack.Fault{Status: 503})
	s.command(ana, releases, "/promote", "synestra-io")
	s.shows("is on `sha-2` in prod")
	s.told()
	if len(s.public(releases)) != 1 || len(s.commits()) != 1 {
		t.Errorf("commits %q\n%s", s.commits(), s.draw())
	}
}

// The answer to the post is lost: there is one message all the same.
func TestLostPostReply(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.start()
	s.slack.FailNext("chat.postMessage", 1, slack.Fault{DropReply: true})
	s.command(ana, releases, "/promote", "synestra-io")
	s.shows("is on `sha-2` in prod")
	s.told()
	if len(s.public(releases)) != 1 {
		t.Errorf("%d messages\n%s", len(s.public(releases)), s.draw())
	}
}

// Slack delivers the same command again, as it does when an acknowledgement
// was late: it is done once.
func TestRedelivery(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.start()
	ack, err := s.slack.Command(t.Context(), ana, releases, "/promote", "synestra-io")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := s.slack.Redeliver(t.Context(), ack.Envelope); err != nil {
			t.Fatal(err)
		}
	}
	s.shows("is on `sha-2` in prod")
	s.told()
	if len(s.commits()) != 1 || len(s.public(releases)) != 1 || len(s.private(ana)) != 0 {
		t.Errorf("commits %q\n%s", s.commits(), s.draw())
	}
}

// A commit that touches another app is no rollout of this one.
func TestCommitOfAnotherApp(t *testing.T) {
	s := midRollout(t, 60)
	s.commit("shop: sha-6", map[string][]byte{"deploy/env/release-dev/shop.yaml": githost.ReleaseLayer("shop", "sha-6")})
	m := s.shows("is on `sha-2` in prod")
	if len(s.public(releases)) != 1 || strings.Contains(s.slack.Render(m), "superseded") {
		t.Errorf("messages:\n%s", s.draw())
	}
}

// Somebody changes the tag again before the rollout is over: the operation says
// that it was superseded, never that it is healthy.
func TestSuperseded(t *testing.T) {
	s := midRollout(t, 400)
	s.commit("hotfix", map[string][]byte{"deploy/env/release-prod/synestra-io.yaml": githost.ReleaseLayer("synestra-io", "sha-9")})
	s.shows("changed the tag again")
	s.told()
	if strings.Contains(s.draw(), "is on `sha-2`") {
		t.Errorf("a claim that was never true:\n%s", s.draw())
	}
}

// ends checks that a bot that is started ends with an error that says all of it.
func (s *stage) ends(say ...string) {
	s.t.Helper()
	b, err := newBot(s.t.Context(), s.c, discard())
	if err != nil {
		s.t.Fatal(err)
	}
	defer b.close()
	over := make(chan error, 1)
	go func() { over <- b.run(s.t.Context()) }()
	select {
	case err := <-over:
		if err == nil || !contains(err.Error(), say...) {
			s.t.Errorf("it ended with %v", err)
		}
	case <-time.After(deadline):
		s.t.Fatal("it runs on")
	}
}

// A bad token ends the process with a sentence, not a retry loop.
func TestFatalSlackError(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.slack.Revoke(worldBotToken, "invalid_auth")
	s.ends("SLACK_BOT_TOKEN")
}
