package gitops

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/synestra/promoter/internal/release"
)

// trail is what commits did to the apps' layers and values. All of it stays
// true whatever becomes of the branch, so it is only ever added to.
type trail struct {
	tip   plumbing.Hash // up to where it was last brought
	steps map[plumbing.Hash]step
}

// step is one commit of a trail.
type step struct {
	tree    plumbing.Hash
	parents []plumbing.Hash
	changes []fileChange // towards the first parent
	details              // only where there are changes
}

// fileChange is one file before and after; zero stands for no such file.
type fileChange struct {
	path          string
	before, after plumbing.Hash
	own           bool // it differs from every parent: a merge may only pass changes on
}

// details are what people want to know of a commit.
type details struct {
	author   release.Identity
	subject  string
	at       time.Time // committer's
	trailers map[string]string
}

// pageCommits is how far back one request goes: the trees of a large repository
// are small on the wire, but not once they are unpacked. Of a merged branch that
// is longer than this, not every author may be known.
const pageCommits = 1000

// chain are the commits from tip along the first parents, newest first, down to
// since, which is not one of them; zero stands for the first commit of all.
// Whole says that it came there. If not, missing is the commit that would be
// next; zero if the bound is reached, or there is none.
func (t trail) chain(tip, since plumbing.Hash) (commits []plumbing.Hash, missing plumbing.Hash, whole bool) {
	for at := tip; len(commits) < maxCommits; {
		if at == since {
			return commits, missing, true
		}
		s, ok := t.steps[at]
		if !ok {
			return commits, at, false
		}
		commits = append(commits, at)
		if len(s.parents) == 0 {
			return commits, missing, since.IsZero()
		}
		at = s.parents[0]
	}
	return commits, missing, false
}

// edge are the commits that are not known themselves but something that can be
// reached from tip was built on them: tip itself at first.
func (t trail) edge(tip plumbing.Hash) []plumbing.Hash {
	if _, known := t.steps[tip]; !known {
		return []plumbing.Hash{tip}
	}
	found := map[plumbing.Hash]bool{}
	for _, h := range t.visit(tip, map[plumbing.Hash]bool{}) {
		for _, p := range t.steps[h].parents {
			if _, known := t.steps[p]; !known {
				found[p] = true
			}
		}
	}
	return slices.Collect(maps.Keys(found))
}

// trailTo brings the trail from tip down to since, a page at a time. There is
// one look at a time; nothing that writes waits for it, or finds its objects
// gone from the cache.
func (r *Repo) trailTo(ctx context.Context, tip, since plumbing.Hash) (trail, error) {
	if err := r.tracing.enter(ctx); err != nil {
		return trail{}, err
	}
	defer r.tracing.leave()
	var olds []plumbing.Hash
	if !since.IsZero() {
		olds = append(olds, since)
	}
	first := olds
	if !r.trail.tip.IsZero() {
		first = append(slices.Clip(olds), r.trail.tip)
	}
	_, missing, _ := r.trail.chain(tip, since)
	for now := first; !missing.IsZero(); now = olds {
		if missing != tip {
			now = olds
		}
		if err := r.extend(ctx, tip, now); err != nil {
			return trail{}, err
		}
		last := missing
		if _, missing, _ = r.trail.chain(tip, since); missing != last {
			continue
		}
		// The host sends nothing that an old one has, such as where since is not
		// behind tip, and they part.
		if len(now) == 0 {
			break
		}
		olds = nil
	}
	return r.trail, nil
}

// extend adds a page of the commits that tip has and the olds have not, as far
// as they are not known.
func (r *Repo) extend(ctx context.Context, tip plumbing.Hash, olds []plumbing.Hash) error {
	l, edge := r.look(), r.trail.edge(tip)
	gained, ok := map[plumbing.Hash][]byte(nil), false
	if slices.Contains(edge, tip) {
		gained, ok = l.cached(tip, olds, r.trail)
	}
	if !ok {
		var err error
		if gained, err = l.commits(ctx, edge, olds); err != nil {
			return err
		}
	}
	steps, err := l.steps(ctx, gained, r.trail, len(olds) > 0)
	if err != nil {
		return err
	}
	if len(r.trail.steps)+len(steps) <= 4*maxCommits {
		maps.Copy(steps, r.trail.steps)
	}
	r.trail = trail{tip, steps}
	r.traced.Store(&trail{tip, steps})
	return nil
}

// relation is where rev stands towards ours, as far as the trail leads from one
// to the other. That it does not is no proof of anything.
func (t trail) relation(ours, rev plumbing.Hash) (release.Relation, bool) {
	switch {
	case t.leads(rev, ours):
		return release.RelationNewer, true
	case t.leads(ours, rev):
		return release.RelationOlder, true
	}
	return release.RelationUnknown, false
}

// leads says that a commit can be reached from another one that is newer.
func (t trail) leads(from, to plumbing.Hash) bool {
	seen := map[plumbing.Hash]bool{from: true}
	for open := []plumbing.Hash{from}; len(open) > 0; {
		at := open[len(open)-1]
		open = open[:len(open)-1]
		for _, p := range t.steps[at].parents {
			if p == to {
				return true
			}
			if !seen[p] {
				seen[p] = true
				open = append(open, p)
			}
		}
	}
	return false
}
