package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"porchlight/audit"
	"porchlight/audit/webhook"
	"porchlight/server/sender"
)

const jsonType = "application/json"

// webhookEndpoint adds an endpoint.
func (s *stack) webhookEndpoint(t *testing.T, body string) NewWebhook {
	t.Helper()
	r := s.as(t, audit.Admin, "POST", "/api/v1/webhooks", jsonType, body)
	if r.StatusCode != 201 {
		t.Fatalf("add: %d %s", r.StatusCode, r.body)
	}
	return decodeAs[NewWebhook](t, r)
}

func (s *stack) webhookMessages(t *testing.T, endpointID string) []webhook.Message {
	t.Helper()
	r := s.get(t, audit.Admin, "/api/v1/webhooks/"+endpointID+"/deliveries")
	if r.StatusCode != 200 {
		t.Fatalf("deliveries: %d %s", r.StatusCode, r.body)
	}
	return decodeAs[List[webhook.Message]](t, r).Items
}

func TestWebhookEndpoints(t *testing.T) {
	s := newStack(t)
	if r := s.get(t, audit.Admin, "/api/v1/webhooks"); string(r.body) != `{"items":[],"next":""}`+"\n" {
		t.Errorf("no endpoints: %s", r.body)
	}
	w := s.webhookEndpoint(t, `{"url":"https://example.com/hook","events":["claim.opened","photo.rejected","claim.opened"]}`)
	if !strings.HasPrefix(w.Secret, "whsec_") || fmt.Sprint(w.Events) != "[photo.rejected claim.opened]" {
		t.Errorf("added %+v", w)
	}
	all := s.webhookEndpoint(t, `{"url":"https://example.com/all"}`)
	if fmt.Sprint(all.Events) != fmt.Sprint(webhook.Types) || all.Secret == w.Secret {
		t.Errorf("added %+v, want all events and a secret of its own", all)
	}
	r := s.get(t, audit.Admin, "/api/v1/webhooks")
	if list := decodeAs[List[webhook.Endpoint]](t, r); len(list.Items) != 2 || list.Items[0].EndpointID != w.EndpointID || strings.Contains(string(r.body), "whsec") {
		t.Errorf("list: %s", r.body)
	}
	path := "/api/v1/webhooks/" + w.EndpointID
	r = s.as(t, audit.Admin, "POST", path+"/test", "", "")
	if got := decodeAs[MessageRef](t, r); r.StatusCode != 202 || got.MessageID == "" || s.webhookMessages(t, w.EndpointID)[0].MessageID != got.MessageID {
		t.Errorf("test: %d %s", r.StatusCode, r.body)
	}
	if r := s.as(t, audit.Admin, "DELETE", path, "", ""); r.StatusCode != 204 || len(r.body) != 0 {
		t.Errorf("remove: %d %s", r.StatusCode, r.body)
	}
	for _, c := range []struct{ method, path string }{{"DELETE", path}, {"POST", path + "/test"}, {"GET", path + "/deliveries"}} {
		if r := s.as(t, audit.Admin, c.method, c.path, "", ""); r.StatusCode != 404 || r.problem(t).Code != audit.CodeNotFound {
			t.Errorf("%s %s after it was removed: %d %s", c.method, c.path, r.StatusCode, r.body)
		}
	}
}

func TestWebhookRefusals(t *testing.T) {
	s := newStack(t)
	for _, c := range []struct {
		body   string
		status int
		code   audit.Code
	}{
		{`{"url":"http://example.com/"}`, 422, audit.CodeInvalid},
		{`{"url":"https://127.0.0.1/"}`, 422, audit.CodeInvalid},
		{`{"url":"https://[::ffff:10.0.0.1]/"}`, 422, audit.CodeInvalid},
		{`{"url":"https://a:b@example.com/"}`, 422, audit.CodeInvalid},
		{`{"url":""}`, 422, audit.CodeInvalid},
		{`{}`, 422, audit.CodeInvalid},
		{`{"url":"https://example.com/","events":["photo.eaten"]}`, 422, audit.CodeInvalid},
		{`{"url":"https://example.com/","events":["ping"]}`, 422, audit.CodeInvalid},
		{`{"url":"https://example.com/","secret":"mine"}`, 422, audit.CodeUnknownField},
		{`{"url":`, 400, audit.CodeUnreadable},
	} {
		r := s.as(t, audit.Admin, "POST", "/api/v1/webhooks", jsonType, c.body)
		if r.StatusCode != c.status || r.problem(t).Code != c.code {
			t.Errorf("%s: %d %s, want %d %s", c.body, r.StatusCode, r.body, c.status, c.code)
		}
	}
	for range webhook.MaxEndpoints {
		s.webhookEndpoint(t, `{"url":"https://example.com/"}`)
	}
	if r := s.as(t, audit.Admin, "POST", "/api/v1/webhooks", jsonType, `{"url":"https://example.com/"}`); r.StatusCode != 409 {
		t.Errorf("one too many: %d %s", r.StatusCode, r.body)
	}
	open := newStack(t, func(c *Config) { c.WebhookPrivate = true })
	open.webhookEndpoint(t, `{"url":"http://127.0.0.1:9/"}`)
}

// TestWebhookEvents goes the way of a claim and looks at what others are told of it.
func TestWebhookEvents(t *testing.T) {
	s := newStack(t)
	w := s.webhookEndpoint(t, `{"url":"https://example.com/"}`)
	s.deliveries(t, "T1")
	kept := s.kept(t, "T1")
	s.as(t, audit.Agent, "POST", "/api/v1/claims", jsonType, `{"claim_id":"C1","tracking_id":"T1","statement":"nothing there"}`)
	p := decodeAs[PacketRef](t, s.as(t, audit.Agent, "POST", "/api/v1/claims/C1/packets", "", ""))
	want := []webhook.Type{webhook.PacketIssued, webhook.ClaimOpened, webhook.PhotoAudited}
	if kept.Report.Verdict == audit.Retake {
		want = append(want, webhook.PhotoRejected)
	}
	if got := s.webhookMessages(t, w.EndpointID); len(got) != len(want) {
		t.Fatalf("%d messages, want %d: %+v", len(got), len(want), got)
	}
	// What is posted is not listed: it is read as the sender reads it.
	now := s.now()
	leased, err := s.db.Lease(t.Context(), w.EndpointID, now, now, 10)
	must(t, err)
	bodies := map[webhook.Type]map[string]any{}
	for _, m := range leased {
		var b struct{ Data map[string]any }
		must(t, json.Unmarshal(m.Body, &b))
		bodies[m.Type] = b.Data
		for _, never := range []string{"40.75", "73.99", "nothing there"} {
			if strings.Contains(string(m.Body), never) {
				t.Errorf("%s tells %q: %s", m.Type, never, m.Body)
			}
		}
		// Links lead somewhere.
		for name, path := range b.Data["links"].(map[string]any) {
			if r := s.get(t, audit.Admin, path.(string)); r.StatusCode != 200 {
				t.Errorf("%s, link %s %s: %d", m.Type, name, path, r.StatusCode)
			}
		}
	}
	audited := bodies[webhook.PhotoAudited]
	if audited["photo_id"] != kept.PhotoID || audited["verdict"] != string(kept.Report.Verdict) || audited["report_id"] != kept.Report.ReportID ||
		audited["score"] != float64(kept.Report.Score) || audited["tracking_id"] != "T1" || audited["driver_id"] != "D1" {
		t.Errorf("photo.audited tells %v, want %+v", audited, kept.Report)
	}
	if bodies[webhook.ClaimOpened]["claim_id"] != "C1" || bodies[webhook.PacketIssued]["packet_id"] != p.PacketID {
		t.Errorf("claim.opened tells %v, packet.issued %v", bodies[webhook.ClaimOpened], bodies[webhook.PacketIssued])
	}
}

// TestCollectors shows the sender's figures among the server's.
func TestCollectors(t *testing.T) {
	var s *stack
	s = newStack(t, func(c *Config) {
		c.Collectors = []prometheus.Collector{sender.New(sender.Config{Outbox: c.Records.(sender.Outbox)})}
	})
	w := s.webhookEndpoint(t, `{"url":"https://example.com/"}`)
	s.as(t, audit.Admin, "POST", "/api/v1/webhooks/"+w.EndpointID+"/test", "", "")
	if r := s.get(t, audit.Admin, "/metrics"); !strings.Contains(string(r.body), "\nporchlight_webhook_outbox_messages 1\n") {
		t.Errorf("the figures lack the outbox: %s", r.body)
	}
}
