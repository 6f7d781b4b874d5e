package sqldb

import (
	"context"
	"slices"

	"porchlight/audit"
)

// picture is what a measurement says about the likeness of photos.
type picture struct {
	digits  string // the fingerprint, empty where there is none
	print   audit.Fingerprint
	quality int
	turned  []audit.Fingerprint // of a photo that was just measured: none of one on record
}

// searchQuality is the quality, 0..100, below which a PDQ fingerprint says nothing
// (Meta, PDQ & TMK, 2019: discard below 50).
const searchQuality = 50

func pictureOf(m audit.Measurement) picture {
	if !m.Decoded() {
		return picture{}
	}
	p := parsePicture(m.Fingerprint, m.FingerprintQuality)
	for _, digits := range m.Turned {
		if f, ok := audit.ParseFingerprint(digits); ok {
			p.turned = append(p.turned, f)
		}
	}
	return p
}

func parsePicture(digits string, quality int) picture {
	print, ok := audit.ParseFingerprint(digits)
	if !ok {
		return picture{quality: quality}
	}
	return picture{digits: digits, print: print, quality: quality}
}

// searchable tells whether other photos can be compared with it.
func (p picture) searchable() bool { return p.digits != "" && p.quality >= searchQuality }

// saveMeasurements keeps the measurements, by photo id, whose version is not kept yet;
// from then on they are the ones that count.
func (s session) saveMeasurements(ctx context.Context, ms map[string]audit.Measurement) error {
	var rows [][]any
	for id, m := range ms {
		text, err := encode(m)
		if err != nil {
			return err
		}
		rows = append(rows, []any{id, m.Version, text})
	}
	added, err := s.insertNew(ctx, `INSERT INTO measurements (photo_id, version, json) VALUES`, `photo_id`, rows)
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(added, chunkRows) {
		if err := s.savePictures(ctx, chunk, ms); err != nil {
			return err
		}
		if err := s.saveScenes(ctx, chunk, ms); err != nil {
			return err
		}
	}
	return nil
}

// savePictures makes the photos' new measurements count and findable by their likeness.
func (s session) savePictures(ctx context.Context, photoIDs []string, ms map[string]audit.Measurement) error {
	if len(photoIDs) == 0 {
		return nil
	}
	marks, args := s.list(photoIDs)
	type kept struct {
		photoID string
		picture
	}
	old, err := collect(ctx, s, func(scan func(...any) error) (k kept, err error) {
		var digits string
		var quality int
		err = scan(&k.photoID, &digits, &quality)
		k.picture = parsePicture(digits, quality)
		return k, err
	}, `SELECT photo_id, fingerprint, quality FROM photos WHERE photo_id IN (`+marks+`)`, args...)
	if err != nil {
		return err
	}
	before := map[string]picture{}
	for _, k := range old {
		before[k.photoID] = k.picture
	}
	var photos, bands [][]any
	for _, id := range photoIDs {
		now, was := pictureOf(ms[id]), before[id]
		photos = append(photos, []any{id, photoKey(id), ms[id].Version, now.digits, now.quality})
		if now.digits == was.digits && now.searchable() == was.searchable() {
			continue
		}
		if was.searchable() {
			if err := s.dropBands(ctx, id, was.print); err != nil {
				return err
			}
		}
		if now.searchable() {
			for _, b := range bandsOf(now.print) {
				bands = append(bands, []any{b, photoKey(id)})
			}
		}
	}
	err = s.insert(ctx, `INSERT INTO photos (photo_id, photo_key, version, fingerprint, quality) VALUES`,
		`ON CONFLICT (photo_id) DO UPDATE SET version = excluded.version, fingerprint = excluded.fingerprint, quality = excluded.quality`, photos)
	if err != nil {
		return err
	}
	return s.insert(ctx, `INSERT INTO fingerprint_bands (band, photo_key) VALUES`, `ON CONFLICT DO NOTHING`, bands)
}

func (s session) dropBands(ctx context.Context, photoID string, f audit.Fingerprint) error {
	marks, args := bandList(f)
	_, err := s.exec(ctx, `DELETE FROM fingerprint_bands WHERE band IN (`+marks+`) AND photo_key = $17`, append(args, photoKey(photoID))...)
	return err
}

func bandList(f audit.Fingerprint) (marks string, args []any) {
	for _, b := range bandsOf(f) {
		args = append(args, b)
	}
	return bandMarks, args
}

const bandMarks = `$1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16`
