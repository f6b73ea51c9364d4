package automation

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// progress is how an update stands.
type progress struct {
	update string
	p      release.Progress
	by     *follower
}

// follow has each open update followed, lets go of those that are closed, and
// says when to look again.
func (w *watcher) follow(ctx context.Context) (again time.Duration) {
	again = idleTime
	for id, f := range w.following {
		i := slices.IndexFunc(w.ledger.Open, func(u release.Update) bool { return u.ID == id && u.Progress.Stage != release.StageSuperseded })
		if i < 0 {
			w.letGo(id)
			delete(w.extras, id)
			delete(w.followAt, id)
		} else if f.manner != w.manner(w.ledger.Open[i]) {
			w.letGo(id) // what it is judged by has changed
		}
	}
	for _, u := range w.ledger.Open {
		if w.following[u.ID] != nil || u.Progress.Stage == release.StageSuperseded {
			continue
		}
		if wait := time.Until(w.followAt[u.ID]); wait > 0 {
			again = min(again, wait)
			continue
		}
		op, rules := w.ledger.Operation(u, w.env), w.Rules
		if u.Outcome != "" { // it has failed, and may recover
			rules.Noticed, rules.Syncing, rules.Rollout = recoveryTime, recoveryTime, recoveryTime
		}
		if op.Progress.Stage.Ended() {
			op.Progress = op.Progress.Reopened(time.Now().UTC())
		}
		following, stop := context.WithCancel(ctx)
		f := &follower{stop, w.manner(u)}
		w.following[u.ID] = f
		w.work.Go(func() {
			defer stop()
			w.Rollouts.Watch(following, op, rules, func(ctx context.Context, p release.Progress) {
				select {
				case w.progress <- progress{u.ID, p, f}:
				case <-ctx.Done():
				}
			})
		})
		w.lookUp(ctx, u)
	}
	return again
}

// follower is who follows an update.
type follower struct {
	stop   context.CancelFunc
	manner manner
}

// manner is what decides how an update is judged. It can change on its way: the
// branch goes on, a commit that was overtaken is judged by its sync, the
// Application is made anew.
type manner struct {
	how   release.How
	apart bool
	uid   string
}

func (w *watcher) manner(u release.Update) manner {
	return manner{u.How, w.ledger.Apart(u), u.Baseline.UID}
}

// letGo ends the following of an update.
func (w *watcher) letGo(id string) {
	if f := w.following[id]; f != nil {
		f.stop()
		delete(w.following, id)
	}
}

// progressed takes in how an update stands, and tells it.
func (w *watcher) progressed(ctx context.Context, p progress) {
	i := slices.IndexFunc(w.ledger.Open, func(u release.Update) bool { return u.ID == p.update })
	if i < 0 || w.following[p.update] != p.by {
		return // from one who was let go
	}
	u := w.ledger.Open[i]
	var rollouts map[string]string
	if u.How == release.HowChart && p.p.Stage == release.StageHealthy {
		rollouts = w.rollouts(ctx)
	}
	now := time.Now().UTC()
	l, telling := w.ledger.Progressed(p.update, p.p, rollouts, now)
	if p.p.Stage.Ended() {
		if !p.p.Stage.MayRecover() || u.Outcome != "" && now.Sub(u.FailedAt) >= recoveryTime {
			l = l.Drop(p.update)
		}
		w.letGo(p.update)
		if p.p.Stage.Failed() { // it may recover, and is followed anew
			w.followAt[p.update] = time.Now().Add(w.Times.Recover)
		}
	}
	var told []release.Telling
	if telling != nil {
		told = append(told, *telling)
		l = w.followUp(l, *telling)
	}
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		err := w.save(ctx, l, told...)
		if err == nil || ctx.Err() != nil {
			break
		}
		w.log.ErrorContext(ctx, "storing an update", "update", p.update, "err", err)
		if errors.Is(err, release.ErrFenced) || !pause(ctx, wait) {
			return
		}
	}
	if telling != nil && telling.Update.Outcome == release.StageHealthy && u.How != release.HowChart {
		w.ledger.Rollouts = nil // to be read anew
	}
}

func (w *watcher) rollouts(ctx context.Context) map[string]string {
	asked, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	live, err := w.Applications.Live(asked, w.ledger.Application)
	if err != nil || live.Problem != "" {
		w.log.WarnContext(ctx, "asking the cluster for its rollouts", "err", err)
		return nil
	}
	return live.Rollouts(w.ledger.Content.Repository)
}
