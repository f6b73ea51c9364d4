package commands

import (
	"context"

	"github.com/synestra/promoter/internal/release"
)

// promote is /promote <app>: dev's tag goes to prod.
func (d *Desk) promote(ctx context.Context, r release.Request) (release.Answer, error) {
	typed, no := parse(r.Text, force)
	if no != nil {
		return release.Answer{}, no
	}
	if typed.App == "" {
		return d.offer(ctx, r.By)
	}

	// Who may?
	app, err := d.known(ctx, r.Command, typed)
	if err != nil {
		return release.Answer{}, err
	}
	r.By, err = d.allowed(ctx, r.By, release.Right{Command: r.Command, App: app, Environment: d.Environments.Prod.Name, Force: typed.Force})
	if err != nil {
		return release.Answer{}, err
	}

	// What is there?
	state, err := d.state(ctx, app)
	if err != nil {
		return release.Answer{}, err
	}

	// Decide.
	if err := d.Operations.free(ctx, app, d.Environments.Prod.Name); err != nil {
		return release.Answer{}, err
	}
	plan, no := release.Promote(state, typed.Force)
	if no != nil {
		return release.Answer{}, no
	}

	// Remember, write, follow, tell.
	return d.Operations.Start(ctx, d.operation(release.KindPromote, r, state, plan))
}
