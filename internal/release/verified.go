package release

import (
	"fmt"
	"strings"
	"time"
)

// Window says when something may happen by itself.
type Window interface {
	Open(at time.Time) bool
	Next(at time.Time) time.Time // when it opens after that; zero if it never does
}

// AutoAsk is on what terms an app is promoted by itself.
type AutoAsk struct {
	Soak   Soak // with the newest sight taken in
	Needed time.Duration
	Window Window // nil for always
	Hold   *Hold  // nil if automation is not held for the app
}

// By is who promotes on these terms, for the commit and the message.
func (a AutoAsk) By() Person { return Person{Name: "auto-promotion, soaked " + Span(a.Needed)} }

// Verified decides whether dev's release is promoted by itself: it is new, it
// has soaked, nothing holds it, and a person could promote it without force. A
// refusal whose code is [Code.Passing] is no last word. Both histories are asked
// for from their beginning.
func Verified(s State, dev, prod History, ask AutoAsk, at time.Time) (Plan, *Refusal) {
	plan, no := Promote(s, false)
	if no != nil && !no.Code.Passing() {
		return Plan{}, no
	}
	if old := s.notNew(dev, prod); old != nil {
		return Plan{}, old
	}
	tag := s.Layers.Dev.Tag
	left := ask.Soak.Left(tag, ask.Needed)
	switch {
	case ask.Hold != nil:
		return Plan{}, s.held(*ask.Hold)
	case no != nil:
		return Plan{}, no
	case left > 0:
		return Plan{}, Refuse(CodeSoaking, "", "`%s` has been seen well in %s of `%s` for %s of %s.",
			tag, s.Dev.Environment.Name, s.Layers.App, Span(ask.Needed-left), Span(ask.Needed))
	case ask.Window != nil && !ask.Window.Open(at):
		return Plan{}, windowClosed(s.Layers.App, ask.Window.Next(at))
	}
	return plan, nil
}

// notNew refuses a tag that nobody has released for prod: it was there before,
// or the bot itself put it in dev.
func (s State) notNew(dev, prod History) *Refusal {
	l := s.Layers
	if dev.Now.Tag != l.Dev.Tag || prod.Now.Tag != l.Prod.Tag {
		return s.branchMoved()
	}
	back, known := Rollback(prod, l.Dev.Tag)
	edit, found := dev.SetBy()
	switch kind := Kind(edit.Trailers["Operation-Kind"]); {
	case back:
		return Refuse(CodeWasInProd, fmt.Sprintf("If it is meant: `/promote %s`.", l.App),
			"In `%s`, %s had `%s` before, so this would be a rollback, and those are never automatic.", l.App, s.Prod.Environment.Name, l.Dev.Tag)
	case kind == KindAlign || kind == KindResetDev:
		return Refuse(CodeNotNew, "", "`%s` came to %s of `%s` by the bot's own %s, so it is no new release.", l.Dev.Tag, s.Dev.Environment.Name, l.App, kind)
	case !known || !found:
		return Refuse(CodeHistoryUnknown, fmt.Sprintf("A person can: `/promote %s`.", l.App),
			"The history of `%s` does not reach back far enough to tell whether `%s` is new.", l.App, l.Dev.Tag)
	}
	return nil
}

func windowClosed(app App, next time.Time) *Refusal {
	when := "it does not open again"
	if !next.IsZero() {
		when = "it opens " + next.Format("Mon 2 Jan 15:04 MST")
	}
	return Refuse(CodeWindowClosed, "", "The window for promoting `%s` by itself is closed; %s.", app, when)
}

// Span is a duration for people, in whole minutes if it has any: "30m", "1h30m".
func Span(d time.Duration) string {
	if d < time.Minute {
		return d.Truncate(time.Second).String()
	}
	s := strings.TrimSuffix(d.Truncate(time.Minute).String(), "0s")
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
