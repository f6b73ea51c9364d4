package argocd

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synestra/promoter/internal/release"
	sandbox "github.com/synestra/promoter/internal/sandbox/argocd"
)

// patience is how long a test waits for something that takes milliseconds.
const patience = 20 * time.Second

// bench is a client of a stand-in that serves the real protocol, over a
// repository with the app shop in dev and prod.
type bench struct {
	t      *testing.T
	server *sandbox.Server
	client *Client
	logged chan string // messages, with their error
	token  atomic.Value
	repo   string // the bare repository
}

const (
	dev  = "web-shop-dev"
	prod = "web-shop-prod"
)

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, repo: filepath.Join(t.TempDir(), "web-core.git"), logged: make(chan string, 1000)}
	b.token.Store("t0ken")
	b.git("", "init", "-q", "--bare", "--template=", "-b", "main", b.repo)
	b.commit("deploy/env/dev/shop.yaml", "command: [next, dev]\n", "deploy/env/release-dev/shop.yaml", layer("v1"),
		"deploy/env/prod/shop.yaml", "command: [next, start]\n", "deploy/env/release-prod/shop.yaml", layer("v1"))
	server, err := sandbox.Start(sandbox.Options{Repo: b.repo, URL: "http://git.test/web-core.git", Branch: "main", Token: "t0ken", Pace: 2 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	b.server = server
	b.client = b.dial(server.Addr())
	return b
}

// withApps adds dev and prod.
func (b *bench) withApps() *bench {
	b.server.Add(sandbox.AppSpec{App: "shop", Environment: "dev", AutoSync: true})
	b.server.Add(sandbox.AppSpec{App: "shop", Environment: "prod", AutoSync: true, SelfHeal: true})
	return b
}

func (b *bench) dial(addr string) *Client {
	b.t.Helper()
	c, err := Dial(Config{
		Server: addr, Plaintext: true, UserAgent: "promoter-test", Log: slog.New(record{b.logged}),
		Token:        func(context.Context) (string, error) { return b.token.Load().(string), nil },
		Applications: func(name string) bool { return strings.HasPrefix(name, "web-") },
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = c.Close() }) // the test is over
	// Where a test does not say otherwise, only the watch delivers.
	c.pace.settle, c.pace.relist, c.pace.grace = time.Hour, time.Hour, time.Hour
	c.pace.retry, c.pace.retryMax = 10*time.Millisecond, 20*time.Millisecond
	return c
}

// run runs the client until the test ends, and returns when it sees and no
// event is lost to it anymore.
func (b *bench) run() {
	b.t.Helper()
	b.start()
	b.awaitLog("watch open")
	for deadline := time.Now().Add(patience); b.server.Watches() == 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			b.t.Fatal("the watch is open, but no events come to it")
		}
	}
}

// start runs the client until the test ends.
func (b *bench) start() {
	b.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- b.client.Run(ctx) }()
	b.t.Cleanup(func() {
		stop()
		if err := <-done; err != context.Canceled {
			b.t.Errorf("Run ended with %v", err)
		}
		if b.client.Ready() == nil {
			b.t.Error("ready after the end")
		}
	})
}

// awaitLog waits for a log line that contains the text.
func (b *bench) awaitLog(text string) string {
	b.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case line := <-b.logged:
			if strings.Contains(line, text) {
				return line
			}
		case <-deadline:
			b.t.Fatalf("nothing logged about %q; ready: %v", text, b.client.Ready())
		}
	}
}

// await waits for a snapshot of which ok is true.
func (b *bench) await(snapshots <-chan release.Snapshot, what string, ok func(release.Snapshot) bool) release.Snapshot {
	b.t.Helper()
	deadline := time.After(patience)
	var last release.Snapshot
	for {
		select {
		case last = <-snapshots:
			if ok(last) {
				return last
			}
		case <-deadline:
			b.t.Fatalf("no snapshot that is %s; last\n%s", what, text(last))
		}
	}
}

// live asks the cluster until ok is true.
func (b *bench) live(name, what string, ok func(release.Live) bool) release.Live {
	b.t.Helper()
	ctx, stop := context.WithTimeout(b.t.Context(), patience)
	defer stop()
	for {
		live, err := b.client.Live(ctx, name)
		if err != nil {
			b.t.Fatalf("no live state that is %s: %v", what, err)
		}
		if ok(live) {
			return live
		}
	}
}

func (b *bench) follow(name string) <-chan release.Snapshot {
	snapshots, stop := b.client.Follow(name)
	b.t.Cleanup(stop)
	return snapshots
}

func (b *bench) git(input string, args ...string) string {
	b.t.Helper()
	cmd := exec.CommandContext(b.t.Context(), "git", append([]string{"--git-dir", b.repo}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit writes files (path, content, …) to the branch.
func (b *bench) commit(files ...string) release.Revision {
	b.t.Helper()
	stream := "commit refs/heads/main\nmark :1\ncommitter ci <ci@test> now\ndata 6\nchange\n"
	if _, err := os.Stat(filepath.Join(b.repo, "refs/heads/main")); err == nil {
		stream += "from refs/heads/main^0\n"
	}
	for i := 0; i < len(files); i += 2 {
		stream += fmt.Sprintf("M 100644 inline %s\ndata %d\n%s\n", files[i], len(files[i+1]), files[i+1])
	}
	stream += "\nget-mark :1\n"
	return release.Revision(b.git(stream, "-c", "fastimport.unpackLimit=1", "fast-import", "--quiet", "--date-format=now"))
}

func layer(tag string) string {
	return "image: {repository: registry.test/shop, tag: " + tag + "}\n"
}

// release pushes a tag and has Argo CD notice it.
func (b *bench) release(env, tag string) release.Revision {
	b.t.Helper()
	commit := b.commit("deploy/env/release-"+env+"/shop.yaml", layer(tag))
	if _, err := b.client.Refresh(b.t.Context(), "web-shop-"+env, false); err != nil {
		b.t.Fatal(err)
	}
	return commit
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// record is a log handler that hands messages to a test.
type record struct{ lines chan string }

func (record) Enabled(context.Context, slog.Level) bool { return true }
func (r record) WithAttrs([]slog.Attr) slog.Handler     { return r }
func (r record) WithGroup(string) slog.Handler          { return r }
func (r record) Handle(_ context.Context, line slog.Record) error {
	text := line.Message
	line.Attrs(func(a slog.Attr) bool {
		text += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		return true
	})
	select {
	case r.lines <- text:
	default: // nobody reads so many
	}
	return nil
}
