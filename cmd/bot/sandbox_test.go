package main

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What comes from a pipe is done to its end, which is the sandbox's own; the
// page is there meanwhile, and gone afterwards.
func TestSandboxByPipe(t *testing.T) {
	t.Parallel()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := sandbox(t.Context(), strings.NewReader("/promote synestra-io\n"), out, browserOptions{}, discard()); err != nil {
		t.Fatal(err)
	}
	said, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(said), "synestra-io is on `sha-9f8e7d` in prod") || strings.Contains(string(said), "\x1b") {
		t.Errorf("the terminal says\n%s", said)
	}
	page := regexp.MustCompile(`http://127\.0\.0\.1:\d+/\w+/`).FindString(string(said))
	if page == "" {
		t.Fatalf("no page is named in\n%s", said)
	}
	if answer, err := http.Get(page); err == nil {
		answer.Body.Close()
		t.Error("the page is still served")
	}
}

// A page for other machines is refused before anything is said.
func TestSandboxOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	err := sandbox(t.Context(), strings.NewReader(""), os.Stdout, browserOptions{listen: "0.0.0.0:0"}, discard())
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1 only") {
		t.Errorf("err = %v", err)
	}
}
