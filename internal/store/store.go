// Package store keeps what must outlive the process: accepted deliveries,
// operations with their leases, questions that wait for a click, and what
// automation knows, holds back and has told. It owns SQL; the database is
// SQLite, in one file.
//
// What a method has acknowledged survives a crash and a loss of power. An error
// means that nothing was changed; only where the disk fails in the middle of a
// commit may that come out either way. A Store may be used from any number of
// goroutines, and several processes may open the same file.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Store is an open database.
type Store struct {
	// SQLite lets one connection write at a time. Writers queue for this one
	// in the process, where their contexts count, rather than for the file.
	writer  *sql.DB
	readers *sql.DB // these never wait for the writer, nor it for them
}

// busyTime is how long a connection waits for another process that has the
// file locked, unless its context ends before.
const busyTime = 5 * time.Second

// Open opens the SQLite database at the path, creates it if there is none, and
// brings its schema up to date. A database that is damaged, is not the bot's,
// or was written by a newer version is refused with an error that says so.
func Open(ctx context.Context, path string) (*Store, error) {
	if path == "" {
		return nil, errors.New("opening store: no path given")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("opening store: %w", err)
	}
	if err := touch(path); err != nil {
		return nil, fmt.Errorf("opening store: %w", err)
	}
	s, err := connect(path)
	if err != nil {
		return nil, fmt.Errorf("opening store %s: %w", path, err)
	}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening store %s: %w", path, explain(err)), s.Close())
	}
	return s, nil
}

// touch makes the file if there is none, readable by its owner only:
// deliveries hold addresses that are credentials. SQLite gives the files
// beside it the same mode.
func touch(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func connect(path string) (*Store, error) {
	writer, err := sql.Open("sqlite", address(path, "_txlock=immediate"))
	if err != nil {
		return nil, err
	}
	readers, err := sql.Open("sqlite", address(path, "_query_only=1"))
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	writer.SetMaxOpenConns(1)
	readers.SetMaxOpenConns(4)
	readers.SetMaxIdleConns(4)
	return &Store{writer: writer, readers: readers}, nil
}

// address is the driver's name for the file. Every connection gets these
// settings: with a write-ahead log, a commit survives a loss of power only if
// synchronous is FULL (https://sqlite.org/pragma.html#pragma_synchronous).
func address(path, more string) string {
	settings := fmt.Sprintf("_busy_timeout=%d&_synchronous=FULL&_foreign_keys=1&", busyTime.Milliseconds())
	return (&url.URL{Scheme: "file", Path: path, RawQuery: settings + more}).String()
}

// Close closes the database. Calls that are under way end first.
func (s *Store) Close() error {
	return errors.Join(s.writer.Close(), s.readers.Close())
}

// Ready says whether the database can be written, by writing to it.
func (s *Store) Ready(ctx context.Context) error {
	// The value must change: SQLite writes nothing where nothing differs.
	if err := s.exec(ctx, `UPDATE readiness SET checks = checks + 1`); err != nil {
		return fmt.Errorf("writing to the store: %w", explain(err))
	}
	return nil
}

// write runs do in a transaction that has the write lock from its start, so
// that nothing do reads can change before it is committed.
func (s *Store) write(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	if err = do(tx); err == nil {
		err = tx.Commit()
	}
	if errors.Is(err, sql.ErrTxDone) { // rolled back, because ctx had ended
		return context.Cause(ctx)
	}
	return err
}

// exec is a transaction of one statement. Outside of one, a statement that has
// taken effect may return the error of a context that ended meanwhile.
func (s *Store) exec(ctx context.Context, statement string, args ...any) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, statement, args...)
		return err
	})
}

// nanos is a time as the database has it; the zero time is 0.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
