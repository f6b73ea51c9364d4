package card

import (
	"regexp"

	"github.com/slack-go/slack"

	"github.com/synestra/promoter/internal/release"
)

// Reply is the reply in the operation's thread that tells the person of a
// failure, and later what became of it. An edited message notifies nobody; a
// mention in a new one does.
func (p Printer) Reply(op release.Operation) Message {
	h := p.head(op)
	say := h.say
	switch {
	case op.Progress.Stage.Failed():
	case op.Progress.Stage.Ended():
		say = with(p.say.inTheEnd, "say", say)
	default:
		say = with(p.say.moving, "say", say)
	}
	line := h.emoji + " " + p.mention(op.By) + " " + p.name(op) + " · *" + say + "*"
	blocks := append([]slack.Block{section(line)}, p.cause(op.Progress.Cause)...)
	if note := sentence(op.Progress.Note); note != "" {
		blocks = append(blocks, small(clipMarkup(note, 400)))
	}
	text := p.mention(op.By) + " " + plain(p.fill(p.title(op).plain, op)+", "+say)
	return fit(Message{Text: text, Blocks: blocks})
}

var memberID = regexp.MustCompile(`^[UW][A-Z0-9]+$`)

// mention pings a person, or names one who is not a member of Slack.
func (p Printer) mention(who release.Person) string {
	if memberID.MatchString(who.ID) {
		return "<@" + who.ID + ">"
	}
	if name := foreign(who.Name); name != "" {
		return name
	}
	return foreign(who.ID)
}
