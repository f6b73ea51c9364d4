package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/synestra/promoter/internal/release"
)

// Holds lists the holds, by app.
func (s *Store) Holds(ctx context.Context) ([]release.Hold, error) {
	return holds(ctx, s.readers, `ORDER BY app`)
}

// Hold is the hold on the app.
func (s *Store) Hold(ctx context.Context, app release.App) (h release.Hold, found bool, err error) {
	all, err := holds(ctx, s.readers, `WHERE app = $1`, app)
	if err != nil || len(all) == 0 {
		return h, false, err
	}
	return all[0], true, nil
}

// Lift ends the hold on the app for a person's request, and returns it. The same
// request delivered again gets it again, so that who lifted it can still be
// told; any other finds none. It needs no lease: a person may do so in any
// process.
func (s *Store) Lift(ctx context.Context, app release.App, delivery string) (h release.Hold, lifted bool, err error) {
	if delivery == "" {
		return h, false, fmt.Errorf("lifting the hold on %s: the request has no delivery to be known again by", app)
	}
	err = s.write(ctx, func(tx *sql.Tx) error {
		all, err := storedHolds(ctx, tx, `WHERE app = $1`, app)
		if err != nil || len(all) == 0 || all[0].Lifted != "" && all[0].Lifted != delivery {
			return err
		}
		h, lifted = all[0].Hold, true
		return saveHold(ctx, tx, storedHold{h, delivery})
	})
	if err != nil {
		return release.Hold{}, false, fmt.Errorf("lifting the hold on %s: %w", app, explain(err))
	}
	return h, lifted, nil
}

// storedHold is a hold, and the request that lifted it, "" while it is on.
type storedHold struct {
	release.Hold
	Lifted string `json:",omitempty"`
}

func lift(ctx context.Context, tx *sql.Tx, app release.App) (bool, error) {
	return changed(tx.ExecContext(ctx, `DELETE FROM holds WHERE app = $1`, app))
}

func putHold(ctx context.Context, tx *sql.Tx, h release.Hold) error {
	return saveHold(ctx, tx, storedHold{Hold: h})
}

func saveHold(ctx context.Context, tx *sql.Tx, h storedHold) error {
	body, err := json.Marshal(h)
	if err == nil {
		_, err = tx.ExecContext(ctx, `INSERT INTO holds (app, body) VALUES ($1, $2) ON CONFLICT (app) DO UPDATE SET body = excluded.body`,
			h.App, string(body))
	}
	if err != nil {
		return fmt.Errorf("hold on %s: %w", h.App, err)
	}
	return nil
}

// holds are those that are on.
func holds(ctx context.Context, from querier, rest string, args ...any) ([]release.Hold, error) {
	all, err := storedHolds(ctx, from, rest, args...)
	var on []release.Hold
	for _, h := range all {
		if h.Lifted == "" {
			on = append(on, h.Hold)
		}
	}
	return on, err
}

func storedHolds(ctx context.Context, from querier, rest string, args ...any) ([]storedHold, error) {
	found, err := query(ctx, from, func(r row) (storedHold, error) {
		var h storedHold
		var app, body string
		if err := r.Scan(&app, &body); err != nil {
			return h, err
		}
		if err := json.Unmarshal([]byte(body), &h); err != nil {
			return h, fmt.Errorf("hold on %s: %w", app, err)
		}
		return h, nil
	}, `SELECT app, body FROM holds `+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("reading holds: %w", err)
	}
	return found, nil
}
