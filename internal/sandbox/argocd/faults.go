package argocd

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
)

// faults are what goes wrong on purpose.
type faults struct {
	drop      int  // events still to be dropped
	zombie    bool // streams stay open and silent
	held      bool // the controller does nothing
	stale     bool // the informer is one version behind
	failing   map[string]failure
	forbidden map[string]bool // Applications the account may not see
	closed    map[string]bool // Applications whose sync window is closed
}

type failure struct {
	code  codes.Code
	times int // negative for always
}

func newFaults() faults {
	return faults{failing: map[string]failure{}, forbidden: map[string]bool{}, closed: map[string]bool{}}
}

// swallows says that the event at hand reaches nobody.
func (f *faults) swallows() bool {
	if f.drop > 0 {
		f.drop--
		return true
	}
	return f.zombie
}

func (f *faults) cached(a *instance) *v1alpha1.Application {
	if f.stale && a.previous != nil {
		return a.previous
	}
	return a.object
}

// fail is the error that a call of the method is to end with, nil for none.
func (f *faults) fail(method string) error {
	failing, ok := f.failing[method]
	if !ok || failing.times == 0 {
		return nil
	}
	if failing.times > 0 {
		failing.times--
		f.failing[method] = failing
	}
	return status.Errorf(failing.code, "%s fails on purpose", method)
}

// DropWatchEvents drops the next n events of Applications, for every Watch, as
// a full buffer in the API server does: nothing tells the subscribers.
func (s *Server) DropWatchEvents(n int) { s.inject(func(f *faults) { f.drop = n }) }

// Zombie keeps every Watch open and silent after its first ADDED events, as in
// argo-cd#24750.
func (s *Server) Zombie(on bool) { s.inject(func(f *faults) { f.zombie = on }) }

// HoldController stops the application-controller: refreshes are not answered,
// nothing is compared, applied or judged. The cluster's own controllers go on.
func (s *Server) HoldController(on bool) { s.inject(func(f *faults) { f.held = on }) }

// ServeStale makes List, and the first events of a new Watch, show every
// Application as it was one version ago, as another replica of the API server
// does whose informer is behind. Get tells the truth.
func (s *Server) ServeStale(on bool) { s.inject(func(f *faults) { f.stale = on }) }

// FailRPC ends the next calls of a method ("Get", "Watch", "GetResource") with
// the code: so many times, for ever if times is negative, no more if it is 0.
func (s *Server) FailRPC(method string, code codes.Code, times int) {
	s.inject(func(f *faults) { f.failing[method] = failure{code, times} })
}

// Forbid hides an Application from the account; Allow shows it again.
func (s *Server) Forbid(application string) {
	s.inject(func(f *faults) { f.forbidden[application] = true })
}

// Allow shows an Application again that was hidden by Forbid.
func (s *Server) Allow(application string) {
	s.inject(func(f *faults) { delete(f.forbidden, application) })
}

// CloseSyncWindow closes an Application's sync window, or opens it: while it is
// closed nothing is synced, and a request to sync is refused.
func (s *Server) CloseSyncWindow(application string, closed bool) {
	s.inject(func(f *faults) { f.closed[application] = closed })
}

func (s *Server) inject(how func(*faults)) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	how(&s.world.faults)
}
