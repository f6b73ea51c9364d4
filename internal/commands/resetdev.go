package commands

import (
	"context"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// How long a question may be answered. People decide within minutes, and what
// they were shown grows old.
const questionTime = 10 * time.Minute

// The buttons of a question.
const (
	clickConfirm = "confirm"
	clickCancel  = "cancel"
)

// resetDev is /reset-dev <app>: dev goes back to the baseline, equal to prod.
func (d *Desk) resetDev(ctx context.Context, r release.Request) (release.Answer, error) {
	if r.Click != "" {
		return d.answered(ctx, r)
	}
	typed, no := parse(r.Text)
	if no != nil {
		return release.Answer{}, no
	}
	if typed.App == "" {
		return release.Answer{}, release.Refuse(release.CodeNoApp, "Type the app's name, such as `/reset-dev synestra-io`.", "Which app's dev should be reset?")
	}
	app, err := d.known(ctx, r.Command, typed)
	if err != nil {
		return release.Answer{}, err
	}
	return d.reset(ctx, r, app, nil)
}

// reset decides and carries out. shown is the question that the person has
// answered, nil if none was asked.
func (d *Desk) reset(ctx context.Context, r release.Request, app release.App, shown *release.Question) (release.Answer, error) {
	dev := d.Environments.Dev.Name
	var err error
	r.By, err = d.allowed(ctx, r.By, release.Right{Command: r.Command, App: app, Environment: dev})
	if err != nil {
		return release.Answer{}, err
	}
	state, err := d.state(ctx, app)
	if err != nil {
		return release.Answer{}, err
	}
	if err := d.Operations.free(ctx, app, dev); err != nil {
		return release.Answer{}, err
	}
	plan, no := release.ResetDev(state)
	if no != nil {
		return release.Answer{}, no
	}
	blob := state.Layers.Dev.Blob
	if shown != nil && (shown.From != plan.From || shown.To != plan.To || shown.Blob != blob) {
		return release.Answer{}, release.Refuse(release.CodeExpired, "Ask again to see what there is now.",
			"Dev or prod of `%s` has changed since you were asked.", app)
	}
	if plan.Ask != "" && shown == nil {
		return d.ask(ctx, r, app, plan, blob)
	}
	return d.Operations.Start(ctx, d.operation(release.KindResetDev, r, state, plan))
}

// ask has the person confirm what cannot be undone.
func (d *Desk) ask(ctx context.Context, r release.Request, app release.App, plan release.Plan, blob string) (release.Answer, error) {
	q := release.Question{
		ID: d.NewID(), Command: r.Command, App: app, By: r.By.ID, From: plan.From, To: plan.To, Blob: blob,
		Asked: r.Channel, Expires: r.At.Add(questionTime).Unix(),
	}
	if err := d.Questions.Ask(ctx, q); err != nil {
		return release.Answer{}, err
	}
	return release.Answer{Text: plan.Ask, Choices: []release.Choice{
		{Click: r.Command + "." + clickConfirm, Subject: q.ID, Label: "Reset anyway", Danger: true, Confirm: "This discards the session."},
		{Click: r.Command + "." + clickCancel, Subject: q.ID, Label: "Cancel"},
	}}, nil
}

// answered is a click on a question's button.
func (d *Desk) answered(ctx context.Context, r release.Request) (release.Answer, error) {
	q, found, err := d.Questions.Take(ctx, r)
	if err != nil {
		return release.Answer{}, err
	}
	switch {
	case !found || r.At.Unix() > q.Expires || q.Command != r.Command:
		return release.Answer{}, release.Refuse(release.CodeExpired, "Type the command again.", "That question is no longer open. Nothing was changed.")
	case q.By != r.By.ID:
		return release.Answer{}, release.Refuse(release.CodeNoRight, "Type the command yourself.", "Only the person who was asked can answer that.")
	case r.Click != clickConfirm:
		return release.Answer{Text: "Cancelled. Nothing was changed."}, nil
	}
	r.Channel = q.Asked
	return d.reset(ctx, r, q.App, &q)
}
