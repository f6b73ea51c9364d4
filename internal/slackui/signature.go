package slackui

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/slack-go/slack"
)

// Why a request is not taken for one of Slack's. They name nothing that was
// sent.
var (
	errUnsigned = errors.New("it has no signature")
	errStale    = errors.New("it was signed more than five minutes ago or ahead: if Slack sent it, check this machine's clock")
	errForged   = errors.New("its signature is wrong: if Slack sent it, check SLACK_SIGNING_SECRET")
)

// verify checks that Slack has signed a request, within five minutes: with an
// HMAC-SHA256 of "v0:", the timestamp, ":" and the body, compared in constant
// time. See https://docs.slack.dev/authentication/verifying-requests-from-slack.
func verify(header http.Header, body []byte, secret string) error {
	v, err := slack.NewSecretsVerifier(header, secret)
	switch {
	case errors.Is(err, slack.ErrMissingHeaders):
		return errUnsigned
	case errors.Is(err, slack.ErrExpiredTimestamp):
		return errStale
	case err != nil:
		return errForged
	}
	if _, err := v.Write(body); err != nil || v.Ensure() != nil {
		return errForged
	}
	return nil
}

// isSSLCheck knows Slack's look at the server's certificate, which is not signed
// (https://github.com/slackapi/bolt-js/issues/1397) and wants nothing but a 200.
func isSSLCheck(body []byte) bool {
	form, err := url.ParseQuery(string(body))
	return err == nil && form.Get("ssl_check") == "1"
}
