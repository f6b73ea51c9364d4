package commands

import (
	"context"
	"fmt"
	"maps"

	"github.com/synestra/promoter/internal/release"
)

// status is /release status [app].
func (d *Desk) status(ctx context.Context, r release.Request, typed words) (release.Answer, error) {
	if err := d.reads(ctx, r.By); err != nil {
		return release.Answer{}, err
	}
	if typed.App != "" {
		app, err := d.known(ctx, r.Command, typed)
		if err != nil {
			return release.Answer{}, err
		}
		return d.statusOf(ctx, app)
	}
	all, err := d.overviews(ctx)
	if err != nil {
		return release.Answer{}, err
	}
	if len(all) == 0 {
		return release.Answer{Text: "There are no apps: the repository has no release layer."}, nil
	}
	text := "*How releases stand*, as Git and Argo CD last said. A live session shows only in `/release status <app>`."
	if err := d.Watch.Ready(); err != nil {
		d.Log.WarnContext(ctx, "answering without Argo CD", "err", err)
		text += "\n❔ Argo CD cannot be asked at the moment, so what runs is not known."
	}
	table := &release.Table{Head: []string{"App", d.Environments.Prod.Name, d.Environments.Dev.Name, "Pods", "State"}}
	for _, o := range all {
		table.Rows = append(table.Rows, row(o))
	}
	return release.Answer{Text: text, Table: table}, nil
}

// overviews are all apps from what is at hand, without a call for each.
func (d *Desk) overviews(ctx context.Context) ([]release.Overview, error) {
	prod, _, err := d.Survey.Contents(ctx, d.Environments.Prod.Name)
	if err != nil {
		return nil, d.unreachable(ctx, release.CodeGitUnreachable, "Git", err)
	}
	dev, _, err := d.Survey.Contents(ctx, d.Environments.Dev.Name)
	if err != nil {
		return nil, d.unreachable(ctx, release.CodeGitUnreachable, "Git", err)
	}
	holds, err := d.Records.Holds(ctx)
	if err != nil {
		return nil, err
	}
	unfinished, err := d.Operations.Store.Unfinished(ctx)
	if err != nil {
		return nil, err
	}
	held := map[release.App]bool{}
	for _, h := range holds {
		held[h.App] = true
	}
	seen := map[string]*release.Snapshot{}
	if d.Watch.Ready() == nil { // what is old is not known
		for _, s := range d.Watch.Known() {
			seen[s.Name] = &s
		}
	}
	names := maps.Clone(prod)
	maps.Copy(names, dev)
	var all []release.Overview
	for app := range names {
		o := release.Overview{
			App: app, Held: held[app],
			Prod: sight(app, d.Environments.Prod, prod, seen), Dev: sight(app, d.Environments.Dev, dev, seen),
		}
		for _, op := range unfinished {
			if op.App == app && !op.Progress.Stage.Ended() {
				o.Running = append(o.Running, op)
			}
		}
		all = append(all, o)
	}
	release.SortOverviews(all)
	return all, nil
}

func sight(app release.App, env release.Environment, all map[release.App]release.Content, seen map[string]*release.Snapshot) release.Sight {
	content, there := all[app]
	return release.Sight{Environment: env.Name, Missing: !there, Git: content, Snapshot: seen[env.ApplicationName(app)]}
}

// row is an app in the table.
func row(o release.Overview) []string {
	status, why := o.Status()
	state := map[release.Status]string{
		release.StatusBroken: "❌ broken", release.StatusUnknown: "❔ unknown", release.StatusMoving: "⏳ on its way",
		release.StatusAhead: "🔷 ahead", release.StatusHot: "🔥 hot", release.StatusInSync: "✅ in sync",
	}[status]
	if status == release.StatusAhead && (o.Prod.Missing || o.Dev.Missing) {
		state = "➖ one layer only"
	}
	if why != "" {
		state += ": " + why
	}
	if status != release.StatusHot && o.Hot() {
		state += " · 🔥 hot"
	}
	if o.Held {
		state += " · ✋ held"
	}
	pods := ""
	if ready, total := o.Pods(); total > 0 {
		pods = fmt.Sprintf("%d of %d", ready, total)
	}
	return []string{string(o.App), string(o.Prod.Git.Tag), string(o.Dev.Git.Tag), pods, state}
}

// both are the environments in the order in which people are told of them.
func (d *Desk) both() []release.Environment {
	return []release.Environment{d.Environments.Prod, d.Environments.Dev}
}
