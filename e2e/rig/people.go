package rig

import (
	"context"
	"fmt"
	"maps"
)

// Okteto's marks, as `okteto up` leaves them on a workload and its clone (github.com/okteto/okteto,
// pkg/model/const.go and pkg/k8s/apps).
const (
	oktetoDevLabel     = "dev.okteto.com"
	oktetoReplicas     = "dev.okteto.com/replicas"
	oktetoMode         = "dev.okteto.com/dev-mode"
	oktetoCloneLabel   = "dev.okteto.com/clone"
	oktetoInteractive  = "interactive.dev.okteto.com"
	oktetoImage        = "okteto/node:22"
	revisionAnnotation = "deployment.kubernetes.io/revision" // the Deployment controller writes each workload's own
)

// CloneName is the Deployment that runs in the app's stead during an Okteto session.
func CloneName(app string) string { return app + "-okteto" }

// StartSession does to the app's dev what `okteto up` does: the workload is scaled to nothing and marked, and a clone
// with all its labels and annotations (those that Argo CD knows its own by, too) runs the development image.
func (r *Rig) StartSession(ctx context.Context, app string) error {
	original, err := r.Deployment(ctx, app, "dev")
	if err != nil {
		return fmt.Errorf("starting a session on %s: %w", app, err)
	}
	labels := maps.Clone(original.Metadata.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[oktetoCloneLabel] = original.Metadata.UID
	annotations := maps.Clone(original.Metadata.Annotations)
	delete(annotations, revisionAnnotation)
	annotations[oktetoMode] = "sync"
	podLabels := map[string]string{"app": app, oktetoInteractive: app}
	clone := map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": map[string]any{"name": CloneName(app), "labels": labels, "annotations": annotations},
		"spec": map[string]any{
			"replicas": 1, "strategy": map[string]any{"type": "Recreate"},
			"selector": map[string]any{"matchLabels": podLabels},
			"template": map[string]any{
				"metadata": map[string]any{"labels": podLabels},
				"spec": map[string]any{
					"terminationGracePeriodSeconds": 0,
					"containers":                    []any{map[string]any{"name": "dev", "image": oktetoImage, "command": []string{"sh"}}},
				},
			},
		},
	}
	mark := map[string]any{
		"metadata": map[string]any{
			"labels":      map[string]any{oktetoDevLabel: "true"},
			"annotations": map[string]any{oktetoReplicas: fmt.Sprint(original.Spec.Replicas), oktetoMode: "sync"},
		},
		"spec": map[string]any{"replicas": 0},
	}
	if err := r.Kube.Patch(ctx, deploymentsPath(app, "dev")+"/"+app, mark); err != nil {
		return fmt.Errorf("starting a session on %s: %w", app, err)
	}
	if err := r.Kube.Create(ctx, deploymentsPath(app, "dev"), clone); err != nil {
		return fmt.Errorf("starting a session on %s: %w", app, err)
	}
	return nil
}

// SessionClone reads the Deployment that runs in the app's stead; IsNotFound tells that there is none.
func (r *Rig) SessionClone(ctx context.Context, app string) (Deployment, error) {
	return r.deployment(ctx, app, "dev", CloneName(app))
}

// Scale does what `kubectl scale` does to the app in env.
func (r *Rig) Scale(ctx context.Context, app, env string, replicas int) error {
	return r.Kube.Patch(ctx, deploymentsPath(app, env)+"/"+app, map[string]any{"spec": map[string]any{"replicas": replicas}})
}

// SetEnv does what `kubectl set env` does to the app in env.
func (r *Rig) SetEnv(ctx context.Context, app, env, name, value string) error {
	container := map[string]any{"name": "web", "env": []any{map[string]any{"name": name, "value": value}}}
	return r.Kube.PatchByKey(ctx, deploymentsPath(app, env)+"/"+app,
		map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{container}}}}})
}
