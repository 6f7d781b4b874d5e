package storagetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"porchlight/audit"
	"porchlight/audit/dispute"
)

func testDeliveries(t *testing.T, r Records) {
	want := delivery("T1", "D1", "1 Main St")
	for i, change := range []audit.Change{audit.Created, audit.Unchanged, audit.Unchanged} {
		got, err := r.PutDeliveries(t.Context(), []audit.Delivery{want}, at(float64(i)))
		wantCode(t, "PutDeliveries", err, "")
		same(t, "changes", got, []audit.Change{change})
	}
	got, err := r.Delivery(t.Context(), "T1")
	wantCode(t, "Delivery", err, "")
	same(t, "delivery", got, want)
	_, err = r.Delivery(t.Context(), "T2")
	wantCode(t, "Delivery that is not there", err, audit.CodeNotFound)
	none, err := r.PutDeliveries(t.Context(), nil, noon)
	wantCode(t, "PutDeliveries of nothing", err, "")
	same(t, "changes", none, []audit.Change{})
}

func testDeliveryMerge(t *testing.T, r Records) {
	whole := delivery("T1", "D1", "1 Main St")
	put(t, r, whole)
	// The same instant in another zone is no change.
	zone := time.FixedZone("", 3600)
	got, err := r.PutDeliveries(t.Context(), []audit.Delivery{{TrackingID: "T1", ScannedAt: ptr(whole.ScannedAt.In(zone))}}, noon)
	wantCode(t, "PutDeliveries", err, "")
	same(t, "changes", got, []audit.Change{audit.Unchanged})

	part := audit.Delivery{TrackingID: "T1", Stop: audit.Stop{Address: "2 Main St"}, Proofs: audit.Proofs{audit.ProofIDCheck}, DeliveredAt: ptr(at(5))}
	got, err = r.PutDeliveries(t.Context(), []audit.Delivery{part}, noon)
	wantCode(t, "PutDeliveries", err, "")
	same(t, "changes", got, []audit.Change{audit.Updated})
	want := whole
	want.Address, want.Proofs, want.DeliveredAt = part.Address, part.Proofs, part.DeliveredAt
	kept, err := r.Delivery(t.Context(), "T1")
	wantCode(t, "Delivery", err, "")
	same(t, "merged delivery", kept, want)
}

func testDeliveryBatch(t *testing.T, r Records) {
	var ds []audit.Delivery
	var want []audit.Change
	for i := range 2345 {
		ds = append(ds, audit.Delivery{TrackingID: fmt.Sprintf("T%05d", i), DriverID: "D1"})
		want = append(want, audit.Created)
	}
	// One delivery thrice in one import: the rows count in their order.
	ds = append(ds, audit.Delivery{TrackingID: "T00007", Note: "first"}, audit.Delivery{TrackingID: "T00007", Note: "first"},
		audit.Delivery{TrackingID: "T00007", Note: "second"})
	want = append(want, audit.Updated, audit.Unchanged, audit.Updated)
	got, err := r.PutDeliveries(t.Context(), ds, noon)
	wantCode(t, "PutDeliveries", err, "")
	same(t, "changes", got, want)
	d, err := r.Delivery(t.Context(), "T00007")
	wantCode(t, "Delivery", err, "")
	same(t, "delivery", d, audit.Delivery{TrackingID: "T00007", DriverID: "D1", Note: "second"})

	bad := []audit.Delivery{{TrackingID: "new"}, {TrackingID: "T00001", Note: "a\x00b"}}
	_, err = r.PutDeliveries(t.Context(), bad, noon)
	wantCode(t, "PutDeliveries with a bad row", err, audit.CodeInvalid)
	_, err = r.Delivery(t.Context(), "new")
	wantCode(t, "a good row of a bad import", err, audit.CodeNotFound)
}

func testDriverDeliveries(t *testing.T, r Records) {
	put(t, r,
		audit.Delivery{TrackingID: "window", DriverID: "D1", WindowStart: ptr(at(10)), DeliveredAt: ptr(at(500))},
		audit.Delivery{TrackingID: "delivered", DriverID: "D1", DeliveredAt: ptr(at(5)), ScannedAt: ptr(at(500))},
		audit.Delivery{TrackingID: "scanned", DriverID: "D1", ScannedAt: ptr(at(20))},
		audit.Delivery{TrackingID: "imported", DriverID: "D1"},
		audit.Delivery{TrackingID: "other", DriverID: "D2", WindowStart: ptr(at(1))},
	)
	for _, test := range []struct {
		from, to time.Time
		want     []string
	}{
		{time.Time{}, time.Time{}, []string{"imported", "delivered", "window", "scanned"}},
		{at(0), at(20), []string{"imported", "delivered", "window"}},
		{at(5), at(10), []string{"delivered"}},
		{at(20), at(21), []string{"scanned"}},
		{at(21), time.Time{}, nil},
	} {
		all, err := r.DriverDeliveries(t.Context(), "D1", test.from, test.to)
		wantCode(t, "DriverDeliveries", err, "")
		var got []string
		for _, e := range all {
			got = append(got, e.Delivery.TrackingID)
		}
		same(t, fmt.Sprintf("deliveries from %v to %v", test.from, test.to), got, test.want)
	}
	none, err := r.DriverDeliveries(t.Context(), "D9", time.Time{}, time.Time{})
	wantCode(t, "DriverDeliveries", err, "")
	same(t, "deliveries of an unknown driver", none, []dispute.Evidence{})
}

func testDeliveryPages(t *testing.T, r Records) {
	put(t, r,
		audit.Delivery{TrackingID: "window", DriverID: "D1", WindowStart: ptr(at(10)), DeliveredAt: ptr(at(500))},
		audit.Delivery{TrackingID: "delivered", DriverID: "D1", DeliveredAt: ptr(at(5))},
		audit.Delivery{TrackingID: "scanned", DriverID: "D2", ScannedAt: ptr(at(20))},
		audit.Delivery{TrackingID: "same", DriverID: "D2", ScannedAt: ptr(at(10))},
		audit.Delivery{TrackingID: "imported"}, // at noon
	)
	for _, test := range []struct {
		filter audit.DeliveryFilter
		want   []string
	}{
		{audit.DeliveryFilter{}, []string{"scanned", "window", "same", "delivered", "imported"}},
		{audit.DeliveryFilter{DriverID: "D1"}, []string{"window", "delivered"}},
		{audit.DeliveryFilter{DriverID: "D9"}, nil},
		{audit.DeliveryFilter{Since: at(10)}, []string{"scanned", "window", "same"}},
		{audit.DeliveryFilter{Until: at(10)}, []string{"delivered", "imported"}},
		{audit.DeliveryFilter{DriverID: "D2", Since: at(1), Until: at(20)}, []string{"same"}},
	} {
		for _, limit := range []int{1, 2, 5, 100} {
			var got []string
			for _, d := range eachPage(t, limit, func(after string, limit int) ([]audit.Delivery, string, error) {
				return r.Deliveries(t.Context(), test.filter, after, limit)
			}) {
				got = append(got, d.TrackingID)
			}
			same(t, fmt.Sprintf("deliveries of %+v by %d", test.filter, limit), got, test.want)
		}
	}
	_, _, err := r.Deliveries(t.Context(), audit.DeliveryFilter{}, "!!!", 10)
	wantCode(t, "Deliveries from a cursor that is none", err, audit.CodeInvalid)
}

// testImportsAtOnce brings one delivery's fields in separate imports at once: none is lost.
func testImportsAtOnce(t *testing.T, r Records) {
	parts := []audit.Delivery{{DriverID: "D1"}, {RouteID: "R1"}, {Note: "n"}, {OutcomeReason: "o"}, {Stop: audit.Stop{Unit: "u"}},
		{Stop: audit.Stop{Locality: "l"}}, {Stop: audit.Stop{Postcode: "p"}}, {Stop: audit.Stop{Country: "c"}}}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var changes []audit.Change
	for _, d := range parts {
		d.TrackingID = "T1"
		wg.Go(func() {
			got, err := r.PutDeliveries(t.Context(), []audit.Delivery{{TrackingID: newID("T")}, d, {TrackingID: newID("A")}}, noon)
			if err != nil {
				t.Errorf("PutDeliveries: %v", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			changes = append(changes, got[1])
		})
	}
	wg.Wait()
	if n := len(slices.DeleteFunc(changes, func(c audit.Change) bool { return c != audit.Created })); n != 1 {
		t.Errorf("%d imports created the delivery, want 1", n)
	}
	got, err := r.Delivery(t.Context(), "T1")
	wantCode(t, "Delivery", err, "")
	same(t, "delivery", got, audit.Delivery{TrackingID: "T1", DriverID: "D1", RouteID: "R1", Note: "n", OutcomeReason: "o",
		Stop: audit.Stop{Unit: "u", Locality: "l", Postcode: "p", Country: "c"}})
}
