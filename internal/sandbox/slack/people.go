package slack

import (
	"maps"
	"slices"
)

// User is a person, or another bot.
type User struct {
	ID            string
	Name          string // as in @name
	RealName      string
	Team          string // TeamID if empty
	Guest         bool   // a multi-channel guest (is_restricted)
	SingleChannel bool   // a single-channel guest (is_ultra_restricted)
	Bot           bool
	Deleted       bool
	Stranger      bool // of another organisation, seen through a shared channel
}

// Group is a user group: @handle.
type Group struct {
	ID     string
	Handle string
	Users  []string // user ids
}

// Channel is a conversation of any kind.
type Channel struct {
	ID          string
	Name        string
	Private     bool
	IM          bool // a direct message
	MPIM        bool // a direct message of several people
	Shared      bool // with another organisation
	Archived    bool
	BotIsMember bool
}

// hidden tells the conversations that a non-member cannot even see.
func (c Channel) hidden() bool { return c.Private || c.IM || c.MPIM }

// payloadName is the channel_name of slash commands and clicks: Slack names
// private conversations by their kind only.
func (c Channel) payloadName() string {
	switch {
	case c.IM:
		return "directmessage"
	case c.MPIM:
		return c.Name
	case c.Private:
		return "privategroup"
	}
	return c.Name
}

// kind is how the scopes call this kind of conversation: kind + ":history".
func (c Channel) kind() string {
	switch {
	case c.IM:
		return "im"
	case c.MPIM:
		return "mpim"
	case c.Private:
		return "groups"
	}
	return "channels"
}

// people is who and what there is in the workspace. Guarded by Server.mu.
type people struct {
	users    map[string]User
	groups   map[string]Group
	groupIDs []string // in order of addition
	channels map[string]Channel
}

func newPeople() people {
	return people{
		users: map[string]User{BotUserID: {
			ID: BotUserID, Name: "promoter", RealName: "Promoter", Team: TeamID, Bot: true,
		}},
		groups:   map[string]Group{},
		channels: map[string]Channel{},
	}
}

// AddUser adds a person, or replaces the one of that id.
func (s *Server) AddUser(u User) {
	if u.Team == "" {
		u.Team = TeamID
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.people.users[u.ID] = u
	s.touch()
}

// AddGroup adds a user group, or replaces the one of that id.
func (s *Server) AddGroup(g Group) {
	g.Users = slices.Clone(g.Users)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.people.groups[g.ID]; !known {
		s.people.groupIDs = append(s.people.groupIDs, g.ID)
	}
	s.people.groups[g.ID] = g
	s.touch()
}

// AddChannel adds a channel, or replaces the one of that id; its messages stay.
func (s *Server) AddChannel(c Channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.people.channels[c.ID] = c
	s.touch()
}

// Directory lists who and what there is in the workspace, in no order.
func (s *Server) Directory() ([]User, []Group, []Channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.people
	return slices.Collect(maps.Values(p.users)), slices.Collect(maps.Values(p.groups)), slices.Collect(maps.Values(p.channels))
}

// authTest is auth.test.
func (s *Server) authTest(args) (reply, error) {
	return reply{
		"url": "https://" + TeamDomain + ".slack.com/", "team": "Sandbox", "team_id": TeamID,
		"user": s.people.users[BotUserID].Name, "user_id": BotUserID, "bot_id": BotID,
		"is_enterprise_install": false,
	}, nil
}

// userInfo is users.info.
func (s *Server) userInfo(a args) (reply, error) {
	u, ok := s.people.users[a["user"]]
	if !ok {
		return nil, &apiError{code: "user_not_found"}
	}
	user := map[string]any{
		"id": u.ID, "team_id": u.Team, "name": u.Name, "real_name": u.RealName,
		"deleted": u.Deleted, "is_bot": u.Bot, "is_app_user": false,
		"is_restricted":       u.Guest || u.SingleChannel,
		"is_ultra_restricted": u.SingleChannel,
		"profile": map[string]any{
			"real_name": u.RealName, "display_name": u.Name, "team": u.Team,
			"real_name_normalized": u.RealName, "display_name_normalized": u.Name,
		},
	}
	if u.Stranger { // sent for people of other organisations only
		user["is_stranger"] = true
	}
	return reply{"user": user}, nil
}

// botInfo is bots.info.
func (s *Server) botInfo(a args) (reply, error) {
	if a["bot"] != BotID {
		return nil, &apiError{code: "bot_not_found"}
	}
	name := s.people.users[BotUserID].Name
	return reply{"bot": map[string]any{
		"id": BotID, "deleted": false, "name": name, "user_id": BotUserID, "app_id": AppID,
	}}, nil
}

// groupList is usergroups.list.
func (s *Server) groupList(a args) (reply, error) {
	groups := []any{}
	for _, id := range s.people.groupIDs {
		g := s.people.groups[id]
		group := map[string]any{
			"id": g.ID, "team_id": TeamID, "is_usergroup": true, "handle": g.Handle, "name": g.Handle,
			"date_delete": 0, "user_count": len(g.Users),
		}
		if a.is("include_users") {
			group["users"] = append([]string{}, g.Users...)
		}
		groups = append(groups, group)
	}
	return reply{"usergroups": groups}, nil
}

// groupUsers is usergroups.users.list.
func (s *Server) groupUsers(a args) (reply, error) {
	g, ok := s.people.groups[a["usergroup"]]
	if !ok {
		return nil, &apiError{code: "no_such_subteam"}
	}
	return reply{"users": append([]string{}, g.Users...)}, nil
}
