package storagetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"porchlight/audit"
	"porchlight/audit/dispute"
)

const writers = 16

// atOnce runs f that many times together.
func atOnce(n int, f func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	wg.Wait()
}

// insist does again what the store refuses as unavailable, as its callers' clients do:
// where sixteen wait for one another on a slow machine, the last may wait too long.
func insist(t *testing.T, what string, f func() error) {
	t.Helper()
	var err error
	for range 20 {
		if err = f(); audit.ErrorCode(err) != audit.CodeUnavailable {
			break
		}
	}
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// insistOnUpload is [insist] for an upload.
func insistOnUpload(ctx context.Context, t *testing.T, r Records, u audit.Upload, m audit.Measurement, judge func(audit.Known) ([]audit.Report, error)) (kept audit.Upload, rep audit.Report, created bool) {
	t.Helper()
	insist(t, "AddUpload", func() (err error) {
		kept, rep, created, err = r.AddUpload(ctx, u, m, judge)
		return err
	})
	return kept, rep, created
}

// testSamePhotoAtOnce sends one photo for one delivery sixteen times together: it is
// stored once, and all get the same answer.
func testSamePhotoAtOnce(t *testing.T, r Records) {
	put(t, r, delivery("T1", "D1", "1 Main St"))
	var created, judged atomic.Int64
	uploads, reports := make([]string, writers), make([]string, writers)
	atOnce(writers, func(i int) {
		u := upload("a", "T1", "D1", at(float64(i)))
		kept, rep, isNew := insistOnUpload(t.Context(), t, r, u, measurement(print(1), 90), func(k audit.Known) ([]audit.Report, error) {
			judged.Add(1)
			return judgeAs(u, audit.Accept, nil)(k)
		})
		if isNew {
			created.Add(1)
		}
		uploads[i], reports[i] = kept.UploadID, rep.ReportID
	})
	if created.Load() != 1 || judged.Load() != 1 {
		t.Errorf("created %d times, judged %d times; want once", created.Load(), judged.Load())
	}
	for i := range writers {
		if uploads[i] != uploads[0] || reports[i] != reports[0] || uploads[i] == "" {
			t.Errorf("answer %d is upload %q, report %q; want %q, %q", i, uploads[i], reports[i], uploads[0], reports[0])
		}
	}
	kept, err := r.PhotoUploads(t.Context(), photoID("a"))
	wantCode(t, "PhotoUploads", err, "")
	if len(kept) != 1 {
		t.Errorf("%d uploads are kept, want 1", len(kept))
	}
}

// testOneDeliveryAtOnce sends sixteen photos of one delivery together: they are judged
// one after the other, each knowing those before it.
func testOneDeliveryAtOnce(t *testing.T, r Records) {
	put(t, r, delivery("T1", "D1", "1 Main St"))
	var mu sync.Mutex
	known := map[int]int{}
	atOnce(writers, func(i int) {
		u := upload(fmt.Sprint("photo ", i), "T1", fmt.Sprint("D", i), at(float64(i)))
		var k audit.Known
		insistOnUpload(t.Context(), t, r, u, measurement(print(i), 90), judgeAs(u, audit.Accept, &k))
		mu.Lock()
		defer mu.Unlock()
		known[len(k.Others)]++
	})
	for i := range writers {
		if known[i] != 1 {
			t.Errorf("%d uploads knew %d others, want 1", known[i], i)
		}
	}
	e, err := r.Evidence(t.Context(), "T1")
	wantCode(t, "Evidence", err, "")
	if len(e.Photos) != writers {
		t.Errorf("%d photos, want %d", len(e.Photos), writers)
	}
}

// testOnePhotoTwoDeliveriesAtOnce sends equal bytes, and photos that differ in a few
// bits, for different deliveries together: whichever comes second sees the first, so
// that only one of each can be accepted.
func testOnePhotoTwoDeliveriesAtOnce(t *testing.T, r Records) {
	for round := range 6 {
		var sightings atomic.Int64
		similar := round%2 == 1
		for i := range writers {
			put(t, r, delivery(fmt.Sprintf("T%d-%d", round, i), fmt.Sprint("D", i), fmt.Sprint(i, " Main St")))
		}
		atOnce(writers, func(i int) {
			name, fingerprint := fmt.Sprint("photo ", round), print(round)
			if similar {
				name, fingerprint = fmt.Sprint(name, "/", i), flipped(fingerprint, i)
			}
			u := upload(name, fmt.Sprintf("T%d-%d", round, i), fmt.Sprint("D", i), at(float64(i)))
			var k audit.Known
			insistOnUpload(t.Context(), t, r, u, measurement(fingerprint, 90), judgeAs(u, audit.Accept, &k))
			if len(k.Sightings) == 0 {
				sightings.Add(1)
			}
		})
		if got := sightings.Load(); got != 1 {
			t.Errorf("similar %v: %d uploads saw no other, want 1", similar, got)
		}
	}
}

// testCrossedAlsoAtOnce sends photos that show the same deliveries in other orders:
// nobody waits for ever.
func testCrossedAlsoAtOnce(t *testing.T, r Records) {
	ids := []string{"T1", "T2", "T3", "T4"}
	for _, id := range ids {
		put(t, r, delivery(id, "D1", "1 Main St"))
	}
	atOnce(writers, func(i int) {
		u := upload(fmt.Sprint("photo ", i), ids[i%4], fmt.Sprint("D", i), at(float64(i)))
		u.Also = []string{ids[(i+3)%4], ids[(i+2)%4], ids[(i+1)%4]}
		insistOnUpload(t.Context(), t, r, u, measurement(print(i), 90), judgeAs(u, audit.Accept, nil))
		insist(t, "PutDeliveries", func() error {
			_, err := r.PutDeliveries(t.Context(), []audit.Delivery{{TrackingID: ids[i%4], Note: fmt.Sprint(i)}, {TrackingID: ids[(i+1)%4], Note: fmt.Sprint(i)}}, noon)
			return err
		})
	})
	for _, id := range ids {
		e, err := r.Evidence(t.Context(), id)
		wantCode(t, "Evidence", err, "")
		if len(e.Photos) != writers {
			t.Errorf("%s: %d photos, want %d", id, len(e.Photos), writers)
		}
	}
}

// testCancelled holds that a context that has ended stops a call before it changes
// anything, and that the store goes on working.
func testCancelled(t *testing.T, r Records) {
	put(t, r, delivery("T1", "D1", "1 Main St"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	u := upload("a", "T1", "D1", at(1))
	_, _, _, err := r.AddUpload(ctx, u, measurement(print(1), 90), judgeAs(u, audit.Accept, nil))
	wantCode(t, "AddUpload", err, audit.CodeUnavailable)
	_, err = r.Delivery(ctx, "T1")
	wantCode(t, "Delivery", err, audit.CodeUnavailable)
	_, err = r.PutClaims(ctx, []dispute.Claim{{ClaimID: "C1", TrackingID: "T1"}}, noon)
	wantCode(t, "PutClaims", err, audit.CodeUnavailable)
	_, err = r.Cases(ctx, audit.Filter{}, all)
	wantCode(t, "Cases", err, audit.CodeUnavailable)

	// The same while the transaction is open.
	ctx, cancel = context.WithCancel(t.Context())
	_, _, _, err = r.AddUpload(ctx, u, measurement(print(1), 90), func(k audit.Known) ([]audit.Report, error) {
		cancel()
		return judgeAs(u, audit.Accept, nil)(k)
	})
	wantCode(t, "AddUpload that is cancelled midway", err, audit.CodeUnavailable)
	_, err = r.PhotoUploads(t.Context(), u.PhotoID)
	wantCode(t, "PhotoUploads of what was cancelled", err, audit.CodeNotFound)
	add(t, r, u, measurement(print(1), 90))
}

func testDurable(t *testing.T, open func(t *testing.T) Records) {
	r := open(t)
	put(t, r, delivery("T1", "D1", "1 Main St"))
	u := upload("a", "T1", "D1", at(1))
	add(t, r, u, measurement(print(1), 90))
	// A second program sees what was answered, while the first still runs.
	second := open(t)
	for _, r := range []Records{second, r} {
		kept, err := r.PhotoUploads(t.Context(), u.PhotoID)
		wantCode(t, "PhotoUploads", err, "")
		same(t, "upload", kept[0].Upload, u)
		if err := r.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	r = open(t)
	defer r.Close()
	got, err := r.Delivery(t.Context(), "T1")
	wantCode(t, "Delivery after opening again", err, "")
	same(t, "delivery", got, delivery("T1", "D1", "1 Main St"))
}

// testOpenedAtOnce opens a new database from several sides together, as programs that
// start at the same time do.
func testOpenedAtOnce(t *testing.T, open func(t *testing.T) Records) {
	atOnce(4, func(i int) {
		r := open(t)
		if _, err := r.PutDeliveries(t.Context(), []audit.Delivery{delivery(fmt.Sprint("T", i), "D1", "1 Main St")}, noon); err != nil {
			t.Errorf("PutDeliveries: %v", err)
		}
		if err := r.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

// testCopiesAtOnce sends a picture, and copies of it that were turned or framed, at the same
// moment: of each two one knows the other.
func testCopiesAtOnce(t *testing.T, r Records) {
	const pictures = 12
	for i := range pictures {
		put(t, r, delivery(fmt.Sprint("A", i), "D1", fmt.Sprint(i, " First St")), delivery(fmt.Sprint("B", i), "D2", fmt.Sprint(i, " Second St")))
	}
	var mu sync.Mutex
	knew := map[int]int{}
	atOnce(2*pictures, func(i int) {
		n := i / 2
		m := measurement(print(n), 90)
		for way := range m.Turned {
			m.Turned[way] = print(100*(n+1) + way)
		}
		id, driver := fmt.Sprint("A", n), "D1"
		if i%2 == 1 {
			id, driver = fmt.Sprint("B", n), "D2"
			copied := measurement(m.Turned[n%7], 90)
			copied.Turned = m.Turned
			copied.Turned[n%7] = flipped(print(n), 3, 100)
			if n%3 == 0 {
				copied = measurement(print(5000+n), 90)
				copied.Trimmed, copied.TrimmedQuality = flipped(print(n), 3, 100), 80
			}
			m = copied
		}
		u := upload(fmt.Sprint("picture ", i), id, driver, at(float64(i)))
		var k audit.Known
		insistOnUpload(t.Context(), t, r, u, m, judgeAs(u, audit.Accept, &k))
		mu.Lock()
		defer mu.Unlock()
		knew[n] += len(k.Sightings)
	})
	for n := range pictures {
		if knew[n] != 1 {
			t.Errorf("picture %d: %d sightings of both uploads, want one", n, knew[n])
		}
	}
}
