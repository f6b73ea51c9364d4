package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// leader takes the lease "automation" of a new store, or one that is free.
func leader(t testing.TB, s *Store, owner string) release.Lease {
	t.Helper()
	lease, ours, err := s.Lead(t.Context(), "automation", owner, ttl, at)
	if err != nil || !ours {
		t.Fatal(lease, ours, err)
	}
	return lease
}

// lost is a lease of "automation" that another owner has taken since.
func lost(t testing.TB, s *Store) (mine, theirs release.Lease) {
	t.Helper()
	mine = leader(t, s, "me")
	theirs, ours, err := s.Lead(t.Context(), "automation", "they", ttl, at.Add(ttl))
	if err != nil || !ours {
		t.Fatal(theirs, ours, err)
	}
	return mine, theirs
}

func TestLead(t *testing.T) {
	path := file(t)
	s := open(t, path)
	later := at.Add(ttl)
	held := func(owner string, fence int64, since time.Time) release.Lease {
		return release.Lease{Owner: owner, Fence: fence, Until: since.Add(ttl)}
	}
	for _, tt := range []struct {
		name, owner string
		now         time.Time
		ours        bool
		want        release.Lease
	}{
		{"never taken", "me", at, true, held("me", 1, at)},
		{"held by another", "they", later.Add(-1), false, held("me", 1, at)},
		{"renewed", "me", at.Add(1), true, held("me", 1, at.Add(1))},
		{"held by another, renewed", "they", later, false, held("me", 1, at.Add(1))},
		{"expired", "they", later.Add(1), true, held("they", 2, later.Add(1))},
		{"lost", "me", later.Add(2), false, held("they", 2, later.Add(1))},
		{"expired, and its owner's", "they", later.Add(time.Hour), true, held("they", 2, later.Add(time.Hour))},
	} {
		got, ours, err := s.Lead(t.Context(), "automation", tt.owner, ttl, tt.now)
		if err != nil || ours != tt.ours || got != tt.want {
			t.Errorf("%s: Lead = %+v, %v, %v, want %+v, %v", tt.name, got, ours, err, tt.want, tt.ours)
		}
	}
	must(t, s.Close())
	s = open(t, path)
	if got, ours, err := s.Lead(t.Context(), "automation", "me", ttl, later.Add(time.Hour)); err != nil || ours || got.Owner != "they" {
		t.Errorf("after reopening: Lead = %+v, %v, %v", got, ours, err)
	}
	if got, ours, err := s.Lead(t.Context(), "other", "me", ttl, at); err != nil || !ours || got.Fence != 1 {
		t.Errorf("another name: Lead = %+v, %v, %v", got, ours, err)
	}
	if _, ours, err := s.Lead(t.Context(), "free", "", ttl, at); err == nil || ours {
		t.Errorf("by nobody: %v, %v", ours, err)
	}
}

func TestResign(t *testing.T) {
	s := open(t, file(t))
	lease := leader(t, s, "me")
	must(t, s.Resign(t.Context(), "automation", lease))
	for what, l := range map[string]release.Lease{"given up": lease, "nobody's": {Fence: lease.Fence}} {
		if err := s.Resign(t.Context(), "automation", l); !errors.Is(err, release.ErrFenced) {
			t.Errorf("Resign of a lease that is %s: %v", what, err)
		}
	}
	if err := s.Resign(t.Context(), "never taken", lease); !errors.Is(err, release.ErrFenced) {
		t.Errorf("Resign of a lease never taken: %v", err)
	}
	if got := leader(t, s, "they"); got.Fence != 2 {
		t.Errorf("the fence after Resign is %d", got.Fence)
	}
	if err := s.Resign(t.Context(), "automation", lease); !errors.Is(err, release.ErrFenced) {
		t.Errorf("Resign of another's lease: %v", err)
	}
}

func TestLeadFromManySides(t *testing.T) {
	path := file(t)
	stores := []*Store{open(t, path), open(t, path)}
	var leaders atomic.Int32
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			_, ours, err := stores[i%2].Lead(t.Context(), "automation", fmt.Sprintf("process %d", i), ttl, at)
			if err != nil {
				t.Error(err)
			}
			if ours {
				leaders.Add(1)
			}
		})
	}
	all.Wait()
	if n := leaders.Load(); n != 1 {
		t.Errorf("%d processes lead", n)
	}
}

// Nobody can take the lease between the look at it and the commit.
func TestLeadWaitsForWhatIsUnderTheLease(t *testing.T) {
	path := file(t)
	mine, theirs := open(t, path), open(t, path)
	lease := leader(t, mine, "me")
	must(t, mine.leading(t.Context(), "automation", lease, func(*sql.Tx) error {
		ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer stop()
		if got, ours, err := theirs.Lead(ctx, "automation", "they", ttl, at.Add(time.Hour)); ours || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Lead = %+v, %v, %v", got, ours, err)
		}
		return nil
	}))
}

// Two processes take the lease from each other all the time. Once the next one
// has stored anything, nothing of the one before may follow.
func TestNothingFollowsTheNextLeader(t *testing.T) {
	path := file(t)
	stores := []*Store{open(t, path), open(t, path)}
	var clock atomic.Int64
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			s := stores[i%2]
			for turn := range 12 {
				now := at.Add(time.Duration(clock.Add(1)) * ttl) // any lease has expired
				l, ours, err := s.Lead(t.Context(), "automation", fmt.Sprint("process ", i), ttl, now)
				if err != nil {
					t.Error(err)
				}
				if !ours {
					continue
				}
				n := newNotice(fmt.Sprint(i, " ", turn), "C1")
				n.Seq = int(l.Fence)
				err = s.Record(t.Context(), "automation", l, release.Record{Notices: []release.Notice{n}})
				if err != nil && !errors.Is(err, release.ErrFenced) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	found, err := stores[0].Unshown(t.Context())
	must(t, err)
	if len(found) == 0 || !slices.IsSortedFunc(found, func(a, b release.Notice) int { return a.Seq - b.Seq }) {
		t.Errorf("stored in this order: %v", found)
	}
}

// What is done under a lease that has passed on is refused, also once the
// lease is won back.
func TestLeaseFences(t *testing.T) {
	path := file(t)
	s, other := open(t, path), open(t, path)
	mine, theirs := lost(t, s)
	n := newNotice("n", "C1", "u")
	must(t, other.Record(t.Context(), "automation", theirs, release.Record{Notices: []release.Notice{n}}))
	refused := func(l release.Lease) {
		t.Helper()
		for what, err := range map[string]error{
			"Record": s.Record(t.Context(), "automation", l, release.Record{
				Ledgers: []release.Ledger{{App: "web", Environment: "prod"}}, Notices: []release.Notice{newNotice("n2", "C1", "u2")},
				Hold: &release.Hold{App: "web"},
			}),
			"Shown":  s.Shown(t.Context(), "automation", l, posted(n)),
			"Ran":    s.Ran(t.Context(), "automation", l, "digest", at, []release.Notice{newNotice("n3", "C1", "u3")}),
			"Resign": s.Resign(t.Context(), "automation", l),
		} {
			if !errors.Is(err, release.ErrFenced) {
				t.Errorf("%s under the lease %+v: %v", what, l, err)
			}
		}
	}
	refused(mine)
	refused(release.Lease{Owner: mine.Owner, Fence: theirs.Fence})
	refused(release.Lease{})
	refused(release.Lease{Fence: theirs.Fence})
	if err := s.Record(t.Context(), "another", theirs, release.Record{}); !errors.Is(err, release.ErrFenced) {
		t.Errorf("Record under a lease of another name: %v", err)
	}
	must(t, other.Resign(t.Context(), "automation", theirs))
	refused(theirs)
	refused(release.Lease{Fence: theirs.Fence}) // which is what is stored
	back := leader(t, s, "me")
	refused(mine)

	if adopted, err := s.Adopted(t.Context()); err != nil || adopted {
		t.Errorf("a ledger was stored: %v, %v", adopted, err)
	}
	if _, ran, err := s.LastRun(t.Context(), "digest"); err != nil || ran {
		t.Errorf("the job ran: %v, %v", ran, err)
	}
	if got := unshown(t, s); got != "n" {
		t.Errorf("unshown: %q", got)
	}
	if held, err := s.Holds(t.Context()); err != nil || len(held) > 0 {
		t.Errorf("holds: %v, %v", held, err)
	}
	// A lease that nobody has taken since holds, whatever the clock says.
	must(t, s.Shown(t.Context(), "automation", back, posted(n)))
}
