package release

import (
	"fmt"
	"strings"
)

// AlignMode says when dev follows prod.
type AlignMode string

// The modes.
const (
	AlignNever      AlignMode = "never"
	AlignWhenBehind AlignMode = "when-behind" // only where dev loses nothing that is newer
	AlignAlways     AlignMode = "always"      // wherever dev stands
)

// Standing is where dev's release stands towards prod's new one.
type Standing string

// The standings.
const (
	StandingSame      Standing = "same"
	StandingBehind    Standing = "behind"
	StandingAhead     Standing = "ahead"
	StandingUnrelated Standing = "unrelated"
	StandingUnknown   Standing = "unknown" // the histories do not reach back far enough
)

// Follows says where dev stands once prod has gone to a tag. Both histories are
// asked for from their beginning.
//
//   - ahead: dev's tag was set there after prod's new one last was, so somebody
//     has moved dev on since, be it to a release that prod has had;
//   - behind: dev's tag was in prod before, and dev never had the new one;
//   - unrelated: dev's tag was never in prod, nor the new one in dev.
//
// Tags of one layer follow one another: as dev has its tag now, it was set after
// any other that dev ever had. So what decides is whether dev had the new one.
func Follows(dev, prod History, to Tag) Standing {
	own := dev.Now.Tag
	switch {
	case own == "" || to == "" || prod.Now.Tag != to:
		return StandingUnknown
	case own == to:
		return StandingSame
	}
	passed, certain := dev.had(to)
	released, known := prod.had(own)
	switch {
	case passed:
		return StandingAhead
	case certain && released:
		return StandingBehind
	case certain && known:
		return StandingUnrelated
	}
	return StandingUnknown
}

// AlignAsk is what dev is to follow, and how.
type AlignAsk struct {
	To   Tag // prod's new one
	Mode AlignMode
	Hold *Hold // nil if automation is not held for the app
}

// Align decides what makes dev follow prod: prod's new tag in dev's layer. A
// refusal whose code is [Code.Passing] is no last word.
func Align(s State, dev, prod History, ask AlignAsk) (Plan, *Refusal) {
	l := s.Layers
	if ask.Mode != AlignWhenBehind && ask.Mode != AlignAlways {
		return Plan{}, Refuse(CodeAlignOff, s.howToReset(), "In `%s`, %s is not made to follow: `align` is `%s`.", l.App, s.Dev.Environment.Name, ask.Mode)
	}
	if no := s.editable(l.Dev); no != nil {
		return Plan{}, no
	}
	switch {
	case l.Prod.Tag != ask.To:
		return Plan{}, Refuse(CodeMoved, "", "In `%s`, %s has `%s` by now, and no longer `%s`.", l.App, s.Prod.Environment.Name, l.Prod.Tag, ask.To)
	case l.Dev.Tag == ask.To:
		return Plan{}, Refuse(CodeAtBaseline, "", "In `%s`, %s has `%s` already.", l.App, s.Dev.Environment.Name, ask.To)
	case dev.Now.Tag != l.Dev.Tag || prod.Now.Tag != l.Prod.Tag:
		return Plan{}, s.branchMoved()
	}
	if no := s.leftAlone(Follows(dev, prod, ask.To), ask); no != nil {
		return Plan{}, no
	}
	if ask.Hold != nil {
		return Plan{}, s.held(*ask.Hold)
	}
	if no := s.devAside(); no != nil {
		return Plan{}, no
	}
	return Plan{Environment: s.Dev.Environment, Path: l.Dev.Path, From: l.Dev.Tag, To: ask.To, Repository: l.Dev.Repository()}, nil
}

// leftAlone refuses a dev that must not be taken back.
func (s State) leftAlone(standing Standing, ask AlignAsk) *Refusal {
	app, own, dev, prod := s.Layers.App, s.Layers.Dev.Tag, s.Dev.Environment.Name, s.Prod.Environment.Name
	switch {
	case ask.Mode == AlignAlways || standing == StandingBehind:
		return nil
	case standing == StandingAhead:
		return Refuse(CodeDevAhead, s.howToReset(), "In `%s`, %s is left alone on `%s`: it was set there after `%s` was.", app, dev, own, ask.To)
	case standing == StandingUnrelated:
		return Refuse(CodeDevUnrelated, s.howToReset(), "In `%s`, %s is left alone on `%s`: %s never had that, and it never had `%s`.", app, dev, own, prod, ask.To)
	}
	return Refuse(CodeHistoryUnknown, s.howToReset(), "In `%s`, %s is left alone on `%s`: the history does not reach back far enough to tell whether it is behind.", app, dev, own)
}

// devAside refuses a hot dev, until it no longer is: somebody works there.
func (s State) devAside() *Refusal {
	const do = "It follows when that has ended."
	r, layer := s.Dev, s.Layers.Dev
	hot := strings.TrimSuffix(r.hot(layer), ".")
	switch {
	case hot == "":
		return r.deploys()
	case r.Problem != nil || r.Live.Problem != "":
		return &Refusal{Code: CodeDevUnknown, Do: do, Say: fmt.Sprintf("Whether %s of `%s` is hot is not known: %s.", r.Environment.Name, s.Layers.App, hot)}
	}
	return &Refusal{Code: CodeDevHot, Do: do, Say: fmt.Sprintf("%s is hot: %s.", r.of(s.Layers.App), hot)}
}

// hot is [Running.Hot], and says besides whether the workloads run the layer's
// image: a comparison that is told to ignore the image does not.
func (r Running) hot(layer Layer) string {
	if why := r.Hot(layer); why != "" {
		return why
	}
	workloads := r.Live.App(layer.Repository(), layer.Tag)
	if len(workloads) == 0 {
		return "none of its workloads is known to be the app's"
	}
	for _, w := range workloads {
		if !w.Runs(layer.Repository(), layer.Tag) {
			return fmt.Sprintf("Git says `%s`, and %s `%s` does not run that", Plain(string(layer.Tag)), w.Kind, Plain(w.Name))
		}
	}
	return ""
}

func (s State) howToReset() string {
	return fmt.Sprintf("To put it on %s's release: `/reset-dev %s`.", s.Prod.Environment.Name, s.Layers.App)
}

func (s State) held(h Hold) *Refusal {
	return Refuse(CodeHeld, fmt.Sprintf("Promote a release (`/promote %s`), or lift the hold.", s.Layers.App),
		"Automation is held for `%s`: %s.", s.Layers.App, h.Reason)
}

func (s State) branchMoved() *Refusal {
	return Refuse(CodeBranchMoved, "", "The branch moved while `%s` was looked at.", s.Layers.App)
}
