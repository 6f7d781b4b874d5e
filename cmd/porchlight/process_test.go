package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"porchlight/storage/storagetest"
)

// asProgram makes a child of the test binary be the program itself: a real process
// without a build of its own.
const asProgram = "PORCHLIGHT_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asWorker) != "" && len(os.Args) > 1 && os.Args[1] == "--listen" {
		workerMain()
	}
	if _, set := os.LookupEnv("PORCHLIGHT_VISION"); !set {
		os.Setenv("PORCHLIGHT_VISION", "none") // whatever models the machine has
	}
	if os.Getenv(asProgram) == "1" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// program is the command `porchlight ARGS...` as a process of its own.
func program(args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

// run runs a command of the program and returns what it printed.
func run(t testing.TB, wantExit int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := program(args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != wantExit {
		t.Fatalf("porchlight %s: exit status %d, want %d (%v)\n%s%s", strings.Join(args, " "), got, wantExit, err, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

// sites are the stores that a service can stand on, as the flags that choose them.
var sites = map[string]func(t testing.TB) []string{
	"SQLite and a folder": func(testing.TB) []string { return nil },
	"Postgres and S3": func(t testing.TB) []string {
		b := storagetest.S3(t)
		scheme := "http://"
		if b.Secure {
			scheme = "https://"
		}
		t.Setenv("AWS_ENDPOINT_URL", scheme+b.Endpoint)
		t.Setenv("AWS_REGION", b.Region)
		t.Setenv("AWS_ACCESS_KEY_ID", b.AccessKey)
		t.Setenv("AWS_SECRET_ACCESS_KEY", b.SecretKey)
		return []string{"--database", storagetest.Postgres(t), "--objects", "s3://" + b.Name}
	},
}

// newToken makes a token with the command for it.
func newToken(t testing.TB, at []string, args ...string) string {
	t.Helper()
	out, _ := run(t, 0, slices.Concat([]string{"token", "create"}, at, args)...)
	return strings.TrimSpace(out)
}

// process is a running `porchlight serve`.
type process struct {
	t    testing.TB
	args []string
	url  string
	cmd  *exec.Cmd
	log  *bytes.Buffer

	contract *contract // requests and answers are held to it, where it is set
}

// startServer starts the real server process on its own port.
func startServer(t testing.TB, args ...string) *process {
	t.Helper()
	p := &process{t: t, args: args}
	p.start()
	t.Cleanup(func() { p.kill() })
	return p
}

// start starts the process, again at the address that it had before.
func (p *process) start() {
	p.t.Helper()
	if p.url == "" {
		p.url = "http://" + freeAddress(p.t)
	}
	address := strings.TrimPrefix(p.url, "http://")
	p.log = new(bytes.Buffer)
	p.cmd = program(append([]string{"serve", "--listen", address}, p.args...)...)
	p.cmd.Stderr = p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	for range 600 {
		res, err := http.Get(p.url + "/readyz")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	p.t.Fatalf("the server is not ready:\n%s", p.log)
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// answer is a response, read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) json(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal(a.body, into); err != nil {
		t.Fatalf("status %d, %v: %s", a.status, err, a.body)
	}
}

// meantInvalid marks a request that breaks the OpenAPI document because the test means it to.
const meantInvalid = true

// try sends a request and reads the answer, whatever it is. Both are held to the
// contract where there is one.
func (p *process) try(method, path, token, contentType string, body []byte, invalid ...bool) (answer, error) {
	req, err := http.NewRequest(method, p.url+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	a := answer{res.StatusCode, res.Header, b}
	if err == nil && p.contract != nil && strings.HasPrefix(path, "/api/v1/") {
		if fault := p.contract.check(req, body, slices.Contains(invalid, meantInvalid), a); fault != nil {
			p.t.Errorf("%s %s is not as /openapi.json says: %v", method, path, fault)
		}
	}
	return a, err
}

// do sends a request and fails the test where the status is another.
func (p *process) do(want int, method, path, token, contentType string, body []byte, invalid ...bool) answer {
	p.t.Helper()
	a, err := p.try(method, path, token, contentType, body, invalid...)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	if a.status != want {
		p.t.Fatalf("%s %s: status %d, want %d: %.500s", method, path, a.status, want, a.body)
	}
	return a
}

// inFlight tells whether just n photos are being received or judged.
func (p *process) inFlight(n int) bool {
	p.t.Helper()
	metrics := string(p.do(http.StatusOK, "GET", "/metrics", "", "", nil).body)
	return strings.Contains(metrics, fmt.Sprintf("porchlight_uploads_in_flight %d\n", n))
}

func form(t testing.TB, photo []byte, fields map[string]string) (body []byte, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for k, v := range fields {
		if err := w.WriteField(k, v); err != nil {
			t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile("photo", "door.jpg")
	if err != nil {
		t.Fatal(err)
	}
	part.Write(photo)
	w.Close()
	return b.Bytes(), w.FormDataContentType()
}

// peakMiB is the most memory that the process has held, as the kernel counts it; 0
// where the system does not tell.
func (p *process) peakMiB() int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kib >> 10
		}
	}
	return 0
}

// cpu is the CPU time that the process has taken, as the kernel counts it in hundredths
// of a second; 0 where the system does not tell.
func (p *process) cpu() time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// send uploads a photo, whatever comes back.
func (p *process) send(t *testing.T, token, tracking string, photo []byte) answer {
	t.Helper()
	body, contentType := form(t, photo, nil)
	a, err := p.try("POST", "/api/v1/deliveries/"+tracking+"/photos", token, contentType, body)
	if err != nil {
		t.Errorf("%v", err)
	}
	return a
}
