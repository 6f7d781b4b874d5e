package dispute

import (
	"bytes"
	"testing"
)

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
}
