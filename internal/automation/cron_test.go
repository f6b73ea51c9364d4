package automation

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := Zone(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func schedule(t testing.TB, expression, name string) Schedule {
	t.Helper()
	s, err := NewSchedule(expression, zone(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func window(t testing.TB, expression, name string, length time.Duration) Window {
	t.Helper()
	w, err := NewWindow(schedule(t, expression, name), length)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// at reads 2026-03-29 02:30 +0200.
func at(t testing.TB, s string) time.Time {
	t.Helper()
	for _, layout := range []string{"2006-01-02 15:04 -0700", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05.000 -0700"} {
		if parsed, err := time.Parse(layout, s); err == nil {
			return parsed
		}
	}
	t.Fatalf("%q is no time", s)
	return time.Time{}
}

func TestZone(t *testing.T) {
	for _, name := range []string{"Europe/Berlin", "UTC", "America/Sao_Paulo"} {
		if z, err := Zone(name); err != nil || z.String() != name {
			t.Errorf("%s: %v, %v", name, z, err)
		}
	}
	for _, name := range []string{"", "Local", "Europe/Berlim", "../etc/passwd", "+02:00"} {
		if _, err := Zone(name); err == nil || err.Error() != fmt.Sprintf("%q is not a time zone such as Europe/Berlin or UTC", name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNoCronExpression(t *testing.T) {
	tests := []struct{ expression, want string }{
		{"", "empty spec string"},
		{"0 9 * *", "expected exactly 5 fields, found 4: [0 9 * *]"},
		{"0 0 9 * * 1", "expected exactly 5 fields, found 6: [0 0 9 * * 1]"},
		{"60 9 * * *", "end of range (60) above maximum (59): 60"},
		{"0 9 * * monday", `failed to parse int from monday: strconv.Atoi: parsing "monday": invalid syntax`},
		{"0 9 30 2 *", "that day never comes"},
		{", 9 * * *", "that day never comes"},
		{"@never", "unrecognized descriptor: @never"},
		{"@every 1h", "@every has no times of its own"},
		{"TZ=UTC", "the time zone does not belong in it"},
		{"CRON_TZ=Europe/Berlin 0 9 * * *", "the time zone does not belong in it"},
	}
	for _, tt := range tests {
		_, err := NewSchedule(tt.expression, time.UTC)
		if want := fmt.Sprintf(`%q is not a cron expression such as "0 9 * * 1-5": %s`, tt.expression, tt.want); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestDue(t *testing.T) {
	tests := []struct{ name, expression, zone, last, now, want string }{
		{"not yet", "0 9 * * 1", "Europe/Berlin", "2026-11-23 09:00 +0100", "2026-11-30 08:59:59 +0100", ""},
		{"on the second", "0 9 * * 1", "Europe/Berlin", "2026-11-23 09:00 +0100", "2026-11-30 09:00 +0100", "2026-11-30 09:00 +0100"},
		{"a moment later", "0 9 * * 1", "Europe/Berlin", "2026-11-23 09:00 +0100", "2026-11-30 09:00:00.001 +0100", "2026-11-30 09:00 +0100"},
		{"it ran already", "0 9 * * 1", "Europe/Berlin", "2026-11-30 09:00 +0100", "2026-11-30 09:00:01 +0100", ""},
		{"missed many times, once", "0 9 * * *", "Europe/Berlin", "2026-11-01 09:00 +0100", "2026-11-24 11:00 +0100", "2026-11-24 09:00 +0100"},
		{"missed for a year, every minute", "* * * * *", "UTC", "2025-11-01 09:00 +0000", "2026-11-24 11:00:30 +0000", "2026-11-24 11:00 +0000"},
		{"part of a second", "* * * * *", "UTC", "2026-11-24 10:59:59.900 +0000", "2026-11-24 11:00:00.100 +0000", "2026-11-24 11:00 +0000"},
		{"29 February", "0 0 29 2 *", "UTC", "2024-03-01 00:00 +0000", "2028-02-29 00:00 +0000", "2028-02-29 00:00 +0000"},
		{"five years are enough", "0 0 1 1 *", "UTC", "2006-01-01 00:00 +0000", "2026-12-31 00:00 +0000", "2026-01-01 00:00 +0000"},
		{"the clock went back", "* * * * *", "UTC", "2026-11-24 11:00 +0000", "2026-11-24 10:00 +0000", ""},
		{"nothing between", "* * * * *", "UTC", "2026-11-24 11:00 +0000", "2026-11-24 11:00 +0000", ""},
		{"by name", "@weekly", "UTC", "2026-11-20 00:00 +0000", "2026-11-24 00:00 +0000", "2026-11-22 00:00 +0000"},
		{"after a change, by the zone's clock", "0 9 * * *", "Europe/Berlin", "2026-03-28 09:00 +0100", "2026-03-29 09:00 +0200", "2026-03-29 09:00 +0200"},
		{"and not an hour late", "0 9 * * *", "Europe/Berlin", "2026-10-24 09:00 +0200", "2026-10-25 08:59 +0100", ""},
		{"left out by the clock", "30 2 * * *", "Europe/Berlin", "2026-03-28 02:30 +0100", "2026-03-29 12:00 +0200", "2026-03-29 03:00 +0200"},
		{"left out, the day after", "30 2 * * *", "Europe/Berlin", "2026-03-29 03:00 +0200", "2026-03-30 02:29 +0200", ""},
		{"twice on the clock", "30 2 * * *", "Europe/Berlin", "2026-10-24 02:30 +0200", "2026-10-25 12:00 +0100", "2026-10-25 02:30 +0200"},
		{"twice on the clock, once", "30 2 * * *", "Europe/Berlin", "2026-10-25 02:30 +0200", "2026-10-25 12:00 +0100", ""},
		{"hourly goes on", "30 * * * *", "Europe/Berlin", "2026-10-25 02:30 +0200", "2026-10-25 02:30 +0100", "2026-10-25 02:30 +0100"},
		{"hourly leaves out nothing", "0 * * * *", "Europe/Berlin", "2026-03-29 01:00 +0100", "2026-03-29 03:00 +0200", "2026-03-29 03:00 +0200"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, due := schedule(t, tt.expression, tt.zone).Due(at(t, tt.last), at(t, tt.now))
			if due != (tt.want != "") || due && !got.Equal(at(t, tt.want)) {
				t.Errorf("got %v %v, want %s", got, due, tt.want)
			}
		})
	}
}

func TestNeverRunBefore(t *testing.T) {
	now := at(t, "2026-11-24 11:00 +0000")
	if got, due := schedule(t, "0 9 * * *", "UTC").Due(time.Time{}, now); !due || !got.Equal(at(t, "2026-11-24 09:00 +0000")) {
		t.Errorf("got %v %v", got, due)
	}
}

func TestWindow(t *testing.T) {
	const (
		work  = "0 9 * * 1-5"
		night = "0 22 * * *"
	)
	tests := []struct {
		name, expression string
		length           time.Duration
		at, next         string // next is "" if it is open
	}{
		{"before", work, 8 * time.Hour, "2026-11-24 08:59:59 +0100", "2026-11-24 09:00 +0100"},
		{"as it opens", work, 8 * time.Hour, "2026-11-24 09:00 +0100", ""},
		{"within", work, 8 * time.Hour, "2026-11-24 13:00 +0100", ""},
		{"the last moment", work, 8 * time.Hour, "2026-11-24 16:59:59.999 +0100", ""},
		{"as it closes", work, 8 * time.Hour, "2026-11-24 17:00 +0100", "2026-11-25 09:00 +0100"},
		{"over the weekend", work, 8 * time.Hour, "2026-11-27 17:00 +0100", "2026-11-30 09:00 +0100"},
		{"over midnight", night, 4 * time.Hour, "2026-11-24 01:59 +0100", ""},
		{"by the zone's clock", work, 8 * time.Hour, "2026-11-24 07:59 +0000", "2026-11-24 08:00 +0000"},
		{"longer than its period", night, 48 * time.Hour, "2026-11-24 21:59 +0100", ""},

		// 2026-03-29, 02:00 becomes 03:00; 2026-10-25, 03:00 becomes 02:00.
		{"summer time begins: before", "0 9 * * *", time.Hour, "2026-03-29 08:59 +0200", "2026-03-29 09:00 +0200"},
		{"summer time begins: open", "0 9 * * *", time.Hour, "2026-03-29 09:00 +0200", ""},
		{"summer time begins: closed", "0 9 * * *", time.Hour, "2026-03-29 10:00 +0200", "2026-03-30 09:00 +0200"},
		{"summer time begins within", night, 8 * time.Hour, "2026-03-29 06:59 +0200", ""}, // eight hours, whatever the clock shows
		{"summer time began within", night, 8 * time.Hour, "2026-03-29 07:00 +0200", "2026-03-29 22:00 +0200"},
		{"opens in the hour left out", "30 2 * * *", time.Hour, "2026-03-29 01:59 +0100", "2026-03-29 03:00 +0200"},
		{"opened in the hour left out", "30 2 * * *", time.Hour, "2026-03-29 03:59 +0200", ""},
		{"closed after the hour left out", "30 2 * * *", time.Hour, "2026-03-29 04:00 +0200", "2026-03-30 02:30 +0200"},
		{"summer time ends: before", "0 9 * * *", time.Hour, "2026-10-25 08:59 +0100", "2026-10-25 09:00 +0100"},
		{"summer time ends: open", "0 9 * * *", time.Hour, "2026-10-25 09:59 +0100", ""},
		{"summer time ends within", night, 8 * time.Hour, "2026-10-25 04:59 +0100", ""},
		{"summer time ended within", night, 8 * time.Hour, "2026-10-25 05:00 +0100", "2026-10-25 22:00 +0100"},
		{"opens in the hour that comes twice", "30 2 * * *", 30 * time.Minute, "2026-10-25 02:30 +0200", ""},
		{"but once", "30 2 * * *", 30 * time.Minute, "2026-10-25 02:30 +0100", "2026-10-26 02:30 +0100"},
		{"always, by the hour", "0 * * * *", time.Hour, "2026-10-25 02:30 +0100", ""},
		{"always, over the hour left out", "0 * * * *", time.Hour, "2026-03-29 03:30 +0200", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, now := window(t, tt.expression, "Europe/Berlin", tt.length), at(t, tt.at)
			next := now
			if tt.next != "" {
				next = at(t, tt.next)
			}
			if w.Open(now) != (tt.next == "") || !w.Next(now).Equal(next) || !w.Open(next) {
				t.Errorf("open %v, next %v; want %v", w.Open(now), w.Next(now), next)
			}
		})
	}
}

func TestNoWindow(t *testing.T) {
	for _, length := range []time.Duration{0, -time.Hour} {
		if _, err := NewWindow(schedule(t, "0 9 * * *", "UTC"), length); err == nil || !strings.Contains(err.Error(), "must be above zero") {
			t.Errorf("%v: %v", length, err)
		}
	}
}

// changes are days on which clocks are changed: by an hour, by half of one, at
// midnight, by a whole day.
var changes = []struct{ zone, day string }{
	{"Europe/Berlin", "2026-03-29"},
	{"Europe/Berlin", "2026-10-25"},
	{"America/New_York", "2026-11-01"},
	{"Africa/Cairo", "2026-04-24"},
	{"Africa/Cairo", "2026-10-30"},
	{"Australia/Lord_Howe", "2026-04-05"},
	{"Australia/Lord_Howe", "2026-10-04"},
	{"America/Santiago", "2026-09-06"},
	{"Pacific/Apia", "2011-12-30"},
	{"Asia/Kolkata", "2026-06-01"},
}

// A schedule's times around a change are those that somebody notes who looks at
// the clock every minute.
func TestChangesOfTheClock(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	for range 300 {
		change := changes[random.IntN(len(changes))]
		hour := pick("*", "*", "*/2", "0", "1", "2", "3", "0,23", "1-3")
		day := pick("* * *", "* * *", "* * 5", "* * 0", "24 * *", "30 * *")
		expression := fmt.Sprintf("%s %s %s", pick("0", "30", "*/15", "59", "0,45"), hour, day)
		t.Run(change.zone+" "+change.day+" "+expression, func(t *testing.T) {
			s := schedule(t, expression, change.zone)
			middle, err := time.Parse(time.DateOnly, change.day)
			if err != nil {
				t.Fatal(err)
			}
			from, to := middle.Add(-36*time.Hour), middle.Add(60*time.Hour)
			var got []time.Time
			for f := s.next(from); !f.IsZero() && f.Before(to); f = s.next(f) {
				got = append(got, f)
			}
			want := noted(s, from, to, hour == "*")
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("got  %v\nwant %v", got, want)
			}
			checkBetween(t, s, want, from, to)
		})
	}
}

// noted lists a schedule's times in (from, to) by looking at each minute.
func noted(s Schedule, from, to time.Time, hourly bool) []time.Time {
	meant := func(w time.Time) bool { return s.fires.Next(w.Add(-time.Second)).Equal(w) }
	var found []time.Time
	shown := wall(from.In(s.zone)) // the latest that the clock has shown
	for at := from.Add(time.Minute); at.Before(to); at = at.Add(time.Minute) {
		now, is := wall(at.In(s.zone)), false
		if hourly {
			is = meant(now)
		}
		for ; shown.Before(now); shown = shown.Add(time.Minute) {
			is = is || !hourly && meant(shown.Add(time.Minute))
		}
		if is {
			found = append(found, at.In(s.zone))
		}
	}
	return found
}

// checkBetween compares Due and Open with a list of all times.
func checkBetween(t *testing.T, s Schedule, all []time.Time, from, to time.Time) {
	t.Helper()
	random := rand.New(rand.NewPCG(3, 4))
	some := func() time.Time { return from.Add(time.Duration(random.Int64N(int64(to.Sub(from))))) }
	w := Window{s, 50 * time.Minute}
	for range 20 {
		last, now := some(), some()
		var want time.Time
		open := false
		for _, f := range all {
			if f.After(last) && !f.After(now) {
				want = f
			}
			open = open || !f.After(now) && now.Before(f.Add(w.length))
		}
		if got, due := s.Due(last, now); !got.Equal(want) || due == want.IsZero() {
			t.Errorf("due in (%v, %v]: %v %v, want %v", last, now, got, due, want)
		}
		if now.Sub(from) > w.length && w.Open(now) != open {
			t.Errorf("open at %v: %v", now, !open)
		}
	}
}

func FuzzSchedule(f *testing.F) {
	f.Add("0 9 * * 1-5", int64(1795507369))
	f.Add("*/5 * 29 2 mon", int64(0))
	f.Add("@hourly", int64(1792890000))
	berlin := zone(f, "Europe/Berlin")
	f.Fuzz(func(t *testing.T, expression string, unix int64) {
		s, err := NewSchedule(expression, berlin)
		if err != nil {
			return
		}
		now := time.Unix(unix%(1<<32), 0)
		if next := s.next(now); !next.IsZero() && !next.After(now) {
			t.Errorf("after %v comes %v", now, next)
		}
		if due, ok := s.Due(now.Add(-time.Hour), now); ok && (due.After(now) || !due.After(now.Add(-time.Hour))) {
			t.Errorf("due at %v: %v", now, due)
		}
	})
}
