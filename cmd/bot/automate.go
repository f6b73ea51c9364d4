package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/synestra/promoter/internal/automation"
	"github.com/synestra/promoter/internal/gitops"
	"github.com/synestra/promoter/internal/release"
)

// automate builds what happens unasked, over the rooms that there are.
func (b *bot) automate() (*automation.Automation, error) {
	log := b.log.With("room", "automation")
	sources := b.config.sources()
	between, err := b.openSources(sources)
	if err != nil {
		return nil, err
	}
	return &automation.Automation{
		Repository: b.repo, Applications: b.argo, Rollouts: b.operations, Desk: b.staff, Store: b.store, Messages: b.ui,
		Changelogs:   automation.Changelogs{Sources: sources, Between: between, Log: log},
		Environments: b.config.environments(), URL: b.config.Git.URL, Branch: b.config.Git.Branch, Rules: b.config.rules(),
		Settings: automation.Settings{
			Routes: b.config.notices(), Align: release.AlignMode(b.config.align()), AutoPromote: b.config.autoPromote(),
			Jobs: b.config.schedules(), Channel: b.config.Slack.Channel,
		},
		Times: b.config.times, Owner: owner(), NewID: func() string { return ulid.Make().String() }, Log: log,
	}, nil
}

// openSources opens each source repository once.
func (b *bot) openSources(sources []automation.Source) (between func(context.Context, automation.Source, string, string) ([]release.SourceCommit, int, error), err error) {
	open := map[string]*gitops.Source{}
	var problems []error
	for i, s := range sources {
		if open[s.Repository] != nil {
			continue
		}
		open[s.Repository], err = gitops.OpenSource(gitops.SourceConfig{URL: s.Repository, Username: s.Username, Token: s.Token})
		if err != nil {
			problems = append(problems, fmt.Errorf("sources[%d]: %w", i, err))
		}
	}
	return func(ctx context.Context, s automation.Source, from, to string) ([]release.SourceCommit, int, error) {
		return open[s.Repository].Between(ctx, from, to)
	}, errors.Join(problems...)
}

// checkChannels finds out at the start whether the bot can tell what it is to
// tell, everywhere where it is to tell it. A channel that Slack does not know is
// an error: the configuration is wrong. What an invitation mends is logged.
func (b *bot) checkChannels(ctx context.Context) error {
	for _, c := range b.config.channels() {
		for wait := time.Second; ; wait = min(2*wait, time.Minute) {
			err := b.ui.CheckChannel(ctx, c.id)
			var no *release.Refusal
			switch {
			case ctx.Err() != nil:
				return nil
			case errors.As(err, &no) && no.Code == release.CodeUnknownChannel:
				return fmt.Errorf("%s: %s", c.key, advice(err))
			case err != nil:
				b.log.WarnContext(ctx, "a channel may not be told everything", "key", c.key, "channel", c.id, "err", err)
			}
			if err == nil || no != nil || errors.Is(err, release.ErrNoHistory) || !pause(ctx, wait) {
				break
			}
		}
	}
	return nil
}

// namedChannel is a channel, and the key of the configuration that names it.
type namedChannel struct{ key, id string }

// channels are all that the configuration names, each once.
func (c config) channels() []namedChannel {
	all := []namedChannel{{"slack.channel", c.Slack.Channel}}
	for i, route := range c.Notices.Routes {
		for n, id := range route.Channels {
			all = append(all, namedChannel{fmt.Sprintf("notices.routes[%d].channels[%d]", i, n), id})
		}
	}
	for i, job := range c.Schedules {
		all = append(all, namedChannel{fmt.Sprintf("schedules[%d].channel", i), job.Channel})
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(c namedChannel) bool {
		again := seen[c.id]
		seen[c.id] = true
		return again
	})
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
