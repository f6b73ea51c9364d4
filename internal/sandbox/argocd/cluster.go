package argocd

import (
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
)

// namespace is the part of the cluster one Application deploys to.
type namespace struct {
	service   *corev1.Service // nil until it is applied
	workloads []*workload     // the app's own and a development clone, whichever are there
	changed   bool            // since the controller last looked
}

// workload is a Deployment with its ReplicaSets and pods.
type workload struct {
	deployment *appsv1.Deployment
	sets       []*replicaSet // the one that is rolled out last
	stuck      int           // paces since the rollout last got on
	quiet      bool          // nothing happens before the next generation
}

type replicaSet struct {
	object *appsv1.ReplicaSet
	pods   []*pod
}

// workload is the Deployment of that name, nil if there is none.
func (n *namespace) workload(name string) *workload {
	i := slices.IndexFunc(n.workloads, func(w *workload) bool { return w.deployment.Name == name })
	if i < 0 {
		return nil
	}
	return n.workloads[i]
}

// listed are the workloads that Argo CD knows of: those with a tracking mark,
// copied or not.
func (n *namespace) listed() []*workload {
	return slices.DeleteFunc(slices.Clone(n.workloads), func(w *workload) bool {
		return w.deployment.Labels[trackingLabel] == "" && w.deployment.Annotations[trackingAnnotation] == ""
	})
}

// step lets the cluster's own controllers work for one pace.
func (n *namespace) step(now metav1.Time, behaviour func(image string) Behaviour) {
	for _, w := range n.workloads {
		if w.step(now, behaviour) {
			n.changed = true
		}
	}
}

// resting says that nothing will happen any more by itself.
func (n *namespace) resting() bool {
	return !slices.ContainsFunc(n.workloads, func(w *workload) bool { return !w.complete() && !w.givenUp() })
}

// create adds a Deployment, with what the API server fills in.
func (n *namespace) create(want *appsv1.Deployment, now metav1.Time) {
	d := want.DeepCopy()
	d.UID, d.Generation, d.CreationTimestamp = uuid.NewUUID(), 1, now
	if d.Spec.Replicas == nil {
		d.Spec.Replicas = new(int32(1))
	}
	if d.Spec.Strategy.Type == "" {
		d.Spec.Strategy.Type = appsv1.RollingUpdateDeploymentStrategyType
	}
	n.workloads = append(n.workloads, &workload{deployment: d})
	n.changed = true
}

// change edits a Deployment's spec or metadata as a client of the Kubernetes API does.
func (n *namespace) change(w *workload, edit func(*appsv1.Deployment)) {
	before := w.deployment.DeepCopy()
	edit(w.deployment)
	if !sameSpec(before.Spec, w.deployment.Spec) {
		w.deployment.Generation++
		n.changed = true
		return
	}
	n.changed = n.changed || !maps.Equal(before.Labels, w.deployment.Labels) || !maps.Equal(before.Annotations, w.deployment.Annotations)
}

func (n *namespace) remove(name string) {
	n.workloads = slices.DeleteFunc(n.workloads, func(w *workload) bool { return w.deployment.Name == name })
	n.changed = true
}

func owner(apiVersion, kind, name string, uid types.UID) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: apiVersion, Kind: kind, Name: name, UID: uid, Controller: new(true)}
}
