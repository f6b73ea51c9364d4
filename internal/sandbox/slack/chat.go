package slack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Limits of a message's text in characters: longer ones are refused with
// msg_too_long. (Slack truncates a post past 40,000; a bot should not count on it.)
const (
	maxPostText   = 40_000
	maxUpdateText = 4_000
)

// contentOf reads what a message is to say. Blocks that are not given are nil;
// an empty list is given, and means none.
func contentOf(a args, maxText int) (Content, error) {
	if raw := a["attachments"]; raw != "" && raw != "[]" {
		return Content{}, &apiError{code: "invalid_attachments", problems: []string{"this stand-in knows blocks only"}}
	}
	c := Content{Text: a["text"]}
	if utf8.RuneCountInString(c.Text) > maxText {
		return Content{}, &apiError{code: "msg_too_long"}
	}
	if raw := a["blocks"]; raw != "" {
		if err := checkBlocks([]byte(raw), onMessage); err != nil {
			return Content{}, err
		}
		c.Blocks = json.RawMessage(raw)
	}
	if raw := a["metadata"]; raw != "" {
		if err := checkMetadata([]byte(raw)); err != nil {
			return Content{}, err
		}
		c.Metadata = json.RawMessage(raw)
	}
	if c.Text == "" && emptyList(c.Blocks) {
		return Content{}, &apiError{code: "no_text"}
	}
	return c, nil
}

func emptyList(raw json.RawMessage) bool {
	return len(raw) == 0 || bytes.Equal(bytes.Join(bytes.Fields(raw), nil), []byte("[]"))
}

// fillIDs gives every block and action without an id one, as Slack does. The
// blocks have been checked. The caller holds mu.
func (s *Server) fillIDs(c Content) Content {
	if emptyList(c.Blocks) {
		c.Blocks = nil
		return c
	}
	fill := func(object map[string]any, key string) {
		if _, has := object[key]; !has {
			s.log.blocks++
			object[key] = fmt.Sprintf("%s%d", key[:1], s.log.blocks)
		}
	}
	blocks := decodeBlocks(c.Blocks)
	for _, block := range blocks {
		fill(block, "block_id")
		for _, element := range interactive(block) {
			fill(element, "action_id")
		}
	}
	c.Blocks = mustJSON(blocks)
	return c
}

// writable is the channel if the bot may post there. The caller holds mu.
func (s *Server) writable(id string, public bool) error {
	ch, ok := s.people.channels[id]
	switch {
	case !ok:
		return &apiError{code: "channel_not_found"}
	case ch.Archived:
		return &apiError{code: "is_archived"}
	case ch.BotIsMember:
		return nil
	case ch.hidden():
		return &apiError{code: "channel_not_found"}
	case public && s.need("chat:write.public") == nil:
		return nil
	}
	return &apiError{code: "not_in_channel"}
}

// postMessage is chat.postMessage.
func (s *Server) postMessage(a args) (reply, error) {
	if err := s.writable(a["channel"], true); err != nil {
		return nil, err
	}
	c, err := contentOf(a, maxPostText)
	if err != nil {
		return nil, err
	}
	if thread := a["thread_ts"]; thread != "" {
		if root := s.log.find(MessageRef{a["channel"], thread}); root == nil || root.Deleted || root.EphemeralFor != "" {
			return nil, &apiError{code: "thread_not_found"}
		}
	}
	m := s.post(Message{
		MessageRef: MessageRef{Channel: a["channel"]},
		Content:    s.fillIDs(c),
		ThreadTS:   a["thread_ts"],
		Broadcast:  a.is("reply_broadcast"),
		User:       BotUserID,
	})
	return withoutTextWarning(m, reply{"channel": m.Channel, "ts": m.TS, "message": s.messageJSON(m, true)}), nil
}

// withoutTextWarning adds Slack's warning about blocks without a fallback text.
func withoutTextWarning(m *Message, r reply) reply {
	if m.Text == "" {
		r["warning"] = "missing_text_in_message"
		r["response_metadata"] = map[string]any{"warnings": []string{"missing_text_in_message"}}
	}
	return r
}

// postEphemeral is chat.postEphemeral. Whether chat:write.public is enough for
// it is not documented, so here the bot must be a member.
func (s *Server) postEphemeral(a args) (reply, error) {
	if err := s.writable(a["channel"], false); err != nil {
		return nil, err
	}
	if _, ok := s.people.users[a["user"]]; !ok {
		return nil, &apiError{code: "user_not_in_channel"}
	}
	c, err := contentOf(a, maxPostText)
	if err != nil {
		return nil, err
	}
	c.Metadata = nil // no argument of this method
	m := s.post(Message{
		MessageRef:   MessageRef{Channel: a["channel"]},
		Content:      s.fillIDs(c),
		ThreadTS:     a["thread_ts"],
		User:         BotUserID,
		EphemeralFor: a["user"],
	})
	return withoutTextWarning(m, reply{"message_ts": m.TS}), nil
}

// own is a message of the bot's that it may change. Ephemeral ones are not
// known by their ts. The caller holds mu.
func (s *Server) own(a args, refused string) (*Message, error) {
	if _, ok := s.people.channels[a["channel"]]; !ok {
		return nil, &apiError{code: "channel_not_found"}
	}
	m := s.log.find(MessageRef{a["channel"], a["ts"]})
	switch {
	case m == nil, m.Deleted, m.EphemeralFor != "":
		return nil, &apiError{code: "message_not_found"}
	case m.User != BotUserID:
		return nil, &apiError{code: refused}
	}
	return m, nil
}

// updateMessage is chat.update: a text without blocks removes the blocks;
// metadata that is not given stays.
func (s *Server) updateMessage(a args) (reply, error) {
	m, err := s.own(a, "cant_update_message")
	if err != nil {
		return nil, err
	}
	c, err := contentOf(a, maxUpdateText)
	if err != nil {
		return nil, err
	}
	if c.Metadata == nil {
		c.Metadata = m.Metadata
	}
	s.update(m, s.fillIDs(c))
	return withoutTextWarning(m, reply{
		"channel": m.Channel, "ts": m.TS, "text": m.Text, "message": s.messageJSON(m, true),
	}), nil
}

// deleteMessage is chat.delete.
func (s *Server) deleteMessage(a args) (reply, error) {
	m, err := s.own(a, "cant_delete_message")
	if err != nil {
		return nil, err
	}
	s.remove(m)
	return reply{"channel": m.Channel, "ts": m.TS}, nil
}

// permalink is chat.getPermalink.
func (s *Server) permalink(a args) (reply, error) {
	ref := MessageRef{a["channel"], a["message_ts"]}
	ch, ok := s.people.channels[ref.Channel]
	if !ok || (ch.hidden() && !ch.BotIsMember) {
		return nil, &apiError{code: "channel_not_found"}
	}
	m := s.log.find(ref)
	if m == nil || m.Deleted || m.EphemeralFor != "" {
		return nil, &apiError{code: "message_not_found"}
	}
	link := fmt.Sprintf("https://%s.slack.com/archives/%s/p%s", TeamDomain, m.Channel, digits(m.TS))
	if m.ThreadTS != "" {
		link += "?thread_ts=" + m.ThreadTS + "&cid=" + m.Channel
	}
	return reply{"channel": m.Channel, "permalink": link}, nil
}

func digits(ts string) string {
	return string(bytes.ReplaceAll([]byte(ts), []byte("."), nil))
}

// addReaction is reactions.add.
func (s *Server) addReaction(a args) (reply, error) {
	m := s.log.find(MessageRef{a["channel"], a["timestamp"]})
	switch {
	case m == nil, m.Deleted, m.EphemeralFor != "":
		return nil, &apiError{code: "message_not_found"}
	case a["name"] == "":
		return nil, &apiError{code: "invalid_name"}
	case slices.Contains(m.Reactions, a["name"]):
		return nil, &apiError{code: "already_reacted"}
	}
	m.Reactions = append(m.Reactions, a["name"])
	s.happened(m, Reaction, Reaction)
	return nil, nil
}
