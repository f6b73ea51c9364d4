package release_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	. "github.com/synestra/promoter/internal/release"
)

func TestRefuse(t *testing.T) {
	no := Refuse(CodeUnknownApp, "Look at `/promote`.", "There is no app `%s`: %d known, %q, %v.", "a`b\n<!channel>\u202e", 3, App("shop"), errors.New("x\ny"))
	if no.Code != CodeUnknownApp || no.Do != "Look at `/promote`." {
		t.Errorf("%+v", no)
	}
	if want := "There is no app `aˋb <!channel>`: 3 known, \"shop\", x y."; no.Say != want {
		t.Errorf("say = %q, want %q", no.Say, want)
	}
	if want := "unknown_app: " + no.Say; no.Error() != want {
		t.Errorf("error = %q", no.Error())
	}
	var found *Refusal
	if !errors.As(fmt.Errorf("promoting: %w", no), &found) || found != no {
		t.Error("a wrapped refusal is not found")
	}
}

// spoken speaks for itself.
type spoken struct{}

func (spoken) String() string { return "a `name`" }

func TestRefuseTakesStringers(t *testing.T) {
	if no := Refuse(CodeNoApp, "", "%s", spoken{}); no.Say != "a ˋnameˋ" {
		t.Errorf("say = %q", no.Say)
	}
}

func TestPlain(t *testing.T) {
	for s, want := range map[string]string{
		"":                              "",
		"a simple sentence, ü 😀":        "a simple sentence, ü 😀",
		"  around\t ":                   "around",
		"one\r\ntwo\nthree\rfour\tfive": "one two three four five",
		"`code`":                        "ˋcodeˋ",
		"a\x00b\x1bc\u202ed\u2028e\u2029f\u200bg\ufeffh": "abcdefgh",
		"\u202e \n": "",
		"a\xffb":    "a\ufffdb",
	} {
		if got := Plain(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
	long := Plain(strings.Repeat("ü", 5000))
	if n := utf8.RuneCountInString(long); n != 300 || !strings.HasSuffix(long, "…") {
		t.Errorf("%d characters, ending in %q", n, long[len(long)-6:])
	}
}

func FuzzPlain(f *testing.F) {
	for _, s := range []string{"a\nb", "`", "\u202e", "\xff\xfe", strings.Repeat("é", 400)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Plain(s)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > 300 || strings.Contains(got, "`") {
			t.Errorf("%q: %q", s, got)
		}
		for _, r := range got {
			if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == 0x2028 || r == 0x2029 {
				t.Errorf("%q: %q holds %U", s, got, r)
			}
		}
		if again := Plain(got); again != got {
			t.Errorf("%q: %q, and then %q", s, got, again)
		}
	})
}
