package argocd

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/argoproj/argo-cd/v2/pkg/apiclient/application"
	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const token = "t0ken"

// patience is how long a test waits for something that takes milliseconds.
const patience = 20 * time.Second

// bench is a server on a repository of two apps, with a client that speaks the
// generated stubs to it.
type bench struct {
	t      *testing.T
	server *Server
	conn   *grpc.ClientConn
	apps   application.ApplicationServiceClient
	repo   string
	head   string            // the newest commit
	staged map[string]string // files of the next commit, by path
}

func newBench(t *testing.T, o Options) *bench {
	t.Helper()
	b := &bench{t: t, repo: filepath.Join(t.TempDir(), "web-core.git"), staged: map[string]string{}}
	b.git("", "init", "-q", "--bare", "--template=", "-b", "main")
	for _, app := range []string{"shop", "blog"} {
		for _, env := range []string{"dev", "prod"} {
			b.write("deploy/env/"+env+"/"+app+".yaml", "command: [\"next\", \"start\"]\nenv:\n  NODE_ENV: production\n")
			b.write("deploy/env/release-"+env+"/"+app+".yaml", layer(app, "v1"))
		}
	}
	b.push("seed")
	o.Repo, o.URL, o.Branch, o.Token, o.Pace = b.repo, "http://git.test/web-core.git", "main", token, 2*time.Millisecond
	server, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	b.server = server
	b.conn = b.dial(token)
	b.apps = application.NewApplicationServiceClient(b.conn)
	return b
}

func layer(app, tag string) string {
	return fmt.Sprintf("image:\n  repository: registry.test/web/%s\n  tag: %q\n", app, tag)
}

func (b *bench) git(input string, args ...string) string {
	b.t.Helper()
	cmd := exec.Command("git", append([]string{"--git-dir", b.repo}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (b *bench) write(path, content string) { b.staged[path] = content }

// push commits what was written to the branch and returns the commit.
func (b *bench) push(message string) string {
	b.t.Helper()
	var s strings.Builder
	fmt.Fprintf(&s, "commit refs/heads/main\nmark :1\ncommitter ci <ci@test> 1700000000 +0000\ndata %d\n%s\n", len(message), message)
	if b.head != "" {
		fmt.Fprintf(&s, "from %s\n", b.head)
	}
	for _, path := range slices.Sorted(maps.Keys(b.staged)) {
		fmt.Fprintf(&s, "M 100644 inline %s\ndata %d\n%s\n", path, len(b.staged[path]), b.staged[path])
	}
	s.WriteString("\nget-mark :1\n")
	b.head = b.git(s.String(), "-c", "fastimport.unpackLimit=1", "fast-import", "--quiet")
	clear(b.staged)
	return b.head
}

// release pushes another tag for an app in an environment.
func (b *bench) release(app, env, tag string) string {
	b.t.Helper()
	b.write("deploy/env/release-"+env+"/"+app+".yaml", layer(app, tag))
	return b.push("release " + app + " " + tag)
}

type tokenMetadata map[string]string

func (m tokenMetadata) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return m, nil
}
func (tokenMetadata) RequireTransportSecurity() bool { return false }

func (b *bench) dial(token string) *grpc.ClientConn {
	b.t.Helper()
	return b.dialWith(tokenMetadata{"token": token})
}

func (b *bench) dialWith(with tokenMetadata) *grpc.ClientConn {
	b.t.Helper()
	conn, err := grpc.NewClient(b.server.Addr(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithPerRPCCredentials(with))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close() }) // the test is over
	return conn
}

func (b *bench) context() context.Context {
	ctx, stop := context.WithTimeout(b.t.Context(), patience)
	b.t.Cleanup(stop)
	return ctx
}

func (b *bench) get(name string) *v1alpha1.Application {
	b.t.Helper()
	a, err := b.apps.Get(b.context(), &application.ApplicationQuery{Name: &name})
	if err != nil {
		b.t.Fatalf("getting %s: %v", name, err)
	}
	return a
}

func (b *bench) refresh(name string) *v1alpha1.Application {
	b.t.Helper()
	a, err := b.apps.Get(b.context(), &application.ApplicationQuery{Name: &name, Refresh: new("normal")})
	if err != nil {
		b.t.Fatalf("refreshing %s: %v", name, err)
	}
	return a
}

func (b *bench) wait(name, what string, ok func(v1alpha1.Application) bool) {
	b.t.Helper()
	if err := b.server.Wait(b.context(), name, ok); err != nil {
		b.t.Fatalf("%s did not become %s: %v; it is %+v", name, what, err, b.server.State(name))
	}
}

// hurry moves the cluster's clock on.
func (b *bench) hurry(by time.Duration) {
	b.server.world.mu.Lock()
	defer b.server.world.mu.Unlock()
	b.server.world.hurried += by
}

// events is a Watch from which events are read with a deadline.
type events struct {
	b      *bench
	stream application.ApplicationService_WatchClient
}

func (b *bench) watch(name string) events {
	b.t.Helper()
	stream, err := b.apps.Watch(b.context(), &application.ApplicationQuery{Name: &name})
	if err != nil {
		b.t.Fatalf("watching %s: %v", name, err)
	}
	return events{b, stream}
}

// subscribed waits until n Watches stand. The ADDED events come before that,
// and what happens in between is lost to them.
func (b *bench) subscribed(n int) {
	b.t.Helper()
	ctx := b.context()
	for {
		standing := b.server.Watches()
		switch {
		case standing >= n:
			return
		case ctx.Err() != nil:
			b.t.Fatalf("%d Watches stand, want %d", standing, n)
		}
		runtime.Gosched()
	}
}

func (e events) next() *v1alpha1.ApplicationWatchEvent {
	e.b.t.Helper()
	event, err := e.stream.Recv()
	if err != nil {
		e.b.t.Fatalf("reading the watch: %v", err)
	}
	return event
}

// settled is Synced and Healthy at a commit, with no operation.
func settledAt(commit string) func(v1alpha1.Application) bool {
	return func(a v1alpha1.Application) bool {
		return commitOf(a.Status.Sync.Revision, a.Status.Sync.Revisions) == commit && a.Operation == nil &&
			a.Status.Sync.Status == "Synced" && a.Status.Health.Status == "Healthy"
	}
}

func dev(app string) AppSpec { return AppSpec{App: app, Environment: "dev", AutoSync: true} }
func prod(app string) AppSpec {
	return AppSpec{App: app, Environment: "prod", AutoSync: true, SelfHeal: true}
}
