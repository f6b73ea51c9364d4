package argocd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/argoproj/argo-cd/v2/pkg/apiclient/application"
	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	sandbox "github.com/synestra/promoter/internal/sandbox/argocd"

	"github.com/synestra/promoter/internal/release"
)

func TestApplication(t *testing.T) {
	b := newBench(t).withApps()
	s, err := b.client.Application(t.Context(), dev)
	if err != nil || s.Name != dev || s.Sync != "Synced" || s.Health != "Healthy" || !s.AutoSync {
		t.Fatalf("%s, %v", text(s), err)
	}
	b.must(b.server.Drift(dev))
	b.must(b.server.Wait(t.Context(), dev, func(a v1alpha1.Application) bool { return a.Status.Sync.Status == "OutOfSync" }))
	if s, err := b.client.Application(t.Context(), dev); err != nil || !outOfSync(s) {
		t.Errorf("%s, %v", text(s), err)
	}
	if known := b.client.Known(); len(known) != 1 || !outOfSync(known[0]) {
		t.Errorf("what was asked for is not known: %s", text(known))
	}
}

func TestNotVisible(t *testing.T) {
	b := newBench(t).withApps()
	b.server.Forbid(prod)
	if _, err := b.client.Application(t.Context(), dev); err != nil { // now its project is known
		t.Fatal(err)
	}
	b.server.Remove(dev)
	for name, why := range map[string]string{"web-nothing": "missing", prod: "forbidden", dev: "deleted"} {
		_, err := b.client.Application(t.Context(), name)
		hint := strings.Contains(fmt.Sprint(err), "applications, get") // of a deleted one we know better
		if !errors.Is(err, release.ErrNotVisible) || hint == (why == "deleted") {
			t.Errorf("%s: %v", why, err)
		}
		if _, err := b.client.Live(t.Context(), name); !errors.Is(err, release.ErrNotVisible) {
			t.Errorf("%s, live: %v", why, err)
		}
		if err := b.client.Sync(t.Context(), name, release.SyncAsk{Operation: "op"}); !errors.Is(err, release.ErrNotVisible) {
			t.Errorf("%s, sync: %v", why, err)
		}
	}
}

func TestRefresh(t *testing.T) {
	b := newBench(t).withApps()
	for _, hard := range []bool{false, true} {
		t.Run(fmt.Sprintf("hard=%t", hard), func(t *testing.T) {
			commit := b.commit("deploy/env/release-prod/shop.yaml", layer(fmt.Sprintf("v2-%t", hard)))
			s, err := b.client.Refresh(t.Context(), prod, hard)
			if err != nil || s.Revisions[0] != commit {
				t.Errorf("%s, %v, want revision %s", text(s), err, commit)
			}
		})
	}
}

func TestRefreshWithoutController(t *testing.T) {
	b := newBench(t).withApps()
	b.client.pace.refresh = 50 * time.Millisecond
	b.server.HoldController(true)
	_, err := b.client.Refresh(t.Context(), prod, false)
	if err == nil || !strings.Contains(err.Error(), "refreshing Application web-shop-prod") || !strings.Contains(err.Error(), "argocd-application-controller") {
		t.Errorf("%v", err)
	}
	if _, err := b.client.Application(t.Context(), prod); err != nil {
		t.Errorf("reading without a refresh: %v", err)
	}
}

func TestSync(t *testing.T) {
	b := newBench(t).withApps()
	b.must(b.server.Drift(dev))
	b.must(b.server.Wait(t.Context(), dev, func(a v1alpha1.Application) bool { return a.Status.Sync.Status == "OutOfSync" }))
	before := len(b.server.State(dev).Syncs)
	ask := release.SyncAsk{Operation: "op-1", By: "Ann <@U1>", Prune: true}
	for range 2 { // the second time while it runs, or after
		b.must(b.client.Sync(t.Context(), dev, ask))
	}
	b.must(b.server.Wait(t.Context(), dev, func(a v1alpha1.Application) bool {
		return a.Operation == nil && a.Status.Sync.Status == "Synced" && a.Status.Health.Status == "Healthy"
	}))
	b.must(b.client.Sync(t.Context(), dev, ask))
	if syncs := b.server.State(dev).Syncs[before:]; !slices.Equal(syncs, []string{"bot"}) {
		t.Errorf("syncs: %q, want one of the bot", syncs)
	}
	b.must(b.client.Sync(t.Context(), dev, release.SyncAsk{Operation: "op-2"}))
	if syncs := b.server.State(dev).Syncs[before:]; len(syncs) != 2 {
		t.Errorf("syncs: %q, want another", syncs)
	}
}

func TestSyncTellsWhoAsked(t *testing.T) {
	b := newBench(t).withApps()
	b.must(b.client.Sync(t.Context(), dev, release.SyncAsk{Operation: "op-1", By: "Ann", Prune: true}))
	app, err := b.client.get(t.Context(), dev, "")
	b.must(err)
	op := app.Operation
	if op == nil {
		op = &app.Status.OperationState.Operation
	}
	got := map[string]string{}
	for _, i := range op.Info {
		got[i.Name] = i.Value
	}
	if got["operation"] != "op-1" || got["requested by"] != "Ann" || !op.Sync.Prune {
		t.Errorf("%v, prune %t", got, op.Sync.Prune)
	}
}

func TestSyncBusy(t *testing.T) {
	b := newBench(t).withApps()
	b.server.Behave("v1", sandbox.Behaviour{Hook: 1 << 30})
	b.must(b.client.Sync(t.Context(), dev, release.SyncAsk{Operation: "op-1"}))
	if err := b.client.Sync(t.Context(), dev, release.SyncAsk{Operation: "op-2"}); !errors.Is(err, release.ErrBusy) {
		t.Errorf("another operation: %v", err)
	}
	b.must(b.client.Sync(t.Context(), dev, release.SyncAsk{Operation: "op-1"})) // it is ours that runs
}

func TestSyncDenied(t *testing.T) {
	b := newBench(t).withApps()
	err := b.client.Sync(t.Context(), prod, release.SyncAsk{Operation: "op-1"})
	if !errors.Is(err, release.ErrDenied) || !strings.Contains(err.Error(), "applications, sync, default/web-shop-prod, allow") {
		t.Errorf("no right: %v", err)
	}
	b.server.CloseSyncWindow(dev, true)
	err = b.client.Sync(t.Context(), dev, release.SyncAsk{Operation: "op-1"})
	if !errors.Is(err, release.ErrDenied) || !strings.Contains(err.Error(), "sync window") || strings.Contains(err.Error(), "RBAC") {
		t.Errorf("window: %v", err)
	}
}

func TestUnavailableIsTriedAgain(t *testing.T) {
	b := newBench(t).withApps()
	b.server.FailRPC("Get", codes.Unavailable, 2)
	if _, err := b.client.Application(t.Context(), dev); err != nil {
		t.Errorf("get: %v", err)
	}
	before := len(b.server.State(dev).Syncs)
	b.server.FailRPC("Sync", codes.Unavailable, 1)
	b.must(b.client.Sync(t.Context(), dev, release.SyncAsk{Operation: "op-1"}))
	if syncs := b.server.State(dev).Syncs[before:]; len(syncs) != 1 {
		t.Errorf("syncs: %q, want one", syncs)
	}
	b.server.FailRPC("Sync", codes.Unavailable, -1)
	if err := b.client.Sync(t.Context(), dev, release.SyncAsk{Operation: "op-2"}); status.Code(err) != codes.Unavailable {
		t.Errorf("sync that never gets through: %v", err)
	}
}

func TestCallWaitsForTheServer(t *testing.T) {
	b := newBench(t).withApps()
	b.server.Stop()
	answer := make(chan error)
	go func() {
		_, err := b.client.Application(t.Context(), dev)
		answer <- err
	}()
	b.must(b.server.Restart())
	b.must(<-answer)

	b.server.Stop()
	b.client.pace.call = time.Second
	if _, err := b.client.Application(t.Context(), dev); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("without a server: %v", err)
	}
}

// lossy takes syncs and loses the answers.
type lossy struct {
	application.UnimplementedApplicationServiceServer
	app   v1alpha1.Application
	late  *v1alpha1.OperationState // what the next look misses
	busy  bool                     // the sync runs on, and is seen late
	syncs int
}

func (l *lossy) Get(context.Context, *application.ApplicationQuery) (*v1alpha1.Application, error) {
	return &l.app, nil
}

func (l *lossy) Sync(_ context.Context, q *application.ApplicationSyncRequest) (*v1alpha1.Application, error) {
	if l.late != nil {
		l.app.Status.OperationState = l.late
		return nil, status.Error(codes.FailedPrecondition, "another operation is already in progress")
	}
	l.syncs++
	l.late = &v1alpha1.OperationState{Operation: v1alpha1.Operation{Info: q.Infos}}
	if !l.busy { // the sync is over before anybody looks
		l.app.Status.OperationState = l.late
	}
	return nil, status.Error(codes.Unavailable, "error reading from server: EOF")
}

func TestSyncWhoseAnswerIsLost(t *testing.T) {
	for name, busy := range map[string]bool{"it is over": false, "it runs, which is seen late": true} {
		t.Run(name, func(t *testing.T) { loseAnswer(t, &lossy{busy: busy}) })
	}
}

func loseAnswer(t *testing.T, l *lossy) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	l.app.Name = dev
	application.RegisterApplicationServiceServer(server, l)
	done := make(chan error)
	go func() { done <- server.Serve(listener) }()
	b := &bench{t: t, logged: make(chan string, 10)}
	b.token.Store("t")
	c := b.dial(listener.Addr().String())
	if err := c.Sync(t.Context(), dev, release.SyncAsk{Operation: "op-1"}); err != nil {
		t.Errorf("%v, want it known by its id", err)
	}
	server.Stop()
	b.must(<-done)
	if l.syncs != 1 {
		t.Errorf("asked for %d times", l.syncs)
	}
}
