package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/oklog/ulid/v2"
	"golang.org/x/sync/errgroup"

	"github.com/synestra/promoter/internal/argocd"
	"github.com/synestra/promoter/internal/automation"
	"github.com/synestra/promoter/internal/commands"
	"github.com/synestra/promoter/internal/gitops"
	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/slackui"
	"github.com/synestra/promoter/internal/store"
)

// How long the last states may take to reach Slack while stopping.
const flushTime = 20 * time.Second

// bot is all rooms, connected.
type bot struct {
	config     config
	log        *slog.Logger
	metrics    *metrics
	store      *store.Store
	repo       *gitops.Repo
	argo       *argocd.Client
	ui         *slackui.UI
	staff      *commands.Desk
	operations *commands.Operations
	automation *automation.Automation
	listener   net.Listener
}

// newBot builds the rooms and connects them. It calls nobody yet: what cannot
// be reached is told by /readyz, and tried again.
func newBot(ctx context.Context, c config, log *slog.Logger) (b *bot, err error) {
	b = &bot{config: c, log: log, metrics: newMetrics()}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if b.listener, err = net.Listen("tcp", c.Slack.Listen); err != nil {
		return b, fmt.Errorf("slack.listen: %w", err)
	}
	if b.store, err = store.Open(ctx, c.Store.Path); err != nil {
		return b, fmt.Errorf("store.path: %w", err)
	}
	if b.repo, err = gitops.Open(c.gitops(log.With("room", "gitops"))); err != nil {
		return b, fmt.Errorf("git: %w", err)
	}
	if b.argo, err = argocd.Dial(c.argocd(log.With("room", "argocd"))); err != nil {
		return b, fmt.Errorf("argocd: %w", err)
	}
	b.staff = b.desk()
	b.operations = b.staff.Operations
	ui := c.slackui(log.With("room", "slackui"))
	ui.Moved = b.operations.Moved
	if b.ui, err = slackui.New(ui, inbox{b.store}, b.staff.Handle); err != nil {
		return b, fmt.Errorf("slack: %w", err)
	}
	// Requests come in through the UI and are answered by it: a circle that is
	// closed here.
	b.staff.People, b.operations.Messages = b.ui, b.ui
	if b.automation, err = b.automate(); err != nil {
		return b, err
	}
	return b, nil
}

func (b *bot) desk() *commands.Desk {
	source := commands.Source{URL: b.config.Git.URL, Branch: b.config.Git.Branch}
	return &commands.Desk{
		Repository: b.repo, Histories: b.repo, Survey: b.repo, Applications: b.argo, Watch: b.argo, Questions: b.store, Records: b.store,
		Policy: b.config.policy(), Environments: b.config.environments(), Source: source, Soak: b.soak,
		NewID: func() string { return ulid.Make().String() }, Log: b.log.With("room", "commands"),
		Operations: &commands.Operations{
			Repository: b.repo, Applications: b.argo, Store: b.store,
			Source: source, Rules: b.config.rules(), Owner: owner(), Entered: b.metrics.entered,
			Log: b.log.With("room", "commands"),
		},
	}
}

// soak is for how long a release of the app is watched before it is promoted by
// itself; false if it never is.
func (b *bot) soak(app release.App) (time.Duration, bool) {
	rule, wanted := automation.AutoPromoteOf(b.config.autoPromote(), app)
	return rule.Soak, wanted
}

// owner names this process among all that may share the store.
func owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d/%s", host, os.Getpid(), ulid.Make())
}

// run works until ctx ends, or until Slack refuses the bot for good, which is
// an error. What it is at then stands in the store, at a step where the next
// process continues.
func (b *bot) run(ctx context.Context) error {
	stopped := ctx
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error { return serve(ctx, b.listener, b.served()) })
	all.Go(func() error { return b.repo.Run(ctx) })
	all.Go(func() error { return b.argo.Run(ctx) })
	all.Go(func() error { return b.operations.Run(ctx) })
	all.Go(func() error { return b.automation.Run(ctx) })
	all.Go(func() error { return b.checkChannels(ctx) })
	all.Go(func() error { return b.sweep(ctx) })
	all.Go(func() error { return b.ui.Run(ctx) })
	err := all.Wait()
	flushing, stop := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
	defer stop()
	if flushErr := b.ui.Flush(flushing); flushErr != nil {
		b.log.WarnContext(ctx, "showing the last states", "err", flushErr)
	}
	if stopped.Err() != nil && errors.Is(err, stopped.Err()) {
		return nil // stopping is what was asked for
	}
	return err
}

// served is what is answered on slack.listen.
func (b *bot) served() http.Handler {
	mux := healthRoutes(b.parts(), b.metrics)
	if b.config.Slack.Mode == modeHTTP {
		mux.Handle("/slack/", b.ui.Requests())
	}
	return mux
}

func (b *bot) parts() []part {
	return []part{
		{"store", b.store.Ready},
		{"git", b.repo.Ready},
		{"argocd", func(context.Context) error { return b.argo.Ready() }},
		{"slack", func(context.Context) error { return b.ui.Ready() }},
	}
}

// sweep forgets deliveries long after Slack could repeat them.
func (b *bot) sweep(ctx context.Context) error {
	hourly := time.NewTicker(time.Hour)
	defer hourly.Stop()
	for {
		if err := b.store.Sweep(ctx, time.Now().Add(-24*time.Hour)); err != nil && ctx.Err() == nil {
			b.log.WarnContext(ctx, "forgetting old deliveries", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-hourly.C:
		}
	}
}

func (b *bot) close() error {
	var problems []error
	if b.listener != nil {
		if err := b.listener.Close(); !errors.Is(err, net.ErrClosed) {
			problems = append(problems, err)
		}
	}
	if b.argo != nil {
		problems = append(problems, b.argo.Close())
	}
	if b.repo != nil {
		problems = append(problems, b.repo.Close())
	}
	if b.store != nil {
		problems = append(problems, b.store.Close())
	}
	return errors.Join(problems...)
}

// inbox is the store as slackui wants it.
type inbox struct{ *store.Store }

func (i inbox) Pending(ctx context.Context) ([]slackui.Accepted, error) {
	deliveries, err := i.Store.Pending(ctx)
	accepted := make([]slackui.Accepted, len(deliveries))
	for n, d := range deliveries {
		accepted[n] = slackui.Accepted{Key: d.Key, Payload: d.Payload}
	}
	return accepted, err
}
