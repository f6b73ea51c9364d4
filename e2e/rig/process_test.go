package rig

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shell is a process that runs a script, with a fresh log.
func shell(t *testing.T, script string) *process {
	t.Helper()
	dir := t.TempDir()
	p := &process{name: "shell", path: "/bin/sh", args: []string{"-c", script}, dir: dir, log: filepath.Join(dir, "log")}
	t.Cleanup(p.kill)
	return p
}

// The end of a pipe that a grandchild holds is seen when the grandchild is dead, whoever its parent is by then.
func TestKillEndsGrandchildren(t *testing.T) {
	p := shell(t, "sleep 1000 > pipe & wait")
	pipe := filepath.Join(p.dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a killed process can be started again
		if err := p.start(); err != nil {
			t.Fatal(err)
		}
		reader, err := os.Open(pipe) // returns when the grandchild has opened the other end
		if err != nil {
			t.Fatal(err)
		}
		p.kill()
		if err := reader.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if rest, err := io.ReadAll(reader); err != nil || len(rest) > 0 {
			t.Errorf("reading the pipe: %q, %v", rest, err)
		}
		if err := reader.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestStartTwiceIsRefused(t *testing.T) {
	p := shell(t, "sleep 1000")
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	if err := p.start(); err == nil {
		t.Error("a second child was started beside the first")
	}
}

func TestAwaitTellsWhyAChildEnded(t *testing.T) {
	p := shell(t, "echo no such flag >&2; exit 3")
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	err := p.await(t.Context(), func(context.Context) error { return errors.New("not yet") })
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "no such flag") {
		t.Errorf("got %v, want the exit status and the log", err)
	}
}

func TestTailIsTheEndOfTheLog(t *testing.T) {
	p := shell(t, "")
	if err := os.WriteFile(p.log, []byte(strings.Repeat("early\n", 100)+strings.Repeat("late"+strings.Repeat("!", 2*logWidth)+"\n", logTail)), 0o600); err != nil {
		t.Fatal(err)
	}
	if tail := p.tail(); strings.Contains(tail, "early") || strings.Count(tail, "late") != logTail || len(tail) > logTail*(logWidth+1) {
		t.Errorf("got %q", tail)
	}
}

func TestFreePortsAreFreeAndDistinct(t *testing.T) {
	ports, err := freePorts(t.Context(), 20)
	if err != nil {
		t.Fatal(err)
	}
	for _, port := range ports { // all open at once: a port given twice fails the second time
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", loopback(port))
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
	}
}
