package custody

import (
	"context"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"porchlight/audit"
)

// Appender appends entries to the log, sealed in the order given, in one transaction,
// which is durable when it returns nil.
type Appender interface {
	AppendCustody(ctx context.Context, entries []Entry) error
}

const (
	maxBatch    = 512              // entries a transaction
	appendTime  = 10 * time.Second // for a transaction
	maxTextSize = 4096             // bytes of an entry's text
)

// Journal appends entries of many callers at once: whoever comes while a transaction is
// under way waits, and all who wait share the next one. It is safe for concurrent use.
type Journal struct {
	to Appender

	mu      sync.Mutex
	waiting []wait
	writing bool
}

type wait struct {
	entry Entry
	done  chan error
}

// NewJournal makes a journal on an appender.
func NewJournal(to Appender) *Journal { return &Journal{to: to} }

// Append logs what the context's actor does, and returns when the entry is durable.
// Where it returns an error the entry may still be kept: more is logged than happened,
// never less. Errors: [audit.CodeUnavailable].
func (j *Journal) Append(ctx context.Context, e Entry) error {
	e = By(ctx, e)
	for _, text := range []string{e.Actor, e.ID, e.Detail} {
		// One entry that cannot be stored must not take those of the others with it.
		if len(text) > maxTextSize || !utf8.ValidString(text) || strings.Contains(text, "\x00") {
			return audit.Errorf(audit.CodeUnavailable, "The custody log cannot hold this access, so that it is refused")
		}
	}
	w := wait{e, make(chan error, 1)}
	j.mu.Lock()
	j.waiting = append(j.waiting, w)
	if !j.writing {
		j.writing = true
		go j.write(context.WithoutCancel(ctx))
	}
	j.mu.Unlock()
	select {
	case err := <-w.done:
		if err != nil {
			return audit.Errorf(audit.CodeUnavailable, "The custody log cannot be written, and nothing is shown without it: try again", err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write appends what waits until nothing does.
func (j *Journal) write(ctx context.Context) {
	for {
		j.mu.Lock()
		n := min(len(j.waiting), maxBatch)
		batch := j.waiting[:n:n]
		j.waiting = j.waiting[n:]
		if n == 0 {
			j.writing, j.waiting = false, nil
		}
		j.mu.Unlock()
		if n == 0 {
			return
		}
		entries := make([]Entry, n)
		for i, w := range batch {
			entries[i] = w.entry
		}
		within, cancel := context.WithTimeout(ctx, appendTime)
		err := j.to.AppendCustody(within, entries)
		cancel()
		for _, w := range batch {
			w.done <- err
		}
	}
}
