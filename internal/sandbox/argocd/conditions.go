package argocd

import (
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func (b Behaviour) deadline() int {
	if b.Deadline == 0 {
		return b.readyAfter() + 10
	}
	return b.Deadline
}

// deadlineExceeded is the reason with which a Deployment gives a rollout up.
const deadlineExceeded = "ProgressDeadlineExceeded"

func (w *workload) givenUp() bool {
	return slices.ContainsFunc(w.deployment.Status.Conditions, func(c appsv1.DeploymentCondition) bool { return c.Reason == deadlineExceeded })
}

func (w *workload) conditions(before *appsv1.DeploymentStatus, now metav1.Time, deadline int) []appsv1.DeploymentCondition {
	after, set := w.deployment.Status, w.current().object.Name
	got := before.UpdatedReplicas != after.UpdatedReplicas || before.AvailableReplicas != after.AvailableReplicas || before.Replicas != after.Replicas
	progressing := appsv1.DeploymentCondition{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue}
	if w.stuck++; got || w.complete() {
		w.stuck = 0
	}
	switch {
	case w.complete():
		progressing.Reason = "NewReplicaSetAvailable"
		progressing.Message = fmt.Sprintf("ReplicaSet %q has successfully progressed.", set)
	case w.stuck >= deadline:
		progressing.Status, progressing.Reason = corev1.ConditionFalse, deadlineExceeded
		progressing.Message = fmt.Sprintf("ReplicaSet %q has timed out progressing.", set)
	default:
		progressing.Reason = "ReplicaSetUpdated"
		progressing.Message = fmt.Sprintf("ReplicaSet %q is progressing.", set)
	}
	available := appsv1.DeploymentCondition{
		Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue,
		Reason: "MinimumReplicasAvailable", Message: "Deployment has minimum availability.",
	}
	if _, minimum := margins(w.deployment.Spec.Strategy.Type, int(*w.deployment.Spec.Replicas)); int(after.AvailableReplicas) < minimum {
		available.Status, available.Reason, available.Message = corev1.ConditionFalse, "MinimumReplicasUnavailable", "Deployment does not have minimum availability."
	}
	return []appsv1.DeploymentCondition{since(before, available, now), since(before, progressing, now)}
}

// since keeps the times of a condition that did not change.
func since(before *appsv1.DeploymentStatus, c appsv1.DeploymentCondition, now metav1.Time) appsv1.DeploymentCondition {
	c.LastUpdateTime, c.LastTransitionTime = now, now
	for _, old := range before.Conditions {
		switch {
		case old.Type != c.Type:
		case old.Reason == c.Reason && old.Message == c.Message:
			return old
		case old.Status == c.Status:
			c.LastTransitionTime = old.LastTransitionTime
		}
	}
	return c
}
