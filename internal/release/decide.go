package release

import (
	"cmp"
	"fmt"
	"strings"
)

// State is all that a decision about one app is made on.
type State struct {
	Layers    Layers
	Dev, Prod Running
}

// Running is what Argo CD and the cluster say of an app in one environment.
type Running struct {
	Environment Environment
	// Problem is why the Application could not be read, nil if it was.
	Problem  *Refusal
	Snapshot Snapshot
	Live     Live
	// Follows are the snapshot's sources that are our repository and branch.
	Follows []int
}

// Plan is what a decision comes to, if it is not a [Refusal].
type Plan struct {
	Environment Environment
	Path        string // the layer to write; "" to sync only
	From, To    Tag
	Repository  string
	Forced      bool
	Notes       []string
	// Ask is what must be confirmed by a click first, "" for nothing.
	Ask string
}

// editable refuses what no decision may write to: an app with one layer only,
// a layer that cannot be edited safely, a digest that makes the tag a label.
func (s State) editable(target Layer) *Refusal {
	l := s.Layers
	switch {
	case l.Dev.Missing && l.Prod.Missing:
		return Refuse(CodeUnknownApp, "", "There is no app `%s`.", l.App)
	case l.Dev.Missing:
		return Refuse(CodeOneEnvironment, "Add the file; the bot creates none.", "`%s` has no release layer for %s: `%s` is missing.", l.App, s.Dev.Environment.Name, l.Dev.Path)
	case l.Prod.Missing:
		return Refuse(CodeOneEnvironment, "Add the file; the bot creates none.", "`%s` has no release layer for %s: `%s` is missing.", l.App, s.Prod.Environment.Name, l.Prod.Path)
	}
	for _, layer := range []Layer{l.Dev, l.Prod} {
		if no := layer.flawed(); no != nil {
			return no
		}
	}
	return s.pinned(target)
}

// writable is editable where the other layer does not matter.
func (s State) writable(target Layer, r Running) *Refusal {
	if target.Missing {
		return Refuse(CodeOneEnvironment, "Add the file; the bot creates none.", "`%s` has no release layer for %s: `%s` is missing.", s.Layers.App, r.Environment.Name, target.Path)
	}
	if no := target.flawed(); no != nil {
		return no
	}
	return s.pinned(target)
}

// flawed refuses a layer that cannot be edited safely.
func (l Layer) flawed() *Refusal {
	if l.Flaw == nil {
		return nil
	}
	where := l.Path
	if l.Flaw.Line > 0 {
		where = fmt.Sprintf("%s:%d", l.Path, l.Flaw.Line)
	}
	return Refuse(CodeNotEditable, "Put it right in Git, then ask again.", "`%s` is not safely editable: %s.", where, l.Flaw.Reason)
}

// pinned refuses a digest that makes the tag a label.
func (s State) pinned(target Layer) *Refusal {
	if target.Digest == "" {
		return nil
	}
	return Refuse(CodeDigest, "Remove the digest from the layer and the values, or change it in Git.",
		"An image digest (`%s`) decides what `%s` runs, so changing the tag would change nothing.", target.Digest, s.Layers.App)
}

// of names the environment of an app at the beginning of a sentence.
func (r Running) of(app App) string {
	name := r.Environment.Name
	return fmt.Sprintf("%s of `%s`", strings.ToUpper(name[:1])+name[1:], app)
}

// deploys refuses an environment whose Application cannot be followed.
func (r Running) deploys() *Refusal {
	if r.Problem != nil {
		return r.Problem
	}
	if len(r.Follows) == 0 {
		return Refuse(CodeElsewhere, "Check its `repoURL` and `targetRevision` against the bot's `git` settings.",
			"The Application `%s` does not deploy the bot's repository and branch, so nothing could be said about its rollout.", r.Snapshot.Name)
	}
	return nil
}

// Hot says why the environment does not run what Git says, "" if it does: a
// live session, drift, or a state that cannot be seen. Unknown counts as hot.
func (r Running) Hot(layer Layer) string {
	switch {
	case r.Problem != nil:
		return r.Problem.Say
	case r.Live.Problem != "":
		return "what the cluster runs cannot be seen: " + Plain(r.Live.Problem)
	case r.Live.Session != nil:
		return fmt.Sprintf("there is a live session on `%s`", Plain(r.Live.Session.Workload))
	case r.Snapshot.drifted():
		if names := outOfSync(r.Snapshot); names != "" {
			return fmt.Sprintf("it is %s: %s", r.Snapshot.Sync, names)
		}
		return "it is " + Plain(r.Snapshot.Sync)
	}
	return ""
}

// unverified says why the environment is not Synced and Healthy on its layer's
// tag, "" if it is.
func (r Running) unverified(layer Layer) string {
	s := r.Snapshot
	workloads := r.Live.App(layer.Repository(), layer.Tag)
	for _, w := range workloads {
		if !w.Runs(layer.Repository(), layer.Tag) {
			return fmt.Sprintf("Git says `%s`, and %s `%s` does not run that yet", layer.Tag, w.Kind, Plain(w.Name))
		}
	}
	switch {
	case s.Busy():
		return "a sync is running"
	case s.Sync != "Synced":
		return "it is " + Plain(s.Sync)
	case s.Health != "Healthy":
		return "it is " + Plain(s.Health)
	case len(workloads) == 0:
		return "none of its workloads runs the layer's image, so what was checked is not known"
	case !all(workloads, Workload.Settled):
		return "its rollout is not complete"
	}
	return ""
}

// drifted says that the cluster is not known to be as Git says, and that
// nothing is being done about it.
func (s Snapshot) drifted() bool { return s.Sync != "Synced" && !s.Busy() }

// Well says that the Application itself shows nothing amiss.
func (s Snapshot) Well() bool { return s.Health == "Healthy" && !s.Busy() }

// Busy says that a sync is queued or running.
func (s Snapshot) Busy() bool {
	return s.Requested != nil || s.Operation != nil && running(s.Operation)
}

// Promote decides what promoting the app would change: prod's layer gets dev's
// tag, provided that dev has been seen to run it well. force passes over the
// state of dev, and nothing else.
func Promote(s State, force bool) (Plan, *Refusal) {
	l := s.Layers
	if no := s.editable(l.Prod); no != nil {
		return Plan{}, no
	}
	if no := s.Prod.deploys(); no != nil {
		return Plan{}, no
	}
	if no := s.Dev.deploys(); no != nil && no.Code != CodeArgoUnreachable {
		return Plan{}, no
	}
	if l.Dev.Tag == l.Prod.Tag {
		return Plan{}, alreadyThere(s)
	}
	plan := Plan{
		Environment: s.Prod.Environment, Path: l.Prod.Path, From: l.Prod.Tag, To: l.Dev.Tag,
		Repository: l.Prod.Repository(), Notes: differences(l),
	}
	// The app's own pods run the tag, all of them: that is what was verified.
	if left := s.Dev.Live.Leftover(nil); left != "" {
		plan.Notes = append(plan.Notes, s.Dev.Environment.Name+": "+leftover(left))
	}
	no := devReady(s)
	if no == nil {
		return plan, nil
	}
	if !force {
		return Plan{}, no
	}
	plan.Forced = true
	plan.Notes = append([]string{"Forced past the checks of dev: " + no.Say}, plan.Notes...)
	return plan, nil
}

func alreadyThere(s State) *Refusal {
	l := s.Layers
	say := fmt.Sprintf("%s already runs `%s`, the same as %s.", s.Prod.of(l.App), Plain(string(l.Prod.Tag)), s.Dev.Environment.Name)
	if why := s.Prod.unverified(l.Prod); s.Prod.Live.Problem != "" || why != "" {
		say = fmt.Sprintf("%s already has `%s` in Git, the same as %s; but as for what runs, %s.", s.Prod.of(l.App),
			Plain(string(l.Prod.Tag)), s.Dev.Environment.Name, cmp.Or(Plain(s.Prod.Live.Problem), why))
	}
	return &Refusal{Code: CodeAlreadyThere, Say: say, Do: "There is nothing to promote."}
}

// devReady refuses a dev that has not been seen to run its Git tag well.
func devReady(s State) *Refusal {
	const do = "Put %s in order (`/reset-dev` ends a session), or use `--force` if a rule gives you that."
	name := s.Dev.Environment.Name
	switch {
	case s.Dev.Problem != nil || s.Dev.Live.Problem != "":
		return &Refusal{
			Code: CodeDevUnknown, Do: "Try again, or use `--force` if a rule gives you that.",
			Say: fmt.Sprintf("Whether %s of `%s` is healthy is not known: %s.", name, s.Layers.App, strings.TrimSuffix(s.Dev.Hot(s.Layers.Dev), ".")),
		}
	}
	if hot := s.Dev.Hot(s.Layers.Dev); hot != "" {
		return &Refusal{
			Code: CodeDevHot, Do: fmt.Sprintf(do, name),
			Say: fmt.Sprintf("What runs in %s of `%s` is not what Git says, so it was not `%s` that was checked there: %s.", name, s.Layers.App, Plain(string(s.Layers.Dev.Tag)), hot),
		}
	}
	if why := s.Dev.unverified(s.Layers.Dev); why != "" {
		return &Refusal{Code: CodeDevNotHealthy, Do: fmt.Sprintf(do, name), Say: fmt.Sprintf("%s is not healthy on `%s`: %s.", s.Dev.of(s.Layers.App), Plain(string(s.Layers.Dev.Tag)), why)}
	}
	return nil
}

func differences(l Layers) []string {
	var notes []string
	for _, d := range l.Differences() {
		notes = append(notes, fmt.Sprintf("Not copied: `%s` is `%s` in dev and `%s` in prod", Plain(d.Key), Plain(d.Dev), Plain(d.Prod)))
	}
	return notes
}

// ResetDev decides what brings dev back to the baseline: prod's tag in its
// layer, or a sync where the tags are equal and the cluster has drifted.
func ResetDev(s State) (Plan, *Refusal) {
	l := s.Layers
	if no := s.editable(l.Dev); no != nil {
		return Plan{}, no
	}
	if no := s.Dev.deploys(); no != nil {
		return Plan{}, no
	}
	plan := Plan{Environment: s.Dev.Environment, From: l.Dev.Tag, To: l.Prod.Tag, Repository: l.Dev.Repository(), Ask: s.resetQuestion()}
	if l.Dev.Tag != l.Prod.Tag {
		plan.Path = l.Dev.Path
		return plan, nil
	}
	why, left := s.Dev.unverified(l.Dev), s.Dev.Live.Leftover(nil)
	switch {
	case s.Dev.Hot(l.Dev) != "":
		return plan, nil
	case left != "" && why == "":
		return Plan{}, &Refusal{
			Code: CodeDevUnknown, Do: "Run `okteto down` there.",
			Say: fmt.Sprintf("%s has %s's tag `%s`, in sync and healthy, so a reset would change nothing; but %s.", s.Dev.of(l.App), s.Prod.Environment.Name, Plain(string(l.Dev.Tag)), leftover(left)),
		}
	case why == "":
		return Plan{}, &Refusal{Code: CodeAtBaseline, Say: fmt.Sprintf("%s is already at the baseline: `%s`, the same as %s, in sync and healthy.", s.Dev.of(l.App), Plain(string(l.Dev.Tag)), s.Prod.Environment.Name)}
	case s.Dev.Snapshot.Busy():
		return Plan{}, &Refusal{Code: CodeInProgress, Say: fmt.Sprintf("%s has %s's tag already, and Argo CD is syncing it.", s.Dev.of(l.App), s.Prod.Environment.Name), Do: "Wait for that sync to end."}
	case s.Dev.Snapshot.Health != "Healthy":
		return Plan{}, &Refusal{
			Code: CodeDevNotHealthy, Do: "Look at it in Argo CD.",
			Say: fmt.Sprintf("%s has %s's tag `%s` and is in sync, so a reset would change nothing; but %s.", s.Dev.of(l.App), s.Prod.Environment.Name, Plain(string(l.Dev.Tag)), why),
		}
	}
	return plan, nil
}

// resetQuestion is what must be confirmed before dev is reset, "" for nothing.
func (s State) resetQuestion() string {
	l, name := s.Layers, s.Dev.Environment.Name
	switch {
	case s.Dev.Live.Session != nil:
		session := fmt.Sprintf("`%s`", Plain(s.Dev.Live.Session.Workload))
		if image := Plain(s.Dev.Live.Session.Image); image != "" {
			session += fmt.Sprintf(", image `%s`", image)
		}
		return fmt.Sprintf("There is a live session in %s of `%s`: %s. The marks that Okteto leaves do not name the person. Resetting discards it and puts %s back on `%s`, which %s runs.",
			name, l.App, session, name, Plain(string(l.Prod.Tag)), s.Prod.Environment.Name)
	case s.Dev.Live.Problem != "":
		return fmt.Sprintf("Whether somebody has a live session in %s of `%s` cannot be seen: %s. Resetting would discard it.", name, l.App, Plain(s.Dev.Live.Problem))
	case s.Dev.Live.Leftover(nil) != "":
		return fmt.Sprintf("There may be a live session in %s of `%s`: %s. Resetting would disturb it.", name, l.App, leftover(s.Dev.Live.Leftover(nil)))
	}
	return ""
}
