package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"porchlight/storage/storagetest"
)

// daemon is a server of a test's own, to be killed and brought back.
type daemon struct {
	t     *testing.T
	make  func() *exec.Cmd
	ready func() error
	cmd   *exec.Cmd
	log   bytes.Buffer
}

func (d *daemon) start() {
	d.t.Helper()
	d.cmd = d.make()
	d.cmd.Stdout, d.cmd.Stderr = &d.log, &d.log
	if d.cmd.SysProcAttr == nil {
		d.cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	d.cmd.SysProcAttr.Setpgid = true
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	var err error
	for range 600 {
		if err = d.ready(); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	d.t.Fatalf("%s does not start: %v\n%s", d.cmd.Path, err, d.log.String())
}

// kill ends the daemon and its children as a power cut would.
func (d *daemon) kill() {
	if d.cmd == nil {
		return
	}
	_ = syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL)
	_ = d.cmd.Wait()
	d.cmd = nil
}

// ownS3 starts a versitygw and returns the flags for its bucket; the keys go into the
// environment.
func ownS3(t *testing.T) (*daemon, []string) {
	t.Helper()
	gateway := storagetest.Server(t, "PORCHLIGHT_TEST_VERSITYGW")
	dir, address := t.TempDir(), freeAddress(t)
	for _, sub := range []string{"data", "versions"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	d := &daemon{t: t,
		make: func() *exec.Cmd {
			cmd := exec.Command(gateway, "--port", address, "--health", "/health", "--keep-alive", "--quiet",
				"posix", "--versioning-dir", filepath.Join(dir, "versions"), filepath.Join(dir, "data"))
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "ROOT_ACCESS_KEY_ID=test-access", "ROOT_SECRET_ACCESS_KEY=test-secret-of-one-test")
			return cmd
		},
		ready: func() error {
			res, err := http.Get("http://" + address + "/health")
			if err != nil {
				return err
			}
			defer res.Body.Close()
			if res.StatusCode != http.StatusOK {
				return fmt.Errorf("status %s", res.Status)
			}
			return nil
		},
	}
	t.Setenv("AWS_ENDPOINT_URL", "http://"+address)
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_ACCESS_KEY_ID", "test-access")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test-secret-of-one-test")
	t.Cleanup(d.kill)
	d.start()
	return d, []string{"--objects", "s3://photos"}
}

// ownPostgres starts a Postgres and returns the flags for its database. It refuses to run
// as root, who runs it as the user postgres.
func ownPostgres(t *testing.T) (*daemon, []string) {
	t.Helper()
	bin := storagetest.Server(t, "PORCHLIGHT_TEST_POSTGRES_BIN")
	dir, err := os.MkdirTemp("", "porchlight-postgres")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	as := &syscall.SysProcAttr{}
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		attr := *as
		cmd.Dir, cmd.SysProcAttr = dir, &attr
		return cmd
	}
	data := filepath.Join(dir, "data")
	if out, err := command("initdb", "-D", data, "-U", "porchlight", "-A", "trust", "-E", "UTF8", "--locale", "C").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	_, port, _ := net.SplitHostPort(freeAddress(t))
	d := &daemon{t: t,
		make: func() *exec.Cmd {
			return command("postgres", "-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="+dir)
		},
		ready: func() error {
			out, err := exec.Command(filepath.Join(bin, "pg_isready"), "-h", "127.0.0.1", "-p", port).CombinedOutput()
			if err != nil {
				return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
			}
			return nil
		},
	}
	t.Cleanup(d.kill)
	d.start()
	return d, []string{"--database", "postgres://porchlight@127.0.0.1:" + port + "/postgres?sslmode=disable"}
}
