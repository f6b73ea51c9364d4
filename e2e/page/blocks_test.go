package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/synestra/promoter/internal/sandbox/slack"
)

const (
	ana      = "U0ANA"
	releases = "C0RELEASE"
)

// assets are the page's own files. Its server is not used here, because it is
// made of Argo CD's libraries, which are no part of this module.
const assets = "../../internal/sandbox/page/assets"

// channel is the page on a stand-in for Slack, without a bot: the test posts in
// its place.
type channel struct {
	*browser
	slack *slack.Server
	asked chan string // what the page asked for, as JSON
}

func openChannel(t *testing.T) *channel {
	t.Helper()
	chromium(t)
	chat, err := slack.Start(slack.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(chat.Close)
	chat.AddUser(slack.User{ID: ana, Name: "ana", RealName: "Ana Lima"})
	chat.AddChannel(slack.Channel{ID: releases, Name: "releases", BotIsMember: true})
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServer(http.Dir(assets)))
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) { stream(w, r, chat) })
	asked := make(chan string, 10)
	mux.HandleFunc("POST /click", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked <- string(body)
		fmt.Fprint(w, "{}")
	})
	served := httptest.NewServer(mux)
	t.Cleanup(served.Close)
	t.Cleanup(served.CloseClientConnections) // the stream's, before
	c := &channel{open(t, served.URL+"/page.html"), chat, asked}
	c.wait("the page to be told who there is", "document.querySelector('#people input') !== null")
	return c
}

// stream tells the page who there is, and each message.
func stream(w http.ResponseWriter, r *http.Request, chat *slack.Server) {
	events, stop := chat.Events()
	defer stop()
	w.Header().Set("Content-Type", "text/event-stream")
	send := func(name string, v any) {
		data, _ := json.Marshal(v)
		fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, data)
		w.(http.Flusher).Flush()
	}
	none := []string{}
	send("hello", map[string]any{
		"channel": releases, "bot": slack.BotUserID, "people": []any{map[string]string{"id": ana}},
		"commands": none, "apps": none, "acts": none, "emoji": slack.Emoji(),
		"users": map[string]string{ana: "ana", slack.BotUserID: "promoter"}, "groups": map[string]string{"S0DEPLOY": "deployers"},
		"channels": map[string]string{releases: "releases"},
	})
	for {
		select {
		case <-r.Context().Done():
			return
		case e, ok := <-events:
			if !ok {
				return
			}
			send("message", map[string]any{"ts": e.Message.TS, "user": e.Message.User, "text": e.Message.Text, "blocks": e.Message.Blocks})
		}
	}
}

// post posts a message as the bot does, and waits until it is drawn. It returns
// a selector of what is drawn of it.
func (c *channel) post(message map[string]any) string {
	c.t.Helper()
	message["channel"] = releases
	body, err := json.Marshal(message)
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.slack.APIURL()+"chat.postMessage", bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer xoxb-sandbox")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	var told struct {
		OK     bool
		TS     string
		Errors []string
	}
	if err := json.NewDecoder(answer.Body).Decode(&told); err != nil || !told.OK {
		c.t.Fatalf("posting: %v %+v", err, told)
	}
	selector := fmt.Sprintf(`[data-ts="%s"] .content`, told.TS)
	c.wait("the message", fmt.Sprintf("document.querySelector(%q) !== null", selector))
	return selector
}

func (c *channel) of(selector, property string) string {
	c.t.Helper()
	return c.is(fmt.Sprintf("document.querySelector(%q).%s", selector, property))
}

// TestCards has the page draw every card of the bot, and nothing of them unknown.
func TestCards(t *testing.T) {
	c := openChannel(t)
	cards, err := filepath.Glob("../../internal/slackui/card/testdata/*.json")
	if err != nil || len(cards) == 0 {
		t.Fatalf("%d cards, %v", len(cards), err)
	}
	for _, path := range cards {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var message map[string]any
		if err := json.Unmarshal(raw, &message); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		drawn := c.post(message)
		if text := c.of(drawn, "innerText"); strings.Contains(text, "cannot draw") || strings.Contains(text, "<!date") || strings.Contains(text, "&amp;") {
			t.Errorf("%s is drawn as\n%s", filepath.Base(path), text)
		}
	}
	c.quiet(t)
}

// TestMarkup is Slack's markup, and what it becomes.
func TestMarkup(t *testing.T) {
	c := openChannel(t)
	for text, want := range map[string]string{
		"*bold* _italic_ ~gone~ `code`":       "<strong>bold</strong> <em>italic</em> <s>gone</s> <code>code</code>",
		"*all _of_ it*":                       "<strong>all <em>of</em> it</strong>",
		"2*3*4 snake_case_name a ~ b ~ c":     "2*3*4 snake_case_name a ~ b ~ c",
		"`*not bold* :rocket:`":               "<code>*not bold* :rocket:</code>",
		"a `lone one":                         "a `lone one",
		"&lt;b&gt; &amp;amp;":                 "&lt;b&gt; &amp;amp;",
		"<b>":                                 "<span>b</span>",
		"one\ntwo":                            "one<br>two",
		"&gt; said\n&gt; again\nafter":        "<blockquote>said<br>again</blockquote>after",
		"```\n*as* is\n```after":              "<pre>*as* is</pre>after",
		"<@U0ANA> in <#C0RELEASE>":            `<span class="mention">@ana</span> in <span class="mention">#releases</span>`,
		"<!subteam^S0DEPLOY> <!here> <@U0NO>": `<span class="mention">@deployers</span> <span class="mention">@here</span> <span class="mention">@U0NO</span>`,
		"<https://a.example/?b=1&amp;c|d>":    `<a href="https://a.example/?b=1&amp;c" target="_blank" rel="noopener noreferrer">d</a>`,
		"<javascript:alert(1)|press>":         "<span>press</span>",
		":rocket: :no_such_thing: 10:30:45":   `<span role="img" aria-label="rocket">🚀</span> :no_such_thing: 10:30:45`,
		"<!date^oops^{date}|then>":            "then",
	} {
		drawn := c.post(map[string]any{"text": text, "blocks": []any{map[string]any{
			"type": "section", "text": map[string]any{"type": "mrkdwn", "text": text},
		}}})
		if html := c.of(drawn+" .section .body > div", "innerHTML"); html != want {
			t.Errorf("%q becomes\n%s, not\n%s", text, html, want)
		}
	}
	drawn := c.post(map[string]any{"text": "<!date^1795499600^{date_num} {time_secs}|then>"})
	want := c.is("(() => { const d = new Date(1795499600000); return d.toLocaleDateString([], {year: 'numeric', month: '2-digit', day: '2-digit'})" +
		" + ' ' + d.toLocaleTimeString([], {hour: '2-digit', minute: '2-digit', second: '2-digit'}); })()")
	if text := c.of(drawn+" > div > time", "textContent"); text != want {
		t.Errorf("the date is %q, not %q", text, want)
	}
	c.quiet(t)
}

// TestBlocks has every kind of block and element in one message, with texts
// that would be HTML if they could.
func TestBlocks(t *testing.T) {
	c := openChannel(t)
	raw, err := os.ReadFile("testdata/blocks.json")
	if err != nil {
		t.Fatal(err)
	}
	var message map[string]any
	if err := json.Unmarshal(raw, &message); err != nil {
		t.Fatal(err)
	}
	drawn := c.post(message)
	c.look("light", 900, 1400)
	c.picture("blocks")
	for what, want := range map[string]string{
		"h3.header":                                  "Everything <b>at once</b>",
		".fields > div:nth-child(2)":                 "right",
		".accessory .button":                         "Beside",
		".context":                                   "small <i>print</i>",
		".actions .button.primary":                   "Go",
		".actions .button.danger":                    "Stop",
		".actions a.button":                          "Open ↗ (another page)",
		".actions .button[data-action=odd]":          "Odd ↗ (another page)",
		".table thead th.align-right":                "Pods",
		".table tbody td:first-child a":              "shop",
		".table tbody td.align-right":                "4/4",
		".rich ol li":                                "one <script>alert(1)</script>",
		".rich blockquote":                           "quoted",
		".rich pre":                                  "let x = 1 < 2",
		".rich em strong":                            "both",
		".rich .mention":                             "@ana",
		".markdown":                                  "# as it is <u>typed</u>",
		"figcaption":                                 "A picture",
		"select[data-action=pick] option:last-child": "Two",
		"select[data-action=who] option:last-child":  "@",
		"select[data-action=more] option":            "More",
	} {
		if text := c.of(drawn+" "+what, "textContent"); !strings.HasPrefix(text, want) {
			t.Errorf("%s says %q, not %q", what, text, want)
		}
	}
	for what, want := range map[string]string{
		"[href^='javascript' i]": "0", "script": "0", "b": "0", "i": "0", "u": "0", ".unknown": "1", "hr": "1",
		"a[target=_blank]:not([rel*=noopener])": "0", ".rich ol[start='3']": "1",
	} {
		if n := c.is(fmt.Sprintf("document.querySelectorAll(%q).length", drawn+" "+what)); n != want {
			t.Errorf("there are %s of %s, not %s", n, what, want)
		}
	}
	if unknown := c.of(drawn+" .unknown", "textContent"); !strings.Contains(unknown, "external_select") {
		t.Errorf("what cannot be drawn is called %q", unknown)
	}
}

// TestMenus has an option chosen by key, which takes effect with the button only.
func TestMenus(t *testing.T) {
	c := openChannel(t)
	option := func(name, value string) map[string]any {
		return map[string]any{"text": map[string]any{"type": "plain_text", "text": name}, "value": value}
	}
	c.post(map[string]any{"text": "which?", "blocks": []any{map[string]any{"type": "actions", "elements": []any{map[string]any{
		"type": "static_select", "action_id": "tag", "options": []any{option("One", "v1"), option("Two", "v2")},
	}}}}})
	c.do("going to the menu", chromedp.Focus(chromedp.CSS("[data-action=tag]")))
	c.typed(kb.ArrowDown + kb.ArrowDown + kb.Tab + kb.Enter)
	select {
	case asked := <-c.asked:
		if !strings.Contains(asked, `"action":"tag"`) || !strings.Contains(asked, `"value":"v2"`) {
			t.Errorf("the page asked for %s", asked)
		}
	case <-time.After(patience):
		t.Fatal("the page asked for nothing")
	}
	c.quiet(t)
}
