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

// Take gives a question to the click that answers it, once: a click that is
// delivered again gets it again, another one does not. A click by anyone but the
// person who was asked sees the question and leaves it open. Whether it has
// expired is for the caller to decide.
func (s *Store) Take(ctx context.Context, click release.Request) (q release.Question, found bool, err error) {
	if click.Delivery == "" {
		return q, false, errors.New("taking question: the click has no delivery to be known again by")
	}
	err = s.write(ctx, func(tx *sql.Tx) error {
		var body, taken string
		if err := tx.QueryRowContext(ctx, `SELECT body, taken FROM questions WHERE id = $1`, click.Subject).Scan(&body, &taken); err != nil {
			return err
		}
		if taken != "" && taken != click.Delivery {
			return sql.ErrNoRows
		}
		if err := json.Unmarshal([]byte(body), &q); err != nil || q.By != click.By.ID {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE questions SET taken = $1 WHERE id = $2`, click.Delivery, click.Subject)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return release.Question{}, false, nil
	}
	if err != nil {
		return release.Question{}, false, fmt.Errorf("taking question: %w", explain(err))
	}
	return q, true, nil
}
