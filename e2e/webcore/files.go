package webcore

import (
	"fmt"
	"strings"
	"text/template"
	"time"
)

// values is an environment's values file as the teams write it: what differs between dev and prod, never the tag.
const values = `# {{.Env}} environment of {{.App.Name}}
command: {{.Command}}
{{- with .App.Replicas}}
replicas: {{.}}
{{- end}}
{{- with .Deadline}}
progressDeadlineSeconds: {{.}}
{{- end}}
env:
  NODE_ENV: {{.NodeEnv}}
ingress:
  hosts:
    - {{.Host}}
resources:
  requests: {cpu: 100m, memory: 256Mi}
envFrom:
  secretRef: web-{{.App.Name}}-{{.Env}}-env
  extraSecretRefs:
    - web-{{.App.Name}}-{{.Env}}-s3-env
`

const layer = `# Release layer: CI and promotion write image.tag here, nothing else.
image:
  repository: registry.synestra.io/web/%s   # shared by dev and prod
  tag: "%s" # managed
`

// environment is what a values file is made from.
type environment struct {
	App                         App
	Env, Command, NodeEnv, Host string
	Deadline                    int // seconds
}

// appFiles renders the four files of an app by their paths.
func appFiles(app App) map[string][]byte {
	deadline := int(app.ProgressDeadline / time.Second)
	files := map[string][]byte{
		LayerPath("dev", app.Name):  layerFile(app.Name, app.DevTag),
		LayerPath("prod", app.Name): layerFile(app.Name, app.ProdTag),
	}
	for _, env := range []environment{
		{app, "dev", `["next", "dev", "--port", "3000"]`, "development", "dev." + app.Name + ".synestra.io", deadline},
		{app, "prod", `["next", "start"]`, "production", app.Name + ".synestra.io", deadline},
	} {
		var file strings.Builder
		if err := template.Must(template.New("values").Parse(values)).Execute(&file, env); err != nil {
			panic(err) // the template and its data are both in this file
		}
		files[ValuesPath(env.Env, app.Name)] = []byte(file.String())
	}
	return files
}

func layerFile(app, tag string) []byte {
	if tag == "" {
		tag = FirstTag
	}
	return fmt.Appendf(nil, layer, app, tag)
}
