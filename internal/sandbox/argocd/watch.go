package argocd

import (
	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"k8s.io/apimachinery/pkg/watch"
)

// watchBuffer is how many events a slow subscriber may be behind before events
// are dropped without a word, as in Argo CD.
const watchBuffer = 1000

// watcher is one subscription to the events of all Applications.
type watcher struct {
	events chan *v1alpha1.ApplicationWatchEvent
}

// publish tells subscribers and waiters of a new version. The lock is held.
func (w *world) publish(kind watch.EventType, a *v1alpha1.Application) {
	for waiting := range w.waiters {
		if kind != watch.Deleted && waiting.name == a.Name && waiting.ok(*a) {
			delete(w.waiters, waiting)
			waiting.met <- a
		}
	}
	if w.faults.swallows() {
		return
	}
	for s := range w.watchers {
		select {
		case s.events <- &v1alpha1.ApplicationWatchEvent{Type: kind, Application: *a}:
		default:
			w.options.Log.Warn("unable to send event notification", "application", a.Name)
		}
	}
}

// Watches is how many Watches get the events from now on. A Watch has sent its
// first objects before it does, and what happens in between is lost to it.
func (s *Server) Watches() int {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	return len(s.world.watchers)
}

// subscribe starts a subscription, which stop ends.
func (w *world) subscribe() (s *watcher, stop func()) {
	s = &watcher{make(chan *v1alpha1.ApplicationWatchEvent, watchBuffer)}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watchers[s] = struct{}{}
	return s, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.watchers, s)
	}
}

// cached are all Applications as the API server's informer has them, by name.
func (w *world) cached() []*v1alpha1.Application {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []*v1alpha1.Application
	for _, a := range w.apps {
		found = append(found, w.faults.cached(a))
	}
	return found
}
