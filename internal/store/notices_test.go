package store

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// newNotice is one that has not been posted, of the updates.
func newNotice(id, channel string, updates ...string) release.Notice {
	n := release.Notice{ID: id, Kind: release.NoticeRelease, Channel: channel, Created: at, Seq: 1}
	for _, u := range updates {
		n.Items = append(n.Items, release.Item{Update: u, App: "web", Environment: "prod", At: at})
	}
	return n
}

// posted is the notice when Slack has it.
func posted(n release.Notice) release.Notice {
	n.Shown, n.Posting, n.Place = n.Seq, false, release.Place{Channel: n.Channel, TS: "17." + n.ID}
	return n
}

func record(t testing.TB, s *Store, l release.Lease, all ...release.Notice) {
	t.Helper()
	must(t, s.Record(t.Context(), "automation", l, release.Record{Notices: all}))
}

func unshown(t testing.TB, s *Store) string {
	t.Helper()
	found, err := s.Unshown(t.Context())
	must(t, err)
	var all []string
	for _, n := range found {
		all = append(all, n.ID)
	}
	return strings.Join(all, " ")
}

// stored is the notice as the store has it; it must tell of the update.
func stored(t testing.TB, s *Store, update, channel string) release.Notice {
	t.Helper()
	n, found, err := s.NoticeOf(t.Context(), update, channel)
	if err != nil || !found {
		t.Fatal(found, err)
	}
	return n
}

func TestEveryFieldOfANoticeIsKept(t *testing.T) {
	path := file(t)
	s := open(t, path)
	n := filled[release.Notice]()
	record(t, s, leader(t, s, "me"), n)
	must(t, s.Close())
	s = open(t, path)
	if got := stored(t, s, n.Items[1].Update, n.Channel); !reflect.DeepEqual(got, n) {
		t.Errorf("got  %+v\nwant %+v", got, n)
	}
}

func TestNoticeIsFound(t *testing.T) {
	s := open(t, file(t))
	l := leader(t, s, "me")
	b, a, c := newNotice("b", "C1", "u1", ""), newNotice("a", "C1", "u2", ""), newNotice("c", "C2", "u1")
	b.Created = at.Add(time.Hour) // clocks do not order
	record(t, s, l, b, a)
	record(t, s, l, c)
	record(t, s, l, b) // changes no order
	if got := unshown(t, s); got != "b a c" {
		t.Errorf("unshown: %q", got)
	}
	for _, tt := range []struct{ update, channel, want string }{
		{"u1", "C1", "b"}, {"u2", "C1", "a"}, {"u1", "C2", "c"}, {"u2", "C2", ""}, {"", "C1", ""}, {"u3", "C1", ""},
	} {
		n, found, err := s.NoticeOf(t.Context(), tt.update, tt.channel)
		if err != nil || found != (tt.want != "") || n.ID != tt.want {
			t.Errorf("NoticeOf(%q, %s) = %q, %v, %v", tt.update, tt.channel, n.ID, found, err)
		}
	}
	for channel, want := range map[string]string{"C1": "a", "C2": "c", "C3": ""} {
		n, found, err := s.NewestNotice(t.Context(), channel)
		if err != nil || found != (want != "") || n.ID != want {
			t.Errorf("NewestNotice(%s) = %q, %v, %v", channel, n.ID, found, err)
		}
	}
}

func TestShownAndRecordKeepEachOthers(t *testing.T) {
	path := file(t)
	s := open(t, path)
	l := leader(t, s, "me")
	first := newNotice("n", "C1", "u1")
	record(t, s, l, first)

	// Posting begins; meanwhile the notice changes.
	posting := first
	posting.Posting = true
	must(t, s.Shown(t.Context(), "automation", l, posting))
	second := newNotice("n", "C1", "u1", "u2")
	second.Seq = 2
	record(t, s, l, second)
	must(t, s.Close())
	s = open(t, path)
	if got := stored(t, s, "u2", "C1"); !got.Posting || got.Seq != 2 || len(got.Items) != 2 {
		t.Errorf("that a post was begun is lost, or what is new: %+v", got)
	}
	// The first state is posted, and saved with what was read before.
	done := posted(posting)
	done.Repeat = true
	must(t, s.Shown(t.Context(), "automation", l, done))
	want := second
	want.Shown, want.Repeat, want.Place = 1, true, done.Place
	if got := stored(t, s, "u2", "C1"); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := unshown(t, s); got != "n" {
		t.Errorf("the second state is not to be shown: %q", got)
	}
	// The notice changes again, by one who does not know that it is posted.
	third := first
	third.Seq = 3
	record(t, s, l, third)
	want.Items, want.Seq = third.Items, 3
	if got := stored(t, s, "u1", "C1"); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	must(t, s.Shown(t.Context(), "automation", l, posted(third)))
	if got := unshown(t, s); got != "" {
		t.Errorf("unshown: %q", got)
	}
	if got := stored(t, s, "u2", "C1"); got.ID != "n" {
		t.Errorf("what was told once is forgotten, now that its item is gone: %+v", got)
	}
}

func TestOlderStatesAreRefused(t *testing.T) {
	s := open(t, file(t))
	l := leader(t, s, "me")
	n := newNotice("n", "C1", "u1")
	n.Seq = 2
	record(t, s, l, n)
	must(t, s.Shown(t.Context(), "automation", l, posted(n)))
	must(t, s.Shown(t.Context(), "automation", l, posted(n))) // again, as after a lost answer

	older := newNotice("n", "C1", "u2")
	if err := s.Record(t.Context(), "automation", l, release.Record{Notices: []release.Notice{older}}); !errors.Is(err, errOldState) {
		t.Errorf("Record of an older state: %v", err)
	}
	older.Posting = true
	if err := s.Shown(t.Context(), "automation", l, older); !errors.Is(err, errOldState) {
		t.Errorf("Shown of an older state: %v", err)
	}
	if got := stored(t, s, "u1", "C1"); !reflect.DeepEqual(got, posted(n)) {
		t.Errorf("stored is %+v", got)
	}
	if err := s.Shown(t.Context(), "automation", l, newNotice("none", "C1")); !errors.Is(err, errNoNotice) {
		t.Errorf("Shown of no notice: %v", err)
	}
}

func TestShownWhileRecording(t *testing.T) {
	path := file(t)
	stores := []*Store{open(t, path), open(t, path)}
	l := leader(t, stores[0], "me")
	n := newNotice("n", "C1", "u")
	record(t, stores[0], l, n)
	const last = 30
	var all sync.WaitGroup
	all.Go(func() {
		for seq := 2; seq <= last; seq++ {
			changed := n
			changed.Seq = seq
			if err := stores[0].Record(t.Context(), "automation", l, release.Record{Notices: []release.Notice{changed}}); err != nil {
				t.Error(err)
			}
		}
	})
	all.Go(func() {
		for range last {
			read, _, err := stores[1].NoticeOf(t.Context(), "u", "C1")
			if err == nil {
				err = stores[1].Shown(t.Context(), "automation", l, posted(read))
			}
			if err != nil {
				t.Error(err)
			}
		}
	})
	all.Wait()
	if got := stored(t, stores[0], "u", "C1"); got.Seq != last || got.Place != posted(n).Place {
		t.Errorf("stored is %+v", got)
	}
}

func TestToldOnceFromManySides(t *testing.T) {
	path := file(t)
	stores := []*Store{open(t, path), open(t, path)}
	l := leader(t, stores[0], "me")
	var mu sync.Mutex
	var told []int
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			err := stores[i%2].Record(t.Context(), "automation", l, release.Record{
				Ledgers: []release.Ledger{{App: "web", Environment: "prod", Seq: i}},
				Notices: []release.Notice{newNotice(fmt.Sprint(i), "C1", "u")},
			})
			switch {
			case err == nil:
				mu.Lock()
				defer mu.Unlock()
				told = append(told, i)
			case !errors.Is(err, release.ErrExists):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(told) != 1 {
		t.Fatalf("told by %v", told)
	}
	ledger, _, err := stores[0].Ledger(t.Context(), "web", "prod")
	must(t, err)
	if ledger.Seq != told[0] || unshown(t, stores[0]) != fmt.Sprint(told[0]) {
		t.Errorf("told by %v, and the ledger is of %d, the notices %q", told, ledger.Seq, unshown(t, stores[0]))
	}
}

func TestSweepNotices(t *testing.T) {
	s := open(t, file(t))
	l := leader(t, s, "me")
	olderThan := at.Add(200 * 24 * time.Hour)
	put := func(id string, created time.Time, shown bool) {
		n := newNotice(id, "C1", "update of "+id)
		n.Created = created
		record(t, s, l, n)
		if shown {
			must(t, s.Shown(t.Context(), "automation", l, posted(n)))
		}
	}
	limit := olderThan.Add(-90 * 24 * time.Hour)
	put("old", limit.Add(-1), true)
	put("old, unshown", limit.Add(-1), false)
	put("young", limit, true)
	must(t, s.Record(t.Context(), "automation", l, release.Record{
		Ledgers: []release.Ledger{{App: "web", Environment: "prod", Told: release.Told{At: at}}}, Hold: &release.Hold{App: "web", Since: at},
	}))
	must(t, s.Sweep(t.Context(), olderThan))
	for id, want := range map[string]bool{"old": false, "old, unshown": true, "young": true} {
		if _, found, err := s.NoticeOf(t.Context(), "update of "+id, "C1"); err != nil || found != want {
			t.Errorf("%s: found %v, %v", id, found, err)
		}
	}
	var items int
	must(t, s.readers.QueryRow(`SELECT count(*) FROM notice_items`).Scan(&items))
	if items != 2 {
		t.Errorf("%d items are left of 2 notices", items)
	}
	if _, found, err := s.Ledger(t.Context(), "web", "prod"); err != nil || !found {
		t.Errorf("the ledger: %v, %v", found, err)
	}
	if _, found, err := s.Hold(t.Context(), "web"); err != nil || !found {
		t.Errorf("the hold: %v, %v", found, err)
	}
}
