package gitops

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

const (
	// maxTries bounds how often an edit is pushed while others keep moving the
	// branch.
	maxTries = 12
	// maxFailures bounds how often an edit is pushed to a host that gives no
	// verdict.
	maxFailures = 3
	// The pause before the third and every later try.
	leastPause, mostPause = 10 * time.Millisecond, 50 * time.Millisecond
)

// write lands what is queued, until ctx ends. It is the only writer.
func (r *Repo) write(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-r.queue:
			r.land(ctx, []*edit{e}, r.queued)
		}
	}
}

// queued takes everything that waits.
func (r *Repo) queued() []*edit {
	var waiting []*edit
	for {
		select {
		case e := <-r.queue:
			waiting = append(waiting, e)
		default:
			return waiting
		}
	}
}

// land brings edits into the branch, one commit each, in as few pushes as may
// be: what is queued meanwhile joins the next one. It builds on the tip as it
// was last seen, without asking, since a push onto an old one is refused. It
// returns when each edit has its result.
func (r *Repo) land(ctx context.Context, edits []*edit, more func() []*edit) {
	tip, asked := r.state().tip, false
	for {
		edits = append(edits, more()...)
		if len(edits) == 0 {
			return
		}
		if tip.IsZero() {
			var err error
			if tip, err = r.sync(ctx); err != nil {
				failAll(edits, err)
				return
			}
			asked = true
		}
		b, later := r.build(ctx, tip, asked, edits)
		switch {
		case b == nil:
			tip = plumbing.ZeroHash
		case len(b.edits) > 0:
			var again []*edit
			tip, again = r.push(ctx, b)
			asked, later = true, append(again, later...)
		}
		edits = later
	}
}

func failAll(edits []*edit, err error) {
	for _, e := range edits {
		e.fail(err)
	}
}

// push sends a batch and gives its edits their results, but for those to try
// again. It returns where the branch is then, the zero hash if it does not know.
//
// What the host says of a refusal is not looked at to decide. Where the branch
// is now says whether it was a race, a true refusal, or in truth a success.
func (r *Repo) push(ctx context.Context, b *batch) (plumbing.Hash, []*edit) {
	pack, err := packUp(b.objects)
	if err != nil {
		failAll(b.edits, err)
		return b.tip, nil
	}
	v, err := r.host.push(ctx, pushRequest{ref: r.ref, old: b.tip, new: b.head, pack: pack})
	if err == nil && v.ok {
		r.landed(b)
		return b.head, nil
	}
	if refusedUnheard(err) {
		failAll(b.edits, err)
		return b.tip, nil
	}
	if err != nil && !neverSent(err) {
		for _, e := range b.edits {
			e.doubt = b.tip
		}
	}
	now, asking := r.whereNow(ctx, b.tip, err == nil)
	switch {
	case asking != nil:
		failAll(b.edits, errors.Join(err, asking))
		return plumbing.ZeroHash, nil
	case now != b.tip:
		return now, r.lostRace(ctx, b.edits)
	}
	return now, r.unmoved(ctx, b.edits, v, err)
}

// whereNow asks where the branch is after a push that did not succeed. A rival
// whose push holds the ref's lock makes ours fail a moment before the branch
// moves, so after a refusal it is asked twice before the branch counts as unmoved.
func (r *Repo) whereNow(ctx context.Context, old plumbing.Hash, refused bool) (plumbing.Hash, error) {
	now, err := r.sync(ctx)
	if err != nil || now != old || !refused {
		return now, err
	}
	pause(ctx, leastPause, mostPause)
	return r.sync(ctx)
}

// lostRace counts a try. If one of the edits landed after all, the next build
// finds it.
func (r *Repo) lostRace(ctx context.Context, edits []*edit) []*edit {
	again, most := edits[:0], 0
	for _, e := range edits {
		if e.tries++; e.tries >= maxTries {
			e.fail(fmt.Errorf("others moved the branch %d times in a row", maxTries))
			continue
		}
		again, most = append(again, e), max(most, e.tries)
	}
	r.log.InfoContext(ctx, "the branch moved before the push", slog.Int("edits", len(again)), slog.Int("tries", most))
	if most >= 2 {
		pause(ctx, leastPause, mostPause)
	}
	return again
}

// unmoved deals with a push that left the branch where it was: refused, or
// without a verdict if there is an error.
func (r *Repo) unmoved(ctx context.Context, edits []*edit, v verdict, err error) []*edit {
	final := err == nil
	for _, e := range edits {
		// An earlier push without a verdict may hold the lock that this one met.
		final = final && e.doubt.IsZero()
	}
	switch {
	case final && len(edits) == 1:
		edits[0].settle(plumbing.ZeroHash, &Rejected{v.reason})
		return nil
	case final:
		// One bad edit must not sink the rest.
		for _, e := range edits {
			r.land(ctx, []*edit{e}, func() []*edit { return nil })
		}
		return nil
	}
	if err == nil {
		err = &hostError{v.reason}
	}
	again := edits[:0]
	for _, e := range edits {
		if e.failures++; e.failures >= maxFailures {
			e.fail(err)
			continue
		}
		again = append(again, e)
	}
	r.log.WarnContext(ctx, "no verdict on a push", slog.Any("error", err), slog.Int("edits", len(again)))
	pause(ctx, leastPause, mostPause)
	return again
}

// landed records a push that succeeded and tells the callers.
func (r *Repo) landed(b *batch) {
	for _, o := range b.objects {
		r.objects.put(o)
	}
	grown := history{root: b.head}
	if b.before.tip == b.tip {
		grown = b.before.history.grow(b.tip, b.head, b.gained)
	}
	r.moveTip(b.before, b.head, grown)
	for i, e := range b.edits {
		e.settle(b.commits[i], nil)
	}
}
