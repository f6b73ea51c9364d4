// Command build-tools builds every program of the end-to-end range into the user's cache folder.
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
	if _, err := tools.Build(ctx, os.Stdout); err != nil {
		return err
	}
	_, err := tools.Redis(ctx)
	return err
}
