package automation

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/synestra/promoter/internal/release"
)

const (
	// lookTime bounds the looking at one app.
	lookTime = 20 * time.Second
	// looksAtOnce is how many apps are looked at beside each other.
	looksAtOnce = 4
	week        = 7 * 24 * time.Hour
)

// schedule runs a job at its times, one run at a time. What was missed while
// the bot was down runs once.
func (s *shift) schedule(ctx context.Context, job Job) {
	name := "schedule: " + job.Name
	for {
		if err := s.runDue(ctx, name, job); err != nil && ctx.Err() == nil && !errors.Is(err, release.ErrExists) {
			s.Log.ErrorContext(ctx, "running a scheduled job", "job", job.Name, "err", err)
		}
		if !pause(ctx, s.Times.Due) {
			return
		}
	}
}

func (s *shift) runDue(ctx context.Context, name string, job Job) error {
	last, ran, err := s.Store.LastRun(ctx, name)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	if !ran { // a new job: it begins now
		return s.Store.Ran(ctx, leaseName, s.lease, name, now, nil)
	}
	at, due := job.Schedule.Due(last, now)
	if !due {
		return nil
	}
	lines, apps, err := s.report(ctx, job, now)
	if err != nil {
		return err
	}
	var notices []release.Notice
	if len(lines) > 0 || job.Kind == release.NoticeDigest {
		notices = []release.Notice{{
			ID: s.NewID(), Kind: job.Kind, Channel: job.Channel, Created: now, Lines: lines, Apps: apps, Seq: 1, Posting: true,
		}}
	}
	if err := s.outbox.ran(ctx, name, at, notices); err != nil {
		return err
	}
	s.Log.InfoContext(ctx, "scheduled job ran", "job", job.Name, "for", at)
	return nil
}

// report are the rows of a digest or a reminder, and of how many apps.
func (s *shift) report(ctx context.Context, job Job, now time.Time) ([]release.Line, int, error) {
	contents, _, err := s.Repository.Contents(ctx, s.Environments.Prod.Name)
	if err != nil {
		return nil, 0, err
	}
	dev, _, err := s.Repository.Contents(ctx, s.Environments.Dev.Name)
	if err != nil {
		return nil, 0, err
	}
	var apps []release.App
	for app := range contents {
		if release.Covers(job.Apps, app) {
			apps = append(apps, app)
		}
	}
	slices.Sort(apps)
	found := make([][]release.Line, len(apps))
	slots := make(chan struct{}, looksAtOnce)
	var all sync.WaitGroup
	for i, app := range apps {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			looking, stop := context.WithTimeout(ctx, lookTime)
			defer stop()
			found[i] = s.lines(looking, job, app, dev[app], contents[app], now)
		})
	}
	all.Wait()
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	lines := slices.Concat(found...)
	if job.Kind == release.NoticeDigest {
		more, err := s.storedLines(ctx, job, now)
		if err != nil {
			return nil, 0, err
		}
		lines = append(lines, more...)
	}
	slices.SortStableFunc(lines, func(a, b release.Line) int { return cmp.Compare(a.Group, b.Group) })
	return lines, len(apps), nil
}

// lines are what is to be said of one app. What cannot be seen is said, not
// left out.
func (s *shift) lines(ctx context.Context, job Job, app release.App, dev, prod release.Content, now time.Time) []release.Line {
	running, err := s.look(ctx, app, s.Environments.Dev)
	since, sinceErr := s.devSince(ctx, app)
	if err := errors.Join(err, sinceErr); err != nil {
		s.Log.WarnContext(ctx, "looking at an app for a report", "app", app, "err", err)
		return []release.Line{{App: app, Group: release.GroupUnknown, Detail: "it could not be looked at"}}
	}
	ahead := dev.Tag != "" && dev.Tag != prod.Tag
	layer := release.Layer{Tag: dev.Tag, Settings: map[string]string{"image.repository": dev.Repository}}
	if job.Kind == release.NoticeReminder {
		if !ahead || now.Sub(since) < job.Older || running.Hot(layer) != "" || running.Snapshot.Health != "Healthy" {
			return nil
		}
		return []release.Line{{App: app, Group: release.GroupWaiting, From: prod.Tag, To: dev.Tag, Since: since}}
	}
	var lines []release.Line
	if ahead {
		lines = append(lines, release.Line{App: app, Group: release.GroupAhead, From: prod.Tag, To: dev.Tag, Since: since})
	}
	switch session := running.Live.Session; {
	case session != nil:
		lines = append(lines, release.Line{App: app, Group: release.GroupSession, Detail: session.Workload})
	case running.Hot(layer) != "":
		lines = append(lines, release.Line{App: app, Environment: s.Environments.Dev.Name, Group: release.GroupDrift, From: dev.Tag, Detail: running.Hot(layer)})
	}
	own, err := s.look(ctx, app, s.Environments.Prod)
	if err != nil {
		return append(lines, release.Line{App: app, Group: release.GroupUnknown, Detail: s.Environments.Prod.Name + " could not be looked at"})
	}
	layer = release.Layer{Tag: prod.Tag, Settings: map[string]string{"image.repository": prod.Repository}}
	if hot := own.Hot(layer); hot != "" {
		lines = append(lines, release.Line{App: app, Environment: s.Environments.Prod.Name, Group: release.GroupDrift, From: prod.Tag, Detail: hot})
	}
	return lines
}

func (s *shift) look(ctx context.Context, app release.App, env release.Environment) (release.Running, error) {
	name := env.ApplicationName(app)
	snapshot, err := s.Applications.Application(ctx, name)
	if err != nil {
		return release.Running{}, err
	}
	live, err := s.Applications.Live(ctx, name)
	return release.Running{Environment: env, Snapshot: snapshot, Follows: snapshot.Follows(s.URL, s.Branch), Live: live}, err
}

// devSince is since when dev has the tag that it has.
func (s *shift) devSince(ctx context.Context, app release.App) (time.Time, error) {
	h, err := s.Repository.History(ctx, app, s.Environments.Dev.Name, "", 0)
	if err != nil {
		return time.Time{}, err
	}
	set, found := h.SetBy()
	if !found {
		return time.Time{}, nil
	}
	return set.At, nil
}

// storedLines are of what only the store knows: holds, and the rollouts of the
// week that failed.
func (s *shift) storedLines(ctx context.Context, job Job, now time.Time) ([]release.Line, error) {
	holds, err := s.Store.Holds(ctx)
	if err != nil {
		return nil, err
	}
	failures, err := s.Store.Failures(ctx, now.Add(-week))
	if err != nil {
		return nil, err
	}
	var lines []release.Line
	for _, h := range holds {
		if release.Covers(job.Apps, h.App) {
			lines = append(lines, release.Line{App: h.App, Group: release.GroupHold, Since: h.Since, Detail: h.Reason})
		}
	}
	for _, op := range failures {
		if release.Covers(job.Apps, op.App) {
			lines = append(lines, release.Line{
				App: op.App, Environment: op.Environment, Group: release.GroupFailed, From: op.From, To: op.To, Since: op.Progress.Since,
				Detail: string(op.Progress.Stage),
			})
		}
	}
	return lines, nil
}
