package rig

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/synestra/promoter/e2e/webcore"
	"github.com/synestra/promoter/internal/sandbox/githost"
)

// settleTimeout bounds how long Argo CD and Kubernetes may take for one rollout of a healthy release.
const settleTimeout = 2 * time.Minute

// AddApp commits a new app to web-core, makes its dev and prod Applications, and returns when both run their first tag.
func (r *Rig) AddApp(ctx context.Context, app webcore.App) error {
	if _, err := r.WebCore.AddApp(ctx, app); err != nil {
		return err
	}
	for _, env := range []string{"dev", "prod"} {
		manifest, err := json.Marshal(r.application(app, env))
		if err != nil {
			return fmt.Errorf("adding %s: %w", app.Name, err)
		}
		if err := r.Kube.Apply(ctx, applicationPath(app.Name, env), manifest); err != nil {
			return fmt.Errorf("adding %s: %w", app.Name, err)
		}
	}
	for _, env := range []string{"dev", "prod"} {
		if err := r.AwaitRunning(ctx, app.Name, env, app.Tag(env)); err != nil {
			return fmt.Errorf("adding %s: %w", app.Name, err)
		}
	}
	return nil
}

// application is the Application of an app in env: both sync by themselves and prune; only prod undoes what people
// change in the cluster, so that dev can be worked on.
func (r *Rig) application(app webcore.App, env string) map[string]any {
	spec := map[string]any{
		"project":     "default",
		"destination": map[string]any{"server": "https://kubernetes.default.svc", "namespace": namespace(app.Name, env)},
		"syncPolicy": map[string]any{
			"automated":   automated(env),
			"syncOptions": []string{"CreateNamespace=true"},
		},
	}
	chart := func(repository, values string) map[string]any {
		return map[string]any{
			"repoURL": repository, "targetRevision": githost.Branch, "path": webcore.ChartPath,
			"helm": map[string]any{"releaseName": app.Name, "valueFiles": []string{
				values + "/" + webcore.ValuesPath(env, app.Name), values + "/" + webcore.LayerPath(env, app.Name),
			}},
		}
	}
	if app.TwoSources {
		spec["sources"] = []any{
			chart(r.WebCore.ChartsURL(), "$values"),
			map[string]any{"repoURL": r.WebCore.URL(), "targetRevision": githost.Branch, "ref": "values"},
		}
	} else {
		spec["source"] = chart(r.WebCore.URL(), "") // from the repository's root
	}
	return map[string]any{
		"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
		"metadata": map[string]any{"name": namespace(app.Name, env)}, "spec": spec,
	}
}

func automated(env string) map[string]any {
	return map[string]any{"prune": true, "selfHeal": env == "prod"}
}

// SetAutoSync turns automatic syncs of the app in env off, and on again as they were, as people do before a rollback.
func (r *Rig) SetAutoSync(ctx context.Context, app, env string, on bool) error {
	var policy any // null removes it
	if on {
		policy = automated(env)
	}
	return r.Kube.Patch(ctx, applicationPath(app, env),
		map[string]any{"spec": map[string]any{"syncPolicy": map[string]any{"automated": policy}}})
}

// Rollback does what `argocd app rollback` does as the administrator: it has Argo CD deploy what it deployed before the
// last time. Automatic syncs must be off.
func (r *Rig) Rollback(ctx context.Context, app, env string) error {
	application, err := r.Application(ctx, app, env)
	if err != nil {
		return fmt.Errorf("rolling back %s: %w", app, err)
	}
	history := application.Status.History
	if len(history) < 2 {
		return fmt.Errorf("rolling back %s: it was deployed %d times", app, len(history))
	}
	return r.CallArgoCD(ctx, r.adminToken, http.MethodPost, "/api/v1/applications/"+namespace(app, env)+"/rollback",
		map[string]any{"id": history[len(history)-2].ID, "prune": true}, nil)
}

// Refresh asks Argo CD to compare the Application with Git now, as a webhook does.
func (r *Rig) Refresh(ctx context.Context, app, env string) error {
	return r.annotate(ctx, app, env, "argocd.argoproj.io/refresh", "normal")
}

func (r *Rig) annotate(ctx context.Context, app, env, name, value string) error {
	return r.Kube.Patch(ctx, applicationPath(app, env),
		map[string]any{"metadata": map[string]any{"annotations": map[string]any{name: value}}})
}

// LimitToOwnPaths tells Argo CD which files matter to the app (argocd.argoproj.io/manifest-generate-paths). Without it, every
// commit to web-core counts as a new revision of every app, and a dev that drifted is synced again by it although
// self-heal is off.
func (r *Rig) LimitToOwnPaths(ctx context.Context, app string) error {
	for _, env := range []string{"dev", "prod"} {
		paths := "/" + webcore.ChartPath + ";/" + webcore.ValuesPath(env, app) + ";/" + webcore.LayerPath(env, app)
		if err := r.annotate(ctx, app, env, "argocd.argoproj.io/manifest-generate-paths", paths); err != nil {
			return fmt.Errorf("limiting %s to its own paths: %w", app, err)
		}
	}
	return nil
}

// AwaitRunning returns when the app runs tag in env and nothing else: every pod is ready, the rollout is over, and Argo
// CD calls the Application Synced and Healthy with no operation left.
func (r *Rig) AwaitRunning(ctx context.Context, app, env, tag string) error {
	var seen string
	err := until(ctx, settleTimeout, app+" to run "+tag+" in "+env, func(ctx context.Context) (bool, error) {
		application, err := r.Application(ctx, app, env)
		if err != nil {
			return false, err
		}
		deployment, err := r.Deployment(ctx, app, env)
		if err != nil {
			return false, err
		}
		seen = fmt.Sprintf("%s; %s", application, deployment)
		return application.Settled() && deployment.RolledOut() && deployment.Tag() == tag, nil
	})
	if err != nil {
		return fmt.Errorf("%w; last seen: %s", err, seen)
	}
	return nil
}

// AwaitApplication returns the Application as soon as it is as wanted; what says for people how that is.
func (r *Rig) AwaitApplication(ctx context.Context, app, env, what string, wanted func(Application) bool) (Application, error) {
	var seen Application
	err := until(ctx, settleTimeout, namespace(app, env)+" to be "+what, func(ctx context.Context) (bool, error) {
		application, err := r.Application(ctx, app, env)
		if err == nil {
			seen = application
		}
		return err == nil && wanted(application), err
	})
	if err != nil {
		return seen, fmt.Errorf("%w; last seen: %s", err, seen)
	}
	return seen, nil
}

// AwaitReplicas returns when the app's Deployment in env asks for this many pods.
func (r *Rig) AwaitReplicas(ctx context.Context, app, env string, replicas int) error {
	return until(ctx, settleTimeout, fmt.Sprintf("%s to ask for %d pods", namespace(app, env), replicas), func(ctx context.Context) (bool, error) {
		deployment, err := r.Deployment(ctx, app, env)
		return deployment.Spec.Replicas == replicas, err
	})
}

// namespace is the app's namespace in env, and the name of its Application.
func namespace(app, env string) string { return "web-" + app + "-" + env }

func applicationPath(app, env string) string {
	return argoAPIPath + "/namespaces/argocd/applications/" + namespace(app, env)
}

func deploymentsPath(app, env string) string {
	return "/apis/apps/v1/namespaces/" + namespace(app, env) + "/deployments"
}
