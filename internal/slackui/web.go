package slackui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"
)

// maxBody is the size up to which a request is read. Slack's are a few KB.
const maxBody = 1 << 20

const (
	mediaForm = "application/x-www-form-urlencoded"
	mediaJSON = "application/json"
)

// Requests serves what Slack calls in HTTP mode: POST /slack/commands,
// /slack/interactivity and /slack/events. Nothing of a request is acted on
// before its signature is verified. The answer is the acknowledgement, as in
// Socket Mode; without one it is 400 (unreadable), 401 (not signed by Slack, or
// more than five minutes ago or ahead), 405, 413 (over 1 MiB), 415, or 503 while
// [UI.Run] does not take requests in. Then nothing was done.
func (u *UI) Requests() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /slack/commands", u.verified(mediaForm, u.serveCommand))
	mux.HandleFunc("POST /slack/interactivity", u.verified(mediaForm, u.serveInteraction))
	mux.HandleFunc("POST /slack/events", u.verified(mediaJSON, u.serveEvent))
	return mux
}

// verified has a request served if Slack has signed it.
func (u *UI) verified(media string, serve func(w http.ResponseWriter, r *http.Request, body []byte)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			turnDown(w, http.StatusRequestEntityTooLarge)
			return
		}
		if err != nil {
			turnDown(w, http.StatusBadRequest)
			return
		}
		if err := verify(r.Header, body, u.cfg.Signing); err != nil {
			if errors.Is(err, errUnsigned) && isSSLCheck(body) {
				return
			}
			u.log.WarnContext(r.Context(), "request turned down", "path", r.URL.Path, "err", err)
			turnDown(w, http.StatusUnauthorized)
			return
		}
		if is, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || is != media {
			turnDown(w, http.StatusUnsupportedMediaType)
			return
		}
		serve(w, r, body)
	}
}

// turnDown answers with a status, and tells a stranger nothing else.
func turnDown(w http.ResponseWriter, status int) { http.Error(w, http.StatusText(status), status) }

// serveCommand takes a slash command in. Its form has the fields that Socket
// Mode sends as JSON.
func (u *UI) serveCommand(w http.ResponseWriter, r *http.Request, body []byte) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		u.unreadable(w, r, err)
		return
	}
	if form.Get("ssl_check") == "1" {
		return
	}
	fields := map[string]string{}
	for name := range form {
		fields[name] = form.Get(name)
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		u.unreadable(w, r, err)
		return
	}
	u.serveDelivery(w, r, kindCommand, raw)
}

// serveInteraction takes a click in. Its form has one field, with the JSON that
// Socket Mode sends.
func (u *UI) serveInteraction(w http.ResponseWriter, r *http.Request, body []byte) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		u.unreadable(w, r, err)
		return
	}
	u.serveDelivery(w, r, kindInteraction, json.RawMessage(form.Get("payload")))
}

// serveEvent proves to Slack that the address is ours, and acknowledges events:
// the bot works on none.
func (u *UI) serveEvent(w http.ResponseWriter, r *http.Request, body []byte) {
	var event struct {
		Type      string `json:"type"`
		Challenge string `json:"challenge"`
	}
	if err := json.Unmarshal(body, &event); err != nil {
		u.unreadable(w, r, err)
		return
	}
	if event.Type == "url_verification" {
		u.reply(w, r, map[string]string{"challenge": event.Challenge})
	}
}

// unreadable is a request that Slack has signed and that makes no sense.
func (u *UI) unreadable(w http.ResponseWriter, r *http.Request, err error) {
	u.log.ErrorContext(r.Context(), "reading a delivery", "path", r.URL.Path, "err", err)
	turnDown(w, http.StatusBadRequest)
}

// arrival is a delivery that came over HTTP, and where its acknowledgement goes.
type arrival struct {
	delivery

	ack chan any // takes one without waiting
}

// serveDelivery hands a delivery over to Run and answers with its
// acknowledgement. A retry is served like what it repeats, whose key it has: it
// may be the only one that arrived.
func (u *UI) serveDelivery(w http.ResponseWriter, r *http.Request, kind string, raw json.RawMessage) {
	d, err := open(kind, "", raw, time.Now())
	if errors.Is(err, errNotForUs) {
		return
	}
	if err != nil {
		u.unreadable(w, r, err)
		return
	}
	d.replies = kind == kindCommand
	a := arrival{d, make(chan any, 1)}
	wait := time.NewTimer(u.times.accept)
	defer wait.Stop()
	select {
	case u.arrivals <- a:
	case <-wait.C: // before the start, or after the end
		u.log.WarnContext(r.Context(), "request not accepted", "ref", reference(d.key), "err", "requests are not taken in at the moment")
		turnDown(w, http.StatusServiceUnavailable)
		return
	}
	if ack := <-a.ack; ack != nil {
		u.reply(w, r, ack)
	}
}

// reply answers with JSON.
func (u *UI) reply(w http.ResponseWriter, r *http.Request, answer any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		u.log.WarnContext(r.Context(), "acknowledging", "path", r.URL.Path, "err", fmt.Errorf("answering a request: %w", err))
	}
}

// takeIn takes in what comes over HTTP until ctx ends.
func (u *UI) takeIn(ctx context.Context) error {
	for {
		select {
		case a := <-u.arrivals:
			u.tasks.Go(func() {
				ack, work := u.receive(ctx, a.delivery)
				a.ack <- ack
				if work != nil {
					work()
				}
			})
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
