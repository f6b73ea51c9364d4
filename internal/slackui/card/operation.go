package card

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/synestra/promoter/internal/release"
)

// Operation is the one message of an operation, as the operation stands. Its
// blocks keep their order, so that an edit does not make the message jump.
func (p Printer) Operation(op release.Operation) Message {
	blocks := []slack.Block{section(p.first(op)), section(p.steps(op))}
	if notes := p.notes(op); notes != "" {
		blocks = append(blocks, section(notes))
	}
	blocks = append(blocks, p.cause(op.Progress.Cause)...)
	if links := p.buttons(op); links != nil {
		blocks = append(blocks, links)
	}
	blocks = append(blocks, p.foot(op))
	return fit(Message{Text: p.Summary(op), Blocks: blocks})
}

// Summary is an operation and how it stands, on one line of escaped text.
func (p Printer) Summary(op release.Operation) string {
	s := p.fill(p.title(op).plain, op) + ", " + p.head(op).say
	if pods := p.pods(op); pods != "" {
		s += ", " + pods
	}
	return plain(s)
}

// first is the line that says what it is and how it stands.
func (p Printer) first(op release.Operation) string {
	line := p.head(op).emoji + " " + p.name(op)
	if op.Progress.Stage == release.StageHealthy {
		if d := op.Progress.Since.Sub(op.Created); d > 0 {
			line += " · " + with(p.say.took, "duration", duration(d))
		}
	} else {
		line += " · *" + p.head(op).say + "*"
	}
	if who := p.who(op); who != "" {
		line += "  " + with(p.say.by, "name", who)
	}
	if op.Forced {
		line += " · " + p.say.forced
	}
	return line
}

// name is what an operation is called: that it is done once it is healthy, and
// what it is up to before.
func (p Printer) name(op release.Operation) string {
	t := p.title(op)
	switch {
	case op.Progress.Stage == release.StageHealthy:
		return p.fill(t.healthy, op)
	case op.Writes():
		return p.fill(t.writes, op)
	}
	return p.fill(t.syncs, op)
}

func (p Printer) title(op release.Operation) title {
	if t, ok := p.say.titles[op.Kind]; ok {
		return t
	}
	return p.say.otherTitle
}

func (p Printer) fill(sentence string, op release.Operation) string {
	return with(sentence, "app", foreign(string(op.App)), "env", foreign(op.Environment),
		"from", code(string(op.From)), "to", code(string(op.To)))
}

// head is how the operation stands.
func (p Printer) head(op release.Operation) head { return p.stage(op.Progress.Stage) }

// stage is what a stage is called. One that has no words here is named as it is.
func (p Printer) stage(s release.Stage) head {
	if h, ok := p.say.heads[s]; ok {
		return h
	}
	return head{"❔", foreign(string(s))}
}

func (p Printer) who(op release.Operation) string {
	if name := foreign(op.By.Name); name != "" {
		return name
	}
	return foreign(op.By.ID)
}

func (p Printer) pods(op release.Operation) string {
	if op.Progress.Total <= 0 || p.at(op) < stepRollout {
		return ""
	}
	return with(p.say.podsReady, "ready", strconv.Itoa(op.Progress.Ready), "total", strconv.Itoa(op.Progress.Total))
}

// notes are what people should know besides the stage.
func (p Printer) notes(op release.Operation) string {
	pr := op.Progress
	var lines []string
	add := func(emoji, line string) {
		if line = sentence(line); line != "" {
			lines = append(lines, emoji+" "+clipMarkup(capital(line), 400))
		}
	}
	if pr.Stage == release.StageSuperseded && pr.By != "" {
		lines = append(lines, "⏭️ "+with(p.say.superseded, "what", code(pr.By)))
	}
	add("ℹ️", pr.Note)
	if pr.Blind && !pr.Stage.Ended() {
		add("❔", p.say.blind)
	}
	if pr.Stalled && !pr.Stage.Ended() {
		add("⚠️", p.say.stalled)
	}
	if pr.Folded != "" {
		lines = append(lines, "ℹ️ "+with(p.say.folded, "commit", p.commit(pr.Folded)))
	}
	shown := op.Notes[:min(len(op.Notes), maxNotes)]
	for _, n := range shown {
		add("⚠️", n)
	}
	if rest := len(op.Notes) - len(shown); rest > 0 {
		lines = append(lines, with(p.say.more, "count", strconv.Itoa(rest)))
	}
	return strings.Join(lines, "\n")
}

// maxNotes are shown of an operation; each takes up to 400 characters of a
// section's 3,000.
const maxNotes = 4

// capital starts a sentence as one.
func capital(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}

// commit is a revision as a link, or as code where it has no page.
func (p Printer) commit(r release.Revision) string {
	page := p.links.commit(r)
	if page == "" {
		return code(r.Short())
	}
	return link(page, escape(r.Short()))
}

func (p Printer) buttons(op release.Operation) slack.Block {
	return linkButtons(
		address{"argocd", p.say.buttonArgo, p.links.application(op.Application)},
		address{"commit", p.say.buttonCommit, p.links.commit(op.Commit)},
		address{"compare", p.say.buttonCompare, p.links.compare(op.Base, op.Commit)},
	)
}

// foot is the line that tells one operation from another, and when it was asked for.
func (p Printer) foot(op release.Operation) slack.Block {
	var parts []string
	for _, s := range []string{p.who(op), date(op.Created), code(op.ID)} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return small(strings.Join(parts, " · "))
}

func section(text string) slack.Block { return slack.NewSectionBlock(markup(text), nil, nil) }

func small(text string) slack.Block { return slack.NewContextBlock("", markup(text)) }

// markup is text whose markup is our own. Verbatim, so that Slack makes no
// links or mentions of its own out of what it finds in it.
func markup(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, text, false, true)
}

func plainText(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, text, false, false)
}
