package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// open opens a store that is closed with the test.
func open(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func file(t testing.TB) string { return filepath.Join(t.TempDir(), "promoter.db") }

// must fails the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// other is a connection of some other process to the file.
func other(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", address(path, "_txlock=immediate"))
	must(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// lock takes the file's write lock, as another process would.
func lock(t testing.TB, path string) (unlock func()) {
	t.Helper()
	tx, err := other(t, path).Begin()
	must(t, err)
	return sync.OnceFunc(func() { must(t, tx.Rollback()) })
}

func TestSettingsOfEveryConnection(t *testing.T) {
	path := file(t)
	s := open(t, path)
	check := func(db *sql.DB, pragma, want string) {
		t.Helper()
		var got string
		must(t, db.QueryRow("PRAGMA "+pragma).Scan(&got))
		if got != want {
			t.Errorf("%s = %s, want %s", pragma, got, want)
		}
	}
	settings := func() {
		t.Helper()
		check(s.writer, "journal_mode", "wal")
		check(s.writer, "synchronous", "2") // FULL
		check(s.writer, "busy_timeout", "5000")
		check(s.writer, "foreign_keys", "1")
		check(s.readers, "query_only", "1")
	}
	settings()
	// An interrupted connection is replaced, and the new one is no weaker.
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	unlock := lock(t, path)
	if _, err := s.Accept(ctx, "k", nil); err == nil {
		t.Fatal("accepted under a foreign lock")
	}
	unlock()
	settings()
}

func TestFilesAreTheOwnersOnly(t *testing.T) {
	path := file(t)
	s := open(t, path)
	must(t, s.Ready(t.Context()))
	for _, f := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(f)
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", filepath.Base(f), info.Mode())
		}
	}
}

func TestPathWithOddCharacters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c#d%41&mode=ro.db")
	s := open(t, path)
	must(t, s.Ready(t.Context()))
	files, err := os.ReadDir(filepath.Dir(path))
	must(t, err)
	for _, f := range files {
		if !strings.HasPrefix(f.Name(), filepath.Base(path)) {
			t.Errorf("the file %q was made", f.Name())
		}
	}
}

func TestRelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	open(t, "promoter.db")
	if _, err := os.Stat("promoter.db"); err != nil {
		t.Error(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	garbage := func(t *testing.T, path string) {
		must(t, os.WriteFile(path, bytes.Repeat([]byte("this is no database "), 500), 0o600))
	}
	damaged := func(t *testing.T, path string) {
		s := open(t, path)
		for i := range 200 {
			_, err := s.Accept(t.Context(), fmt.Sprint(i), make([]byte, 3000))
			must(t, err)
		}
		must(t, s.Close())
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		must(t, err)
		for page := int64(2); page < 10; page++ { // all of the first tables and indexes
			_, err = f.WriteAt(bytes.Repeat([]byte{0xa5}, 4096), page*4096)
			must(t, err)
		}
		must(t, f.Close())
	}
	cut := func(t *testing.T, path string) {
		damaged(t, path)
		must(t, os.Truncate(path, 3*4096))
	}
	tests := []struct {
		name, want string
		make       func(t *testing.T, path string)
	}{
		{"garbage", "damaged, or not an SQLite database", garbage},
		{"damaged pages", "damaged, or not an SQLite database", damaged},
		{"cut off", "damaged, or not an SQLite database", cut},
		{"another program's", "the database of another program", func(t *testing.T, path string) {
			_, err := other(t, path).Exec(`CREATE TABLE theirs (a)`)
			must(t, err)
		}},
		{"a newer version's", "a newer version of the bot wrote it (schema 99, this one knows up to", func(t *testing.T, path string) {
			s := open(t, path)
			_, err := s.writer.Exec(`INSERT INTO schema_versions VALUES (99, 0)`)
			must(t, err)
			must(t, s.Close())
		}},
		{"a folder", "is a directory", func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := file(t)
			tt.make(t, path)
			s, err := Open(t.Context(), path)
			if err == nil {
				_ = s.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %q lacks %q or the path", err, tt.want)
			}
		})
	}
	for _, path := range []string{"", filepath.Join(t.TempDir(), "missing", "promoter.db")} {
		if _, err := Open(t.Context(), path); err == nil {
			t.Errorf("%q was opened", path)
		}
	}
}

func TestOpenedByManyAtOnce(t *testing.T) {
	path := file(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			s, err := Open(t.Context(), path)
			if err != nil {
				t.Error(err)
				return
			}
			if err := errors.Join(s.Ready(t.Context()), s.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// A process that writes to the file just then keeps it from getting its
// write-ahead log, and must be waited for.
func TestOpenWaits(t *testing.T) {
	path := file(t)
	_, err := other(t, path).Exec(`CREATE TABLE schema_versions (version INTEGER PRIMARY KEY, applied BIGINT NOT NULL)`)
	must(t, err)
	unlock := lock(t, path)
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	if _, err := Open(ctx, path); err == nil || ctx.Err() == nil {
		t.Errorf("Open = %v, and the context %v", err, ctx.Err())
	}
	unlock()
	open(t, path)
}

func TestMigrate(t *testing.T) {
	s := open(t, file(t)) // at the version of all migrations
	now := len(migrations)
	to := func(next ...string) error {
		return s.write(t.Context(), func(tx *sql.Tx) error { return migrate(t.Context(), tx, slices.Concat(migrations, next)) })
	}
	version := func() (v int) {
		must(t, s.readers.QueryRow(`SELECT max(version) FROM schema_versions`).Scan(&v))
		return v
	}
	if err := to(`CREATE TABLE second (a)`, `CREATE TABLE third (a); INSERT INTO nothing VALUES (1)`); err == nil || !strings.Contains(err.Error(), fmt.Sprint("migrating to schema ", now+2)) {
		t.Errorf("error of a failing migration: %v", err)
	}
	if v := version(); v != now {
		t.Errorf("a failed migration left version %d", v)
	}
	must(t, to(`CREATE TABLE second (a)`, `CREATE TABLE third (a)`))
	if v := version(); v != now+2 {
		t.Errorf("version %d, want %d", v, now+2)
	}
	must(t, to(`CREATE TABLE second (a)`, `CREATE TABLE third (a)`)) // none is done twice
	if _, err := s.readers.Exec(`SELECT * FROM second, third`); err != nil {
		t.Error(err)
	}
}

func TestReady(t *testing.T) {
	path := file(t)
	s := open(t, path)
	written := func() int64 {
		info, err := os.Stat(path + "-wal")
		must(t, err)
		return info.Size()
	}
	before := written()
	for range 2 {
		must(t, s.Ready(t.Context()))
		if now := written(); now <= before {
			t.Errorf("it is ready, and nothing was written: %d bytes before, %d after", before, now)
		} else {
			before = now
		}
	}
	unlock := lock(t, path)
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if err := s.Ready(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error under a foreign lock: %v", err)
	}
	unlock()
	must(t, s.Ready(t.Context()))

	must(t, s.Close())
	if err := s.Ready(t.Context()); err == nil {
		t.Error("a closed store is ready")
	}
}

func TestWriteSaysWhyItWasRolledBack(t *testing.T) {
	s := open(t, file(t))
	ctx, stop := context.WithCancel(t.Context())
	err := s.write(ctx, func(tx *sql.Tx) error {
		stop()
		for {
			if _, err := tx.Exec(`SELECT 1`); errors.Is(err, sql.ErrTxDone) {
				return nil
			}
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error: %v", err)
	}
	must(t, s.Ready(t.Context()))
}

func TestFullDisk(t *testing.T) {
	s := open(t, file(t))
	var pages int
	must(t, s.writer.QueryRow(`PRAGMA page_count`).Scan(&pages))
	_, err := s.writer.Exec(fmt.Sprintf(`PRAGMA max_page_count = %d`, pages))
	must(t, err)
	if _, err := s.Accept(t.Context(), "big", make([]byte, 100_000)); err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("error: %v", err)
	}
	if n := len(pending(t, s)); n != 0 {
		t.Errorf("%d deliveries pending", n)
	}
}

func TestNanos(t *testing.T) {
	for _, at := range []time.Time{{}, time.Unix(1_800_000_000, 123).UTC()} {
		if got := fromNanos(nanos(at)); !got.Equal(at) || got.Location() != time.UTC {
			t.Errorf("%v became %v", at, got)
		}
	}
}
