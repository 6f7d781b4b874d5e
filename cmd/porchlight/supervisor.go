package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"porchlight/audit"
	"porchlight/audit/vision"
	"porchlight/server/worker"
)

// Pauses and periods of a supervisor.
const (
	startTime  = 2 * time.Minute // from start to the first answer; a loaded machine takes its time
	checkEvery = time.Second
	checkTime  = 5 * time.Second
	checksMiss = 3 // health checks in a row without an answer
	firstPause = 200 * time.Millisecond
	lastPause  = 30 * time.Second
	steady     = time.Minute // running for so long, a worker's earlier ends are forgotten
)

// supervisorConfig is how a worker is started.
type supervisorConfig struct {
	program  string // none where empty: nothing is started
	models   string
	deadline time.Duration // for one photo
	memory   int64         // bytes of resident memory that end a worker
	log      *slog.Logger
}

// supervisor runs a vision worker of its own: it starts it with the first photo, watches
// that it answers and stays small, and starts it anew, after growing pauses, when it
// ends for whatever reason.
type supervisor struct {
	supervisorConfig
	*worker.Client
	dir    string // of the socket, this user's alone
	start  sync.Once
	cancel context.CancelFunc
	ctx    context.Context
	done   chan struct{}

	mu    sync.Mutex
	ready chan struct{} // closed while a worker answers
	gave  error         // why the last worker never answered
}

func newSupervisor(c supervisorConfig) (*supervisor, error) {
	dir, err := os.MkdirTemp("", "porchlight-vision-")
	if err != nil {
		return nil, err
	}
	client, err := worker.New(worker.Config{URL: "unix:" + filepath.Join(dir, "socket"), Timeout: c.deadline + 5*time.Second})
	if err != nil {
		return nil, err
	}
	s := &supervisor{supervisorConfig: c, Client: client, dir: dir, ready: make(chan struct{}), done: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Start starts the worker, once; it does not wait for it.
func (s *supervisor) Start() {
	if s.program != "" {
		s.start.Do(func() { go s.run() })
	}
}

// Close ends the worker and waits for its end.
func (s *supervisor) Close() {
	s.cancel()
	s.start.Do(func() { close(s.done) }) // never started
	<-s.done
	os.RemoveAll(s.dir)
}

// Read has a photo looked at, once a worker answers.
func (s *supervisor) Read(ctx context.Context, photo []byte) (vision.Reading, error) {
	if err := s.await(ctx); err != nil {
		return vision.Reading{}, err
	}
	return s.Client.Read(ctx, photo)
}

// Embed is what the backbone makes of a photo, once a worker answers.
func (s *supervisor) Embed(ctx context.Context, photo []byte) (vision.Embedding, error) {
	if err := s.await(ctx); err != nil {
		return vision.Embedding{}, err
	}
	return s.Client.Embed(ctx, photo)
}

// Models names the models of the worker, once it answers.
func (s *supervisor) Models(ctx context.Context) ([]string, error) {
	if err := s.await(ctx); err != nil {
		return nil, err
	}
	return s.Client.Models(ctx)
}

// await waits for the first answer of a worker that is starting; for one that failed to
// start nobody waits.
func (s *supervisor) await(ctx context.Context) error {
	s.Start()
	if s.program == "" {
		return audit.Errorf(audit.CodeUnavailable, "The vision worker is not installed")
	}
	s.mu.Lock()
	ready, gave := s.ready, s.gave
	s.mu.Unlock()
	if gave != nil {
		return audit.Errorf(audit.CodeUnavailable, "The vision worker does not answer", gave)
	}
	select {
	case <-ready:
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.gave != nil {
			return audit.Errorf(audit.CodeUnavailable, "The vision worker does not answer", s.gave)
		}
		return nil
	case <-ctx.Done():
		return audit.Errorf(audit.CodeUnavailable, "The vision worker does not answer", ctx.Err())
	case <-s.ctx.Done():
		return audit.Errorf(audit.CodeUnavailable, "The vision worker has ended", s.ctx.Err())
	}
}

// run keeps a worker running until the supervisor is closed.
func (s *supervisor) run() {
	defer close(s.done)
	pause := firstPause
	for s.ctx.Err() == nil {
		started := time.Now()
		err := s.once()
		if s.ctx.Err() != nil {
			return
		}
		if time.Since(started) > steady {
			pause = firstPause
		}
		s.log.Error("the vision worker ended", "error", err, "again_in", pause)
		s.settle(err)
		select {
		case <-time.After(pause):
		case <-s.ctx.Done():
		}
		pause = min(2*pause, lastPause)
	}
}

// settle notes that a worker answers (nil) or why there is none, and lets those go on
// who wait for it.
func (s *supervisor) settle(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gave = err
	select {
	case <-s.ready:
	default:
		close(s.ready)
	}
}

// once runs one worker to its end.
func (s *supervisor) once() error {
	ctx, cancel := context.WithCancelCause(s.ctx)
	defer cancel(nil)
	cmd := exec.CommandContext(ctx, s.program, "--listen", "unix:"+filepath.Join(s.dir, "socket"), "--models", s.models,
		"--deadline", s.deadline.String(), "--follow-stdin")
	// The worker ends with its standard input, so that it never outlives this process,
	// however that ends.
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	defer stdin.Close()
	said, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var last string
	var reading sync.WaitGroup
	reading.Go(func() { last = s.relay(said) })
	var watching sync.WaitGroup
	watching.Go(func() { cancel(s.watch(ctx, cmd.Process.Pid)) })
	reading.Wait()
	err = cmd.Wait()
	cause := context.Cause(ctx)
	cancel(nil)
	watching.Wait()
	switch {
	case cause != nil:
		return cause
	case last != "":
		return fmt.Errorf("%v: %s", err, last)
	}
	return fmt.Errorf("it ended by itself: %v", err)
}

// relay logs what the worker says on its standard error, and returns the last line.
func (s *supervisor) relay(r io.Reader) (last string) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 256<<10)
	for lines.Scan() {
		if last = lines.Text(); last != "" {
			s.log.Debug("vision worker", "says", last)
		}
	}
	io.Copy(io.Discard, r) // a line too long to be kept must not block the worker
	return last
}

// watch returns why the worker has to end, once it has to: it did not come up, stopped
// answering, or grew too large.
func (s *supervisor) watch(ctx context.Context, pid int) error {
	started, missed, up := time.Now(), 0, false
	for {
		check, cancel := context.WithTimeout(ctx, checkTime)
		_, err := s.Client.Models(check)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil && !up:
			up = true
			s.settle(nil)
			fallthrough
		case err == nil:
			missed = 0
		case up:
			missed++
		}
		if missed >= checksMiss {
			return fmt.Errorf("killed: it does not answer: %w", err)
		}
		if !up && time.Since(started) > startTime {
			return fmt.Errorf("killed: it did not start within %s", startTime)
		}
		if rss, ok := residentBytes(pid); ok && s.memory > 0 && rss > s.memory {
			return fmt.Errorf("killed: it holds %d MiB, --vision-memory is %d", rss>>20, s.memory>>20)
		}
		every := checkEvery
		if !up {
			every = 20 * time.Millisecond
		}
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return nil
		}
	}
}

// residentBytes is how much memory a process holds, where the system tells (Linux).
func residentBytes(pid int) (int64, bool) {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "statm"))
	if err != nil {
		return 0, false
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0, false
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err == nil
}
