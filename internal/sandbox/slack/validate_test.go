package slack

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// n repeats JSON as the items of a list; %d is the item's number.
func n(count int, item string) string {
	var all []string
	for i := range count {
		all = append(all, strings.ReplaceAll(item, "%d", fmt.Sprint(i)))
	}
	return "[" + strings.Join(all, ",") + "]"
}

// chars of a string; é is two bytes, so that bytes are not counted.
func x(count int) string { return strings.Repeat("é", count) }

func plainText(s string) string { return `{"type":"plain_text","text":"` + s + `"}` }
func mrkdwnText(s string) string {
	return `{"type":"mrkdwn","text":"` + s + `"}`
}
func sectionOf(s string) string { return `{"type":"section","text":` + mrkdwnText(s) + `}` }
func actionsOf(elements string) string {
	return `{"type":"actions","elements":` + elements + `}`
}

func button(label, extra string) string {
	return `{"type":"button","text":` + plainText(label) + extra + `}`
}

func rich(elements string) string {
	return `{"type":"rich_text","elements":[` + elements + `]}`
}

func confirmOf(title, text, yes, no int) string {
	return `,"confirm":{"title":` + plainText(x(title)) + `,"text":` + mrkdwnText(x(text)) +
		`,"confirm":` + plainText(x(yes)) + `,"deny":` + plainText(x(no)) + `}`
}

func TestBlocks(t *testing.T) {
	field, cell := mrkdwnText("a"), `{"type":"raw_text","text":"a"}`
	opt := `{"text":` + plainText("a") + `,"value":"%d"}`
	tests := []struct {
		name   string
		blocks string // without the list's brackets if it is one block
		want   string // a part of the error; empty if it is valid
	}{
		{"no blocks", `[]`, ""},
		{"50 blocks", n(50, `{"type":"divider"}`), ""},
		{"51 blocks", n(51, `{"type":"divider"}`), "no more than 50 items allowed [json-pointer:/blocks]"},
		{"no type", `{}`, "unsupported type"},
		{"unknown type", `{"type":"sculpture"}`, `unsupported type: "sculpture" [json-pointer:/blocks/0/type]`},
		{"alert is for modals", `{"type":"alert"}`, "unsupported type"},
		{"input is for modals", `{"type":"input"}`, "unsupported type"},
		{"no object", `"text"`, "must provide an object"},
		{"not JSON", `{"type":`, "invalid_blocks_format"},
		{"more after the list", `[] []`, "invalid_blocks_format"},

		{"block_id", `{"type":"divider","block_id":"` + x(255) + `"}`, ""},
		{"long block_id", `{"type":"divider","block_id":"` + x(256) + `"}`, "must be less than 256 characters"},
		{"empty block_id", `{"type":"divider","block_id":""}`, "must be more than 0 characters"},
		{"same block_id twice", n(2, `{"type":"divider","block_id":"a"}`), `block_id "a" already exists [json-pointer:/blocks/1/block_id]`},
		{"unknown property", `{"type":"divider","color":"red"}`, "invalid additional property: color"},

		{"header", `{"type":"header","text":` + plainText(x(150)) + `}`, ""},
		{"long header", `{"type":"header","text":` + plainText(x(151)) + `}`, "must be less than 151 characters [json-pointer:/blocks/0/text/text]"},
		{"mrkdwn header", `{"type":"header","text":` + mrkdwnText("a") + `}`, `unsupported type: "mrkdwn"`},
		{"header without text", `{"type":"header"}`, "missing required field: text"},

		{"section", sectionOf(x(3000)), ""},
		{"long section", sectionOf(x(3001)), "must be less than 3001 characters"},
		{"empty text", sectionOf(""), "must be more than 0 characters"},
		{"section without all", `{"type":"section"}`, "must define text or fields"},
		{"text that is a string", `{"type":"section","text":"a"}`, "must provide an object"},
		{"emoji of mrkdwn", `{"type":"section","text":{"type":"mrkdwn","text":"a","emoji":true}}`, "invalid additional property: emoji"},
		{"verbatim that is no boolean", `{"type":"section","text":{"type":"mrkdwn","text":"a","verbatim":"yes"}}`, "must be a boolean"},
		{"10 fields", `{"type":"section","fields":` + n(10, field) + `}`, ""},
		{"11 fields", `{"type":"section","fields":` + n(11, field) + `}`, "no more than 10 items allowed"},
		{"no fields", `{"type":"section","fields":[]}`, "no fewer than 1 items required"},
		{"fields that are no list", `{"type":"section","fields":{}}`, "must provide an array"},
		{"field", `{"type":"section","fields":[` + mrkdwnText(x(2000)) + `]}`, ""},
		{"long field", `{"type":"section","fields":[` + mrkdwnText(x(2001)) + `]}`, "must be less than 2001 characters"},
		{"image accessory", `{"type":"section","text":` + field + `,"accessory":{"type":"image","image_url":"https://a/b","alt_text":"a"}}`, ""},
		{"text as accessory", `{"type":"section","text":` + field + `,"accessory":` + field + `}`, "unsupported type"},

		{"10 context elements", `{"type":"context","elements":` + n(10, field) + `}`, ""},
		{"11 context elements", `{"type":"context","elements":` + n(11, field) + `}`, "no more than 10 items allowed"},
		{"button in context", `{"type":"context","elements":[` + button("a", "") + `]}`, `unsupported type: "button"`},

		{"25 actions", actionsOf(n(25, button("a", `,"action_id":"%d"`))), ""},
		{"26 actions", actionsOf(n(26, button("a", `,"action_id":"%d"`))), "no more than 25 items allowed"},
		{"no actions", actionsOf(`[]`), "no fewer than 1 items required"},
		{"text in actions", actionsOf(`[` + field + `]`), "unsupported type"},
		{"same action_id in a block", actionsOf(n(2, button("a", `,"action_id":"a"`))), `action_id "a" already exists`},
		{"same action_id in two blocks", n(2, actionsOf(`[`+button("a", `,"action_id":"a"`)+`]`)), ""},

		{"button", actionsOf(`[` + button(x(75), `,"action_id":"`+x(255)+`","value":"`+x(2000)+`","style":"danger","url":"https://`+x(2992)+`"`) + `]`), ""},
		{"long label", actionsOf(`[` + button(x(76), "") + `]`), "must be less than 76 characters"},
		{"long action_id", actionsOf(`[` + button("a", `,"action_id":"`+x(256)+`"`) + `]`), "must be less than 256 characters"},
		{"long value", actionsOf(`[` + button("a", `,"value":"`+x(2001)+`"`) + `]`), "must be less than 2001 characters"},
		{"long url", actionsOf(`[` + button("a", `,"url":"https://`+x(2993)+`"`) + `]`), "must be less than 3001 characters"},
		{"no url", actionsOf(`[` + button("a", `,"url":"click here"`) + `]`), "must be a valid URL"},
		{"unknown style", actionsOf(`[` + button("a", `,"style":"loud"`) + `]`), "must be one of primary, danger"},
		{"disabled", actionsOf(`[` + button("a", `,"disabled":true`) + `]`), "invalid additional property: disabled"},
		{"mrkdwn label", actionsOf(`[{"type":"button","text":` + field + `}]`), `unsupported type: "mrkdwn"`},
		{"no label", actionsOf(`[{"type":"button"}]`), "missing required field: text"},

		{"confirm", actionsOf(`[` + button("a", confirmOf(100, 300, 30, 30)) + `]`), ""},
		{"confirm title", actionsOf(`[` + button("a", confirmOf(101, 1, 1, 1)) + `]`), "must be less than 101 characters"},
		{"confirm text", actionsOf(`[` + button("a", confirmOf(1, 301, 1, 1)) + `]`), "must be less than 301 characters"},
		{"confirm yes", actionsOf(`[` + button("a", confirmOf(1, 1, 31, 1)) + `]`), "must be less than 31 characters"},
		{"confirm no", actionsOf(`[` + button("a", confirmOf(1, 1, 1, 31)) + `]`), "must be less than 31 characters"},

		{"5 overflow options", actionsOf(`[{"type":"overflow","options":` + n(5, opt) + `}]`), ""},
		{"6 overflow options", actionsOf(`[{"type":"overflow","options":` + n(6, opt) + `}]`), "no more than 5 items allowed"},
		{"100 options", actionsOf(`[{"type":"static_select","options":` + n(100, opt) + `}]`), ""},
		{"101 options", actionsOf(`[{"type":"static_select","options":` + n(101, opt) + `}]`), "no more than 100 items allowed"},
		{"no options", actionsOf(`[{"type":"static_select"}]`), "must define options or option_groups"},
		{"long option", actionsOf(`[{"type":"overflow","options":[{"text":` + plainText(x(76)) + `,"value":"a"}]}]`), "must be less than 76 characters"},
		{"type of an option", actionsOf(`[{"type":"overflow","options":[{"type":"option","text":` + plainText("a") + `,"value":"a"}]}]`), "invalid additional property: type"},
		{"external select", actionsOf(`[{"type":"external_select","min_query_length":0,"placeholder":` + plainText("App") + `}]`), ""},
		{"query length", actionsOf(`[{"type":"external_select","min_query_length":1.5}]`), "must be an integer"},

		{"table", `{"type":"table","rows":` + n(100, n(20, cell)) + `,"column_settings":` + n(20, `{"align":"right","is_wrapped":true}`) + `}`, ""},
		{"101 rows", `{"type":"table","rows":` + n(101, n(1, cell)) + `}`, "no more than 100 items allowed"},
		{"21 cells", `{"type":"table","rows":[` + n(21, cell) + `]}`, "no more than 20 items allowed"},
		{"21 column settings", `{"type":"table","rows":[[` + cell + `]],"column_settings":` + n(21, `{}`) + `}`, "no more than 20 items allowed"},
		{"empty alignment", `{"type":"table","rows":[[` + cell + `]],"column_settings":[{"align":""}]}`, "must be one of left, center, right"},
		{"number cell", `{"type":"table","rows":[[{"type":"raw_number","value":1}]]}`, `unsupported type: "raw_number"`},
		{"null cell", `{"type":"table","rows":[[null]]}`, "must provide an object"},
		{"two tables", n(2, `{"type":"table","rows":[[`+cell+`]]}`), "only_one_table_allowed"},

		{"rich text", rich(`{"type":"rich_text_section","elements":[{"type":"text","text":"a","style":{"bold":true}},{"type":"user","user_id":"U1"},
			{"type":"link","url":"https://a"},{"type":"emoji","name":"x"},{"type":"usergroup","usergroup_id":"S1"},{"type":"channel","channel_id":"C1"},
			{"type":"broadcast","range":"here"},{"type":"date","timestamp":1,"format":"{time}"},{"type":"color","value":"#fff"}]}`), ""},
		{"list", rich(`{"type":"rich_text_list","style":"ordered","indent":0,"border":0,"offset":0,"elements":[{"type":"rich_text_section","elements":[]}]}`), ""},
		{"code block", rich(`{"type":"rich_text_preformatted","border":0,"language":"sh","elements":[{"type":"text","text":"a"}]}`), ""},
		{"quote", rich(`{"type":"rich_text_quote","elements":[{"type":"text","text":"a"}]}`), ""},
		{"empty rich text", rich(`{"type":"rich_text_section","elements":[{"type":"text","text":""}]}`), "must be more than 0 characters"},
		{"text outside a section", rich(`{"type":"text","text":"a"}`), `unsupported type: "text"`},
		{"unknown inline", rich(`{"type":"rich_text_section","elements":[{"type":"sound"}]}`), `unsupported type: "sound"`},
		{"unknown list style", rich(`{"type":"rich_text_list","style":"","elements":[{"type":"rich_text_section","elements":[]}]}`), "must be one of bullet, ordered"},
		{"unknown text style", rich(`{"type":"rich_text_section","elements":[{"type":"text","text":"a","style":{"blink":true}}]}`), "invalid additional property: blink"},
		{"everybody", rich(`{"type":"rich_text_section","elements":[{"type":"broadcast","range":"all"}]}`), "must be one of here"},

		{"image", `{"type":"image","image_url":"https://a/b","alt_text":"a"}`, ""},
		{"image without alt_text", `{"type":"image","image_url":"https://a/b"}`, "missing required field: alt_text"},
		{"markdown", `{"type":"markdown","text":"` + x(12_000) + `"}`, ""},
		{"long markdown", `{"type":"markdown","text":"` + x(12_001) + `"}`, "must be less than 12001 characters"},

		{"13,200 characters", `[` + strings.Repeat(sectionOf(x(3000))+",", 4) + sectionOf(x(1200)) + `]`, ""},
		{"13,201 characters", `[` + strings.Repeat(sectionOf(x(3000))+",", 4) + sectionOf(x(1201)) + `]`, "msg_blocks_too_long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := tt.blocks
			if !strings.HasPrefix(raw, "[") {
				raw = "[" + raw + "]"
			}
			err := checkBlocks([]byte(raw), onMessage)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.want != "" && err == nil:
				t.Errorf("taken, want %q", tt.want)
			case tt.want != "" && !strings.Contains(err.Error(), tt.want):
				t.Errorf("error %q, want %q", err, tt.want)
			}
		})
	}
}

// TestBlockErrorsOnTheWire is the form in which clients see them.
func TestBlockErrorsOnTheWire(t *testing.T) {
	s := start(t, Options{})
	a := call(t, s, "chat.postMessage", "channel", "C1", "text", "x", "blocks", `[{"type":"section"},{"type":"header"}]`)
	want := "[[ERROR] must define text or fields [json-pointer:/blocks/0] [ERROR] missing required field: text [json-pointer:/blocks/1]]"
	meta, _ := a.body["response_metadata"].(map[string]any)
	if a.code() != "invalid_blocks" || fmt.Sprint(meta["messages"]) != want {
		t.Errorf("answer = %v", a.body)
	}
	if len(s.Messages("C1")) != 0 {
		t.Error("posted")
	}
}

// FuzzBlocks: whatever comes, the answer is a Slack error or nothing, and what
// is taken can be drawn.
func FuzzBlocks(f *testing.F) {
	f.Add(`[` + sectionOf("a") + `]`)
	f.Add(`[` + rich(`{"type":"rich_text_list","style":"bullet","indent":3,"elements":[{"type":"rich_text_section","elements":[]}]}`) + `]`)
	f.Add(`[{"type":"table","rows":[[{"type":"raw_text","text":"a"}]],"column_settings":[{}]}]`)
	f.Add(`[{"type":"section","text":{"type":"mrkdwn","text":"<!date^^> <!date> <> ` + "``` `" + ` *_~ :x: &lt;"}}]`)
	s, err := Start(Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.Close)
	f.Fuzz(func(t *testing.T, raw string) {
		err := checkBlocks([]byte(raw), onMessage)
		var refused *apiError
		if err != nil && !errors.As(err, &refused) {
			t.Fatal(err)
		}
		if err == nil {
			s.mu.Lock()
			c := s.fillIDs(Content{Blocks: []byte(raw)})
			s.mu.Unlock()
			s.Render(Message{Content: c})
		}
	})
}
