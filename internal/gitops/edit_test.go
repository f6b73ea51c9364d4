package gitops

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/synestra/promoter/internal/release"
)

var tagPath = []string{"image", "tag"}

// edits are layouts of a layer, with "OLD" where the tag is. Where flaw is "",
// the only difference after the edit is another tag there; otherwise the file
// is refused for a reason with that text in it.
var edits = []struct{ name, file, flaw string }{
	{"block", "image:\n  repository: r\n  tag: OLD\n", ""},
	{"blank lines between blocks", "a: 1\n\n\nimage:\n  tag: OLD\n\n\nb: 2\n", ""},
	{"4-space sequence", "hosts:\n    - a\n    - b\nimage:\n  tag: OLD\n", ""},
	{"indentless sequence", "image:\n  tag: OLD\nhosts:\n- a\n- b\n", ""},
	{"indented sequence", "image:\n  tag: OLD\nhosts:\n  - a\n  - b\n", ""},
	{"mixed indents", "image:\n    tag: OLD\nx:\n  y:\n        z: 1\n", ""},
	{"aligned values", "image:\n  repository: r\n  tag:        OLD\n  pull:       x\n", ""},
	{"two blanks before a comment", "image:\n  tag: OLD  # managed\n", ""},
	{"comment without a blank", "image:\n  tag: OLD #managed\n", ""},
	{"comment at another indent", "image:\n      # deep\n  tag: OLD\n# flat\n", ""},
	{"comment at the end", "image:\n  tag: OLD\n\n# the end\n", ""},
	{"comment in an empty map", "x:\n  # nothing\nimage:\n  tag: OLD\n", ""},
	{"double quotes", "image:\n  tag: \"OLD\" # q\n", ""},
	{"single quotes", "image:\n  tag: 'OLD'\n", ""},
	{"CRLF", "image:\r\n  repository: r\r\n  tag: OLD\r\nx: 1\r\n", ""},
	{"CR alone", "image:\r  tag: OLD\rx: 1\r", ""},
	{"no line break at the end", "image:\n  tag: OLD", ""},
	{"byte order mark", "\ufeffimage:\n  tag: OLD\n", ""},
	{"byte order mark, first line", "\ufeffimage: {tag: OLD}\n", ""},
	{"long line", "x: " + strings.Repeat("word ", 60) + "\nimage:\n  tag: OLD\n", ""},
	{"folded plain text", "x: one\n  two\n\n  three\nimage:\n  tag: OLD\n", ""},
	{"folded block", "x: >-\n  one\n  two\nimage:\n  tag: OLD\n", ""},
	{"literal block with trailing blanks", "x: |2+\n   one  \n\n\nimage:\n  tag: OLD\n", ""},
	{"flow map, tight", "image: {repository: r,tag: OLD}\n", ""},
	{"flow map, spaced", "image: { tag: OLD, repository: r }  # c\n", ""},
	{"flow over lines", "image: {\n  tag: OLD,\n  repository: r\n}\n", ""},
	{"document marker", "---\nimage:\n  tag: OLD\n", ""},
	{"end marker", "image:\n  tag: OLD\n...\n", ""},
	{"directive", "%YAML 1.1\n---\nimage:\n  tag: OLD\n", ""},
	{"nulls elsewhere", "a: ~\nb:\nimage:\n  tag: OLD\n", ""},
	{"hex, octal, bools elsewhere", "a: 0x1F\nb: 0o17\nc: 017\nd: yes\nimage:\n  tag: OLD\n", ""},
	{"escapes elsewhere", "a: \"\\x41\\n\\u263a\"\nimage:\n  tag: OLD\n", ""},
	{"letters outside ASCII before it on the line", "image: {ключ: \"значение 😀\", tag: OLD}\n", ""},
	{"emoji elsewhere", "a: \"😀\"\nimage:\n  tag: OLD\n", ""},
	{"line break of another kind in quotes", "a: \"x\u2028y\"\nimage:\n  tag: OLD\n", ""},
	{"tab before a comment", "image:\n  tag: OLD\t# tab\n", ""},
	{"Helm template in quotes", "a: \"{{ .Values.x }}\"\nimage:\n  tag: OLD\n", ""},
	{"anchor elsewhere", "a: &x 1\nb: *x\nimage:\n  tag: OLD\n", ""},
	{"merge elsewhere", "d: &d {x: 1}\ne:\n  <<: *d\nimage:\n  tag: OLD\n", ""},
	{"complex key", "image:\n  ? tag\n  : OLD\n", ""},
	{"quoted key", "image:\n  \"tag\": OLD\n", ""},
	{"on the next line", "image:\n  tag:\n    OLD\n", ""},
	{"same value elsewhere", "other: OLD-not\nimage:\n  x: OLDER\n  tag: OLD\n", ""},

	{"NEL and LS in a comment before", "# a\u0085b\u2028c\nx: 1\nimage:\n  tag: OLD\n", "not valid YAML"},
	{"anchor on the value", "image:\n  tag: &t OLD\n", "image.tag has an anchor"},
	{"alias as the value", "x: &t OLD\nimage:\n  tag: *t\n", "image.tag is an alias"},
	{"anchor on the parent", "image: &i\n  tag: OLD\nother: *i\n", "image has an anchor"},
	{"alias as the parent", "x: &i {tag: OLD}\nimage: *i\n", "image is an alias"},
	{"merge key gives the tag", "d: &d {tag: OLD}\nimage:\n  <<: *d\n", "merge key"},
	{"merge key beside the tag", "d: &d {x: 1}\nimage:\n  <<: *d\n  tag: OLD\n", "merge key"},
	{"alias as a key", "x: &t tag\nimage:\n  *t : OLD\n", "a key beside image.tag is an alias"},
	{"tag twice", "image:\n  tag: OLD\n  tag: OLD\n", "image.tag is there twice"},
	{"image twice", "image:\n  tag: OLD\nimage:\n  tag: OLD\n", "image is there twice"},
	{"two documents", "image:\n  tag: OLD\n---\nimage:\n  tag: OLD\n", "more than one document"},
	{"broken second document", "image:\n  tag: OLD\n---\n\"\n", "not valid YAML"},
	{"explicit type", "image:\n  tag: !!str OLD\n", "explicit type tag"},
	{"literal block as the value", "image:\n  tag: |\n    OLD\n", "not a value on one line"},
	{"folded block as the value", "image:\n  tag: >-\n    OLD\n", "not a value on one line"},
	{"quoted over two lines", "image:\n  tag: \"OLD\\\n    x\"\n", "not a plain value on one line"},
	{"plain over two lines", "image:\n  tag: OLD\n    x\n", "not a plain value on one line"},
	{"value empty", "image:\n  tag:\n", "image.tag is empty"},
	{"value empty in quotes", "image:\n  tag: \"\"\n", "image.tag is empty"},
	{"value is a map", "image:\n  tag: {a: OLD}\n", "not a value on one line"},
	{"value is a list", "image:\n  tag: [OLD]\n", "not a value on one line"},
	{"tag missing", "image:\n  repository: OLD\n", "image.tag is missing"},
	{"image missing", "tag: OLD\n", "image is missing"},
	{"image is a string", "image: r:OLD\n", "image is not a mapping"},
	{"list at the root", "- image: OLD\n", "not a mapping"},
	{"empty file", "", "it is empty"},
	{"comments only", "# nothing\n", "it is empty"},
	{"NUL", "image:\n  tag: OLD\n#\x00\n", "not UTF-8 text"},
	{"Latin-1", "image:\n  tag: OLD # caf\xe9\n", "not UTF-8 text"},
	{"tab as indent", "image:\n\ttag: OLD\n", "not valid YAML"},
	{"too large", "image:\n  tag: OLD\n#" + strings.Repeat("x", maxFile), "larger than"},
}

func TestReplaceTagInEveryLayout(t *testing.T) {
	for _, row := range edits {
		t.Run(row.name, func(t *testing.T) {
			const old, to = "sha-1111111", "v1.2.3"
			before := strings.ReplaceAll(row.file, "OLD", old)
			got, bad := replaceTag([]byte(before), tagPath, to)
			if row.flaw != "" {
				if bad == nil || !strings.Contains(bad.Reason, row.flaw) {
					t.Errorf("flaw is %+v, want %q in it; got %q", bad, row.flaw, got)
				}
				return
			}
			if bad != nil {
				t.Fatalf("refused: %+v", bad)
			}
			// Only the last whole OLD is the tag.
			i := strings.LastIndex(row.file, "OLD")
			want := strings.ReplaceAll(row.file[:i], "OLD", old) + to + row.file[i+3:]
			if string(got) != want {
				t.Errorf("got\n%q, want\n%q", got, want)
			}
			if tag, bad := readTag(got, tagPath); tag != to || bad != nil {
				t.Errorf("reads back as %q, %+v", tag, bad)
			}
		})
	}
}

func TestReplaceTagKeepsItAString(t *testing.T) {
	for _, row := range []struct{ before, to, after string }{
		{"v1", "1.0", `"1.0"`},
		{"v1", "0e1", `"0e1"`},
		{"v1", "true", `"true"`},
		{"v1", "2024_01", `"2024_01"`},
		{"v1", "12e4567", `"12e4567"`},
		{"v1", "0123456", `"0123456"`},
		{"v1", "1234567", `"1234567"`},
		{"v1", "0b10", `"0b10"`},
		{"v1", "0x1F", `"0x1F"`},
		{"v1", "0o17", `"0o17"`},
		{"v1", "on", `"on"`},
		{"v1", "No", `"No"`},
		{"v1", "y", `"y"`},
		{"v1", "null", `"null"`},
		{"v1", "2026-11-24", `"2026-11-24"`},
		{"v1", "1.2.3", "1.2.3"},
		{"v1", "_1", "_1"},
		{"v1", "sha-1a2b3c", "sha-1a2b3c"},
		{"v1", "1a2b3c4", "1a2b3c4"},
		{"1.0", "1.1", `"1.1"`},
		{"1.0", "v2", "v2"},
		{`"v1"`, "1.0", `"1.0"`},
		{`'v1'`, "1.0", `'1.0'`},
		{`'v1'`, "v2", `'v2'`},
	} {
		got, bad := replaceTag([]byte("image: {tag: "+row.before+"} # c\n"), tagPath, release.Tag(row.to))
		if want := "image: {tag: " + row.after + "} # c\n"; bad != nil || string(got) != want {
			t.Errorf("%s to %s: got %q, %+v, want %q", row.before, row.to, got, bad, want)
		}
	}
}

func TestReplaceTagRefusesWhatIsNoTag(t *testing.T) {
	for _, to := range []release.Tag{"", "a b", "a # b", "a\nb: c", "-x", ".x", `a"b`, "a:b", release.Tag(strings.Repeat("a", 129))} {
		if got, bad := replaceTag([]byte("image: {tag: v1}\n"), tagPath, to); bad == nil {
			t.Errorf("wrote %q: %q", to, got)
		}
	}
}

func TestReadTagSaysTheLine(t *testing.T) {
	for _, row := range []struct {
		file string
		line int
	}{
		{"a: 1\nimage:\n  tag: v1\n  tag: v2\n", 4},
		{"a: 1\nimage:\n  tag: &x v1\n", 3},
		{"a: 1\nimage:\n  tag: a b\n", 3},
		{"a: 1\nimage:\n\ttag: v1\n", 3},
	} {
		if _, bad := readTag([]byte(row.file), tagPath); bad == nil || bad.Line != row.line {
			t.Errorf("%q: %+v, want line %d", row.file, bad, row.line)
		}
	}
}

// FuzzReplaceTag: whatever the file, an edit is refused or changes the bytes of
// one value on one line, and every other value stays what it was.
func FuzzReplaceTag(f *testing.F) {
	for _, row := range edits {
		if len(row.file) < 1<<10 {
			f.Add([]byte(strings.ReplaceAll(row.file, "OLD", "sha-1111111")), "v2")
		}
	}
	f.Add([]byte("image: {tag: 'a''b'}\n"), "1e3")
	f.Add([]byte("image: {tag: \"a\\\"b\"}\n"), "on")
	f.Fuzz(func(t *testing.T, before []byte, to string) {
		after, bad := replaceTag(before, tagPath, release.Tag(to))
		if bad != nil {
			return
		}
		if tag, bad := readTag(after, tagPath); string(tag) != to || bad != nil {
			t.Errorf("reads back as %q, %+v", tag, bad)
		}
		if a, b := bytes.Count(before, []byte("\n")), bytes.Count(after, []byte("\n")); a != b {
			t.Errorf("%d lines became %d", a, b)
		}
		changed := 0
		lines := bytes.Split(after, []byte("\n"))
		for i, line := range bytes.Split(before, []byte("\n")) {
			if !bytes.Equal(line, lines[i]) {
				changed++
			}
		}
		if changed > 1 {
			t.Errorf("%d lines changed", changed)
		}
		if a, b := others(t, before), others(t, after); a != b {
			t.Errorf("another value changed:\n%s\n%s", a, b)
		}
	})
}

// others is everything a file says but its tag, as Go prints it.
func others(t *testing.T, data []byte) string {
	t.Helper()
	var n yaml.Node
	if err := yaml.Unmarshal(data, &n); err != nil {
		t.Fatal(err)
	}
	settings := readSettings(data, tagPath)
	var b strings.Builder
	for i := 0; i < len(n.Content[0].Content); i += 2 {
		b.WriteString(n.Content[0].Content[i].Value + "\n")
	}
	for _, k := range slices.Sorted(maps.Keys(settings)) {
		b.WriteString(k + "=" + settings[k] + "\n")
	}
	return b.String()
}
