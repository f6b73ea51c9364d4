package rig

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// StartNotifications starts Argo CD's notifications controller with the trigger on-deployed and the template app-deployed
// as its catalog has them, and a Slack whose Web API is at apiURL. It tells of those Applications that are subscribed.
func (r *Rig) StartNotifications(ctx context.Context, apiURL, token string) error {
	trigger, err := r.catalog("triggers/on-deployed.yaml")
	if err != nil {
		return err
	}
	template, err := r.catalog("templates/app-deployed.yaml")
	if err != nil {
		return err
	}
	for name, object := range map[string]map[string]any{
		"configmaps/argocd-notifications-cm": {"kind": "ConfigMap", "data": map[string]string{
			"service.slack":         fmt.Sprintf("apiURL: %s\ntoken: $slack-token\n", apiURL),
			"context":               "argocdUrl: http://" + r.ArgoCDAddr() + "\n",
			"trigger.on-deployed":   trigger,
			"template.app-deployed": template,
		}},
		"secrets/argocd-notifications-secret": {"kind": "Secret", "stringData": map[string]string{"slack-token": token}},
	} {
		object["apiVersion"] = "v1"
		object["metadata"] = map[string]any{
			"name": filepath.Base(name), "labels": map[string]string{"app.kubernetes.io/part-of": "argocd"}, // unlabelled ones are not read
		}
		manifest, err := json.Marshal(object)
		if err != nil {
			return err
		}
		if err := r.Kube.Apply(ctx, namespacePath+"/"+name, manifest); err != nil {
			return fmt.Errorf("configuring notifications: %w", err)
		}
	}
	_, err = r.start(ctx, "argocd-notifications", r.path("bin/argocd-notifications"), []string{
		fmt.Sprintf("--metrics-port=%d", r.ports["notifications-metrics"]), "--argocd-repo-server=" + r.addr("repo-server"),
	}, answers("http://"+r.addr("notifications-metrics")+"/metrics"))
	return err
}

// Subscribe has Argo CD tell a channel (by its id) of deployments of the app in env.
func (r *Rig) Subscribe(ctx context.Context, app, env, channel string) error {
	return r.annotate(ctx, app, env, "notifications.argoproj.io/subscribe.on-deployed.slack", channel)
}

func (r *Rig) catalog(file string) (string, error) {
	content, err := os.ReadFile(filepath.Join(r.source, "notifications_catalog", file))
	if err != nil {
		return "", fmt.Errorf("reading the catalog of notifications: %w", err)
	}
	return string(content), nil
}
