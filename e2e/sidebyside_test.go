package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/synestra/promoter/e2e/rig"
	"github.com/synestra/promoter/e2e/webcore"
	"github.com/synestra/promoter/internal/sandbox/githost"
	"github.com/synestra/promoter/internal/sandbox/slack"
)

const (
	// shares is how long a notice of the bot takes further apps in, which no call to post shows.
	shares = 20 * time.Second
	// grace is how long after the truth a message is waited for, and how long where its post met a fault.
	grace, faultGrace = 5 * time.Second, time.Minute
)

// TestSideBySide has the bot and Argo CD's own notifications tell of the same
// updates, each to a Slack of its own, and grades both by what an observer of
// the cluster saw. It takes some minutes.
func TestSideBySide(t *testing.T) {
	r := start(t)
	s := &sideBySide{rig: r, truth: map[string]*rig.Truth{}}
	for _, app := range []webcore.App{{Name: "warm"}, {Name: "quick"}, {Name: "gradual", Replicas: 4}} {
		must(t, r.AddApp(t.Context(), app))
	}
	s.bot = newBot(t, r)
	s.startRival(t)
	for _, app := range []string{"quick", "gradual"} {
		s.truth[app] = r.Observe(t.Context(), app, "prod")
		must(t, r.Subscribe(t.Context(), app, "prod", releases))
	}
	s.bot.warm(t, "warm")
	botSaw, rivalSaw := record(t, s.bot.slack), record(t, s.rival)

	for i := range 4 {
		s.tell(t, "quick", fmt.Sprintf("sha-d00000%d", i), noFault)
		s.tell(t, "gradual", fmt.Sprintf("sha-slow-d0%d", i), noFault)
	}
	s.supersede(t, "gradual", "sha-slow-d11", "sha-slow-d12")
	for i, f := range []fault{answer503, lostReply} {
		wait(t, shares+time.Second)
		s.tell(t, "quick", fmt.Sprintf("sha-e00000%d", i), f)
	}
	for _, truth := range s.truth {
		must(t, truth.Close())
	}
	s.report(t, botSaw(), rivalSaw())
}

// sideBySide is two tellers on one range.
type sideBySide struct {
	rig     *rig.Rig
	bot     *bot
	rival   *slack.Server
	truth   map[string]*rig.Truth // by app
	updates []told
}

// startRival starts Argo CD's notifications, with a Slack of their own.
func (s *sideBySide) startRival(t *testing.T) {
	t.Helper()
	var err error
	s.rival, err = slack.Start(slack.Options{})
	must(t, err)
	t.Cleanup(s.rival.Close)
	s.rival.AddChannel(slack.Channel{ID: releases, Name: "releases", BotIsMember: true})
	front := httptest.NewServer(flatten(t, s.rival.APIURL()))
	t.Cleanup(front.Close)
	must(t, s.rig.StartNotifications(t.Context(), front.URL+"/api/", "xoxb-sandbox"))
}

// flatten passes calls on to Slack's stand-in, which knows blocks only, with
// attachments turned into lines of the text.
func flatten(t *testing.T, to string) http.Handler {
	target, err := url.Parse(strings.TrimSuffix(to, "api/"))
	must(t, err)
	return &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(target)
			raw, err := io.ReadAll(p.In.Body)
			form, bad := url.ParseQuery(string(raw))
			var attachments []struct {
				Title  string
				Fields []struct{ Title, Value string }
			}
			if err == nil && bad == nil && json.Unmarshal([]byte(form.Get("attachments")), &attachments) == nil {
				form.Del("attachments")
				for _, a := range attachments {
					for _, f := range a.Fields {
						form.Set("text", form.Get("text")+"\n"+f.Title+": "+f.Value)
					}
				}
				raw = []byte(form.Encode())
			}
			p.Out.Body, p.Out.ContentLength = io.NopCloser(strings.NewReader(string(raw))), int64(len(raw))
		},
		Transport: &http.Transport{DisableKeepAlives: true}, // a connection that is cut must not be tried again
		// An answer that is lost stays lost.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
}

// record collects what happens in a Slack from now on, until what it returns is called.
func record(t *testing.T, s *slack.Server) func() []slack.Event {
	events, stop := s.Events()
	var all []slack.Event
	var wg sync.WaitGroup
	wg.Go(func() {
		for e := range events {
			all = append(all, e)
		}
	})
	t.Cleanup(stop)
	return func() []slack.Event { stop(); wg.Wait(); return all }
}

// wait lets time pass, where nothing tells that it did.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal(context.Cause(t.Context()))
	}
}

// push commits a tag to the app's prod as CI does.
func (s *sideBySide) push(t *testing.T, app, tag string, f fault) told {
	t.Helper()
	commit, err := s.rig.WebCore.SetTag(t.Context(), webcore.CI, "prod", app, tag)
	must(t, err)
	s.truth[app].Expect(t.Context(), commit, tag)
	must(t, s.rig.Refresh(t.Context(), app, "prod"))
	return told{app: app, tag: tag, commit: commit, fault: f}
}

// tell pushes an update, waits until it is true, and gives both tellers time to say so.
func (s *sideBySide) tell(t *testing.T, app, tag string, f fault) {
	t.Helper()
	patience := grace
	if f != noFault {
		patience = faultGrace
	}
	for _, server := range []*slack.Server{s.bot.slack, s.rival} {
		switch f {
		case answer503:
			server.FailNext("chat.postMessage", 1, slack.Fault{Status: http.StatusServiceUnavailable})
		case lostReply:
			server.FailNext("chat.postMessage", 1, slack.Fault{DropReply: true})
		}
	}
	u := s.push(t, app, tag, f)
	s.settle(t, u, patience)
}

// settle waits for the truth of an update, and then for both tellers.
func (s *sideBySide) settle(t *testing.T, u told, patience time.Duration) {
	t.Helper()
	var err error
	u.proven, err = s.truth[u.app].AwaitProven(t.Context(), u.commit)
	must(t, err)
	s.updates = append(s.updates, u)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	// Who does not tell in time is graded for it, not failed here.
	_ = s.bot.slack.Wait(ctx, func() bool {
		return slices.ContainsFunc(s.bot.slack.Messages(releases), func(m slack.Message) bool {
			return tells(s.bot.slack.Render(m), u.app, u.tag)
		})
	})
	if u.fault == answer503 {
		return // the rival is not known to come back, and has had as long as it took the bot
	}
	short, cancel := context.WithTimeout(t.Context(), grace)
	defer cancel()
	_ = s.rival.Wait(short, func() bool {
		return slices.ContainsFunc(s.rival.Messages(releases), func(m slack.Message) bool { return strings.Contains(m.Text, u.commit) })
	})
}

// supersede pushes a second tag while the first one rolls out.
func (s *sideBySide) supersede(t *testing.T, app, first, second string) {
	t.Helper()
	replaced := s.push(t, app, first, noFault)
	_, err := s.rig.AwaitApplication(t.Context(), app, "prod", "progressing", func(a rig.Application) bool {
		return a.Status.Health.Status == "Progressing" && a.Status.Sync.Revision == replaced.commit
	})
	must(t, err)
	s.settle(t, s.push(t, app, second, noFault), grace)
	replaced.proven, _ = s.truth[app].Proven(replaced.commit) // it may have been quicker
	s.updates = append(s.updates, replaced)
}

// report prints the table, and fails the test where the bot falls short.
func (s *sideBySide) report(t *testing.T, botSaw, rivalSaw []slack.Event) {
	t.Helper()
	order, err := s.rig.Git.Git(t.Context(), githost.WebCore, "rev-list", "--reverse", githost.Branch)
	must(t, err)
	commits := strings.Fields(order)
	bot := gradeOf(s.updates, func(u told) []claim { return s.botClaims(botSaw, u) })
	rival := gradeOf(s.updates, func(u told) []claim { return s.rivalClaims(rivalSaw, commits, u) })
	t.Logf("%d updates, times after the truth as an observer saw it\n%-22s %s\n%-22s %s\n%-22s %s",
		len(s.updates), "", gradeHead, "this bot", bot, "argocd-notifications", rival)
	for _, sample := range []struct {
		server *slack.Server
		saw    []slack.Event
	}{{s.bot.slack, slices.DeleteFunc(slices.Clone(botSaw), func(e slack.Event) bool { return !isNotice(e.Message) })}, {s.rival, rivalSaw}} {
		if n := len(sample.saw); n > 0 {
			t.Logf("what a reader sees:\n%s", sample.server.Render(sample.saw[n-1].Message))
		}
	}
	if bot.early+bot.missing+bot.doubled+bot.lost[answer503]+bot.lost[lostReply] > 0 || bot.percentile(0.95) > 100*time.Millisecond {
		t.Errorf("the bot: %d early, %d missing, %d doubled, lost %v, latencies %v", bot.early, bot.missing, bot.doubled, bot.lost, bot.late)
	}
}

// botClaims are the times at which a message of the bot came to say that the update is live.
func (s *sideBySide) botClaims(saw []slack.Event, u told) (claims []claim) {
	for _, e := range saw {
		if (e.Kind == slack.Posted || e.Kind == slack.Updated) && tells(s.bot.slack.Render(e.Message), u.app, u.tag) {
			claims = append(claims, claim{e.Message.TS, e.At})
		}
	}
	return claims
}

var rivalRevision = regexp.MustCompile(`(?m)^Revision: ([0-9a-f]{40})$`)

// rivalClaims are those of the rival: it names a revision, which means the
// newest update of the app in it.
func (s *sideBySide) rivalClaims(saw []slack.Event, commits []string, u told) (claims []claim) {
	for _, e := range saw {
		found := rivalRevision.FindStringSubmatch(e.Message.Text)
		if e.Kind != slack.Posted || found == nil || !strings.Contains(e.Message.Text, " web-"+u.app+"-prod is now running") {
			continue
		}
		newest := ""
		for _, commit := range commits[:slices.Index(commits, found[1])+1] {
			if slices.ContainsFunc(s.updates, func(v told) bool { return v.app == u.app && v.commit == commit }) {
				newest = commit
			}
		}
		if newest == u.commit {
			claims = append(claims, claim{e.Message.TS, e.At})
		}
	}
	return claims
}
