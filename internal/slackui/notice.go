package slackui

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/slack-go/slack"

	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/slackui/card"
)

// The marks of notices, and of replies that stand for edits which Slack does
// not let be made any more.
const (
	markNotice     = "promoter_notice"
	markNoticeEdit = "promoter_notice_edit"
)

func noticeMark(n release.Notice) *slack.SlackMetadata {
	return &slack.SlackMetadata{EventType: markNotice, EventPayload: map[string]any{"notice": n.ID, "seq": n.Seq}}
}

// PostNotice posts a notice in its channel, once. It repeats only what Slack
// has certainly not posted: where the outcome of a post is unknown, it looks
// for the notice before.
//
// With an error that is [release.ErrOutcomeUnknown] the notice may stand: ask
// [UI.FindNotice] later; if it is [release.ErrNoHistory] too, nobody can tell. A
// [release.Refusal] says why the channel cannot be posted to: it is unknown
// ([release.CodeUnknownChannel]) or closed to the bot. With any other error the
// notice was not posted, and may be later.
func (u *UI) PostNotice(ctx context.Context, n release.Notice) (release.Place, error) {
	place, err := u.postNotice(ctx, n, u.cards.Notice(n))
	if cannotPost(err) && !errors.Is(err, release.ErrOutcomeUnknown) {
		return release.Place{}, u.refuseNotice(ctx, n.Channel, slackCode(err))
	}
	if err != nil {
		return release.Place{}, fmt.Errorf("posting the notice: %w", err)
	}
	return place, nil
}

func (u *UI) postNotice(ctx context.Context, n release.Notice, m card.Message) (release.Place, error) {
	for attempt, pause := 1, u.times.pause; ; attempt, pause = attempt+1, 2*pause {
		if err := u.posts.wait(ctx, n.Channel); err != nil {
			return release.Place{}, err
		}
		deadline := time.Now().Add(u.times.call)
		place, err := u.postOnce(ctx, spot{channel: n.Channel}, m, noticeMark(n))
		if err == nil {
			return place, nil
		}
		wait, limited := retryAfter(err)
		switch {
		case limited:
		case badContent(err) && len(m.Blocks) > 0:
			u.log.ErrorContext(ctx, "Slack does not take a notice's blocks; posting its text", "notice", n.ID, "err", err)
			m.Blocks = nil
		case definite(err):
			return release.Place{}, err
		default:
			wait = pause
			if !unsent(err) {
				place, found, lookErr := u.aftermath(ctx, n, deadline)
				if found {
					return place, nil
				}
				if lookErr != nil {
					return release.Place{}, fmt.Errorf("%w (%w): %w", release.ErrOutcomeUnknown, err, lookErr)
				}
			}
		}
		if attempt == postAttempts || !sleep(ctx, wait) {
			return release.Place{}, err
		}
	}
}

// unsent says that Slack was never reached.
func unsent(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// aftermath finds out what became of a post of unknown outcome. Found is found;
// but that it is not there means something only once Slack has had all the time
// that the call had.
func (u *UI) aftermath(ctx context.Context, n release.Notice, deadline time.Time) (release.Place, bool, error) {
	for _, wait := range []time.Duration{u.times.settle, max(0, time.Until(deadline)) + u.times.settle} {
		if !sleep(ctx, wait) {
			return release.Place{}, false, context.DeadlineExceeded
		}
		place, found, err := u.FindNotice(ctx, n)
		if found || errors.Is(err, release.ErrNoHistory) || err != nil && !time.Now().Before(deadline) {
			return place, found, err
		}
	}
	return release.Place{}, false, nil
}

// FindNotice looks for a notice that may have been posted without our knowing.
// What it shows may be older than n. An error that is [release.ErrNoHistory]
// will be the same next time, until a person does something about it.
func (u *UI) FindNotice(ctx context.Context, n release.Notice) (release.Place, bool, error) {
	place, found, err := u.search(ctx, spot{channel: n.Channel}, *noticeMark(n), n.Created.Add(-clockSlack))
	if err != nil {
		return release.Place{}, false, fmt.Errorf("looking for the notice: %w", noHistory(err))
	}
	return place, found, nil
}

// noHistory marks the errors that say that a history will not be read next time either.
func noHistory(err error) error {
	switch slackCode(err) {
	case "missing_scope", "not_in_channel", "channel_not_found", "no_permission", "access_denied", "method_not_supported_for_channel_type":
		return fmt.Errorf("%w: %w", release.ErrNoHistory, err)
	}
	if errors.Is(err, errTooFarBack) {
		return fmt.Errorf("%w: %w", release.ErrNoHistory, err)
	}
	return err
}

// EditNotice makes a notice that was posted show what it says now. It waits for
// its turn among the edits of operations. [release.ErrGone] says that the
// message was deleted; a [release.Refusal] that the bot was shut out. Where
// Slack lets the message be edited no more, the notice is put below it once.
func (u *UI) EditNotice(ctx context.Context, n release.Notice) error {
	if n.Place == (release.Place{}) {
		return errors.New("editing the notice: it was not posted yet")
	}
	m := u.cards.Notice(n)
	err := u.editNotice(ctx, n, m)
	if badContent(err) {
		u.log.ErrorContext(ctx, "Slack does not take a notice's blocks; sending its text", "notice", n.ID, "err", err)
		err = u.editNotice(ctx, n, card.Message{Text: m.Text})
	}
	switch slackCode(err) {
	case "message_not_found":
		return fmt.Errorf("editing the notice: %w", release.ErrGone)
	case "cant_update_message", "edit_window_closed":
		err = u.noticeBelow(ctx, n, m)
	}
	if cannotPost(err) {
		return u.refuseNotice(ctx, n.Place.Channel, slackCode(err))
	}
	if err != nil {
		return fmt.Errorf("editing the notice: %w", err)
	}
	return nil
}

// editNotice edits a notice within the budget. An edit that was made twice is
// one edit, so it is repeated freely.
func (u *UI) editNotice(ctx context.Context, n release.Notice, m card.Message) error {
	failures, pause := 0, u.times.pause
	for {
		if wait := u.display.budget.take(stage, time.Now()); wait > 0 {
			if !sleep(ctx, wait) {
				return context.DeadlineExceeded
			}
			continue
		}
		err := u.edit(ctx, n.Place, m, noticeMark(n))
		if wait, limited := retryAfter(err); limited {
			u.display.budget.close(time.Now().Add(wait))
			continue
		}
		if failures++; err == nil || definite(err) || failures == 3 || !sleep(ctx, pause) {
			return err
		}
		pause *= 2
	}
}

// noticeBelow replies to a notice that cannot be edited, once for each of its states.
func (u *UI) noticeBelow(ctx context.Context, n release.Notice, m card.Message) error {
	at := spot{n.Place.Channel, n.Place.TS}
	mark := slack.SlackMetadata{EventType: markNoticeEdit, EventPayload: map[string]any{"notice": fmt.Sprintf("%s/%d", n.ID, n.Seq)}}
	if _, found, err := u.look(ctx, at, mark, n.Created); found || err != nil && !definite(err) {
		return err
	}
	_, err := u.post(ctx, at, m, &mark)
	return err
}

// refuseNotice says how to let the bot into a channel that notices go to.
func (u *UI) refuseNotice(ctx context.Context, channel, why string) *release.Refusal {
	no := &release.Refusal{
		Code: release.CodeCannotPost, Do: "Invite the bot there" + u.how(ctx) + ".",
		Say: "The bot cannot post notices in `" + release.Plain(channel) + "` (`" + release.Plain(why) + "`).",
	}
	switch why {
	case "is_archived":
		no.Do = "Route the notices to a channel that is not archived."
	case "channel_not_found":
		no.Code = release.CodeUnknownChannel
		no.Do = "Check the channel's id; if it is a private channel, invite the bot there" + u.how(ctx) + "."
	}
	return no
}

// how is what to type to invite the bot, "" if its name is not known.
func (u *UI) how(ctx context.Context) string {
	if me, err := u.me(ctx); err == nil && me.Name != "" {
		return " with `/invite @" + release.Plain(me.Name) + "`"
	}
	return ""
}
