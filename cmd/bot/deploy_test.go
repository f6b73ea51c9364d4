package main

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/synestra/promoter/internal/commands"
	"github.com/synestra/promoter/internal/sandbox/slack"
)

// manifest is what these tests read of an app manifest.
type manifest struct {
	Features struct {
		Commands []struct {
			Command      string `json:"command"`
			URL          string `json:"url"`
			ShouldEscape bool   `json:"should_escape"`
		} `json:"slash_commands"`
	} `json:"features"`
	OAuth struct {
		Scopes struct{ Bot []string }
	} `json:"oauth_config"`
	Settings struct {
		SocketMode    bool `json:"socket_mode_enabled"`
		Interactivity struct {
			Enabled bool   `json:"is_enabled"`
			URL     string `json:"request_url"`
		}
	}
}

func readManifest(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

const (
	socketManifest = "../../deploy/slack-manifest.json"
	httpManifest   = "../../deploy/slack-manifest.http.json"
)

// The app manifest asks for the scopes that the stand-in grants, so what the
// tests prove holds for an app made from it; and it has the commands.
func TestSlackManifest(t *testing.T) {
	var m manifest
	readManifest(t, socketManifest, &m)
	var listed []string
	for _, c := range m.Features.Commands {
		listed = append(listed, c.Command)
		if c.ShouldEscape {
			t.Errorf("%s escapes what is typed", c.Command)
		}
	}
	var known []string
	for _, name := range commands.Names() {
		known = append(known, "/"+name)
	}
	if !slices.Equal(listed, known) {
		t.Errorf("commands = %q, the bot knows %q", listed, known)
	}
	if got, want := slices.Sorted(slices.Values(m.OAuth.Scopes.Bot)), slices.Sorted(slices.Values(slack.DefaultScopes())); !slices.Equal(got, want) {
		t.Errorf("scopes = %q\nthe stand-in's = %q", got, want)
	}
	if !m.Settings.SocketMode || !m.Settings.Interactivity.Enabled {
		t.Error("Socket Mode or interactivity is off")
	}
}

// The manifest for HTTP mode is the other one with request URLs in place of
// Socket Mode, and the bot serves those.
func TestSlackManifestOverHTTP(t *testing.T) {
	t.Parallel()
	var m manifest
	readManifest(t, httpManifest, &m)
	paths := map[string]bool{}
	for _, c := range m.Features.Commands {
		paths[pathOf(t, c.URL)] = true
	}
	paths[pathOf(t, m.Settings.Interactivity.URL)] = true
	s := newStage(t, inMode(modeHTTP))
	s.start()
	for path := range paths {
		if got := s.get(path); got != http.StatusMethodNotAllowed { // it is there, for POST
			t.Errorf("GET %s: %d", path, got)
		}
	}
	if got := slices.Sorted(maps.Keys(paths)); !slices.Equal(got, []string{"/slack/commands", "/slack/interactivity"}) {
		t.Errorf("paths = %q", got)
	}

	var over, without map[string]any
	readManifest(t, httpManifest, &over)
	readManifest(t, socketManifest, &without)
	for _, c := range over["features"].(map[string]any)["slash_commands"].([]any) {
		delete(c.(map[string]any), "url")
	}
	settings := over["settings"].(map[string]any)
	delete(settings["interactivity"].(map[string]any), "request_url")
	if settings["socket_mode_enabled"] != false {
		t.Error("Socket Mode is on")
	}
	settings["socket_mode_enabled"] = true
	if !reflect.DeepEqual(over, without) {
		t.Errorf("apart from that\n%v\nis not\n%v", over, without)
	}
}

func pathOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" {
		t.Errorf("%q is no https:// URL: %v", address, err)
		return ""
	}
	return u.Path
}
