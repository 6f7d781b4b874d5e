package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"porchlight/audit"
	"porchlight/server/worker"
	"porchlight/storage/weights"
)

// visionSettings say who looks at photos.
type visionSettings struct {
	vision, models string
	memory         int64 // MiB
}

func (s *visionSettings) flags(f *pflag.FlagSet) {
	f.StringVar(&s.vision, "vision", "", "`URL` of vision workers: http://HOST:PORT or unix:PATH; none for no vision; default a worker of its own where models are installed")
	modelsFlag(f, &s.models)
	f.Int64Var(&s.memory, "vision-memory", 1024, "`MIB` of memory from which the vision worker is started anew")
	setting("vision", "vision-memory")
}

func modelsFlag(f *pflag.FlagSet, dir *string) {
	f.StringVar(dir, "models", "", "`FOLDER` with the vision models; default porchlight/models in the user's cache folder")
	setting("models")
}

// modelsDir is --models or its default.
func modelsDir(flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("--models: %w", err)
	}
	return filepath.Join(cache, "porchlight", "models"), nil
}

// openVision gives who looks at photos, nil where nobody does. Close ends a worker of its own.
// timeout is what one photo may take.
func (s *visionSettings) openVision(timeout time.Duration, log *slog.Logger) (v audit.Vision, closer func(), err error) {
	switch s.vision {
	case "none":
		return nil, func() {}, nil
	case "":
	default:
		c, err := worker.New(worker.Config{URL: s.vision, Timeout: timeout})
		if err != nil {
			return nil, nil, fmt.Errorf("--vision: %w", err)
		}
		return c, func() {}, nil
	}
	dir, err := modelsDir(s.models)
	if err != nil || !weights.Installed(dir) {
		if s.models != "" {
			return nil, nil, fmt.Errorf("--models: no vision models in %s: run `porchlight models install`", dir)
		}
		return nil, func() {}, nil
	}
	program, err := workerProgram()
	if err != nil {
		log.Warn("vision models are installed but not the worker: photos are judged without vision", "error", err)
	}
	w, err := newSupervisor(supervisorConfig{program: program, models: dir, deadline: timeout, memory: s.memory << 20, log: log})
	if err != nil {
		return nil, nil, err
	}
	return w, w.Close, nil
}

// workerProgram finds porchlight-vision beside this program, else where programs are.
func workerProgram() (string, error) {
	const name = "porchlight-vision"
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), name)
		if info, err := os.Stat(beside); err == nil && info.Mode()&0o111 != 0 {
			return beside, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", errors.New("porchlight-vision is neither beside porchlight nor in PATH")
	}
	return path, nil
}

// looking gives a measurer with the vision, for files.
func looking(v audit.Vision) audit.Measurer {
	return func(ctx context.Context, b []byte) (audit.Measurement, error) {
		m, err := audit.Measure(b)
		if err != nil {
			return m, err
		}
		return audit.See(ctx, v, m, b), nil
	}
}
