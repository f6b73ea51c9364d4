package gitops

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/synestra/promoter/internal/release"
)

// pollEvery is how often Run asks where the branch is, give or take a quarter.
const pollEvery = 20 * time.Second

// Run keeps the known tip of the branch, and the connection to the host, fresh
// until ctx ends, so that a push seldom has to ask first. Everything works
// without it, more slowly. It returns nil.
func (r *Repo) Run(ctx context.Context) error {
	failing := false
	for {
		_, err := r.sync(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !failing:
			r.log.WarnContext(ctx, "cannot read the branch", slog.Any("error", err))
		case err == nil && failing:
			r.log.InfoContext(ctx, "the branch can be read again")
		}
		failing = err != nil
		if !pause(ctx, r.poll*3/4, r.poll*5/4) {
			return nil
		}
	}
}

// pause waits for a random time; false if ctx ends first.
func pause(ctx context.Context, least, most time.Duration) bool {
	timer := time.NewTimer(least + rand.N(most-least))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// known is the state of the branch as it was last seen. Being behind costs a
// refused push, never a wrong one.
type known struct {
	tip     plumbing.Hash // zero before the branch was first read
	history history
	changes int // how often tip was set
}

func (r *Repo) state() known {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known
}

func (r *Repo) history() history { return r.state().history }

// moveTip records where the branch is, unless somebody else has since before.
func (r *Repo) moveTip(before known, tip plumbing.Hash, h history) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known.changes == before.changes {
		r.known = known{tip, h, before.changes + 1}
		r.publish(tip)
	}
}

// publish hands the tip to the followers. r.mu is held, and only its holder
// sends, so there is room once the old value is taken out.
func (r *Repo) publish(tip plumbing.Hash) {
	for ch := range r.followers {
		select {
		case <-ch:
		default:
		}
		ch <- revision(tip)
	}
}

// Follow gives the branch's newest tip each time the known one moves, the
// present one at once if there is one. Who is slow misses the ones between. The
// channel is never closed; call stop when done with it. It asks the host
// nothing: the tip becomes known by Run and by whatever asks for it.
func (r *Repo) Follow() (tips <-chan release.Revision, stop func()) {
	ch := make(chan release.Revision, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.followers[ch] = struct{}{}
	if !r.known.tip.IsZero() {
		ch <- revision(r.known.tip)
	}
	return ch, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.followers, ch)
	}
}

// lastTip is where the branch was last seen; it asks only if it never was.
func (r *Repo) lastTip(ctx context.Context) (plumbing.Hash, error) {
	if tip := r.state().tip; !tip.IsZero() {
		return tip, nil
	}
	return r.sync(ctx)
}

// sync asks where the branch is now and brings what is new there.
func (r *Repo) sync(ctx context.Context) (plumbing.Hash, error) {
	asked := r.state()
	tip, err := r.asking.tip(ctx, func(ctx context.Context) (plumbing.Hash, error) { return r.host.tip(ctx, r.ref) })
	if err != nil {
		return tip, err
	}
	// One at a time: whoever waited finds the work done.
	if err := r.learning.enter(ctx); err != nil {
		return tip, err
	}
	defer r.learning.leave()
	before := r.state()
	// An answer may be older than what was pushed while it was on its way.
	if before.tip == tip || before.changes != asked.changes && before.history.has(tip) {
		return tip, nil
	}
	if !before.tip.IsZero() {
		gained, err := r.fetchCommits(ctx, askDelta(before.tip, tip))
		if err == nil {
			grown := before.history.grow(before.tip, tip, gained)
			if !contains(gained, before.tip) {
				r.log.WarnContext(ctx, "the branch was rewritten", slog.String("before", before.tip.String()), slog.String("now", tip.String()))
			}
			r.moveTip(before, tip, grown)
			return tip, nil
		}
		if !errors.Is(err, errTooLarge) && !errors.Is(err, errTooFar) {
			return tip, err
		}
	}
	if _, err := r.fetch(ctx, askTip(tip, r.depth)); err != nil {
		return tip, fmt.Errorf("reading %.7s: %w", tip, err)
	}
	r.moveTip(before, tip, history{root: tip})
	return tip, nil
}

// commitAt is a commit of the repository, from what is known or from the host.
func (r *Repo) commitAt(ctx context.Context, h plumbing.Hash) (commit, error) {
	if c, ok := r.history().commits[h]; ok {
		return c, nil
	}
	data, ok := r.objects.get(h)
	if !ok {
		found, err := r.fetch(ctx, askTip(h, r.depth))
		if err != nil {
			return commit{}, fmt.Errorf("reading commit %.7s: %w", h, err)
		}
		if found[h].kind != plumbing.CommitObject {
			return commit{}, fmt.Errorf("the host did not send commit %s", h)
		}
		data = found[h].data
	}
	return parseCommit(data)
}
