//go:build cgo

// Porchlight-vision is the vision worker: it reads texts, packages and persons in
// photos, with the models that `porchlight models install` puts on the machine. It is a
// process of its own, so that whatever native code does to it never reaches the service.
//
//	porchlight-vision --listen unix:/run/porchlight/vision.sock
//	porchlight-vision --listen 127.0.0.1:8090
//
// POST /v1/read takes a photo's bytes and answers {"models", "texts", "boxes", "scene"}, and POST
// /v1/embed {"backbone", "values"}, which training a head takes; GET
// /healthz says whether it works and with which models. Porchlight starts a worker by
// itself where models are installed; any number of them can stand behind an address
// that `porchlight serve --vision URL` is given.
//
// It keeps nothing and trusts whoever reaches it: let only Porchlight reach it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"porchlight/storage/weights"
)

// version is set by the build.
var version = "dev"

// settings are the flags; each can also be given in the environment, as of porchlight.
type settings struct {
	listen, models string
	photos         int
	deadline       time.Duration
	followStdin    bool
}

func main() {
	var s settings
	f := pflag.NewFlagSet("porchlight-vision", pflag.ContinueOnError)
	f.StringVar(&s.listen, "listen", "127.0.0.1:8090", "`ADDRESS` to listen on, or unix:PATH")
	f.StringVar(&s.models, "models", "", "`FOLDER` with the models; default porchlight/models in the user's cache folder")
	f.IntVar(&s.photos, "photos", min(2, runtime.NumCPU()), "photos read at once")
	f.DurationVar(&s.deadline, "deadline", 20*time.Second, "how long reading one photo may take")
	f.BoolVar(&s.followStdin, "follow-stdin", false, "end when the standard input ends, as that of a program that started it")
	show := f.Bool("version", false, "print the version")
	for name, variable := range map[string]string{"models": "PORCHLIGHT_MODELS"} {
		if v, ok := os.LookupEnv(variable); ok {
			f.Set(name, v)
		}
	}
	switch err := f.Parse(os.Args[1:]); {
	case errors.Is(err, pflag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "porchlight-vision:", err)
		os.Exit(2)
	case *show:
		fmt.Println("porchlight-vision", version)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "porchlight-vision:", err)
		os.Exit(1)
	}
}

// run loads the models and serves until ctx ends.
func run(ctx context.Context, s settings) error {
	if s.photos < 1 || s.deadline <= 0 {
		return fmt.Errorf("--photos %d and --deadline %s must be above 0", s.photos, s.deadline)
	}
	if s.models == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return fmt.Errorf("--models: %w", err)
		}
		s.models = filepath.Join(cache, "porchlight", "models")
	}
	// Photos and tensors come and go; without a limit the collector would let several pile up. The largest photo
	// has to fit, or the collector would run all the time.
	debug.SetMemoryLimit(288 << 20)
	set, err := weights.Load(s.models)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if set.HeadFault != nil {
		log.Warn("landmarks are not looked for", "error", set.HeadFault)
	}
	engine, err := newEngine(set)
	if err != nil {
		return err
	}
	defer engine.Close()
	set = nil // the models' files, which the runtime has its own copies of
	debug.FreeOSMemory()
	listener, err := listen(s.listen)
	if err != nil {
		return err
	}
	h := &http.Server{
		Handler: newWorker(engine.read, engine.embed, engine.models, s.photos, s.deadline, log), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: 30*time.Second + 2*s.deadline, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if s.followStdin {
		go func() {
			io.Copy(io.Discard, os.Stdin)
			cancel()
		}()
	}
	failed := make(chan error, 1)
	go func() { failed <- h.Serve(listener) }()
	log.Info("reading photos", "address", listener.Addr().String(), "models", strings.Join(engine.models, ", "))
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, end := context.WithTimeout(context.WithoutCancel(ctx), s.deadline)
	defer end()
	return h.Shutdown(grace)
}

// listen opens a TCP address or, for unix:PATH, a socket that only this user reaches.
func listen(address string) (net.Listener, error) {
	path, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		return net.Listen("tcp", address)
	}
	if info, err := os.Stat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		os.Remove(path) // of a worker that is gone
	}
	old := syscall.Umask(0o177)
	defer syscall.Umask(old)
	return net.Listen("unix", path)
}
