package main

import (
	"strings"
	"testing"
)

// The last changes of prod, by whomever, and how they ended.
func TestHistoryCommand(t *testing.T) {
	t.Parallel()
	s := newStage(t, hurried)
	s.watching()
	s.command(ana, releases, "/promote", "synestra-io")
	s.shows("is on `sha-2` in prod")
	s.told()
	s.release("prod", "synestra-io", "sha-3")
	s.notice("synestra-io", 1, "healthy")
	s.command(ana, releases, "/rollback", "synestra-io")
	s.shows("is back on `sha-2` in prod")
	s.told()
	drawn := squeezed(s.slack.Render(s.ask(bob, "/release", "history synestra-io")))
	at := 0
	for _, row := range []string{
		"sha-3 → sha-2 rollback Ana Lima (U0ANA) ✅ healthy",
		"sha-2 → sha-3 commit " + eva + " ",
		"sha-1 → sha-2 promote Ana Lima (U0ANA) ✅ healthy",
		"sha-1 commit ",
	} {
		i := strings.Index(drawn[at:], row)
		if i < 0 {
			t.Fatalf("no %q, in this order, in:\n%s", row, drawn)
		}
		at += i
	}
	// Of many, the last ten.
	for i := range 12 {
		s.release("prod", "shop", "sha-1"+string(rune('a'+i)))
	}
	s.wait("ten changes", func() bool {
		drawn = squeezed(s.slack.Render(s.ask(ana, "/release", "history shop")))
		return contains(drawn, "the last 10 changes", "sha-1k → sha-1l") && strings.Count(drawn, " → ") == 10
	})
}
