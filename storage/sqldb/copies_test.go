package sqldb

import (
	"cmp"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"testing"

	"github.com/disintegration/imaging"

	"porchlight/audit"
	"porchlight/fixtures"
)

// original is a photo that may be copied.
type original struct {
	name  string
	bytes []byte
	image image.Image
}

// originals are the labelled photos of deliveries where they are, else some drawn ones.
func originals(t *testing.T) (all []original) {
	t.Helper()
	paths, _ := filepath.Glob(filepath.Join(cmp.Or(os.Getenv("PORCHLIGHT_PHOTOS"), filepath.Join("..", "..", "..", "shared", "photos")), "deliveries", "*.jpg"))
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		img, err := imaging.Open(path, imaging.AutoOrientation(true))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, original{filepath.Base(path), b, img})
	}
	if len(paths) == 0 {
		for place := range 6 {
			s := fixtures.Scene{Place: uint64(place + 1), Number: fmt.Sprint(12 + place), Width: 1600, Height: 1200}
			all = append(all, original{fmt.Sprint("scene ", place), s.JPEG(), s.Image()})
		}
	}
	return all
}

// TestCopiesAreFound holds that copies of photos are found as they are made, whichever of
// both came first where the copy is whole, and that no other photo is taken for one.
func TestCopiesAreFound(t *testing.T) {
	measure := func(b []byte) audit.Measurement {
		m, err := audit.Measure(b)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	photos := originals(t)
	plain := map[string]audit.Measurement{}
	copies := map[string]map[string]audit.Measurement{} // by kind, by original
	laid := map[string]bool{}
	for _, p := range photos {
		plain[p.name] = measure(p.bytes)
		for _, c := range fixtures.Copies(p.image) {
			if copies[c.Name] == nil {
				copies[c.Name] = map[string]audit.Measurement{}
			}
			copies[c.Name][p.name], laid[c.Name] = measure(c.JPEG), c.Laid
		}
	}
	both(t, func(t *testing.T, db *DB) {
		// look stores some photos and tells what is found for each of others.
		look := func(kept, asked map[string]audit.Measurement) (found, wrong int, worst int) {
			t.Helper()
			if err := db.write(t.Context(), func(s session) error {
				if _, err := s.exec(t.Context(), `DELETE FROM fingerprint_bands`); err != nil {
					return err
				}
				if _, err := s.exec(t.Context(), `DELETE FROM photos`); err != nil {
					return err
				}
				var ids []string
				for id := range kept {
					ids = append(ids, id)
				}
				return s.savePictures(t.Context(), ids, kept)
			}); err != nil {
				t.Fatal(err)
			}
			for name, m := range asked {
				similar, err := db.on(db.reader).similarPhotos(t.Context(), "", pictureOf(m))
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range similar {
					if e.photoID != name {
						wrong++
						continue
					}
					found++
					worst = max(worst, e.distance)
				}
			}
			return found, wrong, worst
		}
		if _, wrong, _ := look(plain, plain); wrong > 0 {
			t.Errorf("%d of the originals are taken for one another", wrong)
		}
		for kind, of := range copies {
			found, wrong, worst := look(plain, of)
			first, wrongFirst, _ := look(of, plain)
			t.Logf("%-32s %d of %d found, %d bits at most; %d found where the copy came first", kind, found, len(of), worst, first)
			want := len(of)
			if laid[kind] { // what is under it cannot be known: one in ten may be missed
				want -= want / 10
			}
			if found < want || !laid[kind] && first < want || wrong+wrongFirst > 0 {
				t.Errorf("%s: %d found, %d where it came first, of %d; %d wrong ones", kind, found, first, len(of), wrong+wrongFirst)
			}
		}
	})
}
