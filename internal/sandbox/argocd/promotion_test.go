package argocd

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
)

// look is what one version of an Application says, on one line.
func look(a *v1alpha1.Application, commits map[string]string) string {
	var said []string
	if refresh := a.Annotations[v1alpha1.AnnotationKeyRefresh]; refresh != "" {
		said = append(said, "refresh")
	}
	if a.Operation != nil {
		said = append(said, "op "+commits[commitOf(a.Operation.Sync.Revision, a.Operation.Sync.Revisions)])
	}
	state := "no state"
	if s := a.Status.OperationState; s != nil {
		state = string(s.Phase)
	}
	return strings.Join(append(said, state,
		fmt.Sprintf("history %d", len(a.Status.History)),
		commits[commitOf(a.Status.Sync.Revision, a.Status.Sync.Revisions)],
		string(a.Status.Sync.Status), string(a.Status.Health.Status)), ", ")
}

// The order of one promotion, as autoSync, processRequestedAppOperation and
// processAppRefreshQueueItem of Argo CD 2.14 write it.
var promotionOrder = []string{
	"refresh, Succeeded, history 1, old, Synced, Healthy",
	"refresh, op new, no state, history 1, old, Synced, Healthy",
	"op new, no state, history 1, new, OutOfSync, Healthy",
	"op new, Running, history 1, new, OutOfSync, Healthy",
	"op new, Running, history 2, new, OutOfSync, Healthy",
	"Succeeded, history 2, new, OutOfSync, Healthy", // nothing is rolled out yet
	"Succeeded, history 2, new, Synced, Progressing",
	"Succeeded, history 2, new, Synced, Healthy",
}

// What the Deployment's health says while three pods are replaced one by one,
// in the words of gitops-engine.
var rolloutMessages = []string{
	"Waiting for rollout to finish: 1 out of 3 new replicas have been updated...",
	"Waiting for rollout to finish: 2 out of 3 new replicas have been updated...",
	"Waiting for rollout to finish: 1 old replicas are pending termination...",
}

func TestPromotionOrder(t *testing.T) {
	for _, multi := range []bool{false, true} {
		t.Run(fmt.Sprintf("multi=%v", multi), func(t *testing.T) {
			b := newBench(t, Options{})
			spec := prod("shop")
			spec.Replicas, spec.MultiSource = 3, multi
			b.server.Add(spec)
			events := b.watch(spec.Name())
			first := events.next()
			b.subscribed(1)
			if first.Type != "ADDED" {
				t.Fatalf("the first event is %s, want ADDED", first.Type)
			}
			commits := map[string]string{b.head: "old", b.release("shop", "prod", "v2"): "new"}

			refreshed := b.refresh(spec.Name())
			if got, want := look(refreshed, commits), promotionOrder[2]; got != want {
				t.Errorf("the refresh is answered with\n%s, want\n%s", got, want)
			}
			var seen, rolling []string
			last := first.Application
			for len(seen) < 2 || seen[len(seen)-1] != promotionOrder[len(promotionOrder)-1] {
				e := events.next()
				if e.Type != "MODIFIED" || e.Application.ResourceVersion <= last.ResourceVersion && len(e.Application.ResourceVersion) == len(last.ResourceVersion) {
					t.Errorf("event %s of version %s after %s", e.Type, e.Application.ResourceVersion, last.ResourceVersion)
				}
				last = e.Application
				seen = append(seen, look(&last, commits))
				if last.Status.Health.Status == "Progressing" {
					rolling = append(rolling, last.Status.Resources[1].Health.Message)
				}
			}
			// Pods coming ready are versions that look the same here.
			if got := slices.Compact(slices.Clone(seen)); !slices.Equal(got, promotionOrder) {
				t.Errorf("the order is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(promotionOrder, "\n"))
			}
			if !slices.Equal(rolling, rolloutMessages) {
				t.Errorf("the Deployment says %q, want %q", rolling, rolloutMessages)
			}
			checkRevisions(t, last, multi)
		})
	}
}

// checkRevisions looks where a single-source Application has one revision and
// a multi-source one a list.
func checkRevisions(t *testing.T, a v1alpha1.Application, multi bool) {
	t.Helper()
	state := a.Status.OperationState
	newest := a.Status.History.LastRevisionHistory()
	for place, at := range map[string]struct {
		one  string
		many []string
	}{
		"status.sync":                   {a.Status.Sync.Revision, a.Status.Sync.Revisions},
		"operationState.operation.sync": {state.Operation.Sync.Revision, state.Operation.Sync.Revisions},
		"syncResult":                    {state.SyncResult.Revision, state.SyncResult.Revisions},
		"history":                       {newest.Revision, newest.Revisions},
	} {
		if multi != (at.one == "") || multi != (len(at.many) == 2) {
			t.Errorf("%s has revision %q and revisions %q", place, at.one, at.many)
		}
	}
	if newest.ID != 1 || !newest.InitiatedBy.Automated {
		t.Errorf("history entry %d by %+v, want 1 by the controller", newest.ID, newest.InitiatedBy)
	}
	if a.Status.ReconciledAt.Before(state.FinishedAt) {
		t.Errorf("reconciledAt %s is before finishedAt %s", a.Status.ReconciledAt, state.FinishedAt)
	}
	if want := []string{"registry.test/web/shop:v2"}; !slices.Equal(a.Status.Summary.Images, want) {
		t.Errorf("images %q, want %q", a.Status.Summary.Images, want)
	}
}

func TestBothImagesDuringARollout(t *testing.T) {
	b := newBench(t, Options{})
	b.server.Add(prod("shop"))
	b.release("shop", "prod", "v2")
	b.refresh("web-shop-prod")
	b.wait("web-shop-prod", "running both images", func(a v1alpha1.Application) bool {
		return slices.Equal(a.Status.Summary.Images, []string{"registry.test/web/shop:v1", "registry.test/web/shop:v2"})
	})
}

// A commit that touches another app moves the revision of every Application of
// the repository, and nothing else: no sync, no history.
func TestCommitOfAnotherApp(t *testing.T) {
	b := newBench(t, Options{})
	b.server.Add(prod("shop"))
	before := b.get("web-shop-prod")
	commit := b.release("blog", "prod", "v2")
	after := b.refresh("web-shop-prod")
	if !settledAt(commit)(*after) {
		t.Errorf("after the refresh it is %+v", b.server.State("web-shop-prod"))
	}
	if len(after.Status.History) != len(before.Status.History) || !after.Status.OperationState.StartedAt.Equal(&before.Status.OperationState.StartedAt) {
		t.Error("a commit of another app led to a sync")
	}
	if !before.Status.ReconciledAt.Before(after.Status.ReconciledAt) {
		t.Errorf("reconciledAt was %s and is %s", before.Status.ReconciledAt, after.Status.ReconciledAt)
	}
}

func TestPollNoticesWithoutARefresh(t *testing.T) {
	b := newBench(t, Options{Poll: 1})
	b.server.Add(prod("shop"))
	commit := b.release("shop", "prod", "v2")
	b.wait("web-shop-prod", "rolled out", settledAt(commit))
}

func TestUnreadableLayerIsAComparisonError(t *testing.T) {
	b := newBench(t, Options{})
	b.server.Add(prod("shop"))
	b.write("deploy/env/release-prod/shop.yaml", "image: {tag: [\n")
	b.push("break")
	a := b.refresh("web-shop-prod")
	if a.Status.Sync.Status != "Unknown" || a.Status.Sync.Revision != "" || len(a.Status.Conditions) != 1 || a.Status.Conditions[0].Type != "ComparisonError" {
		t.Errorf("sync %+v, conditions %+v", a.Status.Sync, a.Status.Conditions)
	}
	if a.Status.Health.Status != "Healthy" || a.Operation != nil {
		t.Errorf("health %s, operation %v: what runs goes on", a.Status.Health.Status, a.Operation)
	}
	commit := b.release("shop", "prod", "v2")
	if a := b.refresh("web-shop-prod"); len(a.Status.Conditions) != 0 {
		t.Errorf("after the repair there are still %+v", a.Status.Conditions)
	}
	b.wait("web-shop-prod", "rolled out", settledAt(commit))
}
