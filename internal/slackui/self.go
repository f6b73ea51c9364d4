package slackui

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// identity is who the bot is in Slack.
type identity struct {
	Team string // workspace id
	User string // the bot's user id
	Bot  string // the bot's id, as its messages carry it
	Name string
	// Scopes are what the token may be used for, comma-separated; "" if Slack
	// did not say.
	Scopes string
}

// self keeps the identity once it is known.
type self struct {
	mu    sync.Mutex
	known identity
}

// me is who the bot is. It asks Slack unless it is known.
func (u *UI) me(ctx context.Context) (identity, error) {
	u.self.mu.Lock()
	known := u.self.known
	u.self.mu.Unlock()
	if known.Team != "" {
		return known, nil
	}
	var found identity
	err := u.repeat(ctx, "asking Slack who the bot is", func(ctx context.Context) (err error) {
		found, err = u.authTest(ctx)
		return err
	})
	return found, err
}

// The scopes without which nothing works, and those without which something is
// done in a poorer way.
var (
	neededScopes = []string{"commands", "chat:write", "users:read"}
	wantedScopes = map[string]string{
		"channels:read":     "whether a public channel is shared with another organisation cannot be seen, so it is taken to be",
		"groups:read":       "whether a private channel is shared with another organisation cannot be seen, so it is taken to be",
		"channels:history":  "a message whose posting was not confirmed cannot be looked for, so it may appear twice",
		"groups:history":    "a message whose posting was not confirmed cannot be looked for in a private channel, so it may appear twice",
		"chat:write.public": "the bot must be invited to each channel before it can post",
	}
)

// errScopes are scopes that the app lacks.
type errScopes []string

func (e errScopes) Error() string {
	return fmt.Sprintf("slack refuses the bot (missing_scope): add %s to the app's bot scopes, reinstall it and renew SLACK_BOT_TOKEN", strings.Join(e, ", "))
}

// authTest asks who the bot is and remembers it. Slack names the token's scopes
// beside the answer; a stand-in may not.
func (u *UI) authTest(ctx context.Context) (identity, error) {
	answer, err := u.slack.AuthTestContext(ctx)
	if err != nil {
		return identity{}, err
	}
	if answer.TeamID == "" || answer.UserID == "" {
		return identity{}, errors.New("slack did not say who the bot is")
	}
	if scopes := answer.Header.Get("X-OAuth-Scopes"); scopes != "" {
		needed := neededScopes
		if u.cfg.Groups {
			needed = append(needed[:len(needed):len(needed)], "usergroups:read")
		}
		if lacking := missing(scopes, needed...); lacking != nil {
			return identity{}, errScopes(lacking)
		}
	}
	found := identity{
		Team: answer.TeamID, User: answer.UserID, Bot: answer.BotID, Name: answer.User,
		Scopes: answer.Header.Get("X-OAuth-Scopes"),
	}
	u.self.mu.Lock()
	u.self.known = found
	u.self.mu.Unlock()
	return found, nil
}

// signIn finds out who the bot is. It waits for Slack as long as it takes, and
// returns only a fatal error or the end of ctx.
func (u *UI) signIn(ctx context.Context) error {
	for pause := u.times.pause; ; pause = min(2*pause, 30*time.Second) {
		err := u.checkToken(ctx)
		if err == nil {
			u.regret(ctx)
			return nil
		}
		if no := fatalToken(err); no != nil {
			return no
		}
		u.log.WarnContext(ctx, "signing in to Slack", "err", err, "again_in", pause)
		if !sleep(ctx, pause) {
			return ctx.Err()
		}
	}
}

// regret logs what is done in a poorer way for want of a scope.
func (u *UI) regret(ctx context.Context) {
	me, err := u.me(ctx)
	if err != nil || me.Scopes == "" {
		return
	}
	for _, scope := range missing(me.Scopes, slices.Sorted(maps.Keys(wantedScopes))...) {
		u.log.WarnContext(ctx, "the app lacks a scope", "scope", scope, "so", wantedScopes[scope])
	}
}

// watchToken notices a token that is revoked while the bot runs: the sockets,
// which have a token of their own, would stay open.
func (u *UI) watchToken(ctx context.Context) error {
	for sleep(ctx, u.times.check) {
		if no := fatalToken(u.checkToken(ctx)); no != nil {
			return no
		}
	}
	return ctx.Err()
}

func (u *UI) checkToken(ctx context.Context) error {
	err := u.call(ctx, func(ctx context.Context) error {
		_, err := u.authTest(ctx)
		return err
	})
	u.state.setToken(err)
	return err
}

func fatalToken(err error) error {
	if lacking, ok := errors.AsType[errScopes](err); ok {
		return lacking
	}
	return fatal("SLACK_BOT_TOKEN", err)
}

// state is how the bot stands towards Slack.
type state struct {
	mu      sync.Mutex
	web     bool // HTTP mode, which has no sockets
	sockets [2]bool
	token   error
	checked bool
}

func (s *state) setSocket(n int, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sockets[n] = open
}

func (s *state) setToken(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token, s.checked = err, true
}

func (s *state) ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.checked:
		return errors.New("slack has not been asked yet")
	case s.token != nil:
		return fmt.Errorf("slack does not take the bot's token: %w", s.token)
	case !s.web && !s.sockets[0] && !s.sockets[1]:
		return errors.New("no socket to Slack is open")
	}
	return nil
}
