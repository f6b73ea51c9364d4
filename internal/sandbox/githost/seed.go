package githost

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path"
)

// WebCore is the repository that Seed makes.
const WebCore = "web-core.git"

// The chart has names that begin with no dot or underscore, so no "all:" is needed.
//
//go:embed seed/charts
var charts embed.FS

// App is one app of the seed, with the tags of its two release layers.
type App struct{ Name, Dev, Prod string }

// Seed makes web-core.git: the chart, and each app's environment values and
// release layers, as one commit. It returns the commit's hash.
func (h *Host) Seed(ctx context.Context, apps ...App) (string, error) {
	files, err := chartFiles()
	if err != nil {
		return "", err
	}
	for _, a := range apps {
		files["deploy/env/dev/"+a.Name+".yaml"] = values(a.Name, "dev", "dev."+a.Name+".synestra.io", `["next", "dev", "--port", "3000"]`, "development")
		files["deploy/env/prod/"+a.Name+".yaml"] = values(a.Name, "prod", a.Name+".synestra.io", `["next", "start"]`, "production")
		files["deploy/env/release-dev/"+a.Name+".yaml"] = ReleaseLayer(a.Name, a.Dev)
		files["deploy/env/release-prod/"+a.Name+".yaml"] = ReleaseLayer(a.Name, a.Prod)
	}
	if err := h.Create(WebCore); err != nil {
		return "", err
	}
	return h.Commit(ctx, WebCore, "ci <ci@synestra.io>", "Seed web-core", files)
}

// ReleaseLayer is the content of a seeded release layer: what CI writes when it
// has built an image.
func ReleaseLayer(app, tag string) []byte {
	return fmt.Appendf(nil, `# Release layer: CI and promotion write image.tag here, nothing else.
image:
  repository: registry.synestra.io/web/%s   # shared by dev and prod
  tag: "%s" # managed
`, app, tag)
}

func values(app, environment, host, command, node string) []byte {
	return fmt.Appendf(nil, `# %[2]s environment of %[1]s
command: %[4]s
env:
  NODE_ENV: %[5]s
ingress:
  hosts:
    - %[3]s
resources:
  requests: {cpu: 100m, memory: 256Mi}
envFrom:
  secretRef: web-%[1]s-%[2]s-env
  extraSecretRefs:
    - web-%[1]s-%[2]s-s3-env
`, app, environment, host, command, node)
}

func chartFiles() (map[string][]byte, error) {
	files := map[string][]byte{}
	err := fs.WalkDir(charts, "seed/charts", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := charts.ReadFile(name)
		files[path.Join("deploy", name[len("seed/"):])] = content
		return err
	})
	return files, err
}
