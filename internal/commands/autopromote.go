package commands

import (
	"context"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// AutoPromote promotes what has been verified in dev, as an operation of the
// bot itself. For each edit of dev's layer there is at most one, which is
// returned where it has begun before. A [release.Refusal] says what is waited
// for, or why there is nothing to wait for.
func (d *Desk) AutoPromote(ctx context.Context, app release.App, ask release.AutoAsk) (release.Operation, error) {
	// What is there?
	state, dev, prod, err := d.lineage(ctx, app)
	if err != nil {
		return release.Operation{}, err
	}
	released, _ := dev.SetBy() // without one, Verified refuses
	delivery := "auto/" + string(app) + "/" + string(released.Revision)
	if op, begun, err := d.Operations.Store.OperationOf(ctx, delivery); err != nil || begun {
		return op, err
	}

	// Decide.
	if err := d.free(ctx, app); err != nil {
		return release.Operation{}, err
	}
	now, layer := time.Now(), state.Layers.Dev
	ask.Soak = ask.Soak.Observe(release.SoakSight{
		At: now, Git: release.Content{Tag: layer.Tag, Repository: layer.Repository()}, Dev: state.Dev,
	}, d.Operations.Rules)
	plan, no := release.Verified(state, dev, prod, ask, now)
	if no != nil {
		return release.Operation{}, no
	}

	// Remember, write, follow, tell.
	return d.begin(ctx, d.operation(release.KindPromote, release.Request{Delivery: delivery, By: ask.By(), At: now}, state, plan))
}
