package card

import (
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"github.com/synestra/promoter/internal/release"
)

// Answer is what the person who asked sees. linked is the address of the
// message that the answer points to, "" for none.
func (p Printer) Answer(a release.Answer, linked string) Message {
	var text []string
	context := p.say.onlyYou
	if no := a.Refusal; no != nil {
		line := refusalEmoji(no.Code) + " " + sentence(no.Say)
		if do := sentence(no.Do); do != "" {
			line += "\n" + do
		}
		text = append(text, line)
		context += " · " + p.say.unchanged
	}
	if said := sentence(a.Text); said != "" {
		text = append(text, said)
	}
	if isWeb(linked) {
		text = append(text, link(linked, p.say.seeMessage))
	}
	all := strings.Join(text, "\n")
	if all == "" {
		all = p.say.seeMessage
	}
	var blocks []slack.Block
	for _, part := range chunks(all, maxSection-200) {
		blocks = append(blocks, section(part))
	}
	if a.Table != nil {
		drawn, left := table(*a.Table, maxTotal-length(all)-1000) // the buttons, and the last line
		blocks = append(blocks, drawn)
		if left > 0 {
			blocks = append(blocks, section(with(p.say.more, "count", strconv.Itoa(left))))
		}
		all += "\n" + tableText(*a.Table)
	}
	if len(a.Choices) > 0 {
		blocks = append(blocks, p.choices(a.Choices))
	}
	if !a.Public {
		blocks = append(blocks, small(context))
	}
	return fit(Message{Text: all, Blocks: blocks})
}

// Empty says that there is nothing in an answer to be shown.
func Empty(a release.Answer) bool {
	return a.Text == "" && a.Refusal == nil && a.Link == (release.Place{}) && len(a.Choices) == 0
}

// Broken is the answer after an error that is none of the person's business.
// done is what the handler knows to have been done, as it says it.
func (p Printer) Broken(reference string, done release.Answer) release.Answer {
	said := done.Text
	if said == "" {
		said = p.say.brokenUnknown
	}
	return release.Answer{
		Text: "❌ " + with(p.say.broken, "reference", "`"+release.Plain(reference)+"`") + "\n" + said,
		Link: done.Link,
	}
}

// NotAccepted is the answer to a request that was not taken in.
func (p Printer) NotAccepted() string { return p.say.notAccepted }

func refusalEmoji(c release.Code) string {
	switch c {
	case release.CodeAlreadyThere, release.CodeAtBaseline, release.CodeNotHeld:
		return "✅"
	case release.CodeNoRight, release.CodeNoForce:
		return "🔒"
	case release.CodeInProgress:
		return "⏳"
	case release.CodeDevUnknown, release.CodeArgoUnreachable, release.CodeGitUnreachable, release.CodeUnknownApp, release.CodeUnknownCommand:
		return "❔"
	}
	return "⛔"
}

func (p Printer) choices(list []release.Choice) slack.Block {
	var buttons []slack.BlockElement
	for i, c := range list {
		label := release.Plain(c.Label)
		if label == "" {
			label = strconv.Itoa(i + 1)
		}
		b := slack.NewButtonBlockElement(clickAction(i, c.Click), c.Subject, plainText(label))
		if c.Danger {
			b.Style = slack.StyleDanger
		}
		if ask := release.Plain(c.Confirm); ask != "" {
			b.Confirm = slack.NewConfirmationBlockObject(plainText(p.say.sure), plainText(ask), plainText(p.say.yes), plainText(p.say.no))
		}
		buttons = append(buttons, b)
	}
	return slack.NewActionBlock("", buttons...)
}

// chunks splits text at line ends into parts of at most n characters.
func chunks(text string, n int) []string {
	var parts []string
	part := ""
	for line := range strings.Lines(text) {
		if part != "" && length(part)+length(line) > n {
			parts = append(parts, strings.TrimRight(part, "\n"))
			part = ""
		}
		part += line
	}
	if part = strings.TrimRight(part, "\n"); part != "" {
		parts = append(parts, part)
	}
	return parts
}
