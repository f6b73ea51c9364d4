package argocd

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/argoproj/argo-cd/v2/pkg/apiclient/account"
	"github.com/argoproj/argo-cd/v2/pkg/apiclient/application"
	"github.com/argoproj/argo-cd/v2/pkg/apiclient/session"
	"github.com/argoproj/argo-cd/v2/pkg/apiclient/version"
	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	appsv1 "k8s.io/api/apps/v1"
)

func TestStartRefuses(t *testing.T) {
	good := Options{Repo: "r", URL: "u", Branch: "main"}
	for name, o := range map[string]Options{
		"no repository": {URL: "u", Branch: "main"},
		"no URL":        {Repo: "r", Branch: "main"},
		"no branch":     {Repo: "r", URL: "u"},
		"negative pace": {Repo: "r", URL: "u", Branch: "main", Pace: -1},
	} {
		if s, err := Start(o); err == nil {
			s.Close()
			t.Errorf("%s: it started", name)
		}
	}
	s, err := Start(good)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func TestToken(t *testing.T) {
	b := newBench(t, Options{})
	b.server.Add(dev("shop"))
	list := func(conn *grpc.ClientConn) codes.Code {
		_, err := application.NewApplicationServiceClient(conn).List(b.context(), &application.ApplicationQuery{})
		return status.Code(err)
	}
	wrong := b.dial("wrong")
	if got := list(wrong); got != codes.Unauthenticated {
		t.Errorf("a wrong token: %v", got)
	}
	stream, err := application.NewApplicationServiceClient(wrong).Watch(b.context(), &application.ApplicationQuery{})
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("a stream with a wrong token: %v", err)
	}
	for conn, want := range map[*grpc.ClientConn]bool{b.conn: true, wrong: false} {
		info, err := session.NewSessionServiceClient(conn).GetUserInfo(b.context(), &session.GetUserInfoRequest{})
		if err != nil || info.LoggedIn != want || want != (info.Username == "bot") {
			t.Errorf("user info %v, %v, want logged in: %v", info, err, want)
		}
	}
	bearer := b.dialWith(tokenMetadata{"authorization": "Bearer " + token})
	if got := list(bearer); got != codes.OK {
		t.Errorf("the token as a bearer: %v", got)
	}
	b.server.SetToken("wrong")
	if got := list(wrong); got != codes.OK {
		t.Errorf("the rotated token: %v", got)
	}
	if got := list(b.conn); got != codes.Unauthenticated {
		t.Errorf("the old token: %v", got)
	}
}

func TestVersionAndRights(t *testing.T) {
	b := newBench(t, Options{})
	v, err := version.NewVersionServiceClient(b.conn).Version(b.context(), &emptypb.Empty{})
	if err != nil || !strings.HasPrefix(v.Version, "v2.14.21") {
		t.Errorf("version %v, %v", v, err)
	}
	b.server.Forbid("web-blog-dev")
	for q, want := range map[*account.CanIRequest]string{
		{Resource: "applications", Action: "get", Subresource: "default/web-shop-prod"}:    "yes",
		{Resource: "applications", Action: "sync", Subresource: "default/web-shop-prod"}:   "no",
		{Resource: "applications", Action: "sync", Subresource: "default/web-shop-dev"}:    "yes",
		{Resource: "applications", Action: "get", Subresource: "default/web-blog-dev"}:     "no",
		{Resource: "applications", Action: "delete", Subresource: "default/web-shop-prod"}: "no",
		{Resource: "clusters", Action: "get", Subresource: "*"}:                            "no",
	} {
		answer, err := account.NewAccountServiceClient(b.conn).CanI(b.context(), q)
		if err != nil || answer.Value != want {
			t.Errorf("can I %s %s %s: %v, %v, want %s", q.Action, q.Resource, q.Subresource, answer, err, want)
		}
	}
}

func TestVisibility(t *testing.T) {
	b := newBench(t, Options{})
	b.server.Add(dev("shop"))
	b.server.Add(prod("shop"))
	get := func(name, project string) codes.Code {
		q := &application.ApplicationQuery{Name: &name}
		if project != "" {
			q.Project = []string{project}
		}
		_, err := b.apps.Get(b.context(), q)
		return status.Code(err)
	}
	b.server.Forbid("web-shop-prod")
	for _, c := range []struct {
		name, project string
		want          codes.Code
	}{
		{"web-shop-dev", "", codes.OK},
		{"web-shop-dev", "default", codes.OK},
		{"web-shop-dev", "other", codes.NotFound},
		{"web-none-dev", "", codes.PermissionDenied},
		{"web-none-dev", "default", codes.NotFound},
		{"web-shop-prod", "", codes.PermissionDenied},
		{"web-shop-prod", "default", codes.PermissionDenied},
	} {
		if got := get(c.name, c.project); got != c.want {
			t.Errorf("getting %s of project %q: %v, want %v", c.name, c.project, got, c.want)
		}
	}
	list, err := b.apps.List(b.context(), &application.ApplicationQuery{})
	if err != nil || len(list.Items) != 1 || list.Items[0].Name != "web-shop-dev" {
		t.Errorf("listed %v, %v", list, err)
	}
	b.server.Allow("web-shop-prod")
	list, err = b.apps.List(b.context(), &application.ApplicationQuery{Selector: new("env=prod")})
	if err != nil || len(list.Items) != 1 || list.Items[0].Name != "web-shop-prod" {
		t.Errorf("listed by label %v, %v", list, err)
	}
	if _, err := b.apps.Delete(b.context(), &application.ApplicationDeleteRequest{Name: new("web-shop-dev")}); status.Code(err) != codes.Unimplemented {
		t.Errorf("deleting: %v", err)
	}
}

func TestRestartKeepsState(t *testing.T) {
	b := newBench(t, Options{})
	b.server.Add(prod("shop"))
	events := b.watch("web-shop-prod")
	events.next()
	addr, before := b.server.Addr(), b.get("web-shop-prod")

	b.server.Stop()
	if _, err := events.stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("the stream ended with %v", err)
	}
	if _, err := b.apps.Get(b.context(), &application.ApplicationQuery{Name: new("web-shop-prod")}); status.Code(err) != codes.Unavailable {
		t.Errorf("getting from a stopped server: %v", err)
	}
	commit := b.release("shop", "prod", "v2")
	if err := b.server.Restart(); err != nil {
		t.Fatal(err)
	}
	if got := b.server.Addr(); got != addr {
		t.Errorf("it listens on %s, before on %s", got, addr)
	}
	ctx := b.context()
	after, err := b.apps.Get(ctx, &application.ApplicationQuery{Name: new("web-shop-prod")}, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	if after.UID != before.UID || after.ResourceVersion != before.ResourceVersion {
		t.Errorf("version %s of %s, before %s of %s", after.ResourceVersion, after.UID, before.ResourceVersion, before.UID)
	}
	b.refresh("web-shop-prod")
	b.wait("web-shop-prod", "rolled out", settledAt(commit))
}

func TestRolloutGoesOnWhileTheServerIsDown(t *testing.T) {
	b := newBench(t, Options{})
	b.server.Add(prod("shop"))
	commit := b.release("shop", "prod", "v2")
	b.refresh("web-shop-prod")
	b.server.Stop()
	b.wait("web-shop-prod", "rolled out", settledAt(commit))
	if err := b.server.Restart(); err != nil {
		t.Fatal(err)
	}
}

func TestDroppedEvents(t *testing.T) {
	b := newBench(t, Options{})
	b.server.Add(prod("shop"))
	events := b.watch("")
	events.next()
	b.subscribed(1)
	before := versionOf(t, b.get("web-shop-prod"))
	b.server.DropWatchEvents(3)
	commit := b.release("shop", "prod", "v2")
	b.refresh("web-shop-prod")
	if got := versionOf(t, &events.next().Application); got != before+4 {
		t.Errorf("the first event after three dropped ones is version %d, want %d", got, before+4)
	}
	b.wait("web-shop-prod", "rolled out", settledAt(commit))
}

func versionOf(t *testing.T, a *v1alpha1.Application) int {
	t.Helper()
	n, err := strconv.Atoi(a.ResourceVersion)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestZombieStreamIsSilent(t *testing.T) {
	b := newBench(t, Options{})
	b.server.Add(prod("shop"))
	b.server.Zombie(true)
	events := b.watch("")
	if e := events.next(); e.Type != "ADDED" {
		t.Errorf("the first event is %s", e.Type)
	}
	b.subscribed(1)
	b.refresh("web-shop-prod")
	b.server.Zombie(false)
	b.refresh("web-shop-prod")
	last := b.get("web-shop-prod")
	// Whatever comes first now is of the second refresh.
	if e := events.next(); versionOf(t, &e.Application) < versionOf(t, last)-1 {
		t.Errorf("version %s came through, of before version %s", e.Application.ResourceVersion, last.ResourceVersion)
	}
}

func TestServeStale(t *testing.T) {
	b := newBench(t, Options{})
	b.server.Add(prod("shop"))
	b.server.ServeStale(true)
	truth := versionOf(t, b.get("web-shop-prod"))
	list, err := b.apps.List(b.context(), &application.ApplicationQuery{})
	if err != nil {
		t.Fatal(err)
	}
	if got := versionOf(t, &list.Items[0]); got != truth-1 {
		t.Errorf("listed version %d, want the one before %d", got, truth)
	}
	if got := versionOf(t, &b.watch("").next().Application); got != truth-1 {
		t.Errorf("watched version %d, want the one before %d", got, truth)
	}
}

func TestHeldControllerAnswersNoRefresh(t *testing.T) {
	b := newBench(t, Options{})
	b.server.Add(prod("shop"))
	b.get("web-shop-prod") // connected: what follows is the time of the refresh alone
	b.server.HoldController(true)
	ctx, stop := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer stop()
	_, err := b.apps.Get(ctx, &application.ApplicationQuery{Name: new("web-shop-prod"), Refresh: new("hard")})
	// Whether the client's clock or the server's answer comes first is open.
	if got := status.Convert(err); got.Code() != codes.DeadlineExceeded && got.Message() != "application refresh deadline exceeded" {
		t.Errorf("the refresh ended with %v", err)
	}
	if got := b.get("web-shop-prod").Annotations[v1alpha1.AnnotationKeyRefresh]; got != "hard" {
		t.Errorf("the refresh annotation is %q", got)
	}
	b.server.HoldController(false)
	b.wait("web-shop-prod", "refreshed", func(a v1alpha1.Application) bool { return a.Annotations[v1alpha1.AnnotationKeyRefresh] == "" })
}

func TestFailRPC(t *testing.T) {
	b := newBench(t, Options{})
	b.server.Add(prod("shop"))
	get := func() codes.Code {
		_, err := b.apps.Get(b.context(), &application.ApplicationQuery{Name: new("web-shop-prod")})
		return status.Code(err)
	}
	b.server.FailRPC("Get", codes.Unavailable, 2)
	if got := []codes.Code{get(), get(), get()}; got[0] != codes.Unavailable || got[1] != codes.Unavailable || got[2] != codes.OK {
		t.Errorf("three calls end with %v", got)
	}
	b.server.FailRPC("Get", codes.Internal, -1)
	if got := []codes.Code{get(), get()}; got[0] != codes.Internal || got[1] != codes.Internal {
		t.Errorf("calls that fail for ever end with %v", got)
	}
}

// The tree is sent when it changes, and not at the start.
func TestWatchResourceTree(t *testing.T) {
	b := newBench(t, Options{})
	b.server.Add(dev("shop"))
	name := "web-shop-dev"
	stream, err := b.apps.WatchResourceTree(b.context(), &application.ResourcesQuery{ApplicationName: &name})
	if err != nil {
		t.Fatal(err)
	}
	trees := make(chan *v1alpha1.ApplicationTree)
	go func() {
		defer close(trees)
		for tree, err := stream.Recv(); err == nil; tree, err = stream.Recv() {
			trees <- tree
		}
	}()
	for i := range 1 << 20 { // the stream may open after the first changes
		tag := fmt.Sprint("v", i)
		if err := b.server.SetImage(name, tag); err != nil {
			t.Fatal(err)
		}
		b.wait(name, "running "+tag, func(a v1alpha1.Application) bool {
			return slices.Contains(a.Status.Summary.Images, "registry.test/web/shop:"+tag)
		})
		select {
		case tree := <-trees:
			if tree == nil || tree.FindNode("apps", "Deployment", name, "shop") == nil {
				t.Errorf("tree %v", tree)
			}
			return
		default:
		}
	}
}

func TestTreeAndManagedResources(t *testing.T) {
	b := newBench(t, Options{})
	spec := prod("shop")
	b.server.Add(spec)
	name := spec.Name()
	commit := b.release("shop", "prod", "v2")
	b.refresh(name)
	b.wait(name, "rolled out", settledAt(commit))
	sets := map[string]string{} // the images of the ReplicaSets, by revision
	for _, n := range b.nodes(name, "ReplicaSet") {
		var set appsv1.ReplicaSet
		b.live(name, "apps", "ReplicaSet", n.Name, &set)
		sets[n.Info[0].Value] = fmt.Sprint(set.Spec.Template.Spec.Containers[0].Image, " ", set.Status.ReadyReplicas)
	}
	if sets["Rev:1"] != "registry.test/web/shop:v1 0" || sets["Rev:2"] != "registry.test/web/shop:v2 2" {
		t.Errorf("ReplicaSets %v", sets)
	}
	for _, p := range b.nodes(name, "Pod") {
		if p.ParentRefs[0].Kind != "ReplicaSet" || p.Images[0] != "registry.test/web/shop:v2" || string(p.Health.Status) != "Healthy" || p.Info[2].Value != "1/1" {
			t.Errorf("pod %+v", p)
		}
	}
	items, err := b.apps.ManagedResources(b.context(), &application.ResourcesQuery{ApplicationName: &name, Kind: new("Deployment")})
	if err != nil || len(items.Items) != 1 || !strings.Contains(items.Items[0].LiveState, "shop:v2") || items.Items[0].Modified {
		t.Errorf("managed %v, %v", items, err)
	}
	_, err = b.apps.GetResource(b.context(), &application.ApplicationResourceRequest{
		Name: &name, Namespace: &name, ResourceName: new("none"), Version: new("v1"), Group: new("apps"), Kind: new("Deployment"),
	})
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("a resource outside the tree: %v", err)
	}
	b.server.world.mu.Lock()
	b.server.world.named(name).cluster.workloads = nil // and the cached tree still has it
	b.server.world.mu.Unlock()
	_, err = b.apps.GetResource(b.context(), &application.ApplicationResourceRequest{
		Name: &name, Namespace: &name, ResourceName: new("shop"), Version: new("v1"), Group: new("apps"), Kind: new("Deployment"),
	})
	if status.Code(err) != codes.NotFound {
		t.Errorf("a resource that is gone since: %v", err)
	}
	meta, err := b.apps.RevisionMetadata(b.context(), &application.RevisionMetadataQuery{Name: &name, Revision: &commit})
	if err != nil || meta.Author != "ci <ci@test>" || meta.Message != "release shop v2" {
		t.Errorf("metadata %+v, %v", meta, err)
	}
}

func TestRemove(t *testing.T) {
	b := newBench(t, Options{})
	b.server.Add(dev("shop"))
	events := b.watch("web-shop-dev")
	uid := events.next().Application.UID
	b.subscribed(1)
	b.server.Remove("web-shop-dev")
	e := events.next()
	if e.Type != "DELETED" || e.Application.UID != uid {
		t.Errorf("event %s of %s", e.Type, e.Application.UID)
	}
	b.server.Add(dev("shop"))
	if got := b.get("web-shop-dev").UID; got == uid {
		t.Error("a new Application has the old one's UID")
	}
}
