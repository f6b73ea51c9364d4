package store

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synestra/promoter/internal/release"
)

func TestRan(t *testing.T) {
	path := file(t)
	s := open(t, path)
	l := leader(t, s, "me")
	if got, ran, err := s.LastRun(t.Context(), "digest"); err != nil || ran || !got.IsZero() {
		t.Errorf("LastRun = %v, %v, %v", got, ran, err)
	}
	for i, tt := range []struct {
		at   time.Time
		want error
	}{
		{at, nil},
		{at, release.ErrExists},
		{at.Add(-time.Hour), release.ErrExists},
		{at.Add(1), nil},
	} {
		err := s.Ran(t.Context(), "automation", l, "digest", tt.at, []release.Notice{newNotice(fmt.Sprint(i), "C1", "", "")})
		if !errors.Is(err, tt.want) {
			t.Errorf("Ran at %v = %v, want %v", tt.at, err, tt.want)
		}
	}
	must(t, s.Ran(t.Context(), "automation", l, "reminder", at, nil))
	// A notice that tells of what was told leaves the job to be run.
	record(t, s, l, newNotice("told", "C1", "u"))
	if err := s.Ran(t.Context(), "automation", l, "digest", at.Add(time.Hour), []release.Notice{newNotice("new", "C1"), newNotice("again", "C1", "u")}); !errors.Is(err, release.ErrExists) {
		t.Errorf("Ran with a notice of what was told: %v", err)
	}
	must(t, s.Close())

	s = open(t, path)
	for job, want := range map[string]time.Time{"digest": at.Add(1), "reminder": at} {
		if got, ran, err := s.LastRun(t.Context(), job); err != nil || !ran || got != want {
			t.Errorf("LastRun(%s) = %v, %v, %v", job, got, ran, err)
		}
	}
	if got := unshown(t, s); got != "0 3 told" {
		t.Errorf("unshown: %q", got)
	}
}

func TestRanFromManySides(t *testing.T) {
	path := file(t)
	stores := []*Store{open(t, path), open(t, path)}
	l := leader(t, stores[0], "me")
	var ran atomic.Int32
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			err := stores[i%2].Ran(t.Context(), "automation", l, "digest", at, []release.Notice{newNotice(fmt.Sprint(i), "C1")})
			switch {
			case err == nil:
				ran.Add(1)
			case !errors.Is(err, release.ErrExists):
				t.Error(err)
			}
		})
	}
	all.Wait()
	left, err := stores[0].Unshown(t.Context())
	must(t, err)
	if n := ran.Load(); n != 1 || len(left) != 1 {
		t.Errorf("it ran %d times, and left %d notices", n, len(left))
	}
}
