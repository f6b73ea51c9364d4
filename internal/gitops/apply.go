package gitops

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/synestra/promoter/internal/release"
)

// edit is a change on its way into the branch.
type edit struct {
	ctx    context.Context // of the caller who waits for it
	change release.Change
	base   plumbing.Hash
	done   chan result // has room for the one result

	// searched says that the branch was looked through, and does not have it.
	searched bool
	// doubt is the tip for which a push got no verdict, zero for none. While
	// the branch stands there, that push may still land.
	doubt           plumbing.Hash
	tries, failures int
}

type result struct {
	commit plumbing.Hash
	err    error
}

// Apply writes a change as one commit on top of the branch and returns the
// commit's hash. Applying the same change again, at any time and after any
// error, returns the commit that the branch already has and pushes nothing.
//
// Errors: a [*release.Refusal] and a [*Rejected] mean that the branch does not
// have the change. With [release.ErrOutcomeUnknown] that could not be told. Any other error
// means that it does not have it, and that trying again may help.
func (r *Repo) Apply(ctx context.Context, c release.Change) (release.Revision, error) {
	base, err := r.checkChange(c)
	if err != nil {
		return "", fmt.Errorf("applying a change: %w", err)
	}
	e := &edit{ctx: ctx, change: c, base: base, done: make(chan result, 1)}
	select {
	case r.queue <- e:
	case <-ctx.Done():
		return "", fmt.Errorf("%w: %w", release.ErrOutcomeUnknown, context.Cause(ctx))
	case <-r.closed.Done():
		return "", fmt.Errorf("%w: the repository is closed", release.ErrOutcomeUnknown)
	}
	select {
	case got := <-e.done:
		return got.revision()
	case <-ctx.Done():
	}
	select {
	case got := <-e.done:
		return got.revision()
	default:
		return "", fmt.Errorf("%w: %w", release.ErrOutcomeUnknown, context.Cause(ctx))
	}
}

func (g result) revision() (release.Revision, error) {
	if g.err != nil {
		return "", g.err
	}
	return revision(g.commit), nil
}

// checkChange finds what would make a change unsafe to write whatever the
// branch holds. Above all, its commit must be known again by its trailer.
func (r *Repo) checkChange(c release.Change) (plumbing.Hash, error) {
	base, err := hash(c.Base)
	if err != nil {
		return base, fmt.Errorf("its base: %w", err)
	}
	if _, err := release.ParseTag(string(c.To)); err != nil {
		return base, err
	}
	switch {
	case c.Operation == "" || trailer(c.Message, operationTrailer) != c.Operation:
		return base, errors.New("its message does not end with the trailer of its operation")
	case strings.ContainsRune(c.Message, 0):
		return base, errors.New("its message holds a NUL")
	case c.From == "" || c.From == c.To:
		return base, errors.New("it changes nothing")
	case !slices.ContainsFunc(r.both(), func(e release.Environment) bool { _, ok := appOf(c.Path, e); return ok }):
		return base, fmt.Errorf("%q is no release layer", c.Path)
	}
	return base, nil
}

// settle gives the caller the result.
func (e *edit) settle(commit plumbing.Hash, err error) { e.done <- result{commit, err} }

// fail ends an edit. Unless it is known that the branch does not have it, and
// that no push of it is still on its way, the outcome is unknown.
func (e *edit) fail(err error) {
	if !e.searched || !e.doubt.IsZero() {
		err = fmt.Errorf("%w: %w", release.ErrOutcomeUnknown, err)
	}
	e.settle(plumbing.ZeroHash, err)
}
