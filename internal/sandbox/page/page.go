// Package page is the sandbox in the browser: the channel as people in Slack see
// it, and beside it what they cannot see, the Git log and what Argo CD says,
// with buttons that make things happen.
//
// It serves loopback only. The address has a random part, requests for another
// host name are turned away (DNS rebinding), and so are those that a page of
// another origin makes: no other page that the browser has open can drive it.
package page

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/synestra/promoter/internal/sandbox/argocd"
	"github.com/synestra/promoter/internal/sandbox/githost"
	"github.com/synestra/promoter/internal/sandbox/slack"
)

//go:embed assets
var assets embed.FS

// Options say what the page shows. All but Addr and Log are required.
type Options struct {
	Addr     string // a loopback address; 127.0.0.1:0 if empty
	Slack    *slack.Server
	Git      *githost.Host
	Argo     *argocd.Server
	Channel  string // the id of the channel that is shown
	People   []Person
	Commands []Command
	Apps     []string
	Log      *slog.Logger // discarded if nil
}

// Person is somebody to be.
type Person struct {
	ID   string `json:"id"`
	Note string `json:"note"` // what sets them apart, in a few words
}

// Command is a slash command as the composer completes it. The usage is that of
// a Slack manifest: "<app> [--force]".
type Command struct {
	Name  string `json:"command"`
	Usage string `json:"usage_hint"`
	Says  string `json:"description"`
}

// Server is a page that is being served. Start makes it, Close ends it.
type Server struct {
	o       Options
	token   string
	addr    string
	http    *http.Server
	stop    context.CancelFunc // of every request
	running sync.WaitGroup     // the listener and every request

	mu   sync.Mutex
	down bool // Argo CD has been stopped by a button
}

// Start serves the page until Close.
func Start(o Options) (*Server, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	ln, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("listening for the browser: %w", err)
	}
	if at := ln.Addr().(*net.TCPAddr); !at.IP.IsLoopback() {
		return nil, errors.Join(
			fmt.Errorf("%s can be reached from other machines: the sandbox listens on 127.0.0.1 only", o.Addr), ln.Close(),
		)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{o: o, token: rand.Text(), addr: ln.Addr().String(), stop: stop}
	s.http = &http.Server{
		Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	s.running.Go(func() {
		if err := s.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			o.Log.Error("the sandbox's page is no longer served", "err", err)
		}
	})
	return s, nil
}

// URL is the page's address. Whoever knows it can drive the sandbox.
func (s *Server) URL() string { return "http://" + s.addr + s.root() }

// Close ends every request and waits for them.
func (s *Server) Close() error {
	s.stop()
	err := s.http.Close()
	s.running.Wait()
	return err
}

// root is the random part of the address, as a folder.
func (s *Server) root() string { return "/" + s.token + "/" }

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	root := s.root()
	mux.HandleFunc("GET "+root+"{$}", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, assets, "assets/page.html")
	})
	mux.HandleFunc("GET "+root+"{file}", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, assets, "assets/"+r.PathValue("file"))
	})
	mux.HandleFunc("GET "+root+"events", s.events)
	mux.HandleFunc("POST "+root+"say", s.say)
	mux.HandleFunc("POST "+root+"click", s.click)
	mux.HandleFunc("POST "+root+"act", s.act)
	return s.guard(http.NewCrossOriginProtection().Handler(mux))
}

// guard turns away who asks for another host, and tells the browser to load
// nothing from elsewhere and to tell nobody the address.
func (s *Server) guard(next http.Handler) http.Handler {
	_, port, _ := net.SplitHostPort(s.addr) // it is an address
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.running.Add(1)
		defer s.running.Done()
		if r.Host != s.addr && r.Host != "localhost:"+port {
			http.Error(w, "This is not the host you are looking for.", http.StatusMisdirectedRequest)
			return
		}
		for name, value := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
				"img-src 'self' https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
			"Referrer-Policy":        "no-referrer",
			"X-Content-Type-Options": "nosniff",
			"Cache-Control":          "no-store",
		} {
			w.Header().Set(name, value)
		}
		next.ServeHTTP(w, r)
	})
}
