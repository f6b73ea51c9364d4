package slackui

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"
)

// slackCode is the error that Slack answered with, "" if it did not answer.
func slackCode(err error) string {
	var no slack.SlackErrorResponse
	if errors.As(err, &no) {
		return no.Err
	}
	return ""
}

// retryAfter is how long Slack wants to be left alone; false if it did not say
// that we ask too much.
func retryAfter(err error) (time.Duration, bool) {
	if limited, ok := errors.AsType[*slack.RateLimitedError](err); ok {
		return max(time.Second, limited.RetryAfter), true
	}
	if status, ok := errors.AsType[slack.StatusCodeError](err); ok && status.Code == http.StatusTooManyRequests {
		return 30 * time.Second, true // a 429 that does not say how long
	}
	switch slackCode(err) {
	case "ratelimited", "rate_limited":
		return 30 * time.Second, true
	}
	return 0, false
}

// definite says that Slack answered, and that nothing was done: not so for a
// lost connection, nor for the errors that Slack documents as "some aspect of
// the operation may have succeeded".
func definite(err error) bool {
	switch slackCode(err) {
	case "", "fatal_error", "internal_error", "service_unavailable", "request_timeout":
		return false
	}
	return true
}

// cannotPost says that the bot may not post in that channel.
func cannotPost(err error) bool {
	switch slackCode(err) {
	case "not_in_channel", "channel_not_found", "is_archived", "restricted_action", "restricted_action_read_only_channel",
		"restricted_action_thread_only_channel", "restricted_action_non_threadable_channel", "restricted_action_thread_locked",
		"cannot_reply_to_message", "messages_tab_disabled", "no_permission", "access_denied":
		return true
	}
	return false
}

// badContent says that Slack does not take the message as it is drawn.
func badContent(err error) bool {
	switch slackCode(err) {
	case "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long", "markdown_text_conflict", "only_one_table_allowed":
		return true
	}
	return false
}

// fatal is an error that no retry can mend, with what a person must do; nil if
// err is not one. token is the name of the secret that was used.
func fatal(token string, err error) error {
	status, isStatus := errors.AsType[slack.StatusCodeError](err)
	code := slackCode(err)
	advice := ""
	switch code {
	case "invalid_auth", "not_authed":
		advice = "check " + token + ": Slack does not know it"
	case "account_inactive", "user_removed_from_team", "team_access_not_granted", "team_not_found":
		advice = "reinstall the app in the workspace and renew " + token + ": it has no access any more"
	case "token_revoked", "token_expired":
		advice = "reinstall the app and renew " + token
	case "not_allowed_token_type":
		advice = token + " is of the wrong kind: the bot token starts with xoxb-, the app-level token with xapp-"
	case "missing_scope":
		advice = "add the scope " + neededScope(err) + " to the app and renew " + token
	case "no_permission", "access_denied", "ekm_access_denied", "enterprise_is_restricted", "accesslimited":
		advice = "ask the workspace's administrator to allow the app"
	case "org_login_required":
		advice = "the workspace is being moved to an Enterprise organisation: start the bot again afterwards"
	}
	if isStatus && status.Code == http.StatusNotFound {
		code, advice = "404", "check slack.api_url: there is no Slack API"
	}
	if advice == "" {
		return nil
	}
	return fmt.Errorf("slack refuses the bot (%s): %s", code, advice)
}

func neededScope(err error) string {
	var no slack.SlackErrorResponse
	if errors.As(err, &no) && no.Needed != "" {
		return no.Needed
	}
	return "that its manifest lists"
}

// withoutAddress is the error without the address that was called: response
// addresses are credentials.
func withoutAddress(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// call makes one call of Slack with a deadline of its own.
func (u *UI) call(ctx context.Context, f func(ctx context.Context) error) error {
	ctx, stop := context.WithTimeout(ctx, u.times.call)
	defer stop()
	return f(ctx)
}

// repeat makes a call that does no harm if it is made twice, up to three times.
// What Slack has refused is not asked again.
func (u *UI) repeat(ctx context.Context, what string, f func(ctx context.Context) error) error {
	pause := u.times.pause
	for attempt := 1; ; attempt++ {
		err := u.call(ctx, f)
		if err == nil {
			return nil
		}
		wait, limited := retryAfter(err)
		if attempt == 3 || definite(err) && !limited {
			return fmt.Errorf("%s: %w", what, err)
		}
		if !limited {
			wait, pause = pause, 2*pause
		}
		if !sleep(ctx, wait) {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
}

// sleep waits; false if ctx ended first, or would.
func sleep(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// missing lists what is not in a comma-separated list.
func missing(list string, wanted ...string) []string {
	have := strings.Split(strings.ReplaceAll(list, " ", ""), ",")
	var lacking []string
	for _, w := range wanted {
		if !slices.Contains(have, w) {
			lacking = append(lacking, w)
		}
	}
	return lacking
}
