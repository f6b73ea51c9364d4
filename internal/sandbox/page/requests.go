package page

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/synestra/promoter/internal/sandbox/slack"
)

// maxBody bounds a request, in bytes.
const maxBody = 64 << 10

// say is what somebody typed: a command, or a message. It is answered when the
// bot has acknowledged.
func (s *Server) say(w http.ResponseWriter, r *http.Request) {
	var in struct{ User, Text string }
	answer(w, read(w, r, &in), func() (string, error) {
		text := strings.TrimSpace(in.Text)
		if text == "" {
			return "", errors.New("there is nothing to send")
		}
		if !strings.HasPrefix(text, "/") {
			_, err := s.o.Slack.Say(in.User, s.o.Channel, text)
			return "", err
		}
		name, rest, _ := strings.Cut(text, " ")
		if !slices.ContainsFunc(s.o.Commands, func(c Command) bool { return c.Name == name }) {
			return "", fmt.Errorf("%s is not a command here", name)
		}
		_, err := s.o.Slack.Command(r.Context(), in.User, s.o.Channel, name, rest)
		return "", err
	})
}

// click is a button that somebody pressed, or, with a value, what they chose
// from a menu.
func (s *Server) click(w http.ResponseWriter, r *http.Request) {
	var in struct{ User, TS, Action, Value string }
	answer(w, read(w, r, &in), func() (string, error) {
		ref := slack.MessageRef{Channel: s.o.Channel, TS: in.TS}
		if in.Value != "" {
			_, err := s.o.Slack.Choose(r.Context(), in.User, ref, in.Action, in.Value)
			return "", err
		}
		_, err := s.o.Slack.Click(r.Context(), in.User, ref, in.Action)
		return "", err
	})
}

// act makes something happen. The answer says what.
func (s *Server) act(w http.ResponseWriter, r *http.Request) {
	var in struct{ Name, App string }
	answer(w, read(w, r, &in), func() (string, error) {
		for _, a := range acts() {
			if a.Name != in.Name {
				continue
			}
			if a.App && !slices.Contains(s.o.Apps, in.App) {
				return "", fmt.Errorf("there is no app %q", in.App)
			}
			return a.do(s, r.Context(), in.App)
		}
		return "", fmt.Errorf("there is no act %q", in.Name)
	})
}

func read(w http.ResponseWriter, r *http.Request, into any) error {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(into); err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	return nil
}

// answer does what was asked for, and says what came of it.
func answer(w http.ResponseWriter, err error, do func() (string, error)) {
	var told struct {
		Told  string `json:"told,omitempty"`
		Error string `json:"error,omitempty"`
	}
	if err == nil {
		told.Told, err = do()
	}
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		told.Error = err.Error()
		w.WriteHeader(http.StatusBadRequest)
	}
	_ = json.NewEncoder(w).Encode(told) // the browser may be gone: nothing left to do for it
}
