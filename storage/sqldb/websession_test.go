package sqldb

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"porchlight/storage/storagetest"
)

func TestWebSessionsOnSQLite(t *testing.T) {
	testWebSessions(t, filepath.Join(t.TempDir(), "records.db"))
}

func TestWebSessionsOnPostgres(t *testing.T) { testWebSessions(t, storagetest.Postgres(t)) }

func testWebSessions(t *testing.T, url string) {
	storagetest.TestWebSessions(t, func(t *testing.T, now func() time.Time) storagetest.WebSessions {
		db := mustOpen(t, url)
		t.Cleanup(func() { db.Close() })
		return db.WebSessions(now)
	})
}

// Whoever reads the database cannot take a session over.
func TestWebSessionsKeepNoKey(t *testing.T) {
	both(t, func(t *testing.T, db *DB) {
		const key = "what-the-browser-holds"
		if err := db.WebSessions(time.Now).Commit(key, []byte("data"), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		kept, err := collect(t.Context(), db.on(db.reader), scanText, `SELECT hash || data FROM sessions`)
		if err != nil || len(kept) != 1 {
			t.Fatalf("%d rows, %v", len(kept), err)
		}
		if strings.Contains(kept[0], key) || !strings.HasPrefix(kept[0], sessionHash(key)) {
			t.Errorf("kept %q, want the key's SHA-256", kept[0])
		}
	})
}
