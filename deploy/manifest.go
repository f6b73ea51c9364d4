// Package deploy holds the files that the bot is installed with.
package deploy

import _ "embed"

// SlackManifest is the manifest of the Slack app: its commands, as Slack offers
// them to people who type, and its scopes.
//
//go:embed slack-manifest.json
var SlackManifest []byte
