package slackui

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/synestra/promoter/internal/release"
	sandbox "github.com/synestra/promoter/internal/sandbox/slack"
)

// The people and channels of the tests.
const (
	ana, guest            = "U0ANA", "U0GUEST"
	deploys, team         = "C0DEPLOYS", "C0TEAM" // the configured channel, and one to ask in
	outside, partner      = "G0OUTSIDE", "C0PARTNER"
	archived, anasDirect  = "C0ARCHIVED", "D0ANA"
	groupDirect, deployer = "G0GROUP", "S0DEPLOYERS"
)

// signing is the signing secret in HTTP mode.
const signing = "0a1b2c3d4e5f"

// patience is for how long a test waits for what must happen.
const patience = 20 * time.Second

// bench is a stand-in for Slack with a UI on it.
type bench struct {
	*sandbox.Server
	t      *testing.T
	ui     *UI
	inbox  *memory
	log    *logbook
	cfg    Config
	asked  calls // the handler, if no other is set
	handle Handler
	where  moves // what Config.Moved was told
	times  times
}

// running is a bench whose UI runs, with nothing that differs.
func running(t *testing.T) *bench {
	t.Helper()
	b := newBench(t, sandbox.Options{})
	b.run()
	return b
}

// readied is a bench with a UI that does not run.
func readied(t *testing.T) *bench {
	t.Helper()
	b := newBench(t, sandbox.Options{})
	b.ready()
	return b
}

// newBench starts Slack; adjust what must differ, then call ready or run. The
// test runs beside others: it mostly waits for Slack.
func newBench(t *testing.T, o sandbox.Options) *bench {
	t.Helper()
	t.Parallel()
	if o.PingEvery == 0 {
		o.PingEvery = 100 * time.Millisecond
	}
	if o.Scopes == nil {
		o.Scopes = append(sandbox.DefaultScopes(), "channels:read", "groups:read")
	}
	server, err := sandbox.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	server.AddUser(sandbox.User{ID: ana, Name: "ana", RealName: "Ana Lima"})
	server.AddUser(sandbox.User{ID: guest, Name: "guest", RealName: "Gus Guest", Guest: true})
	server.AddGroup(sandbox.Group{ID: deployer, Handle: "deployers", Users: []string{ana}})
	for _, c := range []sandbox.Channel{
		{ID: deploys, Name: "deploys", BotIsMember: true},
		{ID: team, Name: "team", BotIsMember: true},
		{ID: outside, Name: "secret", Private: true},
		{ID: partner, Name: "partner", Shared: true, BotIsMember: true},
		{ID: archived, Name: "old", Archived: true, BotIsMember: true},
		{ID: anasDirect, IM: true},
		{ID: groupDirect, Name: "mpdm-ana--bo-1", MPIM: true},
	} {
		server.AddChannel(c)
	}
	book := &logbook{}
	quick := usualTimes()
	quick.call, quick.tell, quick.ping = 2*time.Second, 3*time.Second, 5*time.Second
	quick.settle, quick.pause, quick.check = 10*time.Millisecond, 10*time.Millisecond, 50*time.Millisecond
	b := &bench{
		Server: server, t: t, inbox: newMemory(), log: book, times: quick,
		cfg: Config{
			APIURL: server.APIURL(), BotToken: "xoxb-sandbox", AppToken: "xapp-sandbox", Channel: deploys, Groups: true,
			EditGap: 20 * time.Millisecond, Log: slog.New(slog.NewJSONHandler(book, &slog.HandlerOptions{Level: slog.LevelDebug})),
		},
	}
	b.handle, b.cfg.Moved = b.asked.handle, b.where.moved
	return b
}

// ready makes the UI without running it.
func (b *bench) ready() *UI {
	b.t.Helper()
	u, err := New(b.cfg, b.inbox, b.handle)
	if err != nil {
		b.t.Fatal(err)
	}
	u.times = b.times
	b.ui = u
	b.t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), time.Millisecond)
		defer stop()
		_ = u.Flush(ctx) // whatever is unsent when a test ends is no matter
	})
	return u
}

// run runs the UI until the test ends, or stop is called, and waits until it
// takes requests in. stop returns what Run returned.
func (b *bench) run() (stop func() error) {
	b.t.Helper()
	u := b.ready()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- u.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	b.t.Cleanup(func() {
		if err := stop(); err != nil {
			b.t.Errorf("Run ended with: %v", err)
		}
	})
	sockets := 2
	if b.cfg.Signing != "" {
		sockets = 0
		b.serve(u)
	}
	b.until("it is ready", func() bool { return b.Sockets() == sockets && u.Ready() == nil })
	return stop
}

// serve has Slack deliver to the UI over HTTP from now on.
func (b *bench) serve(u *UI) (address string) {
	server := httptest.NewServer(u.Requests())
	b.t.Cleanup(server.Close)
	b.SendOverHTTP(sandbox.RequestURLs{
		Commands: server.URL + "/slack/commands", Interactivity: server.URL + "/slack/interactivity", Events: server.URL + "/slack/events",
	}, b.cfg.Signing)
	return server.URL
}

// eachWay runs a test in Socket Mode and in HTTP mode.
func eachWay(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Parallel()
	for mode, secret := range map[string]string{"socket": "", "http": signing} {
		t.Run(mode, func(t *testing.T) {
			b := newBench(t, sandbox.Options{})
			b.cfg.Signing = secret
			test(t, b)
		})
	}
}

// until waits for something to happen in Slack, or elsewhere.
func (b *bench) until(what string, cond func() bool) {
	b.t.Helper()
	ctx, stop := context.WithTimeout(b.t.Context(), patience)
	defer stop()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for !cond() {
		select {
		case <-look.C:
		case <-ctx.Done():
			b.t.Fatalf("waited in vain until %s\n%s", what, b.log)
		}
	}
}

// done waits until so many requests are done.
func (b *bench) done(n int) {
	b.t.Helper()
	b.until(fmt.Sprint(n, " requests are done"), func() bool { return b.inbox.count("done") == n })
}

// worked fails unless so many requests were worked on.
func (b *bench) worked(n int) {
	b.t.Helper()
	if got := b.asked.count(); got != n {
		b.t.Errorf("%d requests were worked on, want %d", got, n)
	}
}

// fail has the next calls of a method fail, one after the other.
func (b *bench) fail(method string, faults []sandbox.Fault) {
	for _, f := range faults {
		b.FailNext(method, 1, f)
	}
}

// refused fails unless the error is a refusal of that code and advice.
func (b *bench) refused(err error, code release.Code, do string) {
	b.t.Helper()
	no, refused := errors.AsType[*release.Refusal](err)
	if !refused || no.Code != code || !strings.Contains(no.Do, do) {
		b.t.Errorf("%v, want a refusal %s with %q", err, code, do)
	}
}

// promote types the command and returns the acknowledgement.
func (b *bench) promote(channel, text string) sandbox.Ack {
	b.t.Helper()
	ack, err := b.Command(b.ctx(), ana, channel, "/promote", text)
	if err != nil {
		b.t.Fatalf("typing the command: %v\n%s", err, b.log)
	}
	return ack
}

func (b *bench) ctx() context.Context {
	ctx, stop := context.WithTimeout(context.Background(), patience)
	b.t.Cleanup(stop)
	return ctx
}

// posted are the messages in a channel that everybody sees.
func (b *bench) posted(channel string) []sandbox.Message {
	return slices.DeleteFunc(b.Messages(channel), func(m sandbox.Message) bool { return m.EphemeralFor != "" || m.Deleted })
}

// whispered are the messages in a channel that only one person sees.
func (b *bench) whispered(channel string) []sandbox.Message {
	return slices.DeleteFunc(b.Messages(channel), func(m sandbox.Message) bool { return m.EphemeralFor == "" || m.Deleted })
}

// look is the only message that everybody sees in a channel.
func (b *bench) look(channel string) sandbox.Message {
	b.t.Helper()
	all := b.posted(channel)
	if len(all) != 1 {
		b.t.Fatalf("%d messages in %s, want 1:\n%+v", len(all), channel, all)
	}
	return all[0]
}

// shows says that a message holds a text.
func shows(m sandbox.Message, text string) bool {
	return strings.Contains(string(m.Blocks), text) || strings.Contains(m.Text, text)
}

// operation is a promotion asked for in a channel.
func operation(channel string) release.Operation {
	return release.Operation{
		ID: "01J9ZK3V7Q8M2X5T6N4R1B0C9D", Kind: release.KindPromote, App: "synestra-io", Environment: "prod",
		Path: "deploy/env/release-prod/synestra-io.yaml", From: "sha-1a2b3c", To: "sha-9f8e7d",
		By: release.Person{ID: ana, Name: "Ana Lima"}, Asked: release.Channel{ID: channel}, Created: time.Now(),
		Progress: release.Progress{Stage: release.StageWriting, Since: time.Now()},
	}
}

// at is the operation at another stage, with the next sequence number.
func at(op release.Operation, s release.Stage) release.Operation {
	op.Progress = op.Progress.Enter(s, time.Now())
	op.Progress.Seq++
	return op
}

// pods is the operation with another number of pods ready.
func pods(op release.Operation, ready int) release.Operation {
	op.Progress.Ready, op.Progress.Total = ready, 100
	op.Progress.Seq++
	return op
}

// memory is an inbox that can be made to misbehave.
type memory struct {
	mu      sync.Mutex
	order   []string
	rows    map[string][]byte
	state   map[string]string // "pending", "done", "void"
	err     error
	hold    chan struct{}   // Accept waits for it, deaf to its context
	entered chan string     // told of each Accept, if not nil
	running map[string]bool // keys that Accept has not returned for
	early   bool            // Void was called while Accept was running
}

func newMemory() *memory {
	return &memory{rows: map[string][]byte{}, state: map[string]string{}, running: map[string]bool{}}
}

func (m *memory) Accept(_ context.Context, key string, payload []byte) (bool, error) {
	m.mu.Lock()
	hold, entered, err := m.hold, m.entered, m.err
	m.running[key] = true
	m.mu.Unlock()
	defer m.set(func(m *memory) { m.running[key] = false })
	if entered != nil {
		entered <- key
	}
	if hold != nil {
		<-hold
	}
	if err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.state[key]; known {
		return false, nil
	}
	m.order, m.rows[key], m.state[key] = append(m.order, key), payload, "pending"
	return true, nil
}

func (m *memory) Void(ctx context.Context, key string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state[key] = "void"
	m.early = m.early || m.running[key]
	return nil
}

func (m *memory) Done(ctx context.Context, key string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state[key] != "pending" {
		return errors.New("done with what is not pending")
	}
	m.state[key] = "done"
	return nil
}

func (m *memory) Pending(context.Context) ([]Accepted, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Accepted
	for _, k := range m.order {
		if m.state[k] == "pending" {
			all = append(all, Accepted{k, m.rows[k]})
		}
	}
	return all, nil
}

// count is how many rows are in a state.
func (m *memory) count(state string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, s := range m.state {
		if s == state {
			n++
		}
	}
	return n
}

func (m *memory) set(change func(m *memory)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m)
}

// logbook keeps the log, for a failing test and for what must not be in it.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// calls counts requests and keeps the last; it is a handler.
type calls struct {
	mu     sync.Mutex
	all    []release.Request
	answer release.Answer
	err    error
	hold   chan struct{} // the handler waits for it, or for its context
}

func (c *calls) handle(ctx context.Context, r release.Request) (release.Answer, error) {
	c.mu.Lock()
	c.all = append(c.all, r)
	answer, err, hold := c.answer, c.err, c.hold
	c.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return answer, ctx.Err()
		}
	}
	return answer, err
}

// answers changes what is answered from now on.
func (c *calls) answers(a release.Answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = a
}

func (c *calls) requests() []release.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.all)
}

func (c *calls) count() int { return len(c.requests()) }

// payloadOf reads what an acknowledgement or an envelope carries.
func payloadOf(t *testing.T, raw json.RawMessage) map[string]any {
	t.Helper()
	if len(raw) == 0 {
		return nil
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return m
}
