package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/sandbox/argocd"
	"github.com/synestra/promoter/internal/sandbox/githost"
)

// aligning has dev follow in a mode.
func aligning(mode release.AlignMode) func(*config) {
	return func(c *config) {
		hurried(c)
		c.Align = mode
	}
}

// tagOf is what a layer says on the branch.
func (s *stage) tagOf(environment, app string) string {
	s.t.Helper()
	layer := s.gitOut("show", "main:deploy/env/release-"+environment+"/"+app+".yaml")
	_, tag, _ := strings.Cut(layer, `tag: "`)
	tag, _, _ = strings.Cut(tag, `"`)
	return tag
}

// operations are the messages of the bot's own operations that speak of an app.
func (s *stage) operations(app string) []string {
	var found []string
	for _, m := range s.public(releases) {
		if text := s.slack.Render(m); !marked(m) && strings.Contains(text, app) {
			found = append(found, text)
		}
	}
	return found
}

func (s *stage) operation(app, text string) {
	s.t.Helper()
	s.wait(fmt.Sprintf("an operation of %s with %q", app, text), func() bool {
		all := s.operations(app)
		return len(all) > 0 && strings.Contains(all[len(all)-1], text)
	})
}

// Dev follows prod where it is behind, by an operation with its own message. It
// is left alone where it is ahead, and waited for while somebody works there.
func TestDevFollows(t *testing.T) {
	t.Parallel()
	s := newStage(t, aligning(release.AlignWhenBehind), tagged("sha-1", "behind", "ahead", "busy", "own")...)
	s.release("dev", "ahead", "sha-2")
	s.release("dev", "ahead", "sha-3")
	s.release("dev", "own", "sha-2")
	s.track("busy") // the next sync would end the session otherwise
	s.must(s.argo.GoHot("busy"))
	s.wait("a session", func() bool { return s.argo.State("web-busy-dev").SessionStands })
	s.wait("dev", func() bool { return s.argo.State("web-own-dev").Tag == "sha-2" })
	s.settled("web-own-dev", 0)
	s.watching()
	files := map[string][]byte{}
	for _, app := range []string{"behind", "ahead", "busy"} {
		for path, content := range layerOf("prod", app, "sha-2") {
			files[path] = content
		}
	}
	s.push("three at once", files)
	s.argo.Behave("sha-2", argocd.Behaviour{Ready: 60})
	s.command(ana, releases, "/promote", "own")
	s.operation("own", "0 of 4 pods ready")
	s.release("dev", "own", "sha-3") // while the promotion is under way

	s.notice("behind", 1, "behind in prod: `sha-1` → `sha-2` · healthy", "Dev follows to `sha-2`")
	s.operation("behind", "dev has followed prod to `sha-2`")
	s.notice("ahead", 1, "ahead in prod: `sha-1` → `sha-2` · healthy", "dev is left alone on `sha-3`", "/reset-dev ahead")
	s.notice("busy", 1, "busy in prod: `sha-1` → `sha-2` · healthy", "Dev follows later: Dev of `busy` is hot: there is a live session on `busy-okteto`")
	s.notice("own", 1, "dev is left alone on `sha-3`", "/reset-dev own")
	s.must(s.argo.EndSession("busy"))
	s.notice("busy", 1, "Dev follows to `sha-2`")
	s.told()
	for app, tag := range map[string]string{"behind": "sha-2", "busy": "sha-2", "ahead": "sha-3", "own": "sha-3"} {
		if got := s.tagOf("dev", app); got != tag {
			t.Errorf("dev of %s has %s, not %s", app, got, tag)
		}
		s.only(releases, app, 1)
	}
	for app, n := range map[string]int{"behind": 1, "busy": 1, "ahead": 0, "own": 1} {
		if got := s.operations(app); len(got) != n {
			t.Errorf("%d operations of %s, not %d:\n%s", len(got), app, n, strings.Join(got, ""))
		}
	}
}

// The other modes: never does nothing and says nothing, always asks nobody.
func TestAlignModes(t *testing.T) {
	t.Parallel()
	for mode, tag := range map[release.AlignMode]string{release.AlignNever: "sha-3", release.AlignAlways: "sha-2"} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, aligning(mode), githost.App{Name: "ahead", Dev: "sha-3", Prod: "sha-1"}, githost.App{Name: "other", Dev: "sha-1", Prod: "sha-1"})
			s.watching()
			s.release("prod", "ahead", "sha-2")
			s.notice("ahead", 1, "ahead in prod: `sha-1` → `sha-2` · healthy")
			if mode == release.AlignAlways {
				s.notice("ahead", 1, "Dev follows to `sha-2`")
				s.operation("ahead", "dev has followed prod to `sha-2`")
			}
			s.release("prod", "other", "sha-2")
			s.notice("other", 1, "healthy")
			s.told()
			if got := s.tagOf("dev", "ahead"); got != tag {
				t.Errorf("dev has %s, not %s", got, tag)
			}
		})
	}
}

// What alignment wrote is never promoted, however often the bot is started, not
// even after prod has moved on from it.
func TestNoPingPong(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(c *config) {
		aligning(release.AlignWhenBehind)(c)
		c.AutoPromote = []autoPromotion{{Apps: []string{"*"}, Soak: 500 * time.Millisecond}}
	}, tagged("sha-1", "one", "two")...)
	s.watching()
	s.release("prod", "one", "sha-2")
	s.operation("one", "dev has followed prod to `sha-2`")
	s.told()
	s.release("prod", "one", "sha-3") // and dev is not to follow this time
	s.operation("one", "dev has followed prod to `sha-3`")
	s.told()
	s.stop()
	s.start()
	s.release("prod", "one", "sha-2") // back: automation is held
	s.notice("one", 3, "rolled back in prod: `sha-3` → `sha-2`", "On hold")
	s.stop()
	s.start()
	s.release("dev", "two", "sha-2") // this one is new, and promoted
	s.operation("two", "two is on `sha-2` in prod")
	if dev, prod := s.tagOf("dev", "one"), s.tagOf("prod", "one"); dev != "sha-3" || prod != "sha-2" {
		t.Errorf("dev has %s, prod %s", dev, prod)
	}
	s.wait("why not", func() bool {
		l, found, err := s.bot.store.Ledger(t.Context(), "one", "dev")
		return err == nil && found && l.Waits != nil
	})
}
