package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/synestra/promoter/internal/release"
)

// problems collects what is wrong with a configuration.
type problems struct {
	file  string
	lines map[string]int // where each key of the file stands
	found []problem
}

type problem struct {
	key, text string
	line      int // math.MaxInt if it has none
}

func newProblems(file string) *problems { return &problems{file: file} }

// add notes what is wrong with a key, unless something is known to be wrong
// with it, with what it is part of, or with its entries: that would be an echo.
func (p *problems) add(key, format string, args ...any) {
	for _, known := range p.found {
		within, ok := strings.CutPrefix(key, known.key)
		echo := ok && (within == "" || within[0] == '.' || within[0] == '[')
		if echo || strings.HasPrefix(known.key, key+"[") {
			return
		}
	}
	p.found = append(p.found, problem{key, strings.TrimSpace(key + " " + fmt.Sprintf(format, args...)), p.line(key)})
}

// need adds a problem unless ok.
func (p *problems) need(ok bool, key, format string, args ...any) {
	if !ok {
		p.add(key, format, args...)
	}
}

// line is where the key stands, or what it should be part of.
func (p *problems) line(key string) int {
	for key != "" {
		if n := p.lines[key]; n > 0 {
			return n
		}
		key = key[:max(0, strings.LastIndexAny(key, ".["))]
	}
	return math.MaxInt
}

// err has all problems, in the order of their lines; nil if there is none.
func (p *problems) err() error {
	slices.SortStableFunc(p.found, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.key, b.key))
	})
	var all []error
	for _, f := range p.found {
		where := p.file
		if f.line != math.MaxInt {
			where = fmt.Sprintf("%s:%d", p.file, f.line)
		}
		all = append(all, fmt.Errorf("%s: %s", where, f.text))
	}
	return errors.Join(all...)
}

// readYAML reads a file into c, whose values are the defaults. It is stricter
// than the library, and unlike it names every mistake at once, in the words of
// the file: unknown and repeated keys, wrong types, secrets.
func readYAML(data []byte, c *config, p *problems) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var file, more yaml.Node
	switch err := decoder.Decode(&file); {
	case errors.Is(err, io.EOF): // an empty file is all defaults
		p.lines = map[string]int{}
		return
	case err != nil:
		p.found = append(p.found, problem{text: "not valid YAML: " + strings.TrimPrefix(err.Error(), "yaml: "), line: math.MaxInt})
		return
	}
	p.lines = map[string]int{}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		p.found = append(p.found, problem{text: "has more than one YAML document", line: more.Line})
	}
	root := file.Content[0]
	p.walk(root, reflect.TypeOf(*c), "")
	if err := root.Decode(c); err != nil && len(p.found) == 0 {
		p.found = append(p.found, problem{text: strings.TrimPrefix(err.Error(), "yaml: "), line: math.MaxInt})
	}
}

// walk checks a node against the type it is to become.
func (p *problems) walk(node *yaml.Node, t reflect.Type, key string) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if t.Kind() == reflect.Pointer { // of what may be left out
		t = t.Elem()
	}
	if node.Kind == yaml.ScalarNode && looksSecret(node.Value) {
		p.add(key, "looks like a credential: %s", secretPlace(key))
		return
	}
	switch {
	case t.Kind() == reflect.Interface, node.ShortTag() == "!!null" && !strings.HasSuffix(key, "]"):
	case t.Kind() == reflect.Struct:
		p.walkKeys(node, t, key)
	case t.Kind() == reflect.Slice:
		if node.Kind != yaml.SequenceNode {
			p.add(key, "must be a list: [one, two]")
			return
		}
		for i, entry := range node.Content {
			part := fmt.Sprintf("%s[%d]", key, i)
			p.lines[part] = entry.Line
			p.walk(entry, t.Elem(), part)
		}
	case t == reflect.TypeFor[time.Duration]():
		_, err := time.ParseDuration(node.Value)
		p.need(err == nil && node.Kind == yaml.ScalarNode, key, "must be a time such as 90s, 15m or 1h30m")
	case t.Kind() == reflect.Bool:
		p.need(node.ShortTag() == "!!bool", key, "must be true or false")
	default:
		text := []string{"!!str", "!!int", "!!float", "!!bool", "!!timestamp"}
		p.need(slices.Contains(text, node.ShortTag()), key, "must be text")
	}
}

// walkKeys checks the keys of a mapping.
func (p *problems) walkKeys(node *yaml.Node, t reflect.Type, key string) {
	if node.Kind != yaml.MappingNode {
		p.add(key, "must hold keys, such as %s", strings.Join(keysOf(t), ", "))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		full := join(key, name.Value)
		if first := seen[name.Value]; first > 0 {
			p.found = append(p.found, problem{full, fmt.Sprintf("%s is given twice, first in line %d", full, first), name.Line})
			node.Content = slices.Delete(node.Content, i, i+2) // or the library reads nothing else
			i -= 2
			continue
		}
		seen[name.Value], p.lines[full] = name.Line, name.Line
		if field, ok := fieldOf(t, name.Value); ok {
			p.walk(value, field, full)
		} else {
			p.unknown(full, t)
		}
	}
}

// unknown says where an unknown key belongs, or which key may have been meant.
func (p *problems) unknown(full string, t reflect.Type) {
	parent, name := "", full
	if dot := strings.LastIndexByte(full, '.'); dot >= 0 {
		parent, name = full[:dot], full[dot+1:]
	}
	if secretKey.MatchString(name) {
		p.add(full, "does not belong here: %s", secretPlace(full))
		return
	}
	if near := nearest(name, keysOf(t)); near != "" {
		p.add(full, "is not a key; did you mean %s?", join(parent, near))
		return
	}
	for _, other := range allKeys(reflect.TypeFor[config](), "") {
		if strings.HasSuffix(other, "."+name) {
			p.add(full, "is not a key; did you mean %s?", other)
			return
		}
	}
	p.add(full, "is not a key; known here: %s", strings.Join(keysOf(t), ", "))
}

// nearest is the known key that a misspelt one may have been meant as, or "".
func nearest(name string, known []string) string {
	words := make([]release.App, len(known)) // it compares any names
	for i, k := range known {
		words[i] = release.App(k)
	}
	if found := release.Nearest(name, words); len(found) > 0 {
		return string(found[0])
	}
	return ""
}

func join(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}

// keyOf is a field's key in YAML, "" if it has none.
func keyOf(f reflect.StructField) string {
	if !f.IsExported() {
		return ""
	}
	if tag, ok := f.Tag.Lookup("yaml"); ok {
		return strings.TrimPrefix(tag, "-")
	}
	return strings.ToLower(f.Name) // as the library does
}

func keysOf(t reflect.Type) []string {
	var keys []string
	for f := range t.Fields() {
		if k := keyOf(f); k != "" {
			keys = append(keys, k)
		}
	}
	return keys
}

func fieldOf(t reflect.Type, key string) (reflect.Type, bool) {
	for f := range t.Fields() {
		if key != "" && keyOf(f) == key {
			return f.Type, true
		}
	}
	return nil, false
}

// allKeys lists every key of a configuration by its dotted path; "[]" stands
// for the entries of a list.
func allKeys(t reflect.Type, parent string) []string {
	var keys []string
	for f := range t.Fields() {
		key := keyOf(f)
		if key == "" {
			continue
		}
		full, inner := join(parent, key), f.Type
		keys = append(keys, full)
		if inner.Kind() == reflect.Slice {
			full, inner = full+"[]", inner.Elem()
		}
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct {
			keys = append(keys, allKeys(inner, full)...)
		}
	}
	return keys
}

var secretKey = regexp.MustCompile(`(?i)token|secret|passw|credential|(ssh|private|api)[_-]?key|database[_-]?url|dsn`)

// looksSecret knows the credentials of Slack, GitHub, GitLab and Argo CD by
// how they begin.
func looksSecret(value string) bool {
	for _, prefix := range []string{"xoxb-", "xoxp-", "xapp-", "xoxe", "ghp_", "gho_", "ghs_", "ghu_", "github_pat_", "glpat-", "eyJ", "-----BEGIN"} {
		if strings.HasPrefix(value, prefix) {
			return true
		}
	}
	return false
}

// secretPlace says where a secret belongs that was found at a key.
func secretPlace(key string) string {
	section, name, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(key, "-", "_")), ".")
	if name == "" {
		name = section
	}
	variable := ""
	switch {
	case strings.Contains(name, "app_token"), strings.Contains(name, "app_level"):
		variable = "SLACK_APP_TOKEN"
	case strings.Contains(name, "sign"):
		variable = "SLACK_SIGNING_SECRET"
	case strings.HasPrefix(section, "slack"), strings.Contains(name, "bot_token"):
		variable = "SLACK_BOT_TOKEN"
	case strings.HasPrefix(section, "git"):
		variable = "GIT_TOKEN"
	case strings.HasPrefix(section, "source"):
		variable = "SOURCE_TOKEN"
	case strings.HasPrefix(section, "argo"):
		variable = "ARGOCD_AUTH_TOKEN"
	case strings.HasPrefix(section, "store"), strings.Contains(name, "database_url"), strings.Contains(name, "dsn"):
		variable = "DATABASE_URL"
	default:
		return "secrets come from the environment or from files, never from this file"
	}
	return fmt.Sprintf("set it in the environment as %s, or the path of a file that holds it as %s_FILE", variable, variable)
}
