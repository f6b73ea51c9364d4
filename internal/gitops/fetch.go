package gitops

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/synestra/promoter/internal/release"
)

// filtering is which object filters a host lets us use. Hosts differ: GitHub
// serves blob:none, blob:limit and tree:0, but no combination; some serve none.
type filtering int

const (
	filterCombined filtering = iota // one request brings all trees down to the layers
	filterTrees                     // tree by tree
	filterBlobs                     // every tree, no files
	filterNothing                   // everything
)

// filters remembers what the host turned out to serve.
type filters struct {
	mu     sync.Mutex
	mode   filtering
	proven bool // a fetch in this mode has worked: a later error is not about the filter
}

func (f *filters) now() (filtering, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mode, f.proven
}

func (f *filters) worked(mode filtering) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mode, f.proven = mode, true
}

// ask is a fetch that differs with what the host can filter.
type ask func(filtering) fetchRequest

// askTip asks for a commit and the trees that may be looked through at depth.
func askTip(tip plumbing.Hash, depth int) ask {
	return func(mode filtering) fetchRequest {
		return fetchRequest{wants: []plumbing.Hash{tip}, deepen: 1, filter: [...]string{
			fmt.Sprintf("combine:blob:none+tree:%d", depth), "tree:0", "blob:none", "",
		}[mode]}
	}
}

// askDelta asks for what tip has and old has not. It does not deepen: on a
// store without thin packs, "deepen 1" makes the host send the whole snapshot.
func askDelta(old, tip plumbing.Hash) ask {
	return func(mode filtering) fetchRequest {
		return fetchRequest{wants: []plumbing.Hash{tip}, haves: []plumbing.Hash{old}, filter: [...]string{
			"blob:limit=64k", "blob:limit=64k", "blob:none", "",
		}[mode]}
	}
}

// askCommits asks for the commits alone that tip has and base has not.
func askCommits(base, tip plumbing.Hash) ask {
	return func(mode filtering) fetchRequest {
		return fetchRequest{wants: []plumbing.Hash{tip}, haves: []plumbing.Hash{base}, filter: [...]string{
			"tree:0", "tree:0", "blob:none", "",
		}[mode]}
	}
}

// askTrail asks for commits and the trees that may be looked through at depth:
// of each commit that tips have and olds have not, but no more than deepen back.
func askTrail(tips, olds []plumbing.Hash, deepen, depth int) ask {
	return func(mode filtering) fetchRequest {
		return fetchRequest{wants: tips, haves: olds, deepen: deepen, filter: [...]string{
			fmt.Sprintf("combine:blob:none+tree:%d", depth), "blob:none", "blob:none", "",
		}[mode]}
	}
}

// askObjects asks for trees or blobs by their hashes.
func askObjects(kind plumbing.ObjectType, hashes []plumbing.Hash) ask {
	return func(mode filtering) fetchRequest {
		f := fetchRequest{wants: hashes}
		if kind == plumbing.TreeObject {
			f.filter = [...]string{"tree:0", "tree:0", "blob:none", ""}[mode]
		}
		return f
	}
}

// fetch asks, with a weaker filter where the host refuses a stronger one, and
// keeps what came in the cache. A commit that the haves already contain is not
// sent, wanted or not, so callers look whether they got what they need.
func (r *Repo) fetch(ctx context.Context, a ask) (map[plumbing.Hash]object, error) {
	pack, err := r.filters.fetch(ctx, r.host, a)
	if err != nil {
		return nil, err
	}
	objects, err := unpack(pack)
	if err != nil {
		return nil, err
	}
	return r.keep(objects), nil
}

// fetch asks a host, with a weaker filter where it refuses a stronger one.
func (f *filters) fetch(ctx context.Context, host transport, a ask) ([]byte, error) {
	mode, proven := f.now()
	for {
		pack, err := host.fetch(ctx, a(mode))
		if mode < filterNothing && !proven && filterRefused(err) {
			mode++
			continue
		}
		if err != nil {
			return nil, err
		}
		f.worked(mode)
		return pack, nil
	}
}

// filterRefused says that the host's error may be about the filter. What it
// says is not looked at: a weaker filter shows it.
func filterRefused(err error) bool {
	var said *hostError
	var status *statusError
	switch {
	case errors.Is(err, errNoFilters), errors.Is(err, errTruncated), errors.As(err, &said):
		return true
	case errors.Is(err, release.ErrUnauthorized), errors.Is(err, ErrNotFound):
		return false
	}
	return errors.As(err, &status) && status.final()
}

// keep puts objects into the cache: blobs first, so that where room is short
// the trees stay.
func (r *Repo) keep(objects []object) map[plumbing.Hash]object {
	slices.SortFunc(objects, func(a, b object) int { return int(b.kind) - int(a.kind) })
	all := make(map[plumbing.Hash]object, len(objects))
	for _, o := range objects {
		r.objects.put(o)
		all[o.hash] = o
	}
	return all
}

// object is a tree or a blob, from the cache or from the host. It is a [fetcher].
func (r *Repo) object(ctx context.Context, h plumbing.Hash, kind plumbing.ObjectType) ([]byte, error) {
	if data, ok := r.objects.get(h); ok {
		return data, nil
	}
	found, err := r.fetch(ctx, askObjects(kind, []plumbing.Hash{h}))
	if err != nil {
		return nil, err
	}
	o, ok := found[h]
	if !ok || o.kind != kind {
		return nil, fmt.Errorf("the host did not send %s %s", kind, h)
	}
	return o.data, nil
}

// fetchCommits brings the commits that tip has and base has not. There are none
// where base contains tip.
func (r *Repo) fetchCommits(ctx context.Context, a ask) (map[plumbing.Hash]commit, error) {
	objects, err := r.fetch(ctx, a)
	if err != nil {
		return nil, err
	}
	found := map[plumbing.Hash]commit{}
	for h, o := range objects {
		if o.kind != plumbing.CommitObject {
			continue
		}
		if found[h], err = parseCommit(o.data); err != nil {
			return nil, err
		}
	}
	if len(found) > maxCommits {
		return nil, errTooFar
	}
	return found, nil
}
