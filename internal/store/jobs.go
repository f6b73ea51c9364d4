package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// LastRun is the scheduled time that the job ran for last, and whether it ever
// ran.
func (s *Store) LastRun(ctx context.Context, job string) (at time.Time, ran bool, err error) {
	var n int64
	err = s.readers.QueryRowContext(ctx, `SELECT ran FROM jobs WHERE job = $1`, job).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return at, false, nil
	}
	if err != nil {
		return at, false, fmt.Errorf("reading when job %s ran: %w", job, explain(err))
	}
	return fromNanos(n), true, nil
}

// Ran notes that the job ran for the scheduled time at, and stores the notices
// that came of it, for the holder of the named lease: both, or neither. The
// error is [release.ErrFenced] if the lease is not l's any more, and
// [release.ErrExists] if the job ran for that time or a later one already; of
// notices it is as with [Store.Record].
func (s *Store) Ran(ctx context.Context, name string, l release.Lease, job string, at time.Time, notices []release.Notice) error {
	err := s.leading(ctx, name, l, func(tx *sql.Tx) error {
		ok, err := changed(tx.ExecContext(ctx, `
			INSERT INTO jobs (job, ran) VALUES ($1, $2)
			ON CONFLICT (job) DO UPDATE SET ran = excluded.ran WHERE jobs.ran < excluded.ran`,
			job, nanos(at)))
		if err != nil {
			return err
		}
		if !ok {
			return release.ErrExists
		}
		return putNotices(ctx, tx, notices)
	})
	if err != nil {
		return fmt.Errorf("recording that job %s ran: %w", job, explain(err))
	}
	return nil
}
