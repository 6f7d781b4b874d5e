package server

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"porchlight/audit"
	"porchlight/audit/custody"
	"porchlight/audit/dispute"
)

// custodyOf lists what the log says of some actions, as "action id by role".
func (s *stack) custodyOf(t *testing.T, actions ...custody.Action) []string {
	t.Helper()
	got := []string{}
	for e, err := range s.db.CustodyEntries(t.Context()) {
		must(t, err)
		for _, a := range actions {
			if e.Action != a {
				continue
			}
			got = append(got, string(e.Action)+" "+e.ID+" by "+string(e.Role))
			if want := "token:" + s.tokens[e.Role].TokenID; e.Actor != want {
				t.Errorf("%s by %q, want %q", a, e.Actor, want)
			}
		}
	}
	return got
}

func TestCustodyOfChanges(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1")
	photo := s.kept(t, "T1").PhotoID
	s.keptAgain(t, "T1") // the same again changes nothing
	s.as(t, audit.Agent, "POST", "/api/v1/claims", "application/json", `{"claim_id":"C1","tracking_id":"T1"}`)
	p := decodeAs[PacketRef](t, s.as(t, audit.Agent, "POST", "/api/v1/claims/C1/packets", "", ""))
	run := decodeAs[audit.Run](t, s.as(t, audit.Admin, "POST", "/api/v1/reaudits", "application/json", `{}`))
	want := []string{"delivery.changed T1 by dispatch", "photo.uploaded " + photo + " by driver", "claim.changed C1 by agent",
		"packet.issued " + p.PacketID + " by agent", "reaudit.started " + run.RunID + " by admin", "reaudit.finished " + run.RunID + " by admin", "reaudit.published " + run.RunID + " by admin"}
	got := s.custodyOf(t, custody.DeliveryChanged, custody.PhotoUploaded, custody.ClaimChanged, custody.PacketIssued,
		custody.ReauditStarted, custody.ReauditAdvanced, custody.ReauditFinished, custody.ReauditPublished)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("custody log (-want +got):\n%s", diff)
	}
}

// keptAgain uploads the doorstep once more.
func (s *stack) keptAgain(t *testing.T, trackingID string) {
	t.Helper()
	if r := s.upload(t, audit.Driver, trackingID, photoPart(doorstep())); r.StatusCode != http.StatusOK {
		t.Fatalf("upload again: %d %s", r.StatusCode, r.body)
	}
}

func TestCustodyOfViews(t *testing.T) {
	now := atomic.Int64{}
	now.Store(time.Now().UnixNano())
	s := newStack(t, func(c *Config) { c.Now = func() time.Time { return time.Unix(0, now.Load()) } })
	s.deliveries(t, "T1")
	s.addClaim(t, "C1", "T1")
	photo := s.kept(t, "T1").PhotoID
	p := decodeAs[PacketRef](t, s.as(t, audit.Agent, "POST", "/api/v1/claims/C1/packets", "", ""))
	preview := "/api/v1/photos/" + photo + "/preview"
	agent := browser{s, s.signedIn(t, audit.Agent)}
	for _, step := range []struct {
		name string
		see  func() int
		want []string
	}{
		{"signing in", func() int { return 200 }, []string{"session.started " + s.tokens[audit.Agent].TokenID + " by agent"}},
		{"a driver's own photo", func() int { return s.get(t, audit.Driver, "/api/v1/photos/"+photo).StatusCode }, nil},
		{"a driver's own preview", func() int { return s.get(t, audit.Driver, preview).StatusCode }, nil},
		{"a list", func() int { return s.get(t, audit.Agent, "/api/v1/claims").StatusCode }, nil},
		{"an original", func() int { return s.get(t, audit.Agent, "/api/v1/photos/"+photo).StatusCode }, []string{"photo.exported " + photo + " by agent"}},
		{"an original again", func() int { return s.get(t, audit.Agent, "/api/v1/photos/"+photo).StatusCode }, []string{"photo.exported " + photo + " by agent"}},
		{"a preview", func() int { return s.get(t, audit.Agent, preview).StatusCode }, []string{"photo.viewed " + photo + " by agent"}},
		{"the preview in another size", func() int { return s.get(t, audit.Agent, preview+"?side=320").StatusCode }, nil},
		{"the preview by another", func() int { return s.get(t, audit.Dispatch, preview).StatusCode }, []string{"photo.viewed " + photo + " by dispatch"}},
		{"the preview ten minutes later", func() int { now.Add(int64(10 * time.Minute)); return s.get(t, audit.Agent, preview).StatusCode },
			[]string{"photo.viewed " + photo + " by agent"}},
		{"a photo that is not there", func() int {
			return 200 + s.get(t, audit.Agent, "/api/v1/photos/"+strings.Repeat("a", 64)).StatusCode - 404
		}, nil},
		{"a claim", func() int { return s.get(t, audit.Dispatch, "/api/v1/claims/C1").StatusCode }, []string{"claim.viewed C1 by dispatch"}},
		{"a claim's page", func() int { r, _ := agent.open(t, "/agent/claims/C1"); return r.StatusCode }, []string{"claim.viewed C1 by agent"}},
		{"the claim's page again", func() int { r, _ := agent.open(t, "/agent/claims/C1"); return r.StatusCode }, nil},
		{"the claim's page ten minutes later", func() int {
			now.Add(int64(10 * time.Minute))
			r, _ := agent.open(t, "/agent/claims/C1")
			return r.StatusCode
		}, []string{"claim.viewed C1 by agent"}},
		{"a packet's ZIP", func() int { return s.get(t, audit.Agent, "/api/v1/packets/"+p.PacketID+".zip").StatusCode },
			[]string{"packet.exported " + p.PacketID + " by agent"}},
		{"a packet's JSON", func() int { return s.get(t, audit.Admin, "/api/v1/packets/"+p.PacketID+".json").StatusCode },
			[]string{"packet.exported " + p.PacketID + " by admin"}},
	} {
		seen := func() []string {
			return s.custodyOf(t, custody.PhotoViewed, custody.PhotoExported, custody.ClaimViewed, custody.PacketExported, custody.SessionStarted)
		}
		before := seen()
		if step.name == "signing in" {
			before = nil
		}
		if status := step.see(); status != 200 {
			t.Errorf("%s: status %d", step.name, status)
		}
		if diff := cmp.Diff(step.want, append([]string(nil), seen()[len(before):]...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
	result, err := custody.Verify(s.db.CustodyEntries(t.Context()), nil, func(f custody.Fault) { t.Error(f) })
	if err != nil || result.Rows == 0 {
		t.Errorf("%+v, %v", result, err)
	}
}

// fullLog are records whose custody log takes no views, as on a disk that is full.
type fullLog struct{ Records }

func (fullLog) AppendCustody(context.Context, []custody.Entry) error {
	return audit.Errorf(audit.CodeInternal, "the records could not be written", errors.New("disk full"))
}

// Where the log cannot be written nothing is disclosed.
func TestNothingIsShownUnlogged(t *testing.T) {
	s := newStack(t, func(c *Config) { c.Records = fullLog{c.Records} })
	s.deliveries(t, "T1")
	s.addClaim(t, "C1", "T1")
	photo := s.kept(t, "T1").PhotoID
	p, err := s.dispute.Issue(t.Context(), "C1")
	must(t, err)
	for _, path := range []string{"/api/v1/photos/" + photo, "/api/v1/photos/" + photo + "/preview", "/api/v1/claims/C1",
		"/api/v1/packets/" + p.PacketID + ".zip", "/api/v1/packets/" + p.PacketID + ".json"} {
		r := s.get(t, audit.Agent, path)
		if got := r.problem(t); r.StatusCode != http.StatusServiceUnavailable || got.Code != audit.CodeUnavailable || len(r.body) > 1000 ||
			r.Header.Get("Retry-After") == "" || strings.Contains(string(r.body), "disk full") {
			t.Errorf("%s: %d %.300s", path, r.StatusCode, r.body)
		}
	}
	r := s.send(t, s.request(t, "POST", "/signin", "application/x-www-form-urlencoded", strings.NewReader("token="+s.secrets[audit.Agent])))
	if r.StatusCode != http.StatusServiceUnavailable || len(r.Cookies()) != 0 {
		t.Errorf("signing in: %d with cookies %v", r.StatusCode, r.Cookies())
	}
	if r := s.get(t, audit.Driver, "/api/v1/photos/"+photo); r.StatusCode != http.StatusOK {
		t.Errorf("a driver's own photo: %d", r.StatusCode)
	}
}

func TestCustodyIsListed(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1", "T2")
	s.addClaim(t, "C1", "T1")
	var all []custody.Entry
	for path := "/api/v1/custody?limit=2"; ; {
		r := s.get(t, audit.Admin, path)
		list := decodeAs[List[custody.Entry]](t, r)
		all = append(all, list.Items...)
		if r.StatusCode != 200 || list.Next == "" {
			break
		}
		path = "/api/v1/custody?limit=2&cursor=" + list.Next
	}
	// Whoever reads the log can check it.
	result, err := custody.Verify(func(yield func(custody.Entry, error) bool) {
		for _, e := range all {
			if !yield(e, nil) {
				return
			}
		}
	}, nil, func(f custody.Fault) { t.Error(f) })
	if head, _ := s.db.CustodyHead(t.Context()); err != nil || result.Head != head || result.Rows < 7 {
		t.Errorf("the listed log ends with %+v, want %s", result, head)
	}
	one := decodeAs[List[custody.Entry]](t, s.get(t, audit.Admin, "/api/v1/custody?subject_kind=delivery&subject_id=T2"))
	if len(one.Items) != 1 || one.Items[0].Action != custody.DeliveryChanged || one.Items[0].ID != "T2" {
		t.Errorf("of T2: %+v", one.Items)
	}
	if none := s.get(t, audit.Admin, "/api/v1/custody?subject_kind=delivery&subject_id=T9"); !strings.Contains(string(none.body), `"items":[]`) {
		t.Errorf("of T9: %s", none.body)
	}
}

func TestPacketCarriesTheHead(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1")
	s.addClaim(t, "C1", "T1")
	before, err := s.db.CustodyHead(t.Context())
	must(t, err)
	p, err := s.dispute.Issue(t.Context(), "C1")
	must(t, err)
	frozen, err := s.db.Packet(t.Context(), p.PacketID)
	must(t, err)
	kept, err := dispute.DecodePacket(frozen.JSON)
	must(t, err)
	if kept.Integrity.Custody == nil || *kept.Integrity.Custody != before {
		t.Errorf("the packet's head is %v, want %s", kept.Integrity.Custody, before)
	}
}
