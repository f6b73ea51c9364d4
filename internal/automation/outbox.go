package automation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// gathered bounds the apps in one notice.
const gathered = 40

// addressed is an item for a channel.
type addressed struct {
	channel string
	item    release.Item
	kind    release.NoticeKind
}

// outbox stores notices, and gets them shown. What is in it survives a crash:
// it is told once, and it is told.
type outbox struct {
	*shift
	mu     sync.Mutex           // one change of notices at a time
	fresh  map[string]bool      // notices that nobody can have posted yet
	final  map[string]time.Time // from when on it means something that a notice is not found
	told   map[string]int       // how many items of a notice Slack has
	began  time.Time            // the shift did
	wanted chan struct{}        // there is something to show
}

func newOutbox(s *shift) *outbox {
	return &outbox{shift: s, fresh: map[string]bool{}, final: map[string]time.Time{}, told: map[string]int{}, began: time.Now(), wanted: make(chan struct{}, 1)}
}

// record stores a record, with the notices that tell the items, as one.
func (o *outbox) record(ctx context.Context, r release.Record, items []addressed) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	last, changed := map[string]*release.Notice{}, map[string]*release.Notice{} // by channel, by id
	for _, a := range items {
		n, err := o.noticeFor(ctx, last[a.channel], changed, a)
		if err != nil {
			return err
		}
		last[a.channel], changed[n.ID] = n, n
	}
	for _, id := range slices.Sorted(maps.Keys(changed)) {
		r.Notices = append(r.Notices, *changed[id])
	}
	if err := o.Store.Record(ctx, leaseName, o.lease, r); err != nil {
		return err
	}
	for _, n := range r.Notices {
		if n.Seq == 1 {
			o.fresh[n.ID] = true
		}
		o.signal()
	}
	return nil
}

// noticeFor is the notice with the item in it: the one that has told of its
// update already, as it has been changed so far, a new one that others may join,
// or one of its own.
func (o *outbox) noticeFor(ctx context.Context, current *release.Notice, changed map[string]*release.Notice, a addressed) (*release.Notice, error) {
	told, found, err := o.Store.NoticeOf(ctx, a.item.Update, a.channel)
	if err != nil {
		return nil, err
	}
	if found {
		if n := changed[told.ID]; n != nil {
			told = *n
		}
		i := slices.IndexFunc(told.Items, func(item release.Item) bool { return item.Update == a.item.Update })
		if i >= 0 {
			merge(&a.item, told.Items[i])
			told.Items = slices.Clone(told.Items)
			told.Items[i] = a.item
			told.Seq++
		}
		return &told, nil
	}
	if current == nil {
		newest, found, err := o.Store.NewestNotice(ctx, a.channel)
		if err != nil {
			return nil, err
		}
		if found {
			current = &newest
		}
	}
	if current != nil && o.joins(*current, a, time.Now()) {
		n := *current
		n.Items = append(slices.Clone(n.Items), a.item)
		n.Seq++
		return &n, nil
	}
	return &release.Notice{
		ID: o.NewID(), Kind: a.kind, Channel: a.channel, Created: time.Now().UTC(), Items: []release.Item{a.item},
		Seq: 1, Posting: true,
	}, nil
}

// merge keeps what an earlier telling of the update had found out.
func merge(item *release.Item, before release.Item) {
	if item.Changelog == nil {
		item.Changelog = before.Changelog
	}
	if item.Hosts == nil {
		item.Hosts = before.Hosts
	}
	if item.Dev == "" {
		item.Dev = before.Dev
	}
	item.From, item.Base = before.From, before.Base
	if item.Stage == before.Stage { // it stands as it stood
		item.At, item.Note, item.Cause = before.At, before.Note, before.Cause
	}
	if len(item.Skipped) == 0 {
		item.Skipped = before.Skipped
	}
}

// joins says whether the item may be added to the notice. Warnings stand alone.
func (o *outbox) joins(n release.Notice, a addressed, now time.Time) bool {
	within := o.Times.Gather
	if a.kind == release.NoticeSummary {
		within = o.Times.GatherSummary
	}
	return groups(n.Kind) == groups(a.kind) && groups(a.kind) != "" && len(n.Items) < gathered && now.Sub(n.Created) <= within
}

// groups names what kinds share a notice, "" for what stands alone.
func groups(kind release.NoticeKind) string {
	switch kind {
	case release.NoticeRelease, release.NoticeRollback, release.NoticeSettings, release.NoticeChart:
		return "updates"
	case release.NoticeSummary:
		return "summary"
	}
	return ""
}

// amend changes an item of a notice that stands, if it does.
func (o *outbox) amend(ctx context.Context, update, channel string, change func(*release.Item) bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, found, err := o.Store.NoticeOf(ctx, update, channel)
	if err != nil || !found {
		return err
	}
	i := slices.IndexFunc(n.Items, func(item release.Item) bool { return item.Update == update })
	if i < 0 || !change(&n.Items[i]) {
		return nil
	}
	n.Seq++
	if err := o.Store.Record(ctx, leaseName, o.lease, release.Record{Notices: []release.Notice{n}}); err != nil {
		return err
	}
	o.signal()
	return nil
}

// ran stores that a job ran, with the notices that came of it, as one.
func (o *outbox) ran(ctx context.Context, job string, at time.Time, notices []release.Notice) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.Store.Ran(ctx, leaseName, o.lease, job, at, notices); err != nil {
		return err
	}
	for _, n := range notices {
		o.fresh[n.ID] = true
	}
	o.signal()
	return nil
}

// signal has the notices looked through for something to show.
func (o *outbox) signal() { wake(o.wanted) }

// Pauses after a channel could not be told, which double.
const (
	showAgain    = time.Second
	showAgainMax = time.Minute
)

// run shows what is stored until ctx ends, the channels beside each other and
// each channel's notices in their order.
func (o *outbox) run(ctx context.Context) {
	shown := make(chan outcome)
	busy, waits, notBefore := map[string]bool{}, map[string]time.Duration{}, map[string]time.Time{}
	var workers sync.WaitGroup
	defer workers.Wait()
	for ctx.Err() == nil {
		all, err := o.Store.Unshown(ctx)
		if err != nil && ctx.Err() == nil {
			o.Log.ErrorContext(ctx, "reading what is to be told", "err", err)
		}
		for _, n := range all {
			if busy[n.Channel] || time.Now().Before(notBefore[n.Channel]) {
				continue
			}
			busy[n.Channel] = true
			workers.Go(func() {
				select {
				case shown <- outcome{n.Channel, o.show(ctx, n)}:
				case <-ctx.Done():
				}
			})
		}
		tick := time.NewTimer(showAgain)
		select {
		case <-ctx.Done():
		case <-o.wanted:
		case r := <-shown:
			busy[r.channel] = false
			if r.err == nil {
				delete(waits, r.channel)
				break
			}
			if ctx.Err() == nil {
				o.Log.WarnContext(ctx, "telling a channel", "channel", r.channel, "err", r.err)
			}
			waits[r.channel] = min(max(2*waits[r.channel], showAgain), showAgainMax)
			notBefore[r.channel] = time.Now().Add(waits[r.channel])
		case <-tick.C:
		}
		tick.Stop()
	}
}

// outcome is how the showing of a notice went.
type outcome struct {
	channel string
	err     error
}

// show brings a notice to Slack as it stands. Where a post may have been made
// without our knowing, it is looked for first; where that cannot be found out
// it is rather told twice, and says so, than never.
func (o *outbox) show(ctx context.Context, n release.Notice) error {
	if n.Place.TS != "" {
		err := o.Messages.EditNotice(ctx, n)
		switch {
		case err == nil:
			o.has(n)
		case !errors.Is(err, release.ErrGone):
			return err
		case o.lacks(n): // somebody has deleted it before an update joined it: it is posted anew
			n.Place = release.Place{}
			return o.Store.Shown(ctx, leaseName, o.lease, n)
		}
		n.Shown = n.Seq
		return o.Store.Shown(ctx, leaseName, o.lease, n)
	}
	if n.Posting && !o.isFresh(n.ID) {
		wait := o.finalIn(n.ID) // before looking, or the post could come right after
		place, found, err := o.Messages.FindNotice(ctx, n)
		if found {
			n.Place, n.Posting = place, false // what it shows is not known: it is edited next
			return o.Store.Shown(ctx, leaseName, o.lease, n)
		}
		if err != nil && !errors.Is(err, release.ErrNoHistory) {
			return err
		}
		if err != nil {
			o.Log.WarnContext(ctx, "whether a notice was posted cannot be known; it may be told twice", "notice", n.ID, "err", err)
			n.Repeat = true
		}
		if wait > 0 {
			return fmt.Errorf("notice %s may still be on its way to Slack, for %v", n.ID, wait.Round(time.Second))
		}
	}
	if !n.Posting || n.Repeat {
		n.Posting = true
		if err := o.Store.Shown(ctx, leaseName, o.lease, n); err != nil {
			return err
		}
	}
	place, err := o.Messages.PostNotice(ctx, n)
	if err != nil {
		if errors.Is(err, release.ErrOutcomeUnknown) || ctx.Err() != nil {
			o.stale(n.ID)
		}
		return err
	}
	o.has(n)
	n.Place, n.Shown, n.Posting = place, n.Seq, false
	// It stands: that is worth storing while stopping, too.
	return o.Store.Shown(context.WithoutCancel(ctx), leaseName, o.lease, n)
}

// has notes what Slack has of a notice.
func (o *outbox) has(n release.Notice) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.told[n.ID] = len(n.Items)
}

// lacks says that Slack may never have had an item of the notice. One there was
// when it was posted, and where it was not this process that did, no more than
// that is known.
func (o *outbox) lacks(n release.Notice) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(n.Items) > max(1, o.told[n.ID])
}

func (o *outbox) isFresh(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.fresh[id]
}

// finalIn is how long it may still take until a post that was begun stands.
func (o *outbox) finalIn(id string) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	from, ours := o.final[id]
	if !ours {
		from = o.began.Add(o.Times.Post)
	}
	return time.Until(from)
}

// stale says that a post of the notice was begun.
func (o *outbox) stale(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.fresh, id)
	o.final[id] = time.Now().Add(o.Times.Post)
}
