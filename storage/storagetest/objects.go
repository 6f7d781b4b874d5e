package storagetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"porchlight/audit"
	"porchlight/storage"
)

// Objects is an object store with all that its stores offer.
type Objects interface {
	audit.Objects
	Stat(ctx context.Context, key string) (storage.Info, error)
	List(ctx context.Context, prefix string) iter.Seq2[storage.Info, error]
	Delete(ctx context.Context, key string) error
	Ping(ctx context.Context) error
}

// TestObjects holds a store to the contract. fresh makes an empty place and returns how
// to open it, again and again.
func TestObjects(t *testing.T, fresh func(t *testing.T) (open func(t *testing.T) Objects)) {
	for name, test := range map[string]func(t *testing.T, open func(t *testing.T) Objects){
		"RoundTrip":   testObjectRoundTrip,
		"PutTwice":    testObjectPutTwice,
		"OneWinner":   testObjectOneWinner,
		"List":        testObjectList,
		"Delete":      testObjectDelete,
		"Absent":      testObjectAbsent,
		"HostileKeys": testObjectHostileKeys,
		"Cancelled":   testObjectCancelled,
		"Durable":     testObjectDurable,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t)) })
	}
}

// noise is n bytes that do not compress, the same ones for the same n.
func noise(n int) []byte {
	b := make([]byte, n)
	var seed [32]byte
	seed[0], seed[1], seed[2] = byte(n), byte(n>>8), byte(n>>16)
	rand.NewChaCha8(seed).Read(b)
	return b
}

func testObjectRoundTrip(t *testing.T, open func(t *testing.T) Objects) {
	s := open(t)
	wantCode(t, "Ping", s.Ping(t.Context()), "")
	for _, size := range []int{1, 4096, 65_537, 5_000_001, 20_000_003} {
		b := noise(size)
		key := audit.ObjectKey(audit.PhotoID(b))
		before := time.Now().Add(-time.Hour)
		wantCode(t, "Put", s.Put(t.Context(), key, b, "image/jpeg"), "")
		wantContent(t, s, key, b)
		info, err := s.Stat(t.Context(), key)
		wantCode(t, "Stat", err, "")
		if info.Key != key || info.Size != int64(size) || info.Modified.Before(before) {
			t.Errorf("Stat = %+v, want key %s, %d bytes, stored just now", info, key, size)
		}
	}
}

func wantContent(t testing.TB, s Objects, key string, want []byte) {
	t.Helper()
	r, size, err := s.Open(t.Context(), key)
	wantCode(t, "Open", err, "")
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("reading %s: %v", key, err)
	}
	if size != int64(len(want)) || !bytes.Equal(got, want) {
		t.Fatalf("%s holds %d bytes (announced %d), want the %d that were put", key, len(got), size, len(want))
	}
}

func testObjectPutTwice(t *testing.T, open func(t *testing.T) Objects) {
	s := open(t)
	first, second := noise(1000), slices.Repeat([]byte{7}, 1000)
	wantCode(t, "first Put", s.Put(t.Context(), "photos/aa/one", first, "image/jpeg"), "")
	wantCode(t, "second Put", s.Put(t.Context(), "photos/aa/one", second, "image/jpeg"), "")
	wantContent(t, s, "photos/aa/one", first)
	wantCode(t, "Put of another size", s.Put(t.Context(), "photos/aa/one", second[:10], "image/jpeg"), audit.CodeConflict)
	wantContent(t, s, "photos/aa/one", first)
}

func testObjectOneWinner(t *testing.T, open func(t *testing.T) Objects) {
	s := open(t)
	const writers = 16
	bodies := make([][]byte, writers)
	var wg sync.WaitGroup
	for i := range writers {
		bodies[i] = slices.Repeat([]byte{byte(i)}, 200_000)
		wg.Go(func() {
			if err := s.Put(t.Context(), "photos/ra/race", bodies[i], "image/jpeg"); err != nil {
				t.Errorf("writer %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	r, _, err := s.Open(t.Context(), "photos/ra/race")
	wantCode(t, "Open", err, "")
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || !slices.ContainsFunc(bodies, func(b []byte) bool { return bytes.Equal(b, got) }) {
		t.Errorf("the object is none of those that were put: %d bytes, error %v", len(got), err)
	}
	if got, want := keys(t, s, ""), []string{"photos/ra/race"}; !slices.Equal(got, want) {
		t.Errorf("List = %v, want %v alone", got, want)
	}
}

func keys(t testing.TB, s Objects, prefix string) []string {
	t.Helper()
	var all []string
	for info, err := range s.List(t.Context(), prefix) {
		wantCode(t, "List", err, "")
		all = append(all, info.Key)
	}
	slices.Sort(all)
	return all
}

func testObjectList(t *testing.T, open func(t *testing.T) Objects) {
	s := open(t)
	if got := keys(t, s, ""); len(got) != 0 {
		t.Fatalf("List of an empty store = %v", got)
	}
	var want []string
	for i := range 25 {
		key := fmt.Sprintf("photos/%02d/photo-%02d", i%3, i)
		wantCode(t, "Put", s.Put(t.Context(), key, noise(i+1), "image/png"), "")
		want = append(want, key)
	}
	slices.Sort(want)
	for _, prefix := range []string{"", "photos/", "photos/01/", "photos/01/photo-1", "photos/0", "other", "photos/01/photo-10x"} {
		matching := slices.DeleteFunc(slices.Clone(want), func(k string) bool { return !strings.HasPrefix(k, prefix) })
		if diff := cmp.Diff(matching, append([]string{}, keys(t, s, prefix)...)); diff != "" {
			t.Errorf("List(%q) (-want +got):\n%s", prefix, diff)
		}
	}
	for info, err := range s.List(t.Context(), "photos/02/photo-20") {
		if err != nil || info.Size != 21 {
			t.Errorf("List gives %+v, %v; want 21 bytes", info, err)
		}
		break // leaving early is fine
	}
}

func testObjectDelete(t *testing.T, open func(t *testing.T) Objects) {
	s := open(t)
	wantCode(t, "Put", s.Put(t.Context(), "photos/de/l", noise(10), "image/jpeg"), "")
	wantCode(t, "Delete", s.Delete(t.Context(), "photos/de/l"), "")
	_, err := s.Stat(t.Context(), "photos/de/l")
	wantCode(t, "Stat after Delete", err, audit.CodeNotFound)
	wantCode(t, "Delete again", s.Delete(t.Context(), "photos/de/l"), "")
	wantCode(t, "Put again", s.Put(t.Context(), "photos/de/l", noise(11), "image/jpeg"), "")
	wantContent(t, s, "photos/de/l", noise(11))
}

func testObjectAbsent(t *testing.T, open func(t *testing.T) Objects) {
	s := open(t)
	wantCode(t, "Put", s.Put(t.Context(), "photos/aa/one", noise(10), "image/jpeg"), "")
	for _, key := range []string{"nothing", "photos/aa/two", "photos/aa", "photos", "photos/aa/one/more"} {
		_, _, err := s.Open(t.Context(), key)
		wantCode(t, "Open "+key, err, audit.CodeNotFound)
		_, err = s.Stat(t.Context(), key)
		wantCode(t, "Stat "+key, err, audit.CodeNotFound)
		if key != "photos/aa" && key != "photos" {
			wantCode(t, "Delete "+key, s.Delete(t.Context(), key), "")
		}
	}
	wantContent(t, s, "photos/aa/one", noise(10))
}

func testObjectHostileKeys(t *testing.T, open func(t *testing.T) Objects) {
	s := open(t)
	for _, key := range []string{"", ".", "..", "/", "/etc/passwd", "../outside", "photos/../../outside", "photos//x", "photos/./x",
		"photos/x/", "a\x00b", "a\nb", "a\\b", "c:d", "\xff\xfe", storage.ReservedPrefix + "x", "photos/" + storage.ReservedPrefix,
		strings.Repeat("k", 256), strings.Repeat("kk/", 400) + "k"} {
		wantCode(t, fmt.Sprintf("Put %.40q", key), s.Put(t.Context(), key, []byte("x"), "image/jpeg"), audit.CodeInvalid)
		_, _, err := s.Open(t.Context(), key)
		wantCode(t, fmt.Sprintf("Open %.40q", key), err, audit.CodeInvalid)
		_, err = s.Stat(t.Context(), key)
		wantCode(t, fmt.Sprintf("Stat %.40q", key), err, audit.CodeInvalid)
		wantCode(t, fmt.Sprintf("Delete %.40q", key), s.Delete(t.Context(), key), audit.CodeInvalid)
	}
	for _, key := range []string{"a b+c%20d&e=f?g#h", "photos/ünïcode/日本", "...", "a..b", "-rf", "'\"<>|*", strings.Repeat("k", 255)} {
		wantCode(t, fmt.Sprintf("Put %.40q", key), s.Put(t.Context(), key, noise(5), "image/jpeg"), "")
		wantContent(t, s, key, noise(5))
		if got := keys(t, s, key); !slices.Equal(got, []string{key}) {
			t.Errorf("List(%.40q) = %.80q", key, got)
		}
	}
}

func testObjectCancelled(t *testing.T, open func(t *testing.T) Objects) {
	s := open(t)
	wantCode(t, "Put", s.Put(t.Context(), "photos/aa/one", noise(10), "image/jpeg"), "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantCode(t, "Put", s.Put(ctx, "photos/aa/two", noise(10), "image/jpeg"), audit.CodeUnavailable)
	_, _, err := s.Open(ctx, "photos/aa/one")
	wantCode(t, "Open", err, audit.CodeUnavailable)
	_, err = s.Stat(ctx, "photos/aa/one")
	wantCode(t, "Stat", err, audit.CodeUnavailable)
	wantCode(t, "Delete", s.Delete(ctx, "photos/aa/one"), audit.CodeUnavailable)
	wantCode(t, "Ping", s.Ping(ctx), audit.CodeUnavailable)
	failed := false
	for _, err := range s.List(ctx, "") {
		failed = failed || audit.ErrorCode(err) == audit.CodeUnavailable
	}
	if !failed {
		t.Error("List did not fail")
	}
	if got, want := keys(t, s, ""), []string{"photos/aa/one"}; !slices.Equal(got, want) {
		t.Errorf("List = %v, want %v: nothing was put or deleted", got, want)
	}
}

func testObjectDurable(t *testing.T, open func(t *testing.T) Objects) {
	wantCode(t, "Put", open(t).Put(t.Context(), "photos/du/rable", noise(100_000), "image/jpeg"), "")
	wantContent(t, open(t), "photos/du/rable", noise(100_000))
}
