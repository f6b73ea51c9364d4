// Package githost serves bare repositories over smart HTTP with git's own http-backend: everybody may read, and a push
// needs a token, as on the hosts that teams use.
package githost

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Host is a Git host on a loopback port.
type Host struct {
	// URL is the address of the root folder, without a slash at the end.
	URL string

	root, token, backend string
	server               *http.Server
	serving              sync.WaitGroup

	mu       sync.Mutex
	nextPush func()
}

// Serve starts to serve the repositories under root. A push is accepted with basic authentication, any user name, and
// token as the password. The caller closes the Host.
func Serve(ctx context.Context, root, token string) (*Host, error) {
	execPath, err := exec.CommandContext(ctx, "git", "--exec-path").Output()
	if err != nil {
		return nil, fmt.Errorf("finding git's http-backend: %w", err)
	}
	backend := filepath.Join(strings.TrimSpace(string(execPath)), "git-http-backend")
	if _, err := os.Stat(backend); err != nil {
		return nil, fmt.Errorf("finding git's http-backend (part of the git package): %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the Git host: %w", err)
	}
	h := &Host{URL: "http://" + listener.Addr().String(), root: root, token: token, backend: backend}
	h.server = &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	h.serving.Go(func() {
		if err := h.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintln(os.Stderr, "Git host:", err)
		}
	})
	return h, nil
}

// Close stops the host at once, breaking requests that still run.
func (h *Host) Close() error {
	err := h.server.Close()
	h.serving.Wait()
	return err
}

// OnNextPush has f called once, when the next push has arrived with a good token and before git sees it: the moment for
// a rival to be quicker.
func (h *Host) OnNextPush(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.nextPush = f
}

// ServeHTTP hands a request to git, after the checks that a host makes itself.
func (h *Host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	env := []string{
		"GIT_PROJECT_ROOT=" + h.root, "GIT_HTTP_EXPORT_ALL=1", "GIT_PROTOCOL=" + r.Header.Get("Git-Protocol"),
		"HOME=" + h.root, "GIT_CONFIG_NOSYSTEM=1",
	}
	post := strings.HasSuffix(r.URL.Path, "/git-receive-pack")
	if post || r.URL.Query().Get("service") == "git-receive-pack" {
		user, password, _ := r.BasicAuth()
		if subtle.ConstantTimeCompare([]byte(password), []byte(h.token)) != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="web-core"`)
			http.Error(w, "a push needs the token", http.StatusUnauthorized)
			return
		}
		env = append(env, "REMOTE_USER="+user) // without it http-backend refuses pushes
	}
	// CGI has to know the length beforehand.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "reading the request: "+err.Error(), http.StatusBadRequest)
		return
	}
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	if post {
		h.beforePush()
	}
	(&cgi.Handler{Path: h.backend, Root: "/", Env: env}).ServeHTTP(w, r)
}

func (h *Host) beforePush() {
	h.mu.Lock()
	f := h.nextPush
	h.nextPush = nil
	h.mu.Unlock()
	if f != nil {
		f()
	}
}
