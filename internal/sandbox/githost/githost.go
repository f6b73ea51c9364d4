// Package githost is a Git host on loopback, for tests and the sandbox: git's
// own http-backend behind net/http/cgi, with bare repositories, a token for
// pushes, counters, and faults on demand. It needs only git.
package githost

import (
	"bytes"
	"crypto/subtle"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/cgi"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// Branch is the branch that seeds and commits go to.
const Branch = "main"

// maxBody bounds a request: it is held in memory, because CGI wants its length.
const maxBody = 256 << 20

// Kind is what a request is for.
type Kind string

// The kinds of request that are told apart and counted.
const (
	Discovery Kind = "info/refs"
	LsRefs    Kind = "ls-refs" // protocol v2 only
	Fetch     Kind = "fetch"
	Push      Kind = "receive-pack"
)

// Request is a request as a fault hook sees it.
type Request struct {
	Kind Kind
	Repo string // "web-core.git"
	Body []byte
}

// Fault is what goes wrong with a request. The zero Fault is nothing.
type Fault struct {
	Status    int  // answer with this status; git never hears of the request
	LoseReply bool // let git do its work, then cut the connection
	Hang      bool // do not answer before the client or the host goes away
}

// Count is what requests of one kind came to.
type Count struct {
	Requests int
	Up, Down int64 // bytes of the bodies
}

// Host serves the bare repositories below a folder. Its methods may be called
// from several goroutines.
type Host struct {
	dir    string
	addr   string
	server *http.Server
	cgi    cgi.Handler
	closed chan struct{}
	once   sync.Once
	work   sync.WaitGroup

	mu      sync.Mutex
	token   string
	v0      bool // hide protocol v2
	fault   func(Request) Fault
	answers *answers // nil unless they are remembered
	counts  map[Kind]Count
}

// programs is the folder of git's own programs, asked for once.
var programs = sync.OnceValues(func() (string, error) {
	core, err := exec.Command("git", "--exec-path").Output()
	return strings.TrimSpace(string(core)), err
})

// Start serves the repositories below dir on a free port of loopback. Reading
// is open to everyone; pushing needs the token as the password of basic
// authentication. A wrong token may do neither.
func Start(dir, token string) (*Host, error) {
	core, err := programs()
	if err != nil {
		return nil, fmt.Errorf("finding git (is it installed?): %w", err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	h := &Host{
		dir: dir, token: token, addr: listener.Addr().String(),
		closed: make(chan struct{}), counts: map[Kind]Count{},
		cgi: cgi.Handler{
			Path:   filepath.Join(core, "git-http-backend"),
			Dir:    dir,
			Env:    append(environment(), "GIT_PROJECT_ROOT="+dir, "GIT_HTTP_EXPORT_ALL=1"),
			Stderr: io.Discard,
			Logger: log.New(io.Discard, "", 0),
		},
	}
	h.server = &http.Server{Handler: h, ErrorLog: h.cgi.Logger}
	h.work.Go(func() { _ = h.server.Serve(listener) })
	return h, nil
}

// URL is where a repository, such as "web-core.git", is served.
func (h *Host) URL(repo string) string { return "http://" + h.addr + "/" + repo }

// Close ends every connection and waits for the requests to end. It may be
// called again.
func (h *Host) Close() error {
	h.once.Do(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		close(h.closed)
	})
	err := h.server.Close()
	h.work.Wait()
	return err
}

// SetToken replaces the token, as when one expires.
func (h *Host) SetToken(token string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.token = token
}

// HideV2 makes the host one that speaks protocol v0 only.
func (h *Host) HideV2() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.v0 = true
}

// Intercept has f called with each request before git hears of it; nil ends
// that. f decides what goes wrong, and may take its time or push first.
func (h *Host) Intercept(f func(Request) Fault) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fault = f
}

// Counts are the requests since the start or the last ResetCounts.
func (h *Host) Counts() map[Kind]Count {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.counts)
}

// ResetCounts starts counting anew.
func (h *Host) ResetCounts() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts = map[Kind]Count{}
}

// ServeHTTP serves one request of the smart HTTP protocol.
func (h *Host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.begin() {
		panic(http.ErrAbortHandler)
	}
	defer h.work.Done()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "cannot read the request", http.StatusBadRequest)
		return
	}
	req := describe(r, body)
	out := &counter{ResponseWriter: w}
	defer func() { h.count(req.Kind, int64(len(body)), out.bytes) }()

	pushing := req.Kind == Push || r.URL.Query().Get("service") == "git-receive-pack"
	user, ok := h.user(r, pushing)
	if !ok {
		w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
		http.Error(w, "token needed", http.StatusUnauthorized)
		return
	}
	fault := h.decide(req)
	switch {
	case fault.Status != 0:
		http.Error(w, "fault on demand", fault.Status)
	case fault.Hang:
		select {
		case <-r.Context().Done():
		case <-h.closed:
		}
	case fault.LoseReply:
		h.git(&counter{}, r, body, user)
		panic(http.ErrAbortHandler)
	default:
		if known, ok := h.recall(req, r, user); ok {
			known.give(out)
			return
		}
		h.git(out, r, body, user)
	}
}

// begin registers a request, unless the host is closing.
func (h *Host) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.closed:
		return false
	default:
		h.work.Add(1)
		return true
	}
}

// git hands the request to http-backend.
func (h *Host) git(w http.ResponseWriter, r *http.Request, body []byte, user string) {
	handler := h.cgi
	handler.Env = append([]string{"REMOTE_USER=" + user}, handler.Env...)
	if h.v2() {
		handler.Env = append(handler.Env, "GIT_PROTOCOL="+r.Header.Get("Git-Protocol"))
	}
	r = r.Clone(r.Context())
	r.Header.Del("Git-Protocol")
	r.Header.Del("Authorization")
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	handler.ServeHTTP(w, r)
}

// user is who asks, "" for nobody; false if the request may not be served.
func (h *Host) user(r *http.Request, pushing bool) (string, bool) {
	name, password, ok := r.BasicAuth()
	if !ok {
		return "", !pushing
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return name, subtle.ConstantTimeCompare([]byte(password), []byte(h.token)) == 1
}

func (h *Host) v2() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.v0
}

func (h *Host) decide(r Request) Fault {
	h.mu.Lock()
	f := h.fault
	h.mu.Unlock()
	if f == nil {
		return Fault{}
	}
	return f(r)
}

func (h *Host) count(k Kind, up, down int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.counts[k]
	h.counts[k] = Count{c.Requests + 1, c.Up + up, c.Down + down}
}

func describe(r *http.Request, body []byte) Request {
	req := Request{Kind: Discovery, Body: body}
	path := strings.TrimPrefix(r.URL.Path, "/")
	req.Repo, _, _ = strings.Cut(path, "/")
	switch {
	case strings.HasSuffix(path, "/git-receive-pack"):
		req.Kind = Push
	case strings.HasSuffix(path, "/git-upload-pack") && bytes.Contains(body[:min(len(body), 64)], []byte("command=ls-refs")):
		req.Kind = LsRefs
	case strings.HasSuffix(path, "/git-upload-pack"):
		req.Kind = Fetch
	}
	return req
}

// counter counts an answer's bytes. Without a ResponseWriter it swallows them.
type counter struct {
	http.ResponseWriter
	bytes int64
}

func (c *counter) Header() http.Header {
	if c.ResponseWriter == nil {
		return http.Header{}
	}
	return c.ResponseWriter.Header()
}

func (c *counter) WriteHeader(status int) {
	if c.ResponseWriter != nil {
		c.ResponseWriter.WriteHeader(status)
	}
}

func (c *counter) Write(p []byte) (int, error) {
	c.bytes += int64(len(p))
	if c.ResponseWriter == nil {
		return len(p), nil
	}
	return c.ResponseWriter.Write(p)
}
