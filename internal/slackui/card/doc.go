// Package card draws what people see in Slack: the message of an operation, the
// reply that tells of a failure, and answers that only one person sees.
//
// It is pure: the same state gives the same message, byte for byte, so that an
// unchanged card need not be sent again. Every message keeps Slack's limits and
// holds no markup but its own, whatever names, tags and errors it is given.
package card

import "github.com/slack-go/slack"

// Message is a message for Slack.
type Message struct {
	Text   string // for notifications and screen readers; never empty
	Blocks []slack.Block
}

// Printer draws cards in one language.
type Printer struct {
	links Links
	say   words
}

// English is a printer of English cards.
func English(links Links) Printer { return Printer{links: links, say: english()} }
