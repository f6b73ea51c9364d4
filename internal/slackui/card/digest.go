package card

import (
	"slices"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"github.com/synestra/promoter/internal/release"
)

// digest is how things stand, or what waits: a heading and rows for each group.
func (p Printer) digest(n release.Notice) Message {
	if len(n.Lines) == 0 {
		line := "✨ " + p.nothing(n)
		return fit(Message{Text: plain(line), Blocks: []slack.Block{section(line), p.digestFoot(n)}})
	}
	var blocks []slack.Block
	if n.Kind == release.NoticeDigest { // a reminder has one group, whose heading says it all
		blocks = append(blocks, section("📋 *"+p.say.notices.digest+"*"))
	}
	left := maxTotal - 1500 // the headings, and what is said of rows that are left out
	for _, name := range groupsOf(n.Lines) {
		text, used := p.group(n, name, rowsOf(n.Lines, name), left)
		left -= used
		for _, part := range chunks(text, maxSection-200) {
			blocks = append(blocks, section(part))
		}
	}
	return fit(Message{Text: p.digestPlain(n), Blocks: append(blocks, p.digestFoot(n))})
}

// nothing is the good news that there is nothing to say.
func (p Printer) nothing(n release.Notice) string {
	say := p.say.notices
	switch {
	case n.Kind == release.NoticeReminder:
		return say.nothingWaits
	case n.Apps > 0:
		return say.number(say.allInSync, n.Apps)
	}
	return say.allInSyncUnknown
}

// digestPlain is a digest by its numbers, a reminder by its apps.
func (p Printer) digestPlain(n release.Notice) string {
	var parts []string
	for _, name := range groupsOf(n.Lines) {
		rows := rowsOf(n.Lines, name)
		part := p.groupWords(name).say + " (" + strconv.Itoa(len(rows)) + ")"
		if n.Kind == release.NoticeReminder {
			var apps []string
			for _, l := range rows {
				apps = append(apps, foreign(string(l.App)))
			}
			part += ": " + clipMarkup(strings.Join(apps, ", "), 200)
		}
		parts = append(parts, part)
	}
	text := strings.Join(parts, ", ")
	if n.Kind == release.NoticeDigest {
		return plain("📋 " + p.say.notices.digest + ": " + text)
	}
	return plain("⏰ " + text)
}

func (p Printer) digestFoot(n release.Notice) slack.Block {
	looked := ""
	if n.Apps > 0 && len(n.Lines) > 0 {
		looked = p.say.notices.number(p.say.notices.outOf, n.Apps)
	}
	return p.noticeFoot(n, looked)
}

// The order of the groups: what is wrong first.
func groupOrder() []string {
	return []string{
		release.GroupFailed, release.GroupDrift, release.GroupUnknown, release.GroupHold, release.GroupSession,
		release.GroupAhead, release.GroupWaiting,
	}
}

// groupsOf lists the groups that there are, the known ones first.
func groupsOf(lines []release.Line) []string {
	var there, found []string
	for _, l := range lines {
		if !slices.Contains(there, l.Group) {
			there = append(there, l.Group)
		}
	}
	for _, name := range append(groupOrder(), there...) {
		if slices.Contains(there, name) && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	return found
}

func rowsOf(lines []release.Line, group string) []release.Line {
	var rows []release.Line
	for _, l := range lines {
		if l.Group == group {
			rows = append(rows, l)
		}
	}
	return rows
}

func (p Printer) groupWords(name string) group {
	if g, ok := p.say.notices.groups[name]; ok {
		return g
	}
	return group{emoji: "•", say: foreign(name)}
}

// group is a heading and its rows, as many as there is room for.
func (p Printer) group(n release.Notice, name string, rows []release.Line, room int) (text string, used int) {
	g := p.groupWords(name)
	lines := []string{g.emoji + " *" + g.say + "* · " + strconv.Itoa(len(rows))}
	if g.hint != "" {
		lines[0] += " · " + sentence(g.hint)
	}
	var drawn []string
	for _, l := range rows {
		drawn = append(drawn, "• "+p.row(n, l))
	}
	shown, rest := within(drawn, "\n", room)
	lines = append(lines, shown)
	if rest > 0 {
		lines = append(lines, p.say.notices.number(p.say.notices.andRows, rest))
	}
	return joined("\n", lines...), length(shown)
}

// row is one app in a digest. How long ago is counted from when the digest was
// made, so that the same digest stays the same.
func (p Printer) row(n release.Notice, l release.Line) string {
	say := p.say.notices
	app := "*" + foreign(string(l.App)) + "*"
	if env := foreign(l.Environment); env != "" {
		app += " " + with(say.inEnv, "env", env)
	}
	tags := ""
	switch {
	case l.Group == release.GroupDrift && l.From != "" && l.To == "":
		tags = with(say.git, "git", code(string(l.From)))
	case l.Group == release.GroupDrift && l.To != "":
		tags = with(say.runs, "live", code(string(l.To)), "git", code(string(l.From)))
	case l.From != "" && l.To != "":
		tags = with(say.tags, "from", code(string(l.From)), "to", code(string(l.To)))
	case l.From != "" || l.To != "":
		tags = code(string(l.From + l.To))
	}
	return joined(" · ", app, tags, clipMarkup(sentence(l.Detail), 200), p.since(n, l))
}

func (p Printer) since(n release.Notice, l release.Line) string {
	switch {
	case l.Since.IsZero():
		return ""
	case l.Group == release.GroupFailed, !n.Created.After(l.Since):
		return moment(l.Since)
	}
	return with(p.say.notices.forSpan, "span", p.span(n.Created.Sub(l.Since)), "time", moment(l.Since))
}
