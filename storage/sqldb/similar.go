package sqldb

import (
	"cmp"
	"context"
	"database/sql"
	"io/fs"
	"maps"
	"slices"

	"porchlight/audit"
)

// similarCap bounds how many similar photos, the nearest, are looked up.
const similarCap = 500

// everyBit is certain of a fingerprint that is known as a whole.
var everyBit = audit.Fingerprint{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}

// queryEntries finds index entries by bands, queryPictures photos by their keys.
func queryEntries(d dialect) string {
	return `SELECT band, photo_key, sketch FROM fingerprint_bands WHERE band ` + d.among(1)
}

func queryPictures(d dialect) string {
	return `SELECT p.photo_id, ` + pictureColumns + ` FROM photos p WHERE p.photo_key ` + d.among(1) + ` AND p.photo_id <> $2`
}

// similarPhotos finds photos within [nearAnywhere] bits, also where one is turned or
// mirrored against the other, has borders or a caption beside it, or has one laid over it
// that the earlier one did not have. All are found up to 15 bits, most up to 31.
//
// Some two thousand photos among a million are alike in one of all these bands by chance.
// Their sketches tell, so that hardly any but those that are alike is looked at itself.
func (s session) similarPhotos(ctx context.Context, photoID string, p picture) ([]sighted, error) {
	if len(p.likenesses()) == 0 {
		return nil, nil
	}
	asked := probes{}
	ask := func(f audit.Fingerprint) { b := bandsOf(f); asked.add(b[:], f, everyBit) }
	for _, l := range p.likenesses() {
		ask(l.print)
	}
	turned := p.whole.turned
	if p.trimmed.searchable() { // a copy with the same borders is found by what is within them
		turned = p.trimmed.turned
	}
	for _, f := range turned {
		ask(f)
	}
	captioned := p.whole.searchable() && p.certain != audit.Fingerprint{}
	if captioned {
		asked.add(bandsUnder(p.uncovered, p.certain), p.uncovered, p.certain)
	}
	keys, err := s.meeting(ctx, asked)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	rows, err := collect(ctx, s, scanPicture, queryPictures(s.dialect), s.dialect.numbers(keys), photoID)
	if err != nil {
		return nil, err
	}
	var near []sighted
	for _, k := range rows {
		e := sighted{uploadRow: uploadRow{photoID: k.photoID}, picture: k.picture, distance: nearAnywhere + 1}
		for _, l := range p.likenesses() {
			e.like(l.quality, append(l.turned, l.print), audit.Fingerprint.Distance)
		}
		if captioned {
			e.like(p.whole.quality, []audit.Fingerprint{p.uncovered}, func(f, kept audit.Fingerprint) int { return f.DistanceIn(kept, p.certain) })
		}
		if e.distance <= nearAnywhere {
			near = append(near, e)
		}
	}
	slices.SortFunc(near, func(a, b sighted) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.photoID, b.photoID))
	})
	return near[:min(len(near), similarCap)], nil
}

// meeting lists the keys of photos that may be alike by their entries, each once.
func (s session) meeting(ctx context.Context, asked probes) ([]int64, error) {
	bands := slices.Sorted(maps.Keys(asked))
	keys := map[int64]bool{}
	_, err := collect(ctx, s, func(scan func(...any) error) (none struct{}, err error) {
		var e entry
		var key int64
		if err = scan(&e.band, &key, &e.sketch); err == nil && asked.meet(e) {
			keys[key] = true
		}
		return none, err
	}, queryEntries(s.dialect), s.dialect.numbers(bands))
	return slices.Sorted(maps.Keys(keys)), err
}

const sketchesMigration = "00018_sketches.sql"

// addSketches makes the index of fingerprints anew, with sketches. Packed rows are stored as
// they are from now on, since compressing what is compressed took Postgres as long as the rest.
func (db *DB) addSketches(ctx context.Context, tx *sql.Tx, folder fs.FS) error {
	if err := runStatements(ctx, tx, folder, sketchesMigration); err != nil {
		return err
	}
	s := db.on(tx)
	for _, statement := range slices.Concat(db.dialect.uncompressed("run_reports", "reports"), db.dialect.uncompressed("run_flips", "flips"), db.dialect.uncompressed("scenes", "features")) {
		if _, err := s.exec(ctx, statement); err != nil {
			return err
		}
	}
	for after := ""; ; {
		photos, err := collect(ctx, s, scanPicture, `SELECT photo_id, `+pictureColumns+` FROM photos p WHERE photo_id > $1 ORDER BY photo_id LIMIT $2`, after, chunkRows)
		if err != nil || len(photos) == 0 {
			return err
		}
		var entries [][]any
		for _, p := range photos {
			after = p.photoID
			entries = append(entries, p.entryRows(p.photoID)...)
		}
		if err := s.insert(ctx, insertEntries, "", entries); err != nil {
			return err
		}
	}
}
