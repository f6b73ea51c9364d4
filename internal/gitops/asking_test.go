package gitops

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// asked numbers its answers, so that it is seen when each was asked.
type asked struct {
	mu sync.Mutex
	n  int
}

func (a *asked) ask(ctx context.Context) (plumbing.Hash, error) {
	a.mu.Lock()
	a.n++
	n := a.n
	a.mu.Unlock()
	select {
	case <-time.After(time.Second):
		return plumbing.Hash{byte(n)}, nil
	case <-ctx.Done():
		return plumbing.ZeroHash, ctx.Err()
	}
}

func TestManyAskOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a asking
		var host asked
		var all sync.WaitGroup
		for range 200 {
			all.Go(func() {
				came := host.count()
				tip, err := a.tip(t.Context(), host.ask)
				if err != nil || int(tip[0]) <= came {
					t.Errorf("asked before it was wanted: answer %d, %d questions by then, %v", tip[0], came, err)
				}
			})
		}
		all.Wait()
		if n := host.count(); n != 3 {
			t.Errorf("%d questions, want 3", n)
		}
		if a.running != 0 || a.next != nil {
			t.Errorf("left: %d running, next %v", a.running, a.next)
		}
	})
}

// Whoever gives up takes nobody's answer along.
func TestAskingIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a asking
		var host asked
		var all sync.WaitGroup
		for i := range 20 {
			ctx, stop := context.WithTimeout(t.Context(), time.Duration(i)*200*time.Millisecond+time.Hour*time.Duration(i%2))
			all.Go(func() {
				defer stop()
				if _, err := a.tip(ctx, host.ask); err != nil && i%2 == 1 {
					t.Errorf("%d: %v", i, err)
				}
			})
		}
		all.Wait()
		if a.running != 0 || a.next != nil {
			t.Errorf("left: %d running, next %v", a.running, a.next)
		}
		if _, err := a.tip(t.Context(), host.ask); err != nil {
			t.Error(err)
		}
	})
}

func (a *asked) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.n
}
