package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/synestra/promoter/internal/release"
	"github.com/synestra/promoter/internal/slackui"
)

func checkCommand() *cobra.Command {
	var path string
	var offline bool
	c := &cobra.Command{
		Use: "check", Short: "Check the configuration and the secrets, and whether the channels can be told", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			config, err := loadConfig(path, os.Getenv)
			if err != nil {
				return err
			}
			out := c.OutOrStdout()
			if _, err := fmt.Fprintf(out, "%s is fine\n", path); err != nil || offline {
				return err
			}
			return checkSlack(c.Context(), config, out)
		},
	}
	configFlag(c, &path)
	c.Flags().BoolVar(&offline, "offline", false, "call nobody: check the file and the secrets only")
	return c
}

// advice is an error with what to do about it.
func advice(err error) string {
	var no *release.Refusal
	if errors.As(err, &no) {
		return no.Say + " " + no.Do
	}
	return err.Error()
}

// checkSlack asks Slack about every channel that the configuration names, and
// prints what it says of each.
func checkSlack(ctx context.Context, c config, out io.Writer) error {
	ui, err := slackui.New(c.slackui(slog.New(slog.DiscardHandler)), nil, nil)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	failed := 0
	for _, channel := range c.channels() {
		says := "can be told"
		if err := ui.CheckChannel(ctx, channel.id); err != nil {
			says, failed = advice(err), failed+1
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", channel.key, channel.id, says)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if failed > 0 {
		return errors.New("not every channel can be told everything")
	}
	return nil
}
