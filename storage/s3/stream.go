package s3

import (
	"context"
	"io"
	"time"
)

// stream is an object being read. It ends where the store falls silent: a photo may
// take long, but not for ever.
type stream struct {
	body   io.ReadCloser
	cancel context.CancelFunc
	timer  *time.Timer
}

func newStream(body io.ReadCloser, cancel context.CancelFunc) *stream {
	s := &stream{body: body, cancel: cancel, timer: time.AfterFunc(idleTimeout, cancel)}
	s.timer.Stop() // silence counts only while somebody waits for bytes
	return s
}

func (s *stream) Read(p []byte) (int, error) {
	s.timer.Reset(idleTimeout)
	n, err := s.body.Read(p)
	s.timer.Stop()
	if err != nil && err != io.EOF {
		err = failure("the object cannot be read", err)
	}
	return n, err
}

// Close lets the connection go.
func (s *stream) Close() error {
	s.timer.Stop()
	err := s.body.Close()
	s.cancel()
	return err
}
