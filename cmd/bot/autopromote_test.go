package main

import (
	"testing"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// A release that was well in dev for long enough goes to prod by itself, once,
// as an operation like any other; unless its window is closed or automation is
// held. What keeps it is in the store.
func TestAutoPromotion(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(c *config) {
		hurried(c)
		c.AutoPromote = []autoPromotion{
			{Apps: []string{"closed"}, Soak: time.Second, Window: &window{Cron: "0 0 29 2 *", For: time.Minute}},
			{Apps: []string{"hot"}, Soak: 3 * time.Second},
			{Apps: []string{"*"}, Soak: time.Second},
		}
	}, tagged("sha-1", "free", "closed", "held", "hot")...)
	s.watching()
	s.release("prod", "held", "sha-2")
	s.notice("held", 1, "healthy")
	s.release("prod", "held", "sha-1")
	s.notice("held", 2, "rolled back")

	files := map[string][]byte{}
	for _, app := range []string{"free", "closed", "held", "hot"} {
		for path, content := range layerOf("dev", app, "sha-3") {
			files[path] = content
		}
	}
	s.push("CI: sha-3", files)
	s.wait("a soak", func() bool {
		l := s.dev("hot")
		return l.Soak != nil && l.Soak.Tag == "sha-3" && l.Soak.Counted > 0
	})
	began := s.dev("hot").Soak.Since
	s.must(s.argo.GoHot("hot"))
	s.wait("the soak to begin anew", func() bool {
		soak := s.dev("hot").Soak
		return soak.Since.After(began) && contains(soak.Why, "session") && soak.Counted == 0
	})

	s.operation("free", "free is on `sha-3` in prod")
	for app, code := range map[string]release.Code{"closed": release.CodeWindowClosed, "held": release.CodeHeld} {
		s.wait("why "+app+" waits", func() bool { w := s.dev(release.App(app)).Waits; return w != nil && w.Code == code })
	}
	if got := s.gitOut("log", "--format=%an %s%n%(trailers)", "-1", "main", "--", "deploy/env/release-prod/free.yaml"); !contains(got,
		"release(prod): free sha-1 → sha-3", "Requested-By: auto-promotion, soaked 1s", "Operation-Kind: promote") {
		t.Errorf("the commit:\n%s", got)
	}
	for _, app := range []string{"closed", "held", "hot"} {
		if got := s.tagOf("prod", app); got != "sha-1" {
			t.Errorf("prod of %s has %s", app, got)
		}
	}
	s.must(s.argo.EndSession("hot"))
	s.operation("hot", "hot is on `sha-3` in prod")
	s.told()
	for app, n := range map[string]int{"free": 1, "closed": 0, "held": 0, "hot": 1} {
		if got := s.operations(app + " "); len(got) != n {
			t.Errorf("%d operations of %s, not %d: %q", len(got), app, n, got)
		}
	}
	s.only(releases, "free", 0)
	// A person promotes what is held: that lifts the hold.
	s.command(ana, releases, "/promote", "held")
	s.operation("held", "held is on `sha-3` in prod")
	s.wait("the hold to be lifted", func() bool {
		_, held, err := s.bot.store.Hold(t.Context(), "held")
		return err == nil && !held
	})
}

// dev is the ledger of an app in dev.
func (s *stage) dev(app release.App) release.Ledger {
	s.t.Helper()
	l, _, err := s.bot.store.Ledger(s.t.Context(), app, "dev")
	if err != nil {
		s.t.Fatal(err)
	}
	return l
}
