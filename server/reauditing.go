package server

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"porchlight/audit"
)

// reauditFigures tell where the re-audits stand that are running, whoever works on them.
type reauditFigures struct {
	records Reaudits
	log     *slog.Logger

	running *prometheus.Desc
	uploads *prometheus.Desc
}

// reauditCountTime bounds how long the figures wait for the records.
const reauditCountTime = 2 * time.Second

func newReauditFigures(records Reaudits, log *slog.Logger) *reauditFigures {
	return &reauditFigures{records: records, log: log,
		running: prometheus.NewDesc("porchlight_reaudits_running", "Re-audits that are not at their end and not paused.", nil, nil),
		uploads: prometheus.NewDesc("porchlight_reaudit_uploads", "Uploads of the running re-audits: all that matched, done, of those with another verdict than before, and failed.", []string{"state"}, nil),
	}
}

// Describe is of [prometheus.Collector].
func (f *reauditFigures) Describe(ch chan<- *prometheus.Desc) {
	ch <- f.running
	ch <- f.uploads
}

// Collect is of [prometheus.Collector]. Where the records do not answer, the figures are
// absent.
func (f *reauditFigures) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), reauditCountTime)
	defer cancel()
	runs, err := f.records.OpenRuns(ctx)
	if err != nil {
		f.log.Error("re-audits cannot be counted", "cause", err)
		return
	}
	var all audit.Run
	for _, r := range runs {
		all.Total += r.Total
		all.Done += r.Done
		all.Flipped += r.Flipped
		all.Failed += r.Failed
	}
	ch <- prometheus.MustNewConstMetric(f.running, prometheus.GaugeValue, float64(len(runs)))
	for state, n := range map[string]int{"matched": all.Total, "done": all.Done, "flipped": all.Flipped, "failed": all.Failed} {
		ch <- prometheus.MustNewConstMetric(f.uploads, prometheus.GaugeValue, float64(n), state)
	}
}
