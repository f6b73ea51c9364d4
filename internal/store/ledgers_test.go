package store

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/synestra/promoter/internal/release"
)

// As with operations, see [TestStoredFormIsStillUnderstood].
func TestStoredFormsOfAutomationAreStillUnderstood(t *testing.T) {
	t.Run("ledger", understood[release.Ledger])
	t.Run("notice", understood[release.Notice])
	t.Run("hold", understood[release.Hold])
}

func understood[T any](t *testing.T) {
	_, name, _ := strings.Cut(t.Name(), "/")
	golden := "testdata/" + name + ".json"
	if *update {
		b, err := json.MarshalIndent(filled[T](), "", "\t")
		must(t, err)
		must(t, os.WriteFile(golden, append(b, '\n'), 0o644))
	}
	f, err := os.Open(golden)
	must(t, err)
	defer func() { must(t, f.Close()) }()
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	var v T
	if err := d.Decode(&v); err != nil {
		t.Errorf("%v: what is stored would lose it; where that is meant, run with -update", err)
	}
}

func TestLedgersAreKept(t *testing.T) {
	path := file(t)
	s := open(t, path)
	if adopted, err := s.Adopted(t.Context()); err != nil || adopted {
		t.Errorf("a new store is adopted: %v, %v", adopted, err)
	}
	l := leader(t, s, "me")
	must(t, s.Record(t.Context(), "automation", l, release.Record{}))
	if adopted, err := s.Adopted(t.Context()); err != nil || adopted {
		t.Errorf("adopted without a ledger: %v, %v", adopted, err)
	}
	full := filled[release.Ledger]()
	full.App, full.Environment = "web", "prod"
	other, dev, app := release.Ledger{App: "web", Environment: "prod"}, release.Ledger{App: "web", Environment: "dev"}, release.Ledger{App: "shop", Environment: "prod"}
	must(t, s.Record(t.Context(), "automation", l, release.Record{Ledgers: []release.Ledger{other, dev, app}}))
	must(t, s.Record(t.Context(), "automation", l, release.Record{Ledgers: []release.Ledger{full}}))
	must(t, s.Close())

	s = open(t, path)
	got, err := s.Ledgers(t.Context())
	if want := []release.Ledger{app, dev, full}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
	one, found, err := s.Ledger(t.Context(), "web", "prod")
	if err != nil || !found || !reflect.DeepEqual(one, full) {
		t.Errorf("Ledger = %+v, %v, %v", one, found, err)
	}
	if one, found, err := s.Ledger(t.Context(), "shop", "dev"); err != nil || found {
		t.Errorf("Ledger of none = %+v, %v, %v", one, found, err)
	}
	if adopted, err := s.Adopted(t.Context()); err != nil || !adopted {
		t.Errorf("adopted: %v, %v", adopted, err)
	}
}

// A record that is refused changes nothing, wherever in it the reason is.
func TestRecordIsAllOrNothing(t *testing.T) {
	path := file(t)
	s := open(t, path)
	l := leader(t, s, "me")
	hold := release.Hold{App: "held", Since: at, Reason: "rolled back", Update: "u0", By: "U1"}
	before := newNotice("before", "C1", "u1", "")
	must(t, s.Record(t.Context(), "automation", l, release.Record{
		Ledgers: []release.Ledger{{App: "web", Environment: "prod", Seq: 1}}, Notices: []release.Notice{before}, Hold: &hold,
	}))
	must(t, s.Shown(t.Context(), "automation", l, posted(before)))

	changed := newNotice("before", "C1", "u1", "u2")
	changed.Seq = 2
	older := newNotice("before", "C1", "u1")
	older.Seq = 0
	for _, tt := range []struct {
		name    string
		notices []release.Notice
		want    error
	}{
		{"told by another", []release.Notice{changed, newNotice("new", "C1", "u3", "u1")}, release.ErrExists},
		{"told by two of it", []release.Notice{changed, newNotice("new", "C1", "u3"), newNotice("newer", "C1", "u3")}, release.ErrExists},
		{"an older state", []release.Notice{newNotice("new", "C1", "u3"), older}, errOldState},
	} {
		err := s.Record(t.Context(), "automation", l, release.Record{
			Ledgers: []release.Ledger{{App: "web", Environment: "prod", Seq: 2}, {App: "shop", Environment: "prod"}},
			Notices: tt.notices, Hold: &release.Hold{App: "web"}, Lift: "held",
		})
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	must(t, s.Close())

	s = open(t, path)
	ledgers, err := s.Ledgers(t.Context())
	if err != nil || len(ledgers) != 1 || ledgers[0].Seq != 1 {
		t.Errorf("ledgers: %+v, %v", ledgers, err)
	}
	holds, err := s.Holds(t.Context())
	if err != nil || !reflect.DeepEqual(holds, []release.Hold{hold}) {
		t.Errorf("holds: %+v, %v", holds, err)
	}
	if got := stored(t, s, "u1", "C1"); !reflect.DeepEqual(got, posted(before)) {
		t.Errorf("notice: %+v", got)
	}
	for _, u := range []string{"u2", "u3"} {
		if n, found, err := s.NoticeOf(t.Context(), u, "C1"); err != nil || found {
			t.Errorf("NoticeOf(%s) = %+v, %v, %v", u, n, found, err)
		}
	}
	// The same updates in another channel, and no update, are nobody else's.
	record(t, s, l, newNotice("elsewhere", "C2", "u1", "", ""), newNotice("digest", "C1", ""))
	record(t, s, l, changed)
}

// TestRecordedSurvivesAKill kills another process, which is this test again,
// while it records.
func TestRecordedSurvivesAKill(t *testing.T) {
	const variable = "PROMOTER_TEST_RECORD"
	if path := os.Getenv(variable); path != "" {
		recordForEver(t, open(t, path))
		return
	}
	path := file(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRecordedSurvivesAKill$")
	cmd.Env = append(os.Environ(), variable+"="+path)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	told, killed := 0, false
	for lines := bufio.NewScanner(out); lines.Scan(); { // what it says in its last moments counts too
		if n, err := fmt.Sscanf(lines.Text(), "recorded %d", &told); n == 1 && err == nil && told >= 30 && !killed {
			killed = true
			must(t, cmd.Process.Kill())
		}
	}
	if err := cmd.Wait(); err == nil || !killed {
		t.Fatalf("the process ended by itself after %d records: %v", told, err)
	}
	s := open(t, path)
	ledger, _, err := s.Ledger(t.Context(), "web", "prod")
	must(t, err)
	all, err := s.Unshown(t.Context())
	must(t, err)
	if ledger.Seq < told || len(all) != ledger.Seq {
		t.Errorf("%d records were acknowledged; the ledger has %d, and there are %d notices", told, ledger.Seq, len(all))
	}
}

func recordForEver(t *testing.T, s *Store) {
	l := leader(t, s, "me")
	for i := 1; ; i++ {
		must(t, s.Record(t.Context(), "automation", l, release.Record{
			Notices: []release.Notice{newNotice(fmt.Sprint(i), "C1", fmt.Sprint("update ", i))},
			Ledgers: []release.Ledger{{App: "web", Environment: "prod", Seq: i}},
		}))
		fmt.Printf("recorded %d\n", i)
	}
}

func TestAnUnreadableRowOfAutomationIsNamed(t *testing.T) {
	s := open(t, file(t))
	must(t, s.Record(t.Context(), "automation", leader(t, s, "me"), release.Record{
		Ledgers: []release.Ledger{{App: "web", Environment: "prod"}}, Notices: []release.Notice{newNotice("n", "C1")}, Hold: &release.Hold{App: "web"},
	}))
	_, err := s.writer.Exec(`UPDATE ledgers SET body = '[]'; UPDATE notices SET body = '[]'; UPDATE holds SET body = '[]'`)
	must(t, err)
	_, ofLedgers := s.Ledgers(t.Context())
	_, ofNotices := s.Unshown(t.Context())
	_, ofHolds := s.Holds(t.Context())
	for want, err := range map[string]error{"ledger of web in prod:": ofLedgers, "notice n:": ofNotices, "hold on web:": ofHolds} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v lacks %q", err, want)
		}
	}
}
