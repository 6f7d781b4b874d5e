// Package storagetest is the contract that every store is held to: [TestObjects] for
// photos' bytes, [TestRecords] for what is known about them. A store's own test runs
// the suite on the real thing.
package storagetest

import (
	"os"
	"testing"

	"porchlight/audit"
)

// RequireVariable, set to 1, turns a skip for want of a server into a failure. The
// script that starts the servers sets it.
const RequireVariable = "PORCHLIGHT_TEST_REQUIRE"

// Server is the value of an environment variable that names a real server. Without it
// the test is skipped, or fails where servers are required.
func Server(t testing.TB, variable string) string {
	t.Helper()
	v := os.Getenv(variable)
	if v == "" && os.Getenv(RequireVariable) == "1" {
		t.Fatalf("%s is not set, and %s=1 says that it must be", variable, RequireVariable)
	}
	if v == "" {
		t.Skipf("%s is not set: .ci/servers.sh starts the servers and sets it", variable)
	}
	return v
}

// wantCode fails the test unless err carries the code; "" wants no error.
func wantCode(t testing.TB, what string, err error, want audit.Code) {
	t.Helper()
	if got := audit.ErrorCode(err); got != want {
		t.Fatalf("%s: error code %q, want %q (%v)", what, got, want, err)
	}
}
