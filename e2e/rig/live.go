package rig

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Application is the part of an Argo CD Application that scenarios look at, straight from the Kubernetes API.
type Application struct {
	Operation json.RawMessage // set while one is wanted or runs
	Status    struct {
		Sync struct {
			Status, Revision string
			Revisions        []string // of an Application of several sources, which has no Revision
		}
		Health         struct{ Status string }
		ReconciledAt   time.Time
		OperationState *struct {
			Phase, Message        string
			StartedAt, FinishedAt time.Time
			SyncResult            struct{ Revision string }
		}
		History []struct {
			ID       int64
			Revision string
		}
		Resources []Resource
	}
}

// Resource is one entry of an Application's list of resources.
type Resource struct {
	Kind, Name, Status string
	RequiresPruning    bool
}

// Settled tells whether Argo CD is done: no operation, the last one succeeded, and what was compared after it is Synced
// and Healthy.
func (a Application) Settled() bool {
	state := a.Status.OperationState
	return a.Operation == nil && state != nil && state.Phase == "Succeeded" && !a.Status.ReconciledAt.Before(state.FinishedAt) &&
		a.Status.Sync.Status == "Synced" && a.Status.Health.Status == "Healthy"
}

func (a Application) String() string {
	phase := "no operation yet"
	if state := a.Status.OperationState; state != nil {
		phase = fmt.Sprintf("operation %s %q", state.Phase, state.Message)
	}
	return fmt.Sprintf("%s at %s, %s, %s, operation %s", a.Status.Sync.Status, a.Status.Sync.Revision, a.Status.Health.Status, phase, a.Operation)
}

// Deployment is the part of a Deployment that scenarios look at.
type Deployment struct {
	Metadata struct {
		UID                 string
		Generation          int64
		Labels, Annotations map[string]string
	}
	Spec struct {
		Replicas int
		Template struct {
			Spec struct {
				Containers []struct {
					Name, Image string
					Env         []struct{ Name, Value string }
				}
			}
		}
	}
	Status struct {
		ObservedGeneration                                          int64
		Replicas, UpdatedReplicas, ReadyReplicas, AvailableReplicas int
		Conditions                                                  []condition
	}
}

// Tag is the tag of the first container's image, the one that values files set.
func (d Deployment) Tag() string {
	image := d.Spec.Template.Spec.Containers[0].Image
	return image[strings.LastIndex(image, ":")+1:]
}

// Env is the value of a variable of the first container, empty if it has none.
func (d Deployment) Env(name string) string {
	for _, variable := range d.Spec.Template.Spec.Containers[0].Env {
		if variable.Name == name {
			return variable.Value
		}
	}
	return ""
}

// RolledOut tells whether Kubernetes is done: only pods of the newest template, as many as wanted, all available.
func (d Deployment) RolledOut() bool {
	return d.Status.ObservedGeneration >= d.Metadata.Generation && d.Status.Replicas == d.Spec.Replicas &&
		d.Status.UpdatedReplicas == d.Spec.Replicas && d.Status.AvailableReplicas == d.Spec.Replicas
}

func (d Deployment) String() string {
	return fmt.Sprintf("deployment of %s: %d wanted, %d updated, %d ready, %d in all",
		d.Tag(), d.Spec.Replicas, d.Status.UpdatedReplicas, d.Status.ReadyReplicas, d.Status.Replicas)
}

// Pod is what a pod runs and how it fares.
type Pod struct {
	Name, Tag string
	Ready     bool
	Waiting   string // why its container waits (ImagePullBackOff, CrashLoopBackOff …); empty if it does not
}

type condition struct{ Type, Status, Reason string }

func isTrue(conditions []condition, name string) bool {
	return slices.ContainsFunc(conditions, func(c condition) bool { return c.Type == name && c.Status == "True" })
}

// Application reads the app's Application in env.
func (r *Rig) Application(ctx context.Context, app, env string) (Application, error) {
	var application Application
	err := r.Kube.Get(ctx, applicationPath(app, env), &application)
	return application, err
}

// Deployment reads the app's Deployment in env.
func (r *Rig) Deployment(ctx context.Context, app, env string) (Deployment, error) {
	return r.deployment(ctx, app, env, app)
}

func (r *Rig) deployment(ctx context.Context, app, env, name string) (Deployment, error) {
	var deployment Deployment
	err := r.Kube.Get(ctx, deploymentsPath(app, env)+"/"+name, &deployment)
	return deployment, err
}

// Pods reads the app's pods in env, those of an Okteto session included.
func (r *Rig) Pods(ctx context.Context, app, env string) ([]Pod, error) {
	var list struct {
		Items []struct {
			Metadata struct{ Name string }
			Spec     struct{ Containers []struct{ Image string } }
			Status   struct {
				Conditions        []condition
				ContainerStatuses []struct {
					State struct{ Waiting struct{ Reason string } }
				}
			}
		}
	}
	if err := r.Kube.Get(ctx, "/api/v1/namespaces/"+namespace(app, env)+"/pods", &list); err != nil {
		return nil, err
	}
	var pods []Pod
	for _, item := range list.Items {
		image := item.Spec.Containers[0].Image
		pod := Pod{
			Name: item.Metadata.Name, Tag: image[strings.LastIndex(image, ":")+1:],
			Ready: isTrue(item.Status.Conditions, "Ready"),
		}
		if len(item.Status.ContainerStatuses) > 0 {
			pod.Waiting = item.Status.ContainerStatuses[0].State.Waiting.Reason
		}
		pods = append(pods, pod)
	}
	return pods, nil
}
