package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/synestra/promoter/internal/release"
)

var errNotFound = errors.New("no such operation")

// Begin stores a new operation with its lease, unless decide refuses it. decide
// is given the newest operation of the same app and environment that has not
// ended, nil if there is none. No other operation can begin, in any process,
// between that look and the write, so decide must be quick and must not use the
// store. Its error is returned as it is.
//
// The error is [release.ErrExists], and decide is not asked, if an operation
// with the same id or the same delivery is stored. An empty delivery is like no
// other.
func (s *Store) Begin(ctx context.Context, op release.Operation, decide func(current *release.Operation) error) error {
	body, err := json.Marshal(op)
	if err != nil {
		return fmt.Errorf("storing operation %s: %w", op.ID, err)
	}
	var refused error
	err = s.write(ctx, func(tx *sql.Tx) error {
		if err := unknown(ctx, tx, op); err != nil {
			return err
		}
		current, found, err := one(ctx, tx, onItsWay, op.App, op.Environment)
		if err != nil {
			return err
		}
		at := &current
		if !found {
			at = nil
		}
		if refused = decide(at); refused != nil {
			return refused
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO operations (id, app, environment, stage, ended, told, owner, fence, lease_until, created, delivery, body)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
			op.ID, op.App, op.Environment, op.Progress.Stage, op.Progress.Stage.Ended(), told(op),
			op.Lease.Owner, op.Lease.Fence, nanos(op.Lease.Until), nanos(op.Created), op.Delivery, string(body))
		return err
	})
	if refused != nil {
		return refused
	}
	if err != nil {
		return fmt.Errorf("storing operation %s: %w", op.ID, explain(err))
	}
	return nil
}

// unknown is an error if the operation, or one of its delivery, is stored.
func unknown(ctx context.Context, tx *sql.Tx, op release.Operation) error {
	var n int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM operations WHERE id = $1 OR delivery = $2 AND delivery <> ''`, op.ID, op.Delivery).Scan(&n)
	if err == nil && n > 0 {
		return release.ErrExists
	}
	return err
}

// Save stores the operation's new state. The error is [release.ErrFenced] if
// another owner has taken it since, or its lease was released. The lease's time
// is not saved with it: [Store.Renew] may have moved that meanwhile.
func (s *Store) Save(ctx context.Context, op release.Operation) error {
	body, err := json.Marshal(op)
	if err != nil {
		return fmt.Errorf("saving operation %s: %w", op.ID, err)
	}
	err = s.held(ctx, op, `stage = $4, ended = $5, told = $6, body = $7`, op.Progress.Stage, op.Progress.Stage.Ended(), told(op), string(body))
	if err != nil {
		return fmt.Errorf("saving operation %s: %w", op.ID, err)
	}
	return nil
}

// Renew holds the operation for ttl from now on.
func (s *Store) Renew(ctx context.Context, op release.Operation, ttl time.Duration, now time.Time) error {
	if err := s.held(ctx, op, `lease_until = $4`, nanos(now.Add(ttl))); err != nil {
		return fmt.Errorf("renewing the lease of operation %s: %w", op.ID, err)
	}
	return nil
}

// Release gives the operation's lease up, for anyone to claim.
func (s *Store) Release(ctx context.Context, op release.Operation) error {
	if err := s.held(ctx, op, `owner = '', lease_until = 0`); err != nil {
		return fmt.Errorf("releasing operation %s: %w", op.ID, err)
	}
	return nil
}

// held updates an operation provided that its lease is the caller's. Values
// for set are $4 and on.
func (s *Store) held(ctx context.Context, op release.Operation, set string, values ...any) error {
	if op.Lease.Owner == "" {
		return release.ErrFenced
	}
	err := s.write(ctx, func(tx *sql.Tx) error {
		args := append([]any{op.ID, op.Lease.Owner, op.Lease.Fence}, values...)
		done, err := tx.ExecContext(ctx, `UPDATE operations SET `+set+` WHERE id = $1 AND owner = $2 AND fence = $3`, args...)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 1 {
			return err
		}
		if _, found, err := one(ctx, tx, `id = $1`, op.ID); err != nil || found {
			return errors.Join(err, release.ErrFenced)
		}
		return errNotFound
	})
	return explain(err)
}

// Claim takes the lease of an operation that is unfinished in the sense of
// [Store.Unfinished], for ttl, if the lease is free, has expired, or is the
// owner's own. It returns the operation as it stands, and whether the owner has
// it now. The fence grows when the owner changes. An owner is one process from
// its start to its end: two that share a name would not fence each other off.
func (s *Store) Claim(ctx context.Context, id, owner string, ttl time.Duration, now time.Time) (op release.Operation, ours bool, err error) {
	if owner == "" {
		return op, false, fmt.Errorf("claiming operation %s: the owner has no name", id)
	}
	err = s.write(ctx, func(tx *sql.Tx) error {
		stored, found, err := one(ctx, tx, `id = $1`, id)
		if err != nil {
			return err
		}
		if !found {
			return errNotFound
		}
		op = stored
		lease, free := take(stored.Lease, owner, ttl, now)
		if !free || told(stored) {
			return nil
		}
		_, err = tx.ExecContext(ctx, `UPDATE operations SET owner = $2, fence = $3, lease_until = $4 WHERE id = $1`,
			id, lease.Owner, lease.Fence, nanos(lease.Until))
		op.Lease, ours = lease, err == nil
		return err
	})
	if err != nil {
		return release.Operation{}, false, fmt.Errorf("claiming operation %s: %w", id, explain(err))
	}
	return op, ours, nil
}

// Unfinished lists the operations that have something left to do, oldest first:
// they have not ended, or people have not been told of their end.
func (s *Store) Unfinished(ctx context.Context) ([]release.Operation, error) {
	return list(ctx, s.readers, "unfinished", `WHERE told = 0 ORDER BY seq`)
}

// Failures lists the operations that have ended in failure since then, whenever
// they began, in the order in which they began.
func (s *Store) Failures(ctx context.Context, since time.Time) ([]release.Operation, error) {
	ended, err := list(ctx, s.readers, "failed", `WHERE ended = 1 ORDER BY seq`)
	return slices.DeleteFunc(ended, func(op release.Operation) bool {
		return !op.Progress.Stage.Failed() || op.Progress.Since.Before(since)
	}), err
}

func told(op release.Operation) bool { return op.Progress.Stage.Ended() && op.Told }

// Recent lists the app's last n operations, newest first.
func (s *Store) Recent(ctx context.Context, app release.App, n int) ([]release.Operation, error) {
	return list(ctx, s.readers, "recent", `WHERE app = $1 ORDER BY seq DESC LIMIT $2`, app, max(n, 0))
}

// Current is the newest operation of the app in the environment that has not
// ended.
func (s *Store) Current(ctx context.Context, app release.App, environment string) (op release.Operation, found bool, err error) {
	return one(ctx, s.readers, onItsWay, app, environment)
}

// Operation is the operation with the id.
func (s *Store) Operation(ctx context.Context, id string) (op release.Operation, found bool, err error) {
	return one(ctx, s.readers, `id = $1`, id)
}

// OperationOf is the operation that came from the delivery.
func (s *Store) OperationOf(ctx context.Context, delivery string) (op release.Operation, found bool, err error) {
	return one(ctx, s.readers, `delivery = $1 AND delivery <> ''`, delivery)
}

const onItsWay = `app = $1 AND environment = $2 AND ended = 0`

// one reads the newest operation that the condition holds for.
func one(ctx context.Context, from querier, where string, args ...any) (op release.Operation, found bool, err error) {
	ops, err := list(ctx, from, "stored", `WHERE `+where+` ORDER BY seq DESC LIMIT 1`, args...)
	if err != nil || len(ops) == 0 {
		return release.Operation{}, false, err
	}
	return ops[0], true, nil
}

func list(ctx context.Context, from querier, which, rest string, args ...any) ([]release.Operation, error) {
	ops, err := query(ctx, from, scanOperation, `SELECT id, body, owner, fence, lease_until FROM operations `+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("reading %s operations: %w", which, err)
	}
	return ops, nil
}

func scanOperation(r row) (release.Operation, error) {
	var op release.Operation
	var id, body, owner string
	var fence, until int64
	if err := r.Scan(&id, &body, &owner, &fence, &until); err != nil {
		return op, err
	}
	if err := json.Unmarshal([]byte(body), &op); err != nil {
		return op, fmt.Errorf("operation %s: %w", id, err)
	}
	op.Lease = release.Lease{Owner: owner, Fence: fence, Until: fromNanos(until)}
	return op, nil
}
