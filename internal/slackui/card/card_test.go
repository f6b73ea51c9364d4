package card

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/synestra/promoter/internal/release"
)

// Every stage must have words: one without them would be shown by a bare name.
func TestWordsAreComplete(t *testing.T) {
	t.Parallel()
	say := english()
	for _, s := range []release.Stage{
		release.StageWriting, release.StageCommitted, release.StageNoticed, release.StageSyncing, release.StageRollingOut,
		release.StageDegraded, release.StageHealthy, release.StageNoEffect, release.StageRefused, release.StageFailedToWrite,
		release.StageSyncFailed, release.StageStillDegraded, release.StageStillHot, release.StageSuperseded, release.StageTimedOut,
		release.StageGone,
	} {
		if h := say.heads[s]; h.emoji == "" || h.say == "" {
			t.Errorf("no words for the stage %q", s)
		}
		if !s.Ended() && say.doing[s] == "" {
			t.Errorf("no words for being in the stage %q", s)
		}
	}
	for _, k := range []release.Kind{release.KindPromote, release.KindResetDev, release.KindRollback} {
		if _, ok := say.titles[k]; !ok {
			t.Errorf("no title for %q", k)
		}
	}
}

// No step may be shown as done before it is known to be.
func TestStepsClaimNoMoreThanIsKnown(t *testing.T) {
	t.Parallel()
	const c, s, r = "Committed", "Synced", "Rolled out"
	for _, row := range []struct {
		name   string
		stages []release.Stage
		done   []string
	}{
		{"writing", []release.Stage{writing}, nil},
		{"committed", []release.Stage{writing, committed}, []string{c}},
		{"noticed", []release.Stage{writing, committed, noticed}, []string{c}},
		{"syncing", []release.Stage{writing, committed, noticed, syncing}, []string{c}},
		{"rolling out", []release.Stage{writing, committed, rolling}, []string{c, s}},
		{"degraded", []release.Stage{writing, committed, rolling, degraded}, []string{c, s}},
		{"recovering", []release.Stage{writing, committed, rolling, degraded, rolling}, []string{c, s}},
		{"healthy", []release.Stage{writing, committed, rolling, release.StageHealthy}, []string{c, s, r, "Healthy"}},
		{"refused", []release.Stage{writing, release.StageRefused}, nil},
		{"failed to write", []release.Stage{writing, release.StageFailedToWrite}, nil},
		{"sync failed", []release.Stage{writing, committed, syncing, release.StageSyncFailed}, []string{c}},
		{"no effect", []release.Stage{writing, committed, noticed, release.StageNoEffect}, []string{c}},
		{"timed out early", []release.Stage{writing, committed, release.StageTimedOut}, []string{c}},
		{"timed out late", []release.Stage{writing, committed, rolling, release.StageTimedOut}, []string{c, s}},
		{"degraded at the deadline", []release.Stage{writing, committed, rolling, degraded, release.StageStillDegraded}, []string{c, s}},
		{"superseded", []release.Stage{writing, committed, syncing, release.StageSuperseded}, []string{c}},
		{"gone", []release.Stage{writing, committed, rolling, release.StageGone}, []string{c, s}},
		{"ended with no past", []release.Stage{release.StageFailedToWrite}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			shown := printer().steps(promotion(row.stages...))
			for _, step := range []string{c, s, r, "✅ Healthy"} {
				want := false
				for _, d := range row.done {
					want = want || d == step || d == "Healthy" && step == "✅ Healthy"
				}
				if step == "✅ Healthy" && row.name == "healthy" {
					step = "Healthy"
				}
				if got := strings.Contains(shown, step); got != want {
					t.Errorf("%q is shown: %v, want %v, in\n%s", step, got, want, shown)
				}
			}
		})
	}
}

func TestUnchangedStateGivesTheSameCard(t *testing.T) {
	t.Parallel()
	op := crashing(promotion(writing, committed, syncing, rolling, degraded))
	one := encode(t, printer().Operation(op))
	op.Progress.Seq += 5
	op.Progress.Memory.Refreshes = 3
	op.Lease.Owner = "another"
	if two := encode(t, printer().Operation(op)); string(one) != string(two) {
		t.Error("the card changes with what people cannot see")
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ repository, commit, compare string }{
		{"https://github.com/a/b", "https://github.com/a/b/commit/" + string(commitHash), "https://github.com/a/b/compare/" + string(baseHash) + "..." + string(commitHash)},
		{"https://github.com/a/b.git", "https://github.com/a/b/commit/" + string(commitHash), "https://github.com/a/b/compare/" + string(baseHash) + "..." + string(commitHash)},
		{"https://gitlab.example.org/a/b/", "https://gitlab.example.org/a/b/-/commit/" + string(commitHash), "https://gitlab.example.org/a/b/-/compare/" + string(baseHash) + "..." + string(commitHash)},
		{"https://bitbucket.org/a/b", "https://bitbucket.org/a/b/commits/" + string(commitHash), ""},
		{"git@github.com:a/b.git", "", ""},
		{"javascript:alert(1)", "", ""},
		{"", "", ""},
	} {
		l := Links{Repository: row.repository}
		if got := l.commit(commitHash); got != row.commit {
			t.Errorf("commit page of %q: %q, want %q", row.repository, got, row.commit)
		}
		if got := l.compare(baseHash, commitHash); got != row.compare {
			t.Errorf("compare page of %q: %q, want %q", row.repository, got, row.compare)
		}
		if got := l.commit("main"); got != "" {
			t.Errorf("a branch name got a commit page: %q", got)
		}
	}
	if got, want := (Links{ArgoCD: "https://argocd.x/", Namespace: "argo cd"}).application("web"), "https://argocd.x/applications/argo%20cd/web"; got != want {
		t.Errorf("application page %q, want %q", got, want)
	}
	if got, want := (Links{ArgoCD: "https://argocd.x"}).application("web"), "https://argocd.x/applications/web"; got != want {
		t.Errorf("application page %q, want %q", got, want)
	}
	if buttons := English(Links{}).buttons(promotion(writing, committed)); buttons != nil {
		t.Errorf("buttons without addresses: %v", buttons)
	}
}

func TestClipMarkup(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		in   string
		most int
		want string
	}{
		{"short", 5, "short"},
		{"too long", 5, "too…"},
		{"a &amp; b", 6, "a …"},
		{"see <https://x.y|this>", 12, "see …"},
		{"see <https://x.y|this> and that", 26, "see <https://x.y|this> a…"},
		{"run `kubectl get pods`", 10, "run `kub…`"},
		{"ééééé", 4, "éé…"},
	} {
		if got := clipMarkup(row.in, row.most); got != row.want {
			t.Errorf("clipMarkup(%q, %d) = %q, want %q", row.in, row.most, got, row.want)
		}
	}
}

func TestDurations(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		1400 * time.Millisecond: "1 s", 72 * time.Second: "1 min 12 s", 3*time.Hour + 5*time.Minute: "3 h 05 min",
	} {
		if got := duration(d); got != want {
			t.Errorf("duration(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestBar(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		ready, total int
		want         string
	}{{0, 3, "░░░"}, {4, 6, "▓▓▓▓░░"}, {50, 100, "▓▓▓▓▓░░░░░"}, {7, 6, "▓▓▓▓▓▓"}, {-1, 2, "░░"}} {
		if got := bar(row.ready, row.total); got != row.want {
			t.Errorf("bar(%d, %d) = %q, want %q", row.ready, row.total, got, row.want)
		}
	}
}

func TestClickedKnowsOurButtons(t *testing.T) {
	t.Parallel()
	if click, ok := Clicked(clickAction(12, "reset-dev.confirm")); !ok || click != "reset-dev.confirm" {
		t.Errorf("our button is not known again: %q, %v", click, ok)
	}
	for _, id := range []string{"", linkAction("commit"), "click/", "click/1", "click/1/", "reset-dev.confirm"} {
		if click, ok := Clicked(id); ok {
			t.Errorf("%q is taken for the button %q", id, click)
		}
	}
}

func TestEmptyAnswer(t *testing.T) {
	t.Parallel()
	if !Empty(release.Answer{}) {
		t.Error("an answer without anything is not empty")
	}
	for _, a := range []release.Answer{{Text: "x"}, {Refusal: &release.Refusal{}}, {Link: release.Place{TS: "1"}}, {Choices: []release.Choice{{}}}} {
		if Empty(a) {
			t.Errorf("%+v is empty", a)
		}
	}
}

// A table of more apps than Slack takes shows the first, and how many there are
// besides.
func TestLongTable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, state string
		apps, left  int
	}{
		{"as many as there can be", "✅ in sync", 99, 0},
		{"too many rows", "✅ in sync", 200, 101},
		{"too much text", strings.Repeat("prod Degraded ", 50), 200, 149},
	} {
		a := release.Answer{Text: "*How releases stand:*", Table: &release.Table{Head: []string{"App", "prod", "dev", "Pods", "State"}}}
		for i := range c.apps {
			a.Table.Rows = append(a.Table.Rows, []string{"an-app-" + strconv.Itoa(i), "sha-1a2b3c4d", "sha-1a2b3c4d", "", c.state})
		}
		m := printer().Answer(a, "")
		checkMessage(t, m)
		shown, more := 0, false
		for _, b := range m.Blocks {
			switch b := b.(type) {
			case *slack.TableBlock:
				shown = len(b.Rows) - 1
			case *slack.SectionBlock:
				more = more || b.Text.Text == "… and "+strconv.Itoa(c.apps-shown)+" more"
			}
		}
		if c.apps-shown != c.left || more != (c.left > 0) {
			t.Errorf("%s: %d rows of %d, and that there are more is said: %v", c.name, shown, c.apps, more)
		}
	}
}

func TestLongAnswerIsSplitAtLines(t *testing.T) {
	t.Parallel()
	m := printer().Answer(release.Answer{Text: strings.Repeat("• `an-app-name`: `v1` → `v2` — verified in dev\n", 150)}, "")
	checkMessage(t, m)
	sections := 0
	for _, b := range m.Blocks {
		if s, ok := b.(*slack.SectionBlock); ok {
			sections++
			if first := strings.HasPrefix(s.Text.Text, "• "); !first {
				t.Errorf("a section starts inside a line: %q", s.Text.Text[:20])
			}
		}
	}
	if sections < 3 {
		t.Errorf("%d sections", sections)
	}
	if last, ok := m.Blocks[len(m.Blocks)-1].(*slack.ContextBlock); !ok {
		t.Errorf("ends with %T, want the line that says who sees it", last)
	}
}

// What nobody would write, but an error text or a name may hold.
func hostile() []string {
	return []string{
		"", " ", "<!channel>", "<!here|x>", "<@U1>", "<https://evil.example|synestra-io>", "&lt;!channel&gt;", "a & b", "`", "``", "```",
		"*", "*bold*", ":white_check_mark:", ":rocket: Healthy", "x\n• ✅ Healthy", "\u202egnp.exe", "a\x00b", "\xff\xfe", strings.Repeat("x", 5000),
		strings.Repeat("`<!channel>`&", 500), strings.Repeat("é", 4000), "{app} {to}", "'; DROP TABLE x; --", "$(rm -rf /)", "../../x", "😀👩‍💻",
		"a|b>c", "\u2028\u2029", strings.Repeat("\n", 300), "12:30:45",
	}
}

func TestHostileText(t *testing.T) {
	t.Parallel()
	for i, s := range hostile() {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			checkEverywhere(t, s)
		})
	}
}

func FuzzCards(f *testing.F) {
	for _, s := range hostile() {
		f.Add(s)
	}
	f.Fuzz(checkEverywhere)
}

// checkEverywhere puts s wherever a card takes text.
func checkEverywhere(t *testing.T, s string) {
	p := printer()
	op := crashing(promotion(writing, committed, syncing, rolling, degraded))
	op.ID, op.Kind, op.App, op.Environment, op.Application = s, release.Kind(s), release.App(s), s, s
	op.From, op.To, op.By, op.Supersedes = release.Tag(s), release.Tag(s), release.Person{ID: s, Name: s}, s
	op.Notes = []string{s, s, s, s, s, s, s}
	op.Commit, op.Base = release.Revision(s), release.Revision(s)
	op.Progress.Note, op.Progress.By, op.Progress.Folded = s, s, release.Revision(s)
	c := &release.Cause{Summary: s}
	for range 20 {
		c.Pods = append(c.Pods, release.PodFailure{Pod: s, Reason: s, Message: s})
		c.Resources = append(c.Resources, release.Resource{Kind: s, Name: s, Health: s, Message: s})
	}
	op.Progress.Cause = c
	checkMessage(t, p.Operation(op))
	checkMessage(t, p.Reply(op))
	op.Progress.Stage = release.Stage(s)
	checkMessage(t, p.Operation(op))
	op.Progress = op.Progress.Enter(release.StageSuperseded, start)
	checkMessage(t, p.Operation(op))
	choices := make([]release.Choice, 30)
	for i := range choices {
		choices[i] = release.Choice{Click: s, Subject: s, Label: s, Confirm: s, Danger: i%2 == 0}
	}
	checkMessage(t, p.Answer(release.Answer{Text: s, Refusal: release.Refuse(release.CodeBadName, s, "`%s` is not an app's name.", s), Choices: choices}, s))
	checkMessage(t, p.Answer(release.Answer{Text: strings.Repeat(s+"\n", 20)}, "https://x.example/"+s))
	checkMessage(t, p.Answer(p.Broken(s, release.Answer{Text: s}), ""))
	checkNotices(t, s)
}
