package storagetest

import (
	"fmt"
	"testing"
	"time"

	"porchlight/audit"
	"porchlight/audit/dispute"
)

func testClaims(t *testing.T, r Records) {
	want := dispute.Claim{ClaimID: "C1", TrackingID: "T-unknown", ReportedAt: ptr(at(1)), Reason: "delivered_not_received",
		Statement: "Nothing came.\n\"Nothing\"", Channel: "stripe", DueAt: ptr(at(1000))}
	for _, change := range []audit.Change{audit.Created, audit.Unchanged} {
		got, err := r.PutClaims(t.Context(), []dispute.Claim{want}, noon)
		wantCode(t, "PutClaims", err, "")
		same(t, "changes", got, []audit.Change{change})
	}
	got, err := r.Claim(t.Context(), "C1")
	wantCode(t, "Claim", err, "")
	same(t, "claim", got, want)
	changes, err := r.PutClaims(t.Context(), []dispute.Claim{{ClaimID: "C1", TrackingID: "T1", Channel: "paypal"}, {ClaimID: "C2", TrackingID: "T2"}}, noon)
	wantCode(t, "PutClaims", err, "")
	same(t, "changes", changes, []audit.Change{audit.Updated, audit.Created})
	want.TrackingID, want.Channel = "T1", "paypal"
	got, err = r.Claim(t.Context(), "C1")
	wantCode(t, "Claim", err, "")
	same(t, "merged claim", got, want)
	_, err = r.Claim(t.Context(), "C9")
	wantCode(t, "Claim that is not there", err, audit.CodeNotFound)
}

func testClaimPages(t *testing.T, r Records) {
	var claims []dispute.Claim
	var want []string
	for i := range 25 {
		c := dispute.Claim{ClaimID: fmt.Sprintf("C%02d", 24-i), TrackingID: "T1", DueAt: ptr(at(float64(i / 3)))}
		if i >= 22 {
			c.DueAt = nil // due some day: last
		}
		claims = append(claims, c)
	}
	for day := range 9 {
		for i := 24; i >= 0; i-- {
			if i/3 == day && i < 22 {
				want = append(want, claims[i].ClaimID)
			}
		}
	}
	want = append(want, "C00", "C01", "C02")
	_, err := r.PutClaims(t.Context(), claims, noon)
	wantCode(t, "PutClaims", err, "")
	for _, limit := range []int{1, 4, 5, 24, 25, 26, 1000} {
		var got []string
		pages := 0
		for after := ""; ; pages++ {
			page, next, err := r.Claims(t.Context(), dispute.ClaimFilter{}, after, limit)
			wantCode(t, "Claims", err, "")
			if len(page) > limit || len(page) == 0 {
				t.Fatalf("a page of %d claims, want 1 to %d", len(page), limit)
			}
			for _, c := range page {
				got = append(got, c.ClaimID)
			}
			if after = next; after == "" {
				break
			}
		}
		same(t, fmt.Sprint("claims by ", limit), got, want)
		if want := (25 + limit - 1) / limit; pages+1 != want {
			t.Errorf("%d pages of %d, want %d", pages+1, limit, want)
		}
	}
	for _, cursor := range []string{"x", "!!!", "e30x", "C01"} {
		_, _, err := r.Claims(t.Context(), dispute.ClaimFilter{}, cursor, 10)
		wantCode(t, "Claims from "+cursor, err, audit.CodeInvalid)
	}
	for _, limit := range []int{0, -1} {
		_, _, err := r.Claims(t.Context(), dispute.ClaimFilter{}, "", limit)
		wantCode(t, "Claims without a limit", err, audit.CodeInvalid)
	}
}

func testClaimFilters(t *testing.T, r Records) {
	_, err := r.PutClaims(t.Context(), []dispute.Claim{
		{ClaimID: "C1", TrackingID: "T1", DueAt: ptr(at(3))}, {ClaimID: "C2", TrackingID: "T2", DueAt: ptr(at(2))},
		{ClaimID: "C3", TrackingID: "T1", DueAt: ptr(at(1))}, {ClaimID: "C4", TrackingID: "T1"},
	}, noon)
	wantCode(t, "PutClaims", err, "")
	for _, test := range []struct {
		filter dispute.ClaimFilter
		want   []string
	}{
		{dispute.ClaimFilter{}, []string{"C3", "C2", "C1", "C4"}},
		{dispute.ClaimFilter{TrackingID: "T1"}, []string{"C3", "C1", "C4"}},
		{dispute.ClaimFilter{TrackingID: "T9"}, nil},
		{dispute.ClaimFilter{DueBefore: at(3)}, []string{"C3", "C2"}},
		{dispute.ClaimFilter{TrackingID: "T1", DueBefore: at(4)}, []string{"C3", "C1"}},
		{dispute.ClaimFilter{DueFrom: at(2)}, []string{"C2", "C1", "C4"}},
		{dispute.ClaimFilter{DueFrom: at(2), DueBefore: at(3)}, []string{"C2"}},
	} {
		for _, limit := range []int{1, 2, 100} {
			var got []string
			for _, c := range eachPage(t, limit, func(after string, limit int) ([]dispute.Claim, string, error) {
				return r.Claims(t.Context(), test.filter, after, limit)
			}) {
				got = append(got, c.ClaimID)
			}
			same(t, fmt.Sprintf("claims of %+v by %d", test.filter, limit), got, test.want)
		}
	}
}

func testPackets(t *testing.T, r Records) {
	_, err := r.PutClaims(t.Context(), []dispute.Claim{{ClaimID: "C1", TrackingID: "T1"}, {ClaimID: "C2", TrackingID: "T1"}}, noon)
	wantCode(t, "PutClaims", err, "")
	first := dispute.FrozenPacket{PacketID: "P2", ClaimID: "C1", IssuedAt: at(1), JSON: []byte("{\"a\":  1,\n\"a\": \"\\u0000 \u2028 €\"}\n"), Timestamp: []byte{0x30, 0, 0xff}}
	second := dispute.FrozenPacket{PacketID: "P1", ClaimID: "C1", IssuedAt: at(2), JSON: []byte(`{}`)}
	wantCode(t, "AddPacket", r.AddPacket(t.Context(), second), "")
	wantCode(t, "AddPacket", r.AddPacket(t.Context(), first), "")
	got, err := r.Packet(t.Context(), "P2")
	wantCode(t, "Packet", err, "")
	same(t, "packet", got, first)

	again := first
	again.JSON = []byte(`{"changed": true}`)
	wantCode(t, "AddPacket again", r.AddPacket(t.Context(), again), audit.CodeConflict)
	got, err = r.Packet(t.Context(), "P2")
	wantCode(t, "Packet", err, "")
	same(t, "packet after it was put again", got, first)

	all, err := r.Packets(t.Context(), "C1")
	wantCode(t, "Packets", err, "")
	first.JSON, first.Timestamp, second.JSON = nil, nil, nil
	same(t, "a claim's packets", all, []dispute.FrozenPacket{first, second})
	all, err = r.Packets(t.Context(), "C2")
	wantCode(t, "Packets", err, "")
	same(t, "packets of a claim without", all, []dispute.FrozenPacket{})
	_, err = r.Packets(t.Context(), "C9")
	wantCode(t, "Packets of no claim", err, audit.CodeNotFound)
	_, err = r.Packet(t.Context(), "P9")
	wantCode(t, "Packet that is not there", err, audit.CodeNotFound)
	wantCode(t, "AddPacket without its claim", r.AddPacket(t.Context(), dispute.FrozenPacket{PacketID: "P3", ClaimID: "C9", IssuedAt: noon, JSON: []byte(`{}`)}), audit.CodeNotFound)
}

func testTokens(t *testing.T, r Records) {
	driver := audit.Token{TokenID: "K2", Hash: photoID("secret"), Role: audit.Driver, DriverID: "D1", CreatedAt: at(1), ExpiresAt: ptr(at(100))}
	admin := audit.Token{TokenID: "K1", Hash: photoID("other"), Role: audit.Admin, CreatedAt: at(2)}
	wantCode(t, "AddToken", r.AddToken(t.Context(), admin), "")
	wantCode(t, "AddToken", r.AddToken(t.Context(), driver), "")
	got, err := r.TokenByHash(t.Context(), driver.Hash)
	wantCode(t, "TokenByHash", err, "")
	same(t, "token", got, driver)
	_, err = r.TokenByHash(t.Context(), photoID("guess"))
	wantCode(t, "TokenByHash of a guess", err, audit.CodeNotFound)
	for _, taken := range []audit.Token{{TokenID: "K1", Hash: "h", Role: audit.Agent}, {TokenID: "K3", Hash: admin.Hash, Role: audit.Agent}} {
		wantCode(t, "AddToken with what is taken", r.AddToken(t.Context(), taken), audit.CodeConflict)
	}
	for _, when := range []time.Time{at(5), at(6)} {
		wantCode(t, "RevokeToken", r.RevokeToken(t.Context(), "K2", when), "")
	}
	wantCode(t, "RevokeToken of none", r.RevokeToken(t.Context(), "K9", at(5)), audit.CodeNotFound)
	driver.RevokedAt = ptr(at(5))
	for _, limit := range []int{1, 2, 3} {
		same(t, fmt.Sprint("tokens by ", limit), eachPage(t, limit, func(after string, limit int) ([]audit.Token, string, error) {
			return r.Tokens(t.Context(), "", after, limit)
		}), []audit.Token{driver, admin})
	}
	for driverID, want := range map[string][]audit.Token{"D1": {driver}, "D9": nil} {
		got, next, err := r.Tokens(t.Context(), driverID, "", 1)
		wantCode(t, "Tokens of "+driverID, err, "")
		same(t, "tokens of "+driverID, got, want)
		same(t, "their next page", next, "")
	}
	_, _, err = r.Tokens(t.Context(), "", "!!!", 10)
	wantCode(t, "Tokens from a cursor that is none", err, audit.CodeInvalid)
}

func testClaimsAround(t *testing.T, r Records) {
	here, there := delivery("T1", "D1", "1 Main St"), delivery("T2", "D1", "2 Main St")
	before, other := delivery("T0", "D2", "1 Main St"), delivery("T3", "D2", "3 Main St")
	before.WindowStart = ptr(at(-600))
	put(t, r, here, there, before, other)
	_, err := r.PutClaims(t.Context(), []dispute.Claim{{ClaimID: "C1", TrackingID: "T1"}, {ClaimID: "C2", TrackingID: "T1"}, {ClaimID: "C3", TrackingID: "T2"},
		{ClaimID: "C4", TrackingID: "T0"}, {ClaimID: "C5", TrackingID: "T3"}}, noon)
	wantCode(t, "PutClaims", err, "")
	_, err = r.AddOutcome(t.Context(), dispute.Outcome{ClaimID: "C4", Decision: dispute.Upheld, DecidedAt: noon, RecordedAt: noon})
	wantCode(t, "AddOutcome", err, "")
	got, err := r.ClaimsAround(t.Context(), here, "C1")
	wantCode(t, "ClaimsAround", err, "")
	second := dispute.PastClaim{ClaimID: "C2", TrackingID: "T1", At: at(-60)}
	same(t, "claims around", got, dispute.Around{
		Stop:   []dispute.PastClaim{second, {ClaimID: "C4", TrackingID: "T0", At: at(-600), Decision: dispute.Upheld}},
		Driver: []dispute.PastClaim{second, {ClaimID: "C3", TrackingID: "T2", At: at(-60)}},
	})
	came, err := r.ClaimedStops(t.Context(), noon, at(1), 4)
	wantCode(t, "ClaimedStops", err, "")
	same(t, "claims that came in", came, []dispute.ClaimedStop{{ClaimID: "C5", Delivery: other}, {ClaimID: "C4", Decision: dispute.Upheld, Delivery: before},
		{ClaimID: "C3", Delivery: there}, {ClaimID: "C2", Delivery: here}})
	came, err = r.ClaimedStops(t.Context(), at(-1), noon, 4)
	wantCode(t, "ClaimedStops", err, "")
	same(t, "claims that came in before", came, []dispute.ClaimedStop{})
	got, err = r.ClaimsAround(t.Context(), audit.Delivery{TrackingID: "T9"}, "C1")
	wantCode(t, "ClaimsAround of nothing", err, "")
	same(t, "claims around nothing", got, dispute.Around{})
}
