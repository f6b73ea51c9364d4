package argocd

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/uuid"
)

// revisionAnnotation numbers the rollouts of a Deployment, on it and on each of
// its ReplicaSets.
const revisionAnnotation = "deployment.kubernetes.io/revision"

// keptSets is how many emptied ReplicaSets stay, the default revisionHistoryLimit.
const keptSets = 10

// step does what the Deployment controller, the ReplicaSet controller and the
// kubelet do in one pace, and reports whether anything changed.
func (w *workload) step(now metav1.Time, behaviour func(image string) Behaviour) bool {
	if w.quiet && w.deployment.Status.ObservedGeneration == w.deployment.Generation {
		return false
	}
	changed := w.observe(now)
	changed = w.scale(now) || changed
	for _, set := range w.sets {
		b := behaviour(set.image())
		for _, p := range set.pods {
			changed = p.step(b, now) || changed
		}
	}
	changed = w.report(now, behaviour(w.image())) || changed
	w.quiet = w.complete() && !changed
	return changed
}

func (w *workload) image() string        { return w.deployment.Spec.Template.Spec.Containers[0].Image }
func (s *replicaSet) image() string      { return s.object.Spec.Template.Spec.Containers[0].Image }
func (w *workload) current() *replicaSet { return w.sets[len(w.sets)-1] }

// observe takes note of a new generation: its template gets a ReplicaSet, the
// old one of the same template if there is one.
func (w *workload) observe(now metav1.Time) bool {
	d := w.deployment
	if d.Status.ObservedGeneration == d.Generation {
		return false
	}
	d.Status.ObservedGeneration, w.stuck = d.Generation, 0
	i := slices.IndexFunc(w.sets, func(s *replicaSet) bool { return s.runs(d.Spec.Template) })
	switch {
	case i < 0:
		w.sets = append(w.sets, w.newSet(now))
	case i < len(w.sets)-1:
		w.sets = append(slices.Delete(slices.Clone(w.sets), i, i+1), w.sets[i])
	default:
		return true
	}
	number, _ := strconv.Atoi(d.Annotations[revisionAnnotation]) // none yet counts as 0
	revision := strconv.Itoa(number + 1)
	if d.Annotations == nil {
		d.Annotations = map[string]string{}
	}
	d.Annotations[revisionAnnotation] = revision
	w.current().object.Annotations[revisionAnnotation] = revision
	return true
}

// podTemplateHash tells the ReplicaSets of one Deployment, and their pods, apart.
const podTemplateHash = "pod-template-hash"

func (w *workload) newSet(now metav1.Time) *replicaSet {
	d := w.deployment
	template := *d.Spec.Template.DeepCopy()
	mark := rand.SafeEncodeString(fmt.Sprint(hash(template.String())))
	template.Labels[podTemplateHash] = mark
	return &replicaSet{object: &appsv1.ReplicaSet{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "ReplicaSet"},
		ObjectMeta: metav1.ObjectMeta{
			Name: d.Name + "-" + mark, Namespace: d.Namespace, UID: uuid.NewUUID(), Generation: 1, CreationTimestamp: now,
			Labels: template.Labels, Annotations: map[string]string{},
			OwnerReferences: []metav1.OwnerReference{owner("apps/v1", "Deployment", d.Name, d.UID)},
		},
		Spec: appsv1.ReplicaSetSpec{Replicas: new(int32(0)), Selector: d.Spec.Selector, Template: template},
	}}
}

// runs says that the set was made for the template.
func (s *replicaSet) runs(template corev1.PodTemplateSpec) bool {
	own := *s.object.Spec.Template.DeepCopy()
	delete(own.Labels, podTemplateHash)
	return sameTemplate(own, template)
}

// scale moves pods from the old sets to the current one as far as the strategy
// lets it: a rolling update never has fewer available pods than it may.
func (w *workload) scale(now metav1.Time) bool {
	desired := int(*w.deployment.Spec.Replicas)
	surge, minimum := margins(w.deployment.Spec.Strategy.Type, desired)
	current, changed := w.current(), false

	spare := w.pods() - minimum - (len(current.pods) - current.readyPods())
	for _, old := range w.sets[:len(w.sets)-1] {
		// Pods that are not ready go first; they are missed by nobody.
		n := min(spare, len(old.pods)-old.readyPods())
		changed = old.drop(n, false) || changed
		spare -= max(n, 0)
	}
	for _, old := range w.sets[:len(w.sets)-1] {
		changed = old.drop(min(w.readyPods()-minimum, len(old.pods)), true) || changed
	}
	changed = current.drop(len(current.pods)-desired, true) || changed
	for len(current.pods) < desired && w.pods() < desired+surge {
		set := current.object
		current.pods = append(current.pods, newPod(owner("apps/v1", "ReplicaSet", set.Name, set.UID), set.Namespace, set.Spec.Template, now))
		changed = true
	}
	if len(w.sets) > keptSets+1 && len(w.sets[0].pods) == 0 {
		w.sets = slices.Clone(w.sets[1:])
	}
	return changed
}

// margins are how many pods more than desired there may be, and how many must
// stay available, by the defaults of 25 % (the first rounded up, the second
// down). Recreate takes all old pods away first.
func margins(strategy appsv1.DeploymentStrategyType, desired int) (surge, minimum int) {
	if strategy == appsv1.RecreateDeploymentStrategyType {
		return 0, 0
	}
	return (desired + 3) / 4, desired - desired/4
}

// drop takes n pods away, those that are not ready first, and ready ones only if told so.
func (s *replicaSet) drop(n int, ready bool) bool {
	dropped := 0
	for _, which := range []bool{false, true} {
		if which && !ready {
			break
		}
		s.pods = slices.DeleteFunc(s.pods, func(p *pod) bool {
			if dropped >= n || p.ready != which {
				return false
			}
			dropped++
			return true
		})
	}
	return dropped > 0
}

func (s *replicaSet) readyPods() int {
	n := 0
	for _, p := range s.pods {
		if p.ready {
			n++
		}
	}
	return n
}

func (w *workload) pods() int {
	n := 0
	for _, s := range w.sets {
		n += len(s.pods)
	}
	return n
}

func (w *workload) readyPods() int {
	n := 0
	for _, s := range w.sets {
		n += s.readyPods()
	}
	return n
}

// complete says that the rollout is done: every pod is new and ready.
func (w *workload) complete() bool {
	d, desired := w.deployment, int(*w.deployment.Spec.Replicas)
	return d.Status.ObservedGeneration == d.Generation && len(w.sets) > 0 &&
		w.pods() == desired && len(w.current().pods) == desired && w.current().readyPods() == desired
}

// report writes what there is into the objects' status.
func (w *workload) report(now metav1.Time, b Behaviour) bool {
	d := w.deployment
	before := d.Status.DeepCopy()
	for _, s := range w.sets {
		n, ready := int32(len(s.pods)), int32(s.readyPods())
		s.object.Spec.Replicas = &n
		s.object.Status = appsv1.ReplicaSetStatus{Replicas: n, FullyLabeledReplicas: n, ReadyReplicas: ready, AvailableReplicas: ready, ObservedGeneration: 1}
	}
	ready := int32(w.readyPods())
	d.Status.Replicas = int32(w.pods())
	d.Status.UpdatedReplicas = int32(len(w.current().pods))
	d.Status.ReadyReplicas, d.Status.AvailableReplicas = ready, ready
	d.Status.UnavailableReplicas = max(0, max(*d.Spec.Replicas, d.Status.Replicas)-ready)
	d.Status.Conditions = w.conditions(before, now, b.deadline())
	return !reflect.DeepEqual(before, &d.Status)
}
