package slackui

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/slack-go/slack"

	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/slackui/card"
)

// Slack takes answers at a response address for 30 minutes.
const replyAge = 29 * time.Minute

// ephemeral is a message to a response address.
type ephemeral = slack.WebhookMessage

// Answer tells the person who asked, and nobody else unless the answer is
// public; in a channel shared with another organisation none is. For a click it takes the
// place of the question; an answer in which there is nothing only takes the
// question away. It is told once, or in a rare case twice, by whatever way
// Slack leaves open; on an error the person does not know.
func (u *UI) Answer(ctx context.Context, r release.Request, a release.Answer) error {
	if card.Empty(a) {
		if r.Click == "" || r.Reply == "" {
			return nil
		}
		return u.respond(ctx, r.Reply, ephemeral{DeleteOriginal: true})
	}
	a.Public = a.Public && !r.Channel.Shared
	m := u.cards.Answer(a, u.linked(ctx, a.Link))
	if a.Public {
		return u.publish(ctx, r, m)
	}
	var failed error
	if r.Reply != "" && time.Since(r.At) < replyAge {
		failed = u.respond(ctx, r.Reply, ephemeral{
			ResponseType: "ephemeral", Text: m.Text, Blocks: &slack.Blocks{BlockSet: m.Blocks}, ReplaceOriginal: r.Click != "",
		})
		if failed == nil {
			return nil
		}
	}
	err := u.whisper(ctx, r.Channel.ID, r.By.ID, m)
	if err == nil {
		return nil
	}
	// In a conversation that the bot is no part of, a message from the bot is
	// all that is left. A channel that is a user's id is the direct message.
	if _, dm := u.post(ctx, spot{channel: r.By.ID}, m, nil); dm != nil {
		return errors.Join(failed, err, dm)
	}
	return nil
}

// publish tells everybody where it was asked. The question that a click has
// answered goes away.
func (u *UI) publish(ctx context.Context, r release.Request, m card.Message) error {
	if r.Reply != "" && time.Since(r.At) < replyAge {
		err := u.respond(ctx, r.Reply, ephemeral{ResponseType: "in_channel", Text: m.Text, Blocks: &slack.Blocks{BlockSet: m.Blocks}})
		if err == nil {
			if r.Click != "" {
				err = u.respond(ctx, r.Reply, ephemeral{DeleteOriginal: true})
			}
			if err != nil { // everybody knows; an old button is no harm
				u.log.WarnContext(ctx, "taking a question away", "err", err)
			}
			return nil
		}
		u.log.WarnContext(ctx, "answering in the channel", "err", err)
	}
	_, err := u.post(ctx, spot{channel: r.Channel.ID}, m, nil)
	if err == nil {
		return nil
	}
	// The person at least learns it.
	return errors.Join(err, u.whisper(ctx, r.Channel.ID, r.By.ID, m))
}

func (u *UI) linked(ctx context.Context, p release.Place) string {
	if p == (release.Place{}) {
		return ""
	}
	address, err := u.Permalink(ctx, p)
	if err != nil {
		u.log.WarnContext(ctx, "linking a message", "channel", p.Channel, "err", err)
	}
	return address
}

// Permalink is the address of a message.
func (u *UI) Permalink(ctx context.Context, p release.Place) (string, error) {
	var address string
	err := u.repeat(ctx, "asking for a message's address", func(ctx context.Context) (err error) {
		address, err = u.slack.GetPermalinkContext(ctx, &slack.PermalinkParameters{Channel: p.Channel, Ts: p.TS})
		return err
	})
	return address, err
}

// respond posts to a response address. The library's own way of doing so does
// not read what Slack answers, and names the address in its errors.
func (u *UI) respond(ctx context.Context, address string, m ephemeral) error {
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("writing an answer: %w", err)
	}
	return u.call(ctx, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
		if err != nil {
			return errors.New("the response address cannot be used")
		}
		req.Header.Set("Content-Type", "application/json; charset=utf-8")
		resp, err := u.http.Do(req)
		if err != nil {
			return fmt.Errorf("answering: %w", withoutAddress(err))
		}
		defer resp.Body.Close()
		said, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
		if err != nil {
			return fmt.Errorf("answering: %w", err)
		}
		return responded(resp.StatusCode, said)
	})
}

// responded tells success from failure: Slack answers "ok", or {"ok":…}, or the
// name of an error.
func responded(status int, said []byte) error {
	var answer struct {
		OK    *bool  `json:"ok"`
		Error string `json:"error"`
	}
	if json.Unmarshal(said, &answer) == nil && answer.OK != nil && !*answer.OK {
		return fmt.Errorf("slack does not take the answer: %s", release.Plain(answer.Error))
	}
	if status/100 != 2 {
		return fmt.Errorf("slack does not take the answer: status %d, %s", status, release.Plain(string(said)))
	}
	return nil
}

// whisper posts a message that only one person in a channel sees.
func (u *UI) whisper(ctx context.Context, channel, person string, m card.Message) error {
	return u.repeat(ctx, "answering in the channel", func(ctx context.Context) error {
		_, err := u.slack.PostEphemeralContext(ctx, channel, person, content(m)...)
		if badContent(err) {
			_, err = u.slack.PostEphemeralContext(ctx, channel, person, content(card.Message{Text: m.Text})...)
		}
		return err
	})
}

// content is a message as the library wants it. Blocks are sent even if there
// are none, so that an edit takes old ones away.
func content(m card.Message) []slack.MsgOption {
	return []slack.MsgOption{
		slack.MsgOptionText(m.Text, false), // escaped already
		slack.MsgOptionBlocks(m.Blocks...),
		slack.MsgOptionDisableLinkUnfurl(),
		slack.MsgOptionDisableMediaUnfurl(),
	}
}
