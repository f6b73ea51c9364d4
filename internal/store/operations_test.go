package store

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synestra/promoter/internal/release"
)

var at = time.Date(2026, 11, 24, 9, 0, 0, 123456789, time.UTC)

const ttl = 30 * time.Second

// operation is one of the app web, on its way, held by "me".
func operation(id string) release.Operation {
	return release.Operation{
		ID: id, Kind: release.KindPromote, App: "web", Environment: "prod", From: "v1", To: "v2", Created: at,
		Delivery: "delivery-" + id, Progress: release.Progress{Stage: release.StageWriting, Since: at},
		Lease: release.Lease{Owner: "me", Fence: 1, Until: at.Add(ttl)},
	}
}

func allow(*release.Operation) error { return nil }

func begin(t testing.TB, s *Store, op release.Operation) release.Operation {
	t.Helper()
	must(t, s.Begin(t.Context(), op, allow))
	return op
}

func end(op release.Operation) release.Operation {
	op.Progress = op.Progress.Enter(release.StageHealthy, at.Add(time.Minute))
	return op
}

func ids(ops []release.Operation) string {
	var all []string
	for _, op := range ops {
		all = append(all, op.ID)
	}
	return strings.Join(all, " ")
}

// fill sets everything in v that can be set, each to another value.
func fill(v reflect.Value, n *int64) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(at.Add(time.Duration(*n) * time.Hour)))
			return
		}
		for _, field := range v.Fields() {
			fill(field, n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(key, n)
			fill(value, n)
			v.SetMapIndex(key, value)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.String:
		v.SetString(fmt.Sprintf("<text %d> „é\u2028“", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(*n)
	default:
		panic("fill cannot set a " + v.Type().String())
	}
}

// filled is a T with everything set that can be.
func filled[T any]() T {
	var v T
	var n int64
	fill(reflect.ValueOf(&v).Elem(), &n)
	return v
}

func TestEveryFieldIsKept(t *testing.T) {
	path := file(t)
	s := open(t, path)
	op := filled[release.Operation]()
	begin(t, s, op)
	check := func() {
		t.Helper()
		got, found, err := s.Operation(t.Context(), op.ID)
		if err != nil || !found {
			t.Fatal(found, err)
		}
		if !reflect.DeepEqual(got, op) {
			t.Errorf("got  %+v\nwant %+v", got, op)
		}
	}
	check()
	op.Progress.Stage, op.Message.TS, op.Notes, op.Progress.Cause = release.StageCommitted, "17.5", nil, nil
	must(t, s.Save(t.Context(), op))
	must(t, s.Close())
	s = open(t, path)
	check()
}

var update = flag.Bool("update", false, "rewrite the golden files")

// A field that is renamed would be lost from what earlier versions stored.
// Where that is meant, add a migration of the rows, then run with -update.
func TestStoredFormIsStillUnderstood(t *testing.T) {
	const golden = "testdata/operation.json"
	if *update {
		b, err := json.MarshalIndent(filled[release.Operation](), "", "\t")
		must(t, err)
		must(t, os.WriteFile(golden, append(b, '\n'), 0o644))
	}
	f, err := os.Open(golden)
	must(t, err)
	defer func() { must(t, f.Close()) }()
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	var op release.Operation
	if err := d.Decode(&op); err != nil {
		t.Errorf("%v: stored operations would lose it; where that is meant, run with -update", err)
	}
}

func TestBeginOnce(t *testing.T) {
	s := open(t, file(t))
	first := begin(t, s, operation("1"))
	asked := func(*release.Operation) error { t.Error("decide was asked about an operation that exists"); return nil }

	again := operation("1")
	again.Delivery = "another"
	if err := s.Begin(t.Context(), again, asked); !errors.Is(err, release.ErrExists) {
		t.Errorf("the same id again: %v", err)
	}
	again = operation("2")
	again.Delivery = first.Delivery
	if err := s.Begin(t.Context(), again, asked); !errors.Is(err, release.ErrExists) {
		t.Errorf("the same delivery again: %v", err)
	}
	got, found, err := s.OperationOf(t.Context(), first.Delivery)
	if err != nil || !found || got.ID != "1" {
		t.Errorf("OperationOf = %q, %v, %v", got.ID, found, err)
	}

	for _, id := range []string{"3", "4"} { // no delivery is like no other
		op := operation(id)
		op.Delivery = ""
		begin(t, s, op)
	}
	for _, delivery := range []string{"", "nobody's"} {
		if op, found, err := s.OperationOf(t.Context(), delivery); found || err != nil {
			t.Errorf("OperationOf(%q) = %q, %v, %v", delivery, op.ID, found, err)
		}
	}
}

func TestBeginDecides(t *testing.T) {
	s := open(t, file(t))
	no := release.Refuse(release.CodeInProgress, "", "no")
	var seen string
	decide := func(answer error) func(*release.Operation) error {
		return func(current *release.Operation) error {
			seen = "nothing"
			if current != nil {
				seen = current.ID
			}
			return answer
		}
	}
	expect := func(op release.Operation, answer error, want string) {
		t.Helper()
		if err := s.Begin(t.Context(), op, decide(answer)); err != answer {
			t.Errorf("Begin(%s) = %v, want %v", op.ID, err, answer)
		}
		if seen != want {
			t.Errorf("Begin(%s) saw %s, want %s", op.ID, seen, want)
		}
	}
	expect(operation("1"), no, "nothing")
	expect(operation("1"), nil, "nothing") // the refused one was not stored
	expect(operation("2"), no, "1")
	expect(operation("2"), nil, "1")
	// Stored later is newer, whatever the clocks of the processes say.
	older := operation("3")
	older.Created = at.Add(-time.Hour)
	expect(older, nil, "2")
	expect(operation("4"), no, "3")
	// Other apps and environments, and what has ended, are not in the way.
	dev, app := operation("5"), operation("6")
	dev.Environment, app.App = "dev", "shop"
	expect(dev, nil, "nothing")
	expect(app, nil, "nothing")
	must(t, s.Save(t.Context(), end(older)))
	expect(operation("7"), no, "2")
}

func TestBeginFromManySides(t *testing.T) {
	path := file(t)
	stores := []*Store{open(t, path), open(t, path)}
	busy := errors.New("busy")
	var begun atomic.Int32
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			err := stores[i%2].Begin(t.Context(), operation(fmt.Sprint(i)), func(current *release.Operation) error {
				if current != nil {
					return busy
				}
				return nil
			})
			switch err {
			case nil:
				begun.Add(1)
			case busy:
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := begun.Load(); n != 1 {
		t.Errorf("%d operations began", n)
	}
}

func TestBeginAfterADecisionThatPanics(t *testing.T) {
	s := open(t, file(t))
	func() {
		defer func() { _ = recover() }()
		_ = s.Begin(t.Context(), operation("1"), func(*release.Operation) error { panic("broken") })
	}()
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	must(t, s.Begin(ctx, operation("1"), allow))
}

func TestClaim(t *testing.T) {
	later := at.Add(ttl)
	tests := []struct {
		name        string
		lease       release.Lease
		ended, told bool
		now         time.Time
		ours        bool
		fence       int64 // afterwards, if it is ours
	}{
		{name: "free", lease: release.Lease{Fence: 4}, now: at, ours: true, fence: 5},
		{name: "held by another", lease: release.Lease{Owner: "them", Fence: 4, Until: later}, now: later.Add(-1)},
		{name: "expired just now", lease: release.Lease{Owner: "them", Fence: 4, Until: later}, now: later, ours: true, fence: 5},
		{name: "ours", lease: release.Lease{Owner: "us", Fence: 4, Until: later}, now: at, ours: true, fence: 4},
		{name: "ours, expired", lease: release.Lease{Owner: "us", Fence: 4, Until: later}, now: later.Add(1), ours: true, fence: 4},
		{name: "ended, not told", lease: release.Lease{Fence: 4}, ended: true, now: at, ours: true, fence: 5},
		{name: "ended, being told", lease: release.Lease{Owner: "them", Fence: 4, Until: later}, ended: true, now: at},
		{name: "ended and told", lease: release.Lease{Fence: 4}, ended: true, told: true, now: at},
		{name: "ended and told, ours", lease: release.Lease{Owner: "us", Fence: 4, Until: later}, ended: true, told: true, now: at},
		{name: "told, but not ended", lease: release.Lease{Fence: 4}, told: true, now: at, ours: true, fence: 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, file(t))
			op := operation("1")
			op.Lease = tt.lease
			if tt.ended {
				op = end(op)
			}
			op.Told = tt.told
			begin(t, s, op)
			got, ours, err := s.Claim(t.Context(), "1", "us", ttl, tt.now)
			must(t, err)
			want := op
			if tt.ours {
				want.Lease = release.Lease{Owner: "us", Fence: tt.fence, Until: tt.now.Add(ttl)}
			}
			if ours != tt.ours || !reflect.DeepEqual(got, want) {
				t.Errorf("Claim = %+v, %v, want %+v, %v", got.Lease, ours, want.Lease, tt.ours)
			}
			stored, _, err := s.Operation(t.Context(), "1")
			if err != nil || !reflect.DeepEqual(stored, want) {
				t.Errorf("stored is %+v, %v", stored.Lease, err)
			}
		})
	}
}

func TestClaimRefuses(t *testing.T) {
	s := open(t, file(t))
	if _, ours, err := s.Claim(t.Context(), "1", "us", ttl, at); ours || !errors.Is(err, errNotFound) {
		t.Errorf("an operation that is not there: %v, %v", ours, err)
	}
	op := operation("1")
	op.Lease = release.Lease{}
	begin(t, s, op)
	if _, ours, err := s.Claim(t.Context(), "1", "", ttl, at); ours || err == nil {
		t.Errorf("by nobody: %v, %v", ours, err)
	}
}

func TestClaimFromManySides(t *testing.T) {
	path := file(t)
	stores := []*Store{open(t, path), open(t, path)}
	op := operation("1")
	op.Lease = release.Lease{}
	begin(t, stores[0], op)
	var ours atomic.Int32
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			_, ok, err := stores[i%2].Claim(t.Context(), "1", fmt.Sprintf("process %d", i), ttl, at)
			if err != nil {
				t.Error(err)
			}
			if ok {
				ours.Add(1)
			}
		})
	}
	all.Wait()
	if n := ours.Load(); n != 1 {
		t.Errorf("%d processes hold it", n)
	}
}

func TestFence(t *testing.T) {
	path := file(t)
	mine, theirs := open(t, path), open(t, path)
	op := begin(t, mine, operation("1"))
	taken, ours, err := theirs.Claim(t.Context(), "1", "they", ttl, at.Add(ttl))
	if err != nil || !ours {
		t.Fatal(ours, err)
	}
	op.Commit = "mine"
	for what, err := range map[string]error{
		"Save":    mine.Save(t.Context(), op),
		"Renew":   mine.Renew(t.Context(), op, ttl, at),
		"Release": mine.Release(t.Context(), op),
	} {
		if !errors.Is(err, release.ErrFenced) {
			t.Errorf("%s of a lost operation: %v", what, err)
		}
	}
	taken.Commit = "theirs"
	must(t, theirs.Save(t.Context(), taken))
	// Lost and won back: what was begun under the old lease stays fenced.
	back, ours, err := mine.Claim(t.Context(), "1", "me", ttl, at.Add(3*ttl))
	if err != nil || !ours || back.Lease.Fence != 3 {
		t.Fatal(back.Lease, ours, err)
	}
	if err := mine.Save(t.Context(), op); !errors.Is(err, release.ErrFenced) {
		t.Errorf("Save under an earlier lease of the same owner: %v", err)
	}
	if back.Commit != "theirs" {
		t.Errorf("commit %q was stored", back.Commit)
	}
	back.Commit = "mine again"
	must(t, mine.Save(t.Context(), back))
}

func TestSaveRefuses(t *testing.T) {
	s := open(t, file(t))
	op := operation("1")
	if err := s.Save(t.Context(), op); !errors.Is(err, errNotFound) {
		t.Errorf("an operation that is not there: %v", err)
	}
	op.Lease = release.Lease{}
	begin(t, s, op)
	if err := s.Save(t.Context(), op); !errors.Is(err, release.ErrFenced) {
		t.Errorf("an operation that nobody holds: %v", err)
	}
}

func TestRenewAndRelease(t *testing.T) {
	s := open(t, file(t))
	op := begin(t, s, operation("1"))
	lease := func() release.Lease {
		t.Helper()
		got, _, err := s.Operation(t.Context(), "1")
		must(t, err)
		return got.Lease
	}
	must(t, s.Renew(t.Context(), op, ttl, at.Add(time.Minute)))
	want := release.Lease{Owner: "me", Fence: 1, Until: at.Add(time.Minute + ttl)}
	if got := lease(); got != want {
		t.Errorf("after Renew: %+v", got)
	}
	must(t, s.Save(t.Context(), op)) // which has the older time
	if got := lease(); got != want {
		t.Errorf("Save has taken the renewal back: %+v", got)
	}
	must(t, s.Release(t.Context(), op))
	if got := lease(); got != (release.Lease{Fence: 1}) {
		t.Errorf("after Release: %+v", got)
	}
	if err := s.Save(t.Context(), op); !errors.Is(err, release.ErrFenced) {
		t.Errorf("Save after Release: %v", err)
	}
	if got, ours, err := s.Claim(t.Context(), "1", "they", ttl, at); err != nil || !ours || got.Lease.Fence != 2 {
		t.Errorf("Claim after Release = %+v, %v, %v", got.Lease, ours, err)
	}
}

func TestLists(t *testing.T) {
	s := open(t, file(t))
	for i, id := range []string{"c", "a", "b", "d"} {
		op := operation(id)
		op.Created = at.Add(-time.Duration(i) * time.Hour) // clocks do not order
		begin(t, s, op)
	}
	elsewhere := operation("e")
	elsewhere.App, elsewhere.Environment = "shop", "dev"
	begin(t, s, elsewhere)
	told, untold := end(operation("a")), end(operation("d"))
	told.Told = true
	must(t, s.Save(t.Context(), told))
	must(t, s.Save(t.Context(), untold))

	lists := []struct {
		name string
		want string
		get  func() ([]release.Operation, error)
	}{
		{"Unfinished", "c b d e", func() ([]release.Operation, error) { return s.Unfinished(t.Context()) }},
		{"Recent", "d b a", func() ([]release.Operation, error) { return s.Recent(t.Context(), "web", 3) }},
		{"Recent of another app", "e", func() ([]release.Operation, error) { return s.Recent(t.Context(), "shop", 3) }},
		{"Recent, none", "", func() ([]release.Operation, error) { return s.Recent(t.Context(), "web", 0) }},
		{"Recent, fewer than none", "", func() ([]release.Operation, error) { return s.Recent(t.Context(), "web", -1) }},
	}
	for _, tt := range lists {
		got, err := tt.get()
		if err != nil || ids(got) != tt.want {
			t.Errorf("%s = %q, %v, want %q", tt.name, ids(got), err, tt.want)
		}
	}

	current := []struct {
		app  release.App
		env  string
		want string
	}{{"web", "prod", "b"}, {"shop", "dev", "e"}, {"web", "dev", ""}, {"none", "prod", ""}}
	for _, tt := range current {
		op, found, err := s.Current(t.Context(), tt.app, tt.env)
		if err != nil || found != (tt.want != "") || op.ID != tt.want {
			t.Errorf("Current(%s, %s) = %q, %v, %v", tt.app, tt.env, op.ID, found, err)
		}
	}
}

func TestFailures(t *testing.T) {
	s := open(t, file(t))
	since := at.Add(time.Hour)
	for _, tt := range []struct {
		id    string
		stage release.Stage
		ended time.Time
	}{
		{"before", release.StageSyncFailed, since.Add(-1)},
		{"later", release.StageTimedOut, since.Add(time.Hour)},
		{"well", release.StageHealthy, since.Add(time.Hour)},
		{"may recover", release.StageDegraded, since.Add(time.Hour)},
		{"on its way", release.StageWriting, since.Add(time.Hour)},
		{"replaced", release.StageSuperseded, since.Add(time.Hour)},
		{"just then", release.StageStillDegraded, since},
	} {
		op := operation(tt.id)
		op.Progress = release.Progress{Stage: tt.stage, Since: tt.ended}
		op.Created = at.Add(-24 * time.Hour) // long before
		begin(t, s, op)
	}
	if ops, err := s.Failures(t.Context(), since); err != nil || ids(ops) != "later just then" {
		t.Errorf("Failures = %q, %v", ids(ops), err)
	}
	if ops, err := s.Failures(t.Context(), since.Add(2*time.Hour)); err != nil || len(ops) != 0 {
		t.Errorf("Failures of later = %q, %v", ids(ops), err)
	}
}

func TestReadersDoNotWaitForTheWriter(t *testing.T) {
	path := file(t)
	s := open(t, path)
	begin(t, s, operation("1"))
	unlock := lock(t, path)
	defer unlock()
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	if _, found, err := s.Operation(ctx, "1"); err != nil || !found {
		t.Error(found, err)
	}
}

func TestAnUnreadableRowIsNamed(t *testing.T) {
	s := open(t, file(t))
	begin(t, s, operation("1"))
	_, err := s.writer.Exec(`UPDATE operations SET body = '{"ID": 1}'`)
	must(t, err)
	if ops, err := s.Unfinished(t.Context()); err == nil || !strings.Contains(err.Error(), "operation 1:") || len(ops) > 0 {
		t.Errorf("Unfinished = %v, %v", ops, err)
	}
}
