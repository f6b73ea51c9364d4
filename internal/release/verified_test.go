package release

import (
	"strings"
	"testing"
	"time"
)

type hours struct{ from, to int }

func (h hours) Open(at time.Time) bool { return at.Hour() >= h.from && at.Hour() < h.to }

func (h hours) Next(at time.Time) time.Time {
	if h.to == 0 {
		return time.Time{}
	}
	return time.Date(at.Year(), at.Month(), at.Day()+1, h.from, 0, 0, 0, at.Location())
}

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// soaked is an app whose dev has been seen well on sha-2 for long enough.
func soaked() (s State, dev, prod History, ask AutoAsk) {
	return shop(), lived("sha-0 sha-1 sha-2"), lived("sha-0 sha-1"),
		AutoAsk{Soak: Soak{Tag: "sha-2", Counted: 30 * time.Minute}, Needed: 30 * time.Minute, Window: hours{9, 17}}
}

func TestVerified(t *testing.T) {
	s, dev, prod, ask := soaked()
	plan, no := Verified(s, dev, prod, ask, noon)
	if no != nil || plan.Environment.Name != "prod" || plan.From != "sha-1" || plan.To != "sha-2" || plan.Forced {
		t.Errorf("%+v, %v", plan, no)
	}
	ask.Window = nil
	if _, no := Verified(s, dev, prod, ask, noon.Add(8*time.Hour)); no != nil {
		t.Errorf("without a window: %v", no)
	}
	op := Operation{ID: "01A", Kind: KindPromote, App: "shop", Environment: "prod", From: plan.From, To: plan.To, By: ask.By()}
	change := op.Change()
	if !strings.Contains(change.Message, "\nRequested-By: auto-promotion, soaked 30m\n") {
		t.Errorf("message:\n%s", change.Message)
	}
	if change.Author != (Identity{"auto-promotion, soaked 30m", "automation@slack.invalid"}) {
		t.Errorf("author = %+v", change.Author)
	}
}

func TestVerifiedRefuses(t *testing.T) {
	type part struct {
		s         *State
		dev, prod *History
		ask       *AutoAsk
	}
	by := func(kind Kind) func(part) {
		return func(p part) { p.dev.Edits[0].Trailers = map[string]string{"Operation-Kind": string(kind)} }
	}
	for _, c := range []struct {
		name    string
		change  func(part)
		code    Code
		say     string
		passing bool
	}{
		{"prod has it", func(p part) { p.s.Layers.Prod.Tag = "sha-2" }, CodeAlreadyThere, "already", false},
		{"prod had it", func(p part) { *p.prod = lived("sha-2 sha-1") }, CodeWasInProd, "would be a rollback", false},
		{"prod had it, and its history is short", func(p part) { *p.prod = short(lived("sha-2 sha-1"), 1) }, CodeWasInProd, "would be a rollback", false},
		{"prod's history is short", func(p part) { *p.prod = short(*p.prod, 1) }, CodeHistoryUnknown, "`/promote shop`", false},
		{"dev's history is short", func(p part) { *p.dev = short(*p.dev, 0) }, CodeHistoryUnknown, "is new", false},
		{"alignment set it", by(KindAlign), CodeNotNew, "own align", false},
		{"a reset set it", by(KindResetDev), CodeNotNew, "own reset-dev", false},
		{"alignment set it, and values were changed since", func(p part) {
			by(KindAlign)(p)
			next := p.dev.Now
			next.Values = "other"
			p.dev.Edits = append([]Edit{{Before: p.dev.Now, After: next}}, p.dev.Edits...)
			p.dev.Now = next
		}, CodeNotNew, "own align", false},
		{"dev moved while it was read", func(p part) { *p.dev = lived("sha-2 sha-3") }, CodeBranchMoved, "moved while", true},
		{"prod moved while it was read", func(p part) { *p.prod = lived("sha-1 sha-3") }, CodeBranchMoved, "moved while", true},
		{"held", func(p part) { p.ask.Hold = &Hold{Reason: "prod was rolled back"} }, CodeHeld, "prod was rolled back", true},
		{"soaking", func(p part) { p.ask.Soak.Counted = 29*time.Minute + 59*time.Second }, CodeSoaking, "for 29m of 30m", true},
		{"another tag soaked", func(p part) { p.ask.Soak.Tag = "sha-1" }, CodeSoaking, "for 0s of 30m", true},
		{"window closed", func(p part) { p.ask.Window = hours{13, 17} }, CodeWindowClosed, "opens Wed 25 Nov 13:00 UTC", true},
		{"window closed for good", func(p part) { p.ask.Window = hours{} }, CodeWindowClosed, "not open again", true},
		{"dev hot", func(p part) { p.s.Dev.Live.Session = &Session{Workload: "x"} }, CodeDevHot, "live session", true},
		{"dev not healthy", func(p part) { p.s.Dev.Snapshot.Health = "Degraded" }, CodeDevNotHealthy, "Degraded", true},
		{"dev unknown", func(p part) { p.s.Dev.Live = Live{Problem: "forbidden"} }, CodeDevUnknown, "forbidden", true},
		{"prod not editable", func(p part) { p.s.Layers.Prod.Flaw = &Flaw{"alias", 1} }, CodeNotEditable, "alias", false},
		{"old and held and hot", func(p part) {
			*p.prod = lived("sha-2 sha-1")
			p.ask.Hold, p.s.Dev.Live.Session = &Hold{}, &Session{}
		}, CodeWasInProd, "", false},
		{"hot and soaking", func(p part) { p.ask.Soak, p.s.Dev.Live.Session = Soak{}, &Session{} }, CodeDevHot, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, dev, prod, ask := soaked()
			c.change(part{&s, &dev, &prod, &ask})
			plan, no := Verified(s, dev, prod, ask, noon)
			switch {
			case no == nil:
				t.Fatalf("plan = %+v", plan)
			case no.Code != c.code || !strings.Contains(no.Say+" "+no.Do, c.say) || no.Code.Passing() != c.passing || strings.Contains(no.Say, "ˋ"):
				t.Errorf("%v %s; passing %v", no, no.Do, no.Code.Passing())
			}
		})
	}
}

// A tag that alignment once set and a person has set again since is the
// person's.
func TestVerifiedAfterAPerson(t *testing.T) {
	s, _, prod, ask := soaked()
	dev := lived("sha-0 sha-2 sha-0 sha-2")
	dev.Edits[2].Trailers = map[string]string{"Operation-Kind": "align"}
	if _, no := Verified(s, dev, prod, ask, noon); no != nil {
		t.Error(no)
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 59*time.Second + 1: "59s", time.Minute: "1m", 30 * time.Minute: "30m", 90*time.Minute + 5*time.Second: "1h30m",
		time.Hour: "1h", 10 * time.Minute: "10m", 20 * time.Hour: "20h", 72 * time.Hour: "72h", time.Hour + 10*time.Minute: "1h10m",
	} {
		if got := Span(d); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
}
