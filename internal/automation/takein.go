package automation

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// takeIn is the ledger with everything in it that the snapshot and Git show.
func (w *watcher) takeIn(ctx context.Context, moved bool) (release.Ledger, []release.Telling, error) {
	s, l := w.snapshot, w.ledger
	follows := s.Follows(w.URL, w.Branch)
	if s.Deleted || len(follows) == 0 {
		return l, nil, nil // it does not deploy our repository: nothing can be said of it
	}
	source := follows[0]
	if !w.exists {
		var err error
		if l, err = w.adopt(ctx, s, source); err != nil {
			return l, nil, err
		}
		moved = true
	}
	if l.UID != s.UID { // made anew: its history begins again
		l = l.Remade(s.UID)
	}
	syncs := l.NewSyncs(s, source)
	var err error
	for i := range syncs {
		// Of a revision that Git had not heard of, this brings the branch up to date.
		if syncs[i].Content, err = w.Repository.Content(ctx, w.app, w.env.Name, syncs[i].Revision); err != nil {
			return l, nil, err
		}
	}
	if moved || w.first || len(syncs) > 0 {
		if l, err = w.takeEdits(ctx, l); err != nil {
			return l, nil, err
		}
	}
	for _, d := range syncs {
		if l, err = w.takeSync(ctx, l, d, source); err != nil {
			return l, nil, err
		}
	}
	return w.takeLive(ctx, l)
}

// adopt begins the ledger. What there is when the bot first looks is no news;
// what an app begins with that comes later is.
func (w *watcher) adopt(ctx context.Context, s release.Snapshot, source int) (release.Ledger, error) {
	h, err := w.Repository.History(ctx, w.app, w.env.Name, w.before, 0)
	if err != nil {
		return w.ledger, err
	}
	if w.before != "" && h.Whole && len(h.Edits) > 0 && h.Edits[len(h.Edits)-1].Before.Tag == "" {
		l := release.Adopt(w.app, w.env, s, w.before, release.Content{}, release.Deployed{HistoryID: -1}, time.Now().UTC())
		return l, nil
	}
	deployed := release.Deployed{HistoryID: -1}
	if syncs := (release.Ledger{Deployed: deployed}).NewSyncs(s, source); len(syncs) > 0 {
		deployed = syncs[len(syncs)-1]
		if deployed.Content, err = w.Repository.Content(ctx, w.app, w.env.Name, deployed.Revision); err != nil {
			return w.ledger, err
		}
	}
	if tag := deployed.Content.Tag; tag != "" && tag != h.Now.Tag {
		// What waits to be deployed is news once it is, and whose it is, its commit says.
		waits, err := w.Repository.History(ctx, w.app, w.env.Name, deployed.Revision, 0)
		if err != nil {
			return w.ledger, err
		}
		if waits.Whole {
			return release.Adopt(w.app, w.env, s, deployed.Revision, deployed.Content, deployed, time.Now().UTC()), nil
		}
	}
	return release.Adopt(w.app, w.env, s, h.Tip, h.Now, deployed, time.Now().UTC()), nil
}

func (w *watcher) takeEdits(ctx context.Context, l release.Ledger) (release.Ledger, error) {
	h, err := w.Repository.History(ctx, w.app, w.env.Name, l.Cursor, 0)
	if err != nil {
		return l, err
	}
	return w.recognise(ctx, l.TakeEdits(h, w.first && w.known, time.Now().UTC()), l.Open)
}

// recognise marks the updates that were not open before, and that go back to
// what the environment ran before.
func (w *watcher) recognise(ctx context.Context, l release.Ledger, before []release.Update) (release.Ledger, error) {
	old := func(u release.Update) bool {
		return slices.ContainsFunc(before, func(o release.Update) bool { return o.ID == u.ID })
	}
	if !slices.ContainsFunc(l.Open, func(u release.Update) bool { return !old(u) }) {
		return l, nil
	}
	all, err := w.Repository.History(ctx, w.app, w.env.Name, "", 0)
	if err != nil {
		return l, err
	}
	l.Open = slices.Clone(l.Open)
	for i := range l.Open {
		if u := &l.Open[i]; !old(*u) {
			u.Rollback = u.IsRollback(all)
		}
	}
	return l, nil
}

func (w *watcher) takeSync(ctx context.Context, l release.Ledger, d release.Deployed, source int) (release.Ledger, error) {
	if before := l.Deployed.Revision; before != "" && before != d.Revision {
		fact, err := w.Repository.Fact(ctx, before, d.Revision, w.env.LayerPath(w.app), "", d.Content.Tag)
		if err != nil {
			return l, err
		}
		d.Older = fact.Relation == release.RelationOlder || fact.Relation == release.RelationDiverged
		if path := w.chart(source); path != "" && d.Content.Same(l.Told.Content) {
			if d.Chart, err = w.Repository.Changed(ctx, before, d.Revision, path); err != nil {
				return l, err
			}
		}
	}
	if d.Older && d.By == "" {
		// Before Argo CD is said to have gone back by itself: the branch may have.
		if _, _, err := w.Repository.Contents(ctx, w.env.Name); err != nil {
			return l, err
		}
		var err error
		if l, err = w.takeEdits(ctx, l); err != nil {
			return l, err
		}
	}
	for _, commit := range l.Brought(d) {
		fact, err := w.Repository.Fact(ctx, commit, d.Revision, w.env.LayerPath(w.app), "", d.Content.Tag)
		if err != nil {
			return l, err
		}
		if fact.Contains() {
			d.Brings = commit
			break
		}
	}
	return w.recognise(ctx, l.TakeSync(d, w.first && w.known, time.Now().UTC()), l.Open)
}

// chart is the folder that the app is rendered from, "" if it is not in our
// repository.
func (w *watcher) chart(source int) string {
	for _, i := range append([]int{source}, w.snapshot.Follows(w.URL, w.Branch)...) {
		if i < len(w.snapshot.Paths) && w.snapshot.Paths[i] != "" && w.snapshot.Paths[i] != "." {
			return w.snapshot.Paths[i]
		}
	}
	return ""
}

// takeLive asks the cluster where the snapshot is odd: in sync with the known
// images there is nothing to ask for.
func (w *watcher) takeLive(ctx context.Context, l release.Ledger) (release.Ledger, []release.Telling, error) {
	if !l.Quiet() || w.snapshot.Busy() || l.Rollouts != nil && !w.odd(l) {
		return l, nil, nil
	}
	asked, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	// The cluster's word is of now. A snapshot from before the watch was lost may
	// lack the sync that brought what runs.
	now, err := w.Applications.Application(asked, l.Application)
	if err != nil {
		return l, nil, fmt.Errorf("reading the Application: %w", err)
	}
	if now.UID != w.snapshot.UID || now.ResourceVersion > w.snapshot.ResourceVersion {
		w.snapshot = now
		return w.takeIn(ctx, true)
	}
	live, err := w.Applications.Live(asked, l.Application)
	if err != nil {
		return l, nil, fmt.Errorf("asking the cluster: %w", err)
	}
	if l.Rollouts == nil && live.Problem == "" {
		l.Rollouts = live.Rollouts(l.Content.Repository)
	}
	l, told := l.TakeLive(live, w.Rules, time.Now().UTC())
	return l, told, nil
}

// odd says that the cluster may run what it should not.
func (w *watcher) odd(l release.Ledger) bool {
	if l.Suspect != nil || l.Astray != nil || w.snapshot.Sync != "Synced" || l.Told.How == release.HowOutside {
		return true
	}
	return slices.ContainsFunc(w.snapshot.Images, func(image string) bool {
		repository, tag := release.SplitImage(image)
		return repository == l.Content.Repository && tag != l.Content.Tag
	})
}

// catchUp takes in the syncs that what is about to be told was concluded from:
// an older sync that is taken in after the telling would look like a new one.
func (w *watcher) catchUp(ctx context.Context, p progress) {
	ledger, more, err := w.takeIn(ctx, false)
	if err == nil {
		err = w.save(ctx, ledger, more...)
	}
	if err != nil && ctx.Err() == nil {
		w.log.WarnContext(ctx, "taking in what an update came from", "update", p.update, "err", err)
	}
}

// sees keeps a newer snapshot. An older one is from a server that is behind.
func (w *watcher) sees(s release.Snapshot) bool {
	if w.seen && s.UID == w.snapshot.UID && s.ResourceVersion < w.snapshot.ResourceVersion {
		return false
	}
	w.snapshot, w.seen = s, true
	return true
}
