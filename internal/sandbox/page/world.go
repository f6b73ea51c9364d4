package page

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/synestra/promoter/internal/sandbox/argocd"
	"github.com/synestra/promoter/internal/sandbox/githost"
)

const (
	repository  = githost.WebCore
	maxCommits  = 25
	maxChanges  = 4 // changed lines that are shown of a commit
	commitMark  = "\x1e"
	commitParts = "%x1e%H%x1f%an%x1f%at%x1f%s"
)

// commit is a commit as the page shows it.
type commit struct {
	Hash    string   `json:"hash"`
	Author  string   `json:"author"`
	At      int64    `json:"at"` // seconds since 1970
	Subject string   `json:"subject"`
	Changes []change `json:"changes"`
	More    int      `json:"more"` // changed lines that are not shown
}

// change is a line that a commit removes ("-") or adds ("+").
type change struct {
	File string `json:"file"`
	Sign string `json:"sign"`
	Line string `json:"line"`
}

// commits are the newest commits with what they change, newest first. The first
// commit of all shows no changes: it adds everything.
func (s *Server) commits(ctx context.Context) ([]commit, error) {
	out, err := s.o.Git.Git(ctx, repository, "-c", "log.showRoot=false", "log", "-n", strconv.Itoa(maxCommits),
		"-p", "-U0", "--no-color", "--no-ext-diff", "--format="+commitParts, githost.Branch)
	if err != nil {
		return nil, err
	}
	var all []commit
	for text := range strings.SplitSeq(strings.TrimPrefix(out, commitMark), commitMark) {
		c, err := readCommit(text)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func readCommit(text string) (commit, error) {
	head, diff, _ := strings.Cut(text, "\n")
	parts := strings.Split(head, "\x1f")
	if len(parts) != 4 {
		return commit{}, fmt.Errorf("reading the log of %s: %q has %d parts, not 4", repository, head, len(parts))
	}
	at, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		return commit{}, fmt.Errorf("reading the log of %s: %w", repository, err)
	}
	c := commit{Hash: parts[0], Author: parts[1], At: at, Subject: parts[3], Changes: []change{}}
	file, body := "", false
	for line := range strings.SplitSeq(diff, "\n") {
		switch {
		case strings.HasPrefix(line, "diff --git "):
			_, file, _ = strings.Cut(line, " b/")
			body = false
		case strings.HasPrefix(line, "@@"):
			body = true
		case body && (strings.HasPrefix(line, "+") || strings.HasPrefix(line, "-")):
			if len(c.Changes) == maxChanges {
				c.More++
				continue
			}
			c.Changes = append(c.Changes, change{File: file, Sign: line[:1], Line: line[1:]})
		}
	}
	return c, nil
}

// applications is what is true of every app in each environment.
type applications struct {
	Down bool  `json:"down"` // Argo CD does not answer
	Apps []app `json:"apps"`
}

type app struct {
	Name string `json:"name"`
	Dev  state  `json:"dev"`
	Prod state  `json:"prod"`
}

type state struct {
	Sync      string `json:"sync"`
	Health    string `json:"health"`
	Operating bool   `json:"operating"`
	Tag       string `json:"tag"`
	Ready     int    `json:"ready"`
	Replicas  int    `json:"replicas"`
	Hot       bool   `json:"hot"` // an Okteto session runs there
}

func (s *Server) applications() applications {
	s.mu.Lock()
	all := applications{Down: s.down, Apps: []app{}}
	s.mu.Unlock()
	for _, name := range s.o.Apps {
		all.Apps = append(all.Apps, app{Name: name, Dev: s.state(name, "dev"), Prod: s.state(name, "prod")})
	}
	return all
}

func (s *Server) state(app, environment string) state {
	is := s.o.Argo.State(argocd.AppSpec{App: app, Environment: environment}.Name())
	return state{
		Sync: is.Sync, Health: is.Health, Operating: is.Operating, Tag: is.Tag,
		Ready: is.Ready, Replicas: is.Replicas, Hot: is.SessionStands,
	}
}
