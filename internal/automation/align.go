package automation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// aligned is what an attempt to align dev has come to.
type aligned struct {
	alignment release.Alignment
	err       error
}

// followUp has dev follow, once prod is proven to run another release that Git
// asks for.
func (w *watcher) followUp(l release.Ledger, t release.Telling) release.Ledger {
	u := t.Update
	other := u.To.Tag != t.From.Content.Tag || t.Recovered > 0
	if w.env.Name != w.Environments.Prod.Name || w.Settings.Align == release.AlignNever ||
		u.Outcome != release.StageHealthy || !other || u.To.Tag != l.Content.Tag {
		return l
	}
	l.Alignment = &release.Alignment{Update: u.ID, To: u.To.Tag, Since: time.Now().UTC()}
	w.alignAt = time.Time{}
	return l
}

// align has the desk try, beside the watching, and says when to look again.
func (w *watcher) align(ctx context.Context) time.Duration {
	a := w.ledger.Alignment
	if a == nil || w.aligning {
		return idleTime
	}
	if wait := time.Until(w.alignAt); wait > 0 {
		return wait
	}
	w.aligning = true
	wanted := *a
	w.work.Go(func() {
		r := aligned{alignment: wanted}
		r.err = w.tryAlign(ctx, wanted)
		select {
		case w.aligned <- r:
		case <-ctx.Done():
		}
	})
	return idleTime
}

func (w *watcher) tryAlign(ctx context.Context, a release.Alignment) error {
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	hold, held, err := w.Store.Hold(ctx, w.app)
	if err != nil {
		return err
	}
	on := &hold
	if !held {
		on = nil
	}
	_, err = w.Desk.Align(ctx, w.app, a.Update, release.AlignAsk{To: a.To, Mode: w.Settings.Align, Hold: on})
	return err
}

// alignmentEnded keeps what an attempt has come to, and says it.
func (w *watcher) alignmentEnded(ctx context.Context, r aligned) {
	w.aligning = false
	l := w.ledger
	if l.Alignment == nil || l.Alignment.Update != r.alignment.Update {
		return // prod has moved on
	}
	var no *release.Refusal
	said := ""
	switch {
	case r.err == nil:
		l.Alignment = nil
	case !errors.As(r.err, &no):
		w.log.WarnContext(ctx, "aligning dev", "err", r.err)
		w.alignAt = time.Now().Add(w.Times.Retry)
		return
	case no.Code == release.CodeInProgress: // mostly the promotion itself, which is about to end
		w.alignAt = time.Now().Add(w.Times.AlignSoon)
		return
	case no.Code.Passing() && no.Code != release.CodeHeld:
		w.alignAt = time.Now().Add(w.Times.Align)
		if l.Alignment.Wait == no.Say {
			return
		}
		waiting := *l.Alignment
		waiting.Wait = no.Say
		l.Alignment, said = &waiting, fmt.Sprintf("%s follows later: %s", w.Environments.Dev.Name, no.Say)
	case no.Code == release.CodeAtBaseline, no.Code == release.CodeMoved: // nothing to say
		l.Alignment = nil
		if err := w.save(ctx, l); err != nil && ctx.Err() == nil {
			w.log.WarnContext(ctx, "storing an alignment", "err", err)
			w.alignAt = time.Now().Add(w.Times.Retry)
		}
		return
	default:
		l.Alignment, said = nil, strings.TrimSpace(no.Say+" "+no.Do)
	}
	if err := w.save(ctx, l); err != nil {
		w.log.WarnContext(ctx, "storing an alignment", "err", err)
		w.alignAt = time.Now().Add(w.Times.Retry) // the desk begins none twice
		return
	}
	w.tellDev(ctx, r.alignment, said)
}

// tellDev says in the update's notices what became of dev. Where an operation's
// message stands in a notice's place, that dev was left alone is a notice of
// its own; an alignment has a message of its own.
func (w *watcher) tellDev(ctx context.Context, a release.Alignment, said string) {
	line := said
	if line == "" {
		line = fmt.Sprintf("%s follows to `%s`", w.Environments.Dev.Name, a.To)
	}
	for _, channel := range Routes(w.Settings.Routes, w.app, w.env.Name, release.NoticeAlignment) {
		if err := w.tellDevIn(ctx, channel, a, line, said != ""); err != nil && ctx.Err() == nil {
			w.log.WarnContext(ctx, "telling what became of dev", "channel", channel, "err", err)
		}
	}
}

func (w *watcher) tellDevIn(ctx context.Context, channel string, a release.Alignment, line string, news bool) error {
	own := a.Update + "/dev"
	for _, update := range []string{a.Update, own} {
		_, stands, err := w.Store.NoticeOf(ctx, update, channel)
		if err != nil {
			return err
		}
		if stands {
			return w.outbox.amend(ctx, update, channel, func(item *release.Item) bool {
				changed := item.Dev != line
				item.Dev = line
				return changed
			})
		}
	}
	if !news {
		return nil
	}
	item := release.Item{
		Update: own, Kind: release.NoticeAlignment, App: w.app, Environment: w.Environments.Dev.Name,
		Application: w.Environments.Dev.ApplicationName(w.app), To: a.To, At: time.Now().UTC(), Dev: line,
	}
	return w.outbox.record(ctx, release.Record{}, []addressed{{channel: channel, item: item, kind: release.NoticeAlignment}})
}
