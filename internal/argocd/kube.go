package argocd

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/synestra/promoter/internal/release"
)

// The parts of live Kubernetes objects that we read.

type metadata struct {
	Name              string            `json:"name"`
	Generation        int64             `json:"generation"`
	Labels            map[string]string `json:"labels"`
	Annotations       map[string]string `json:"annotations"`
	DeletionTimestamp string            `json:"deletionTimestamp"`
}

type condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// workload is a Deployment or a StatefulSet of apps/v1.
type workload struct {
	Metadata metadata `json:"metadata"`
	Spec     struct {
		Replicas *int `json:"replicas"`
		Template struct {
			Spec struct {
				Containers []struct {
					Image string `json:"image"`
				} `json:"containers"`
			} `json:"spec"`
		} `json:"template"`
	} `json:"spec"`
	Status struct {
		ObservedGeneration int64       `json:"observedGeneration"`
		Replicas           int         `json:"replicas"`
		UpdatedReplicas    int         `json:"updatedReplicas"`
		ReadyReplicas      int         `json:"readyReplicas"`
		AvailableReplicas  int         `json:"availableReplicas"`
		Conditions         []condition `json:"conditions"`
	} `json:"status"`
}

func (w workload) images() []string {
	var list []string
	for _, c := range w.Spec.Template.Spec.Containers {
		list = append(list, c.Image)
	}
	return list
}

// release is the workload in our words, but for its name.
func (w workload) release() release.Workload {
	r := release.Workload{
		Generation: w.Metadata.Generation, Observed: w.Status.ObservedGeneration,
		Desired: 1, Updated: w.Status.UpdatedReplicas, Ready: w.Status.ReadyReplicas,
		Available: w.Status.AvailableReplicas, Total: w.Status.Replicas,
		Rollout: w.Metadata.Annotations["deployment.kubernetes.io/revision"],
		Images:  w.images(), Clone: w.clone(), Marked: w.marked(),
	}
	if w.Spec.Replicas != nil {
		r.Desired = *w.Spec.Replicas
	}
	for _, c := range w.Status.Conditions {
		// Until the new spec is observed, the condition is about the old one.
		if c.Type == "Progressing" && c.Status == "False" && c.Reason == "ProgressDeadlineExceeded" && r.Observed >= r.Generation {
			r.DeadlineExceeded, r.Message = true, c.Message
		}
	}
	return r
}

// clone says that the workload is Okteto's copy of one. The copy has all labels
// of the original and this one; a workload that Okteto made by itself
// (autocreate) is known by its mark and its name.
func (w workload) clone() bool {
	return w.Metadata.Labels["dev.okteto.com/clone"] != "" ||
		w.Metadata.Labels["dev.okteto.com"] == "true" && strings.HasSuffix(w.Metadata.Name, "-okteto")
}

// marked says that the workload has the marks of an original in whose place
// Okteto has put a clone.
func (w workload) marked() bool {
	return !w.clone() && (w.Metadata.Labels["dev.okteto.com"] == "true" || w.annotated("replicas") || w.annotated("dev-mode"))
}

// replaced says that Okteto has put a development container in the workload's
// place: it is marked and scaled to zero. Marks on one that is scaled up prove
// nothing; see [release.Live.Leftover]. Okteto before 1.14 had no clone; it
// changed the workload itself, which keeps its old manifest.
func (w workload) replaced() bool {
	return w.annotated("deployment") || w.annotated("statefulset") || w.marked() && w.Spec.Replicas != nil && *w.Spec.Replicas == 0
}

func (w workload) annotated(mark string) bool {
	_, ok := w.Metadata.Annotations["dev.okteto.com/"+mark]
	return ok
}

type containerStatus struct {
	Name                 string         `json:"name"`
	State                containerState `json:"state"`
	LastTerminationState containerState `json:"lastState"`
}

type containerState struct {
	Waiting *struct {
		Reason  string `json:"reason"`
		Message string `json:"message"`
	} `json:"waiting"`
	Terminated *terminated `json:"terminated"`
}

type terminated struct {
	ExitCode int    `json:"exitCode"`
	Reason   string `json:"reason"`
	Message  string `json:"message"`
}

func (t terminated) String() string {
	text := fmt.Sprintf("%s, exit code %d", cmp.Or(t.Reason, "terminated"), t.ExitCode)
	if t.Message != "" {
		text += ": " + t.Message
	}
	return text
}

// pod is a Pod of v1.
type pod struct {
	Metadata metadata `json:"metadata"`
	Status   struct {
		Phase                 string            `json:"phase"`
		Reason                string            `json:"reason"`
		Message               string            `json:"message"`
		Conditions            []condition       `json:"conditions"`
		InitContainerStatuses []containerStatus `json:"initContainerStatuses"`
		ContainerStatuses     []containerStatus `json:"containerStatuses"`
	} `json:"status"`
}

// failure says why the pod does not become ready. One that is still starting
// has not failed; once its rollout is overdue, being unready is a reason too.
func (p pod) failure(overdue bool) (reason, message string) {
	if p.Metadata.DeletionTimestamp != "" {
		return "", ""
	}
	for _, c := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if reason, message := c.failure(); reason != "" {
			return reason, message
		}
	}
	if p.Status.Phase == "Failed" {
		return cmp.Or(p.Status.Reason, "Failed"), p.Status.Message
	}
	for _, c := range p.Status.Conditions {
		switch {
		case c.Status != "False":
		case c.Type == "PodScheduled" && c.Reason == "Unschedulable":
			return c.Reason, c.Message
		case c.Type == "Ready" && overdue:
			return cmp.Or(c.Reason, "NotReady"), c.Message
		}
	}
	return "", ""
}

func (c containerStatus) failure() (reason, message string) {
	if t := c.State.Terminated; t != nil && t.ExitCode != 0 {
		return cmp.Or(t.Reason, "Error"), fmt.Sprintf("container %s: %s", c.Name, t)
	}
	w := c.State.Waiting
	if w == nil || w.Reason == "" || w.Reason == "ContainerCreating" || w.Reason == "PodInitializing" {
		return "", ""
	}
	parts := []string{}
	if w.Message != "" {
		parts = append(parts, w.Message)
	}
	if t := c.LastTerminationState.Terminated; t != nil {
		parts = append(parts, "last time: "+t.String())
	}
	return w.Reason, strings.Join(parts, "; ")
}
