package automation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// aliveJob notes when automation was last at work.
const (
	aliveJob   = "automation: alive"
	aliveEvery = 5 * time.Minute
)

// shift is automation under one lease.
type shift struct {
	*Automation
	lease    release.Lease
	outbox   *outbox
	longAway bool // for long: what was missed is told in one summary
	ledgers  map[key]release.Ledger
	watchers map[key]*watcher
	before   release.Revision // the branch when the last round had been made
	work     sync.WaitGroup
}

// key names an app in an environment.
type key struct {
	app         release.App
	environment string
}

func newShift(a *Automation, lease release.Lease) *shift {
	s := &shift{Automation: a, lease: lease, ledgers: map[key]release.Ledger{}, watchers: map[key]*watcher{}}
	s.outbox = newOutbox(s)
	return s
}

func (s *shift) run(ctx context.Context) {
	if !s.begin(ctx) {
		return
	}
	defer s.work.Wait()
	s.work.Go(func() { s.outbox.run(ctx) })
	s.work.Go(func() { s.alive(ctx) })
	for _, job := range s.Settings.Jobs {
		s.work.Go(func() { s.schedule(ctx, job) })
	}
	s.supervise(ctx)
}

// begin reads what is stored, as often as it takes; false if ctx ends first.
func (s *shift) begin(ctx context.Context) bool {
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		err := s.read(ctx)
		if err == nil {
			return true
		}
		s.Log.ErrorContext(ctx, "reading what automation knows", "err", err)
		if !pause(ctx, wait) {
			return false
		}
	}
}

func (s *shift) read(ctx context.Context) error {
	all, err := s.Store.Ledgers(ctx)
	if err != nil {
		return err
	}
	last, ran, err := s.Store.LastRun(ctx, aliveJob)
	if err != nil {
		return err
	}
	s.longAway = ran && time.Since(last) > s.Times.Away
	for _, l := range all {
		s.ledgers[key{l.App, l.Environment}] = l
		s.before = l.Cursor
	}
	return nil
}

// alive notes every now and then that automation is at work.
func (s *shift) alive(ctx context.Context) {
	for {
		if err := s.Store.Ran(ctx, leaseName, s.lease, aliveJob, time.Now(), nil); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "noting that automation is at work", "err", err)
		}
		if !pause(ctx, aliveEvery) {
			return
		}
	}
}

// supervise has every app watched, and wakes the watchers when the branch has
// moved.
func (s *shift) supervise(ctx context.Context) {
	tips, stop := s.Repository.Follow()
	defer stop()
	for ctx.Err() == nil {
		if err := s.round(ctx); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "reading what Git says", "err", err)
		}
		again := time.NewTimer(time.Minute)
		select {
		case <-ctx.Done():
		case <-tips:
		case <-again.C:
		}
		again.Stop()
	}
}

func (s *shift) round(ctx context.Context) error {
	var tip release.Revision
	for _, env := range s.watched() {
		contents, at, err := s.Repository.Contents(ctx, env.Name)
		if err != nil {
			return fmt.Errorf("%s: %w", env.Name, err)
		}
		tip = at
		for _, app := range slices.Sorted(maps.Keys(contents)) {
			if contents[app].Tag != "" {
				s.watch(ctx, app, env)
			}
		}
	}
	for _, w := range s.watchers {
		wake(w.tips)
	}
	s.before = tip
	return nil
}

// watched are the environments that anybody wants to know of: prod, and dev
// where it is announced or its releases are to be verified.
func (s *shift) watched() []release.Environment {
	envs := []release.Environment{s.Environments.Prod}
	announced := slices.ContainsFunc(s.Settings.Routes, func(r Route) bool { return slices.Contains(r.Environments, s.Environments.Dev.Name) })
	if announced || len(s.Settings.AutoPromote) > 0 {
		envs = append(envs, s.Environments.Dev)
	}
	return envs
}

func (s *shift) watch(ctx context.Context, app release.App, env release.Environment) {
	k := key{app, env.Name}
	if s.watchers[k] != nil {
		return
	}
	w := newWatcher(s, app, env)
	s.watchers[k] = w
	s.work.Go(func() { w.run(ctx) })
}

// wake leaves a signal for somebody who may be busy.
func wake(box chan struct{}) {
	select {
	case box <- struct{}{}:
	default:
	}
}
