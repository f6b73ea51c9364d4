package commands

import (
	"context"
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/synestra/promoter/internal/release"
)

var known = []release.Presence{{App: "synestra-io", Dev: true, Prod: true}, {App: "shop", Dev: true, Prod: true}, {App: "blog", Dev: true}}

// badInput is what people type by accident or on purpose. None of it is an app.
var badInput = []struct {
	name, text string
	code       release.Code
}{
	{"unknown", "wiki", release.CodeUnknownApp},
	{"mixed case", "Synestra-IO", release.CodeUnknownApp},
	{"misspelt", "synestra-oi", release.CodeUnknownApp},
	{"several apps", "shop blog", release.CodeNoApp},
	{"double quotes", `"shop"`, release.CodeUnknownApp},
	{"single quotes", `'shop'`, release.CodeUnknownApp},
	{"backticks", "`shop`", release.CodeUnknownApp},
	{"parent folder", "../x", release.CodeBadName},
	{"deep parent folder", "../../../etc/passwd", release.CodeBadName},
	{"slash", "a/b", release.CodeBadName},
	{"leading dash", "-shop", release.CodeUnknownOption},
	{"unknown option", "shop --now", release.CodeUnknownOption},
	{"option injection", "--upload-pack=touch", release.CodeUnknownOption},
	{"NUL", "sh\x00op", release.CodeUnknownApp},
	{"bell", "zz\x07zz", release.CodeBadName},
	{"escape sequence", "\x1b[31mred", release.CodeBadName},
	{"5,000 characters", strings.Repeat("a", 5000), release.CodeBadName},
	{"5,000 words", strings.Repeat("a ", 2500), release.CodeNoApp},
	{"emoji", "🚀", release.CodeBadName},
	{"emoji shortcode", ":rocket:", release.CodeBadName},
	{"channel ping", "<!channel>", release.CodeBadName},
	{"mention", "<@U1>", release.CodeBadName},
	{"link", "https://evil.example/x", release.CodeBadName},
	{"forged link", "<https://evil.example|shop>", release.CodeBadName},
	{"SQL", "shop';drop", release.CodeBadName},
	{"shell", "$(reboot)", release.CodeBadName},
	{"semicolon", "wiki;reboot", release.CodeBadName},
	{"right-to-left mark", "\u202epohs", release.CodeBadName},
	{"zero-width space", "shop\u200b", release.CodeUnknownApp},
	{"homoglyph", "ѕhор", release.CodeBadName},
	{"not UTF-8", "\xff\xfe\xfd\xfc\xfb", release.CodeBadName},
	{"dots", "..", release.CodeBadName},
	{"dot", ".", release.CodeBadName},
	{"trailing line", "shop\nblog", release.CodeNoApp},
}

func TestBadInput(t *testing.T) {
	for _, c := range badInput {
		t.Run(c.name, func(t *testing.T) {
			no := refusalOf(c.text)
			if no == nil {
				t.Fatal("accepted")
			}
			if no.Code != c.code {
				t.Errorf("code = %s, want %s: %s", no.Code, c.code, no.Say)
			}
			verb, topic := verbRefusal(c.text), verbRefusal("help "+c.text)
			if verb == nil || topic == nil {
				t.Fatal("accepted as a verb, or as a topic of help")
			}
			for _, text := range []string{no.Say, no.Do, verb.Say, verb.Do, topic.Say, topic.Do} {
				if len([]rune(text)) > 400 {
					t.Errorf("a sentence of %d characters", len(text))
				}
				if strings.Count(text, "`")%2 != 0 {
					t.Errorf("unpaired backtick in %q", text)
				}
				if i := strings.IndexFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }); i >= 0 {
					t.Errorf("invisible character in %q", text)
				}
			}
		})
	}
}

// A tag goes behind the app, where one is taken.
func TestTag(t *testing.T) {
	if w, no := parse(" shop  sha-1 ", tag); no != nil || w.App != "shop" || w.Tag != "sha-1" || w.with("blog") != "blog sha-1" {
		t.Errorf("%+v, %v", w, no)
	}
	if w, no := parse("shop `rm`", tag); no != nil || w.with("blog") != "blog" {
		t.Errorf("a tag that is none is passed on: %+v, %v", w, no)
	}
	if _, no := parse("shop sha-1 sha-2", tag); no == nil {
		t.Error("two tags are taken")
	}
	for _, c := range badInput {
		w, no := parse("shop "+c.text, tag)
		if no != nil {
			continue
		}
		if passed := w.with("shop"); passed != "shop" && passed != "shop "+c.text {
			t.Errorf("%s: %q is passed on", c.name, passed)
		}
	}
}

func refusalOf(text string) *release.Refusal {
	w, no := parse(text, "--force")
	if no != nil {
		return no
	}
	_, no = find(w.App, known)
	return no
}

// verbRefusal is why a text after /release is refused.
func verbRefusal(text string) *release.Refusal {
	_, err := (&Desk{Repository: asker{}}).releaseVerb(context.Background(), release.Request{Text: text})
	var no *release.Refusal
	errors.As(err, &no)
	return no
}

// A verb that was misspelt, or is a command of its own, has a button.
func TestMeantVerb(t *testing.T) {
	for typed, want := range map[string]release.Choice{
		"shop":              run("release", "status shop"),
		"hlep":              run("release", "help"),
		"hlep shop":         run("release", "help shop"),
		"help reset":        run("release", "help reset-dev"),
		"promote shop":      run("promote", "shop"),
		"Promot shop":       run("promote", "shop"),
		"promote":           run("promote", ""),
		"promote <!here>":   run("promote", ""),
		"resetdev shop now": run("reset-dev", ""),
	} {
		no := verbRefusal(typed)
		if no == nil || len(no.Choices) != 1 || no.Choices[0] != want {
			t.Errorf("%q: %+v, want the button %+v", typed, no, want)
		}
	}
	if no := verbRefusal("frobnicate"); no == nil || len(no.Choices) != 0 {
		t.Errorf("a far verb has a button: %+v", no)
	}
	if c := run("promote", "shop"); c.Confirm == "" {
		t.Error("a button that changes something does not ask once more")
	}
}

func TestHelp(t *testing.T) {
	for text, want := range map[string]int{"": len(forms()), "help": len(forms()), "help promote": 3, "HELP /reset-dev": 1, "help /release help": 1} {
		a, err := (&Desk{Repository: asker{}}).releaseVerb(context.Background(), release.Request{Text: text})
		if err != nil || strings.Count(a.Text, "• ") != want {
			t.Errorf("%q: %q, %v; want %d lines", text, a.Text, err, want)
		}
	}
}

func TestGoodInput(t *testing.T) {
	for _, c := range []struct {
		text string
		want words
	}{
		{"", words{}},
		{"   ", words{}},
		{"synestra-io", words{App: "synestra-io"}},
		{"  synestra-io \t", words{App: "synestra-io"}},
		{"\u00a0synestra-io\u00a0", words{App: "synestra-io"}},
		{"synestra-io --force", words{App: "synestra-io", Force: true}},
		{"--force synestra-io", words{App: "synestra-io", Force: true}},
		{"synestra-io —force", words{App: "synestra-io", Force: true}},
	} {
		w, no := parse(c.text, "--force")
		if no != nil || w != c.want {
			t.Errorf("parse(%q) = %+v, %v", c.text, w, no)
		}
		if w.App != "" {
			if p, no := find(w.App, known); no != nil || p.App != "synestra-io" {
				t.Errorf("find(%q) = %v, %v", w.App, p, no)
			}
		}
	}
}

func TestDidYouMean(t *testing.T) {
	for typed, want := range map[string]release.App{
		"Synestra-IO": "synestra-io", "synestra-oi": "synestra-io", "synestraio": "synestra-io", "synestra": "synestra-io",
		"`shop`": "shop", "sohp": "shop", "shop\u200b": "shop",
	} {
		_, no := find(typed, known)
		if no == nil || len(no.Names) == 0 || no.Names[0] != want {
			t.Errorf("find(%q) = %+v, want %s", typed, no, want)
		}
	}
	if _, no := find("payments", known); no == nil || len(no.Names) != 0 {
		t.Errorf("a far name has no near ones: %+v", no)
	}
}

// The door from text to a name: whatever is typed, what passes is a known app.
func FuzzWords(f *testing.F) {
	for _, c := range badInput {
		f.Add(c.text)
	}
	f.Add("synestra-io --force")
	f.Fuzz(func(t *testing.T, text string) {
		w, no := parse(text, "--force")
		if no != nil || w.App == "" {
			return
		}
		p, no := find(w.App, known)
		if no == nil && string(p.App) != w.App {
			t.Errorf("%q became %q", w.App, p.App)
		}
		if no != nil && strings.ContainsAny(no.Say+no.Do, "\n\r\u202e") {
			t.Errorf("refusal of %q: %q", text, no.Say)
		}
	})
}
