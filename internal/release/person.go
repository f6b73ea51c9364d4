package release

import (
	"cmp"
	"fmt"
	"strings"
	"unicode"
)

// Person is who asks: someone in Slack, or the bot's own automation.
type Person struct {
	ID       string   // Slack user id; "cli" for the command line
	Name     string   // as people know them; for commits and cards
	Groups   []string // Slack user group ids
	Outsider string   // why this is not a full member of the workspace ("guest", "bot" …), "" if it is one
}

// Identity is a name and address in a commit.
type Identity struct{ Name, Email string }

// Identity is the person as a commit's author. Control characters and angle
// brackets, which would forge a header, are dropped.
func (p Person) Identity(domain string) Identity {
	name := strings.TrimSpace(printable(p.Name))
	if name == "" {
		name = printable(p.ID)
	}
	return Identity{Name: name, Email: cmp.Or(strings.ToLower(printable(p.ID)), "automation") + "@" + domain}
}

// Signature is the name and, of a person, the id. Automation has none.
func (p Person) Signature() string {
	if p.ID == "" {
		return printable(p.Name)
	}
	return fmt.Sprintf("%s (%s)", printable(p.Name), printable(p.ID))
}

// printable keeps one line of text that can stand in a commit header or a
// trailer: nothing invisible, no angle brackets.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '<' || r == '>' || invisible(r) {
			return -1
		}
		return r
	}, s)
}

// invisible tells the control and format characters: they end lines, or make
// a name read as another (right-to-left marks).
func invisible(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == 0x2028 || r == 0x2029
}
