// Package page drives the sandbox's page in a real Chromium, by key and click.
package page

import (
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const (
	last    = "#messages .message"         // the newest message
	private = "#messages .message.private" // the newest that only one person sees
)

// TestPage is the main job as a newcomer does it in the browser. The parts
// follow each other on one page.
func TestPage(t *testing.T) {
	chromium(t) // before anything is built for nothing
	b := open(t, sandbox(t))
	b.look("light", 1280, 800)
	b.reads("#commits", "Seed web-core")
	for _, part := range []struct {
		name string
		run  func(*testing.T, *browser)
	}{
		{"promote, typed with completion, to healthy", promote},
		{"a person without rights is refused", refuse},
		{"a bad release is degraded", degrade},
		{"a hot session is reset after a confirmation", reset},
		{"turned away by Slack, and Argo CD out of sight", outside},
		{"dark, and on a narrow screen", looks},
	} {
		b.t = t
		if !t.Run(part.name, func(t *testing.T) { b.t = t; part.run(t, b) }) {
			t.FailNow()
		}
	}
	b.t = t
	b.quiet(t)
}

// promote completes the command by Tab, and the app by an arrow and Enter.
func promote(t *testing.T, b *browser) {
	b.typed("/pro")
	b.reads("#suggestions [aria-selected=true]", "/promote")
	b.typed(kb.Tab)
	b.reads("#suggestions", "synestra-io", "landing", "docs")
	b.typed(kb.ArrowDown)
	b.reads("#suggestions [aria-selected=true]", "synestra-io")
	b.picture("completion")
	b.typed(kb.Enter + kb.Enter)
	b.reads(last, "synestra-io", "is on sha-9f8e7d in prod", "4 of 4 pods ready", "Healthy")
	b.reads("#commits li:first-child", "release(prod): synestra-io", `-  tag: "sha-1a2b3c"`, `+  tag: "sha-9f8e7d"`)
	b.reads("[data-app=synestra-io-prod]", "sha-9f8e7d", "Healthy")
	if said := b.is("document.getElementById('live').textContent"); !strings.Contains(said, "synestra-io") {
		t.Errorf("a screen reader is told %q, not of the promotion", said)
	}
	b.picture("healthy")
}

// refuse asks as bob, who is told no, and only he.
func refuse(t *testing.T, b *browser) {
	before := b.is("document.querySelectorAll('#commits li').length")
	b.click("#people label:nth-of-type(2)")
	b.click("#typed")
	b.typed("/promote docs" + kb.Enter)
	b.reads(private, "Only visible to you", "right")
	b.picture("refused")
	b.click("#people label:nth-of-type(1)")
	b.wait("ana not to see it", "!document.querySelector("+quote(private)+")")
	if after := b.is("document.querySelectorAll('#commits li').length"); after != before {
		t.Errorf("there were %s commits, and are %s", before, after)
	}
}

// degrade has CI release what crashes, and ana force it into prod.
func degrade(_ *testing.T, b *browser) {
	b.click("[data-act=bad]")
	b.reads("#told", "synestra-io", "crash")
	b.reads("[data-app=synestra-io-dev]", "Degraded")
	b.click("#typed")
	b.typed("/promote synestra-io" + kb.Enter)
	b.reads(private, "Degraded")
	b.typed("/promote synestra-io --force" + kb.Enter)
	b.reads(last, "degraded", "CrashLoopBackOff", "cannot reach the database")
	b.picture("degraded")
}

// reset has somebody work in dev, asks for a reset, thinks better of it, and
// then confirms, all by key.
func reset(t *testing.T, b *browser) {
	b.do("choosing the app", chromedp.Focus(chromedp.CSS("#app")))
	b.typed("docs")
	b.do("going to the button", chromedp.Focus(chromedp.CSS("[data-act=hot]")))
	b.typed(" ")
	b.reads("[data-app=docs-dev]", "hot")
	b.click("#typed")
	b.typed("/reset-dev docs" + kb.Enter)
	b.reads(private, "live session", "Reset anyway")
	b.do("going to the button", chromedp.Focus(chromedp.CSS(private+":last-child .button.danger")))
	b.typed(kb.Enter)
	b.reads("dialog[open]", "session")
	b.picture("confirm")
	b.typed(kb.Escape)
	b.wait("the dialog to close", "!document.querySelector('dialog[open]')")
	if there := b.is("document.activeElement.classList.contains('danger')"); there != "true" {
		t.Error("the focus has not come back to the button")
	}
	b.typed(kb.Enter)
	b.reads("dialog[open]", "session")
	b.click("dialog[open] [value=yes]")
	b.wait("the session to be gone", "!document.querySelector('[data-app=docs-dev] .hot')")
	b.reads(last, "docs", "sha-77aa10", "2 of 2 pods ready", "Healthy")
	b.picture("reset")
}

// outside has Slack turn edits away during a promotion, which ends as it should
// all the same, and Argo CD go away before one, which is then refused.
func outside(_ *testing.T, b *browser) {
	b.click("[data-act=release]")
	b.reads("#told", "CI released", "docs")
	b.reads("#commits li:first-child", "release(dev): docs")
	b.wait("the release to be healthy in dev", "(() => { const [dev, prod] = document.querySelectorAll('[data-app^=docs-]'); "+
		"return dev.innerText.includes('Healthy') && dev.innerText.includes('2/2') && dev.querySelector('code').innerText !== prod.querySelector('code').innerText; })()")
	b.click("[data-act=limit]")
	b.reads("#told", "turns the next three edits away")
	b.click("#typed")
	b.typed("/promote docs" + kb.Enter)
	b.reads(last, "docs is on", "4 of 4 pods ready", "Healthy")
	b.click("[data-act=down]")
	b.reads("#down", "does not answer")
	b.click("#typed")
	b.typed("/promote docs" + kb.Enter)
	b.reads(private, "Argo CD")
	b.picture("down")
	b.click("[data-act=down]")
	b.reads("#told", "answers again")
}

// looks has the same page in the dark, and as wide as a small phone.
func looks(t *testing.T, b *browser) {
	light := b.is("getComputedStyle(document.body).backgroundColor")
	b.look("dark", 1280, 800)
	if dark := b.is("getComputedStyle(document.body).backgroundColor"); dark == light {
		t.Errorf("the paper is %s in the dark too", dark)
	}
	b.picture("dark")
	for _, scheme := range []string{"light", "dark"} {
		b.look(scheme, 360, 740)
		if wide := b.is("document.documentElement.scrollWidth"); wide != "360" {
			t.Errorf("at 360 pixels the page is %s wide", wide)
		}
		b.do("going to the channel", chromedp.Focus(chromedp.CSS("#typed")))
		b.picture("narrow-" + scheme)
	}
	b.click(".top .jump")
	b.wait("what is behind to be in sight", "document.querySelector('#acts').getBoundingClientRect().top < innerHeight / 2")
	b.picture("narrow-behind")
}

func quote(s string) string { return strconv.Quote(s) }
