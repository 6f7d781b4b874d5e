package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"porchlight/audit"
	"porchlight/storage/s3"
)

// TestKeeping backs a running service up, restores it elsewhere, and checks both; then it
// takes an object away and alters another.
func TestKeeping(t *testing.T) {
	at := []string{"--data", filepath.Join(t.TempDir(), "data")}
	p := startServer(t, append(at, "--log-level", "error")...)
	const n = 6
	s := newStorm(t, p, at, n)
	s.run(nil)
	objects := filepath.Join(at[1], "objects")

	file := filepath.Join(t.TempDir(), "porchlight.tar")
	if out, _ := run(t, 0, append([]string{"backup", "-o", file}, at...)...); !strings.Contains(out, "6 photos") {
		t.Errorf("backup says %q", out)
	}
	folder := filepath.Join(t.TempDir(), "restored")
	if out, _ := run(t, 0, "restore", file, "--data", folder); !strings.Contains(out, "6 photos") || !strings.Contains(out, "is whole") {
		t.Errorf("restore says %q", out)
	}
	run(t, 2, "restore", file, "--data", folder) // there is one already
	for _, data := range []string{at[1], folder} {
		var r keepingReport
		out, _ := run(t, 0, "fsck", "--deep", "--json", "--data", data)
		if err := json.Unmarshal([]byte(out), &r); err != nil || r.Photos != n || r.Missing+r.Altered+r.Orphans+r.Broken != 0 || r.Custody == 0 {
			t.Errorf("fsck of %s: %s, %v", data, out, err)
		}
	}
	was, _ := run(t, 0, append([]string{"export", "photos"}, at...)...)
	if is, _ := run(t, 0, "export", "photos", "--data", folder); is != was {
		t.Errorf("the restored photos are\n%s, the others\n%s", is, was)
	}

	// A file that was cut off is not taken for a backup.
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut.tar")
	if err := os.WriteFile(cut, b[:len(b)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, 2, "restore", cut, "--data", filepath.Join(t.TempDir(), "none"))

	lost, altered := audit.PhotoID(s.photos[0]), audit.PhotoID(s.photos[1])
	stray := audit.PhotoID([]byte("stray"))
	if err := os.Remove(filepath.Join(objects, audit.ObjectKey(lost))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(objects, audit.ObjectKey(altered)), s.photos[2], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Join(objects, audit.ObjectKey(stray))), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(objects, audit.ObjectKey(stray)), []byte("stray"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := run(t, 1, append([]string{"fsck", "--deep"}, at...)...)
	for _, want := range []string{"missing " + audit.ObjectKey(lost), "altered " + audit.ObjectKey(altered), "orphan " + audit.ObjectKey(stray), "1 missing, 1 altered; 1 objects without a row"} {
		if !strings.Contains(out, want) {
			t.Errorf("fsck says\n%s\nnot %q", out, want)
		}
	}
	p.do(http.StatusOK, "GET", "/readyz", "", "", nil)
}

func TestExport(t *testing.T) {
	at := []string{"--data", t.TempDir()}
	p := startServer(t, append(at, "--log-level", "error")...)
	const n = 3
	newStorm(t, p, at, n).run(nil)
	text, _ := run(t, 0, append([]string{"export", "photos"}, at...)...)
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != n+1 || rows[0][0] != "upload_id" {
		t.Fatalf("%d rows, %v:\n%s", len(rows), err, text)
	}
	file := filepath.Join(t.TempDir(), "photos.parquet")
	run(t, 0, append([]string{"export", "photos", "--format", "parquet", "-o", file}, at...)...)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	photos, err := parquet.Read[photoRow](bytes.NewReader(b), int64(len(b)))
	if err != nil || len(photos) != n {
		t.Fatalf("%d rows in Parquet, %v", len(photos), err)
	}
	for i, row := range photos {
		row.ReceivedAt, row.JudgedAt = row.ReceivedAt.UTC(), row.JudgedAt.UTC()
		if got := strings.Join(cells(row)[:6], ","); got != strings.Join(rows[i+1][:6], ",") || row.Blur == nil || row.Verdict == "" {
			t.Errorf("row %d is %q in Parquet, %q in CSV", i, got, rows[i+1])
		}
	}
	// The same into a bucket; one that is not there is no target.
	where := sites["Postgres and S3"](t)[3]
	c, err := bucket(where)
	if err != nil {
		t.Fatal(err)
	}
	store, err := s3.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	run(t, 0, append([]string{"export", "photos", "--format", "parquet", "-o", where + "/exports/photos.parquet"}, at...)...)
	stored, _, err := store.Open(t.Context(), "exports/photos.parquet")
	if err != nil {
		t.Fatal(err)
	}
	defer stored.Close()
	if got, err := io.ReadAll(stored); err != nil || !bytes.Equal(got, b) {
		t.Errorf("the bucket holds %d bytes (%v), want the %d of the file", len(got), err, len(b))
	}
	run(t, 2, append([]string{"export", "photos", "-o", where + "-none/photos.csv"}, at...)...)
	run(t, 2, append([]string{"export", "photos", "-o", where}, at...)...)

	text, _ = run(t, 0, append([]string{"export", "findings"}, at...)...)
	if found, err := csv.NewReader(strings.NewReader(text)).ReadAll(); err != nil || len(found) != n*16+1 {
		t.Errorf("%d findings, %v", len(found), err)
	}
	run(t, 2, append([]string{"export", "photos", "--format", "parquet"}, at...)...)
	run(t, 2, append([]string{"export", "photos", "--format", "xml"}, at...)...)
}
