package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/synestra/promoter/internal/sandbox/githost"
)

// Truth is what an independent observer sees of one app in one environment: it watches the Application and the
// Deployments in the Kubernetes API, and asks neither Argo CD nor who is observed with it.
type Truth struct {
	rig      *Rig
	app, env string
	cancel   context.CancelFunc
	watching sync.WaitGroup

	mu      sync.Mutex
	now     look
	changed time.Time // when now was last changed
	updates []*update
	err     error // why a watch ended too early
}

// update is a commit that changes what the app runs.
type update struct {
	commit, tag string
	proven      time.Time       // the first look that proved it; zero if there was none yet
	contained   map[string]bool // by revision: does it contain the commit?
}

// look is all that is known at one moment.
type look struct {
	application Application
	deployments map[string]Deployment // by name
}

// Observe begins to watch. Close ends it.
func (r *Rig) Observe(ctx context.Context, app, env string) *Truth {
	ctx, cancel := context.WithCancel(ctx)
	t := &Truth{rig: r, app: app, env: env, cancel: cancel, now: look{deployments: map[string]Deployment{}}}
	applications := argoAPIPath + "/namespaces/argocd/applications?fieldSelector=metadata.name=" + namespace(app, env)
	t.watch(ctx, applications, func(kind string, object json.RawMessage) error {
		var application Application
		if err := json.Unmarshal(object, &application); err != nil {
			return err
		}
		t.see(ctx, func(l *look) { l.application = application })
		return nil
	})
	t.watch(ctx, deploymentsPath(app, env)+"?", func(kind string, object json.RawMessage) error {
		var deployment struct {
			Metadata struct{ Name string }
			Deployment
		}
		if err := errors.Join(json.Unmarshal(object, &deployment), json.Unmarshal(object, &deployment.Deployment)); err != nil {
			return err
		}
		t.see(ctx, func(l *look) {
			if delete(l.deployments, deployment.Metadata.Name); kind != "DELETED" {
				l.deployments[deployment.Metadata.Name] = deployment.Deployment
			}
		})
		return nil
	})
	return t
}

// Close ends the watching. An error says that some of the time was not seen.
func (t *Truth) Close() error {
	t.cancel()
	t.watching.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// Expect tells the observer of an update: the commit, and the tag that it sets.
func (t *Truth) Expect(ctx context.Context, commit, tag string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.updates = append(t.updates, &update{commit: commit, tag: tag, contained: map[string]bool{}})
	t.judge(ctx)
}

// Proven is the first instant at which one look showed that the update is live; false if none did so far.
func (t *Truth) Proven(commit string) (time.Time, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, u := range t.updates {
		if u.commit == commit {
			return u.proven, !u.proven.IsZero()
		}
	}
	return time.Time{}, false
}

// AwaitProven returns when the update was proven.
func (t *Truth) AwaitProven(ctx context.Context, commit string) (at time.Time, err error) {
	err = until(ctx, settleTimeout, commit+" to be live in "+namespace(t.app, t.env), func(context.Context) (bool, error) {
		var proven bool
		at, proven = t.Proven(commit)
		return proven, nil
	})
	return at, err
}

func (t *Truth) watch(ctx context.Context, path string, event func(kind string, object json.RawMessage) error) {
	t.watching.Go(func() {
		if err := t.rig.Kube.watch(ctx, path, event); err != nil && ctx.Err() == nil {
			t.mu.Lock()
			t.err = errors.Join(t.err, fmt.Errorf("watching %s: %w", path, err))
			t.mu.Unlock()
		}
	})
}

// see takes a change in. The time is taken before anything else is done.
func (t *Truth) see(ctx context.Context, change func(*look)) {
	at := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.now)
	t.changed = at
	t.judge(ctx)
}

// judge looks at every update that is not proven yet. The caller holds mu.
func (t *Truth) judge(ctx context.Context) {
	for _, u := range t.updates {
		if u.proven.IsZero() && t.now.shows("registry.synestra.io/web/"+t.app, u.tag) && t.contains(ctx, u) {
			u.proven = t.changed
		}
	}
}

// shows tells whether in this one look the last operation succeeded, the Application is Synced and Healthy, and every
// Deployment of the image is rolled out with the tag. There must be one.
func (l look) shows(image, tag string) bool {
	status := l.application.Status
	if status.OperationState == nil || status.OperationState.Phase != "Succeeded" || status.Sync.Status != "Synced" || status.Health.Status != "Healthy" {
		return false
	}
	some := false
	for _, d := range l.deployments {
		if len(d.Spec.Template.Spec.Containers) == 0 || !strings.HasPrefix(d.Spec.Template.Spec.Containers[0].Image, image+":") {
			continue
		}
		if some = true; d.Tag() != tag || !d.RolledOut() {
			return false
		}
	}
	return some
}

// contains asks Git whether what is compared contains the update's commit.
func (t *Truth) contains(ctx context.Context, u *update) bool {
	for _, revision := range append(t.now.application.Status.Sync.Revisions, t.now.application.Status.Sync.Revision) {
		if _, asked := u.contained[revision]; !asked && revision != "" {
			_, err := t.rig.Git.Git(ctx, githost.WebCore, "merge-base", "--is-ancestor", u.commit, revision)
			u.contained[revision] = err == nil
		}
		if u.contained[revision] {
			return true
		}
	}
	return false
}
