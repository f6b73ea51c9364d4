package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/synestra/promoter/internal/release"
)

// Ledgers lists all ledgers, by app and environment.
func (s *Store) Ledgers(ctx context.Context) ([]release.Ledger, error) {
	return ledgers(ctx, s.readers, `ORDER BY app, environment`)
}

// Ledger is the ledger of the app in the environment.
func (s *Store) Ledger(ctx context.Context, app release.App, environment string) (l release.Ledger, found bool, err error) {
	all, err := ledgers(ctx, s.readers, `WHERE app = $1 AND environment = $2`, app, environment)
	if err != nil || len(all) == 0 {
		return l, false, err
	}
	return all[0], true, nil
}

// Adopted says whether any ledger was ever stored: before that, nothing that
// is found is news.
func (s *Store) Adopted(ctx context.Context) (bool, error) {
	var adopted bool
	if err := s.readers.QueryRowContext(ctx, `SELECT count(*) > 0 FROM ledgers`).Scan(&adopted); err != nil {
		return false, fmt.Errorf("looking for ledgers: %w", explain(err))
	}
	return adopted, nil
}

// Record stores all of r, or nothing, for the holder of the named lease. What
// has an id or a key replaces what was stored under it, but where a notice
// stands in Slack is kept, see [Store.Shown]. A hold is put on after another is
// lifted: where both are one app's, it is held.
//
// The error is [release.ErrFenced] if the lease is not l's any more, and
// [release.ErrExists] if another notice of the same channel already tells of
// an item's update. Items without an update are like no other. A notice with a
// lower Seq than is stored is an error too.
func (s *Store) Record(ctx context.Context, name string, l release.Lease, r release.Record) error {
	err := s.leading(ctx, name, l, func(tx *sql.Tx) error {
		for _, ledger := range r.Ledgers {
			if err := putLedger(ctx, tx, ledger); err != nil {
				return err
			}
		}
		if err := putNotices(ctx, tx, r.Notices); err != nil {
			return err
		}
		if r.Lift != "" {
			if _, err := lift(ctx, tx, r.Lift); err != nil {
				return err
			}
		}
		if r.Hold != nil {
			return putHold(ctx, tx, *r.Hold)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("recording what was seen: %w", explain(err))
	}
	return nil
}

func putLedger(ctx context.Context, tx *sql.Tx, l release.Ledger) error {
	body, err := json.Marshal(l)
	if err == nil {
		_, err = tx.ExecContext(ctx, `
			INSERT INTO ledgers (app, environment, body) VALUES ($1, $2, $3)
			ON CONFLICT (app, environment) DO UPDATE SET body = excluded.body`,
			l.App, l.Environment, string(body))
	}
	if err != nil {
		return fmt.Errorf("ledger of %s in %s: %w", l.App, l.Environment, err)
	}
	return nil
}

func ledgers(ctx context.Context, from querier, rest string, args ...any) ([]release.Ledger, error) {
	found, err := query(ctx, from, func(r row) (release.Ledger, error) {
		var l release.Ledger
		var app, environment, body string
		if err := r.Scan(&app, &environment, &body); err != nil {
			return l, err
		}
		if err := json.Unmarshal([]byte(body), &l); err != nil {
			return l, fmt.Errorf("ledger of %s in %s: %w", app, environment, err)
		}
		return l, nil
	}, `SELECT app, environment, body FROM ledgers `+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("reading ledgers: %w", err)
	}
	return found, nil
}
