package slack

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// ResponseURL is the name by which [Server.FailNext] and [Server.Calls] know
// posts to response URLs, which are no Web API method.
const ResponseURL = "response_url"

// Fault is one way in which a call goes wrong. Delay goes together with any of
// the others; of the others, one.
type Fault struct {
	Delay      time.Duration // before anything is done
	Hang       bool          // nothing is done and no answer comes, until the client gives up
	Status     int           // HTTP status, nothing done
	Error      string        // Slack error with nothing done; "ratelimited" is HTTP 429
	RetryAfter time.Duration // Retry-After header of "ratelimited" or Status, in whole seconds; left out if 0
	DropReply  bool          // the work is done, also if the client has given up, and the connection is cut without an answer
}

// faults is what goes wrong next, and what was called. Guarded by Server.mu.
type faults struct {
	next    map[string][]Fault
	calls   map[string]int
	revoked map[string]string // token → Slack error
	lost    map[string]string // method → scope it misses
}

func newFaults() faults {
	return faults{
		next: map[string][]Fault{}, calls: map[string]int{},
		revoked: map[string]string{}, lost: map[string]string{},
	}
}

// FailNext makes the next n calls of a method (or [ResponseURL]) go wrong, after
// those that are already to fail.
func (s *Server) FailNext(method string, n int, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.faults.next[method] = append(s.faults.next[method], f)
	}
}

// Calls counts the requests for a method (or [ResponseURL]) so far, failed ones included.
func (s *Server) Calls(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults.calls[method]
}

// Revoke makes every call with the token fail with a Slack error such as
// invalid_auth, token_revoked or account_inactive. An empty code lets it work
// again. Open sockets stay open.
func (s *Server) Revoke(token, code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if code == "" {
		delete(s.faults.revoked, token)
		return
	}
	s.faults.revoked[token] = code
}

// MissingScope makes a method fail with missing_scope, as if the app had been
// installed without the scope it needs.
func (s *Server) MissingScope(method, needed string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.lost[method] = needed
}

// arrive counts a call and takes its fault, if any.
func (s *Server) arrive(method string) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.calls[method]++
	s.touch()
	queue := s.faults.next[method]
	if len(queue) == 0 {
		return Fault{}, false
	}
	s.faults.next[method] = slices.Clone(queue[1:])
	return queue[0], true
}

// before lets the part of a fault happen that comes before the work. It
// reports whether the work is still to be done.
func (s *Server) before(ctx context.Context, w http.ResponseWriter, f Fault) bool {
	if f.DropReply {
		ctx = context.WithoutCancel(ctx)
	}
	if f.Delay > 0 && !s.pause(ctx, f.Delay) {
		drop(w)
		return false
	}
	switch {
	case f.Hang:
		select {
		case <-ctx.Done():
		case <-s.done:
		}
		drop(w) // to return without it would be an answer
		return false
	case f.Error == codeRateLimited:
		writeError(w, http.StatusTooManyRequests, f.RetryAfter, &apiError{code: codeRateLimited})
		return false
	case f.Error != "":
		writeError(w, http.StatusOK, 0, &apiError{code: f.Error})
		return false
	case f.Status != 0:
		setRetryAfter(w, f.RetryAfter)
		w.WriteHeader(f.Status)
		return false
	}
	return true
}

// pause waits, or reports false if the client or the server went away first.
func (s *Server) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-s.done:
	}
	return false
}

func setRetryAfter(w http.ResponseWriter, d time.Duration) {
	if d > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((d+time.Second-1)/time.Second)))
	}
}

// drop cuts the connection of a request without an answer.
func drop(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close() // the client is to see it gone; an error means that it is
	}
}
