package argocd

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/argoproj/argo-cd/v2/pkg/apiclient/application"
	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// live reads a live object through the API into the Kubernetes type.
func (b *bench) live(name, group, kind, object string, into any) {
	b.t.Helper()
	answer, err := b.apps.GetResource(b.context(), &application.ApplicationResourceRequest{
		Name: &name, Namespace: &name, ResourceName: &object, Version: new("v1"), Group: &group, Kind: &kind,
	})
	if err != nil {
		b.t.Fatalf("getting %s %s: %v", kind, object, err)
	}
	if err := json.Unmarshal([]byte(answer.GetManifest()), into); err != nil {
		b.t.Fatalf("reading %s %s: %v", kind, object, err)
	}
}

func (b *bench) nodes(name, kind string) []v1alpha1.ResourceNode {
	b.t.Helper()
	tree, err := b.apps.ResourceTree(b.context(), &application.ResourcesQuery{ApplicationName: &name})
	if err != nil {
		b.t.Fatalf("reading the tree of %s: %v", name, err)
	}
	var found []v1alpha1.ResourceNode
	for _, n := range tree.Nodes {
		if n.Kind == kind {
			found = append(found, n)
		}
	}
	return found
}

func TestDegradedRelease(t *testing.T) {
	cases := []struct {
		reason, message string
		pod             string // the pod's health
	}{
		{"CrashLoopBackOff", "back-off 5m0s restarting failed container", "Degraded"},
		{"ImagePullBackOff", `Back-off pulling image "registry.test/web/shop:v2"`, "Degraded"},
		{"Unschedulable", "0/3 nodes are available: 3 Insufficient memory.", "Progressing"},
	}
	for _, c := range cases {
		t.Run(c.reason, func(t *testing.T) {
			b := newBench(t, Options{})
			b.server.Add(prod("shop"))
			b.server.Behave("v2", Behaviour{Reason: c.reason, Message: c.message})
			commit := b.release("shop", "prod", "v2")
			b.refresh("web-shop-prod")
			b.wait("web-shop-prod", "Degraded", func(a v1alpha1.Application) bool { return a.Status.Health.Status == "Degraded" })

			a := b.get("web-shop-prod")
			if a.Status.Sync.Status != "Synced" || a.Status.OperationState.Phase != "Succeeded" {
				t.Errorf("sync %s, operation %s", a.Status.Sync.Status, a.Status.OperationState.Phase)
			}
			if got, want := a.Status.Resources[1].Health.Message, `Deployment "shop" exceeded its progress deadline`; got != want {
				t.Errorf("the Deployment says %q, want %q", got, want)
			}
			checkFailingPods(t, b, c.reason, c.message, c.pod)

			// A release that recovers is healthy without another sync.
			b.server.Behave("v2", Behaviour{})
			b.wait("web-shop-prod", "rolled out", settledAt(commit))
			if got := b.server.State("web-shop-prod"); got.Ready != 2 || len(got.Syncs) != 2 {
				t.Errorf("after the recovery %+v", got)
			}
		})
	}
}

func checkFailingPods(t *testing.T, b *bench, reason, message, health string) {
	t.Helper()
	var d appsv1.Deployment
	b.live("web-shop-prod", "apps", "Deployment", "shop", &d)
	if d.Status.ObservedGeneration != d.Generation || d.Status.UpdatedReplicas != 1 || d.Status.AvailableReplicas != 2 || d.Status.Replicas != 3 {
		t.Errorf("generation %d, status %+v", d.Generation, d.Status)
	}
	given := d.Status.Conditions[1]
	if given.Type != "Progressing" || given.Status != "False" || given.Reason != "ProgressDeadlineExceeded" {
		t.Errorf("condition %+v", given)
	}
	failing := 0
	for _, n := range b.nodes("web-shop-prod", "Pod") {
		var p corev1.Pod
		b.live("web-shop-prod", "", "Pod", n.Name, &p)
		if p.Spec.Containers[0].Image != "registry.test/web/shop:v2" {
			continue
		}
		failing++
		if string(n.Health.Status) != health {
			t.Errorf("pod %s is %s, want %s", n.Name, n.Health.Status, health)
		}
		said := p.Status.Conditions[0].Reason + " " + p.Status.Conditions[0].Message
		if len(p.Status.ContainerStatuses) > 0 {
			waiting := p.Status.ContainerStatuses[0].State.Waiting
			said = waiting.Reason + " " + waiting.Message
			if n.Info[0].Value != reason || n.Info[2].Value != "0/1" {
				t.Errorf("pod %s is shown as %+v", n.Name, n.Info)
			}
		}
		if said != reason+" "+message {
			t.Errorf("pod %s says %q", n.Name, said)
		}
	}
	if failing != 1 {
		t.Errorf("%d failing pods, want the one that the rolling update may add", failing)
	}
}

func TestSlowReleaseIsDegradedForAWhile(t *testing.T) {
	b := newBench(t, Options{})
	b.server.Add(prod("shop"))
	b.server.Behave("v2", Behaviour{Ready: 8, Deadline: 4})
	events := b.watch("web-shop-prod")
	b.subscribed(1)
	commit := b.release("shop", "prod", "v2")
	b.refresh("web-shop-prod")
	degraded := false
	for {
		a := events.next().Application
		degraded = degraded || a.Status.Health.Status == "Degraded"
		if settledAt(commit)(a) {
			break
		}
	}
	if !degraded {
		t.Error("it was never Degraded")
	}
}

func TestFailingSync(t *testing.T) {
	b := newBench(t, Options{})
	b.server.Add(prod("shop"))
	b.server.Behave("v2", Behaviour{FailSync: "admission webhook denied it", Retries: 2})
	events := b.watch("web-shop-prod")
	b.subscribed(1)
	commit := b.release("shop", "prod", "v2")
	b.refresh("web-shop-prod")

	retries := map[int64]bool{}
	var failed v1alpha1.Application
	for failed.Name == "" {
		a := events.next().Application
		state := a.Status.OperationState
		switch {
		case state == nil:
		case state.Phase == "Running" && state.FinishedAt != nil:
			retries[state.RetryCount] = true
			if a.Operation == nil || !strings.Contains(state.Message, "Retrying attempt") {
				t.Errorf("between the attempts: operation %v, message %q", a.Operation, state.Message)
			}
		case state.Phase == "Failed":
			failed = a
		}
	}
	if len(retries) != 2 {
		t.Errorf("retries %v, want 1 and 2", retries)
	}
	state := failed.Status.OperationState
	if want := "one or more objects failed to apply, reason: admission webhook denied it (retried 2 times)."; state.Message != want {
		t.Errorf("message %q, want %q", state.Message, want)
	}
	if r := state.SyncResult.Resources; len(r) != 1 || r[0].Status != "SyncFailed" || r[0].Kind != "Deployment" || r[0].Message != "admission webhook denied it" {
		t.Errorf("resources %+v", r)
	}
	if state.SyncResult.Revision != commit || failed.Operation != nil || len(failed.Status.History) != 1 {
		t.Errorf("result of %s, operation %v, %d history entries", state.SyncResult.Revision, failed.Operation, len(failed.Status.History))
	}
	// It is not tried again by itself, and says so.
	b.wait("web-shop-prod", "given up", func(a v1alpha1.Application) bool {
		return len(a.Status.Conditions) == 1 && a.Status.Conditions[0].Type == "SyncError" &&
			strings.Contains(a.Status.Conditions[0].Message, "Failed sync attempt to "+commit)
	})
	if got := b.server.State("web-shop-prod"); got.Tag != "v1" || got.Health != "Healthy" || got.Sync != "OutOfSync" {
		t.Errorf("%+v: the old release should still run", got)
	}
}

func TestHookRunsBeforeAnythingIsApplied(t *testing.T) {
	b := newBench(t, Options{})
	b.server.Add(prod("shop"))
	b.server.Behave("v2", Behaviour{Hook: 3})
	events := b.watch("web-shop-prod")
	b.subscribed(1)
	commit := b.release("shop", "prod", "v2")
	b.refresh("web-shop-prod")
	waiting := false
	for {
		a := events.next().Application
		if settledAt(commit)(a) {
			break
		}
		state := a.Status.OperationState
		if state == nil || state.SyncResult == nil || state.Phase != "Running" || state.SyncResult.Revision != commit {
			continue
		}
		if r := state.SyncResult.Resources; len(r) == 1 && r[0].HookPhase == "Running" && r[0].HookType == "PreSync" {
			waiting = waiting || state.Message == "waiting for completion of hook batch/Job/shop-migrate"
			if len(a.Status.Summary.Images) != 1 {
				t.Errorf("images %q while the hook runs", a.Status.Summary.Images)
			}
		}
	}
	if !waiting {
		t.Error("the hook was never seen running")
	}
}
