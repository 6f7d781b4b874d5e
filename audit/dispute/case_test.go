package dispute

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"porchlight/audit"
	"porchlight/audit/custody"
	"porchlight/audit/exif"
	"porchlight/audit/geo"
	"porchlight/audit/pixel"
)

// objects is a folder with a file per key.
type objects string

func (o objects) path(key string) string { return filepath.Join(string(o), filepath.FromSlash(key)) }

func (o objects) Put(_ context.Context, key string, b []byte, _ string) error {
	if err := os.MkdirAll(filepath.Dir(o.path(key)), 0o755); err != nil {
		return err
	}
	return os.WriteFile(o.path(key), b, 0o644)
}

func (o objects) Open(_ context.Context, key string) (io.ReadCloser, int64, error) {
	f, err := os.Open(o.path(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, audit.Errorf(audit.CodeNotFound, "no object %s", key, err)
	}
	if err != nil {
		return nil, 0, audit.Errorf(audit.CodeUnavailable, "open", err)
	}
	info, err := f.Stat()
	return f, info.Size(), err
}

// records is what is on record in a test.
type records struct {
	claims   map[string]Claim
	evidence map[string]Evidence
	packets  map[string]FrozenPacket
}

func find[T any](m map[string]T, id string) (T, error) {
	v, ok := m[id]
	if !ok {
		return v, audit.Errorf(audit.CodeNotFound, "nothing under %s", id)
	}
	return v, nil
}

func (r records) Claim(_ context.Context, id string) (Claim, error) { return find(r.claims, id) }

func (r records) Evidence(_ context.Context, id string) (Evidence, error) {
	return find(r.evidence, id)
}

func (r records) Packet(_ context.Context, id string) (FrozenPacket, error) {
	return find(r.packets, id)
}

func (r records) CustodyHead(context.Context) (custody.Head, error) {
	return custody.Seal(custody.Head{Seq: 41, Hash: custody.Genesis}, custody.Entry{At: *at("2026-03-07T10:00:00Z"), Actor: "token:1"}).Head(), nil
}

func (r records) AddPacket(_ context.Context, p FrozenPacket) error {
	if _, ok := r.packets[p.PacketID]; ok {
		return audit.Errorf(audit.CodeImmutable, "packet %s exists", p.PacketID)
	}
	p.JSON = bytes.Clone(p.JSON)
	r.packets[p.PacketID] = p
	return nil
}

func at(s string) *time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return &t
}

func ptr[T any](v T) *T { return &v }

// The stop of all cases, and a place so many metres north of it.
var stop = geo.Point{Latitude: 47.6205, Longitude: -122.3493}

func north(metres float64) geo.Point { return stop.Offset(0, metres) }

func claim() Claim {
	return Claim{ClaimID: "CL-1", TrackingID: "TBA-1", ReportedAt: at("2026-03-06T09:30:00-08:00"),
		Reason: "delivered_not_received", Statement: "It never came.", Channel: "stripe", DueAt: at("2026-03-20T00:00:00Z")}
}

func delivery() audit.Delivery {
	scan := north(8)
	return audit.Delivery{TrackingID: "TBA-1", DriverID: "A1B2C3D4E5F6", RouteID: "R-7",
		Stop: audit.Stop{Address: "1428 Elm Street", Postcode: "98109", Locality: "Seattle", Country: "US",
			Latitude: &stop.Latitude, Longitude: &stop.Longitude, Kind: audit.House, TimeZone: "America/Los_Angeles"},
		Instruction: audit.FrontDoor, WindowStart: at("2026-03-04T22:00:00Z"), WindowEnd: at("2026-03-05T02:00:00Z"),
		ScannedAt: at("2026-03-04T23:02:10Z"), ScanLatitude: &scan.Latitude, ScanLongitude: &scan.Longitude,
		DeliveredAt: at("2026-03-04T23:02:30Z"), Outcome: audit.Delivered, Note: "Left by the planter."}
}

// shot is a photo with its bytes.
type shot struct {
	audit.JudgedUpload
	bytes []byte
}

// shoot makes a photo as it is on record: n tells photos apart, findings are added to
// those that pass anyway.
func shoot(n int, verdict audit.Verdict, findings ...audit.Finding) shot {
	b := fmt.Appendf([]byte("\xff\xd8\xff\xe0"), "photo %d: opaque to a packet", n)
	id := audit.PhotoID(b)
	m := audit.Measurement{Version: "px1+exif1", MediaType: "image/jpeg", Measures: &pixel.Measures{Width: 4000, Height: 3000, BrightTile: 150, Blur: -1.5},
		Exif: exif.Metadata{HasExif: true, Make: "Example", TakenAt: "2026-03-04T15:02:20"}}
	score := map[audit.Verdict]int{audit.Accept: 96, audit.Review: 70, audit.Retake: 25}[verdict]
	return shot{bytes: b, JudgedUpload: audit.JudgedUpload{
		Upload: audit.Upload{UploadID: fmt.Sprintf("U-%d", n), PhotoID: id, TrackingID: "TBA-1", Role: audit.Placement,
			CapturedAt: at("2026-03-04T23:02:21Z"), Fix: &audit.Fix{Point: north(14), AccuracyM: ptr(5.0)},
			DriverID: "A1B2C3D4E5F6", ReceivedAt: *at("2026-03-04T23:02:41Z"), MediaType: "image/jpeg", Bytes: int64(len(b))},
		Measurement: m,
		Report: audit.Report{ReportID: fmt.Sprintf("P-%d", n), UploadID: fmt.Sprintf("U-%d", n), TrackingID: "TBA-1", PhotoID: id,
			Checklist: "guide-2026", Verdict: verdict, Score: score, JudgedAt: *at("2026-03-04T23:02:42Z"), MeasurementVersion: m.Version,
			Findings: append([]audit.Finding{{Check: "blur", Result: audit.Pass, Value: -1.5, Limit: 0.0}}, findings...)},
	}}
}

// Findings that cases are made of.
func located(r audit.Result, m, limit float64, source string) audit.Finding {
	return audit.Finding{Check: "location", Result: r, Value: m, Limit: limit, Unit: "m", Source: source, Detail: fmt.Sprintf("%.0f m from the stop", m)}
}

var (
	timed   = audit.Finding{Check: "time", Result: audit.Pass, Value: 0.2, Limit: 2.0, Unit: "min", Source: "phone", Detail: "taken 11s after the scan"}
	matches = audit.Finding{Check: "house_number", Result: audit.Pass, Value: "1428"}
	unread  = audit.Finding{Check: "house_number", Result: audit.Unknown, Reason: "no models installed"}
	blurred = audit.Finding{Check: "blur", Result: audit.Fail, Value: 1.8, Limit: 1.0, Reason: "blurry_photo", Detail: "blurred"}
)

func password(detail string) Event {
	return Event{EventID: "E-1", TrackingID: "TBA-1", Kind: "password", At: *at("2026-03-04T23:02:05Z"), Source: "carrier app", Detail: detail, RecordedAt: *at("2026-03-04T23:02:06Z")}
}

// scene is a claim with its evidence and the photos' bytes.
type scene struct {
	claim    Claim
	evidence Evidence
	shots    []shot
}

func sceneOf(d audit.Delivery, events []Event, shots ...shot) scene {
	s := scene{claim: claim(), evidence: Evidence{Delivery: d, Events: events}, shots: shots}
	for _, p := range shots {
		s.evidence.Photos = append(s.evidence.Photos, p.JudgedUpload)
	}
	return s
}

func strong() scene {
	d := delivery()
	d.Proofs = audit.Proofs{audit.ProofPhoto, audit.ProofOneTimePassword}
	return sceneOf(d, []Event{password("accepted at the first attempt")},
		shoot(1, audit.Accept, located(audit.Pass, 12, 50, "exif"), timed, matches))
}

func weak() scene {
	return sceneOf(delivery(), nil,
		shoot(2, audit.Retake, blurred, located(audit.Fail, 400, 150, "phone"), timed, unread))
}

func withoutPhoto() scene { return sceneOf(delivery(), nil) }

func unknownDelivery() scene { return scene{claim: claim()} }

func undecodable() scene {
	p := shoot(3, audit.Retake, audit.Finding{Check: "readable", Result: audit.Fail, Reason: "other", Detail: "it does not decode"})
	p.Measurement = audit.Measurement{Version: "px1+exif1", MediaType: "image/jpeg", Problem: &audit.Problem{Code: audit.CodeUndecodable, Message: "unexpected EOF"}}
	p.Upload.CapturedAt, p.Upload.Fix = nil, nil
	return sceneOf(delivery(), nil, p)
}

// serve makes a service over what the scene has on record.
func (s scene) serve(t testing.TB, signer *Signer) *Service {
	t.Helper()
	dir := objects(t.TempDir())
	for _, p := range s.shots {
		if err := dir.Put(t.Context(), audit.ObjectKey(p.Upload.PhotoID), p.bytes, p.Upload.MediaType); err != nil {
			t.Fatal(err)
		}
	}
	r := records{claims: map[string]Claim{s.claim.ClaimID: s.claim}, evidence: map[string]Evidence{}, packets: map[string]FrozenPacket{}}
	if s.evidence.Delivery.TrackingID != "" {
		r.evidence[s.claim.TrackingID] = s.evidence
	}
	ids := 0
	return NewService(Config{Records: r, Objects: dir, Signer: signer,
		Now:   func() time.Time { return *at("2026-03-07T10:00:01.234567Z") },
		NewID: func() string { ids++; return fmt.Sprintf("0195-packet-%d", ids) }})
}

// issue freezes the scene's claim.
func (s scene) issue(t testing.TB, signer *Signer) (*Service, Packet) {
	t.Helper()
	service := s.serve(t, signer)
	p, err := service.Issue(t.Context(), s.claim.ClaimID)
	if err != nil {
		t.Fatal(err)
	}
	return service, p
}

// zipped is the scene's packet as a ZIP.
func (s scene) zipped(t testing.TB, signer *Signer) []byte {
	t.Helper()
	service, p := s.issue(t, signer)
	var b bytes.Buffer
	if err := service.WriteZIP(t.Context(), &b, p.PacketID); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func newSigner(t testing.TB) *Signer {
	t.Helper()
	s, err := LoadOrCreateKey(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func verify(t testing.TB, b []byte, pub *PublicKey) Verification {
	t.Helper()
	v, err := Verify(bytes.NewReader(b), int64(len(b)), pub)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
