package card

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/slack-go/slack/slackutilsx"

	"github.com/synestra/promoter/internal/release"
)

// Text from outside reaches a message in one of three ways: as code, as prose
// in which nothing is parsed, or in a rich_text block. None of them can ping
// anybody, be a link, or look like a state that we show by an emoji.

// emojiCode is how an emoji is typed. Slack draws it wherever mrkdwn is parsed.
var emojiCode = regexp.MustCompile(`:([a-zA-Z0-9_'+-]*[a-zA-Z][a-zA-Z0-9_'+-]*):`)

// foreign is text that somebody else wrote, for the middle of a sentence.
func foreign(s string) string {
	s = strings.NewReplacer("*", "∗", "~", "∼").Replace(release.Plain(s))
	return escape(defang(s))
}

// code is text that somebody else wrote, as a code span.
func code(s string) string {
	s = release.Plain(s)
	if s == "" {
		s = "none"
	}
	return "`" + escape(s) + "`"
}

// sentence is our own text, in which foreign names stand in `code`. It keeps
// *bold*, code and line ends, and nothing else.
func sentence(s string) string {
	lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	for i, line := range lines {
		lines[i] = sentenceLine(line)
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

func sentenceLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return -1
		}
		return r
	}, s)
	parts := strings.Split(s, "`")
	if len(parts)%2 == 0 { // a span that is not closed would swallow what follows
		return escape(defang(strings.ReplaceAll(s, "`", "ˋ")))
	}
	for i := range parts {
		if i%2 == 0 {
			parts[i] = defang(parts[i])
		}
	}
	return escape(strings.Join(parts, "`"))
}

func defang(s string) string { return emojiCode.ReplaceAllString(s, "∶$1∶") }

// escape is what Slack asks of every text that is to be taken as it stands.
func escape(s string) string { return slackutilsx.EscapeMessage(s) }

// plain is a card's line as notifications and screen readers have it.
func plain(s string) string { return defang(strings.NewReplacer("`", "", "*", "").Replace(s)) }

// link is a link to one of our own addresses; the label alone if that is none.
func link(address, label string) string {
	if !isWeb(address) {
		return label
	}
	return "<" + escape(address) + "|" + label + ">"
}

// isWeb says that an address may stand behind a link or a button.
func isWeb(address string) bool {
	u, err := url.Parse(address)
	odd := strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("<>|`\"", r) })
	return err == nil && !odd && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && len(address) <= maxURL
}

// date is a time in the zone of whoever reads it.
func date(t time.Time) string {
	return dateAs(t, "{date_short_pretty} {time_secs}", "2006-01-02 15:04:05")
}

// moment is a date to the minute.
func moment(t time.Time) string { return dateAs(t, "{date_short_pretty} {time}", "2006-01-02 15:04") }

func dateAs(t time.Time, tokens, fallback string) string {
	if t.IsZero() {
		return ""
	}
	t = t.UTC()
	return "<!date^" + strconv.FormatInt(t.Unix(), 10) + "^" + tokens + "|" + t.Format(fallback) + " UTC>"
}

// joined puts together what is not empty.
func joined(between string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), between)
}

// clip shortens s to n characters.
func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:max(0, n-1)]) + "…"
}

// clipMarkup shortens mrkdwn to n characters and leaves no half of an entity,
// a link or a code span behind.
func clipMarkup(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	s = string([]rune(s)[:max(0, n-2)]) // one for the ellipsis, one for a closing backtick
	if i := strings.LastIndexByte(s, '<'); i >= 0 && !strings.Contains(s[i:], ">") {
		s = s[:i]
	}
	if i := strings.LastIndexByte(s, '&'); i >= 0 && !strings.Contains(s[i:], ";") {
		s = s[:i]
	}
	s += "…"
	if strings.Count(s, "`")%2 == 1 {
		s += "`"
	}
	return s
}
