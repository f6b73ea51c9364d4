package slackui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

// A connection that was lost again this soon, this often in a row, is given a
// rest: Slack closes one at once where an app has too many.
const (
	soon      = 10 * time.Second
	tooOften  = 3
	restAtMax = 30 * time.Second
)

// keepConnected keeps one socket to Slack open. It returns an error that only a
// person can mend, or the end of ctx.
func (u *UI) keepConnected(ctx context.Context, n int) error {
	pause := u.times.pause
	for {
		began := time.Now()
		err := u.connection(ctx, n)
		u.state.setSocket(n, false)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if no := fatal("SLACK_APP_TOKEN", err); no != nil {
			return no
		}
		if time.Since(began) > time.Minute {
			pause = u.times.pause
		}
		wait := pause
		if limited, ok := retryAfter(err); ok {
			wait = limited
		}
		u.log.WarnContext(ctx, "connecting to Slack", "socket", n, "err", withoutAddress(err), "again_in", wait)
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
		pause = min(2*pause, restAtMax)
	}
}

// connection runs one client until it fails. The client opens a new socket by
// itself when Slack asks it to or the old one breaks; a failure to do so ends
// it here, since its own pauses grow to minutes and it would go on for ever with
// a token that will never do.
func (u *UI) connection(ctx context.Context, n int) error {
	client := socketmode.New(u.slack, socketmode.OptionPingInterval(u.times.ping))
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	var runner sync.WaitGroup
	runner.Go(func() { ended <- client.RunContext(running) })
	defer runner.Wait()
	defer stop()
	s := socket{ui: u, n: n, client: client}
	for {
		select {
		case err := <-ended:
			return err
		case e := <-client.Events:
			if err := s.event(ctx, e); err != nil {
				return err
			}
		}
	}
}

// socket is one client and what is known of its connection.
type socket struct {
	ui     *UI
	n      int
	client *socketmode.Client
	opened time.Time
	short  int // connections in a row that were soon lost
}

// event takes one event of the client. It must not wait for anything: the
// client stops reading while 50 of them are queued.
func (s *socket) event(ctx context.Context, e socketmode.Event) error {
	u := s.ui
	switch e.Type {
	case socketmode.EventTypeHello:
		s.opened = time.Now()
		u.state.setSocket(s.n, true)
		u.log.InfoContext(ctx, "connected to Slack", "socket", s.n)
	case socketmode.EventTypeConnecting:
		u.state.setSocket(s.n, false)
		return s.flapping()
	case socketmode.EventTypeConnectionError:
		if failed, ok := e.Data.(*slack.ConnectionErrorEvent); ok {
			return failed.ErrorObj
		}
		return errors.New("connection error")
	case socketmode.EventTypeSlashCommand, socketmode.EventTypeInteractive, socketmode.EventTypeEventsAPI:
		s.envelope(ctx, *e.Request)
	case socketmode.EventTypeErrorBadMessage:
		s.unread(ctx, e)
	case socketmode.EventTypeErrorWriteFailed:
		u.log.WarnContext(ctx, "acknowledgement lost; Slack will deliver again", "socket", s.n)
	}
	return nil
}

func (s *socket) flapping() error {
	if s.opened.IsZero() {
		return nil
	}
	if time.Since(s.opened) > soon {
		s.short = 0
		return nil
	}
	if s.short++; s.short > tooOften {
		return errors.New("slack closes the connection again and again, as it does when an app has more than ten")
	}
	return nil
}

// unread is a message that the library cannot read. We read less of it, so it
// may be fine for us; and Slack would deliver it for ever if nobody
// acknowledged it.
func (s *socket) unread(ctx context.Context, e socketmode.Event) {
	bad, ok := e.Data.(*socketmode.ErrorBadMessage)
	if !ok {
		return
	}
	s.ui.log.WarnContext(ctx, "Slack sent something unknown", "socket", s.n)
	var r socketmode.Request
	if err := json.Unmarshal(bad.Message, &r); err == nil && r.EnvelopeID != "" {
		s.envelope(ctx, r)
	}
}

// envelope has a delivery taken in, acknowledged and worked on, in this order.
func (s *socket) envelope(ctx context.Context, r socketmode.Request) {
	u := s.ui
	d, err := open(r.Type, r.EnvelopeID, r.Payload, time.Now())
	if err != nil && !errors.Is(err, errNotForUs) {
		u.log.ErrorContext(ctx, "reading a delivery", "err", err)
	}
	d.replies = r.AcceptsResponsePayload
	u.tasks.Go(func() {
		var ack any
		var work func()
		if err == nil {
			ack, work = u.receive(ctx, d)
		}
		s.acknowledge(ctx, r.EnvelopeID, ack)
		if work != nil {
			work()
		}
	})
}

// acknowledge answers on the connection that the envelope came by. The library
// would wait for ever while it has none.
func (s *socket) acknowledge(ctx context.Context, envelope string, ack any) {
	ctx, stop := context.WithTimeout(ctx, s.ui.times.ack)
	defer stop()
	if err := s.client.AckCtx(ctx, envelope, ack); err != nil {
		s.ui.log.WarnContext(ctx, "acknowledging", "socket", s.n, "err", fmt.Errorf("handing it to the socket: %w", err))
	}
}
