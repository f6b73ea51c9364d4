package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/synestra/promoter/internal/commands"
	"github.com/synestra/promoter/internal/sandbox/argocd"
	"github.com/synestra/promoter/internal/sandbox/githost"
	"github.com/synestra/promoter/internal/sandbox/slack"
)

// The apps of the sandbox, each in a state worth trying.
var sandboxApps = []githost.App{
	{Name: "synestra-io", Dev: "sha-9f8e7d", Prod: "sha-1a2b3c"}, // verified in dev, ahead of prod
	{Name: "landing", Dev: "sha-44c0de", Prod: "sha-44c0de"},     // somebody works in dev
	{Name: "docs", Dev: "sha-77aa10", Prod: "sha-77aa10"},        // CI releases to dev what crashes
}

const sandboxWelcome = `
  #releases, with a Git host and an Argo CD behind it, all on this machine.
  You are ana.

    synestra-io   dev is verified and ahead of prod     /promote synestra-io
    landing       a live Okteto session runs in dev     /reset-dev landing
    docs          dev's release crashes                 /promote docs

  /rollback synestra-io takes prod back after that.
  /promote alone lists what is ahead, /release help all that can be typed.
  A number presses that button.
  @bob /promote synestra-io asks as bob, who has no rights. quit ends.

  The same in the browser: %s

`

// sandbox runs the real bot on stand-ins that speak the real protocols, with
// the terminal and a page in the browser as the Slack channel, until input ends
// and with it every operation.
func sandbox(ctx context.Context, in io.Reader, out *os.File, browser browserOptions, log *slog.Logger) (err error) {
	dir, err := os.MkdirTemp("", "promoter-sandbox-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	tty := isTerminal(out)
	w, err := newWorld(ctx, dir, worldOptions{pace: 400 * time.Millisecond, poll: 2 * time.Second, apps: sandboxApps, slack: slack.Options{Color: tty}, log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.stage(ctx); err != nil {
		return err
	}
	c, err := parseConfig("sandbox", []byte(w.config()), w.environ)
	if err != nil {
		return err
	}
	p, err := w.servePage(browser.listen, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	b, err := newBot(ctx, c, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()

	botCtx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- b.run(botCtx) }()
	t := &terminal{world: w, bot: b, out: out, tty: tty, page: p.URL(), open: browser.open}
	talked := t.talk(botCtx, in)
	stop()
	return errors.Join(talked, <-ended)
}

// stage brings the seeded apps into their states.
func (w *world) stage(ctx context.Context) error {
	const bad = "sha-bad001"
	w.argo.Behave(bad, argocd.Behaviour{
		Reason: "CrashLoopBackOff", Message: "back-off restarting failed container: missing env PAYMENTS_URL", Deadline: 4,
	})
	if err := until(bounded(ctx, time.Minute), func() bool { return w.argo.State("web-docs-dev").Health == "Healthy" }); err != nil {
		return fmt.Errorf("waiting for the seeded apps: %w", err)
	}
	w.track("landing")
	if err := w.argo.GoHot("landing"); err != nil {
		return err
	}
	_, err := w.git.Commit(ctx, githost.WebCore, "ci <ci@synestra.io>", "docs: "+bad, map[string][]byte{
		"deploy/env/release-dev/docs.yaml": githost.ReleaseLayer("docs", bad),
	})
	if err != nil {
		return err
	}
	return until(bounded(ctx, time.Minute), func() bool { return w.argo.State("web-docs-dev").Health == "Degraded" })
}

// until waits for what nobody tells of.
func until(ctx context.Context, ok func() bool) error {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-look.C:
		}
	}
	return nil
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
}

// terminal is the channel as somebody sees it who sits in front of it.
type terminal struct {
	world *world
	bot   *bot
	out   *os.File
	tty   bool
	page  string // where the browser shows the same
	open  bool   // have a browser show it

	last    slack.MessageRef // what was printed last
	lines   int              // and how many lines it took
	buttons []press          // what can be pressed, by number less one
}

type press struct {
	message slack.MessageRef
	action  string
}

// talk passes on what is typed and prints what happens.
func (t *terminal) talk(ctx context.Context, in io.Reader) error {
	events, stop := t.world.slack.Events()
	defer stop()
	if err := t.world.slack.Wait(bounded(ctx, time.Minute), func() bool { return t.world.slack.Sockets() >= 2 }); err != nil {
		return fmt.Errorf("waiting for the bot to connect: %w", err)
	}
	fmt.Fprintf(t.out, sandboxWelcome, t.page)
	if t.open {
		if err := openBrowser(t.page); err != nil {
			t.say("  " + err.Error())
		}
	}
	t.prompt()
	typed := readLines(in)
	idle := time.NewTicker(100 * time.Millisecond)
	defer idle.Stop()
	over := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-events:
			if !ok {
				return nil
			}
			t.show(e)
		case line, ok := <-typed:
			if !ok || line == "quit" || line == "exit" {
				typed, over = nil, true
				continue
			}
			if err := t.act(ctx, line); err != nil {
				t.say("  " + err.Error())
			}
			t.showAll(events)
		case <-idle.C:
			if !over || len(events) > 0 {
				continue
			}
			if busy, err := t.busy(ctx); err != nil || !busy {
				return err
			}
		}
	}
}

// busy says whether anything that was asked is not finished.
func (t *terminal) busy(ctx context.Context) (bool, error) {
	pending, err := t.bot.store.Pending(ctx)
	if err != nil || len(pending) > 0 {
		return true, err
	}
	unfinished, err := t.bot.store.Unfinished(ctx)
	return len(unfinished) > 0, err
}

// act does what was typed: a command, somebody's command, or a button's number.
func (t *terminal) act(ctx context.Context, line string) error {
	line = strings.TrimSpace(line)
	if line == "" {
		t.prompt()
		return nil
	}
	var number int
	if _, err := fmt.Sscanf(line, "%d", &number); err == nil && number >= 1 && number <= len(t.buttons) {
		b := t.buttons[number-1]
		_, err := t.world.slack.Click(ctx, ana, b.message, b.action)
		return err
	}
	who := ana
	if rest, ok := strings.CutPrefix(line, "@bob "); ok {
		who, line = bob, strings.TrimSpace(rest)
	}
	if !strings.HasPrefix(line, "/") {
		return errors.New("type a command, such as /promote synestra-io")
	}
	command, text, _ := strings.Cut(line, " ")
	if name, _ := strings.CutPrefix(command, "/"); !slices.Contains(commands.Names(), name) {
		return fmt.Errorf("%s is not a command here: /%s are", command, strings.Join(commands.Names(), ", /"))
	}
	_, err := t.world.slack.Command(ctx, who, releases, command, text)
	if err != nil {
		return err
	}
	return t.answered(ctx)
}

// answered waits until the request has been worked off, so that lines from a
// pipe come one after the other, as a person's do.
func (t *terminal) answered(ctx context.Context) error {
	return until(bounded(ctx, time.Minute), func() bool {
		pending, err := t.bot.store.Pending(ctx)
		return err != nil || len(pending) == 0
	})
}

// show prints a message as it is now: over its earlier state, if that was the
// last thing on the screen.
func (t *terminal) show(e slack.Event) {
	m := e.Message
	if e.Kind == slack.Deleted || e.Kind == slack.EphemeralDeleted {
		return
	}
	text := t.number(m, t.world.slack.Render(m))
	if t.tty && m.MessageRef == t.last {
		fmt.Fprintf(t.out, "\x1b[%dA\x1b[J", t.lines+1)
	}
	fmt.Fprint(t.out, "\r", text)
	t.last, t.lines = m.MessageRef, strings.Count(text, "\n")
	t.prompt()
}

// showAll shows what has happened, so that the next line can press a button of it.
func (t *terminal) showAll(events <-chan slack.Event) {
	quiet := time.NewTimer(200 * time.Millisecond)
	defer quiet.Stop()
	for {
		select {
		case e, ok := <-events:
			if !ok {
				return
			}
			t.show(e)
		case <-quiet.C:
			return
		}
	}
}

// number adds the numbers of the buttons that do something.
func (t *terminal) number(m slack.Message, text string) string {
	first := true
	for _, b := range m.Buttons() {
		if b.URL != "" {
			continue
		}
		if first {
			t.buttons, first = nil, false
		}
		t.buttons = append(t.buttons, press{m.MessageRef, b.ActionID})
		text += fmt.Sprintf("    type %d for %s\n", len(t.buttons), b.Label)
	}
	return text
}

func (t *terminal) say(text string) {
	fmt.Fprintln(t.out, text)
	t.last = slack.MessageRef{}
	t.prompt()
}

func (t *terminal) prompt() {
	if t.tty {
		fmt.Fprint(t.out, "\n> ")
	}
}

func readLines(in io.Reader) <-chan string {
	lines := make(chan string)
	go func() { // ends with the input, at the latest with the process
		defer close(lines)
		scanner := bufio.NewScanner(in)
		for scanner.Scan() {
			lines <- scanner.Text()
		}
	}()
	return lines
}

// bounded is ctx with a deadline, for waits that end soon or not at all.
func bounded(ctx context.Context, d time.Duration) context.Context {
	ctx, stop := context.WithTimeout(ctx, d)
	context.AfterFunc(ctx, stop)
	return ctx
}
