package store

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// model is what the store must do for automation, in memory.
type model struct {
	now     time.Time
	lease   release.Lease
	ledgers map[string]release.Ledger // by environment and app
	notices []release.Notice          // as first stored
	told    map[string]string         // by channel and update, the notice's id
	holds   map[release.App]release.Hold
	ran     map[string]time.Time
}

// copy is a model that can be changed without changing m.
func (m model) copy() model {
	m.ledgers, m.told, m.holds, m.ran = maps.Clone(m.ledgers), maps.Clone(m.told), maps.Clone(m.holds), maps.Clone(m.ran)
	m.notices = slices.Clone(m.notices)
	return m
}

func (m *model) lead(owner string) bool {
	free := m.lease.Owner == "" || !m.now.Before(m.lease.Until)
	switch {
	case m.lease.Owner == owner:
	case free:
		m.lease.Owner, m.lease.Fence = owner, m.lease.Fence+1
	default:
		return false
	}
	m.lease.Until = m.now.Add(ttl)
	return true
}

func (m *model) holder(l release.Lease) bool {
	return l.Owner != "" && l.Owner == m.lease.Owner && l.Fence == m.lease.Fence
}

// under does what needs the lease, all of it or nothing.
func (m *model) under(l release.Lease, do func(m *model) error) error {
	if !m.holder(l) {
		return release.ErrFenced
	}
	after := m.copy()
	err := do(&after)
	if err == nil {
		*m = after
	}
	return err
}

func (m *model) find(id string) *release.Notice {
	i := slices.IndexFunc(m.notices, func(n release.Notice) bool { return n.ID == id })
	if i < 0 {
		return nil
	}
	return &m.notices[i]
}

func (m *model) put(all []release.Notice) error {
	for _, n := range all {
		switch old := m.find(n.ID); {
		case old == nil:
			m.notices = append(m.notices, n)
		case n.Seq < old.Seq:
			return errOldState
		default:
			n.Shown, n.Posting, n.Repeat, n.Place = old.Shown, old.Posting, old.Repeat, old.Place
			*old = n
		}
		for _, item := range n.Items {
			key := n.Channel + " " + item.Update
			if item.Update == "" {
				continue
			}
			if by, found := m.told[key]; found && by != n.ID {
				return release.ErrExists
			}
			m.told[key] = n.ID
		}
	}
	return nil
}

func (m *model) record(r release.Record) error {
	for _, l := range r.Ledgers {
		m.ledgers[string(l.App)+" "+l.Environment] = l
	}
	delete(m.holds, r.Lift)
	if r.Hold != nil {
		m.holds[r.Hold.App] = *r.Hold
	}
	return m.put(r.Notices)
}

func (m *model) shown(n release.Notice) error {
	old := m.find(n.ID)
	switch {
	case old == nil:
		return errNoNotice
	case n.Shown < old.Shown:
		return errOldState
	}
	old.Shown, old.Posting, old.Repeat, old.Place = n.Shown, n.Posting, n.Repeat, n.Place
	return nil
}

func (m *model) finished(job string, at time.Time, all []release.Notice) error {
	if last, ran := m.ran[job]; ran && !at.After(last) {
		return release.ErrExists
	}
	m.ran[job] = at
	return m.put(all)
}

func (m *model) sweep(olderThan time.Time) {
	m.notices = slices.DeleteFunc(m.notices, func(n release.Notice) bool {
		gone := n.Shown >= n.Seq && n.Created.Before(olderThan.AddDate(0, 0, -90))
		if gone {
			maps.DeleteFunc(m.told, func(_, id string) bool { return id == n.ID })
		}
		return gone
	})
}

// walk is one random sequence of calls, by two processes.
type walk struct {
	*testing.T
	*rand.Rand
	path   string
	stores []*Store
	leases []release.Lease // as each process last had it
	model  model
	done   map[string]int // calls that came out each way
}

var (
	someApps     = []release.App{"shop", "web"}
	someUpdates  = []string{"", "u1", "u2", "u3", "u4", "u5", "u6"}
	someChannels = []string{"C1", "C2"}
	someJobs     = []string{"digest", "reminder"}
)

func pick[T any](w *walk, from []T) T { return from[w.IntN(len(from))] }

func (w *walk) notices() []release.Notice {
	var all []release.Notice
	for range w.IntN(3) {
		id := w.IntN(8)
		n := newNotice(fmt.Sprint("n", id), someChannels[id%2])
		for range w.IntN(3) {
			n.Items = append(n.Items, release.Item{Update: pick(w, someUpdates), App: pick(w, someApps)})
		}
		n.Created, n.Seq = w.model.now, 1+w.IntN(4)
		if w.IntN(4) == 0 {
			n = posted(n)
		}
		all = append(all, n)
	}
	return all
}

func (w *walk) aRecord() release.Record {
	r := release.Record{Notices: w.notices()}
	for range w.IntN(3) {
		r.Ledgers = append(r.Ledgers, release.Ledger{App: pick(w, someApps), Environment: pick(w, []string{"dev", "prod"}), Seq: w.IntN(1000)})
	}
	if w.IntN(4) == 0 {
		r.Hold = &release.Hold{App: pick(w, someApps), Since: w.model.now}
	}
	if w.IntN(4) == 0 {
		r.Lift = pick(w, someApps)
	}
	return r
}

// open opens the store for calls that nothing but the walk itself interrupts, so
// that it need not wait for the disk.
func (w *walk) open() *Store {
	s := open(w.T, w.path)
	_, err := s.writer.Exec(`PRAGMA synchronous = OFF`)
	must(w.T, err)
	return s
}

// both checks that a call came out as the model's.
func (w *walk) both(what string, got, want error) string {
	w.Helper()
	w.done[fmt.Sprint(what, ": ", want)]++
	if !errors.Is(got, want) {
		w.Fatalf("%s = %v, want %v", what, got, want)
	}
	return what
}

// step makes one call and the model's, and says what it was.
func (w *walk) step() string {
	ctx, m := w.Context(), &w.model
	who := w.IntN(len(w.stores))
	if w.leases[who].Fence != m.lease.Fence && w.IntN(3) > 0 {
		who = 1 - who // mostly it is the one who leads
	}
	s, lease := w.stores[who], w.leases[who]
	switch w.IntN(13) {
	case 0, 1:
		owner := fmt.Sprint("process ", who)
		got, ours, err := s.Lead(ctx, "automation", owner, ttl, m.now)
		want := m.lead(owner)
		if err != nil || ours != want || got != m.lease {
			w.Fatalf("Lead = %+v, %v, %v, want %+v, %v", got, ours, err, m.lease, want)
		}
		if ours {
			w.leases[who] = got
		}
		w.done[fmt.Sprint("Lead: ", want)]++
		return "Lead"
	case 2:
		if w.IntN(3) > 0 {
			return "nothing"
		}
		return w.both("Resign", s.Resign(ctx, "automation", lease), m.under(lease, func(m *model) error {
			m.lease.Owner, m.lease.Until = "", time.Time{}
			return nil
		}))
	case 3, 4, 5:
		r := w.aRecord()
		return w.both("Record", s.Record(ctx, "automation", lease, r), m.under(lease, func(m *model) error { return m.record(r) }))
	case 6, 7, 8:
		n := newNotice(fmt.Sprint("n", w.IntN(9)), "elsewhere")
		if old := m.find(n.ID); old != nil {
			n.Seq = old.Seq - w.IntN(2)
		}
		n = posted(n)
		n.Posting, n.Repeat = w.IntN(2) == 0, w.IntN(2) == 0
		return w.both("Shown", s.Shown(ctx, "automation", lease, n), m.under(lease, func(m *model) error { return m.shown(n) }))
	case 9:
		job, at, all := pick(w, someJobs), m.now.Add(time.Duration(w.IntN(3)-1)*time.Hour), w.notices()
		return w.both("Ran", s.Ran(ctx, "automation", lease, job, at, all), m.under(lease, func(m *model) error { return m.finished(job, at, all) }))
	case 10:
		app := pick(w, someApps)
		_, want := m.holds[app]
		delete(m.holds, app)
		if _, got, err := s.Lift(ctx, app, fmt.Sprint("request ", w.Uint64())); err != nil || got != want {
			w.Fatalf("Lift = %v, %v, want %v", got, err, want)
		}
		return "Lift"
	}
	return w.pass(who)
}

// pass is what happens by itself: time, a sweep, a restart.
func (w *walk) pass(who int) string {
	switch w.IntN(5) {
	case 0:
		w.model.now = w.model.now.AddDate(0, 0, w.IntN(100))
		return "days"
	case 1:
		before := len(w.model.notices)
		w.model.sweep(w.model.now)
		must(w.T, w.stores[who].Sweep(w.Context(), w.model.now))
		w.done[fmt.Sprint("Sweep of any: ", len(w.model.notices) < before)]++
		return "Sweep"
	case 2:
		must(w.T, w.stores[who].Close())
		w.stores[who] = w.open()
		return "restart"
	}
	w.model.now = w.model.now.Add(time.Duration(w.IntN(40)) * time.Second)
	return "seconds"
}

// check compares all that can be read with the model.
func (w *walk) check() {
	ctx, m, s := w.Context(), w.model, w.stores[w.IntN(len(w.stores))]
	same := func(what string, got any, err error, want any) {
		w.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			w.Errorf("%s = %+v, %v\nwant %+v", what, got, err, want)
		}
	}
	ledgers, err := s.Ledgers(ctx)
	same("Ledgers", ledgers, err, slices.SortedFunc(maps.Values(m.ledgers), func(a, b release.Ledger) int {
		return cmp.Or(strings.Compare(string(a.App), string(b.App)), strings.Compare(a.Environment, b.Environment))
	}))
	adopted, err := s.Adopted(ctx)
	same("Adopted", adopted, err, len(m.ledgers) > 0)
	holds, err := s.Holds(ctx)
	same("Holds", holds, err, slices.SortedFunc(maps.Values(m.holds), func(a, b release.Hold) int { return strings.Compare(string(a.App), string(b.App)) }))
	var unshown []release.Notice
	newest := map[string]release.Notice{}
	for _, n := range m.notices {
		newest[n.Channel] = n
		if n.Shown < n.Seq {
			unshown = append(unshown, n)
		}
	}
	got, err := s.Unshown(ctx)
	same("Unshown", got, err, unshown)
	for _, channel := range someChannels {
		n, _, err := s.NewestNotice(ctx, channel)
		same("NewestNotice in "+channel, n, err, newest[channel])
		for _, u := range someUpdates {
			var want release.Notice
			if id, found := m.told[channel+" "+u]; found {
				want = *m.find(id)
			}
			n, found, err := s.NoticeOf(ctx, u, channel)
			same("NoticeOf "+u+" in "+channel, n, err, want)
			same("found", found, err, want.ID != "")
		}
	}
	for _, job := range someJobs {
		at, _, err := s.LastRun(ctx, job)
		same("LastRun of "+job, at, err, m.ran[job])
	}
}

func TestAutomationAgainstTheModel(t *testing.T) {
	done := map[string]int{}
	for seed := range uint64(15) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := &walk{T: t, Rand: rand.New(rand.NewPCG(seed, 3)), path: file(t), leases: make([]release.Lease, 2), done: done}
			w.stores = []*Store{w.open(), w.open()}
			w.model = model{now: at}
			w.model.ledgers, w.model.told = map[string]release.Ledger{}, map[string]string{}
			w.model.holds, w.model.ran = map[release.App]release.Hold{}, map[string]time.Time{}
			var calls []string
			for range 80 {
				calls = append(calls, w.step())
				if w.check(); t.Failed() {
					t.Fatalf("after %v", calls)
				}
			}
		})
	}
	// The walks must have come to every outcome, or they prove little.
	for _, want := range []string{
		"Lead: true", "Lead: false", "Resign: <nil>", fmt.Sprint("Resign: ", release.ErrFenced),
		"Record: <nil>", fmt.Sprint("Record: ", release.ErrFenced), fmt.Sprint("Record: ", release.ErrExists), fmt.Sprint("Record: ", errOldState),
		"Shown: <nil>", fmt.Sprint("Shown: ", release.ErrFenced), fmt.Sprint("Shown: ", errOldState), fmt.Sprint("Shown: ", errNoNotice),
		"Ran: <nil>", fmt.Sprint("Ran: ", release.ErrFenced), fmt.Sprint("Ran: ", release.ErrExists), "Sweep of any: true",
	} {
		if done[want] == 0 {
			t.Errorf("no walk came to %q: %v", want, done)
		}
	}
}
