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

// Lift ends the hold on the app, and says whether there was one. It needs no
// lease: a person may do so in any process.
func (s *Store) Lift(ctx context.Context, app release.App) (lifted bool, err error) {
	err = s.write(ctx, func(tx *sql.Tx) error {
		lifted, err = lift(ctx, tx, app)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("lifting the hold on %s: %w", app, explain(err))
	}
	return lifted, nil
}

func lift(ctx context.Context, tx *sql.Tx, app release.App) (bool, error) {
	return changed(tx.ExecContext(ctx, `DELETE FROM holds WHERE app = $1`, app))
}

func putHold(ctx context.Context, tx *sql.Tx, h release.Hold) error {
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

func holds(ctx context.Context, from querier, rest string, args ...any) ([]release.Hold, error) {
	found, err := query(ctx, from, func(r row) (release.Hold, error) {
		var h release.Hold
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
