// Package tools builds the programs of the end-to-end range from their published Go modules.
//
// Every folder beside this file is a module that pins one program's source (go.mod) and its checksums (go.sum).
// The built programs are kept in the user's cache folder, one folder a module, named after a hash of what was pinned:
// changing one pin rebuilds that program only, and an interrupted build goes on where it stopped.
package tools

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// ErrNotBuilt says that a program is not in the cache yet. Build puts it there.
var ErrNotBuilt = errors.New("not built yet")

// Programs tells where each program is, by its name: argocd, etcd, helm, kube-apiserver, kube-controller-manager,
// kube-scheduler, kwok.
type Programs map[string]string

// tool is one program: the folder whose module pins it, the package to build, and the name of the result.
type tool struct {
	module, pkg, name string
	toolchain         string // the Go that its source needs where that is newer than ours; "" for the one that runs us
}

// all lists the heaviest first, so that a broken network shows where it costs most.
func all(version ArgoCD) ([]tool, error) {
	argocd, err := version.tool()
	if err != nil {
		return nil, err
	}
	return []tool{
		argocd,
		{module: "kubernetes", pkg: "k8s.io/kubernetes/cmd/kube-apiserver", name: "kube-apiserver"},
		{module: "kubernetes", pkg: "k8s.io/kubernetes/cmd/kube-controller-manager", name: "kube-controller-manager"},
		{module: "kubernetes", pkg: "k8s.io/kubernetes/cmd/kube-scheduler", name: "kube-scheduler"},
		{module: "helm", pkg: "helm.sh/helm/v3/cmd/helm", name: "helm"},
		{module: "kwok", pkg: "sigs.k8s.io/kwok/cmd/kwok", name: "kwok"},
		{module: "etcd", pkg: "go.etcd.io/etcd/server/v3", name: "etcd"},
	}, nil
}

// buildFlags are part of the cache key. The symbol tables are left out: the range never looks into its peers.
func buildFlags() []string {
	return []string{"-mod=readonly", "-trimpath", "-ldflags=-s -w"}
}

// Build makes sure that every program is in the cache, building what is missing (about 15 minutes on two cores the
// first time, under a second later), and writes one line a program to out.
func Build(ctx context.Context, version ArgoCD, out io.Writer) (Programs, error) {
	tools, modules, cache, err := places(ctx, version)
	if err != nil {
		return nil, err
	}
	return build(ctx, tools, modules, cache, out)
}

// Find returns the programs that Build left, or an error that wraps ErrNotBuilt and names the first missing one.
func Find(ctx context.Context, version ArgoCD) (Programs, error) {
	tools, modules, cache, err := places(ctx, version)
	if err != nil {
		return nil, err
	}
	found, err := locate(ctx, tools, modules, cache)
	if err != nil {
		return nil, err
	}
	for name, path := range found {
		if !exists(path) {
			return nil, fmt.Errorf("%s: %w (run `go run ./cmd/build-tools` in the e2e folder, with the same %s)", name, ErrNotBuilt, VersionVariable)
		}
	}
	return found, nil
}

// places tells what there is to build, from which folder of modules, into which folder.
func places(ctx context.Context, version ArgoCD) (tools []tool, modules, cache string, err error) {
	if tools, err = all(version); err != nil {
		return nil, "", "", err
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return nil, "", "", err
	}
	if cache, err = os.UserCacheDir(); err != nil {
		return nil, "", "", fmt.Errorf("finding the cache folder: %w", err)
	}
	return tools, filepath.Join(root, "tools"), filepath.Join(cache, "promoter-e2e"), nil
}

func build(ctx context.Context, tools []tool, modules, cache string, out io.Writer) (Programs, error) {
	places, err := locate(ctx, tools, modules, cache)
	if err != nil {
		return nil, err
	}
	for _, t := range tools {
		path := places[t.name]
		if exists(path) {
			fmt.Fprintf(out, "%-24s in the cache\n", t.name)
			continue
		}
		fmt.Fprintf(out, "%-24s ", t.name)
		start := time.Now()
		if err := buildOne(ctx, t, filepath.Join(modules, t.module), path); err != nil {
			fmt.Fprintln(out)
			return nil, fmt.Errorf("building %s: %w", t.name, err)
		}
		fmt.Fprintf(out, "built in %.0f s\n", time.Since(start).Seconds())
	}
	return places, nil
}

// buildOne builds beside the final place and renames, so that what is there is always whole.
func buildOne(ctx context.Context, t tool, module, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	part := fmt.Sprintf("%s.%d.part", path, os.Getpid())
	defer os.Remove(part)
	args := append([]string{"build"}, buildFlags()...)
	if _, err := goCommandOf(ctx, t.toolchain, module, append(args, "-o", part, t.pkg)...); err != nil {
		return err
	}
	return os.Rename(part, path)
}

// locate computes where each program is or will be, without looking whether it is there.
func locate(ctx context.Context, tools []tool, modules, cache string) (Programs, error) {
	compilers := map[string][]byte{} // by toolchain: what `go env` says of it
	places := make(Programs, len(tools))
	for _, t := range tools {
		if compilers[t.toolchain] == nil {
			said, err := goCommandOf(ctx, t.toolchain, modules, "env", "GOVERSION", "GOOS", "GOARCH")
			if err != nil {
				return nil, fmt.Errorf("asking which Go builds %s: %w", t.name, err)
			}
			compilers[t.toolchain] = said
		}
		hash := sha256.New()
		fmt.Fprintf(hash, "%s%q", compilers[t.toolchain], buildFlags())
		for _, file := range []string{"go.mod", "go.sum"} {
			content, err := os.ReadFile(filepath.Join(modules, t.module, file))
			if err != nil {
				return nil, fmt.Errorf("reading the pins of %s: %w", t.name, err)
			}
			hash.Write(content)
		}
		places[t.name] = filepath.Join(cache, fmt.Sprintf("%s-%x", t.module, hash.Sum(nil)[:6]), t.name)
	}
	return places, nil
}

// moduleRoot finds the e2e folder from anywhere inside it.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := goCommand(ctx, ".", "list", "-m", "-f", "{{.Path}} {{.Dir}}")
	if err != nil {
		return "", fmt.Errorf("finding the e2e module: %w", err)
	}
	dir, ok := strings.CutPrefix(strings.TrimSpace(string(out)), "github.com/synestra/promoter/e2e ")
	if !ok {
		return "", fmt.Errorf("finding the e2e module: %q is another module; run this inside the e2e folder", out)
	}
	return dir, nil
}

// goCommand runs the go command in dir.
func goCommand(ctx context.Context, dir string, args ...string) ([]byte, error) {
	return goCommandOf(ctx, "", dir, args...)
}

// goCommandOf runs the go command of a toolchain in dir. Without cgo the result depends on no C compiler; a workspace
// file of the developer's would change what is pinned.
func goCommandOf(ctx context.Context, toolchain, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if toolchain != "" {
		cmd.Env = append(cmd.Env, "GOTOOLCHAIN="+toolchain)
	}
	out, err := cmd.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("go %s in %s: %w\n%s", args[0], dir, err, failed.Stderr)
	}
	if err != nil {
		return nil, fmt.Errorf("go %s: %w", args[0], err)
	}
	return out, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
