package card

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/synestra/promoter/internal/release"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var start = time.Date(2026, 11, 24, 5, 53, 20, 0, time.UTC)

const (
	commitHash = release.Revision("9f2c1ab7d1e2f3a4b5c6d7e8f90123456789abcd")
	baseHash   = release.Revision("0a1b2c3d4e5f60718293a4b5c6d7e8f901234567")
	newerHash  = release.Revision("77777777aaaaaaaabbbbbbbbccccccccdddddddd")
)

func printer() Printer {
	return English(Links{Repository: "https://github.com/synestra/web-core", ArgoCD: "https://argocd.synestra.io/", Namespace: "argocd"})
}

// promotion is an operation that has come as far as the stages given, eleven
// seconds each.
func promotion(stages ...release.Stage) release.Operation {
	op := release.Operation{
		ID: "01J9ZK3V7Q8M2X5T6N4R1B0C9D", Kind: release.KindPromote, App: "synestra-io", Environment: "prod",
		Application: "web-synestra-io-prod", Path: "deploy/env/release-prod/synestra-io.yaml",
		From: "sha-1a2b3c", To: "sha-9f8e7d", By: release.Person{ID: "U012AB3CD", Name: "Ana Lima"},
		Created: start, Base: baseHash,
	}
	for i, s := range stages {
		op.Progress = op.Progress.Enter(s, start.Add(time.Duration(i)*11*time.Second))
		if s == release.StageCommitted {
			op.Commit = commitHash
		}
	}
	return op
}

func with4of6(op release.Operation) release.Operation {
	op.Progress.Ready, op.Progress.Total = 4, 6
	return op
}

func crashing(op release.Operation) release.Operation {
	op.Progress.Ready, op.Progress.Total = 2, 6
	op.Progress.Cause = &release.Cause{
		Summary: "Deployment web-synestra-io-prod: ProgressDeadlineExceeded",
		Pods: []release.PodFailure{
			{Pod: "web-7c9d-x2k", Reason: "CrashLoopBackOff", Message: "exit 1, 5 restarts: <!channel> panic: missing env `PAYMENTS_URL`"},
			{Pod: "web-7c9d-a1b", Reason: "ImagePullBackOff"},
		},
	}
	return op
}

const (
	writing, committed, noticed, syncing = release.StageWriting, release.StageCommitted, release.StageNoticed, release.StageSyncing
	rolling, degraded                    = release.StageRollingOut, release.StageDegraded
)

// cards are one of each kind, by the name of its golden file.
func cards() map[string]Message {
	p := printer()
	reset := promotion(writing, committed, syncing, rolling, release.StageHealthy)
	reset.Kind, reset.Environment, reset.Application = release.KindResetDev, "dev", "web-synestra-io-dev"
	rollback := promotion(writing, committed, noticed, syncing, rolling)
	rollback.Kind, rollback.From, rollback.To = release.KindRollback, rollback.To, rollback.From
	rollback.Notes = []string{"Takes over from promote sha-9f8e7d, which was rolling out"}
	wentBack := rollback
	wentBack.Progress = wentBack.Progress.Enter(release.StageHealthy, start.Add(time.Minute))
	hot := promotion(writing, syncing, rolling, release.StageStillHot)
	hot.Kind, hot.Environment, hot.Path, hot.Commit = release.KindResetDev, "dev", "", ""
	hot.Progress.Note = "the live session on web-okteto is still there: Argo CD cannot remove it, run okteto down"
	forced := promotion(writing, committed, noticed)
	forced.Forced = true
	forced.Notes = []string{
		"Forced past the checks of dev: dev is not healthy on its tag: it is Degraded.",
		"Not copied: `image.repository` is `ghcr.io/a` in dev and `ghcr.io/b` in prod",
	}
	forced.Progress.Note = "waiting for the previous sync to finish"
	stalled := with4of6(promotion(writing, committed, noticed, syncing, rolling))
	stalled.Progress.Stalled = true
	blind := with4of6(promotion(writing, committed, noticed, syncing, rolling))
	blind.Progress.Blind = true
	over := promotion(writing, committed, noticed, release.StageSuperseded)
	over.Progress.By = string(newerHash)
	folded := promotion(writing, committed, noticed, syncing, rolling, release.StageHealthy)
	folded.Progress.Ready, folded.Progress.Total, folded.Progress.Folded = 6, 6, newerHash
	broken := promotion(writing, committed, syncing, release.StageSyncFailed)
	broken.Progress.Cause = &release.Cause{Summary: "one or more objects failed to apply", Resources: []release.Resource{
		{Kind: "Deployment", Name: "web", Message: "spec.selector: field is immutable"},
	}}
	back := promotion(writing, committed, syncing, rolling, degraded, release.StageHealthy)
	nobody := crashing(promotion(writing, committed, syncing, rolling, release.StageStillDegraded))
	nobody.By = release.Person{ID: "cli", Name: "Ana Lima"}
	return map[string]Message{
		"operation_writing":         p.Operation(promotion(writing)),
		"operation_committed":       p.Operation(promotion(writing, committed)),
		"operation_forced":          p.Operation(forced),
		"operation_rolling":         p.Operation(with4of6(promotion(writing, committed, noticed, syncing, rolling))),
		"operation_stalled":         p.Operation(stalled),
		"operation_blind":           p.Operation(blind),
		"operation_degraded":        p.Operation(crashing(promotion(writing, committed, syncing, rolling, degraded))),
		"operation_healthy":         p.Operation(folded),
		"operation_still_degraded":  p.Operation(crashing(promotion(writing, committed, syncing, rolling, degraded, release.StageStillDegraded))),
		"operation_sync_failed":     p.Operation(broken),
		"operation_superseded":      p.Operation(over),
		"operation_timed_out":       p.Operation(promotion(writing, committed, release.StageTimedOut)),
		"operation_gone":            p.Operation(promotion(writing, committed, noticed, release.StageGone)),
		"operation_no_effect":       p.Operation(promotion(writing, committed, noticed, release.StageNoEffect)),
		"operation_refused":         p.Operation(promotion(writing, release.StageRefused)),
		"operation_failed_to_write": p.Operation(promotion(writing, release.StageFailedToWrite)),
		"rollback_rolling":          p.Operation(with4of6(rollback)),
		"rollback_healthy":          p.Operation(wentBack),
		"reset_healthy":             p.Operation(reset),
		"reset_still_hot":           p.Operation(hot),
		"reply_degraded":            p.Reply(crashing(promotion(writing, committed, syncing, rolling, degraded))),
		"reply_recovered":           p.Reply(back),
		"reply_moving":              p.Reply(with4of6(promotion(writing, committed, syncing, degraded, rolling))),
		"reply_to_no_member":        p.Reply(nobody),
		"answer_offer":              p.Answer(release.Answer{Text: "*Dev is ahead of prod:*\n• `web`: `v1` → `v2` — verified in dev\nTo promote one, type `/promote web`."}, ""),
		"answer_refused": p.Answer(release.Answer{Refusal: release.Refuse(release.CodeInProgress, "Wait for it to end.",
			"`%s` is being changed by %s.", "synestra-io", "Ana Lima")}, "https://synestra.slack.com/archives/C1/p1732427612000100"),
		"answer_question": p.Answer(release.Answer{
			Text: "There is a live session in dev on `web-okteto` (image `okteto/node`).",
			Choices: []release.Choice{
				{Click: "reset-dev.confirm", Subject: "q_01J9", Label: "Reset anyway", Danger: true, Confirm: "This discards the session."},
				{Click: "reset-dev.cancel", Subject: "q_01J9", Label: "Cancel"},
			},
		}, ""),
		"answer_table": p.Answer(release.Answer{Text: "*How releases stand:*", Table: &release.Table{
			Head: []string{"App", "prod", "dev", "Pods", "State"},
			Rows: [][]string{
				{"shop", "sha-1", "sha-2", "2 of 4", "❌ broken: prod Degraded"},
				{"synestra-io", "sha-1a2b3c", "sha-9f8e7d", "", "🔷 ahead · held"},
				{"wiki", "<!channel>", "*:rocket:*", "", "✅ in sync"},
			},
		}}, ""),
		"answer_public": p.Answer(release.Answer{Public: true, Text: "▶️ `Ana Lima` has lifted the hold on automation of `shop`."}, ""),
		"answer_broken": p.Answer(p.Broken("1a2b3c4d", release.Answer{}), ""),
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, m := range cards() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkGolden(t, name, m)
		})
	}
}

// checkGolden compares a message with its golden file.
func checkGolden(t *testing.T, name string, m Message) {
	t.Helper()
	got := encode(t, map[string]any{"text": m.Text, "blocks": m.Blocks})
	path := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s has changed; look at it and run with -update if it is right:\n%s", path, got)
	}
	checkMessage(t, m)
}

// encode keeps < and > legible in the golden files.
func encode(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
