package argocd

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"k8s.io/apimachinery/pkg/watch"
)

// Add makes an Application and deploys what the branch says now, through all
// the steps but without their time: on return it is rolled out, or has failed
// as the tag behaves, whether it syncs by itself or not. One of the same name
// is replaced.
func (s *Server) Add(spec AppSpec) {
	spec.Project = cmp.Or(spec.Project, "default")
	spec.Replicas = cmp.Or(spec.Replicas, 2)
	w := s.world
	w.mu.Lock()
	defer w.mu.Unlock()
	w.remove(spec.Name())
	a := &instance{
		spec: spec, object: newApplication(spec, w.options.URL, w.options.Branch, w.now()),
		cluster: &namespace{}, due: true, regrown: make(chan struct{}), tree: &v1alpha1.ApplicationTree{},
	}
	w.version++
	a.object.ResourceVersion = strconv.FormatInt(w.version, 10)
	i, _ := w.find(spec.Name())
	w.apps = slices.Insert(w.apps, i, a)
	w.publish(watch.Added, a.object)
	w.settle(a)
}

// settle lets one Application's steps follow each other until nothing is left to do.
func (w *world) settle(a *instance) {
	ctx := context.Background() // the only outside call is git, which has its own deadline
	w.reconcile(ctx, a)
	if status := a.object.Status; a.object.Operation == nil && status.Sync.Status == v1alpha1.SyncStatusCodeOutOfSync {
		op := &v1alpha1.Operation{Sync: &v1alpha1.SyncOperation{}, InitiatedBy: v1alpha1.OperationInitiator{Username: "admin"}}
		op.Sync.Revision, op.Sync.Revisions = status.Sync.Revision, status.Sync.Revisions
		w.request(a, op)
	}
	for !a.settled() {
		w.ticks++
		a.cluster.step(w.now(), w.behaviour)
		w.reconcile(ctx, a)
		w.operate(ctx, a)
	}
}

// Remove deletes an Application, and what it deployed.
func (s *Server) Remove(application string) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.remove(application)
}

func (w *world) remove(name string) {
	if i, ok := w.find(name); ok {
		w.version++
		last := w.apps[i].object.DeepCopy()
		last.ResourceVersion = strconv.FormatInt(w.version, 10)
		w.apps = slices.Delete(w.apps, i, i+1)
		w.publish(watch.Deleted, last)
	}
}
