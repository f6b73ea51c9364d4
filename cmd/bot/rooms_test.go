package main

import (
	"os/exec"
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
	{"github.com/robfig/cron", []string{"internal/automation", "cmd/bot"}, "cron expressions are automation's; the configuration checks them"},
	{"github.com/gorilla/websocket", []string{"internal/sandbox/slack"}, "only Slack's stand-in serves sockets"},
	{"github.com/spf13/cobra", []string{"cmd/bot"}, "the command line is cmd/bot's"},
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
	seen := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		pkg, imports := fields[0], fields[1:]
		if strings.HasPrefix(pkg, rooms) {
			seen++
		}
		for _, imported := range imports {
			checkRoom(t, pkg, imported)
			checkLibrary(t, pkg, imported)
		}
	}
	if seen < 5 {
		t.Errorf("only %d rooms were checked", seen)
	}
}

func checkRoom(t *testing.T, pkg, imported string) {
	t.Helper()
	if !strings.HasPrefix(pkg, rooms) {
		return
	}
	switch {
	case roomOf(pkg) == "release" && strings.Contains(strings.Split(imported, "/")[0], "."):
		t.Errorf("%s imports %s: release is pure", pkg, imported)
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

func roomOf(pkg string) string {
	room, _, _ := strings.Cut(strings.TrimPrefix(pkg, rooms), "/")
	return room
}
