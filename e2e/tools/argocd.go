package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
)

// ArgoCD is a line of Argo CD releases, of which the range can run one: "2.14" or "3.6".
type ArgoCD string

// The lines. The pins say which release of each it is.
const (
	ArgoCD2 ArgoCD = "2.14"
	ArgoCD3 ArgoCD = "3.6"
)

// VersionVariable names the environment variable that chooses the Argo CD of the range.
const VersionVariable = "E2E_ARGOCD"

// ArgoCDVersion is the Argo CD that the environment chooses, 2.14 if it chooses none.
func ArgoCDVersion() (ArgoCD, error) {
	version := ArgoCD(os.Getenv(VersionVariable))
	if version == "" {
		return ArgoCD2, nil
	}
	if _, err := version.tool(); err != nil {
		return "", fmt.Errorf("%s: %w", VersionVariable, err)
	}
	return version, nil
}

// tool pins the version: its module has all of Argo CD's programs in one.
func (v ArgoCD) tool() (tool, error) {
	switch v {
	case ArgoCD2:
		return tool{module: "argocd", pkg: "github.com/argoproj/argo-cd/v2/cmd", name: "argocd"}, nil
	case ArgoCD3:
		return tool{module: "argocd-3.6", pkg: "github.com/argoproj/argo-cd/v3/cmd", name: "argocd", toolchain: "go1.27.3"}, nil
	}
	return tool{}, fmt.Errorf("no Argo CD %q here: use %s or %s", string(v), ArgoCD2, ArgoCD3)
}

// Source returns the folder of the pinned release's source in the module cache: its installation manifests and its
// catalog of notifications are there.
func (v ArgoCD) Source(ctx context.Context) (string, error) {
	t, err := v.tool()
	if err != nil {
		return "", err
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return "", err
	}
	out, err := goCommandOf(ctx, t.toolchain, filepath.Join(root, "tools", t.module), "mod", "download", "-json", path.Dir(t.pkg))
	if err != nil {
		return "", fmt.Errorf("finding the source of Argo CD %s: %w", v, err)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		return "", fmt.Errorf("finding the source of Argo CD %s: %w", v, err)
	}
	return module.Dir, nil
}
