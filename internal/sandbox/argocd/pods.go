package argocd

import (
	"fmt"
	"hash/fnv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/uuid"
)

// pod is a pod and how many paces it has lived.
type pod struct {
	object *corev1.Pod
	age    int
	ready  bool
}

// unschedulable is the reason of a pod that no node can take. It is a condition
// of the pod, not a state of its container.
const unschedulable = "Unschedulable"

func newPod(owner metav1.OwnerReference, namespace string, template corev1.PodTemplateSpec, now metav1.Time) *pod {
	object := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Name: owner.Name + "-" + rand.String(5), Namespace: namespace, UID: uuid.NewUUID(),
			Labels: template.Labels, CreationTimestamp: now, OwnerReferences: []metav1.OwnerReference{owner},
		},
		Spec: *template.Spec.DeepCopy(),
	}
	object.Spec.RestartPolicy = corev1.RestartPolicyAlways
	p := &pod{object: object}
	p.schedule(now)
	return p
}

// step lives one pace and reports whether anything about the pod changed.
func (p *pod) step(b Behaviour, now metav1.Time) bool {
	p.age++
	switch {
	case p.ready || p.age <= b.readyAfter():
		return false
	case b.Reason == "":
		p.run(now)
		return true
	case b.Reason == unschedulable:
		return p.unschedule(b.Message, now)
	}
	return p.wait(b.Reason, b.Message)
}

// readyAfter is how many paces a pod takes to become ready, or to fail.
func (b Behaviour) readyAfter() int {
	if b.Ready == 0 {
		return 2
	}
	return b.Ready
}

// schedule is a new pod's state: on a node, pulling its image.
func (p *pod) schedule(now metav1.Time) {
	p.object.Spec.NodeName = fmt.Sprintf("node-%d", hash(p.object.Name)%3+1)
	p.object.Status = corev1.PodStatus{
		Phase:     corev1.PodPending,
		StartTime: &now,
		Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: now},
			{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "ContainersNotReady", LastTransitionTime: now},
		},
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: p.object.Spec.Containers[0].Name, Image: p.object.Spec.Containers[0].Image,
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}},
		}},
	}
}

func (p *pod) run(now metav1.Time) {
	if len(p.object.Status.ContainerStatuses) == 0 { // it was unschedulable
		p.schedule(now)
	}
	p.ready = true
	status := &p.object.Status
	status.Phase = corev1.PodRunning
	status.Conditions[1] = corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: now}
	status.ContainerStatuses[0].Ready = true
	status.ContainerStatuses[0].State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}}
}

// wait is the state of a pod whose container cannot start or keeps ending. The
// restarts come ever slower, as the kubelet's back-off makes them.
func (p *pod) wait(reason, message string) bool {
	status := &p.object.Status
	if len(status.ContainerStatuses) == 0 {
		p.schedule(metav1.Time{})
	}
	container := &status.ContainerStatuses[0]
	again := p.age&(p.age-1) == 0 && reason == "CrashLoopBackOff"
	if w := container.State.Waiting; !again && w != nil && w.Reason == reason && w.Message == message {
		return false
	}
	if reason == "CrashLoopBackOff" {
		status.Phase = corev1.PodRunning
		container.RestartCount++
		container.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error"}
	}
	container.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	return true
}

func (p *pod) unschedule(message string, now metav1.Time) bool {
	if c := p.object.Status.Conditions[0]; c.Reason == unschedulable && c.Message == message {
		return false
	}
	p.object.Spec.NodeName = ""
	p.object.Status = corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: unschedulable, Message: message, LastTransitionTime: now},
		{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: now},
	}}
	return true
}

func hash(s string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(s)) // never fails, see hash.Hash
	return h.Sum32()
}
