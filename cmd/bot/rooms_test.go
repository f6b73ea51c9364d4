package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const (
	module = "github.com/synestra/promoter/"
	rooms  = module + "internal/"
)

// Libraries that stay in their rooms, and why.
var atHome = []struct {
	library string
	rooms   []string
	why     string
}{
	{"github.com/slack-go/slack", []string{"internal/slackui"}, "speak release; slackui speaks Slack"},
	{"github.com/go-git/go-git", []string{"internal/gitops"}, "gitops owns Git"},
	{"github.com/argoproj/", []string{"internal/argocd", "internal/sandbox/argocd"}, "argocd owns Argo CD; the sandbox stands in for it"},
	{"k8s.io/", []string{"internal/argocd", "internal/sandbox/argocd"}, "the cluster is seen through Argo CD only"},
	{"gopkg.in/yaml.v3", []string{"internal/gitops", "cmd/bot", "internal/sandbox/argocd"}, "layers are gitops'; the configuration is cmd/bot's; the stand-in renders values"},
	{"modernc.org/sqlite", []string{"internal/store"}, "SQL stays in store"},
	{"database/sql", []string{"internal/store"}, "SQL stays in store"},
	{"github.com/robfig/cron", []string{"internal/automation"}, "cron expressions are automation's; the configuration has it check them"},
	{"github.com/gorilla/websocket", []string{"internal/sandbox/slack"}, "only Slack's stand-in serves sockets"},
	{"github.com/spf13/cobra", []string{"cmd/bot"}, "the command line is cmd/bot's"},
}

// Rooms that do with few libraries, and why. Others may use any that is not at
// home elsewhere.
var frugal = []struct {
	room      string
	libraries []string
	why       string
}{
	{"release", nil, "release is pure"},
	{"automation", []string{"github.com/robfig/cron"}, "automation knows release, and reaches all else through interfaces of its own"},
}

// Rooms under internal/ know the release vocabulary and nothing else of ours,
// so that each can be read, tested and replaced alone. release itself knows
// nothing but the standard library: decisions need no I/O. Sub-packages of a
// room are the room's own.
func TestRooms(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"...").CombinedOutput()
	if err != nil {
		t.Fatalf("listing packages: %v\n%s", err, out)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		pkg, imports := fields[0], fields[1:]
		if strings.HasPrefix(pkg, rooms) {
			seen[roomOf(pkg)] = true
		}
		for _, imported := range imports {
			checkRoom(t, pkg, imported)
			checkLibrary(t, pkg, imported)
			checkFrugal(t, pkg, imported)
		}
	}
	for _, room := range []string{"release", "commands", "automation", "gitops", "argocd", "slackui", "store", "sandbox"} {
		if !seen[room] {
			t.Errorf("the room %s was not checked", room)
		}
	}
}

func checkRoom(t *testing.T, pkg, imported string) {
	t.Helper()
	if !strings.HasPrefix(pkg, rooms) {
		return
	}
	switch {
	case !strings.HasPrefix(imported, rooms), roomOf(imported) == roomOf(pkg), roomOf(imported) == "release":
	default:
		t.Errorf("%s imports %s: a room knows release and no other room", pkg, imported)
	}
}

func checkLibrary(t *testing.T, pkg, imported string) {
	t.Helper()
	for _, rule := range atHome {
		if !strings.HasPrefix(imported, rule.library) {
			continue
		}
		home := false
		for _, room := range rule.rooms {
			home = home || pkg == module+room || strings.HasPrefix(pkg, module+room+"/")
		}
		if !home {
			t.Errorf("%s imports %s: %s", pkg, imported, rule.why)
		}
	}
}

func checkFrugal(t *testing.T, pkg, imported string) {
	t.Helper()
	host, _, _ := strings.Cut(imported, "/")
	for _, rule := range frugal {
		if !strings.HasPrefix(pkg, rooms) || roomOf(pkg) != rule.room || !strings.Contains(host, ".") || strings.HasPrefix(imported, rooms) {
			continue // of another room; or of the standard library or ours
		}
		if !slices.ContainsFunc(rule.libraries, func(l string) bool { return strings.HasPrefix(imported, l) }) {
			t.Errorf("%s imports %s: %s", pkg, imported, rule.why)
		}
	}
}

func roomOf(pkg string) string {
	room, _, _ := strings.Cut(strings.TrimPrefix(pkg, rooms), "/")
	return room
}
