package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/synestra/promoter/internal/release"
)

var (
	errNoNotice = errors.New("there is no such notice")
	errOldState = errors.New("a later state of it is stored")
)

// Unshown lists the notices of which Slack lacks the last state, Shown < Seq, in
// the order in which they were first stored.
func (s *Store) Unshown(ctx context.Context) ([]release.Notice, error) {
	return notices(ctx, s.readers, `WHERE shown < changes ORDER BY seq`)
}

// NoticeOf is the notice that tells of the update in the channel.
func (s *Store) NoticeOf(ctx context.Context, update, channel string) (n release.Notice, found bool, err error) {
	return notice(ctx, s.readers, `WHERE id = (SELECT notice FROM notice_items WHERE update_id = $1 AND channel = $2)`, update, channel)
}

// NewestNotice is the notice of the channel that was first stored last.
func (s *Store) NewestNotice(ctx context.Context, channel string) (n release.Notice, found bool, err error) {
	return notice(ctx, s.readers, `WHERE channel = $1 ORDER BY seq DESC LIMIT 1`, channel)
}

// Shown saves, for the holder of the named lease, where the notice stands in
// Slack: Place, Shown, Posting and Repeat, which nothing else changes once the
// notice is stored. All else of n is left as it is stored: it may have changed
// since n was read. The error is [release.ErrFenced] if the lease is not l's any
// more. A lower Shown than is stored is an error too.
func (s *Store) Shown(ctx context.Context, name string, l release.Lease, n release.Notice) error {
	err := s.leading(ctx, name, l, func(tx *sql.Tx) error {
		ok, err := changed(tx.ExecContext(ctx, `
			UPDATE notices SET shown = $2, posting = $3, repeated = $4, place_channel = $5, place_ts = $6
			WHERE id = $1 AND shown <= $2`,
			n.ID, n.Shown, n.Posting, n.Repeat, n.Place.Channel, n.Place.TS))
		if err != nil || ok {
			return err
		}
		if _, found, err := notice(ctx, tx, `WHERE id = $1`, n.ID); err != nil || found {
			return errors.Join(err, errOldState)
		}
		return errNoNotice
	})
	if err != nil {
		return fmt.Errorf("saving what is shown of notice %s: %w", n.ID, explain(err))
	}
	return nil
}

// putNotices stores notices and notes which updates they tell of. An update
// stays told, also if its item is gone from the notice.
func putNotices(ctx context.Context, tx *sql.Tx, all []release.Notice) error {
	for _, n := range all {
		if err := putNotice(ctx, tx, n); err != nil {
			return fmt.Errorf("notice %s: %w", n.ID, err)
		}
		for _, item := range n.Items {
			if item.Update == "" {
				continue
			}
			ok, err := changed(tx.ExecContext(ctx, `
				INSERT INTO notice_items (update_id, channel, notice) VALUES ($1, $2, $3)
				ON CONFLICT (update_id, channel) DO UPDATE SET notice = excluded.notice WHERE notice_items.notice = excluded.notice`,
				item.Update, n.Channel, n.ID))
			if err == nil && !ok {
				err = release.ErrExists
			}
			if err != nil {
				return fmt.Errorf("update %s in notice %s: %w", item.Update, n.ID, err)
			}
		}
	}
	return nil
}

func putNotice(ctx context.Context, tx *sql.Tx, n release.Notice) error {
	body, err := json.Marshal(n)
	if err != nil {
		return err
	}
	ok, err := changed(tx.ExecContext(ctx, `
		INSERT INTO notices (id, channel, created, changes, shown, posting, repeated, place_channel, place_ts, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (id) DO UPDATE SET channel = excluded.channel, created = excluded.created, changes = excluded.changes, body = excluded.body
		WHERE notices.changes <= excluded.changes`,
		n.ID, n.Channel, nanos(n.Created), n.Seq, n.Shown, n.Posting, n.Repeat, n.Place.Channel, n.Place.TS, string(body)))
	if err == nil && !ok {
		err = errOldState
	}
	return err
}

// changed says whether a statement has changed any row.
func changed(done sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := done.RowsAffected()
	return n > 0, err
}

func notice(ctx context.Context, from querier, rest string, args ...any) (n release.Notice, found bool, err error) {
	all, err := notices(ctx, from, rest, args...)
	if err != nil || len(all) == 0 {
		return n, false, err
	}
	return all[0], true, nil
}

func notices(ctx context.Context, from querier, rest string, args ...any) ([]release.Notice, error) {
	found, err := query(ctx, from, scanNotice,
		`SELECT id, body, changes, shown, posting, repeated, place_channel, place_ts FROM notices `+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("reading notices: %w", err)
	}
	return found, nil
}

func scanNotice(r row) (release.Notice, error) {
	var n, columns release.Notice
	var id, body string
	err := r.Scan(&id, &body, &columns.Seq, &columns.Shown, &columns.Posting, &columns.Repeat, &columns.Place.Channel, &columns.Place.TS)
	if err != nil {
		return n, err
	}
	if err := json.Unmarshal([]byte(body), &n); err != nil {
		return n, fmt.Errorf("notice %s: %w", id, err)
	}
	n.Seq, n.Shown, n.Posting, n.Repeat, n.Place = columns.Seq, columns.Shown, columns.Posting, columns.Repeat, columns.Place
	return n, nil
}
