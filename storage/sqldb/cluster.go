package sqldb

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"porchlight/audit"
)

const (
	clusterCap  = 100  // uploads of a cluster that are listed
	pairRows    = 500  // pairs of like uploads that are read at once
	pairsAtMost = 5000 // that are read for one page, which may thus be shorter than asked
)

// pair is two uploads of like pictures.
type pair struct {
	earlier, later sighted // the later one has the distance and the quality
}

func (p pair) reused(f audit.ClusterFilter) bool {
	return f.Reuses(p.earlier.sighting(), p.later.sighting())
}

func scanPair(scan func(...any) error) (p pair, err error) {
	e, u := &p.earlier, &p.later
	err = scan(&e.uploadID, &e.photoID, &e.trackingID, &e.driverID, &e.stopKey, &e.at, &e.receivedAt,
		&u.uploadID, &u.photoID, &u.trackingID, &u.driverID, &u.stopKey, &u.at, &u.receivedAt, &u.distance, &u.quality)
	return p, err
}

var (
	queryPairs = `SELECT ` + uploadColumns + `, ` + strings.ReplaceAll(uploadColumns, "e.", "u.") + `, k.distance, k.quality
		FROM sightings k JOIN uploads e ON e.upload_id = k.earlier_id JOIN uploads u ON u.upload_id = k.upload_id WHERE k.distance <= $1 AND `
	queryPairPage     = queryPairs + `(k.earlier_id, k.upload_id) < ($2, $3) ORDER BY k.earlier_id DESC, k.upload_id DESC LIMIT $4`
	queryPairsEarlier = queryPairs + `k.earlier_id IN `
	queryPairsLater   = queryPairs + `k.upload_id IN `
)

// Clusters lists pictures that were used again, those that were first sent last at the
// top, at most limit from the one after the cursor; next is "" at the end. A page may be
// short, or empty, before the end: it looks at so many uploads and no more. Errors:
// [audit.CodeInvalid] for a cursor of another make.
func (db *DB) Clusters(ctx context.Context, f audit.ClusterFilter, after string, limit int) (clusters []audit.Cluster, next string, err error) {
	c, err := parseCursor(after, cursor{ID: "~ ~"})
	if err != nil {
		return nil, "", err
	}
	err = db.read(ctx, func(s session) error {
		clusters, next = nil, ""
		seen := map[string]bool{} // uploads of the clusters that have their place
		for read := 0; ; {
			earlier, later, _ := strings.Cut(c.ID, " ")
			pairs, err := collect(ctx, s, scanPair, queryPairPage, f.WithinBits, earlier, later, pairRows)
			if err != nil {
				return err
			}
			for _, p := range pairs {
				c.ID = p.earlier.uploadID + " " + p.later.uploadID
				if seen[p.earlier.uploadID] || !p.reused(f) {
					continue
				}
				found, start, err := s.cluster(ctx, f, p)
				if err != nil {
					return err
				}
				if start != p.earlier.uploadID {
					continue // it comes up again there
				}
				for _, u := range found.Uploads {
					seen[u.UploadID] = true
				}
				if f.DriverID == "" || slices.ContainsFunc(found.Uploads, func(u audit.Sighting) bool { return u.DriverID == f.DriverID }) {
					clusters = append(clusters, found)
				}
				if len(clusters) == limit {
					next = cursor{ID: start + " "}.String() // behind all pairs of its start
					return nil
				}
			}
			if len(pairs) < pairRows {
				return nil
			}
			if read += len(pairs); read >= pairsAtMost {
				next = c.String()
				return nil
			}
		}
	})
	return clusters, next, err
}

// cluster follows the likenesses from a pair to all uploads of the picture. start is the
// least id of those that others were judged against: there the list has the cluster.
func (s session) cluster(ctx context.Context, f audit.ClusterFilter, from pair) (c audit.Cluster, start string, err error) {
	found := map[string]sighted{}
	start = from.earlier.uploadID
	add := func(p pair) {
		start = min(start, p.earlier.uploadID)
		if _, ok := found[p.earlier.uploadID]; !ok {
			found[p.earlier.uploadID] = p.earlier
		}
		if m, ok := found[p.later.uploadID]; !ok || m.quality == 0 || p.later.distance < m.distance {
			found[p.later.uploadID] = p.later
		}
	}
	add(from)
	asked := map[string]bool{}
	for len(asked) < len(found) && len(found) <= clusterCap {
		var ask []string
		for id := range found {
			if !asked[id] {
				ask, asked[id] = append(ask, id), true
			}
		}
		marks, args := s.listFrom(2, ask)
		for _, query := range []string{queryPairsEarlier, queryPairsLater} {
			pairs, err := collect(ctx, s, scanPair, query+`(`+marks+`)`, append([]any{f.WithinBits}, args...)...)
			if err != nil {
				return c, "", err
			}
			for _, p := range pairs {
				if p.reused(f) {
					add(p)
				}
			}
		}
	}
	for _, m := range slices.SortedFunc(maps.Values(found), func(a, b sighted) int {
		return cmp.Or(cmp.Compare(a.receivedAt, b.receivedAt), cmp.Compare(a.uploadID, b.uploadID))
	}) {
		c.Uploads = append(c.Uploads, m.sighting())
	}
	if c.More = len(c.Uploads) > clusterCap; c.More {
		c.Uploads = c.Uploads[:clusterCap]
	}
	return c, start, nil
}
