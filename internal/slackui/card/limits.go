package card

import (
	"unicode/utf8"

	"github.com/slack-go/slack"
)

// What Slack takes, in characters or pieces, as the comments of @slack/types
// have it. Slack rejects a message that breaks one of these as a whole.
const (
	maxBlocks      = 50
	maxSection     = 3000
	maxElements    = 10 // of a context block
	maxButtons     = 25
	maxLabel       = 75
	maxActionID    = 255
	maxValue       = 2000
	maxURL         = 3000
	maxDialogTitle = 100
	maxDialogText  = 300
	maxDialogLabel = 30
	// Slack truncates from 40,000 and advises 4,000.
	maxText = 4000
	// msg_blocks_too_long comes at about 13,200 characters over all blocks
	// though each is legal (bolt-js#2509).
	maxTotal = 10_000
)

// fit makes a message keep Slack's limits: what is too long is shortened, what
// is too many or empty is left out. Cards are made so that it has nothing to
// do; it is what stands between an odd error text and a message that Slack
// rejects.
func fit(m Message) Message {
	left := maxTotal
	var kept []slack.Block
	for _, b := range m.Blocks {
		if len(kept) == maxBlocks {
			break
		}
		size, ok := fitBlock(b, left)
		if !ok {
			continue
		}
		left -= size
		kept = append(kept, b)
	}
	return Message{Text: clipMarkup(m.Text, maxText), Blocks: kept}
}

// fitBlock shortens a block to its limits and to the characters that are left
// for it. It returns the size, and false for a block that is better left out.
func fitBlock(b slack.Block, left int) (int, bool) {
	switch b := b.(type) {
	case *slack.SectionBlock:
		b.Text.Text = clipMarkup(b.Text.Text, min(maxSection, left))
		return length(b.Text.Text), left > 2 && b.Text.Text != ""
	case *slack.ContextBlock:
		return fitContext(b, left)
	case *slack.ActionBlock:
		return fitActions(b, left)
	case *slack.RichTextBlock:
		return fitRich(b, left)
	case *slack.TableBlock:
		return sizeOf(b), len(b.Rows) > 0 && sizeOf(b) <= left // half a table would not say so
	}
	return 0, true
}

func fitContext(b *slack.ContextBlock, left int) (size int, ok bool) {
	var kept []slack.MixedElement
	for _, e := range b.ContextElements.Elements {
		t, isText := e.(*slack.TextBlockObject)
		if !isText || t.Text == "" || left-size <= 2 || len(kept) == maxElements {
			continue
		}
		t.Text = clipMarkup(t.Text, min(maxSection, left-size))
		size += length(t.Text)
		kept = append(kept, t)
	}
	b.ContextElements.Elements = kept
	return size, len(kept) > 0
}

func fitActions(b *slack.ActionBlock, left int) (size int, ok bool) {
	var kept []slack.BlockElement
	for _, e := range b.Elements.ElementSet {
		button, isButton := e.(*slack.ButtonBlockElement)
		if !isButton || len(kept) == maxButtons || length(button.Value) > maxValue ||
			length(button.URL) > maxURL || length(button.ActionID) > maxActionID {
			continue // half a value or an address is worse than none
		}
		button.Text.Text = clip(button.Text.Text, maxLabel)
		if d := button.Confirm; d != nil {
			d.Title.Text = clip(d.Title.Text, maxDialogTitle)
			d.Text.Text = clip(d.Text.Text, maxDialogText)
			d.Confirm.Text = clip(d.Confirm.Text, maxDialogLabel)
			d.Deny.Text = clip(d.Deny.Text, maxDialogLabel)
		}
		if size+length(button.Text.Text) > left {
			break
		}
		size += length(button.Text.Text)
		kept = append(kept, button)
	}
	b.Elements.ElementSet = kept
	return size, len(kept) > 0
}

func fitRich(b *slack.RichTextBlock, left int) (size int, ok bool) {
	for _, e := range b.Elements {
		sections := []slack.RichTextElement{e}
		if list, isList := e.(*slack.RichTextList); isList {
			sections = list.Elements
		}
		for _, s := range sections {
			section, isSection := s.(*slack.RichTextSection)
			if !isSection {
				continue
			}
			for _, piece := range section.Elements {
				if t, isText := piece.(*slack.RichTextSectionTextElement); isText {
					t.Text = clip(t.Text, max(1, min(maxSection, left-size)))
					size += length(t.Text)
				}
			}
		}
	}
	return size, size <= left && len(b.Elements) > 0
}

func length(s string) int { return utf8.RuneCountInString(s) }
