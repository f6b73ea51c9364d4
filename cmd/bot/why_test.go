package main

import (
	"strings"
	"testing"
	"time"
)

// What a promotion would do now, by the decision that /promote itself makes,
// with its reason code; and nothing is done.
func TestWhy(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.start()
	for _, c := range []struct {
		user, app string
		say       []string
	}{
		{ana, "synestra-io", []string{"`/promote synestra-io` now would take prod from `sha-1` to `sha-2`", "No rule promotes it by itself"}},
		{ana, "shop", []string{"now would be refused: Prod of `shop` already runs `sha-5`", "(`already_there`)"}},
		{bob, "synestra-io", []string{"would take prod from", "Of you it would be refused", "(`no_right`)"}},
	} {
		if drawn := s.slack.Render(s.ask(c.user, "/release", "why "+c.app)); !contains(drawn, append(c.say, "only visible")...) || c.user == ana && strings.Contains(drawn, "Of you") {
			t.Errorf("%s of %s:\n%s", c.app, c.user, drawn)
		}
	}
	s.hot("synestra-io")
	if drawn := s.slack.Render(s.ask(ana, "/release", "why synestra-io")); !contains(drawn, "would be refused", "live session on `synestra-io-okteto`", "(`dev_hot`)") {
		t.Errorf("hot:\n%s", drawn)
	}
	if len(s.commits()) != 0 || len(s.public(releases)) != 0 {
		t.Errorf("asking did something: %q\n%s", s.commits(), s.draw())
	}
}

// A running operation is in the way, and has its message.
func TestWhyInProgress(t *testing.T) {
	s := midRollout(t, 400)
	m := s.ask(ana, "/release", "why synestra-io")
	if drawn := s.slack.Render(m); !contains(drawn, "is being changed by Ana Lima", "(`in_progress`)", "prod: ⏳ promote `sha-1` → `sha-2`") {
		t.Errorf("in progress:\n%s", drawn)
	}
	if link := strings.ReplaceAll(s.public(releases)[0].TS, ".", ""); !strings.Contains(string(m.Blocks), link) {
		t.Errorf("no link to the message in %s", m.Blocks)
	}
}

// What automation waits for: a hold, a closed window, the soak.
func TestWhyItWaits(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(c *config) {
		hurried(c)
		c.AutoPromote = []autoPromotion{
			{Apps: []string{"soaking"}, Soak: 24 * time.Hour},
			{Apps: []string{"closed"}, Soak: time.Second, Window: &window{Cron: "0 0 29 2 *", For: time.Minute}},
			{Apps: []string{"*"}, Soak: time.Second},
		}
	}, tagged("sha-1", "soaking", "closed", "held")...)
	s.watching()
	s.release("prod", "held", "sha-2")
	s.notice("held", 1, "healthy")
	s.release("prod", "held", "sha-1")
	s.notice("held", 2, "rolled back")
	files := map[string][]byte{}
	for _, app := range []string{"soaking", "closed", "held"} {
		for path, content := range layerOf("dev", app, "sha-3") {
			files[path] = content
		}
	}
	s.push("CI: sha-3", files)
	for app, say := range map[string][]string{
		"soaking": {"would take prod from `sha-1` to `sha-3`", "`sha-3` has been seen well in dev for ", " of 24h", "when `sha-3` is new in Git"},
		"closed":  {"would take prod from", "for 1s of 1s", "Auto-promotion waits: The window for promoting `closed` by itself is closed", "(`window_closed`)"},
		"held":    {"would take prod from", "Automation is held since ", "prod went back to `sha-1`, by `" + eva + "`", "Auto-promotion waits: ", "(`held`)"},
	} {
		s.wait("why "+app+" waits", func() bool { return contains(s.slack.Render(s.ask(ana, "/release", "why "+app)), say...) })
	}
}
