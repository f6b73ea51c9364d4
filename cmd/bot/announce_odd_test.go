package main

import (
	"testing"

	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/sandbox/argocd"
	"github.com/synestra/promoter/internal/sandbox/githost"
)

// What waits to be deployed when the bot first looks is told once it is, as the
// work of whoever committed it.
func TestWaitingWhenFirstSeen(t *testing.T) {
	t.Parallel()
	s := newStage(t, hurried, tagged("sha-1", "red")...)
	s.must(s.argo.SetAutoSync("web-red-prod", false, false))
	s.release("prod", "red", "sha-2")
	s.watching()
	s.must(s.argo.SyncBy("web-red-prod", "olga", ""))
	s.notice("red", 1, "red in prod: `sha-1` → `sha-2` · healthy", "red: sha-2", "by "+eva)
	s.only(releases, "red", 1)
}

// Where the branch is rewritten, how it came to what it says is not known. It may
// have gone back, so automation is held.
func TestRewrittenBranch(t *testing.T) {
	t.Parallel()
	s := newStage(t, hurried, tagged("sha-1", "red")...)
	s.watching()
	s.release("prod", "red", "sha-2")
	s.notice("red", 1, "red in prod: `sha-1` → `sha-2` · healthy")
	s.gitOut("update-ref", "refs/heads/"+githost.Branch, githost.Branch+"~1")
	s.notice("red", 2, "red in prod: `sha-2` → `sha-1` · healthy", "On hold: the branch was rewritten")
	if hold, held, err := s.bot.store.Hold(t.Context(), "red"); err != nil || !held {
		t.Errorf("hold %+v, %v, %v", hold, held, err)
	}
	s.release("prod", "red", "sha-3")
	s.notice("red", 3, "red in prod: `sha-1` → `sha-3` · healthy")
	if hold, held, err := s.bot.store.Hold(t.Context(), "red"); err != nil || held {
		t.Errorf("hold %+v, %v, %v", hold, held, err)
	}
}

// An Application that is deleted in the middle of a rollout and made anew is
// another one, with a history that begins again: the update is told once, when
// the new one has it, and the next one too.
func TestRemadeApplication(t *testing.T) {
	t.Parallel()
	s := newStage(t, hurried, tagged("sha-1", "red")...)
	s.argo.Behave("sha-2", argocd.Behaviour{Ready: 1000})
	s.watching()
	s.release("prod", "red", "sha-2")
	s.wait("the rollout", func() bool {
		return s.ledgers(func(l release.Ledger) bool { return len(l.Open) == 1 && l.Open[0].Synced })
	})
	uid := func() (uid string) {
		s.ledgers(func(l release.Ledger) bool { uid = l.UID; return true })
		return uid
	}
	first := uid()
	s.argo.Remove("web-red-prod")
	s.argo.Behave("sha-2", argocd.Behaviour{})
	s.argo.Add(argocd.AppSpec{App: "red", Environment: "prod", AutoSync: true, SelfHeal: true})
	s.notice("red", 1, "red in prod: `sha-1` → `sha-2` · healthy", "by "+eva)
	if uid() == first {
		t.Error("it is the same Application")
	}
	s.release("prod", "red", "sha-3")
	s.notice("red", 2, "red in prod: `sha-2` → `sha-3` · healthy")
	s.only(releases, "red", 2)
}
