package gitops

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/synestra/promoter/internal/release"
)

// readTag is the tag at a path of keys, if the file can be edited there without
// touching or meaning anything else; a flaw otherwise.
func readTag(data []byte, path []string) (release.Tag, *release.Flaw) {
	target, bad := locate(data, path)
	if bad != nil {
		return "", bad
	}
	tag, err := release.ParseTag(target.node.Value)
	if err != nil {
		return "", flaw(target.node.Line, "%s is `%s`, which is no image tag", strings.Join(path, "."), release.Plain(target.node.Value))
	}
	return tag, nil
}

// replaceTag replaces the tag at a path of keys and no other byte, but for
// quotes around it where the new tag would otherwise stop being a string.
// The result is parsed again, and refused if anything else in it changed.
//
// It splices bytes because yaml.v3 cannot write back what it has read: it drops
// blank lines, document markers and line ends (go-yaml#627, go-yaml#534).
func replaceTag(data []byte, path []string, to release.Tag) ([]byte, *release.Flaw) {
	if _, err := release.ParseTag(string(to)); err != nil {
		return nil, flaw(0, "%s", release.Plain(err.Error()))
	}
	target, bad := locate(data, path)
	if bad != nil {
		return nil, bad
	}
	edited := slices.Concat(data[:target.start], target.quoted(to), data[target.end:])
	after, bad := locate(edited, path)
	if bad != nil {
		return nil, flaw(target.node.Line, "with another tag, %s", bad.Reason)
	}
	if after.node.Value != string(to) || after.node.ShortTag() != "!!str" || !same(target.root, after.root, target.node) {
		return nil, flaw(target.node.Line, "another tag would change more than %s", strings.Join(path, "."))
	}
	return edited, nil
}

// scalar is a one-line scalar and the bytes it is written with.
type scalar struct {
	root, node *yaml.Node
	start, end int
}

// quoted is the tag as it is to stand in the file. Quotes stay as they are.
func (s scalar) quoted(to release.Tag) []byte {
	switch {
	case s.node.Style == yaml.SingleQuotedStyle:
		return []byte("'" + to + "'")
	case s.node.Style == yaml.DoubleQuotedStyle || !plainString(string(to)):
		return []byte(`"` + to + `"`)
	}
	return []byte(to)
}

// yaml11 matches what some reader of YAML takes for a number or a date: Helm's
// reads 12e4567 as a number, and 0123456 as another one.
var yaml11 = regexp.MustCompile(`^(0[bB][01_]+|0[oO]?[0-7_]+|0[xX][0-9a-fA-F_]+|[0-9][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9_]+)?|\d{4}-\d{1,2}-\d{1,2}.*)$`)

// plainString says that every reader of YAML takes the text without quotes for
// a string.
func plainString(s string) bool {
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return false
	}
	n := yaml.Node{Kind: yaml.ScalarNode, Value: s}
	return n.ShortTag() == "!!str" && !yaml11.MatchString(s)
}

// locate finds the scalar at a path of keys, and refuses whatever would make a
// change of its bytes mean more or less than a change of that one value.
func locate(data []byte, path []string) (scalar, *release.Flaw) {
	root, bad := parseOne(data)
	if bad != nil {
		return scalar{}, bad
	}
	n := root
	for i, key := range path {
		name := strings.Join(path[:i+1], ".")
		if bad := unshared(n, strings.Join(path[:i], ".")); bad != nil {
			return scalar{}, bad
		}
		if n.Kind != yaml.MappingNode {
			return scalar{}, flaw(n.Line, "%s is not a mapping, so there is no %s", strings.Join(path[:i], "."), name)
		}
		if n, bad = only(n, key, name); bad != nil {
			return scalar{}, bad
		}
	}
	name := strings.Join(path, ".")
	if bad := unshared(n, name); bad != nil {
		return scalar{}, bad
	}
	if n.Kind != yaml.ScalarNode || n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return scalar{}, flaw(n.Line, "%s is not a value on one line", name)
	}
	if n.Value == "" {
		return scalar{}, flaw(n.Line, "%s is empty; write a first tag there", name)
	}
	start, end, ok := token(data, n)
	if !ok {
		return scalar{}, flaw(n.Line, "%s is not a plain value on one line", name)
	}
	return scalar{root, n, start, end}, nil
}

// unshared refuses a node that stands for another, or for which others stand,
// or that says its type.
func unshared(n *yaml.Node, name string) *release.Flaw {
	if name == "" {
		name = "the file"
	}
	switch {
	case n.Kind == yaml.AliasNode:
		return flaw(n.Line, "%s is an alias", name)
	case n.Anchor != "":
		return flaw(n.Line, "%s has an anchor", name)
	case n.Style&yaml.TaggedStyle != 0:
		return flaw(n.Line, "%s has an explicit type tag", name)
	}
	return nil
}

// only is the value of a key that a mapping has once, and not by a merge.
func only(n *yaml.Node, key, name string) (*yaml.Node, *release.Flaw) {
	var found *yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		switch {
		case k.Kind == yaml.AliasNode:
			return nil, flaw(k.Line, "a key beside %s is an alias", name)
		case k.ShortTag() == "!!merge":
			return nil, flaw(k.Line, "a merge key (<<) is beside %s", name)
		case k.Kind != yaml.ScalarNode || k.Value != key:
		case found != nil:
			return nil, flaw(k.Line, "%s is there twice", name)
		default:
			found = n.Content[i+1]
		}
	}
	if found == nil {
		return nil, flaw(n.Line, "%s is missing", name)
	}
	return found, nil
}

// token is where a scalar stands in the bytes; false if what stands there is
// not, on one line and by itself, the scalar.
func token(data []byte, n *yaml.Node) (start, end int, ok bool) {
	if start, ok = offset(data, n.Line, n.Column); !ok {
		return 0, 0, false
	}
	rest := data[start:]
	switch n.Style {
	case yaml.DoubleQuotedStyle:
		end = closing(rest, '"', '\\')
	case yaml.SingleQuotedStyle:
		end = closing(rest, '\'', '\'')
	case 0:
		if bytes.HasPrefix(rest, []byte(n.Value)) {
			end = len(n.Value)
		}
	}
	if end == 0 || bytes.ContainsFunc(rest[:end], lineBreak) {
		return 0, 0, false
	}
	var alone yaml.Node
	if err := yaml.Unmarshal(rest[:end], &alone); err != nil || len(alone.Content) != 1 || alone.Content[0].Value != n.Value {
		return 0, 0, false
	}
	return start, start + end, true
}

// closing is the length of a quoted scalar with its quotes, 0 if it has no end.
// A quote after the escape does not close it; in single quotes the escape is a
// quote itself.
func closing(s []byte, quote, escape byte) int {
	if len(s) == 0 || s[0] != quote {
		return 0
	}
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == escape && i+1 < len(s) && (escape != quote || s[i+1] == quote):
			i++
		case s[i] == quote:
			return i + 1
		}
	}
	return 0
}

// offset turns a position of yaml.v3 into one in the bytes. Its lines end at
// any break of YAML 1.1, its columns count code points, and a byte order mark
// at the start counts as nothing. Both begin at 1.
func offset(data []byte, line, column int) (int, bool) {
	at := 0
	if bytes.HasPrefix(data, []byte("\ufeff")) {
		at = len("\ufeff")
	}
	for ; line > 1; line-- {
		i := bytes.IndexFunc(data[at:], lineBreak)
		if i < 0 {
			return 0, false
		}
		at += i
		if bytes.HasPrefix(data[at:], []byte("\r\n")) {
			at++
		}
		_, size := utf8.DecodeRune(data[at:])
		at += size
	}
	for ; column > 1 && at < len(data); column-- {
		_, size := utf8.DecodeRune(data[at:])
		at += size
	}
	return at, at < len(data)
}

func lineBreak(r rune) bool {
	return r == '\n' || r == '\r' || r == '\u0085' || r == '\u2028' || r == '\u2029'
}

// same says that two trees are equal but for columns, and for the value of one
// node of the first and the quotes and type that follow from it.
func same(a, b, except *yaml.Node) bool {
	if a.Kind != b.Kind || a.Anchor != b.Anchor || a.Line != b.Line || len(a.Content) != len(b.Content) ||
		a.HeadComment != b.HeadComment || a.LineComment != b.LineComment || a.FootComment != b.FootComment {
		return false
	}
	if a != except && (a.Value != b.Value || a.Tag != b.Tag || a.Style != b.Style) {
		return false
	}
	for i := range a.Content {
		if !same(a.Content[i], b.Content[i], except) {
			return false
		}
	}
	return true
}
