package sqldb

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"io/fs"
	"slices"

	driversqlite "modernc.org/sqlite"

	"porchlight/audit"
)

// similarCap bounds how many similar photos, the nearest, are looked up.
const similarCap = 500

// meeting finds the keys of the photos that may be alike by one of their entries. Some two
// thousand among a million are in one of all these bands by chance, and would take longer to
// come here than to be found.
func (sqlite) meeting(asked []probe) statement {
	var bands []int64
	var sketches []byte // and which of their bits are certain
	for _, p := range asked {
		bands = append(bands, p.bands...)
		sketches = binary.LittleEndian.AppendUint64(sketches, uint64(p.sketch))
		sketches = binary.LittleEndian.AppendUint64(sketches, uint64(p.certain))
	}
	slices.Sort(bands)
	return statement{`SELECT DISTINCT photo_key FROM fingerprint_bands WHERE band ` + sqlite{}.among(1) + ` AND porchlight_meets(sketch, $2)`,
		[]any{sqlite{}.numbers(slices.Compact(bands)), sketches}}
}

func init() {
	driversqlite.MustRegisterFunction("porchlight_meets", &driversqlite.FunctionImpl{NArgs: 2, Deterministic: true, VolatileArgs: true, Scalar: meets})
}

// meets is the function porchlight_meets of SQL: whether a sketch meets one of some.
func meets(_ *driversqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	sketch, isNumber := args[0].(int64)
	asked, isBlob := args[1].([]byte)
	if !isNumber || !isBlob {
		return nil, errors.New("porchlight_meets takes a sketch and sketches")
	}
	for ; len(asked) >= 16; asked = asked[16:] {
		if meet(sketch, int64(binary.LittleEndian.Uint64(asked)), int64(binary.LittleEndian.Uint64(asked[8:]))) {
			return int64(1), nil
		}
	}
	return int64(0), nil
}

func (postgres) meeting(asked []probe) statement {
	var bands, sketches, certain []int64
	for _, p := range asked {
		for _, b := range p.bands {
			bands, sketches, certain = append(bands, b), append(sketches, p.sketch), append(certain, p.certain)
		}
	}
	return statement{`SELECT DISTINCT e.photo_key FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS a(band, sketch, certain)
		JOIN fingerprint_bands e ON e.band = a.band AND bit_count(((e.sketch # a.sketch) & a.certain)::bit(64)) <= $4`, []any{bands, sketches, certain, nearSketch}}
}

// queryPictures finds photos by their keys.
func queryPictures(d dialect) string {
	return `SELECT p.photo_id, ` + pictureColumns + ` FROM photos p WHERE p.photo_key ` + d.among(1) + ` AND p.photo_id <> $2`
}

// similarPhotos finds photos within [nearAnywhere] bits, also where one is turned or
// mirrored against the other, has borders or a caption beside it, or has one laid over it
// that the earlier one did not have. All are found up to 15 bits, most up to 31.
func (s session) similarPhotos(ctx context.Context, photoID string, p picture) ([]sighted, error) {
	if len(p.likenesses()) == 0 {
		return nil, nil
	}
	var asked []probe
	for _, l := range p.likenesses() {
		asked = append(asked, probeOf(l.print))
	}
	turned := p.whole.turned
	if p.trimmed.searchable() { // a copy with the same borders is found by what is within them
		turned = p.trimmed.turned
	}
	for _, f := range turned {
		asked = append(asked, probeOf(f))
	}
	captioned := p.whole.searchable() && p.certain != audit.Fingerprint{}
	if captioned {
		asked = append(asked, probeUnder(p.uncovered, p.certain))
	}
	q := s.dialect.meeting(asked)
	keys, err := collect(ctx, s, scanNumber, q.query, q.args...)
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

const sketchesMigration = "00018_sketches.sql"

// addSketches makes the index of fingerprints anew, with sketches. What is packed or like noise
// is stored as it is from now on: compressing it again takes Postgres time and saves nothing.
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
			entries = append(entries, entryRows(p.photoID, p.entries())...)
		}
		if err := s.insert(ctx, insertEntries, "", entries); err != nil {
			return err
		}
	}
}
