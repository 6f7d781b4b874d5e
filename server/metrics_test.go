package server

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"porchlight/audit"
	"porchlight/fixtures"
)

// figures are what /metrics shows.
type figures map[string]*dto.MetricFamily

func (s *stack) figures(t *testing.T) figures {
	t.Helper()
	r := s.send(t, s.request(t, "GET", "/metrics", "", nil))
	parser := expfmt.NewTextParser(model.UTF8Validation)
	all, err := parser.TextToMetricFamilies(bytes.NewReader(r.body))
	if err != nil {
		t.Fatalf("/metrics: %d, %v: %.500s", r.StatusCode, err, r.body)
	}
	return all
}

// of is a figure by its labels, those of a histogram by their counts; 0 where it is not shown.
func (f figures) of(name string, labels map[string]string) float64 {
	for _, m := range f[name].GetMetric() {
		found := 0
		for _, l := range m.Label {
			if labels[l.GetName()] == l.GetValue() {
				found++
			}
		}
		if found == len(labels) {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return 0
}

// TestMetricsOfStores uploads a photo, one that is refused, and one that cannot be kept.
func TestMetricsOfStores(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1")
	photo := s.kept(t, "T1").PhotoID
	if r := s.get(t, audit.Admin, "/api/v1/photos/"+photo); r.StatusCode != 200 {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	if r := s.upload(t, audit.Driver, "T1", photoPart([]byte("no photo"))); r.StatusCode != 415 {
		t.Errorf("no photo at all: %d %s", r.StatusCode, r.body)
	}
	for _, run := range []audit.Run{{RunID: "R1", Total: 5}, {RunID: "R2", Total: 2, Done: 1, Flipped: 1}} {
		run.State, run.StartedAt = audit.RunRunning, time.Now()
		must(t, s.db.StartRun(t.Context(), run, nil))
	}
	before := s.figures(t)
	must(t, os.RemoveAll(filepath.Join(s.path, "objects")))
	other := fixtures.Scene{Place: 2, Number: "14", Width: 1000, Height: 750}.JPEG()
	if r := s.upload(t, audit.Driver, "T1", photoPart(other)); r.StatusCode != 503 {
		t.Errorf("without objects: %d %s", r.StatusCode, r.body)
	}
	must(t, s.db.Close())
	if r := s.get(t, audit.Admin, "/api/v1/claims"); r.StatusCode < 500 {
		t.Errorf("without records: %d %s", r.StatusCode, r.body)
	}
	after := s.figures(t)
	store := func(store, operation, code string) map[string]string {
		return map[string]string{"store": store, "operation": operation, "code": code}
	}
	for _, c := range []struct {
		from   figures
		name   string
		labels map[string]string
		want   float64 // at least, where a figure grows by itself
	}{
		{before, "porchlight_uploads_total", map[string]string{"result": "created"}, 1},
		{before, "porchlight_uploads_total", map[string]string{"result": string(audit.CodeNotAPhoto)}, 1},
		{before, "porchlight_uploads_in_flight", nil, 0},
		{before, "porchlight_requests_in_flight", nil, 1},
		{before, "porchlight_build_info", map[string]string{"version": "test"}, 1},
		{before, "porchlight_store_seconds", store("objects", "put", "ok"), 1},
		{before, "porchlight_store_seconds", store("objects", "open", "ok"), 1},
		{before, "porchlight_store_seconds", store("objects", "put", "unavailable"), 0},
		{before, "porchlight_reaudits_running", nil, 2},
		{before, "porchlight_reaudit_uploads", map[string]string{"state": "matched"}, 7},
		{before, "porchlight_reaudit_uploads", map[string]string{"state": "done"}, 1},
		{after, "porchlight_reaudits_running", nil, 0}, // the records do not answer
		{after, "porchlight_store_seconds", store("objects", "put", "unavailable"), 1},
		{after, "porchlight_uploads_total", map[string]string{"result": "unavailable"}, 1},
	} {
		if got := c.from.of(c.name, c.labels); got != c.want {
			t.Errorf("%s%v = %v, want %v", c.name, c.labels, got, c.want)
		}
	}
	for _, operation := range []string{"read", "write"} {
		if before.of("porchlight_store_seconds", store("records", operation, "ok")) == 0 {
			t.Errorf("no %s of the records is counted", operation)
		}
	}
	var failed float64
	for _, m := range after["porchlight_store_seconds"].GetMetric() {
		labels := map[string]string{}
		for _, l := range m.Label {
			labels[l.GetName()] = l.GetValue()
		}
		if labels["store"] == "records" && labels["code"] != "ok" {
			failed += float64(m.GetHistogram().GetSampleCount())
		}
	}
	if failed == 0 {
		t.Error("no error of the records is counted")
	}
}

// TestMetricsToken holds that /metrics wants its own token where it has one, and takes no other.
func TestMetricsToken(t *testing.T) {
	s := newStack(t, func(c *Config) { c.MetricsToken = "scrape-me" })
	for sent, want := range map[string]int{"": 401, "Bearer scrape-me": 200, "scrape-me": 401, "Bearer scrape-m": 401, "Bearer " + s.secrets[audit.Admin]: 401} {
		r := s.request(t, "GET", "/metrics", "", nil)
		if sent != "" {
			r.Header.Set("Authorization", sent)
		}
		if a := s.send(t, r); a.StatusCode != want {
			t.Errorf("with %q: %d, want %d", sent, a.StatusCode, want)
		}
	}
}
