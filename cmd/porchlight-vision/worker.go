//go:build cgo

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"porchlight/audit"
	"porchlight/audit/pixel/decode"
	"porchlight/audit/vision"
)

// worker answers HTTP: a photo in, a reading out.
type worker struct {
	http.Handler
	read     func(context.Context, []byte) (vision.Reading, error)
	embed    func(context.Context, []byte) (vision.Embedding, error)
	models   []string
	deadline time.Duration
	log      *slog.Logger
	slots    chan struct{} // photos being read
	places   chan struct{} // photos being read or waiting, each held in memory

	mu      sync.Mutex
	reading map[*http.Request]time.Time // since when
}

// waiting is how many photos may wait for each that is read.
const waiting = 4

func newWorker(read func(context.Context, []byte) (vision.Reading, error), embed func(context.Context, []byte) (vision.Embedding, error), models []string, photos int, deadline time.Duration, log *slog.Logger) *worker {
	w := &worker{read: read, embed: embed, models: models, deadline: deadline, log: log, reading: map[*http.Request]time.Time{},
		slots: make(chan struct{}, photos), places: make(chan struct{}, photos*(1+waiting))}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/read", w.serveRead)
	mux.HandleFunc("POST /v1/embed", w.serveEmbed)
	mux.HandleFunc("GET /healthz", w.serveHealth)
	w.Handler = mux
	return w
}

// serveHealth answers 200 while photos are read in time, 503 once one hangs.
func (w *worker) serveHealth(out http.ResponseWriter, _ *http.Request) {
	w.mu.Lock()
	hangs := false
	for _, since := range w.reading {
		hangs = hangs || time.Since(since) > 2*w.deadline
	}
	w.mu.Unlock()
	if hangs {
		refuse(out, http.StatusServiceUnavailable, audit.CodeUnavailable, "A photo is being read for too long")
		return
	}
	answer(out, http.StatusOK, struct {
		Models []string `json:"models"`
	}{w.models})
}

func (w *worker) serveRead(out http.ResponseWriter, r *http.Request) {
	w.serve(out, r, func(ctx context.Context, b []byte) (any, error) {
		reading, err := w.read(ctx, b)
		return struct {
			vision.Reading
			Scene []byte `json:"scene"`
		}{reading, reading.Scene}, err
	})
}

func (w *worker) serveEmbed(out http.ResponseWriter, r *http.Request) {
	w.serve(out, r, func(ctx context.Context, b []byte) (any, error) { return w.embed(ctx, b) })
}

// serve answers with what look makes of the photo that is sent.
func (w *worker) serve(out http.ResponseWriter, r *http.Request, look func(context.Context, []byte) (any, error)) {
	select {
	case w.places <- struct{}{}:
		defer func() { <-w.places }()
	default:
		w.busy(out)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(out, r.Body, audit.MaxPhotoBytes))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			refuse(out, http.StatusRequestEntityTooLarge, audit.CodeTooLarge, fmt.Sprintf("A photo has at most %d bytes", audit.MaxPhotoBytes))
			return
		}
		refuse(out, http.StatusBadRequest, audit.CodeInvalid, "The photo did not arrive whole")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), w.deadline)
	defer cancel()
	select {
	case w.slots <- struct{}{}:
	case <-ctx.Done():
		w.busy(out)
		return
	}
	seen, err := w.inTime(ctx, r, body, look)
	var broken *decode.Error
	switch {
	case err == nil:
		answer(out, http.StatusOK, seen)
	case errors.As(err, &broken):
		refuse(out, http.StatusUnprocessableEntity, audit.CodeUndecodable, "The photo does not decode: "+broken.Error())
	case errors.Is(err, context.DeadlineExceeded):
		refuse(out, http.StatusGatewayTimeout, audit.CodeUnavailable, "Reading the photo took longer than "+w.deadline.String())
	case errors.Is(err, context.Canceled):
		// nobody waits for the answer
	default:
		w.log.Error("a photo was not read", "error", err)
		refuse(out, http.StatusInternalServerError, audit.CodeInternal, "The photo could not be read")
	}
}

// inTime looks at a photo and gives its slot back. A decoder cannot be stopped: one that works on past the deadline
// keeps the slot, and the answer does not wait for it.
func (w *worker) inTime(ctx context.Context, r *http.Request, b []byte, look func(context.Context, []byte) (any, error)) (any, error) {
	type outcome struct {
		seen any
		error
	}
	done := make(chan outcome, 1)
	go func() {
		defer func() { <-w.slots }()
		seen, err := w.guarded(ctx, r, b, look)
		done <- outcome{seen, err}
	}()
	select {
	case o := <-done:
		return o.seen, o.error
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// guarded looks at a photo; a panic is an error, with its stack in the log.
func (w *worker) guarded(ctx context.Context, r *http.Request, b []byte, look func(context.Context, []byte) (any, error)) (seen any, err error) {
	w.mu.Lock()
	w.reading[r] = time.Now()
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		delete(w.reading, r)
		w.mu.Unlock()
		if p := recover(); p != nil {
			w.log.Error("panic", "error", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return look(ctx, b)
}

func (w *worker) busy(out http.ResponseWriter) {
	out.Header().Set("Retry-After", "1")
	refuse(out, http.StatusServiceUnavailable, audit.CodeBusy, "Too many photos at once")
}

func refuse(out http.ResponseWriter, status int, code audit.Code, message string) {
	answer(out, status, struct {
		Error audit.Problem `json:"error"`
	}{audit.Problem{Code: code, Message: message}})
}

func answer(out http.ResponseWriter, status int, v any) {
	out.Header().Set("Content-Type", "application/json")
	out.WriteHeader(status)
	json.NewEncoder(out).Encode(v)
}
