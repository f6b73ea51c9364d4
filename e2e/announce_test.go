package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/synestra/promoter/e2e/rig"
	"github.com/synestra/promoter/e2e/webcore"
	"github.com/synestra/promoter/internal/sandbox/githost"
)

// person is how webcore.Person is called.
const person = "Rita Rival"

// TestAnnounce is what the bot does unasked, on a real Argo CD. All apps are
// there before the bot is: what it finds at its first look it does not announce.
func TestAnnounce(t *testing.T) {
	r := start(t)
	t.Run("apps", func(t *testing.T) {
		for _, app := range []webcore.App{
			{Name: "warm"},
			{Name: "by-hand"},
			{Name: "touched"},
			{Name: "untouched"},
			{Name: "undone"},
			{Name: "reverted"},
			{Name: "while-away"},
			{Name: "follower"},
			{Name: "leading"},
			{Name: "auto-soaked"},
			{Name: "auto-held"},
			{Name: "two-repos", TwoSources: true},
		} {
			t.Run(app.Name, func(t *testing.T) { t.Parallel(); must(t, r.AddApp(t.Context(), app)) })
		}
	})
	b := newBot(t, r, `align: when-behind`, `auto_promote: [{apps: ["auto-*"], soak: 1m}]`)
	b.warm(t, "warm")
	// Before the others: a message about many apps has no room for what became of dev.
	t.Run("dev ahead", func(t *testing.T) { leaveDevAlone(t, b) })
	t.Run("together", func(t *testing.T) {
		for _, s := range []struct {
			name string
			run  func(*testing.T, *bot)
		}{
			{"a person's commit", announceCommit},
			{"a commit of another app", announceBesideAnotherApp},
			{"a rollback in Argo CD", announceRollback},
			{"a revert", announceRevert},
			{"dev behind", alignDev},
			{"auto-promotion, and a hold", promoteAfterSoak},
			{"two sources", announceTwoSources},
		} {
			t.Run(s.name, func(t *testing.T) { t.Parallel(); s.run(t, b) })
		}
	})
	t.Run("the bot away", func(t *testing.T) { announceWhatHappenedMeanwhile(t, b) })
	t.Run("each once", func(t *testing.T) {
		b.once(t, change{"by-hand", "sha-b000001"}, change{"touched", "sha-b000002"}, change{"undone", "sha-b000003"},
			change{"undone", webcore.FirstTag}, change{"reverted", "sha-b000004"}, change{"reverted", webcore.FirstTag},
			change{"while-away", "sha-b000005"}, change{"follower", "sha-b000006"}, change{"leading", "sha-b000007"},
			change{"two-repos", "sha-b000008"}, change{"auto-held", "sha-b000009"}, change{"auto-held", webcore.FirstTag})
		if told := b.notices("untouched"); len(told) != 0 {
			t.Errorf("announced although nothing of it changed:\n%s", b.slack.Render(told[0]))
		}
	})
}

// arrow is how a notice shows that a release follows another.
func arrow(from, to string) string { return fmt.Sprintf("`%s` → `%s`", from, to) }

func announceCommit(t *testing.T, b *bot) {
	b.byPerson(t, "by-hand", "sha-b000001")
	b.announced(t, change{"by-hand", "sha-b000001"}, arrow(webcore.FirstTag, "sha-b000001"), person, "by-hand.synestra.io")
}

func announceBesideAnotherApp(t *testing.T, b *bot) {
	ctx := t.Context()
	before, err := b.rig.Application(ctx, "untouched", "prod")
	must(t, err)
	b.byPerson(t, "touched", "sha-b000002")
	must(t, b.rig.Refresh(ctx, "untouched", "prod"))
	_, err = b.rig.AwaitApplication(ctx, "untouched", "prod", "at another revision", func(a rig.Application) bool {
		return a.Status.Sync.Revision != before.Status.Sync.Revision
	})
	must(t, err)
	b.announced(t, change{"touched", "sha-b000002"}, arrow(webcore.FirstTag, "sha-b000002"), person)
}

func announceRollback(t *testing.T, b *bot) {
	b.byPerson(t, "undone", "sha-b000003")
	b.announced(t, change{"undone", "sha-b000003"}, arrow(webcore.FirstTag, "sha-b000003"), person)
	must(t, b.rig.SetAutoSync(t.Context(), "undone", "prod", false))
	must(t, b.rig.Rollback(t.Context(), "undone", "prod"))
	b.announced(t, change{"undone", webcore.FirstTag}, "rolled back", arrow("sha-b000003", webcore.FirstTag), "admin", "in Argo CD")
}

func announceRevert(t *testing.T, b *bot) {
	commit := b.byPerson(t, "reverted", "sha-b000004")
	b.announced(t, change{"reverted", "sha-b000004"}, arrow(webcore.FirstTag, "sha-b000004"), person)
	b.revert(t, "reverted", commit)
	b.announced(t, change{"reverted", webcore.FirstTag}, "rolled back", arrow("sha-b000004", webcore.FirstTag), person)
}

// revert undoes a commit of the app's prod as a person does.
func (b *bot) revert(t *testing.T, app, commit string) {
	t.Helper()
	_, err := b.rig.WebCore.Revert(t.Context(), webcore.Person, commit)
	must(t, err)
	must(t, b.rig.Refresh(t.Context(), app, "prod"))
}

func alignDev(t *testing.T, b *bot) {
	const tag = "sha-b000006"
	b.byPerson(t, "follower", tag)
	b.announced(t, change{"follower", tag}, arrow(webcore.FirstTag, tag), person)
	must(t, b.rig.AwaitRunning(t.Context(), "follower", "dev", tag))
	if subjects := b.commits(t, "follower", "dev"); len(subjects) != 1 || !strings.Contains(subjects[0], tag) {
		t.Errorf("the bot's commits to dev: %q", subjects)
	}
}

func leaveDevAlone(t *testing.T, b *bot) {
	ctx := t.Context()
	const tag, newer = "sha-b000007", "sha-c000007"
	for _, dev := range []string{tag, newer} {
		_, err := b.rig.WebCore.SetTag(ctx, webcore.CI, "dev", "leading", dev)
		must(t, err)
	}
	must(t, b.rig.Refresh(ctx, "leading", "dev"))
	must(t, b.rig.AwaitRunning(ctx, "leading", "dev", newer))
	b.byPerson(t, "leading", tag)
	b.announced(t, change{"leading", tag}, arrow(webcore.FirstTag, tag), person)
	b.wait(t, "what became of dev", func() bool {
		told := b.notices("leading")
		return len(told) > 0 && strings.Contains(b.slack.Render(told[len(told)-1]), "/reset-dev leading")
	})
	if subjects := b.commits(t, "leading", "dev"); len(subjects) != 0 {
		t.Errorf("the bot's commits to dev: %q", subjects)
	}
}

// promoteAfterSoak shows two apps a new release in dev. One was rolled back and
// is on hold: it sees its release first, so when the other's has soaked for long
// enough, its own has, too.
func promoteAfterSoak(t *testing.T, b *bot) {
	ctx := t.Context()
	const soaked, held = "auto-soaked", "auto-held"
	commit := b.byPerson(t, held, "sha-b000009")
	b.announced(t, change{held, "sha-b000009"}, person)
	b.revert(t, held, commit)
	b.announced(t, change{held, webcore.FirstTag}, "rolled back", person)

	for _, app := range []string{held, soaked} {
		_, err := b.rig.WebCore.SetTag(ctx, webcore.CI, "dev", app, "sha-c000009")
		must(t, err)
		must(t, b.rig.Refresh(ctx, app, "dev"))
		must(t, b.rig.AwaitRunning(ctx, app, "dev", "sha-c000009"))
	}
	b.shows(t, soaked, "is on `sha-c000009` in prod")
	b.one(t, soaked, "prod")
	asked, err := b.rig.Git.Git(ctx, githost.WebCore, "log", "-1", "--format=%(trailers:key=Requested-By,valueonly)", "main", "--", webcore.LayerPath("prod", soaked))
	must(t, err)
	if want := "auto-promotion, soaked 1m"; !strings.HasPrefix(asked, want) {
		t.Errorf("requested by %q, want %q", asked, want)
	}
	// What an operation's own message tells in the channel is not told again.
	if told := b.notices(soaked); len(told) != 0 {
		t.Errorf("announced besides:\n%s", b.slack.Render(told[0]))
	}
	if subjects := b.commits(t, held, "prod"); len(subjects) != 0 {
		t.Errorf("promoted while on hold: %q", subjects)
	}
}

func announceTwoSources(t *testing.T, b *bot) {
	b.byPerson(t, "two-repos", "sha-b000008")
	b.announced(t, change{"two-repos", "sha-b000008"}, arrow(webcore.FirstTag, "sha-b000008"), person)
}

func announceWhatHappenedMeanwhile(t *testing.T, b *bot) {
	b.kill(t, syscall.SIGTERM)
	b.byPerson(t, "while-away", "sha-b000005")
	must(t, b.rig.AwaitRunning(t.Context(), "while-away", "prod", "sha-b000005"))
	b.start(t)
	b.announced(t, change{"while-away", "sha-b000005"}, arrow(webcore.FirstTag, "sha-b000005"), person)
}
