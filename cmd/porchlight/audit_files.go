package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"porchlight/audit"
	"porchlight/audit/pixel/decode"
)

// auditLine is what `porchlight audit --json` prints for one file: the report, or the
// error, or both where the file is kept as a photo but does not decode.
type auditLine struct {
	File string `json:"file"`
	*audit.Report
	Error *audit.Problem `json:"error,omitempty"`
}

// measured is a file on its way from the workers to the judge.
type measured struct {
	file    string
	photoID string
	m       audit.Measurement
	err     error
}

// fileVisionTime is what looking at one file may take: nobody waits at a door for it.
const fileVisionTime = 2 * time.Minute

// auditFiles measures the files on several workers and judges them in the order in
// which they were given, so that the output is the same however many workers there are.
func auditFiles(cmd *cobra.Command, s *auditSettings, args []string) error {
	checklist, err := readChecklist(s.checklist)
	if err != nil {
		return err
	}
	lat, lon, err := parseStop(s.stop)
	if err != nil {
		return err
	}
	if s.workers < 1 {
		return fmt.Errorf("--workers %d: at least one is needed", s.workers)
	}
	if err := chooseDecoder(s.decoder); err != nil {
		return err
	}
	eyes, closeEyes, err := s.openVision(fileVisionTime, slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return err
	}
	defer closeEyes()
	files := walk(args)
	judge := &fileJudge{checklist: checklist, delivery: audit.Delivery{Stop: audit.Stop{Address: s.address, Latitude: lat, Longitude: lon}},
		oneStop: s.stop != "" || s.address != ""}
	out := newPrinter(cmd, s.json, len(files))
	faults := false
	for m := range measureFiles(cmd.Context(), looking(eyes), files, s.workers) {
		line := judge.line(m)
		faults = faults || line.Error != nil
		if err := out.print(line, checklist); err != nil {
			return err
		}
	}
	out.end()
	if err := cmd.Context().Err(); err != nil {
		return errors.New("interrupted")
	}
	if faults {
		return errDone
	}
	return nil
}

func chooseDecoder(name string) error {
	switch name {
	case "auto":
	case "go":
		decode.UseTurbo(false)
	case "turbo":
		if decode.Decoder() == "image/jpeg" {
			return errors.New("--decoder turbo: libturbojpeg is not installed (Debian: apt-get install libturbojpeg0)")
		}
	default:
		return fmt.Errorf("--decoder %q is none of auto, turbo, go", name)
	}
	return nil
}

var photoExtensions = []string{".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif"}

// walk lists the files to audit: named files as they are, folders walked for files
// with a photo's extension or a photo's first bytes. What cannot be listed is kept and
// fails when it is read.
func walk(args []string) []string {
	var out []string
	for _, arg := range args {
		if info, err := os.Stat(arg); err != nil || !info.IsDir() {
			out = append(out, arg)
			continue
		}
		filepath.WalkDir(arg, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				out = append(out, path)
			case isFile(path, d) && (slices.Contains(photoExtensions, strings.ToLower(filepath.Ext(path))) || startsAsPhoto(path)):
				out = append(out, path)
			}
			return nil
		})
	}
	return out
}

// isFile tells whether there is a file, or a link to one. Links to folders are not
// followed: they may go round in circles.
func isFile(path string, d fs.DirEntry) bool {
	if d.Type()&fs.ModeSymlink == 0 {
		return d.Type().IsRegular()
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func startsAsPhoto(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 64)
	n, _ := io.ReadFull(f, head)
	_, ok := decode.Sniff(head[:n])
	return ok
}

// measureFiles measures the files and yields them in order; at most twice as many as
// there are workers are under way, so that memory stays flat.
func measureFiles(ctx context.Context, measure audit.Measurer, files []string, workers int) func(yield func(measured) bool) {
	return func(yield func(measured) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		type job struct {
			file string
			done chan measured
		}
		jobs, order := make(chan job), make(chan job, 2*workers)
		var wg sync.WaitGroup
		defer wg.Wait()
		for range workers {
			wg.Go(func() {
				var buffer []byte
				for j := range jobs {
					var m measured
					m, buffer = measureFile(ctx, measure, j.file, buffer)
					j.done <- m
				}
			})
		}
		wg.Go(func() {
			defer close(order)
			defer close(jobs)
			for _, f := range files {
				j := job{f, make(chan measured, 1)}
				select {
				case order <- j:
				case <-ctx.Done():
					return
				}
				select {
				case jobs <- j:
				case <-ctx.Done():
					j.done <- measured{file: f, err: ctx.Err()}
					return
				}
			}
		})
		for j := range order {
			if m := <-j.done; ctx.Err() != nil || !yield(m) {
				cancel()
				for range order {
				}
				return
			}
		}
	}
}

// measureFile reads a file into the buffer, grown where it must be, and measures it.
func measureFile(ctx context.Context, measure audit.Measurer, file string, buffer []byte) (measured, []byte) {
	b, err := readFile(file, buffer)
	if err != nil {
		return measured{file: file, err: err}, buffer
	}
	m, err := measure(ctx, b)
	return measured{file: file, photoID: audit.PhotoID(b), m: m, err: err}, b
}

func readFile(file string, buffer []byte) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, audit.Errorf(audit.CodeUnreadable, "The file cannot be opened: %s", cause(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.IsDir() {
		return nil, audit.Errorf(audit.CodeUnreadable, "The file cannot be read")
	}
	buffer = buffer[:0]
	if n := info.Size(); n > audit.MaxPhotoBytes {
		return nil, audit.Errorf(audit.CodeTooLarge, "The file has %d bytes, a photo at most %d", n, audit.MaxPhotoBytes)
	} else if int(n)+1 > cap(buffer) {
		buffer = make([]byte, 0, n+n/4+512)
	}
	for {
		n, err := f.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		switch {
		case errors.Is(err, io.EOF):
			return buffer, nil
		case err != nil:
			return nil, audit.Errorf(audit.CodeUnreadable, "The file cannot be read: %s", cause(err))
		case len(buffer) > audit.MaxPhotoBytes:
			return nil, audit.Errorf(audit.CodeTooLarge, "The file has more than %d bytes", audit.MaxPhotoBytes)
		case len(buffer) == cap(buffer):
			buffer = slices.Grow(buffer, len(buffer)+512)
		}
	}
}

// cause is what the system says of a file, without its path.
func cause(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// fileJudge judges files one after another. Without a stop each file counts as a
// delivery of its own, so that a file given twice is a reuse.
type fileJudge struct {
	checklist *audit.Checklist
	delivery  audit.Delivery
	oneStop   bool
	seen      []seenFile
}

type seenFile struct {
	sighting    audit.Sighting
	fingerprint audit.Fingerprint
}

func (j *fileJudge) line(m measured) auditLine {
	if m.err != nil {
		return auditLine{File: m.file, Error: &audit.Problem{Code: audit.ErrorCode(m.err), Message: audit.ErrorMessage(m.err)}}
	}
	subject := audit.Subject{Alone: true, Upload: audit.Upload{PhotoID: m.photoID, Role: audit.Placement}, Known: audit.Known{Delivery: j.delivery}}
	if !j.oneStop {
		subject.Sightings = j.sightings(m)
	}
	r := j.checklist.Judge(m.m, subject)
	r.Measurement = &m.m
	return auditLine{File: m.file, Report: &r, Error: m.m.Problem}
}

// sightings are the earlier files with equal bytes or a similar fingerprint.
func (j *fileJudge) sightings(m measured) []audit.Sighting {
	own := seenFile{sighting: audit.Sighting{PhotoID: m.photoID, TrackingID: m.file}}
	if m.m.Decoded() {
		own.fingerprint, _ = audit.ParseFingerprint(m.m.Fingerprint)
		own.sighting.Quality = m.m.FingerprintQuality
	}
	var out []audit.Sighting
	for _, s := range j.seen {
		s.sighting.Distance = own.fingerprint.Distance(s.fingerprint)
		if s.sighting.PhotoID == m.photoID || (m.m.Decoded() && s.sighting.Quality > 0 && float64(s.sighting.Distance) <= j.checklist.Checks.Reuse.FailWithinBits) {
			out = append(out, s.sighting)
		}
	}
	j.seen = append(j.seen, own)
	return out
}
