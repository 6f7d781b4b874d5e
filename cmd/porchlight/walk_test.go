package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"porchlight/fixtures"
)

// receipt is the answer to an upload.
type receipt struct {
	PhotoID string `json:"photo_id"`
	Report  struct {
		Verdict  string
		Score    int
		Findings []struct{ Check, Result, Reason, Advice, Detail string }
	}
	Problem *struct{ Code string }
}

func (r receipt) finding(check string) string {
	for _, f := range r.Report.Findings {
		if f.Check == check {
			return f.Result
		}
	}
	return "absent"
}

// upload sends a photo with its fields.
func (p *process) upload(want int, token, tracking string, photo []byte, fields map[string]string) answer {
	p.t.Helper()
	body, contentType := form(p.t, photo, fields)
	return p.do(want, "POST", "/api/v1/deliveries/"+tracking+"/photos", token, contentType, body)
}

// scene is a small drawn photo.
func scene(place, shot uint64, defect fixtures.Defect) []byte {
	return fixtures.Scene{Place: place, Shot: shot, Number: "4702", Defect: defect, Width: 1200, Height: 900}.JPEG()
}

const deliveriesCSV = `tracking_id,driver_id,address,latitude,longitude,stop_kind,instruction,window_start,window_end,scanned_at,delivered_at,outcome,time_zone
T1,D1,4702 Maple St,47.6205,-122.3493,house,front_door,2026-11-20T17:00:00Z,2026-11-20T21:00:00Z,2026-11-20T18:00:00Z,2026-11-20T18:00:00Z,delivered,America/Los_Angeles
T2,D1,4704 Maple St,47.6206,-122.3491,house,hidden,2026-11-20T17:00:00Z,2026-11-20T21:00:00Z,2026-11-20T18:05:00Z,2026-11-20T18:05:00Z,delivered,America/Los_Angeles
T3,D1,4706 Maple St,north,-122.3490,house,front_door,,,,,,
T4,D2,12 Oak Ave,47.6300,-122.3400,house,front_door,,,2026-11-20T18:09:00Z,,delivered,
`

// TestWalk goes the whole way with the real server process: import, upload, verdicts,
// claim, packet, a changed limit, a re-audit, and a kill -9 after each step; on the
// embedded stores and on Postgres with S3.
func TestWalk(t *testing.T) {
	for name, stores := range sites {
		t.Run(name, func(t *testing.T) { walkOn(t, stores(t)) })
	}
}

func walkOn(t *testing.T, stores []string) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	at := append([]string{"--data", data}, stores...)
	token := func(args ...string) string { return newToken(t, at, args...) }
	driver, agent, dispatch := token("--role", "driver", "--driver", "D1"), token("--role", "agent"), token("--role", "dispatch")
	p := startServer(t, at...)
	p.contract = readContract(t, p.url)
	restart := func() { p.kill(); p.start() }

	// Import: three good rows in, one bad one listed with its line; again: nothing changes.
	var sum struct {
		Created, Unchanged int
		Rejected           []struct {
			Line    int
			Message string
		}
	}
	p.do(200, "POST", "/api/v1/deliveries", dispatch, "text/csv", []byte(deliveriesCSV)).json(t, &sum)
	if sum.Created != 3 || len(sum.Rejected) != 1 || sum.Rejected[0].Line != 4 || !strings.Contains(sum.Rejected[0].Message, "latitude") {
		t.Fatalf("import answers %+v, want 3 created and line 4 rejected for its latitude", sum)
	}
	restart()
	p.do(200, "POST", "/api/v1/deliveries", dispatch, "text/csv", []byte(deliveriesCSV)).json(t, &sum)
	if sum.Unchanged != 3 {
		t.Fatalf("the same import again answers %+v, want 3 unchanged", sum)
	}

	// Uploads, good and bad.
	photos := map[string][]byte{}
	upload := func(want int, tracking string, photo []byte, role, captured string, lat, lon float64) receipt {
		t.Helper()
		var r receipt
		p.upload(want, driver, tracking, photo, map[string]string{"role": role, "captured_at": captured,
			"latitude": fmt.Sprint(lat), "longitude": fmt.Sprint(lon), "accuracy_m": "8"}).json(t, &r)
		photos[r.PhotoID] = photo
		return r
	}
	verdict := func(r receipt, want, check, result string) {
		t.Helper()
		if r.Report.Verdict != want || r.finding(check) != result {
			t.Errorf("verdict %s, %s %s; want %s, %s: %+v", r.Report.Verdict, check, r.finding(check), want, result, r.Report.Findings)
		}
	}
	const lat, lon = 47.6205, -122.3493
	dark := upload(201, "T1", scene(1, 1, fixtures.Dark), "placement", "2026-11-20T17:59:00Z", lat, lon)
	verdict(dark, "retake", "brightness", "fail")
	blurred := upload(201, "T1", scene(1, 2, fixtures.Defocused), "placement", "2026-11-20T17:59:10Z", lat, lon)
	verdict(blurred, "retake", "blur", "fail")
	far := upload(201, "T1", scene(1, 3, fixtures.None), "placement", "2026-11-20T17:59:20Z", lat+.004, lon)
	verdict(far, "retake", "location", "fail")
	good := upload(201, "T1", scene(1, 4, fixtures.None), "placement", "2026-11-20T17:59:30Z", lat+.0001, lon)
	verdict(good, "accept", "location", "pass")
	if again := upload(200, "T1", scene(1, 4, fixtures.None), "placement", "2026-11-20T17:59:30Z", lat+.0001, lon); again.PhotoID != good.PhotoID || again.Report.Verdict != "accept" {
		t.Errorf("the same photo again: %+v", again)
	}
	broken := upload(201, "T1", fixtures.Truncate(scene(1, 5, fixtures.None)), "placement", "2026-11-20T17:59:40Z", lat, lon)
	verdict(broken, "retake", "readable", "fail")
	if broken.Problem == nil || broken.Problem.Code != "photo_undecodable" {
		t.Errorf("a photo that does not decode: problem %+v, want photo_undecodable", broken.Problem)
	}
	reused := upload(201, "T2", scene(1, 4, fixtures.None), "context", "2026-11-20T18:04:00Z", 47.6206, -122.3491)
	verdict(reused, "retake", "reuse", "fail")
	restart()
	first := upload(201, "T2", scene(2, 1, fixtures.None), "context", "2026-11-20T18:04:30Z", 47.6206, -122.3491)
	verdict(first, "review", "set", "fail")
	second := upload(201, "T2", scene(3, 2, fixtures.None), "close_up", "2026-11-20T18:05:00Z", 47.6206, -122.3491)
	verdict(second, "accept", "set", "pass")
	var reports struct {
		Items []struct{ Verdict string }
	}
	p.do(200, "GET", "/api/v1/photos/"+first.PhotoID+"/reports", agent, "", nil).json(t, &reports)
	if n := len(reports.Items); n != 2 || reports.Items[n-1].Verdict != "accept" {
		t.Errorf("once its set is complete the first photo's reports are %+v, want review, then accept", reports.Items)
	}
	restart()

	// Everything acknowledged is still there, byte for byte.
	for id, want := range photos {
		got := p.do(200, "GET", "/api/v1/photos/"+id, agent, "", nil)
		if !bytes.Equal(got.body, want) {
			t.Errorf("photo %s comes back as %d bytes, want %d", id, len(got.body), len(want))
		}
	}

	// Claim and packet.
	p.do(200, "POST", "/api/v1/claims", agent, "application/json",
		[]byte(`{"claim_id":"C1","tracking_id":"T1","reported_at":"2026-11-21T09:00:00Z","reason":"delivered_not_received","statement":"It never came <b>","channel":"stripe","due_at":"2026-12-01T00:00:00Z"}`))
	restart()
	var issued struct {
		PacketID string `json:"packet_id"`
	}
	p.do(201, "POST", "/api/v1/claims/C1/packets", agent, "", nil).json(t, &issued)
	packet := p.do(200, "GET", "/api/v1/packets/"+issued.PacketID+".zip", agent, "", nil).body
	rehash(t, packet, photos)
	walkLists(t, p, agent, issued.PacketID)
	file := filepath.Join(dir, "packet.zip")
	if err := os.WriteFile(file, packet, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, 0, "verify", file, "--key", filepath.Join(data, "keys", "porchlight.pub"))
	run(t, 1, "verify", file, "--data", dir) // no key: not valid
	altered := bytes.Clone(packet)
	altered[len(altered)/2] ^= 1
	if err := os.WriteFile(file, altered, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, _ := run(t, 1, "verify", file, "--key", filepath.Join(data, "keys", "porchlight.pub")); !strings.Contains(out, "originals/") {
		t.Errorf("verify of an altered packet says %q, want the part named", out)
	}

	// A tighter limit: a dry run lists the flips and stores nothing, a real one appends.
	strict := filepath.Join(dir, "strict.yaml")
	guide, _ := run(t, 0, "checklist")
	guide = strings.Replace(guide, "version: guide-2026", "version: strict", 1)
	guide = strings.Replace(guide, "fail_below: 60 ", "fail_below: 250 ", 1)
	guide = strings.Replace(guide, "warn_below: 80", "warn_below: 255", 1)
	if err := os.WriteFile(strict, []byte(guide), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := run(t, 0, slices.Concat([]string{"audit", "--reaudit"}, at, []string{"--checklist", strict, "--dry-run"})...)
	if !strings.Contains(out, "accept -> retake") || !strings.Contains(out, good.PhotoID[:12]) {
		t.Errorf("the dry run does not list the flipped verdict of photo %s:\n%s", good.PhotoID[:12], out)
	}
	count := func() int {
		p.do(200, "GET", "/api/v1/photos/"+good.PhotoID+"/reports", agent, "", nil).json(t, &reports)
		return len(reports.Items)
	}
	before := count()
	out, _ = run(t, 0, slices.Concat([]string{"audit", "--reaudit"}, at, []string{"--checklist", strict})...)
	if !strings.Contains(out, "accept -> retake") {
		t.Errorf("the re-audit does not list the flipped verdict:\n%s", out)
	}
	restart()
	if got, want := count(), before+1; got < want {
		t.Errorf("%d reports after the re-audit, want %d or more", got, want)
	}
	if got := p.do(200, "GET", "/api/v1/packets/"+issued.PacketID+".zip", agent, "", nil).body; !bytes.Equal(got, packet) {
		t.Error("the packet that was issued before the re-audit is no longer the same")
	}
	if n := strings.Count(out, "->"); n == 0 || strings.Contains(out, "retake -> accept") {
		t.Errorf("a tighter limit flipped %d verdicts:\n%s", n, out)
	}
	out, _ = run(t, 0, slices.Concat([]string{"audit", "--reaudit"}, at, []string{"--driver", "D2"})...)
	if !strings.HasPrefix(out, "0 photos") {
		t.Errorf("D2 has no photos, the re-audit says %q", out)
	}
}

// walkLists reads what is on record by all the ways there are, page by page.
func walkLists(t *testing.T, p *process, agent, packetID string) {
	t.Helper()
	ids := func(path, key string) (all []string) {
		t.Helper()
		for next := ""; ; {
			var page struct {
				Items []map[string]any
				Next  string
			}
			p.do(200, "GET", path+"&limit=1&cursor="+next, agent, "", nil).json(t, &page)
			for _, item := range page.Items {
				all = append(all, fmt.Sprint(item[key]))
			}
			if next = page.Next; next == "" {
				return all
			}
		}
	}
	for _, list := range []struct {
		path, key string
		want      []string
	}{
		{"/api/v1/deliveries?", "tracking_id", []string{"T4", "T2", "T1"}}, // T4 counts by its scan, T1 and T2 by their windows
		{"/api/v1/deliveries?driver_id=D1&until=2026-11-20T17:00:00.000001Z", "tracking_id", []string{"T2", "T1"}},
		{"/api/v1/deliveries?since=2026-11-20T18:00:00Z", "tracking_id", []string{"T4"}},
		{"/api/v1/claims?tracking_id=T1&due_before=2026-12-02T00:00:00Z", "claim_id", []string{"C1"}},
		{"/api/v1/claims?due_before=2026-12-01T00:00:00Z", "claim_id", nil},
	} {
		if got := ids(list.path, list.key); !slices.Equal(got, list.want) {
			t.Errorf("%s lists %v, want %v", list.path, got, list.want)
		}
	}
	for _, path := range []string{"/api/v1/claims/C1", "/api/v1/claims/C1/packets", "/api/v1/packets/" + packetID + ".json", "/api/v1/deliveries/T1"} {
		p.do(200, "GET", path, agent, "", nil)
	}
	p.do(422, "GET", "/api/v1/claims?limit=0", agent, "", nil, meantInvalid)
	p.do(404, "GET", "/api/v1/claims/C9", agent, "", nil)
	p.do(403, "GET", "/api/v1/custody", agent, "", nil)
	p.do(401, "GET", "/api/v1/claims", "", "", nil)
	metrics := string(p.do(200, "GET", "/metrics", "", "", nil).body)
	for _, labels := range []string{`code="ok",operation="read",store="records"`, `code="ok",operation="write",store="records"`,
		`code="ok",operation="open",store="objects"`} {
		if !strings.Contains(metrics, "porchlight_store_seconds_count{"+labels+"}") {
			t.Errorf("/metrics counts no %s", labels)
		}
	}
	if !strings.Contains(metrics, "go_sql_open_connections{db_name=") || !strings.Contains(metrics, "porchlight_build_info{") {
		t.Error("/metrics shows no SQL connections, or no build")
	}
}

// rehash unzips a packet and holds every file against the manifest, and the originals
// against the photos that were uploaded.
func rehash(t testing.TB, packet []byte, photos map[string][]byte) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(packet), int64(len(packet)))
	if err != nil {
		t.Fatal(err)
	}
	sums, originals := map[string]string{}, 0
	var manifest struct {
		Files []struct{ Name, SHA256 string }
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(b)
		sums[f.Name] = hex.EncodeToString(sum[:])
		if f.Name == "manifest.json" {
			if err := json.Unmarshal(b, &manifest); err != nil {
				t.Fatal(err)
			}
		}
		if want, ok := photos[sums[f.Name]]; strings.HasPrefix(f.Name, "originals/") {
			originals++
			if !ok || !bytes.Equal(b, want) {
				t.Errorf("%s is none of the uploaded photos", f.Name)
			}
		}
	}
	if originals != 5 {
		t.Errorf("the packet holds %d originals, want the 5 of T1", originals)
	}
	for _, f := range manifest.Files {
		if sums[f.Name] != f.SHA256 {
			t.Errorf("%s: the manifest says %s, the file is %s", f.Name, f.SHA256, sums[f.Name])
		}
		delete(sums, f.Name)
	}
	delete(sums, "manifest.json")
	delete(sums, "manifest.json.minisig")
	for name := range sums {
		t.Errorf("%s is not in the manifest", name)
	}
}
