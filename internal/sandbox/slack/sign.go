package slack

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// Sign is the X-Slack-Signature of a request that Slack sends over HTTP:
// timestamp is its X-Slack-Request-Timestamp, in seconds as written there.
// See https://docs.slack.dev/authentication/verifying-requests-from-slack.
func Sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("v0:" + timestamp + ":")) // a hash never fails to take bytes
	mac.Write(body)
	return "v0=" + hex.EncodeToString(mac.Sum(nil))
}
