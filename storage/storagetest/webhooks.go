package storagetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"porchlight/audit"
	"porchlight/audit/dispute"
	"porchlight/audit/webhook"
)

// Webhooks is what a store keeps of webhooks: endpoints, and the outbox.
type Webhooks interface {
	AddEndpoint(ctx context.Context, e webhook.Endpoint) error
	Endpoints(ctx context.Context) ([]webhook.Endpoint, error)
	RemoveEndpoint(ctx context.Context, endpointID string) error
	SendEvent(ctx context.Context, endpointID string, e webhook.Event) error
	Messages(ctx context.Context, endpointID, after string, limit int) ([]webhook.Message, string, error)
	Waiting(ctx context.Context, now time.Time) ([]webhook.Endpoint, error)
	Lease(ctx context.Context, endpointID string, now, until time.Time, limit int) ([]webhook.Message, error)
	Record(ctx context.Context, a webhook.Attempt) error
	Sweep(ctx context.Context, before time.Time) error
	Backlog(ctx context.Context) (webhook.Backlog, error)
}

// subscribe adds an endpoint; no types stand for all.
func subscribe(t testing.TB, r Records, id string, types ...webhook.Type) webhook.Endpoint {
	t.Helper()
	e, err := webhook.NewEndpoint(id, "https://example.com/"+id, types, noon, false)
	wantCode(t, "NewEndpoint", err, "")
	wantCode(t, "AddEndpoint", r.AddEndpoint(t.Context(), e), "")
	return e
}

// ping puts a message of its own into the outbox and returns its id.
func ping(t testing.TB, r Records, endpointID string, at time.Time) string {
	t.Helper()
	e := webhook.PingEvent(newID("ping"), endpointID, at)
	wantCode(t, "SendEvent", r.SendEvent(t.Context(), endpointID, e), "")
	return e.MessageID()
}

func listed(t testing.TB, r Records, endpointID string) []webhook.Message {
	t.Helper()
	all, next, err := r.Messages(t.Context(), endpointID, "", 500)
	wantCode(t, "Messages", err, "")
	if next != "" {
		t.Fatal("more than 500 messages")
	}
	return all
}

func lease(t testing.TB, r Records, endpointID string, now time.Time, limit int) []webhook.Message {
	t.Helper()
	all, err := r.Lease(t.Context(), endpointID, now, now.Add(time.Minute), limit)
	wantCode(t, "Lease", err, "")
	return all
}

func messageIDs(all []webhook.Message) []string {
	ids := []string{}
	for _, m := range all {
		ids = append(ids, m.MessageID)
	}
	return ids
}

func typesOf(all []webhook.Message) []webhook.Type {
	types := []webhook.Type{}
	for _, m := range all {
		types = append(types, m.Type)
	}
	slices.Sort(types)
	return types
}

func waitingIDs(t testing.TB, r Records, now time.Time) []string {
	t.Helper()
	all, err := r.Waiting(t.Context(), now)
	wantCode(t, "Waiting", err, "")
	ids := []string{}
	for _, e := range all {
		ids = append(ids, e.EndpointID)
	}
	return ids
}

func testWebhookEndpoints(t *testing.T, r Records) {
	all, err := r.Endpoints(t.Context())
	wantCode(t, "Endpoints", err, "")
	same(t, "no endpoints", all, []webhook.Endpoint{})
	first := subscribe(t, r, "W2")
	second, err := webhook.NewEndpoint("W1", "https://example.com/W1?a=%20", []webhook.Type{webhook.ClaimOpened}, at(1), false)
	wantCode(t, "NewEndpoint", err, "")
	wantCode(t, "AddEndpoint", r.AddEndpoint(t.Context(), second), "")
	wantCode(t, "AddEndpoint again", r.AddEndpoint(t.Context(), second), audit.CodeConflict)
	all, err = r.Endpoints(t.Context())
	wantCode(t, "Endpoints", err, "")
	same(t, "endpoints", all, []webhook.Endpoint{first, second})

	ping(t, r, "W1", noon)
	wantCode(t, "RemoveEndpoint", r.RemoveEndpoint(t.Context(), "W1"), "")
	wantCode(t, "RemoveEndpoint again", r.RemoveEndpoint(t.Context(), "W1"), audit.CodeNotFound)
	wantCode(t, "SendEvent to none", r.SendEvent(t.Context(), "W1", webhook.PingEvent("p", "W1", noon)), audit.CodeNotFound)
	_, _, err = r.Messages(t.Context(), "W1", "", 10)
	wantCode(t, "Messages of none", err, audit.CodeNotFound)
	wantCode(t, "AddEndpoint after it was removed", r.AddEndpoint(t.Context(), second), "")
	same(t, "messages of a new endpoint", listed(t, r, "W1"), []webhook.Message{})

	for i := range webhook.MaxEndpoints - 2 {
		subscribe(t, r, fmt.Sprint("more-", i))
	}
	over, err := webhook.NewEndpoint("over", "https://example.com/", nil, noon, false)
	wantCode(t, "NewEndpoint", err, "")
	wantCode(t, "AddEndpoint past the most", r.AddEndpoint(t.Context(), over), audit.CodeConflict)
}

func testWebhookEvents(t *testing.T, r Records) {
	put(t, r, delivery("T1", "D1", "1 Main St"))
	add(t, r, upload("before", "T1", "D1", at(0)), measurement(print(9), 90)) // nobody hears of it
	subscribe(t, r, "all")
	subscribe(t, r, "claims", webhook.ClaimOpened)
	rejected := upload("a", "T1", "D1", at(1))
	_, _, _, err := r.AddUpload(t.Context(), rejected, measurement(print(1), 90), judgeAs(rejected, audit.Retake, nil))
	wantCode(t, "AddUpload", err, "")
	accepted := upload("b", "T1", "D1", at(2))
	for range 2 { // the same photo again is no event
		_, _, _, err = r.AddUpload(t.Context(), accepted, measurement(print(2), 90), judgeAs(accepted, audit.Accept, nil))
		wantCode(t, "AddUpload", err, "")
	}
	claims := []dispute.Claim{{ClaimID: "C1", TrackingID: "T1", Statement: "my own words"}, {ClaimID: "C1", TrackingID: "T1", Channel: "stripe"},
		{ClaimID: "C2", TrackingID: "T2"}}
	for range 2 { // nor is a claim that is on record
		_, err = r.PutClaims(t.Context(), claims, at(3))
		wantCode(t, "PutClaims", err, "")
	}
	_, err = r.PutClaims(t.Context(), []dispute.Claim{{ClaimID: "C2", TrackingID: "T2", Channel: "email"}}, at(4))
	wantCode(t, "PutClaims, an update", err, "")
	wantCode(t, "AddPacket", r.AddPacket(t.Context(), dispute.FrozenPacket{PacketID: "P1", ClaimID: "C1", IssuedAt: at(5), JSON: []byte(`{}`)}), "")

	got := listed(t, r, "all")
	same(t, "types", typesOf(got), []webhook.Type{webhook.ClaimOpened, webhook.ClaimOpened, webhook.PacketIssued, webhook.PhotoAudited, webhook.PhotoAudited, webhook.PhotoRejected})
	same(t, "types of one who asked for claims", typesOf(listed(t, r, "claims")), []webhook.Type{webhook.ClaimOpened, webhook.ClaimOpened})
	for i, m := range got {
		if m.State != webhook.Pending || m.Attempts != 0 || m.NextAttemptAt == nil || !m.NextAttemptAt.Equal(m.CreatedAt) {
			t.Errorf("message %d begins as %+v, want it due at once", i, m)
		}
		for _, never := range []string{"latitude", "47.37", "8.54", "my own words"} {
			if strings.Contains(string(m.Body), never) {
				t.Errorf("%s tells %q: %s", m.Type, never, m.Body)
			}
		}
		var body struct {
			Type      webhook.Type
			Timestamp time.Time
			Data      map[string]any
		}
		if err := json.Unmarshal(m.Body, &body); err != nil || body.Type != m.Type || !body.Timestamp.Equal(m.CreatedAt) {
			t.Errorf("body %s (%v), want type %s and timestamp %v", m.Body, err, m.Type, m.CreatedAt)
		}
		if m.Type == webhook.PhotoRejected && (body.Data["upload_id"] != rejected.UploadID || body.Data["verdict"] != "retake" || body.Data["score"] != 87.0) {
			t.Errorf("photo.rejected tells %s", m.Body)
		}
		if c := body.Data["claim_id"]; m.Type == webhook.ClaimOpened && c == "C1" && body.Data["channel"] != "stripe" {
			t.Errorf("claim.opened tells %s, want the claim as it was kept", m.Body)
		}
	}
	b, err := r.Backlog(t.Context())
	wantCode(t, "Backlog", err, "")
	same(t, "backlog", b, webhook.Backlog{Messages: 8, Oldest: at(1)})
}

// testWebhookEventsAreOfTheirCause holds that what did not happen is not told.
func testWebhookEventsAreOfTheirCause(t *testing.T, r Records) {
	put(t, r, delivery("T1", "D1", "1 Main St"))
	subscribe(t, r, "all")
	u := upload("a", "T1", "D1", at(1))
	_, _, _, err := r.AddUpload(t.Context(), u, measurement(print(1), 90), func(audit.Known) ([]audit.Report, error) { return nil, errors.New("no") })
	if err == nil {
		t.Fatal("AddUpload: no error")
	}
	add(t, r, u, measurement(print(1), 90))
	// Its report's id is taken, which shows after the upload was written.
	other := upload("b", "T1", "D1", at(2))
	kept, err := r.Reports(t.Context(), u.PhotoID)
	wantCode(t, "Reports", err, "")
	_, _, _, err = r.AddUpload(t.Context(), other, measurement(print(2), 90), func(audit.Known) ([]audit.Report, error) {
		again := report(other, audit.Retake, at(2))
		again.ReportID = kept[0].ReportID
		return []audit.Report{again}, nil
	})
	wantCode(t, "AddUpload with a report's id that is taken", err, audit.CodeConflict)
	wantCode(t, "AddPacket without its claim", r.AddPacket(t.Context(), dispute.FrozenPacket{PacketID: "P1", ClaimID: "C9", IssuedAt: noon, JSON: []byte(`{}`)}), audit.CodeNotFound)
	same(t, "types", typesOf(listed(t, r, "all")), []webhook.Type{webhook.PhotoAudited})
}

func testWebhookLeases(t *testing.T, r Records) {
	subscribe(t, r, "W1")
	subscribe(t, r, "W2")
	var want []string
	for i := range 5 {
		want = append(want, ping(t, r, "W1", at(float64(i))))
	}
	same(t, "waiting before the first is due", waitingIDs(t, r, at(-1)), []string{})
	same(t, "waiting", waitingIDs(t, r, at(10)), []string{"W1"})
	first := lease(t, r, "W1", at(10), 2)
	same(t, "the first two", messageIDs(first), want[:2])
	if m := first[0]; m.Attempts != 1 || len(m.Body) == 0 || m.Type != webhook.Ping {
		t.Errorf("a leased message is %+v", m)
	}
	same(t, "those after them", messageIDs(lease(t, r, "W1", at(10), 10)), want[2:])
	same(t, "nothing is left", messageIDs(lease(t, r, "W1", at(10.5), 10)), []string{})
	same(t, "waiting while all are leased", waitingIDs(t, r, at(10.5)), []string{})
	same(t, "nothing for another endpoint", messageIDs(lease(t, r, "W2", at(10), 10)), []string{})

	// Whoever had them did not come back: a minute later they are due again, with the same ids.
	same(t, "waiting when the leases ran out", waitingIDs(t, r, at(11)), []string{"W1"})
	again := lease(t, r, "W1", at(11), 10)
	same(t, "leased again", messageIDs(again), sorted(want))
	if again[0].Attempts != 2 {
		t.Errorf("attempts = %d, want 2", again[0].Attempts)
	}
}

func sorted(ids []string) []string {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return ids
}

// testWebhookLeasesAtOnce holds that two senders never have one message between them.
func testWebhookLeasesAtOnce(t *testing.T, r Records) {
	subscribe(t, r, "W1")
	want := []string{}
	for range 40 {
		want = append(want, ping(t, r, "W1", noon))
	}
	var mu sync.Mutex
	got := []string{}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				mine, err := r.Lease(t.Context(), "W1", noon, at(1), 3)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				got = append(got, messageIDs(mine)...)
				done := len(got) >= len(want)
				mu.Unlock()
				if done {
					return
				}
			}
		})
	}
	wg.Wait()
	same(t, "messages that were leased", sorted(got), sorted(want))
}

func testWebhookOutcomes(t *testing.T, r Records) {
	subscribe(t, r, "W1")
	id := ping(t, r, "W1", noon)
	attempt := webhook.Attempt{EndpointID: "W1", MessageID: id, Number: 1, At: at(1), State: webhook.Pending, NextAt: at(5), Status: 500, Error: "500 Internal Server Error"}
	record := func(a webhook.Attempt) webhook.Message {
		t.Helper()
		wantCode(t, "Record", r.Record(t.Context(), a), "")
		m := listed(t, r, "W1")[0]
		m.Body = nil
		return m
	}
	lease(t, r, "W1", noon, 1)
	want := webhook.Message{EndpointID: "W1", MessageID: id, Type: webhook.Ping, CreatedAt: noon, State: webhook.Pending, Attempts: 1,
		LastAttemptAt: ptr(at(1)), LastStatus: 500, LastError: attempt.Error, NextAttemptAt: ptr(at(5))}
	same(t, "after a failure", record(attempt), want)
	same(t, "nothing before its time", messageIDs(lease(t, r, "W1", at(4.9), 1)), []string{})

	// The lease of attempt 2 ran out and attempt 3 began: what attempt 2 tells is late.
	lease(t, r, "W1", at(5), 1)
	lease(t, r, "W1", at(6), 1)
	late := attempt
	late.Number, late.State = 2, webhook.Failed
	if got := record(late); got.State != webhook.Pending || got.Attempts != 3 || !got.NextAttemptAt.Equal(at(7)) {
		t.Errorf("after a late failure: %+v, want it untouched", got)
	}
	// A delivery counts even so.
	late.State, late.Status, late.Error, late.At = webhook.Delivered, 204, "", at(6.5)
	want.State, want.Attempts, want.LastStatus, want.LastError, want.LastAttemptAt, want.NextAttemptAt = webhook.Delivered, 3, 204, "", ptr(at(6.5)), nil
	same(t, "after a late delivery", record(late), want)
	late.Number, late.State, late.Status = 3, webhook.Pending, 500
	same(t, "a failure after the delivery", record(late), want)

	// Gone: the endpoint is disabled, and what waits for it is given up.
	gone, waits := ping(t, r, "W1", at(8)), ping(t, r, "W1", at(9))
	lease(t, r, "W1", at(8), 1)
	wantCode(t, "Record", r.Record(t.Context(), webhook.Attempt{EndpointID: "W1", MessageID: gone, Number: 1, At: at(8), State: webhook.Failed, Status: 410, Error: "410 Gone", Gone: true}), "")
	endpoints, err := r.Endpoints(t.Context())
	wantCode(t, "Endpoints", err, "")
	same(t, "disabled at", endpoints[0].DisabledAt, ptr(at(8)))
	for _, m := range listed(t, r, "W1")[:2] {
		if m.State != webhook.Failed || m.NextAttemptAt != nil || m.MessageID == waits && m.LastError == "" {
			t.Errorf("after 410: %+v, want it failed", m)
		}
	}
	same(t, "waiting for a disabled endpoint", waitingIDs(t, r, at(100)), []string{})
	wantCode(t, "SendEvent to a disabled endpoint", r.SendEvent(t.Context(), "W1", webhook.PingEvent("p", "W1", noon)), audit.CodeConflict)
	_, err = r.PutClaims(t.Context(), []dispute.Claim{{ClaimID: "C1", TrackingID: "T1"}}, at(9))
	wantCode(t, "PutClaims", err, "")
	same(t, "messages of a disabled endpoint", len(listed(t, r, "W1")), 3)
	b, err := r.Backlog(t.Context())
	wantCode(t, "Backlog", err, "")
	same(t, "backlog", b, webhook.Backlog{})
}

func testWebhookSweep(t *testing.T, r Records) {
	subscribe(t, r, "W1")
	states := map[string]webhook.State{}
	for i, state := range []webhook.State{webhook.Delivered, webhook.Delivered, webhook.Failed, webhook.Pending} {
		id := ping(t, r, "W1", at(float64(i)))
		states[id] = state
		lease(t, r, "W1", at(float64(i)), 1)
		wantCode(t, "Record", r.Record(t.Context(), webhook.Attempt{EndpointID: "W1", MessageID: id, Number: 1, At: at(float64(i)), State: state, NextAt: at(99)}), "")
	}
	wantCode(t, "Sweep", r.Sweep(t.Context(), at(1)), "")
	got := listed(t, r, "W1")
	if len(got) != 3 {
		t.Fatalf("%d messages after a sweep, want 3", len(got))
	}
	wantCode(t, "Sweep", r.Sweep(t.Context(), at(1000)), "")
	got = listed(t, r, "W1")
	for _, m := range got {
		if m.State != states[m.MessageID] || m.State == webhook.Delivered {
			t.Errorf("%+v is left", m)
		}
	}
	same(t, "messages left", len(got), 2)
}

func testWebhookMessagePages(t *testing.T, r Records) {
	subscribe(t, r, "W1")
	subscribe(t, r, "W2")
	var want []string
	for i := range 7 {
		want = append(want, ping(t, r, "W1", at(float64(i))))
		ping(t, r, "W2", at(float64(i)))
	}
	slices.Reverse(want)
	var got []string
	for after, pages := "", 1; ; pages++ {
		page, next, err := r.Messages(t.Context(), "W1", after, 3)
		wantCode(t, "Messages", err, "")
		got = append(got, messageIDs(page)...)
		if after = next; after == "" {
			same(t, "pages", pages, 3)
			break
		}
	}
	same(t, "messages, newest first", got, want)
	_, _, err := r.Messages(t.Context(), "W1", "!!!", 10)
	wantCode(t, "Messages from a cursor of another make", err, audit.CodeInvalid)
}
