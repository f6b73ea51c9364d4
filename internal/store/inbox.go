package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

var errVoid = errors.New("this delivery was turned away before")

// Delivery is one accepted request, as it came.
type Delivery struct {
	Key     string
	Payload []byte
}

// Accept stores a delivery. It is fresh if none with its key was accepted
// before; a redelivery is not. An error, also of a deadline that has passed,
// means that it was not accepted and will not be acted on. A delivery that was
// turned away, see [Store.Void], always gives an error.
func (s *Store) Accept(ctx context.Context, key string, payload []byte) (fresh bool, err error) {
	fresh, err = s.insert(ctx, key, payload)
	if err == nil {
		err = ctx.Err() // a commit may succeed after the deadline
	}
	if err == nil {
		return fresh, nil
	}
	err = fmt.Errorf("accepting delivery: %w", explain(err))
	if fresh {
		err = errors.Join(err, s.withdraw(ctx, key))
	}
	return false, err
}

// insert stores a pending row. With fresh and an error it is unknown whether
// the row is there.
func (s *Store) insert(ctx context.Context, key string, payload []byte) (fresh bool, err error) {
	err = s.write(ctx, func(tx *sql.Tx) error {
		var state string
		err := tx.QueryRowContext(ctx, `SELECT state FROM inbox WHERE key = $1`, key).Scan(&state)
		switch {
		case err == nil && state == "void":
			return errVoid
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		if payload == nil {
			payload = []byte{}
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO inbox (key, payload, state, changed) VALUES ($1, $2, 'pending', $3)`,
			key, payload, nanos(time.Now()))
		if err == nil {
			err = ctx.Err() // the last moment at which nothing has happened
		}
		fresh = err == nil
		return err
	})
	return fresh, err
}

// withdraw voids a delivery whose deadline has passed, in time of its own.
func (s *Store) withdraw(ctx context.Context, key string) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer stop()
	return s.Void(ctx, key)
}

// Void turns a delivery away: it will not be acted on, and not be accepted
// later, whether it is stored or not. It is too late for one that is done.
func (s *Store) Void(ctx context.Context, key string) error {
	err := s.exec(ctx, `
		INSERT INTO inbox (key, payload, state, changed) VALUES ($1, x'', 'void', $2)
		ON CONFLICT (key) DO UPDATE SET payload = x'', state = 'void', changed = $2 WHERE inbox.state = 'pending'`,
		key, nanos(time.Now()))
	if err != nil {
		return fmt.Errorf("turning a delivery away: %w", explain(err))
	}
	return nil
}

// Done notes that the delivery was worked off. Its payload is forgotten, its
// key is kept, so that a redelivery is known.
func (s *Store) Done(ctx context.Context, key string) error {
	err := s.exec(ctx, `UPDATE inbox SET payload = x'', state = 'done', changed = $2 WHERE key = $1 AND state = 'pending'`,
		key, nanos(time.Now()))
	if err != nil {
		return fmt.Errorf("settling delivery: %w", explain(err))
	}
	return nil
}

// Pending lists what was accepted and is not done, in order of arrival.
func (s *Store) Pending(ctx context.Context) ([]Delivery, error) {
	found, err := query(ctx, s.readers, func(r row) (Delivery, error) {
		var d Delivery
		err := r.Scan(&d.Key, &d.Payload)
		return d, err
	}, `SELECT key, payload FROM inbox WHERE state = 'pending' ORDER BY seq`)
	if err != nil {
		return nil, fmt.Errorf("reading pending deliveries: %w", err)
	}
	return found, nil
}

// noticeAge is how much longer than all else a notice is kept: an update whose
// notice is forgotten would be told again, were it seen again.
const noticeAge = 90 * 24 * time.Hour

// Sweep forgets the deliveries that were settled, and the questions that
// expired, before the given time. That must lie at least an hour back: Slack
// delivers again after minutes, and a delivery that is forgotten is fresh.
// Notices that are shown as they stand go 90 days later.
func (s *Store) Sweep(ctx context.Context, olderThan time.Time) error {
	err := s.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM inbox WHERE state <> 'pending' AND changed < $1`, nanos(olderThan)); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM questions WHERE expires < $1`, olderThan.Unix()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM notices WHERE shown >= changes AND created < $1`, nanos(olderThan.Add(-noticeAge)))
		return err
	})
	if err != nil {
		return fmt.Errorf("sweeping: %w", explain(err))
	}
	return nil
}

// row is one row of a result.
type row interface{ Scan(...any) error }

// querier is a pool of connections or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// query reads all rows of a result.
func query[T any](ctx context.Context, from querier, scan func(row) (T, error), sql string, args ...any) ([]T, error) {
	rows, err := from.QueryContext(ctx, sql, args...)
	if err != nil {
		return nil, explain(err)
	}
	defer func() { _ = rows.Close() }() // rows.Err has what matters
	var found []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, v)
	}
	return found, explain(rows.Err())
}
