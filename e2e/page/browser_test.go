package page

import (
	"context"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// patience bounds every wait for the page.
const patience = 60 * time.Second

// browser is a real Chromium, without a window, on one page.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	problems []string // what the page complained of
}

// chromium finds the browser. Without one the test is skipped, except where it
// is asked for: in CI and by make page.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const missing = "there is no Chromium on the PATH: apt-get install chromium"
	if os.Getenv("CI") != "" || os.Getenv("PAGE") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// open shows an address.
func open(t *testing.T, address string) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(t)), chromedp.Flag("lang", "en-GB"))
	if os.Geteuid() == 0 { // for whom Chromium has no sandbox
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, leave := chromedp.NewContext(allocator)
	t.Cleanup(leave)
	b := &browser{t: t, ctx: ctx}
	said := chromedp.Console(ctx) // which starts the browser
	go b.listen(said)             // ends with it
	b.do("opening the page", chromedp.Navigate(address))
	return b
}

// listen keeps errors of scripts, and what the content policy has blocked.
func (b *browser) listen(said iter.Seq2[chromedp.ConsoleMessage, error]) {
	for m, err := range said {
		if err != nil || (m.Type != chromedp.ConsoleError && m.Type != chromedp.ConsoleException) {
			continue
		}
		b.mu.Lock()
		b.problems = append(b.problems, m.Text+" "+m.URL)
		b.mu.Unlock()
	}
}

// quiet fails the test if the page has complained.
func (b *browser) quiet(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.problems {
		t.Errorf("the page complains: %s", p)
	}
}

// look sets the colour scheme, "light" or "dark", and the size of the window.
func (b *browser) look(scheme string, width, height int64) {
	b.t.Helper()
	colours := func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return chromedp.Void{}, err
	}
	b.do("setting colours and size", colours, chromedp.EmulateViewport(width, height))
}

func (b *browser) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if _, err := ask(b, chromedp.Steps(steps...)); err != nil {
		b.t.Fatalf("%s: %v\n%s", what, err, b.seen())
	}
}

func ask[T any](b *browser, a chromedp.Action[T]) (T, error) {
	ctx, stop := context.WithTimeout(b.ctx, patience+time.Second)
	defer stop()
	return chromedp.Run(ctx, a)
}

// typed presses keys, one after the other.
func (b *browser) typed(keys string) {
	b.t.Helper()
	b.do(fmt.Sprintf("typing %q", keys), chromedp.KeyEvent(keys))
}

func (b *browser) click(selector string) {
	b.t.Helper()
	b.do("clicking "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// wait waits until something is true of the page: an expression in JavaScript.
func (b *browser) wait(what, expression string) {
	b.t.Helper()
	if _, err := ask(b, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(patience), chromedp.WithPollingInterval(50*time.Millisecond))); err != nil {
		b.picture("failed")
		b.t.Fatalf("waiting for %s: %v\n%s", what, err, b.seen())
	}
}

// reads waits until the last element of a selector says all of these.
func (b *browser) reads(selector string, says ...string) {
	b.t.Helper()
	var all []string
	for _, s := range says {
		all = append(all, fmt.Sprintf("text.includes(%q)", s))
	}
	b.wait(fmt.Sprintf("%s to say %q", selector, says), fmt.Sprintf(
		"(() => { const text = [...document.querySelectorAll(%q)].at(-1)?.innerText ?? ''; return %s; })()", selector, strings.Join(all, " && "),
	))
}

// is asks for a value on the page.
func (b *browser) is(expression string) string {
	b.t.Helper()
	value, err := ask(b, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		b.t.Fatalf("asking for %s: %v", expression, err)
	}
	return value
}

// seen is the text of the page, for failures.
func (b *browser) seen() string {
	text, err := ask(b, chromedp.Evaluate[string]("document.body.innerText"))
	if err != nil {
		return err.Error()
	}
	return text
}

// picture keeps how the page looks, with the test's artifacts.
func (b *browser) picture(name string) {
	b.t.Helper()
	png, err := ask(b, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(b.t.ArtifactDir(), name+".png"), png, 0o644)
	}
	if err != nil {
		b.t.Fatalf("taking a picture: %v", err)
	}
}
