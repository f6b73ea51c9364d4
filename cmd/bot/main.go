// Command bot is a Slack bot for teams that release by GitOps: a slash command
// becomes a one-line commit on a release layer, and the Argo CD rollout that
// follows is told, truthfully and live, in the channel.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // the zones of schedules, where the image has none

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bot:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use: "bot", Short: "Promotes releases by GitOps, from Slack", SilenceErrors: true, SilenceUsage: true,
	}
	root.AddCommand(runCommand(), checkCommand(), sandboxCommand())
	return root
}

func runCommand() *cobra.Command {
	var path, level string
	c := &cobra.Command{
		Use: "run", Short: "Run the bot", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			log, err := logger(os.Stderr, level)
			if err != nil {
				return err
			}
			config, err := loadConfig(path, os.Getenv)
			if err != nil {
				return err
			}
			b, err := newBot(c.Context(), config, log)
			if err != nil {
				return err
			}
			defer b.close()
			return b.run(c.Context())
		},
	}
	configFlag(c, &path)
	c.Flags().StringVar(&level, "log", "info", "what is logged: debug, info, warn or error")
	return c
}

func sandboxCommand() *cobra.Command {
	var level string
	var browser browserOptions
	c := &cobra.Command{
		Use: "sandbox", Short: "Try the bot on this machine: Slack, Git and Argo CD stand in", Args: cobra.NoArgs,
		Long: "Starts stand-ins for Slack, Argo CD and a Git host that speak the real protocols, and the real bot on\n" +
			"them. The terminal is the channel: type /promote synestra-io. A page in the browser is the same channel,\n" +
			"with what happens behind it. Needs git, and nothing else.",
		RunE: func(c *cobra.Command, _ []string) error {
			log, err := logger(os.Stderr, level)
			if err != nil {
				return err
			}
			return sandbox(c.Context(), c.InOrStdin(), os.Stdout, browser, log)
		},
	}
	c.Flags().BoolVar(&browser.open, "open", false, "open the page in the browser")
	c.Flags().StringVar(&browser.listen, "listen", "127.0.0.1:0", "where the page is served, on this machine only; port 0 is a free one")
	c.Flags().StringVar(&level, "log", "off", "what is logged: debug, info, warn, error or off")
	return c
}

func configFlag(c *cobra.Command, path *string) {
	c.Flags().StringVar(path, "config", "config.yaml", "the configuration file")
}

func logger(w io.Writer, level string) (*slog.Logger, error) {
	if level == "off" {
		return slog.New(slog.DiscardHandler), nil
	}
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log %s: it is debug, info, warn or error", level)
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: l})), nil
}
