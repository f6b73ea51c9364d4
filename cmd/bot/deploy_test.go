package main

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/synestra/promoter/internal/commands"
	"github.com/synestra/promoter/internal/sandbox/slack"
)

// The app manifest asks for the scopes that the stand-in grants, so what the
// tests prove holds for an app made from it; and it has the commands.
func TestSlackManifest(t *testing.T) {
	data, err := os.ReadFile("../../deploy/slack-manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Features struct {
			Commands []struct {
				Command      string `json:"command"`
				ShouldEscape bool   `json:"should_escape"`
			} `json:"slash_commands"`
		} `json:"features"`
		OAuth struct {
			Scopes struct{ Bot []string }
		} `json:"oauth_config"`
		Settings struct {
			SocketMode    bool `json:"socket_mode_enabled"`
			Interactivity struct {
				Enabled bool `json:"is_enabled"`
			}
		}
	}
	if err := json.Unmarshal(data, &manifest); err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, c := range manifest.Features.Commands {
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
	if got, want := slices.Sorted(slices.Values(manifest.OAuth.Scopes.Bot)), slices.Sorted(slices.Values(slack.DefaultScopes())); !slices.Equal(got, want) {
		t.Errorf("scopes = %q\nthe stand-in's = %q", got, want)
	}
	if !manifest.Settings.SocketMode || !manifest.Settings.Interactivity.Enabled {
		t.Error("Socket Mode or interactivity is off")
	}
}
