package githost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// commitTries bounds how often a commit is made again because the branch moved.
const commitTries = 20

// environment keeps git away from the settings of the person who runs it.
func environment() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "LC_ALL=C",
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
	}
}

// served is the configuration of each repository: partial fetches as the large
// hosts serve them, pushing, nothing that works on in the background, commits
// kept as the pack they come in, and none of the files that fsck checks by a
// process each.
const served = `[core]
	repositoryformatversion = 0
	bare = true
	fsync = none
	commitGraph = false
	multiPackIndex = false
[uploadpack]
	allowFilter = true
	allowAnySHA1InWant = true
[http]
	receivepack = true
[receive]
	autogc = false
[fastimport]
	unpackLimit = 1
`

// Create makes an empty bare repository, of the files that make one
// (gitrepository-layout), as "git init --template=" does.
func (h *Host) Create(repo string) error {
	dir := filepath.Join(h.dir, repo)
	for _, needed := range []string{"objects", "refs"} {
		if err := os.MkdirAll(filepath.Join(dir, needed), 0o755); err != nil {
			return err
		}
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "HEAD"), []byte("ref: refs/heads/"+Branch+"\n"), 0o644),
		os.WriteFile(filepath.Join(dir, "config"), []byte(served), 0o644),
	)
}

// Configure sets a git configuration key of the repository.
func (h *Host) Configure(ctx context.Context, repo, key, value string) error {
	_, err := h.Git(ctx, repo, "config", key, value)
	return err
}

// Hook installs a shell script as a hook of the repository, such as
// "pre-receive". An empty script removes it.
func (h *Host) Hook(repo, name, script string) error {
	path := filepath.Join(h.dir, repo, "hooks", name)
	if script == "" {
		return os.Remove(path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755)
}

// Git runs git on the repository and returns what it prints, without the last
// line break.
func (h *Host) Git(ctx context.Context, repo string, args ...string) (string, error) {
	out, err := h.run(ctx, nil, append([]string{"--git-dir", filepath.Join(h.dir, repo)}, args...)...)
	return strings.TrimSuffix(out, "\n"), err
}

// Tip is the hash of the branch's newest commit, "" before the first. Git keeps
// it in a file of its own (gitrepository-layout) as long as nobody packs refs.
func (h *Host) Tip(repo string) (string, error) {
	hash, err := os.ReadFile(filepath.Join(h.dir, repo, "refs", "heads", Branch))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return strings.TrimSpace(string(hash)), nil
}

// Import runs git fast-import (its stream format, with raw dates) on the
// repository and returns what the stream asks it to print, such as the hashes
// of marks. Branches may be rewritten.
func (h *Host) Import(ctx context.Context, repo string, stream []byte) (string, error) {
	return h.fastImport(ctx, repo, stream, "--force")
}

// Commit commits files (by path; nil content removes one) to the branch as
// somebody else would, such as CI or a person: author is "Name <address>".
// Where the branch moves meanwhile, the commit is made again on top. It returns
// the commit's hash.
func (h *Host) Commit(ctx context.Context, repo, author, message string, files map[string][]byte) (string, error) {
	var last error
	for range commitTries {
		tip, err := h.Tip(repo)
		if err != nil {
			return "", err
		}
		out, err := h.fastImport(ctx, repo, commitStream(tip, author, message, files, time.Now().UTC()))
		if err == nil {
			return strings.TrimSpace(out), nil
		}
		last = err
		if now, err := h.Tip(repo); err != nil || now == tip {
			break
		}
	}
	return "", last
}

func (h *Host) fastImport(ctx context.Context, repo string, stream []byte, more ...string) (string, error) {
	args := append([]string{"--git-dir", filepath.Join(h.dir, repo), "fast-import", "--quiet", "--date-format=raw"}, more...)
	return h.run(ctx, stream, args...)
}

// commitStream is one commit in the language of git fast-import, which answers
// with the commit's hash. It changes no work tree.
func commitStream(tip, author, message string, files map[string][]byte, at time.Time) []byte {
	var b bytes.Buffer
	stamp := fmt.Sprintf("%s %d +0000", author, at.Unix())
	fmt.Fprintf(&b, "commit refs/heads/%s\nmark :1\nauthor %s\ncommitter %s\ndata %d\n%s\n", Branch, stamp, stamp, len(message), message)
	if tip != "" {
		fmt.Fprintf(&b, "from %s\n", tip)
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if content := files[path]; content == nil {
			fmt.Fprintf(&b, "D %s\n", path)
		} else {
			fmt.Fprintf(&b, "M 100644 inline %s\ndata %d\n%s\n", path, len(content), content)
		}
	}
	b.WriteString("\nget-mark :1\n")
	return b.Bytes()
}

func (h *Host) run(ctx context.Context, in []byte, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Env, cmd.Dir, cmd.Stdin = environment(), h.dir, bytes.NewReader(in)
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(exit.Stderr))
	}
	return string(out), err
}
