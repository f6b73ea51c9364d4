package argocd

import (
	"context"
	"fmt"
	"time"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// reconcile compares the Application if there is a reason to: a refresh that
// was asked for, a sync that ended, a poll that is due (these look for a new
// commit), or a change in the cluster (which does not).
func (w *world) reconcile(ctx context.Context, a *instance) {
	_, refresh := a.object.IsRefreshRequested()
	if refresh || a.due || time.Since(a.compared) >= w.options.Poll {
		a.due, a.compared = false, time.Now()
		at := w.now()
		if refresh {
			at = w.nowAfter(a.object.Status.ReconciledAt)
		}
		commit, err := w.repo.head(ctx)
		w.compare(ctx, a, commit, err, &at)
		return
	}
	if a.cluster.changed {
		var err error
		commit := commitOf(a.object.Status.Sync.Revision, a.object.Status.Sync.Revisions)
		if commit == "" { // the last one could not be rendered
			commit, err = w.repo.head(ctx)
		}
		w.compare(ctx, a, commit, err, nil)
	}
}

// compare holds the cluster against a commit, lets automatic sync act on what
// it finds, and then writes it. at is the time of a comparison with the newest
// commit, nil for one that only follows the cluster: it leaves reconciledAt.
func (w *world) compare(ctx context.Context, a *instance, commit string, problem error, at *metav1.Time) {
	var want *manifests
	if problem == nil {
		want, problem = w.render(ctx, a, commit)
	}
	if problem != nil {
		commit = ""
	}
	found, err := a.cluster.compare(a.spec, want)
	if err == nil {
		err = w.remember(a, found)
	}
	if err != nil {
		w.options.Log.Error("comparing", "application", a.spec.Name(), "err", err)
		return
	}
	sync := v1alpha1.SyncStatus{Status: found.status, ComparedTo: comparedTo(a.object)}
	sync.Revision, sync.Revisions = a.spec.revisionsOf(commit)

	// Automatic sync is asked for before the comparison is written, so for a
	// moment there is an operation to a revision that status.sync has not.
	var syncError *v1alpha1.ApplicationCondition
	if open := !w.faults.closed[a.spec.Name()]; open {
		op, failed := automatic(a.object, sync, found.resources)
		if op != nil {
			w.request(a, op)
		}
		syncError = failed
	}
	w.write(a, func(next *v1alpha1.Application) {
		delete(next.Annotations, v1alpha1.AnnotationKeyRefresh)
		status := &next.Status
		w.condition(status, v1alpha1.ApplicationConditionComparisonError, comparisonError(problem))
		w.condition(status, v1alpha1.ApplicationConditionSyncError, syncError)
		if at != nil {
			status.ReconciledAt = at
		}
		status.Sync, status.Resources = sync, found.resources
		if status.Health.Status != found.health {
			status.Health = v1alpha1.HealthStatus{Status: found.health, LastTransitionTime: new(w.now())}
		}
		status.Summary = a.tree.GetSummary(next)
		status.SourceType, status.ControllerNamespace = v1alpha1.ApplicationSourceTypeHelm, controlPlane
		status.ResourceHealthSource = v1alpha1.ResourceHealthLocationInline
	})
}

// remember caches the tree and the managed resources, and tells those who watch the tree.
func (w *world) remember(a *instance, found comparison) error {
	tree, err := a.cluster.tree()
	if err != nil {
		return err
	}
	a.tree, a.managed = tree, found.managed
	if a.cluster.changed {
		a.cluster.changed = false
		close(a.regrown)
		a.regrown = make(chan struct{})
	}
	return nil
}

func comparedTo(a *v1alpha1.Application) v1alpha1.ComparedTo {
	to := v1alpha1.ComparedTo{Destination: a.Spec.Destination, Sources: a.Spec.Sources}
	if a.Spec.Source != nil {
		to.Source = *a.Spec.Source
	}
	return to
}

func comparisonError(problem error) *v1alpha1.ApplicationCondition {
	if problem == nil {
		return nil
	}
	return &v1alpha1.ApplicationCondition{
		Type:    v1alpha1.ApplicationConditionComparisonError,
		Message: fmt.Sprintf("Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = Unknown desc = %v", problem),
	}
}

// condition sets the condition of a type, or removes it if there is none.
func (w *world) condition(status *v1alpha1.ApplicationStatus, kind v1alpha1.ApplicationConditionType, c *v1alpha1.ApplicationCondition) {
	var now []v1alpha1.ApplicationCondition
	if c != nil {
		c.LastTransitionTime = new(w.now())
		now = append(now, *c)
	}
	status.SetConditions(now, map[v1alpha1.ApplicationConditionType]bool{kind: true})
}

// settled says that nothing is left to do for the Application.
func (a *instance) settled() bool {
	return a.object.Operation == nil && !a.due && !a.cluster.changed && a.cluster.resting()
}
