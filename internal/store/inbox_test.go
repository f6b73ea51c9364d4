package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// pending has the keys of the pending deliveries, in their order.
func pending(t testing.TB, s *Store) []string {
	t.Helper()
	found, err := s.Pending(t.Context())
	must(t, err)
	var keys []string
	for _, d := range found {
		keys = append(keys, d.Key)
	}
	return keys
}

func accept(t testing.TB, s *Store, key string) bool {
	t.Helper()
	fresh, err := s.Accept(t.Context(), key, []byte("payload of "+key))
	must(t, err)
	return fresh
}

func TestAcceptOnce(t *testing.T) {
	path := file(t)
	s := open(t, path)
	for _, key := range []string{"c", "a", "b"} {
		if !accept(t, s, key) {
			t.Errorf("%s is not fresh", key)
		}
		if accept(t, s, key) {
			t.Errorf("%s is fresh twice", key)
		}
	}
	must(t, s.Done(t.Context(), "a"))
	must(t, s.Done(t.Context(), "a"))
	if accept(t, s, "a") {
		t.Error("a was done, and is fresh again")
	}
	must(t, s.Close())

	s = open(t, path)
	got, err := s.Pending(t.Context())
	must(t, err)
	want := []Delivery{{"c", []byte("payload of c")}, {"b", []byte("payload of b")}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("pending after reopening: %q, want %q", got, want)
	}
	if accept(t, s, "a") || accept(t, s, "b") {
		t.Error("a reopened store has forgotten what it accepted")
	}
}

func TestPayloadIsForgottenOnceSettled(t *testing.T) {
	s := open(t, file(t))
	for _, key := range []string{"done", "void"} {
		accept(t, s, key)
	}
	must(t, s.Done(t.Context(), "done"))
	must(t, s.Void(t.Context(), "void"))
	var n int
	must(t, s.readers.QueryRow(`SELECT coalesce(max(length(payload)), -1) FROM inbox`).Scan(&n))
	if n != 0 {
		t.Errorf("a settled delivery keeps %d bytes", n)
	}
}

func TestAcceptFromManySides(t *testing.T) {
	path := file(t)
	stores := []*Store{open(t, path), open(t, path)}
	var fresh atomic.Int32
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			ok, err := stores[i%2].Accept(t.Context(), "one", []byte("x"))
			if err != nil {
				t.Error(err)
			}
			if ok {
				fresh.Add(1)
			}
		})
	}
	all.Wait()
	if n := fresh.Load(); n != 1 {
		t.Errorf("%d of 200 were fresh", n)
	}
	if got := pending(t, stores[0]); len(got) != 1 {
		t.Errorf("pending: %q", got)
	}
}

func TestAcceptUnderAForeignLock(t *testing.T) {
	path := file(t)
	s := open(t, path)
	unlock := lock(t, path)
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	start := time.Now()
	fresh, err := s.Accept(ctx, "k", []byte("x"))
	if took := time.Since(start); took > time.Second {
		t.Errorf("Accept took %v after a deadline of 50ms", took)
	}
	if fresh || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Accept = %v, %v", fresh, err)
	}
	unlock()
	if got := pending(t, s); len(got) != 0 {
		t.Errorf("pending: %q", got)
	}
}

// A waiting caller must not need the file's lock to learn that its time is up:
// the writer's connection itself may be busy.
func TestAcceptBehindAnotherWriter(t *testing.T) {
	s := open(t, file(t))
	conn, err := s.writer.Conn(t.Context())
	must(t, err)
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if fresh, err := s.Accept(ctx, "k", nil); fresh || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Accept = %v, %v", fresh, err)
	}
	must(t, conn.Close())
	if got := pending(t, s); len(got) != 0 {
		t.Errorf("pending: %q", got)
	}
}

// lateContext is past its deadline from the moment at which passed says so.
type lateContext struct {
	context.Context
	passed func() bool
}

func (c lateContext) Err() error {
	if c.passed() {
		return context.DeadlineExceeded
	}
	return nil
}

func (c lateContext) Done() <-chan struct{} { return nil }

func TestDeadlinePassesBeforeTheCommit(t *testing.T) {
	path := file(t)
	s := open(t, path)
	rival := other(t, path)
	_, err := rival.Exec(`PRAGMA busy_timeout = 0`)
	must(t, err)
	writing := func() bool { // somebody has the write lock: Accept itself
		tx, err := rival.Begin()
		if err == nil {
			must(t, tx.Rollback())
		}
		return err != nil
	}
	fresh, err := s.Accept(lateContext{t.Context(), writing}, "k", []byte("x"))
	if fresh || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Accept = %v, %v", fresh, err)
	}
	if got := pending(t, s); len(got) != 0 {
		t.Errorf("pending: %q", got)
	}
}

func TestDeadlinePassesInTheCommit(t *testing.T) {
	s := open(t, file(t))
	committed := func() bool { return len(pending(t, s)) > 0 }
	fresh, err := s.Accept(lateContext{t.Context(), committed}, "k", []byte("x"))
	if fresh || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Accept = %v, %v", fresh, err)
	}
	if got := pending(t, s); len(got) != 0 {
		t.Errorf("pending: %q", got)
	}
	if _, err := s.Accept(t.Context(), "k", nil); !errors.Is(err, errVoid) {
		t.Errorf("a redelivery of what was turned away: %v", err)
	}
}

func TestVoid(t *testing.T) {
	s := open(t, file(t))
	// Turned away before it was stored, as where no worker is free.
	must(t, s.Void(t.Context(), "never"))
	must(t, s.Void(t.Context(), "never"))
	if fresh, err := s.Accept(t.Context(), "never", nil); fresh || !errors.Is(err, errVoid) {
		t.Errorf("Accept of a void delivery = %v, %v", fresh, err)
	}
	must(t, s.Done(t.Context(), "never"))
	if _, err := s.Accept(t.Context(), "never", nil); !errors.Is(err, errVoid) {
		t.Errorf("a void delivery was done: %v", err)
	}
	// Turned away after it was stored.
	accept(t, s, "stored")
	must(t, s.Void(t.Context(), "stored"))
	if _, err := s.Accept(t.Context(), "stored", nil); !errors.Is(err, errVoid) {
		t.Errorf("a void delivery was accepted: %v", err)
	}
	// Too late.
	accept(t, s, "done")
	must(t, s.Done(t.Context(), "done"))
	must(t, s.Void(t.Context(), "done"))
	if accept(t, s, "done") {
		t.Error("a done delivery is fresh")
	}
	if got := pending(t, s); len(got) != 0 {
		t.Errorf("pending: %q", got)
	}
}

func TestSweep(t *testing.T) {
	s := open(t, file(t))
	accept(t, s, "pending")
	accept(t, s, "done")
	must(t, s.Done(t.Context(), "done"))
	must(t, s.Void(t.Context(), "void"))
	now := time.Now()
	must(t, s.Ask(t.Context(), release.Question{ID: "q", Expires: now.Unix()}))
	count := func() (deliveries, questions int) {
		must(t, s.readers.QueryRow(`SELECT (SELECT count(*) FROM inbox), (SELECT count(*) FROM questions)`).Scan(&deliveries, &questions))
		return deliveries, questions
	}
	must(t, s.Sweep(t.Context(), now.Add(-time.Minute)))
	if d, q := count(); d != 3 || q != 1 {
		t.Errorf("younger than that are %d deliveries and %d questions, want 3 and 1", d, q)
	}
	must(t, s.Sweep(t.Context(), now.Add(time.Minute)))
	if d, q := count(); d != 1 || q != 0 {
		t.Errorf("%d deliveries and %d questions are left, want 1 and 0", d, q)
	}
	if got := pending(t, s); !slices.Equal(got, []string{"pending"}) {
		t.Errorf("pending: %q", got)
	}
}

// TestAcceptedSurvivesAKill kills another process, which is this test again,
// while it accepts deliveries.
func TestAcceptedSurvivesAKill(t *testing.T) {
	const variable = "PROMOTER_TEST_STORE"
	if path := os.Getenv(variable); path != "" {
		acceptForEver(t, open(t, path))
		return
	}
	path := file(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAcceptedSurvivesAKill$")
	cmd.Env = append(os.Environ(), variable+"="+path)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	var told []string
	lines := bufio.NewScanner(out)
	for lines.Scan() && len(told) < 50 {
		if key, ok := strings.CutPrefix(lines.Text(), "accepted "); ok {
			told = append(told, key)
		}
	}
	must(t, cmd.Process.Kill())
	for lines.Scan() { // what it said in its last moments counts too
		if key, ok := strings.CutPrefix(lines.Text(), "accepted "); ok {
			told = append(told, key)
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the process was not killed")
	}
	if len(told) < 50 {
		t.Fatalf("only %d accepted: %v", len(told), lines.Err())
	}
	got := pending(t, open(t, path))
	if len(got) < len(told) || !slices.Equal(got[:len(told)], told) {
		t.Errorf("acknowledged %d deliveries, pending are %q", len(told), got)
	}
}

func acceptForEver(t *testing.T, s *Store) {
	for i := 0; ; i++ {
		accept(t, s, fmt.Sprint(i))
		fmt.Printf("accepted %d\n", i)
	}
}

func BenchmarkAccept(b *testing.B) {
	s := open(b, file(b))
	payload := make([]byte, 1500) // of a slash command
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		if _, err := s.Accept(b.Context(), fmt.Sprint(i), payload); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(float64(took[len(took)-1].Microseconds()), "max-µs")
}
