package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"porchlight/audit"
	"porchlight/storage/sqldb"
)

// TestPurge deletes photos past their retention beside a running service, and holds what
// keeps one, what stays on record, and that a photo which is sent again is there again.
func TestPurge(t *testing.T) {
	at := []string{"--data", t.TempDir()}
	p := startServer(t, append(at, "--log-level", "error")...)
	const n = 7
	s := newStorm(t, p, at, n)
	s.run(nil)
	purge := func(args ...string) (r purgeReport, became map[string]audit.KeptBy) {
		t.Helper()
		out, _ := run(t, 0, append(append([]string{"purge", "--json"}, args...), at...)...)
		became = map[string]audit.KeptBy{}
		for dec := json.NewDecoder(strings.NewReader(out)); dec.More(); {
			var line struct {
				audit.Expired
				purgeReport
			}
			if err := dec.Decode(&line); err != nil {
				t.Fatalf("%v in\n%s", err, out)
			}
			if line.PhotoID != "" {
				became[line.PhotoID] = line.KeptBy
			} else {
				r = line.purgeReport
			}
		}
		return r, became
	}
	if r, _ := purge(); r.Deleted != 0 || len(r.Kept) != 0 {
		t.Errorf("of photos of today: %+v", r)
	}

	// All but the last one came 600 days ago.
	db, err := sql.Open("sqlite", filepath.Join(at[1], "porchlight.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	then := time.Now().UTC().AddDate(0, 0, -600)
	if _, err := db.Exec(`UPDATE uploads SET received_at = ?, json = json_set(json, '$.received_at', ?) WHERE tracking_id <> 'T6'`, then.UnixMicro(), then.Format(time.RFC3339)); err != nil {
		t.Fatal(err)
	}
	db.Close()
	id := func(i int) string { return audit.PhotoID(s.photos[i]) }
	p.do(http.StatusOK, "POST", "/api/v1/claims", s.token, "application/json", []byte(`{"claim_id":"C1","tracking_id":"T1"}`))
	hold, _ := run(t, 0, append([]string{"hold", "place", "delivery", "T2", "--reason", "Case 26-1187"}, at...)...)
	var placed audit.Hold
	p.do(http.StatusCreated, "POST", "/api/v1/holds", s.token, "application/json", []byte(`{"kind":"photo","subject":"`+id(3)+`","reason":"Case 2"}`)).json(t, &placed)
	if out, _ := run(t, 0, append([]string{"hold", "list"}, at...)...); strings.Count(out, "\n") != 2 || !strings.Contains(out, "Case 26-1187") {
		t.Errorf("hold list says %q", out)
	}

	want := map[string]audit.KeptBy{id(0): "", id(1): audit.KeptByClaim, id(2): audit.KeptByHold, id(3): audit.KeptByHold, id(4): "", id(5): ""}
	r, became := purge("--dry-run")
	if !r.DryRun || r.Deleted != 3 || r.Bytes != int64(len(s.photos[0])+len(s.photos[4])+len(s.photos[5])) {
		t.Errorf("a dry run reports %+v", r)
	}
	equal(t, "a dry run", became, want)
	for i := range n {
		p.do(http.StatusOK, "GET", "/api/v1/photos/"+id(i), s.token, "", nil)
	}

	// An earlier purge was stopped between its mark and the deletion.
	records, err := sqldb.Open(t.Context(), sqldb.Config{URL: filepath.Join(at[1], "porchlight.db")})
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := records.MarkDeleted(t.Context(), []string{id(5)}, time.Now().AddDate(0, 0, -540), time.Now()); err != nil || len(kept) != 0 {
		t.Fatal(kept, err)
	}
	records.Close()
	if out, _ := run(t, 0, append([]string{"fsck"}, at...)...); !strings.Contains(out, "marked "+audit.ObjectKey(id(5))+" is marked as deleted") || !strings.Contains(out, "1 photos are marked as deleted and not yet gone") {
		t.Errorf("fsck says %s of a photo that is marked", out)
	}
	r, became = purge()
	if r.Deleted != 3 || r.Kept[audit.KeptByHold] != 2 || r.Kept[audit.KeptByClaim] != 1 {
		t.Errorf("purge reports %+v", r)
	}
	equal(t, "purge", became, want)
	for i := range n {
		wantStatus := http.StatusOK
		if i == 0 || i == 4 || i == 5 {
			wantStatus = http.StatusGone
		}
		for _, path := range []string{"", "/preview"} {
			if a := p.do(wantStatus, "GET", "/api/v1/photos/"+id(i)+path, s.token, "", nil); wantStatus == http.StatusGone && !bytes.Contains(a.body, []byte("photo_deleted")) {
				t.Errorf("photo %d%s: %s", i, path, a.body)
			}
		}
	}
	if r, _ := purge(); r.Deleted != 0 {
		t.Errorf("purge again deletes %d", r.Deleted)
	}

	// What was judged is on record, and a packet says what became of the photo.
	p.do(http.StatusOK, "POST", "/api/v1/claims", s.token, "application/json", []byte(`{"claim_id":"C4","tracking_id":"T4"}`))
	var packet struct {
		Photos []struct {
			Original string
			Report   struct{ Verdict string }
		}
		Recommendation struct{ Weaknesses []struct{ Text string } }
	}
	var issued struct {
		PacketID string `json:"packet_id"`
	}
	p.do(http.StatusCreated, "POST", "/api/v1/claims/C4/packets", s.token, "application/json", nil).json(t, &issued)
	p.do(http.StatusOK, "GET", "/api/v1/packets/"+issued.PacketID+".json", s.token, "", nil).json(t, &packet)
	zip := filepath.Join(t.TempDir(), "packet.zip")
	if err := os.WriteFile(zip, p.do(http.StatusOK, "GET", "/api/v1/packets/"+issued.PacketID+".zip", s.token, "", nil).body, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, 0, "verify", zip, "--key", filepath.Join(at[1], "keys", "porchlight.pub"))
	if len(packet.Photos) != 1 || packet.Photos[0].Original != "deleted" || packet.Photos[0].Report.Verdict == "" {
		t.Errorf("the packet has %+v", packet)
	}
	if all, _ := json.Marshal(packet.Recommendation); !bytes.Contains(all, []byte("past its retention")) {
		t.Errorf("the packet's weaknesses: %s", all)
	}

	// Sent again, it is there again; a released hold lets go.
	if a := p.send(t, s.token, "T0", s.photos[0]); a.status != http.StatusOK {
		t.Errorf("a deleted photo sent again: %d %s", a.status, a.body)
	}
	if got := p.do(http.StatusOK, "GET", "/api/v1/photos/"+id(0), s.token, "", nil); !bytes.Equal(got.body, s.photos[0]) {
		t.Error("a deleted photo that was sent again comes back as other bytes")
	}
	// What comes between the list and the mark, and keeps it, is said.
	stores, err := (&storeSettings{data: at[1]}).open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sweep := stores.retention()
	locked, between := sweep.LockedUntil, audit.Hold{HoldID: "H9", Kind: audit.HoldPhoto, Subject: id(0), Reason: "Case 9", PlacedAt: time.Now()}
	sweep.LockedUntil = func(ctx context.Context, key string) (time.Time, error) {
		if err := stores.db.PlaceHold(ctx, between); err != nil {
			t.Error(err)
		}
		return locked(ctx, key)
	}
	err = sweep.Sweep(t.Context(), time.Now().AddDate(0, 0, -540), false, func(e audit.Expired) {
		if e.PhotoID == id(0) && e.KeptBy != audit.KeptByHold {
			t.Errorf("a hold that came between kept a photo by %q", e.KeptBy)
		}
	})
	if _, released := stores.db.ReleaseHold(t.Context(), between.HoldID, time.Now()); err != nil || released != nil {
		t.Fatal(err, released)
	}
	if err := stores.Close(); err != nil {
		t.Fatal(err)
	}
	run(t, 0, append([]string{"hold", "release", strings.TrimSpace(hold)}, at...)...)
	p.do(http.StatusOK, "DELETE", "/api/v1/holds/"+placed.HoldID, s.token, "", nil)
	if r, _ := purge(); r.Deleted != 3 { // the two, and the first one, whose upload is as old as it was
		t.Errorf("after the release purge reports %+v", r)
	}
	// Bytes of a deleted photo that came back, of an upload that was cut off, go again.
	object := filepath.Join(at[1], "objects", audit.ObjectKey(id(5)))
	if err := os.MkdirAll(filepath.Dir(object), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(object, s.photos[5], 0o600); err != nil {
		t.Fatal(err)
	}
	if out, _ := run(t, 0, append([]string{"fsck"}, at...)...); !strings.Contains(out, "1 photos are marked as deleted and not yet gone") || !strings.Contains(out, "1 deleted photos are on record as the store has them again") {
		t.Errorf("fsck says %s of a deleted photo whose bytes are there", out)
	}
	if r, _ := purge(); r.Deleted != 1 {
		t.Errorf("purge deletes %d, want the one whose bytes came back", r.Deleted)
	}
	out, _ := run(t, 0, append([]string{"fsck", "--deep"}, at...)...)
	if strings.Contains(out, "marked as deleted") || !strings.Contains(out, "2 photos and 0 attachments on record were read: 0 missing, 0 altered; 0 objects without a row") || !strings.Contains(out, " 0 faults") {
		t.Errorf("fsck says %s", out)
	}
	run(t, 2, append([]string{"purge", "--older-than", "yesterday"}, at...)...)
	run(t, 2, append([]string{"hold", "place", "street", "Elm", "--reason", "x"}, at...)...)
}

func equal(t *testing.T, what string, got, want map[string]audit.KeptBy) {
	t.Helper()
	for id, why := range want {
		if was, ok := got[id]; !ok || was != why {
			t.Errorf("%s: photo %s is kept by %q (%v), want %q", what, id[:12], was, ok, why)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s tells of %d photos, want %d", what, len(got), len(want))
	}
}
