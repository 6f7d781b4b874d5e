package server

import (
	"context"
	"runtime"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"porchlight/audit"
)

// Measuring measures photos on threads of its own, as many as are told, which the
// operating system lets step back: where every core is busy with photos, a page is
// still answered at once. It is a Prometheus collector of its queue.
type Measuring struct {
	jobs    chan func()
	waiting prometheus.Gauge
	threads sync.WaitGroup
}

// StartMeasuring starts the threads. Close it when done.
func StartMeasuring(threads int) *Measuring {
	m := &Measuring{jobs: make(chan func()), waiting: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "porchlight_photos_waiting", Help: "Photos that wait for a thread to be measured.",
	})}
	for range threads {
		m.threads.Go(func() {
			runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
			stepBack()
			for job := range m.jobs {
				job()
			}
		})
	}
	return m
}

// Close ends the threads once nothing is measured any more.
func (m *Measuring) Close() {
	close(m.jobs)
	m.threads.Wait()
}

// Measurer has a measurer run on the threads. A photo whose context ends before its
// turn comes is not measured; a panic goes on in the caller.
func (m *Measuring) Measurer(measure audit.Measurer) audit.Measurer {
	return func(ctx context.Context, b []byte) (out audit.Measurement, err error) {
		var panicked any
		done := make(chan struct{})
		job := func() {
			defer close(done)
			defer func() { panicked = recover() }()
			out, err = measure(ctx, b)
		}
		m.waiting.Inc()
		select {
		case m.jobs <- job:
			m.waiting.Dec()
		case <-ctx.Done():
			m.waiting.Dec()
			return audit.Measurement{}, ctx.Err()
		}
		<-done
		if panicked != nil {
			panic(panicked)
		}
		return out, err
	}
}

// Describe is of [prometheus.Collector].
func (m *Measuring) Describe(ch chan<- *prometheus.Desc) { m.waiting.Describe(ch) }

// Collect is of [prometheus.Collector].
func (m *Measuring) Collect(ch chan<- prometheus.Metric) { m.waiting.Collect(ch) }
