package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/synestra/promoter/internal/sandbox/githost"
	"github.com/synestra/promoter/internal/sandbox/slack"
)

// deadline bounds every wait of these tests; on an idle machine each takes well
// under a second.
const deadline = 90 * time.Second

// stage is a world with the real bot in it.
type stage struct {
	*world
	t    *testing.T
	apps []githost.App
	c    config
	stop func()
	over chan error
	bot  *bot
	logs *logs
}

// logs keeps what the bot says, for a test that fails.
type logs struct {
	mu  sync.Mutex
	all strings.Builder
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

var testApps = []githost.App{
	{Name: "synestra-io", Dev: "sha-2", Prod: "sha-1"},
	{Name: "shop", Dev: "sha-5", Prod: "sha-5"},
}

// newStage starts a world. change may alter the configuration.
func newStage(t *testing.T, change func(*config), apps ...githost.App) *stage {
	t.Helper()
	if len(apps) == 0 {
		apps = testApps
	}
	s := &stage{t: t, apps: apps, logs: new(logs)}
	quiet := discard()
	var err error
	s.world, err = newWorld(t.Context(), t.TempDir(), worldOptions{pace: 10 * time.Millisecond, poll: time.Second, apps: apps, log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.world.close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the bot's log:\n%s", s.logs.String())
		}
	})
	s.c, err = parseConfig("test", []byte(s.config()), s.environ)
	if err != nil {
		t.Fatal(err)
	}
	s.c.editGap = 20 * time.Millisecond
	if change != nil {
		change(&s.c)
	}
	return s
}

// start runs the bot until the test ends or stop is called.
func (s *stage) start() {
	s.t.Helper()
	log := slog.New(slog.NewTextHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	if s.bot, err = newBot(s.t.Context(), s.c, log); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	b := s.bot
	go func() { over <- b.run(ctx) }()
	s.over = over
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-over; err != nil {
			s.t.Errorf("the bot ended with %v", err)
		}
		if err := b.close(); err != nil {
			s.t.Errorf("closing: %v", err)
		}
	})
	s.t.Cleanup(s.stop)
	if s.c.Slack.Mode == modeHTTP {
		s.slack.SendOverHTTP(slack.RequestURLs{
			Commands: s.url("/slack/commands"), Interactivity: s.url("/slack/interactivity"), Events: s.url("/slack/events"),
		}, worldSigning)
		s.wait("readiness", func() bool { return s.get("/readyz") == http.StatusOK })
		return
	}
	s.wait("two sockets", func() bool { return s.slack.Sockets() >= 2 })
}

// url is where the bot serves a path.
func (s *stage) url(path string) string { return "http://" + s.bot.listener.Addr().String() + path }

// get asks the bot for a path.
func (s *stage) get(path string) (status int) {
	s.t.Helper()
	resp, err := http.Get(s.url(path))
	if err != nil {
		s.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func (s *stage) wait(what string, ok func() bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), deadline)
	defer cancel()
	if err := until(ctx, ok); err != nil {
		s.t.Fatalf("waiting for %s: %v\n%s", what, err, s.draw())
	}
}

// draw is the channel as it is, for failures.
func (s *stage) draw() string {
	var b strings.Builder
	for _, m := range s.slack.Messages(releases) {
		b.WriteString(s.slack.Render(m))
	}
	return b.String()
}

func (s *stage) command(user, channel, command, text string) {
	s.t.Helper()
	for {
		ack, err := s.slack.Command(s.t.Context(), user, channel, command, text)
		if err != nil {
			s.t.Fatalf("%s %q: %v", command, text, err)
		}
		if !strings.Contains(string(ack.Payload), notAccepted) {
			return
		}
	}
}

// notAccepted is what a bot on a machine that is busy with other tests may
// answer. It is typed again then, as people do.
const notAccepted = "Not accepted"

// ask types a command in #releases and waits for what only that person sees.
func (s *stage) ask(user, command, text string) slack.Message {
	s.t.Helper()
	before := len(s.private(user))
	s.command(user, releases, command, text)
	s.wait("an answer", func() bool { return len(s.private(user)) > before })
	return s.private(user)[before]
}

func (s *stage) private(user string) []slack.Message {
	return s.messages(releases, func(m slack.Message) bool {
		return m.EphemeralFor == user && !strings.Contains(s.slack.Render(m), notAccepted)
	})
}

// public are the messages in a channel that everybody sees, threads apart.
func (s *stage) public(channel string) []slack.Message {
	return s.messages(channel, func(m slack.Message) bool { return m.EphemeralFor == "" && m.ThreadTS == "" })
}

func (s *stage) replies() []slack.Message {
	return s.messages(releases, func(m slack.Message) bool { return m.ThreadTS != "" })
}

func (s *stage) messages(channel string, ok func(slack.Message) bool) []slack.Message {
	return slices.DeleteFunc(s.slack.Messages(channel), func(m slack.Message) bool { return m.Deleted || !ok(m) })
}

// shows waits until a public message shows a text, and returns the newest that
// does.
func (s *stage) shows(text string) slack.Message {
	s.t.Helper()
	var shown slack.Message
	s.wait(fmt.Sprintf("a message with %q", text), func() bool {
		for _, m := range slices.Backward(s.public(releases)) {
			if strings.Contains(s.slack.Render(m), text) {
				shown = m
				return true
			}
		}
		return false
	})
	return shown
}

// told waits until the store has nothing left to do.
func (s *stage) told() {
	s.t.Helper()
	s.wait("everything told", func() bool {
		pending, err := s.bot.store.Pending(s.t.Context())
		if err != nil || len(pending) > 0 {
			return false
		}
		open, err := s.bot.store.Unfinished(s.t.Context())
		return err == nil && len(open) == 0
	})
}

// commits are the subjects on the branch after the seed, newest first.
func (s *stage) commits() []string {
	s.t.Helper()
	out := s.gitOut("log", "--format=%s", githost.Branch)
	subjects := strings.Split(out, "\n")
	return subjects[:len(subjects)-1]
}

func (s *stage) gitOut(args ...string) string {
	s.t.Helper()
	out, err := s.git.Git(s.t.Context(), githost.WebCore, args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (s *stage) commit(message string, files map[string][]byte) {
	s.t.Helper()
	if _, err := s.git.Commit(s.t.Context(), githost.WebCore, "ci <ci@synestra.io>", message, files); err != nil {
		s.t.Fatal(err)
	}
}

// refused checks that an answer refuses with a text and nothing was changed.
func (s *stage) refused(m slack.Message, text string, commits int) {
	s.t.Helper()
	drawn := s.slack.Render(m)
	if !strings.Contains(drawn, text) || !strings.Contains(drawn, "nothing was changed") {
		s.t.Errorf("answer without %q:\n%s", text, drawn)
	}
	if got := s.commits(); len(got) != commits {
		s.t.Errorf("commits = %q", got)
	}
	if got := s.public(releases); len(got) != 0 {
		s.t.Errorf("a refusal is public:\n%s", s.draw())
	}
	// Nothing that was typed can ping, link or break out.
	if raw := string(m.Blocks) + m.Text; strings.Contains(raw, "<!channel>") || strings.Contains(raw, "<@U1>") {
		s.t.Errorf("the answer pings: %s", raw)
	}
}

func TestPromote(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{modeSocket, modeHTTP} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			promote(t, mode)
		})
	}
}

func promote(t *testing.T, mode string) {
	s := newStage(t, inMode(mode))
	s.start()
	s.command(ana, releases, "/promote", "  synestra-io ")
	m := s.shows("is on `sha-2` in prod")
	s.told()

	if got := s.public(releases); len(got) != 1 {
		t.Errorf("%d messages:\n%s", len(got), s.draw())
	}
	if len(m.Edits) < 3 {
		t.Errorf("the message was edited %d times only", len(m.Edits))
	}
	if got := s.commits(); !slices.Equal(got, []string{"release(prod): synestra-io sha-1 → sha-2"}) {
		t.Errorf("commits = %q", got)
	}
	if got := s.gitOut("diff", "--numstat", "main~1", "main"); got != "1\t1\tdeploy/env/release-prod/synestra-io.yaml" {
		t.Errorf("diff = %q", got)
	}
	if got := s.gitOut("show", "main:deploy/env/release-prod/synestra-io.yaml"); !strings.Contains(got, `tag: "sha-2" # managed`) {
		t.Errorf("layer:\n%s", got)
	}
	var metadata struct {
		Payload map[string]any `json:"event_payload"`
	}
	if err := json.Unmarshal(m.Metadata, &metadata); err != nil {
		t.Fatal(err)
	}
	id, _ := metadata.Payload["op"].(string)
	body := s.gitOut("log", "-1", "--format=%an %ae%n%cn %ce%n%(trailers)", "main")
	for _, want := range []string{
		"Ana Lima u0ana@slack.invalid", "promoter promoter@synestra.io", "Operation-Id: " + id, "Requested-By: Ana Lima (U0ANA)",
		"Slack-Message: " + releases + "/" + m.TS, "From-Tag: sha-1", "To-Tag: sha-2",
	} {
		if !strings.Contains(body, want) || id == "" {
			t.Errorf("the commit lacks %q (operation %q):\n%s", want, id, body)
		}
	}
	if state := s.argo.State("web-synestra-io-prod"); state.Tag != "sha-2" || state.Ready != 4 {
		t.Errorf("prod = %+v", state)
	}
	if len(s.replies()) != 0 || len(s.private(ana)) != 0 {
		t.Errorf("a success says more than its message:\n%s", s.draw())
	}
	for _, secret := range []string{worldBotToken, worldAppToken, worldSigning, worldGitToken, worldArgoCD} {
		if strings.Contains(s.logs.String(), secret) {
			t.Errorf("the log has %s:\n%s", secret, s.logs)
		}
	}
}

// inMode is the configuration with that slack.mode.
func inMode(mode string) func(*config) { return func(c *config) { c.Slack.Mode = mode } }

func TestResetDev(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.start()
	s.command(ana, releases, "/reset-dev", "synestra-io")
	s.shows("dev is back at `sha-1`")
	s.told()
	if got := s.commits(); !slices.Equal(got, []string{"release(dev): synestra-io sha-2 → sha-1"}) {
		t.Errorf("commits = %q", got)
	}
	if tag := s.argo.State("web-synestra-io-dev").Tag; tag != "sha-1" {
		t.Errorf("dev runs %s", tag)
	}
	s.refusedAtBaseline()
}

func (s *stage) refusedAtBaseline() {
	s.t.Helper()
	drawn := s.slack.Render(s.ask(ana, "/reset-dev", "synestra-io"))
	if !strings.Contains(drawn, "already at the baseline") {
		s.t.Errorf("asked again:\n%s", drawn)
	}
}

func TestResetDevOfDrift(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	if err := s.argo.Drift("web-shop-dev"); err != nil {
		t.Fatal(err)
	}
	s.wait("drift", func() bool { return s.argo.State("web-shop-dev").Sync == "OutOfSync" })
	s.start()
	s.command(ana, releases, "/reset-dev", "shop")
	s.told()
	state := s.argo.State("web-shop-dev")
	if state.Sync != "Synced" || state.Syncs[len(state.Syncs)-1] != "bot" {
		t.Errorf("dev = %+v", state)
	}
	if len(s.commits()) != 0 || len(s.public(releases)) != 1 || len(s.replies()) != 0 {
		t.Errorf("commits %q\n%s", s.commits(), s.draw())
	}
	s.shows("dev")
}

func TestResetDevOfALiveSession(t *testing.T) {
	t.Parallel()
	for _, annotated := range []bool{false, true} {
		t.Run(fmt.Sprintf("annotation tracking %v", annotated), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, nil)
			if annotated {
				s.track("shop")
			}
			if err := s.argo.GoHot("shop"); err != nil {
				t.Fatal(err)
			}
			s.wait("the session", func() bool { return s.argo.State("web-shop-dev").SessionStands })
			s.start()
			question := s.ask(ana, "/reset-dev", "shop")
			drawn := s.slack.Render(question)
			for _, want := range []string{"live session", "shop-okteto", "do not name the person", "sha-5"} {
				if !strings.Contains(drawn, want) {
					t.Errorf("the question lacks %q:\n%s", want, drawn)
				}
			}
			if slices.Contains(s.argo.State("web-shop-dev").Syncs, "bot") || len(s.public(releases)) != 0 {
				t.Errorf("something was done without a click")
			}
			s.click(question, "Reset anyway")
			s.wait("an operation", func() bool { return len(s.public(releases)) == 1 })
			s.told()
			end := s.slack.Render(s.public(releases)[0])
			stands := s.argo.State("web-shop-dev").SessionStands
			if stands != annotated || strings.Contains(end, "okteto down") != annotated {
				t.Errorf("the session stands: %v\n%s", stands, end)
			}
			if replies := len(s.replies()); annotated && replies != 1 || !annotated && replies != 0 {
				t.Errorf("%d replies\n%s", replies, s.draw())
			}
		})
	}
}

func (s *stage) click(m slack.Message, label string) {
	s.t.Helper()
	for _, b := range m.Buttons() {
		if b.Label == label {
			if _, err := s.slack.Click(s.t.Context(), m.EphemeralFor, m.MessageRef, b.ActionID); err != nil {
				s.t.Fatal(err)
			}
			return
		}
	}
	s.t.Fatalf("no button %q in\n%s", label, s.slack.Render(m))
}

func TestCancelledReset(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	if err := s.argo.GoHot("shop"); err != nil {
		t.Fatal(err)
	}
	s.start()
	question := s.ask(ana, "/reset-dev", "shop")
	s.click(question, "Cancel")
	s.told()
	if state := s.argo.State("web-shop-dev"); !state.SessionStands || slices.Contains(state.Syncs, "bot") {
		t.Errorf("dev = %+v", state)
	}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
