package storagetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"porchlight/audit"
	"porchlight/audit/dispute"
)

// testHostileTexts brings texts that a database may refuse, or take for something else,
// everywhere that a text comes in.
func testHostileTexts(t *testing.T, r Records) {
	put(t, r, delivery("T1", "D1", "1 Main St"))
	for _, bad := range []string{"a\x00b", "\x00", "\xff\xfe", "caf\xe9", "\xed\xa0\x80"} {
		refused := func(what string, err error) {
			t.Helper()
			wantCode(t, fmt.Sprintf("%s %q", what, bad), err, audit.CodeInvalid)
		}
		_, err := r.PutDeliveries(t.Context(), []audit.Delivery{{TrackingID: bad}}, noon)
		refused("PutDeliveries", err)
		_, err = r.PutDeliveries(t.Context(), []audit.Delivery{{TrackingID: "T2", Stop: audit.Stop{Locality: bad}}}, noon)
		refused("PutDeliveries, a stop's field", err)
		_, err = r.PutDeliveries(t.Context(), []audit.Delivery{{TrackingID: "T2", Proofs: audit.Proofs{audit.Proof(bad)}}}, noon)
		refused("PutDeliveries, a list's element", err)
		_, err = r.PutClaims(t.Context(), []dispute.Claim{{ClaimID: "C1", TrackingID: "T1", Statement: bad}}, noon)
		refused("PutClaims", err)
		refused("AddEvents", r.AddEvents(t.Context(), []dispute.Event{{EventID: "E1", TrackingID: "T1", Detail: bad}}))
		refused("AddToken", r.AddToken(t.Context(), audit.Token{TokenID: bad, Hash: "h", Role: audit.Admin}))
		refused("SaveChecklist", r.SaveChecklist(t.Context(), "v", bad, noon))
		refused("AddPacket", r.AddPacket(t.Context(), dispute.FrozenPacket{PacketID: "P1", ClaimID: "C1", JSON: []byte(bad)}))
		refused("StartRun", r.StartRun(t.Context(), audit.Run{RunID: "R1", Filter: audit.Filter{DriverID: bad}}, nil))
		u := upload("a", "T1", "D1", at(1))
		u.Also = []string{bad}
		_, _, _, err = r.AddUpload(t.Context(), u, measurement(print(1), 90), judgeAs(u, audit.Accept, nil))
		refused("AddUpload", err)
		_, err = r.Delivery(t.Context(), bad)
		refused("Delivery", err)
		_, err = r.Evidence(t.Context(), bad)
		refused("Evidence", err)
		_, err = r.DriverDeliveries(t.Context(), bad, time.Time{}, time.Time{})
		refused("DriverDeliveries", err)
		_, err = r.PhotoUploads(t.Context(), bad)
		refused("PhotoUploads", err)
		_, err = r.TokenByHash(t.Context(), bad)
		refused("TokenByHash", err)
		_, err = r.Cases(t.Context(), audit.Filter{DriverID: bad}, all)
		refused("Cases", err)
		_, err = r.Cases(t.Context(), audit.Filter{}, audit.Span{First: bad, Last: bad})
		refused("Cases, span", err)
	}
	// What a camera wrote into its file is kept whatever it is: the photo is evidence.
	u, m := upload("a", "T1", "D1", at(1)), measurement(print(1), 90)
	m.Exif.Software = "a\x00b"
	add(t, r, u, m)
	kept, err := r.PhotoUploads(t.Context(), u.PhotoID)
	wantCode(t, "PhotoUploads", err, "")
	same(t, "measurement", kept[0].Measurement, m)

	for i, odd := range []string{"'; DROP TABLE deliveries; --", "%", "_", "\\", "\"", "$1", "?", "\u2028\u202e", "\U0001f3e0", "\ufffd", `\u0000`,
		strings.Repeat("x", 4096), " ", "NULL", "e\u0301"} {
		want := delivery(fmt.Sprint("odd-", i), "D1", odd)
		want.TrackingID, want.Note = "odd "+odd[:min(len(odd), 100)], odd
		put(t, r, want)
		got, err := r.Delivery(t.Context(), want.TrackingID)
		wantCode(t, "Delivery", err, "")
		same(t, "delivery", got, want)
		claim := dispute.Claim{ClaimID: "odd " + odd[:min(len(odd), 100)], TrackingID: want.TrackingID, Statement: odd}
		_, err = r.PutClaims(t.Context(), []dispute.Claim{claim}, noon)
		wantCode(t, "PutClaims", err, "")
		kept, err := r.Claim(t.Context(), claim.ClaimID)
		wantCode(t, "Claim", err, "")
		same(t, "claim", kept, claim)
	}
	_, err = r.Delivery(t.Context(), "%")
	wantCode(t, "Delivery %", err, audit.CodeNotFound)
}
