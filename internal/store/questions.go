package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/synestra/promoter/internal/release"
)

// Ask stores a question until it is taken, or [Store.Sweep] finds it expired.
func (s *Store) Ask(ctx context.Context, q release.Question) error {
	body, err := json.Marshal(q)
	if err == nil {
		err = s.exec(ctx, `INSERT INTO questions (id, body, expires) VALUES ($1, $2, $3)`, q.ID, string(body), q.Expires)
	}
	if err != nil {
		return fmt.Errorf("storing question: %w", explain(err))
	}
	return nil
}

// Take gives a question out, once. Whether it has expired, and who may answer
// it, is for the caller to decide.
func (s *Store) Take(ctx context.Context, id string) (q release.Question, found bool, err error) {
	var body string
	err = s.write(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `DELETE FROM questions WHERE id = $1 RETURNING body`, id).Scan(&body)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return q, false, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(body), &q)
	}
	if err != nil {
		return release.Question{}, false, fmt.Errorf("taking question: %w", explain(err))
	}
	return q, true, nil
}
