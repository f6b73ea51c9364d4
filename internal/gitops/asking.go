package gitops

import (
	"context"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
)

// asking lets many who want to know where the branch is now share a question.
// An answer counts for those who came before it was asked. Whoever comes while
// few are asking asks at once, without waiting for another's answer.
type asking struct {
	mu      sync.Mutex
	running int     // questions on their way
	next    *shared // the one that waits until another has been answered, nil for none
}

// asksAtOnce is how many questions are on their way at a time.
const asksAtOnce = 2

// shared is a question that several wait for. One of them asks it.
type shared struct {
	turn    chan struct{} // holds a token once it may be asked
	done    chan struct{} // closed once it is answered
	waiting int
	tip     plumbing.Hash
	err     error
}

type askFunc func(context.Context) (plumbing.Hash, error)

// tip asks, or waits for the answer to a question that is asked from now on.
func (a *asking) tip(ctx context.Context, ask askFunc) (plumbing.Hash, error) {
	a.mu.Lock()
	if a.running < asksAtOnce {
		a.running++
		a.mu.Unlock()
		defer a.ended()
		return ask(ctx)
	}
	if a.next == nil {
		a.next = &shared{turn: make(chan struct{}, 1), done: make(chan struct{})}
	}
	q := a.next
	q.waiting++
	a.mu.Unlock()
	select {
	case <-q.done:
		return q.tip, q.err
	case <-q.turn:
		return a.answer(ctx, q, ask)
	case <-ctx.Done():
		a.leave(q)
		return plumbing.ZeroHash, ctx.Err()
	}
}

// answer asks the question for all who wait for it. Where the one who asks gives
// up, another of them asks.
func (a *asking) answer(ctx context.Context, q *shared, ask askFunc) (plumbing.Hash, error) {
	tip, err := ask(ctx)
	if ctx.Err() != nil && err != nil {
		q.turn <- struct{}{}
		a.leave(q)
		return tip, err
	}
	q.tip, q.err = tip, err
	close(q.done)
	a.ended()
	return tip, err
}

// leave is for one who no longer waits. The last one takes the question along.
func (a *asking) leave(q *shared) {
	a.mu.Lock()
	q.waiting--
	left := q.waiting == 0
	if left && a.next == q {
		a.next = nil
	}
	a.mu.Unlock()
	if !left {
		return
	}
	select {
	case <-q.turn: // its turn had come
		a.ended()
	default:
	}
}

// ended lets the next question be asked.
func (a *asking) ended() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.next == nil {
		a.running--
		return
	}
	a.next.turn <- struct{}{}
	a.next = nil
}
