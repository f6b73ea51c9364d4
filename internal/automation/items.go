package automation

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// extras are what a notice says besides, and what takes time to find out. An
// update is told without them if need be, and they are added by an edit.
type extras struct {
	update    string
	changelog *release.Changelog
	hosts     []string
	ready     bool
}

// lookUp finds out, beside the rollout, what its notice will say besides.
func (w *watcher) lookUp(ctx context.Context, u release.Update) {
	if _, begun := w.extras[u.ID]; begun {
		return
	}
	w.extras[u.ID] = extras{update: u.ID}
	from := w.ledger.Told.Content.Tag
	w.work.Go(func() {
		asked, stop := context.WithTimeout(ctx, 30*time.Second)
		defer stop()
		x := extras{update: u.ID, ready: true}
		var err error
		if x.hosts, err = w.Repository.Hosts(asked, w.app, w.env.Name); err != nil {
			w.log.WarnContext(ctx, "reading where the app is to be seen", "err", err)
		}
		if from != u.To.Tag {
			x.changelog = w.Changelogs.Changelog(asked, w.app, from, u.To.Tag)
		}
		select {
		case w.found <- x:
		case <-ctx.Done():
		}
	})
}

// extend keeps what was found out, and adds it to a notice that is out.
func (w *watcher) extend(ctx context.Context, x extras) {
	if _, wanted := w.extras[x.update]; wanted {
		w.extras[x.update] = x
	}
	if x.changelog == nil && len(x.hosts) == 0 {
		return
	}
	w.amend(ctx, x.update, func(item *release.Item) bool {
		if item.Changelog != nil || item.Hosts != nil {
			return false
		}
		item.Changelog, item.Hosts = x.changelog, x.hosts
		return true
	})
}

// amend changes what notices say of an update that was told. That this is not
// possible now is no reason to tell it again.
func (w *watcher) amend(ctx context.Context, update string, change func(*release.Item) bool) {
	for _, channel := range w.channels() {
		if err := w.outbox.amend(ctx, update, channel, change); err != nil && ctx.Err() == nil {
			w.log.WarnContext(ctx, "adding to a notice", "update", update, "channel", channel, "err", err)
		}
	}
}

// channels are all that hear of this app's environment at all.
func (w *watcher) channels() []string {
	var all []string
	for _, kind := range release.NoticeKinds() {
		for _, channel := range Routes(w.Settings.Routes, w.app, w.env.Name, kind) {
			if !slices.Contains(all, channel) {
				all = append(all, channel)
			}
		}
	}
	return all
}

// items are what the channels are told. A channel in which an operation's own
// message tells the same is left out.
func (w *watcher) items(ctx context.Context, l release.Ledger, told []release.Telling) []addressed {
	var list []addressed
	for _, t := range told {
		item, kind := w.item(l, t), t.Kind
		op, ours := w.operation(ctx, t.Update)
		if ours && op.Kind == release.KindPromote { // which holds nothing
			item.Held = ""
		}
		if w.longAway && t.Update.Late {
			kind = release.NoticeSummary
		}
		for _, channel := range Routes(w.Settings.Routes, w.app, w.env.Name, kind) {
			if t.Recovered > 0 || !(ours && w.tells(op, t.Update, channel)) {
				list = append(list, addressed{channel, item, kind})
			}
		}
	}
	return list
}

// tells says that the message of the operation that brought an update stands, or
// will stand, in that channel.
func (w *watcher) tells(op release.Operation, u release.Update, channel string) bool {
	if op.Progress.Stage.Ended() && op.Progress.Stage != release.StageHealthy && u.Outcome == release.StageHealthy {
		return false // its message says that it failed, and is not edited any more
	}
	if op.Message.Channel != "" {
		return op.Message.Channel == channel
	}
	return release.Target(op, w.Settings.Channel) == channel
}

// operation is the operation of ours that wrote what the update deploys. One that
// we do not know is somebody else's.
func (w *watcher) operation(ctx context.Context, u release.Update) (release.Operation, bool) {
	if u.How != release.HowCommit || u.Edit == nil || u.Edit.Trailers["Operation-Id"] == "" {
		return release.Operation{}, false
	}
	op, found, err := w.Store.Operation(ctx, u.Edit.Trailers["Operation-Id"])
	if err != nil {
		w.log.WarnContext(ctx, "looking for an update's operation", "update", u.ID, "err", err)
		return release.Operation{}, false
	}
	return op, found && op.Made(*u.Edit)
}

// promoted says that the update is a promotion of ours: somebody wanted it, so
// automation is not held, even where prod had the release before.
func (w *watcher) promoted(ctx context.Context, u release.Update) bool {
	op, ours := w.operation(ctx, u)
	return ours && op.Kind == release.KindPromote
}

// item is the update in the words of a notice.
func (w *watcher) item(l release.Ledger, t release.Telling) release.Item {
	u := t.Update
	item := release.Item{
		Update: u.ID, Kind: t.Kind, App: w.app, Environment: w.env.Name, Application: l.Application, How: u.How,
		From: t.From.Content.Tag, To: u.To.Tag, Base: t.From.Revision, Commit: u.Commit, By: u.By, At: u.Progress.Since,
		Took: t.Took, Stage: u.Progress.Stage, Note: u.Progress.Note, Cause: u.Progress.Cause, Recovered: t.Recovered,
		Over: t.Over, Skipped: u.Skipped, Changelog: w.extras[u.ID].changelog, Hosts: w.extras[u.ID].hosts,
	}
	if u.MayGoBack() {
		item.Held = w.reason(u)
	}
	if e := cmp.Or(u.Edit, u.Chart); e != nil {
		item.Commit, item.Subject, item.Operation = e.Revision, e.Subject, e.Trailers["Operation-Id"]
		for _, a := range e.Authors {
			item.Authors = append(item.Authors, a.Name)
		}
	}
	if t.Warning != nil { // what runs, against what Git says
		item.From, item.To, item.At = t.Warning.Git, t.Warning.Live, t.Warning.Since
		item.Took = time.Since(t.Warning.Since)
	}
	return item
}

// reason is why automation is held for the app, "" if it is not.
func (w *watcher) reason(u release.Update) string {
	if w.env.Name != w.Environments.Prod.Name {
		return ""
	}
	if u.Rewritten && !u.Rollback {
		return fmt.Sprintf("the branch was rewritten, and %s may have gone back to `%s`", w.env.Name, u.To.Tag)
	}
	return fmt.Sprintf("%s went back to `%s`", w.env.Name, u.To.Tag)
}

// by is who made an update, as far as is known.
func by(u release.Update) string {
	if u.By == "" && u.Edit != nil && len(u.Edit.Authors) > 0 {
		return u.Edit.Authors[0].Name
	}
	return u.By
}
