package commands

import (
	"context"
	"fmt"
	"time"

	"github.com/synestra/promoter/internal/release"
)

const (
	historyMost = 10  // entries shown
	recentMost  = 200 // operations looked through for them
)

// past is /release history <app>: what became of prod's releases.
func (d *Desk) past(ctx context.Context, r release.Request, typed words) (release.Answer, error) {
	if err := d.reads(ctx, r.By); err != nil {
		return release.Answer{}, err
	}
	if typed.App == "" {
		return release.Answer{}, release.Refuse(release.CodeNoApp, "Type the app's name, such as `/release history synestra-io`.", "Which app's history?")
	}
	app, err := d.known(ctx, r.Command, typed)
	if err != nil {
		return release.Answer{}, err
	}
	env := d.Environments.Prod
	prod, err := d.history(ctx, app, env)
	if err != nil {
		return release.Answer{}, err
	}
	ops, err := d.Records.Recent(ctx, app, recentMost)
	if err != nil {
		return release.Answer{}, err
	}
	ledger, _, err := d.Records.Ledger(ctx, app, env.Name)
	if err != nil {
		return release.Answer{}, err
	}
	ledger.Environment = env.Name // there may be none yet
	all := release.Entries(prod, ops, ledger)
	text := fmt.Sprintf("*%s* of `%s`, newest first:", env.Name, app)
	switch {
	case len(all) == 0:
		return release.Answer{Text: fmt.Sprintf("Nothing is known to have changed %s of `%s`.", env.Name, app)}, nil
	case len(all) > historyMost:
		text = fmt.Sprintf("*%s* of `%s`, the last %d changes, newest first:", env.Name, app, historyMost)
	case !prod.Whole:
		text += "\nOlder changes cannot be read."
	}
	table := &release.Table{Head: []string{"When (UTC)", "Release", "What", "By", "Outcome", "Took"}}
	for _, e := range all[:min(historyMost, len(all))] {
		table.Rows = append(table.Rows, entryRow(e))
	}
	return release.Answer{Text: text, Table: table}, nil
}

func entryRow(e release.Entry) []string {
	what, tags := e.What, string(e.From)+" → "+string(e.To)
	if what == "" {
		what = "commit"
	}
	switch {
	case e.From == e.To:
		tags = string(e.To) + ", other settings"
	case e.From == "":
		tags = string(e.To)
	}
	took := ""
	if e.Took > 0 {
		took = e.Took.Round(time.Second).String()
	}
	return []string{e.At.UTC().Format("2006-01-02 15:04"), tags, what, e.Who, outcome(e.Outcome), took}
}

// outcome is how an entry stands or ended, with a mark.
func outcome(s release.Stage) string {
	switch {
	case s == "":
		return "not recorded"
	case s == release.StageHealthy:
		return "✅ " + string(s)
	case s.Failed():
		return "❌ " + string(s)
	case s.Ended():
		return "⏭️ " + string(s)
	}
	return "⏳ " + string(s)
}
