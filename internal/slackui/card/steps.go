package card

import (
	"fmt"
	"strings"
	"time"

	"github.com/synestra/promoter/internal/release"
)

// stepOf says which step a stage on the way belongs to.
func stepOf(op release.Operation, s release.Stage) int {
	switch s {
	case release.StageCommitted, release.StageNoticed, release.StageSyncing:
		return stepSync
	case release.StageRollingOut, release.StageDegraded:
		return stepRollout
	}
	if op.Writes() {
		return stepWrite
	}
	return stepSync
}

// last is the stage it is in, or that it ended in: no step after that one is
// shown as done.
func last(pr release.Progress) release.Stage {
	if !pr.Stage.Ended() {
		return pr.Stage
	}
	for i := len(pr.Past) - 1; i >= 0; i-- {
		if !pr.Past[i].Stage.Ended() {
			return pr.Past[i].Stage
		}
	}
	return release.StageWriting
}

// at is the step that the operation is in, or that it ended in.
func (p Printer) at(op release.Operation) int {
	if op.Progress.Stage == release.StageHealthy {
		return stepHealthy
	}
	return stepOf(op, last(op.Progress))
}

// steps shows each step with its state, or all on one line when all are done.
func (p Printer) steps(op release.Operation) string {
	from := stepWrite
	if !op.Writes() {
		from = stepSync
	}
	at := p.at(op)
	var lines []string
	for i := from; i < stepCount; i++ {
		switch {
		case i < at || at == stepHealthy:
			lines = append(lines, p.doneStep(op, i))
		case i == at:
			lines = append(lines, p.currentStep(op, i))
		default:
			lines = append(lines, "⚪ "+p.say.steps[i].todo)
		}
	}
	if at == stepHealthy {
		for i := 1; i < len(lines); i++ {
			lines[i] = strings.TrimPrefix(lines[i], "✅ ")
		}
		return strings.Join(lines, " · ")
	}
	return strings.Join(lines, "\n")
}

func (p Printer) doneStep(op release.Operation, i int) string {
	line := "✅ " + p.say.steps[i].done
	if i == stepWrite && op.Commit != "" {
		line += " " + p.commit(op.Commit)
	}
	if i == stepRollout {
		if pods := p.pods(op); pods != "" {
			line += " " + pods
		}
	}
	if d := spent(op, i); d >= time.Second {
		line += " · " + duration(d)
	}
	return line
}

// currentStep is the step that is under way, or in which the operation ended.
func (p Printer) currentStep(op release.Operation, i int) string {
	pr := op.Progress
	emoji, label := p.head(op).emoji, p.say.steps[i].todo
	if !pr.Stage.Ended() {
		label = "*" + p.say.doing[pr.Stage] + "*"
		switch {
		case pr.Blind:
			emoji = "❔"
		case pr.Stalled || pr.Stage == release.StageDegraded:
			emoji = "⚠️"
		default:
			emoji = "🔵"
		}
	}
	line := emoji + " " + label
	if i == stepWrite && op.Commit != "" {
		line += " " + p.commit(op.Commit)
	}
	if pods := p.pods(op); pods != "" {
		line += " " + bar(pr.Ready, pr.Total) + " " + pods
	}
	if t := date(pr.Since); t != "" && !pr.Stage.Ended() {
		line += " · " + with(p.say.since, "time", t)
	}
	return line
}

// spent is how long a step took: from when it was first entered until a later
// one was.
func spent(op release.Operation, step int) time.Duration {
	pr := op.Progress
	var began, ended time.Time
	for _, s := range append(pr.Past[:len(pr.Past):len(pr.Past)], release.Passed{Stage: pr.Stage, At: pr.Since}) {
		i := stepOf(op, s.Stage)
		if s.Stage == release.StageHealthy {
			i = stepHealthy
		}
		switch {
		case i == step && began.IsZero():
			began = s.At
		case i > step && ended.IsZero():
			ended = s.At
		}
	}
	if began.IsZero() || ended.IsZero() {
		return 0
	}
	return ended.Sub(began)
}

// bar draws how many of the pods are ready.
func bar(ready, total int) string {
	width := min(total, 10)
	full := max(0, min(width, ready*width/total))
	return strings.Repeat("▓", full) + strings.Repeat("░", width-full)
}

// duration is a time span as people say it.
func duration(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
}
