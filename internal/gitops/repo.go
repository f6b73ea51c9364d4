package gitops

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/synestra/promoter/internal/release"
)

// Config says which branch of which repository, and as whom.
type Config struct {
	URL      string // https://…, without credentials
	Branch   string
	Username string // for hosts that want one beside the token: "x-access-token"
	// Token is asked with each request, so that it may change; after the host
	// has refused one it is asked once more. Nil or "" means no credential.
	Token     func(ctx context.Context) (string, error)
	Committer release.Identity
	TagPath   []string // keys down to the tag in a layer: image, tag
	// Environments say where the layers are. Their Layer templates hold "{app}" once.
	Environments release.Environments
	Timeout      time.Duration // of one network step; 20 s where it is zero
	Log          *slog.Logger  // nil for none
}

// settings are what the configuration is called where people write it.
func (Config) settings() settings {
	return settings{"git.url", "git.branch", "GIT_TOKEN", "git.username"}
}

// Repo is one branch of a repository on a Git host. Its methods may be called
// from several goroutines.
type Repo struct {
	host         transport
	ref          string
	committer    release.Identity
	tagPath      []string
	environments release.Environments
	templates    [][]string // of layers and values, step by step
	depth        int        // of the trees that are needed to find any layer
	poll         time.Duration
	page         int // commits of the history that one request brings
	log          *slog.Logger

	objects  *cache
	filters  filters
	asking   asking
	learning gate

	tracing gate
	trail   trail                 // guarded by tracing
	traced  atomic.Pointer[trail] // the same for those who only read; nil before there is one

	mu        sync.Mutex
	known     known
	followers map[chan release.Revision]struct{}
	facts     map[question]release.Fact
	said      map[place]release.Content         // of one app at one commit
	texts     map[plumbing.Hash]release.Content // of layers, by blob; without values
	newest    map[string]survey                 // of each environment, at the tip it was last asked for
	odd       map[string]bool                   // file names that were logged as no apps

	queue  chan *edit
	closed context.Context // ends with Close
	stop   context.CancelFunc
	writer sync.WaitGroup
}

// Open makes a Repo and starts its writer; it asks the host nothing yet. Close
// ends it. Every problem of the configuration is in the error.
func Open(cfg Config) (*Repo, error) {
	base, err := checkConfig(cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 20 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if base.Scheme == "http" && cfg.Token != nil && !loopback(base.Hostname()) {
		cfg.Log.Warn("the Git token travels unencrypted", slog.String("host", base.Host))
	}
	r := &Repo{
		host:         newHTTPHost(cfg.URL, cfg),
		ref:          "refs/heads/" + cfg.Branch,
		committer:    cfg.Committer,
		tagPath:      slices.Clone(cfg.TagPath),
		environments: cfg.Environments,
		poll:         pollEvery,
		page:         pageCommits,
		log:          cfg.Log,
		objects:      newCache(cacheBytes),
		learning:     newGate(),
		tracing:      newGate(),
		followers:    map[chan release.Revision]struct{}{},
		facts:        map[question]release.Fact{},
		said:         map[place]release.Content{},
		texts:        map[plumbing.Hash]release.Content{},
		newest:       map[string]survey{},
		odd:          map[string]bool{},
		queue:        make(chan *edit),
	}
	for _, env := range r.both() {
		for _, template := range []string{env.Layer, env.Values} {
			r.depth = max(r.depth, strings.Count(template, "/")+1)
			r.templates = append(r.templates, strings.Split(template, "/"))
		}
	}
	r.closed, r.stop = context.WithCancel(context.Background())
	r.writer.Go(func() { r.write(r.closed) })
	return r, nil
}

// Close ends the writer and waits for it. A change that was being applied ends
// with [release.ErrOutcomeUnknown].
func (r *Repo) Close() error {
	r.stop()
	r.writer.Wait()
	r.host.close()
	return nil
}

// Ready says whether the branch can be read.
func (r *Repo) Ready(ctx context.Context) error {
	_, err := r.host.tip(ctx, r.ref)
	return err
}

func (r *Repo) both() []release.Environment {
	return []release.Environment{r.environments.Dev, r.environments.Prod}
}

// checkConfig reports every problem at once. It repeats no URL: one may hold a
// password.
func checkConfig(cfg Config) (*url.URL, error) {
	base, err := checkURL(cfg.URL, cfg.settings())
	problems := []error{err}
	if cfg.Branch == "" || strings.ContainsFunc(cfg.Branch, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		problems = append(problems, fmt.Errorf("git.branch: %q is not a branch name", cfg.Branch))
	}
	if cfg.Committer.Name == "" || cfg.Committer.Email == "" {
		problems = append(problems, errors.New("git.committer: a name and an email are needed"))
	}
	if len(cfg.TagPath) == 0 || slices.Contains(cfg.TagPath, "") {
		problems = append(problems, errors.New("tag_path: keys with dots between them are needed, such as image.tag"))
	}
	for _, env := range []release.Environment{cfg.Environments.Dev, cfg.Environments.Prod} {
		if strings.Count(env.Layer, "{app}") != 1 {
			problems = append(problems, fmt.Errorf("environments: layer %q must hold {app} once", env.Layer))
		}
	}
	return base, errors.Join(problems...)
}

// checkURL repeats no URL either, and names the settings it is about.
func checkURL(s string, names settings) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case strings.HasPrefix(s, "ssh://"), strings.HasPrefix(s, "git+ssh://"), err != nil && strings.Contains(s, "@"), err == nil && u.Scheme == "" && strings.Contains(s, "@"):
		return nil, fmt.Errorf("%s: SSH is not supported yet; use https:// and a token", names.address)
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("%s: an https:// address is needed", names.address)
	case u.User != nil:
		return nil, fmt.Errorf("%s: credentials do not belong in it; use %s and %s", names.address, names.token, names.username)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%s: no ? or # may be in it", names.address)
	}
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// hash is a revision as go-git has it; an error if it is no commit.
func hash(r release.Revision) (plumbing.Hash, error) {
	if !r.IsCommit() || len(r) != 40 {
		return plumbing.ZeroHash, fmt.Errorf("%.60q is not a commit", string(r))
	}
	return plumbing.NewHash(string(r)), nil
}

func revision(h plumbing.Hash) release.Revision { return release.Revision(h.String()) }
