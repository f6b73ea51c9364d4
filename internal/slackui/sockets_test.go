package slackui

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/synestra/promoter/internal/release"
	sandbox "github.com/synestra/promoter/internal/sandbox/slack"
)

// runUntilFatal runs a UI that must give up by itself.
func (b *bench) runUntilFatal() error {
	b.t.Helper()
	u := b.ready()
	ctx, stop := context.WithTimeout(b.t.Context(), patience)
	defer stop()
	err := u.Run(ctx)
	if ctx.Err() != nil {
		b.t.Fatalf("Run did not give up\n%s", b.log)
	}
	return err
}

func TestFatalErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	const bot, app = "xoxb-sandbox", "xapp-sandbox"
	for _, row := range []struct{ token, code, says string }{
		{bot, "invalid_auth", "check SLACK_BOT_TOKEN"},
		{bot, "account_inactive", "reinstall the app"},
		{bot, "token_revoked", "renew SLACK_BOT_TOKEN"},
		{bot, "token_expired", "renew SLACK_BOT_TOKEN"},
		{bot, "not_allowed_token_type", "xoxb-"},
		{app, "invalid_auth", "check SLACK_APP_TOKEN"},
		{app, "not_authed", "check SLACK_APP_TOKEN"},
		{app, "account_inactive", "reinstall the app"},
		{app, "token_revoked", "renew SLACK_APP_TOKEN"},
		{app, "token_expired", "renew SLACK_APP_TOKEN"},
		{app, "not_allowed_token_type", "xapp-"},
		{app, "team_access_not_granted", "reinstall the app"},
	} {
		t.Run(row.token+" "+row.code, func(t *testing.T) {
			b := newBench(t, sandbox.Options{})
			b.Revoke(row.token, row.code)
			err := b.runUntilFatal()
			if err == nil || !strings.Contains(err.Error(), row.says) || !strings.Contains(err.Error(), row.code) {
				t.Errorf("Run ended with %v, want advice with %q", err, row.says)
			}
		})
	}
}

func TestMissingScopeOfTheAppToken(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	b.MissingScope("apps.connections.open", "connections:write")
	if err := b.runUntilFatal(); err == nil || !strings.Contains(err.Error(), "connections:write") || !strings.Contains(err.Error(), "SLACK_APP_TOKEN") {
		t.Errorf("Run ended with %v", err)
	}
}

func TestWrongAddressIsFatal(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	nowhere := httptest.NewServer(http.NotFoundHandler())
	defer nowhere.Close()
	b.cfg.APIURL = nowhere.URL
	if err := b.runUntilFatal(); err == nil || !strings.Contains(err.Error(), "slack.api_url") {
		t.Errorf("Run ended with %v", err)
	}
}

// Slack names the token's scopes in a header.
func TestScopesAreCheckedBeforeAnythingIsDone(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	target, err := url.Parse(b.APIURL())
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		scopes, lacks string
		groups        bool
	}{
		{"commands,chat:write,users:read,usergroups:read", "", true},
		{"commands, chat:write, users:read", "", false},
		{"commands,chat:write,users:read", "usergroups:read", true},
		{"commands,chat:write.public", "chat:write, users:read", false},
	} {
		front := httptest.NewServer(&httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host },
			ModifyResponse: func(r *http.Response) error {
				r.Header.Set("X-OAuth-Scopes", row.scopes)
				return nil
			},
		})
		b.cfg.APIURL, b.cfg.Groups = front.URL+"/api/", row.groups
		u := b.ready()
		_, err := u.authTest(t.Context())
		u.regret(t.Context())
		front.Close()
		if row.lacks == "" && err != nil || row.lacks != "" && (err == nil || !strings.Contains(err.Error(), "add "+row.lacks+" to")) {
			t.Errorf("scopes %q: %v, want %q to be missing", row.scopes, err, row.lacks)
		}
		if lacking, fatal := errors.AsType[errScopes](fatalToken(err)); row.lacks != "" && !fatal {
			t.Errorf("scopes %q: %v is not fatal", row.scopes, lacking)
		}
	}
}

func TestPoorerScopesAreNamed(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	u := b.ready()
	u.self.known = identity{Team: "T", Scopes: "commands,chat:write,users:read,channels:history,groups:history,chat:write.public"}
	u.regret(t.Context())
	log := b.log.String()
	for scope, named := range map[string]bool{"channels:read": true, "groups:read": true, "channels:history": false, "chat:write.public": false} {
		if strings.Contains(log, `"scope":"`+scope+`"`) != named {
			t.Errorf("scope %s is named: %v, want %v:\n%s", scope, !named, named, log)
		}
	}
}

func TestTokenRevokedWhileRunning(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	u := b.ready()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- u.Run(ctx) }()
	b.until("both sockets are open", func() bool { return b.Sockets() == 2 && u.Ready() == nil })
	b.Revoke("xoxb-sandbox", "token_revoked")
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "SLACK_BOT_TOKEN") {
		t.Errorf("Run ended with %v", err)
	}
	if err := u.Ready(); err == nil {
		t.Error("ready with a revoked token")
	}
}

func TestTransientErrorsAreWaitedOut(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	b.FailNext("auth.test", 1, sandbox.Fault{Status: http.StatusServiceUnavailable})
	b.FailNext("auth.test", 1, sandbox.Fault{DropReply: true})
	b.FailNext("apps.connections.open", 2, sandbox.Fault{Status: http.StatusBadGateway})
	b.FailNext("apps.connections.open", 1, sandbox.Fault{Error: "internal_error"})
	b.FailNext("apps.connections.open", 1, sandbox.Fault{Error: "ratelimited", RetryAfter: time.Second})
	u := b.ready()
	if err := u.Ready(); err == nil {
		t.Error("ready before it runs")
	}
	b.run()
	b.promote(team, "x")
	b.done(1)
}

func TestSocketsComeBack(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		lose func(b *bench)
	}{
		{"one cut", func(b *bench) { b.Cut(1) }},
		{"both cut", func(b *bench) { b.Cut(2) }},
		{"one refreshed", func(b *bench) { b.Disconnect("refresh_requested", 1) }},
		{"both refreshed", func(b *bench) { b.Disconnect("refresh_requested", 2) }},
		{"warned", func(b *bench) { b.Disconnect("warning", 2) }},
		{"one silent", func(b *bench) { b.Silence(1) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := newBench(t, sandbox.Options{AckTimeout: 300 * time.Millisecond})
			b.times.ping = 400 * time.Millisecond
			b.run()
			opened := b.Calls("apps.connections.open")
			row.lose(b)
			b.until("a socket was opened anew", func() bool { return b.Calls("apps.connections.open") > opened })
			b.until("both sockets are open", func() bool { return b.Sockets() == 2 && b.ui.Ready() == nil })
			b.promote(team, "x")
			b.done(1)
		})
	}
}

// While one socket is gone the other takes what comes.
func TestNothingIsLostWhileOneSocketIsGone(t *testing.T) {
	b := running(t)
	b.FailNext("apps.connections.open", 1000, sandbox.Fault{Status: http.StatusBadGateway})
	b.Cut(1)
	b.until("one socket is left", func() bool { return b.Sockets() == 1 })
	for range 5 {
		b.promote(team, "x")
	}
	b.done(5)
	if err := b.ui.Ready(); err != nil {
		t.Errorf("not ready with one socket: %v", err)
	}
	b.Cut(1)
	b.until("it is not ready", func() bool { return b.ui.Ready() != nil })
}

// Both sockets get envelopes, and each is acknowledged where it came by: the
// stand-in takes an acknowledgement on no other.
func TestBothSocketsAreUsed(t *testing.T) {
	b := running(t)
	for range 20 {
		if ack := b.promote(team, "x"); ack.Envelope.RetryAttempt != 0 {
			t.Error("an envelope had to be delivered twice")
		}
	}
	b.done(20)
}

// Ten other sockets leave no room, and each new one is closed at once; the bot
// must not ask for more at full speed.
func TestConnectionThatIsAlwaysLostIsGivenARest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s socket
		for range 10 { // before the first hello
			if err := s.flapping(); err != nil {
				t.Fatal(err)
			}
		}
		s.opened = time.Now()
		for range tooOften {
			if err := s.flapping(); err != nil {
				t.Fatalf("given up too early: %v", err)
			}
		}
		long := s
		if err := s.flapping(); err == nil {
			t.Error("a connection that is always lost at once is not given a rest")
		}
		time.Sleep(soon + time.Second)
		if err := long.flapping(); err != nil {
			t.Errorf("a connection that has lasted: %v", err)
		}
	})
}

func TestRunNeedsWhatItNeeds(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	for name, change := range map[string]func(c *Config){
		"bot token": func(c *Config) { c.BotToken = "" },
		"channel":   func(c *Config) { c.Channel = "" },
		"logger":    func(c *Config) { c.Log = nil },
	} {
		cfg := b.cfg
		change(&cfg)
		if _, err := New(cfg, nil, nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	u, err := New(b.cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Run(t.Context()); err == nil {
		t.Error("Run without an inbox")
	}
}

func TestUnreadableInboxEndsTheRun(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	u, err := New(b.cfg, brokenInbox{newMemory()}, b.handle)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "no such table") {
		t.Errorf("Run ended with %v", err)
	}
}

type brokenInbox struct{ *memory }

func (brokenInbox) Pending(context.Context) ([]Accepted, error) {
	return nil, errors.New("no such table")
}

func TestShutdownLetsAnswersOut(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	entered := make(chan struct{})
	b.handle = func(ctx context.Context, _ release.Request) (release.Answer, error) {
		close(entered)
		<-ctx.Done() // stopping; what was begun is finished all the same
		return release.Answer{Text: "Finished."}, nil
	}
	stop := b.run()
	b.promote(team, "x")
	<-entered
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if told := b.whispered(team); len(told) != 1 || !shows(told[0], "Finished.") || b.inbox.count("done") != 1 {
		t.Errorf("told %+v, %d done", told, b.inbox.count("done"))
	}
}
