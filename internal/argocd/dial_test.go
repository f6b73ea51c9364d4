package argocd

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func fixed(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}

func TestAddress(t *testing.T) {
	for in, want := range map[string]string{
		"argocd-server.argocd.svc:443": "argocd-server.argocd.svc:443", "argocd.example.com": "argocd.example.com:443",
		"127.0.0.1:80": "127.0.0.1:80", "::1": "[::1]:443", "[::1]:8080": "[::1]:8080", "[::1]": "[::1]:443",
	} {
		if got, err := address(in); err != nil || got != want {
			t.Errorf("address(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"", "https://argocd.example.com", "argocd.example.com/path", "a b"} {
		if got, err := address(in); err == nil || !strings.Contains(err.Error(), "without https://") {
			t.Errorf("address(%q) = %q, %v, want an error that says how to write it", in, got, err)
		}
	}
}

func TestDialWantsItsConfig(t *testing.T) {
	if _, err := Dial(Config{Server: "x"}); err == nil {
		t.Error("no error without a token, a log and a choice of applications")
	}
}

func TestToken(t *testing.T) {
	broken := errors.New("permission denied")
	for name, test := range map[string]struct {
		read func(context.Context) (string, error)
		want string
		err  string
	}{
		"from a file": {fixed("abc\n"), "abc", ""},
		"empty":       {fixed(" \n"), "", "empty"},
		"unreadable":  {func(context.Context) (string, error) { return "", broken }, "", "reading the Argo CD token: permission denied"},
	} {
		md, err := token{test.read, true}.GetRequestMetadata(t.Context())
		if md["token"] != test.want || (test.err == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %v, %v", name, md, err)
		}
	}
}

// A client that cannot connect must not pile up goroutines, each with a
// connection that nobody owns once the server is back.
func TestFailedConnectsLeakNothing(t *testing.T) {
	c := unconnected(t)
	c.pace.retry, c.pace.retryMax = time.Millisecond, 2*time.Millisecond
	before := runtime.NumGoroutine()
	for range 20 {
		if err := c.session(t.Context()); status.Code(err) != codes.Unavailable {
			t.Fatalf("session: %v, want Unavailable", err)
		}
	}
	if after := runtime.NumGoroutine(); after > before+5 {
		t.Errorf("%d goroutines before, %d after 20 failed connects", before, after)
	}
}

func TestTLSIsTheDefault(t *testing.T) {
	c, err := Dial(Config{Server: "127.0.0.1:1", Token: fixed("t"), Log: slog.New(slog.DiscardHandler), Applications: func(string) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if !(token{c.cfg.Token, !c.cfg.Plaintext}).RequireTransportSecurity() {
		t.Error("the token may be sent in the clear")
	}
}
