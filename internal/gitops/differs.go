package gitops

import (
	"context"
	"fmt"

	"github.com/synestra/promoter/internal/release"
)

// Differs says whether what is at a path, a file or a folder, differs between
// two commits.
func (r *Repo) Differs(ctx context.Context, a, b release.Revision, path string) (bool, error) {
	var found [2]file
	for i, rev := range []release.Revision{a, b} {
		at, err := hash(rev)
		if err == nil {
			found[i], err = r.find(ctx, at, path)
		}
		if err != nil {
			return false, fmt.Errorf("comparing %s at %s and %s: %w", path, a.Short(), b.Short(), err)
		}
	}
	return found[0].missing != found[1].missing || found[0].hash != found[1].hash, nil
}
