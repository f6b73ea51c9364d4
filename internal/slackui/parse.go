package slackui

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/slackui/card"
)

// The kinds of deliveries, as Socket Mode names them.
const (
	kindCommand     = "slash_commands"
	kindInteraction = "interactive"
)

// delivery is something that Slack hands over.
type delivery struct {
	key     string // the same for every delivery of one request
	row     []byte // what is stored of it
	reply   string // the response address; a credential
	replies bool   // the acknowledgement may carry a message
}

// stored is a row of the inbox.
type stored struct {
	Kind    string          `json:"kind"`
	At      time.Time       `json:"at"`
	Payload json.RawMessage `json:"payload"`
}

// payload is what is read of a command or an interaction. Slack adds fields at
// any time, so the others are passed over.
type payload struct {
	Type        string `json:"type"`
	TriggerID   string `json:"trigger_id"`
	ResponseURL string `json:"response_url"`

	Command     string `json:"command"`
	Text        string `json:"text"`
	UserID      string `json:"user_id"`
	UserName    string `json:"user_name"`
	ChannelID   string `json:"channel_id"`
	ChannelName string `json:"channel_name"`

	User struct {
		ID       string `json:"id"`
		Name     string `json:"name"`
		Username string `json:"username"`
	} `json:"user"`
	Channel struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"channel"`
	Container struct {
		IsEphemeral bool `json:"is_ephemeral"`
	} `json:"container"`
	Actions []struct {
		ActionID string `json:"action_id"`
		Value    string `json:"value"`
	} `json:"actions"`
}

// errNotForUs is a delivery that only wants an acknowledgement: a link that was
// opened, an event, a kind of interaction that no message of ours starts.
var errNotForUs = errors.New("nothing to do")

// open reads what a delivery is. The key is that of the person's act, not of
// the envelope: Slack puts a retry into a new one.
func open(kind, envelope string, raw json.RawMessage, now time.Time) (delivery, error) {
	if kind != kindCommand && kind != kindInteraction {
		return delivery{}, errNotForUs
	}
	var p payload
	if err := json.Unmarshal(raw, &p); err != nil {
		return delivery{}, fmt.Errorf("reading a %s delivery: %w", kind, err)
	}
	if kind == kindInteraction {
		if _, _, ok := p.click(); !ok {
			return delivery{}, errNotForUs
		}
	}
	id := p.TriggerID
	if id == "" {
		id = envelope
	}
	if id == "" {
		return delivery{}, fmt.Errorf("a %s delivery has no id", kind)
	}
	row, err := json.Marshal(stored{kind, now.UTC(), raw})
	if err != nil {
		return delivery{}, fmt.Errorf("storing a %s delivery: %w", kind, err)
	}
	return delivery{key: kind + ":" + id, row: row, reply: p.ResponseURL}, nil
}

// click is the button of ours that was pressed.
func (p payload) click() (name, subject string, ok bool) {
	if p.Type != "block_actions" {
		return "", "", false
	}
	for _, a := range p.Actions {
		if name, ok := card.Clicked(a.ActionID); ok {
			return name, a.Value, true
		}
	}
	return "", "", false
}

// parseRequest reads an accepted request. What was typed is passed on as it came.
func parseRequest(row Accepted) (release.Request, error) {
	var s stored
	var p payload
	if err := json.Unmarshal(row.Payload, &s); err != nil {
		return release.Request{}, fmt.Errorf("reading the row: %w", err)
	}
	if err := json.Unmarshal(s.Payload, &p); err != nil {
		return release.Request{}, fmt.Errorf("reading the payload: %w", err)
	}
	r := release.Request{Delivery: row.Key, At: s.At, Reply: p.ResponseURL}
	if s.Kind == kindCommand {
		r.Command, r.Text = strings.TrimPrefix(p.Command, "/"), p.Text
		r.By = release.Person{ID: p.UserID, Name: p.UserName}
		r.Channel = channel(p.ChannelID, p.ChannelName)
	} else {
		name, subject, ok := p.click()
		if !ok {
			return release.Request{}, errNotForUs
		}
		// "reset-dev.confirm" is the button "confirm" of /reset-dev.
		r.Command, r.Click, ok = strings.Cut(name, ".")
		if !ok {
			r.Command, r.Click = "", name
		}
		r.Subject = subject
		r.By = release.Person{ID: p.User.ID, Name: p.User.Username}
		if r.By.Name == "" {
			r.By.Name = p.User.Name
		}
		r.Channel = channel(p.Channel.ID, p.Channel.Name)
		if !p.Container.IsEphemeral {
			r.Reply = "" // it could replace a message that everybody sees
		}
	}
	if r.By.ID == "" || r.Channel.ID == "" {
		return release.Request{}, errors.New("it does not say who asks, or where")
	}
	return r, nil
}

// channel tells direct and group messages, in which the bot has no part, by
// their id or by the names that Slack gives them.
func channel(id, name string) release.Channel {
	direct := strings.HasPrefix(id, "D") || name == "directmessage" || strings.HasPrefix(name, "mpdm-")
	return release.Channel{ID: id, Direct: direct}
}
