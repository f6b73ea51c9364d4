package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// migrations bring a database from one version to the next; its version is the
// number of those it has had. One that was released is never changed: add
// another.
//
// Order is always by seq, in which rows were stored, never by the clocks of
// those who stored them. Times are nanoseconds since 1970, 0 for none.
var migrations = []string{
	`
	CREATE TABLE readiness (checks BIGINT NOT NULL);
	INSERT INTO readiness (checks) VALUES (0);

	CREATE TABLE inbox (
		seq     INTEGER PRIMARY KEY,
		key     TEXT NOT NULL UNIQUE,
		payload BLOB NOT NULL,         -- empty once settled
		state   TEXT NOT NULL CHECK (state IN ('pending', 'done', 'void')),
		changed BIGINT NOT NULL
	);
	CREATE INDEX inbox_pending ON inbox (seq) WHERE state = 'pending';

	CREATE TABLE operations (
		seq         INTEGER PRIMARY KEY,
		id          TEXT NOT NULL UNIQUE,
		app         TEXT NOT NULL,
		environment TEXT NOT NULL,
		stage       TEXT NOT NULL,
		ended       INTEGER NOT NULL,  -- 0 or 1
		told        INTEGER NOT NULL,  -- 0 or 1: people know of the end
		owner       TEXT NOT NULL,     -- of the lease, '' if it is free
		fence       BIGINT NOT NULL,
		lease_until BIGINT NOT NULL,
		created     BIGINT NOT NULL,
		delivery    TEXT NOT NULL,     -- '' if it came from none
		body        TEXT NOT NULL      -- all of it, as JSON; of the lease the columns count
	);
	CREATE UNIQUE INDEX operations_delivery ON operations (delivery) WHERE delivery <> '';
	CREATE INDEX operations_app ON operations (app, environment, seq);
	CREATE INDEX operations_untold ON operations (seq) WHERE told = 0;

	CREATE TABLE questions (
		id      TEXT PRIMARY KEY,
		body    TEXT NOT NULL,         -- all of it, as JSON
		expires BIGINT NOT NULL        -- seconds since 1970
	);
	`,
	`
	ALTER TABLE questions ADD COLUMN taken TEXT NOT NULL DEFAULT ''; -- the delivery it was given to, '' until then
	`,
	`
	CREATE TABLE leases (
		name        TEXT PRIMARY KEY,
		owner       TEXT NOT NULL,      -- '' if it is free
		fence       BIGINT NOT NULL,
		lease_until BIGINT NOT NULL
	);

	CREATE TABLE ledgers (
		app         TEXT NOT NULL,
		environment TEXT NOT NULL,
		body        TEXT NOT NULL,      -- all of it, as JSON
		PRIMARY KEY (app, environment)
	);

	CREATE TABLE notices (
		seq           INTEGER PRIMARY KEY,
		id            TEXT NOT NULL UNIQUE,
		channel       TEXT NOT NULL,
		created       BIGINT NOT NULL,
		changes       BIGINT NOT NULL,  -- the notice's Seq
		shown         BIGINT NOT NULL,
		posting       INTEGER NOT NULL, -- 0 or 1
		repeated      INTEGER NOT NULL, -- 0 or 1
		place_channel TEXT NOT NULL,    -- '' until it is posted
		place_ts      TEXT NOT NULL,    -- '' until it is posted
		body          TEXT NOT NULL     -- all of it, as JSON; of what has a column, that counts
	);
	CREATE INDEX notices_channel ON notices (channel, seq);
	CREATE INDEX notices_unshown ON notices (seq) WHERE shown < changes;

	CREATE TABLE notice_items (
		update_id TEXT NOT NULL,
		channel   TEXT NOT NULL,
		notice    TEXT NOT NULL REFERENCES notices (id) ON DELETE CASCADE,
		UNIQUE (update_id, channel)
	);
	CREATE INDEX notice_items_notice ON notice_items (notice);

	CREATE TABLE holds (
		app  TEXT PRIMARY KEY,
		body TEXT NOT NULL              -- all of it, as JSON
	);

	CREATE TABLE jobs (
		job TEXT PRIMARY KEY,
		ran BIGINT NOT NULL             -- the scheduled time that it ran for last
	);
	`,
}

// prepare checks the file and brings its schema up to date. Processes that
// open it at the same time do so in turn.
func (s *Store) prepare(ctx context.Context) error {
	if err := s.useWAL(ctx); err != nil {
		return err
	}
	var check string
	if err := s.writer.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&check); err != nil {
		return err
	}
	if check != "ok" {
		return fmt.Errorf("%w (%s)", errDamaged, check)
	}
	return s.write(ctx, func(tx *sql.Tx) error { return migrate(ctx, tx, migrations) })
}

// useWAL has the file keep a write-ahead log, from now on and for every
// process, so that readers and the writer do not wait for each other. Where
// two processes convert a file at once, one is told that it is busy without
// having waited, since waiting would block both.
func (s *Store) useWAL(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, busyTime)
	defer stop()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		var mode string
		err := s.writer.QueryRowContext(ctx, `PRAGMA journal_mode = WAL`).Scan(&mode)
		if err == nil && mode != "wal" {
			return fmt.Errorf("its file system cannot keep a write-ahead log (journal mode is %s): use a local disk", mode)
		}
		if !isBusy(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-again.C:
		}
	}
}

func isBusy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY
}

func migrate(ctx context.Context, tx *sql.Tx, migrations []string) error {
	version, err := schemaVersion(ctx, tx)
	if err != nil {
		return err
	}
	if version > len(migrations) {
		return fmt.Errorf("a newer version of the bot wrote it (schema %d, this one knows up to %d): run that version or a later one", version, len(migrations))
	}
	for i, m := range migrations[version:] {
		next := version + i + 1
		if _, err := tx.ExecContext(ctx, m); err != nil {
			return fmt.Errorf("migrating to schema %d: %w", next, err)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO schema_versions (version, applied) VALUES ($1, $2)`, next, nanos(time.Now())); err != nil {
			return fmt.Errorf("migrating to schema %d: %w", next, err)
		}
	}
	return nil
}

// schemaVersion is the version of the database, 0 for a new one. A database
// with tables but no versions belongs to some other program.
func schemaVersion(ctx context.Context, tx *sql.Tx) (int, error) {
	var tables, ours int
	err := tx.QueryRowContext(ctx, `SELECT count(*), count(*) FILTER (WHERE name = 'schema_versions') FROM sqlite_master WHERE type = 'table'`).Scan(&tables, &ours)
	if err != nil {
		return 0, err
	}
	if tables > 0 && ours == 0 {
		return 0, errors.New("it is the database of another program: give the bot a file of its own")
	}
	if _, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_versions (version INTEGER PRIMARY KEY, applied BIGINT NOT NULL)`); err != nil {
		return 0, err
	}
	var version int
	err = tx.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM schema_versions`).Scan(&version)
	return version, err
}

var errDamaged = errors.New("it is damaged, or not an SQLite database: restore it from a backup, or move it away to start with an empty one")

// explain adds to SQLite's errors what a person can do about them.
func explain(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff { // the rest is detail: https://sqlite.org/rescode.html
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("%w (%w)", errDamaged, err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("the disk is full: %w", err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN:
		return fmt.Errorf("the file or its folder cannot be written: %w", err)
	case sqlite3.SQLITE_BUSY:
		return fmt.Errorf("another process keeps it locked: %w", err)
	}
	return err
}
