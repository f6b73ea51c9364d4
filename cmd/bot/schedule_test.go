package main

import (
	"testing"
	"time"

	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/sandbox/githost"
	"github.com/synestra/promoter/internal/store"
)

// ran has the store, before any bot has it, say when a job ran last.
func (s *stage) ran(job string, at time.Time) {
	s.t.Helper()
	memory, err := store.Open(s.t.Context(), s.c.Store.Path)
	s.must(err)
	defer memory.Close()
	lease, ours, err := memory.Lead(s.t.Context(), "automation", "the test", time.Minute, time.Now())
	s.must(err)
	if !ours {
		s.t.Fatal("a bot has the lease")
	}
	s.must(memory.Ran(s.t.Context(), "automation", lease, job, at, nil))
	s.must(memory.Resign(s.t.Context(), "automation", lease))
}

// Jobs that were missed many times while the bot was down run once. A new one
// begins with its next time.
func TestSchedules(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(c *config) {
		hurried(c)
		daily := "@daily"
		c.Schedules = []schedule{
			{Name: "daily", Kind: release.NoticeDigest, Cron: daily, Channel: releases, Apps: []string{"*"}},
			{Name: "waiting", Kind: release.NoticeReminder, Cron: daily, Channel: releases, Apps: []string{"*"}, Older: time.Nanosecond},
			{Name: "young", Kind: release.NoticeReminder, Cron: daily, Channel: releases, Apps: []string{"*"}, Older: 72 * time.Hour},
			{Name: "new", Kind: release.NoticeDigest, Cron: "@yearly", Channel: releases, Apps: []string{"*"}},
		}
	}, githost.App{Name: "ahead", Dev: "sha-2", Prod: "sha-1"}, githost.App{Name: "same", Dev: "sha-1", Prod: "sha-1"},
		githost.App{Name: "drifted", Dev: "sha-1", Prod: "sha-1"}, githost.App{Name: "session", Dev: "sha-4", Prod: "sha-3"})
	s.must(s.argo.SetAutoSync("web-drifted-prod", false, false))
	s.must(s.argo.SetImage("web-drifted-prod", "sha-9"))
	s.must(s.argo.GoHot("session"))
	s.wait("drift and a session", func() bool {
		return s.argo.State("web-drifted-prod").Ready > 0 && s.argo.State("web-session-dev").SessionStands
	})
	for _, job := range []string{"daily", "waiting", "young"} {
		s.ran("schedule: "+job, time.Now().Add(-10*24*time.Hour))
	}
	s.watching()
	s.notice("How things stand", 1, "Dev is ahead of prod", "ahead · `sha-1` → `sha-2` · for", "Live sessions in dev", "session · session-okteto", "drifted in prod", "4 apps looked at")
	m := s.notice("Verified in dev", 1, "ahead · `sha-1` → `sha-2`")
	if contains(s.slack.Render(m), "session") {
		t.Errorf("a live session is verified:\n%s", s.slack.Render(m))
	}
	s.stop()
	s.start()
	s.release("prod", "same", "sha-2")
	s.notice("same", 1, "same in prod")
	s.only(releases, "How things stand", 1)
	s.only(releases, "Verified in dev", 1)
}
