package slackui

import (
	"context"
	"fmt"

	"github.com/slack-go/slack"

	"github.com/synestra/promoter/internal/release"
)

// CheckChannel says whether notices can go to a channel, and what to do if they
// cannot. A [release.Refusal] says that the bot cannot post there. An error that
// is [release.ErrNoHistory] says that it can, but that a notice whose outcome is
// unknown cannot be looked for, and may appear twice. After any other error
// Slack can be asked again.
func (u *UI) CheckChannel(ctx context.Context, channel string) error {
	var info *slack.Channel
	err := u.repeat(ctx, "asking Slack for the channel "+channel, func(ctx context.Context) (err error) {
		info, err = u.slack.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: channel})
		return err
	})
	switch code := slackCode(err); {
	case code == "channel_not_found":
		return u.refuseNotice(ctx, channel, code)
	case code == "missing_scope": // its history, if that can be read, proves as much
	case err != nil:
		return readable(err)
	case info.IsArchived:
		return u.refuseNotice(ctx, channel, "is_archived")
	case !info.IsMember && !u.postsAnywhere(ctx):
		return u.refuseNotice(ctx, channel, "not_in_channel")
	}
	return u.checkHistory(ctx, channel)
}

// postsAnywhere says that the bot may post in public channels that it is no
// member of; where Slack does not say what the token may, it is taken to.
func (u *UI) postsAnywhere(ctx context.Context) bool {
	me, err := u.me(ctx)
	return err != nil || me.Scopes == "" || missing(me.Scopes, "chat:write.public") == nil
}

func (u *UI) checkHistory(ctx context.Context, channel string) error {
	err := u.repeat(ctx, "reading the history of "+channel, func(ctx context.Context) error {
		_, err := u.slack.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{ChannelID: channel, Limit: 1, IncludeAllMetadata: true})
		return err
	})
	switch code := slackCode(err); {
	case err == nil:
		return nil
	case code == "channel_not_found":
		return u.refuseNotice(ctx, channel, code)
	case code == "missing_scope":
		return fmt.Errorf("%w: %s: add the scope %s to the app, reinstall it and renew SLACK_BOT_TOKEN", release.ErrNoHistory, channel, neededScope(err))
	case code == "not_in_channel":
		return fmt.Errorf("%w: %s: invite the bot there%s", release.ErrNoHistory, channel, u.how(ctx))
	}
	return readable(err)
}

// readable is the advice for an error where there is one.
func readable(err error) error {
	if advice := fatal("SLACK_BOT_TOKEN", err); advice != nil {
		return advice
	}
	return err
}
