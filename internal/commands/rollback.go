package commands

import (
	"context"
	"fmt"

	"github.com/synestra/promoter/internal/release"
)

// rollbackMost is how many earlier releases are offered.
const rollbackMost = 10

// rollback is /rollback <app> [tag]: prod goes back to a release that it had.
func (d *Desk) rollback(ctx context.Context, r release.Request) (release.Answer, error) {
	typed, no := parse(r.Text, tag)
	if no != nil {
		return release.Answer{}, no
	}
	if typed.App == "" {
		return release.Answer{}, release.Refuse(release.CodeNoApp,
			"`/rollback synestra-io` takes prod back to the release before, `/rollback synestra-io sha-1a2b3c` to that one. `/release history synestra-io` lists what prod had.",
			"Which app should be rolled back?")
	}
	if _, err := release.ParseTag(typed.Tag); typed.Tag != "" && err != nil {
		return release.Answer{}, release.Refuse(release.CodeBadName, "`/release history "+shorten(typed.App)+"` lists the tags that prod had.", "`%s` is no tag.", shorten(typed.Tag))
	}

	// Who may?
	app, err := d.known(ctx, r.Command, typed)
	if err != nil {
		return release.Answer{}, err
	}
	r.By, err = d.allowed(ctx, r.By, release.Right{Command: r.Command, App: app, Environment: d.Environments.Prod.Name})
	if err != nil {
		return release.Answer{}, err
	}

	// What is there?
	state, err := d.state(ctx, app)
	if err != nil {
		return release.Answer{}, err
	}
	prod, err := d.history(ctx, app, d.Environments.Prod)
	if err != nil {
		return release.Answer{}, err
	}

	// Decide.
	if err := d.mayGoBack(ctx, app, typed); err != nil {
		return release.Answer{}, err
	}
	plan, no := release.GoBack(state, prod, release.Tag(typed.Tag))
	if no != nil {
		if no.Code == release.CodeNoPrevious || no.Code == release.CodeNeverThere {
			for _, tag := range prod.Earlier(rollbackMost) {
				no.Choices = append(no.Choices, run(r.Command, fmt.Sprintf("%s %s", app, tag)))
			}
		}
		return release.Answer{}, no
	}

	// Remember, write, follow, tell. Automation sees by itself that prod goes
	// back, and puts its hold on.
	return d.Operations.Start(ctx, d.operation(release.KindRollback, r, state, plan))
}

// mayGoBack refuses while the app's prod is being written, and, where no tag is
// named, while it goes back already: typed twice, it must not go back twice.
func (d *Desk) mayGoBack(ctx context.Context, app release.App, typed words) error {
	current, found, err := d.Operations.Store.Current(ctx, app, d.Environments.Prod.Name)
	if err != nil {
		return err
	}
	if !found {
		return nil
	}
	if current.Kind == release.KindRollback && typed.Tag == "" {
		no := inProgress(current)
		no.Do = fmt.Sprintf("To go back further, name the tag: `/rollback %s <tag>`.", app)
		return no
	}
	if !current.Yields(release.KindRollback) {
		return inProgress(current)
	}
	return nil
}
