package main

import (
	"strings"
	"testing"

	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/sandbox/slack"
)

// Who may promote lifts a hold, once, and everybody where it was asked learns it.
func TestResume(t *testing.T) {
	t.Parallel()
	s := newStage(t, hurried, tagged("sha-1", "one", "two", "three", "four")...)
	s.slack.AddChannel(slack.Channel{ID: "C0SHARED", Name: "with-others", Shared: true, BotIsMember: true})
	s.watching()
	for _, app := range []string{"one", "two", "three", "four"} {
		s.release("prod", app, "sha-2")
		s.notice(app, 1, "healthy")
		s.release("prod", app, "sha-1")
		s.notice(app, 2, "rolled back")
	}
	if drawn := s.slack.Render(s.ask(bob, "/release", "resume one")); !contains(drawn, "can't resume `one` in prod") || !s.held("one") {
		t.Errorf("bob:\n%s", drawn)
	}
	s.command(ana, releases, "/release", "resume one")
	s.shows("Ana Lima` has lifted the hold on automation of `one`. It was held since ")
	if s.held("one") || !s.held("two") || len(s.private(ana)) != 0 {
		t.Errorf("after the first:\n%s", s.draw())
	}
	if drawn := s.slack.Render(s.ask(ana, "/release", "resume one")); !contains(drawn, "Automation is not held for `one`") {
		t.Errorf("once more:\n%s", drawn)
	}
	// By a button, whose question goes away.
	question := s.ask(ana, "/release", "resume tow")
	if !strings.Contains(string(question.Blocks), "Are you sure?") {
		t.Errorf("the button does not ask once more: %s", question.Blocks)
	}
	s.click(question, "/release resume two")
	s.shows("lifted the hold on automation of `two`")
	s.wait("the question to go", func() bool { return len(s.private(ana)) == 1 })
	// Other organisations do not learn it.
	s.command(ana, "C0SHARED", "/release", "resume three")
	var told []slack.Message
	s.wait("an answer", func() bool {
		told = s.messages("C0SHARED", func(slack.Message) bool { return true })
		return len(told) == 1
	})
	if told[0].EphemeralFor != ana || s.held("three") {
		t.Errorf("told in a shared channel: %+v", told)
	}
	s.resumedAgain("four")
}

// A request that lifted a hold before the process died still says so when it is
// taken up again; another one finds nothing.
func (s *stage) resumedAgain(app string) {
	s.t.Helper()
	for _, c := range []struct {
		delivery string
		public   bool
	}{{"d1", true}, {"d1", true}, {"d2", false}} {
		a, err := s.bot.staff.Handle(s.t.Context(), release.Request{
			Delivery: c.delivery, Command: "release", Text: "resume " + app, By: release.Person{ID: ana}, Channel: release.Channel{ID: releases},
		})
		if err != nil || a.Public != c.public || c.public && !contains(a.Text, "has lifted the hold on automation of `"+app+"`") {
			s.t.Errorf("%s: %+v, %v", c.delivery, a, err)
		}
	}
}

func (s *stage) held(app string) bool {
	s.t.Helper()
	holds, err := s.bot.store.Holds(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, h := range holds {
		if string(h.App) == app {
			return true
		}
	}
	return false
}
