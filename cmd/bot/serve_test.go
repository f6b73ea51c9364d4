package main

import (
	"context"
	"net"
	"net/http"
	"testing"
)

// A request that is being served when the bot stops is answered; no other is
// taken.
func TestServeStopsGracefully(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	entered, answer := make(chan struct{}), make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- serve(ctx, listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(entered)
			<-answer
			w.WriteHeader(http.StatusAccepted)
		}))
	}()
	address := "http://" + listener.Addr().String()
	answered := make(chan int, 1)
	go func() {
		resp, err := http.Get(address)
		if err != nil {
			t.Error(err)
			answered <- 0
			return
		}
		resp.Body.Close()
		answered <- resp.StatusCode
	}()
	<-entered
	stop()
	bounded, done := context.WithTimeout(t.Context(), deadline)
	defer done()
	refused := func() bool {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err == nil {
			conn.Close()
		}
		return err != nil
	}
	if err := until(bounded, refused); err != nil {
		t.Fatalf("it still takes connections: %v", err)
	}
	close(answer)
	if got := <-answered; got != http.StatusAccepted {
		t.Errorf("answered with %d", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
}
