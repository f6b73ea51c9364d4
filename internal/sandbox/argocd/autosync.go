package argocd

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/argoproj/gitops-engine/pkg/sync/common"
)

// automatic decides, by the rules of the application-controller (autoSync in
// controller/appcontroller.go of 2.14), whether a comparison leads to a sync.
// The condition is set where a sync of this revision was tried and has failed:
// it is not tried again.
func automatic(a *v1alpha1.Application, found v1alpha1.SyncStatus, resources []v1alpha1.ResourceStatus) (*v1alpha1.Operation, *v1alpha1.ApplicationCondition) {
	policy := a.Spec.SyncPolicy.Automated
	if policy == nil || a.Operation != nil || found.Status != v1alpha1.SyncStatusCodeOutOfSync {
		return nil, nil
	}
	if a.Spec.HasMultipleSources() && !policy.SelfHeal && reflect.DeepEqual(a.Status.Sync.Revisions, found.Revisions) {
		return nil, nil // caused by the cluster, not by a commit
	}
	op := &v1alpha1.Operation{
		Sync: &v1alpha1.SyncOperation{
			Revision: found.Revision, Revisions: found.Revisions,
			Prune: policy.Prune, SyncOptions: a.Spec.SyncPolicy.SyncOptions,
		},
		InitiatedBy: v1alpha1.OperationInitiator{Automated: true},
	}
	last := a.Status.OperationState
	if attempted(last, found) {
		if last.Phase != common.OperationSucceeded {
			return nil, &v1alpha1.ApplicationCondition{
				Type:    v1alpha1.ApplicationConditionSyncError,
				Message: fmt.Sprintf("Failed sync attempt to %s: %s", found.Revision, last.Message),
			}
		}
		if !policy.SelfHeal {
			return nil, nil
		}
		// Healing is a sync of the differing resources only: it never enters the history.
		op.Sync.SelfHealAttemptsCount = last.Operation.Sync.SelfHealAttemptsCount + 1
		for _, r := range resources {
			if r.Status != v1alpha1.SyncStatusCodeSynced {
				op.Sync.Resources = append(op.Sync.Resources, v1alpha1.SyncOperationResource{Group: r.Group, Kind: r.Kind, Name: r.Name})
			}
		}
	}
	if !slices.ContainsFunc(resources, func(r v1alpha1.ResourceStatus) bool { return !r.RequiresPruning }) {
		return nil, &v1alpha1.ApplicationCondition{
			Type:    v1alpha1.ApplicationConditionSyncError,
			Message: fmt.Sprintf("Skipping sync attempt to %s: auto-sync will wipe out all resources", found.Revision),
		}
	}
	return op, nil
}

// attempted says that the last sync was to the revision that is compared now.
func attempted(last *v1alpha1.OperationState, found v1alpha1.SyncStatus) bool {
	return last != nil && last.Operation.Sync != nil && last.SyncResult != nil &&
		last.SyncResult.Revision == found.Revision && slices.Equal(last.SyncResult.Revisions, found.Revisions)
}
