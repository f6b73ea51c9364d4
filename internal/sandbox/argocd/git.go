package argocd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// repository reads one branch of a bare repository with the git command. It
// reads what is on disk, as a repo-server without its revision cache does.
type repository struct{ dir, branch string }

// gitDeadline is far above what a local read takes.
const gitDeadline = 10 * time.Second

// head is the commit the branch points to.
func (r repository) head(ctx context.Context) (string, error) {
	out, err := r.git(ctx, "rev-parse", "--verify", "--end-of-options", "refs/heads/"+r.branch+"^{commit}")
	return strings.TrimSpace(string(out)), err
}

// file is a file's content at a commit.
func (r repository) file(ctx context.Context, revision, path string) ([]byte, error) {
	return r.git(ctx, "cat-file", "blob", revision+":"+path)
}

// metadata is what RevisionMetadata says of a commit.
func (r repository) metadata(ctx context.Context, revision string) (*v1alpha1.RevisionMetadata, error) {
	out, err := r.git(ctx, "show", "--no-patch", "--format=%an <%ae>%n%aI%n%B", "--end-of-options", revision+"^{commit}")
	if err != nil {
		return nil, err
	}
	author, rest, _ := strings.Cut(string(out), "\n")
	date, message, _ := strings.Cut(rest, "\n")
	at, err := time.Parse(time.RFC3339, date)
	if err != nil {
		return nil, fmt.Errorf("reading the date of %s: %w", revision, err)
	}
	return &v1alpha1.RevisionMetadata{
		Author:  author,
		Date:    metav1.NewTime(at.UTC()),
		Message: strings.TrimSpace(message),
	}, nil
}

func (r repository) git(ctx context.Context, args ...string) ([]byte, error) {
	ctx, stop := context.WithTimeoutCause(ctx, gitDeadline, fmt.Errorf("git %s took longer than %s", args[0], gitDeadline))
	defer stop()
	cmd := exec.CommandContext(ctx, "git", append([]string{"--git-dir", r.dir}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	switch {
	case err == nil:
		return out, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case stderr.Len() > 0:
		return nil, errors.New(strings.TrimSpace(stderr.String()))
	}
	return nil, fmt.Errorf("git %s: %w", args[0], err)
}
