package server

import (
	"context"
	"errors"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"porchlight/audit"
)

func TestMeasuring(t *testing.T) {
	m := StartMeasuring(1)
	defer m.Close()
	begun, end := make(chan struct{}), make(chan struct{})
	slow := m.Measurer(func(context.Context, []byte) (audit.Measurement, error) {
		close(begun)
		<-end
		return audit.Measurement{Version: "7"}, errors.New("as given")
	})
	type outcome struct {
		m   audit.Measurement
		err error
	}
	first := make(chan outcome)
	go func() {
		got, err := slow(context.Background(), nil)
		first <- outcome{got, err}
	}()
	<-begun

	// The only thread is taken: who does not wait any longer is let go.
	ctx, cancel := context.WithCancel(t.Context())
	second := make(chan error)
	go func() {
		_, err := m.Measurer(func(context.Context, []byte) (audit.Measurement, error) {
			t.Error("measured although nobody waited for it")
			return audit.Measurement{}, nil
		})(ctx, nil)
		second <- err
	}()
	for testutil.ToFloat64(m.waiting) != 1 {
	}
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled while waiting: %v, want %v", err, context.Canceled)
	}
	close(end)
	if got := <-first; got.m.Version != "7" || got.err == nil {
		t.Errorf("got %+v, want what the measurer answered", got)
	}

	// A panic is the caller's; the thread goes on.
	func() {
		defer func() {
			if got := recover(); got != "broken" {
				t.Errorf("recovered %v, want the panic", got)
			}
		}()
		_, _ = m.Measurer(func(context.Context, []byte) (audit.Measurement, error) { panic("broken") })(t.Context(), nil)
	}()
	if got, err := m.Measurer(func(context.Context, []byte) (audit.Measurement, error) { return audit.Measurement{Version: "8"}, nil })(t.Context(), nil); err != nil || got.Version != "8" {
		t.Errorf("after a panic: %+v, %v", got, err)
	}
	if n := testutil.ToFloat64(m.waiting); n != 0 {
		t.Errorf("%v wait, want none", n)
	}
}
