package commands

import (
	"context"
	"slices"
	"strings"

	"github.com/synestra/promoter/internal/release"
)

// releaseVerb is /release <verb> …
func (d *Desk) releaseVerb(ctx context.Context, r release.Request) (release.Answer, error) {
	verb, rest := cutVerb(r.Text)
	if verb == "" || verb == "help" {
		return help(rest)
	}
	do := map[string]func(context.Context, release.Request, words) (release.Answer, error){
		"status":  d.status,
		"history": d.past,
		"why":     d.why,
		"resume":  d.resume,
	}[verb]
	if do == nil {
		return release.Answer{}, d.unknownVerb(ctx, verb, rest)
	}
	typed, no := parse(rest)
	if no != nil {
		return release.Answer{}, no
	}
	typed.Verb = verb
	return do(ctx, r, typed)
}

// unknownVerb refuses a verb that there is not, with buttons for what may have
// been meant: the status of an app, or another verb. The rest goes with that if
// it is an app's name.
func (d *Desk) unknownVerb(ctx context.Context, verb, rest string) *release.Refusal {
	app, _ := release.ParseApp(rest)
	no := unknownWord("", verb, func(near string) release.Choice {
		if slices.Contains(Names(), near) {
			return run(near, string(app))
		}
		return run("release", strings.TrimSpace(near+" "+string(app)))
	})
	all, _, err := d.Repository.Apps(ctx)
	if err != nil {
		d.Log.WarnContext(ctx, "looking whether an app was meant", "err", err)
		return no
	}
	if p, not := find(verb, all); not == nil {
		no.Choices = []release.Choice{run("release", "status "+string(p.App))}
		no.Do = "Did you mean " + labels(no.Choices) + "?"
	}
	return no
}

// unknownWord refuses a word that is no topic of help.
func unknownWord(before, word string, meant func(near string) release.Choice) *release.Refusal {
	var all []release.App // it compares any names
	for _, t := range topics() {
		all = append(all, release.App(t))
	}
	no := release.Refuse(release.CodeUnknownCommand, "`/release help` says what can be typed.", "I don't know `/release %s`.", before+shorten(word))
	for _, near := range release.Nearest(word, all) {
		no.Choices = append(no.Choices, meant(string(near)))
	}
	if len(no.Choices) > 0 {
		no.Do = "Did you mean " + labels(no.Choices) + "?"
	}
	return no
}

// clickRun is a button that types its subject behind the command.
const clickRun = "run"

// run is a button that does what typing a command does. Who presses it needs
// the same right, and is asked once more if it changes anything.
func run(command, text string) release.Choice {
	typed := strings.TrimSpace("/" + command + " " + text)
	c := release.Choice{Click: command + "." + clickRun, Subject: text, Label: typed}
	if verb, _ := cutVerb(text); text != "" && (command != "release" || verb == "resume") {
		c.Confirm = "This does the same as typing " + typed
	}
	return c
}

// labels are the choices in a sentence.
func labels(choices []release.Choice) string {
	var all []string
	for _, c := range choices {
		all = append(all, "`"+release.Plain(c.Label)+"`")
	}
	return strings.Join(all, " or ")
}
