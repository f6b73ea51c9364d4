package argocd

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// repository reads one branch of a bare repository on this machine: the branch
// as it is on disk, and the files of each commit once, as a repo-server caches
// them by revision. What is not cached is read with the git command, a process
// that costs more than all else here does.
type repository struct {
	dir, branch string

	mu    sync.Mutex
	trees map[string]map[string][]byte // content by path, by commit
}

func newRepository(dir, branch string) *repository {
	return &repository{dir: dir, branch: branch, trees: map[string]map[string][]byte{}}
}

// gitDeadline is far above what a local read takes.
const gitDeadline = 10 * time.Second

// head is the commit the branch points to. It is in a file of the branch's
// name, unless git has packed the refs (gitrepository-layout).
func (r *repository) head(ctx context.Context) (string, error) {
	ref := "refs/heads/" + r.branch
	if loose, err := os.ReadFile(filepath.Join(r.dir, ref)); err == nil {
		hash := strings.TrimSpace(string(loose))
		if _, err := hex.DecodeString(hash); err == nil && hash != "" {
			return hash, nil
		}
	}
	out, err := r.git(ctx, "rev-parse", "--verify", "--end-of-options", ref+"^{commit}")
	return strings.TrimSpace(string(out)), err
}

// file is a file's content at a commit.
func (r *repository) file(ctx context.Context, commit, path string) ([]byte, error) {
	tree, err := r.tree(ctx, commit)
	if err != nil {
		return nil, err
	}
	content, ok := tree[path]
	if !ok {
		return nil, fmt.Errorf("%s does not exist in %s", path, commit)
	}
	return content, nil
}

// tree is every file of a commit.
func (r *repository) tree(ctx context.Context, commit string) (map[string][]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if tree, ok := r.trees[commit]; ok {
		return tree, nil
	}
	archive, err := r.git(ctx, "archive", "--format=tar", "--end-of-options", commit)
	if err != nil {
		return nil, err
	}
	tree := map[string][]byte{}
	files := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := files.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading the files of %s: %w", commit, err)
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		if tree[header.Name], err = io.ReadAll(files); err != nil {
			return nil, fmt.Errorf("reading %s of %s: %w", header.Name, commit, err)
		}
	}
	r.trees[commit] = tree
	return tree, nil
}

// metadata is what RevisionMetadata says of a commit.
func (r *repository) metadata(ctx context.Context, revision string) (*v1alpha1.RevisionMetadata, error) {
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

func (r *repository) git(ctx context.Context, args ...string) ([]byte, error) {
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
