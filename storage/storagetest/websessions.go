package storagetest

import (
	"context"
	"testing"
	"time"
)

// WebSessions is a store of the sessions of people who signed in.
type WebSessions interface {
	FindCtx(ctx context.Context, key string) (data []byte, found bool, err error)
	CommitCtx(ctx context.Context, key string, data []byte, expiry time.Time) error
	DeleteCtx(ctx context.Context, key string) error
	DeleteEnded(ctx context.Context) (int64, error)
}

// TestWebSessions holds a store to the contract. open opens the same store each time, as
// two servers do.
func TestWebSessions(t *testing.T, open func(t *testing.T, now func() time.Time) WebSessions) {
	moment := noon
	clock := func() time.Time { return moment }
	w, other := open(t, clock), open(t, clock)
	find := func(what string, w WebSessions, key, want string) {
		t.Helper()
		data, found, err := w.FindCtx(t.Context(), key)
		wantCode(t, what, err, "")
		if found != (want != "") || string(data) != want {
			t.Errorf("%s: %q, found %v, want %q", what, data, found, want)
		}
	}
	commit := func(w WebSessions, key, data string, minutes float64) {
		t.Helper()
		wantCode(t, "CommitCtx", w.CommitCtx(t.Context(), key, []byte(data), at(minutes)), "")
	}
	find("none", w, "a", "")
	commit(w, "a", "first\x00\xff", 10)
	commit(w, "b", "short", 1)
	find("on another server", other, "a", "first\x00\xff")
	commit(other, "a", "second", 20)
	find("changed", w, "a", "second")
	find("another key", w, "A", "")

	moment = at(1)
	find("at its end", w, "b", "")
	commit(w, "c", "third", 5) // deletes b
	if n, err := w.DeleteEnded(t.Context()); n != 0 || err != nil {
		t.Errorf("DeleteEnded after a commit: %d, %v, want 0", n, err)
	}
	moment = at(6)
	if n, err := other.DeleteEnded(t.Context()); n != 1 || err != nil {
		t.Errorf("DeleteEnded: %d, %v, want 1", n, err)
	}
	moment = at(2)
	find("deleted, and the clock set back", w, "c", "")
	find("the one that is good", w, "a", "second")
	for range 2 {
		wantCode(t, "DeleteCtx", other.DeleteCtx(t.Context(), "a"), "")
		find("deleted", w, "a", "")
	}
}
