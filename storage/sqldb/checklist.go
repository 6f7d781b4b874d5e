package sqldb

import (
	"context"
	"math"

	"porchlight/audit"
)

// Checklists lists the checklists on record, the latest first, at most limit from the one
// after the cursor; next is "" at the end.
func (db *DB) Checklists(ctx context.Context, after string, limit int) (all []audit.KeptChecklist, next string, err error) {
	c, err := parseCursor(after, cursor{N: math.MaxInt64})
	if err != nil {
		return nil, "", err
	}
	return page(ctx, db, limit, func(scan func(...any) error) (k audit.KeptChecklist, err error) {
		var at int64
		if err = scan(&k.Version, &k.SHA256, &at); err == nil {
			k.KeptAt = *fromMicros(at)
		}
		return k, err
	}, func(k audit.KeptChecklist) (audit.KeptChecklist, string) {
		return k, cursor{N: micros(k.KeptAt), ID: k.Version}.String()
	}, queryChecklists, c.N, c.ID)
}

const queryChecklists = `SELECT version, sha256, kept_at FROM checklists WHERE (kept_at, version) < ($1, $2) ORDER BY kept_at DESC, version DESC LIMIT $3`
