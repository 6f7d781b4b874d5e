package sqldb

import (
	"testing"

	"porchlight/audit"
)

func TestForeseenStatementsMakeOneTrip(t *testing.T) {
	both(t, func(t *testing.T, db *DB) {
		count := func(n int) statement { return statement{`SELECT COUNT(*) + $1 FROM deliveries`, []any{n}} }
		var got []int
		err := db.read(t.Context(), func(s session) error {
			s.foresee(count(2), count(3))
			for n := 1; n <= 4; n++ {
				if p, ok := s.conn.(*snapshot); ok && n == 2 {
					// What came along needs no connection any more.
					if err := p.Conn.Close(); err != nil {
						return err
					}
				}
				q := count(n)
				c, err := one(t.Context(), s, "count", scanNumber, q.query, q.args...)
				if err != nil {
					return err
				}
				got = append(got, int(c))
			}
			return nil
		})
		want, failed := 4, false
		if _, ok := db.dialect.(postgres); ok {
			want, failed = 3, true // the fourth was not foreseen
		}
		if len(got) != want || failed != (err != nil) {
			t.Fatalf("counts %v, %v; want %d of them", got, err, want)
		}
		for i, c := range got {
			if c != i+1 {
				t.Errorf("count %d = %d, want %d", i, c, i+1)
			}
		}
	})
}

func TestForeseenFailureFailsWhoCollectsFirst(t *testing.T) {
	both(t, func(t *testing.T, db *DB) {
		err := db.read(t.Context(), func(s session) error {
			s.foresee(statement{`SELECT nothing FROM nowhere`, nil})
			_, err := collect(t.Context(), s, scanText, `SELECT tracking_id FROM deliveries`)
			if err == nil {
				_, err = collect(t.Context(), s, scanText, `SELECT nothing FROM nowhere`)
			}
			return err
		})
		if got, want := audit.ErrorCode(err), audit.CodeInternal; got != want {
			t.Errorf("code %q (%v), want %q", got, err, want)
		}
		if _, err := db.Delivery(t.Context(), "T1"); audit.ErrorCode(err) != audit.CodeNotFound {
			t.Errorf("the next read: %v, want %s", err, audit.CodeNotFound)
		}
	})
}

// A server that was restarted has closed the connections that the pool still holds.
func TestReadAfterConnectionsWereClosed(t *testing.T) {
	both(t, func(t *testing.T, db *DB) {
		if _, ok := db.dialect.(postgres); !ok {
			return // an embedded database has no connections to lose
		}
		u := sample(t, db, 1)
		for range 3 {
			killed, err := one(t.Context(), db.on(db.writer), "count", scanNumber,
				`SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
			if err != nil || killed == 0 {
				t.Fatalf("%d connections closed, %v", killed, err)
			}
			if e, err := db.Evidence(t.Context(), u.TrackingID); err != nil || len(e.Photos) != 1 {
				t.Fatalf("%d photos, %v; want 1", len(e.Photos), err)
			}
		}
	})
}
