package commands

import (
	"context"
	"fmt"
	"strings"

	"github.com/synestra/promoter/internal/release"
)

// resume is /release resume <app>: automation may touch the app again.
func (d *Desk) resume(ctx context.Context, r release.Request, typed words) (release.Answer, error) {
	if typed.App == "" {
		return release.Answer{}, release.Refuse(release.CodeNoApp, "Type the app's name, such as `/release resume synestra-io`.", "Which app's hold should be lifted?")
	}
	app, err := d.known(ctx, r.Command, typed)
	if err != nil {
		return release.Answer{}, err
	}
	who, err := d.allowed(ctx, r.By, release.Right{Command: release.CommandResume, App: app, Environment: d.Environments.Prod.Name})
	if err != nil {
		return release.Answer{}, err
	}
	hold, lifted, err := d.Records.Lift(ctx, app, r.Delivery)
	if err != nil {
		return release.Answer{}, err
	}
	if !lifted {
		return release.Answer{}, release.Refuse(release.CodeNotHeld, "There is nothing to resume.", "Automation is not held for `%s`.", app)
	}
	d.Log.InfoContext(ctx, "hold lifted", "app", app, "by", who.ID, "reason", hold.Reason)
	return release.Answer{Public: true, Text: fmt.Sprintf("▶️ `%s` has lifted the hold on automation of `%s`. It was held since %s: %s.",
		release.Plain(who.Name), app, clock(hold.Since), strings.TrimSuffix(hold.Reason, "."))}, nil
}
