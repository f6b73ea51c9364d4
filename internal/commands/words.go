package commands

import (
	"slices"
	"strings"
	"unicode"

	"github.com/synestra/promoter/internal/release"
)

// words are what was typed after a command.
type words struct {
	Verb  string // of /release; "" for the other commands
	App   string // as typed; "" if none was
	Tag   string // as typed; "" if none was
	Force bool
}

// What may be typed besides an app's name.
const (
	force = "--force"
	tag   = "<tag>"
)

// with is what would have been typed for another app.
func (w words) with(app release.App) string {
	parts := []string{w.Verb, string(app)}
	if tag, err := release.ParseTag(w.Tag); err == nil {
		parts = append(parts, string(tag))
	}
	if w.Force {
		parts = append(parts, force)
	}
	return strings.TrimSpace(strings.Join(parts, " "))
}

// cutVerb parts what was typed after /release into its verb, which keyboards
// like to begin with a capital, and the rest.
func cutVerb(text string) (verb, rest string) {
	text = strings.TrimSpace(text)
	if i := strings.IndexFunc(text, unicode.IsSpace); i >= 0 {
		text, rest = text[:i], strings.TrimSpace(text[i:])
	}
	return strings.ToLower(text), rest
}

// parse reads what was typed. It is the one door from text to a name: nothing
// passes it that is not an app's name or a known option.
func parse(text string, options ...string) (words, *release.Refusal) {
	const usage = "Type the app's name alone, such as `synestra-io`."
	var w words
	for i, word := range strings.FieldsFunc(text, unicode.IsSpace) {
		// Keyboards like to turn "--" into a dash.
		if rest, ok := strings.CutPrefix(word, "—"); ok {
			word = "--" + rest
		}
		switch {
		case word == force && slices.Contains(options, word):
			w.Force = true
		case strings.HasPrefix(word, "-"):
			do := usage
			if slices.Contains(options, force) {
				do = "Known here: `" + force + "`."
			}
			return words{}, release.Refuse(release.CodeUnknownOption, do, "I don't know the option `%s`.", shorten(word))
		case w.App != "" && w.Tag == "" && slices.Contains(options, tag):
			w.Tag = word
		case w.App != "":
			return words{}, release.Refuse(release.CodeNoApp, usage, "That names several apps; I take one at a time.")
		case i > 1000:
			return words{}, release.Refuse(release.CodeBadName, usage, "That is too long.")
		default:
			w.App = word
		}
	}
	return w, nil
}

// nameLetters drops what surrounds a name when it is copied: quotes, backticks,
// invisible marks.
func nameLetters(r rune) rune {
	if unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '.' {
		return r
	}
	return -1
}

func shorten(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

// find is the known app that was meant, or a refusal with the nearest names.
func find(typed string, known []release.Presence) (release.Presence, *release.Refusal) {
	app, err := release.ParseApp(typed)
	for _, p := range known {
		if err == nil && p.App == app {
			return p, nil
		}
	}
	var names []release.App
	for _, p := range known {
		names = append(names, p.App)
	}
	near := release.Nearest(strings.Map(nameLetters, typed), names)
	do := "`/promote` alone lists the apps that are ahead of prod."
	if len(near) > 0 {
		quoted := make([]string, len(near))
		for i, n := range near {
			quoted[i] = "`" + string(n) + "`"
		}
		do = "Did you mean " + strings.Join(quoted, " or ") + "?"
	}
	code, say := release.CodeUnknownApp, "There is no app `%s`."
	if err != nil && len(near) == 0 {
		code, say = release.CodeBadName, "`%s` is not an app's name."
	}
	no := release.Refuse(code, do, say, shorten(typed))
	no.Names = near
	return release.Presence{}, no
}
