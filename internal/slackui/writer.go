package slackui

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/slackui/card"
)

// write sends what is wanted of a sheet until nothing is.
func (d *display) write(s *sheet) {
	pause := d.ui.times.pause
	for {
		op, version, more := d.next(s)
		if !more {
			return
		}
		m := d.ui.cards.Operation(op)
		if s.fixed && !op.Progress.Stage.Ended() || s.print == fingerprint(m) {
			d.sent(s, version)
			continue
		}
		if wait := d.turn(s, op); wait > 0 {
			if !d.rest(s, wait) {
				d.leave(s)
				return
			}
			continue
		}
		err := d.send(s, op, m)
		s.last = time.Now()
		if err == nil {
			s.print, s.shown, pause = fingerprint(m), op.Progress, d.ui.times.pause
			d.sent(s, version)
			continue
		}
		if wait, limited := retryAfter(err); limited {
			d.budget.close(time.Now().Add(wait))
			continue
		}
		d.ui.log.WarnContext(d.ctx, "showing an operation", "operation", op.ID, "err", err, "again_in", pause)
		if !d.rest(s, pause) {
			d.leave(s)
			return
		}
		pause = min(2*pause, time.Minute)
	}
}

// next is the state to send, and false if there is none and the writer is to go.
func (d *display) next(s *sheet) (op release.Operation, version int, more bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !s.unsent || d.ctx.Err() != nil {
		s.writing = false
		d.announce()
		return release.Operation{}, 0, false
	}
	return s.want, s.version, true
}

// leave ends a writer before it is done.
func (d *display) leave(s *sheet) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.writing = false
	d.announce()
}

// announce wakes who waits for writers. d.mu is held.
func (d *display) announce() {
	close(d.changed)
	d.changed = make(chan struct{})
}

// sent takes note that a state is on Slack.
func (d *display) sent(s *sheet, version int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.version == version {
		s.unsent = false
	}
	d.announce()
}

// turn is how long to wait before an edit may be made; 0 if it may, and is
// then counted.
func (d *display) turn(s *sheet, op release.Operation) time.Duration {
	now := time.Now()
	if wait := max(d.ui.cfg.EditGap-now.Sub(s.last), s.after.Sub(now)); wait > 0 {
		return wait
	}
	return d.budget.take(urgencyOf(op.Progress, s.shown), now)
}

// rest waits, but not beyond a newer state, which may be more urgent. It
// reports false at the end.
func (d *display) rest(s *sheet, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.wake:
	case <-d.ctx.Done():
		return false
	}
	return true
}

func urgencyOf(now, shown release.Progress) urgency {
	switch {
	case now.Stage.Ended():
		return final
	case now.Stage != shown.Stage, now.Blind != shown.Blind, now.Stalled != shown.Stalled, (now.Cause == nil) != (shown.Cause == nil):
		return stage
	}
	return tick
}

// send brings a state to Slack: by an edit, or as a new message where there is
// none to edit.
func (d *display) send(s *sheet, op release.Operation, m card.Message) error {
	u := d.ui
	if s.place == (release.Place{}) {
		s.place = op.Message
	}
	if s.place == (release.Place{}) {
		return d.appear(s, op, m, u.target(op))
	}
	err := u.edit(d.ctx, s.place, m, mark(markOperation, op))
	if badContent(err) {
		u.log.ErrorContext(d.ctx, "Slack does not take a message's blocks; sending its text", "operation", op.ID, "err", err)
		err = u.edit(d.ctx, s.place, card.Message{Text: m.Text}, mark(markOperation, op))
	}
	switch slackCode(err) {
	case "message_not_found":
		return d.appear(s, op, m, s.place.Channel)
	case "channel_not_found", "not_in_channel", "is_archived":
		if s.place.Channel != u.cfg.Channel {
			return d.appear(s, op, m, u.cfg.Channel)
		}
	case "cant_update_message", "edit_window_closed":
		// No more edits; the end is told below the message.
		s.fixed = true
		if !op.Progress.Stage.Ended() {
			return nil
		}
		return d.tellBelow(s.place, op, m)
	}
	return err
}

// tellBelow replies to a message that cannot be edited, once.
func (d *display) tellBelow(place release.Place, op release.Operation, m card.Message) error {
	at, end := spot{place.Channel, place.TS}, mark(markEnd, op)
	if _, found, err := d.ui.look(d.ctx, at, *end, op.Created); found || err != nil && !definite(err) {
		return err
	}
	_, err := d.ui.post(d.ctx, at, m, end)
	return err
}

// appear finds the operation's message in a channel, or posts it there.
func (d *display) appear(s *sheet, op release.Operation, m card.Message, channel string) error {
	u := d.ui
	at := spot{channel: channel}
	place, found, err := u.look(d.ctx, at, *mark(markOperation, op), op.Created.Add(-clockSlack))
	if err != nil && !definite(err) {
		return fmt.Errorf("looking for the message: %w", err)
	}
	if found && place != s.place {
		err = u.edit(d.ctx, place, m, mark(markOperation, op))
	} else if place, err = u.post(d.ctx, at, m, mark(markOperation, op)); cannotPost(err) && channel != u.cfg.Channel {
		place, err = u.post(d.ctx, spot{channel: u.cfg.Channel}, m, mark(markOperation, op))
	}
	if err != nil {
		return err
	}
	s.place = place
	if u.cfg.Moved != nil {
		u.cfg.Moved(op.ID, place)
	}
	return nil
}

// fingerprint tells one card from another.
func fingerprint(m card.Message) string {
	b, err := json.Marshal(m)
	if err != nil {
		return "" // equal to nothing that was sent
	}
	return string(b)
}
