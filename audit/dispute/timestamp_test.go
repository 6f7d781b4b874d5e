package dispute

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/digitorus/timestamp"
)

// authority is a time-stamp authority with a root certificate of its own.
type authority struct {
	root, cert *x509.Certificate
	key        *ecdsa.PrivateKey
	at         time.Time
	alter      func(*timestamp.Timestamp) // before it is signed
	err        error
}

func newAuthority(t testing.TB, at time.Time, usage ...x509.ExtKeyUsage) *authority {
	t.Helper()
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	certify := func(serial int64, name string, template, parent *x509.Certificate, pub, signer *ecdsa.PrivateKey) *x509.Certificate {
		template.SerialNumber, template.Subject = big.NewInt(serial), pkix.Name{CommonName: name}
		template.NotBefore, template.NotAfter = at.AddDate(-1, 0, 0), at.AddDate(1, 0, 0)
		if parent == nil {
			parent = template
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, pub.Public(), signer)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	rootKey, ownKey := key(), key()
	root := certify(1, "Test Root", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, rootKey, rootKey)
	// The extended key usage is critical in a time-stamp authority's certificate; Go writes
	// it so only by hand.
	template := &x509.Certificate{KeyUsage: x509.KeyUsageDigitalSignature}
	if len(usage) == 0 {
		template.ExtraExtensions = []pkix.Extension{{Id: []int{2, 5, 29, 37}, Critical: true, Value: []byte{0x30, 0x0a, 0x06, 0x08, 0x2b, 6, 1, 5, 5, 7, 3, 8}}}
	} else {
		template.ExtKeyUsage = usage
	}
	cert := certify(2, "Test Stamps", template, root, ownKey, rootKey)
	return &authority{root: root, cert: cert, key: ownKey, at: at}
}

func (a *authority) Name() string { return "https://stamps.example/tsr" }

func (a *authority) Stamp(ctx context.Context, request []byte) ([]byte, error) {
	if a.err != nil {
		return nil, a.err
	}
	q, err := timestamp.ParseRequest(request)
	if err != nil {
		return nil, err
	}
	stamp := timestamp.Timestamp{HashAlgorithm: q.HashAlgorithm, HashedMessage: q.HashedMessage, Time: a.at, Nonce: q.Nonce,
		Policy: []int{1, 2, 3, 4}, AddTSACertificate: q.Certificates}
	if a.alter != nil {
		a.alter(&stamp)
	}
	return stamp.CreateResponseWithOpts(a.cert, a.key, crypto.SHA256)
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.root)
	return p
}

// stampedZIP is the strong scene's packet with what the authority made of it.
func stampedZIP(t testing.TB, a *authority, signer *Signer) ([]byte, Packet) {
	t.Helper()
	service := strong().serve(t, signer)
	service.Authority = a
	p, err := service.Issue(t.Context(), strong().claim.ClaimID)
	if err != nil {
		t.Fatal(err)
	}
	var b, again bytes.Buffer
	if err := errors.Join(service.WriteZIP(t.Context(), &b, p.PacketID), service.WriteZIP(t.Context(), &again, p.PacketID)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Error("the ZIP differs the second time")
	}
	return b.Bytes(), p
}

func checkStamp(t testing.TB, b []byte, signer *Signer, pool *x509.CertPool) Verification {
	t.Helper()
	v, err := Verify(bytes.NewReader(b), int64(len(b)), signer.PublicKey(), pool)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTimestamp(t *testing.T) {
	moment := time.Date(2026, 3, 7, 10, 0, 3, 0, time.UTC)
	signer, a := newSigner(t), newAuthority(t, moment)
	b, p := stampedZIP(t, a, signer)
	if p.Integrity.Timestamp == nil || p.Integrity.Timestamp.Problem != "" {
		t.Errorf("the packet says %+v", p.Integrity.Timestamp)
	}
	v := checkStamp(t, b, signer, a.pool())
	if !v.Valid() || v.Timestamp.State != StampValid || !v.Timestamp.At.Equal(moment) || v.Timestamp.Authority != "CN=Test Stamps" {
		t.Errorf("%v, %+v", v, v.Timestamp)
	}
	for name, pool := range map[string]*x509.CertPool{"no authority": nil, "another authority": newAuthority(t, moment).pool()} {
		if v := checkStamp(t, b, signer, pool); !v.Valid() || v.Timestamp.State != StampUnknown {
			t.Errorf("%s: %v, %+v", name, v, v.Timestamp)
		}
	}
	if v := checkStamp(t, strong().zipped(t, signer), signer, a.pool()); !v.Valid() || v.Timestamp.State != StampAbsent {
		t.Errorf("without a time stamp: %v, %+v", v, v.Timestamp)
	}

	// Whoever can sign packets can still not give one another's time stamp.
	files := unpack(t, b)
	service := strong().serve(t, signer)
	service.Authority, service.NewID = a, func() string { return "0195-another" }
	other, err := service.Issue(t.Context(), strong().claim.ClaimID)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := service.Records.Packet(t.Context(), other.PacketID)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func([]byte) []byte{
		"of another packet": func([]byte) []byte { return foreign.Timestamp },
		"flipped":           flip,
		"cut":               func(b []byte) []byte { return b[:len(b)/2] },
		"empty":             func([]byte) []byte { return []byte{} },
	} {
		altered := pack(signedBy(signer, manifested(t, changed(files, timestampName, change)), p), p.IssuedAt)
		// A bit of the certificate may be flipped: then it is one that nobody vouches for.
		if v := checkStamp(t, altered, signer, a.pool()); v.Timestamp.State == StampValid || v.Timestamp.State == StampUnchecked && (v.Valid() || !has(v, timestampName)) ||
			v.Timestamp.State == StampUnknown && name != "flipped" {
			t.Errorf("%s: %v, %+v", name, v, v.Timestamp)
		}
	}
}

// TestTimestampOpenSSL holds that OpenSSL says the same of a packet's time stamp.
func TestTimestampOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("PORCHLIGHT_TEST_REQUIRE") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	signer, a := newSigner(t), newAuthority(t, time.Now().UTC().Truncate(time.Second))
	b, _ := stampedZIP(t, a, signer)
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		name = filepath.Join(dir, filepath.Base(name))
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	paths := map[string]string{}
	for _, f := range unpack(t, b) {
		paths[f.name] = write(f.name, f.data)
	}
	ca := write("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw}))
	check := func(data string) (string, error) {
		out, err := exec.Command(openssl, "ts", "-verify", "-data", data, "-in", paths[timestampName], "-CAfile", ca).CombinedOutput()
		return string(out), err
	}
	if out, err := check(paths[packetName]); err != nil || !strings.Contains(out, "Verification: OK") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := check(paths[manifestName]); err == nil {
		t.Errorf("other contents are accepted: %s", out)
	}
}

// TestTimestampRefused holds that a packet is issued without a time stamp, and says so,
// where the authority gives none or a wrong one.
func TestTimestampRefused(t *testing.T) {
	moment := time.Date(2026, 3, 7, 10, 0, 3, 0, time.UTC)
	for name, spoil := range map[string]func(*authority){
		"down":           func(a *authority) { a.err = errors.New("it does not answer") },
		"other contents": func(a *authority) { a.alter = func(s *timestamp.Timestamp) { s.HashedMessage = make([]byte, 32) } },
		"other nonce":    func(a *authority) { a.alter = func(s *timestamp.Timestamp) { s.Nonce = big.NewInt(1) } },
		"no certificate": func(a *authority) { a.alter = func(s *timestamp.Timestamp) { s.AddTSACertificate = false } },
		"other usage":    func(a *authority) { *a = *newAuthority(t, moment, x509.ExtKeyUsageServerAuth) },
	} {
		t.Run(name, func(t *testing.T) {
			signer, a := newSigner(t), newAuthority(t, moment)
			spoil(a)
			b, p := stampedZIP(t, a, signer)
			if p.Integrity.Timestamp == nil || p.Integrity.Timestamp.Problem == "" || !strings.HasPrefix(p.Integrity.TimestampWords(), "None: ") {
				t.Errorf("the packet says %+v", p.Integrity.Timestamp)
			}
			if v := checkStamp(t, b, signer, a.pool()); !v.Valid() || v.Timestamp.State != StampAbsent {
				t.Errorf("%v, %+v", v, v.Timestamp)
			}
		})
	}
}

// FuzzTimestamp holds that no response ends the program, and none passes.
func FuzzTimestamp(f *testing.F) {
	a := newAuthority(f, time.Date(2026, 3, 7, 10, 0, 3, 0, time.UTC))
	text := []byte("text")
	response, err := requestTimestamp(f.Context(), a, text, rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(response)
	f.Add(response[:40])
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := readTimestamp(b, []byte("another text")); err == nil {
			t.Error("a time stamp of other contents")
		}
	})
}
