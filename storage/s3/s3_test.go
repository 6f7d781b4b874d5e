package s3_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"porchlight/audit"
	"porchlight/storage/s3"
	"porchlight/storage/storagetest"
)

// config is one with a bucket of its own on the real server that the environment names.
func config(t testing.TB) s3.Config {
	t.Helper()
	b := storagetest.S3(t)
	return s3.Config{Endpoint: b.Endpoint, AccessKey: b.AccessKey, SecretKey: b.SecretKey, Region: b.Region,
		Secure: b.Secure, Bucket: b.Name, Prefix: "some/where"}
}

func admin(t testing.TB, c s3.Config) *minio.Client {
	t.Helper()
	client, err := minio.New(c.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(c.AccessKey, c.SecretKey, ""), Secure: c.Secure, Region: c.Region})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func open(t testing.TB, c s3.Config) *s3.Store {
	t.Helper()
	s, err := s3.Open(t.Context(), c)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return s
}

func TestObjects(t *testing.T) {
	storagetest.TestObjects(t, func(t *testing.T) func(t *testing.T) storagetest.Objects {
		c := config(t)
		return func(t *testing.T) storagetest.Objects { return open(t, c) }
	})
}

// TestRetention holds that a lock's mode and date are set on each put and read back, and
// that neither Porchlight nor the store's own keys can delete what is locked.
func TestRetention(t *testing.T) {
	for _, mode := range []s3.LockMode{s3.Compliance, s3.Governance} {
		t.Run(string(mode), func(t *testing.T) {
			c := config(t)
			c.Retention, c.LockMode = 540*24*time.Hour, mode
			s := open(t, c)
			before := time.Now().Add(c.Retention).Truncate(time.Second)
			for range 2 { // the second time it is there already
				if err := s.Put(t.Context(), "photos/aa/one", []byte("bytes"), "image/jpeg"); err != nil {
					t.Fatalf("Put: %v", err)
				}
			}
			info, err := s.Stat(t.Context(), "photos/aa/one")
			if err != nil {
				t.Fatalf("Stat: %v", err)
			}
			if got := info.RetainUntil; got.Before(before) || got.After(before.Add(time.Minute)) {
				t.Errorf("locked until %v, want %v or a little later", got, before)
			}
			if got, want := audit.ErrorCode(s.Delete(t.Context(), "photos/aa/one")), audit.CodeImmutable; got != want {
				t.Errorf("Delete of a locked object: code %q, want %q", got, want)
			}
			// The store itself refuses, whatever this program thinks.
			object, err := admin(t, c).StatObject(t.Context(), c.Bucket, "some/where/photos/aa/one", minio.StatObjectOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if got := object.Metadata.Get("X-Amz-Object-Lock-Mode"); got != string(mode) {
				t.Errorf("locked in mode %q, want %q", got, mode)
			}
			err = admin(t, c).RemoveObject(t.Context(), c.Bucket, object.Key, minio.RemoveObjectOptions{VersionID: object.VersionID})
			if err == nil {
				t.Error("the store deleted a locked object")
			}
			versioned(t, c)
			race(t, s, c)
		})
	}
}

// versioned holds that a plain deletion, which a versioned bucket takes, only hides a
// locked object: its version is still there, byte for byte.
func versioned(t *testing.T, c s3.Config) {
	const key = "some/where/photos/aa/one"
	client := admin(t, c)
	object, err := client.StatObject(t.Context(), c.Bucket, key, minio.StatObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if object.VersionID == "" {
		t.Fatal("a locked object has no version")
	}
	_ = client.RemoveObject(t.Context(), c.Bucket, key, minio.RemoveObjectOptions{}) // some stores refuse even that
	r, err := client.GetObject(t.Context(), c.Bucket, key, minio.GetObjectOptions{VersionID: object.VersionID})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); err != nil || string(b) != "bytes" {
		t.Errorf("the locked version is %q (%v), want what was put", b, err)
	}
}

// race puts one locked object sixteen times at once: one put makes it, the others find
// it, and it has one version. Other bytes under its key are refused.
func race(t *testing.T, s *s3.Store, c s3.Config) {
	var wg sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		wg.Go(func() { errs[i] = s.Put(t.Context(), "photos/ra/ce", []byte("the photo"), "image/jpeg") })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Errorf("Put: %v", err)
	}
	if err := s.Put(t.Context(), "photos/ra/ce", []byte("another"), "image/jpeg"); err == nil {
		t.Error("other bytes under a taken key were acknowledged")
	}
	versions := 0
	for o := range admin(t, c).ListObjectsIter(t.Context(), c.Bucket, minio.ListObjectsOptions{Prefix: "some/where/photos/ra/ce", WithVersions: true}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		versions++
	}
	if versions != 1 {
		t.Errorf("after the race the object has %d versions, want 1", versions)
	}
}

func TestRetentionNeedsObjectLock(t *testing.T) {
	c := config(t)
	open(t, c) // makes the bucket, without
	c.Retention = time.Hour
	_, err := s3.Open(t.Context(), c)
	if got, want := audit.ErrorCode(err), audit.CodeInvalid; got != want {
		t.Errorf("Open: code %q (%v), want %q", got, err, want)
	}
}

func TestMediaTypeAndDigestAreKept(t *testing.T) {
	c := config(t)
	if err := open(t, c).Put(t.Context(), "photos/aa/one", []byte("bytes"), "image/heic"); err != nil {
		t.Fatal(err)
	}
	o, err := admin(t, c).StatObject(t.Context(), c.Bucket, "some/where/photos/aa/one", minio.StatObjectOptions{Checksum: true})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := o.ContentType, "image/heic"; got != want {
		t.Errorf("media type = %q, want %q", got, want)
	}
	if got, want := o.ChecksumSHA256, "J3CJ2RwL308uaGK6fkoHYFEZQx9dE/cm3TUrBvGyBqk="; got != want {
		t.Errorf("SHA-256 = %q, want %q", got, want)
	}
}

func TestRefusals(t *testing.T) {
	c := config(t)
	for name, test := range map[string]struct {
		change func(*s3.Config)
		want   audit.Code
	}{
		"wrong secret":   {func(c *s3.Config) { c.SecretKey = "not the secret" }, audit.CodeUnavailable},
		"nobody there":   {func(c *s3.Config) { c.Endpoint = "127.0.0.1:1" }, audit.CodeUnavailable},
		"no address":     {func(c *s3.Config) { c.Endpoint = "http://x/y?z" }, audit.CodeInvalid},
		"no bucket name": {func(c *s3.Config) { c.Bucket = "A" }, audit.CodeInvalid},
		"climbing":       {func(c *s3.Config) { c.Prefix = "../x" }, audit.CodeInvalid},
		"no lock mode":   {func(c *s3.Config) { c.LockMode = "FOREVER" }, audit.CodeInvalid},
		"negative time":  {func(c *s3.Config) { c.Retention = -1 }, audit.CodeInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			broken := c
			test.change(&broken)
			_, err := s3.Open(t.Context(), broken)
			if got := audit.ErrorCode(err); got != test.want {
				t.Fatalf("Open: code %q (%v), want %q", got, err, test.want)
			}
			if strings.Contains(err.Error(), c.SecretKey) {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

// breaker is a line to the store that can be cut.
type breaker struct {
	net.Listener
	cut atomic.Bool
	// answersLost lets requests through and cuts the line before the answer.
	answersLost atomic.Int32
}

func newBreaker(t *testing.T, target string) *breaker {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &breaker{Listener: l}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			go b.serve(near, target)
		}
	}()
	return b
}

func (b *breaker) serve(near net.Conn, target string) {
	defer near.Close()
	if b.cut.Load() {
		return
	}
	far, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer far.Close()
	go func() {
		b.pass(far, near, func() bool { return false })
		far.Close()
	}()
	b.pass(near, far, func() bool { return b.answersLost.Load() > 0 && b.answersLost.Add(-1) >= 0 })
}

// pass copies until the line is cut, or a piece of it is lost.
func (b *breaker) pass(to io.Writer, from io.Reader, lost func() bool) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if b.cut.Load() || n > 0 && lost() {
			return
		}
		if _, werr := to.Write(buffer[:n]); err != nil || werr != nil {
			return
		}
	}
}

func TestLostAnswerAndLostLine(t *testing.T) {
	c := config(t)
	if c.Secure {
		t.Skip("the line is cut below TLS")
	}
	line := newBreaker(t, c.Endpoint)
	c.Endpoint = line.Addr().String()
	s := open(t, c)
	line.answersLost.Store(1)
	if err := s.Put(t.Context(), "photos/lo/st", []byte("bytes"), "image/jpeg"); err != nil {
		t.Errorf("Put whose first answer was lost: %v", err)
	}
	line.cut.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	err := s.Put(ctx, "photos/cu/t", []byte("bytes"), "image/jpeg")
	if got, want := audit.ErrorCode(err), audit.CodeUnavailable; got != want {
		t.Errorf("Put over a cut line: code %q (%v), want %q", got, err, want)
	}
	line.cut.Store(false)
	if _, err := s.Stat(t.Context(), "photos/cu/t"); audit.ErrorCode(err) != audit.CodeNotFound {
		t.Errorf("Stat of what was not put: %v", err)
	}
	if err := s.Put(t.Context(), "photos/cu/t", []byte("bytes"), "image/jpeg"); err != nil {
		t.Errorf("Put after the line is back: %v", err)
	}
}

func TestReadIsCutWithItsContext(t *testing.T) {
	c := config(t)
	s := open(t, c)
	if err := s.Put(t.Context(), "photos/bi/g", make([]byte, 20_000_000), "image/jpeg"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, _, err := s.Open(ctx, "photos/bi/g")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cancel()
	_, err = io.Copy(io.Discard, r)
	if got, want := audit.ErrorCode(err), audit.CodeUnavailable; got != want || !errors.Is(err, context.Canceled) {
		t.Errorf("reading on: code %q (%v), want %q", got, err, want)
	}
}

func BenchmarkPut(b *testing.B) {
	s := open(b, config(b))
	photo := make([]byte, 3_000_000)
	b.ReportAllocs()
	b.SetBytes(int64(len(photo)))
	for i := 0; b.Loop(); i++ {
		photo[0], photo[1], photo[2] = byte(i), byte(i>>8), byte(i>>16)
		if err := s.Put(b.Context(), audit.ObjectKey(audit.PhotoID(photo)), photo, "image/jpeg"); err != nil {
			b.Fatal(err)
		}
	}
}
