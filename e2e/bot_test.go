package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/synestra/promoter/e2e/rig"
	"github.com/synestra/promoter/e2e/webcore"
	"github.com/synestra/promoter/internal/sandbox/githost"
	"github.com/synestra/promoter/internal/sandbox/slack"
)

const (
	ana      = "U0ANA"
	deployer = "S0DEPLOY"
	releases = "C0RELEASE"
)

// patience bounds every wait for the bot.
const patience = 3 * time.Minute

// bot is the real program, as a process of its own, with the range on one side
// and a stand-in for Slack on the other.
type bot struct {
	rig    *rig.Rig
	slack  *slack.Server
	binary string
	config string
	log    string

	mu      sync.Mutex // held while the process is changed
	process *exec.Cmd
}

// TestBot is the main job on a real Argo CD: each scenario has an app of its own.
func TestBot(t *testing.T) {
	r := start(t)
	b := newBot(t, r)
	table := &figures{t: t}
	t.Cleanup(table.print)
	t.Run("together", func(t *testing.T) {
		for _, s := range []struct {
			name string
			run  func(*testing.T, *bot, *figures)
		}{
			{"promote to healthy", promoteToHealthy},
			{"reset-dev, tags differ", resetTags},
			{"reset-dev of drift", resetDrift},
			{"a tag that never gets ready", promoteBroken},
			{"a commit of another app", promoteBesideAnotherApp},
		} {
			t.Run(s.name, func(t *testing.T) { t.Parallel(); s.run(t, b, table) })
		}
	})
	// Alone, since the pods of many rollouts at once are counted more rarely: Slack
	// lets an app edit about 50 times a minute, in all its messages together.
	t.Run("a slow rollout", func(t *testing.T) { promoteSlow(t, b, table) })
	// These change what all share: the Git host, argocd-server, the bot itself.
	t.Run("reset-dev with a live session", func(t *testing.T) { resetSession(t, b, table) })
	t.Run("a rival commit", func(t *testing.T) { promoteAgainstRival(t, b, table) })
	t.Run("argocd-server killed", func(t *testing.T) { promoteWhileArgoCDDies(t, b, table) })
	t.Run("the bot killed", func(t *testing.T) { promoteWhileBotDies(t, b, table) })
	t.Run("reset-dev with a session that stays", func(t *testing.T) { resetSessionThatStays(t, b, table) })
}

// newBot builds the program, starts Slack's stand-in and runs the program on it,
// with the settings that are given as YAML besides those that every test needs.
func newBot(t *testing.T, r *rig.Rig, settings ...string) *bot {
	t.Helper()
	dir := t.TempDir()
	b := &bot{rig: r, binary: filepath.Join(dir, "bot"), config: filepath.Join(dir, "config.yaml"), log: filepath.Join(dir, "bot.log")}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", b.binary, "./cmd/bot")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the bot: %v\n%s", err, out)
	}
	var err error
	b.slack, err = slack.Start(slack.Options{})
	must(t, err)
	t.Cleanup(b.slack.Close)
	b.slack.AddUser(slack.User{ID: ana, Name: "ana", RealName: "Ana Lima"})
	b.slack.AddGroup(slack.Group{ID: deployer, Handle: "deployers", Users: []string{ana}})
	b.slack.AddChannel(slack.Channel{ID: releases, Name: "releases", BotIsMember: true})
	must(t, os.WriteFile(b.config, fmt.Appendf(nil, `
slack: {api_url: %q, channel: %s, listen: "127.0.0.1:0"}
git: {url: %q, branch: main}
argocd: {server: %q, plaintext: true, web_url: "http://%s"}
store: {path: %q}
rollout: {timeout: 30s}
permissions:
  - {commands: [promote, reset-dev], apps: ["*"], environments: [dev, prod], groups: [%s], force: true}
%s
`, b.slack.APIURL(), releases, r.WebCore.URL(), r.ArgoCDAddr(), r.ArgoCDAddr(), filepath.Join(dir, "promoter.db"), deployer, strings.Join(settings, "\n")), 0o600))
	b.start(t)
	t.Cleanup(func() { b.kill(t, syscall.SIGTERM) })
	t.Cleanup(func() {
		if t.Failed() {
			b.dump(t)
		}
	})
	return b
}

func (b *bot) dump(t *testing.T) {
	content, err := os.ReadFile(b.log)
	if err != nil {
		t.Log(err)
		return
	}
	lines := strings.Split(string(content), "\n")
	t.Logf("the bot's log:\n%s", strings.Join(lines[max(0, len(lines)-150):], "\n"))
	for _, m := range b.slack.Messages(releases) {
		t.Log(b.slack.Render(m))
	}
}

func (b *bot) start(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	log, err := os.OpenFile(b.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(t, err)
	defer log.Close()
	b.process = exec.Command(b.binary, "run", "--config", b.config)
	b.process.Env = append(os.Environ(), "SLACK_BOT_TOKEN=xoxb-sandbox", "SLACK_APP_TOKEN=xapp-sandbox",
		"GIT_TOKEN="+b.rig.GitToken, "ARGOCD_AUTH_TOKEN="+b.rig.BotToken)
	b.process.Stdout, b.process.Stderr = log, log
	b.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(t, b.process.Start())
	b.wait(t, "two sockets", func() bool { return b.slack.Sockets() >= 2 })
}

// kill ends the process and waits until Slack has noticed.
func (b *bot) kill(t *testing.T, how syscall.Signal) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	must(t, b.process.Process.Signal(how))
	if err := b.process.Wait(); err != nil && how == syscall.SIGTERM {
		t.Errorf("the bot ended with %v", err)
	}
}

func (b *bot) wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := b.slack.Wait(ctx, ok); err != nil {
		t.Fatalf("waiting for %s: %v", what, err)
	}
}

// within says whether something came to hold in Slack in that time.
func (b *bot) within(t *testing.T, limit time.Duration, ok func() bool) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	return b.slack.Wait(ctx, ok) == nil
}

// command types a slash command and returns when it did.
func (b *bot) command(t *testing.T, command, text string) time.Time {
	t.Helper()
	began := time.Now()
	if _, err := b.slack.Command(t.Context(), ana, releases, command, text); err != nil {
		t.Fatal(err)
	}
	return began
}

// message is the newest operation message about the app.
func (b *bot) message(app string) (slack.Message, bool) {
	for _, m := range slices.Backward(b.slack.Messages(releases)) {
		if about(m, app) {
			return m, true
		}
	}
	return slack.Message{}, false
}

// about says that a message is an operation's, of the app: its text is an emoji
// and the app's name, then the rest.
func about(m slack.Message, app string) bool {
	words := strings.FieldsFunc(m.Text, func(r rune) bool { return r == ' ' || r == ',' })
	return m.EphemeralFor == "" && m.ThreadTS == "" && !isNotice(m) && len(words) > 1 && slices.Contains(words[:2], app)
}

// shows waits until the app's message shows a text.
func (b *bot) shows(t *testing.T, app, text string) (m slack.Message) {
	t.Helper()
	b.wait(t, fmt.Sprintf("%q in the message of %s", text, app), func() bool {
		var found bool
		m, found = b.message(app)
		return found && strings.Contains(b.slack.Render(m), text)
	})
	return m
}

// never fails the test if any state of a message showed a text.
func (b *bot) never(t *testing.T, m slack.Message, text string) {
	t.Helper()
	for _, old := range append(slices.Clone(m.Edits), m.Content) {
		if strings.Contains(old.Text+string(old.Blocks), text) {
			t.Errorf("the message said %q at a time", text)
		}
	}
}

// one checks that the app has one message and, at main, one commit of the bot
// on its layer of env.
func (b *bot) one(t *testing.T, app, env string) {
	t.Helper()
	messages := 0
	for _, m := range b.slack.Messages(releases) {
		if about(m, app) {
			messages++
		}
	}
	if commits := b.commits(t, app, env); messages != 1 || len(commits) != 1 {
		t.Errorf("%d messages, commits %q", messages, commits)
	}
}

// commits are the subjects of the bot's commits to the app's layer of env.
func (b *bot) commits(t *testing.T, app, env string) (subjects []string) {
	t.Helper()
	out, err := b.rig.Git.Git(t.Context(), githost.WebCore, "log", "--format=%s", "--committer=promoter", "main", "--", webcore.LayerPath(env, app))
	must(t, err)
	for subject := range strings.Lines(out) {
		subjects = append(subjects, strings.TrimSpace(subject))
	}
	return subjects
}

// verified adds an app whose dev runs a newer tag than prod.
func (b *bot) verified(t *testing.T, app webcore.App) {
	t.Helper()
	must(t, b.rig.AddApp(t.Context(), app))
	must(t, b.rig.AwaitRunning(t.Context(), app.Name, "dev", app.Tag("dev")))
	must(t, b.rig.LimitToOwnPaths(t.Context(), app.Name))
}

func promoteToHealthy(t *testing.T, b *bot, f *figures) {
	b.verified(t, webcore.App{Name: "healthy", DevTag: "sha-2222222"})
	began := b.command(t, "/promote", "healthy")
	b.shows(t, "healthy", "is on `sha-2222222` in prod")
	// The claim holds at this moment, as anybody can see who looks.
	d, err := b.rig.Deployment(t.Context(), "healthy", "prod")
	must(t, err)
	if d.Tag() != "sha-2222222" || !d.RolledOut() {
		t.Errorf("told healthy while the Deployment is %s", d)
	}
	b.one(t, "healthy", "prod")
	f.add(t, b, "healthy", began)
}

func resetTags(t *testing.T, b *bot, f *figures) {
	b.verified(t, webcore.App{Name: "ahead", DevTag: "sha-3333333"})
	began := b.command(t, "/reset-dev", "ahead")
	b.shows(t, "ahead", "dev is back at `"+webcore.FirstTag+"`")
	must(t, b.rig.AwaitRunning(t.Context(), "ahead", "dev", webcore.FirstTag))
	b.one(t, "ahead", "dev")
	f.add(t, b, "ahead", began)
}

func resetDrift(t *testing.T, b *bot, f *figures) {
	b.verified(t, webcore.App{Name: "drifted"})
	must(t, b.rig.Scale(t.Context(), "drifted", "dev", 3))
	_, err := b.rig.AwaitApplication(t.Context(), "drifted", "dev", "OutOfSync", func(a rig.Application) bool { return a.Status.Sync.Status == "OutOfSync" })
	must(t, err)
	began := b.command(t, "/reset-dev", "drifted")
	b.shows(t, "drifted", "dev is back at")
	must(t, b.rig.AwaitReplicas(t.Context(), "drifted", "dev", 2))
	must(t, b.rig.AwaitRunning(t.Context(), "drifted", "dev", webcore.FirstTag))
	f.add(t, b, "drifted", began)
}

func promoteBroken(t *testing.T, b *bot, f *figures) {
	const tag = "sha-bad-crash1"
	b.verified(t, webcore.App{Name: "broken", ProgressDeadline: 5 * time.Second})
	_, err := b.rig.WebCore.SetTag(t.Context(), webcore.CI, "dev", "broken", tag)
	must(t, err)
	began := b.command(t, "/promote", "broken --force")
	m := b.shows(t, "broken", "did not recover in time")
	drawn := b.slack.Render(m)
	for _, want := range []string{"CrashLoopBackOff", "broken-"} {
		if !strings.Contains(drawn, want) {
			t.Errorf("the end lacks %q:\n%s", want, drawn)
		}
	}
	b.never(t, m, "is on")
	b.wait(t, "the reply", func() bool {
		return slices.ContainsFunc(b.slack.Messages(releases), func(r slack.Message) bool {
			return r.ThreadTS == m.TS && strings.Contains(r.Text+string(r.Blocks), "<@"+ana+">")
		})
	})
	b.one(t, "broken", "prod")
	f.add(t, b, "broken", began)
}

var podCount = regexp.MustCompile(`(\d+) of 8 pods ready`)

func promoteSlow(t *testing.T, b *bot, f *figures) {
	b.verified(t, webcore.App{Name: "gradual", DevTag: "sha-slow222", Replicas: 8})
	began := b.command(t, "/promote", "gradual")
	m := b.shows(t, "gradual", "is on `sha-slow222` in prod")
	var counts []string
	for _, old := range append(slices.Clone(m.Edits), m.Content) {
		if found := podCount.FindStringSubmatch(string(old.Blocks)); found != nil && !slices.Contains(counts, found[1]) {
			counts = append(counts, found[1])
		}
	}
	if len(counts) < 3 || !slices.IsSorted(counts) {
		t.Errorf("the message showed these pod counts: %q", counts)
	}
	t.Logf("pod counts seen in the message: %q", counts)
	b.one(t, "gradual", "prod")
	f.add(t, b, "gradual", began)
}

func promoteBesideAnotherApp(t *testing.T, b *bot, f *figures) {
	b.verified(t, webcore.App{Name: "beside", DevTag: "sha-slow333", Replicas: 4})
	b.verified(t, webcore.App{Name: "neighbour"})
	began := b.command(t, "/promote", "beside")
	b.shows(t, "beside", "of 4 pods ready")
	_, err := b.rig.WebCore.SetTag(t.Context(), webcore.CI, "dev", "neighbour", "sha-7777777")
	must(t, err)
	must(t, b.rig.Refresh(t.Context(), "beside", "prod"))
	b.shows(t, "beside", "is on `sha-slow333` in prod")
	if _, found := b.message("neighbour"); found {
		t.Error("a commit of another app made a message")
	}
	b.one(t, "beside", "prod")
	f.add(t, b, "beside", began)
}

// question asks for a reset and presses Reset anyway on what comes back.
func (b *bot) question(t *testing.T, app string) time.Time {
	t.Helper()
	began := b.command(t, "/reset-dev", app)
	var m slack.Message
	b.wait(t, "the question", func() bool {
		i := slices.IndexFunc(b.slack.Messages(releases), func(m slack.Message) bool {
			return m.EphemeralFor == ana && !m.Deleted && strings.Contains(b.slack.Render(m), "live session in dev of `"+app+"`")
		})
		if i >= 0 {
			m = b.slack.Messages(releases)[i]
		}
		return i >= 0
	})
	if _, found := b.message(app); found {
		t.Error("something was done before the click")
	}
	for _, button := range m.Buttons() {
		if button.Label == "Reset anyway" {
			_, err := b.slack.Click(t.Context(), ana, m.MessageRef, button.ActionID)
			must(t, err)
			return began
		}
	}
	t.Fatalf("no button in\n%s", b.slack.Render(m))
	return began
}

func resetSession(t *testing.T, b *bot, f *figures) {
	b.verified(t, webcore.App{Name: "hot"})
	must(t, b.rig.StartSession(t.Context(), "hot"))
	must(t, b.rig.AwaitReplicas(t.Context(), "hot", "dev", 0))
	began := b.question(t, "hot")
	b.shows(t, "hot", "dev is back at")
	if _, err := b.rig.SessionClone(t.Context(), "hot"); !rig.IsNotFound(err) {
		t.Errorf("told as done while the clone is there: %v", err)
	}
	must(t, b.rig.AwaitRunning(t.Context(), "hot", "dev", webcore.FirstTag))
	f.add(t, b, "hot", began)
}

func resetSessionThatStays(t *testing.T, b *bot, f *figures) {
	must(t, b.rig.SetTracking(t.Context(), rig.TrackByAnnotation))
	b.verified(t, webcore.App{Name: "staying"})
	must(t, b.rig.StartSession(t.Context(), "staying"))
	must(t, b.rig.AwaitReplicas(t.Context(), "staying", "dev", 0))
	began := b.question(t, "staying")
	m := b.shows(t, "staying", "okteto down")
	b.never(t, m, "dev is back")
	if _, err := b.rig.SessionClone(t.Context(), "staying"); err != nil {
		t.Errorf("told as staying while the clone is gone: %v", err)
	}
	f.add(t, b, "staying", began)
}

func promoteAgainstRival(t *testing.T, b *bot, f *figures) {
	b.verified(t, webcore.App{Name: "raced", DevTag: "sha-4444444"})
	b.verified(t, webcore.App{Name: "rival"})
	var raced atomic.Bool
	b.rig.Git.Intercept(func(r githost.Request) githost.Fault {
		// Only the bot pushes over the wire.
		if r.Kind == githost.Push && raced.CompareAndSwap(false, true) {
			if _, err := b.rig.WebCore.SetTag(context.WithoutCancel(t.Context()), webcore.Person, "dev", "rival", "sha-5555555"); err != nil {
				t.Error(err)
			}
		}
		return githost.Fault{}
	})
	defer b.rig.Git.Intercept(nil)
	began := b.command(t, "/promote", "raced")
	b.shows(t, "raced", "is on `sha-4444444` in prod")
	if tag, err := b.rig.WebCore.Tag(t.Context(), "main", "dev", "rival"); err != nil || tag != "sha-5555555" || !raced.Load() {
		t.Errorf("the rival's tag is %q (%v), raced %v", tag, err, raced.Load())
	}
	b.one(t, "raced", "prod")
	f.add(t, b, "raced", began)
}

func promoteWhileArgoCDDies(t *testing.T, b *bot, f *figures) {
	b.verified(t, webcore.App{Name: "cutoff", DevTag: "sha-slow444", Replicas: 4})
	began := b.command(t, "/promote", "cutoff")
	b.shows(t, "cutoff", "of 4 pods ready")
	b.rig.KillArgoCDServer()
	must(t, b.rig.RestartArgoCDServer(t.Context()))
	m := b.shows(t, "cutoff", "is on `sha-slow444` in prod")
	b.never(t, m, "failed")
	b.one(t, "cutoff", "prod")
	f.add(t, b, "cutoff", began)
}

func promoteWhileBotDies(t *testing.T, b *bot, f *figures) {
	b.verified(t, webcore.App{Name: "survivor", DevTag: "sha-slow555", Replicas: 4})
	began := b.command(t, "/promote", "survivor")
	b.shows(t, "survivor", "of 4 pods ready")
	b.kill(t, syscall.SIGKILL)
	b.start(t)
	b.shows(t, "survivor", "is on `sha-slow555` in prod")
	b.one(t, "survivor", "prod")
	f.add(t, b, "survivor", began)
}

// figures are how long each scenario took, from the bot's own log.
type figures struct {
	t    *testing.T
	mu   sync.Mutex
	rows []string
}

// add reads the times of the app's operation out of the bot's log.
func (f *figures) add(t *testing.T, b *bot, app string, began time.Time) {
	t.Helper()
	content, err := os.ReadFile(b.log)
	must(t, err)
	var id string
	at := map[string]time.Time{}
	for line := range strings.Lines(string(content)) {
		var entry struct {
			Time           time.Time
			Msg, ID, App   string
			Stage, Command string
		}
		if json.Unmarshal([]byte(line), &entry) != nil {
			continue
		}
		switch {
		case entry.Msg == "operation begun" && entry.App == app:
			id = entry.ID
		case entry.Msg == "stage" && entry.ID == id && at[entry.Stage].IsZero():
			at[entry.Stage] = entry.Time
		}
	}
	pushed := at["committed"]
	since := func(from time.Time, stages ...string) string {
		for _, stage := range stages {
			if !at[stage].IsZero() && !from.IsZero() {
				return fmt.Sprintf("%.2f s", at[stage].Sub(from).Seconds())
			}
		}
		return "–"
	}
	end := "healthy"
	for _, stage := range []string{"degraded at the deadline", "still hot"} {
		if !at[stage].IsZero() {
			end = stage
		}
	}
	if pushed.IsZero() {
		pushed = at["syncing"] // nothing to push: asked Argo CD to sync
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rows = append(f.rows, fmt.Sprintf("%-38s %14s %15s %15s   %s", t.Name()[strings.LastIndex(t.Name(), "/")+1:],
		since(began, "committed", "syncing"), since(pushed, "noticed", "syncing", "rolling out", "healthy"), since(pushed, end), end))
}

func (f *figures) print() {
	f.t.Logf("%-38s %14s %15s %15s   %s\n%s", "scenario", "command→pushed", "pushed→noticed", "pushed→end", "end", strings.Join(f.rows, "\n"))
}
