package release

import (
	"fmt"
	"strings"
)

// Change is the operation's edit, ready to be written. It depends on nothing
// but the stored operation, so that making it again gives the same commit.
func (o Operation) Change() Change {
	return Change{
		Operation: o.ID, Path: o.Path, From: o.From, To: o.To, Base: o.Base,
		// A Slack id is no address; ".invalid" is reserved for what is none (RFC 2606).
		Author: o.By.Identity("slack.invalid"), Message: o.commitMessage(), At: o.Created,
	}
}

// commitMessage holds enough, in trailers, to rebuild from Git alone who did
// what, when and why.
func (o Operation) commitMessage() string {
	var b strings.Builder
	fmt.Fprintf(&b, "release(%s): %s %s → %s\n\n", o.Environment, o.App, o.From, o.To)
	if o.Forced {
		fmt.Fprintf(&b, "Forced past the checks of dev.\n\n")
	}
	trailer := func(key, value string) {
		if value = strings.TrimSpace(printable(value)); value != "" {
			fmt.Fprintf(&b, "%s: %s\n", key, value)
		}
	}
	trailer("Operation-Id", o.ID)
	trailer("Operation-Kind", string(o.Kind))
	trailer("Requested-By", o.By.Signature())
	if o.Message.TS != "" {
		trailer("Slack-Message", o.Message.Channel+"/"+o.Message.TS)
	}
	trailer("From-Tag", string(o.From))
	trailer("To-Tag", string(o.To))
	return b.String()
}
