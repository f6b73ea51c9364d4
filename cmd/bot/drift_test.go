package main

import (
	"strings"
	"testing"
	"time"
)

// Somebody changes the cluster: where nothing puts that right it is told, then
// warned of, and then that it is over. A rollback in Argo CD is warned of too,
// since Git still says something else.
func TestDrift(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(c *config) {
		hurried(c)
		c.Rollout.Noticed = 5 * time.Second
	}, tagged("sha-1", "patched", "rolled")...)
	s.release("prod", "rolled", "sha-2")
	s.wait("a rollout", func() bool { return s.argo.State("web-rolled-prod").Tag == "sha-2" })
	s.settled("web-rolled-prod", 0)
	s.must(s.argo.SetAutoSync("web-patched-prod", false, false))
	s.must(s.argo.SetAutoSync("web-rolled-prod", false, false))
	s.watching()
	s.must(s.argo.SetImage("web-patched-prod", "sha-9"))
	s.must(s.argo.Rollback("web-rolled-prod", "olga"))
	t.Run("all", func(t *testing.T) {
		t.Run("patched", func(t *testing.T) {
			t.Parallel()
			s := s.in(t)
			s.notice("patched", 1, "⚠️ patched in prod runs `sha-9`, Git says `sha-1`", "since")
			s.notice("patched", 2, "patched in prod: `sha-1` → `sha-9` · healthy", "outside Git")
			s.must(s.argo.SyncBy("web-patched-prod", "olga", ""))
			s.notice("patched", 1, "✅ patched in prod runs what Git says again (it ran `sha-9`, Git said `sha-1`) · over after")
			s.notice("patched", 3, "`sha-9` → `sha-1` · healthy", "by olga in Argo CD")
		})
		t.Run("rolled back", func(t *testing.T) {
			t.Parallel()
			s := s.in(t)
			s.notice("rolled", 1, "⏪ rolled rolled back in prod: `sha-2` → `sha-1` · healthy", "by olga in Argo CD")
			s.notice("rolled", 2, "⚠️ rolled in prod runs `sha-1`, Git says `sha-2`")
			s.must(s.argo.SetAutoSync("web-rolled-prod", true, true))
			s.notice("rolled", 2, "✅ rolled in prod runs what Git says again")
			s.notice("rolled", 3, "rolled in prod: `sha-1` → `sha-2` · healthy")
		})
	})
	s.only(releases, "patched", 3)
	s.only(releases, "rolled", 3)
}

// Both are told where they are found out in one look.
func TestDriftInOneLook(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(c *config) {
		hurried(c)
		c.Rollout.Noticed = 10 * time.Second // as long as a change from outside must last
	}, tagged("sha-1", "red")...)
	s.must(s.argo.SetAutoSync("web-red-prod", false, false))
	s.watching()
	s.must(s.argo.SetImage("web-red-prod", "sha-9"))
	s.notice("red", 2, "red in prod")
	var all strings.Builder
	for _, m := range s.notices(releases, "red") {
		all.WriteString(s.slack.Render(m))
	}
	if !contains(all.String(), "⚠️ red in prod runs `sha-9`, Git says `sha-1`", "red in prod: `sha-1` → `sha-9` · healthy", "outside Git") {
		t.Errorf("told:\n%s", all.String())
	}
}
