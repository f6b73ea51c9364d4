package slackui

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// urgency is how much people need to see an edit.
type urgency int

const (
	tick  urgency = iota // the count of pods has changed
	stage                // the stage, or what is known of it
	final                // the operation has ended
)

// budget shares out chat.update, of which Slack allows about 50 a minute in a
// workspace, whatever the number of messages. Ends come first: the lesser edits
// leave some of it over.
type budget struct {
	mu     sync.Mutex
	limit  *rate.Limiter
	closed time.Time // until then Slack wants no edits
}

const (
	editsPerMinute = 40
	editBurst      = 10 // with the above, no more than 50 in any minute
)

// reserve is what must be there for an edit to be made: itself, and what it
// leaves for others.
func (k urgency) reserve() float64 {
	switch k {
	case final:
		return 1
	case stage:
		return 3
	}
	return 6
}

func newBudget() *budget {
	return &budget{limit: rate.NewLimiter(rate.Every(time.Minute/editsPerMinute), editBurst)}
}

// take takes one edit, or says how long to wait before asking again.
func (b *budget) take(k urgency, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if wait := b.closed.Sub(now); wait > 0 {
		return wait
	}
	if short := k.reserve() - b.limit.TokensAt(now); short > 0 {
		// A millisecond more, so that rounding does not make it ask in vain.
		return time.Duration(short*float64(time.Minute/editsPerMinute)) + time.Millisecond
	}
	b.limit.AllowN(now, 1)
	return 0
}

// close stops all edits for a while, since Slack asked for it.
func (b *budget) close(until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if until.After(b.closed) {
		b.closed = until
	}
}
