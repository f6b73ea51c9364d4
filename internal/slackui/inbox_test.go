package slackui

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/synestra/promoter/internal/release"
	sandbox "github.com/synestra/promoter/internal/sandbox/slack"
)

func TestCommandIsStoredThenAcknowledgedThenWorkedOn(t *testing.T) {
	eachWay(t, func(t *testing.T, b *bench) {
		b.times.accept = patience
		b.inbox.hold, b.inbox.entered = make(chan struct{}), make(chan string, 1)
		b.run()
		acked := make(chan sandbox.Ack, 1)
		go func() {
			ack, err := b.Command(b.ctx(), ana, team, "/promote", "  synestra-io --force ")
			if err != nil {
				t.Error(err)
			}
			acked <- ack
		}()
		key := <-b.inbox.entered
		select {
		case <-acked:
			t.Fatal("acknowledged before it was stored")
		default:
		}
		if b.asked.count() != 0 {
			t.Fatal("worked on before it was stored")
		}
		close(b.inbox.hold)
		if ack := <-acked; payloadOf(t, ack.Payload) != nil {
			t.Errorf("the acknowledgement says %s", ack.Payload)
		}
		b.done(1)
		r := b.asked.requests()[0]
		want := release.Request{
			Delivery: key, Command: "promote", Text: "  synestra-io --force ", By: release.Person{ID: ana, Name: "ana"},
			Channel: release.Channel{ID: team}, Reply: r.Reply, At: r.At,
		}
		if r.Delivery != want.Delivery || r.Command != want.Command || r.Text != want.Text || r.By.ID != want.By.ID ||
			r.By.Name != want.By.Name || r.Channel != want.Channel || r.Click != "" || r.Subject != "" {
			t.Errorf("request\n%+v, want\n%+v", r, want)
		}
		if !strings.HasPrefix(r.Reply, "http") || time.Since(r.At) > time.Minute {
			t.Errorf("reply to %q at %v", r.Reply, r.At)
		}
	})
}

func TestRedeliveryIsWorkedOnOnce(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		again func(b *bench, e sandbox.Envelope) (sandbox.Ack, error)
	}{
		{"in another envelope", func(b *bench, e sandbox.Envelope) (sandbox.Ack, error) { return b.Redeliver(b.ctx(), e) }},
		{"in the same envelope", func(b *bench, e sandbox.Envelope) (sandbox.Ack, error) { return b.Deliver(b.ctx(), e) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			eachWay(t, func(t *testing.T, b *bench) {
				b.run()
				first := b.promote(team, "synestra-io")
				for range 4 { // on either socket
					ack, err := row.again(b, first.Envelope)
					if err != nil {
						t.Fatalf("the redelivery is not acknowledged: %v", err)
					}
					if payloadOf(t, ack.Payload) != nil {
						t.Errorf("the redelivery's acknowledgement says %s", ack.Payload)
					}
				}
				b.promote(team, "another") // which comes after all of those
				b.done(2)
				b.worked(2)
			})
		})
	}
}

// Of several processes that share a store, or after a restart, the store knows.
func TestRedeliveryKnownToTheStoreIsNotWorkedOn(t *testing.T) {
	eachWay(t, func(t *testing.T, b *bench) {
		stop := b.run()
		first := b.promote(team, "synestra-io")
		b.done(1)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		b.until("the sockets are closed", func() bool { return b.Sockets() == 0 })
		b.run()
		if ack, err := b.Redeliver(b.ctx(), first.Envelope); err != nil || payloadOf(t, ack.Payload) != nil {
			t.Fatalf("the redelivery is answered with %s, %v", ack.Payload, err)
		}
		b.promote(team, "another")
		b.done(2)
		b.worked(2)
	})
}

func TestRetryThatIsTheOnlyDeliveryIsWorkedOn(t *testing.T) {
	eachWay(t, func(t *testing.T, b *bench) {
		b.run()
		payload, err := json.Marshal(map[string]string{
			"command": "/promote", "text": "x", "user_id": ana, "channel_id": team, "trigger_id": "1.2.3", "channel_name": "team",
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Deliver(b.ctx(), sandbox.Envelope{Type: "slash_commands", RetryAttempt: 2, RetryReason: "timeout", Payload: payload}); err != nil {
			t.Fatal(err)
		}
		b.until("it is worked on", func() bool { return b.asked.count() == 1 })
	})
}

func TestConcurrentDeliveriesOfOneRequest(t *testing.T) {
	eachWay(t, func(t *testing.T, b *bench) {
		b.run()
		first := b.promote(team, "synestra-io")
		other := first.Envelope
		other.Payload = json.RawMessage(strings.Replace(string(other.Payload), `"trigger_id":"`, `"trigger_id":"other`, 1))
		if string(other.Payload) == string(first.Envelope.Payload) {
			t.Fatal("no trigger_id to change")
		}
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if _, err := b.Redeliver(b.ctx(), other); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		b.done(2)
		b.worked(2)
	})
}

// notAccepted fails unless the acknowledgement tells the person to try again.
func (b *bench) notAccepted(ack sandbox.Ack) {
	b.t.Helper()
	said := payloadOf(b.t, ack.Payload)
	if text, _ := said["text"].(string); !strings.Contains(text, "Not accepted") || !strings.Contains(text, "try again") {
		b.t.Errorf("the acknowledgement says %s", ack.Payload)
	}
}

func TestAcceptDeadlineIsHalfASecond(t *testing.T) {
	t.Parallel()
	if d := usualTimes().accept; d != 500*time.Millisecond {
		t.Errorf("a request may take %v to be stored, want 500ms", d)
	}
}

func TestSlowStoreIsNotAccepted(t *testing.T) {
	eachWay(t, func(t *testing.T, b *bench) {
		b.times.accept = 50 * time.Millisecond
		b.inbox.hold = make(chan struct{})
		b.run()
		ack := b.promote(team, "synestra-io")
		b.notAccepted(ack)
		close(b.inbox.hold) // it is stored now, too late
		b.until("it is void", func() bool { return b.inbox.count("void") == 1 })
		b.inbox.set(func(m *memory) {
			if m.early {
				t.Error("voided before the inbox was done with it: what is stored after that would be worked on")
			}
		})
		b.inbox.set(func(m *memory) { m.hold = nil })
		again, err := b.Redeliver(b.ctx(), ack.Envelope)
		if err != nil {
			t.Fatal(err)
		}
		b.notAccepted(again)
		b.promote(team, "another")
		b.done(1)
		if got := b.asked.requests(); len(got) != 1 || got[0].Text != "another" {
			t.Errorf("worked on: %+v", got)
		}
		if n := len(b.whispered(team)); n < 1 {
			t.Error("the person was not told")
		}
	})
}

func TestFailingStoreIsNotAccepted(t *testing.T) {
	eachWay(t, func(t *testing.T, b *bench) {
		b.inbox.err = errors.New("disk full")
		b.run()
		ack := b.promote(team, "synestra-io")
		b.notAccepted(ack)
		b.until("it is void", func() bool { return b.inbox.count("void") == 1 })
		b.inbox.set(func(m *memory) { m.err = nil })
		if again, err := b.Redeliver(b.ctx(), ack.Envelope); err != nil {
			t.Error(err)
		} else {
			b.notAccepted(again)
		}
		if b.asked.count() != 0 {
			t.Error("worked on what was not accepted")
		}
	})
}

func TestFullPoolIsNotAccepted(t *testing.T) {
	eachWay(t, func(t *testing.T, b *bench) {
		b.asked = calls{hold: make(chan struct{})}
		b.cfg.Workers = 1
		b.run()
		b.promote(team, "first")
		b.until("it is worked on", func() bool { return b.asked.count() == 1 })
		second := b.promote(team, "second")
		b.notAccepted(second)
		b.until("it is void", func() bool { return b.inbox.count("void") == 1 })
		close(b.asked.hold)
		b.done(1)
		if again, err := b.Redeliver(b.ctx(), second.Envelope); err != nil {
			t.Error(err)
		} else {
			b.notAccepted(again)
		}
		b.promote(team, "third")
		b.done(2)
		b.worked(2)
	})
}

// Slack shows nothing of a click's acknowledgement.
func TestClickThatIsNotAccepted(t *testing.T) {
	eachWay(t, func(t *testing.T, b *bench) {
		b.asked = calls{answer: question}
		b.run()
		b.promote(team, "x")
		b.until("the question is asked", func() bool { return len(b.whispered(team)) == 1 })
		b.inbox.set(func(m *memory) { m.err = errors.New("disk full") })
		ack, err := b.Click(b.ctx(), ana, b.whispered(team)[0].MessageRef, "click/0/reset-dev.confirm")
		if err != nil || payloadOf(t, ack.Payload) != nil {
			t.Errorf("answered with %s, %v", ack.Payload, err)
		}
		b.until("the person is told", func() bool {
			all := b.whispered(team)
			return len(all) == 2 && shows(all[1], "Not accepted") && shows(all[0], "live session")
		})
	})
}

func TestAcceptedRequestsAreWorkedOffAfterARestart(t *testing.T) {
	eachWay(t, func(t *testing.T, b *bench) {
		b.asked = calls{hold: make(chan struct{}), answer: release.Answer{Text: "Here you are."}}
		stop := b.run()
		b.promote(team, "one")
		b.promote(team, "two")
		b.until("both are worked on", func() bool { return b.asked.count() == 2 })
		if err := stop(); err != nil { // both are interrupted
			t.Fatal(err)
		}
		if n := b.inbox.count("pending"); n != 2 {
			t.Fatalf("%d requests are left, want 2", n)
		}
		if n := len(b.whispered(team)); n != 0 {
			t.Errorf("%d answers of a process that did not finish", n)
		}
		var again calls
		again.answer = b.asked.answer
		b.handle, b.cfg.Workers = again.handle, 1
		b.run()
		b.done(2)
		b.until("both are answered", func() bool { return len(b.whispered(team)) == 2 })
		for _, r := range again.requests() {
			if r.Command != "promote" || r.By.ID != ana || r.Channel.ID != team || (r.Text != "one" && r.Text != "two") {
				t.Errorf("request after the restart: %+v", r)
			}
		}
	})
}

// What an earlier process has accepted is not turned away, however the store is.
func TestRedeliveryOfWhatIsWorkedOffAfterARestart(t *testing.T) {
	eachWay(t, func(t *testing.T, b *bench) {
		b.asked = calls{hold: make(chan struct{})}
		stop := b.run()
		ack := b.promote(team, "x")
		b.until("it is worked on", func() bool { return b.asked.count() == 1 })
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		b.until("the sockets are closed", func() bool { return b.Sockets() == 0 })
		b.run()
		b.inbox.set(func(m *memory) { m.err = errors.New("disk full") })
		if again, err := b.Redeliver(b.ctx(), ack.Envelope); err != nil || payloadOf(t, again.Payload) != nil {
			t.Errorf("answered with %s, %v", again.Payload, err)
		}
		close(b.asked.hold)
		b.done(1)
		if n := b.asked.count(); n != 2 {
			t.Errorf("the handler was called %d times, want once in each process", n)
		}
	})
}

func TestPanicIsContained(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	b.handle = func(_ context.Context, r release.Request) (release.Answer, error) {
		if r.Text == "bad" {
			panic("at the disco")
		}
		return release.Answer{Text: "fine"}, nil
	}
	b.run()
	b.promote(team, "bad")
	b.until("the person is told", func() bool {
		return len(b.whispered(team)) == 1 && shows(b.whispered(team)[0], "Something broke")
	})
	b.done(1)
	b.promote(team, "good")
	b.until("the next is answered", func() bool { return len(b.whispered(team)) == 2 })
	if !strings.Contains(b.log.String(), "at the disco") {
		t.Error("the panic is not in the log")
	}
}

func TestFailedRequestIsToldWithAReference(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	b.asked = calls{err: errors.New("secret cause"), answer: release.Answer{Text: "Nothing was changed."}}
	b.run()
	b.promote(team, "x")
	b.until("the person is told", func() bool { return len(b.whispered(team)) == 1 })
	m := b.whispered(team)[0]
	ref := reference(b.asked.requests()[0].Delivery)
	if !shows(m, ref) || !shows(m, "Nothing was changed.") || shows(m, "secret cause") {
		t.Errorf("told: %s", m.Text)
	}
	if log := b.log.String(); !strings.Contains(log, ref) || !strings.Contains(log, "secret cause") {
		t.Errorf("the log does not have the reference and the cause:\n%s", log)
	}
}

func TestRefusalReturnedAsAnError(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	b.asked = calls{err: release.Refuse(release.CodeUnknownApp, "Did you mean `web`?", "There is no app `%s`.", "wbe")}
	b.run()
	b.promote(team, "wbe")
	b.until("the person is told", func() bool { return len(b.whispered(team)) == 1 })
	if m := b.whispered(team)[0]; !shows(m, "There is no app `wbe`.") || !shows(m, "nothing was changed") {
		t.Errorf("told: %s", m.Text)
	}
}

// What an event, an opened link or something unknown wants is an
// acknowledgement and nothing else.
func TestOtherDeliveriesAreOnlyAcknowledged(t *testing.T) {
	b := running(t)
	for name, e := range map[string]sandbox.Envelope{
		"event":           {Type: "events_api", Payload: json.RawMessage(`{"type":"event_callback","event_id":"Ev1","event":{"type":"app_home_opened","user":"U0ANA"}}`)},
		"odd event":       {Type: "events_api", Payload: json.RawMessage(`{"type":"event_callback","event":{"type":"no_such_event","x":1}}`)},
		"unknown type":    {Type: "hologram", Payload: json.RawMessage(`{}`)},
		"opened link":     {Type: "interactive", Payload: json.RawMessage(`{"type":"block_actions","trigger_id":"9","user":{"id":"U0ANA"},"actions":[{"action_id":"link/commit","type":"button"}]}`)},
		"no trigger":      {Type: "interactive", Payload: json.RawMessage(`{"type":"view_closed"}`)},
		"payload no json": {Type: "slash_commands", Payload: json.RawMessage(`"text"`)},
	} {
		if ack, err := b.Deliver(b.ctx(), e); err != nil || payloadOf(t, ack.Payload) != nil {
			t.Errorf("%s: answered with %s, %v", name, ack.Payload, err)
		}
	}
	b.promote(team, "x") // the bot is well
	b.done(1)
	b.worked(1)
}

// A message that the library cannot read, since a field has another type than
// it expects, is worked on all the same.
func TestCommandThatTheLibraryCannotRead(t *testing.T) {
	b := running(t)
	payload := json.RawMessage(`{"command":"/promote","text":"x","user_id":"U0ANA","channel_id":"C0TEAM","trigger_id":"7","is_enterprise_install":5}`)
	if _, err := b.Deliver(b.ctx(), sandbox.Envelope{Type: "slash_commands", Payload: payload}); err != nil {
		t.Fatal(err)
	}
	b.until("it is worked on", func() bool { return b.asked.count() == 1 })
}

func TestCredentialsAreNotLogged(t *testing.T) {
	eachWay(t, func(t *testing.T, b *bench) {
		b.asked = calls{answer: release.Answer{Text: "x"}, err: errors.New("bad luck")}
		b.run()
		b.FailNext(sandbox.ResponseURL, 5, sandbox.Fault{DropReply: true})
		b.FailNext("chat.postEphemeral", 5, sandbox.Fault{Error: "channel_not_found"})
		b.FailNext("chat.postMessage", 5, sandbox.Fault{Error: "channel_not_found"})
		ack := b.promote(team, "private words")
		b.done(1)
		log := b.log.String()
		if !strings.Contains(log, "answering a request") {
			t.Fatalf("nothing went wrong:\n%s", log)
		}
		sent := payloadOf(t, ack.Envelope.Payload)
		for _, secret := range []string{b.cfg.BotToken, b.cfg.AppToken, signing, sent["response_url"].(string), sent["trigger_id"].(string), "/response/", "private words"} {
			if strings.Contains(log, secret) {
				t.Errorf("the log has %q:\n%s", secret, log)
			}
		}
	})
}
