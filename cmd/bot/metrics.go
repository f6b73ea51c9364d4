package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/synestra/promoter/internal/release"
)

// metrics are what the process counts. Labels have few values: no app names.
type metrics struct {
	registry *prometheus.Registry
	ended    *prometheus.CounterVec
	reached  *prometheus.HistogramVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "promoter_operations_total", Help: "Operations that ended, by kind and end.",
		}, []string{"kind", "end"}),
		reached: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "promoter_stage_seconds", Help: "Time from the request until a stage was reached.",
			Buckets: []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200},
		}, []string{"kind", "stage"}),
	}
	m.registry.MustRegister(m.ended, m.reached, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// entered counts an operation's new stage.
func (m *metrics) entered(op release.Operation) {
	stage := op.Progress.Stage
	m.reached.WithLabelValues(string(op.Kind), string(stage)).Observe(op.Progress.Since.Sub(op.Created).Seconds())
	if stage.Ended() {
		m.ended.WithLabelValues(string(op.Kind), string(stage)).Inc()
	}
}
