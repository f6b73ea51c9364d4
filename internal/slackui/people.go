package slackui

import (
	"cmp"
	"context"
	"slices"

	"github.com/slack-go/slack"

	"github.com/synestra/promoter/internal/release"
)

// Person finds out who somebody is: name, user groups, and whether a full
// member of the workspace. What it says may be a minute old. On an error nothing
// is known of the person, who then has no right to anything.
func (u *UI) Person(ctx context.Context, who release.Person) (release.Person, error) {
	known, err := u.persons.read(who.ID, func() (release.Person, error) { return u.member(ctx, who.ID) })
	if err != nil {
		return who, err
	}
	if !u.cfg.Groups {
		return known, nil
	}
	groups, err := u.groups.read("", func() (map[string][]string, error) { return u.groupsByMember(ctx) })
	if err != nil {
		return who, err
	}
	known.Groups = groups[who.ID]
	return known, nil
}

func (u *UI) member(ctx context.Context, id string) (release.Person, error) {
	me, err := u.me(ctx)
	if err != nil {
		return release.Person{}, err
	}
	var found *slack.User
	err = u.repeat(ctx, "reading a person", func(ctx context.Context) (err error) {
		found, err = u.slack.GetUserInfoContext(ctx, id)
		return err
	})
	switch slackCode(err) {
	case "user_not_found", "user_not_visible", "users_not_found":
		return release.Person{ID: id, Outsider: "not a member of this workspace"}, nil
	}
	if err != nil {
		return release.Person{}, err
	}
	name := cmp.Or(found.RealName, found.Profile.RealName, found.Profile.DisplayName, found.Name)
	return release.Person{ID: id, Name: name, Outsider: outsider(*found, me.Team)}, nil
}

// outsider says why somebody is not a full member of the workspace, "" if they
// are. In an Enterprise organisation a person may come from another workspace of
// it and be a member of ours too.
func outsider(m slack.User, team string) string {
	switch {
	case m.Deleted:
		return "deactivated"
	case m.IsBot, m.IsAppUser, m.IsWorkflowBot, m.IsConnectorBot, m.ID == "USLACKBOT":
		return "a bot"
	case m.IsRestricted, m.IsUltraRestricted:
		return "a guest"
	case m.IsStranger:
		return "of another organisation"
	case m.TeamID != team && !slices.Contains(m.Enterprise.Teams, team):
		return "of another workspace"
	}
	return ""
}

// groupsByMember lists the user groups of everybody in one. Disabled groups
// are not among them.
func (u *UI) groupsByMember(ctx context.Context) (map[string][]string, error) {
	var groups []slack.UserGroup
	err := u.repeat(ctx, "reading the user groups", func(ctx context.Context) (err error) {
		groups, err = u.slack.GetUserGroupsContext(ctx, slack.GetUserGroupsOptionIncludeUsers(true))
		return err
	})
	if err != nil {
		return nil, err
	}
	byMember := map[string][]string{}
	for _, g := range groups {
		if g.DateDelete != 0 {
			continue
		}
		for _, id := range g.Users {
			byMember[id] = append(byMember[id], g.ID)
		}
	}
	return byMember, nil
}

// isShared says whether people of another organisation read a channel. Where
// Slack does not say, it may be: an operation's message is then put in the
// channel of the configuration, where nothing can leak. A channel that the bot
// cannot see is told apart: Slack itself will refuse the message, and the person
// is told how to invite the bot.
func (u *UI) isShared(ctx context.Context, channel string) bool {
	if channel == u.cfg.Channel {
		return false // chosen by whoever runs the bot
	}
	shared, err := u.shared.read(channel, func() (bool, error) {
		var found *slack.Channel
		err := u.repeat(ctx, "reading a channel", func(ctx context.Context) (err error) {
			found, err = u.slack.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: channel})
			return err
		})
		if slackCode(err) == "channel_not_found" {
			return false, nil
		}
		if err != nil {
			return true, err
		}
		return found.IsExtShared || found.IsPendingExtShared, nil
	})
	if err != nil {
		u.log.WarnContext(ctx, "reading whether a channel is shared; taking it to be", "channel", channel, "err", err)
		return true
	}
	return shared
}
