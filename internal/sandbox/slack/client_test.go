package slack

import (
	"context"
	"errors"
	"testing"
	"time"

	slackgo "github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

// TestSlackGo drives the stand-in with the client library that bots use: what
// that understands is Slack's protocol.
func TestSlackGo(t *testing.T) {
	s := start(t, Options{})
	api := slackgo.New("xoxb-sandbox", slackgo.OptionAPIURL(s.APIURL()), slackgo.OptionAppLevelToken("xapp-sandbox"))
	ctx := within(t)

	who, err := api.AuthTestContext(ctx)
	if err != nil || who.UserID != BotUserID || who.BotID != BotID {
		t.Fatalf("auth.test = %+v, %v", who, err)
	}
	section := slackgo.NewSectionBlock(slackgo.NewTextBlockObject(slackgo.MarkdownType, "*hi*", false, false), nil, nil)
	yes := slackgo.NewButtonBlockElement("yes", "op_1", slackgo.NewTextBlockObject(slackgo.PlainTextType, "Yes", false, false))
	meta := slackgo.SlackMetadata{EventType: "op", EventPayload: map[string]any{"id": "op_1"}}
	channel, ts, err := api.PostMessageContext(ctx, "C1", slackgo.MsgOptionText("hi", false),
		slackgo.MsgOptionBlocks(section, slackgo.NewActionBlock("", yes)), slackgo.MsgOptionMetadata(meta),
		slackgo.MsgOptionDisableLinkUnfurl(), slackgo.MsgOptionDisableMediaUnfurl())
	if err != nil || channel != "C1" {
		t.Fatalf("post: %s %s %v", channel, ts, err)
	}
	if _, _, _, err := api.UpdateMessageContext(ctx, channel, ts, slackgo.MsgOptionText("ho", false), slackgo.MsgOptionBlocks(section)); err != nil {
		t.Errorf("update: %v", err)
	}
	found, err := api.GetConversationHistoryContext(ctx, &slackgo.GetConversationHistoryParameters{ChannelID: "C1", IncludeAllMetadata: true})
	if err != nil || len(found.Messages) != 1 || found.Messages[0].Text != "ho" || found.Messages[0].Metadata.EventPayload["id"] != "op_1" {
		t.Errorf("history = %+v, %v", found, err)
	}
	if _, err := api.PostEphemeralContext(ctx, "C1", "U1", slackgo.MsgOptionText("psst", false)); err != nil {
		t.Errorf("ephemeral: %v", err)
	}
	if link, err := api.GetPermalinkContext(ctx, &slackgo.PermalinkParameters{Channel: channel, Ts: ts}); err != nil || link == "" {
		t.Errorf("permalink = %q, %v", link, err)
	}
	if u, err := api.GetUserInfoContext(ctx, "U1"); err != nil || u.Name != "ana" || u.IsStranger || u.TeamID != TeamID {
		t.Errorf("user = %+v, %v", u, err)
	}
	if g, err := api.GetUserGroupsContext(ctx, slackgo.GetUserGroupsOptionIncludeUsers(true)); err != nil || len(g) != 1 || len(g[0].Users) != 1 {
		t.Errorf("groups = %+v, %v", g, err)
	}
	if m, err := api.GetUserGroupMembersContext(ctx, "S1"); err != nil || len(m) != 1 {
		t.Errorf("members = %v, %v", m, err)
	}
	if c, err := api.GetConversationInfoContext(ctx, &slackgo.GetConversationInfoInput{ChannelID: "C1"}); err != nil || c.ID != "C1" {
		t.Errorf("channel = %+v, %v", c, err)
	}
	s.MissingScope("conversations.info", "channels:read")
	_, err = api.GetConversationInfoContext(ctx, &slackgo.GetConversationInfoInput{ChannelID: "C1"})
	if missing, ok := errors.AsType[slackgo.SlackErrorResponse](err); !ok || missing.Err != "missing_scope" || missing.Needed != "channels:read" {
		t.Errorf("err = %#v", err)
	}
	header := slackgo.NewHeaderBlock(slackgo.NewTextBlockObject(slackgo.MarkdownType, "x", false, false))
	_, _, err = api.PostMessageContext(ctx, "C1", slackgo.MsgOptionText("x", false), slackgo.MsgOptionBlocks(header))
	if bad, ok := errors.AsType[slackgo.SlackErrorResponse](err); !ok || bad.Err != "invalid_blocks" || len(bad.ResponseMetadata.Messages) != 1 {
		t.Errorf("err = %#v", err)
	}
	s.FailNext("chat.postMessage", 1, Fault{Error: "ratelimited", RetryAfter: 7 * time.Second})
	_, _, err = api.PostMessageContext(ctx, "C1", slackgo.MsgOptionText("x", false))
	if slow, ok := errors.AsType[*slackgo.RateLimitedError](err); !ok || slow.RetryAfter != 7*time.Second {
		t.Errorf("err = %#v", err)
	}
}

// TestSlackGoSocketMode: command, click, response URL, refresh and reconnect.
func TestSlackGoSocketMode(t *testing.T) {
	s := start(t, Options{PingEvery: 10 * time.Millisecond})
	api := slackgo.New("xoxb-sandbox", slackgo.OptionAPIURL(s.APIURL()), slackgo.OptionAppLevelToken("xapp-sandbox"))
	client := socketmode.New(api)
	ctx, cancel := context.WithCancel(within(t))
	ran, handled := make(chan error, 1), make(chan struct{})
	go func() { ran <- client.RunContext(ctx) }()
	commands, clicks := make(chan slackgo.SlashCommand, 10), make(chan slackgo.InteractionCallback, 10)
	go func() {
		defer close(handled)
		for {
			select {
			case <-ctx.Done():
				return
			case e := <-client.Events:
				handle(ctx, t, client, e, commands, clicks)
			}
		}
	}()
	defer func() { cancel(); <-ran; <-handled }()
	open := func() bool { return s.Sockets() == 1 }
	if err := s.Wait(ctx, open); err != nil {
		t.Fatal(err)
	}

	if _, err := s.Command(ctx, "U1", "C1", "/promote", " web <@U1> & "); err != nil {
		t.Fatal(err)
	}
	command := <-commands
	if command.Text != " web <@U1> & " || command.ChannelName != "deploys" || command.IsEnterpriseInstall {
		t.Errorf("command = %+v", command)
	}
	shown := s.Messages("C1")
	if len(shown) != 1 || shown[0].Text != "on it" || shown[0].EphemeralFor != "U1" {
		t.Errorf("shown = %+v", shown)
	}
	if err := slackgo.PostWebhookContext(ctx, command.ResponseURL, &slackgo.WebhookMessage{Text: "later"}); err != nil {
		t.Errorf("response URL: %v", err)
	}

	s.Disconnect("refresh_requested", 1)
	if err := s.Wait(ctx, open); err != nil {
		t.Fatal(err)
	}
	ref := mustPost(t, s, "text", "x", "blocks", card)
	if _, err := s.Click(ctx, "U1", ref, "stop"); err != nil {
		t.Fatal(err)
	}
	click := <-clicks
	if len(click.ActionCallback.BlockActions) != 1 || click.ActionCallback.BlockActions[0].Value != "op_1" ||
		click.Message.Timestamp != ref.TS || click.Channel.ID != "C1" || click.User.TeamID != TeamID {
		t.Errorf("click = %+v", click)
	}
	s.Cut(1)
	if err := s.Wait(ctx, open); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Command(ctx, "U1", "C1", "/promote", "again"); err != nil {
		t.Fatal(err)
	}
}

func handle(ctx context.Context, t *testing.T, client *socketmode.Client, e socketmode.Event, commands chan<- slackgo.SlashCommand, clicks chan<- slackgo.InteractionCallback) {
	var payload any
	switch data := e.Data.(type) {
	case slackgo.SlashCommand:
		commands <- data
		payload = map[string]string{"text": "on it"}
	case slackgo.InteractionCallback:
		clicks <- data
	default:
		return
	}
	if err := client.AckCtx(ctx, e.Request.EnvelopeID, payload); err != nil {
		t.Errorf("ack: %v", err)
	}
}
