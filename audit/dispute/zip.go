package dispute

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"time"

	"porchlight/audit"
)

// ManifestFormat names the layout of manifest.json.
const ManifestFormat = "porchlight-manifest/1"

// Names of a packet's files in its ZIP.
const (
	packetName    = "packet.json"
	pageName      = "index.html"
	pdfName       = "packet.pdf"
	certifiedName = "certification.txt"
	manifestName  = "manifest.json"
	signatureName = "manifest.json.minisig"
	timestampName = "packet.json.tsr"
	originalsDir  = "originals/"

	attachmentsDir = "attachments/"
)

// Manifest lists the files of a ZIP but for itself and its signature.
type Manifest struct {
	Format   string `json:"format"` // [ManifestFormat]
	PacketID string `json:"packet_id"`
	Files    []File `json:"files"` // in the ZIP's order
}

// File is one file of a packet.
type File struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// part is a file about to be written: its bytes, or the object whose bytes it holds.
type part struct {
	entry
	sha256 string
	bytes  []byte
	key    string // of the object whose bytes it holds; empty where bytes are it
}

// WriteZIP writes an issued packet with its originals, manifest and, where there is a
// signer, signature. Nothing is written before every original has been read and found
// whole; memory holds no photo. For the same packet, signer and version of Porchlight
// the bytes are the same. Errors: [audit.CodeNotFound] for the packet or an original,
// [audit.CodeCorrupted], [audit.CodeUnavailable], or w's own.
func (s *Service) WriteZIP(ctx context.Context, w io.Writer, packetID string) error {
	frozen, err := s.Records.Packet(ctx, packetID)
	if err != nil {
		return err
	}
	packet, err := DecodePacket(frozen.JSON)
	if err != nil {
		return err
	}
	parts, err := s.parts(ctx, packet, frozen)
	if err != nil {
		return err
	}
	var directory []byte
	var offset uint64
	for i := range parts {
		p := &parts[i]
		p.offset = uint32(offset)
		directory = append(directory, p.centralHeader()...)
		offset += uint64(localHeaderSize + len(p.name) + int(p.size))
		if offset+uint64(len(directory)) > math.MaxUint32-endRecordSize {
			return audit.Errorf(audit.CodeInvalid, "The packet %s is larger than 4 GB", packetID)
		}
	}
	for _, p := range parts {
		if _, err := w.Write(p.localHeader()); err != nil {
			return fmt.Errorf("write packet %s: %w", packetID, err)
		}
		if p.key == "" {
			_, err = w.Write(p.bytes)
		} else {
			err = s.copyOriginal(ctx, w, p)
		}
		if err != nil {
			return fmt.Errorf("write packet %s: %w", packetID, err)
		}
	}
	tail := append(directory, endRecord(len(parts), uint32(len(directory)), uint32(offset))...)
	if _, err := w.Write(tail); err != nil {
		return fmt.Errorf("write packet %s: %w", packetID, err)
	}
	return nil
}

// parts are the ZIP's files in their order, digests and all.
func (s *Service) parts(ctx context.Context, packet Packet, frozen FrozenPacket) ([]part, error) {
	at := packet.IssuedAt
	parts := []part{partOf(packetName, frozen.JSON, at)}
	if len(frozen.Timestamp) > 0 {
		parts = append(parts, partOf(timestampName, frozen.Timestamp, at))
	}
	var page bytes.Buffer
	if err := WriteHTML(&page, packet); err != nil {
		return nil, err
	}
	parts = append(parts, partOf(pageName, page.Bytes(), at))
	if s.Document != nil {
		var pdf bytes.Buffer
		if _, err := s.Document.Write(ctx, packet, 0, &pdf); err != nil {
			return nil, err
		}
		parts = append(parts, partOf(pdfName, pdf.Bytes(), at))
	}
	seen := map[string]bool{}
	add := func(name, key, digest string) error {
		if name == "" || seen[name] {
			return nil
		}
		seen[name] = true
		o, err := s.readObject(ctx, key, digest, io.Discard)
		if err != nil {
			return err
		}
		if o.state != Intact {
			return notIntact(o.state, digest)
		}
		parts = append(parts, part{entry: entry{name: name, crc: o.crc32, size: uint32(o.bytes), time: at}, sha256: o.sha256, key: key})
		return nil
	}
	for _, p := range packet.Photos {
		if len(p.PhotoID) != hex.EncodedLen(sha256.Size) {
			continue
		}
		if err := add(p.File, audit.ObjectKey(p.PhotoID), p.PhotoID); err != nil {
			return nil, err
		}
	}
	for _, a := range packet.Attached {
		if err := add(a.File, AttachmentKey(a.SHA256), a.SHA256); err != nil {
			return nil, err
		}
	}
	var template bytes.Buffer
	if err := writeCertification(&template, packet); err != nil {
		return nil, err
	}
	parts = append(parts, partOf(certifiedName, template.Bytes(), at))
	m := Manifest{Format: ManifestFormat, PacketID: packet.PacketID}
	for _, p := range parts {
		m.Files = append(m.Files, File{Name: p.name, Bytes: int64(p.size), SHA256: p.sha256})
	}
	manifest, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, audit.Errorf(audit.CodeInternal, "The manifest cannot be written", err)
	}
	manifest = append(manifest, '\n')
	parts = append(parts, partOf(manifestName, manifest, at))
	if s.Signer != nil {
		parts = append(parts, partOf(signatureName, s.Signer.sign(manifest, trustedComment(packet.PacketID, at)), at))
	}
	return parts, nil
}

func partOf(name string, b []byte, at time.Time) part {
	sum := sha256.Sum256(b)
	return part{entry: entryOf(name, b, at), sha256: hex.EncodeToString(sum[:]), bytes: b}
}

// copyOriginal writes a photo's bytes, checked once more: the object store is not ours.
func (s *Service) copyOriginal(ctx context.Context, w io.Writer, p part) error {
	o, err := s.readObject(ctx, p.key, p.sha256, w)
	if err != nil {
		return err
	}
	if o.state != Intact {
		return notIntact(o.state, p.sha256)
	}
	return nil
}

func notIntact(state OriginalState, photoID string) error {
	if state == Missing {
		return audit.Errorf(audit.CodeNotFound, "The original %s is missing from the object store", first12(photoID))
	}
	return audit.Errorf(audit.CodeCorrupted, "The original %s no longer matches its SHA-256", first12(photoID))
}

// trustedComment is what a signature says beside the manifest. It holds nothing of the
// moment of signing, so that signing twice gives the same bytes.
func trustedComment(packetID string, issuedAt time.Time) string {
	return fmt.Sprintf("porchlight packet %s issued %s", packetID, issuedAt.UTC().Format(time.RFC3339Nano))
}
