package gitops

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/synestra/promoter/internal/release"
)

// History is how an app's layer and values in the environment came to say what
// they say at the branch's tip as it was last seen (it is asked for only where it
// never was, so that a reading of every app asks once): the steps along the
// first parents, newest first, that changed it, down to since and without it; ""
// stands for the beginning. Most bounds the edits, 0 for none.
//
// It is not whole where most or the bound of 5,000 commits cuts it off, or where
// since is not behind the tip on that line, as after the branch was rewritten.
//
// All that commits did is learned at once, for every app, and kept: further
// questions cost what is new, in a bounded number of requests.
func (r *Repo) History(ctx context.Context, app release.App, environment string, since release.Revision, most int) (release.History, error) {
	env, err := r.named(environment)
	if err != nil {
		return release.History{}, err
	}
	found, err := r.historyOf(ctx, env, app, since)
	if err != nil {
		return release.History{}, fmt.Errorf("reading the history of %s in %s: %w", app, environment, err)
	}
	if most > 0 && len(found.Edits) > most {
		found.Edits, found.Whole = found.Edits[:most], false
	}
	return found, nil
}

func (r *Repo) historyOf(ctx context.Context, env release.Environment, app release.App, since release.Revision) (release.History, error) {
	var base plumbing.Hash
	if since != "" {
		var err error
		if base, err = hash(since); err != nil {
			return release.History{}, err
		}
	}
	tip, err := r.lastTip(ctx)
	if err != nil {
		return release.History{}, err
	}
	p := place{env.LayerPath(app), env.ValuesPath(app), tip}
	layer, values, err := r.files(ctx, p)
	if err != nil {
		return release.History{}, err
	}
	t, err := r.trailTo(ctx, tip, base)
	if err != nil {
		return release.History{}, err
	}
	commits, _, whole := t.chain(tip, base)
	states, err := t.states(commits, p, layer, values)
	if err != nil {
		return release.History{}, err
	}
	blobs := map[plumbing.Hash]bool{layer: true}
	for _, s := range states {
		blobs[s.before[0]] = true
	}
	texts, err := r.look().layers(ctx, blobs)
	if err != nil {
		return release.History{}, err
	}
	h := release.History{Tip: revision(tip), Now: said(texts, layer, values), Whole: whole}
	merged := t.merged(commits, p)
	for _, s := range states {
		before, after := said(texts, s.before[0], s.before[1]), said(texts, s.after[0], s.after[1])
		if !before.Same(after) {
			h.Edits = append(h.Edits, t.edit(s.commit, merged[s.commit], before, after))
		}
	}
	if !whole && !base.IsZero() && t.leads(tip, base) {
		return r.mergedOver(ctx, h, t, p, app, env, base)
	}
	return h, nil
}

// mergedOver is the history of a branch that was merged into somebody's own line
// and went on with that, as git pull does: since is not on its first parents. It
// is one step, of all commits that since has not.
func (r *Repo) mergedOver(ctx context.Context, h release.History, t trail, p place, app release.App, env release.Environment, since plumbing.Hash) (release.History, error) {
	before, err := r.Content(ctx, app, env.Name, revision(since))
	if err != nil {
		return release.History{}, err
	}
	h.Edits, h.Whole = nil, true
	if before.Same(h.Now) {
		return h, nil
	}
	seen := map[plumbing.Hash]bool{}
	t.visit(since, seen)
	merged := slices.DeleteFunc(t.visit(p.at, seen), func(c plumbing.Hash) bool { return !t.steps[c].touched(p) })
	t.newestFirst(merged)
	h.Edits = []release.Edit{t.edit(p.at, merged, before, h.Now)}
	return h, nil
}

// state is what an app's files were before and after a commit: layer, values.
type state struct {
	commit        plumbing.Hash
	before, after [2]plumbing.Hash
}

// states goes back along commits from what the files are at the first of them.
func (t trail) states(commits []plumbing.Hash, p place, layer, values plumbing.Hash) ([]state, error) {
	var found []state
	now := [2]plumbing.Hash{layer, values}
	for _, h := range commits {
		s := state{h, now, now}
		for _, c := range t.steps[h].changes {
			for i, path := range []string{p.layer, p.values} {
				if c.path != path {
					continue
				}
				if c.after != now[i] {
					return nil, errors.New("the commits do not lead to what the branch holds")
				}
				s.before[i] = c.before
			}
		}
		if s.before != s.after {
			found, now = append(found, s), s.before
		}
	}
	return found, nil
}

// merged are the commits that each merge among commits brought in and that
// changed a place's files, newest first. Commits are newest first.
func (t trail) merged(commits []plumbing.Hash, p place) map[plumbing.Hash][]plumbing.Hash {
	found, seen := map[plumbing.Hash][]plumbing.Hash{}, map[plumbing.Hash]bool{}
	for i, h := range slices.Backward(commits) {
		parents := t.steps[h].parents
		if i == len(commits)-1 && len(parents) > 0 {
			t.visit(parents[0], seen)
		}
		seen[h] = true
		for n := 1; n < len(parents); n++ {
			for _, m := range t.visit(parents[n], seen) {
				if t.steps[m].touched(p) {
					found[h] = append(found[h], m)
				}
			}
		}
		t.newestFirst(found[h])
	}
	return found
}

func (t trail) newestFirst(commits []plumbing.Hash) {
	slices.SortStableFunc(commits, func(a, b plumbing.Hash) int { return t.steps[b].at.Compare(t.steps[a].at) })
}

// touched says that a commit itself changed a place's files.
func (s step) touched(p place) bool {
	return slices.ContainsFunc(s.changes, func(c fileChange) bool { return c.own && (c.path == p.layer || c.path == p.values) })
}

// visit marks what can be reached from a commit as seen, and returns what had
// not been.
func (t trail) visit(from plumbing.Hash, seen map[plumbing.Hash]bool) []plumbing.Hash {
	var found []plumbing.Hash
	open := []plumbing.Hash{from}
	for len(open) > 0 {
		h := open[len(open)-1]
		open = open[:len(open)-1]
		s, ok := t.steps[h]
		if !ok || seen[h] {
			continue
		}
		seen[h] = true
		found = append(found, h)
		open = append(open, s.parents...)
	}
	return found
}

// edit tells of a step: whose it is, and in whose words. A merge's own words
// say nothing where it has no trailers and merged one change only.
func (t trail) edit(h plumbing.Hash, merged []plumbing.Hash, before, after release.Content) release.Edit {
	s := t.steps[h]
	e := release.Edit{Revision: revision(h), Before: before, After: after, Subject: s.subject, At: s.at, Trailers: s.trailers}
	for _, m := range merged {
		if a := t.steps[m].author; !slices.Contains(e.Authors, a) {
			e.Authors = append(e.Authors, a)
		}
	}
	if len(merged) == 0 {
		e.Authors = []release.Identity{s.author}
	}
	if len(merged) == 1 && len(s.trailers) == 0 {
		e.Subject, e.Trailers = t.steps[merged[0]].subject, t.steps[merged[0]].trailers
	}
	return e
}
