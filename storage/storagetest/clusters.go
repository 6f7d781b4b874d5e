package storagetest

import (
	"testing"
	"time"

	"porchlight/audit"
)

// testClusters holds that uploads of one picture are listed together once, however they
// hang together, and that neither one visit's photos nor flat ones are.
func testClusters(t *testing.T, r Records) {
	put(t, r, delivery("A1", "D1", "1 Main St"), delivery("A2", "D1", "1 Main St"), delivery("B1", "D1", "2 Main St"), delivery("B2", "D2", "3 Main St"), delivery("C1", "D3", "4 Main St"))
	bits := func(from, n int) (all []int) { // no more than one in each band
		for i := range n {
			all = append(all, (from+i)*16+i%16)
		}
		return all
	}
	fresh := func(name, trackingID, driver string, minutes float64, fingerprint string, quality int) audit.Upload {
		u := upload(name, trackingID, driver, at(minutes))
		add(t, r, u, measurement(fingerprint, quality))
		return u
	}
	first := fresh("a", "A1", "D1", 0, print(1), 90)
	other := fresh("x", "B1", "D1", 1, print(2), 90)
	near := fresh("b", "A2", "D1", 2, flipped(print(1), bits(0, 8)...), 80)         // the same visit as the first
	copied := fresh("c", "B1", "D1", 3, flipped(print(1), bits(0, 14)...), 90)      // 14 bits from the first, 6 from the second
	chained := fresh("d", "B2", "D2", 4, flipped(print(1), bits(0, 14)[4:]...), 90) // near to all of them
	fresh("y", "C1", "D3", 5, flipped(print(2), bits(3, 3)...), 40)                 // flat
	again := fresh("x", "C1", "D3", 6, print(2), 90)                                // the same file
	fresh("z", "C1", "D3", 7, print(9), 90)                                         // of its own
	filter := audit.ClusterFilter{WithinBits: 31, MinQuality: 50, Visit: 12 * time.Hour}

	list := func(f audit.ClusterFilter) (clusters [][]string, distances [][]int) {
		t.Helper()
		for _, c := range eachPage(t, 1, func(after string, limit int) ([]audit.Cluster, string, error) {
			return r.Clusters(t.Context(), f, after, limit)
		}) {
			var ids []string
			var bits []int
			for _, u := range c.Uploads {
				ids, bits = append(ids, u.UploadID), append(bits, u.Distance)
			}
			clusters, distances = append(clusters, ids), append(distances, bits)
		}
		return clusters, distances
	}
	pictures := [][]string{{other.UploadID, again.UploadID}, {first.UploadID, near.UploadID, copied.UploadID, chained.UploadID}}
	got, distances := list(filter)
	same(t, "clusters", got, pictures)
	same(t, "distances", distances, [][]int{{0, 0}, {0, 0, 6, 4}})

	filter.DriverID = "D2"
	got, _ = list(filter)
	same(t, "a driver's clusters", got, pictures[1:])
	filter.DriverID = "D9"
	if got, _ = list(filter); len(got) != 0 {
		t.Errorf("clusters of nobody: %v", got)
	}
	filter.DriverID, filter.WithinBits = "", 3
	got, _ = list(filter)
	same(t, "clusters within 3 bits", got, pictures[:1])
	_, _, err := r.Clusters(t.Context(), filter, "?", 1)
	wantCode(t, "Clusters with a wrong cursor", err, audit.CodeInvalid)
}
