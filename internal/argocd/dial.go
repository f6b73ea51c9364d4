package argocd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/argoproj/argo-cd/v2/pkg/apiclient/application"
	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/synestra/promoter/internal/release"
)

// maxMessage is the size of Argo CD's own default limit; a list of thousands
// of Applications can come near it.
const maxMessage = 200 << 20

// Calls wait for the connection until their deadline and are tried again where
// the server is unavailable. A sync is not: whether a lost one has arrived is
// found out by asking (see [Client.Sync]). A watch has its own loop.
const serviceConfig = `{"methodConfig": [
  {"name": [{"service": "application.ApplicationService"}], "waitForReady": true, "retryPolicy": {
    "maxAttempts": 5, "initialBackoff": "0.2s", "maxBackoff": "2s", "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"]}},
  {"name": [{"service": "application.ApplicationService", "method": "Sync"}], "waitForReady": true},
  {"name": [{"service": "application.ApplicationService", "method": "Watch"}]}
]}`

// Dial makes a client. It does not connect: an unreachable server shows in
// [Client.Ready] and in the errors of calls. The caller closes the client.
func Dial(cfg Config) (*Client, error) {
	address, err := address(cfg.Server)
	if err != nil {
		return nil, err
	}
	if cfg.Token == nil || cfg.Log == nil || cfg.Applications == nil {
		return nil, errors.New("argocd client: Token, Log and Applications must be set")
	}
	transport := insecure.NewCredentials()
	if !cfg.Plaintext {
		transport = credentials.NewTLS(&tls.Config{InsecureSkipVerify: cfg.Insecure, MinVersion: tls.VersionTLS12})
	}
	conn, err := grpc.NewClient("dns:///"+address,
		grpc.WithTransportCredentials(transport),
		grpc.WithPerRPCCredentials(token{cfg.Token, !cfg.Plaintext}),
		grpc.WithUserAgent(cfg.UserAgent),
		// The server allows a ping every 10 s (ARGOCD_GRPC_KEEP_ALIVE_MIN).
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 20 * time.Second, Timeout: 10 * time.Second}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithDisableServiceConfig(), // DNS has no say in how we retry
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second},
			MinConnectTimeout: 10 * time.Second,
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("argo cd server %q: %w", cfg.Server, err)
	}
	return &Client{
		cfg: cfg, conn: conn, apps: application.NewApplicationServiceClient(conn), pace: defaultPace(),
		known: map[string]entry{}, followers: map[string]map[chan release.Snapshot]struct{}{}, workloads: map[string][]v1alpha1.ResourceNode{}, problem: errNotYet,
	}, nil
}

func address(server string) (string, error) {
	if server == "" || strings.ContainsAny(server, "/ \t\n") {
		return "", fmt.Errorf("argo cd server %q: write it as host or host:port, without https://", server)
	}
	if _, _, err := net.SplitHostPort(server); err == nil {
		return server, nil
	}
	return net.JoinHostPort(strings.Trim(server, "[]"), "443"), nil
}

// token is the API token in the metadata of every call.
type token struct {
	read   func(ctx context.Context) (string, error)
	secure bool
}

func (t token) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	value, err := t.read(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the Argo CD token: %w", err)
	}
	value = strings.TrimSpace(value) // files end with a newline
	if value == "" {
		return nil, errors.New("the Argo CD token is empty")
	}
	return map[string]string{"token": value}, nil
}

func (t token) RequireTransportSecurity() bool { return t.secure }
