package argocd

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/argoproj/argo-cd/v2/pkg/apiclient/application"
	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	appsv1 "k8s.io/api/apps/v1"
)

func (b *bench) sync(name string, prune bool) (*v1alpha1.Application, error) {
	return b.apps.Sync(b.context(), &application.ApplicationSyncRequest{
		Name: &name, Prune: &prune, Infos: []*v1alpha1.Info{{Name: "operation", Value: "01J"}},
	})
}

func (b *bench) mustSync(name string, prune bool) {
	b.t.Helper()
	if _, err := b.sync(name, prune); err != nil {
		b.t.Fatalf("syncing %s: %v", name, err)
	}
}

func ended(a v1alpha1.Application) bool {
	return a.Operation == nil && a.Status.OperationState != nil && a.Status.OperationState.Operation.InitiatedBy.Username == "bot"
}

func outOfSync(a v1alpha1.Application) bool { return a.Status.Sync.Status == "OutOfSync" }

func TestDriftIsSeenWithoutAComparisonWithGitAndASyncRepairsIt(t *testing.T) {
	b := newBench(t, Options{})
	b.server.Add(dev("shop"))
	before := b.get("web-shop-dev")
	b.hurry(time.Minute) // or all of this happens in one second
	if err := b.server.Drift("web-shop-dev"); err != nil {
		t.Fatal(err)
	}
	b.wait("web-shop-dev", "OutOfSync", outOfSync)
	drifted := b.get("web-shop-dev")
	if !drifted.Status.ReconciledAt.Equal(before.Status.ReconciledAt) || drifted.Operation != nil {
		t.Errorf("reconciledAt %s, before %s; operation %v", drifted.Status.ReconciledAt, before.Status.ReconciledAt, drifted.Operation)
	}
	requested, err := b.sync("web-shop-dev", true)
	if err != nil {
		t.Fatal(err)
	}
	if requested.Operation == nil || requested.Status.OperationState != nil || requested.Operation.Info[0].Value != "01J" {
		t.Errorf("the answer has operation %+v and state %+v", requested.Operation, requested.Status.OperationState)
	}
	b.wait("web-shop-dev", "repaired", settledAt(b.head))
	after := b.get("web-shop-dev")
	if !ended(*after) || len(after.Status.History) != 2 || after.Status.History[1].InitiatedBy.Username != "bot" {
		t.Errorf("state %+v, history %+v", after.Status.OperationState, after.Status.History)
	}
	if !before.Status.OperationState.StartedAt.Before(&after.Status.OperationState.StartedAt) {
		t.Error("two syncs have the same start")
	}
}

func TestOtherImageThanGitSays(t *testing.T) {
	b := newBench(t, Options{})
	b.server.Add(dev("shop"))
	if err := b.server.SetImage("web-shop-dev", "v9"); err != nil {
		t.Fatal(err)
	}
	b.wait("web-shop-dev", "running v9 alone", func(a v1alpha1.Application) bool {
		return outOfSync(a) && a.Status.Health.Status == "Healthy" && slices.Equal(a.Status.Summary.Images, []string{"registry.test/web/shop:v9"})
	})
}

// selfHeal undoes drift with a sync of the differing resources only, which
// never enters the history (argo-cd#27875).
func TestSelfHealLeavesNoHistory(t *testing.T) {
	for _, multi := range []bool{false, true} {
		t.Run(fmt.Sprintf("multi=%v", multi), func(t *testing.T) {
			b := newBench(t, Options{})
			spec := prod("shop")
			spec.MultiSource = multi
			b.server.Add(spec)
			if err := b.server.Drift(spec.Name()); err != nil {
				t.Fatal(err)
			}
			b.wait(spec.Name(), "healed", func(a v1alpha1.Application) bool {
				s := a.Status.OperationState
				return s != nil && s.Operation.Sync.SelfHealAttemptsCount == 1 && settledAt(b.head)(a)
			})
			a := b.get(spec.Name())
			if len(a.Status.History) != 1 || len(a.Status.OperationState.Operation.Sync.Resources) != 1 {
				t.Errorf("%d history entries, synced %+v", len(a.Status.History), a.Status.OperationState.Operation.Sync.Resources)
			}
		})
	}
}

func TestOktetoSession(t *testing.T) {
	cases := []struct {
		name       string
		annotation bool // tracking
		autoscaled bool
		prune      bool
		sync       string // while the session is on
		pruning    bool   // the clone is marked for pruning
		stands     bool   // the clone, after the sync
	}{
		{name: "label, prune", prune: true, sync: "OutOfSync", pruning: true},
		{name: "label, no prune", sync: "OutOfSync", pruning: true, stands: true},
		{name: "annotation, prune", annotation: true, prune: true, sync: "OutOfSync", stands: true},
		{name: "annotation, autoscaled", annotation: true, autoscaled: true, prune: true, sync: "Synced", stands: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, Options{})
			spec := dev("shop")
			spec.AnnotationTracking, spec.Autoscaled = c.annotation, c.autoscaled
			b.server.Add(spec)
			if err := b.server.GoHot("shop"); err != nil {
				t.Fatal(err)
			}
			b.wait(spec.Name(), "hot", func(a v1alpha1.Application) bool {
				return slices.Contains(a.Status.Summary.Images, "okteto/node:20") && a.Status.Health.Status == "Healthy" && len(a.Status.Resources) == 3
			})
			a := b.get(spec.Name())
			clone := a.Status.Resources[2]
			wantStatus := v1alpha1.SyncStatusCode("OutOfSync")
			if c.annotation {
				wantStatus = ""
			}
			if string(a.Status.Sync.Status) != c.sync || clone.Name != "shop-okteto" || clone.RequiresPruning != c.pruning || clone.Status != wantStatus {
				t.Errorf("sync %s, clone %+v", a.Status.Sync.Status, clone)
			}
			checkMarks(t, b, spec.Name())

			b.mustSync(spec.Name(), c.prune)
			b.wait(spec.Name(), "synced", func(a v1alpha1.Application) bool { return ended(a) && a.Status.Health.Status == "Healthy" })
			got := b.server.State(spec.Name())
			if got.SessionStands != c.stands {
				t.Errorf("after the sync %+v, want the clone to stand: %v", got, c.stands)
			}
			if !got.Marked {
				t.Error("a sync took Okteto's marks off the original: a merge leaves what it does not know")
			}
			if err := b.server.EndSession("shop"); err != nil {
				t.Fatal(err)
			}
			b.wait(spec.Name(), "over", func(a v1alpha1.Application) bool {
				return settledAt(b.head)(a) && len(a.Status.Resources) == 2
			})
			if got := b.server.State(spec.Name()); got.Marked || got.SessionStands || got.Ready == 0 {
				t.Errorf("after okteto down %+v", got)
			}
		})
	}
}

func checkMarks(t *testing.T, b *bench, name string) {
	t.Helper()
	var original, clone appsv1.Deployment
	b.live(name, "apps", "Deployment", "shop", &original)
	b.live(name, "apps", "Deployment", "shop-okteto", &clone)
	if *original.Spec.Replicas != 0 || original.Labels["dev.okteto.com"] != "true" || original.Annotations["dev.okteto.com/replicas"] == "" {
		t.Errorf("original: %d replicas, %v, %v", *original.Spec.Replicas, original.Labels, original.Annotations)
	}
	if clone.Labels["dev.okteto.com/clone"] != string(original.UID) || clone.Spec.Template.Labels["interactive.dev.okteto.com"] != "shop" {
		t.Errorf("clone: %v, template %v", clone.Labels, clone.Spec.Template.Labels)
	}
	if clone.Labels[trackingLabel] != original.Labels[trackingLabel] || clone.Annotations[trackingAnnotation] != original.Annotations[trackingAnnotation] {
		t.Error("the clone lacks the original's tracking mark")
	}
}

// A commit of any app in the repository makes automatic sync prune a session
// under label tracking, since the revision is a new one.
func TestCommitOfAnotherAppPrunesASession(t *testing.T) {
	b := newBench(t, Options{})
	b.server.Add(dev("shop"))
	if err := b.server.GoHot("shop"); err != nil {
		t.Fatal(err)
	}
	b.wait("web-shop-dev", "hot", outOfSync)
	commit := b.release("blog", "dev", "v2")
	b.refresh("web-shop-dev")
	b.wait("web-shop-dev", "pruned", settledAt(commit))
	if got := b.server.State("web-shop-dev"); got.SessionStands {
		t.Errorf("%+v", got)
	}
}

func TestSyncIsRefused(t *testing.T) {
	cases := []struct {
		name   string
		set    func(*bench)
		ask    application.ApplicationSyncRequest
		code   codes.Code
		saying string
	}{
		{
			name: "no right", ask: application.ApplicationSyncRequest{Name: new("web-shop-prod")}, code: codes.PermissionDenied,
			saying: "permission denied: applications, sync, default/web-shop-prod, sub: bot",
		},
		{
			name: "another revision", ask: application.ApplicationSyncRequest{Name: new("web-shop-dev"), Revision: new("v0")}, code: codes.FailedPrecondition,
			saying: "Cannot sync to v0: auto-sync currently set to main",
		},
		{
			name: "busy", ask: application.ApplicationSyncRequest{Name: new("web-shop-dev")}, code: codes.FailedPrecondition,
			set: func(b *bench) {
				b.server.HoldController(true)
				b.mustSync("web-shop-dev", true)
			},
			saying: "error setting app operation: rpc error: code = FailedPrecondition desc = another operation is already in progress",
		},
		{
			name: "sync window", ask: application.ApplicationSyncRequest{Name: new("web-shop-dev")}, code: codes.PermissionDenied,
			set:    func(b *bench) { b.server.CloseSyncWindow("web-shop-dev", true) },
			saying: "cannot sync: blocked by sync window",
		},
		{
			name: "missing", ask: application.ApplicationSyncRequest{Name: new("web-none-dev")}, code: codes.PermissionDenied,
			saying: "permission denied",
		},
		{
			name: "missing in a project", ask: application.ApplicationSyncRequest{Name: new("web-none-dev"), Project: new("default")}, code: codes.NotFound,
			saying: `applications.argoproj.io "web-none-dev" not found`,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, Options{})
			b.server.Add(dev("shop"))
			b.server.Add(prod("shop"))
			if c.set != nil {
				c.set(b)
			}
			syncs := len(b.server.State(c.ask.GetName()).Syncs)
			_, err := b.apps.Sync(b.context(), &c.ask)
			if got := status.Convert(err); got.Code() != c.code || got.Message() != c.saying {
				t.Errorf("refused with %v %q, want %v %q", got.Code(), got.Message(), c.code, c.saying)
			}
			if got := b.server.State(c.ask.GetName()).Syncs; len(got) != syncs {
				t.Errorf("syncs %q after a refusal", got)
			}
		})
	}
}

func TestTerminateOperation(t *testing.T) {
	b := newBench(t, Options{})
	b.server.Add(dev("shop"))
	terminate := func() error {
		_, err := b.apps.TerminateOperation(b.context(), &application.OperationTerminateRequest{Name: new("web-shop-dev")})
		return err
	}
	if err := terminate(); status.Code(err) != codes.InvalidArgument {
		t.Errorf("terminating nothing: %v", err)
	}
	b.server.Behave("v1", Behaviour{Hook: 1 << 20})
	b.mustSync("web-shop-dev", true)
	b.wait("web-shop-dev", "running", func(a v1alpha1.Application) bool { return a.Status.OperationState != nil })
	if err := terminate(); err != nil {
		t.Fatal(err)
	}
	b.wait("web-shop-dev", "terminated", func(a v1alpha1.Application) bool {
		return a.Operation == nil && a.Status.OperationState.Phase == "Failed" && a.Status.OperationState.Message == "Operation terminated"
	})
}

func TestSyncWindowHoldsAutomaticSync(t *testing.T) {
	b := newBench(t, Options{})
	b.server.Add(prod("shop"))
	b.server.CloseSyncWindow("web-shop-prod", true)
	commit := b.release("shop", "prod", "v2")
	if a := b.refresh("web-shop-prod"); !outOfSync(*a) || a.Operation != nil || a.Status.Sync.Revision != commit {
		t.Errorf("sync %+v, operation %v", a.Status.Sync, a.Operation)
	}
	windows, err := b.apps.GetApplicationSyncWindows(b.context(), &application.ApplicationSyncWindowsQuery{Name: new("web-shop-prod")})
	if err != nil || windows.GetCanSync() || len(windows.ActiveWindows) != 1 {
		t.Errorf("windows %v, %v", windows, err)
	}
	b.server.CloseSyncWindow("web-shop-prod", false)
	b.refresh("web-shop-prod")
	b.wait("web-shop-prod", "rolled out", settledAt(commit))
}

func TestActingOnNothingIsAnError(t *testing.T) {
	b := newBench(t, Options{})
	b.server.Add(dev("shop"))
	for what, err := range map[string]error{
		"GoHot":      b.server.GoHot("none"),
		"EndSession": b.server.EndSession("shop"),
		"Drift":      b.server.Drift("web-none-dev"),
		"SetImage":   b.server.SetImage("web-none-dev", "v1"),
		"GoHot twice": errors.Join(b.server.GoHot("shop"), func() error {
			if b.server.GoHot("shop") == nil {
				return nil
			}
			return errors.New("refused")
		}()),
	} {
		if err == nil {
			t.Errorf("%s is no error", what)
		}
	}
}
