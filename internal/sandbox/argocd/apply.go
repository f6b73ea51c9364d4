package argocd

import (
	"slices"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/argoproj/gitops-engine/pkg/sync/common"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// apply makes the cluster what the manifests say, except what the sync leaves out.
func (a *instance) apply(want *manifests, op *v1alpha1.SyncOperation, now metav1.Time) v1alpha1.ResourceResults {
	var results v1alpha1.ResourceResults
	add := func(o object, code common.ResultCode, message string) bool {
		gvk := o.GetObjectKind().GroupVersionKind()
		chosen := len(op.Resources) == 0 || slices.ContainsFunc(op.Resources, func(r v1alpha1.SyncOperationResource) bool {
			return r.HasIdentity(o.GetName(), o.GetNamespace(), gvk)
		})
		if chosen {
			results = append(results, &v1alpha1.ResourceResult{
				Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind, Namespace: o.GetNamespace(), Name: o.GetName(),
				Status: code, Message: message, HookPhase: common.OperationRunning, SyncPhase: common.SyncPhaseSync,
			})
		}
		return chosen && !op.DryRun
	}
	if add(want.service, common.ResultCodeSynced, "service/"+a.spec.App+applied(a.cluster.service != nil, true)) && a.cluster.service == nil {
		a.cluster.service = want.service.DeepCopy()
		a.cluster.service.CreationTimestamp, a.cluster.changed = now, true
	}
	live := a.cluster.workload(want.deployment.Name)
	if add(want.deployment, common.ResultCodeSynced, "deployment.apps/"+a.spec.App+applied(live != nil, live != nil && unchanged(live.deployment, want.deployment))) {
		a.cluster.apply(want, now)
	}
	for _, p := range a.cluster.pairs(a.spec, want) {
		switch {
		case p.target != nil || !a.spec.owns("apps/Deployment", p.live):
		case !op.Prune:
			add(p.live, common.ResultCodePruneSkipped, "ignored (requires pruning)")
		case add(p.live, common.ResultCodePruned, "pruned"):
			a.cluster.remove(p.live.GetName())
		}
	}
	return results
}

// applied is what kubectl apply says of an object.
func applied(there, same bool) string {
	switch {
	case !there:
		return " created"
	case same:
		return " unchanged"
	}
	return " configured"
}

// unchanged says that applying the wanted Deployment changes nothing.
func unchanged(live, want *appsv1.Deployment) bool {
	return equality.Semantic.DeepEqual(live.Spec.Template, want.Spec.Template) &&
		(want.Spec.Replicas == nil || live.Spec.Replicas != nil && *live.Spec.Replicas == *want.Spec.Replicas)
}

// apply merges the wanted Deployment into the live one. What others added to
// its metadata stays, Okteto's marks among it: a merge removes only what an
// earlier manifest had.
func (n *namespace) apply(want *manifests, now metav1.Time) {
	live := n.workload(want.deployment.Name)
	if live == nil {
		n.create(want.deployment, now)
		return
	}
	n.change(live, func(d *appsv1.Deployment) {
		d.Spec.Template = *want.deployment.Spec.Template.DeepCopy()
		if want.deployment.Spec.Replicas != nil {
			d.Spec.Replicas = new(*want.deployment.Spec.Replicas)
		}
	})
}
