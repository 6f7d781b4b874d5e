package main

import (
	"bytes"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"porchlight/audit"
)

// asWorker makes a child of the test binary be a vision worker without models, which
// answers every photo and obeys those that are orders; its value names a file that gets
// a line at each start.
const asWorker = "PORCHLIGHT_TEST_AS_WORKER"

// workerMain is that worker.
func workerMain() {
	f := flag.NewFlagSet("worker", flag.ExitOnError)
	listen := f.String("listen", "", "")
	f.String("models", "", "")
	f.Duration("deadline", 0, "")
	f.Bool("follow-stdin", false, "")
	_ = f.Parse(os.Args[1:])
	starts, err := os.OpenFile(os.Getenv(asWorker), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	starts.WriteString("started\n")
	if os.Getenv(asWorker+"_DIES") != "" {
		os.Stderr.WriteString("no models here\n")
		os.Exit(1)
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	path := strings.TrimPrefix(*listen, "unix:")
	os.Remove(path)
	l, err := net.Listen("unix", path)
	if err != nil {
		panic(err)
	}
	hung := make(chan struct{})
	var held [][]byte
	panic(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-hung:
			http.Error(w, "a photo is being read for too long", http.StatusServiceUnavailable)
			return
		default:
		}
		photo, _ := io.ReadAll(r.Body)
		switch string(photo) {
		case "crash":
			os.Exit(3)
		case "hang":
			close(hung)
			time.Sleep(time.Hour)
		case "grow":
			held = append(held, bytes.Repeat([]byte("x"), 300<<20))
		}
		io.WriteString(w, `{"models":["orders 1"]}`)
	})))
}

// startSupervisor supervises such a worker, and returns the file with its starts.
func startSupervisor(t *testing.T, memory int64) (*supervisor, string) {
	t.Helper()
	starts := filepath.Join(t.TempDir(), "starts")
	t.Setenv(asWorker, starts)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSupervisor(supervisorConfig{program: self, deadline: time.Second, memory: memory, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, starts
}

func countStarts(t *testing.T, file string) int {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Count(string(b), "\n")
}

// TestSupervisor gives a worker photos that end it: each costs its own reading at most,
// and a new worker reads the next.
func TestSupervisor(t *testing.T) {
	for _, order := range []string{"crash", "hang", "grow"} {
		t.Run(order, func(t *testing.T) {
			s, starts := startSupervisor(t, 250<<20)
			if r, err := s.Read(t.Context(), []byte("fine")); err != nil || len(r.Models) != 1 {
				t.Fatalf("a first photo: %+v, %v", r, err)
			}
			if _, err := s.Read(t.Context(), []byte(order)); order != "grow" && audit.ErrorCode(err) != audit.CodeUnavailable {
				t.Errorf("the photo that ends the worker: %v, want code %q", err, audit.CodeUnavailable)
			}
			for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
				_, err := s.Read(t.Context(), []byte("fine"))
				if err == nil && countStarts(t, starts) == 2 {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("after a minute: %v, %d starts, want 2 and a reading", err, countStarts(t, starts))
				}
			}
		})
	}
}

// TestSupervisorBacksOff holds that a worker that never comes up is started ever less
// often, and that nobody waits for it.
func TestSupervisorBacksOff(t *testing.T) {
	t.Setenv(asWorker+"_DIES", "1")
	s, starts := startSupervisor(t, 0)
	_, err := s.Read(t.Context(), []byte("fine"))
	if audit.ErrorCode(err) != audit.CodeUnavailable || !strings.Contains(err.Error(), "no models here") {
		t.Errorf("got %v, want code %q with what the worker said", err, audit.CodeUnavailable)
	}
	time.Sleep(3 * time.Second)
	// After pauses of 0.2, 0.4, 0.8 and 1.6 seconds there were at most five.
	if n := countStarts(t, starts); n < 2 || n > 5 {
		t.Errorf("%d starts in three seconds, want 2 to 5", n)
	}
}

// TestSupervisorWithoutProgram holds that nothing is started where no worker is installed.
func TestSupervisorWithoutProgram(t *testing.T) {
	var said bytes.Buffer
	s, err := newSupervisor(supervisorConfig{deadline: time.Second, log: slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	for range 3 {
		if _, err := s.Read(t.Context(), []byte("fine")); audit.ErrorCode(err) != audit.CodeUnavailable {
			t.Errorf("got %v, want code %q", err, audit.CodeUnavailable)
		}
	}
	s.Close()
	if said.Len() > 0 {
		t.Errorf("it said %s", said.String())
	}
}

// TestSupervisorCloses holds that the worker ends with its supervisor.
func TestSupervisorCloses(t *testing.T) {
	s, _ := startSupervisor(t, 0)
	if _, err := s.Read(t.Context(), []byte("fine")); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := os.Stat(s.dir); !os.IsNotExist(err) {
		t.Errorf("the socket's folder is still there: %v", err)
	}
	if _, err := s.Read(t.Context(), []byte("fine")); audit.ErrorCode(err) != audit.CodeUnavailable {
		t.Errorf("after its end: %v, want code %q", err, audit.CodeUnavailable)
	}
}
