package slackui

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/synestra/promoter/internal/release"
)

// workOff works on what was accepted before a restart.
func (u *UI) workOff(ctx context.Context, pending []Accepted) error {
	for _, row := range pending {
		select {
		case u.pool <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		u.tasks.Go(func() {
			defer func() { <-u.pool }()
			u.work(ctx, row)
		})
	}
	return nil
}

// work does one accepted request: asks the handler, tells the person, and takes
// it off the list. What could not be finished because the process is ending
// stays on the list.
func (u *UI) work(ctx context.Context, row Accepted) {
	ref := reference(row.Key)
	r, err := parseRequest(row)
	if err != nil {
		u.log.ErrorContext(ctx, "reading an accepted request", "ref", ref, "err", err)
		u.insist(ctx, "taking a request off the list", row.Key, u.inbox.Done)
		return
	}
	r.Channel.Shared = !r.Channel.Direct && u.isShared(ctx, r.Channel.ID)
	answer, err := u.ask(ctx, r)
	no, refused := errors.AsType[*release.Refusal](err)
	_, panicked := errors.AsType[panicError](err)
	switch {
	case err == nil:
	case refused:
		answer.Refusal = no
	case ctx.Err() != nil && !panicked:
		u.log.InfoContext(ctx, "request left for the next start", "ref", ref, "err", err)
		return
	default:
		u.log.ErrorContext(ctx, "request failed", "ref", ref, "command", r.Command, "err", err)
		answer = u.cards.Broken(ref, answer)
	}
	telling, stop := u.telling(ctx)
	defer stop()
	if err := u.Answer(telling, r, answer); err != nil {
		u.log.ErrorContext(ctx, "answering a request", "ref", ref, "by", r.By.ID, "err", err)
	}
	u.insist(ctx, "taking a request off the list", row.Key, u.inbox.Done)
}

// panicError is a handler that came to grief.
type panicError struct{ value any }

func (p panicError) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// ask calls the handler. A panic in it ends the request, not the process.
func (u *UI) ask(ctx context.Context, r release.Request) (a release.Answer, err error) {
	defer func() {
		if v := recover(); v != nil {
			u.log.ErrorContext(ctx, "handler panicked", "ref", reference(r.Delivery), "panic", v, "stack", string(debug.Stack()))
			a, err = release.Answer{}, panicError{v}
		}
	}()
	return u.handle(ctx, r)
}

// telling is a context for what people must still be told while the process
// ends.
func (u *UI) telling(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), u.times.tell)
}

// insist changes a row of the inbox, shutting down or not, and tries again for a while.
func (u *UI) insist(ctx context.Context, what, key string, change func(context.Context, string) error) {
	ctx, stop := u.telling(ctx)
	defer stop()
	for pause := u.times.pause; ; pause *= 2 {
		err := change(ctx, key)
		if err == nil {
			return
		}
		u.log.ErrorContext(ctx, what, "ref", reference(key), "err", err)
		if !sleep(ctx, pause) {
			return
		}
	}
}

// reference is what a person can quote and an operator can find in the log. The
// key itself is a credential while it is young.
func reference(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:4])
}
