package argocd

import (
	"context"
	"errors"
	"fmt"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
)

// SetAutoSync turns an Application's automatic sync on or off, as somebody does
// who edits its spec. The self-healing is of an automatic sync only.
func (s *Server) SetAutoSync(application string, on, selfHeal bool) error {
	return s.world.edit(application, func(a *instance) error {
		a.spec.AutoSync, a.spec.SelfHeal = on, on && selfHeal
		s.world.write(a, func(next *v1alpha1.Application) {
			next.Spec.SyncPolicy.Automated = nil
			if on {
				next.Spec.SyncPolicy.Automated = &v1alpha1.SyncPolicyAutomated{Prune: true, SelfHeal: selfHeal}
			}
		})
		a.due = true // an edited spec is compared at once
		return nil
	})
}

// Rollback deploys once more what was deployed before the last sync, as
// `argocd app rollback` of that person does without an id. Argo CD refuses it
// while automatic sync is on.
func (s *Server) Rollback(application, person string) error {
	return s.world.edit(application, func(a *instance) error {
		if a.spec.AutoSync {
			return errors.New("rollback cannot be initiated when auto-sync is enabled")
		}
		history := a.object.Status.History
		if len(history) < 2 {
			return fmt.Errorf("%s should have at least two entries in its history", application)
		}
		before := history[len(history)-2]
		op := &v1alpha1.SyncOperation{
			Revision: before.Revision, Revisions: before.Revisions, SyncOptions: a.object.Spec.SyncPolicy.SyncOptions, Sources: before.Sources,
		}
		if a.object.Spec.Source != nil {
			op.Source = &before.Source
		}
		return s.world.requestBy(a, op, person)
	})
}

// SyncBy syncs an Application as that person: to a commit, or to the branch's
// newest with "". Argo CD refuses another than the newest while automatic sync
// is on.
func (s *Server) SyncBy(application, person, commit string) error {
	return s.world.edit(application, func(a *instance) error {
		if commit != "" && a.spec.AutoSync {
			return fmt.Errorf("cannot sync to %s: auto-sync currently set to %s", commit, s.world.options.Branch)
		}
		if commit == "" {
			var err error
			if commit, err = s.world.repo.head(context.Background()); err != nil { // which has its own deadline
				return err
			}
		}
		op := &v1alpha1.SyncOperation{Prune: true, SyncOptions: a.object.Spec.SyncPolicy.SyncOptions, Sources: a.object.Spec.Sources}
		op.Revision, op.Revisions = a.spec.revisionsOf(commit)
		return s.world.requestBy(a, op, person)
	})
}

func (w *world) requestBy(a *instance, op *v1alpha1.SyncOperation, person string) error {
	if a.object.Operation != nil {
		return errors.New("another operation is already in progress")
	}
	w.request(a, &v1alpha1.Operation{Sync: op, InitiatedBy: v1alpha1.OperationInitiator{Username: person}})
	return nil
}

// DeletePods deletes the pods of an Application's Deployment, which gets new
// ones: a node that is drained, or a person with kubectl.
func (s *Server) DeletePods(application string) error {
	return s.world.edit(application, func(a *instance) error {
		own := a.cluster.workload(a.spec.App)
		if own == nil {
			return fmt.Errorf("%s has no Deployment yet", application)
		}
		for _, set := range own.sets {
			set.pods = nil
		}
		own.quiet, a.cluster.changed = false, true
		return nil
	})
}
