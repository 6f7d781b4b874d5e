package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"porchlight/fixtures"
	"porchlight/storage/dir"
	"porchlight/storage/s3"
)

// TestImportPhotos imports photos that are in a folder or a bucket already: good rows go
// in though others are at fault, and the same again changes nothing.
func TestImportPhotos(t *testing.T) {
	for name, stores := range sites {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			at := append([]string{"--data", filepath.Join(folder, "data")}, stores(t)...)
			files := map[string][]byte{
				"2026/a.jpg": fixtures.Scene{Place: 1, Number: "12", Width: 1200, Height: 900}.JPEG(),
				"2026/b.jpg": fixtures.Scene{Place: 2, Number: "14", Width: 1200, Height: 900, Defect: fixtures.Dark}.JPEG(),
				"note.txt":   []byte("not a photo"), "other.jpg": {0xff, 0xd8, 0xff},
			}
			source := filepath.Join(folder, "camera")
			var to interface {
				Put(ctx context.Context, key string, b []byte, mediaType string) error
			}
			if len(at) > 2 {
				source = at[len(at)-1] + "/camera"
				c, err := bucket(source)
				if err != nil {
					t.Fatal(err)
				}
				if to, err = s3.Open(t.Context(), c); err != nil {
					t.Fatal(err)
				}
			} else {
				d, err := dir.Open(source)
				if err != nil {
					t.Fatal(err)
				}
				defer d.Close()
				to = d
			}
			for key, b := range files {
				if err := to.Put(t.Context(), key, b, "image/jpeg"); err != nil {
					t.Fatal(err)
				}
			}
			write := func(name, text string) string {
				path := filepath.Join(folder, name)
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			run(t, 0, append([]string{"import", "deliveries", write("deliveries.csv", "tracking_id,driver_id,address\nT1,D1,12 Elm St\nT2,D1,14 Elm St\n")}, at...)...)
			manifest := write("manifest.csv", `file,tracking_id,role,captured_at,latitude,longitude
2026/a.jpg,T1,placement,2026-11-20T18:00:00Z,47.5,-122.5
2026/none.jpg,T1,,,,
note.txt,T1,,,,
2026/b.jpg,T2,,,,
2026/b.jpg,T9,,,,
../b.jpg,T2,,,,
2026/a.jpg,T2,selfie,,,
2026/a.jpg,T2,,,91,0
`)
			importing := append([]string{"import", "photos", source, "--manifest", manifest, "--vision", "none"}, at...)
			out, errs := run(t, 1, importing...)
			for _, want := range []string{"8 rows: 2 created, 0 updated, 0 unchanged, 6 rejected\n", "line 3: ", "the source has no file 2026/none.jpg [not_found]\n",
				"[photo_type_unknown]\n", "line 6: there is no delivery T9 [delivery_unknown]\n", "line 7: ", "line 8: ", "line 9: "} {
				if !strings.Contains(out, want) {
					t.Errorf("the import says %q, not %q", out, want)
				}
			}
			if want := "1 files of " + source + " are in no row of the manifest"; !strings.Contains(errs, want) {
				t.Errorf("the import says %q beside, not %q", errs, want)
			}
			if again, _ := run(t, 1, importing...); !strings.Contains(again, "8 rows: 0 created, 0 updated, 2 unchanged, 6 rejected\n") {
				t.Errorf("the same again says %q", again)
			}
			exported, _ := run(t, 0, append([]string{"export", "photos", "--format", "csv"}, at...)...)
			if lines := strings.Split(strings.TrimSpace(exported), "\n"); len(lines) != 3 || !strings.Contains(exported, "retake") {
				t.Errorf("on record is\n%s", exported)
			}
			var r keepingReport
			if out, _ := run(t, 0, append([]string{"fsck", "--deep", "--json"}, at...)...); json.Unmarshal([]byte(out), &r) != nil || r.Photos != 2 || r.Missing+r.Altered != 0 {
				t.Errorf("fsck says %s", out)
			}
			run(t, 2, append([]string{"import", "photos", filepath.Join(folder, "nowhere"), "--manifest", manifest}, at...)...)
			run(t, 2, append([]string{"import", "photos", source}, at...)...)
		})
	}
}
