package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/synestra/promoter/internal/sandbox/argocd"
	"github.com/synestra/promoter/internal/sandbox/githost"
)

// Prod goes back to the release before, as one commit of its layer, whatever
// dev is like; and automation is held from then on, once.
func TestRollback(t *testing.T) {
	t.Parallel()
	s := newStage(t, hurried)
	s.watching()
	s.release("prod", "shop", "sha-6")
	s.notice("shop", 1, "healthy")
	s.degrade("shop")
	before := len(s.commits())
	s.command(ana, releases, "/rollback", "shop")
	m := s.shows("shop is back on `sha-5` in prod")
	s.told()
	if !strings.Contains(s.slack.Render(m), "holds automation") {
		t.Errorf("the message does not say that automation is held:\n%s", s.slack.Render(m))
	}
	if got := s.commits(); len(got) != before+1 || got[0] != "release(prod): shop sha-6 → sha-5" {
		t.Errorf("commits = %q", got)
	}
	if got := s.gitOut("diff", "--numstat", "main~1", "main"); got != "1\t1\tdeploy/env/release-prod/shop.yaml" {
		t.Errorf("diff = %q", got)
	}
	if got := s.gitOut("log", "-1", "--format=%an%n%(trailers)", "main"); !contains(got, "Ana Lima", "Operation-Kind: rollback", "From-Tag: sha-6", "To-Tag: sha-5") {
		t.Errorf("the commit:\n%s", got)
	}
	s.wait("a hold", func() bool { return s.held("shop") })
	hold, _, err := s.bot.store.Hold(t.Context(), "shop")
	if err != nil || !contains(hold.Reason, "prod went back to `sha-5`") || hold.By != "Ana Lima" {
		t.Errorf("the hold: %+v, %v", hold, err)
	}
	s.only(releases, "shop", 1) // the operation's message is what tells of it

	// What was rolled back from is not gone back to unasked, but offered.
	question := s.ask(ana, "/rollback", "shop")
	if drawn := s.slack.Render(question); !contains(drawn, "before `sha-5` in prod cannot be told for certain", "/rollback shop <tag>", "nothing was changed") {
		t.Errorf("once more:\n%s", drawn)
	}
	s.click(question, "/rollback shop sha-6")
	s.shows("shop is back on `sha-6` in prod")
	s.told()
	if len(s.private(ana)) != 0 {
		t.Errorf("the question stands:\n%s", s.draw())
	}
}

// releasedTwice has prod of shop go on from sha-5 to sha-6 and sha-7.
func (s *stage) releasedTwice() {
	s.t.Helper()
	for _, tag := range []string{"sha-6", "sha-7"} {
		s.release("prod", "shop", tag)
		s.wait("the rollout", func() bool { return s.argo.State("web-shop-prod").Tag == tag })
	}
}

// To a tag: one that prod had.
func TestRollbackToATag(t *testing.T) {
	t.Parallel()
	s := newStage(t, hurried)
	s.watching()
	s.releasedTwice()
	commits := len(s.commits())
	refusal := s.ask(ana, "/rollback", "shop sha-9")
	if drawn := s.slack.Render(refusal); !contains(drawn, "Prod of `shop` never had `sha-9`", "it had `sha-6`, `sha-5`", "/rollback shop sha-5") {
		t.Errorf("a tag that prod never had:\n%s", drawn)
	}
	if drawn := s.slack.Render(s.ask(ana, "/rollback", "shop sha-7")); !contains(drawn, "Prod of `shop` already ") {
		t.Errorf("a tag that prod has:\n%s", drawn)
	}
	if got := s.commits(); len(got) != commits {
		t.Errorf("commits = %q", got)
	}
	s.command(ana, releases, "/rollback", "shop sha-5")
	s.shows("shop is back on `sha-5` in prod")
	if got := s.commits()[0]; got != "release(prod): shop sha-7 → sha-5" {
		t.Errorf("commit %q", got)
	}
}

// A rollback takes over from a rollout that has not ended, and holds automation.
func TestRollbackInMidRollout(t *testing.T) {
	t.Parallel()
	s := newStage(t, hurried)
	s.argo.Behave("sha-2", argocd.Behaviour{Ready: 400})
	s.watching()
	s.command(ana, releases, "/promote", "synestra-io")
	s.shows("0 of 4 pods ready")
	s.command(ana, releases, "/rollback", "synestra-io")
	s.shows("synestra-io is back on `sha-1` in prod")
	s.told()
	all := s.public(releases)
	if len(all) != 2 || !contains(s.slack.Render(all[0]), "superseded") || strings.Contains(s.slack.Render(all[0]), "is on `sha-2`") {
		t.Errorf("%d messages:\n%s", len(all), s.draw())
	}
	want := []string{"release(prod): synestra-io sha-2 → sha-1", "release(prod): synestra-io sha-1 → sha-2"}
	if got := s.commits(); !slices.Equal(got, want) {
		t.Errorf("commits = %q", got)
	}
	s.wait("a hold", func() bool { return s.held("synestra-io") })
	if state := s.argo.State("web-synestra-io-prod"); state.Tag != "sha-1" {
		t.Errorf("prod = %+v", state)
	}
}

// The answer to the push is lost, then the bot is killed: there is one commit.
func TestRollbackOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t, hurried)
	s.watching()
	s.release("prod", "shop", "sha-6")
	s.notice("shop", 1, "healthy")
	before := len(s.commits())
	pushed := s.onFirstPush(func() githost.Fault { return githost.Fault{LoseReply: true} })
	s.command(ana, releases, "/rollback", "shop")
	s.wait("the push", pushed.Load)
	s.kill()
	s.start()
	s.shows("shop is back on `sha-5` in prod")
	s.told()
	if got := s.commits(); len(got) != before+1 {
		t.Errorf("commits = %q", got)
	}
}

// Typed twice, a rollback does not go back twice; one that names its tag takes
// over from another.
func TestRollbackTwice(t *testing.T) {
	t.Parallel()
	s := newStage(t, hurried)
	s.watching()
	s.releasedTwice()
	s.argo.Behave("sha-6", argocd.Behaviour{Ready: 2000})
	s.command(ana, releases, "/rollback", "shop")
	s.shows("rollback of prod · `sha-7` → `sha-6` · rolling out")
	if drawn := s.slack.Render(s.ask(ana, "/rollback", "shop")); !contains(drawn, "`shop` in prod is being changed by Ana Lima: `sha-7` → `sha-6`") {
		t.Errorf("typed twice:\n%s", drawn)
	}
	s.command(ana, releases, "/rollback", "shop sha-5")
	s.shows("shop is back on `sha-5` in prod")
	s.told()
	if got := s.commits()[:2]; !slices.Equal(got, []string{"release(prod): shop sha-6 → sha-5", "release(prod): shop sha-7 → sha-6"}) {
		t.Errorf("commits = %q", got)
	}
}

// Once somebody promotes the app, automation is no longer held, though prod had
// that release before.
func TestPromotionLiftsTheHold(t *testing.T) {
	t.Parallel()
	s := newStage(t, hurried)
	s.watching()
	s.command(ana, releases, "/promote", "synestra-io")
	s.shows("synestra-io is on `sha-2` in prod")
	s.told()
	s.command(ana, releases, "/rollback", "synestra-io")
	s.shows("synestra-io is back on `sha-1` in prod")
	s.told()
	s.wait("a hold", func() bool { return s.held("synestra-io") })
	s.command(ana, releases, "/promote", "synestra-io")
	s.wait("the hold to be lifted", func() bool { return !s.held("synestra-io") })
	s.told()
	s.only(releases, "synestra-io", 0)
}

// A tag that cannot be one is not left out: that would go back to another.
func TestRollbackToNoTag(t *testing.T) {
	t.Parallel()
	s := newStage(t, hurried)
	s.start()
	s.refused(s.ask(ana, "/rollback", "shpo `sha-5`"), "is no tag", 0)
}
