// Package storagetest is the contract that every store is held to: [TestObjects] for
// photos' bytes, [TestRecords] for what is known about them, [TestWebSessions] for who is
// signed in. A store's own test runs
// the suite on the real thing.
package storagetest

import (
	"testing"

	"porchlight/audit"
)

// wantCode fails the test unless err carries the code; "" wants no error.
func wantCode(t testing.TB, what string, err error, want audit.Code) {
	t.Helper()
	if got := audit.ErrorCode(err); got != want {
		t.Fatalf("%s: error code %q, want %q (%v)", what, got, want, err)
	}
}
