package custody

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"porchlight/audit"
)

// memory is a log in memory whose transactions begin when the test lets them.
type memory struct {
	begin   chan struct{}
	mu      sync.Mutex
	rows    []Entry
	batches []int
	err     error
}

func (m *memory) AppendCustody(ctx context.Context, entries []Entry) error {
	<-m.begin
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	var head Head
	if n := len(m.rows); n > 0 {
		head = m.rows[n-1].Head()
	}
	for _, e := range entries {
		e = Seal(head, e)
		m.rows, head = append(m.rows, e), e.Head()
	}
	m.batches = append(m.batches, len(entries))
	return nil
}

func TestJournalSharesTransactions(t *testing.T) {
	m := &memory{begin: make(chan struct{})}
	j := NewJournal(m)
	var wg sync.WaitGroup
	add := func(n int) {
		wg.Go(func() {
			ctx := WithActor(t.Context(), Actor{Name: fmt.Sprint("token:", n)})
			if err := j.Append(ctx, Entry{Action: ClaimViewed, Subject: Subject{Claim, fmt.Sprint(n)}}); err != nil {
				t.Errorf("Append: %v", err)
			}
		})
	}
	add(0)
	waitFor(t, func() bool { j.mu.Lock(); defer j.mu.Unlock(); return j.writing && len(j.waiting) == 0 })
	const more = 40
	for n := range more {
		add(1 + n)
	}
	waitFor(t, func() bool { j.mu.Lock(); defer j.mu.Unlock(); return len(j.waiting) == more })
	close(m.begin)
	wg.Wait()
	if len(m.batches) != 2 || m.batches[0] != 1 || m.batches[1] != more {
		t.Errorf("transactions of %v, want 1 and %d", m.batches, more)
	}
	if _, faults := check(t, m.rows); len(faults) != 0 {
		t.Errorf("faults: %v", faults)
	}
	for _, e := range m.rows {
		if e.Actor != "token:"+e.ID {
			t.Errorf("%s viewed claim %s", e.Actor, e.ID)
		}
	}
}

// waitFor lets the others run until they have come so far.
func waitFor(t *testing.T, so func() bool) {
	t.Helper()
	for !so() {
		select {
		case <-t.Context().Done():
			t.Fatal("it never came so far")
		default:
			runtime.Gosched()
		}
	}
}

func TestJournalRefuses(t *testing.T) {
	m := &memory{begin: make(chan struct{}), err: errors.New("disk full")}
	j := NewJournal(m)
	for _, id := range []string{"\xff", "a\x00b", string(make([]byte, 5000))} {
		if got := audit.ErrorCode(j.Append(t.Context(), Entry{Subject: Subject{Photo, id}})); got != audit.CodeUnavailable {
			t.Errorf("id %.10q: code %q", id, got)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.Append(ctx, Entry{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who went away: %v", err)
	}
	close(m.begin)
	if err := j.Append(t.Context(), Entry{}); audit.ErrorCode(err) != audit.CodeUnavailable || !errors.Is(err, m.err) {
		t.Errorf("a log that cannot be written: %v", err)
	}
	m.mu.Lock()
	m.err = nil
	m.mu.Unlock()
	if err := j.Append(t.Context(), Entry{}); err != nil {
		t.Errorf("once it can be written again: %v", err)
	}
}
