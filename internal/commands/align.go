package commands

import (
	"context"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// Align makes dev follow an update of prod, as an operation of the bot itself.
// For each update and tag there is at most one, which is returned where it has
// begun before. A [release.Refusal] is what came of it instead; whether to ask
// again, its code says.
func (d *Desk) Align(ctx context.Context, app release.App, update string, ask release.AlignAsk) (release.Operation, error) {
	delivery := "align/" + update + "/" + string(ask.To)
	if op, begun, err := d.Operations.Store.OperationOf(ctx, delivery); err != nil || begun {
		return op, err
	}

	// What is there?
	state, dev, prod, err := d.lineage(ctx, app)
	if err != nil {
		return release.Operation{}, err
	}

	// Decide.
	if err := d.free(ctx, app); err != nil {
		return release.Operation{}, err
	}
	plan, no := release.Align(state, dev, prod, ask)
	if no != nil {
		return release.Operation{}, no
	}

	// Remember, write, follow, tell.
	by := release.Person{Name: "alignment"}
	return d.begin(ctx, d.operation(release.KindAlign, release.Request{Delivery: delivery, By: by, At: time.Now()}, state, plan))
}

// lineage reads all that automation decides on.
func (d *Desk) lineage(ctx context.Context, app release.App) (s release.State, dev, prod release.History, err error) {
	if s, err = d.state(ctx, app); err != nil {
		return s, dev, prod, err
	}
	if dev, err = d.history(ctx, app, d.Environments.Dev); err != nil {
		return s, dev, prod, err
	}
	prod, err = d.history(ctx, app, d.Environments.Prod)
	return s, dev, prod, err
}

func (d *Desk) history(ctx context.Context, app release.App, env release.Environment) (release.History, error) {
	h, err := d.Histories.History(ctx, app, env.Name, "", 0)
	if err != nil {
		return h, d.unreachable(ctx, release.CodeGitUnreachable, "Git", err)
	}
	return h, nil
}

// free refuses while any operation changes the app, in dev or in prod.
func (d *Desk) free(ctx context.Context, app release.App) error {
	for _, env := range []release.Environment{d.Environments.Dev, d.Environments.Prod} {
		if err := d.Operations.free(ctx, app, env.Name); err != nil {
			return err
		}
	}
	return nil
}

// begin carries an operation out that nobody waits for.
func (d *Desk) begin(ctx context.Context, op release.Operation) (release.Operation, error) {
	if _, err := d.Operations.Start(ctx, op); err != nil {
		return release.Operation{}, err
	}
	// It may be another's, which began it at the same time.
	begun, _, err := d.Operations.Store.OperationOf(ctx, op.Delivery)
	return begun, err
}
