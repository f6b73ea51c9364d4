package gitops

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/sandbox/githost"
)

func TestTokenIsAskedAgainOnceAfterA401(t *testing.T) {
	h := newHost(t)
	var asked atomic.Int32
	current := "expired"
	r := open(t, h, func(c *Config) {
		c.Token = func(context.Context) (string, error) {
			if asked.Add(1) == 2 {
				current = secret // whoever hands tokens out has made a new one
			}
			return current, nil
		}
	})
	l := read(t, r, "synestra-io")
	if c := h.Counts()[githost.Discovery]; c.Requests != 2 {
		t.Errorf("asked %d times, want once and once again", c.Requests)
	}
	h.SetToken("rotated")
	current = "rotated"
	h.ResetCounts()
	if _, err := r.Apply(t.Context(), promotion(l, "01A")); err != nil {
		t.Error(err)
	}
}

func TestWrongTokenSaysWhichToCheck(t *testing.T) {
	h := newHost(t)
	var log bytes.Buffer
	r := open(t, h, logTo(&log))
	l := read(t, r, "synestra-io")
	h.SetToken("another")
	h.ResetCounts()
	_, err := r.Apply(t.Context(), promotion(l, "01A"))
	if !errors.Is(err, release.ErrUnauthorized) || errors.Is(err, release.ErrOutcomeUnknown) || !strings.Contains(err.Error(), "GIT_TOKEN") {
		t.Errorf("got %v", err)
	}
	if n := pushes(h); n != 2 {
		t.Errorf("pushed %d times, want one and one retry", n)
	}
	if strings.Contains(err.Error()+log.String(), secret) {
		t.Errorf("the token is in %q or %q", err, log.String())
	}
	_, err = r.Layers(t.Context(), "synestra-io")
	if !errors.Is(err, release.ErrUnauthorized) {
		t.Errorf("reading: %v", err)
	}
	// A new process cannot tell whether an earlier one got the change in.
	if _, err := open(t, h).Apply(t.Context(), promotion(l, "01A")); !errors.Is(err, release.ErrOutcomeUnknown) || !errors.Is(err, release.ErrUnauthorized) {
		t.Errorf("a new process: %v", err)
	}
}

func TestWhatCannotBeFound(t *testing.T) {
	h := newHost(t)
	for _, row := range []struct {
		name string
		with func(*Config)
		says string
	}{
		{"no repository", func(c *Config) { c.URL = h.URL("nothing.git") }, "git.url"},
		{"no branch", func(c *Config) { c.Branch = "mai" }, "git.branch"},
	} {
		err := open(t, h, row.with).Ready(t.Context())
		if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
	if err := open(t, h).Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOlderProtocolIsRefusedClearly(t *testing.T) {
	h := newHost(t)
	h.HideV2()
	if err := open(t, h).Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "protocol version 2") {
		t.Errorf("got %v", err)
	}
}

func TestCredentialsStayWithTheirHost(t *testing.T) {
	h := newHost(t)
	var leaked atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			leaked.Add(1)
		}
	}))
	defer other.Close()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if renamed, old := strings.CutPrefix(r.URL.Path, "/old.git"); old {
			http.Redirect(w, r, "/new.git"+renamed+"?"+r.URL.RawQuery, http.StatusMovedPermanently)
			return
		}
		if below, ok := strings.CutPrefix(r.URL.Path, "/new.git"); ok {
			r.URL.Path = "/" + githost.WebCore + below
			h.ServeHTTP(w, r)
			return
		}
		http.Redirect(w, r, other.URL+r.URL.String(), http.StatusFound)
	}))
	defer front.Close()
	at := func(path string) func(*Config) { return func(c *Config) { c.URL = front.URL + path } }
	if err := open(t, h, at("/elsewhere.git")).Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "git.url") {
		t.Errorf("redirected to another host: %v", err)
	}
	if leaked.Load() != 0 {
		t.Error("the credential went to another host")
	}
	// A rename on the same host is followed, for pushing too.
	r := open(t, h, at("/old.git"))
	if _, err := r.Apply(t.Context(), promotion(read(t, r, "synestra-io"), "01A")); err != nil {
		t.Error(err)
	}
}

func TestNotAGitServer(t *testing.T) {
	h := newHost(t)
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>login") }))
	defer page.Close()
	err := open(t, h, func(c *Config) { c.URL = page.URL }).Ready(t.Context())
	if err == nil || !strings.Contains(err.Error(), "not the answer of a Git server") {
		t.Errorf("got %v", err)
	}
}

func TestHangingHost(t *testing.T) {
	h := newHost(t)
	quick := func(c *Config) { c.Timeout = 300 * time.Millisecond }
	patient := open(t, h)
	l := read(t, patient, "synestra-io")
	hasty := open(t, h, quick)
	h.Intercept(func(githost.Request) githost.Fault { return githost.Fault{Hang: true} })

	if _, err := hasty.Layers(t.Context(), "synestra-io"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("reading: %v", err)
	}
	if _, err := hasty.Apply(t.Context(), promotion(l, "01A")); !errors.Is(err, release.ErrOutcomeUnknown) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("writing, host's deadline: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := patient.Apply(ctx, promotion(l, "01A")); !errors.Is(err, release.ErrOutcomeUnknown) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("writing, caller's deadline: %v", err)
	}
	// When the host is well again the same change is written, once.
	h.Intercept(nil)
	if err := patient.Close(); err != nil {
		t.Error(err)
	}
	if _, err := open(t, h).Apply(t.Context(), promotion(l, "01A")); err != nil {
		t.Error(err)
	}
	if have := commits(t, h); len(have) != 1 {
		t.Errorf("branch has %v", have)
	}
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	l := read(t, r, "synestra-io")
	reached := make(chan struct{}, 1)
	onPush(h, func(int) githost.Fault { reached <- struct{}{}; return githost.Fault{Hang: true} })
	done := make(chan error, 1)
	go func() {
		_, err := r.Apply(t.Context(), promotion(l, "01A"))
		done <- err
	}()
	<-reached
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, release.ErrOutcomeUnknown) {
		t.Errorf("got %v", err)
	}
	if _, err := r.Apply(t.Context(), promotion(l, "01A")); !errors.Is(err, release.ErrOutcomeUnknown) {
		t.Errorf("after closing: %v", err)
	}
}

func TestFiltersTheHostRefuses(t *testing.T) {
	for _, row := range []struct {
		name   string
		config map[string]string
		want   filtering
	}{
		{"none", nil, filterCombined},
		{"combinations, as on GitHub", map[string]string{"uploadpackfilter.combine.allow": "false"}, filterTrees},
		{"all but blob:none", map[string]string{"uploadpackfilter.allow": "false", "uploadpackfilter.blob:none.allow": "true"}, filterBlobs},
		{"all", map[string]string{"uploadpack.allowFilter": "false"}, filterNothing},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := newHost(t)
			for key, value := range row.config {
				if err := h.Configure(t.Context(), githost.WebCore, key, value); err != nil {
					t.Fatal(err)
				}
			}
			r := open(t, h)
			l := read(t, r, "synestra-io")
			if mode, _ := r.filters.now(); mode != row.want {
				t.Errorf("found mode %d, want %d", mode, row.want)
			}
			commitAs(t, h, ci, map[string][]byte{"deploy/env/release-dev/synestra-io.yaml": githost.ReleaseLayer("synestra-io", "sha-3333333")})
			got, err := r.Apply(t.Context(), promotion(l, "01A"))
			if err != nil {
				t.Fatal(err)
			}
			l = read(t, r, "synestra-io")
			if l.Prod.Tag != "sha-2222222" || l.Dev.Tag != "sha-3333333" || l.Revision != got {
				t.Errorf("read back %+v", l)
			}
			if f, err := r.Fact(t.Context(), got, got, prodPath, "", "sha-2222222"); err != nil || !f.Keeps {
				t.Errorf("fact is %+v, %v", f, err)
			}
			sound(t, h)
		})
	}
}

// TestWarmFetchIsSmall guards against asking for depth 1 again: without thin
// packs the host then sends the whole snapshot, megabytes for one line.
func TestWarmFetchIsSmall(t *testing.T) {
	h := newHost(t)
	files := map[string][]byte{}
	for i := range 2000 {
		// Each is different, so that compression does not hide them.
		files[fmt.Sprintf("apps/%d/%d.yaml", i%40, i)] = fmt.Appendf(nil, "id: %x\n", sha256.Sum256(fmt.Append(nil, i)))
	}
	commitAs(t, h, person, files)
	r := open(t, h)
	read(t, r, "synestra-io")
	cold := h.Counts()[githost.Fetch]
	commitAs(t, h, ci, map[string][]byte{"deploy/env/release-dev/synestra-io.yaml": githost.ReleaseLayer("synestra-io", "sha-3333333")})
	h.ResetCounts()
	if l := read(t, r, "synestra-io"); l.Dev.Tag != "sha-3333333" {
		t.Errorf("read %+v", l.Dev)
	}
	warm := h.Counts()[githost.Fetch]
	if warm.Requests != 1 || warm.Down > 64<<10 {
		t.Errorf("warm fetch took %+v, want one request of less than 64 KiB (cold: %+v)", warm, cold)
	}
	if warm.Down > 8<<10 {
		t.Errorf("warm fetch brought %d bytes, want the few objects that changed", warm.Down)
	}
}

func TestRunKeepsTheTipFresh(t *testing.T) {
	h := newHost(t)
	r := open(t, h)
	r.poll = 20 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	seen := make(chan release.Revision, 100)
	var want atomic.Value
	want.Store(tip(t, h))
	h.Intercept(func(q githost.Request) githost.Fault {
		if q.Kind == githost.LsRefs && revision(r.state().tip) == want.Load() {
			select {
			case seen <- revision(r.state().tip):
			default:
			}
		}
		return githost.Fault{}
	})
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	<-seen
	rival := commitAs(t, h, ci, map[string][]byte{"a": []byte("1")})
	want.Store(rival)
	for got := range seen {
		if got == rival {
			break
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	// The first push is made on the new tip, without a refusal.
	h.Intercept(nil)
	c := promotion(read(t, r, "synestra-io"), "01A")
	h.ResetCounts()
	if _, err := r.Apply(t.Context(), c); err != nil || pushes(h) != 1 {
		t.Errorf("%v after %d pushes", err, pushes(h))
	}
}

func TestOpenReportsEveryProblem(t *testing.T) {
	_, err := Open(Config{URL: "https://bot:" + secret + "@host/x.git"})
	if err == nil {
		t.Fatal("opened")
	}
	for _, want := range []string{"credentials do not belong", "git.branch", "git.committer", "tag_path", "{app}"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	if strings.Contains(err.Error(), secret) {
		t.Errorf("the secret is in %v", err)
	}
}

func TestURLs(t *testing.T) {
	for url, want := range map[string]string{
		"https://github.com/synestra/web-core.git":   "",
		"http://127.0.0.1:1/web-core.git":            "",
		"ssh://git@github.com/synestra/web-core.git": "SSH is not supported yet",
		"git@github.com:synestra/web-core.git":       "SSH is not supported yet",
		"git://host/x.git":                           "https://",
		"/srv/git/x.git":                             "https://",
		"file:///srv/git/x.git":                      "https://",
		"":                                           "https://",
		"https://user:pa%zzss@host/x.git":            "SSH is not supported yet|https://",
		"https://host/x.git?a=b":                     "no ? or #",
		"https://token@host/x.git":                   "credentials do not belong",
		"https://user:pass@host:port/x.git":          "https://",
	} {
		_, err := checkURL(url, Config{}.settings())
		ok := err == nil && want == ""
		for w := range strings.SplitSeq(want, "|") {
			ok = ok || err != nil && w != "" && strings.Contains(err.Error(), w)
		}
		if !ok {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "pass") {
			t.Errorf("%s: the password is in %v", url, err)
		}
	}
}
