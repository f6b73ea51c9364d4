package gitops

import (
	"context"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/synestra/promoter/internal/release"
)

// maxChanged is how many commits are looked through for the one that changed a
// path.
const maxChanged = 500

// Changed is the newest commit that changed what is at a path, a file or a
// folder, on the way from a to b; nil where a and b have the same there. Where no
// such commit is found, since b does not come after a or too much lies between
// them, it is b itself, in nobody's words.
func (r *Repo) Changed(ctx context.Context, a, b release.Revision, path string) (*release.Edit, error) {
	found, err := r.changed(ctx, a, b, path)
	if err != nil {
		return nil, fmt.Errorf("comparing %s at %s and %s: %w", path, a.Short(), b.Short(), err)
	}
	return found, nil
}

func (r *Repo) changed(ctx context.Context, a, b release.Revision, path string) (*release.Edit, error) {
	from, err := hash(a)
	if err != nil {
		return nil, err
	}
	to, err := hash(b)
	if err != nil {
		return nil, err
	}
	was, err := r.find(ctx, from, path)
	if err != nil {
		return nil, err
	}
	is, err := r.find(ctx, to, path)
	if err != nil || sameFile(was, is) {
		return nil, err
	}
	l := r.look()
	raw, err := l.commits(ctx, []plumbing.Hash{to}, []plumbing.Hash{from})
	if err != nil {
		return nil, err
	}
	unknown := &release.Edit{Revision: b}
	at := to
	for range maxChanged {
		if raw[at] == nil {
			return unknown, nil // a has it, too
		}
		c, err := parseCommit(raw[at])
		if err != nil {
			return nil, err
		}
		next := plumbing.ZeroHash // the parent that has the same there
		for _, p := range c.parents {
			has := was
			switch {
			case p == from:
			case raw[p] != nil:
				has, err = l.at(ctx, raw[p], path)
			default:
				has, err = r.find(ctx, p, path)
			}
			if err != nil {
				return nil, err
			}
			if sameFile(has, is) {
				next = p
				break
			}
		}
		if next.IsZero() {
			d := parseDetails(raw[at])
			return &release.Edit{Revision: revision(at), Authors: []release.Identity{d.author}, Subject: d.subject, At: d.at, Trailers: d.trailers}, nil
		}
		at = next
	}
	return unknown, nil
}

// at looks a path up at a commit.
func (l *look) at(ctx context.Context, data []byte, path string) (file, error) {
	c, err := parseCommit(data)
	if err != nil {
		return file{}, err
	}
	_, e, ok, err := walk(ctx, func(ctx context.Context, h plumbing.Hash, kind plumbing.ObjectType) ([]byte, error) {
		if data, ok := l.get(h, kind); ok {
			return data, nil
		}
		return l.r.object(ctx, h, kind)
	}, c.tree, path)
	return file{path, !ok, e}, err
}

func sameFile(a, b file) bool { return a.missing == b.missing && a.hash == b.hash }
