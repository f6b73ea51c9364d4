package argocd

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/argoproj/argo-cd/v2/pkg/apiclient/application"
	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// errSilent ends a watch that stays open without delivering (argo-cd#24750).
var errSilent = errors.New("the watch is open but delivers nothing")

// Run keeps the known Applications up to date until ctx ends, and returns why
// it ended. Whatever else happens is retried, and shows in [Client.Ready].
//
// The watch is lossy by design: between its first objects and the
// subscription, and whenever a buffer of 1,000 events at the server is full,
// events are lost without a trace. So it is opened before the first list, and
// lists heal the rest.
func (c *Client) Run(ctx context.Context) error {
	failures := 0
	for {
		opened := time.Now()
		err := c.session(ctx)
		if ctx.Err() != nil {
			c.setProblem(context.Cause(ctx))
			return context.Cause(ctx)
		}
		c.setProblem(err)
		if time.Since(opened) > c.pace.retryMax {
			failures = 0
		}
		wait := c.pace.wait(failures, err)
		c.logLost(ctx, err, failures, wait)
		failures++
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// wait is how long to pause: at random up to a limit that doubles, so that many
// clients do not come back at once; long where coming back soon is no use.
func (p pace) wait(failures int, err error) time.Duration {
	if refused(err) {
		return p.retryMax/2 + rand.N(p.retryMax/2)
	}
	return rand.N(min(p.retryMax, p.retry<<min(failures, 10)))
}

// logLost says once that the connection is lost, and only what changes later.
func (c *Client) logLost(ctx context.Context, err error, failures int, wait time.Duration) {
	switch {
	case refused(err):
		c.cfg.Log.ErrorContext(ctx, "argo cd refuses us", "err", err, "again_in", wait)
	case failures == 0:
		c.cfg.Log.WarnContext(ctx, "argo cd watch lost", "err", err, "again_in", wait)
	default:
		c.cfg.Log.DebugContext(ctx, "argo cd still out of reach", "err", err, "tries", failures+1, "again_in", wait)
	}
}

// session is the life of one watch.
func (c *Client) session(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var receiver sync.WaitGroup
	defer receiver.Wait()
	defer stop()

	stream, err := c.apps.Watch(ctx, &application.ApplicationQuery{})
	if err != nil {
		return fmt.Errorf("opening the watch: %w", explainList(err))
	}
	ended := make(chan error, 1)
	var heard atomic.Int64
	receiver.Go(func() { ended <- c.receive(stream, &heard) })

	relist := time.NewTimer(0)
	defer relist.Stop()
	next := c.pace.settle
	var (
		silence <-chan time.Time // fires when the event of what a list found is overdue
		mark    int64            // events heard before that list
	)
	for {
		select {
		case err := <-ended:
			return fmt.Errorf("the watch ended: %w", explainList(err))
		case <-relist.C:
			before := heard.Load()
			news, err := c.heal(ctx)
			if err != nil {
				return err
			}
			if news && silence == nil {
				silence, mark = time.After(c.pace.grace), before
			}
			relist.Reset(next)
			next = c.pace.relist + rand.N(c.pace.relist)
		case <-silence:
			silence = nil
			if heard.Load() == mark {
				return errSilent
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// receive does nothing that could make it slow: it takes each event, keeps a
// few fields and replaces the ones known before.
func (c *Client) receive(stream application.ApplicationService_WatchClient, heard *atomic.Int64) error {
	for {
		event, err := stream.Recv()
		if err != nil {
			return err
		}
		heard.Add(1)
		if !c.interests(&event.Application) {
			continue
		}
		e := entry{snapshot: project(&event.Application)}
		if event.Type == "DELETED" {
			e.snapshot.Deleted, e.gone = true, true
		}
		c.learn(e)
	}
}

// interests leaves out Applications in namespaces other than Argo CD's own:
// those need their namespace to be asked about, and may share a name with ours.
func (c *Client) interests(app *v1alpha1.Application) bool {
	home := app.Status.ControllerNamespace
	return c.cfg.Applications(app.Name) && (home == "" || app.Namespace == home)
}

// heal lists what the watch may have missed, reports whether that was anything,
// and with that the client sees everything.
func (c *Client) heal(ctx context.Context) (news bool, err error) {
	if news, err = c.list(ctx); err != nil {
		return false, fmt.Errorf("listing Applications: %w", explainList(err))
	}
	if c.Ready() != nil {
		c.setProblem(nil)
		c.cfg.Log.InfoContext(ctx, "argo cd watch open", "applications", len(c.Known()))
	}
	return news, nil
}

func (c *Client) list(ctx context.Context) (news bool, err error) {
	bounded, stop := context.WithTimeout(ctx, c.pace.list)
	defer stop()
	// Without a connection there is no watch either, so there is no use in waiting for one.
	all, err := c.apps.List(bounded, &application.ApplicationQuery{}, grpc.WaitForReady(false))
	if err != nil {
		return false, err
	}
	listed := map[string]string{}
	for i := range all.Items {
		app := &all.Items[i]
		if !c.interests(app) {
			continue
		}
		listed[app.Name] = string(app.UID)
		if c.learn(entry{snapshot: project(app)}) {
			news = true
		}
		all.Items[i] = v1alpha1.Application{} // thousands of them are tens of megabytes
	}
	if len(listed) == 0 {
		c.cfg.Log.WarnContext(ctx, "argo cd shows no application of interest", "listed", len(all.Items))
	}
	for name, uid := range c.missing(listed) {
		c.verify(ctx, name, uid)
	}
	return news, nil
}

// verify asks the Kubernetes API, through Argo CD, about an Application that a
// list does not show: the list comes from a cache that may lag behind.
func (c *Client) verify(ctx context.Context, name, uid string) {
	app, err := c.get(ctx, name, "")
	switch status.Code(err) {
	case codes.OK:
		c.learnTruth(project(app))
	case codes.NotFound:
		c.vanished(name, uid)
	case codes.PermissionDenied:
		c.cfg.Log.WarnContext(ctx, "application can no longer be seen", "application", name, "err", err)
		c.forget(name)
	default: // the next list will show
		c.cfg.Log.DebugContext(ctx, "application not verified", "application", name, "err", err)
	}
}
