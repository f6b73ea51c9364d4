package card

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// The limits once more, from Slack's reference and not from limits.go, so that
// a mistake there is seen here.
var textLimits = map[string]int{"section": 3000, "context": 3000, "button": 75, "title": 100, "confirm text": 300, "confirm": 30, "deny": 30}

// our is every markup that a card may hold.
var our = regexp.MustCompile(`<(!date\^[0-9]+\^\{date_short_pretty\} \{time(?:_secs)?\}\|[0-9-]+ [0-9:]+ UTC|@[UW][A-Z0-9]+|https?://[^|<> ]+\|[^<>]*)>`)

// checkMessage fails for a message that Slack would reject, or that holds
// markup which is not ours.
func checkMessage(t *testing.T, m Message) {
	t.Helper()
	c := checker{t: t}
	if n := utf8.RuneCountInString(m.Text); n < 1 || n > 4000 {
		t.Errorf("text has %d characters", n)
	}
	c.markup("text", m.Text)
	raw, err := json.Marshal(m.Blocks)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []map[string]any
	if err := json.Unmarshal(raw, &blocks); err != nil {
		t.Fatal(err)
	}
	if len(blocks) < 1 || len(blocks) > 50 {
		t.Errorf("%d blocks", len(blocks))
	}
	for _, b := range blocks {
		c.block(b)
	}
	if c.total > 10_000 {
		t.Errorf("the blocks have %d characters", c.total)
	}
}

type checker struct {
	t     *testing.T
	total int
}

func (c *checker) block(b map[string]any) {
	c.t.Helper()
	switch kind := b["type"]; kind {
	case "section":
		c.text("section", b["text"], "mrkdwn")
	case "context":
		c.list(b, 10, func(e map[string]any) { c.text("context", e, "mrkdwn") })
	case "actions":
		ids := map[any]bool{}
		c.list(b, 25, func(e map[string]any) {
			if ids[e["action_id"]] {
				c.t.Errorf("action_id %v is there twice", e["action_id"])
			}
			ids[e["action_id"]] = true
			c.button(e)
		})
	case "rich_text":
		c.list(b, 100, c.rich)
	case "table":
		rows, _ := b["rows"].([]any)
		if len(rows) < 1 || len(rows) > 100 {
			c.t.Errorf("table with %d rows", len(rows))
		}
		for _, row := range rows {
			cells, _ := row.([]any)
			if len(cells) < 1 || len(cells) > 20 {
				c.t.Errorf("row with %d cells", len(cells))
			}
			for _, cell := range cells {
				s, _ := cell.(map[string]any)["text"].(string)
				if s == "" {
					c.t.Errorf("empty cell in %v", row)
				}
				c.total += utf8.RuneCountInString(s)
			}
		}
	default:
		c.t.Errorf("block of type %v", kind)
	}
}

func (c *checker) list(b map[string]any, most int, each func(map[string]any)) {
	c.t.Helper()
	elements, _ := b["elements"].([]any)
	if len(elements) < 1 || len(elements) > most {
		c.t.Errorf("%v with %d elements", b["type"], len(elements))
	}
	for _, e := range elements {
		each(e.(map[string]any))
	}
}

func (c *checker) text(name string, v any, kind string) {
	c.t.Helper()
	o, _ := v.(map[string]any)
	s, _ := o["text"].(string)
	n := utf8.RuneCountInString(s)
	c.total += n
	if o["type"] != kind || n < 1 || n > textLimits[name] {
		c.t.Errorf("%s: %v of %d characters", name, o["type"], n)
	}
	if kind == "mrkdwn" {
		if o["verbatim"] != true {
			c.t.Errorf("%s is not verbatim: Slack would make links of names in it", name)
		}
		c.markup(name, s)
	}
}

func (c *checker) markup(name, s string) {
	c.t.Helper()
	if !utf8.ValidString(s) {
		c.t.Errorf("%s is not UTF-8: %q", name, s)
	}
	rest := our.ReplaceAllString(s, "")
	if strings.ContainsAny(rest, "<>") {
		c.t.Errorf("%s holds foreign markup: %q", name, s)
	}
	rest = regexp.MustCompile(`&(amp|lt|gt);`).ReplaceAllString(rest, " ")
	if strings.Contains(rest, "&") {
		c.t.Errorf("%s holds a bare or broken &: %q", name, s)
	}
	for line := range strings.Lines(s) {
		if strings.Count(line, "`")%2 == 1 {
			c.t.Errorf("%s has an open code span: %q", name, line)
		}
	}
	for i, part := range strings.Split(rest, "`") {
		if i%2 == 0 && emojiCode.MatchString(part) {
			c.t.Errorf("%s would show an emoji that is not ours: %q", name, part)
		}
	}
}

func (c *checker) button(e map[string]any) {
	c.t.Helper()
	c.text("button", e["text"], "plain_text")
	for key, most := range map[string]int{"value": 2000, "url": 3000, "action_id": 255} {
		if s, _ := e[key].(string); utf8.RuneCountInString(s) > most {
			c.t.Errorf("button's %s is too long", key)
		}
	}
	if d, ok := e["confirm"].(map[string]any); ok {
		c.text("title", d["title"], "plain_text")
		c.text("confirm text", d["text"], "plain_text")
		c.text("confirm", d["confirm"], "plain_text")
		c.text("deny", d["deny"], "plain_text")
	}
}

func (c *checker) rich(e map[string]any) {
	c.t.Helper()
	switch e["type"] {
	case "rich_text_list":
		c.list(e, 100, c.rich)
	case "rich_text_section":
		c.list(e, 100, func(piece map[string]any) {
			s, _ := piece["text"].(string)
			if piece["type"] != "text" || s == "" {
				c.t.Errorf("rich_text piece %v", piece)
			}
			c.total += utf8.RuneCountInString(s)
		})
	default:
		c.t.Errorf("rich_text element %v", e["type"])
	}
}
