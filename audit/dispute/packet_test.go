package dispute

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestGoldenPackets(t *testing.T) {
	for name, s := range map[string]scene{"strong": strong(), "weak": weak(), "no_photo": withoutPhoto(),
		"unknown_delivery": unknownDelivery(), "undecodable": undecodable(), "wrong_address": wrongAddress(), "one_time_password": handedOver(),
		"hidden": hiddenAway(), "apartment": inApartment(), "mailroom": inMailroom(), "non_latin": nonLatin()} {
		t.Run(name, func(t *testing.T) {
			service, p := s.issue(t, nil)
			frozen, err := service.Records.Packet(t.Context(), p.PacketID)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(path, frozen.JSON, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(frozen.JSON)); diff != "" {
				t.Errorf("packet differs from %s (-want +got):\n%s", path, diff)
			}
			again, err := DecodePacket(frozen.JSON)
			if err != nil {
				t.Fatal(err)
			}
			b, err := again.encode()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(frozen.JSON), string(b)); diff != "" {
				t.Errorf("decoded and encoded again it differs (-want +got):\n%s", diff)
			}
		})
	}
}
