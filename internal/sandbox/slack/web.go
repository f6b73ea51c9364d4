package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// RequestURLs are where the app's settings send what Slack delivers in HTTP mode.
type RequestURLs struct {
	Commands      string // of every slash command
	Interactivity string
	Events        string
}

// web is how deliveries go out in HTTP mode. Guarded by Server.mu.
type web struct {
	urls   RequestURLs
	secret string // the signing secret
}

// SendOverHTTP turns Socket Mode off: from now on everything is delivered to
// the request URLs, signed with the secret. An answer other than 2xx is
// [ErrRequestFailed]; if it is 5xx or late, a command or a click is delivered
// once more, with Slack's retry headers.
func (s *Server) SendOverHTTP(to RequestURLs, signingSecret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.web = &web{to, signingSecret}
}

// overHTTP is where deliveries go; nil in Socket Mode.
func (s *Server) overHTTP() *web {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.web
}

// newClient calls request URLs as Slack does: without following redirects.
func newClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// send delivers an envelope once over HTTP. The answer is its acknowledgement.
func (s *Server) send(ctx context.Context, to *web, e Envelope) (Ack, error) {
	ack := Ack{Envelope: e}
	address, contentType, body, err := to.request(e)
	if err != nil {
		return ack, err
	}
	waiting, stop := context.WithTimeout(ctx, s.opt.AckTimeout)
	defer stop()
	req, err := http.NewRequestWithContext(waiting, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return ack, fmt.Errorf("request URL: %w", err)
	}
	timestamp := strconv.FormatInt(s.opt.Now().Unix(), 10)
	req.Header.Set("User-Agent", "Slackbot 1.0 (+https://api.slack.com/robots)")
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("X-Slack-Request-Timestamp", timestamp)
	req.Header.Set("X-Slack-Signature", Sign(to.secret, timestamp, body))
	if e.RetryAttempt > 0 {
		req.Header.Set("X-Slack-Retry-Num", strconv.Itoa(e.RetryAttempt))
		req.Header.Set("X-Slack-Retry-Reason", "http_"+e.RetryReason)
	}
	began := time.Now()
	resp, err := s.client.Do(req)
	if err != nil {
		return ack, s.unanswered(ctx, waiting, err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	switch {
	case err != nil:
		return ack, s.unanswered(ctx, waiting, err)
	case resp.StatusCode/100 != 2:
		return ack, statusError(resp.StatusCode)
	}
	ack.Payload, ack.After = said, time.Since(began)
	if len(said) == 0 {
		ack.Payload = nil
	} else if !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		ack.Payload = mustJSON(map[string]string{"text": string(said)})
	}
	return ack, nil
}

// request is an envelope as it goes over HTTP: where to, and what.
func (w *web) request(e Envelope) (address, contentType string, body []byte, err error) {
	const form = "application/x-www-form-urlencoded"
	switch e.Type {
	case "slash_commands":
		var fields map[string]string
		if err := json.Unmarshal(e.Payload, &fields); err != nil {
			return "", "", nil, fmt.Errorf("a command's payload as a form: %w", err)
		}
		values := url.Values{}
		for key, value := range fields {
			values.Set(key, value)
		}
		return w.urls.Commands, form, []byte(values.Encode()), nil
	case "interactive":
		return w.urls.Interactivity, form, []byte(url.Values{"payload": {string(e.Payload)}}.Encode()), nil
	case "events_api":
		return w.urls.Events, "application/json", e.Payload, nil
	}
	return "", "", nil, fmt.Errorf("nothing of type %s goes over HTTP", e.Type)
}

// unanswered is what the person sees of a request that got no answer.
func (s *Server) unanswered(ctx, waiting context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("waiting for an acknowledgement: %w", context.Cause(ctx))
	case waiting.Err() != nil:
		return ErrOperationTimeout
	}
	return errors.Join(ErrDispatchFailed, err)
}

// statusError is an answer that acknowledges nothing.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("%v: status %d", ErrRequestFailed, int(e)) }

func (e statusError) Is(target error) bool { return target == ErrRequestFailed }

// retryReason is why Slack delivers again after an error; "" if it does not.
func retryReason(err error) string {
	status, answered := errors.AsType[statusError](err)
	switch {
	case errors.Is(err, ErrOperationTimeout):
		return "timeout"
	case answered && status >= 500:
		return "error"
	}
	return ""
}
