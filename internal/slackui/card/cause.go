package card

import (
	"strconv"

	"github.com/slack-go/slack"

	"github.com/synestra/promoter/internal/release"
)

// How much of a cause is shown. The rest is a click away in Argo CD.
const (
	maxCausePods      = 5
	maxCauseResources = 5
	maxCauseText      = 300
)

// cause is why an operation fails, as the cluster or Argo CD says it. In
// rich_text nothing is parsed, so their words can stand as they are.
func (p Printer) cause(c *release.Cause) []slack.Block {
	if c == nil {
		return nil
	}
	var parts []slack.RichTextElement
	if s := release.Plain(c.Summary); s != "" {
		parts = append(parts, slack.NewRichTextSection(rich(s, &slack.RichTextSectionTextStyle{Bold: true})))
	}
	var items []slack.RichTextElement
	for i, pod := range c.Pods {
		if i == maxCausePods {
			items = append(items, p.andMore(len(c.Pods)-i))
			break
		}
		items = append(items, item(pod.Pod, pod.Reason, pod.Message))
	}
	for i, r := range c.Resources {
		if i == maxCauseResources {
			items = append(items, p.andMore(len(c.Resources)-i))
			break
		}
		items = append(items, item(r.Kind+" "+r.Name, r.Health, r.Message))
	}
	if items != nil {
		parts = append(parts, slack.NewRichTextList(slack.RTEListBullet, 0, items...))
	}
	if parts == nil {
		return nil
	}
	return []slack.Block{slack.NewRichTextBlock("", parts...)}
}

// item is one failing thing: its name, a reason in one word, and a message.
func item(name, reason, message string) slack.RichTextElement {
	text := ""
	if reason = release.Plain(reason); reason != "" {
		text = " " + reason
	}
	if message = release.Plain(message); message != "" {
		text += ": " + message
	}
	pieces := []slack.RichTextSectionElement{rich(name, &slack.RichTextSectionTextStyle{Code: true})}
	if text != "" {
		pieces = append(pieces, rich(text, nil))
	}
	return slack.NewRichTextSection(pieces...)
}

func (p Printer) andMore(n int) slack.RichTextElement {
	return slack.NewRichTextSection(rich(with(p.say.more, "count", strconv.Itoa(n)), nil))
}

// rich is a piece of text in which nothing is parsed. Slack rejects an empty one.
func rich(text string, style *slack.RichTextSectionTextStyle) slack.RichTextSectionElement {
	if text == "" {
		text = "—"
	}
	return slack.NewRichTextSectionTextElement(clip(text, maxCauseText), style)
}
