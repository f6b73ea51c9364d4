package automation

import (
	"context"
	"errors"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// soaked is a sight of dev, and what an attempt to promote has come to, if one
// was made.
type soaked struct {
	soak  release.Soak
	tried bool
	err   error
}

// verify has dev looked at while a rule wants its releases promoted by
// themselves, and says when to look again.
func (w *watcher) verify(ctx context.Context) time.Duration {
	rule, wanted := AutoPromoteOf(w.Settings.AutoPromote, w.app)
	if !wanted || w.env.Name != w.Environments.Dev.Name {
		return idleTime
	}
	if w.soaking {
		return idleTime
	}
	if wait := time.Until(w.soakAt); wait > 0 {
		return wait
	}
	w.soaking = true
	var before release.Soak
	if w.ledger.Soak != nil {
		before = *w.ledger.Soak
	}
	git, try := w.ledger.Content, time.Now().After(w.promoteAt)
	w.work.Go(func() {
		r := w.look(ctx, before, git)
		if try && r.err == nil && r.soak.Left(git.Tag, rule.Soak) == 0 {
			r.tried, r.err = true, w.promote(ctx, rule, r.soak)
		}
		select {
		case w.soaked <- r:
		case <-ctx.Done():
		}
	})
	return idleTime
}

// look is one sight of dev, asked for anew: what the watch last said may be old.
func (w *watcher) look(ctx context.Context, before release.Soak, git release.Content) soaked {
	asked, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	name := w.env.ApplicationName(w.app)
	s, err := w.Applications.Application(asked, name)
	if err != nil {
		return soaked{soak: before, err: err}
	}
	live, err := w.Applications.Live(asked, name)
	if err != nil {
		return soaked{soak: before, err: err}
	}
	dev := release.Running{Environment: w.env, Snapshot: s, Follows: s.Follows(w.URL, w.Branch), Live: live}
	return soaked{soak: before.Observe(release.SoakSight{At: time.Now().UTC(), Git: git, Dev: dev}, w.Rules)}
}

func (w *watcher) promote(ctx context.Context, rule AutoPromote, soak release.Soak) error {
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	hold, held, err := w.Store.Hold(ctx, w.app)
	if err != nil {
		return err
	}
	ask := release.AutoAsk{Soak: soak, Needed: rule.Soak, Window: rule.Window}
	if held {
		ask.Hold = &hold
	}
	_, err = w.Desk.AutoPromote(ctx, w.app, ask)
	return err
}

// soakEnded keeps a sight, and why the release was not promoted.
func (w *watcher) soakEnded(ctx context.Context, r soaked) {
	w.soaking = false
	w.soakAt = time.Now().Add(w.Times.Soak)
	var no, waiting *release.Refusal
	switch {
	case r.err == nil:
	case errors.As(r.err, &no):
		waiting = no
	case !r.tried:
		w.log.WarnContext(ctx, "looking whether dev is well", "err", r.err)
		return
	default:
		w.log.WarnContext(ctx, "promoting what was verified", "err", r.err)
	}
	if r.tried {
		w.promoteAt = time.Now().Add(w.Times.Promote)
	}
	l := w.ledger
	if l.Soak = &r.soak; r.tried {
		l.Waits = waiting
	}
	if err := w.save(ctx, l); err != nil && ctx.Err() == nil {
		w.log.WarnContext(ctx, "storing how long dev was well", "err", err)
	}
}
