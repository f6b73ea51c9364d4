package commands

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/synestra/promoter/internal/release"
)

// why is /release why <app>: what /promote would decide now, and what waits.
func (d *Desk) why(ctx context.Context, r release.Request, typed words) (release.Answer, error) {
	if err := d.reads(ctx, r.By); err != nil {
		return release.Answer{}, err
	}
	if typed.App == "" {
		return release.Answer{}, release.Refuse(release.CodeNoApp, "Type the app's name, such as `/release why synestra-io`.", "Which app should be explained?")
	}
	app, err := d.known(ctx, r.Command, typed)
	if err != nil {
		return release.Answer{}, err
	}
	state, err := d.state(ctx, app)
	if err != nil {
		return release.Answer{}, err
	}
	verdict, err := d.verdict(ctx, app, state)
	if err != nil {
		return release.Answer{}, err
	}
	waits, link, err := d.waits(ctx, app, state.Layers.Dev.Tag)
	if err != nil {
		return release.Answer{}, err
	}
	lines := []string{"*" + string(app) + "*", verdict}
	var no *release.Refusal
	if _, err := d.allowed(ctx, r.By, release.Right{Command: "promote", App: app, Environment: d.Environments.Prod.Name}); errors.As(err, &no) {
		lines = append(lines, "🔒 Of you it would be refused: "+because(no))
	}
	lines = append(lines, waits...)
	return release.Answer{Text: strings.Join(lines, "\n"), Link: link}, nil
}

// verdict is what /promote would do now, by the same decisions.
func (d *Desk) verdict(ctx context.Context, app release.App, state release.State) (string, error) {
	var no *release.Refusal
	if err := d.Operations.free(ctx, app, d.Environments.Prod.Name); err != nil && !errors.As(err, &no) {
		return "", err
	}
	plan := release.Plan{}
	if no == nil {
		plan, no = release.Promote(state, false)
	}
	if no != nil {
		return fmt.Sprintf("`/promote %s` now would be refused: %s", app, because(no)), nil
	}
	text := fmt.Sprintf("✅ `/promote %s` now would take %s from `%s` to `%s`.", app, plan.Environment.Name, release.Plain(string(plan.From)), release.Plain(string(plan.To)))
	for _, n := range plan.Notes {
		text += "\n• " + n
	}
	return text, nil
}

// because is a refusal with its reason code.
func because(no *release.Refusal) string {
	return strings.TrimSpace(fmt.Sprintf("%s (`%s`) %s", no.Say, no.Code, no.Do))
}

// waits are what is going on with the app, with the message that tells of it,
// and what automation waits for.
func (d *Desk) waits(ctx context.Context, app release.App, verified release.Tag) (lines []string, link release.Place, err error) {
	for _, env := range d.both() {
		op, found, err := d.Operations.Store.Current(ctx, app, env.Name)
		if err != nil {
			return nil, link, err
		}
		if found {
			lines = append(lines, env.Name+": "+underWay(op))
			if link == (release.Place{}) { // prod's comes first
				link = op.Message
			}
		}
	}
	hold, held, err := d.Records.Hold(ctx, app)
	if err != nil {
		return nil, link, err
	}
	if held {
		lines = append(lines, onHold(hold))
	}
	dev, _, err := d.Records.Ledger(ctx, app, d.Environments.Dev.Name)
	if err != nil {
		return nil, link, err
	}
	lines = append(lines, d.byItself(app, dev, verified)...)
	prod, _, err := d.Records.Ledger(ctx, app, d.Environments.Prod.Name)
	if err != nil {
		return nil, link, err
	}
	if a := prod.Alignment; a != nil {
		line := fmt.Sprintf("Alignment: %s is to follow to `%s`", d.Environments.Dev.Name, release.Plain(string(a.To)))
		if a.Wait != "" {
			line += "; " + strings.TrimSuffix(a.Wait, ".")
		}
		lines = append(lines, line+".")
	}
	return lines, link, nil
}

// byItself is how promotion by itself stands.
func (d *Desk) byItself(app release.App, dev release.Ledger, tag release.Tag) []string {
	needed, wanted := d.Soak(app)
	if !wanted {
		return []string{"No rule promotes it by itself."}
	}
	var lines []string
	switch soak := dev.Soak; {
	case soak == nil || soak.Tag != tag:
		lines = append(lines, fmt.Sprintf("Auto-promotion: `%s` has not been seen in %s yet; it is to be seen well for %s.",
			release.Plain(string(tag)), d.Environments.Dev.Name, release.Span(needed)))
	default:
		lines = append(lines, fmt.Sprintf("Auto-promotion: `%s` has been seen well in %s for %s of %s, counted since %s, when %s.",
			release.Plain(string(tag)), d.Environments.Dev.Name, release.Span(min(soak.Counted, needed)), release.Span(needed), clock(soak.Since), strings.TrimSuffix(soak.Why, ".")))
	}
	if dev.Waits != nil && dev.Soak != nil && dev.Soak.Left(tag, needed) == 0 {
		lines = append(lines, "Auto-promotion waits: "+because(dev.Waits))
	}
	return lines
}
