package gitops

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/synestra/promoter/internal/release"
)

// maxFile bounds the files that are parsed, in bytes.
const maxFile = 1 << 20

// flaw makes a flaw at a line; 0 for none.
func flaw(line int, format string, args ...any) *release.Flaw {
	return &release.Flaw{Reason: fmt.Sprintf(format, args...), Line: line}
}

// parseOne parses a file that must be one YAML document with a mapping.
func parseOne(data []byte) (*yaml.Node, *release.Flaw) {
	root, more, bad := parseFirst(data)
	switch {
	case bad != nil:
		return nil, bad
	case more:
		return nil, flaw(0, "there is more than one document in it")
	case root == nil:
		return nil, flaw(0, "it is empty")
	}
	return root, nil
}

// parseFirst parses the first document of a file, whose root must be a mapping;
// nil if there is nothing in it. It says whether there is another document, or
// something unreadable, after it.
func parseFirst(data []byte) (root *yaml.Node, more bool, bad *release.Flaw) {
	switch {
	case len(data) > maxFile:
		return nil, false, flaw(0, "it is larger than %d KiB", maxFile>>10)
	case !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0:
		return nil, false, flaw(0, "it is not UTF-8 text")
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	switch err := decoder.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, false, nil
	case err != nil:
		return nil, false, badYAML(err)
	}
	more = !errors.Is(decoder.Decode(new(yaml.Node)), io.EOF)
	switch root = doc.Content[0]; {
	case root.ShortTag() == "!!null":
		return nil, more, nil
	case root.Kind != yaml.MappingNode:
		return nil, more, flaw(root.Line, "it is not a mapping of keys to values")
	}
	return root, more, nil
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

// badYAML takes the line out of yaml.v3's error, which has it in its text only.
func badYAML(err error) *release.Flaw {
	text, line := err.Error(), 0
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	return flaw(line, "it is not valid YAML: %s", release.Plain(strings.TrimPrefix(text, "yaml: ")))
}

// readValue is the scalar at a path as Helm means it: aliases and merge keys
// are followed, of two equal keys the last one counts. False if there is none.
func readValue(data []byte, path []string) (string, bool) {
	root, _, bad := parseFirst(data)
	if bad != nil || root == nil {
		return "", false
	}
	n := (&finder{maxSteps}).at(root, path)
	if n == nil || n.Kind != yaml.ScalarNode {
		return "", false
	}
	return n.Value, true
}

// maxSteps bounds the mappings that one look-up goes through: merges of merges
// can be made to grow without bound.
const maxSteps = 10000

// finder looks values up, following aliases and merges.
type finder struct{ left int }

// at follows a path of keys; nil if it leads nowhere.
func (f *finder) at(n *yaml.Node, path []string) *yaml.Node {
	for _, key := range path {
		if n = f.child(n, key); n == nil {
			return nil
		}
	}
	return resolve(n)
}

// child is the value of a key in a mapping, its own or a merged one; nil if it
// has none, or if the finder has run out of steps.
func (f *finder) child(n *yaml.Node, key string) *yaml.Node {
	f.left--
	if n = resolve(n); n.Kind != yaml.MappingNode || f.left < 0 {
		return nil
	}
	var own, merged *yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := resolve(n.Content[i]), n.Content[i+1]
		switch {
		case name.Kind == yaml.ScalarNode && name.Value == key:
			own = resolve(value)
		case name.ShortTag() == "!!merge" && merged == nil:
			merged = f.mergedChild(value, key)
		}
	}
	if own != nil {
		return own
	}
	return merged
}

// mergedChild looks into what a merge key brings: a mapping or several.
func (f *finder) mergedChild(value *yaml.Node, key string) *yaml.Node {
	value = resolve(value)
	if value.Kind != yaml.SequenceNode {
		return f.child(value, key)
	}
	for _, each := range value.Content {
		if found := f.child(each, key); found != nil {
			return found
		}
	}
	return nil
}

// resolve follows an alias. An anchor stands before its aliases, so there is no
// circle but inside a mapping that names itself.
func resolve(n *yaml.Node) *yaml.Node {
	for range 10 {
		if n.Kind != yaml.AliasNode {
			break
		}
		n = n.Alias
	}
	return n
}

// readDigest looks for an image digest beside the tag: a key "digest", or a
// value that holds one, such as a repository with "@sha256:…". The image may
// also be one string, "repository@sha256:…". It is "" if there is none, and a
// flaw if that cannot be told.
func readDigest(data []byte, tagPath []string) (string, *release.Flaw) {
	root, _, bad := parseFirst(data)
	if bad != nil || root == nil {
		return "", bad
	}
	find := &finder{maxSteps}
	above, key := tagPath[:len(tagPath)-1], tagPath[len(tagPath)-1]
	image := find.at(root, above)
	if image == nil {
		return "", find.exhausted()
	}
	values := []*yaml.Node{image, find.child(image, key), find.child(image, "repository")}
	for i := 1; i < len(image.Content); i += 2 {
		values = append(values, resolve(image.Content[i]))
	}
	if d := find.child(image, "digest"); d != nil && d.Kind == yaml.ScalarNode && d.ShortTag() != "!!null" && d.Value != "" {
		return d.Value, nil
	}
	for _, v := range values {
		if v == nil || v.Kind != yaml.ScalarNode {
			continue
		}
		if d := digestIn(v.Value); d != "" {
			return d, nil
		}
	}
	return "", find.exhausted()
}

// exhausted is a flaw if something was not looked at.
func (f *finder) exhausted() *release.Flaw {
	if f.left < 0 {
		return flaw(0, "it has too many merge keys (<<)")
	}
	return nil
}

// digestIn is the digest at the end of an image reference, "" if it has none.
func digestIn(reference string) string {
	if i := strings.LastIndex(reference, "@sha"); i >= 0 {
		return reference[i+1:]
	}
	return ""
}

// readSettings are all scalars of a layer but the tag, by dotted path. An alias
// stands as it is written, "*name": following it could grow without bound.
func readSettings(data []byte, tagPath []string) map[string]string {
	found := map[string]string{}
	root, _, bad := parseFirst(data)
	if bad == nil && root != nil {
		collect(root, "", found)
		delete(found, strings.Join(tagPath, "."))
	}
	return found
}

func collect(n *yaml.Node, at string, into map[string]string) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			collect(n.Content[i+1], join(at, n.Content[i].Value), into)
		}
	case yaml.SequenceNode:
		for i, each := range n.Content {
			collect(each, join(at, strconv.Itoa(i)), into)
		}
	case yaml.AliasNode:
		into[at] = "*" + n.Value
	case yaml.ScalarNode:
		into[at] = n.Value
	}
}

func join(at, key string) string {
	if at == "" {
		return key
	}
	return at + "." + key
}
