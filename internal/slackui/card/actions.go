package card

import (
	"strconv"
	"strings"

	"github.com/slack-go/slack"
)

// An action_id tells what a button is: "link/commit" opens an address, and
// Slack tells us of it all the same; "click/0/reset-dev.confirm" is a choice.
// The number keeps the ids of one message apart.

func linkAction(name string) string { return "link/" + name }

func clickAction(i int, click string) string { return "click/" + strconv.Itoa(i) + "/" + click }

// Clicked is the [release.Choice.Click] behind an action_id; false for a link
// or a button that is not ours.
func Clicked(actionID string) (string, bool) {
	rest, ok := strings.CutPrefix(actionID, "click/")
	if !ok {
		return "", false
	}
	_, click, ok := strings.Cut(rest, "/")
	return click, ok && click != ""
}

// address is a page to go to: a name for its button, a label and where it is,
// "" if there is no such page.
type address struct{ name, label, url string }

// linkButtons are buttons that open pages, nil if there are none.
func linkButtons(pages ...address) slack.Block {
	var buttons []slack.BlockElement
	for _, a := range pages {
		if isWeb(a.url) {
			b := slack.NewButtonBlockElement(linkAction(a.name), "", plainText(a.label))
			b.URL = a.url
			buttons = append(buttons, b)
		}
	}
	if buttons == nil {
		return nil
	}
	return slack.NewActionBlock("", buttons...)
}
