// Package slack is a stand-in for Slack that speaks its real protocols: the
// Web API over HTTP, Socket Mode over WebSocket, signed requests over HTTP in
// its place ([Server.SendOverHTTP]), and response URLs. A bot runs
// on it unchanged, in tests and in the terminal sandbox, with people acted by
// [Server.Command] and [Server.Click].
//
// It holds to Slack's rules where they are known (limits, errors, scopes,
// redelivery) and to the stricter reading where they are not, so that what
// works here works there. Nothing of it comes from a Slack library.
//
// All methods may be called from any goroutine.
package slack

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Identities that every stand-in has. Real ones look alike.
const (
	TeamID     = "T0SANDBOX" // the workspace the bot is installed in
	TeamDomain = "sandbox"
	AppID      = "A0PROMOTER"
	BotUserID  = "U0PROMOTER" // the bot as a user: the author of its messages
	BotID      = "B0PROMOTER"
)

// Options say how the stand-in behaves. The zero value is useful.
type Options struct {
	Addr             string           // address to listen on; 127.0.0.1:0 if empty
	BotToken         string           // xoxb-sandbox if empty
	AppToken         string           // xapp-sandbox if empty
	Scopes           []string         // of the bot token; DefaultScopes if nil
	StrictLimits     bool             // enforce the rate limits of the Web API
	UpdatesPerMinute int              // limit of chat.update under StrictLimits; 50 (tier 3) if 0
	AckTimeout       time.Duration    // for an envelope; 3 s, as Slack's, if 0
	PingEvery        time.Duration    // between two WebSocket pings; 5 s if 0
	Color            bool             // Render with ANSI styles
	Zone             *time.Location   // of the dates that Render draws; the machine's if nil
	Now              func() time.Time // stamps messages, ages URLs and limits; time.Now if nil
	Log              *slog.Logger     // discarded if nil
}

// DefaultScopes are what the bot's app manifest asks for, optional ones included.
func DefaultScopes() []string {
	return []string{
		"commands", "chat:write", "chat:write.public", "users:read", "usergroups:read",
		"channels:read", "groups:read", "channels:history", "groups:history",
	}
}

func (o Options) withDefaults() Options {
	orString := func(s *string, otherwise string) {
		if *s == "" {
			*s = otherwise
		}
	}
	orDuration := func(d *time.Duration, otherwise time.Duration) {
		if *d == 0 {
			*d = otherwise
		}
	}
	orString(&o.Addr, "127.0.0.1:0")
	orString(&o.BotToken, "xoxb-sandbox")
	orString(&o.AppToken, "xapp-sandbox")
	orDuration(&o.AckTimeout, 3*time.Second)
	orDuration(&o.PingEvery, 5*time.Second)
	if o.Scopes == nil {
		o.Scopes = DefaultScopes()
	}
	if o.UpdatesPerMinute == 0 {
		o.UpdatesPerMinute = 50
	}
	if o.Zone == nil {
		o.Zone = time.Local
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Server is a running stand-in. Start makes it, Close ends it.
type Server struct {
	opt     Options
	addr    string
	http    *http.Server
	client  *http.Client // calls request URLs
	methods map[string]method
	done    chan struct{}  // closed by Close
	running sync.WaitGroup // every goroutine and every request

	mu       sync.Mutex // guards all below; held for bookkeeping, never across I/O
	closed   bool
	changed  chan struct{} // closed and replaced at each change, for Wait and Events
	people   people
	log      messageLog
	hub      hub
	web      *web // nil in Socket Mode
	faults   faults
	limits   limits
	hooks    map[string]*hook   // response URLs by id
	triggers map[string]trigger // trigger ids handed out
	views    map[string]View    // by view id
}

// Start listens and serves until Close.
func Start(o Options) (*Server, error) {
	s := &Server{
		opt:      o.withDefaults(),
		methods:  methods(),
		client:   newClient(),
		done:     make(chan struct{}),
		changed:  make(chan struct{}),
		people:   newPeople(),
		log:      newMessageLog(),
		hub:      newHub(),
		faults:   newFaults(),
		limits:   limits{},
		hooks:    map[string]*hook{},
		triggers: map[string]trigger{},
		views:    map[string]View{},
	}
	ln, err := net.Listen("tcp", s.opt.Addr)
	if err != nil {
		return nil, fmt.Errorf("listening for Slack's clients: %w", err)
	}
	s.addr = ln.Addr().String()
	s.http = &http.Server{Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second}
	s.running.Go(func() {
		if err := s.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.opt.Log.Error("slack stand-in stopped serving", "err", err)
		}
	})
	return s, nil
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/api/{method}", s.serveAPI)
	mux.HandleFunc("/link", s.serveLink)
	mux.HandleFunc("POST /response/{id}", s.serveResponse)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.enter() {
			http.Error(w, "closing", http.StatusServiceUnavailable)
			return
		}
		defer s.running.Done()
		mux.ServeHTTP(w, r)
	})
}

// enter counts a request or goroutine as running, or reports false once the
// server is closing. The caller owes a running.Done.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.running.Add(1)
	return true
}

// APIURL is the base of the Web API, with the slash at the end that clients expect.
func (s *Server) APIURL() string { return "http://" + s.addr + "/api/" }

// Close drops every connection and waits for all that runs. It may be called twice.
func (s *Server) Close() {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	open := s.hub.all()
	s.mu.Unlock()
	if first {
		close(s.done)
	}
	s.client.CloseIdleConnections()
	_ = s.http.Close() // it closes what it can; there is nothing to do about the rest
	for _, sock := range open {
		sock.cut()
	}
	s.running.Wait()
}

// touch tells Wait and Events that something changed. The caller holds mu.
func (s *Server) touch() {
	close(s.changed)
	s.changed = make(chan struct{})
}
