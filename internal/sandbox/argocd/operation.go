package argocd

import (
	"context"
	"fmt"
	"time"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/argoproj/gitops-engine/pkg/sync/common"
)

// request asks for a sync. The state of the last one is gone from this moment
// on: a nil operationState does not mean that there never was a sync.
func (w *world) request(a *instance, op *v1alpha1.Operation) {
	w.options.Log.Debug("sync requested", "application", a.spec.Name(), "by", op.InitiatedBy.Username, "revision", commitOf(op.Sync.Revision, op.Sync.Revisions))
	a.acted, a.hooked, a.syncs = w.ticks, 0, append(a.syncs, op.InitiatedBy.Username)
	if last := a.object.Status.OperationState; last != nil {
		w.nowAfter(&last.StartedAt)
	}
	w.write(a, func(next *v1alpha1.Application) {
		next.Operation, next.Status.OperationState = op, nil
	})
}

// operate works on a requested sync, one step a pace.
func (w *world) operate(ctx context.Context, a *instance) {
	if a.object.Operation == nil || a.acted == w.ticks {
		return
	}
	a.acted = w.ticks
	state := a.object.Status.OperationState
	switch {
	case state == nil:
		w.save(a, &v1alpha1.OperationState{Phase: common.OperationRunning, Operation: *a.object.Operation, StartedAt: w.now()})
	case state.Phase == common.OperationTerminating:
		next := state.DeepCopy()
		next.Phase, next.Message = common.OperationFailed, "Operation terminated"
		w.save(a, next)
	case state.FinishedAt != nil: // it failed, and is tried again now
		next := state.DeepCopy()
		next.FinishedAt, next.SyncResult = nil, nil
		w.save(a, next)
	default:
		next := state.DeepCopy()
		w.attempt(ctx, a, next)
		w.save(a, next)
	}
}

// save writes the state of a sync. One that is completed is no longer requested,
// and the Application is compared again, one pace later: until then it has
// succeeded, but is still OutOfSync and has the health of the old pods.
func (w *world) save(a *instance, state *v1alpha1.OperationState) {
	if state.Phase.Completed() {
		state.FinishedAt = new(w.now())
		a.due = !state.Operation.DryRun()
		w.options.Log.Debug("sync ended", "application", a.spec.Name(), "phase", state.Phase, "message", state.Message)
	}
	w.write(a, func(next *v1alpha1.Application) {
		next.Status.OperationState = state
		if state.Phase.Completed() {
			next.Operation = nil
		}
	})
}

// attempt applies what the sync's revision says and writes into its state what came of it.
func (w *world) attempt(ctx context.Context, a *instance, state *v1alpha1.OperationState) {
	op := state.Operation.Sync
	commit := commitOf(op.Revision, op.Revisions)
	result := &v1alpha1.SyncOperationResult{Sources: a.object.Spec.Sources}
	result.Revision, result.Revisions = a.spec.revisionsOf(commit)
	if a.object.Spec.Source != nil {
		result.Source = *a.object.Spec.Source
	}
	state.SyncResult = result
	want, err := w.render(ctx, a, commit)
	if err != nil {
		state.Phase, state.Message = common.OperationError, comparisonError(err).Message
		return
	}
	behaves := w.behaviour(want.deployment.Spec.Template.Spec.Containers[0].Image)
	switch {
	case a.hooked < behaves.Hook:
		a.hooked++
		result.Resources = v1alpha1.ResourceResults{a.hook(common.OperationRunning)}
		state.Message = fmt.Sprintf("waiting for completion of hook batch/Job/%s-migrate", a.spec.App)
		return
	case behaves.FailSync != "":
		w.fail(a, state, behaves)
		return
	}
	result.Resources = a.apply(want, op, w.now())
	if behaves.Hook > 0 {
		result.Resources = append(result.Resources, a.hook(common.OperationSucceeded))
	}
	if !op.DryRun && len(op.Resources) == 0 {
		w.recordHistory(a, state)
	}
	state.Phase, state.Message = common.OperationSucceeded, "successfully synced (all tasks run)"
}

// fail is an attempt at which the cluster refused the Deployment. Until it is
// tried again the sync is still Running, though it has a finishedAt.
func (w *world) fail(a *instance, state *v1alpha1.OperationState, behaves Behaviour) {
	state.SyncResult.Resources = v1alpha1.ResourceResults{{
		Group: "apps", Version: "v1", Kind: "Deployment", Namespace: a.spec.Name(), Name: a.spec.App,
		Status: common.ResultCodeSyncFailed, Message: behaves.FailSync, HookPhase: common.OperationFailed, SyncPhase: common.SyncPhaseSync,
	}}
	state.Message = "one or more objects failed to apply, reason: " + behaves.FailSync
	switch {
	case state.RetryCount < behaves.Retries:
		state.RetryCount++
		state.FinishedAt = new(w.now())
		state.Message = fmt.Sprintf("%s due to application controller sync timeout. Retrying attempt #%d at %s.",
			state.Message, state.RetryCount, w.now().Format(time.Kitchen))
	default:
		if state.RetryCount > 0 {
			state.Message = fmt.Sprintf("%s (retried %d times).", state.Message, state.RetryCount)
		}
		state.Phase = common.OperationFailed
	}
}

func (a *instance) hook(phase common.OperationPhase) *v1alpha1.ResourceResult {
	return &v1alpha1.ResourceResult{
		Group: "batch", Version: "v1", Kind: "Job", Namespace: a.spec.Name(), Name: a.spec.App + "-migrate",
		HookType: common.HookTypePreSync, HookPhase: phase, SyncPhase: common.SyncPhasePreSync, Message: "Job " + string(phase),
	}
}

// recordHistory enters a full sync into the history, in a write of its own
// while the sync is still running.
func (w *world) recordHistory(a *instance, state *v1alpha1.OperationState) {
	entry := v1alpha1.RevisionHistory{
		Revision: state.SyncResult.Revision, Revisions: state.SyncResult.Revisions,
		Source: state.SyncResult.Source, Sources: state.SyncResult.Sources,
		DeployStartedAt: &state.StartedAt, DeployedAt: w.now(), InitiatedBy: state.Operation.InitiatedBy,
	}
	if h := a.object.Status.History; len(h) > 0 {
		entry.ID = h.LastRevisionHistory().ID + 1
	}
	w.write(a, func(next *v1alpha1.Application) {
		next.Status.History = append(next.Status.History, entry).Trunc(next.Spec.GetRevisionHistoryLimit())
	})
}
