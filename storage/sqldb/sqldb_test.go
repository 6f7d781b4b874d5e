package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"porchlight/audit"
	"porchlight/audit/dispute"
	"porchlight/storage/storagetest"
)

func mustOpen(t testing.TB, url string) *DB {
	t.Helper()
	db, err := Open(t.Context(), Config{URL: url})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return db
}

func TestRecordsOnSQLite(t *testing.T) {
	storagetest.TestRecords(t, func(t *testing.T) func(t *testing.T) storagetest.Records {
		path := filepath.Join(t.TempDir(), "a b%20c?", "records.db")
		return func(t *testing.T) storagetest.Records { return mustOpen(t, path) }
	})
}

func TestRecordsOnPostgres(t *testing.T) {
	storagetest.TestRecords(t, func(t *testing.T) func(t *testing.T) storagetest.Records {
		url := storagetest.Postgres(t)
		return func(t *testing.T) storagetest.Records { return mustOpen(t, url) }
	})
}

// databases are SQLite and, where there is one, Postgres, each with a new database's URL.
var databases = []struct {
	name string
	url  func(t testing.TB) string
}{
	{"SQLite", func(t testing.TB) string { return "sqlite://" + filepath.Join(t.TempDir(), "records.db") }},
	{"Postgres", storagetest.Postgres},
}

// both runs a test on all databases.
func both(t *testing.T, test func(t *testing.T, db *DB)) {
	for _, on := range databases {
		t.Run(on.name, func(t *testing.T) {
			db := mustOpen(t, on.url(t))
			defer db.Close()
			test(t, db)
		})
	}
}

func TestOpenRefusesWhatIsNoDatabase(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, []byte(strings.Repeat("this is no database. ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		url  string
		want audit.Code
	}{
		{"", audit.CodeInvalid},
		{"mysql://localhost/x", audit.CodeInvalid},
		{"sqlite://", audit.CodeInvalid},
		{":memory:", audit.CodeInvalid},
		{"a\x00b", audit.CodeInvalid},
		{"postgres://localhost:port/x", audit.CodeInvalid},
		{"postgres://nobody:secret@127.0.0.1:1/x?connect_timeout=5", audit.CodeUnavailable},
		{folder, audit.CodeUnavailable},
		{filepath.Join(file, "below"), audit.CodeUnavailable},
		{file, audit.CodeInternal},
	} {
		db, err := Open(t.Context(), Config{URL: test.url})
		if got := audit.ErrorCode(err); got != test.want {
			t.Errorf("Open(%q): code %q (%v), want %q", test.url, got, err, test.want)
		}
		if err == nil {
			db.Close()
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("Open(%q): the error tells the password: %v", test.url, err)
		}
	}
}

func TestFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	db := mustOpen(t, path)
	defer db.Close()
	if _, err := db.PutDeliveries(t.Context(), []audit.Delivery{{TrackingID: "T1"}}, time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := info.Mode().Perm(), os.FileMode(0o600); got != want {
			t.Errorf("mode of records.db%s = %v, want %v", suffix, got, want)
		}
	}
}

func TestSQLiteIsDurable(t *testing.T) {
	db := mustOpen(t, filepath.Join(t.TempDir(), "records.db"))
	defer db.Close()
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "10000"} {
		for name, pool := range map[string]*sql.DB{"writer": db.writer, "reader": db.reader} {
			var got string
			if err := pool.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%s's %s = %q, %v; want %q", name, pragma, got, err, want)
			}
		}
	}
	_, err := db.on(db.reader).exec(t.Context(), `DELETE FROM deliveries`)
	if got, want := audit.ErrorCode(err), audit.CodeUnavailable; got != want {
		t.Errorf("a write by the reader: code %q, want %q", got, want)
	}
}

func TestAppendOnly(t *testing.T) {
	both(t, func(t *testing.T, db *DB) {
		u := sample(t, db, 1)
		if _, err := db.PutClaims(t.Context(), []dispute.Claim{{ClaimID: "C1", TrackingID: u.TrackingID}}, time.Now()); err != nil {
			t.Fatal(err)
		}
		if err := db.AddPacket(t.Context(), dispute.FrozenPacket{PacketID: "P1", ClaimID: "C1", JSON: []byte(`{}`)}); err != nil {
			t.Fatal(err)
		}
		s := db.on(db.writer)
		for _, statement := range []string{
			`UPDATE reports SET json = '{}'`, `DELETE FROM reports`,
			`UPDATE measurements SET json = '{}'`, `DELETE FROM measurements`,
			`UPDATE packets SET json = '{}'`, `DELETE FROM packets`,
			`UPDATE custody SET actor = 'nobody'`, `DELETE FROM custody`,
		} {
			_, err := s.exec(t.Context(), statement)
			if got, want := audit.ErrorCode(err), audit.CodeImmutable; got != want {
				t.Errorf("%s: code %q (%v), want %q", statement, got, err, want)
			}
		}
		reports, err := db.Reports(t.Context(), u.PhotoID)
		if err != nil || len(reports) != 1 {
			t.Errorf("%d reports, %v; want 1", len(reports), err)
		}
	})
}

// A judge that panics must not leave the only writing connection in a transaction.
func TestPanickingJudge(t *testing.T) {
	both(t, func(t *testing.T, db *DB) {
		u := sample(t, db, 1)
		u.UploadID, u.PhotoID = "panic", audit.PhotoID([]byte("panic"))
		func() {
			defer func() { recover() }()
			db.AddUpload(t.Context(), u, audit.Measurement{Version: "1"}, func(audit.Known) ([]audit.Report, error) { panic("judge") })
			t.Error("AddUpload returned")
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if _, err := db.PutDeliveries(ctx, []audit.Delivery{{TrackingID: "after"}}, time.Now()); err != nil {
			t.Errorf("PutDeliveries after a panic: %v", err)
		}
	})
}

// What was judged with an older measurement is answered with that one.
func TestAnswerKeepsItsMeasurement(t *testing.T) {
	both(t, func(t *testing.T, db *DB) {
		u := sample(t, db, 1)
		now := time.Now()
		run := audit.Run{RunID: "R1", State: audit.RunRunning, StartedAt: now, Chunks: 1}
		if err := db.StartRun(t.Context(), run, []audit.Span{{}}); err != nil {
			t.Fatal(err)
		}
		task, err := db.TakeChunk(t.Context(), "R1", "W1", now, now.Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		c := audit.Chunk{Remeasured: map[string]audit.Measurement{u.PhotoID: {Version: "newer"}}}
		if _, err := db.FinishChunk(t.Context(), *task, c, now); err != nil {
			t.Fatal(err)
		}
		_, r, created, err := db.AddUpload(t.Context(), u, audit.Measurement{Version: "1"}, nil)
		if err != nil || created || r.Measurement.Version != sampleVersion {
			t.Errorf("created %v, %v, measurement %+v; want the one that was judged", created, err, r.Measurement)
		}
	})
}

func TestChooseSightings(t *testing.T) {
	found := map[string]audit.Sighting{}
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, s := range []audit.Sighting{
		{UploadID: "e", StopKey: "a", At: day.Add(3 * time.Hour)}, {UploadID: "b", StopKey: "a", At: day}, {UploadID: "a", StopKey: "a", At: day},
		{UploadID: "d", StopKey: "a", At: day.Add(2 * time.Hour)}, {UploadID: "f", StopKey: "a", At: day.Add(25 * time.Hour), Distance: 3},
		{UploadID: "g", StopKey: "b", At: day, Distance: 9}, {UploadID: "h", StopKey: "b", At: day, Distance: 2},
	} {
		found[s.UploadID] = s
	}
	var got []string
	for _, s := range chooseSightings(found) {
		got = append(got, s.UploadID)
	}
	if diff := cmp.Diff([]string{"a", "b", "d", "h", "f", "g"}, got); diff != "" {
		t.Errorf("sightings (-want +got):\n%s", diff)
	}
}

func TestErrorsKeepTheirCause(t *testing.T) {
	db := mustOpen(t, filepath.Join(t.TempDir(), "records.db"))
	db.Close()
	_, err := db.Delivery(t.Context(), "T1")
	var known *audit.Error
	if !errors.As(err, &known) || known.Err == nil {
		t.Fatalf("error = %#v, want one with a cause", err)
	}
	if strings.Contains(known.Message, "sql") {
		t.Errorf("message = %q speaks of SQL", known.Message)
	}
}
