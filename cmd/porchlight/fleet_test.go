package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"porchlight/audit"
	"porchlight/fixtures"
)

// TestTwoServers runs two services on one Postgres and one S3 store: the same photo sent
// to both at once is one upload, what one took in the other shows, and when one is killed
// the other goes on. A packet issued by either is signed with the key that they share.
func TestTwoServers(t *testing.T) {
	stores := sites["Postgres and S3"](t)
	keys := filepath.Join(t.TempDir(), "keys")
	var at [2][]string
	var servers [2]*process
	for i := range servers {
		at[i] = append([]string{"--data", t.TempDir(), "--keys", keys}, stores...)
		servers[i] = startServer(t, append(at[i], "--log-level", "error")...)
	}
	const n = 24
	s := newStorm(t, servers[0], at[0], n)
	token, photos := s.token, s.photos

	var created, known atomic.Int32
	var sending sync.WaitGroup
	for i, photo := range photos {
		body, contentType := form(t, photo, nil)
		for _, p := range servers {
			sending.Go(func() {
				a, err := p.try("POST", fmt.Sprintf("/api/v1/deliveries/T%d/photos", i), token, contentType, body)
				switch {
				case err != nil:
					t.Errorf("photo %d: %v", i, err)
				case a.status == http.StatusCreated:
					created.Add(1)
				case a.status == http.StatusOK:
					known.Add(1)
				case a.status != http.StatusServiceUnavailable:
					t.Errorf("photo %d: status %d: %.300s", i, a.status, a.body)
				}
			})
		}
		if i%8 == 7 {
			sending.Wait()
		}
	}
	sending.Wait()
	if created.Load() != n || known.Load() != n {
		t.Errorf("of %d photos sent twice %d were created and %d known, want each once", n, created.Load(), known.Load())
	}

	servers[0].do(http.StatusOK, "POST", "/api/v1/claims", token, "application/json", []byte(`{"claim_id":"C0","tracking_id":"T0"}`))
	for i, p := range servers {
		var issued struct {
			PacketID string `json:"packet_id"`
		}
		p.do(http.StatusCreated, "POST", "/api/v1/claims/C0/packets", token, "", nil).json(t, &issued)
		packet := servers[1-i].do(http.StatusOK, "GET", "/api/v1/packets/"+issued.PacketID+".zip", token, "", nil).body
		file := filepath.Join(t.TempDir(), "packet.zip")
		if err := os.WriteFile(file, packet, 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, 0, "verify", file, "--key", filepath.Join(keys, "porchlight.pub"))
	}

	servers[0].kill()
	late := fixtures.Scene{Place: 99, Shot: 1, Number: "99", Width: 320, Height: 240}.JPEG()
	if a := servers[1].send(t, token, "T1", late); a.status != http.StatusCreated {
		t.Errorf("with one server gone: status %d: %.300s", a.status, a.body)
	}
	for _, photo := range append(photos, late) {
		if got := servers[1].do(http.StatusOK, "GET", "/api/v1/photos/"+audit.PhotoID(photo), token, "", nil).body; !bytes.Equal(got, photo) {
			t.Errorf("a photo comes back as %d bytes, want %d", len(got), len(photo))
		}
	}
	run(t, 0, append([]string{"verify", "--custody"}, stores[:2]...)...)
}

// TestStop holds that a service that is told to stop finishes the upload that it began,
// and ends with exit status 0.
func TestStop(t *testing.T) {
	at := []string{"--data", t.TempDir()}
	p := startServer(t, append(at, "--log-level", "error")...)
	token := newToken(t, at, "--role", "admin")
	p.do(http.StatusOK, "POST", "/api/v1/deliveries", token, "text/csv", []byte("tracking_id,address\nT1,1 Elm St\n"))
	photo := fixtures.Scene{Place: 1, Shot: 1, Number: "1", Width: 640, Height: 480}.JPEG()
	body, contentType := form(t, photo, nil)
	slow, send := io.Pipe()
	req, err := http.NewRequest("POST", p.url+"/api/v1/deliveries/T1/photos", slow)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", contentType)
	status := make(chan int, 1)
	go func() {
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Errorf("the upload under way: %v", err)
			status <- 0
			return
		}
		res.Body.Close()
		status <- res.StatusCode
	}()
	if _, err := send.Write(body[:len(body)/2]); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 600 && !p.inFlight(1); i++ {
		time.Sleep(20 * time.Millisecond)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for range 600 { // until it takes no more
		res, err := http.Get(p.url + "/healthz")
		if err != nil {
			break
		}
		res.Body.Close()
		time.Sleep(20 * time.Millisecond)
	}
	if _, err := send.Write(body[len(body)/2:]); err != nil {
		t.Error(err)
	}
	send.Close()
	if got := <-status; got != http.StatusCreated {
		t.Errorf("the upload under way: status %d, want 201", got)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the service ended with %v, want exit status 0\n%s", err, p.log)
	}
	p.start()
	p.do(http.StatusOK, "GET", "/api/v1/photos/"+audit.PhotoID(photo), token, "", nil)
}
