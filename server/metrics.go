package server

import (
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"porchlight/audit"
	"porchlight/audit/rows"
)

// metrics are what a server counts. Labels hold names from the code alone, never ids,
// so that their number is bounded.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	uploads  *prometheus.CounterVec
	seconds  prometheus.Histogram
	verdicts *prometheus.CounterVec
	reasons  *prometheus.CounterVec
	rows     *prometheus.CounterVec
	inFlight prometheus.Gauge
	answered prometheus.Gauge
	packets  prometheus.Counter
	panics   prometheus.Counter
}

func newMetrics(version string, others ...prometheus.Collector) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "porchlight_request_seconds", Help: "Requests by route and status, and the seconds they took.",
			Buckets: []float64{.005, .02, .05, .1, .25, .5, 1, 2.5, 10, 60},
		}, []string{"method", "route", "status"}),
		uploads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "porchlight_uploads_total", Help: "Photo uploads by result: created, known (the same photo again), or the error's code.",
		}, []string{"result"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "porchlight_upload_seconds", Help: "Seconds from a photo upload's first byte to its report.",
			Buckets: []float64{.05, .1, .2, .35, .5, 1, 2, 5, 15, 60},
		}),
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "porchlight_verdicts_total", Help: "New photos by verdict.",
		}, []string{"verdict"}),
		reasons: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "porchlight_reasons_total", Help: "Findings of new photos that warn or fail, by check and by the operator's reason.",
		}, []string{"check", "result", "reason"}),
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "porchlight_import_rows_total", Help: "Imported rows by what became of them.",
		}, []string{"result"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "porchlight_uploads_in_flight", Help: "Photos being received or judged now.",
		}),
		answered: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "porchlight_requests_in_flight", Help: "Requests being answered now, this one too.",
		}),
		packets: prometheus.NewCounter(prometheus.CounterOpts{Name: "porchlight_packets_total", Help: "Packets issued."}),
		panics:  prometheus.NewCounter(prometheus.CounterOpts{Name: "porchlight_panics_total", Help: "Requests that ended in a panic."}),
	}
	m.registry.MustRegister(m.requests, m.uploads, m.seconds, m.verdicts, m.reasons, m.rows, m.inFlight, m.answered, m.packets, m.panics,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "porchlight_build_info", Help: "Always 1; the labels say what runs.",
	}, []string{"version", "go_version"})
	build.WithLabelValues(version, runtime.Version()).Set(1)
	m.registry.MustRegister(build)
	m.registry.MustRegister(others...)
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *metrics) request(method, route string, status int, took time.Duration) {
	if route == "" {
		route, method = "none", "any" // whatever people try
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Observe(took.Seconds())
}

func (m *metrics) upload(r audit.Receipt, err error, took time.Duration) {
	switch {
	case err != nil:
		m.uploads.WithLabelValues(string(audit.ErrorCode(err))).Inc()
		return
	case !r.Created:
		m.uploads.WithLabelValues("known").Inc()
	default:
		m.uploads.WithLabelValues("created").Inc()
		m.verdicts.WithLabelValues(string(r.Report.Verdict)).Inc()
		for _, f := range r.Report.Findings {
			if (f.Result == audit.Warn || f.Result == audit.Fail) && slices.Contains(audit.Reasons, audit.Reason(f.Reason)) {
				m.reasons.WithLabelValues(f.Check, string(f.Result), f.Reason).Inc()
			}
		}
	}
	m.seconds.Observe(took.Seconds())
}

func (m *metrics) imported(s rows.Summary) {
	for result, n := range map[string]int{"created": s.Created, "updated": s.Updated, "unchanged": s.Unchanged, "rejected": s.RejectedCount} {
		m.rows.WithLabelValues(result).Add(float64(n))
	}
}
