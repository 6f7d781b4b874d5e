package storagetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"porchlight/audit"
	"porchlight/audit/custody"
	"porchlight/audit/dispute"
)

// testRetention holds that photos past their retention go, that what keeps one does so at
// every step, and that one which is uploaded again is there again.
func testRetention(t *testing.T, r Records) {
	for i := range 8 {
		put(t, r, delivery(fmt.Sprint("T", i), "D1", fmt.Sprint(i, " Main St")))
	}
	before := at(1000)
	uploads := map[string]audit.Upload{}
	uploaded := func(photo, trackingID, driver string, minutes float64, also ...string) string {
		t.Helper()
		u := upload(photo, trackingID, driver, at(minutes))
		u.Also = also
		add(t, r, u, measurement(print(len(uploads)+1), 90))
		uploads[photo] = u
		return u.PhotoID
	}
	old := uploaded("old", "T0", "D1", 1)
	older := uploaded("older", "T1", "D1", 0)
	uploaded("young", "T1", "D1", 1001)
	both := uploaded("both", "T2", "D1", 2)
	uploaded("both", "T3", "D1", 1002) // the same bytes, later
	claimed := uploaded("claimed", "T4", "D1", 3, "T5")
	frozen := uploaded("frozen", "T6", "D1", 4)
	held := uploaded("held", "T7", "D1", 5)
	driven := uploaded("driven", "T7", "D2", 6)

	_, err := r.PutClaims(t.Context(), []dispute.Claim{{ClaimID: "C1", TrackingID: "T5"}, {ClaimID: "C2", TrackingID: "T6"}, {ClaimID: "C3", TrackingID: "T0"}}, noon)
	wantCode(t, "PutClaims", err, "")
	wantCode(t, "AddPacket", r.AddPacket(t.Context(), dispute.FrozenPacket{PacketID: "P1", ClaimID: "C2", IssuedAt: at(1), JSON: []byte(`{}`)}), "")
	_, err = r.AddOutcome(t.Context(), dispute.Outcome{ClaimID: "C3", Decision: dispute.Withdrawn, RecordedAt: at(7), DecidedAt: at(7)})
	wantCode(t, "AddOutcome", err, "")
	hold := audit.Hold{HoldID: "H1", Kind: audit.HoldDelivery, Subject: "T7", Reason: "Case 1", PlacedBy: "cli:ann", PlacedAt: at(8)}
	wantCode(t, "PlaceHold", r.PlaceHold(t.Context(), hold), "")
	wantCode(t, "PlaceHold again", r.PlaceHold(t.Context(), hold), audit.CodeConflict)

	expired := func() map[string]audit.KeptBy {
		t.Helper()
		got := map[string]audit.KeptBy{}
		var last time.Time
		for _, e := range eachPage(t, 2, func(after string, limit int) ([]audit.Expired, string, error) {
			return r.ExpiredPhotos(t.Context(), before, after, limit)
		}) {
			if e.ReceivedAt.Before(last) || e.Bytes != 3_141_592 || e.TrackingID == "" {
				t.Errorf("expired photo %+v, after %s", e, last)
			}
			last, got[e.PhotoID] = e.ReceivedAt, e.KeptBy
		}
		return got
	}
	want := map[string]audit.KeptBy{older: "", old: "", claimed: audit.KeptByClaim, frozen: audit.KeptByPacket, held: audit.KeptByHold, driven: audit.KeptByHold}
	same(t, "expired photos", expired(), want)

	// What is kept is not marked, whoever asks.
	everything := []string{old, older, both, claimed, frozen, held, driven}
	kept, err := r.MarkDeleted(t.Context(), everything, before, at(2000))
	wantCode(t, "MarkDeleted", err, "")
	same(t, "kept", kept, map[string]audit.KeptBy{both: audit.KeptByUpload, claimed: audit.KeptByClaim, frozen: audit.KeptByPacket, held: audit.KeptByHold, driven: audit.KeptByHold})
	kept, err = r.MarkDeleted(t.Context(), []string{old, older}, before, at(2001))
	wantCode(t, "MarkDeleted again", err, "")
	same(t, "kept", kept, map[string]audit.KeptBy{})
	pending, err := r.MarkedPhotos(t.Context(), 10)
	wantCode(t, "MarkedPhotos", err, "")
	if len(pending) != 2 || pending[0].Bytes != 3_141_592 {
		t.Errorf("photos that are marked: %+v, want two", pending)
	}
	at0, gone, err := r.PhotoDeleted(t.Context(), old)
	wantCode(t, "PhotoDeleted", err, "")
	if !gone || !at0.Equal(at(2000)) {
		t.Errorf("PhotoDeleted = %v %v, want %v", at0, gone, at(2000))
	}
	judged, err := r.PhotoUploads(t.Context(), old)
	wantCode(t, "PhotoUploads", err, "")
	same(t, "when it was deleted", judged[0].DeletedAt, ptr(at(2000)))
	ev, err := r.Evidence(t.Context(), "T7")
	wantCode(t, "Evidence", err, "")
	if len(ev.Photos) != 2 || ev.Photos[0].DeletedAt != nil {
		t.Errorf("photos that are kept: %+v", ev.Photos)
	}

	// A hold that comes between the mark and the deletion holds; a store that fails leaves
	// the mark; one that refuses takes it away.
	wantCode(t, "PlaceHold", r.PlaceHold(t.Context(), audit.Hold{HoldID: "H2", Kind: audit.HoldPhoto, Subject: older, Reason: "Case 2", PlacedAt: at(9)}), "")
	removed := []string{}
	remove := func(answer error) func(context.Context, string) error {
		return func(_ context.Context, id string) error { removed = append(removed, id); return answer }
	}
	became, err := r.DeleteMarked(t.Context(), nil, before, remove(nil))
	wantCode(t, "DeleteMarked of nothing", err, "")
	same(t, "became", became, map[string]audit.KeptBy{})
	became, err = r.DeleteMarked(t.Context(), everything, before, remove(audit.Errorf(audit.CodeUnavailable, "down")))
	wantCode(t, "DeleteMarked where the store is down", err, audit.CodeUnavailable)
	spared := map[string]audit.KeptBy{older: audit.KeptByHold, both: audit.KeptByUpload, claimed: audit.KeptByClaim, frozen: audit.KeptByPacket, held: audit.KeptByHold, driven: audit.KeptByHold}
	same(t, "became", became, spared)
	became, err = r.DeleteMarked(t.Context(), everything, before, remove(nil))
	wantCode(t, "DeleteMarked", err, "")
	spared[old] = "" // of the others the mark was taken back, or they never had one
	same(t, "became", became, spared)
	same(t, "removed", removed, []string{old, old})
	pending, err = r.MarkedPhotos(t.Context(), 10)
	wantCode(t, "MarkedPhotos", err, "")
	same(t, "photos that are still marked", pending, []audit.Expired{})
	want[older] = audit.KeptByHold
	delete(want, old)
	same(t, "expired photos after the deletion", expired(), want)

	// What the store holds goes over what is on record.
	settle := func(what, id string, there, want bool) {
		t.Helper()
		got, err := r.SettleDeleted(t.Context(), id, func() (bool, error) { return there, nil })
		wantCode(t, what, err, "")
		if got != want {
			t.Errorf("%s: changed %v, want %v", what, got, want)
		}
	}
	settle("SettleDeleted of what is gone", old, false, false)
	settle("SettleDeleted of what is there again", old, true, true)
	pending, err = r.MarkedPhotos(t.Context(), 10)
	wantCode(t, "MarkedPhotos", err, "")
	if len(pending) != 1 || pending[0].PhotoID != old {
		t.Errorf("photos that are marked: %+v, want the one that is there again", pending)
	}
	for id, err := range r.AllMarked(t.Context()) {
		wantCode(t, "AllMarked", err, "")
		same(t, "marked", id, old)
	}
	settle("SettleDeleted of what is gone for good", old, false, true)
	settle("SettleDeleted of what is kept", held, true, false)
	_, err = r.SettleDeleted(t.Context(), old, func() (bool, error) { return false, audit.Errorf(audit.CodeUnavailable, "down") })
	wantCode(t, "SettleDeleted where the store is down", err, audit.CodeUnavailable)
	deleted, err := r.DeletedPhotos(t.Context(), everything)
	wantCode(t, "DeletedPhotos", err, "")
	same(t, "deleted photos", deleted, map[string]time.Time{old: at(2000)})
	// A packet with the original of a photo that is deleted is not kept: what it says of it
	// is not so any more.
	wantCode(t, "AddPacket of a deleted photo", r.AddPacket(t.Context(), dispute.FrozenPacket{PacketID: "P2", ClaimID: "C3", IssuedAt: at(1), JSON: []byte(`{}`), Originals: []string{older, old}}), audit.CodeDeleted)
	wantCode(t, "AddPacket without it", r.AddPacket(t.Context(), dispute.FrozenPacket{PacketID: "P3", ClaimID: "C2", IssuedAt: at(1), JSON: []byte(`{}`), Originals: []string{frozen}}), "")

	// Released, it goes, but for a store that does not let go of it.
	released, err := r.ReleaseHold(t.Context(), "H2", at(10))
	wantCode(t, "ReleaseHold", err, "")
	same(t, "released", released.ReleasedAt, ptr(at(10)))
	released, err = r.ReleaseHold(t.Context(), "H2", at(11))
	wantCode(t, "ReleaseHold again", err, "")
	same(t, "released again", released.ReleasedAt, ptr(at(10)))
	_, err = r.ReleaseHold(t.Context(), "H9", at(11))
	wantCode(t, "ReleaseHold of nothing", err, audit.CodeNotFound)
	_, err = r.MarkDeleted(t.Context(), []string{older}, before, at(2002))
	wantCode(t, "MarkDeleted", err, "")
	became, err = r.DeleteMarked(t.Context(), []string{older}, before, remove(audit.Errorf(audit.CodeImmutable, "locked")))
	wantCode(t, "DeleteMarked of what is locked", err, "")
	same(t, "became", became, map[string]audit.KeptBy{older: audit.KeptByStore})
	if _, gone, _ := r.PhotoDeleted(t.Context(), older); gone {
		t.Error("a locked photo counts as deleted")
	}
	wantCode(t, "PlaceHold", r.PlaceHold(t.Context(), audit.Hold{HoldID: "H3", Kind: audit.HoldDriver, Subject: "D1", Reason: "Case 3", PlacedAt: at(12)}), "")
	want[older], want[claimed], want[frozen] = audit.KeptByHold, audit.KeptByHold, audit.KeptByHold
	same(t, "expired photos of a driver under a hold", expired(), want)
	holds := eachPage(t, 1, func(after string, limit int) ([]audit.Hold, string, error) { return r.Holds(t.Context(), after, limit) })
	if len(holds) != 3 || holds[0].Reason != "Case 1" || holds[1].ReleasedAt == nil || holds[2].ReleasedAt != nil {
		t.Errorf("holds: %+v", holds)
	}

	// The same photo again: for its delivery as for another one it must be put first.
	late := upload("old", "T0", "D1", at(3000))
	_, _, _, err = r.AddUpload(t.Context(), late, measurement(print(1), 90), judgeAs(late, audit.Accept, nil))
	wantCode(t, "AddUpload of a deleted photo", err, audit.CodeDeleted)
	wantCode(t, "RestorePhoto", r.RestorePhoto(t.Context(), old, func() error { return audit.Errorf(audit.CodeUnavailable, "down") }), audit.CodeUnavailable)
	if _, gone, _ := r.PhotoDeleted(t.Context(), old); !gone {
		t.Error("a photo counts as kept although its bytes were not put")
	}
	puts := 0
	for range 2 {
		wantCode(t, "RestorePhoto", r.RestorePhoto(t.Context(), old, func() error { puts++; return nil }), "")
	}
	if puts != 2 {
		t.Errorf("put %d times, want each time", puts)
	}
	known, _, created, err := r.AddUpload(t.Context(), late, measurement(print(1), 90), judgeAs(late, audit.Accept, nil))
	wantCode(t, "AddUpload of a photo that is there again", err, "")
	if created || known.UploadID != uploads["old"].UploadID {
		t.Errorf("created %v %s, want what was on record", created, known.UploadID)
	}

	entries, _, err := r.Custody(t.Context(), custody.Subject{Kind: custody.Photo, ID: old}, "", 10)
	wantCode(t, "Custody", err, "")
	var actions []custody.Action
	for _, e := range entries {
		actions = append(actions, e.Action)
	}
	same(t, "what was done with the photo", actions, []custody.Action{custody.PhotoUploaded, custody.PhotoDeleted, custody.PhotoRestored})
	_, _, err = r.ExpiredPhotos(t.Context(), before, "!!!", 10)
	wantCode(t, "ExpiredPhotos from a cursor that is none", err, audit.CodeInvalid)
	_, _, err = r.Holds(t.Context(), "!!!", 10)
	wantCode(t, "Holds from a cursor that is none", err, audit.CodeInvalid)
}

// testDeletedWhileUploaded has photos uploaded again and again while they are deleted:
// whatever is acknowledged is in the store.
func testDeletedWhileUploaded(t *testing.T, r Records) {
	put(t, r, delivery("T1", "D1", "1 Main St"), delivery("T2", "D1", "2 Main St"))
	first := upload("a", "T1", "D1", at(1))
	add(t, r, first, measurement(print(1), 90))
	stored := make(chan bool, 1) // the object store: what it holds says whether the photo is there
	stored <- true
	set := func(to bool) error { <-stored; stored <- to; return nil }
	before := at(1000)

	done := make(chan error, 1)
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			_, err := r.MarkDeleted(context.Background(), []string{first.PhotoID}, before, at(2000))
			if err == nil {
				_, err = r.DeleteMarked(context.Background(), []string{first.PhotoID}, before, func(context.Context, string) error { return set(false) })
			}
			if err != nil {
				done <- err
				return
			}
		}
	}()
	for range 20 {
		again := upload("a", "T1", "D1", at(2)) // it stays past its retention, so that it goes again
		var err error
		for try := 0; ; try++ {
			wantCode(t, "Put", set(true), "")
			_, _, _, err = r.AddUpload(t.Context(), again, measurement(print(1), 90), judgeAs(again, audit.Accept, nil))
			if audit.ErrorCode(err) != audit.CodeDeleted || try == 50 {
				break
			}
			wantCode(t, "RestorePhoto", r.RestorePhoto(t.Context(), first.PhotoID, func() error { return set(true) }), "")
		}
		if err != nil && audit.ErrorCode(err) != audit.CodeDeleted {
			t.Fatal(err)
		}
	}
	// For good: received within the retention, nothing deletes it any more.
	last := upload("a", "T2", "D1", at(2000))
	wantCode(t, "RestorePhoto", r.RestorePhoto(t.Context(), first.PhotoID, func() error { return set(true) }), "")
	for {
		_, _, _, err := r.AddUpload(t.Context(), last, measurement(print(1), 90), judgeAs(last, audit.Accept, nil))
		if audit.ErrorCode(err) == audit.CodeDeleted {
			wantCode(t, "RestorePhoto", r.RestorePhoto(t.Context(), first.PhotoID, func() error { return set(true) }), "")
			continue
		}
		wantCode(t, "AddUpload", err, "")
		break
	}
	time.Sleep(20 * time.Millisecond)
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	there := <-stored
	if _, gone, err := r.PhotoDeleted(t.Context(), first.PhotoID); gone || !there || err != nil {
		t.Errorf("the photo that was uploaded last: deleted %v, in the store %v (%v)", gone, there, errors.Unwrap(err))
	}
}
