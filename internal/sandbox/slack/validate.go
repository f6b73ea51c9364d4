package slack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// surface is where blocks are shown; it decides which kinds are allowed, and how many.
type surface struct {
	blocks int
	kinds  map[string]rule
}

// maxBlocksText is how many characters all texts of a message's blocks may
// have together, each block being legal (slackapi/bolt-js#2509).
const maxBlocksText = 13_200

// check collects what is wrong with a JSON value.
type check struct {
	problems  []string
	blockIDs  map[string]bool
	actionIDs map[string]bool // of the block being looked at
	texts     int             // characters
	tables    int
}

func (c *check) report(at, format string, a ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, a...)+" [json-pointer:"+at+"]")
}

// rule looks at one JSON value; at is where it stands, as a JSON pointer.
type rule func(c *check, at string, v any)

// field is one property of an object.
type field struct {
	is       rule
	required bool
}

func must(is rule) field { return field{is: is, required: true} }
func may(is rule) field  { return field{is: is} }

// object is an object with these properties and no others.
func object(fields map[string]field) rule {
	return func(c *check, at string, v any) {
		o, ok := v.(map[string]any)
		if !ok {
			c.report(at, "must provide an object")
			return
		}
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			if _, has := o[name]; !has && fields[name].required {
				c.report(at, "missing required field: %s", name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(o)) {
			f, known := fields[name]
			if !known {
				c.report(at, "invalid additional property: %s", name)
				continue
			}
			f.is(c, at+"/"+name, o[name])
		}
	}
}

// kind is an object whose "type" says which rule the rest of it follows.
func kind(rules map[string]rule) rule {
	return func(c *check, at string, v any) {
		o, ok := v.(map[string]any)
		if !ok {
			c.report(at, "must provide an object")
			return
		}
		name := str(o, "type")
		is, known := rules[name]
		if !known {
			c.report(at+"/type", "unsupported type: %q", name)
			return
		}
		rest := maps.Clone(o)
		delete(rest, "type")
		is(c, at, rest)
	}
}

// both follows two rules.
func both(first, second rule) rule {
	return func(c *check, at string, v any) {
		first(c, at, v)
		second(c, at, v)
	}
}

// oneOf asks for one of the properties: exactly one, or at least one.
func oneOf(exactly bool, names ...string) rule {
	return func(c *check, at string, v any) {
		o, _ := v.(map[string]any)
		count := 0
		for _, name := range names {
			if _, has := o[name]; has {
				count++
			}
		}
		if count == 0 || (exactly && count > 1) {
			c.report(at, "must define %s", strings.Join(names, " or "))
		}
	}
}

// items is a list of low to high values that follow one rule.
func items(low, high int, is rule) rule {
	return func(c *check, at string, v any) {
		values, ok := v.([]any)
		if !ok {
			c.report(at, "must provide an array")
			return
		}
		if len(values) < low {
			c.report(at, "no fewer than %d items required", low)
		}
		if len(values) > high {
			c.report(at, "no more than %d items allowed", high)
		}
		for i, value := range values {
			is(c, fmt.Sprintf("%s/%d", at, i), value)
		}
	}
}

// chars is a string of 1 to high characters (not bytes).
func chars(high int) rule {
	return func(c *check, at string, v any) {
		value, ok := v.(string)
		switch n := utf8.RuneCountInString(value); {
		case !ok:
			c.report(at, "must provide a string")
		case n == 0:
			c.report(at, "must be more than 0 characters")
		case n > high:
			c.report(at, "must be less than %d characters", high+1)
		}
	}
}

// shownChars is a string that people see: it counts towards maxBlocksText.
func shownChars(high int) rule {
	return both(chars(high), func(c *check, _ string, v any) {
		value, _ := v.(string)
		c.texts += utf8.RuneCountInString(value)
	})
}

// address is a URL that Slack would open.
func address(high int) rule {
	return both(chars(high), func(c *check, at string, v any) {
		value, _ := v.(string)
		if strings.ContainsAny(value, " \n\t<>") || !strings.Contains(value, ":") {
			c.report(at, "must be a valid URL")
		}
	})
}

func choice(values ...string) rule {
	return func(c *check, at string, v any) {
		if value, ok := v.(string); !ok || !slices.Contains(values, value) {
			c.report(at, "must be one of %s", strings.Join(values, ", "))
		}
	}
}

func boolean(c *check, at string, v any) {
	if _, ok := v.(bool); !ok {
		c.report(at, "must be a boolean")
	}
}

func integer(low, high int64) rule {
	return func(c *check, at string, v any) {
		number, _ := v.(json.Number)
		if n, err := number.Int64(); err != nil || n < low || n > high {
			c.report(at, "must be an integer from %d to %d", low, high)
		}
	}
}

// checkBlocks is everything that Slack checks of blocks before it takes them.
func checkBlocks(raw []byte, on func() surface) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var blocks []any
	if err := d.Decode(&blocks); err != nil || d.More() {
		return &apiError{code: "invalid_blocks_format"}
	}
	c := &check{blockIDs: map[string]bool{}}
	where := on()
	items(0, where.blocks, eachBlock(kind(where.kinds)))(c, "/blocks", blocks)
	switch {
	case len(c.problems) > 0:
		return &apiError{code: "invalid_blocks", problems: c.problems}
	case c.tables > 1:
		return &apiError{code: "only_one_table_allowed"}
	case c.texts > maxBlocksText:
		return &apiError{code: "msg_blocks_too_long"}
	}
	return nil
}

// eachBlock looks at what all blocks have in common: action ids are unique in a block.
func eachBlock(is rule) rule {
	return func(c *check, at string, v any) {
		c.actionIDs = map[string]bool{}
		is(c, at, v)
	}
}

// unique is an id that may stand once only among those seen.
func unique(seen func(*check) map[string]bool, name string) rule {
	return both(chars(255), func(c *check, at string, v any) {
		id, _ := v.(string)
		if id != "" && seen(c)[id] {
			c.report(at, "%s %q already exists", name, id)
		}
		seen(c)[id] = true
	})
}

// checkMetadata checks a message's metadata: event_type, and event_payload with
// plain values, or one level of objects or lists of them.
func checkMetadata(raw []byte) error {
	var m struct {
		EventType    string                     `json:"event_type"`
		EventPayload map[string]json.RawMessage `json:"event_payload"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return &apiError{code: "invalid_metadata_format"}
	}
	if m.EventType == "" || m.EventPayload == nil {
		return &apiError{code: "invalid_metadata_format", problems: []string{"event_type and event_payload are required"}}
	}
	for name, value := range m.EventPayload {
		var v any
		_ = json.Unmarshal(value, &v) // part of valid JSON
		if !plain(v, 1) {
			return &apiError{code: "invalid_metadata_schema", problems: []string{"event_payload." + name + " is nested too deeply or null"}}
		}
	}
	return nil
}

// plain tells strings, numbers and booleans, and objects and lists of them down
// to a depth.
func plain(v any, depth int) bool {
	var inner []any
	switch v := v.(type) {
	case string, float64, bool:
		return true
	case map[string]any:
		inner = slices.Collect(maps.Values(v))
	case []any:
		inner = v
	default:
		return false
	}
	return depth > 0 && !slices.ContainsFunc(inner, func(v any) bool { return !plain(v, depth-1) })
}

// checkView checks a modal or Home tab.
func checkView(raw []byte, kind string) error {
	var v struct {
		Type   string          `json:"type"`
		Title  json.RawMessage `json:"title"`
		Blocks json.RawMessage `json:"blocks"`
	}
	switch err := json.Unmarshal(raw, &v); {
	case err != nil:
		return &apiError{code: "invalid_arguments", problems: []string{"view is no JSON object"}}
	case len(raw) > 250<<10:
		return &apiError{code: "view_too_large"}
	case v.Type != kind:
		return &apiError{code: "invalid_arguments", problems: []string{fmt.Sprintf("view type %q, not %q", v.Type, kind)}}
	case kind == "modal" && v.Title == nil:
		return &apiError{code: "invalid_arguments", problems: []string{"missing required field: title"}}
	}
	return checkBlocks(v.Blocks, onView)
}
