package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"unicode"
)

// secret is a credential. It cannot be printed, logged or marshalled by
// accident: its value is behind a func, which nothing looks into. Methods
// alone would not do, since fmt and slog call none on unexported fields. The
// zero secret is one that was not given.
type secret struct {
	value func() string
	file  string // where it was read from, "" for the environment
	check func(string) error
}

// hidden is what is seen of a secret.
const hidden = "(secret)"

func (secret) String() string               { return hidden }
func (secret) GoString() string             { return hidden }
func (secret) Format(f fmt.State, _ rune)   { _, _ = io.WriteString(f, hidden) } // fmt reports write errors itself
func (secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
func (secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }
func (secret) LogValue() slog.Value         { return slog.StringValue(hidden) }

// loaded is the secret as it was when the configuration was read, "" if it was
// not given.
func (s secret) loaded() string {
	if s.value == nil {
		return ""
	}
	return s.value()
}

// now is the secret as it is now: a file is read again, so that whoever writes
// it can replace the secret while the bot runs.
func (s secret) now(context.Context) (string, error) {
	if s.file == "" {
		return s.loaded(), nil
	}
	value, err := readSecret(s.file)
	if err == nil {
		err = s.check(value)
	}
	if err != nil {
		return "", fmt.Errorf("reading a secret: %w", err)
	}
	return value, nil
}

// secrets are the bot's credentials.
type secrets struct {
	SlackBot     secret
	SlackApp     secret // for Socket Mode
	SlackSigning secret // for HTTP mode
	Git, ArgoCD  secret
	Source       secret // may be left out
}

// loadSecrets reads each secret from the environment or from the file that the
// environment names, and reports what is missing in slack.mode or cannot be one.
func loadSecrets(env func(string) string, mode string, p *problems) secrets {
	s := secrets{
		SlackBot:     loadSecret(env, p, "SLACK_BOT_TOKEN", "xoxb-"),
		SlackApp:     loadSecret(env, p, "SLACK_APP_TOKEN", "xapp-"),
		SlackSigning: loadSecret(env, p, "SLACK_SIGNING_SECRET", ""),
		Git:          loadSecret(env, p, "GIT_TOKEN", ""),
		ArgoCD:       loadSecret(env, p, "ARGOCD_AUTH_TOKEN", ""),
		Source:       loadSecret(env, p, "SOURCE_TOKEN", ""),
	}
	needed := map[string]secret{"SLACK_BOT_TOKEN": s.SlackBot, "GIT_TOKEN": s.Git, "ARGOCD_AUTH_TOKEN": s.ArgoCD}
	switch mode {
	case modeSocket:
		needed["SLACK_APP_TOKEN"] = s.SlackApp
	case modeHTTP:
		needed["SLACK_SIGNING_SECRET"] = s.SlackSigning
	}
	for name, given := range needed {
		if given.value == nil {
			p.add(name, "is missing: set %s, or %s_FILE to the path of a file that holds it", name, name)
		}
	}
	for name, instead := range map[string]string{
		"GIT_SSH_KEY": "use an https:// URL and GIT_TOKEN", "DATABASE_URL": "unset it to use the SQLite file at store.path",
	} {
		if env(name) != "" || env(name+"_FILE") != "" {
			p.add(name, "is not supported yet: %s", instead)
		}
	}
	return s
}

func loadSecret(env func(string) string, p *problems, name, prefix string) secret {
	value, file := env(name), env(name+"_FILE")
	var err error
	switch {
	case value == "" && file == "":
		return secret{}
	case value != "" && file != "":
		p.add(name, "is set twice: keep one of %s and %s_FILE", name, name)
		return secret{}
	case file != "":
		value, err = readSecret(file)
	default:
		value = strings.TrimRight(value, "\r\n")
	}
	check := func(value string) error { return checkSecret(prefix, value) }
	if err == nil {
		err = check(value)
	}
	if err != nil {
		p.add(name, "%v", err)
		return secret{}
	}
	return secret{value: func() string { return value }, file: file, check: check}
}

// readSecret reads a file without the line end that editors and echo leave.
func readSecret(file string) (string, error) {
	b, err := os.ReadFile(file)
	return strings.TrimRight(string(b), "\r\n"), err
}

// checkSecret says what is wrong with a secret, and never what it is.
func checkSecret(prefix, value string) error {
	switch {
	case value == "":
		return errors.New("is empty")
	case strings.ContainsFunc(value, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return errors.New("has white space in it")
	case !strings.HasPrefix(value, prefix):
		return fmt.Errorf("must begin with %s: another kind of token was given", prefix)
	case value == prefix:
		return errors.New("is only the beginning of a token")
	}
	return nil
}
