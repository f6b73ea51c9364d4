package page

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// pageAddress is how the sandbox tells where its page is.
var pageAddress = regexp.MustCompile(`http://127\.0\.0\.1:\d+/\w+/`)

// sandbox starts the real program, as a person does who types "bot sandbox", and
// returns the address of its page. It ends with the test.
func sandbox(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "bot")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./cmd/bot")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the bot: %v\n%s", err, out)
	}
	program := exec.Command(binary, "sandbox")
	program.Stderr = os.Stderr
	if _, err := program.StdinPipe(); err != nil { // open, so that it waits
		t.Fatal(err)
	}
	out, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	found, over := make(chan string, 1), make(chan struct{})
	go func() { // ends with the program
		defer close(over)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if address := pageAddress.FindString(lines.Text()); address != "" {
				found <- address
			}
		}
	}()
	t.Cleanup(func() {
		program.Process.Signal(os.Interrupt) // as Ctrl-C does; the end of its input would wait for what goes on
		select {
		case <-over:
		case <-time.After(patience):
			program.Process.Kill()
			t.Error("the sandbox did not end when it was interrupted")
		}
		if err := program.Wait(); err != nil {
			t.Errorf("the sandbox ended with %v", err)
		}
	})
	select {
	case address := <-found:
		return address
	case <-over:
		t.Fatal("the sandbox ended before it named its page")
	case <-time.After(patience):
		t.Fatal("the sandbox did not name its page")
	}
	return ""
}
