// Package tools builds the programs of the end-to-end range from their published Go modules.
//
// Every folder beside this file is a module that pins one program's source (go.mod) and its checksums (go.sum).
// The built programs are kept in the user's cache folder, one folder a module, named after a hash of what was pinned:
// changing one pin rebuilds that program only, and an interrupted build goes on where it stopped.
package tools

import (
	"context"
	"crypto/sha256"
	"encoding/json"
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
type tool struct{ module, pkg, name string }

// all lists the heaviest first, so that a broken network shows where it costs most.
func all() []tool {
	return []tool{
		{"argocd", "github.com/argoproj/argo-cd/v2/cmd", "argocd"},
		{"kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver", "kube-apiserver"},
		{"kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager", "kube-controller-manager"},
		{"kubernetes", "k8s.io/kubernetes/cmd/kube-scheduler", "kube-scheduler"},
		{"helm", "helm.sh/helm/v3/cmd/helm", "helm"},
		{"kwok", "sigs.k8s.io/kwok/cmd/kwok", "kwok"},
		{"etcd", "go.etcd.io/etcd/server/v3", "etcd"},
	}
}

// buildFlags are part of the cache key. The symbol tables are left out: the range never looks into its peers.
func buildFlags() []string {
	return []string{"-mod=readonly", "-trimpath", "-ldflags=-s -w"}
}

// Build makes sure that every program is in the cache, building what is missing (about 15 minutes on two cores the
// first time, under a second later), and writes one line a program to out.
func Build(ctx context.Context, out io.Writer) (Programs, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("finding the cache folder: %w", err)
	}
	return build(ctx, all(), filepath.Join(root, "tools"), filepath.Join(cache, "promoter-e2e"), out)
}

// Find returns the programs that Build left, or an error that wraps ErrNotBuilt and names the first missing one.
func Find(ctx context.Context) (Programs, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("finding the cache folder: %w", err)
	}
	places, err := locate(ctx, all(), filepath.Join(root, "tools"), filepath.Join(cache, "promoter-e2e"))
	if err != nil {
		return nil, err
	}
	for name, path := range places {
		if !exists(path) {
			return nil, fmt.Errorf("%s: %w (run `go run ./cmd/build-tools` in the e2e folder)", name, ErrNotBuilt)
		}
	}
	return places, nil
}

// ArgoCDManifests returns the folder of the pinned Argo CD's own installation manifests in the module cache.
func ArgoCDManifests(ctx context.Context) (string, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return "", err
	}
	out, err := goCommand(ctx, filepath.Join(root, "tools", "argocd"), "mod", "download", "-json", "github.com/argoproj/argo-cd/v2")
	if err != nil {
		return "", fmt.Errorf("finding the Argo CD manifests: %w", err)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		return "", fmt.Errorf("finding the Argo CD manifests: %w", err)
	}
	return filepath.Join(module.Dir, "manifests"), nil
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
	if _, err := goCommand(ctx, module, append(args, "-o", part, t.pkg)...); err != nil {
		return err
	}
	return os.Rename(part, path)
}

// locate computes where each program is or will be, without looking whether it is there.
func locate(ctx context.Context, tools []tool, modules, cache string) (Programs, error) {
	toolchain, err := goCommand(ctx, modules, "env", "GOVERSION", "GOOS", "GOARCH")
	if err != nil {
		return nil, fmt.Errorf("asking which Go this is: %w", err)
	}
	places := make(Programs, len(tools))
	for _, t := range tools {
		hash := sha256.New()
		fmt.Fprintf(hash, "%s%q", toolchain, buildFlags())
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

// goCommand runs the go command in dir. Without cgo the result depends on no C compiler; a workspace file of the
// developer's would change what is pinned.
func goCommand(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
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
