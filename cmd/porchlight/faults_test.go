package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"porchlight/audit"
	"porchlight/fixtures"
)

// storm is many photos, each for a delivery of its own, sent by eight clients that try
// again until each is acknowledged, whatever happens to the server in between.
type storm struct {
	t      *testing.T
	p      *process
	token  string
	photos [][]byte
	acked  []atomic.Bool

	acknowledged, refused, lost atomic.Int64 // answers 200 or 201, answers 503, no answer
}

// newStorm imports n deliveries and draws their photos.
func newStorm(t *testing.T, p *process, at []string, n int) *storm {
	t.Helper()
	s := &storm{t: t, p: p, token: newToken(t, at, "--role", "admin"), photos: make([][]byte, n), acked: make([]atomic.Bool, n)}
	rows := bytes.NewBufferString("tracking_id,address\n")
	for i := range n {
		fmt.Fprintf(rows, "T%d,%d Elm St\n", i, i)
		s.photos[i] = stormPhoto(i)
	}
	p.do(http.StatusOK, "POST", "/api/v1/deliveries", s.token, "text/csv", rows.Bytes())
	return s
}

// stormScenes are drawn once: drawing hundreds takes longer than sending them.
var stormScenes = sync.OnceValue(func() (all [20][]byte) {
	for i := range all {
		all[i] = fixtures.Scene{Place: uint64(i), Shot: 1, Number: fmt.Sprint(i), Width: 320, Height: 240}.JPEG()
	}
	return all
})

// stormPhoto is a photo of its own for each i: bytes after the end of a picture make it so.
func stormPhoto(i int) []byte {
	scenes := stormScenes()
	return binary.BigEndian.AppendUint32(bytes.Clone(scenes[i%len(scenes)]), uint32(i))
}

// run sends everything. at is called once for each count of acknowledged photos that it
// names, while the clients go on.
func (s *storm) run(at map[int]func()) {
	s.t.Helper()
	jobs := make(chan int)
	var clients, faults sync.WaitGroup
	reached := make(chan int, len(s.photos))
	for range 8 {
		clients.Go(func() {
			for i := range jobs {
				if s.deliver(i) {
					reached <- int(s.acknowledged.Add(1))
				}
			}
		})
	}
	faults.Go(func() {
		for n := range reached {
			if fault := at[n]; fault != nil {
				fault()
			}
		}
	})
	for i := range s.photos {
		jobs <- i
	}
	close(jobs)
	clients.Wait()
	close(reached)
	faults.Wait()
}

// deliver sends one photo until it is acknowledged, for two minutes at most.
func (s *storm) deliver(i int) bool {
	body, contentType := form(s.t, s.photos[i], nil)
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		a, err := s.p.try("POST", fmt.Sprintf("/api/v1/deliveries/T%d/photos", i), s.token, contentType, body)
		switch {
		case err != nil:
			s.lost.Add(1)
		case a.status == http.StatusServiceUnavailable:
			s.refused.Add(1)
			if a.header.Get("Retry-After") == "" || !json.Valid(a.body) {
				s.t.Errorf("503 without Retry-After or problem document: %.300s", a.body)
			}
		case a.status == http.StatusOK || a.status == http.StatusCreated:
			s.acked[i].Store(true)
			return true
		default:
			s.t.Errorf("photo %d: status %d: %.300s", i, a.status, a.body)
			return false
		}
	}
	s.t.Errorf("photo %d was not taken within two minutes", i)
	return false
}

// refusedOrLost waits until n more requests have failed.
func (s *storm) refusedOrLost(n int64) {
	for from := s.refused.Load() + s.lost.Load(); s.refused.Load()+s.lost.Load() < from+n; {
		time.Sleep(20 * time.Millisecond)
	}
}

// check holds that every acknowledged photo is there, byte for byte, with one upload and
// one verdict, and prints the counts.
func (s *storm) check(faults int) {
	s.t.Helper()
	there := 0
	for i, photo := range s.photos {
		if !s.acked[i].Load() {
			s.t.Errorf("photo %d was never acknowledged", i)
			continue
		}
		got := s.p.do(http.StatusOK, "GET", "/api/v1/photos/"+audit.PhotoID(photo), s.token, "", nil)
		if !bytes.Equal(got.body, photo) {
			s.t.Errorf("photo %d comes back as %d bytes, want %d", i, len(got.body), len(photo))
			continue
		}
		var d struct {
			Photos []struct{ Report struct{ Verdict string } }
		}
		s.p.do(http.StatusOK, "GET", fmt.Sprintf("/api/v1/deliveries/T%d", i), s.token, "", nil).json(s.t, &d)
		if len(d.Photos) != 1 || d.Photos[0].Report.Verdict == "" {
			s.t.Errorf("delivery T%d has %d photos, want one with a verdict", i, len(d.Photos))
			continue
		}
		there++
	}
	s.t.Logf("%d photos, %d faults: %d acknowledged, %d refused with 503, %d without an answer; %d there with their digest and verdict",
		len(s.photos), faults, s.acknowledged.Load(), s.refused.Load(), s.lost.Load(), there)
}

// TestKillDuringUploads kills the server process five times while 500 photos arrive.
func TestKillDuringUploads(t *testing.T) {
	for name, stores := range sites {
		t.Run(name, func(t *testing.T) {
			at := append([]string{"--data", t.TempDir()}, stores(t)...)
			p := startServer(t, append(at, "--log-level", "error")...)
			s := newStorm(t, p, at, 500)
			restart := func() { p.kill(); p.start() }
			s.run(map[int]func(){17: restart, 101: restart, 230: restart, 333: restart, 480: restart})
			s.check(5)
		})
	}
}

// TestStoreGoesAndComesBack kills the S3 server and Postgres under a running service:
// what cannot be kept is refused, /readyz names the part, and the service goes on by
// itself when the store is back.
func TestStoreGoesAndComesBack(t *testing.T) {
	for part, own := range map[string]func(*testing.T) (*daemon, []string){"objects": ownS3, "records": ownPostgres} {
		t.Run(part, func(t *testing.T) {
			store, flags := own(t)
			at := append([]string{"--data", t.TempDir()}, flags...)
			p := startServer(t, append(at, "--log-level", "error")...)
			s := newStorm(t, p, at, 120)
			outage := func() {
				store.kill()
				s.refusedOrLost(10)
				a, err := p.try("GET", "/readyz", "", "", nil)
				var ready struct{ Parts map[string]string }
				if err != nil || a.status != http.StatusServiceUnavailable || json.Unmarshal(a.body, &ready) != nil || ready.Parts[part] != "not ready" {
					t.Errorf("/readyz while %s are down: %d %s (%v)", part, a.status, a.body, err)
				}
				store.start()
			}
			s.run(map[int]func(){30: outage, 80: outage})
			s.check(2)
			if s.refused.Load() == 0 {
				t.Error("no photo was refused while the store was down")
			}
			if s.lost.Load() > 0 {
				t.Errorf("%d requests got no answer, want 503 each", s.lost.Load())
			}
		})
	}
}

// TestFullDisk fills the disk with photos: what does not fit is refused, what was
// acknowledged is there, and the service goes on when there is room again.
func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=32m"); err != nil {
		if os.Getuid() == 0 {
			t.Fatalf("mounting a small disk: %v", err)
		}
		t.Skipf("only root can mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 16<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	at := []string{"--data", filepath.Join(disk, "data")}
	p := startServer(t, append(at, "--log-level", "error")...)
	t.Cleanup(p.kill) // before the disk goes
	token := newToken(t, at, "--role", "admin")
	p.do(http.StatusOK, "POST", "/api/v1/deliveries", token, "text/csv", []byte("tracking_id,address\nT1,1 Elm St\n"))
	scene := fixtures.Scene{Place: 1, Shot: 1, Number: "1", Width: 320, Height: 240}.JPEG()
	photo := func(n uint32) []byte {
		// Bytes after the end of the picture make it heavy, and different each time.
		return binary.BigEndian.AppendUint32(append(bytes.Clone(scene), make([]byte, 600_000)...), n)
	}
	var kept []string
	refused := 0
	send := func(n uint32) int {
		a := p.send(t, token, "T1", photo(n))
		switch a.status {
		case http.StatusCreated, http.StatusOK:
			kept = append(kept, audit.PhotoID(photo(n)))
		case http.StatusServiceUnavailable:
			refused++
		default:
			t.Errorf("photo %d: status %d: %.300s", n, a.status, a.body)
		}
		return a.status
	}
	n := uint32(0)
	for ; refused < 8 && n < 60; n++ {
		send(n)
	}
	if refused < 8 {
		t.Fatalf("the disk never filled: %d photos kept", len(kept))
	}
	full := len(kept)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for end := n + 8; n < end; n++ {
		if got := send(n); got != http.StatusCreated {
			t.Errorf("with room again, photo %d: status %d, want 201", n, got)
		}
	}
	p.kill()
	p.start()
	for _, id := range kept {
		if got := p.do(http.StatusOK, "GET", "/api/v1/photos/"+id, token, "", nil); audit.PhotoID(got.body) != id {
			t.Errorf("photo %s comes back as other bytes", id)
		}
	}
	t.Logf("%d photos kept until the disk was full, %d refused with 503, %d more once there was room; all there after kill -9", full, refused, len(kept)-full)
}

// TestCutConnections cuts uploads off in the middle of their body: nothing of them is
// visible, and the server has nothing left of them.
func TestCutConnections(t *testing.T) {
	at := []string{"--data", t.TempDir()}
	p := startServer(t, append(at, "--log-level", "error")...)
	token := newToken(t, at, "--role", "admin")
	p.do(http.StatusOK, "POST", "/api/v1/deliveries", token, "text/csv", []byte("tracking_id,address\nT1,1 Elm St\n"))
	photo := fixtures.Scene{Place: 1, Shot: 1, Number: "1", Width: 640, Height: 480}.JPEG()
	body, contentType := form(t, photo, nil)
	head := fmt.Sprintf("POST /api/v1/deliveries/T1/photos HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n",
		token, contentType, len(body))
	const cuts = 100
	for i := range cuts {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(append([]byte(head), body[:len(body)*i/cuts]...)); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 { // half of them by a reset
			_ = conn.(*net.TCPConn).SetLinger(0)
		}
		conn.Close()
	}
	var d struct{ Photos []json.RawMessage }
	// A connection that was cut may still wait to be accepted: the last is over once
	// nothing has been in flight for a while.
	const quiet = 10
	calm := 0
	for i := 0; i < 600 && calm < quiet; i++ {
		time.Sleep(100 * time.Millisecond)
		calm++
		if !p.inFlight(0) {
			calm = 0
		}
	}
	if calm < quiet {
		t.Error("uploads that were cut off are still held")
	}
	p.do(http.StatusOK, "GET", "/api/v1/deliveries/T1", token, "", nil).json(t, &d)
	if len(d.Photos) != 0 {
		t.Errorf("%d photos are visible after %d cut uploads, want none", len(d.Photos), cuts)
	}
	if a := p.send(t, token, "T1", photo); a.status != http.StatusCreated {
		t.Errorf("the whole photo after that: status %d: %.300s", a.status, a.body)
	}
	t.Logf("%d uploads cut in mid-body: %d photos visible", cuts, len(d.Photos))
}

// TestCorruptedObject changes a stored photo behind the server's back: it is never
// handed out as the original, a packet says so instead of holding it, and the others are
// served as before.
func TestCorruptedObject(t *testing.T) {
	data := t.TempDir()
	at := []string{"--data", data}
	p := startServer(t, append(at, "--log-level", "error")...)
	s := newStorm(t, p, at, 10)
	s.run(nil)
	broken := audit.PhotoID(s.photos[3])
	file := filepath.Join(data, "objects", filepath.FromSlash(audit.ObjectKey(broken)))
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := errors.Join(os.Chmod(file, 0o600), os.WriteFile(file, b, 0o600)); err != nil {
		t.Fatal(err)
	}
	var problem struct{ Code string }
	a, err := p.try("GET", "/api/v1/photos/"+broken, s.token, "", nil)
	if err != nil || json.Unmarshal(a.body, &problem) != nil || problem.Code != string(audit.CodeCorrupted) {
		t.Errorf("the corrupted photo: %d %.300s (%v), want code %s", a.status, a.body, err, audit.CodeCorrupted)
	}
	p.do(http.StatusOK, "POST", "/api/v1/claims", s.token, "application/json",
		[]byte(`[{"claim_id":"C3","tracking_id":"T3","reported_at":"2026-11-21T09:00:00Z"},{"claim_id":"C4","tracking_id":"T4","reported_at":"2026-11-21T09:00:00Z"}]`))
	// A packet says that the original is damaged instead of holding it.
	var issued struct {
		PacketID string `json:"packet_id"`
	}
	p.do(http.StatusCreated, "POST", "/api/v1/claims/C3/packets", s.token, "", nil).json(t, &issued)
	packet := p.do(http.StatusOK, "GET", "/api/v1/packets/"+issued.PacketID+".json", s.token, "", nil).body
	if !bytes.Contains(packet, []byte(`"corrupted"`)) {
		t.Errorf("the packet does not say that its photo is damaged: %.2000s", packet)
	}
	zipped := p.do(http.StatusOK, "GET", "/api/v1/packets/"+issued.PacketID+".zip", s.token, "", nil).body
	if bytes.Contains(zipped, b) {
		t.Error("the packet holds the damaged photo")
	}
	p.do(http.StatusCreated, "POST", "/api/v1/claims/C4/packets", s.token, "", nil)
	intact := 0
	for i, photo := range s.photos {
		if i != 3 {
			p.do(http.StatusOK, "GET", "/api/v1/photos/"+audit.PhotoID(photo), s.token, "", nil)
			intact++
		}
	}
	t.Logf("1 corrupted object found on read and in its packet, %d intact ones served", intact)
}
