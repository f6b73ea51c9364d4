package release_test

import (
	"slices"
	"strings"
	"testing"

	. "github.com/synestra/promoter/internal/release"
)

func TestParseApp(t *testing.T) {
	for _, good := range []string{"a", "7", "synestra-io", "shop2", "my.app", "a--b", "a-", strings.Repeat("a", 53), "a" + strings.Repeat(".b", 26)} {
		if app, err := ParseApp(good); err != nil || string(app) != good {
			t.Errorf("%q: %q, %v", good, app, err)
		}
	}
	for _, bad := range []string{
		"", " ", "Shop", "-rf", ".git", "..", "../x", "a/b", `a\b`, "a..b", "a.", "a_b", "a b", "a\n", "a\x00", "`a`", `"a"`, "'a'", "$(a)", "a;b", "a'--",
		"<!channel>", "<@U1>", "<https://a.b|c>", "ä", "😀", "a\u202eb", "a\u00a0", "а", "--force", "{app}", "%2e", "*",
		strings.Repeat("a", 54), strings.Repeat("a", 5000), "a" + strings.Repeat(".b", 27),
	} {
		if app, err := ParseApp(bad); err == nil || app != "" {
			t.Errorf("%q is taken for %q", bad, app)
		} else if len(err.Error()) > 400 || strings.ContainsAny(err.Error(), "\n\x00\u202e") {
			t.Errorf("%q: the error is not fit to be shown: %q", bad, err)
		}
	}
}

func FuzzParseApp(f *testing.F) {
	for _, s := range []string{"synestra-io", "../x", "a.b", "a\n", strings.Repeat("a", 54)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		app, err := ParseApp(s)
		if err != nil {
			return
		}
		if string(app) != s || len(s) > 53 || strings.Contains(s, "..") || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" ||
			strings.HasPrefix(s, ".") || strings.HasPrefix(s, "-") || strings.HasSuffix(s, ".") {
			t.Errorf("%q is an app's name", s)
		}
	})
}

func TestParseTag(t *testing.T) {
	for _, good := range []string{"sha-1a2b3c", "v1.2.3", "_x", "7", "A.B_c-d", strings.Repeat("a", 128)} {
		if tag, err := ParseTag(good); err != nil || string(tag) != good {
			t.Errorf("%q: %q, %v", good, tag, err)
		}
	}
	for _, bad := range []string{"", "-a", ".a", "a b", "a:b", "a/b", "a@b", "a\n", "a#b", "ä", "\"a\"", "{{a}}", "a\u202e", strings.Repeat("a", 129)} {
		if tag, err := ParseTag(bad); err == nil || tag != "" {
			t.Errorf("%q is taken for %q", bad, tag)
		}
	}
}

func TestRevision(t *testing.T) {
	sha1, sha256 := strings.Repeat("0a", 20), strings.Repeat("0a", 32)
	for r, want := range map[Revision]bool{
		Revision(sha1): true, Revision(sha256): true, Revision(strings.ToUpper(sha1)): false, Revision(sha1[1:]): false,
		Revision(sha1 + "a"): false, Revision(sha1 + "\n"): false, "main": false, "1.2.3": false, "": false,
	} {
		if r.IsCommit() != want {
			t.Errorf("%q is a commit: %v", r, !want)
		}
	}
	for r, want := range map[Revision]string{Revision(sha1): "0a0a0a0", "main": "main", "": ""} {
		if got := r.Short(); got != want {
			t.Errorf("%q in short: %q", r, got)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []App{"synestra-io", "synestra-de", "shop", "ship", "shops", "payload-cms", "a"}
	for _, c := range []struct {
		typed string
		want  []App
	}{
		{"synestra-io", []App{"synestra-io", "synestra-de"}},
		{"Synestra-IO", []App{"synestra-io", "synestra-de"}},
		{"synestar-io", []App{"synestra-io", "synestra-de"}}, // two letters swapped
		{"synestraio", []App{"synestra-io", "synestra-de"}},
		{"shp", []App{"ship", "shop"}},
		{"sohp", []App{"shop"}},
		{"shopx", []App{"shop", "shops"}},
		{"cms", []App{"payload-cms"}},
		{"ms", nil}, // too short to be a part
		{"synestra", []App{"synestra-de", "synestra-io"}},
		{"banana", nil},
		{strings.Repeat("shop", 2000), nil},
		{"😀", nil},
	} {
		if got := Nearest(c.typed, known); !slices.Equal(got, c.want) {
			t.Errorf("%.20q: %v, want %v", c.typed, got, c.want)
		}
	}
	if got := Nearest("shop-x", []App{"shop-d", "shop-b", "shop-a", "shop-c"}); !slices.Equal(got, []App{"shop-a", "shop-b", "shop-c"}) {
		t.Errorf("three at most, by name: %v", got)
	}
	if got := Nearest("shop", nil); got != nil {
		t.Errorf("of none: %v", got)
	}
}
