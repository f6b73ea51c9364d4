package slack

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// mrkdwn draws Slack's own markup as lines.
// See https://docs.slack.dev/messaging/formatting-message-text.
func (d *drawing) mrkdwn(text string) []string {
	var lines []string
	for i, part := range strings.Split(text, "```") {
		code := i%2 == 1
		if code {
			part = strings.Trim(part, "\n")
		} else if part = strings.TrimSuffix(part, "\n"); i > 0 {
			part = strings.TrimPrefix(part, "\n")
		}
		if part == "" {
			continue
		}
		for line := range strings.SplitSeq(part, "\n") {
			switch quoted, isQuote := strings.CutPrefix(line, "&gt;"); {
			case code:
				line = d.ink.preformatted(unescape(d.entities(line)))
			case isQuote:
				line = d.ink.dim("▌ ") + d.mrkdwnLine(strings.TrimSpace(quoted))
			default:
				line = d.mrkdwnLine(line)
			}
			lines = append(lines, line)
		}
	}
	return lines
}

// mrkdwnLine draws one line outside of code fences. Code spans come first:
// nothing is marked up in them.
func (d *drawing) mrkdwnLine(line string) string {
	var out strings.Builder
	spans := strings.Split(line, "`")
	for i, span := range spans {
		switch {
		case i%2 == 0:
			out.WriteString(unescape(emoji(d.marks(d.entities(span)))))
		case i == len(spans)-1: // a lone backtick opens nothing
			out.WriteString("`" + unescape(emoji(d.marks(d.entities(span)))))
		default:
			out.WriteString(d.ink.code(unescape(d.entities(span))))
		}
	}
	return out.String()
}

// A mark does not touch a letter outside, nor a space inside.
var (
	boldMark   = regexp.MustCompile(`(^|[^\pL\pN*])\*([^\s*](?:[^*]*[^\s*])?)\*($|[^\pL\pN*])`)
	italicMark = regexp.MustCompile(`(^|[^\pL\pN_])_([^\s_](?:[^_]*[^\s_])?)_($|[^\pL\pN_])`)
	strikeMark = regexp.MustCompile(`(^|[^\pL\pN~])~([^\s~](?:[^~]*[^\s~])?)~($|[^\pL\pN~])`)
)

// marks draws *bold*, _italic_ and ~strike~.
func (d *drawing) marks(text string) string {
	for _, m := range []struct {
		mark *regexp.Regexp
		draw func(string) string
	}{
		{boldMark, d.ink.bold}, {italicMark, d.ink.italic}, {strikeMark, d.ink.strike},
	} {
		// A match takes the character behind it, which may open the next one: twice finds both.
		for range 2 {
			text = m.mark.ReplaceAllStringFunc(text, func(match string) string {
				g := m.mark.FindStringSubmatch(match)
				return g[1] + m.draw(g[2]) + g[3]
			})
		}
	}
	return text
}

// entities resolves what stands in angle brackets.
func (d *drawing) entities(text string) string {
	var out strings.Builder
	for {
		before, rest, open := strings.Cut(text, "<")
		entity, after, closed := strings.Cut(rest, ">")
		if !open || !closed {
			out.WriteString(text)
			return out.String()
		}
		out.WriteString(before)
		out.WriteString(d.entity(entity))
		text = after
	}
}

// entity draws <@U1>, <#C1>, <!subteam^S1>, <!here>, <!date^…|fallback> and links.
func (d *drawing) entity(entity string) string {
	body, label, _ := strings.Cut(entity, "|")
	switch {
	case strings.HasPrefix(body, "@"):
		return d.ink.mention(d.user(body[1:]))
	case strings.HasPrefix(body, "#"):
		return d.ink.mention(d.channel(body[1:]))
	case strings.HasPrefix(body, "!subteam^"):
		return d.ink.mention(d.group(strings.TrimPrefix(body, "!subteam^")))
	case strings.HasPrefix(body, "!date^"):
		parts := strings.Split(body, "^")
		unix, err := strconv.ParseInt(parts[1], 10, 64)
		if err != nil || len(parts) < 3 {
			return label
		}
		return d.date(unix, parts[2])
	case strings.HasPrefix(body, "!"):
		return d.ink.mention("@" + body[1:])
	}
	return d.ink.link(firstOf(label, body))
}

func (d *drawing) user(id string) string {
	if u, ok := d.names.users[id]; ok {
		return "@" + u.Name
	}
	return "@" + id
}

func (d *drawing) group(id string) string {
	if g, ok := d.names.groups[id]; ok {
		return "@" + g.Handle
	}
	return "@" + id
}

func (d *drawing) channel(id string) string {
	ch, ok := d.names.channels[id]
	switch {
	case !ok:
		return "#" + id
	case ch.IM:
		return "a direct message"
	}
	return "#" + ch.Name
}

// date fills the tokens of a date format.
// See https://docs.slack.dev/messaging/formatting-message-text#date-formatting.
func (d *drawing) date(unix int64, format string) string {
	t := time.Unix(unix, 0).In(d.zone)
	pretty := func(layout string) string {
		day := func(t time.Time) string { return t.Format(time.DateOnly) }
		now := d.now.In(d.zone)
		switch day(t) {
		case day(now):
			return "today"
		case day(now.AddDate(0, 0, -1)):
			return "yesterday"
		case day(now.AddDate(0, 0, 1)):
			return "tomorrow"
		}
		return t.Format(layout)
	}
	const short, normal, long = "Jan 2, 2006", "January 2, 2006", "Monday, January 2, 2006"
	return strings.NewReplacer(
		"{date_num}", t.Format(time.DateOnly),
		"{date}", t.Format(normal), "{date_pretty}", pretty(normal),
		"{date_short}", t.Format(short), "{date_short_pretty}", pretty(short),
		"{date_long}", t.Format(long), "{date_long_pretty}", pretty(long),
		"{time}", t.Format("15:04"), "{time_secs}", t.Format("15:04:05"),
		"{ago}", ago(d.now.Sub(t)),
	).Replace(format)
}

func ago(span time.Duration) string {
	switch {
	case span < time.Minute:
		return "just now"
	case span < time.Hour:
		return fmt.Sprintf("%d min ago", int(span.Minutes()))
	case span < 24*time.Hour:
		return fmt.Sprintf("%d h ago", int(span.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(span.Hours()/24))
}

// unescape undoes the three escapes of message text.
func unescape(text string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(text)
}
