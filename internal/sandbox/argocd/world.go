package argocd

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/synestra/promoter/internal/release"
)

// world is everything that outlives the API server: the Kubernetes API with the
// Applications, the application-controller, and the cluster with its pods.
type world struct {
	options Options
	repo    *repository

	mu         sync.Mutex  // guards all below; held for one step or one request at a time
	apps       []*instance // by name
	behaviours map[string]Behaviour
	version    int64 // the last resourceVersion
	ticks      int64
	hurried    time.Duration // how far the cluster's clock is ahead of ours
	faults     faults
	watchers   map[*watcher]struct{}
	waiters    map[*waiter]struct{}
}

func newWorld(o Options) *world {
	return &world{
		options: o, repo: newRepository(o.Repo, o.Branch), behaviours: map[string]Behaviour{}, faults: newFaults(),
		watchers: map[*watcher]struct{}{}, waiters: map[*waiter]struct{}{},
	}
}

// run lets one step happen every pace until ctx ends.
func (w *world) run(ctx context.Context) {
	pace := time.NewTicker(w.options.Pace)
	defer pace.Stop()
	for {
		select {
		case <-pace.C:
			w.tick(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// tick is one pace of the cluster and of the controller, in this order, so
// that what the controller applies is seen by the cluster one pace later and
// what the cluster does is seen by the controller at once.
func (w *world) tick(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ticks++
	for _, a := range w.apps {
		w.step(ctx, a)
	}
}

func (w *world) step(ctx context.Context, a *instance) {
	a.cluster.step(w.now(), w.behaviour)
	if !w.faults.held {
		w.reconcile(ctx, a)
		w.operate(ctx, a)
	}
}

func (w *world) behaviour(image string) Behaviour {
	_, tag := release.SplitImage(image)
	return w.behaviours[string(tag)]
}

// now is the cluster's clock, in the whole seconds that Kubernetes writes.
func (w *world) now() metav1.Time {
	return metav1.NewTime(time.Now().UTC().Add(w.hurried).Truncate(time.Second))
}

// nowAfter is now, but never in the second of the given time: the clock is
// moved on. At a fast pace several syncs or refreshes fit into a second and
// could not be told apart by their times, which at a real pace they can.
func (w *world) nowAfter(last *metav1.Time) metav1.Time {
	for last != nil && !w.now().After(last.Time) {
		w.hurried += time.Second
	}
	return w.now()
}

// find is where the Application of that name is, or would be, in apps.
func (w *world) find(name string) (int, bool) {
	return slices.BinarySearchFunc(w.apps, name, func(a *instance, name string) int { return cmp.Compare(a.spec.Name(), name) })
}

// named is the Application of that name, nil if there is none.
func (w *world) named(name string) *instance {
	if i, ok := w.find(name); ok {
		return w.apps[i]
	}
	return nil
}

// edit runs do on an Application under the lock.
func (w *world) edit(name string, do func(*instance) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.named(name)
	if a == nil {
		return fmt.Errorf("there is no Application %q", name)
	}
	return do(a)
}

// write makes a new version of the Application. A change that changes nothing
// makes none, as a patch of the Kubernetes API.
func (w *world) write(a *instance, change func(*v1alpha1.Application)) {
	next := a.object.DeepCopy()
	change(next)
	if same(next, a.object) {
		return
	}
	w.version++
	next.ResourceVersion = strconv.FormatInt(w.version, 10)
	a.previous, a.object = a.object, next
	w.publish(watch.Modified, next)
}

// currentVersion is the newest resourceVersion of all.
func (w *world) currentVersion() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strconv.FormatInt(w.version, 10)
}

// same compares as the controller does before it patches: by what would be
// written, so that an empty list is no list.
func same(a, b *v1alpha1.Application) bool {
	one, err1 := json.Marshal(a)
	other, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && bytes.Equal(one, other)
}

// waiter waits for a version of an Application.
type waiter struct {
	name string
	ok   func(v1alpha1.Application) bool
	met  chan *v1alpha1.Application // buffered: the first that is ok
}

// wait returns the first version of the Application, from the present one on,
// that is ok. Every version is looked at, however short its life.
func (w *world) wait(ctx context.Context, name string, ok func(v1alpha1.Application) bool) (*v1alpha1.Application, error) {
	w.mu.Lock()
	if a := w.named(name); a != nil && ok(*a.object) {
		present := a.object
		w.mu.Unlock()
		return present, nil
	}
	waiting := w.await(name, ok)
	w.mu.Unlock()
	return w.awaited(ctx, waiting)
}

// await begins to wait for a version after the present one. w.mu is held.
func (w *world) await(name string, ok func(v1alpha1.Application) bool) *waiter {
	waiting := &waiter{name, ok, make(chan *v1alpha1.Application, 1)}
	w.waiters[waiting] = struct{}{}
	return waiting
}

func (w *world) awaited(ctx context.Context, waiting *waiter) (*v1alpha1.Application, error) {
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.waiters, waiting)
	}()
	select {
	case met := <-waiting.met:
		return met, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
