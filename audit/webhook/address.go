package webhook

import (
	"net/netip"
	"net/url"

	"porchlight/audit"
)

// maxURLBytes is the most that an endpoint's URL may have.
const maxURLBytes = 2048

// private are the blocks that no message goes to beside those that [netip.Addr] knows
// by name (IANA IPv4 and IPv6 Special-Purpose Address Registries, RFC 6890).
var private = prefixes(
	"0.0.0.0/8",       // this network
	"100.64.0.0/10",   // carrier-grade NAT, RFC 6598
	"192.0.0.0/24",    // IETF protocol assignments
	"192.0.2.0/24",    // documentation
	"192.88.99.0/24",  // 6to4 relays
	"198.18.0.0/15",   // benchmarking
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"240.0.0.0/4",     // reserved, and the broadcast address
	"2001::/23",       // IETF protocol assignments, Teredo among them
	"2001:db8::/32",   // documentation
	"2002::/16",       // 6to4: an IPv4 address of any kind inside
	"3fff::/20",       // documentation
)

var (
	globalUnicast = netip.MustParsePrefix("2000::/3")     // all that is routed of IPv6
	nat64         = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052: the last four bytes are an IPv4 address
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		all[i] = netip.MustParsePrefix(t)
	}
	return all
}

// Public tells whether an address is one of the public Internet: no private,
// loopback, link-local, multicast, shared or reserved one, in whichever form it is
// written (mapped into IPv6, behind NAT64).
func Public(a netip.Addr) bool {
	a = a.Unmap()
	if a.Zone() != "" || !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	if nat64.Contains(a) {
		b := a.As16()
		return Public(netip.AddrFrom4([4]byte(b[12:])))
	}
	if a.Is6() && !globalUnicast.Contains(a) {
		return false
	}
	for _, p := range private {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// checkURL checks an endpoint's URL. A name is resolved when it is connected to, and
// checked then; an address that is written out is checked here already.
func checkURL(text string, allowPrivate bool) error {
	if len(text) > maxURLBytes {
		return audit.Errorf(audit.CodeInvalid, "url is longer than %d bytes", maxURLBytes)
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return audit.Errorf(audit.CodeInvalid, "url is not https://HOST/PATH")
	case u.Scheme != "https" && !(allowPrivate && u.Scheme == "http"):
		return audit.Errorf(audit.CodeInvalid, "url must begin with https://")
	case u.User != nil:
		return audit.Errorf(audit.CodeInvalid, "url must not carry a user or a password: messages are signed")
	case u.Fragment != "":
		return audit.Errorf(audit.CodeInvalid, "url must not have a fragment")
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && !allowPrivate && !Public(a) {
		return audit.Errorf(audit.CodeInvalid, "url names a private or reserved address, which --webhook-allow-private alone permits")
	}
	return nil
}
