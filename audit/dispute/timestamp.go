package dispute

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"time"

	"github.com/digitorus/pkcs7"
	"github.com/digitorus/timestamp"

	"porchlight/audit"
)

// MaxTimestampBytes bounds an authority's answer; one with its certificates takes some 5 KiB.
const MaxTimestampBytes = 64 << 10

// Authority is a time-stamp authority (RFC 3161): it signs that a packet's JSON was as
// it is at that time, so that nobody, we neither, can have written it later.
type Authority interface {
	// Name says which authority it is, without its password.
	Name() string
	// Stamp answers a time-stamp request with the authority's response, both in DER.
	Stamp(ctx context.Context, request []byte) (response []byte, err error)
}

// TimestampNote is what a packet says of the time stamp that was asked for it.
type TimestampNote struct {
	Authority string `json:"authority"`
	Problem   string `json:"problem,omitempty"` // why there is none
}

// requestTimestamp has an authority stamp a packet's JSON, and checks what it answers.
func requestTimestamp(ctx context.Context, a Authority, text []byte, random io.Reader) ([]byte, error) {
	nonce := make([]byte, 8)
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, err
	}
	nonce[0] = nonce[0]&0x7f | 0x40 // of one length, and not negative
	digest := sha256.Sum256(text)
	request := timestamp.Request{HashAlgorithm: crypto.SHA256, HashedMessage: digest[:], Certificates: true, Nonce: new(big.Int).SetBytes(nonce)}
	der, err := request.Marshal()
	if err != nil {
		return nil, err
	}
	response, err := a.Stamp(ctx, der)
	if err != nil {
		return nil, err
	}
	t, err := readTimestamp(response, text)
	if err != nil {
		return nil, err
	}
	if t.Nonce == nil || t.Nonce.Cmp(request.Nonce) != 0 {
		return nil, errors.New("it answers another request")
	}
	return response, nil
}

// readTimestamp reads a response and checks that it is of these bytes, and signed by the
// certificate that it holds. Whose certificate that is, it does not check.
func readTimestamp(response, text []byte) (t *timestamp.Timestamp, err error) {
	defer func() { // the parser reads what anybody may have written
		if recover() != nil {
			t, err = nil, errors.New("it cannot be read")
		}
	}()
	if len(response) > MaxTimestampBytes {
		return nil, fmt.Errorf("it has %d bytes, %d are the most", len(response), MaxTimestampBytes)
	}
	t, err = timestamp.ParseResponse(response)
	if err != nil {
		return nil, fmt.Errorf("it cannot be read, or its signature is wrong: %w", err)
	}
	if t.HashAlgorithm != crypto.SHA256 && t.HashAlgorithm != crypto.SHA384 && t.HashAlgorithm != crypto.SHA512 {
		return nil, fmt.Errorf("it is of a %v digest", t.HashAlgorithm)
	}
	h := t.HashAlgorithm.New()
	h.Write(text)
	if !bytes.Equal(h.Sum(nil), t.HashedMessage) {
		return nil, errors.New("it is of other contents")
	}
	if signerOf(t) == nil {
		return nil, errors.New("it does not hold a certificate for time stamping")
	}
	return t, nil
}

// signerOf is the certificate that a response was signed with, which must be for time
// stamping alone (RFC 3161, 2.3).
func signerOf(t *timestamp.Timestamp) *x509.Certificate {
	p7, err := pkcs7.Parse(t.RawToken)
	if err != nil {
		return nil
	}
	c := p7.GetOnlySigner()
	if c == nil || !slices.Equal(c.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}) || len(c.UnknownExtKeyUsage) > 0 {
		return nil
	}
	return c
}

// trusted tells whether the response's signer was vouched for by one of the authorities
// when it signed.
func trusted(t *timestamp.Timestamp, authorities *x509.CertPool) error {
	p7, err := pkcs7.Parse(t.RawToken)
	if err != nil {
		return err
	}
	others := x509.NewCertPool()
	for _, c := range p7.Certificates {
		others.AddCert(c)
	}
	return p7.VerifyWithOpts(x509.VerifyOptions{Roots: authorities, Intermediates: others, CurrentTime: t.Time,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}})
}

// Stamped says who vouches for the time by which a packet was as it is.
type Stamped struct {
	State     StampState `json:"state"`
	At        time.Time  `json:"at,omitzero"`
	Authority string     `json:"authority,omitempty"` // the subject of its certificate
}

// StampState is what became of checking a time stamp.
type StampState string

const (
	StampAbsent    StampState = "absent"    // there is none
	StampValid     StampState = "valid"     // of one of the authorities given
	StampUnknown   StampState = "unknown"   // of these contents, by an authority that was not given or is none of those given
	StampUnchecked StampState = "unchecked" // of other contents, or not readable: the problems say why
)

// String is the time stamp in a line, empty where there is none.
func (s Stamped) String() string {
	switch s.State {
	case StampValid:
		return fmt.Sprintf("time stamp: valid, %s by %s", s.At.UTC().Format(time.RFC3339), s.Authority)
	case StampUnknown:
		return fmt.Sprintf("time stamp: %s by %s, an authority that is not known here: give its certificate", s.At.UTC().Format(time.RFC3339), s.Authority)
	}
	return ""
}

// ParseAuthorities reads the certificates of time-stamp authorities, in PEM.
func ParseAuthorities(text []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, audit.Errorf(audit.CodeInvalid, "There is no certificate in it: PEM is expected")
	}
	return pool, nil
}

// stamped checks the time stamp of packet.json.
func (v *verifier) stamped(packet []byte, authorities *x509.CertPool) {
	v.Timestamp.State = StampAbsent
	if v.files[timestampName] == nil {
		return
	}
	v.Timestamp.State = StampUnchecked
	response, ok := v.text(timestampName, MaxTimestampBytes)
	if !ok {
		return
	}
	t, err := readTimestamp(response, packet)
	if err != nil {
		v.problem(timestampName, "%v", err)
		return
	}
	v.Timestamp = Stamped{State: StampUnknown, At: t.Time.UTC(), Authority: signerOf(t).Subject.String()}
	if authorities != nil && trusted(t, authorities) == nil {
		v.Timestamp.State = StampValid
	}
}
