package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// nested has a configuration where methods are not called: in an unexported
// field, behind a pointer, in an interface, as a map's key and value.
type nested struct {
	Open    config
	closed  config
	pointer *config
	any     any
	list    []secret
	values  map[string]secret
}

func TestSecretsCannotBePrinted(t *testing.T) {
	const value = "hunter2"
	c, err := parseConfig("c", []byte(needed), tokens(
		"SLACK_BOT_TOKEN=xoxb-"+value, "SLACK_APP_TOKEN=xapp-"+value, "SLACK_SIGNING_SECRET="+value, "GIT_TOKEN="+value, "ARGOCD_AUTH_TOKEN="+value, "SOURCE_TOKEN="+value,
	))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Secrets.Git.loaded(); got != value {
		t.Fatalf("loaded %q: there is nothing to hide", got)
	}
	s := c.Secrets.Git
	n := nested{c, c, &c, c, []secret{s}, map[string]secret{"a": s}}
	var out bytes.Buffer
	for _, v := range []any{s, &s, c.Secrets, c, &c, n, &n, []any{n}, map[string]any{"a": n}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%T"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		fmt.Fprintln(&out, v, errors.New(fmt.Sprint(v)), fmt.Errorf("wrapped: %w", fmt.Errorf("%v", v)))
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			log := slog.New(h)
			log.Info("plain", "value", v)
			log.With("value", v).WithGroup("group").Info("nested", slog.Group("inner", "value", v))
		}
		for _, marshal := range []func(any) ([]byte, error){json.Marshal, yaml.Marshal, xml.Marshal} {
			b, err := marshal(v)
			fmt.Fprintln(&out, string(b), err)
		}
	}
	if strings.Contains(out.String(), value) || strings.Contains(out.String(), fmt.Sprintf("%x", value)) || strings.Contains(out.String(), fmt.Sprintf("%X", value)) {
		i := strings.Index(out.String(), value)
		t.Errorf("a secret is shown: %.300s", out.String()[max(0, i-200):])
	}
	for _, printed := range []string{
		fmt.Sprint(s), fmt.Sprintf("%q", s), fmt.Sprintf("%#v", s), s.String(), s.GoString(), s.LogValue().String(),
	} {
		if printed != hidden {
			t.Errorf("printed as %s", printed)
		}
	}
	if b, err := json.Marshal(s); err != nil || string(b) != `"(secret)"` {
		t.Errorf("in JSON %s, %v", b, err)
	}
	if b, err := yaml.Marshal(s); err != nil || string(b) != "(secret)\n" {
		t.Errorf("in YAML %s, %v", b, err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSecretFromAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	write(t, path, "first\r\n\n")
	c, err := parseConfig("c", []byte(needed), tokens("GIT_TOKEN=", "GIT_TOKEN_FILE="+path))
	if err != nil {
		t.Fatal(err)
	}
	git := c.Secrets.Git
	now := func() string {
		t.Helper()
		value, err := git.now(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	if got := now(); got != "first" || git.loaded() != "first" {
		t.Errorf("now %q, loaded %q", got, git.loaded())
	}
	write(t, path, "second")
	if got := now(); got != "second" || git.loaded() != "first" {
		t.Errorf("after a rotation: now %q, loaded %q", got, git.loaded())
	}
	// What is half written must not be sent anywhere, nor shown.
	write(t, path, "two\nhunter2")
	if got, err := git.now(t.Context()); got != "" || err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("now %q, %v", got, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got, err := git.now(t.Context()); got != "" || err == nil {
		t.Errorf("of a file that is gone: now %q, %v", got, err)
	}
	if got, err := c.Secrets.ArgoCD.now(t.Context()); got != "argo-1" || err != nil {
		t.Errorf("of the environment: now %q, %v", got, err)
	}
	if got, err := (secret{}).now(t.Context()); got != "" || err != nil {
		t.Errorf("of no secret: now %q, %v", got, err)
	}
}

func TestSecretProblems(t *testing.T) {
	dir := t.TempDir()
	empty, bad := filepath.Join(dir, "empty"), filepath.Join(dir, "bad")
	write(t, empty, "\n")
	write(t, bad, "xapp-hunter2")
	tests := []struct {
		name string
		env  []string
		want []string
	}{
		{"all missing", []string{"SLACK_BOT_TOKEN=", "SLACK_APP_TOKEN=", "GIT_TOKEN=", "ARGOCD_AUTH_TOKEN="}, []string{
			"c: ARGOCD_AUTH_TOKEN is missing: set ARGOCD_AUTH_TOKEN, or ARGOCD_AUTH_TOKEN_FILE to the path of a file that holds it",
			"c: GIT_TOKEN is missing: set GIT_TOKEN, or GIT_TOKEN_FILE to the path of a file that holds it",
			"c: SLACK_APP_TOKEN is missing: set SLACK_APP_TOKEN, or SLACK_APP_TOKEN_FILE to the path of a file that holds it",
			"c: SLACK_BOT_TOKEN is missing: set SLACK_BOT_TOKEN, or SLACK_BOT_TOKEN_FILE to the path of a file that holds it",
		}},
		{"twice", []string{"GIT_TOKEN_FILE=" + bad}, []string{"c: GIT_TOKEN is set twice: keep one of GIT_TOKEN and GIT_TOKEN_FILE"}},
		{"no file", []string{"GIT_TOKEN=", "GIT_TOKEN_FILE=" + dir + "/none"}, []string{"c: GIT_TOKEN open " + dir + "/none: no such file or directory"}},
		{"an empty file", []string{"GIT_TOKEN=", "GIT_TOKEN_FILE=" + empty}, []string{"c: GIT_TOKEN is empty"}},
		{"the other token", []string{"SLACK_BOT_TOKEN=xapp-hunter2"}, []string{"c: SLACK_BOT_TOKEN must begin with xoxb-: another kind of token was given"}},
		{"the other token in a file", []string{"SLACK_BOT_TOKEN=", "SLACK_BOT_TOKEN_FILE=" + bad}, []string{"c: SLACK_BOT_TOKEN must begin with xoxb-: another kind of token was given"}},
		{"the beginning of a token", []string{"SLACK_APP_TOKEN=xapp-"}, []string{"c: SLACK_APP_TOKEN is only the beginning of a token"}},
		{"white space", []string{"ARGOCD_AUTH_TOKEN=Bearer hunter2"}, []string{"c: ARGOCD_AUTH_TOKEN has white space in it"}},
		{"a zero byte", []string{"ARGOCD_AUTH_TOKEN=hunter2\x00"}, []string{"c: ARGOCD_AUTH_TOKEN has white space in it"}},
		{"a line end", []string{"SLACK_BOT_TOKEN=xoxb-1\n"}, nil},
		{"a signing secret", []string{"SLACK_SIGNING_SECRET=0a1b"}, nil},
		{"a token for sources", []string{"SOURCE_TOKEN=source-1"}, nil},
		{"a bad token for sources", []string{"SOURCE_TOKEN=a b"}, []string{"c: SOURCE_TOKEN has white space in it"}},
		{"SSH", []string{"GIT_SSH_KEY=hunter2"}, []string{"c: GIT_SSH_KEY is not supported yet: use an https:// URL and GIT_TOKEN"}},
		{"SSH from a file", []string{"GIT_SSH_KEY_FILE=" + bad}, []string{"c: GIT_SSH_KEY is not supported yet: use an https:// URL and GIT_TOKEN"}},
		{"PostgreSQL", []string{"DATABASE_URL=postgres://a:hunter2@b"}, []string{"c: DATABASE_URL is not supported yet: unset it to use the SQLite file at store.path"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { expectProblems(t, needed, tokens(tt.env...), tt.want) })
	}
}

// Each way in which requests arrive needs a secret of its own, and not the
// other's.
func TestSecretOfTheMode(t *testing.T) {
	const overHTTP = "slack: {mode: http, channel: C0123456789}\ngit: {url: https://github.com/synestra/web-core.git}\n"
	missing := func(name string) []string {
		return []string{fmt.Sprintf("c: %s is missing: set %s, or %s_FILE to the path of a file that holds it", name, name, name)}
	}
	file := filepath.Join(t.TempDir(), "secret")
	write(t, file, "0a1b\n")
	for _, tt := range []struct {
		name, yaml string
		env        []string
		want       []string
		app, sign  string // what slackui is told
	}{
		{"socket", needed, nil, nil, "xapp-1", ""},
		{"socket without", needed, []string{"SLACK_APP_TOKEN=", "SLACK_SIGNING_SECRET=0a1b"}, missing("SLACK_APP_TOKEN"), "", ""},
		{"socket with both", needed, []string{"SLACK_SIGNING_SECRET=0a1b"}, nil, "xapp-1", ""},
		{"http", overHTTP, []string{"SLACK_APP_TOKEN=", "SLACK_SIGNING_SECRET=0a1b"}, nil, "", "0a1b"},
		{"http without", overHTTP, nil, missing("SLACK_SIGNING_SECRET"), "", ""},
		{"http with both", overHTTP, []string{"SLACK_SIGNING_SECRET=0a1b"}, nil, "", "0a1b"},
		{"http with a file", overHTTP, []string{"SLACK_SIGNING_SECRET_FILE=" + file}, nil, "", "0a1b"},
		{"http with an empty secret", overHTTP, []string{"SLACK_SIGNING_SECRET=\n"}, []string{"c: SLACK_SIGNING_SECRET is empty"}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			expectProblems(t, tt.yaml, tokens(tt.env...), tt.want)
			if c, err := parseConfig("c", []byte(tt.yaml), tokens(tt.env...)); err == nil {
				if ui := c.slackui(nil); ui.AppToken != tt.app || ui.Signing != tt.sign {
					t.Errorf("app token %q, signing secret %q", ui.AppToken, ui.Signing)
				}
			}
		})
	}
}
