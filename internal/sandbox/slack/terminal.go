package slack

import (
	"regexp"
	"strings"
)

// ink draws with ANSI styles, or, if it is false, with plain characters.
type ink bool

func (i ink) style(codes, text string) string {
	if !i || text == "" {
		return text
	}
	return "\x1b[" + codes + "m" + text + "\x1b[0m"
}

func (i ink) bold(text string) string    { return i.style("1", text) }
func (i ink) dim(text string) string     { return i.style("2", text) }
func (i ink) italic(text string) string  { return i.style("3", text) }
func (i ink) link(text string) string    { return i.style("4;34", text) }
func (i ink) mention(text string) string { return i.style("33", text) }

func (i ink) strike(text string) string {
	if !i {
		return "~" + text + "~"
	}
	return i.style("9", text)
}

func (i ink) code(text string) string {
	if !i {
		return "`" + text + "`"
	}
	return i.style("36", text)
}

func (i ink) preformatted(line string) string { return i.dim("│ ") + i.style("36", line) }

func (i ink) button(face, style string) string {
	switch style {
	case "primary":
		return i.style("1;32", face)
	case "danger":
		return i.style("1;31", face)
	}
	return i.style("1", face)
}

// pad fills a cell up to a width in columns.
func pad(text string, width int, right bool) string {
	gap := strings.Repeat(" ", max(0, width-columns(text)))
	if right {
		return gap + text
	}
	return text + gap
}

var (
	ansi      = regexp.MustCompile("\x1b\\[[0-9;]*m")
	shortcode = regexp.MustCompile(`:[a-z0-9_+-]+:`)
)

// columns is how wide a terminal shows a text.
func columns(text string) int {
	n := 0
	for _, r := range ansi.ReplaceAllString(text, "") {
		n += runeColumns(r)
	}
	return n
}

// runeColumns is 2 for East Asian wide characters and emoji, 0 for what joins
// another character, and 1 for the rest (Unicode Standard Annex #11).
func runeColumns(r rune) int {
	switch {
	case r == 0x200D, r >= 0x300 && r <= 0x36F, r >= 0xFE00 && r <= 0xFE0F:
		return 0
	case r >= 0x1100 && r <= 0x115F, r >= 0x2E80 && r <= 0xA4CF, r >= 0xAC00 && r <= 0xD7A3,
		r >= 0xF900 && r <= 0xFAFF, r >= 0xFE30 && r <= 0xFE6F, r >= 0xFF00 && r <= 0xFF60,
		r >= 0x1F300 && r <= 0x1FAFF, r >= 0x20000 && r <= 0x3FFFD:
		return 2
	case strings.ContainsRune("⌚⌛⏩⏪⏫⏬⏰⏳⚡⚪⚫⛔✅✨❌❎❓❔❕❗➕➖➗⬛⬜⭐⭕", r):
		return 2
	}
	return 1
}

// emoji puts the characters of the shortcodes that release messages use. Others stay.
func emoji(text string) string {
	known := Emoji()
	return shortcode.ReplaceAllStringFunc(text, func(code string) string {
		if e, ok := known[strings.Trim(code, ":")]; ok {
			return e
		}
		return code
	})
}

// Emoji are the characters of the shortcodes that are drawn, by name.
func Emoji() map[string]string {
	return map[string]string{
		"arrow_right": "➡️", "arrow_up": "⬆️", "arrows_counterclockwise": "🔄", "bell": "🔔", "black_circle": "⚫",
		"broken_heart": "💔", "bulb": "💡", "bust_in_silhouette": "👤", "calendar": "📅", "construction": "🚧",
		"double_vertical_bar": "⏸️", "exclamation": "❗", "eyes": "👀", "fast_forward": "⏩", "fire": "🔥",
		"ghost": "👻", "grey_question": "❔", "hammer_and_wrench": "🛠️", "heavy_check_mark": "✔️",
		"heavy_minus_sign": "➖", "hourglass": "⌛", "hourglass_flowing_sand": "⏳", "information_source": "ℹ️",
		"key": "🔑", "large_blue_circle": "🔵", "large_green_circle": "🟢", "large_orange_circle": "🟠",
		"large_yellow_circle": "🟡", "leftwards_arrow_with_hook": "↩️", "link": "🔗", "lock": "🔒",
		"mag": "🔍", "memo": "📝", "no_bell": "🔕", "no_entry": "⛔", "no_entry_sign": "🚫", "octagonal_sign": "🛑",
		"package": "📦", "pencil2": "✏️", "question": "❓", "raised_hand": "✋", "red_circle": "🔴", "rewind": "⏪",
		"robot_face": "🤖", "rocket": "🚀", "rotating_light": "🚨", "snowflake": "❄️", "speech_balloon": "💬",
		"stopwatch": "⏱️", "tada": "🎉", "thread": "🧵", "warning": "⚠️", "wastebasket": "🗑️", "wave": "👋",
		"white_check_mark": "✅", "white_circle": "⚪", "white_large_square": "⬜", "wrench": "🔧", "x": "❌", "zap": "⚡",
	}
}
