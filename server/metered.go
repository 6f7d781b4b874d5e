package server

import (
	"context"
	"io"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"porchlight/audit"
)

// StoreMetrics counts what stores are asked for, how long it takes and how it ends. It
// is a [prometheus.Collector] for Config.Collectors, and safe for concurrent use.
type StoreMetrics struct{ *prometheus.HistogramVec }

// NewStoreMetrics makes one that has seen nothing yet.
func NewStoreMetrics() *StoreMetrics {
	return &StoreMetrics{prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "porchlight_store_seconds",
		Help:    "Operations of the stores (records: read, write; objects: put, open) by how they ended (ok or the error's code), and the seconds they took.",
		Buckets: []float64{.001, .005, .02, .05, .1, .25, .5, 1, 2.5, 10, 60},
	}, []string{"store", "operation", "code"})}
}

// Records counts an operation of the records, read or write.
func (m *StoreMetrics) Records(operation string, took time.Duration, err error) {
	m.observe("records", operation, took, err)
}

func (m *StoreMetrics) observe(store, operation string, took time.Duration, err error) {
	code := "ok"
	if err != nil {
		code = string(audit.ErrorCode(err))
	}
	m.WithLabelValues(store, operation, code).Observe(took.Seconds())
}

// ObjectStore is a store of photos, with what tells whether it answers.
type ObjectStore interface {
	audit.Objects
	Objects
}

// Objects is the same store, counted.
func (m *StoreMetrics) Objects(o ObjectStore) ObjectStore { return meteredObjects{o, m} }

type meteredObjects struct {
	ObjectStore
	metrics *StoreMetrics
}

func (o meteredObjects) Put(ctx context.Context, key string, b []byte, mediaType string) error {
	start := time.Now()
	err := o.ObjectStore.Put(ctx, key, b, mediaType)
	o.metrics.observe("objects", "put", time.Since(start), err)
	return err
}

func (o meteredObjects) Open(ctx context.Context, key string) (io.ReadCloser, int64, error) {
	start := time.Now()
	r, size, err := o.ObjectStore.Open(ctx, key)
	o.metrics.observe("objects", "open", time.Since(start), err)
	return r, size, err
}
