package gitops

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/go-git/go-git/v5/plumbing"
)

// maxCommits bounds the history that is looked through for one question.
const maxCommits = 5000

// history is every commit that the branch has gained since root. What its
// commits reach beyond that, root reaches too.
type history struct {
	root    plumbing.Hash
	commits map[plumbing.Hash]commit
}

// grow is the history with the commits that tip has and old has not, where old
// is the tip so far. It starts anew at tip where the branch was rewritten, or
// where it would become too long.
func (h history) grow(old, tip plumbing.Hash, gained map[plumbing.Hash]commit) history {
	if !contains(gained, old) || len(h.commits)+len(gained) > maxCommits {
		return history{root: tip}
	}
	all := maps.Clone(h.commits)
	if all == nil {
		all = map[plumbing.Hash]commit{}
	}
	maps.Copy(all, gained)
	return history{h.root, all}
}

func (h history) has(c plumbing.Hash) bool {
	_, ok := h.commits[c]
	return ok || c == h.root
}

// contains says that a commit which itself is not among these is a parent of
// one of them: with all that a tip has and base has not, that tip contains base.
func contains(commits map[plumbing.Hash]commit, base plumbing.Hash) bool {
	for _, c := range commits {
		for _, p := range c.parents {
			if p == base {
				return true
			}
		}
	}
	return false
}

// reach is what can be reached from a commit within the history, and whether
// that includes root.
func (h history) reach(from plumbing.Hash) (map[plumbing.Hash]commit, bool) {
	found, atRoot := map[plumbing.Hash]commit{}, false
	open := []plumbing.Hash{from}
	for len(open) > 0 {
		at := open[len(open)-1]
		open = open[:len(open)-1]
		atRoot = atRoot || at == h.root
		c, ours := h.commits[at]
		if _, seen := found[at]; seen || !ours {
			continue
		}
		found[at] = c
		open = append(open, c.parents...)
	}
	return found, atRoot
}

// span is how two commits stand to each other.
type span struct {
	// gained are the commits that tip has and base has not.
	gained map[plumbing.Hash]commit
	// contained says that tip has base.
	contained bool
}

// between is the span of two commits of the history; false if it does not know
// enough to tell.
func (h history) between(base, tip plumbing.Hash) (span, bool) {
	if !h.has(tip) || !h.has(base) {
		return span{}, false
	}
	below, atRoot := h.reach(base)
	if !atRoot { // on a side branch that root is not part of
		return span{}, false
	}
	gained, tipAtRoot := h.reach(tip)
	_, contained := gained[base]
	contained = contained || base == h.root && tipAtRoot
	for c := range below {
		delete(gained, c)
	}
	return span{gained, contained}, true
}

// between is how two commits of the repository stand to each other, from what
// is known or else by asking the host for the commits alone.
func (r *Repo) between(ctx context.Context, base, tip plumbing.Hash) (span, error) {
	if base == tip {
		return span{contained: true}, nil
	}
	if found, ok := r.history().between(base, tip); ok {
		return found, nil
	}
	gained, err := r.fetchCommits(ctx, askCommits(base, tip))
	if errors.Is(err, errTooLarge) {
		err = errTooFar
	}
	if err != nil {
		return span{}, fmt.Errorf("reading the history from %.7s to %.7s: %w", base, tip, err)
	}
	return span{gained, contains(gained, base)}, nil
}
