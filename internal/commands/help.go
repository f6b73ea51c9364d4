package commands

import (
	"strings"

	"github.com/synestra/promoter/internal/release"
)

// form is one thing that can be typed: a command, the words after it, and what
// it does.
type form struct{ command, words, does string }

// forms are all of them, in the order in which help shows them.
func forms() []form {
	return []form{
		{"promote", "<app>", "dev's tag goes to prod, if dev is Synced and Healthy on it and nobody works there"},
		{"promote", "<app> --force", "the same, past the checks of dev, for people whose rule has `force: true`"},
		{"promote", "", "what could be promoted now"},
		{"reset-dev", "<app>", "dev goes back to prod's tag, or is synced where only the cluster has drifted; asks before a live session is discarded"},
		{"rollback", "<app>", "prod goes back to the release before, whatever dev is like; automation then leaves the app alone"},
		{"rollback", "<app> <tag>", "the same, to a release that prod had before"},
		{"release", "status", "how every app stands, what is wrong first; live sessions show only for one app"},
		{"release", "status <app>", "how one app stands, who released what there, and what is going on"},
		{"release", "history <app>", "the last changes of prod: who, what, when, how it ended, how long it took"},
		{"release", "why <app>", "what promoting it would do now, or why it would be refused, and what waits"},
		{"release", "resume <app>", "lifts the hold on automation that going back in prod puts on, for people who may promote the app"},
		{"release", "help [command]", "what can be typed, or one command of it"},
	}
}

// typed is the form as it is typed.
func (f form) typed() string { return strings.TrimSpace("/" + f.command + " " + f.words) }

// name is what help knows the form by: its command, or its verb.
func (f form) name() string {
	if f.command != "release" {
		return f.command
	}
	verb, _ := cutVerb(f.words)
	return verb
}

// Names lists the slash commands, without the slash.
func Names() []string { return distinct(func(f form) string { return f.command }) }

// topics are what help can be asked for.
func topics() []string { return distinct(form.name) }

func distinct(of func(form) string) []string {
	var names []string
	for _, f := range forms() {
		if name := of(f); len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	return names
}

// help is /release help [command], and /release alone.
func help(text string) (release.Answer, error) {
	topic, verb := cutVerb(strings.TrimPrefix(text, "/"))
	if topic == "release" && verb != "" {
		topic, _ = cutVerb(verb)
	}
	var lines []string
	for _, f := range forms() {
		if topic == "" || topic == f.name() || topic == f.command {
			lines = append(lines, "• `"+f.typed()+"`: "+f.does)
		}
	}
	if len(lines) == 0 {
		return release.Answer{}, unknownWord("help ", topic, func(near string) release.Choice { return run("release", "help "+near) })
	}
	return release.Answer{Text: "*What can be typed:*\n" + strings.Join(lines, "\n")}, nil
}
