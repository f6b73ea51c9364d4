package slack

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
)

// newID is an id that was never given before, also not by another process.
func newID() string { return strings.ToLower(rand.Text()) }

// mustJSON encodes what is made of maps, lists and strings only.
func mustJSON(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encoding %T: %v", v, err))
	}
	return raw
}

// messageJSON is a message as the Web API shows it. The caller holds Server.mu.
func (s *Server) messageJSON(m *Message, metadata bool) map[string]any {
	object := map[string]any{"type": "message", "ts": m.TS, "user": m.User, "text": m.Text, "team": TeamID}
	if m.User == BotUserID {
		object["bot_id"], object["app_id"] = BotID, AppID
		object["bot_profile"] = map[string]any{"id": BotID, "app_id": AppID, "name": s.people.users[BotUserID].Name, "team_id": TeamID}
	}
	if m.Blocks != nil {
		object["blocks"] = m.Blocks
	}
	if metadata && m.Metadata != nil {
		object["metadata"] = m.Metadata
	}
	if m.Edited {
		object["edited"] = map[string]any{"user": m.User, "ts": m.TS}
	}
	if m.Broadcast {
		object["subtype"] = "thread_broadcast"
	}
	if m.ThreadTS != "" {
		object["thread_ts"] = m.ThreadTS
	} else if count, latest := s.log.thread(m); count > 0 {
		object["thread_ts"], object["reply_count"], object["latest_reply"] = m.TS, count, latest
	}
	if len(m.Reactions) > 0 {
		var reactions []any
		for _, name := range m.Reactions {
			reactions = append(reactions, map[string]any{"name": name, "count": 1, "users": []string{BotUserID}})
		}
		object["reactions"] = reactions
	}
	return object
}

// thread counts the replies to a message.
func (l *messageLog) thread(root *Message) (count int, latest string) {
	for _, m := range l.channels[root.Channel] {
		if m.ThreadTS == root.TS && !m.Deleted && m.EphemeralFor == "" {
			count, latest = count+1, m.TS
		}
	}
	return count, latest
}

// decodeBlocks reads blocks that have been checked; numbers stay as written.
func decodeBlocks(raw json.RawMessage) []map[string]any {
	var blocks []map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if len(raw) > 0 && d.Decode(&blocks) != nil {
		return nil
	}
	return blocks
}

// interactive lists the elements of a block that a person can act on.
func interactive(block map[string]any) []map[string]any {
	candidates := list(block["accessory"])
	if block["type"] == "actions" {
		candidates = list(block["elements"])
	}
	var found []map[string]any
	for _, c := range candidates {
		if element, ok := c.(map[string]any); ok && element["type"] != "image" {
			found = append(found, element)
		}
	}
	return found
}

// list is a JSON value as a list: itself, alone, or nothing.
func list(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

// Button is a button that a message shows, link buttons included.
type Button struct {
	ActionID string
	Label    string
	Value    string
	URL      string // of a link button
	Style    string // primary, danger or empty
}

// Buttons lists what can be clicked now, in order of appearance.
func (m Message) Buttons() []Button {
	var found []Button
	for _, block := range decodeBlocks(m.Blocks) {
		for _, element := range interactive(block) {
			if element["type"] == "button" {
				found = append(found, buttonOf(element))
			}
		}
	}
	return found
}

func buttonOf(element map[string]any) Button {
	label, _ := element["text"].(map[string]any)
	return Button{
		ActionID: str(element, "action_id"), Label: str(label, "text"),
		Value: str(element, "value"), URL: str(element, "url"), Style: str(element, "style"),
	}
}

// str is a string field of an object; "" if it is none.
func str(object map[string]any, key string) string {
	value, _ := object[key].(string)
	return value
}

// action is what a click on an element sends, or the choice of that value in a
// menu; nil if there is no such button, or no such option.
func (m *Message) action(actionID, value string) map[string]any {
	for _, block := range decodeBlocks(m.Blocks) {
		for _, element := range interactive(block) {
			if element["action_id"] != actionID {
				continue
			}
			action := map[string]any{"type": element["type"], "action_id": actionID, "block_id": block["block_id"]}
			switch {
			case element["type"] == "button" && value == "":
				copyKeys(action, element, "text", "value", "style", "url")
			case element["type"] == "users_select" && value != "":
				copyKeys(action, element, "placeholder", "initial_user")
				action["selected_user"] = value
			default:
				chosen := chosenOf(element, value)
				if chosen == nil {
					return nil
				}
				copyKeys(action, element, "placeholder", "initial_option")
				action["selected_option"] = chosen
			}
			return action
		}
	}
	return nil
}

// chosenOf is the option of a menu that has that value; nil if there is none.
func chosenOf(menu map[string]any, value string) map[string]any {
	groups := append(list(menu["option_groups"]), menu)
	for _, g := range groups {
		group, _ := g.(map[string]any)
		for _, o := range list(group["options"]) {
			if option, _ := o.(map[string]any); str(option, "value") == value && value != "" {
				return option
			}
		}
	}
	return nil
}

func copyKeys(to, from map[string]any, keys ...string) {
	for _, key := range keys {
		if value, has := from[key]; has {
			to[key] = value
		}
	}
}
