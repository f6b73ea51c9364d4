package release

import (
	"fmt"
	"strings"
)

// Code is the reason of a refusal, for programs and tests.
type Code string

// The reasons.
const (
	CodeNoApp           Code = "no_app"                // nothing, or more than one app, was named
	CodeBadName         Code = "bad_name"              // what was typed cannot be an app's name
	CodeUnknownApp      Code = "unknown_app"           //
	CodeUnknownCommand  Code = "unknown_command"       //
	CodeUnknownOption   Code = "unknown_option"        //
	CodeNoRight         Code = "no_right"              //
	CodeNoForce         Code = "no_force"              // --force without a rule that has it
	CodeInProgress      Code = "in_progress"           //
	CodeAlreadyThere    Code = "already_there"         // prod already runs that tag
	CodeAtBaseline      Code = "at_baseline"           // dev already equals prod
	CodeDevNotHealthy   Code = "dev_not_healthy"       // dev is not Synced and Healthy on its Git tag
	CodeDevHot          Code = "dev_hot"               // drift or a live session: what was checked is not what Git says
	CodeDevUnknown      Code = "dev_unknown"           // dev's state cannot be read; unknown never means allowed
	CodeNotEditable     Code = "layer_not_editable"    //
	CodeOneEnvironment  Code = "one_environment"       // the app has only one of its two layers
	CodeNotVisible      Code = "application_hidden"    // no such Application, or no right to see it
	CodeElsewhere       Code = "application_elsewhere" // the Application does not deploy this repository's branch
	CodeDigest          Code = "image_digest"          // a digest decides what runs, not the tag
	CodeMoved           Code = "layer_moved"           // somebody changed the tag meanwhile
	CodeCannotPost      Code = "cannot_post"           // the bot cannot post where it was asked
	CodeUnknownChannel  Code = "unknown_channel"       // Slack knows no such channel, or does not show it to the bot
	CodeExpired         Code = "expired"               // a button's question is no longer open
	CodeArgoUnreachable Code = "argocd_unreachable"    //
	CodeGitUnreachable  Code = "git_unreachable"       //
	CodeBranchMoved     Code = "branch_moved"          // the branch moved while it was read
	CodeHistoryUnknown  Code = "history_unknown"       // what was read of the history does not reach far enough to tell
	CodeHeld            Code = "held"                  // automation is held for the app
	CodeNoPrevious      Code = "no_previous"           // which release came before is not certain
	CodeNeverThere      Code = "never_there"           // prod never had that tag
	CodeNotHeld         Code = "not_held"              // there is no hold to lift
	CodeAlignOff        Code = "alignment_off"         // dev is not to follow prod
	CodeDevAhead        Code = "dev_ahead"             // dev has moved on past prod's release
	CodeDevUnrelated    Code = "dev_unrelated"         // dev's release and prod's never met
	CodeNotNew          Code = "not_new"               // the bot itself set dev's tag, so nobody released it
	CodeWasInProd       Code = "was_in_prod"           // it would be a rollback, which is never automatic
	CodeSoaking         Code = "soaking"               // not seen to be well for long enough
	CodeWindowClosed    Code = "window_closed"         //
)

// Passing says that the reason may go by itself, or once somebody has put the
// cluster in order, so that automation asks again.
func (c Code) Passing() bool {
	switch c {
	case CodeInProgress, CodeDevNotHealthy, CodeDevHot, CodeDevUnknown, CodeArgoUnreachable, CodeGitUnreachable,
		CodeBranchMoved, CodeHeld, CodeSoaking, CodeWindowClosed:
		return true
	}
	return false
}

// Refusal is an error for people: what was refused and why, and what they can
// do. Where a Refusal is returned, nothing was changed.
type Refusal struct {
	Code Code
	Say  string // one sentence. Parts in `backticks` are names; they hold no backtick themselves
	Do   string // what the person can do about it, "" if nothing
	// Link is the message of the operation in the way, the zero Place for none.
	Link Place
	// Names are apps that may have been meant.
	Names []App
	// Choices are buttons that do what may have been meant.
	Choices []Choice
}

// Error is the refusal on one line, for logs.
func (r *Refusal) Error() string { return string(r.Code) + ": " + r.Say }

// Refuse makes a refusal. Arguments of %s and %q are names from outside: they
// are made safe to stand in backticks.
func Refuse(code Code, do, say string, names ...any) *Refusal {
	for i, n := range names {
		if s, ok := n.(fmt.Stringer); ok {
			n = s.String()
		}
		switch n.(type) {
		case int, int64:
		default:
			names[i] = Plain(fmt.Sprint(n))
		}
	}
	return &Refusal{Code: code, Say: fmt.Sprintf(say, names...), Do: do}
}

// Plain makes text from outside (a name, a commit subject, a message of the
// cluster) fit to stand inside a sentence: one line, nothing invisible, no
// backticks, at most 300 characters.
func Plain(s string) string {
	s = strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ", "\t", " ", "`", "ˋ").Replace(s)
	s = strings.Map(func(r rune) rune {
		if invisible(r) {
			return -1
		}
		return r
	}, s)
	return clip(strings.TrimSpace(s), 300)
}
