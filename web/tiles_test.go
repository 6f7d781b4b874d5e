package web

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"porchlight/audit/dispute"
	"porchlight/audit/geo"
)

func TestTilesLieUnderThePositions(t *testing.T) {
	tiles, err := NewTiles("https://tiles.example/{z}/{x}/{y}.png", "The map's makers")
	if err != nil {
		t.Fatal(err)
	}
	stop, photo := geo.Point{Latitude: 47.6205, Longitude: -122.3493}, geo.Point{Latitude: 47.6212, Longitude: -122.3480}
	m := tiles.drawn(func(w, h float64) (dispute.Sketch, bool) {
		return dispute.NewSketch([]dispute.Place{{Point: stop}, {Point: photo}}, nil, w, h)
	})
	if m.Credit != "The map's makers" || len(m.Tiles) < 2 || len(m.Tiles) > mostTiles {
		t.Fatalf("%d tiles, credit %q", len(m.Tiles), m.Credit)
	}
	// Each position is where the tile that holds it has it.
	for _, mark := range m.Marks {
		found := false
		for _, tile := range m.Tiles {
			var z, x, y int
			if n, err := fmt.Sscanf(tile.Address, "https://tiles.example/%d/%d/%d.png", &z, &x, &y); n != 3 || err != nil {
				t.Fatalf("%s: %v", tile.Address, err)
			}
			tx, ty := mercator(mark.Point, math.Exp2(float64(z)))
			if int(tx) != x || int(ty) != y {
				continue
			}
			found = true
			px, py := tile.X+(tx-float64(x))*tile.Width, tile.Y+(ty-float64(y))*tile.Height
			if d := math.Hypot(px-mark.X, py-mark.Y) / m.PerMetre; d > 1 {
				t.Errorf("%v is drawn %.1f m from where its tile has it", mark.Point, d)
			}
		}
		if !found {
			t.Errorf("no tile holds %v", mark.Point)
		}
	}
	var covered float64
	for _, tile := range m.Tiles {
		covered += max(0, min(tile.X+tile.Width, MapWidth)-max(tile.X, 0)) * max(0, min(tile.Y+tile.Height, MapHeight)-max(tile.Y, 0))
	}
	if math.Abs(covered-MapWidth*MapHeight) > 1 {
		t.Errorf("tiles cover %.0f of %d", covered, MapWidth*MapHeight)
	}
	var none *Tiles
	if none.under(m.Sketch) != nil || none.Policy() != ContentSecurityPolicy {
		t.Error("tiles, though no server is set")
	}
	if got := tiles.Policy(); !strings.HasSuffix(got, "; img-src 'self' https://tiles.example") {
		t.Errorf("the policy is %s", got)
	}
}

func TestNewTilesRefuses(t *testing.T) {
	for _, bad := range []string{"", "tiles.example/{z}/{x}/{y}", "https://tiles.example/{z}/{x}", "https://{z}.example/{x}/{y}", "ftp://tiles.example/{z}/{x}/{y}",
		"https://me:secret@tiles.example/{z}/{x}/{y}", "https://tiles.example;script-src/{z}/{x}/{y}", "https://tiles.example x/{z}/{x}/{y}"} {
		if _, err := NewTiles(bad, ""); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
