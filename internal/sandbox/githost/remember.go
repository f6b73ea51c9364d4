package githost

import (
	"bytes"
	"context"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"sync"
)

// answers are what git answered to reads, so that it need not be run again. What
// a read comes to depends on what is asked, and of ls-refs on the references.
type answers struct {
	mu    sync.Mutex
	known map[string]*answer
}

// answer is given once; whoever asks the same meanwhile waits for it.
type answer struct {
	once   sync.Once
	status int
	header http.Header
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

// Remember has the host run git once for what is asked many times, since each
// run is three processes. It is for protocol v2, and for repositories that lose
// no objects.
func (h *Host) Remember() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answers = &answers{known: map[string]*answer{}}
}

// recall is the answer to a read that may have been given before; false if this
// request is no such read.
func (h *Host) recall(req Request, r *http.Request, user string) (*answer, bool) {
	h.mu.Lock()
	all := h.answers
	h.mu.Unlock()
	if all == nil || req.Kind != LsRefs && req.Kind != Fetch || r.Header.Get("Git-Protocol") == "" {
		return nil, false
	}
	key := req.Repo + " " + string(req.Body)
	if req.Kind == LsRefs {
		key += " " + h.references(req.Repo)
	}
	all.mu.Lock()
	a := all.known[key]
	if a == nil {
		a = &answer{status: http.StatusOK, header: http.Header{}}
		all.known[key] = a
	}
	all.mu.Unlock()
	a.once.Do(func() { h.git(a, r.WithContext(context.WithoutCancel(r.Context())), req.Body, user) })
	return a, true
}

// references are where the repository's branches are.
func (h *Host) references(repo string) string {
	var all bytes.Buffer
	dir := filepath.Join(h.dir, repo)
	_ = filepath.WalkDir(filepath.Join(dir, "refs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			hash, _ := os.ReadFile(path) // one that is gone is no reference
			all.WriteString(path + " " + string(hash))
		}
		return nil
	})
	packed, _ := os.ReadFile(filepath.Join(dir, "packed-refs")) // mostly there is none
	all.Write(packed)
	return all.String()
}

// give sends an answer.
func (a *answer) give(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes()) // the client may be gone
}
