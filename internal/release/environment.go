package release

import "strings"

// Environment is one place an app runs in. Layer, Values and Application are
// templates in which "{app}" stands for the app.
type Environment struct {
	Name        string // "dev" or "prod"
	Layer       string // path of the release layer, the only file the bot writes
	Values      string // path of the environment values, read only
	Application string // name of the Argo CD Application
	Confirm     bool   // ask before acting, even on a typed command
}

// LayerPath is the path of the app's release layer in the repository.
func (e Environment) LayerPath(a App) string { return fill(e.Layer, a) }

// ValuesPath is the path of the app's environment values in the repository.
func (e Environment) ValuesPath(a App) string { return fill(e.Values, a) }

// ApplicationName is the name of the app's Argo CD Application.
func (e Environment) ApplicationName(a App) string { return fill(e.Application, a) }

func fill(template string, a App) string { return strings.ReplaceAll(template, "{app}", string(a)) }

// Environments are the two of a release flow: releases go from Dev to Prod.
type Environments struct{ Dev, Prod Environment }

// Named is the environment of that name; false if there is none.
func (e Environments) Named(name string) (Environment, bool) {
	for _, env := range []Environment{e.Dev, e.Prod} {
		if env.Name == name {
			return env, true
		}
	}
	return Environment{}, false
}
