package automation

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Zone is the time zone of a name in the IANA database, such as Europe/Berlin,
// or UTC. "Local" is none: it would depend on the machine.
func Zone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return nil, fmt.Errorf("%q is not a time zone such as Europe/Berlin or UTC", name)
	}
	return zone, nil
}

// Schedule is when something is to happen: a cron expression in a time zone.
//
// Where clocks are put forward, what would fall into the hour that is left out
// happens once as they are; where they are put back, what falls into the hour
// that comes twice happens the first time only. An expression for every hour
// goes on by the hour through both. (Much the same is in Debian's cron(8).)
type Schedule struct {
	fires *cron.SpecSchedule // in UTC, which stands for the clock on the wall
	zone  *time.Location
}

// NewSchedule is the schedule of a cron expression: minute, hour, day of month,
// month and day of week, or one of @hourly, @daily, @weekly, @monthly, @yearly.
func NewSchedule(expression string, zone *time.Location) (Schedule, error) {
	fires, err := parse(expression)
	if err != nil {
		return Schedule{}, fmt.Errorf(`%q is not a cron expression such as "0 9 * * 1-5": %w`, expression, err)
	}
	return Schedule{fires, zone}, nil
}

func parse(expression string) (*cron.SpecSchedule, error) {
	if strings.Contains(expression, "=") { // the library would take a TZ=, and panic at some
		return nil, errors.New("the time zone does not belong in it")
	}
	parser := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	parsed, err := parser.Parse(expression)
	if err != nil {
		return nil, err
	}
	fires, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, errors.New("@every has no times of its own")
	}
	fires.Location = time.UTC
	if fires.Next(time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)).IsZero() { // with a 29 February
		return nil, errors.New("that day never comes")
	}
	return fires, nil
}

// Due is the newest time in (last, now] at which the schedule's job was to run,
// and whether there is one. So after a downtime it runs once, however often it
// was missed. Times more than five years before now do not count.
func (s Schedule) Due(last, now time.Time) (at time.Time, due bool) {
	if earliest := now.AddDate(-5, 0, 0); last.Before(earliest) { // as far as the library looks ahead
		last = earliest
	}
	after := func(seconds int) time.Time { return s.next(last.Add(time.Duration(seconds) * time.Second)) }
	span := max(0, int(now.Sub(last)/time.Second)+1)
	// The first second after which nothing comes by now: the newest time is the
	// one that comes after the second before.
	n := sort.Search(span, func(seconds int) bool {
		next := after(seconds)
		return next.IsZero() || next.After(now)
	})
	if n == 0 {
		return time.Time{}, false
	}
	return after(n - 1), true
}

// next is the first time after t, zero if none comes within five years.
func (s Schedule) next(t time.Time) time.Time {
	const every = 1<<24 - 1
	if s.fires.Hour&every == every {
		return s.nextByTheHour(t)
	}
	for w := s.fires.Next(wall(t.In(s.zone))); !w.IsZero(); w = s.fires.Next(w) {
		if at := s.first(w); at.After(t) {
			return at
		}
	}
	return time.Time{}
}

// nextByTheHour lets an hour that comes twice count twice.
func (s Schedule) nextByTheHour(t time.Time) time.Time {
	at := t.In(s.zone)
	for from := wall(at); ; {
		w := s.fires.Next(from)
		if w.IsZero() {
			return w
		}
		_, change := at.ZoneBounds()
		if next := w.Add(-offset(at)); change.IsZero() || next.Before(change) {
			return next.In(s.zone)
		}
		at, from = change, wall(change).Add(-time.Second) // less a second, for Next is later than what it is given
	}
}

// first is when the clock on the wall first shows w or more.
func (s Schedule) first(w time.Time) time.Time {
	at := w.Add(-24 * time.Hour).In(s.zone) // earlier, in any zone
	for {
		shown := w.Add(-offset(at))
		_, change := at.ZoneBounds()
		if change.IsZero() || shown.Before(change) {
			if shown.Before(at) { // the clock was put forward past w
				return at
			}
			return shown.In(s.zone)
		}
		at = change
	}
}

// wall is what the clock on the wall shows, as a time in UTC.
func wall(t time.Time) time.Time { return t.UTC().Add(offset(t)) }

// offset is how far the clock on the wall is ahead of UTC.
func offset(t time.Time) time.Duration {
	_, seconds := t.Zone()
	return time.Duration(seconds) * time.Second
}

// Window is when something may happen: from each time of a schedule on, for a
// while.
type Window struct {
	opens  Schedule
	length time.Duration
}

// NewWindow opens at each time of the schedule, for that long. It may be longer
// than the time until it opens again: then it does not close.
func NewWindow(opens Schedule, length time.Duration) (Window, error) {
	if length <= 0 {
		return Window{}, fmt.Errorf("%v is no time to be open for: it must be above zero, such as 8h", length)
	}
	return Window{opens, length}, nil
}

// Open says whether the window is open at that time: it is at the very time at
// which it opens, and no longer at the one at which it closes.
func (w Window) Open(at time.Time) bool {
	opened := w.opens.next(at.Add(-w.length))
	return !opened.IsZero() && !opened.After(at)
}

// Next is the first time, not before at, when the window is open: at itself if
// it is. It is zero if the window does not open within five years.
func (w Window) Next(at time.Time) time.Time {
	if w.Open(at) {
		return at
	}
	return w.opens.next(at)
}
