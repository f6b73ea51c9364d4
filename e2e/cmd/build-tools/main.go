// Command build-tools builds every program of the end-to-end range into the user's cache folder, with the Argo CD that
// the environment variable E2E_ARGOCD chooses.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/synestra/promoter/e2e/tools"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := build(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "build-tools:", err)
		os.Exit(1)
	}
}

func build(ctx context.Context) error {
	version, err := tools.ArgoCDVersion()
	if err != nil {
		return err
	}
	if _, err := tools.Build(ctx, version, os.Stdout); err != nil {
		return err
	}
	_, err = tools.Redis(ctx)
	return err
}
