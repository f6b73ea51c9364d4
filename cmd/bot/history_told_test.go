package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	_ "modernc.org/sqlite"

	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/sandbox/slack"
)

// told is what the store says that people are told, read past the bot.
type told struct {
	db *sql.DB

	mu      sync.Mutex
	notices []release.Notice
	err     error
}

func openTold(path string) (*told, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_query_only=1&_busy_timeout=5000")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // by which SQLite tells whether others have written
	return &told{db: db}, nil
}

// run reads every now and then until ctx ends.
func (v *told) run(ctx context.Context) {
	for read := int64(-1); pause(ctx, 100*time.Millisecond); {
		var version int64
		err := v.db.QueryRowContext(ctx, `PRAGMA data_version`).Scan(&version)
		if err == nil && version == read {
			continue
		}
		read = version
		var notices []release.Notice
		if err == nil {
			notices, err = v.read(ctx)
		}
		v.mu.Lock()
		if v.notices, v.err = notices, err; err != nil {
			v.notices = nil
		}
		v.mu.Unlock()
	}
}

func (v *told) read(ctx context.Context) ([]release.Notice, error) {
	rows, err := v.db.QueryContext(ctx, `SELECT id, body, changes, shown, repeated, place_ts FROM notices ORDER BY seq`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []release.Notice
	for rows.Next() {
		var n, columns release.Notice
		var body string
		if err := rows.Scan(&columns.ID, &body, &columns.Seq, &columns.Shown, &columns.Repeat, &columns.Place.TS); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(body), &n); err != nil {
			return nil, err
		}
		n.Seq, n.Shown, n.Repeat, n.Place.TS = columns.Seq, columns.Shown, columns.Repeat, columns.Place.TS
		all = append(all, n)
	}
	return all, rows.Err()
}

// items are what is told of an app.
func (v *told) items(app string) []release.Item {
	v.mu.Lock()
	defer v.mu.Unlock()
	var found []release.Item
	for _, n := range v.notices {
		for _, item := range n.Items {
			if item.App == release.App(app) {
				found = append(found, item)
			}
		}
	}
	return found
}

// ledger is an app's, as it is stored.
func (v *told) ledger(app string) (body string) {
	if err := v.db.QueryRow(`SELECT body FROM ledgers WHERE app = ? AND environment = 'prod'`, app).Scan(&body); err != nil {
		return err.Error()
	}
	return body
}

// shown says that the channel has the last state of every notice.
func (v *told) shown() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.err == nil && len(v.notices) > 0 && !slices.ContainsFunc(v.notices, func(n release.Notice) bool { return n.Shown < n.Seq })
}

// compare finds what differs between the notices and the channel's messages:
// each notice is one message, and there are no others.
func (v *told) compare(messages []slack.Message) (problems []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	posts := map[string]int{}
	for _, m := range messages {
		id, seq := noticeOf(m)
		posts[id]++
		i := slices.IndexFunc(v.notices, func(n release.Notice) bool { return n.ID == id })
		switch {
		case i < 0:
			problems = append(problems, fmt.Sprintf("a message tells of no notice: %s", m.Text))
		case seq != v.notices[i].Seq || m.TS != v.notices[i].Place.TS || v.notices[i].Repeat:
			problems = append(problems, fmt.Sprintf("message %s shows %d of notice %+v", m.TS, seq, v.notices[i]))
		}
	}
	items := map[string]int{}
	for _, n := range v.notices {
		if posts[n.ID] != 1 {
			problems = append(problems, fmt.Sprintf("notice %s was posted %d times", n.ID, posts[n.ID]))
		}
		for _, item := range n.Items {
			if items[item.Update]++; items[item.Update] > 1 {
				problems = append(problems, "told in two notices: "+item.Update)
			}
		}
	}
	return problems
}

// noticeOf reads a message's mark.
func noticeOf(m slack.Message) (id string, seq int) {
	var mark struct {
		Payload struct {
			Notice string
			Seq    int
		} `json:"event_payload"`
	}
	if json.Unmarshal(m.Metadata, &mark) != nil {
		return "", 0
	}
	return mark.Payload.Notice, mark.Payload.Seq
}
