package card

import (
	"github.com/slack-go/slack"

	"github.com/synestra/promoter/internal/release"
)

// Notice is a message that nobody asked for: what changed, how things stand, or
// what waits.
func (p Printer) Notice(n release.Notice) Message {
	switch {
	case n.Kind == release.NoticeDigest || n.Kind == release.NoticeReminder:
		return p.digest(n)
	case n.Kind == release.NoticeSummary:
		return p.summary(n)
	case len(n.Items) == 1:
		return p.single(n)
	}
	return p.several(n)
}

// single is what happened to one app.
func (p Printer) single(n release.Notice) Message {
	it := n.Items[0]
	page := p.pages(it)
	line := p.itemLine(it)
	blocks := []slack.Block{section(joined("\n", line, p.subject(it), p.hosts(it)))}
	blocks = append(blocks, p.cause(it.Cause)...)
	if notes := p.itemNotes(it, false); notes != "" {
		blocks = append(blocks, section(notes))
	}
	if log := p.changelog(it.Changelog); log != "" {
		blocks = append(blocks, section(log))
	}
	if links := linkButtons(page...); links != nil {
		blocks = append(blocks, links)
	}
	blocks = append(blocks, p.noticeFoot(n, p.from(it)))
	return fit(Message{Text: p.itemPlain(it), Blocks: blocks})
}

// noticeFoot is the line that says by whom and when.
func (p Printer) noticeFoot(n release.Notice, who string) slack.Block {
	at := n.Created
	if len(n.Items) > 0 && !n.Items[len(n.Items)-1].At.IsZero() {
		at = n.Items[len(n.Items)-1].At
	}
	repeat := ""
	if n.Repeat {
		repeat = p.say.notices.repeat
	}
	line := joined(" · ", who, moment(at), repeat)
	if line == "" {
		line = code(n.ID)
	}
	return small(line)
}

// fits says that sections and small print can be sent as they are: nothing
// would have to be shortened or left out.
func fits(blocks []slack.Block) bool {
	total := 0
	for _, b := range blocks {
		size := 0
		switch b := b.(type) {
		case *slack.SectionBlock:
			size = length(b.Text.Text)
		case *slack.ContextBlock:
			for _, e := range b.ContextElements.Elements {
				if t, ok := e.(*slack.TextBlockObject); ok {
					size += length(t.Text)
				}
			}
		}
		if total += size; size > maxSection || total > maxTotal {
			return false
		}
	}
	return len(blocks) <= maxBlocks
}
