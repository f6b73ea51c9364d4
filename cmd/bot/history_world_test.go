package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/sandbox/argocd"
	"github.com/synestra/promoter/internal/sandbox/githost"
	"github.com/synestra/promoter/internal/sandbox/slack"
)

// historyWorld is a world in which many apps go through histories at once, with
// one bot that is restarted, and wires that fail.
type historyWorld struct {
	*stage
	rng     *rand.Rand
	apps    []*historyApp
	commits *committer
	told    *told
	log     *slog.Logger
	process *process
}

// process is one run of the bot.
type process struct {
	*bot
	cancel context.CancelFunc
	over   chan error
}

func newHistoryWorld(t *testing.T, seed uint64, apps int) *historyWorld {
	t.Helper()
	var seeds []githost.App
	for i := range apps {
		name := fmt.Sprintf("app%02d", i)
		seeds = append(seeds, githost.App{Name: name, Dev: "sha-dev", Prod: name + "-0-good"})
	}
	w := &historyWorld{rng: rand.New(rand.NewPCG(seed, 0))}
	w.stage = newStage(t, func(c *config) {
		c.Align = release.AlignNever
		c.Rollout.Timeout = 20 * time.Second
		c.times.Lease, c.times.Renew, c.times.Take = time.Second, 300*time.Millisecond, 100*time.Millisecond
		c.times.Retry, c.times.Odd, c.times.Recover, c.times.Post = 500*time.Millisecond, time.Second, time.Second, time.Second
		c.times.Gather = 5 * time.Second
	}, seeds...)
	w.log = slog.New(slog.NewTextHandler(w.stage.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.git.Remember()
	files := map[string][]byte{}
	for _, s := range seeds {
		maps.Copy(files, content{tag: s.Prod}.files(s.Name))
	}
	w.commit("where all begins", files)
	tip := w.gitOut("rev-parse", githost.Branch)
	w.commits = newCommitter(w.world, tip)
	for i, s := range seeds {
		w.argo.Remove("web-" + s.Name + "-dev") // nothing follows, and it costs
		w.argo.Add(argocd.AppSpec{App: s.Name, Environment: "prod", AutoSync: true, SelfHeal: true, Replicas: 2})
		first := content{tag: s.Prod}
		w.apps = append(w.apps, &historyApp{
			historyWorld: w, name: s.Name, rng: rand.New(rand.NewPCG(seed, uint64(i)+1)), now: first,
			edits: []edit{{to: first, commit: tip}}, truth: &truth{},
		})
	}
	return w
}

// launch starts the bot.
func (w *historyWorld) launch() {
	b, err := newBot(w.t.Context(), w.c, w.log)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.process = &process{b, cancel, make(chan error, 1)}
	p := w.process
	go func() { p.over <- p.run(ctx) }()
}

// end stops the bot. One that is killed has no store any more in which it
// could note anything, and its lease stands.
func (w *historyWorld) end(killed bool) {
	p := w.process
	if killed {
		_ = p.store.Close() // a second one does nothing
	}
	p.cancel()
	if err := <-p.over; err != nil && !killed {
		w.t.Errorf("the bot ended with %v", err)
	}
	if err := p.close(); err != nil && !killed {
		w.t.Errorf("closing: %v", err)
	}
}

// run lets every app live its history, while things go wrong, and judges.
func (w *historyWorld) run() {
	ctx, cancel := context.WithCancel(w.t.Context())
	var around sync.WaitGroup
	defer around.Wait()
	defer cancel()
	for _, a := range w.apps {
		around.Go(func() { a.truth.watch(ctx, w.argo, a.application()) })
	}
	w.launch()
	defer func() { w.end(false) }()
	w.wait("all apps to be known", func() bool {
		ledgers, err := w.process.store.Ledgers(ctx)
		return err == nil && len(ledgers) == len(w.apps)
	})
	var err error
	if w.told, err = openTold(w.c.Store.Path); err != nil {
		w.t.Fatal(err)
	}
	defer w.told.db.Close()
	around.Go(func() { w.told.run(ctx) })
	around.Go(func() { w.commits.run(ctx, 100*time.Millisecond) })

	failures := make(chan string, len(w.apps))
	var lives sync.WaitGroup
	for _, a := range w.apps {
		lives.Go(func() {
			if err := a.live(ctx); err != nil {
				failures <- a.tell(err)
			}
		})
	}
	lived := make(chan struct{})
	go func() { lives.Wait(); close(lived) }()
	w.trouble(ctx, lived)
	<-lived
	close(failures)
	for f := range failures {
		w.t.Error(f)
	}
	if !w.t.Failed() {
		w.last(ctx)
	}
}

// last has a new bot look at everything again, and compares what was told with
// the channel. That the new one has looked shows in the last of the apps, which
// is released once more.
func (w *historyWorld) last(ctx context.Context) {
	w.end(false)
	w.launch()
	a := w.apps[len(w.apps)-1]
	a.now.env++
	if err := errors.Join(a.push(ctx, a.now, "the last"), a.rest(ctx)); err != nil {
		w.t.Error(a.tell(err))
	}
	w.wait("the channel to show all", w.told.shown)
	// A failure may be recovering right now.
	soon, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	var problems []string
	_ = until(soon, func() bool {
		problems = w.told.compare(w.public(releases))
		return len(problems) == 0
	})
	for _, p := range problems {
		w.t.Error(p)
	}
	for _, a := range w.apps {
		if err := a.rest(ctx); err != nil {
			w.t.Error(a.tell(err))
		}
	}
}

// tell is what there is to know of a history that went wrong.
func (a *historyApp) tell(err error) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %v\nit did:\n  %s\nedits:\n", a.name, err, strings.Join(a.steps, "\n  "))
	for i, e := range a.edits {
		fmt.Fprintf(&b, "  %d %.7s %s %+v\n", i, e.commit, e.how, e.to)
	}
	fmt.Fprintf(&b, "told:\n")
	for _, item := range a.told.items(a.name) {
		fmt.Fprintf(&b, "  %s %s %s→%s %s by %q, skipped %+v, at %s\n", item.Update, item.Kind, item.From, item.To, item.Stage, item.By, item.Skipped, item.At.Format("05.000"))
	}
	fmt.Fprintf(&b, "ledger:\n  %s\n", a.told.ledger(a.name))
	fmt.Fprintf(&b, "true:\n")
	for _, s := range a.truth.all() {
		fmt.Fprintf(&b, "  %s busy %v failed %v/%v %.7s compared %.7s %s %s %s\n", s.at.UTC().Format("05.000"), s.busy, s.syncFailed, s.failing, s.deployed, s.compared, s.sync, s.health, s.tags)
	}
	fmt.Fprintf(&b, "the bot:\n")
	for line := range strings.Lines(a.logs.String()) {
		if strings.Contains(line, a.name) {
			b.WriteString("  " + line)
		}
	}
	return b.String()
}

// trouble makes each thing go wrong once, in any order, or fewer if all have
// lived by then.
func (w *historyWorld) trouble(ctx context.Context, lived <-chan struct{}) {
	all := []func(context.Context){
		func(context.Context) { w.restart(false) },
		func(context.Context) { w.restart(true) },
		w.dieWhilePosting,
		func(context.Context) { w.slack.FailNext("chat.postMessage", 1, slack.Fault{Status: 503}) },
		func(context.Context) { w.slack.FailNext("chat.postMessage", 1, slack.Fault{DropReply: true}) },
		func(context.Context) {
			w.slack.FailNext("chat.postMessage", 1, slack.Fault{Error: "ratelimited", RetryAfter: time.Second})
		},
		func(context.Context) { w.slack.FailNext("chat.update", 2, slack.Fault{Status: 503}) },
		func(context.Context) { w.slack.FailNext("chat.update", 1, slack.Fault{DropReply: true}) },
		func(context.Context) { w.slack.FailNext("conversations.history", 1, slack.Fault{Status: 503}) },
		func(ctx context.Context) {
			w.argo.Stop()
			// Its port may be somebody's for a moment.
			w.wait("Argo CD to be back", func() bool { return w.argo.Restart() == nil })
		},
		func(context.Context) { w.argo.FailRPC("Get", codes.Unavailable, 5) },
		func(context.Context) { w.argo.DropWatchEvents(5) },
		w.gitTrouble,
	}
	w.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, happen := range all {
		select {
		case <-lived:
			return
		case <-time.After(time.Duration(100+w.rng.IntN(900)) * time.Millisecond):
		}
		happen(ctx)
	}
}

func (w *historyWorld) restart(killed bool) {
	w.end(killed)
	w.launch()
}

// dieWhilePosting kills the bot while a post is on its way, which then lands.
func (w *historyWorld) dieWhilePosting(ctx context.Context) {
	before := w.slack.Calls("chat.postMessage")
	w.slack.FailNext("chat.postMessage", 1, slack.Fault{Delay: 300 * time.Millisecond, DropReply: true})
	soon, stop := context.WithTimeout(ctx, 3*time.Second)
	defer stop()
	_ = until(soon, func() bool { return w.slack.Calls("chat.postMessage") > before }) // without a post it just dies
	w.restart(true)
}

// gitTrouble has the Git host refuse every other request for a while.
func (w *historyWorld) gitTrouble(ctx context.Context) {
	var mu sync.Mutex
	n := 0
	w.git.Intercept(func(githost.Request) githost.Fault {
		mu.Lock()
		defer mu.Unlock()
		if n++; n%2 == 0 {
			return githost.Fault{Status: 503}
		}
		return githost.Fault{}
	})
	pause(ctx, 500*time.Millisecond)
	w.git.Intercept(nil)
}
