package storagetest

import (
	"fmt"
	"testing"
	"time"

	"porchlight/audit"
	"porchlight/audit/custody"
	"porchlight/audit/dispute"
)

// custodyLog reads the whole log and holds that it is whole.
func custodyLog(t testing.TB, r Records, known ...custody.Head) []custody.Entry {
	t.Helper()
	var rows []custody.Entry
	for e, err := range r.CustodyEntries(t.Context()) {
		wantCode(t, "CustodyEntries", err, "")
		rows = append(rows, e)
	}
	result, err := custody.Verify(r.CustodyEntries(t.Context()), known, func(f custody.Fault) { t.Errorf("custody log: %s", f) })
	wantCode(t, "Verify", err, "")
	head, err := r.CustodyHead(t.Context())
	wantCode(t, "CustodyHead", err, "")
	if int(result.Rows) != len(rows) || result.Head != head {
		t.Errorf("%d rows up to %s, want %d up to %s", result.Rows, result.Head, len(rows), head)
	}
	return rows
}

// testCustodyOfChanges holds that each change is logged once, by whom it was made, and
// that what changes nothing is not.
func testCustodyOfChanges(t *testing.T, r Records) {
	same(t, "an empty log", custodyLog(t, r), []custody.Entry(nil))
	ctx := custody.WithActor(t.Context(), custody.Actor{Name: "token:42", Role: audit.Dispatch})
	var want []string
	step := func(what string, err error, logged ...string) {
		t.Helper()
		wantCode(t, what, err, "")
		want = append(want, logged...)
	}
	for _, logged := range [][]string{{"delivery.changed delivery T1", "delivery.changed delivery T2"}, nil} {
		_, err := r.PutDeliveries(ctx, []audit.Delivery{delivery("T1", "D1", "1 Main St"), delivery("T2", "D1", "1 Main St"), {TrackingID: "T1"}}, noon)
		step("PutDeliveries", err, logged...)
		_, err = r.PutClaims(ctx, []dispute.Claim{{ClaimID: "C1", TrackingID: "T1"}}, noon)
		if logged != nil {
			logged = []string{"claim.changed claim C1"}
		}
		step("PutClaims", err, logged...)
	}
	u := upload("a", "T1", "D1", at(1))
	for _, logged := range [][]string{{"photo.uploaded photo " + u.PhotoID}, nil} {
		_, _, _, err := r.AddUpload(ctx, u, measurement(print(1), 90), judgeAs(u, audit.Accept, nil))
		step("AddUpload", err, logged...)
		err = r.AddEvents(ctx, []dispute.Event{{EventID: "E1", TrackingID: "T1", At: at(1)}, {EventID: "E1", TrackingID: "T1", At: at(2)}})
		if logged != nil {
			logged = []string{"event.added event E1"}
		}
		step("AddEvents", err, logged...)
	}
	step("AddPacket", r.AddPacket(ctx, dispute.FrozenPacket{PacketID: "P1", ClaimID: "C1", IssuedAt: at(2), JSON: []byte(`{}`)}), "packet.issued packet P1")
	step("AddToken", r.AddToken(ctx, audit.Token{TokenID: "K1", Hash: "h", Role: audit.Agent, CreatedAt: noon}), "token.created token K1")
	step("RevokeToken", r.RevokeToken(ctx, "K1", at(3)), "token.revoked token K1")
	step("RevokeToken again", r.RevokeToken(ctx, "K1", at(4)))
	step("SaveChecklist", r.SaveChecklist(ctx, "v1", "text", noon), "checklist.kept checklist v1")
	step("SaveChecklist again", r.SaveChecklist(ctx, "v1", "text", noon))
	run := audit.Run{RunID: "R1", State: audit.RunRunning, Checklist: "v1", Hold: true, StartedAt: at(5), Chunks: 2}
	step("StartRun", r.StartRun(ctx, run, []audit.Span{all, {First: "z", Last: "z"}}), "reaudit.started reaudit R1")
	finish := func(c audit.Chunk) error {
		task := take(t, r, run.RunID)
		_, err := r.FinishChunk(ctx, *task, c, at(7))
		return err
	}
	step("FinishChunk", finish(audit.Chunk{Reports: []audit.Report{report(u, audit.Retake, at(6))}}), "reaudit.advanced reaudit R1")
	for _, change := range []struct {
		to     audit.RunState
		logged []string
	}{
		{audit.RunPaused, []string{"reaudit.paused reaudit R1"}},
		{audit.RunPaused, nil},
		{audit.RunRunning, []string{"reaudit.resumed reaudit R1"}},
	} {
		_, err := r.ChangeRun(ctx, "R1", change.to, at(7))
		step("ChangeRun", err, change.logged...)
	}
	step("FinishChunk", finish(audit.Chunk{}), "reaudit.finished reaudit R1")
	_, err := r.ChangeRun(ctx, "R1", audit.RunPublished, at(8))
	step("ChangeRun", err, "reaudit.published reaudit R1")

	// What fails is not logged.
	wantCode(t, "AddPacket without its claim", r.AddPacket(ctx, dispute.FrozenPacket{PacketID: "P2", ClaimID: "C9", JSON: []byte(`{}`)}), audit.CodeNotFound)
	_, _, _, err = r.AddUpload(ctx, upload("b", "T9", "D1", at(1)), measurement(print(2), 90), nil)
	wantCode(t, "AddUpload without its delivery", err, audit.CodeDelivery)
	step("AddToken by nobody", r.AddToken(t.Context(), audit.Token{TokenID: "K2", Hash: "h2", Role: audit.Agent, CreatedAt: noon}), "token.created token K2")

	var got []string
	rows := custodyLog(t, r)
	for i, e := range rows {
		got = append(got, fmt.Sprint(e.Action, " ", e.Kind, " ", e.ID))
		wantActor, wantRole := "token:42", audit.Dispatch
		if i == len(rows)-1 {
			wantActor, wantRole = "system", ""
		}
		if e.Actor != wantActor || e.Role != wantRole || e.At.IsZero() || e.At != e.At.Truncate(time.Microsecond) {
			t.Errorf("row %d is by %q %q at %s", e.Seq, e.Actor, e.Role, e.At)
		}
	}
	same(t, "custody log", got, want)
}

// testCustodyAtOnce lets sixteen write together, changes and views: one chain without
// gaps comes of it.
func testCustodyAtOnce(t *testing.T, r Records) {
	const each = 5
	for i := range writers {
		put(t, r, delivery(fmt.Sprint("T", i), fmt.Sprint("D", i), fmt.Sprint(i, " Main St")))
	}
	journal := custody.NewJournal(r)
	atOnce(writers, func(i int) {
		ctx := custody.WithActor(t.Context(), custody.Actor{Name: fmt.Sprint("token:", i)})
		for n := range each {
			u := upload(fmt.Sprint("photo ", i, " ", n), fmt.Sprint("T", i), fmt.Sprint("D", i), at(float64(n)))
			insistOnUpload(ctx, t, r, u, measurement(print(i*each+n), 90), judgeAs(u, audit.Accept, nil))
			insist(t, "Append", func() error {
				return journal.Append(ctx, custody.Entry{Action: custody.PhotoViewed, Subject: custody.Subject{Kind: custody.Photo, ID: u.PhotoID}})
			})
		}
	})
	seen := map[string]int{}
	rows := custodyLog(t, r)
	for _, e := range rows[writers:] {
		seen[e.Actor+" "+string(e.Action)]++
	}
	if len(rows) != writers+2*writers*each || len(seen) != 2*writers {
		t.Errorf("%d rows of %d actors and actions", len(rows), len(seen))
	}
	for who, n := range seen {
		if n != each {
			t.Errorf("%s: %d rows, want %d", who, n, each)
		}
	}
}

func testCustodyPages(t *testing.T, r Records) {
	var entries []custody.Entry
	for i := range 25 {
		entries = append(entries, custody.Entry{Actor: "token:1", At: at(float64(i)), Action: custody.ClaimViewed,
			Subject: custody.Subject{Kind: custody.Claim, ID: fmt.Sprint("C", i%3)}, Detail: custody.Details(map[string]string{"é": "\"\u2028<"})})
	}
	wantCode(t, "AppendCustody", r.AppendCustody(t.Context(), entries[:20]), "")
	wantCode(t, "AppendCustody", r.AppendCustody(t.Context(), entries[20:]), "")
	wantCode(t, "AppendCustody of nothing", r.AppendCustody(t.Context(), nil), "")
	all := custodyLog(t, r)
	if len(all) != 25 || !all[7].At.Equal(at(7)) || all[7].Detail != entries[7].Detail {
		t.Fatalf("%d rows, row 8 is %+v", len(all), all[7])
	}
	for of, want := range map[custody.Subject]func(e custody.Entry) bool{
		{}:                              func(custody.Entry) bool { return true },
		{Kind: custody.Claim, ID: "C1"}: func(e custody.Entry) bool { return e.ID == "C1" },
		{Kind: custody.Photo, ID: "C1"}: func(custody.Entry) bool { return false },
	} {
		var got, wanted []custody.Entry
		for _, e := range all {
			if want(e) {
				wanted = append(wanted, e)
			}
		}
		for after := ""; ; {
			rows, next, err := r.Custody(t.Context(), of, after, 4)
			wantCode(t, "Custody", err, "")
			got = append(got, rows...)
			if after = next; next == "" {
				break
			}
		}
		same(t, fmt.Sprintf("custody of %+v", of), got, wanted)
	}
	_, _, err := r.Custody(t.Context(), custody.Subject{}, "forged", 4)
	wantCode(t, "a forged cursor", err, audit.CodeInvalid)
	wantCode(t, "a broken text", r.AppendCustody(t.Context(), []custody.Entry{{Actor: "a\x00b"}}), audit.CodeInvalid)
	custodyLog(t, r, all[24].Head())
}

func testPacketHeads(t *testing.T, r Records) {
	_, err := r.PutClaims(t.Context(), []dispute.Claim{{ClaimID: "C1", TrackingID: "T1"}}, noon)
	wantCode(t, "PutClaims", err, "")
	head, err := r.CustodyHead(t.Context())
	wantCode(t, "CustodyHead", err, "")
	for id, json := range map[string]string{
		"P1": fmt.Sprintf(`{"integrity":{"custody":{"seq":%d,"hash":%q}}}`, head.Seq, head.Hash),
		"P2": `{"integrity":{}}`, "P3": `no JSON`,
	} {
		wantCode(t, "AddPacket", r.AddPacket(t.Context(), dispute.FrozenPacket{PacketID: id, ClaimID: "C1", IssuedAt: noon, JSON: []byte(json)}), "")
	}
	heads, err := r.PacketHeads(t.Context())
	wantCode(t, "PacketHeads", err, "")
	same(t, "heads", heads, []custody.Head{head})
	custodyLog(t, r, heads...)
}
