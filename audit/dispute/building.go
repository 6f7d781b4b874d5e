package dispute

import (
	"cmp"
	"slices"
	"strings"

	"porchlight/audit"
)

// ClaimedStop is a claim with the delivery that it is on.
type ClaimedStop struct {
	ClaimID  string
	Decision Decision // empty while it is open
	Delivery audit.Delivery
}

// Building is an address with the claims on its units.
type Building struct {
	audit.Stop // of one of the claims, without its unit
	Claims     []ClaimedStop
	Units      int
	Drivers    int
	Open       int
}

// Buildings groups claims by address, whatever the unit, and lists the addresses with more
// than one claim, those with most first. Stops without an address or position are left out.
func Buildings(claims []ClaimedStop) []Building {
	by := map[string]*Building{}
	for _, c := range claims {
		stop := c.Delivery.Stop
		stop.Unit = ""
		key := stop.Key()
		if key == "" {
			continue
		}
		if by[key] == nil {
			by[key] = &Building{Stop: stop}
		}
		by[key].Claims = append(by[key].Claims, c)
	}
	var out []Building
	for _, b := range by {
		if len(b.Claims) < 2 {
			continue
		}
		units, drivers := map[string]bool{}, map[string]bool{}
		for _, c := range b.Claims {
			units[strings.ToLower(c.Delivery.Unit)] = true
			if c.Delivery.DriverID != "" {
				drivers[c.Delivery.DriverID] = true
			}
			if c.Decision == "" {
				b.Open++
			}
		}
		b.Units, b.Drivers = len(units), len(drivers)
		out = append(out, *b)
	}
	slices.SortFunc(out, func(a, b Building) int {
		return cmp.Or(cmp.Compare(len(b.Claims), len(a.Claims)), cmp.Compare(a.Line(), b.Line()))
	})
	return out
}
