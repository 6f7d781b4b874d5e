package dispute

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"hash/crc32"
	"io"
	"time"

	"porchlight/audit"
	"porchlight/audit/custody"
)

// Records keeps claims, what is on record about deliveries, and packets.
type Records interface {
	// Claim finds a claim. Errors: [audit.CodeNotFound], [audit.CodeUnavailable].
	Claim(ctx context.Context, claimID string) (Claim, error)
	// Evidence is all that is on record about a delivery. Errors: [audit.CodeNotFound], [audit.CodeUnavailable].
	Evidence(ctx context.Context, trackingID string) (Evidence, error)
	// AddPacket keeps a packet for good, and with it the photos that it has the originals of.
	// Errors: [audit.CodeDeleted] where one of those was deleted meanwhile, [audit.CodeImmutable] or [audit.CodeConflict]
	// where its id is taken, [audit.CodeUnavailable].
	AddPacket(ctx context.Context, p FrozenPacket) error
	// Packet finds a packet. Errors: [audit.CodeNotFound], [audit.CodeUnavailable].
	Packet(ctx context.Context, packetID string) (FrozenPacket, error)
	// CustodyHead is the custody log's last entry, the zero head where it has none.
	// Errors: [audit.CodeUnavailable].
	CustodyHead(ctx context.Context) (custody.Head, error)
}

// Config is what a [Service] works with.
type Config struct {
	Records Records
	Objects audit.Objects
	Now     func() time.Time
	NewID   func() string // a new packet's id
	Rules   *Rules        // [Rules2026] where nil
	Signer  *Signer       // ZIPs are unsigned where nil

	// DriverRecord looks up the driver's record for the packet. Without it, or where it
	// answers nil, the packet has none.
	DriverRecord func(ctx context.Context, driverID string, at time.Time) (*DriverRecord, error)
	Document     Document  // renders packets; without it ZIPs have no packet.pdf
	Channels     *Channels // [Channels2026] where nil
	Authority    Authority // stamps packets with the time; without it they have no time stamp
}

// Service answers claims.
type Service struct{ Config }

// NewService makes a service.
func NewService(c Config) *Service {
	if c.Rules == nil {
		c.Rules = Rules2026()
	}
	if c.Channels == nil {
		c.Channels = Channels2026()
	}
	return &Service{Config: c}
}

// CaseFile is a claim with all that is known about it by now.
type CaseFile struct {
	Claim          Claim          `json:"claim"`
	Evidence       Evidence       `json:"evidence"`
	Driver         *DriverRecord  `json:"driver_record,omitempty"`
	Recommendation Recommendation `json:"recommendation"`
}

// Timeline lists what happened, oldest first, and what is on record without a time.
func (f CaseFile) Timeline() (dated, undated []Line) { return timeline(f.Claim, f.Evidence) }

// Sketch draws the positions on record as a map of that width and height; false where
// there is none.
func (f CaseFile) Sketch(width, height float64) (Sketch, bool) {
	return NewSketch(places(f.Evidence), points(f.Evidence.Track), width, height)
}

// NotOnRecord names what a reader of the claim would look for in vain.
func (f CaseFile) NotOnRecord() []string { return notOnRecord(f.Claim, f.Evidence) }

// Case joins a claim with what is on record about its delivery. A delivery that is not
// on record is an answer, not an error: the evidence then holds the tracking id alone.
// The photos' originals are not read. Errors: those of [Records].
func (s *Service) Case(ctx context.Context, claimID string) (CaseFile, error) {
	c, err := s.Records.Claim(ctx, claimID)
	if err != nil {
		return CaseFile{}, err
	}
	ev, err := s.Records.Evidence(ctx, c.TrackingID)
	if audit.ErrorCode(err) == audit.CodeNotFound {
		ev, err = Evidence{Delivery: audit.Delivery{TrackingID: c.TrackingID}}, nil
	}
	if err != nil {
		return CaseFile{}, err
	}
	driver, err := s.Driver(ctx, ev.Delivery, s.Now().UTC().Truncate(time.Microsecond)) // as the records keep times
	if err != nil {
		return CaseFile{}, err
	}
	return CaseFile{Claim: c, Evidence: ev, Driver: driver, Recommendation: Recommend(c, ev, driver, s.Rules)}, nil
}

// Issue freezes a claim's evidence into a new packet and keeps it. Each photo's
// original is read again: one that is missing or no longer matches its digest stands
// in the packet as a weakness. Errors: those of [Records] and [audit.Objects] but for
// those two, and [audit.CodeInvalid] where there are more than [MaxPacketPhotos].
func (s *Service) Issue(ctx context.Context, claimID string) (packet Packet, err error) {
	for range 3 {
		// A photo that is deleted while its packet is made has its place in another one.
		if packet, err = s.issue(ctx, claimID); audit.ErrorCode(err) != audit.CodeDeleted {
			break
		}
	}
	return packet, err
}

func (s *Service) issue(ctx context.Context, claimID string) (Packet, error) {
	file, err := s.Case(ctx, claimID)
	if err != nil {
		return Packet{}, err
	}
	if n := len(file.Evidence.Photos); n > MaxPacketPhotos {
		return Packet{}, audit.Errorf(audit.CodeInvalid, "The delivery has %d photos, a packet holds at most %d", n, MaxPacketPhotos)
	}
	// Microseconds are what the records keep.
	at := s.Now().UTC().Truncate(time.Microsecond)
	originals := map[string]original{}
	var kept []string // photos that are not deleted, by what is on record
	for _, p := range file.Evidence.Photos {
		if _, read := originals[p.Upload.PhotoID]; read {
			continue
		}
		if p.DeletedAt != nil {
			originals[p.Upload.PhotoID] = original{state: Deleted}
			continue
		}
		o, err := s.readOriginal(ctx, p.Upload.PhotoID, io.Discard)
		if err != nil {
			return Packet{}, err
		}
		originals[p.Upload.PhotoID], kept = o, append(kept, p.Upload.PhotoID)
	}
	for _, a := range file.Evidence.Attached {
		o, err := s.readObject(ctx, AttachmentKey(a.SHA256), a.SHA256, io.Discard)
		if err != nil {
			return Packet{}, err
		}
		originals[a.SHA256] = o
	}
	packet := assemble(s.NewID(), at, file, s.Rules, originals)
	head, err := s.Records.CustodyHead(ctx)
	if err != nil {
		return Packet{}, err
	}
	if head.Seq > 0 {
		packet.Integrity.Custody = &head
	}
	b, err := packet.encode()
	if err != nil {
		return Packet{}, err
	}
	frozen := FrozenPacket{PacketID: packet.PacketID, ClaimID: claimID, IssuedAt: at, JSON: b, Originals: kept}
	if s.Authority != nil {
		if frozen, packet, err = s.stamp(ctx, frozen, packet); err != nil {
			return Packet{}, err
		}
	}
	if err := s.Records.AddPacket(ctx, frozen); err != nil {
		return Packet{}, err
	}
	return packet, nil
}

// stampPatience is how long an authority may take: an agent waits.
const stampPatience = 10 * time.Second

// stamp has the authority stamp a packet. Where it does not, the packet is issued all the
// same, since a claim has a due date, and says so.
func (s *Service) stamp(ctx context.Context, frozen FrozenPacket, packet Packet) (FrozenPacket, Packet, error) {
	packet.Integrity.Timestamp = &TimestampNote{Authority: s.Authority.Name()}
	var err error
	if frozen.JSON, err = packet.encode(); err != nil {
		return frozen, packet, err
	}
	waiting, cancel := context.WithTimeout(ctx, stampPatience)
	defer cancel()
	response, err := requestTimestamp(waiting, s.Authority, frozen.JSON, rand.Reader)
	if err == nil {
		frozen.Timestamp = response
		return frozen, packet, nil
	}
	if ctx.Err() != nil {
		return frozen, packet, ctx.Err()
	}
	packet.Integrity.Timestamp.Problem = "the authority gave no time stamp: " + err.Error()
	frozen.JSON, err = packet.encode()
	return frozen, packet, err
}

// Driver is the record of a delivery's driver as of then; nil where there is no driver,
// or nothing that looks it up.
func (s *Service) Driver(ctx context.Context, d audit.Delivery, at time.Time) (*DriverRecord, error) {
	if s.DriverRecord == nil || d.DriverID == "" {
		return nil, nil
	}
	return s.DriverRecord(ctx, d.DriverID, at)
}

// readOriginal streams a photo's bytes into w and checks them against the photo's id.
// Missing and corrupted originals are answers, not errors.
func (s *Service) readOriginal(ctx context.Context, photoID string, w io.Writer) (original, error) {
	if len(photoID) != hex.EncodedLen(sha256.Size) {
		return original{state: Missing}, nil
	}
	return s.readObject(ctx, audit.ObjectKey(photoID), photoID, w)
}

// readObject is readOriginal for an object of any key, under its digest.
func (s *Service) readObject(ctx context.Context, key, digestHex string, w io.Writer) (original, error) {
	r, _, err := s.Objects.Open(ctx, key)
	switch audit.ErrorCode(err) {
	case "":
	case audit.CodeNotFound:
		return original{state: Missing}, nil
	case audit.CodeCorrupted:
		return original{state: Corrupted}, nil
	default:
		return original{}, err
	}
	defer r.Close()
	digest, crc, out := sha256.New(), crc32.NewIEEE(), &sink{w: w}
	n, err := io.Copy(io.MultiWriter(digest, crc, out), io.LimitReader(r, audit.MaxPhotoBytes+1))
	o := original{state: Intact, sha256: hex.EncodeToString(digest.Sum(nil)), crc32: crc.Sum32(), bytes: n}
	switch {
	case out.err != nil:
		return original{}, out.err
	case audit.ErrorCode(err) == audit.CodeCorrupted || err == nil && o.sha256 != digestHex:
		o.state = Corrupted
	case err != nil:
		return original{}, audit.Errorf(audit.CodeUnavailable, "The original %s cannot be read now", first12(digestHex), err)
	}
	return o, nil
}

// sink tells errors of writing from errors of reading.
type sink struct {
	w   io.Writer
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err != nil {
		s.err = err
	}
	return n, err
}
