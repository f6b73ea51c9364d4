package main

import (
	"strings"
	"testing"

	"github.com/synestra/promoter/internal/sandbox/slack"
)

// What Slack says of each channel, with what to do about it.
func TestCheckSlack(t *testing.T) {
	t.Parallel()
	w, err := newWorld(t.Context(), t.TempDir(), worldOptions{apps: testApps, log: discard()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.close() })
	check := func(routes string) (string, error) {
		c, err := parseConfig("test", []byte(w.config()+"notices: {routes: [{apps: ['*'], environments: [prod], channels: ["+routes+"]}]}\n"), w.environ)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		err = checkSlack(t.Context(), c, &out)
		return out.String(), err
	}
	said, err := check(releases)
	if err != nil || !strings.Contains(said, "slack.channel") || !strings.Contains(said, "can be told") {
		t.Errorf("all well: %v\n%s", err, said)
	}
	said, err = check("C0NOWHERE")
	if err == nil || !strings.Contains(said, "notices.routes[0].channels[0]") || !strings.Contains(said, "Check the channel's id") {
		t.Errorf("an unknown channel: %v\n%s", err, said)
	}
	w.slack.AddChannel(slack.Channel{ID: "C0AWAY", Name: "away"})
	said, err = check("C0AWAY")
	if err == nil || !strings.Contains(said, "/invite") {
		t.Errorf("not a member: %v\n%s", err, said)
	}
	w.slack.MissingScope("conversations.history", "channels:history")
	said, err = check(releases)
	if err == nil || !strings.Contains(said, "channels:history") {
		t.Errorf("a missing scope: %v\n%s", err, said)
	}
}
