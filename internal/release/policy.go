package release

import (
	"path"
	"slices"
)

// Rule gives rights: to the people it names, for the commands, apps and
// environments it names. Apps are patterns, see [Covers]. People are named by
// id, never by name, which anyone can change.
type Rule struct {
	Commands, Apps, Environments, Users, Groups []string
	Force                                       bool // may pass over the dev-health checks
}

// CommandResume gives automation an app back. Whoever may promote the app may
// do that, too.
const CommandResume = "resume"

// RuleCommands are what rules can give a right to.
func RuleCommands() []string {
	return []string{string(KindPromote), string(KindResetDev), string(KindRollback), CommandResume}
}

// Policy is all rules. No rule, no right.
type Policy []Rule

// Right is what somebody wants to be allowed.
type Right struct {
	Command     string
	App         App
	Environment string
	Force       bool
}

// Check is nil if the person has the right, and otherwise says what is missing.
// It is the one place where that is decided; every entry calls it.
func (p Policy) Check(who Person, r Right) *Refusal {
	if who.Outsider != "" {
		return Refuse(CodeNoRight, "Ask a member of the team to do it.", "You can't %s `%s`: %s can't release.", r.Command, r.App, who.Outsider)
	}
	var forced bool
	for _, rule := range p {
		if !rule.covers(r) || !rule.names(who) {
			continue
		}
		if !r.Force || rule.Force {
			return nil
		}
		forced = true
	}
	if forced {
		return Refuse(CodeNoForce, "Leave out `--force`, or ask someone whose rule has `force: true`.",
			"You may %s `%s`, but not with `--force`.", r.Command, r.App)
	}
	return Refuse(CodeNoRight, "Ask one of the people in the bot's `permissions` to do it, or to add a rule for you.",
		"You can't %s `%s` in %s: no rule gives you that right.", r.Command, r.App, r.Environment)
}

// Reader refuses whoever may not even see how releases stand. For everybody
// else that needs no rule.
func Reader(who Person) *Refusal {
	if who.Outsider != "" {
		return Refuse(CodeNoRight, "Ask a member of the team.", "You can't see releases here: %s can't.", who.Outsider)
	}
	return nil
}

func (rule Rule) covers(r Right) bool {
	command := slices.Contains(rule.Commands, r.Command) || r.Command == CommandResume && slices.Contains(rule.Commands, string(KindPromote))
	return command && slices.Contains(rule.Environments, r.Environment) && Covers(rule.Apps, r.App)
}

// Covers says whether any of the patterns, as of [path.Match], is for the app.
func Covers(patterns []string, app App) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, err := path.Match(pattern, string(app))
		return ok && err == nil
	})
}

func (rule Rule) names(who Person) bool {
	return who.ID != "" && slices.Contains(rule.Users, who.ID) ||
		slices.ContainsFunc(who.Groups, func(g string) bool { return g != "" && slices.Contains(rule.Groups, g) })
}
