package automation

import (
	"context"
	"log/slog"

	"github.com/synestra/promoter/internal/release"
)

// Changelogs tells what lies between two releases.
type Changelogs struct {
	Sources []Source
	// Between lists the newest commits of a source that one commit has and
	// another has not, and how many more there are.
	Between func(ctx context.Context, s Source, from, to string) ([]release.SourceCommit, int, error)
	Log     *slog.Logger
}

// Changelog is what the app's release brings against the one before, nil if no
// source is configured for it.
func (c Changelogs) Changelog(ctx context.Context, app release.App, from, to release.Tag) *release.Changelog {
	source, found := SourceOf(c.Sources, app)
	if !found || from == "" {
		return nil
	}
	log := &release.Changelog{Compare: source.Difference(from, to)}
	a, known := source.Commit(from)
	b, named := source.Commit(to)
	if !known || !named {
		log.Note = "the tags name no commits"
		return log
	}
	var err error
	if log.Commits, log.More, err = c.Between(ctx, source, a, b); err != nil {
		c.Log.WarnContext(ctx, "listing what a release brings", "app", app, "from", from, "to", to, "err", err)
		log.Note = "the commits could not be read"
	}
	return log
}
