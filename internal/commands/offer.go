package commands

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/synestra/promoter/internal/release"
)

// How many apps are looked into for an offer, and how many at once.
const (
	offerMost     = 20
	offerParallel = 4
)

// offer is /promote alone: what could be promoted now, and how.
func (d *Desk) offer(ctx context.Context, by release.Person) (release.Answer, error) {
	if err := d.reads(ctx, by); err != nil {
		return release.Answer{}, err
	}
	apps, _, err := d.Repository.Apps(ctx)
	if err != nil {
		return release.Answer{}, d.unreachable(ctx, release.CodeGitUnreachable, "Git", err)
	}
	var ahead []release.App
	for _, p := range apps {
		if !p.Dev || !p.Prod {
			continue
		}
		l, err := d.Repository.Layers(ctx, p.App)
		if err != nil {
			return release.Answer{}, d.unreachable(ctx, release.CodeGitUnreachable, "Git", err)
		}
		if l.Dev.Flaw == nil && l.Prod.Flaw == nil && l.Dev.Tag != l.Prod.Tag {
			ahead = append(ahead, p.App)
		}
	}
	if len(ahead) == 0 {
		return release.Answer{Text: "Nothing to promote: in every app, prod has dev's tag."}, nil
	}
	shown := ahead[:min(offerMost, len(ahead))]
	lines, ready := make([]string, len(shown)), make([]bool, len(shown))
	places := make(chan struct{}, offerParallel)
	var looking sync.WaitGroup
	for i, app := range shown {
		looking.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			lines[i], ready[i] = d.offerLine(ctx, app)
		})
	}
	looking.Wait()
	text := "*Dev is ahead of prod:*\n" + strings.Join(lines, "\n")
	if more := len(ahead) - len(shown); more > 0 {
		text += fmt.Sprintf("\nand %d more", more)
	}
	if i := slices.Index(ready, true); i >= 0 {
		text += fmt.Sprintf("\nTo promote one, type its name: `/promote %s`.", shown[i])
	}
	return release.Answer{Text: text}, nil
}

// offerLine is one app of the offer, and whether it can be promoted now.
func (d *Desk) offerLine(ctx context.Context, app release.App) (string, bool) {
	state, err := d.state(ctx, app)
	if err != nil {
		return fmt.Sprintf("• `%s`: cannot be read at the moment", app), false
	}
	l := state.Layers
	line := fmt.Sprintf("• `%s`: `%s` → `%s`", app, release.Plain(string(l.Prod.Tag)), release.Plain(string(l.Dev.Tag)))
	if _, no := release.Promote(state, false); no != nil {
		return line + " — not now: " + no.Say, false
	}
	return line + " — verified in dev", true
}
