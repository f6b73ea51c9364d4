package slackui

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"golang.org/x/time/rate"

	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/slackui/card"
)

// The marks by which our messages are known again; see
// https://docs.slack.dev/messaging/message-metadata.
const (
	markOperation = "promoter_operation"
	markReply     = "promoter_reply"
	markEnd       = "promoter_end" // of an operation whose message cannot be edited any more
)

// spot is where a message goes.
type spot struct {
	channel string
	thread  string // ts of the message to reply to, "" for none
}

// mark is the metadata of an operation's message. Slack drops it from a message
// that is edited without it.
func mark(kind string, op release.Operation) *slack.SlackMetadata {
	return &slack.SlackMetadata{EventType: kind, EventPayload: map[string]any{"op": op.ID, "seq": op.Progress.Seq}}
}

// target is the channel for an operation's message.
func (u *UI) target(op release.Operation) string { return release.Target(op, u.cfg.Channel) }

// Open posts the one message of an operation. A refusal with
// [release.CodeCannotPost] says how to let the bot in; after any other error
// [UI.Show] finds or posts the message once Slack is there again. The deadline
// of ctx is for how long Slack is waited for.
//
// Slack has no way to post a message at most once, so a post whose outcome is
// unknown is looked for before it is repeated. Where the history cannot be read
// the message is rather posted twice than never.
func (u *UI) Open(ctx context.Context, op release.Operation) (release.Place, error) {
	channel := u.target(op)
	m := u.cards.Operation(op)
	place, err := u.post(ctx, spot{channel: channel}, m, mark(markOperation, op))
	if cannotPost(err) {
		return release.Place{}, u.refuse(ctx, channel, err)
	}
	if err != nil {
		if !definite(err) {
			u.display.mayAppear(op, time.Now().Add(u.times.call))
		}
		return release.Place{}, fmt.Errorf("posting the operation's message: %w", err)
	}
	u.display.opened(op, place, m)
	return place, nil
}

// refuse says how to let the bot into a channel.
func (u *UI) refuse(ctx context.Context, channel string, why error) *release.Refusal {
	do := "Invite the bot here, then ask again."
	if me, err := u.me(ctx); err == nil && me.Name != "" {
		do = "Invite the bot with `/invite @" + release.Plain(me.Name) + "`, then ask again."
	}
	if slackCode(why) == "is_archived" {
		do = "Ask in a channel that is not archived."
	}
	where := "in this channel"
	if channel == u.cfg.Channel {
		where = "in `" + release.Plain(channel) + "`, where messages for all go"
	}
	return &release.Refusal{
		Code: release.CodeCannotPost, Do: do,
		Say: "The bot cannot post " + where + " (`" + release.Plain(slackCode(why)) + "`), and nothing is released unseen.",
	}
}

// post posts a message once, as well as that can be done. It repeats what Slack
// certainly has not posted, and looks for what it may have.
func (u *UI) post(ctx context.Context, at spot, m card.Message, mark *slack.SlackMetadata) (release.Place, error) {
	pause := u.times.pause
	for attempt := 1; ; attempt++ {
		if err := u.posts.wait(ctx, at.channel); err != nil {
			return release.Place{}, err
		}
		place, err := u.postOnce(ctx, at, m, mark)
		if err == nil {
			return place, nil
		}
		if wait, limited := retryAfter(err); limited {
			if attempt == postAttempts || !sleep(ctx, wait) {
				return release.Place{}, err
			}
			continue
		}
		if badContent(err) && len(m.Blocks) > 0 {
			u.log.ErrorContext(ctx, "Slack does not take a message's blocks; posting its text", "err", err)
			m.Blocks = nil
			continue
		}
		if definite(err) {
			return release.Place{}, err
		}
		if mark != nil {
			if place, found := u.settled(ctx, at, *mark); found {
				return place, nil
			}
		}
		if attempt >= postAttempts || !sleep(ctx, pause) {
			return release.Place{}, err
		}
		pause *= 2
	}
}

const postAttempts = 4

func (u *UI) postOnce(ctx context.Context, at spot, m card.Message, mark *slack.SlackMetadata) (release.Place, error) {
	options := content(m)
	if mark != nil {
		options = append(options, slack.MsgOptionMetadata(*mark))
	}
	if at.thread != "" {
		options = append(options, slack.MsgOptionTS(at.thread))
	}
	var place release.Place
	err := u.call(ctx, func(ctx context.Context) (err error) {
		place.Channel, place.TS, err = u.slack.PostMessageContext(ctx, at.channel, options...)
		return err
	})
	if err == nil && place.TS == "" {
		err = errors.New("slack did not say which message it posted")
	}
	return place, withoutAddress(err)
}

// settled looks for a message that may have been posted, after giving Slack a
// moment to finish what it may still be doing.
func (u *UI) settled(ctx context.Context, at spot, mark slack.SlackMetadata) (release.Place, bool) {
	if !sleep(ctx, u.times.settle) {
		return release.Place{}, false
	}
	place, found, err := u.look(ctx, at, mark, time.Now().Add(-clockSlack))
	if err != nil {
		u.log.WarnContext(ctx, "looking for a message that may have been posted", "channel", at.channel, "err", err)
	}
	return place, found
}

// clockSlack is how far our clock may be from Slack's. Histories are read from
// that much earlier than needed.
const clockSlack = time.Hour

// Find looks for an operation's message, which may have been posted without our
// knowing.
func (u *UI) Find(ctx context.Context, op release.Operation) (release.Place, bool, error) {
	place, found, err := u.look(ctx, spot{channel: u.target(op)}, *mark(markOperation, op), op.Created.Add(-clockSlack))
	if err != nil {
		return release.Place{}, false, fmt.Errorf("looking for the operation's message: %w", err)
	}
	return place, found, nil
}

// How much of a history is looked through.
const (
	historyPage  = 200
	historyPages = 10
)

// look finds our own message with that mark in a channel or a thread, as far
// back as is looked.
func (u *UI) look(ctx context.Context, at spot, mark slack.SlackMetadata, oldest time.Time) (release.Place, bool, error) {
	place, found, err := u.search(ctx, at, mark, oldest)
	if errors.Is(err, errTooFarBack) {
		err = nil
	}
	return place, found, err
}

// errTooFarBack is for a search that ended before the history did.
var errTooFarBack = errors.New("the history is too long to be looked through")

// search finds our own message with that mark. Without an error, one that is
// not found is not there.
func (u *UI) search(ctx context.Context, at spot, mark slack.SlackMetadata, oldest time.Time) (release.Place, bool, error) {
	me, err := u.me(ctx)
	if err != nil {
		return release.Place{}, false, err
	}
	from, cursor := fmt.Sprintf("%d.000000", max(0, oldest.Unix())), ""
	for range historyPages {
		var page []slack.Message
		err := u.repeat(ctx, "reading the history", func(ctx context.Context) (err error) {
			page, cursor, err = u.history(ctx, at, from, cursor)
			return err
		})
		if err != nil {
			return release.Place{}, false, err
		}
		for _, m := range page {
			if m.Metadata.EventType == mark.EventType && marked(m.Metadata) == marked(mark) && me.wrote(m) {
				return release.Place{Channel: at.channel, TS: m.Timestamp}, true, nil
			}
		}
		if cursor == "" {
			return release.Place{}, false, nil
		}
	}
	return release.Place{}, false, errTooFarBack
}

// marked is the id in a mark: of an operation or a notice.
func marked(m slack.SlackMetadata) any {
	if id, ok := m.EventPayload["op"]; ok {
		return id
	}
	return m.EventPayload["notice"]
}

// wrote says that a message is the bot's own: another app may carry the same mark.
func (i identity) wrote(m slack.Message) bool {
	return m.User != "" && m.User == i.User || m.BotID != "" && m.BotID == i.Bot
}

func (u *UI) history(ctx context.Context, at spot, oldest, cursor string) ([]slack.Message, string, error) {
	if at.thread != "" {
		page, _, next, err := u.slack.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{
			ChannelID: at.channel, Timestamp: at.thread, Cursor: cursor, Limit: historyPage, IncludeAllMetadata: true,
		})
		return page, next, err
	}
	page, err := u.slack.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{
		ChannelID: at.channel, Oldest: oldest, Cursor: cursor, Limit: historyPage, IncludeAllMetadata: true,
	})
	if err != nil {
		return nil, "", err
	}
	return page.Messages, page.ResponseMetaData.NextCursor, nil
}

// Reply posts the one reply in the operation's thread that tells the person of
// a failure, or edits it where there is one. It returns where the reply is.
func (u *UI) Reply(ctx context.Context, op release.Operation) (release.Place, error) {
	m := u.cards.Reply(op)
	if op.Reply != (release.Place{}) {
		err := u.repeat(ctx, "editing the reply", func(ctx context.Context) error {
			return u.edit(ctx, op.Reply, m, mark(markReply, op))
		})
		if slackCode(err) != "message_not_found" {
			return op.Reply, err
		}
	}
	if op.Message == (release.Place{}) {
		return release.Place{}, errors.New("replying: the operation has no message yet")
	}
	at := spot{op.Message.Channel, op.Message.TS}
	place, err := u.post(ctx, at, m, mark(markReply, op))
	if err != nil {
		return release.Place{}, fmt.Errorf("replying: %w", err)
	}
	return place, nil
}

// edit changes a message, once.
func (u *UI) edit(ctx context.Context, place release.Place, m card.Message, mark *slack.SlackMetadata) error {
	options := append(content(m), slack.MsgOptionMetadata(*mark))
	return u.call(ctx, func(ctx context.Context) error {
		_, _, _, err := u.slack.UpdateMessageContext(ctx, place.Channel, place.TS, options...)
		return withoutAddress(err)
	})
}

// postLimits keeps to Slack's "one message per second per channel", of which it
// lets short bursts pass. The zero value is ready.
type postLimits struct {
	mu       sync.Mutex
	channels map[string]*rate.Limiter
}

const postBurst = 3

func (p *postLimits) wait(ctx context.Context, channel string) error {
	p.mu.Lock()
	limit, ok := p.channels[channel]
	if !ok {
		if p.channels == nil {
			p.channels = map[string]*rate.Limiter{}
		}
		limit = rate.NewLimiter(rate.Every(time.Second), postBurst)
		p.channels[channel] = limit
	}
	p.mu.Unlock()
	if err := limit.Wait(ctx); err != nil {
		return fmt.Errorf("waiting for our turn to post: %w", err)
	}
	return nil
}
