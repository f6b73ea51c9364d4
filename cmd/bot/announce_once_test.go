package main

import (
	"strings"
	"testing"
	"time"

	"github.com/synestra/promoter/internal/automation"
	"github.com/synestra/promoter/internal/sandbox/slack"
)

const post = "chat.postMessage"

// What happened while the bot was down is told after it has started again, and
// not once more after another restart.
func TestCatchUp(t *testing.T) {
	t.Parallel()
	s := newStage(t, hurried, tagged("sha-1", "one", "two", "three")...)
	s.watching()
	s.stop()
	s.release("prod", "one", "sha-2")
	s.release("prod", "two", "sha-2")
	s.wait("a rollout", func() bool { return s.argo.State("web-two-prod").Tag == "sha-2" })
	s.settled("web-two-prod", 0)
	s.release("prod", "two", "sha-3")
	s.wait("another", func() bool { return s.argo.State("web-two-prod").Tag == "sha-3" })
	s.settled("web-two-prod", 0)
	s.start()
	m := s.notice("one", 1, "one in prod: `sha-1` → `sha-2` · healthy", "by "+eva)
	if contains(s.slack.Render(m), "took") {
		t.Errorf("how long it took was not seen:\n%s", s.slack.Render(m))
	}
	s.notice("two", 1, "two in prod: `sha-1` → `sha-3` · healthy", "`sha-2` by "+eva, "while the bot was away")
	s.stop()
	s.start()
	s.release("prod", "three", "sha-2")
	s.notice("three", 1, "three in prod: `sha-1` → `sha-2` · healthy")
	s.only(releases, "", 3)
}

// What happened while the bot was away for more than a day is one summary.
func TestCatchUpAfterDays(t *testing.T) {
	t.Parallel()
	s := newStage(t, hurried, tagged("sha-1", "one", "two")...)
	s.watching()
	s.stop()
	s.c.times.Away = time.Nanosecond
	files := layerOf("prod", "one", "sha-2")
	for path, content := range layerOf("prod", "two", "sha-3") {
		files[path] = content
	}
	s.push("both", files)
	s.wait("the rollouts", func() bool {
		return s.argo.State("web-one-prod").Tag == "sha-2" && s.argo.State("web-two-prod").Tag == "sha-3"
	})
	s.settled("web-one-prod", 0)
	s.settled("web-two-prod", 0)
	s.start()
	s.notice("", 1, "While the bot was away: 2 changes", "one in prod: `sha-1` → `sha-2` · healthy", "two in prod: `sha-1` → `sha-3` · healthy")
	s.release("prod", "one", "sha-4")
	s.notice("", 2, "one in prod: `sha-2` → `sha-4`")
	s.only(releases, "", 2)
}

// Slack does what it can to have a notice told twice or never.
func TestNoticeOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t, hurried, tagged("sha-1", "away", "lost", "late", "last")...)
	s.c.Notices.Routes = nil
	channels := map[string]string{"away": "C0AWAY", "lost": "C0LOST", "late": "C0LATE", "last": "C0LAST"}
	for app, channel := range channels {
		s.slack.AddChannel(slack.Channel{ID: channel, Name: app, BotIsMember: true})
		s.c.Notices.Routes = append(s.c.Notices.Routes, automation.Route{Apps: []string{app}, Environments: []string{"prod"}, Channels: []string{channel}})
	}
	s.watching()
	for _, c := range []struct {
		app   string
		fault slack.Fault
	}{
		{"away", slack.Fault{Status: 503}},
		{"lost", slack.Fault{DropReply: true}},
		{"late", slack.Fault{Delay: 11 * time.Second, DropReply: true}}, // later than the bot waits for an answer
		{"last", slack.Fault{Error: "ratelimited", RetryAfter: time.Second}},
	} {
		calls := s.slack.Calls(post)
		s.slack.FailNext(post, 1, c.fault)
		s.release("prod", c.app, "sha-2")
		s.wait("a post", func() bool { return s.slack.Calls(post) > calls })
	}
	for app, channel := range channels {
		s.noticeIn(channel, app, 1, app+" in prod: `sha-1` → `sha-2` · healthy")
	}
	// All of them stand, in Slack and in the store.
	s.wait("everything shown", func() bool {
		unshown, err := s.bot.store.Unshown(t.Context())
		return err == nil && len(unshown) == 0
	})
	for app, channel := range channels {
		s.only(channel, app, 1)
	}
}

// kill ends the bot without letting it store anything more.
func (s *stage) kill() {
	s.t.Helper()
	s.must(s.bot.store.Close())
	s.stop()
}

// The bot is killed while it posts. Whether Slack has done it then, or does it
// only after the next bot has looked for it, there is one message.
func TestKilledWhilePosting(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]slack.Fault{
		"not posted":   {Hang: true},
		"posted":       {DropReply: true},
		"posted later": {Delay: 1500 * time.Millisecond, DropReply: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, hurried, tagged("sha-1", "one", "two")...)
			s.c.times.Post = 3 * time.Second
			s.watching()
			s.slack.FailNext(post, 1, fault)
			s.release("prod", "one", "sha-2")
			s.wait("a post", func() bool { return s.slack.Calls(post) == 1 })
			s.kill()
			s.start()
			s.release("prod", "two", "sha-2")
			s.notice("two", 1, "two in prod: `sha-1` → `sha-2` · healthy")
			s.notice("one", 1, "one in prod: `sha-1` → `sha-2` · healthy")
			s.only(releases, "", 2)
		})
	}
}

// Where the channel's history cannot be read, a notice whose post may have been
// made is repeated, and says so.
func TestUnreadableHistory(t *testing.T) {
	t.Parallel()
	s := newStage(t, hurried, tagged("sha-1", "one", "two")...)
	s.slack.MissingScope("conversations.history", "channels:history")
	s.watching()
	s.slack.FailNext(post, 1, slack.Fault{DropReply: true})
	s.release("prod", "one", "sha-2")
	s.notice("one", 2, "one in prod: `sha-1` → `sha-2` · healthy", "may be a repeat")
	s.release("prod", "two", "sha-2")
	m := s.notice("two", 1, "two in prod: `sha-1` → `sha-2` · healthy")
	if strings.Contains(s.slack.Render(m), "repeat") || strings.Contains(s.slack.Render(s.notices(releases, "one")[0]), "repeat") {
		t.Errorf("what is no repeat says that it may be one:\n%s", s.draw())
	}
	s.only(releases, "", 3)
}

// Somebody deletes a notice: it was told, and is not told again.
func TestDeletedNotice(t *testing.T) {
	t.Parallel()
	s := newStage(t, gathering, tagged("sha-1", "one", "two")...)
	s.watching()
	s.release("prod", "one", "sha-2")
	m := s.notice("one", 1, "one in prod")
	s.must(s.slack.Delete(m.MessageRef))
	s.release("prod", "two", "sha-2")
	s.notice("two", 1, "two in prod: `sha-1` → `sha-2` · healthy")
	s.only(releases, "", 1)
}
