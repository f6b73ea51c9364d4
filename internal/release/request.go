package release

import "time"

// Request is something a person asked for, as it was accepted. It is kept until
// it has been worked off, so a restart finds it again.
type Request struct {
	Delivery string // unique key of the delivery; a redelivery has the same one
	Command  string // "promote", "reset-dev", "release"
	Text     string // what was typed after the command, as it came
	// Click is the button's name where a button was pressed, "" for a typed command.
	Click string
	// Subject is the opaque id a button carries (of an operation or a confirmation).
	Subject string
	By      Person
	Channel Channel
	// Reply is a short-lived address for answers that only the person sees.
	// It is a credential: never log it.
	Reply string
	At    time.Time
}

// Channel is where a request was made.
type Channel struct {
	ID     string
	Direct bool // a direct or group message, in which the bot cannot post
	Shared bool // shared with another organisation
}

// Place is where a message stands.
type Place struct{ Channel, TS string }

// Answer is what the person who asked sees, and nobody else unless it is public.
type Answer struct {
	// Public answers are for everybody where it was asked.
	Public bool
	Text   string // plain text with `code` and *bold*; already free of foreign markup
	// Table is rows under the text, nil for none.
	Table *Table
	// Link is a message to go and see, the zero Place for none.
	Link Place
	// Choices are buttons under the text.
	Choices []Choice
	// Refusal is why the request was refused, nil if it was not.
	Refusal *Refusal
}

// Table is rows of plain text, each with as many cells as the head.
type Table struct {
	Head []string
	Rows [][]string
}

// Choice is a button under an Answer. Pressing it makes a Request with its
// Click and Subject.
type Choice struct {
	Click   string
	Subject string
	Label   string
	Danger  bool   // discards something
	Confirm string // asked once more before it counts, "" for no question
}
