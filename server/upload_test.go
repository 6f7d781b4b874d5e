package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"image"
	_ "image/jpeg"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"

	"porchlight/audit"
	"porchlight/fixtures"
)

func TestUploadIsKeptOnce(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1", "T2")
	first := s.upload(t, audit.Driver, "T1", part{name: "role", value: "close_up"}, part{name: "also", value: "T2, T1"}, photoPart(doorstep()),
		part{name: "captured_at", value: "2026-05-04T15:00:01+02:00"}, part{name: "latitude", value: "40.7501"},
		part{name: "longitude", value: "-73.9967"}, part{name: "accuracy_m", value: "8"})
	if first.StatusCode != http.StatusCreated {
		t.Fatalf("got %d %s, want 201", first.StatusCode, first.body)
	}
	up := decodeAs[Uploaded](t, first)
	want := audit.PhotoID(doorstep())
	if up.PhotoID != want || up.Report.PhotoID != want || first.Header.Get("Location") != "/api/v1/photos/"+want {
		t.Errorf("photo id %s, report on %s, Location %s, want %s", up.PhotoID, up.Report.PhotoID, first.Header.Get("Location"), want)
	}
	if up.Report.Measurement == nil || up.Report.Verdict == "" || len(up.Report.Findings) == 0 || up.Problem != nil {
		t.Errorf("report = %+v", up.Report)
	}
	again := s.upload(t, audit.Driver, "T1", photoPart(doorstep()))
	if again.StatusCode != http.StatusOK {
		t.Fatalf("again: got %d %s, want 200", again.StatusCode, again.body)
	}
	if diff := cmp.Diff(up, decodeAs[Uploaded](t, again)); diff != "" {
		t.Errorf("the same photo again has another answer (-first +again):\n%s", diff)
	}
	for _, id := range []string{"T1", "T2"} {
		d := decodeAs[DeliveryOnRecord](t, s.get(t, audit.Agent, "/api/v1/deliveries/"+id))
		if len(d.Photos) != 1 || d.Photos[0].UploadID != up.UploadID || d.Photos[0].Role != audit.CloseUp || d.Photos[0].DriverID != "D1" {
			t.Fatalf("%s: photos = %+v", id, d.Photos)
		}
		fix := d.Photos[0].Fix
		if fix == nil || fix.Latitude != 40.7501 || fix.AccuracyM == nil || *fix.AccuracyM != 8 {
			t.Errorf("%s: fix = %+v", id, fix)
		}
		if c := d.Photos[0].CapturedAt; c == nil || !c.Equal(time.Date(2026, 5, 4, 13, 0, 1, 0, time.UTC)) {
			t.Errorf("%s: captured at %v", id, c)
		}
	}
}

func TestUndecodablePhotoIsKept(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1")
	broken := fixtures.Truncate(doorstep())
	r := s.upload(t, audit.Driver, "T1", photoPart(broken))
	up := decodeAs[Uploaded](t, r)
	if r.StatusCode != http.StatusCreated || up.Report.Verdict != audit.Retake {
		t.Fatalf("got %d %s, want 201 and retake", r.StatusCode, r.body)
	}
	if up.Problem == nil || up.Problem.Code != audit.CodeUndecodable || up.Problem.Status != http.StatusUnprocessableEntity {
		t.Errorf("problem = %+v", up.Problem)
	}
	if got := s.get(t, audit.Driver, "/api/v1/photos/"+up.PhotoID); !bytes.Equal(got.body, broken) {
		t.Errorf("the original has %d bytes, want the %d sent", len(got.body), len(broken))
	}
	if got := s.get(t, audit.Driver, "/api/v1/photos/"+up.PhotoID+"/preview"); got.StatusCode != 422 || got.problem(t).Code != audit.CodeUndecodable {
		t.Errorf("preview: %d %s", got.StatusCode, got.body)
	}
}

func TestUploadErrors(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1", "other1")
	photo := photoPart(doorstep())
	for _, c := range []struct {
		name     string
		tracking string
		parts    []part
		status   int
		code     audit.Code
	}{
		{"empty photo", "T1", []part{photoPart(nil)}, 400, audit.CodeEmpty},
		{"no photo", "T1", []part{{name: "role", value: "placement"}}, 400, audit.CodeEmpty},
		{"not a photo", "T1", []part{photoPart([]byte("GIF89a is no delivery photo"))}, 415, audit.CodeNotAPhoto},
		{"another driver's delivery", "other1", []part{photo}, 403, audit.CodeNotYours},
		{"another driver's delivery beside", "T1", []part{photo, {name: "also", value: "other1"}}, 403, audit.CodeNotYours},
		{"unknown delivery", "T9", []part{photo}, 404, audit.CodeDelivery},
		{"unknown delivery beside", "T1", []part{photo, {name: "also", value: "T9"}}, 404, audit.CodeDelivery},
		{"unknown field", "T1", []part{photo, {name: "rolle", value: "placement"}}, 400, audit.CodeUnknownField},
		{"the pages' own field", "T1", []part{photo, {name: "csrf", value: "x"}}, 400, audit.CodeUnknownField},
		{"unknown role", "T1", []part{photo, {name: "role", value: "selfie"}}, 422, audit.CodeInvalid},
		{"role twice", "T1", []part{photo, {name: "role", value: "context"}, {name: "role", value: "context"}}, 422, audit.CodeInvalid},
		{"two photos", "T1", []part{photo, photo}, 422, audit.CodeInvalid},
		{"no time", "T1", []part{photo, {name: "captured_at", value: "yesterday"}}, 422, audit.CodeInvalid},
		{"half a position", "T1", []part{photo, {name: "latitude", value: "1"}}, 422, audit.CodeInvalid},
		{"no number", "T1", []part{photo, {name: "latitude", value: "NaN"}, {name: "longitude", value: "1"}}, 422, audit.CodeInvalid},
		{"off the globe", "T1", []part{photo, {name: "latitude", value: "91"}, {name: "longitude", value: "1"}}, 422, audit.CodeInvalid},
		{"accuracy of nothing", "T1", []part{photo, {name: "accuracy_m", value: "5"}}, 422, audit.CodeInvalid},
		{"a field without end", "T1", []part{photo, {name: "role", value: strings.Repeat("x", maxFieldBytes+1)}}, 422, audit.CodeInvalid},
		{"a tracking id with a space", "a%20b", []part{photo}, 422, audit.CodeInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := s.upload(t, audit.Driver, c.tracking, c.parts...)
			if p := got.problem(t); got.StatusCode != c.status || p.Code != c.code || p.Status != c.status || p.RequestID == "" || p.Detail == "" {
				t.Errorf("got %d %+v, want %d %s", got.StatusCode, p, c.status, c.code)
			}
		})
	}
	ct, whole := multipartForm(t, photo)
	for _, c := range []struct {
		name, contentType string
		body              []byte
		status            int
		code              audit.Code
	}{
		{"JSON", "application/json", []byte("{}"), 415, CodeMediaType},
		{"no boundary", "multipart/form-data", whole, 400, audit.CodeUnreadable},
		{"another boundary", "multipart/form-data; boundary=other", whole, 400, audit.CodeEmpty},
		{"cut off", ct, whole[:len(whole)/2], 400, audit.CodeUnreadable},
		{"nothing", ct, nil, 400, audit.CodeEmpty},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := s.as(t, audit.Driver, "POST", "/api/v1/deliveries/T1/photos", c.contentType, string(c.body))
			if p := got.problem(t); got.StatusCode != c.status || p.Code != c.code {
				t.Errorf("got %d %+v, want %d %s", got.StatusCode, p, c.status, c.code)
			}
		})
	}
	if d := decodeAs[DeliveryOnRecord](t, s.get(t, audit.Driver, "/api/v1/deliveries/T1")); len(d.Photos) != 0 {
		t.Errorf("%d photos were kept of refused uploads", len(d.Photos))
	}
}

// TestTooLargeIsAnswered sends 26 MB as clients do that send everything before they
// listen, and with a length that is not announced: the answer must arrive.
func TestTooLargeIsAnswered(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1")
	big := make([]byte, 26_000_000)
	_, err := rand.Read(big)
	must(t, err)
	ct, body := multipartForm(t, photoPart(append(doorstep()[:64:64], big...)))
	for name, length := range map[string]int64{"announced": int64(len(body)), "chunked": -1} {
		t.Run(name, func(t *testing.T) {
			r := s.request(t, "POST", "/api/v1/deliveries/T1/photos", ct, bytes.NewReader(body))
			r.ContentLength = length
			r.Header.Set("Authorization", "Bearer "+s.secrets[audit.Driver])
			if got := s.send(t, r); got.StatusCode != 413 || got.problem(t).Code != audit.CodeTooLarge {
				t.Errorf("got %d %s, want 413 %s", got.StatusCode, got.body, audit.CodeTooLarge)
			}
		})
	}
	t.Run("everything sent before reading", func(t *testing.T) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		must(t, err)
		defer conn.Close()
		_, err = fmt.Fprintf(conn, "POST /api/v1/deliveries/T1/photos HTTP/1.1\r\nHost: porchlight\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n",
			s.secrets[audit.Driver], ct, len(body))
		must(t, err)
		_, err = conn.Write(body)
		must(t, err)
		answer, err := io.ReadAll(conn)
		must(t, err)
		if !bytes.HasPrefix(answer, []byte("HTTP/1.1 413 ")) {
			t.Errorf("got %.200q, want 413", answer)
		}
	})
}

func TestSixteenUploadsOfOnePhotoAtOnce(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1")
	replies := make([]reply, 16)
	var wg sync.WaitGroup
	for i := range replies {
		wg.Go(func() { replies[i] = s.upload(t, audit.Driver, "T1", photoPart(doorstep())) })
	}
	wg.Wait()
	created := 0
	first := decodeAs[Uploaded](t, replies[0])
	for i, r := range replies {
		switch r.StatusCode {
		case http.StatusCreated:
			created++
		case http.StatusOK:
		default:
			t.Fatalf("upload %d: %d %s", i, r.StatusCode, r.body)
		}
		if diff := cmp.Diff(first, decodeAs[Uploaded](t, r)); diff != "" {
			t.Errorf("upload %d differs:\n%s", i, diff)
		}
	}
	if created != 1 {
		t.Errorf("%d uploads created the photo, want 1", created)
	}
}

func TestBusyIsSaidWithRetryAfter(t *testing.T) {
	s := newStack(t, func(c *Config) { c.Limits = Limits{Uploads: 1, QueueTime: time.Millisecond} })
	s.deliveries(t, "T1")
	ct, body := multipartForm(t, photoPart(doorstep()))
	pr, pw := io.Pipe()
	slow := s.request(t, "POST", "/api/v1/deliveries/T1/photos", ct, pr)
	slow.Header.Set("Authorization", "Bearer "+s.secrets[audit.Driver])
	done := make(chan reply, 1)
	go func() { done <- s.send(t, slow) }()
	_, err := pw.Write(body[:100])
	must(t, err)
	for deadline := time.Now().Add(time.Minute); len(s.uploads) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the slow upload never began")
		}
	}
	got := s.upload(t, audit.Driver, "T1", photoPart(doorstep()))
	if p := got.problem(t); got.StatusCode != 503 || p.Code != audit.CodeBusy || got.Header.Get("Retry-After") == "" {
		t.Errorf("got %d %+v, Retry-After %q", got.StatusCode, p, got.Header.Get("Retry-After"))
	}
	_, err = pw.Write(body[100:])
	must(t, err)
	must(t, pw.Close())
	if r := <-done; r.StatusCode != http.StatusCreated {
		t.Errorf("the slow upload: %d %s", r.StatusCode, r.body)
	}
}

func TestPhotoIsServedAsReceived(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1", "other1")
	id := s.kept(t, "T1").PhotoID
	path := "/api/v1/photos/" + id
	got := s.get(t, audit.Driver, path)
	if !bytes.Equal(got.body, doorstep()) {
		t.Errorf("%d bytes, want the %d sent", len(got.body), len(doorstep()))
	}
	for header, want := range map[string]string{
		"Content-Type": "image/jpeg", "ETag": `"` + id + `"`, "Cache-Control": immutable,
		"Content-Length": fmt.Sprint(len(doorstep())), "X-Content-Type-Options": "nosniff",
	} {
		if got := got.Header.Get(header); got != want {
			t.Errorf("%s = %q, want %q", header, got, want)
		}
	}
	if d := got.Header.Get("Content-Disposition"); !strings.HasPrefix(d, "inline; ") {
		t.Errorf("Content-Disposition = %q", d)
	}
	again := s.request(t, "GET", path, "", nil)
	again.Header.Set("Authorization", "Bearer "+s.secrets[audit.Agent])
	again.Header.Set("If-None-Match", got.Header.Get("ETag"))
	if r := s.send(t, again); r.StatusCode != http.StatusNotModified || len(r.body) > 0 {
		t.Errorf("again: %d with %d bytes, want 304", r.StatusCode, len(r.body))
	}

	for query, want := range map[string]image.Point{"": {1000, 750}, "?side=400": {400, 300}} {
		r := s.get(t, audit.Driver, path+"/preview"+query)
		c, format, err := image.DecodeConfig(bytes.NewReader(r.body))
		if err != nil || format != "jpeg" || c.Width != want.X || c.Height != want.Y {
			t.Errorf("preview%s: %d %s %dx%d (%v), want %v upright", query, r.StatusCode, format, c.Width, c.Height, err, want)
		}
	}
	for _, q := range []string{"?side=10", "?side=5000", "?side=big"} {
		if r := s.get(t, audit.Driver, path+"/preview"+q); r.StatusCode != 422 || r.problem(t).Code != audit.CodeInvalid {
			t.Errorf("preview%s: %d %s", q, r.StatusCode, r.body)
		}
	}
	reports := decodeAs[PhotoReports](t, s.get(t, audit.Driver, path+"/reports"))
	if len(reports.Items) != 1 || reports.Items[0].PhotoID != id {
		t.Errorf("reports = %+v", reports)
	}

	// The same scene for another driver: the first still sees one's own alone.
	theirs := fixtures.Distinct(doorstep(), 1)
	if r := s.upload(t, audit.Admin, "other1", photoPart(theirs)); r.StatusCode != http.StatusCreated {
		t.Fatalf("upload: %d %s", r.StatusCode, r.body)
	}
	for _, tail := range []string{"", "/preview", "/reports"} {
		for _, id := range []string{audit.PhotoID(theirs), audit.PhotoID(nil), strings.ToUpper(id), "short", "..%2f..%2frecords.db"} {
			if r := s.get(t, audit.Driver, "/api/v1/photos/"+id+tail); r.StatusCode != 404 || r.problem(t).Code != audit.CodeNotFound {
				t.Errorf("%s%s: %d %s, want 404", id, tail, r.StatusCode, r.body)
			}
		}
	}
	if r := s.get(t, audit.Driver, "/api/v1/deliveries/other1"); r.StatusCode != 403 || r.problem(t).Code != audit.CodeNotYours {
		t.Errorf("another driver's delivery: %d %s", r.StatusCode, r.body)
	}
}

func TestCorruptedPhotoIsNotServed(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1")
	id := s.kept(t, "T1").PhotoID
	file := s.objectFile(t, id)
	must(t, os.Chmod(file, 0o600))
	b, err := os.ReadFile(file)
	must(t, err)
	b[len(b)/2] ^= 1
	must(t, os.WriteFile(file, b, 0o600))
	for _, tail := range []string{"", "/preview"} {
		if r := s.get(t, audit.Agent, "/api/v1/photos/"+id+tail); r.StatusCode != 500 || r.problem(t).Code != audit.CodeCorrupted {
			t.Errorf("altered%s: %d %s", tail, r.StatusCode, r.body)
		}
	}
	must(t, os.Remove(file))
	if r := s.get(t, audit.Agent, "/api/v1/photos/"+id); r.StatusCode != 500 || r.problem(t).Code != audit.CodeCorrupted {
		t.Errorf("missing: %d %s", r.StatusCode, r.body)
	}
	if !strings.Contains(s.log.String(), string(audit.CodeCorrupted)) {
		t.Error("the log does not tell of the corrupted object")
	}
}

// objectFile is where the directory keeps a photo.
func (s *stack) objectFile(t *testing.T, photoID string) string {
	t.Helper()
	found := ""
	must(t, filepath.WalkDir(s.path, func(path string, _ os.DirEntry, err error) error {
		if strings.Contains(filepath.Base(path), photoID) {
			found = path
		}
		return err
	}))
	if found == "" {
		t.Fatal("the object is not on disk")
	}
	return found
}

// FuzzReadForm reads whatever is sent as a form: an answer or an error with a code the
// client can be told, and never more than a photo's bytes.
func FuzzReadForm(f *testing.F) {
	ct, body := multipartForm(f, part{name: "role", value: "context"}, photoPart([]byte("\xff\xd8\xff photo")), part{name: "latitude", value: "1"}, part{name: "longitude", value: "2"}, part{name: "also", value: "A,B"})
	f.Add(ct, body)
	f.Add(ct, body[:len(body)/2])
	f.Add("multipart/form-data; boundary=x", []byte("--x\r\nContent-Disposition: form-data; name=\"photo\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=ff=\r\n--x--"))
	f.Add("multipart/form-data; boundary=x", []byte("--x\r\nContent-Disposition: form-data; name=\"captured_at\"\r\n\r\n0000\r\n--x--"))
	gin.SetMode(gin.ReleaseMode)
	s := &Server{limits: Limits{}.withDefaults()}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		w := httptest.NewRecorder()
		c, _ := gin.CreateTestContext(w)
		r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		x := &exchange{control: http.NewResponseController(w)}
		c.Request = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
		form, err := s.readForm(c, "photo", func(name string) bool { return uploadFields[name] })
		if err == nil {
			var u audit.Upload
			if u, err = form.upload("T1"); err == nil && u.Validate() != nil {
				t.Errorf("an upload that does not validate: %+v", u)
			}
			if form.photo != nil && form.photo.Len() > len(body) {
				t.Errorf("%d bytes of photo in a body of %d", form.photo.Len(), len(body))
			}
		}
		if err != nil && Status(audit.ErrorCode(err)) >= 500 {
			t.Errorf("%v has code %s", err, audit.ErrorCode(err))
		}
	})
}
