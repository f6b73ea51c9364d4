package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os/exec"
	"runtime"

	"github.com/synestra/promoter/deploy"
	"github.com/synestra/promoter/internal/sandbox/page"
)

// browserOptions say where the sandbox's page is served, and whether a browser
// is to open it.
type browserOptions struct {
	listen string
	open   bool
}

// servePage serves the world in the browser. The composer completes the
// commands of the app's manifest, as Slack's does.
func (w *world) servePage(listen string, log *slog.Logger) (*page.Server, error) {
	var manifest struct {
		Features struct {
			Commands []page.Command `json:"slash_commands"`
		} `json:"features"`
	}
	if err := json.Unmarshal(deploy.SlackManifest, &manifest); err != nil {
		return nil, fmt.Errorf("reading the manifest of the Slack app: %w", err)
	}
	var apps []string
	for _, a := range sandboxApps {
		apps = append(apps, a.Name)
	}
	return page.Start(page.Options{
		Addr: listen, Slack: w.slack, Git: w.git, Argo: w.argo, Channel: releases, Apps: apps, Log: log,
		People:   []page.Person{{ID: ana, Note: "may do everything"}, {ID: bob, Note: "has no rights"}},
		Commands: manifest.Features.Commands,
	})
}

// openBrowser asks the desktop to open an address.
func openBrowser(url string) error {
	program, args := "xdg-open", []string{url}
	switch runtime.GOOS {
	case "darwin":
		program = "open"
	case "windows":
		program, args = "rundll32", []string{"url.dll,FileProtocolHandler", url}
	}
	c := exec.Command(program, args...)
	if err := c.Start(); err != nil {
		return fmt.Errorf("no browser could be opened, so open %s yourself: %w", url, err)
	}
	go c.Wait() // so that no process is left behind; whether it went well is to be seen
	return nil
}
