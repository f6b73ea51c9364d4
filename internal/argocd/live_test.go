package argocd

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/synestra/promoter/internal/release"
	sandbox "github.com/synestra/promoter/internal/sandbox/argocd"
)

func TestLiveSettled(t *testing.T) {
	b := newBench(t).withApps()
	live, err := b.client.Live(t.Context(), prod)
	b.must(err)
	if live.Problem != "" || live.Session != nil || len(live.Failing) != 0 || len(live.Workloads) != 1 {
		t.Fatalf("%s", text(live))
	}
	w := live.Workloads[0]
	if w.Kind != "Deployment" || w.Name != "shop" || w.Namespace != prod || !w.Settled() || w.Desired != 2 || w.Ready != 2 || !w.Runs("registry.test/shop", "v1") {
		t.Errorf("%+v", w)
	}
}

func TestLiveRolling(t *testing.T) {
	b := newBench(t).withApps()
	b.server.Behave("v2", sandbox.Behaviour{Ready: 1 << 30, Deadline: 1 << 30})
	b.release("prod", "v2")
	live := b.live(prod, "rolling", func(l release.Live) bool {
		w := l.Workloads[0]
		return w.Runs("", "v2") && w.Observed >= w.Generation && w.Updated > 0
	})
	if w := live.Workloads[0]; w.Settled() || w.DeadlineExceeded || w.Total <= w.Updated {
		t.Errorf("%+v", w)
	}
	b.live(prod, "with new pods in the tree", func(live release.Live) bool {
		tree, err := b.client.tree(t.Context(), prod)
		b.must(err)
		if len(live.Failing) != 0 {
			t.Errorf("pods that only start are said to fail: %+v", live.Failing)
		}
		return len(tree.pods()) > 0
	})
	live, err := b.client.Live(t.Context(), prod)
	if b.must(err); len(live.Failing) != 0 {
		t.Errorf("pods that only start are said to fail: %+v", live.Failing)
	}
}

func TestLiveFailing(t *testing.T) {
	tests := map[string]sandbox.Behaviour{
		"crash":    {Ready: 1, Reason: "CrashLoopBackOff", Message: "back-off 5m0s restarting failed container=web"},
		"no image": {Ready: 1, Reason: "ImagePullBackOff", Message: `Back-off pulling image "registry.test/shop:v2"`},
		"no place": {Ready: 1, Reason: "Unschedulable", Message: "0/3 nodes are available"},
	}
	for name, behaviour := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t).withApps()
			behaviour.Deadline = 5
			b.server.Behave("v2", behaviour)
			b.release("prod", "v2")
			live := b.live(prod, "given up and has failing pods", func(l release.Live) bool { return l.Workloads[0].DeadlineExceeded && len(l.Failing) > 0 })
			if w := live.Workloads[0]; !strings.Contains(w.Message, "timed out progressing") || w.Settled() {
				t.Errorf("%+v", w)
			}
			if len(live.Failing) > maxPods {
				t.Fatalf("failing: %+v", live.Failing)
			}
			for _, f := range live.Failing {
				if f.Reason != behaviour.Reason || !strings.HasPrefix(f.Message, behaviour.Message) || !strings.HasPrefix(f.Pod, "shop-") {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

func TestPodsThatCannotBeRead(t *testing.T) {
	b := newBench(t).withApps()
	b.server.FailRPC("GetResource", codes.PermissionDenied, -1)
	crashing, starting, bare := node("Pod", "a", "", "d", ""), node("Pod", "b", "", "p", ""), node("Pod", "c", "", "d", "")
	crashing.Info = []v1alpha1.InfoItem{{Name: "Containers", Value: "0/1"}, {Name: "Status Reason", Value: "CrashLoopBackOff"}}
	crashing.Health.Message = "back-off 10s"
	got := b.client.failing(t.Context(), prod, []*v1alpha1.ResourceNode{&crashing, &starting, &bare}, true)
	want := []release.PodFailure{{Pod: "a", Reason: "CrashLoopBackOff", Message: "back-off 10s"}, {Pod: "c", Reason: "Degraded"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A bad release that is replaced does not make the next one look bad.
func TestLiveForgetsTheLastRelease(t *testing.T) {
	b := newBench(t).withApps()
	b.server.Behave("v2", sandbox.Behaviour{Ready: 1, Reason: "CrashLoopBackOff", Deadline: 5})
	b.server.Behave("v3", sandbox.Behaviour{Ready: 1 << 30, Deadline: 1 << 30})
	b.release("prod", "v2")
	b.live(prod, "given up", func(l release.Live) bool { return l.Workloads[0].DeadlineExceeded })
	b.release("prod", "v3")
	for range 20 {
		b.live(prod, "on v3", func(l release.Live) bool {
			w := l.Workloads[0]
			if !w.Runs("", "v3") {
				return false
			}
			if w.DeadlineExceeded {
				t.Errorf("v3 is said to have failed: %+v", w)
			}
			return true
		})
	}
}

func TestLiveSession(t *testing.T) {
	for name, annotation := range map[string]bool{"label tracking": false, "annotation tracking": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.server.Add(sandbox.AppSpec{App: "shop", Environment: "dev", AutoSync: false, AnnotationTracking: annotation})
			b.server.Behave("20", sandbox.Behaviour{Ready: 1, Reason: "CrashLoopBackOff", Deadline: 5}) // the developer's own affair
			b.must(b.server.GoHot("shop"))
			live := b.live(dev, "hot", func(l release.Live) bool { return len(l.Workloads) == 2 })
			if s := live.Session; s == nil || s.Workload != "shop-okteto" || s.Image != "okteto/node:20" {
				t.Errorf("session %+v", live.Session)
			}
			clone := live.Workloads[slices.IndexFunc(live.Workloads, func(w release.Workload) bool { return w.Name == "shop-okteto" })]
			if !clone.Clone || len(live.Of("")) != 1 || live.Of("")[0].Desired != 0 {
				t.Errorf("%s", text(live))
			}
			live = b.live(dev, "crashing in the clone", func(l release.Live) bool {
				return slices.ContainsFunc(l.Workloads, func(w release.Workload) bool { return w.Clone && w.DeadlineExceeded })
			})
			if len(live.Failing) != 0 {
				t.Errorf("the session's own pods are said to fail: %+v", live.Failing)
			}
			b.must(b.client.Sync(t.Context(), dev, release.SyncAsk{Operation: "op-1", Prune: true}))
			b.must(b.server.Wait(t.Context(), dev, func(a v1alpha1.Application) bool {
				return a.Operation == nil && a.Status.OperationState.Phase == "Succeeded" && carries(&a, "op-1")
			}))
			if annotation { // the clone is not Argo CD's to prune
				live, err := b.client.Live(t.Context(), dev)
				if b.must(err); live.Session == nil {
					t.Errorf("the session is over after a sync that cannot prune its clone: %s", text(live))
				}
				b.must(b.server.EndSession("shop"))
			}
			b.live(dev, "cool", func(l release.Live) bool {
				return l.Session == nil && l.Problem == "" && len(l.Workloads) == 1 && l.Workloads[0].Settled()
			})
			if marked := b.server.State(dev).Marked; marked == annotation {
				t.Errorf("marks on the original: %t; a sync leaves them, the end of a session takes them away", marked)
			}
		})
	}
}

// A clone that Argo CD does not list is known by the original, for as long as
// that is scaled to zero. After a sync only its marks tell.
func TestLiveSessionUnlisted(t *testing.T) {
	b := newBench(t)
	b.server.Add(sandbox.AppSpec{App: "shop", Environment: "dev", AnnotationTracking: true})
	b.must(b.server.GoHotUnlisted("shop"))
	live := b.live(dev, "hot", func(l release.Live) bool { return l.Session != nil })
	if *live.Session != (release.Session{Workload: "shop"}) || len(live.Workloads) != 1 || live.Leftover(nil) != "" {
		t.Errorf("%s", text(live))
	}
	b.must(b.client.Sync(t.Context(), dev, release.SyncAsk{Operation: "op-1", Prune: true}))
	live = b.live(dev, "scaled up", func(l release.Live) bool { return l.Workloads[0].Desired > 0 })
	if live.Session != nil || live.Leftover(nil) != "shop" || !b.server.State(dev).SessionStands {
		t.Errorf("%s", text(live))
	}
	b.must(b.server.EndSession("shop"))
	b.live(dev, "cool", func(l release.Live) bool { return l.Session == nil && l.Leftover(nil) == "" })
}

func TestSessionByItsMarkAlone(t *testing.T) {
	original, clone := release.Workload{Name: "web"}, release.Workload{Name: "web-okteto", Clone: true, Images: []string{"okteto/node:20"}}
	s := session(nil, original, true)
	if s == nil || *s != (release.Session{Workload: "web"}) {
		t.Errorf("%+v", s)
	}
	if s = session(s, clone, false); *s != (release.Session{Workload: "web-okteto", Image: "okteto/node:20"}) {
		t.Errorf("%+v", s)
	}
	if s = session(s, original, true); s.Workload != "web-okteto" {
		t.Errorf("%+v", s)
	}
	if s = session(nil, original, false); s != nil {
		t.Errorf("%+v", s)
	}
}

func TestLiveDegrades(t *testing.T) {
	tests := map[string]struct {
		method  string
		code    codes.Code
		problem string
		err     error
	}{
		"cluster forbids":      {"GetResource", codes.PermissionDenied, "reading Deployment shop: ", nil},
		"cluster out of reach": {"GetResource", codes.Unknown, "reading Deployment shop: ", nil},
		"no tree in the cache": {"ResourceTree", codes.Unknown, "reading the resource tree: ", nil},
		"argo cd broken":       {"ResourceTree", codes.Unauthenticated, "", status.Error(codes.Unauthenticated, "")},
		"application hidden":   {"ResourceTree", codes.PermissionDenied, "", release.ErrNotVisible},
		"deleted since":        {"GetResource", codes.NotFound, "", nil},
	}
	b := newBench(t).withApps()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b.server.FailRPC(test.method, test.code, -1)
			defer b.server.FailRPC(test.method, test.code, 0)
			live, err := b.client.Live(t.Context(), prod)
			if test.err != nil {
				if !errors.Is(err, test.err) && status.Code(err) != status.Code(test.err) {
					t.Errorf("error %v", err)
				}
				return
			}
			b.must(err)
			if !strings.HasPrefix(live.Problem, test.problem) || (live.Problem == "") != (test.problem == "") || len(live.Workloads) != 0 {
				t.Errorf("%s", text(live))
			}
		})
	}
}
