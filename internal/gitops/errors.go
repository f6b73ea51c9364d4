package gitops

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/synestra/promoter/internal/release"
)

var (
	// ErrNotFound is in the chain where the repository or the branch does not
	// exist, or the credential may not see it.
	ErrNotFound  = errors.New("not found on the Git host")
	errTooLarge  = errors.New("the answer is too large")
	errTooFar    = fmt.Errorf("more than %d commits lie between", maxCommits)
	errNoFilters = errors.New("the host has no object filters")
)

// Rejected is a push that the host refused although the branch had not moved: a
// hook, a branch protection, a missing right. Trying again does not help.
type Rejected struct {
	// Reason is what the host said, on one printable line.
	Reason string
}

func (e *Rejected) Error() string { return "the Git host refused the push: " + e.Reason }

// Is makes it one of the errors that other rooms know.
func (e *Rejected) Is(target error) bool { return target == release.ErrWriteRejected }

// hostError is an error that the host put into words.
type hostError struct{ text string }

func (e *hostError) Error() string { return "the Git host says: " + release.Plain(e.text) }

// statusError is an HTTP status that the protocol does not expect.
type statusError struct {
	status int
	text   string // what the host said, "" if nothing printable
	settings
}

// settings are what the parts of the configuration are called that an error may
// come from.
type settings struct{ address, branch, token, username string }

func (e *statusError) Error() string {
	s := fmt.Sprintf("the Git host answered %d %s", e.status, http.StatusText(e.status))
	if e.text != "" {
		s += ": " + release.Plain(e.text)
	}
	switch e.status {
	case http.StatusUnauthorized:
		s += "; check " + e.token + " and " + e.username
	case http.StatusForbidden:
		s += "; check the rights of " + e.token
	case http.StatusNotFound:
		s += "; check " + e.address + ", and that " + e.token + " may see the repository"
	}
	return s
}

// Is sorts the statuses that callers ask for.
func (e *statusError) Is(target error) bool {
	switch e.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return target == release.ErrUnauthorized
	case http.StatusNotFound:
		return target == ErrNotFound
	}
	return false
}

// final tells an answer that the host gives again however often it is asked,
// and that it gives before it acts.
func (e *statusError) final() bool {
	return e.status >= 300 && e.status < 500 && e.status != http.StatusRequestTimeout && e.status != http.StatusTooManyRequests
}

// refusedUnheard says that a request was answered before it had any effect.
func refusedUnheard(err error) bool {
	var status *statusError
	return errors.As(err, &status) && status.final()
}

// neverSent says that the host did not get the request at all.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial" || errors.Is(err, errNoToken)
}

// timedOut explains a deadline of ours where ctx itself has not ended.
func timedOut(ctx context.Context, err error) error {
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fmt.Errorf("the Git host did not answer in time: %w", err)
	}
	return err
}
