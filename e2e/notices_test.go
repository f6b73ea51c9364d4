package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/synestra/promoter/e2e/webcore"
	"github.com/synestra/promoter/internal/sandbox/slack"
)

// isNotice says that a message is one that nobody asked for, by its metadata.
func isNotice(m slack.Message) bool {
	var metadata struct {
		EventType string `json:"event_type"`
	}
	return json.Unmarshal(m.Metadata, &metadata) == nil && metadata.EventType == "promoter_notice"
}

// notices are the announcements that speak of the app, oldest first. One may
// speak of several apps.
func (b *bot) notices(app string) []slack.Message {
	name := regexp.MustCompile(`(^|[^\w-])` + regexp.QuoteMeta(app) + ` (rolled back )?in `)
	return slices.DeleteFunc(b.slack.Messages(releases), func(m slack.Message) bool {
		return !isNotice(m) || m.Deleted || !name.MatchString(b.slack.Render(m))
	})
}

// tells says whether drawn has the line by which the app is told to be healthy
// on tag in prod.
func tells(drawn, app, tag string) bool {
	line := regexp.MustCompile(`(^|[^\w-])` + regexp.QuoteMeta(app) + `[*]? (rolled back )?in prod: .*→ .?` + regexp.QuoteMeta(tag) + `\b.* · [*]?healthy`)
	return slices.ContainsFunc(strings.Split(drawn, "\n"), line.MatchString)
}

// change is what people are to be told once.
type change struct{ app, to string }

// announced waits until the app's arrival at a tag is told, and checks that it
// is true at that moment and that the notice has the texts.
func (b *bot) announced(t *testing.T, to change, texts ...string) slack.Message {
	t.Helper()
	var m slack.Message
	b.wait(t, fmt.Sprintf("the notice that %s is on %s", to.app, to.to), func() bool {
		return slices.ContainsFunc(b.notices(to.app), func(found slack.Message) bool {
			m = found
			return tells(b.slack.Render(found), to.app, to.to)
		})
	})
	d, err := b.rig.Deployment(t.Context(), to.app, "prod")
	must(t, err)
	if d.Tag() != to.to || !d.RolledOut() {
		t.Errorf("announced while the Deployment is %s", d)
	}
	drawn := b.slack.Render(m)
	for _, text := range texts {
		if !strings.Contains(drawn, text) {
			t.Errorf("the notice lacks %q:\n%s", text, drawn)
		}
	}
	return m
}

// once checks that exactly one message announces each change.
func (b *bot) once(t *testing.T, changes ...change) {
	t.Helper()
	for _, c := range changes {
		var places []string
		for _, m := range b.notices(c.app) {
			if tells(b.slack.Render(m), c.app, c.to) {
				places = append(places, m.TS)
			}
		}
		if len(places) != 1 {
			t.Errorf("%s on %s is told by %d messages: %q", c.app, c.to, len(places), places)
		}
	}
}

// byPerson commits a tag to prod as somebody with a clone does, and has Argo CD look at once.
func (b *bot) byPerson(t *testing.T, app, tag string) (commit string) {
	t.Helper()
	commit, err := b.rig.WebCore.SetTag(t.Context(), webcore.Person, "prod", app, tag)
	must(t, err)
	must(t, b.rig.Refresh(t.Context(), app, "prod"))
	return commit
}

// warm returns when the bot announces: it releases one tag after another of an
// app that nothing else is about, since what the bot finds when it first looks
// is no news to it.
func (b *bot) warm(t *testing.T, app string) {
	t.Helper()
	for i := range 20 {
		b.byPerson(t, app, fmt.Sprintf("sha-a%06d", i))
		if b.within(t, 6*time.Second, func() bool { return len(b.notices(app)) > 0 }) {
			return
		}
	}
	t.Fatal("the bot announces nothing")
}

// The bot's own pictures of its notices show which claims tells finds in them.
func TestTells(t *testing.T) {
	server, err := slack.Start(slack.Options{})
	must(t, err)
	defer server.Close()
	for _, row := range []struct {
		picture, app, tag string
		want              bool
	}{
		{"release_full", "shop", "sha-9f8e7d6", true},
		{"release_full", "shop", "sha-1a2b3c4", false}, // what ran before
		{"release_full", "shop", "sha-2222222", false}, // superseded
		{"release_full", "shop", "sha-9f8e7d", false},
		{"release_full", "hop", "sha-9f8e7d6", false},
		{"recovered", "shop", "sha-9f8e7d6", true},
		{"failed", "shop", "sha-9f8e7d6", false},
		{"rollback", "shop", "sha-1a2b3c4", true},
		{"rollback", "shop", "sha-9f8e7d6", false},
		{"two", "shop", "sha-9f8e7d6", true},
		{"two", "api", "sha-9f8e7d6", true},
		{"three_one_failed", "api", "sha-9f8e7d6", true},
		{"three_one_failed", "pay", "sha-9f8e7d6", false},
		{"drift", "shop", "hotfix-2", false},
	} {
		content, err := os.ReadFile("../internal/slackui/card/testdata/notice_" + row.picture + ".json")
		must(t, err)
		var m struct {
			Text   string
			Blocks json.RawMessage
		}
		must(t, json.Unmarshal(content, &m))
		drawn := server.Render(slack.Message{Content: slack.Content{Text: m.Text, Blocks: m.Blocks}})
		if got := tells(drawn, row.app, row.tag); got != row.want {
			t.Errorf("%s: %s on %s: %v, want %v\n%s", row.picture, row.app, row.tag, got, row.want, drawn)
		}
	}
}
