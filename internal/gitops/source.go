package gitops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/synestra/promoter/internal/release"
)

const (
	// maxSourceCommits is how far back the default branch of a source repository
	// is read.
	maxSourceCommits = 2000
	// maxListed bounds the commits that a changelog names.
	maxListed = 8
)

// SourceConfig says where an app's source code is.
type SourceConfig struct {
	URL      string // https://…, without credentials
	Username string
	Token    func(ctx context.Context) (string, error) // as in [Config]; nil for none
	Timeout  time.Duration                             // of one network step; 20 s where it is zero
}

// Source is a repository that images are built from. It is only read, commits
// alone. Its methods may be called from several goroutines.
type Source struct {
	host    transport
	filters filters

	reading gate
	tip     plumbing.Hash // of what was read; guarded by reading
	commits map[plumbing.Hash]sourceCommit
}

type sourceCommit struct {
	parents []plumbing.Hash
	author  string
	subject string
	at      time.Time
}

// OpenSource makes a Source; it asks the host nothing yet.
func OpenSource(cfg SourceConfig) (*Source, error) {
	names := settings{"sources: repository", "its default branch", "SOURCE_TOKEN", "sources: username"}
	if _, err := checkURL(cfg.URL, names); err != nil {
		return nil, err
	}
	host := newHTTPHost(cfg.URL, Config{Username: cfg.Username, Token: cfg.Token, Timeout: cmp.Or(cfg.Timeout, 20*time.Second)})
	host.settings = names
	return &Source{host: host, reading: newGate(), commits: map[plumbing.Hash]sourceCommit{}}, nil
}

// Close lets go of the connections.
func (s *Source) Close() error {
	s.host.close()
	return nil
}

// Between lists the commits that to has and from has not, newest first: at most
// 8, and how many more there are. There are none where from has all of to. Both
// are commit ids in hex, of which the first seven digits are enough: those are
// looked for in the last 2,000 commits of the default branch. Their URL is "".
func (s *Source) Between(ctx context.Context, from, to string) (listed []release.SourceCommit, more int, err error) {
	if err := s.reading.enter(ctx); err != nil {
		return nil, 0, err
	}
	defer s.reading.leave()
	gained, err := s.between(ctx, from, to)
	if err != nil {
		return nil, 0, fmt.Errorf("reading the source commits from %.40q to %.40q: %w", from, to, err)
	}
	for h, c := range newestFirst(gained) {
		if len(listed) == maxListed {
			break
		}
		listed = append(listed, release.SourceCommit{Revision: revision(h), Subject: c.subject, Author: c.author})
	}
	return listed, len(gained) - len(listed), nil
}

func (s *Source) between(ctx context.Context, from, to string) (map[plumbing.Hash]sourceCommit, error) {
	base, err := s.resolve(ctx, from)
	if err != nil {
		return nil, err
	}
	head, err := s.resolve(ctx, to)
	if err != nil {
		return nil, err
	}
	below, whole := s.reach(base)
	if !whole {
		// What from has may go on beyond what was read. The host knows.
		found, err := s.fetch(ctx, askCommits(base, head))
		if errors.Is(err, errTooLarge) {
			err = errors.New("too many commits lie between them")
		}
		return found, err
	}
	gained, _ := s.reach(head)
	for h := range below {
		delete(gained, h)
	}
	return gained, nil
}

// reach is what can be reached from a commit among those that were read, and
// whether that is all there is.
func (s *Source) reach(from plumbing.Hash) (found map[plumbing.Hash]sourceCommit, whole bool) {
	found, whole = map[plumbing.Hash]sourceCommit{}, true
	open := []plumbing.Hash{from}
	for len(open) > 0 {
		h := open[len(open)-1]
		open = open[:len(open)-1]
		c, ok := s.commits[h]
		whole = whole && ok
		if _, seen := found[h]; seen || !ok {
			continue
		}
		found[h] = c
		open = append(open, c.parents...)
	}
	return found, whole
}

var commitID = regexp.MustCompile(`^[0-9a-f]{7,40}$`)

// resolve finds the commit that an id, which may be abbreviated, stands for.
// Hosts do not resolve those.
func (s *Source) resolve(ctx context.Context, id string) (plumbing.Hash, error) {
	if !commitID.MatchString(id) {
		return plumbing.ZeroHash, fmt.Errorf("%.60q is no commit id: 7 to 40 digits, 0-9 and a-f", id)
	}
	h, err := s.lookUp(id)
	if err != nil || !h.IsZero() {
		return h, err
	}
	if err := s.read(ctx); err != nil {
		return h, err
	}
	if h, err = s.lookUp(id); err != nil || !h.IsZero() {
		return h, err
	}
	if plumbing.IsHash(id) {
		// It may be on another branch. A host that does not have it says so.
		err, refused := s.extend(ctx, plumbing.NewHash(id)), (*hostError)(nil)
		if err == nil || !errors.As(err, &refused) {
			return plumbing.NewHash(id), err
		}
	}
	return h, fmt.Errorf("there is no commit %s among the last %d of the default branch", id, maxSourceCommits)
}

// lookUp is the one commit whose id begins so; zero if there is none.
func (s *Source) lookUp(id string) (plumbing.Hash, error) {
	var found plumbing.Hash
	for h := range s.commits {
		if !strings.HasPrefix(h.String(), id) {
			continue
		}
		if !found.IsZero() {
			return plumbing.ZeroHash, fmt.Errorf("%s stands for more than one commit", id)
		}
		found = h
	}
	return found, nil
}

// read brings what is new on the default branch.
func (s *Source) read(ctx context.Context) error {
	tip, err := s.host.tip(ctx, "HEAD")
	if err != nil || tip == s.tip {
		return err
	}
	if len(s.commits) > 4*maxSourceCommits {
		s.commits, s.tip = map[plumbing.Hash]sourceCommit{}, plumbing.ZeroHash
	}
	if err := s.extend(ctx, tip); err != nil {
		return err
	}
	s.tip = tip
	return nil
}

// extend adds the commits that tip has and the last one read has not.
func (s *Source) extend(ctx context.Context, tip plumbing.Hash) error {
	found, err := s.fetch(ctx, func(mode filtering) fetchRequest {
		f := askCommits(s.tip, tip)(mode)
		f.deepen = maxSourceCommits
		if s.tip.IsZero() {
			f.haves = nil
		}
		return f
	})
	if err != nil {
		return err
	}
	maps.Copy(s.commits, found)
	return nil
}

func (s *Source) fetch(ctx context.Context, a ask) (map[plumbing.Hash]sourceCommit, error) {
	pack, err := s.filters.fetch(ctx, s.host, a)
	if err != nil {
		return nil, err
	}
	objects, err := openPack(pack)
	if err != nil {
		return nil, err
	}
	found := map[plumbing.Hash]sourceCommit{}
	for h, o := range objects {
		if o.Type() != plumbing.CommitObject {
			continue
		}
		data, err := readObject(o)
		if err != nil {
			return nil, err
		}
		c, err := parseCommit(data)
		if err != nil {
			return nil, err
		}
		d := parseDetails(data)
		found[h] = sourceCommit{c.parents, d.author.Name, d.subject, d.at}
	}
	return found, nil
}

// newestFirst goes through commits by date, but never to one before those that
// were built on it: clocks differ.
func newestFirst(commits map[plumbing.Hash]sourceCommit) func(yield func(plumbing.Hash, sourceCommit) bool) {
	return func(yield func(plumbing.Hash, sourceCommit) bool) {
		above := map[plumbing.Hash]int{} // how many of them are to come first
		for _, c := range commits {
			for _, p := range c.parents {
				above[p]++
			}
		}
		var ready []plumbing.Hash
		for h := range commits {
			if above[h] == 0 {
				ready = append(ready, h)
			}
		}
		for len(ready) > 0 {
			h := slices.MaxFunc(ready, func(a, b plumbing.Hash) int {
				return cmp.Or(commits[a].at.Compare(commits[b].at), strings.Compare(a.String(), b.String()))
			})
			ready = slices.DeleteFunc(ready, func(o plumbing.Hash) bool { return o == h })
			if !yield(h, commits[h]) {
				return
			}
			for _, p := range commits[h].parents {
				if above[p]--; above[p] == 0 {
					if _, ours := commits[p]; ours {
						ready = append(ready, p)
					}
				}
			}
		}
	}
}
