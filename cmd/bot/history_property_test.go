package main

import (
	"flag"
	"fmt"
	"sync/atomic"
	"testing"
)

var (
	histories   = flag.Int("histories", 40, "how many random histories TestHistories runs")
	historySeed = flag.Uint64("seed", 1, "of the first of TestHistories' worlds")
	appsAtOnce  = flag.Int("apps", 40, "how many histories TestHistories runs in one world")
)

// Whatever happens, and whatever goes wrong meanwhile: the set of announcements
// is the set of changes that went live or failed for good, none is missing,
// none doubled, none early. What came and went between is named by what came
// after.
//
// A world's seed decides what happens in it, and in which order for each app;
// how that falls together is left to the scheduler.
func TestHistories(t *testing.T) {
	t.Parallel()
	var lived atomic.Int64
	room := make(chan struct{}, 2) // for worlds at once: a machine that is too busy proves nothing
	for first := 0; first < *histories; first += *appsAtOnce {
		seed, apps := *historySeed+uint64(first / *appsAtOnce), min(*appsAtOnce, *histories-first)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			room <- struct{}{}
			defer func() { <-room }()
			newHistoryWorld(t, seed, apps).run()
			n := lived.Add(int64(apps))
			if t.Failed() {
				t.Errorf("again: go test ./cmd/bot -run TestHistories -histories %d -apps %d -seed %d", apps, apps, seed)
			}
			if testing.Verbose() {
				fmt.Printf("%d of %d histories\n", n, *histories)
			}
		})
	}
}
