package storagetest

import (
	"fmt"
	"testing"
	"time"

	"porchlight/audit"
	"porchlight/audit/dispute"
	"porchlight/audit/geo"
)

func testOutcomes(t *testing.T, r Records) {
	_, err := r.PutClaims(t.Context(), []dispute.Claim{{ClaimID: "C1", TrackingID: "T1"}, {ClaimID: "C2", TrackingID: "T2"}, {ClaimID: "C3", TrackingID: "T3"}}, noon)
	wantCode(t, "PutClaims", err, "")
	_, err = r.AddOutcome(t.Context(), dispute.Outcome{ClaimID: "C9", Decision: dispute.Upheld, DecidedAt: noon, RecordedAt: noon})
	wantCode(t, "AddOutcome without its claim", err, audit.CodeNotFound)
	for i, o := range []dispute.Outcome{
		{ClaimID: "C1", Decision: dispute.Upheld, Recommendation: dispute.DisputeClaim},
		{ClaimID: "C1", Decision: dispute.Overturned, Recommendation: dispute.DisputeClaim}, // on second thoughts
		{ClaimID: "C2", Decision: dispute.Overturned, Recommendation: dispute.AcceptClaim},
	} {
		o.DecidedAt, o.RecordedAt = at(float64(i)), at(float64(i))
		got, err := r.AddOutcome(t.Context(), o)
		wantCode(t, "AddOutcome", err, "")
		same(t, "outcome", got, o)
	}
	got, err := r.Outcome(t.Context(), "C1")
	wantCode(t, "Outcome", err, "")
	if got == nil || got.Decision != dispute.Overturned {
		t.Errorf("the latest outcome is %+v, want overturned", got)
	}
	if open, err := r.Outcome(t.Context(), "C3"); open != nil || err != nil {
		t.Errorf("an open claim's outcome is %+v, %v", open, err)
	}
	tallies, err := r.Tallies(t.Context(), time.Time{}, time.Time{})
	wantCode(t, "Tallies", err, "")
	same(t, "tallies", tallies, []dispute.Tally{
		{Recommendation: dispute.DisputeClaim, Overturned: 1, Right: ptr(1.0)}, {Recommendation: dispute.ReviewClaim}, {Recommendation: dispute.AcceptClaim, Overturned: 1, Right: ptr(0.0)},
	})
	tallies, err = r.Tallies(t.Context(), at(2), at(3))
	wantCode(t, "Tallies of a period", err, "")
	if tallies[0].Overturned != 0 || tallies[2].Overturned != 1 {
		t.Errorf("tallies of a period: %+v", tallies)
	}
	claims, _, err := r.Claims(t.Context(), dispute.ClaimFilter{Open: true}, "", 10)
	wantCode(t, "Claims", err, "")
	if len(claims) != 1 || claims[0].ClaimID != "C3" {
		t.Errorf("open claims: %+v, want C3", claims)
	}
}

func testClaimSearch(t *testing.T, r Records) {
	d := audit.Delivery{TrackingID: "T1", Recipient: "Zoë Ann O'Neil", Stop: audit.Stop{Address: "4702 Élm St.", Unit: "3", Country: "US"}}
	other := audit.Delivery{TrackingID: "T2", Stop: audit.Stop{Address: "47 Elm St", Country: "US"}}
	_, err := r.PutDeliveries(t.Context(), []audit.Delivery{d, other}, noon)
	wantCode(t, "PutDeliveries", err, "")
	_, err = r.PutClaims(t.Context(), []dispute.Claim{{ClaimID: "C1", TrackingID: "T1"}, {ClaimID: "C2", TrackingID: "T2"}}, noon)
	wantCode(t, "PutClaims", err, "")
	for search, want := range map[string][]string{"C1": {"C1"}, "T2": {"C2"}, "4702 élm": {"C1"}, "47": {"C1", "C2"}, "47 Elm St": {"C2"}, "elm": nil, "zoë ann": {"C1"}, "Zoë Ann O'Neil": {"C1"}, "O'Neil": nil, "'; DROP TABLE claims; --": nil, "%": nil} {
		claims, _, err := r.Claims(t.Context(), dispute.ClaimFilter{Search: search}, "", 10)
		wantCode(t, "Claims", err, "")
		var got []string
		for _, c := range claims {
			got = append(got, c.ClaimID)
		}
		same(t, "claims of "+search, got, want)
	}
}

func testHistory(t *testing.T, r Records) {
	scanned := func(id, street string, seconds int) audit.Delivery {
		when := noon.Add(time.Duration(seconds) * time.Second)
		return audit.Delivery{TrackingID: id, DriverID: "D1", ScannedAt: &when, DeliveredAt: &when, Stop: audit.Stop{Address: street, Country: "US"}}
	}
	_, err := r.PutDeliveries(t.Context(), []audit.Delivery{scanned("T1", "1 Elm St", 0), scanned("T2", "2 Elm St", 3), scanned("T3", "1 Elm St", 1), scanned("T4", "3 Elm St", 61)}, noon)
	wantCode(t, "PutDeliveries", err, "")
	_, err = r.PutClaims(t.Context(), []dispute.Claim{{ClaimID: "C1", TrackingID: "T1"}, {ClaimID: "C3", TrackingID: "T3"}}, noon)
	wantCode(t, "PutClaims", err, "")
	ev, err := r.Evidence(t.Context(), "T1")
	wantCode(t, "Evidence", err, "")
	// T3 is for the same stop, T4 a second too late.
	same(t, "history", ev.History, dispute.History{NearScans: []dispute.NearScan{{TrackingID: "T2", At: noon.Add(3 * time.Second)}}, StopClaims: 1, StopPackages: 1})
}

func testTracks(t *testing.T, r Records) {
	d := audit.Delivery{TrackingID: "T1", DriverID: "D1", DeliveredAt: &noon, Stop: audit.Stop{Address: "1 Elm St"}}
	_, err := r.PutDeliveries(t.Context(), []audit.Delivery{d}, noon)
	wantCode(t, "PutDeliveries", err, "")
	fix := func(driver string, minutes float64) dispute.TrackPoint {
		return dispute.TrackPoint{DriverID: driver, At: noon.Add(time.Duration(minutes * float64(time.Minute))), Point: geo.Point{Latitude: 47 + minutes/1000, Longitude: 8}, AccuracyM: 5}
	}
	changes, err := r.PutTrack(t.Context(), []dispute.TrackPoint{fix("D1", 10.1), fix("D1", 2), fix("D1", -1), fix("D2", 0), fix("D1", 2)})
	wantCode(t, "PutTrack", err, "")
	same(t, "changes", changes, []audit.Change{audit.Created, audit.Created, audit.Created, audit.Created, audit.Unchanged})
	ev, err := r.Evidence(t.Context(), "T1")
	wantCode(t, "Evidence", err, "")
	same(t, "track", ev.Track, []dispute.TrackPoint{fix("D1", -1), fix("D1", 2)})
}

func testAttachments(t *testing.T, r Records) {
	a := dispute.Attachment{AttachmentID: "A0", TrackingID: "T1", SHA256: audit.PhotoID([]byte("a")), MediaType: "application/pdf", Bytes: 1, What: "an e-mail", At: noon, AddedAt: noon, AddedBy: "token:1"}
	wantCode(t, "AddAttachment without its delivery", r.AddAttachment(t.Context(), a), audit.CodeDelivery)
	_, err := r.PutDeliveries(t.Context(), []audit.Delivery{{TrackingID: "T1"}}, noon)
	wantCode(t, "PutDeliveries", err, "")
	var want []dispute.Attachment
	for i := range dispute.MaxAttachments {
		a.AttachmentID = fmt.Sprintf("A%02d", i)
		wantCode(t, "AddAttachment", r.AddAttachment(t.Context(), a), "")
		want = append(want, a)
	}
	a.AttachmentID = "A99"
	wantCode(t, "one AddAttachment too many", r.AddAttachment(t.Context(), a), audit.CodeConflict)
	got, err := r.Attachment(t.Context(), "A07")
	wantCode(t, "Attachment", err, "")
	same(t, "attachment", got, want[7])
	ev, err := r.Evidence(t.Context(), "T1")
	wantCode(t, "Evidence", err, "")
	same(t, "attachments", ev.Attached, want)
}
