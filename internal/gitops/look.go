package gitops

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
)

// look is one look at many commits. Its objects live as long as it does, and
// stay out of the cache, which must keep what the next push needs.
type look struct {
	r       *Repo
	objects map[plumbing.Hash]plumbing.EncodedObject
}

func (r *Repo) look() *look {
	return &look{r, map[plumbing.Hash]plumbing.EncodedObject{}}
}

func (l *look) fetch(ctx context.Context, a ask) error {
	pack, err := l.r.filters.fetch(ctx, l.r.host, a)
	if err != nil {
		return err
	}
	found, err := openPack(pack)
	if err != nil {
		return err
	}
	maps.Copy(l.objects, found)
	return nil
}

func (l *look) get(h plumbing.Hash, kind plumbing.ObjectType) ([]byte, bool) {
	if o, ok := l.objects[h]; ok && o.Type() == kind {
		data, err := readObject(o)
		return data, err == nil
	}
	return l.r.objects.get(h)
}

// bring fetches those objects that are not there yet, in one request.
func (l *look) bring(ctx context.Context, kind plumbing.ObjectType, hashes map[plumbing.Hash]bool) error {
	var absent []plumbing.Hash
	for h := range hashes {
		if _, ok := l.objects[h]; ok || h.IsZero() {
			continue
		}
		if _, ok := l.r.objects.get(h); !ok {
			absent = append(absent, h)
		}
	}
	if len(absent) == 0 {
		return nil
	}
	return l.fetch(ctx, askObjects(kind, absent))
}

// tree reads a tree; the zero hash is an empty one.
func (l *look) tree(h plumbing.Hash) ([]entry, error) {
	if h.IsZero() {
		return nil, nil
	}
	data, ok := l.get(h, plumbing.TreeObject)
	if !ok {
		return nil, fmt.Errorf("the host did not send tree %s", h)
	}
	return parseTree(data)
}

// cached finds the commits that tip has and neither an old one nor the trail has, if
// all of them are in the cache: reading the branch has just brought them there.
func (l *look) cached(tip plumbing.Hash, olds []plumbing.Hash, t trail) (map[plumbing.Hash][]byte, bool) {
	found := map[plumbing.Hash][]byte{}
	open := []plumbing.Hash{tip}
	for len(open) > 0 {
		h := open[len(open)-1]
		open = open[:len(open)-1]
		_, known := t.steps[h]
		if _, seen := found[h]; known || seen || slices.Contains(olds, h) {
			continue
		}
		data, ok := l.r.objects.get(h)
		if !ok {
			return nil, false
		}
		c, err := parseCommit(data)
		if err != nil {
			return nil, false
		}
		found[h] = data
		open = append(open, c.parents...)
	}
	return found, true
}

// commits fetches a page of the commits that tips have and olds have not, with
// their trees: a shorter one where the host's answer is too large, or too late.
func (l *look) commits(ctx context.Context, tips, olds []plumbing.Hash) (map[plumbing.Hash][]byte, error) {
	var err error
	deepen := l.r.page
	if len(olds) > 0 {
		// What olds have ends it, mostly soon. The host knows that they have it as
		// far as it is asked to look only, so that is far.
		deepen = l.r.page * maxCommits / pageCommits
	}
	for ; deepen > 1; deepen /= 4 {
		err = l.fetch(ctx, askTrail(tips, olds, deepen, l.r.depth))
		if late := errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil; !late && !errors.Is(err, errTooLarge) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	found := map[plumbing.Hash][]byte{}
	for h, o := range l.objects {
		if o.Type() != plumbing.CommitObject {
			continue
		}
		if found[h], err = readObject(o); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// pair is a commit with one of its parents.
type pair struct {
	commit plumbing.Hash
	parent int // which one
}

// steps works out what commits changed. Those whose first parent is not known
// are left out: the page ends there. Between says that it may also end at what
// was not asked for: those parents are fetched, for their trees.
func (l *look) steps(ctx context.Context, gained map[plumbing.Hash][]byte, t trail, between bool) (map[plumbing.Hash]step, error) {
	steps := make(map[plumbing.Hash]step, len(gained))
	for h, data := range gained {
		c, err := parseCommit(data)
		if err != nil {
			return nil, err
		}
		steps[h] = step{tree: c.tree, parents: c.parents}
	}
	if between {
		if err := l.bases(ctx, steps, t); err != nil {
			return nil, err
		}
	}
	var spots []spot
	for h, s := range steps {
		if len(s.parents) == 0 {
			spots = append(spots, spot{of: pair{h, 0}, after: s.tree, left: l.r.templates})
		}
		for i, p := range s.parents {
			before, known := l.root(p, steps, t)
			if known {
				spots = append(spots, spot{of: pair{h, i}, before: before, after: s.tree, left: l.r.templates})
			}
			if i == 0 && !known {
				delete(gained, h)
			}
		}
	}
	maps.DeleteFunc(steps, func(h plumbing.Hash, _ step) bool { return gained[h] == nil })
	found, err := l.differences(ctx, spots)
	if err != nil {
		return nil, err
	}
	for h, s := range steps {
		if s.changes = found[pair{h, 0}]; len(s.changes) == 0 {
			continue
		}
		for i, c := range s.changes {
			s.changes[i].own = true
			for n := range s.parents[min(1, len(s.parents)):] {
				s.changes[i].own = s.changes[i].own && touches(found[pair{h, n + 1}], c.path)
			}
		}
		s.details = parseDetails(gained[h])
		steps[h] = s
	}
	return steps, nil
}

// root is the tree of a commit, if that is known.
func (l *look) root(h plumbing.Hash, steps map[plumbing.Hash]step, t trail) (plumbing.Hash, bool) {
	if s, ok := steps[h]; ok {
		return s.tree, true
	}
	if s, ok := t.steps[h]; ok {
		return s.tree, true
	}
	data, ok := l.get(h, plumbing.CommitObject)
	if !ok {
		return plumbing.ZeroHash, false
	}
	c, err := parseCommit(data)
	return c.tree, err == nil
}

// bases fetches the parents of steps that are not known, in one request.
func (l *look) bases(ctx context.Context, steps map[plumbing.Hash]step, t trail) error {
	absent := map[plumbing.Hash]bool{}
	for _, s := range steps {
		for _, p := range s.parents {
			if _, known := l.root(p, steps, t); !known {
				absent[p] = true
			}
		}
	}
	if len(absent) == 0 {
		return nil
	}
	wants := make([]plumbing.Hash, 0, len(absent))
	for h := range absent {
		wants = append(wants, h)
	}
	return l.fetch(ctx, askTrail(wants, nil, 1, l.r.depth))
}
