package sender

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"porchlight/audit/webhook"
)

// backlogTime is how long a scrape waits for the outbox.
const backlogTime = 2 * time.Second

// figures are what a dispatcher counts.
type figures struct {
	attempts *prometheus.CounterVec
	waiting  *prometheus.Desc
	age      *prometheus.Desc
}

func newFigures() figures {
	return figures{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "porchlight_webhook_attempts_total",
			Help: "Webhook messages sent, by result: delivered, retried, failed (given up), gone (410, the endpoint was disabled).",
		}, []string{"result"}),
		waiting: prometheus.NewDesc("porchlight_webhook_outbox_messages", "Webhook messages that wait to be sent or sent again.", nil, nil),
		age:     prometheus.NewDesc("porchlight_webhook_outbox_age_seconds", "Age of the oldest webhook message that waits; 0 where none does.", nil, nil),
	}
}

func result(a webhook.Attempt) string {
	switch {
	case a.Gone:
		return "gone"
	case a.State == webhook.Pending:
		return "retried"
	}
	return string(a.State)
}

// Describe is of [prometheus.Collector].
func (d *Dispatcher) Describe(ch chan<- *prometheus.Desc) {
	d.figures.attempts.Describe(ch)
	ch <- d.figures.waiting
	ch <- d.figures.age
}

// Collect is of [prometheus.Collector]. It asks the outbox how much waits; where that
// does not answer, the two figures are absent.
func (d *Dispatcher) Collect(ch chan<- prometheus.Metric) {
	d.figures.attempts.Collect(ch)
	ctx, cancel := context.WithTimeout(context.Background(), backlogTime)
	defer cancel()
	b, err := d.Outbox.Backlog(ctx)
	if d.failed(ctx, "count", err) {
		return
	}
	age := time.Duration(0)
	if b.Messages > 0 {
		age = max(0, d.Now().Sub(b.Oldest))
	}
	ch <- prometheus.MustNewConstMetric(d.figures.waiting, prometheus.GaugeValue, float64(b.Messages))
	ch <- prometheus.MustNewConstMetric(d.figures.age, prometheus.GaugeValue, age.Seconds())
}
