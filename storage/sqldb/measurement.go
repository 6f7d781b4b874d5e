package sqldb

import (
	"cmp"
	"context"
	"slices"

	"porchlight/audit"
)

// picture is what a measurement says about the likeness of photos.
type picture struct {
	whole   likeness
	trimmed likeness // within borders, where there are any
	// uncovered is the whole as it may be under a bar that is laid over it, certain which of
	// its bits are sure; of a photo that was just measured, as [likeness].turned is.
	uncovered, certain audit.Fingerprint
}

// likeness is a fingerprint with its quality.
type likeness struct {
	digits  string // empty where there is none
	print   audit.Fingerprint
	quality int
	turned  []audit.Fingerprint // of a photo that was just measured: none of one on record
}

// searchQuality is the quality, 0..100, below which a PDQ fingerprint says nothing
// (Meta, PDQ & TMK, 2019: discard below 50).
const searchQuality = 50

func pictureOf(m audit.Measurement) (p picture) {
	if !m.Decoded() {
		return p
	}
	p.whole = parseLikeness(m.Fingerprint, m.FingerprintQuality, m.Turned[:]...)
	p.trimmed = parseLikeness(m.Trimmed, m.TrimmedQuality, m.TrimmedTurned[:]...)
	print, printed := audit.ParseFingerprint(m.Uncovered)
	certain, known := audit.ParseFingerprint(m.Certain)
	if printed && known {
		p.uncovered, p.certain = print, certain
	}
	return p
}

func parseLikeness(digits string, quality int, turned ...string) likeness {
	print, ok := audit.ParseFingerprint(digits)
	if !ok {
		return likeness{quality: quality}
	}
	l := likeness{digits: digits, print: print, quality: quality}
	for _, digits := range turned {
		if f, ok := audit.ParseFingerprint(digits); ok {
			l.turned = append(l.turned, f)
		}
	}
	return l
}

// searchable tells whether other photos can be compared with it.
func (l likeness) searchable() bool { return l.digits != "" && l.quality >= searchQuality }

// likenesses are those by which others can be compared with it.
func (p picture) likenesses() []likeness {
	return slices.DeleteFunc([]likeness{p.whole, p.trimmed}, func(l likeness) bool { return !l.searchable() })
}

// same tells whether both are the same on record.
func (p picture) same(q picture) bool {
	return p.whole.digits == q.whole.digits && p.whole.quality == q.whole.quality && p.trimmed.digits == q.trimmed.digits && p.trimmed.quality == q.trimmed.quality
}

// entries are what its photo is found by in the index, each once.
func (p picture) entries() []entry {
	var all []entry
	for _, l := range p.likenesses() {
		all = append(all, entriesOf(l.print)...)
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Or(cmp.Compare(a.band, b.band), cmp.Compare(a.sketch, b.sketch)) })
	return slices.Compact(all)
}

// bands are those of its entries.
func (p picture) bands() []int64 { return bandsIn(p.entries()) }

// bandsIn are the bands of entries, which are in order of them, each once.
func bandsIn(entries []entry) (all []int64) {
	for _, e := range entries {
		all = append(all, e.band)
	}
	return slices.Compact(all)
}

// turnedBands are some bands of the picture turned, by which an upload waits for another one
// of the same picture that comes at the same moment: that one holds all bands of its own.
// They are those of the low frequencies, which change least.
func (p picture) turnedBands() (all []int64) {
	for _, l := range p.likenesses() {
		for _, f := range l.turned {
			b := bandsOf(f)
			all = append(all, b[bandCount-4:]...)
		}
	}
	return all
}

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
	old, err := collect(ctx, s, scanPicture, `SELECT photo_id, `+pictureColumns+` FROM photos p WHERE photo_id IN (`+marks+`)`, args...)
	if err != nil {
		return err
	}
	before := map[string]picture{}
	for _, k := range old {
		before[k.photoID] = k.picture
	}
	var photos, entries [][]any
	for _, id := range photoIDs {
		now := pictureOf(ms[id])
		photos = append(photos, []any{id, photoKey(id), ms[id].Version, now.whole.digits, now.whole.quality, now.trimmed.digits, now.trimmed.quality})
		was, is := before[id].entries(), now.entries()
		if slices.Equal(was, is) {
			continue
		}
		if len(was) > 0 {
			if err := s.dropBands(ctx, id, bandsIn(was)); err != nil {
				return err
			}
		}
		entries = append(entries, entryRows(id, is)...)
	}
	err = s.insert(ctx, `INSERT INTO photos (photo_id, photo_key, version, fingerprint, quality, trimmed, trimmed_quality) VALUES`,
		`ON CONFLICT (photo_id) DO UPDATE SET version = excluded.version, fingerprint = excluded.fingerprint, quality = excluded.quality,
		trimmed = excluded.trimmed, trimmed_quality = excluded.trimmed_quality`, photos)
	if err != nil {
		return err
	}
	return s.insert(ctx, insertEntries, `ON CONFLICT DO NOTHING`, entries)
}

const insertEntries = `INSERT INTO fingerprint_bands (band, photo_key, sketch) VALUES`

// entryRows are a photo's rows in the index of fingerprints.
func entryRows(photoID string, entries []entry) (rows [][]any) {
	key := photoKey(photoID)
	for _, e := range entries {
		rows = append(rows, []any{e.band, key, e.sketch})
	}
	return rows
}

// pictureColumns are a photo's likenesses, p being its row.
const pictureColumns = `p.fingerprint, p.quality, p.trimmed, p.trimmed_quality`

// keptPicture is a photo's picture as it is on record.
type keptPicture struct {
	photoID string
	picture
}

// scanPicture reads a photo's id and [pictureColumns].
func scanPicture(scan func(...any) error) (k keptPicture, err error) {
	var whole, trimmed likeness
	err = scan(&k.photoID, &whole.digits, &whole.quality, &trimmed.digits, &trimmed.quality)
	k.picture = picture{whole: parseLikeness(whole.digits, whole.quality), trimmed: parseLikeness(trimmed.digits, trimmed.quality)}
	return k, err
}

func (s session) dropBands(ctx context.Context, photoID string, bands []int64) error {
	_, err := s.exec(ctx, `DELETE FROM fingerprint_bands WHERE photo_key = $1 AND band `+s.dialect.among(2), photoKey(photoID), s.dialect.numbers(bands))
	return err
}
