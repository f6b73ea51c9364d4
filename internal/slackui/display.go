package slackui

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/slackui/card"
)

// display keeps the messages of operations up to date: one writer for each,
// which sends the newest state it knows of, not each of them.
type display struct {
	ui      *UI
	budget  *budget
	ctx     context.Context //nolint:containedctx // the life of the writers, which no caller's is
	stop    context.CancelFunc
	writers sync.WaitGroup

	mu      sync.Mutex
	sheets  map[string]*sheet // by operation
	ended   bool
	changed chan struct{} // closed and renewed whenever a writer is done
}

// sheet is one operation's message. Its writer alone touches what is below
// the line; the rest is guarded by display.mu.
type sheet struct {
	want    release.Operation
	version int  // of want
	unsent  bool // want is not on Slack yet
	writing bool // there is a writer
	touched time.Time
	wake    chan struct{}

	// The writer's.
	place release.Place
	print string // what is on Slack, to tell whether an edit would change it
	shown release.Progress
	last  time.Time // of the last edit
	fixed bool      // Slack lets it be edited no more
	after time.Time // until then a post that was given up may still appear, so that looking for it proves nothing
}

// sheetAge is for how long a finished message is remembered, so that a late
// call with an older state cannot undo its end.
const sheetAge = time.Hour

func newDisplay(u *UI) *display {
	ctx, stop := context.WithCancel(context.Background())
	return &display{ui: u, budget: newBudget(), ctx: ctx, stop: stop, sheets: map[string]*sheet{}, changed: make(chan struct{})}
}

// Show redraws an operation's message, or posts it if it has none. It returns
// at once. Of several states the newest is sent; one that is older than what
// was asked for before is dropped. The end of an operation is sent whatever
// comes, for as long as the UI lives.
func (u *UI) Show(op release.Operation) { u.display.show(op) }

// Settle shows an operation and returns when that state, or a newer one, is on
// Slack.
func (u *UI) Settle(ctx context.Context, op release.Operation) error {
	u.display.show(op)
	return u.display.wait(ctx, func(id string, _ *sheet) bool { return id == op.ID })
}

func (d *display) show(op release.Operation) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return
	}
	s, known := d.sheets[op.ID]
	if known && s.outdates(op) {
		return
	}
	if !known {
		s = d.add(op)
		s.place = op.Message
	}
	s.want, s.unsent, s.touched = op, true, time.Now()
	s.version++
	if !s.writing {
		s.writing = true
		d.writers.Go(func() { d.write(s) })
		return
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// outdates says that what is wanted already is newer than op.
func (s *sheet) outdates(op release.Operation) bool {
	have, got := s.want.Progress, op.Progress
	return got.Seq < have.Seq || have.Stage.Ended() && !got.Stage.Ended()
}

// add makes a sheet and forgets those long finished. d.mu is held.
func (d *display) add(op release.Operation) *sheet {
	now := time.Now()
	for id, old := range d.sheets {
		if !old.writing && now.Sub(old.touched) > sheetAge && old.want.Progress.Stage.Ended() {
			delete(d.sheets, id)
		}
	}
	s := &sheet{want: op, touched: now, wake: make(chan struct{}, 1)}
	d.sheets[op.ID] = s
	return s
}

// opened takes note of a message that was just posted.
func (d *display) opened(op release.Operation, place release.Place, m card.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.sheets[op.ID]; known {
		return // its writer has found or posted it already
	}
	s := d.add(op)
	s.place, s.print, s.shown, s.last = place, fingerprint(m), op.Progress, time.Now()
}

// mayAppear takes note of a post that was given up and that Slack may still
// carry out until then.
func (d *display) mayAppear(op release.Operation, until time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.sheets[op.ID]; !known {
		d.add(op).after = until
	}
}

// Flush waits until the end of every ended operation is on Slack, then ends
// the writers for good; what is to be shown later is for the next process. On
// an error the ends of some operations are not shown.
func (u *UI) Flush(ctx context.Context) error {
	d := u.display
	err := d.wait(ctx, func(_ string, s *sheet) bool { return s.want.Progress.Stage.Ended() })
	d.mu.Lock()
	d.ended = true
	d.announce()
	d.mu.Unlock()
	d.stop()
	d.writers.Wait()
	return err
}

// wait returns when none of the sheets it is about has anything unsent.
func (d *display) wait(ctx context.Context, about func(id string, s *sheet) bool) error {
	for {
		d.mu.Lock()
		var left []error
		for id, s := range d.sheets {
			if s.unsent && about(id, s) {
				left = append(left, fmt.Errorf("operation %s is not shown as it stands", id))
			}
		}
		changed, ended := d.changed, d.ended
		d.mu.Unlock()
		switch {
		case ended:
			return errors.Join(append(left, errEnded)...)
		case len(left) == 0:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return errors.Join(append(left, ctx.Err())...)
		}
	}
}

// errEnded is for whoever wants something shown after [UI.Flush].
var errEnded = errors.New("nothing more is shown by this process")
