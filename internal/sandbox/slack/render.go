package slack

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Render draws a message as lines for a terminal: where it is and who sees it,
// then its blocks, or its text if it has none. It ends with a newline.
func (s *Server) Render(m Message) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := drawing{ink: ink(s.opt.Color), names: &s.people, zone: s.opt.Zone, now: s.opt.Now()}
	var body []string
	switch blocks := decodeBlocks(m.Blocks); {
	case m.Deleted:
		body = []string{d.ink.dim("This message was deleted.")}
	case len(blocks) > 0:
		for _, b := range blocks {
			body = append(body, d.block(b)...)
		}
	default:
		body = d.mrkdwn(m.Text)
	}
	if len(m.Reactions) > 0 && !m.Deleted {
		var drawn []string
		for _, name := range m.Reactions {
			drawn = append(drawn, "("+emoji(":"+name+":")+" 1)")
		}
		body = append(body, strings.Join(drawn, " "))
	}
	lines := []string{d.title(m)}
	for _, line := range body {
		lines = append(lines, strings.TrimRight("  "+line, " "))
	}
	return strings.Join(lines, "\n") + "\n"
}

// drawing draws the parts of one message.
type drawing struct {
	ink   ink
	names *people
	zone  *time.Location
	now   time.Time
}

// title is the line above a message.
func (d *drawing) title(m Message) string {
	sec, _ := strconv.ParseFloat(m.TS, 64)
	at := time.Unix(int64(sec), 0).In(d.zone).Format("15:04")
	author := d.user(m.User)
	if d.names.users[m.User].Bot {
		author += " APP"
	}
	title := d.ink.bold(author) + d.ink.dim(" in "+d.channel(m.Channel)+" · "+at)
	notes := []struct {
		holds bool
		say   string
	}{
		{m.ThreadTS != "" && m.ThreadTS != m.TS, "in a thread"},
		{m.Broadcast, "also sent to the channel"},
		{m.Edited && !m.Deleted, "edited"},
		{m.EphemeralFor != "", "only visible to " + d.user(m.EphemeralFor)},
	}
	for _, note := range notes {
		if note.holds {
			title += d.ink.dim(" · " + note.say)
		}
	}
	return title
}

// block draws one block as lines.
func (d *drawing) block(b map[string]any) []string {
	switch b["type"] {
	case "header":
		return []string{d.ink.bold(d.text(b["text"]))}
	case "section":
		return d.section(b)
	case "context":
		var parts []string
		for _, e := range list(b["elements"]) {
			parts = append(parts, d.text(e))
		}
		return d.each(strings.Split(strings.Join(parts, "  "), "\n"), d.ink.dim)
	case "actions":
		return []string{d.buttons(interactive(b))}
	case "divider":
		return []string{d.ink.dim(strings.Repeat("─", 40))}
	case "rich_text":
		return d.richText(b)
	case "table":
		return d.table(b)
	case "markdown":
		return strings.Split(str(b, "text"), "\n")
	case "image":
		return []string{"[image: " + str(b, "alt_text") + "]"}
	}
	return []string{fmt.Sprintf("[%v]", b["type"])}
}

func (d *drawing) each(lines []string, draw func(string) string) []string {
	for i, line := range lines {
		lines[i] = draw(line)
	}
	return lines
}

// text draws a text object, or an image by its alt_text.
func (d *drawing) text(v any) string {
	object, _ := v.(map[string]any)
	switch object["type"] {
	case "mrkdwn":
		return strings.Join(d.mrkdwn(str(object, "text")), "\n")
	case "image":
		return "[" + str(object, "alt_text") + "]"
	}
	return emoji(str(object, "text"))
}

// section draws text, then fields two beside each other, then the accessory.
func (d *drawing) section(b map[string]any) []string {
	var lines []string
	if b["text"] != nil {
		lines = strings.Split(d.text(b["text"]), "\n")
	}
	fields := list(b["fields"])
	for i := 0; i < len(fields); i += 2 {
		left, right := strings.Split(d.text(fields[i]), "\n"), []string(nil)
		if i+1 < len(fields) {
			right = strings.Split(d.text(fields[i+1]), "\n")
		}
		lines = append(lines, besides(left, right)...)
	}
	if buttons := interactive(b); len(buttons) > 0 {
		lines = append(lines, d.buttons(buttons))
	}
	return lines
}

// besides puts two columns of lines next to each other.
func besides(left, right []string) []string {
	const least = 30 // so that several rows of fields line up
	width := least
	for _, line := range left {
		width = max(width, columns(line))
	}
	var lines []string
	for i := range max(len(left), len(right)) {
		l, r := "", ""
		if i < len(left) {
			l = left[i]
		}
		if i < len(right) {
			r = "  " + right[i]
		}
		if r != "" {
			l = pad(l, width, false)
		}
		lines = append(lines, l+r)
	}
	return lines
}

func (d *drawing) buttons(elements []map[string]any) string {
	var drawn []string
	for _, e := range elements {
		if e["type"] != "button" {
			label, _ := e["placeholder"].(map[string]any)
			drawn = append(drawn, "[ "+emoji(str(label, "text"))+" ▾ ]")
			continue
		}
		b := buttonOf(e)
		face := "[ " + emoji(b.Label)
		if b.URL != "" {
			face = strings.TrimSuffix(face, " ↗") + " ↗"
		}
		drawn = append(drawn, d.ink.button(face+" ]", b.Style))
	}
	return strings.Join(drawn, " ")
}

// table draws the first row as a heading, as Slack does.
func (d *drawing) table(b map[string]any) []string {
	var cells [][]string
	var widths []int
	for _, row := range list(b["rows"]) {
		var drawn []string
		for i, cell := range list(row) {
			c, _ := cell.(map[string]any)
			text := str(c, "text")
			if c["type"] == "rich_text" {
				text = strings.Join(d.richText(c), " ")
			}
			drawn = append(drawn, text)
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], columns(text))
		}
		cells = append(cells, drawn)
	}
	settings := list(b["column_settings"])
	var lines []string
	for n, row := range cells {
		for i, text := range row {
			right := false
			if i < len(settings) {
				setting, _ := settings[i].(map[string]any)
				right = setting["align"] == "right"
			}
			row[i] = pad(text, widths[i], right)
		}
		line := strings.TrimRight(strings.Join(row, "  "), " ")
		if n > 0 {
			lines = append(lines, line)
			continue
		}
		var rules []string
		for _, w := range widths {
			rules = append(rules, strings.Repeat("─", w))
		}
		lines = append(lines, d.ink.bold(line), d.ink.dim(strings.Join(rules, "──")))
	}
	return lines
}

// richText draws the elements of a rich_text block or cell.
func (d *drawing) richText(b map[string]any) []string {
	var lines []string
	for _, e := range list(b["elements"]) {
		part, _ := e.(map[string]any)
		switch part["type"] {
		case "rich_text_list":
			lines = append(lines, d.richList(part)...)
		case "rich_text_quote":
			lines = append(lines, d.each(d.inline(part), func(l string) string { return d.ink.dim("▌ ") + l })...)
		case "rich_text_preformatted":
			lines = append(lines, d.each(d.inline(part), d.ink.preformatted)...)
		default:
			lines = append(lines, d.inline(part)...)
		}
	}
	return lines
}

func (d *drawing) richList(part map[string]any) []string {
	indent, offset := number(part["indent"]), number(part["offset"])
	var lines []string
	for i, item := range list(part["elements"]) {
		section, _ := item.(map[string]any)
		mark := "• "
		if part["style"] == "ordered" {
			mark = strconv.Itoa(offset+i+1) + ". "
		}
		for n, line := range d.inline(section) {
			if n > 0 {
				mark = strings.Repeat(" ", len([]rune(mark)))
			}
			lines = append(lines, strings.Repeat("  ", indent)+mark+line)
		}
	}
	return lines
}

func number(v any) int {
	n, _ := v.(json.Number)
	i, _ := strconv.Atoi(n.String()) // it has been checked; no number is 0
	return i
}

// inline draws the inline elements of a section, list item, quote or code block.
func (d *drawing) inline(section map[string]any) []string {
	var text strings.Builder
	for _, e := range list(section["elements"]) {
		part, _ := e.(map[string]any)
		text.WriteString(d.inlinePart(part))
	}
	lines := strings.Split(text.String(), "\n")
	for len(lines) > 1 && lines[len(lines)-1] == "" {
		lines = slices.Delete(lines, len(lines)-1, len(lines))
	}
	return lines
}

func (d *drawing) inlinePart(part map[string]any) string {
	var text string
	switch part["type"] {
	case "link":
		text = d.ink.link(firstOf(str(part, "text"), str(part, "url")))
	case "emoji":
		text = emoji(":" + str(part, "name") + ":")
	case "user":
		text = d.ink.mention(d.user(str(part, "user_id")))
	case "usergroup":
		text = d.ink.mention(d.group(str(part, "usergroup_id")))
	case "channel":
		text = d.ink.mention(d.channel(str(part, "channel_id")))
	case "broadcast":
		text = d.ink.mention("@" + str(part, "range"))
	case "date":
		text = d.date(int64(number(part["timestamp"])), str(part, "format"))
	default:
		text = firstOf(str(part, "text"), str(part, "value"))
	}
	style, _ := part["style"].(map[string]any)
	for _, s := range []struct {
		name string
		draw func(string) string
	}{{"code", d.ink.code}, {"bold", d.ink.bold}, {"italic", d.ink.italic}, {"strike", d.ink.strike}} {
		if style[s.name] == true {
			text = strings.Join(d.each(strings.Split(text, "\n"), s.draw), "\n")
		}
	}
	return text
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
