package gitops

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// maxAnswer bounds what one request may bring, compressed, in bytes.
const maxAnswer = 16 << 20

var errNoToken = errors.New("no Git credential")

// httpHost is a repository behind smart HTTP, protocol version 2 for reading.
// Over HTTP a push needs no advertisement before it: the command carries the
// old and the new hash, and the server compares and sets.
type httpHost struct {
	base     string // no slash at the end, no credentials
	username string
	token    func(context.Context) (string, error) // nil for none
	settings settings
	client   *http.Client
	timeout  time.Duration

	discovery gate
	found     *capabilities // guarded by discovery
}

func newHTTPHost(base string, cfg Config) *httpHost {
	return &httpHost{
		base: strings.TrimSuffix(base, "/"), username: cfg.Username, token: cfg.Token, timeout: cfg.Timeout,
		settings:  cfg.settings(),
		discovery: newGate(),
		client: &http.Client{
			Transport: &http.Transport{
				Proxy:               http.ProxyFromEnvironment,
				ForceAttemptHTTP2:   true,
				MaxIdleConnsPerHost: 4,
				IdleConnTimeout:     90 * time.Second,
				DisableCompression:  true,
				// A connection that died silently is noticed before a push waits on it.
				HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second},
			},
			// Redirects are followed by discover alone, so that no credential
			// goes where the configuration did not send it.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

func (h *httpHost) close() { h.client.CloseIdleConnections() }

func (h *httpHost) tip(ctx context.Context, ref string) (plumbing.Hash, error) {
	if _, err := h.discover(ctx); err != nil {
		return plumbing.ZeroHash, err
	}
	body, err := h.do(ctx, query{service: "git-upload-pack", body: lsRefs(ref), repeatable: true})
	if err != nil {
		return plumbing.ZeroHash, fmt.Errorf("asking for %s: %w", ref, err)
	}
	found, err := parseRefs(body, ref)
	switch {
	case err != nil:
		return plumbing.ZeroHash, fmt.Errorf("asking for %s: %w", ref, err)
	case found.IsZero():
		return plumbing.ZeroHash, fmt.Errorf("%w: %s; check %s", ErrNotFound, ref, h.settings.branch)
	}
	return found, nil
}

func (h *httpHost) fetch(ctx context.Context, f fetchRequest) ([]byte, error) {
	caps, err := h.discover(ctx)
	if err != nil {
		return nil, err
	}
	if f.filter != "" && !caps.filter {
		return nil, errNoFilters
	}
	body, err := h.do(ctx, query{service: "git-upload-pack", body: f.encode(), repeatable: true})
	if err != nil {
		return nil, fmt.Errorf("fetching: %w", err)
	}
	pack, err := parseFetch(body)
	if err != nil {
		return nil, fmt.Errorf("fetching: %w", err)
	}
	return pack, nil
}

func (h *httpHost) push(ctx context.Context, p pushRequest) (verdict, error) {
	body, err := p.encode()
	if err != nil {
		return verdict{}, err
	}
	answer, err := h.do(ctx, query{service: "git-receive-pack", body: body})
	if err != nil {
		return verdict{}, fmt.Errorf("pushing: %w", err)
	}
	return parseVerdict(answer, p.ref)
}

// discover learns once what the host can do, and where the repository is if it
// was renamed on the same host.
func (h *httpHost) discover(ctx context.Context) (capabilities, error) {
	if err := h.discovery.enter(ctx); err != nil {
		return capabilities{}, err
	}
	defer h.discovery.leave()
	if h.found != nil {
		return *h.found, nil
	}
	body, err := h.do(ctx, query{service: "git-upload-pack", advertisement: true})
	var moved *movedError
	if errors.As(err, &moved) {
		if h.base, err = sameHost(h.base, moved.to, h.settings); err == nil {
			body, err = h.do(ctx, query{service: "git-upload-pack", advertisement: true})
		}
	}
	if err != nil {
		return capabilities{}, fmt.Errorf("asking the Git host what it can do: %w", err)
	}
	caps, err := parseCapabilities(body)
	if err != nil {
		return capabilities{}, err
	}
	h.found = &caps
	return caps, nil
}

const advertisement = "/info/refs?service=git-upload-pack"

// sameHost is the base that a redirect of the advertisement leads to. Another
// host, port or scheme must be put into the configuration by a person.
func sameHost(base, location string, names settings) (string, error) {
	from, err := url.Parse(base + advertisement)
	if err != nil {
		return base, err
	}
	to, err := from.Parse(location)
	if err != nil || to.Scheme != from.Scheme || to.Host != from.Host || to.User != nil ||
		!strings.HasSuffix(to.String(), advertisement) {
		return base, fmt.Errorf("the repository has moved to another host or address; set %s to where it is now", names.address)
	}
	return strings.TrimSuffix(to.String(), advertisement), nil
}

// movedError is a redirect.
type movedError struct {
	statusError
	to string
}

func (e *movedError) Unwrap() error { return &e.statusError }

// query is one request to a service of the repository.
type query struct {
	service       string // "git-upload-pack", "git-receive-pack"
	advertisement bool
	body          []byte
	repeatable    bool // has no effect, so a dead connection may be tried again
}

// do sends the query within the timeout and returns the answer's body. After a
// 401 the token is asked for again, once: it may just have expired.
func (h *httpHost) do(ctx context.Context, q query) ([]byte, error) {
	step, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	body, err := h.once(step, q)
	var status *statusError
	if errors.As(err, &status) && status.status == http.StatusUnauthorized && h.token != nil {
		body, err = h.once(step, q)
	}
	return body, timedOut(ctx, err)
}

func (h *httpHost) once(ctx context.Context, q query) ([]byte, error) {
	req, err := h.request(ctx, q)
	if err != nil {
		return nil, err
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, refusal(resp, h.settings)
	}
	want := "application/x-" + q.service + "-result"
	if q.advertisement {
		want = "application/x-" + q.service + "-advertisement"
	}
	if got := resp.Header.Get("Content-Type"); got != want {
		return nil, fmt.Errorf("not the answer of a Git server (content type %.60q); check %s", got, h.settings.address)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("%w (over %d MiB)", errTooLarge, maxAnswer>>20)
	}
	return body, nil
}

func (h *httpHost) request(ctx context.Context, q query) (*http.Request, error) {
	method, address := http.MethodPost, h.base+"/"+q.service
	if q.advertisement {
		method, address = http.MethodGet, h.base+advertisement
	}
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(q.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "git/promoter")
	if q.service == "git-upload-pack" {
		req.Header.Set("Git-Protocol", "version=2")
	}
	if !q.advertisement {
		req.Header.Set("Content-Type", "application/x-"+q.service+"-request")
		req.Header.Set("Accept", "application/x-"+q.service+"-result")
	}
	if q.repeatable {
		// net/http tries such a request again on a new connection; the empty
		// value keeps the header off the wire.
		req.Header["Idempotency-Key"] = []string{}
	}
	if h.token == nil {
		return req, nil
	}
	token, err := h.token(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoToken, err)
	}
	if token != "" {
		req.SetBasicAuth(h.username, token)
	}
	return req, nil
}

// refusal makes an error of any status but 200.
func refusal(resp *http.Response, names settings) error {
	e := statusError{status: resp.StatusCode, settings: names}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
		if text, err := io.ReadAll(io.LimitReader(resp.Body, 512)); err == nil {
			e.text = string(text)
		}
	}
	if to := resp.Header.Get("Location"); to != "" && resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return &movedError{e, to}
	}
	return &e
}
