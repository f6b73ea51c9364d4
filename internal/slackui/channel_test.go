package slackui

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/synestra/promoter/internal/release"
	sandbox "github.com/synestra/promoter/internal/sandbox/slack"
)

func TestCheckChannel(t *testing.T) {
	t.Parallel()
	without := func(scopes ...string) []string {
		return slices.DeleteFunc(sandbox.DefaultScopes(), func(s string) bool { return slices.Contains(scopes, s) })
	}
	const secret, public = "G0OURS", "C0PUBLIC" // a private channel of the bot's, and a public one without it
	for _, row := range []struct {
		name, channel string
		scopes        []string
		refused       bool
		noHistory     bool
		say           string
	}{
		{"all well", team, nil, false, false, ""},
		{"private, all well", secret, nil, false, false, ""},
		{"unknown", "C0NOWHERE", nil, true, false, "Check the channel's id"},
		{"hidden", outside, nil, true, false, "/invite @promoter"},
		{"archived", archived, nil, true, false, "not archived"},
		{"public, no member", public, nil, false, true, "/invite @promoter"},
		{"no history", team, without("channels:history"), false, true, "channels:history"},
		{"no history of private ones", secret, without("groups:history"), false, true, "groups:history"},
		{"info not allowed, history is", team, without("channels:read"), false, false, ""},
		{"info not allowed, unknown", "C0NOWHERE", without("channels:read"), true, false, "Check the channel's id"},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := newBench(t, sandbox.Options{Scopes: row.scopes})
			b.AddChannel(sandbox.Channel{ID: secret, Name: "ours", Private: true, BotIsMember: true})
			b.AddChannel(sandbox.Channel{ID: public, Name: "public"})
			err := b.ready().CheckChannel(b.ctx(), row.channel)
			no, refused := errors.AsType[*release.Refusal](err)
			if refused != row.refused || errors.Is(err, release.ErrNoHistory) != row.noHistory || (err == nil) != (row.say == "") {
				t.Fatalf("CheckChannel: %v", err)
			}
			said := ""
			if err != nil {
				said = err.Error()
			}
			if refused {
				said = no.Say + " " + no.Do
			}
			if !strings.Contains(said, row.say) || err != nil && !strings.Contains(said, row.channel) {
				t.Errorf("it says %q", said)
			}
		})
	}
}

func TestCheckChannelWhereSlackDoesNotAnswer(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	u := b.ready()
	b.FailNext("conversations.info", 9, sandbox.Fault{Status: 503})
	err := u.CheckChannel(b.ctx(), team)
	if no, refused := errors.AsType[*release.Refusal](err); err == nil || refused || errors.Is(err, release.ErrNoHistory) {
		t.Errorf("CheckChannel: %v, %v", err, no)
	}
	b.Revoke("xoxb-sandbox", "token_revoked")
	b.FailNext("conversations.info", 9, sandbox.Fault{Error: "token_revoked"})
	if err := u.CheckChannel(b.ctx(), team); err == nil || !strings.Contains(err.Error(), "SLACK_BOT_TOKEN") && !strings.Contains(err.Error(), "503") {
		t.Errorf("with a revoked token: %v", err)
	}
}
