package tools

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// Redis returns the path of redis-server, installing Debian's package first where that is missing and may be done.
// Redis is the one peer without a Go module.
func Redis(ctx context.Context) (string, error) {
	if path, err := exec.LookPath("redis-server"); err == nil {
		return path, nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return "", errors.New("redis-server is not on PATH: install it (Debian and Ubuntu: apt-get install redis-server)")
	}
	for _, args := range [][]string{{"update"}, {"install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", "redis-server"}} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("installing redis-server: apt-get %s: %w\n%s", args[0], err, out)
		}
	}
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return "", fmt.Errorf("installing redis-server: %w", err)
	}
	return path, nil
}
