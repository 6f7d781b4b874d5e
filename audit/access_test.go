package audit

import "testing"

func TestActor(t *testing.T) {
	for _, c := range []struct {
		name string
		p    Principal
		want string
	}{
		{"nobody", Principal{}, ""},
		{"a token", Principal{TokenID: "K1", Role: Driver, DriverID: "D1"}, "token:K1"},
		{"a person", Principal{Issuer: "https://id.example", Subject: "248289761001", Name: "Jo", Role: Agent}, "oidc:https://id.example|248289761001"},
	} {
		if got := c.p.Actor(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
