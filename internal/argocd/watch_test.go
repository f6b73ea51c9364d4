package argocd

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/synestra/promoter/internal/release"
	sandbox "github.com/synestra/promoter/internal/sandbox/argocd"
)

func outOfSync(s release.Snapshot) bool { return s.Sync == "OutOfSync" }

func TestWatchDelivers(t *testing.T) {
	b := newBench(t).withApps()
	if err := b.client.Ready(); err == nil {
		t.Error("ready before anything was asked")
	}
	b.run()
	if err := b.client.Ready(); err != nil {
		t.Errorf("not ready: %v", err)
	}
	snapshots := b.follow(prod)
	before := b.await(snapshots, "known at once", func(release.Snapshot) bool { return true })
	commit := b.release("prod", "v2")
	healthy := b.await(snapshots, "healthy on the commit", func(s release.Snapshot) bool {
		return s.Operation != nil && s.Operation.Phase == "Succeeded" && s.Operation.Result[0] == commit &&
			s.Sync == "Synced" && s.Health == "Healthy" && s.Revisions[0] == commit && s.HistoryID > before.HistoryID
	})
	if healthy.ResourceVersion <= before.ResourceVersion || healthy.UID != before.UID {
		t.Errorf("from %s to %s", text(before), text(healthy))
	}
}

func TestDeletedApplication(t *testing.T) {
	b := newBench(t).withApps()
	b.run()
	snapshots := b.follow(dev)
	b.server.Remove(dev)
	b.await(snapshots, "deleted", func(s release.Snapshot) bool { return s.Deleted })
	if known := b.client.Known(); len(known) != 1 || known[0].Name != prod {
		t.Errorf("known: %s", text(known))
	}
}

func TestOnlyApplicationsOfInterest(t *testing.T) {
	b := newBench(t).withApps()
	b.client.cfg.Applications = func(name string) bool { return name == prod }
	b.run()
	if _, err := b.client.Application(t.Context(), dev); err != nil {
		t.Fatal(err)
	}
	if known := b.client.Known(); len(known) != 1 || known[0].Name != prod {
		t.Errorf("known: %s", text(known))
	}
	for namespace, want := range map[string]bool{"argocd": true, "team-a": false} {
		app := &v1alpha1.Application{}
		app.Name, app.Namespace, app.Status.ControllerNamespace = prod, namespace, "argocd"
		if b.client.interests(app) != want {
			t.Errorf("interest in %s/%s: %t", namespace, prod, !want)
		}
	}
}

func TestRestartedServerIsFoundAgain(t *testing.T) {
	b := newBench(t).withApps()
	b.run()
	snapshots, removed := b.follow(dev), b.follow(prod)
	b.server.Stop()
	b.awaitLog("watch lost")
	if err := b.client.Ready(); err == nil {
		t.Error("ready although the server is gone")
	}
	b.must(b.server.Drift(dev)) // the cluster goes on meanwhile
	b.server.Remove(prod)
	b.must(b.server.Restart())
	b.awaitLog("watch open")
	if err := b.client.Ready(); err != nil {
		t.Errorf("not ready: %v", err)
	}
	b.await(snapshots, "out of sync", outOfSync)
	b.await(removed, "deleted, which no event told", func(s release.Snapshot) bool { return s.Deleted })
}

func TestListHealsDroppedEvents(t *testing.T) {
	b := newBench(t).withApps()
	b.client.pace.settle, b.client.pace.relist = 20*time.Millisecond, 20*time.Millisecond
	b.run()
	b.server.DropWatchEvents(1 << 30)
	b.must(b.server.Drift(dev))
	b.await(b.follow(dev), "out of sync", outOfSync)
	b.server.Remove(prod)
	b.await(b.follow(prod), "deleted", func(s release.Snapshot) bool { return s.Deleted })
}

func TestSilentWatchIsGivenUp(t *testing.T) {
	b := newBench(t).withApps()
	b.client.pace.settle, b.client.pace.relist, b.client.pace.grace = 50*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
	b.run()
	b.server.Zombie(true)
	b.must(b.server.Drift(dev))
	b.await(b.follow(dev), "out of sync, by a list", outOfSync)
	b.must(b.server.SetImage(dev, "v9"))
	if line := b.awaitLog("watch lost"); !strings.Contains(line, errSilent.Error()) {
		t.Errorf("watch lost for another reason: %s", line)
	}
	b.server.Zombie(false)
	b.awaitLog("watch open")
}

// A watch on which events arrive is not given up, whatever a list finds out first.
func TestBusyWatchIsKept(t *testing.T) {
	b := newBench(t).withApps()
	b.client.pace.settle, b.client.pace.relist, b.client.pace.grace = time.Millisecond, time.Millisecond, time.Second
	b.run()
	snapshots := b.follow(dev)
	b.server.DropWatchEvents(1)
	commit := b.release("dev", "v2")
	b.await(snapshots, "healthy", func(s release.Snapshot) bool {
		return s.Revisions[0] == commit && s.Sync == "Synced" && s.Health == "Healthy"
	})
	for quiet := time.After(2 * b.client.pace.grace); ; {
		select {
		case line := <-b.logged:
			if strings.Contains(line, "lost") {
				t.Fatal(line)
			}
		case <-quiet:
			return
		}
	}
}

func TestLaggingReplicaIsNotBelieved(t *testing.T) {
	b := newBench(t).withApps()
	b.run()
	b.must(b.server.Drift(dev))
	now := b.await(b.follow(dev), "out of sync", outOfSync)
	b.server.ServeStale(true)
	b.must(b.server.Restart())
	b.awaitLog("watch open")
	for _, s := range b.client.Known() {
		if s.Name == dev && s.ResourceVersion < now.ResourceVersion {
			t.Errorf("went back from version %d to %d", now.ResourceVersion, s.ResourceVersion)
		}
	}
}

func TestHiddenApplicationIsForgotten(t *testing.T) {
	b := newBench(t).withApps()
	b.client.pace.settle, b.client.pace.relist = 20*time.Millisecond, 20*time.Millisecond
	b.run()
	snapshots := b.follow(prod)
	b.await(snapshots, "known", func(release.Snapshot) bool { return true })
	b.server.Forbid(prod)
	b.awaitLog("no longer be seen")
	if known := b.client.Known(); len(known) != 1 {
		t.Errorf("known: %s", text(known))
	}
	select {
	case s := <-snapshots: // it was hidden, not deleted
		if s.Deleted {
			t.Error("said to be deleted")
		}
	default:
	}
	b.server.Allow(prod)
	b.await(snapshots, "seen again", func(release.Snapshot) bool { return true })
}

func TestRefusedTokenAndItsRotation(t *testing.T) {
	b := newBench(t).withApps()
	b.server.SetToken("another")
	b.start()
	b.awaitLog("refuses us")
	if err := b.client.Ready(); err == nil || !strings.Contains(err.Error(), "does not accept the token") {
		t.Errorf("ready: %v", err)
	}
	if _, err := b.client.Application(t.Context(), dev); status.Code(err) != codes.Unauthenticated || !strings.Contains(err.Error(), "token") {
		t.Errorf("application: %v", err)
	}
	b.token.Store("another") // a new file, the same connection
	b.awaitLog("watch open")
	if _, err := b.client.Application(t.Context(), dev); err != nil {
		t.Error(err)
	}
}

func TestListIsNotAllowed(t *testing.T) {
	b := newBench(t).withApps()
	b.server.FailRPC("List", codes.PermissionDenied, 1)
	b.start()
	b.awaitLog("refuses us")
	b.awaitLog("watch open")
}

func TestPace(t *testing.T) {
	p := defaultPace()
	for failures, limit := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second} {
		longest := time.Duration(0)
		for range 1000 {
			longest = max(longest, p.wait(failures, errSilent))
		}
		if longest > limit || longest < limit/2 {
			t.Errorf("after %d failures the longest wait is %s, limit %s", failures, longest, limit)
		}
	}
	if wait := p.wait(1000, nil); wait > p.retryMax {
		t.Errorf("%s after many failures", wait)
	}
	if wait := p.wait(0, explainList(status.Error(codes.Unauthenticated, "expired"))); wait < p.retryMax/2 {
		t.Errorf("a refused client comes back after %s", wait)
	}
}

func TestEndedSessionLeavesNothingBehind(t *testing.T) {
	b := newBench(t).withApps()
	if _, err := b.client.Application(t.Context(), dev); err != nil { // connected
		t.Fatal(err)
	}
	b.server.FailRPC("List", codes.Internal, -1) // the watch itself is fine; this code is not tried again
	before := runtime.NumGoroutine()
	for range 5 {
		if err := b.client.session(t.Context()); status.Code(err) != codes.Internal {
			t.Fatal(err)
		}
	}
	// The server's ends of the five watches end a moment later.
	after, deadline := runtime.NumGoroutine(), time.Now().Add(5*time.Second)
	for after > before+4 && time.Now().Before(deadline) {
		runtime.Gosched()
		after = runtime.NumGoroutine()
	}
	if after > before+4 {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
}

func TestSeveralSources(t *testing.T) {
	b := newBench(t)
	b.server.Add(sandbox.AppSpec{App: "shop", Environment: "prod", AutoSync: true, MultiSource: true})
	b.run()
	commit := b.release("prod", "v2")
	s := b.await(b.follow(prod), "healthy on the commit", func(s release.Snapshot) bool {
		return len(s.Revisions) == len(s.Sources) && s.Revisions[0] == commit && s.Health == "Healthy" && s.Sync == "Synced"
	})
	if len(s.Follows("http://git.test/web-core", "main")) != len(s.Sources) || len(s.Sources) < 2 || s.Operation.Result[1] != commit || s.History[len(s.History)-1].Revisions[1] != commit {
		t.Errorf("%s", text(s))
	}
}
