package slackui

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"golang.org/x/sync/errgroup"

	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/slackui/card"
)

// Links says where the things that messages speak of are shown.
type Links = card.Links

// Config is what a [UI] must know.
type Config struct {
	APIURL   string // of the Web API; "" is Slack's own
	BotToken string // xoxb-…
	AppToken string // xapp-…, for Socket Mode; only [UI.Run] needs it
	Signing  string // the signing secret, for HTTP mode in place of Socket Mode: requests come to [UI.Requests]
	Channel  string // id of the channel for what cannot be posted where it was asked
	Groups   bool   // rights depend on user groups, so they must be readable
	Links    Links
	Workers  int           // requests worked on at once; 0 is 16
	EditGap  time.Duration // least time between two edits of one message; 0 is 2 s
	// Moved is told where an operation's message is from now on: it was posted
	// late, or anew. It may be nil, and must not call the UI or wait.
	Moved func(operation string, place release.Place)
	Log   *slog.Logger
}

// Handler works one accepted request off. A [release.Refusal] is for the person,
// as an error or in the answer. With any other error the answer's text, if there
// is one, says what was done. A handler must stand being called again with the
// same [release.Request.Delivery]: a request that was not done with when the
// process ended is worked off again after a restart.
type Handler func(ctx context.Context, r release.Request) (release.Answer, error)

// UI is the bot's presence in Slack.
type UI struct {
	cfg      Config
	times    times
	log      *slog.Logger
	http     *http.Client
	slack    *slack.Client
	cards    card.Printer
	inbox    Inbox
	handle   Handler
	arrivals chan arrival   // from UI.Requests to UI.Run
	pool     chan struct{}  // a token is in it for each request being worked on
	tasks    sync.WaitGroup // everything that Run must wait for
	verdicts verdicts
	posts    postLimits
	display  *display
	self     self
	persons  cache[release.Person]
	groups   cache[map[string][]string]
	shared   cache[bool]
	state    state
}

// times are the deadlines and pauses; tests shorten some.
type times struct {
	accept time.Duration // for a request to be stored; Slack waits 3 s for the acknowledgement
	ack    time.Duration // for the acknowledgement to be handed to the socket
	call   time.Duration // for one call of Slack
	tell   time.Duration // for an answer to reach the person, shutting down or not
	settle time.Duration // after a post of unknown outcome, before looking for it
	pause  time.Duration // before the first retry; doubles
	ping   time.Duration // without a sign of life from a socket, until it is given up
	check  time.Duration // between checks that the token is still good
}

func usualTimes() times {
	return times{
		accept: 500 * time.Millisecond, ack: 2 * time.Second, call: 10 * time.Second, tell: 30 * time.Second,
		settle: time.Second, pause: time.Second, ping: 30 * time.Second, check: time.Minute,
	}
}

// New makes a UI. It calls nobody. inbox and handle may be nil for a UI that
// only shows.
func New(cfg Config, inbox Inbox, handle Handler) (*UI, error) {
	switch {
	case cfg.BotToken == "":
		return nil, errors.New("no Slack bot token")
	case cfg.Channel == "":
		return nil, errors.New("no Slack channel")
	case cfg.Log == nil:
		return nil, errors.New("no logger")
	}
	if cfg.APIURL == "" {
		cfg.APIURL = slack.APIURL
	}
	if !strings.HasSuffix(cfg.APIURL, "/") { // method names are put right behind it
		cfg.APIURL += "/"
	}
	if cfg.Workers <= 0 {
		cfg.Workers = 16
	}
	if cfg.EditGap <= 0 {
		cfg.EditGap = 2 * time.Second
	}
	u := &UI{
		cfg: cfg, times: usualTimes(), log: cfg.Log, inbox: inbox, handle: handle,
		http:     &http.Client{Timeout: 15 * time.Second},
		cards:    card.English(cfg.Links),
		arrivals: make(chan arrival),
		pool:     make(chan struct{}, cfg.Workers),
		state:    state{web: cfg.Signing != ""},
	}
	// No retries by the library: only a call that may be made twice is
	// repeated, and that is decided here. No debugging: it would log what people
	// write, and make sockets short-lived.
	u.slack = slack.New(cfg.BotToken, slack.OptionAPIURL(cfg.APIURL), slack.OptionAppLevelToken(cfg.AppToken), slack.OptionHTTPClient(u.http))
	u.display = newDisplay(u)
	return u, nil
}

// Run takes requests in until ctx ends, those first that were accepted before a
// restart. It then waits for what is being worked on and returns nil. An error
// says what a person must put right before it makes sense to run again.
func (u *UI) Run(ctx context.Context) error {
	if u.inbox == nil || u.handle == nil || u.cfg.AppToken == "" && u.cfg.Signing == "" {
		return errors.New("taking requests in needs an inbox, a handler, and a Slack app token or signing secret")
	}
	defer u.tasks.Wait()
	if err := u.signIn(ctx); err != nil {
		return quiet(ctx, err)
	}
	pending, err := u.inbox.Pending(ctx)
	if err != nil {
		return quiet(ctx, fmt.Errorf("reading the accepted requests: %w", err))
	}
	for _, row := range pending {
		u.verdicts.accepted(row.Key)
	}
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return u.workOff(running, pending) })
	if u.cfg.Signing != "" {
		group.Go(func() error { return u.takeIn(running) })
	} else {
		// Two connections: the library closes an old socket before it opens the
		// next, and what people type while none is open is lost to them.
		for n := range 2 {
			group.Go(func() error { return u.keepConnected(running, n) })
		}
	}
	group.Go(func() error { return u.watchToken(running) })
	return quiet(ctx, group.Wait())
}

// quiet is nil where the error is only that the run was to end.
func quiet(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// Ready says why requests cannot be taken in at the moment, nil if they can.
func (u *UI) Ready() error { return u.state.ready() }
