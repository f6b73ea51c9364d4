package gitops

import (
	"context"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/synestra/promoter/internal/release"
)

// maxFacts bounds the answers that are kept.
const maxFacts = 4096

// question is what was asked for a fact. Its answer never changes.
type question struct {
	commit, rev  release.Revision
	path, values string
	tag          release.Tag
}

// Fact is where a revision stands towards a commit of ours, and whether the
// layer at path has the tag there and, unless values is "", the file at values
// is as the commit has it. Where that cannot be told, the relation is unknown
// and the error says why.
func (r *Repo) Fact(ctx context.Context, commit, rev release.Revision, path, values string, tag release.Tag) (release.Fact, error) {
	q := question{commit, rev, path, values, tag}
	r.mu.Lock()
	known, ok := r.facts[q]
	r.mu.Unlock()
	if ok {
		return known, nil
	}
	fact, err := r.findFact(ctx, q)
	if err != nil {
		return release.Fact{}, fmt.Errorf("comparing %s with %s: %w", rev.Short(), commit.Short(), err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.facts) >= maxFacts {
		clear(r.facts)
	}
	r.facts[q] = fact
	return fact, nil
}

func (r *Repo) findFact(ctx context.Context, q question) (release.Fact, error) {
	ours, err := hash(q.commit)
	if err != nil {
		return release.Fact{}, err
	}
	theirs, err := hash(q.rev)
	if err != nil {
		return release.Fact{}, err
	}
	relation, err := r.relation(ctx, ours, theirs)
	if err != nil {
		return release.Fact{}, err
	}
	keeps, err := r.keeps(ctx, theirs, q.path, q.tag)
	if err == nil && keeps && q.values != "" {
		keeps, err = r.alike(ctx, ours, theirs, q.values)
	}
	if err != nil {
		return release.Fact{}, err
	}
	return release.Fact{Relation: relation, Keeps: keeps}, nil
}

// relation needs at most two questions to the host: what rev has and ours has
// not is little where rev is newer and nothing where it is older.
func (r *Repo) relation(ctx context.Context, ours, rev plumbing.Hash) (release.Relation, error) {
	if ours == rev {
		return release.RelationSame, nil
	}
	if t := r.traced.Load(); t != nil {
		if found, ok := t.relation(ours, rev); ok {
			return found, nil
		}
	}
	if !r.history().has(rev) {
		// Argo CD may have seen the branch before us. One fetch then brings its
		// files too; if this fails, what follows says so.
		if _, err := r.sync(ctx); err != nil {
			return "", err
		}
	}
	ahead, err := r.between(ctx, ours, rev)
	switch {
	case err != nil:
		return "", err
	case ahead.contained:
		return release.RelationNewer, nil
	case len(ahead.gained) == 0:
		return release.RelationOlder, nil
	}
	// Neither contains the other, or the host has lost our commit and so sent
	// all there is. Asking for it tells.
	if _, err := r.between(ctx, rev, ours); err != nil {
		return "", err
	}
	return release.RelationDiverged, nil
}

// keeps says whether the layer's tag at a commit is the given one, however it
// is written there. A file that is gone or cannot be parsed has no tag.
func (r *Repo) keeps(ctx context.Context, at plumbing.Hash, path string, tag release.Tag) (bool, error) {
	f, err := r.find(ctx, at, path)
	if err != nil || !f.regular() {
		return false, err
	}
	data, err := r.content(ctx, f)
	if err != nil {
		return false, err
	}
	value, ok := readValue(data, r.tagPath)
	return ok && value == string(tag), nil
}

// alike says that a path is the same at two commits, be it that neither has it.
func (r *Repo) alike(ctx context.Context, a, b plumbing.Hash, path string) (bool, error) {
	there, err := r.find(ctx, a, path)
	if err != nil {
		return false, err
	}
	here, err := r.find(ctx, b, path)
	return there.missing == here.missing && there.mode == here.mode && there.hash == here.hash, err
}
