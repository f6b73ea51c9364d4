package slackui

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Inbox keeps accepted requests until they are done with. Its rows outlive the
// process.
type Inbox interface {
	// Accept stores a request, durably before it returns. fresh is false where
	// the key is known, done or not. An error, or a return after the context's
	// deadline, means that the request is not accepted; it must return soon
	// after that.
	Accept(ctx context.Context, key string, payload []byte) (fresh bool, err error)
	// Void makes sure that a request is never worked on, whether it is stored or not.
	Void(ctx context.Context, key string) error
	// Done takes a request off the list.
	Done(ctx context.Context, key string) error
	// Pending lists what is accepted and not done, in the order it came.
	Pending(ctx context.Context) ([]Accepted, error)
}

// Accepted is a stored request.
type Accepted struct {
	Key     string
	Payload []byte
}

// verdict is what became of a delivery.
type verdict struct {
	made     chan struct{} // closed once it is known
	accepted bool
	at       time.Time
}

// verdicts remembers each delivery's verdict for as long as Slack may deliver
// it again, so that one request always gets one answer from this process:
// never "not accepted" for what is being worked on, and never work on what its
// sender was told to send again. The zero value is ready.
type verdicts struct {
	mu  sync.Mutex
	all map[string]*verdict
}

// verdictAge is longer than Slack goes on redelivering.
const verdictAge = time.Hour

// of is the verdict on a key, and whether it is the caller's to make.
func (v *verdicts) of(key string) (*verdict, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if known, ok := v.all[key]; ok {
		return known, false
	}
	now := time.Now()
	for k, old := range v.all {
		if now.Sub(old.at) > verdictAge {
			delete(v.all, k)
		}
	}
	if v.all == nil {
		v.all = map[string]*verdict{}
	}
	mine := &verdict{made: make(chan struct{}), at: now}
	v.all[key] = mine
	return mine, true
}

// accepted takes note of what an earlier process has accepted.
func (v *verdicts) accepted(key string) {
	if verdict, mine := v.of(key); mine {
		verdict.make(true)
	}
}

func (v *verdict) make(accepted bool) {
	v.accepted = accepted
	close(v.made)
}

// receive takes one delivery in, whatever transport brought it. ack is to be
// sent back at once; then work, if there is any, is to be called. Until then
// nothing has happened but that the request is stored.
func (u *UI) receive(ctx context.Context, d delivery) (ack any, work func()) {
	v, mine := u.verdicts.of(d.key)
	if !mine {
		<-v.made // soon: it is made by the deadline, and at once when ctx ends
		if v.accepted {
			return nil, nil
		}
		return u.notAccepted(ctx, d), nil
	}
	select {
	case u.pool <- struct{}{}:
	default:
		v.make(false)
		return u.turnAway(ctx, d, nil, errors.New("every worker is busy")), nil
	}
	fresh, stored, err := u.accept(ctx, d)
	if err != nil {
		<-u.pool
		v.make(false)
		return u.turnAway(ctx, d, stored, err), nil
	}
	v.make(true)
	if !fresh { // of an earlier process
		<-u.pool
		return nil, nil
	}
	return nil, func() {
		defer func() { <-u.pool }()
		u.work(ctx, Accepted{d.key, d.row})
	}
}

// accept stores the delivery within the deadline. stored is closed when the
// inbox is done with it, which may be later.
func (u *UI) accept(ctx context.Context, d delivery) (fresh bool, stored <-chan struct{}, err error) {
	ctx, stop := context.WithTimeout(ctx, u.times.accept)
	done := make(chan struct{})
	var isFresh bool
	var failed error
	u.tasks.Go(func() {
		defer stop()
		defer close(done)
		isFresh, failed = u.inbox.Accept(ctx, d.key, d.row)
		if failed == nil {
			failed = ctx.Err()
		}
	})
	select {
	case <-done:
		return isFresh, done, failed
	case <-ctx.Done():
	}
	select {
	case <-done: // just in time, and the context was ended by that
		return isFresh, done, failed
	default:
		return false, done, ctx.Err()
	}
}

// turnAway tells the sender to try again, and sees to it that the request is
// never worked on, should it have been stored after all.
func (u *UI) turnAway(ctx context.Context, d delivery, stored <-chan struct{}, why error) any {
	u.log.WarnContext(ctx, "request not accepted", "ref", reference(d.key), "err", why)
	u.tasks.Go(func() {
		if stored != nil {
			<-stored
		}
		u.insist(ctx, "voiding a request", d.key, u.inbox.Void)
	})
	return u.notAccepted(ctx, d)
}

// notAccepted says so to the sender: in the acknowledgement, where Slack shows
// one to the person, or else through the response address.
func (u *UI) notAccepted(ctx context.Context, d delivery) any {
	if d.replies {
		return map[string]string{"response_type": "ephemeral", "text": u.cards.NotAccepted()}
	}
	u.tasks.Go(func() {
		ctx, stop := u.telling(ctx)
		defer stop()
		if err := u.respond(ctx, d.reply, ephemeral{Text: u.cards.NotAccepted()}); err != nil {
			u.log.WarnContext(ctx, "saying that a request was not accepted", "ref", reference(d.key), "err", err)
		}
	})
	return nil
}
