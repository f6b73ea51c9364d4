// Package e2e drives the range: what its parts promise each other is proven here, with commits pushed by hand.
package e2e

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/synestra/promoter/e2e/rig"
	"github.com/synestra/promoter/e2e/webcore"
)

// scenario is one story on the range, with an app of its own.
type scenario struct {
	name string
	run  func(*testing.T, *rig.Rig)
}

// TestRange starts the range once. Scenarios mostly wait, so they run side by side (go test -parallel); those after the
// group change what holds for all Applications.
func TestRange(t *testing.T) {
	r := start(t)
	measurePushToHealthy(t, r)
	t.Run("together", func(t *testing.T) {
		for _, s := range []scenario{
			{"a tag that cannot be pulled", unpullableTag},
			{"a tag that crashes", crashingTag},
			{"a slow rollout", slowRollout},
			{"a live session", liveSession},
			{"drift", drift},
			{"drift and any commit", driftAndAnyCommit},
			{"a commit for another app", anotherApp},
			{"the bot's rights", botRights},
			{"a rollback", rollback},
			{"two sources", twoSources},
			{"what an observer sees", observed},
		} {
			t.Run(s.name, func(t *testing.T) { t.Parallel(); s.run(t, r) })
		}
	})
	t.Run("argocd-server killed", func(t *testing.T) { serverKilled(t, r) })
	t.Run("a live session, annotation tracking", func(t *testing.T) { liveSessionByAnnotation(t, r) })
}

// start brings the range up, and takes it down when the test ends; if it failed, with the last words of every child.
func start(t *testing.T) *rig.Rig {
	t.Helper()
	r, err := rig.Start(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			r.DumpLogs(t.Output())
		}
		if err := r.Close(); err != nil {
			t.Error("closing the range:", err)
		}
	})
	return r
}

// must ends the test if a step went wrong.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// release commits tag to the app's layer as CI does, tells Argo CD at once, and returns when that was.
func release(t *testing.T, r *rig.Rig, env, app, tag string) time.Time {
	t.Helper()
	_, err := r.WebCore.SetTag(t.Context(), webcore.CI, env, app, tag)
	must(t, err)
	pushed := time.Now()
	must(t, r.Refresh(t.Context(), app, env))
	return pushed
}

// measurePushToHealthy runs alone, so that its number means something.
func measurePushToHealthy(t *testing.T, r *rig.Rig) {
	t.Helper()
	began := time.Now()
	must(t, r.AddApp(t.Context(), webcore.App{Name: "measured"}))
	t.Logf("a new app was healthy in dev and prod after %.1f s", time.Since(began).Seconds())
	for _, tag := range []string{"sha-1111111", "sha-2222222", "sha-3333333"} {
		pushed := release(t, r, "prod", "measured", tag)
		must(t, r.AwaitRunning(t.Context(), "measured", "prod", tag))
		t.Logf("pushed → Synced, Healthy and every pod ready: %.2f s", time.Since(pushed).Seconds())
	}
}

func unpullableTag(t *testing.T, r *rig.Rig) {
	neverReady(t, r, "unpullable", "sha-bad-pull1", "ImagePullBackOff")
}

func crashingTag(t *testing.T, r *rig.Rig) {
	neverReady(t, r, "crashing", "sha-bad-crash1", "CrashLoopBackOff")
}

// neverReady releases a tag that never gets ready: the Application degrades, the new pod says why, the old pods stay.
func neverReady(t *testing.T, r *rig.Rig, app, tag, reason string) {
	t.Helper()
	ctx := t.Context()
	must(t, r.AddApp(ctx, webcore.App{Name: app, ProgressDeadline: 5 * time.Second}))
	pushed := release(t, r, "prod", app, tag)
	_, err := r.AwaitApplication(ctx, app, "prod", "degraded", func(a rig.Application) bool { return a.Status.Health.Status == "Degraded" })
	must(t, err)
	t.Logf("degraded after %.1f s", time.Since(pushed).Seconds())
	pods, err := r.Pods(ctx, app, "prod")
	must(t, err)
	var stuck, old int
	for _, pod := range pods {
		switch {
		case pod.Tag == tag && !pod.Ready && pod.Waiting == reason:
			stuck++
		case pod.Tag == webcore.FirstTag && pod.Ready:
			old++
		default:
			t.Errorf("unexpected pod %+v", pod)
		}
	}
	if stuck == 0 || old == 0 {
		t.Errorf("%d pods wait with %s and %d old ones serve, want some of both: %+v", stuck, reason, old, pods)
	}
}

// slowRollout sees the pods of a release come ready one after another.
func slowRollout(t *testing.T, r *rig.Rig) {
	ctx := t.Context()
	const replicas, tag = 4, "sha-slow111"
	must(t, r.AddApp(ctx, webcore.App{Name: "slow", Replicas: replicas}))
	pushed := release(t, r, "prod", "slow", tag)
	var counts []int // ready pods of the new tag, each number once
	for len(counts) == 0 || counts[len(counts)-1] < replicas {
		if time.Since(pushed) > time.Minute {
			t.Fatalf("no end of the rollout; counts %v", counts)
		}
		pods, err := r.Pods(ctx, "slow", "prod")
		must(t, err)
		ready := len(slices.DeleteFunc(pods, func(p rig.Pod) bool { return p.Tag != tag || !p.Ready }))
		if len(counts) == 0 || counts[len(counts)-1] != ready {
			counts = append(counts, ready)
		}
	}
	took := time.Since(pushed)
	t.Logf("counts %v in %.1f s", counts, took.Seconds())
	// Two waves of at least a second: no more than one pod may be missing or too many.
	if counts[0] != 0 || len(counts) < 3 || took < 2*time.Second {
		t.Errorf("counts %v in %v, want them to move slowly from 0 over something between to %d", counts, took, replicas)
	}
	must(t, r.AwaitRunning(ctx, "slow", "prod", tag))
}

// liveSession shows a session to Argo CD that tracks by label: the clone is its own to prune, which a sync does.
func liveSession(t *testing.T, r *rig.Rig) {
	ctx := t.Context()
	const app = "session"
	must(t, r.AddApp(ctx, webcore.App{Name: app}))
	must(t, r.LimitToOwnPaths(ctx, app)) // other scenarios' commits would end the session
	must(t, r.StartSession(ctx, app))
	must(t, r.Refresh(ctx, app, "dev"))
	_, err := r.AwaitApplication(ctx, app, "dev", "out of sync by a clone to prune", func(a rig.Application) bool {
		return outOfSync(a) && slices.ContainsFunc(a.Status.Resources, func(res rig.Resource) bool {
			return res.Name == rig.CloneName(app) && res.RequiresPruning
		})
	})
	must(t, err)
	clone, err := r.SessionClone(ctx, app)
	must(t, err)
	original, err := r.Deployment(ctx, app, "dev")
	must(t, err)
	if original.Spec.Replicas != 0 || clone.Spec.Replicas != 1 || clone.Metadata.Labels["dev.okteto.com/clone"] != original.Metadata.UID {
		t.Errorf("not a session: original %+v, clone %+v", original, clone)
	}
	must(t, syncDev(ctx, r, app))
	must(t, r.AwaitRunning(ctx, app, "dev", webcore.FirstTag))
	if _, err := r.SessionClone(ctx, app); !rig.IsNotFound(err) {
		t.Errorf("the clone after a sync with prune: %v, want it gone", err)
	}
}

// liveSessionByAnnotation shows that a sync does not end a session when Argo CD tracks by annotation.
func liveSessionByAnnotation(t *testing.T, r *rig.Rig) {
	ctx := t.Context()
	const app = "session-annotated"
	must(t, r.SetTracking(ctx, rig.TrackByAnnotation))
	must(t, r.AddApp(ctx, webcore.App{Name: app}))
	must(t, r.StartSession(ctx, app))
	must(t, r.AwaitReplicas(ctx, app, "dev", 0))
	must(t, syncDev(ctx, r, app))
	must(t, r.AwaitReplicas(ctx, app, "dev", 2)) // the original is scaled up again
	must(t, r.AwaitRunning(ctx, app, "dev", webcore.FirstTag))
	if _, err := r.SessionClone(ctx, app); err != nil {
		t.Errorf("the clone after a sync with prune: %v, want it still there", err)
	}
}

// drift is undone in prod at once, and in dev when somebody syncs.
func drift(t *testing.T, r *rig.Rig) {
	ctx := t.Context()
	const app = "drifting"
	must(t, r.AddApp(ctx, webcore.App{Name: app}))
	must(t, r.LimitToOwnPaths(ctx, app))
	must(t, r.SetEnv(ctx, app, "dev", "NODE_ENV", "hot"))
	must(t, r.Scale(ctx, app, "dev", 3))
	must(t, r.Scale(ctx, app, "prod", 3))
	_, err := r.AwaitApplication(ctx, app, "dev", "out of sync", outOfSync)
	must(t, err)
	must(t, r.AwaitReplicas(ctx, app, "prod", 2))
	must(t, r.AwaitRunning(ctx, app, "prod", webcore.FirstTag))
	must(t, syncDev(ctx, r, app))
	must(t, r.AwaitRunning(ctx, app, "dev", webcore.FirstTag))
	if dev, err := r.Deployment(ctx, app, "dev"); err != nil || dev.Env("NODE_ENV") != "development" || dev.Spec.Replicas != 2 {
		t.Errorf("dev after a sync: %+v, %v; want Git's state", dev, err)
	}
}

// driftAndAnyCommit shows what a commit for another app does to a dev that drifted: nothing if Argo CD was told which
// files matter to the app, and otherwise a sync, although self-heal is off.
func driftAndAnyCommit(t *testing.T, r *rig.Rig) {
	ctx := t.Context()
	const told, untold = "drifting-told", "drifting-untold"
	for _, app := range []string{told, untold} {
		must(t, r.AddApp(ctx, webcore.App{Name: app}))
	}
	must(t, r.LimitToOwnPaths(ctx, told))
	before, err := r.Application(ctx, told, "dev")
	must(t, err)
	for _, app := range []string{told, untold} {
		must(t, r.Scale(ctx, app, "dev", 3))
	}
	_, err = r.AwaitApplication(ctx, told, "dev", "out of sync", outOfSync)
	must(t, err)
	_, err = r.WebCore.SetTag(ctx, webcore.Person, "prod", "measured", "sha-5555555")
	must(t, err)
	for _, app := range []string{told, untold} {
		must(t, r.Refresh(ctx, app, "dev"))
	}
	must(t, r.AwaitReplicas(ctx, untold, "dev", 2))
	after, err := r.AwaitApplication(ctx, told, "dev", "compared with the new commit", func(a rig.Application) bool {
		return a.Status.Sync.Revision != before.Status.Sync.Revision && a.Status.ReconciledAt.After(before.Status.ReconciledAt)
	})
	must(t, err)
	dev, err := r.Deployment(ctx, told, "dev")
	must(t, err)
	if !outOfSync(after) || dev.Spec.Replicas != 3 || len(after.Status.History) != len(before.Status.History) {
		t.Errorf("told: %s; %s; want it left alone", after, dev)
	}
}

func outOfSync(a rig.Application) bool { return a.Status.Sync.Status == "OutOfSync" }

// anotherApp shows that a commit for one app moves the revision of another without any operation.
func anotherApp(t *testing.T, r *rig.Rig) {
	ctx := t.Context()
	must(t, r.AddApp(ctx, webcore.App{Name: "bystander"}))
	must(t, r.AddApp(ctx, webcore.App{Name: "busy"}))
	before, err := r.Application(ctx, "bystander", "prod")
	must(t, err)
	_, err = r.WebCore.SetTag(ctx, webcore.Person, "prod", "busy", "sha-4444444")
	must(t, err)
	must(t, r.Refresh(ctx, "bystander", "prod"))
	after, err := r.AwaitApplication(ctx, "bystander", "prod", "at another revision", func(a rig.Application) bool {
		return a.Status.Sync.Revision != before.Status.Sync.Revision
	})
	must(t, err)
	if !after.Settled() || len(after.Status.History) != len(before.Status.History) ||
		!after.Status.OperationState.StartedAt.Equal(before.Status.OperationState.StartedAt) {
		t.Errorf("before %s\nafter %s\nwant the same operation and history", before, after)
	}
}

// botRights are least: see everything, sync dev only.
func botRights(t *testing.T, r *rig.Rig) {
	ctx := t.Context()
	const app = "rights"
	must(t, r.AddApp(ctx, webcore.App{Name: app}))
	for _, row := range []struct {
		token, method, path string
		code                int // 0: allowed
	}{
		{r.BotToken, http.MethodGet, "/api/v1/applications/web-rights-prod?project=default", 0},
		{r.BotToken, http.MethodGet, "/api/v1/applications/web-rights-dev?project=default&refresh=normal", 0},
		{r.BotToken, http.MethodPost, "/api/v1/applications/web-rights-dev/sync", 0},
		{r.BotToken, http.MethodPost, "/api/v1/applications/web-rights-prod/sync", http.StatusForbidden},
		{r.BotToken, http.MethodDelete, "/api/v1/applications/web-rights-dev", http.StatusForbidden},
		{"", http.MethodGet, "/api/v1/applications", http.StatusUnauthorized},
	} {
		err := r.CallArgoCD(ctx, row.token, row.method, row.path, map[string]any{}, nil)
		if got := rig.StatusCode(err); got != row.code || (err != nil && row.code == 0) {
			t.Errorf("%s %s: %v, want status %d", row.method, row.path, err, row.code)
		}
	}
}

// rollback deploys what was deployed before, in Argo CD alone; with automatic syncs on again, Git wins.
func rollback(t *testing.T, r *rig.Rig) {
	ctx := t.Context()
	const app, tag = "rolled-back", "sha-6666666"
	must(t, r.AddApp(ctx, webcore.App{Name: app}))
	release(t, r, "prod", app, tag)
	must(t, r.AwaitRunning(ctx, app, "prod", tag))
	must(t, r.SetAutoSync(ctx, app, "prod", false))
	must(t, r.Rollback(ctx, app, "prod"))
	_, err := r.AwaitApplication(ctx, app, "prod", "rolled back", func(a rig.Application) bool {
		d, err := r.Deployment(ctx, app, "prod")
		return err == nil && outOfSync(a) && a.Operation == nil && d.Tag() == webcore.FirstTag && d.RolledOut()
	})
	must(t, err)
	must(t, r.SetAutoSync(ctx, app, "prod", true))
	must(t, r.AwaitRunning(ctx, app, "prod", tag))
}

// twoSources deploys a tag from web-core with the chart of another repository.
func twoSources(t *testing.T, r *rig.Rig) {
	ctx := t.Context()
	const app, tag = "two-sources", "sha-7777777"
	must(t, r.AddApp(ctx, webcore.App{Name: app, TwoSources: true}))
	release(t, r, "prod", app, tag)
	must(t, r.AwaitRunning(ctx, app, "prod", tag))
	a, err := r.Application(ctx, app, "prod")
	must(t, err)
	if len(a.Status.Sync.Revisions) != 2 || a.Status.Sync.Revision != "" || a.Status.Sync.Revisions[0] == a.Status.Sync.Revisions[1] {
		t.Errorf("revisions %q and %q, want one each of two repositories", a.Status.Sync.Revisions, a.Status.Sync.Revision)
	}
}

// observed compares the observer's first look that proves a release with what the pods did.
func observed(t *testing.T, r *rig.Rig) {
	ctx := t.Context()
	const app, tag = "observed", "sha-slow777"
	must(t, r.AddApp(ctx, webcore.App{Name: app}))
	truth := r.Observe(ctx, app, "prod")
	commit, err := r.WebCore.SetTag(ctx, webcore.CI, "prod", app, tag)
	must(t, err)
	truth.Expect(ctx, commit, tag)
	pushed := time.Now()
	must(t, r.Refresh(ctx, app, "prod"))
	at, err := truth.AwaitProven(ctx, commit)
	must(t, err)
	// Its two pods come one after another, and each takes a second at least.
	if took := at.Sub(pushed); took < 2*time.Second {
		t.Errorf("proven after %v", took)
	}
	d, err := r.Deployment(ctx, app, "prod")
	must(t, err)
	if d.Tag() != tag || !d.RolledOut() {
		t.Errorf("proven while the Deployment is %s", d)
	}
	must(t, truth.Close())
}

// serverKilled cuts the API off in the middle of a rollout. The rollout goes on without it, and the token outlives it.
func serverKilled(t *testing.T, r *rig.Rig) {
	ctx := t.Context()
	const app, tag = "cut-off", "sha-slow222"
	must(t, r.AddApp(ctx, webcore.App{Name: app}))
	release(t, r, "prod", app, tag)
	_, err := r.AwaitApplication(ctx, app, "prod", "progressing", func(a rig.Application) bool { return a.Status.Health.Status == "Progressing" })
	must(t, err)
	r.KillArgoCDServer()
	const path = "/api/v1/applications/web-cut-off-prod"
	if err := r.CallArgoCD(ctx, r.BotToken, http.MethodGet, path, nil, nil); err == nil || rig.StatusCode(err) != 0 {
		t.Errorf("a killed server answered: %v", err)
	}
	must(t, r.AwaitRunning(ctx, app, "prod", tag))
	began := time.Now()
	must(t, r.RestartArgoCDServer(ctx))
	t.Logf("argocd-server was back after %.1f s", time.Since(began).Seconds())
	must(t, r.CallArgoCD(ctx, r.BotToken, http.MethodGet, path, nil, nil))
}

// syncDev asks Argo CD to sync the app's dev with prune, with the bot's rights.
func syncDev(ctx context.Context, r *rig.Rig, app string) error {
	return r.CallArgoCD(ctx, r.BotToken, http.MethodPost, "/api/v1/applications/web-"+app+"-dev/sync", map[string]any{"prune": true}, nil)
}
