package commands

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// statusOf is one app in detail.
func (d *Desk) statusOf(ctx context.Context, app release.App) (release.Answer, error) {
	state, err := d.state(ctx, app)
	if err != nil {
		return release.Answer{}, err
	}
	lines := []string{"*" + string(app) + "*"}
	for _, env := range d.both() {
		running, layer := state.Prod, state.Layers.Prod
		if env.Name == d.Environments.Dev.Name {
			running, layer = state.Dev, state.Layers.Dev
		}
		lines = append(lines, "*"+env.Name+"*: "+d.released(ctx, app, env, layer), "• "+runs(running, layer))
		if hot := strings.TrimSuffix(running.Hot(layer), "."); hot != "" && running.Problem == nil && running.Live.Problem == "" {
			lines = append(lines, "• 🔥 hot: "+hot)
		}
	}
	waits, link, err := d.waits(ctx, app, state.Layers.Dev.Tag)
	if err != nil {
		return release.Answer{}, err
	}
	return release.Answer{Text: strings.Join(append(lines, waits...), "\n"), Link: link}, nil
}

// released is the tag that Git has for an environment, since when, and by whom.
func (d *Desk) released(ctx context.Context, app release.App, env release.Environment, layer release.Layer) string {
	switch {
	case layer.Missing:
		return "there is no release layer, `" + release.Plain(layer.Path) + "` is missing"
	case layer.Flaw != nil:
		return "the tag in `" + release.Plain(layer.Path) + "` cannot be read: " + release.Plain(layer.Flaw.Reason)
	}
	tag := "`" + release.Plain(string(layer.Tag)) + "` in Git"
	h, err := d.Histories.History(ctx, app, env.Name, "", 0)
	if err != nil {
		d.Log.WarnContext(ctx, "reading the history of a layer", "app", app, "environment", env.Name, "err", err)
		return tag + ", since when is not known"
	}
	set, found := h.SetBy()
	if !found || h.Now.Tag != layer.Tag {
		return tag + ", since when is not known"
	}
	return tag + " since " + clock(set.At) + " by `" + cmp.Or(release.Plain(set.Who()), "unknown") + "`"
}

// clock is a time for people. Who reads it may be anywhere.
func clock(t time.Time) string { return t.UTC().Format("2 Jan 15:04 UTC") }

// runs is what Argo CD and the cluster say of an environment.
func runs(r release.Running, layer release.Layer) string {
	if r.Problem != nil {
		return "❔ unknown: " + r.Problem.Say
	}
	s := r.Snapshot
	text := "`" + r.Snapshot.Name + "`: " + cmp.Or(release.Plain(s.Sync), "Unknown") + ", " + cmp.Or(release.Plain(s.Health), "Unknown")
	if s.Busy() {
		text += ", a sync is running"
	}
	if r.Live.Problem != "" {
		return text + "; ❔ what runs is unknown: " + release.Plain(r.Live.Problem)
	}
	workloads := r.Live.App(layer.Repository(), layer.Tag)
	if layer.Tag == "" || len(workloads) == 0 {
		return text + "; ❔ its pods are not known"
	}
	ready, total := release.Pods(workloads, layer.Repository(), layer.Tag)
	elsewhere := ""
	for _, w := range workloads {
		if !w.Runs(layer.Repository(), layer.Tag) {
			elsewhere = fmt.Sprintf("; %s `%s` does not run `%s`", release.Plain(w.Kind), release.Plain(w.Name), release.Plain(string(layer.Tag)))
		}
	}
	return text + fmt.Sprintf(", %d of %d pods ready", ready, total) + elsewhere
}

// underWay is an operation that has not ended.
func underWay(op release.Operation) string {
	text := fmt.Sprintf("⏳ %s `%s` → `%s` by `%s`: %s", op.Kind, release.Plain(string(op.From)), release.Plain(string(op.To)),
		release.Plain(op.By.Name), op.Progress.Stage)
	if op.Progress.Total > 0 {
		text += fmt.Sprintf(", %d of %d pods ready", op.Progress.Ready, op.Progress.Total)
	}
	return text
}

// onHold says that automation leaves the app alone.
func onHold(h release.Hold) string {
	text := "✋ Automation is held since " + clock(h.Since) + ": " + strings.TrimSuffix(h.Reason, ".")
	if by := release.Plain(h.By); by != "" {
		text += ", by `" + by + "`"
	}
	return text + "."
}
