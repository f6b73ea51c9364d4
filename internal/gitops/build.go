package gitops

import (
	"context"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/synestra/promoter/internal/release"
)

// batch is a chain of commits on top of a tip, one for each edit, that goes out
// in one push.
type batch struct {
	before known         // the state of the branch when it was begun
	tip    plumbing.Hash // it is built on
	head   plumbing.Hash // its last commit
	tree   plumbing.Hash // of head

	edits   []*edit
	commits []plumbing.Hash // of each edit
	gained  map[plumbing.Hash]commit
	objects []object
}

// build makes the commits of edits on a tip. Edits that the branch already has,
// or that cannot be made there, get their result. Others come back to be made
// later: those that touch a file which this batch already changes, so that what
// they are told rests on what has landed.
//
// The batch is nil if the tip is so old that it does not even hold an edit's
// base. Asked says that the tip is not: then the branch was rewritten.
func (r *Repo) build(ctx context.Context, tip plumbing.Hash, asked bool, edits []*edit) (b *batch, later []*edit) {
	b = &batch{before: r.state(), tip: tip, head: tip, gained: map[plumbing.Hash]commit{}}
	at, err := r.commitAt(ctx, tip)
	if err != nil {
		failAll(edits, err)
		return b, nil
	}
	b.tree = at.tree
	for i, e := range edits {
		if err := e.ctx.Err(); err != nil {
			e.fail(context.Cause(e.ctx))
			continue
		}
		if b.meets(e) {
			later = append(later, e)
			continue
		}
		s, err := r.between(ctx, e.base, tip)
		switch found := operation(s.gained, e.change.Operation); {
		case err != nil:
			e.fail(err)
		case !found.IsZero():
			e.settle(found, nil)
		case !s.contained && !asked:
			return nil, slices.Concat(later, b.edits, edits[i:])
		case !s.contained:
			e.settle(plumbing.ZeroHash, rewritten(e.change.Path))
		default:
			if e.searched = true; e.doubt != tip {
				e.doubt = plumbing.ZeroHash
			}
			if err := r.add(ctx, b, e); err != nil {
				e.fail(err)
			}
		}
	}
	return b, later
}

// meets says that an edit must wait for this batch: it changes the same file,
// or is the same change.
func (b *batch) meets(e *edit) bool {
	return slices.ContainsFunc(b.edits, func(other *edit) bool {
		return other.change.Path == e.change.Path || other.change.Operation == e.change.Operation
	})
}

// operation finds the commit of an operation by its trailer; the zero hash if
// there is none. Of several, as a cherry-pick makes them, it is the first one.
func operation(commits map[plumbing.Hash]commit, id string) plumbing.Hash {
	var found plumbing.Hash
	for h, c := range commits {
		if c.operation != id {
			continue
		}
		if below, _ := (history{commits: commits}).reach(found); !found.IsZero() && below[h].operation != id {
			continue
		}
		found = h
	}
	return found
}

// add makes the commit of one edit at the end of the batch. A
// [*release.Refusal] says why it cannot be made.
func (r *Repo) add(ctx context.Context, b *batch, e *edit) error {
	c := e.change
	get := b.over(r.object)
	way, last, ok, err := walk(ctx, get, b.tree, c.Path)
	if err != nil {
		return err
	}
	if !ok {
		return notEditable(c.Path, &release.Flaw{Reason: "there is no such file"})
	}
	if bad := (file{path: c.Path, entry: last}).flaw(); bad != nil {
		return notEditable(c.Path, bad)
	}
	data, err := get(ctx, last.hash, plumbing.BlobObject)
	if err != nil {
		return err
	}
	edited, err := r.editFile(data, c)
	if err != nil {
		return err
	}
	blob := newObject(plumbing.BlobObject, edited)
	trees := graft(way, blob.hash)
	root := trees[len(trees)-1].hash
	made := newCommit(c, r.committer, root, b.head)
	b.objects = append(append(b.objects, blob, made), trees...)
	b.gained[made.hash] = commit{tree: root, parents: []plumbing.Hash{b.head}, operation: c.Operation}
	b.edits, b.commits = append(b.edits, e), append(b.commits, made.hash)
	b.head, b.tree = made.hash, root
	return nil
}

// over puts the batch's own objects, which the host does not have yet, before
// those of another fetcher.
func (b *batch) over(below fetcher) fetcher {
	return func(ctx context.Context, h plumbing.Hash, kind plumbing.ObjectType) ([]byte, error) {
		if i := slices.IndexFunc(b.objects, func(o object) bool { return o.hash == h }); i >= 0 {
			return b.objects[i].data, nil
		}
		return below(ctx, h, kind)
	}
}

// editFile is compare-and-set in one file.
func (r *Repo) editFile(data []byte, c release.Change) ([]byte, error) {
	now, bad := readTag(data, r.tagPath)
	switch {
	case bad != nil:
		return nil, notEditable(c.Path, bad)
	case now == c.To:
		return nil, release.Refuse(release.CodeAlreadyThere, "", "`%s` already says `%s`: somebody else wrote it meanwhile.", c.Path, c.To)
	case now != c.From:
		return nil, release.Refuse(release.CodeMoved, "Look at what changed, then ask again.",
			"`%s` says `%s` now, no longer `%s`: somebody changed it meanwhile.", c.Path, now, c.From)
	}
	edited, bad := replaceTag(data, r.tagPath, c.To)
	if bad != nil {
		return nil, notEditable(c.Path, bad)
	}
	return edited, nil
}

func notEditable(path string, bad *release.Flaw) *release.Refusal {
	const do = "Correct the file, then ask again."
	if bad.Line > 0 {
		return release.Refuse(release.CodeNotEditable, do, "`%s` cannot be edited safely, line %d: %s.", path, bad.Line, bad.Reason)
	}
	return release.Refuse(release.CodeNotEditable, do, "`%s` cannot be edited safely: %s.", path, bad.Reason)
}

func rewritten(path string) *release.Refusal {
	return release.Refuse(release.CodeMoved, "Ask again.",
		"the branch was rewritten since the change of `%s` was decided.", path)
}
