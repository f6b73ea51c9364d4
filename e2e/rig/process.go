package rig

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	readyTimeout = 90 * time.Second       // a component may take this long to answer on a busy machine
	pollInterval = 100 * time.Millisecond // how often a state is asked for while it is waited for
	probeTimeout = 5 * time.Second        // one such question
	logTail      = 40                     // lines of a log shown when something failed
	logWidth     = 400                    // bytes of each
)

// process is one child of the rig: started again and again with the same command, always killed with its whole group.
// It dies with us, too: Linux sends SIGKILL to it when this program ends in any way.
type process struct {
	name, path, dir, log string
	args, env            []string

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when the running child has ended
	end  error         // how; valid once done is closed
}

func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		return fmt.Errorf("starting %s: it runs already", p.name)
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("starting %s: %w", p.name, err)
	}
	defer log.Close() // the child has its own copy
	cmd := exec.Command(p.path, p.args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = p.dir, p.env, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", p.name, err)
	}
	done := make(chan struct{})
	p.cmd, p.done = cmd, done
	go func() { // ends with the child; kill waits for it
		err := cmd.Wait()
		p.mu.Lock()
		p.end = err
		p.mu.Unlock()
		close(done)
	}()
	return nil
}

// kill ends the child and everything it started, and returns when it is gone. A child that is not running is no error.
func (p *process) kill() {
	p.mu.Lock()
	cmd, done := p.cmd, p.done
	p.cmd = nil
	p.mu.Unlock()
	if cmd == nil {
		return
	}
	// The group outlives its leader, so it is signalled even when the child has ended; an error means it is all gone.
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	<-done
}

// await polls probe until it succeeds. It gives up when the child ends, when ctx does, and after readyTimeout.
func (p *process) await(ctx context.Context, probe func(context.Context) error) error {
	p.mu.Lock()
	done := p.done
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		err := probeOnce(ctx, probe)
		if err == nil {
			return nil
		}
		select {
		case <-done:
			return fmt.Errorf("%s ended while starting: %w\n%s", p.name, p.exit(), p.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w (last: %w)\n%s", p.name, context.Cause(ctx), err, p.tail())
		case <-time.After(pollInterval):
		}
	}
}

// exit tells how the child ended; never nil, as no component of the rig ends by itself in peace.
func (p *process) exit() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end == nil {
		return errors.New("exit status 0")
	}
	return p.end
}

// tail returns the last lines of the log, for people.
func (p *process) tail() string {
	content, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	lines = lines[max(0, len(lines)-logTail):]
	for i, line := range lines {
		lines[i] = line[:min(len(line), logWidth)]
	}
	return strings.Join(lines, "\n")
}

func probeOnce(ctx context.Context, probe func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return probe(ctx)
}

// freePorts finds n loopback ports that nobody listens on, below those that the kernel hands out to outgoing
// connections (net.ipv4.ip_local_port_range starts at 32768): a component that is killed finds its own again.
func freePorts(ctx context.Context, n int) ([]int, error) {
	const lowest, highest = 20000, 32000
	var ports []int
	for _, offset := range rand.Perm(highest - lowest) {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", loopback(lowest+offset))
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			return nil, fmt.Errorf("finding free ports: %w", err)
		}
		if ports = append(ports, lowest+offset); len(ports) == n {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("finding free ports: only %d of %d between %d and %d", len(ports), n, lowest, highest)
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
