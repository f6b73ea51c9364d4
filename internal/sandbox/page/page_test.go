package page

import (
	"bufio"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/synestra/promoter/internal/sandbox/argocd"
	"github.com/synestra/promoter/internal/sandbox/githost"
	"github.com/synestra/promoter/internal/sandbox/slack"
)

const (
	ana      = "U0ANA"
	releases = "C0RELEASE"
)

// start serves a page of a small world: one app, one person, no bot.
func start(t *testing.T) *Server {
	t.Helper()
	dir := t.TempDir()
	git, err := githost.Start(dir, "token")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { git.Close() })
	if _, err := git.Seed(t.Context(), githost.App{Name: "shop", Dev: "sha-2", Prod: "sha-1"}); err != nil {
		t.Fatal(err)
	}
	argo, err := argocd.Start(argocd.Options{
		Repo: filepath.Join(dir, githost.WebCore), URL: git.URL(githost.WebCore), Branch: githost.Branch,
		Pace: 5 * time.Millisecond, Poll: 20 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(argo.Close)
	argo.Add(argocd.AppSpec{App: "shop", Environment: "dev", AutoSync: true})
	argo.Add(argocd.AppSpec{App: "shop", Environment: "prod", AutoSync: true})
	chat, err := slack.Start(slack.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(chat.Close)
	chat.AddUser(slack.User{ID: ana, Name: "ana"})
	chat.AddChannel(slack.Channel{ID: releases, Name: "releases", BotIsMember: true})
	s, err := Start(Options{
		Slack: chat, Git: git, Argo: argo, Channel: releases, Apps: []string{"shop"},
		People: []Person{{ID: ana}}, Commands: []Command{{Name: "/promote", Usage: "<app>"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// post asks for something as the page does, and returns what is said.
func (s *Server) post(t *testing.T, what, body string) (told, problem string) {
	t.Helper()
	answer, err := http.Post(s.URL()+what, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var said struct{ Told, Error string }
	if err := json.NewDecoder(answer.Body).Decode(&said); err != nil {
		t.Fatal(err)
	}
	return said.Told, said.Error
}

// follow reads the stream of events until ok says that it is enough.
func (s *Server) follow(t *testing.T, what string, ok func(event, data string) bool) {
	t.Helper()
	answer, err := (&http.Client{Timeout: time.Minute}).Get(s.URL() + "events")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	event := ""
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if name, is := strings.CutPrefix(lines.Text(), "event: "); is {
			event = name
		}
		if data, is := strings.CutPrefix(lines.Text(), "data: "); is && ok(event, data) {
			return
		}
	}
	t.Fatalf("the stream ended (%v) before %s", lines.Err(), what)
}

// Other pages that the browser has open know neither the address nor can they
// ask in its name.
func TestOnlyThePageGetsIn(t *testing.T) {
	s := start(t)
	base := "http://" + s.addr
	for _, c := range []struct {
		name, method, url string
		header            [2]string
		status            int
	}{
		{"the page", "GET", s.URL(), [2]string{}, http.StatusOK},
		{"a script of it", "GET", s.URL() + "page.js", [2]string{}, http.StatusOK},
		{"by the name localhost", "GET", s.URL(), [2]string{"Host", "localhost" + s.addr[strings.LastIndex(s.addr, ":"):]}, http.StatusOK},
		{"without the random part", "GET", base + "/", [2]string{}, http.StatusNotFound},
		{"with another", "GET", base + "/AAAAAAAAAAAAAAAAAAAAAAAAAA/", [2]string{}, http.StatusNotFound},
		{"a name that leads here", "GET", s.URL(), [2]string{"Host", "evil.example"}, http.StatusMisdirectedRequest},
		{"the stream by such a name", "GET", s.URL() + "events", [2]string{"Host", "evil.example"}, http.StatusMisdirectedRequest},
		{"a form of another page", "POST", s.URL() + "act", [2]string{"Origin", "https://evil.example"}, http.StatusForbidden},
		{"a request of another site", "POST", s.URL() + "act", [2]string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		{"an act by a link", "GET", s.URL() + "act", [2]string{}, http.StatusNotFound},
		{"a request of the page", "POST", s.URL() + "act", [2]string{"Origin", base}, http.StatusBadRequest}, // it is empty
		{"a file beside the page's", "GET", s.URL() + "..%2Fpage.go", [2]string{}, http.StatusBadRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), c.method, c.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.header[0] == "Host" {
				r.Host = c.header[1]
			} else if c.header[0] != "" {
				r.Header.Set(c.header[0], c.header[1])
			}
			answer, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			if answer.StatusCode != c.status {
				t.Errorf("status %d, not %d", answer.StatusCode, c.status)
			}
			if answer.StatusCode == http.StatusOK && !strings.Contains(answer.Header.Get("Content-Security-Policy"), "default-src 'none'") {
				t.Error("no content policy")
			}
		})
	}
}

func TestLoopbackOnly(t *testing.T) {
	s, err := Start(Options{Addr: "0.0.0.0:0"})
	if err == nil {
		s.Close()
		t.Fatal("it listens for other machines")
	}
	if !strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("%q does not say what to do", err)
	}
}

// What a button does is seen in the stream: the commit with its one-line diff,
// and the state that follows.
func TestActs(t *testing.T) {
	s := start(t)
	told, problem := s.post(t, "act", `{"name": "prod", "app": "shop"}`)
	if problem != "" || !strings.Contains(told, "sha-2") {
		t.Fatalf("told %q, %q", told, problem)
	}
	s.follow(t, "the commit", func(event, data string) bool {
		var log []commit
		if event != "commits" || json.Unmarshal([]byte(data), &log) != nil || len(log) < 2 {
			return false
		}
		c, seed := log[0], log[1]
		if c.Author != "Cleo Marsh" || c.More != 0 || len(c.Changes) != 2 || c.Changes[0].Sign+c.Changes[0].Line != `-  tag: "sha-1" # managed` ||
			c.Changes[1] != (change{"deploy/env/release-prod/shop.yaml", "+", `  tag: "sha-2" # managed`}) {
			t.Errorf("the commit is %+v", c)
		}
		if len(seed.Changes) != 0 {
			t.Errorf("the first commit shows %d changes", len(seed.Changes))
		}
		return true
	})
	if _, problem = s.post(t, "act", `{"name": "prod", "app": "shop"}`); !strings.Contains(problem, "new release") {
		t.Errorf("the second time: %q", problem)
	}
	s.post(t, "act", `{"name": "bad", "app": "shop"}`)
	s.awaitDev(t, "a degraded dev", func(dev state) bool { return dev.Health == "Degraded" })
	s.post(t, "act", `{"name": "release", "app": "shop"}`)
	s.awaitDev(t, "a healthy dev", func(dev state) bool { return dev.Health == "Healthy" && dev.Ready == 2 })
	s.post(t, "act", `{"name": "hot", "app": "shop"}`)
	s.awaitDev(t, "a hot dev", func(dev state) bool { return dev.Hot })
	s.post(t, "act", `{"name": "hot", "app": "shop"}`)
	s.awaitDev(t, "no session", func(dev state) bool { return !dev.Hot })
	for _, down := range []bool{true, false} {
		s.post(t, "act", `{"name": "down"}`)
		if s.applications().Down != down {
			t.Errorf("Argo CD is down: %v, not %v", !down, down)
		}
	}
	for _, bad := range []string{`{"name": "bad", "app": "../shop"}`, `{"name": "worse", "app": "shop"}`, `{`} {
		if _, problem := s.post(t, "act", bad); problem == "" {
			t.Errorf("%s is taken", bad)
		}
	}
}

func (s *Server) awaitDev(t *testing.T, what string, ok func(state) bool) {
	t.Helper()
	s.follow(t, what, func(event, data string) bool {
		var all applications
		return event == "applications" && json.Unmarshal([]byte(data), &all) == nil && ok(all.Apps[0].Dev)
	})
}

// What is said in the channel reaches the stream, before and after it was opened.
func TestMessages(t *testing.T) {
	s := start(t)
	for _, bad := range []string{`{"user": "U0ANA", "text": " "}`, `{"user": "U0ANA", "text": "/nothing"}`, `{"user": "U0NOBODY", "text": "hi"}`} {
		if _, problem := s.post(t, "say", bad); problem == "" {
			t.Errorf("%s is taken", bad)
		}
	}
	if _, problem := s.post(t, "say", `{"user": "U0ANA", "text": "/promote shop"}`); !strings.Contains(problem, "dispatch") {
		t.Errorf("without a bot a command says %q", problem)
	}
	s.post(t, "say", `{"user": "U0ANA", "text": "first"}`)
	var seen []string
	s.follow(t, "both messages", func(event, data string) bool {
		var m message
		if event != "message" || json.Unmarshal([]byte(data), &m) != nil {
			return false
		}
		if seen = append(seen, m.Text); m.Text == "first" {
			s.post(t, "say", `{"user": "U0ANA", "text": "second"}`)
		}
		return m.Text == "second"
	})
	if len(seen) != 2 {
		t.Errorf("seen: %q", seen)
	}
}
