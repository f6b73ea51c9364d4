package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// What the person sees when the bot does not answer a command or a click.
var (
	ErrDispatchFailed   = errors.New("dispatch_failed: the bot has no open socket, or does not answer at its request URL")
	ErrOperationTimeout = errors.New("operation_timeout: the bot did not acknowledge in time")
	ErrRequestFailed    = errors.New("the bot answered the request with an HTTP error") // in HTTP mode
)

// Envelope is one delivery, as Socket Mode has it. Over HTTP it has no id, and
// a response is always accepted.
type Envelope struct {
	ID              string // envelope_id; Deliver makes one up if it is empty
	Type            string // slash_commands, interactive or events_api
	AcceptsResponse bool   // accepts_response_payload
	RetryAttempt    int    // 0 for a first delivery
	RetryReason     string
	Payload         json.RawMessage
}

// MarshalJSON is the form on the wire.
func (e Envelope) MarshalJSON() ([]byte, error) {
	wire := map[string]any{
		"envelope_id":              e.ID,
		"type":                     e.Type,
		"accepts_response_payload": e.AcceptsResponse,
		"payload":                  e.Payload,
	}
	if e.RetryAttempt > 0 || e.Type == "events_api" {
		wire["retry_attempt"] = e.RetryAttempt
		wire["retry_reason"] = e.RetryReason
	}
	return json.Marshal(wire)
}

// Ack is the bot's acknowledgement of an envelope.
type Ack struct {
	Envelope Envelope        // what was acknowledged; without an acknowledgement, what was sent last
	Payload  json.RawMessage // what the acknowledgement carried; nil if nothing
	After    time.Duration   // from the first delivery to the acknowledgement; 0 without one
}

// Deliver sends an envelope once, as it is, to one of the open sockets (or to
// its request URL, see [Server.SendOverHTTP]) and waits for its
// acknowledgement. Delivering one that was already delivered is Slack's "same
// envelope twice". The errors are [ErrDispatchFailed], [ErrOperationTimeout],
// [ErrRequestFailed] and the context's.
func (s *Server) Deliver(ctx context.Context, e Envelope) (Ack, error) {
	ack, _, err := s.deliver(ctx, e, nil)
	return ack, err
}

// Redeliver sends what an envelope carried in a new envelope, as a retry: same
// trigger_id, another envelope_id.
func (s *Server) Redeliver(ctx context.Context, e Envelope) (Ack, error) {
	return s.Deliver(ctx, retryOf(e, "timeout"))
}

func retryOf(e Envelope, reason string) Envelope {
	e.ID = ""
	e.RetryAttempt++
	e.RetryReason = reason
	return e
}

// deliver is Deliver, on another socket than avoid if there is one; it returns
// the socket that it used.
func (s *Server) deliver(ctx context.Context, e Envelope, avoid *socket) (Ack, *socket, error) {
	if e.ID == "" {
		e.ID = newID()
	}
	if to := s.overHTTP(); to != nil {
		ack, err := s.send(ctx, to, e)
		return ack, nil, err
	}
	s.mu.Lock()
	k := s.hub.pick(avoid)
	s.mu.Unlock()
	if k == nil {
		return Ack{Envelope: e}, nil, ErrDispatchFailed
	}
	acked := k.expect(e.ID)
	defer k.forget(e.ID, acked)
	began := time.Now()
	k.send(e)
	timer := time.NewTimer(s.opt.AckTimeout)
	defer timer.Stop()
	select {
	case payload := <-acked:
		return Ack{Envelope: e, Payload: payload, After: time.Since(began)}, k, nil
	case <-timer.C:
		return Ack{Envelope: e}, k, ErrOperationTimeout
	case <-ctx.Done():
		return Ack{Envelope: e}, k, fmt.Errorf("waiting for an acknowledgement: %w", context.Cause(ctx))
	case <-s.done:
		return Ack{Envelope: e}, k, errors.New("waiting for an acknowledgement: the Slack stand-in was closed")
	}
}

// deliverTwice delivers an envelope and, if it is not acknowledged in time or
// with a 5xx, its retry, on another socket. The person has seen the error by
// then, so it stays.
func (s *Server) deliverTwice(ctx context.Context, e Envelope) (Ack, error) {
	began := time.Now()
	ack, first, err := s.deliver(ctx, e, nil)
	reason := retryReason(err)
	if reason == "" {
		return ack, err
	}
	ack, _, retryErr := s.deliver(ctx, retryOf(e, reason), first)
	if retryErr == nil {
		ack.After = time.Since(began)
	}
	if retryErr != nil && !errors.Is(retryErr, ErrOperationTimeout) {
		err = errors.Join(err, retryErr)
	}
	return ack, err
}
