package dispute

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"porchlight/audit"
)

// file is a file of a ZIP that a test takes apart.
type file struct {
	name string
	data []byte
}

func unpack(t testing.TB, b []byte) []file {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var out []file
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, file{f.Name, data})
	}
	return out
}

// pack writes files as a packet is written, as an attacker with our code would.
func pack(files []file, at time.Time) []byte {
	var b, directory []byte
	for _, f := range files {
		e := entryOf(f.name, f.data, at)
		e.offset = uint32(len(b))
		b = append(append(b, e.localHeader()...), f.data...)
		directory = append(directory, e.centralHeader()...)
	}
	return append(append(b, directory...), endRecord(len(files), uint32(len(directory)), uint32(len(b)))...)
}

// manifested is the files with a manifest that is true of them.
func manifested(t testing.TB, files []file) []file {
	t.Helper()
	files = slices.Clone(files)
	i := slices.IndexFunc(files, func(f file) bool { return f.name == manifestName })
	var m Manifest
	if err := json.Unmarshal(files[i].data, &m); err != nil {
		t.Fatal(err)
	}
	m.Files = nil
	for _, f := range files {
		if f.name != manifestName && f.name != signatureName {
			m.Files = append(m.Files, File{Name: f.name, Bytes: int64(len(f.data)), SHA256: audit.PhotoID(f.data)})
		}
	}
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	files[i].data = append(b, '\n')
	return files
}

// signedBy is the files with their manifest signed anew.
func signedBy(s *Signer, files []file, p Packet) []file {
	files = slices.Clone(files)
	m := slices.IndexFunc(files, func(f file) bool { return f.name == manifestName })
	i := slices.IndexFunc(files, func(f file) bool { return f.name == signatureName })
	files[i].data = s.sign(files[m].data, trustedComment(p.PacketID, p.IssuedAt))
	return files
}

func changed(files []file, name string, change func([]byte) []byte) []file {
	files = slices.Clone(files)
	for i, f := range files {
		if f.name == name {
			files[i].data = change(bytes.Clone(f.data))
		}
	}
	return files
}

func flip(b []byte) []byte { b[len(b)/2] ^= 1; return b }

func has(v Verification, part string) bool {
	return slices.ContainsFunc(v.Problems, func(p Problem) bool { return p.Part == part })
}

func TestZIPIsTheSameTwice(t *testing.T) {
	signer := newSigner(t)
	service, p := strong().issue(t, signer)
	var one, two bytes.Buffer
	for _, w := range []*bytes.Buffer{&one, &two} {
		if err := service.WriteZIP(t.Context(), w, p.PacketID); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Error("two builds of one packet differ")
	}
	v := verify(t, one.Bytes(), signer.PublicKey())
	if !v.Valid() || v.PacketID != p.PacketID || v.Signature.KeyID != signer.PublicKey().ID() {
		t.Errorf("got %+v, want valid", v)
	}
	files := unpack(t, one.Bytes())
	frozen, err := service.Records.Packet(t.Context(), p.PacketID)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(files[0].data, frozen.JSON) {
		t.Error("packet.json is not the frozen JSON")
	}
	if !bytes.Equal(files[2].data, strong().shots[0].bytes) {
		t.Error("the original is not as it was received")
	}
}

func TestSignatureStates(t *testing.T) {
	signer, other := newSigner(t), newSigner(t)
	signed, unsigned := strong().zipped(t, signer), strong().zipped(t, nil)
	_, p := strong().issue(t, nil)
	files := unpack(t, signed)
	forged := manifested(t, changed(files, packetName, func(b []byte) []byte { return bytes.Replace(b, []byte("It never came."), []byte("It has arrived"), 1) }))
	for _, c := range []struct {
		name          string
		zip           []byte
		pub           *PublicKey
		state         SignatureState
		intact, valid bool
	}{
		{"signed", signed, signer.PublicKey(), SignatureValid, true, true},
		{"no key given", signed, nil, SignatureNoKey, true, false},
		{"another key given", signed, other.PublicKey(), SignatureWrong, true, false},
		{"unsigned", unsigned, signer.PublicKey(), SignatureUnsigned, true, false},
		{"unsigned, no key given", unsigned, nil, SignatureUnsigned, true, false},
		{"signature taken out", pack(files[:len(files)-1], p.IssuedAt), signer.PublicKey(), SignatureUnsigned, true, false},
		{"forged with a new manifest", pack(forged, p.IssuedAt), signer.PublicKey(), SignatureWrong, true, false},
		{"forged and signed by another", pack(signedBy(other, forged, p), p.IssuedAt), signer.PublicKey(), SignatureWrong, true, false},
		{"signature of another packet", pack(signedBy(signer, files, Packet{PacketID: "other", IssuedAt: p.IssuedAt}), p.IssuedAt), signer.PublicKey(), SignatureValid, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := verify(t, c.zip, c.pub)
			if v.Signature.State != c.state || v.Intact() != c.intact || v.Valid() != c.valid {
				t.Errorf("got %s, intact %t, valid %t, want %s, %t, %t\n%v", v.Signature.State, v.Intact(), v.Valid(), c.state, c.intact, c.valid, v.Problems)
			}
			if v.Valid() != strings.HasPrefix(v.String(), "valid") {
				t.Errorf("it is described as %q", v)
			}
		})
	}
}

func TestVerifyNamesWhatWasAltered(t *testing.T) {
	signer := newSigner(t)
	good := strong().zipped(t, signer)
	_, p := strong().issue(t, nil)
	files := unpack(t, good)
	original := p.Photos[0].File
	renamed := "originals/01-placement-000000000000.jpg"
	swapped := slices.Clone(files)
	swapped[0], swapped[1] = swapped[1], swapped[0]
	without := func(name string) []file {
		return slices.DeleteFunc(slices.Clone(files), func(f file) bool { return f.name == name })
	}
	rename := func(name string) []file {
		out := slices.Clone(files)
		for i := range out {
			if out[i].name == original {
				out[i].name = name
			}
		}
		return out
	}
	type alteration struct {
		name string
		zip  []byte
		part string
	}
	cases := []alteration{
		{"file added", pack(append(slices.Clone(files), file{"originals/02-context-0123456789ab.jpg", []byte("x")}), p.IssuedAt), "originals/02-context-0123456789ab.jpg"},
		{"file added to the manifest too", pack(signedBy(signer, manifested(t, append(slices.Clone(files[:3]), append([]file{{"originals/02-context-0123456789ab.jpg", []byte("x")}}, files[3:]...)...)), p), p.IssuedAt), "originals/02-context-0123456789ab.jpg"},
		{"original swapped, manifest and signature anew", pack(signedBy(signer, manifested(t, changed(files, original, flip)), p), p.IssuedAt), original},
		{"original renamed", pack(rename(renamed), p.IssuedAt), original},
		{"original renamed, the new name", pack(rename(renamed), p.IssuedAt), renamed},
		{"file twice", pack(append(slices.Clone(files), files[2]), p.IssuedAt), original},
		{"order changed", pack(swapped, p.IssuedAt), wholeZIP},
		{"another time", pack(files, p.IssuedAt.Add(time.Hour)), packetName},
		{"bytes after the end", append(bytes.Clone(good), "more"...), wholeZIP},
		{"bytes before the start", append([]byte("#!/bin/sh\n"), good...), wholeZIP},
		{"cut short", good[:len(good)-1], wholeZIP},
		{"zipped again", rezip(t, files, zip.Store), packetName},
		{"zipped again, compressed", rezip(t, files, zip.Deflate), packetName},
		{"empty packet.json", pack(signedBy(signer, manifested(t, changed(files, packetName, func([]byte) []byte { return nil })), p), p.IssuedAt), packetName},
		{"empty manifest", pack(changed(files, manifestName, func([]byte) []byte { return nil }), p.IssuedAt), manifestName},
		{"manifest without files", pack(signedBy(signer, changed(files, manifestName, func([]byte) []byte {
			return []byte(`{"format":"porchlight-manifest/1","packet_id":"` + p.PacketID + `"}`)
		}), p), p.IssuedAt), manifestName},
		{"manifest of another packet", pack(signedBy(signer, changed(files, manifestName, func(b []byte) []byte {
			return bytes.Replace(b, []byte(p.PacketID), []byte("another"), 1)
		}), p), p.IssuedAt), manifestName},
		{"signature's free comment", pack(changed(files, signatureName, func(b []byte) []byte {
			return bytes.Replace(b, []byte("signature from"), []byte("sincerely from"), 1)
		}), p.IssuedAt), signatureName},
		{"signature is none", pack(changed(files, signatureName, func([]byte) []byte { return []byte("signed, trust me\n") }), p.IssuedAt), signatureName},
		{"no ZIP", []byte(strings.Repeat("not a ZIP. ", 20)), wholeZIP},
		{"nothing", nil, wholeZIP},
	}
	pos := 0
	for _, f := range files {
		start := pos + localHeaderSize + len(f.name)
		raw := bytes.Clone(good)
		raw[start+len(f.data)/2] ^= 1
		pos = start + len(f.data)
		cases = append(cases,
			alteration{"byte of " + f.name, raw, f.name},
			alteration{"byte of " + f.name + " with its CRC-32", pack(changed(files, f.name, flip), p.IssuedAt), f.name})
		if f.name != signatureName { // without it the packet is unsigned: TestSignatureStates
			cases = append(cases, alteration{f.name + " taken out", pack(without(f.name), p.IssuedAt), f.name})
		}
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			v := verify(t, c.zip, signer.PublicKey())
			// A changed manifest is named by its signature, whose state says so.
			named := has(v, c.part) || c.part == manifestName && v.Signature.State == SignatureWrong
			if v.Valid() || !named {
				t.Errorf("valid %t, signature %s, problems %v, want one of %s", v.Valid(), v.Signature.State, v.Problems, c.part)
			}
		})
	}
}

// rezip writes the files as common programs do.
func rezip(t testing.TB, files []file, method uint16) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		w, err := z.CreateHeader(&zip.FileHeader{Name: f.name, Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestEveryByteCounts(t *testing.T) {
	signer := newSigner(t)
	good := strong().zipped(t, signer)
	step := 11
	if testing.Short() {
		step = 97
	}
	for i := 0; i < len(good); i += step {
		b := bytes.Clone(good)
		b[i] ^= 0x20
		if v := verify(t, b, signer.PublicKey()); v.Valid() {
			t.Errorf("byte %d of %d changed: still valid", i, len(good))
		}
	}
}

func TestHostileZIPs(t *testing.T) {
	at := *at("2026-03-07T10:00:00Z")
	bomb := rezip(t, []file{{packetName, make([]byte, 40<<20)}, {manifestName, make([]byte, 40<<20)}}, zip.Deflate)
	many := make([]file, maxZIPEntries+1)
	for i := range many {
		many[i].name = packetName
	}
	// Ten entries whose headers all claim the one body that there is.
	body := bytes.Repeat([]byte("A"), 1<<16)
	overlap := pack([]file{{packetName, body}}, at)
	e := entryOf(packetName, body, at)
	data := overlap[:len(overlap)-endRecordSize-len(e.centralHeader())]
	directory := bytes.Repeat(e.centralHeader(), 10)
	overlap = append(append(bytes.Clone(data), directory...), endRecord(10, uint32(len(directory)), uint32(len(data)))...)
	for name, c := range map[string]struct {
		zip  []byte
		part string
	}{
		"parent folder": {pack([]file{{"../../etc/passwd", []byte("x")}}, at), `"../../etc/passwd"`},
		"root":          {pack([]file{{"/etc/passwd", []byte("x")}}, at), `"/etc/passwd"`},
		"drive":         {pack([]file{{`C:\x`, []byte("x")}}, at), `"C:\\x"`},
		"escape codes":  {pack([]file{{"\x1b[2Jx", []byte("x")}}, at), `"\x1b[2Jx"`},
		"twice":         {pack([]file{{packetName, []byte("{}")}, {packetName, []byte("[]")}}, at), packetName},
		"compressed":    {bomb, packetName},
		"too many":      {pack(many, at), wholeZIP},
		"overlap":       {overlap, wholeZIP},
		"empty":         {pack(nil, at), packetName},
	} {
		t.Run(name, func(t *testing.T) {
			if v := verify(t, c.zip, nil); !has(v, c.part) {
				t.Errorf("problems %v, want one of %s", v.Problems, c.part)
			}
		})
	}
}

// broken fails from some byte on, as a bad disk does.
type broken struct {
	*bytes.Reader
	from int64
}

func (b broken) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.from && off < b.from+10 {
		return 0, errors.New("input/output error")
	}
	return b.Reader.ReadAt(p, off)
}

func TestVerifyTellsReadErrorsFromFaults(t *testing.T) {
	b := strong().zipped(t, nil)
	for _, from := range []int64{0, 200, int64(len(b)) - 10} {
		_, err := Verify(broken{bytes.NewReader(b), from}, int64(len(b)), nil, nil)
		if got := audit.ErrorCode(err); got != audit.CodeUnreadable {
			t.Errorf("reads fail at byte %d: got %v, want %s", from, err, audit.CodeUnreadable)
		}
	}
}

func FuzzVerify(f *testing.F) {
	signer := newSigner(f)
	good := withoutPhoto().zipped(f, signer)
	f.Add(good)
	f.Add(strong().zipped(f, signer))
	f.Add(strong().zipped(f, nil))
	f.Add(good[:len(good)-endRecordSize])
	f.Add(rezip(f, unpack(f, good), zip.Deflate))
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	known := [][]byte{good, strong().zipped(f, signer)}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := Verify(bytes.NewReader(b), int64(len(b)), signer.PublicKey(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if v.Valid() && !slices.ContainsFunc(known, func(k []byte) bool { return bytes.Equal(k, b) }) {
			t.Errorf("%d bytes that were never written are valid", len(b))
		}
	})
}
