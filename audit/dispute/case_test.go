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
	"porchlight/audit/vision"
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

// wrongAddress was scanned and photographed three streets away, with another number in the
// photo, together with packages of other stops; the track has the driver there too.
func wrongAddress() scene {
	d := delivery()
	there := north(410)
	d.ScanLatitude = &there.Latitude
	s := sceneOf(d, nil, shoot(4, audit.Retake, located(audit.Fail, 400, 150, "phone"),
		audit.Finding{Check: "house_number", Result: audit.Fail, Value: "1436", Limit: "1428", Reason: "other", Source: "vision", Detail: "1436 is read, the address has 1428",
			Box: &vision.Box{0.55, 0.12, 0.7, 0.2}, Score: 0.97}))
	s.evidence.Photos[0].Upload.Fix.Point = north(400)
	s.evidence.History = History{NearScans: []NearScan{{TrackingID: "TBA-7", At: *at("2026-03-04T23:02:12Z")}, {TrackingID: "TBA-8", At: *at("2026-03-04T23:02:50Z")}}}
	for i, m := range []float64{-200, 120, 380, 420, 700} {
		s.evidence.Track = append(s.evidence.Track, TrackPoint{DriverID: d.DriverID, At: at("2026-03-04T23:00:00Z").Add(time.Duration(i) * time.Minute), Point: north(m), AccuracyM: 6})
	}
	return s
}

// handedOver needed a password, which failed once; the customer was texted and called first.
func handedOver() scene {
	d := delivery()
	d.Instruction, d.Proofs = audit.HandToCustomer, audit.Proofs{audit.ProofOneTimePassword}
	event := func(n int, kind, clock, detail string) Event {
		e := Event{EventID: fmt.Sprint("E-", n), TrackingID: d.TrackingID, Kind: kind, At: *at("2026-03-04T" + clock + "Z"), Source: "driver's phone", Detail: detail, RecordedAt: *at("2026-03-04T23:03:00Z")}
		return e.Redacted()
	}
	arrival := event(1, "arrival", "22:56:40", "")
	arrival.Latitude, arrival.Longitude = &stop.Latitude, &stop.Longitude
	return sceneOf(d, []Event{arrival, event(2, "contact_text", "22:57:00", "At your door"), event(3, "contact_call", "22:59:30", "no answer"),
		event(4, "contact_answer", "23:01:00", "comes down"), event(5, "password_failed", "23:01:50", "123456 was wrong"), event(6, "password_entered", "23:02:05", "accepted")})
}

// hiddenAway is a hidden package with its two photos and a customer's message.
func hiddenAway() scene {
	d := delivery()
	d.Instruction = audit.Hidden
	near, far := shoot(5, audit.Accept, located(audit.Pass, 9, 50, "exif"), timed, matches), shoot(6, audit.Accept, located(audit.Pass, 11, 50, "exif"), timed, matches)
	near.Upload.Role, far.Upload.Role = audit.CloseUp, audit.Context
	near.Report.Findings = append(near.Report.Findings, audit.Finding{Check: "package", Result: audit.Pass, Value: 0.62, Source: "vision", Detail: "a package", Box: &vision.Box{0.25, 0.35, 0.7, 0.85}, Score: 0.62})
	s := sceneOf(d, []Event{{EventID: "E-9", TrackingID: d.TrackingID, Kind: "customer_told_delivered", At: *at("2026-03-04T23:02:40Z"), Source: "carrier", Detail: "behind the planter", RecordedAt: *at("2026-03-04T23:02:41Z")}}, near, far)
	s.evidence.Attached = []Attachment{{AttachmentID: "A-1", TrackingID: d.TrackingID, SHA256: audit.PhotoID([]byte("%PDF-1.7 mail")), MediaType: "application/pdf", Bytes: 13,
		What: "E-mail: please hide it from the street", At: *at("2026-03-04T18:00:00Z"), AddedBy: "token:agent-1", AddedAt: *at("2026-03-06T20:00:00Z")}}
	return s
}

func inApartment() scene {
	d := delivery()
	d.Kind, d.Unit, d.RadiusM = audit.Apartment, "4B", ptr(90.0)
	return sceneOf(d, []Event{{EventID: "E-2", TrackingID: d.TrackingID, Kind: "access_problem", At: *at("2026-03-04T22:58:00Z"), Source: "driver's phone", Detail: "the gate's code did not work at first", RecordedAt: *at("2026-03-04T22:58:01Z")}},
		shoot(7, audit.Review, located(audit.Pass, 62, 90, "phone"), timed, audit.Finding{Check: "house_number", Result: audit.Pass, Value: "4B", Source: "vision"},
			audit.Finding{Check: "person", Result: audit.Warn, Value: 0.41, Limit: 0.35, Reason: "human_in_the_picture", Source: "vision", Detail: "a person", Box: &vision.Box{0.02, 0.2, 0.2, 0.95}}))
}

func inMailroom() scene {
	d := delivery()
	d.Kind, d.Instruction = audit.Mailroom, audit.ToMailroom
	s := sceneOf(d, nil, shoot(8, audit.Accept, located(audit.Pass, 22, 50, "phone"), timed))
	s.evidence.History = History{StopClaims: 3, StopPackages: 120}
	return s
}

// nonLatin has names in scripts that fonts know and that they do not.
func nonLatin() scene {
	s := strong()
	s.evidence.Delivery.Address, s.evidence.Delivery.Locality = "Λεωφόρος Νίκης 14, Нгуен Văn Cừ", "Đà Nẵng / Zürich / Київ"
	s.evidence.Delivery.Note = "Left with 王小明 and محمد, by the planter."
	s.claim.Statement = "Tôi chưa nhận được hàng. 商品が届いていません。\nНичего не пришло."
	return s
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
	for _, a := range s.evidence.Attached {
		if err := dir.Put(t.Context(), AttachmentKey(a.SHA256), []byte("%PDF-1.7 mail"), a.MediaType); err != nil {
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
	v, err := Verify(bytes.NewReader(b), int64(len(b)), pub, nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
