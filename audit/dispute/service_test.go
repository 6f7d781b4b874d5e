package dispute

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"porchlight/audit"
)

func TestOriginalsAreCheckedWhenIssued(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(path string) error
		state  OriginalState
		rule   string
	}{
		{"missing", os.Remove, Missing, "original.missing"},
		{"corrupted", func(path string) error { return os.WriteFile(path, []byte("other bytes"), 0o644) }, Corrupted, "original.corrupted"},
		{"emptied", func(path string) error { return os.Truncate(path, 0) }, Corrupted, "original.corrupted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := strong()
			service := s.serve(t, newSigner(t))
			photo := s.shots[0].Upload.PhotoID
			if err := c.damage(service.Objects.(objects).path(audit.ObjectKey(photo))); err != nil {
				t.Fatal(err)
			}
			p, err := service.Issue(t.Context(), s.claim.ClaimID)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Photos[0]; got.Original != c.state || got.File != "" {
				t.Errorf("photo is %s in file %q, want %s in none", got.Original, got.File, c.state)
			}
			if got := p.Integrity.Originals[0]; got.State != c.state || got.PhotoID != photo {
				t.Errorf("integrity says %+v, want %s", got, c.state)
			}
			if !slices.Contains(rulesOf(p.Recommendation.Weaknesses), c.rule) || p.Recommendation.Recommendation != ReviewClaim {
				t.Errorf("got %s with %v, want review with %s", p.Recommendation.Recommendation, rulesOf(p.Recommendation.Weaknesses), c.rule)
			}
			var b bytes.Buffer
			if err := service.WriteZIP(t.Context(), &b, p.PacketID); err != nil {
				t.Fatal(err)
			}
			if v := verify(t, b.Bytes(), service.Signer.PublicKey()); !v.Valid() {
				t.Errorf("the ZIP without it is not valid: %v", v.Problems)
			}
		})
	}
}

func TestZIPIsRefusedWhole(t *testing.T) {
	s := strong()
	service, p := s.issue(t, nil)
	path := service.Objects.(objects).path(audit.ObjectKey(s.shots[0].Upload.PhotoID))
	for _, c := range []struct {
		name   string
		damage func() error
		want   audit.Code
	}{
		{"corrupted since", func() error { return os.WriteFile(path, []byte("other bytes"), 0o644) }, audit.CodeCorrupted},
		{"lost since", func() error { return os.Remove(path) }, audit.CodeNotFound},
		{"unreadable now", func() error { return os.Mkdir(path, 0o755) }, audit.CodeUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.damage(); err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			err := service.WriteZIP(t.Context(), &b, p.PacketID)
			if audit.ErrorCode(err) != c.want || b.Len() != 0 {
				t.Errorf("got %v after %d bytes, want %s after none", err, b.Len(), c.want)
			}
		})
	}
	if err := service.WriteZIP(t.Context(), io.Discard, "nowhere"); audit.ErrorCode(err) != audit.CodeNotFound {
		t.Errorf("unknown packet: got %v", err)
	}
	if _, err := service.Issue(t.Context(), s.claim.ClaimID); audit.ErrorCode(err) != audit.CodeUnavailable {
		t.Errorf("a store that does not answer is no lost photo: got %v", err)
	}
}

// full is a disk without room after some bytes.
type full struct{ room int }

var errFull = errors.New("no space left on device")

func (f *full) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestZIPTellsTheWritersError(t *testing.T) {
	service, p := strong().issue(t, newSigner(t))
	size := len(strong().zipped(t, service.Signer))
	for _, room := range []int{0, 40, size / 2, size - 1} {
		if err := service.WriteZIP(t.Context(), &full{room}, p.PacketID); !errors.Is(err, errFull) {
			t.Errorf("room for %d bytes of %d: got %v, want %v", room, size, err, errFull)
		}
	}
}

func TestPhotoOfTwoRolesIsZippedOnce(t *testing.T) {
	one := shoot(1, audit.Accept)
	two := one
	two.Upload.UploadID, two.Upload.Role = "U-2", audit.Context
	s := sceneOf(delivery(), nil, one, two)
	_, p := s.issue(t, nil)
	if p.Photos[0].File == "" || p.Photos[0].File != p.Photos[1].File || len(p.Integrity.Originals) != 1 {
		t.Errorf("files %q and %q, originals %v, want one file", p.Photos[0].File, p.Photos[1].File, p.Integrity.Originals)
	}
	if v := verify(t, s.zipped(t, nil), nil); !v.Intact() {
		t.Errorf("problems %v", v.Problems)
	}
}

// purged has a photo deleted while its first packet is kept.
type purged struct {
	records
	trackingID string
	asked      *[][]string // of which originals it was asked
}

func (r purged) AddPacket(ctx context.Context, p FrozenPacket) error {
	*r.asked = append(*r.asked, p.Originals)
	if len(*r.asked) > 1 {
		return r.records.AddPacket(ctx, p)
	}
	ev := r.evidence[r.trackingID]
	ev.Photos = slices.Clone(ev.Photos)
	ev.Photos[0].DeletedAt = at("2026-03-07T10:00:00Z")
	r.evidence[r.trackingID] = ev
	return audit.Errorf(audit.CodeDeleted, "it was deleted")
}

// TestPhotoDeletedWhileIssued holds that a packet never has a photo that was deleted while
// it was made.
func TestPhotoDeletedWhileIssued(t *testing.T) {
	s := strong()
	service := s.serve(t, newSigner(t))
	var asked [][]string
	service.Records = purged{service.Records.(records), s.claim.TrackingID, &asked}
	p, err := service.Issue(t.Context(), s.claim.ClaimID)
	if err != nil {
		t.Fatal(err)
	}
	photo := s.shots[0].Upload.PhotoID
	if len(asked) != 2 || !slices.Contains(asked[0], photo) || slices.Contains(asked[1], photo) || p.Photos[0].Original != Deleted {
		t.Errorf("asked about %v; the photo is %s, want deleted", asked, p.Photos[0].Original)
	}
}

func TestIssuedPacketsStay(t *testing.T) {
	s := strong()
	service, p := s.issue(t, nil)
	var before, after bytes.Buffer
	if err := service.WriteZIP(t.Context(), &before, p.PacketID); err != nil {
		t.Fatal(err)
	}
	ev := s.evidence
	ev.Delivery.Outcome = audit.Returned
	service.Records.(records).evidence[s.claim.TrackingID] = ev
	if err := service.WriteZIP(t.Context(), &after, p.PacketID); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before.Bytes(), after.Bytes()) {
		t.Error("the packet changed with the records")
	}
	next, err := service.Issue(t.Context(), s.claim.ClaimID)
	if err != nil {
		t.Fatal(err)
	}
	if next.PacketID == p.PacketID || next.Recommendation.Recommendation != AcceptClaim {
		t.Errorf("the next packet is %s with %s, want another with accept", next.PacketID, next.Recommendation.Recommendation)
	}
}

func TestCase(t *testing.T) {
	service := unknownDelivery().serve(t, nil)
	got, err := service.Case(t.Context(), "CL-1")
	if err != nil {
		t.Fatal(err)
	}
	want := Evidence{Delivery: audit.Delivery{TrackingID: "TBA-1"}}
	if diff := cmp.Diff(want, got.Evidence); diff != "" || got.Recommendation.Recommendation != ReviewClaim {
		t.Errorf("%s, evidence (-want +got):\n%s", got.Recommendation.Recommendation, diff)
	}
	if _, err := service.Case(t.Context(), "CL-2"); audit.ErrorCode(err) != audit.CodeNotFound {
		t.Errorf("unknown claim: got %v", err)
	}
}

// plain is a document whose size shrinks with its look: 3, 2 and 1 megabytes.
type plain struct{ padding int }

func (plain) Looks() int { return 3 }

func (d plain) Write(_ context.Context, p Packet, look int, w io.Writer) (int, error) {
	_, err := fmt.Fprintf(w, "%%PDF-1.7 %s%s", strings.Repeat(" ", d.padding*(3-look)), p.PacketID)
	return 4, err
}

func (plain) Photo(_ context.Context, p Photo, maxBytes int64) ([]byte, error) {
	if maxBytes < 100 {
		return nil, audit.Errorf(audit.CodeTooLarge, "too large")
	}
	return []byte("JPEG of " + p.PhotoID), nil
}

func TestDriverRecordAndPDF(t *testing.T) {
	s := strong()
	service := s.serve(t, newSigner(t))
	service.DriverRecord = func(_ context.Context, id string, at time.Time) (*DriverRecord, error) {
		return &DriverRecord{DriverID: id, Packages: 500, NotReceived: 1, From: at.AddDate(0, -1, 0), To: at}, nil
	}
	service.Document = plain{}
	p, err := service.Issue(t.Context(), s.claim.ClaimID)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := service.WriteZIP(t.Context(), &b, p.PacketID); err != nil {
		t.Fatal(err)
	}
	if v := verify(t, b.Bytes(), service.Signer.PublicKey()); !v.Valid() {
		t.Errorf("problems %v", v.Problems)
	}
	files := unpack(t, b.Bytes())
	if got := files[2]; got.name != pdfName || !strings.HasSuffix(string(got.data), p.PacketID) {
		t.Errorf("third file is %s: %q, want %s", got.name, got.data, pdfName)
	}
	if !strings.Contains(string(files[1].data), "1 of 500 packages") {
		t.Error("the page lacks the driver's record")
	}
}

func TestPageEscapesWhatComesFromOutside(t *testing.T) {
	evil := `"><script>alert(1)</script><img src=x onerror=alert(2)><a href="javascript:alert(3)">` + "\x00\xff"
	s := strong()
	s.claim.Statement, s.claim.Reason, s.claim.Channel = evil, evil, evil
	d := &s.evidence.Delivery
	d.Note, d.Address, d.Unit, d.Locality, d.OutcomeReason = evil, evil, evil, evil, evil
	s.evidence.Events[0].Detail, s.evidence.Events[0].Source, s.evidence.Events[0].Kind = evil, evil, evil
	s.evidence.Photos[0].Report.Findings = append(s.evidence.Photos[0].Report.Findings,
		audit.Finding{Check: evil, Result: audit.Fail, Value: evil, Detail: evil, Source: evil})
	s.evidence.Photos[0].Report.Checklist = evil
	signer := newSigner(t)
	b := s.zipped(t, signer)
	page := string(unpack(t, b)[1].data)
	for _, bad := range []string{"<script", "<a ", "onerror=alert(2)>", "<img src=x", "http:", "https:"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if got := strings.Count(page, "&lt;script&gt;"); got < 10 {
		t.Errorf("the page holds the text %d times, want it wherever it belongs", got)
	}
	if v := verify(t, b, signer.PublicKey()); !v.Valid() {
		t.Errorf("problems %v", v.Problems)
	}
}

func TestTooManyPhotos(t *testing.T) {
	shots := make([]shot, MaxPacketPhotos+1)
	for i := range shots {
		shots[i] = shoot(i, audit.Accept)
	}
	service := sceneOf(delivery(), nil, shots...).serve(t, nil)
	if _, err := service.Issue(t.Context(), "CL-1"); audit.ErrorCode(err) != audit.CodeInvalid {
		t.Errorf("%d photos: got %v, want %s", len(shots), err, audit.CodeInvalid)
	}
	s := sceneOf(delivery(), nil, shots[:MaxPacketPhotos]...)
	if v := verify(t, s.zipped(t, nil), nil); !v.Intact() {
		t.Errorf("%d photos: %v", MaxPacketPhotos, v.Problems)
	}
}

// large is a scene with three photos of 3 MB.
func large(b *testing.B) (*Service, Packet) {
	var shots []shot
	for i := range 3 {
		p := shoot(i, audit.Accept, located(audit.Pass, 12, 50, "exif"), timed, matches)
		p.bytes = bytes.Repeat(fmt.Appendf(nil, "photo %d.", i), 3_000_000/8)
		p.Upload.PhotoID, p.Upload.Bytes = audit.PhotoID(p.bytes), int64(len(p.bytes))
		shots = append(shots, p)
	}
	return sceneOf(delivery(), nil, shots...).issue(b, newSigner(b))
}

func BenchmarkWriteZIP(b *testing.B) {
	service, p := large(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := service.WriteZIP(b.Context(), io.Discard, p.PacketID); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWriteBulk streams a thousand packets of 9 MB. peak-MiB is the most memory that
// was in use when a packet began, the photos' own 9 MB with it.
func BenchmarkWriteBulk(b *testing.B) {
	service, _ := large(b)
	kept := service.Records.(records)
	const packets = 1000
	var most uint64
	for b.Loop() {
		err := service.WriteBulk(b.Context(), io.Discard, func(yield func(Claim, error) bool) {
			for i := range packets {
				clear(kept.packets) // a database keeps them elsewhere
				if i%50 == 49 {
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					most = max(most, m.HeapInuse)
				}
				if !yield(claim(), nil) {
					return
				}
			}
		}, "")
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N*packets), "ms/packet")
	b.ReportMetric(float64(most)/(1<<20), "peak-MiB")
}

func BenchmarkVerify(b *testing.B) {
	service, p := large(b)
	var zip bytes.Buffer
	if err := service.WriteZIP(b.Context(), &zip, p.PacketID); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if v := verify(b, zip.Bytes(), service.Signer.PublicKey()); !v.Valid() {
			b.Fatal(v.Problems)
		}
	}
}

func BenchmarkRecommend(b *testing.B) {
	s, rules := strong(), Rules2026()
	b.ReportAllocs()
	for b.Loop() {
		Recommend(s.claim, s.evidence, nil, rules)
	}
}
