package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// stopWithin is how long a request may take to be answered once the bot stops:
// Slack waits three seconds for an acknowledgement, and probes take milliseconds.
const stopWithin = 3 * time.Second

// serve answers on the listener until ctx ends. Requests that are being served
// then are answered; whoever is slower than stopWithin is cut off.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		bounded, stop := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
		defer stop()
		if server.Shutdown(bounded) != nil {
			server.Close()
		}
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving slack.listen: %w", err)
	}
	<-stopped
	return nil
}
