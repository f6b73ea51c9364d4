package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// part is something the bot depends on, and whether it can be used now.
type part struct {
	name  string
	ready func(context.Context) error
}

// healthRoutes answer /healthz (the process runs), /readyz (what it depends on
// can be used; otherwise which cannot, and why) and /metrics.
func healthRoutes(parts []part, m *metrics) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := readiness(r.Context(), parts); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	return mux
}

// readiness asks every part at once, for at most two seconds.
func readiness(ctx context.Context, parts []part) error {
	ctx, stop := context.WithTimeout(ctx, 2*time.Second)
	defer stop()
	problems := make([]error, len(parts))
	var asking sync.WaitGroup
	for i, p := range parts {
		asking.Go(func() {
			if err := p.ready(ctx); err != nil {
				problems[i] = fmt.Errorf("%s: %w", p.name, err)
			}
		})
	}
	asking.Wait()
	return errors.Join(problems...)
}
