package dispute

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"

	"aead.dev/minisign"

	"porchlight/audit"
)

// Limits of what [Verify] reads.
const (
	maxZIPEntries   = 1000
	maxZIPDirectory = 1 << 20
	maxTextBytes    = 32 << 20 // of packet.json, the page and the PDF, each
	maxSmallBytes   = 1 << 20  // of the manifest and its signature, each
)

// wholeZIP is the part of a problem that no single file has.
const wholeZIP = "ZIP"

var allowedName = regexp.MustCompile(`^(?:packet\.json|packet\.json\.tsr|index\.html|packet\.pdf|certification\.txt|manifest\.json|manifest\.json\.minisig|originals/[0-9]{2,3}-[a-z_]+-[0-9a-f]{12}\.[a-z]{3,4}|attachments/[0-9]{2}-[0-9a-f]{12}\.[a-z]{3,4})$`)

// Verify checks a packet's ZIP of size bytes: that it has the one form in which packets
// are written, that every file is there and matches the manifest, that packet.json
// names the photos by their digests, and that the manifest is signed with the key. pub
// may be nil: the signature is then not checked. A time stamp is held against packet.json,
// and its signer against the authorities, which may be nil. Whatever is wrong with the
// ZIP is in the [Verification]; the error says that r cannot be read, [audit.CodeUnreadable].
func Verify(r io.ReaderAt, size int64, pub *PublicKey, authorities *x509.CertPool) (Verification, error) {
	v := &verifier{r: &readerAt{r: r}, size: size}
	v.Files, v.Problems, v.Signature.State = []File{}, []Problem{}, SignatureUnsigned
	if v.open() {
		v.form()
		v.contents(pub, authorities)
	}
	if v.r.err != nil {
		return Verification{}, audit.Errorf(audit.CodeUnreadable, "The packet cannot be read", v.r.err)
	}
	return v.Verification, nil
}

// readerAt remembers an error of its reader, to tell it from a fault of the ZIP.
type readerAt struct {
	r   io.ReaderAt
	err error
}

func (r *readerAt) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.r.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

type verifier struct {
	Verification
	r         *readerAt
	size      int64
	zip       *zip.Reader
	files     map[string]*zip.File
	directory int64 // where the central directory should begin
}

func (v *verifier) problem(part, format string, args ...any) {
	v.Problems = append(v.Problems, Problem{Part: part, Message: fmt.Sprintf(format, args...)})
}

// open reads the directory, after its bounds were checked: nothing is read or allocated
// on the word of a hostile file.
func (v *verifier) open() bool {
	if v.size < endRecordSize || v.size > math.MaxUint32 {
		v.problem(wholeZIP, "%d bytes are no packet", v.size)
		return false
	}
	end := make([]byte, endRecordSize)
	if n, _ := v.r.ReadAt(end, v.size-endRecordSize); n < len(end) {
		v.problem(wholeZIP, "it is cut short")
		return false
	}
	le := binary.LittleEndian
	entries, length, offset := int(le.Uint16(end[10:])), int64(le.Uint32(end[12:])), int64(le.Uint32(end[16:]))
	switch {
	case le.Uint32(end) != 0x06054b50:
		v.problem(wholeZIP, "it does not end as a packet does: it is cut short, something was added at its end, or it is no ZIP")
		return false
	case entries > maxZIPEntries || length > maxZIPDirectory:
		v.problem(wholeZIP, "its directory has %d entries in %d bytes, %d in %d are the most", entries, length, maxZIPEntries, maxZIPDirectory)
		return false
	case offset+length+endRecordSize != v.size || !bytes.Equal(end, endRecord(entries, uint32(length), uint32(offset))):
		v.problem(wholeZIP, "its directory is not where a packet has it: something was added or cut off")
		return false
	}
	v.directory = offset
	z, err := zip.NewReader(v.r, v.size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		v.problem(wholeZIP, "its directory cannot be read: %v", err)
		return false
	}
	var total uint64
	v.zip, v.files = z, map[string]*zip.File{}
	for _, f := range z.File {
		total += min(f.CompressedSize64, math.MaxUint32)
		if v.files[f.Name] != nil {
			v.problem(partName(f.Name), "there are two files of that name")
			continue
		}
		v.files[f.Name] = f
		if !allowedName.MatchString(f.Name) {
			v.problem(partName(f.Name), "no file of a packet is named so")
		}
	}
	if total > uint64(v.size) {
		v.problem(wholeZIP, "its files overlap: they claim %d bytes of %d", total, v.size)
		return false
	}
	return true
}

// form holds every byte that is not a file's contents against the one form in which a
// packet is written.
func (v *verifier) form() {
	var pos int64
	var directory []byte
	for _, f := range v.zip.File {
		e := entry{name: f.Name, crc: f.CRC32, size: uint32(f.CompressedSize64), time: f.Modified, offset: uint32(pos)}
		want := e.localHeader()
		if !v.matches(pos, want) {
			v.problem(partName(f.Name), "its place or header in the ZIP is not as a packet is written: it was altered or zipped again")
			return // where the next one begins is not known
		}
		pos += int64(len(want)) + int64(e.size)
		directory = append(directory, e.centralHeader()...)
	}
	if pos != v.directory || !v.matches(v.directory, directory) || pos+int64(len(directory))+endRecordSize != v.size {
		v.problem(wholeZIP, "its directory is not as a packet is written: it was altered or zipped again")
	}
}

func (v *verifier) matches(pos int64, want []byte) bool {
	got := make([]byte, len(want))
	n, _ := v.r.ReadAt(got, pos)
	return n == len(want) && bytes.Equal(got, want)
}

// contents checks the files against the manifest, and manifest, packet and signature
// against each other.
func (v *verifier) contents(pub *PublicKey, authorities *x509.CertPool) {
	manifestText, ok := v.text(manifestName, maxSmallBytes)
	var m Manifest
	if ok {
		if err := json.Unmarshal(manifestText, &m); err != nil {
			v.problem(manifestName, "it cannot be read: %v", err)
		} else if m.Format != ManifestFormat {
			v.problem(manifestName, "its format is %q, not %q", m.Format, ManifestFormat)
		}
	}
	packetText, read := v.text(packetName, maxTextBytes)
	var p Packet
	if read {
		var err error
		if p, err = DecodePacket(packetText); err != nil {
			v.problem(packetName, "%s", audit.ErrorMessage(err))
		}
	}
	v.PacketID, v.ClaimID, v.IssuedAt = p.PacketID, p.ClaimID, p.IssuedAt
	v.signed(manifestText, p, pub)
	v.stamped(packetText, authorities)
	if !ok {
		return
	}
	if m.PacketID != p.PacketID {
		v.problem(manifestName, "it is of packet %q, packet.json of %q", m.PacketID, p.PacketID)
	}
	v.listed(m)
	v.photos(m, p)
	for _, f := range v.zip.File {
		wantDay, wantClock := dosTime(p.IssuedAt)
		if day, clock := dosTime(f.Modified); read && (day != wantDay || clock != wantClock) {
			v.problem(partName(f.Name), "its time is not the packet's")
		}
	}
}

// text reads a small file whole; it reports what is wrong with it once.
func (v *verifier) text(name string, limit uint64) ([]byte, bool) {
	f := v.files[name]
	if f == nil {
		v.problem(name, "missing")
		return nil, false
	}
	var b bytes.Buffer
	if _, err := v.read(f, limit, &b); err != nil {
		v.problem(name, "%v", err)
		return nil, false
	}
	return b.Bytes(), true
}

// read streams a file's contents into w and gives their digest.
func (v *verifier) read(f *zip.File, limit uint64, w io.Writer) (string, error) {
	if f.Method != zip.Store || f.CompressedSize64 != f.UncompressedSize64 {
		return "", errors.New("it is compressed, which no file of a packet is")
	}
	if f.UncompressedSize64 > limit {
		return "", fmt.Errorf("it has %d bytes, %d are the most", f.UncompressedSize64, limit)
	}
	r, err := f.Open()
	if err != nil {
		return "", fmt.Errorf("it cannot be read: %v", err)
	}
	defer r.Close()
	digest := sha256.New()
	_, err = io.Copy(io.MultiWriter(digest, w), r)
	if err != nil && !errors.Is(err, zip.ErrChecksum) { // the digest says more than the CRC-32
		return "", fmt.Errorf("it cannot be read: %v", err)
	}
	return hex.EncodeToString(digest.Sum(nil)), nil
}

// listed holds the files against the manifest.
func (v *verifier) listed(m Manifest) {
	v.Files = append(v.Files, m.Files...)
	names := map[string]bool{manifestName: true, signatureName: true}
	var order []string
	for _, want := range m.Files {
		if names[want.Name] {
			v.problem(manifestName, "it lists %s twice, or itself", partName(want.Name))
			continue
		}
		names[want.Name] = true
		order = append(order, want.Name)
		f := v.files[want.Name]
		if f == nil {
			v.problem(partName(want.Name), "missing")
			continue
		}
		limit := uint64(maxTextBytes)
		if want.Name != packetName && want.Name != pageName && want.Name != pdfName && want.Name != certifiedName && want.Name != timestampName {
			limit = audit.MaxPhotoBytes
		}
		if f.UncompressedSize64 != uint64(want.Bytes) {
			v.problem(partName(want.Name), "size differs: manifest says %d bytes, file has %d", want.Bytes, f.UncompressedSize64)
		}
		sum, err := v.read(f, limit, io.Discard)
		if err != nil {
			v.problem(partName(want.Name), "%v", err)
		} else if sum != want.SHA256 {
			v.problem(partName(want.Name), "SHA-256 differs: manifest says %q, file is %q", want.SHA256, sum)
		}
	}
	order = append(order, manifestName)
	if v.files[signatureName] != nil {
		order = append(order, signatureName)
	}
	var have []string
	for _, f := range v.zip.File {
		have = append(have, f.Name)
		if !names[f.Name] {
			v.problem(partName(f.Name), "the manifest does not list it")
		}
	}
	if len(have) == len(order) && !slices.Equal(have, order) {
		v.problem(wholeZIP, "its files are not in the manifest's order")
	}
}

// photos holds packet.json against the manifest's originals and attachments.
func (v *verifier) photos(m Manifest, p Packet) {
	if p.Format == "" {
		return // said before
	}
	listed := map[string]File{}
	for _, f := range m.Files {
		listed[f.Name] = f
	}
	for _, name := range []string{packetName, pageName} {
		if _, ok := listed[name]; !ok {
			v.problem(manifestName, "it does not list %s", name)
		}
		delete(listed, name)
	}
	delete(listed, pdfName)
	delete(listed, certifiedName)
	delete(listed, timestampName)
	known := map[string]string{}
	hold := func(file, digest string) {
		if file == "" {
			return
		}
		if f, ok := listed[file]; ok {
			known[file] = digest
			if f.SHA256 != digest {
				v.problem(partName(file), "packet.json says %q, the manifest SHA-256 %q", digest, f.SHA256)
			}
		} else {
			v.problem(partName(file), "packet.json names it, the manifest does not")
		}
	}
	for _, photo := range p.Photos {
		hold(photo.File, photo.PhotoID)
	}
	for _, a := range p.Attached {
		hold(a.File, a.SHA256)
	}
	for _, f := range m.Files {
		if _, other := listed[f.Name]; other && known[f.Name] == "" {
			v.problem(partName(f.Name), "packet.json does not name it")
		}
	}
}

// signed checks the manifest's signature.
func (v *verifier) signed(manifest []byte, p Packet, pub *PublicKey) {
	if v.files[signatureName] == nil {
		return
	}
	v.Signature.State = SignatureWrong
	text, ok := v.text(signatureName, maxSmallBytes)
	if !ok {
		return
	}
	var s minisign.Signature
	if err := s.UnmarshalText(text); err != nil {
		v.problem(signatureName, "it is no minisign signature")
		return
	}
	v.Signature.KeyID = keyID(s.KeyID)
	if want := trustedComment(p.PacketID, p.IssuedAt); s.TrustedComment != want {
		v.problem(signatureName, "its trusted comment is %q, not %q", s.TrustedComment, want)
	}
	// The rest of the text is not signed, but it has one form too.
	s.UntrustedComment = untrustedComment(s.KeyID)
	if s.Algorithm != minisign.HashEdDSA || s.String() != string(text) {
		v.problem(signatureName, "it is not as a packet's signature is written")
	}
	switch {
	case pub == nil:
		v.Signature.State = SignatureNoKey
	case manifest != nil && minisign.Verify(pub.key, manifest, text):
		v.Signature.State, v.Signature.Comment = SignatureValid, s.TrustedComment
	}
}

// partName is a file's name as it may be shown: quoted unless it is a packet's own.
func partName(name string) string {
	if allowedName.MatchString(name) {
		return name
	}
	if len(name) > 200 {
		name = name[:200] + "..."
	}
	return fmt.Sprintf("%q", name)
}
