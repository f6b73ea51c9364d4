package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Command sends a slash command as a person who types it in a channel: text
// arrives as typed, whatever it is. It returns when the bot has acknowledged;
// what the acknowledgement says is shown to the person.
//
// Without an open socket the error is [ErrDispatchFailed]. If the
// acknowledgement takes too long, the envelope is delivered once more, on
// another socket if there is one, and the error is [ErrOperationTimeout]; the
// Ack is then that of the second delivery, if it got one. In HTTP mode see
// [Server.SendOverHTTP].
func (s *Server) Command(ctx context.Context, user, channel, command, text string) (Ack, error) {
	s.mu.Lock()
	u, ch, err := s.who(user, channel)
	if err == nil && !strings.HasPrefix(command, "/") {
		err = fmt.Errorf("command %q does not start with a slash", command)
	}
	if err != nil {
		s.mu.Unlock()
		return Ack{}, err
	}
	h := &hook{channel: channel, user: user, made: s.opt.Now()}
	payload := mustJSON(map[string]any{
		"token":                 "verification-token",
		"team_id":               u.Team,
		"team_domain":           TeamDomain,
		"channel_id":            channel,
		"channel_name":          ch.payloadName(),
		"user_id":               user,
		"user_name":             u.Name,
		"command":               command,
		"text":                  text,
		"api_app_id":            AppID,
		"is_enterprise_install": "false",
		"response_url":          s.hookURL(h),
		"trigger_id":            s.newTrigger(user),
	})
	s.mu.Unlock()

	ack, err := s.deliverTwice(ctx, Envelope{Type: "slash_commands", AcceptsResponse: true, Payload: payload})
	if len(ack.Payload) == 0 || string(ack.Payload) == "null" {
		return ack, err
	}
	return ack, errors.Join(err, s.show(h, ack.Payload))
}

// show puts up what an acknowledgement says.
func (s *Server) show(h *hook, payload json.RawMessage) error {
	a, err := jsonArgs(payload)
	if err != nil {
		return fmt.Errorf("acknowledgement payload: %w", err)
	}
	if a["text"] == "" && a["blocks"] == "" {
		return nil // nothing to show: Slack looks at these only
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.respond(h, a); err != nil {
		return fmt.Errorf("acknowledgement payload: %w", err)
	}
	return nil
}

// Click presses a button as a person who sees it (and says yes to its confirm
// dialog). Link buttons send a payload too. Errors and redelivery are those of
// [Server.Command]; what an acknowledgement carries is ignored, as Slack does.
func (s *Server) Click(ctx context.Context, user string, m MessageRef, actionID string) (Ack, error) {
	return s.interact(ctx, user, m, actionID, "")
}

// Choose picks from a menu as a person who sees it: the option of that value,
// or, of a menu of people, that user. It is like [Server.Click] otherwise.
func (s *Server) Choose(ctx context.Context, user string, m MessageRef, actionID, value string) (Ack, error) {
	if value == "" {
		return Ack{}, fmt.Errorf("nothing is chosen of %q", actionID)
	}
	return s.interact(ctx, user, m, actionID, value)
}

func (s *Server) interact(ctx context.Context, user string, m MessageRef, actionID, value string) (Ack, error) {
	s.mu.Lock()
	payload, err := s.actionPayload(user, m, actionID, value)
	s.mu.Unlock()
	if err != nil {
		return Ack{}, err
	}
	return s.deliverTwice(ctx, Envelope{Type: "interactive", Payload: payload})
}

func (s *Server) actionPayload(user string, ref MessageRef, actionID, value string) (json.RawMessage, error) {
	u, ch, err := s.who(user, ref.Channel)
	if err != nil {
		return nil, err
	}
	m := s.log.find(ref)
	if m == nil || m.Deleted || (m.EphemeralFor != "" && m.EphemeralFor != user) {
		return nil, fmt.Errorf("%s sees no message %s in %s", user, ref.TS, ref.Channel)
	}
	action := m.action(actionID, value)
	if action == nil {
		return nil, fmt.Errorf("message %s in %s has no button %q, or no such option there", ref.TS, ref.Channel, actionID)
	}
	now := s.opt.Now()
	action["action_ts"] = fmt.Sprintf("%d.%06d", now.Unix(), now.Nanosecond()/1000)
	container := map[string]any{
		"type": "message", "message_ts": m.TS, "channel_id": m.Channel,
		"is_ephemeral": m.EphemeralFor != "",
	}
	if m.ThreadTS != "" {
		container["thread_ts"] = m.ThreadTS
	}
	payload := map[string]any{
		"type":                  "block_actions",
		"token":                 "verification-token",
		"api_app_id":            AppID,
		"team":                  map[string]any{"id": TeamID, "domain": TeamDomain},
		"enterprise":            nil,
		"is_enterprise_install": false,
		"user":                  map[string]any{"id": user, "username": u.Name, "name": u.Name, "team_id": u.Team},
		"channel":               map[string]any{"id": ch.ID, "name": ch.payloadName()},
		"container":             container,
		"trigger_id":            s.newTrigger(user),
		"response_url":          s.hookURL(&hook{channel: ref.Channel, user: user, origin: ref, made: now}),
		"state":                 map[string]any{"values": map[string]any{}},
		"actions":               []any{action},
	}
	if m.EphemeralFor == "" { // Slack does not send the text of an ephemeral message back
		payload["message"] = s.messageJSON(m, true)
	}
	return mustJSON(payload), nil
}

// Say posts a text as a person.
func (s *Server) Say(user, channel, text string) (MessageRef, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, _, err := s.who(user, channel); err != nil {
		return MessageRef{}, err
	}
	return s.post(Message{MessageRef: MessageRef{Channel: channel}, User: user, Content: Content{Text: text}}).MessageRef, nil
}

// Delete removes a message as an admin would.
func (s *Server) Delete(ref MessageRef) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.log.find(ref)
	if m == nil || m.Deleted {
		return fmt.Errorf("there is no message %s in %s", ref.TS, ref.Channel)
	}
	s.remove(m)
	return nil
}

// who looks up who acts, and where. The caller holds mu.
func (s *Server) who(user, channel string) (User, Channel, error) {
	u, ok := s.people.users[user]
	if !ok {
		return User{}, Channel{}, fmt.Errorf("there is no user %q: add it with AddUser", user)
	}
	ch, ok := s.people.channels[channel]
	if !ok {
		return User{}, Channel{}, fmt.Errorf("there is no channel %q: add it with AddChannel", channel)
	}
	return u, ch, nil
}

// trigger is a trigger id handed out with a command or a click.
type trigger struct {
	user string
	made time.Time
	used bool
}

// newTrigger makes a trigger id, never the same twice. The caller holds mu.
func (s *Server) newTrigger(user string) string {
	now := s.opt.Now()
	id := fmt.Sprintf("%d.%d.%s", now.UnixMilli(), now.UnixNano()%1e9, newID())
	s.triggers[id] = trigger{user: user, made: now}
	return id
}
