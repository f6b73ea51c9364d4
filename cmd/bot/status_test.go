package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/synestra/promoter/internal/sandbox/githost"
	"github.com/synestra/promoter/internal/sandbox/slack"
)

// How every app stands: what is wrong first, and only for the person who asked.
func TestStatus(t *testing.T) {
	t.Parallel()
	s := newStage(t, hurried, append(tagged("sha-1", "fine", "warm", "sick", "held", "half"), githost.App{Name: "ahead", Dev: "sha-2", Prod: "sha-1"})...)
	s.watching()
	s.release("prod", "held", "sha-2")
	s.notice("held", 1, "healthy")
	s.release("prod", "held", "sha-1")
	s.notice("held", 2, "rolled back")
	s.degrade("sick")
	s.commit("remove", map[string][]byte{"deploy/env/release-prod/half.yaml": nil})
	want := []string{
		"sick sha-1 sha-bad – ❌ broken: dev Degraded",
		"ahead sha-1 sha-2 – 🔷 ahead",
		"half – sha-1 – ➖ one layer only: no release layer for prod",
		"warm sha-1 sha-1 – 🔥 hot: dev OutOfSync",
		"fine sha-1 sha-1 – ✅ in sync",
		"held sha-1 sha-1 – ✅ in sync · ✋ held",
	}
	var drawn string
	s.wait("the table", func() bool {
		if s.argo.State("web-warm-dev").Sync == "Synced" { // again, if a commit has had it synced
			s.must(s.argo.Drift("web-warm-dev"))
		}
		drawn = s.slack.Render(s.ask(ana, "/release", "status"))
		at := 0
		for _, row := range want {
			i := strings.Index(squeezed(drawn)[at:], row)
			if i < 0 {
				return false
			}
			at += i
		}
		return true
	})
	if !strings.Contains(drawn, "only visible to @ana") {
		t.Errorf("everybody sees it:\n%s", drawn)
	}

	// From a direct message; by one who has no rule.
	s.slack.AddChannel(slack.Channel{ID: "D0BOB", Name: "directmessage", IM: true})
	s.command(bob, "D0BOB", "/release", "Status")
	s.wait("an answer", func() bool {
		all := s.messages("D0BOB", func(m slack.Message) bool { return m.EphemeralFor == bob })
		return len(all) == 1 && strings.Contains(squeezed(s.slack.Render(all[0])), want[0])
	})
}

var spaces = regexp.MustCompile(`[ │|]+`)

// squeezed is a drawing without its columns.
func squeezed(drawing string) string { return spaces.ReplaceAllString(drawing, " ") }

// What is not known is said to be unknown, and never to be in sync.
func TestStatusUnknown(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.argo.Forbid("web-shop-prod")
	s.start()
	s.wait("the watch", func() bool { return s.bot.argo.Ready() == nil })
	drawn := squeezed(s.slack.Render(s.ask(ana, "/release", "status")))
	if !contains(drawn, "shop sha-5 sha-5 – ❔ unknown: prod is not seen", "synestra-io sha-1 sha-2 – 🔷 ahead") {
		t.Errorf("a hidden Application:\n%s", drawn)
	}
	if drawn := s.slack.Render(s.ask(ana, "/release", "status shop")); !contains(drawn, "unknown: The Argo CD Application `web-shop-prod` cannot be seen") {
		t.Errorf("a hidden Application in detail:\n%s", drawn)
	}
	s.argo.Stop()
	s.wait("the watch to end", func() bool { return s.bot.argo.Ready() != nil })
	drawn = squeezed(s.slack.Render(s.ask(ana, "/release", "status")))
	if !contains(drawn, "Argo CD cannot be asked", "❔ unknown: prod is not seen, dev is not seen") || strings.Contains(drawn, "in sync") {
		t.Errorf("without Argo CD:\n%s", drawn)
	}
}

// One app in detail.
func TestStatusOf(t *testing.T) {
	t.Parallel()
	s := newStage(t, hurried)
	s.track("shop") // a commit elsewhere would end the session
	s.watching()
	s.release("prod", "shop", "sha-6")
	s.notice("shop", 1, "healthy")
	s.hot("shop")
	drawn := s.slack.Render(s.ask(ana, "/release", "status shop"))
	if !contains(drawn, "prod: `sha-6` in Git since ", " by `"+eva+"`", "`web-shop-prod`: Synced, Healthy, 4 of 4 pods ready",
		"dev: `sha-5` in Git since ", "hot: there is a live session on `shop-okteto`", "only visible to @ana") {
		t.Errorf("shop:\n%s", drawn)
	}
	s.command(ana, releases, "/promote", "synestra-io")
	m := s.shows("is on `sha-2` in prod")
	s.told()
	drawn = s.slack.Render(s.ask(ana, "/release", "status synestra-io"))
	if !contains(drawn, "prod: `sha-2` in Git since ", " by `Ana Lima (U0ANA)`") || strings.Contains(drawn, "hot") || strings.Contains(drawn, m.TS) {
		t.Errorf("synestra-io:\n%s", drawn)
	}
}

// A running operation is in the table, and in the detail with its message.
func TestStatusOfAnOperation(t *testing.T) {
	s := midRollout(t, 400)
	drawn := squeezed(s.slack.Render(s.ask(ana, "/release", "status")))
	if !contains(drawn, "synestra-io sha-2 sha-2 0 of 4 ⏳ on its way: prod ", "promote rolling out") {
		t.Errorf("the table:\n%s", drawn)
	}
	m := s.ask(ana, "/release", "status synestra-io")
	if drawn := s.slack.Render(m); !contains(drawn, "promote `sha-1` → `sha-2` by `Ana Lima`: rolling out, 0 of 4 pods ready") {
		t.Errorf("the detail:\n%s", drawn)
	}
	if link := strings.ReplaceAll(s.public(releases)[0].TS, ".", ""); !strings.Contains(string(m.Blocks), link) {
		t.Errorf("no link to the message in %s", m.Blocks)
	}
}
