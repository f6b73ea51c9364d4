package page

import (
	"context"
	"crypto/rand"
	"fmt"
	"regexp"
	"time"

	"github.com/synestra/promoter/internal/sandbox/argocd"
	"github.com/synestra/promoter/internal/sandbox/githost"
	"github.com/synestra/promoter/internal/sandbox/slack"
)

// act is something that a button makes happen in the world around the bot.
type act struct {
	Name  string `json:"name"`
	Label string `json:"label"`
	Says  string `json:"says"`
	App   bool   `json:"app"` // it is done to one app
	do    func(s *Server, ctx context.Context, app string) (told string, err error)
}

func acts() []act {
	return []act{
		{"release", "New dev release", "CI has built an image and writes its tag to dev.", true, (*Server).release},
		{"bad", "Bad dev release", "The same, but its pods crash.", true, (*Server).badRelease},
		{"prod", "Someone commits to prod", "A colleague writes dev's tag to prod by hand, past the bot.", true, (*Server).commitToProd},
		{"hot", "Hot session: start or end", "A colleague runs okteto up in dev, or okteto down.", true, (*Server).toggleSession},
		{"down", "Argo CD: stop or start", "Its API server goes away; the controller works on.", false, (*Server).toggleArgo},
		{"limit", "Slack rate limit", "Slack turns the next three edits of messages away, each for 3 s.", false, (*Server).limitSlack},
	}
}

const (
	ci        = "ci <ci@synestra.io>"
	colleague = "Cleo Marsh <cleo@synestra.io>"
)

func (s *Server) release(ctx context.Context, app string) (string, error) {
	tag := newTag()
	return fmt.Sprintf("CI released %s to dev of %s.", tag, app), s.write(ctx, ci, "dev", app, tag)
}

func (s *Server) badRelease(ctx context.Context, app string) (string, error) {
	tag := newTag()
	s.o.Argo.Behave(tag, argocd.Behaviour{
		Reason: "CrashLoopBackOff", Message: "back-off restarting failed container: cannot reach the database", Deadline: 4,
	})
	return fmt.Sprintf("CI released %s to dev of %s. Its pods crash.", tag, app), s.write(ctx, ci, "dev", app, tag)
}

func (s *Server) commitToProd(ctx context.Context, app string) (string, error) {
	dev, err := s.tag(ctx, "dev", app)
	if err != nil {
		return "", err
	}
	prod, err := s.tag(ctx, "prod", app)
	if err != nil {
		return "", err
	}
	if dev == prod {
		return "", fmt.Errorf("prod of %s has dev's tag already: give dev a new release first", app)
	}
	return fmt.Sprintf("Cleo wrote %s to prod of %s.", dev, app), s.write(ctx, colleague, "prod", app, dev)
}

func (s *Server) toggleSession(_ context.Context, app string) (string, error) {
	if s.state(app, "dev").Hot {
		return fmt.Sprintf("The session on %s has ended.", app), s.o.Argo.EndSession(app)
	}
	return fmt.Sprintf("Somebody works in dev of %s now.", app), s.o.Argo.GoHot(app)
}

func (s *Server) toggleArgo(context.Context, string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		if err := s.o.Argo.Restart(); err != nil {
			return "", err
		}
		s.down = false
		return "Argo CD answers again.", nil
	}
	s.o.Argo.Stop()
	s.down = true
	return "Argo CD does not answer now.", nil
}

func (s *Server) limitSlack(context.Context, string) (string, error) {
	s.o.Slack.FailNext("chat.update", 3, slack.Fault{Error: "ratelimited", RetryAfter: 3 * time.Second})
	return "Slack turns the next three edits away.", nil
}

// write commits a tag to an app's release layer.
func (s *Server) write(ctx context.Context, author, environment, app, tag string) error {
	_, err := s.o.Git.Commit(ctx, repository, author, fmt.Sprintf("release(%s): %s %s", environment, app, tag), map[string][]byte{
		layer(environment, app): githost.ReleaseLayer(app, tag),
	})
	return err
}

var tagLine = regexp.MustCompile(`(?m)^\s+tag: "?([^"\s]+)`)

// tag is what an app's release layer says.
func (s *Server) tag(ctx context.Context, environment, app string) (string, error) {
	content, err := s.o.Git.Git(ctx, repository, "show", githost.Branch+":"+layer(environment, app))
	if err != nil {
		return "", err
	}
	found := tagLine.FindStringSubmatch(content)
	if found == nil {
		return "", fmt.Errorf("%s has no tag", layer(environment, app))
	}
	return found[1], nil
}

func layer(environment, app string) string {
	return "deploy/env/release-" + environment + "/" + app + ".yaml"
}

// newTag is a tag as CI makes it of a commit's hash.
func newTag() string {
	var b [3]byte
	_, _ = rand.Read(b[:]) // it never fails
	return fmt.Sprintf("sha-%x", b)
}
