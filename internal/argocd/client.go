// Package argocd observes Argo CD Applications and asks for a refresh or a
// sync. It owns Argo CD and decides nothing: what it sees becomes
// [release.Snapshot] and [release.Live].
//
// A Client is one gRPC connection for its whole life. [Client.Run] keeps a
// watch open and heals what the watch loses by listing; everything else works
// with or without it. All methods may be called from any goroutine.
//
// The generated stubs of argo-cd v2 are used without its apiclient package,
// which leaks goroutines and connections on every failed dial and can end the
// process. They are wire-compatible with Argo CD 3.
package argocd

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/argoproj/argo-cd/v2/pkg/apiclient/application"
	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"google.golang.org/grpc"

	"github.com/synestra/promoter/internal/release"
)

// Config is what a [Client] needs.
type Config struct {
	// Server is host or host:port, without a scheme; port 443 if it has none.
	Server string
	// Token gives the API token. It is asked before every call, so that a
	// token in a file may be replaced while we run.
	Token func(ctx context.Context) (string, error)
	// Plaintext speaks HTTP/2 without TLS, as argocd-server --insecure serves it.
	Plaintext bool
	// Insecure does not verify the server's certificate.
	Insecure  bool
	UserAgent string
	Log       *slog.Logger
	// Applications says which Application names are of interest. All others
	// are dropped as soon as they are decoded.
	Applications func(name string) bool
}

// Client speaks to one Argo CD. Make it with [Dial].
type Client struct {
	cfg  Config
	conn *grpc.ClientConn
	apps application.ApplicationServiceClient
	pace pace

	// mu is held for map accesses only, never during a call.
	mu        sync.Mutex
	known     map[string]entry
	followers map[string]map[chan release.Snapshot]struct{}
	workloads map[string][]v1alpha1.ResourceNode // what each Application had when it was last looked at
	problem   error                              // why Run does not see everything, nil if it does
}

// pace has every interval and deadline; tests shorten them.
type pace struct {
	call    time.Duration // deadline of a call
	refresh time.Duration // deadline of one that waits until the controller has compared
	list    time.Duration // deadline of a list, which may carry tens of megabytes

	settle   time.Duration // from opening a watch to the second list
	relist   time.Duration // between lists, with up to as much jitter again
	grace    time.Duration // an event may be this much later than a list that has its change
	retry    time.Duration // longest wait after the first failure; doubles
	retryMax time.Duration
}

func defaultPace() pace {
	return pace{
		call: 10 * time.Second, refresh: 25 * time.Second, list: 30 * time.Second,
		settle: 5 * time.Second, relist: time.Minute, grace: 5 * time.Second,
		retry: time.Second, retryMax: 30 * time.Second,
	}
}

var errNotYet = errors.New("argo cd has not been asked yet")

// Ready is nil while a watch is open and a list has succeeded since it was
// opened. Otherwise it says why not.
func (c *Client) Ready() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.problem
}

func (c *Client) setProblem(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problem = err
}

// Close ends the connection. Calls under way fail.
func (c *Client) Close() error { return c.conn.Close() }
