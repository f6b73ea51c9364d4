package slack

import (
	"encoding/base64"
	"slices"
	"strconv"
)

// readable is the channel if the bot may read there with the scope that its
// kind needs: kind + suffix. The caller holds mu.
func (s *Server) readable(id, suffix string, members bool) (Channel, error) {
	ch, ok := s.people.channels[id]
	if !ok || (ch.hidden() && !ch.BotIsMember) {
		return Channel{}, &apiError{code: "channel_not_found"}
	}
	if err := s.need(ch.kind() + suffix); err != nil {
		return Channel{}, err
	}
	if members && !ch.BotIsMember {
		return Channel{}, &apiError{code: "not_in_channel"}
	}
	return ch, nil
}

// channelInfo is conversations.info.
func (s *Server) channelInfo(a args) (reply, error) {
	ch, err := s.readable(a["channel"], ":read", false)
	if err != nil {
		return nil, err
	}
	return reply{"channel": map[string]any{
		"id":              ch.ID,
		"name":            ch.Name,
		"name_normalized": ch.Name,
		"is_channel":      !ch.hidden(),
		"is_group":        ch.Private,
		"is_im":           ch.IM,
		"is_mpim":         ch.MPIM,
		"is_private":      ch.hidden(),
		"is_archived":     ch.Archived,
		"is_member":       ch.BotIsMember,
		"is_shared":       ch.Shared,
		"is_ext_shared":   ch.Shared,
		"is_org_shared":   false,
		"context_team_id": TeamID,
	}}, nil
}

// history is conversations.history: newest first, without replies.
func (s *Server) history(a args) (reply, error) {
	if _, err := s.readable(a["channel"], ":history", true); err != nil {
		return nil, err
	}
	shown := s.between(a, func(m *Message) bool { return m.ThreadTS == "" || m.ThreadTS == m.TS || m.Broadcast })
	slices.Reverse(shown)
	return s.page(shown, a)
}

// replies is conversations.replies: a thread, oldest first, its root included.
func (s *Server) replies(a args) (reply, error) {
	if _, err := s.readable(a["channel"], ":history", true); err != nil {
		return nil, err
	}
	root := s.log.find(MessageRef{a["channel"], a["ts"]})
	if root == nil || root.EphemeralFor != "" {
		return nil, &apiError{code: "thread_not_found"}
	}
	return s.page(s.between(a, func(m *Message) bool { return m.TS == root.TS || m.ThreadTS == root.TS }), a)
}

// between lists the messages that anybody sees, by the arguments oldest,
// latest and inclusive. The caller holds mu.
func (s *Server) between(a args, keep func(*Message) bool) []*Message {
	in := func(ts string) bool {
		switch {
		case ts == a["oldest"], ts == a["latest"]:
			return a.is("inclusive")
		case a["latest"] != "" && after(ts, a["latest"]):
			return false
		}
		return a["oldest"] == "" || after(ts, a["oldest"])
	}
	var shown []*Message
	for _, m := range s.log.channels[a["channel"]] {
		if !m.Deleted && m.EphemeralFor == "" && in(m.TS) && keep(m) {
			shown = append(shown, m)
		}
	}
	return shown
}

// after compares two times in Slack's form. One that is no number is zero.
func after(ts, other string) bool {
	a, _ := strconv.ParseFloat(ts, 64)
	b, _ := strconv.ParseFloat(other, 64)
	return a > b
}

// page cuts one page out of a list, by the arguments limit and cursor.
func (s *Server) page(all []*Message, a args) (reply, error) {
	limit := 100
	if a["limit"] != "" && a["limit"] != "0" {
		n, err := strconv.Atoi(a["limit"])
		if err != nil || n < 1 || n > 999 {
			return nil, &apiError{code: "invalid_limit"}
		}
		limit = n
	}
	start := 0
	if a["cursor"] != "" {
		ts, err := base64.StdEncoding.DecodeString(a["cursor"])
		start = slices.IndexFunc(all, func(m *Message) bool { return m.TS == string(ts) })
		if err != nil || start < 0 {
			return nil, &apiError{code: "invalid_cursor"}
		}
	}
	end := min(start+limit, len(all))
	shown := []any{}
	for _, m := range all[start:end] {
		shown = append(shown, s.messageJSON(m, a.is("include_all_metadata")))
	}
	next := ""
	if end < len(all) {
		next = base64.StdEncoding.EncodeToString([]byte(all[end].TS))
	}
	return reply{
		"messages": shown, "has_more": next != "",
		"response_metadata": map[string]any{"next_cursor": next},
	}, nil
}
