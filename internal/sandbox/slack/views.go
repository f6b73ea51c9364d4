package slack

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

const triggerLife = 3 * time.Second

// View is a modal or Home tab that the bot has put up for a person.
type View struct {
	ID   string
	User string // who sees it
	Type string // modal or home
	View json.RawMessage
}

// Views lists what a person has been shown, oldest first.
func (s *Server) Views(user string) []View {
	s.mu.Lock()
	defer s.mu.Unlock()
	var shown []View
	for _, v := range s.views {
		if v.User == user {
			shown = append(shown, v)
		}
	}
	slices.SortFunc(shown, func(a, b View) int { return cmp.Compare(a.ID, b.ID) })
	return shown
}

// openView is views.open: a modal for who caused the trigger, at most 3 s ago.
func (s *Server) openView(a args) (reply, error) {
	t, ok := s.triggers[a["trigger_id"]]
	switch {
	case !ok:
		return nil, &apiError{code: "invalid_trigger_id"}
	case t.used:
		return nil, &apiError{code: "exchanged_trigger_id"}
	case s.opt.Now().Sub(t.made) > triggerLife:
		return nil, &apiError{code: "expired_trigger_id"}
	}
	v, err := s.newView(t.user, a["view"], "modal")
	if err != nil {
		return nil, err
	}
	t.used = true
	s.triggers[a["trigger_id"]] = t
	return s.putView(v), nil
}

// updateView is views.update.
func (s *Server) updateView(a args) (reply, error) {
	old, ok := s.views[a["view_id"]]
	if !ok {
		return nil, &apiError{code: "not_found"}
	}
	v, err := s.newView(old.User, a["view"], old.Type)
	if err != nil {
		return nil, err
	}
	v.ID = old.ID
	return s.putView(v), nil
}

// publishView is views.publish: the Home tab of a person, of which there is one.
func (s *Server) publishView(a args) (reply, error) {
	if _, ok := s.people.users[a["user_id"]]; !ok {
		return nil, &apiError{code: "user_not_found"}
	}
	v, err := s.newView(a["user_id"], a["view"], "home")
	if err != nil {
		return nil, err
	}
	for id, old := range s.views {
		if old.User == v.User && old.Type == "home" {
			v.ID = id
		}
	}
	return s.putView(v), nil
}

func (s *Server) newView(user, raw, kind string) (View, error) {
	if err := checkView([]byte(raw), kind); err != nil {
		return View{}, err
	}
	return View{ID: fmt.Sprintf("V%08d", len(s.views)+1), User: user, Type: kind, View: json.RawMessage(raw)}, nil
}

func (s *Server) putView(v View) reply {
	s.views[v.ID] = v
	s.touch()
	var shown map[string]any
	_ = json.Unmarshal(v.View, &shown) // it has been checked
	shown["id"], shown["team_id"], shown["app_id"], shown["bot_id"] = v.ID, TeamID, AppID, BotID
	return reply{"view": shown}
}
