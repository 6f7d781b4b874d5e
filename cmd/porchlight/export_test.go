package main

import (
	"database/sql"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"porchlight/audit"
	"porchlight/fixtures"
)

// seedUploads puts n uploads on record in a folder of the embedded stores: a few that came
// in as they always do, and copies of their rows.
func seedUploads(b *testing.B, folder string, n int) {
	b.Helper()
	st, err := (&storeSettings{data: folder}).open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	const scenes = 8
	for i := range scenes {
		d := audit.Delivery{TrackingID: fmt.Sprint("T", i), DriverID: fmt.Sprint("D", i), Stop: audit.Stop{Address: fmt.Sprint(i, " Elm Street")}, Instruction: audit.FrontDoor, Outcome: audit.Delivered}
		if _, err := st.db.PutDeliveries(b.Context(), []audit.Delivery{d}, time.Now()); err != nil {
			b.Fatal(err)
		}
		photo := fixtures.Scene{Place: uint64(i), Number: fmt.Sprint(i), Width: 1600, Height: 1200}.JPEG()
		if _, err := st.audit.Receive(b.Context(), audit.Upload{TrackingID: d.TrackingID, DriverID: d.DriverID, Role: audit.Placement}, photo); err != nil {
			b.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		b.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(folder, "porchlight.db")+"?_pragma=synchronous(off)&_pragma=cache_size(-500000)")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	upload, photo, report := `substr(u.upload_id, 1, 28) || block`, `substr(u.photo_id, 1, 56) || block`, `substr(r.report_id, 1, 28) || block`
	const numbers = `(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT printf('%%08x', i) AS block, i FROM n)`
	from := ` FROM (SELECT * FROM uploads LIMIT ` + strconv.Itoa(scenes) + `) u JOIN ` + fmt.Sprintf(numbers, n/scenes-1)
	for _, statement := range []string{
		`INSERT INTO measurements (photo_id, version, json) SELECT ` + photo + `, m.version, m.json` + from + ` JOIN measurements m ON m.photo_id = u.photo_id`,
		`INSERT INTO photos (photo_id, photo_key, version, fingerprint, quality) SELECT ` + photo + `, p.photo_key + i, p.version, p.fingerprint, p.quality` + from + ` JOIN photos p ON p.photo_id = u.photo_id`,
		`INSERT INTO reports (report_id, upload_id, judged_at, json) SELECT ` + report + `, ` + upload + `, r.judged_at, replace(r.json, r.report_id, ` + report + `)` + from + ` JOIN reports r ON r.upload_id = u.upload_id`,
		`INSERT INTO uploads (upload_id, photo_id, tracking_id, driver_id, stop_key, at, received_at, json) SELECT ` + upload + `, ` + photo + `, u.tracking_id, u.driver_id, u.stop_key, u.at, u.received_at + i,
			replace(replace(u.json, u.upload_id, ` + upload + `), u.photo_id, ` + photo + `)` + from,
	} {
		if _, err := db.Exec(statement); err != nil {
			b.Fatalf("%v in %s", err, statement)
		}
	}
}

// BenchmarkExport writes PORCHLIGHT_BENCH_UPLOADS uploads (20,000 where it is not set) with
// the real program and reads the files back: rows/s as one sees them, the most memory that
// the program held, and the bytes that a row takes.
func BenchmarkExport(b *testing.B) {
	n := max(1000, benchSize("PORCHLIGHT_BENCH_UPLOADS", 20_000)/1000*1000)
	folder := b.TempDir()
	seedUploads(b, folder, n)
	for _, format := range []string{"parquet", "csv"} {
		for _, what := range []string{"photos", "findings"} {
			b.Run(what+"/"+format, func(b *testing.B) {
				file := filepath.Join(b.TempDir(), what+"."+format)
				var rows int
				peak := 0
				for b.Loop() {
					cmd := program("export", what, "--format", format, "-o", file, "--data", folder)
					cmd.Stderr = os.Stderr
					if err := cmd.Start(); err != nil {
						b.Fatal(err)
					}
					ended := make(chan error, 1)
					go func() { ended <- cmd.Wait() }()
					for running := true; running; {
						select {
						case err := <-ended:
							if running = false; err != nil {
								b.Fatal(err)
							}
						case <-time.After(20 * time.Millisecond):
							peak = max(peak, (&process{cmd: cmd}).peakMiB())
						}
					}
				}
				b.StopTimer()
				if format == "csv" {
					rows = csvRows(b, file)
				} else if what == "photos" {
					rows = parquetRows(b, file, func(r photoRow) string { return r.UploadID + r.Verdict })
				} else {
					rows = parquetRows(b, file, func(r findingRow) string { return r.UploadID + r.Check })
				}
				if rows < n || what == "photos" && rows != n {
					b.Errorf("%d rows of %d uploads", rows, n)
				}
				info, err := os.Stat(file)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
				b.ReportMetric(float64(peak), "peak-MiB")
				b.ReportMetric(float64(info.Size())/float64(rows), "bytes/row")
			})
		}
	}
}

func csvRows(b *testing.B, file string) (n int) {
	f, err := os.Open(file)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.ReuseRecord = true
	for ; ; n++ {
		if _, err := r.Read(); errors.Is(err, io.EOF) {
			return n - 1 // the names
		} else if err != nil {
			b.Fatal(err)
		}
	}
}

// parquetRows counts a file's rows, each of which must be another one by its key.
func parquetRows[T any](b *testing.B, file string, key func(T) string) (n int) {
	f, err := os.Open(file)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	r := parquet.NewGenericReader[T](f)
	defer r.Close()
	last, rows := "", make([]T, 1000)
	for {
		read, err := r.Read(rows)
		for _, row := range rows[:read] {
			if k := key(row); k == last {
				b.Fatalf("row %d is there twice", n)
			} else {
				last = k
			}
			n++
		}
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
