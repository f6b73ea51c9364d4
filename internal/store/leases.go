package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// take is the lease in the hands of owner for ttl from now on, and true, if it
// is free, has expired, or is the owner's own. Otherwise it stays as it is.
func take(l release.Lease, owner string, ttl time.Duration, now time.Time) (release.Lease, bool) {
	if l.Owner != "" && l.Owner != owner && l.Until.After(now) {
		return l, false
	}
	if l.Owner != owner {
		l.Fence++
	}
	l.Owner, l.Until = owner, now.Add(ttl).UTC()
	return l, true
}

// Lead takes or renews the lease of that name for ttl, on the terms of
// [Store.Claim]. It returns the lease as it stands, and whether the owner has
// it now.
func (s *Store) Lead(ctx context.Context, name, owner string, ttl time.Duration, now time.Time) (lease release.Lease, ours bool, err error) {
	if owner == "" {
		return lease, false, fmt.Errorf("taking the lease %s: the owner has no name", name)
	}
	err = s.write(ctx, func(tx *sql.Tx) error {
		var until int64
		err := tx.QueryRowContext(ctx, `SELECT owner, fence, lease_until FROM leases WHERE name = $1`, name).Scan(&lease.Owner, &lease.Fence, &until)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		lease.Until = fromNanos(until)
		if lease, ours = take(lease, owner, ttl, now); !ours {
			return nil
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO leases (name, owner, fence, lease_until) VALUES ($1, $2, $3, $4)
			ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, fence = excluded.fence, lease_until = excluded.lease_until`,
			name, lease.Owner, lease.Fence, nanos(lease.Until))
		return err
	})
	if err != nil {
		return release.Lease{}, false, fmt.Errorf("taking the lease %s: %w", name, explain(err))
	}
	return lease, ours, nil
}

// Resign gives the lease of that name up, for anyone to take. The error is
// [release.ErrFenced] if it is not l's any more.
func (s *Store) Resign(ctx context.Context, name string, l release.Lease) error {
	err := s.leading(ctx, name, l, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE leases SET owner = '', lease_until = 0 WHERE name = $1`, name)
		return err
	})
	if err != nil {
		return fmt.Errorf("giving the lease %s up: %w", name, explain(err))
	}
	return nil
}

// leading is [Store.write] for the holder of the named lease: nobody can take
// it between the look and the commit. The error is [release.ErrFenced] if the
// lease has passed to another owner, or was given up. That its time is over
// does no harm as long as nobody else has taken it.
func (s *Store) leading(ctx context.Context, name string, l release.Lease, do func(*sql.Tx) error) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		var held bool
		err := tx.QueryRowContext(ctx, `SELECT count(*) > 0 FROM leases WHERE name = $1 AND owner = $2 AND owner <> '' AND fence = $3`,
			name, l.Owner, l.Fence).Scan(&held)
		if err != nil {
			return err
		}
		if !held {
			return release.ErrFenced
		}
		return do(tx)
	})
}
