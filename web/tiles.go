package web

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"

	"porchlight/audit/dispute"
	"porchlight/audit/geo"
)

// Tiles is a server of map tiles (Web Mercator, 256 pixels a side), drawn under the
// positions of a claim. Nil for none: maps are then drawn from what is on record alone.
type Tiles struct {
	address string // with {z}, {x} and {y}
	origin  string
	Credit  string // who made the map, as its licence asks
}

// NewTiles reads a tile server's address, such as https://tiles.example/{z}/{x}/{y}.png.
func NewTiles(address, credit string) (*Tiles, error) {
	u, err := url.Parse(strings.NewReplacer("{z}", "0", "{x}", "0", "{y}", "0").Replace(address))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || strings.ContainsAny(u.Host, " ;,'\"") {
		return nil, errors.New("is not the URL of a tile server")
	}
	for _, part := range []string{"{z}", "{x}", "{y}"} {
		if before, _, ok := strings.Cut(address, part); !ok || strings.Count(before, "/") < 3 {
			return nil, fmt.Errorf("does not hold %s in its path", part)
		}
	}
	return &Tiles{address, u.Scheme + "://" + u.Host, credit}, nil
}

// Policy is [ContentSecurityPolicy] for a page with a map: its pictures may come from the
// tile server too.
func (t *Tiles) Policy() string {
	if t == nil {
		return ContentSecurityPolicy
	}
	return ContentSecurityPolicy + "; img-src 'self' " + t.origin
}

// Tile is a square of the map in a sketch's unit.
type Tile struct {
	Address             string
	X, Y, Width, Height float64
}

// Map is positions, drawn, with the tiles that lie under them.
type Map struct {
	dispute.Sketch
	Tiles  []Tile
	Credit string
}

const (
	tileUnits = 3.8 // pixels that a unit of a sketch has on a desktop
	mostZoom  = 19
	mostTiles = 48
	radiusM   = 6378137 // of the sphere that Web Mercator is drawn on
)

// under are the tiles under a sketch, in rows from its top left.
func (t *Tiles) under(s dispute.Sketch) []Tile {
	if t == nil || len(s.Marks) == 0 {
		return nil
	}
	home := s.Marks[0]
	lat := home.Point.Latitude * math.Pi / 180
	if math.Abs(home.Point.Latitude) > 85 {
		return nil // Web Mercator ends there
	}
	// metres is how long a pixel is at zoom 0, at the stop.
	metres := 2 * math.Pi * radiusM * math.Cos(lat) / 256
	zoom := min(max(int(math.Round(math.Log2(metres*s.PerMetre*tileUnits))), 0), mostZoom)
	across := math.Exp2(float64(zoom))
	// A tile's sides are as long in the sketch as 256 pixels are on the ground.
	side := 256 * metres / across * s.PerMetre
	homeX, homeY := mercator(home.Point, across)
	left, top := homeX-home.X/side, homeY-home.Y/side
	right, bottom := left+s.Width/side, top+s.Height/side
	if (right-left+1)*(bottom-top+1) > mostTiles {
		return nil
	}
	var out []Tile
	for y := max(math.Floor(top), 0); y < min(bottom, across); y++ {
		for x := math.Floor(left); x < right; x++ {
			column := math.Mod(math.Mod(x, across)+across, across) // around the world
			out = append(out, Tile{X: (x - left) * side, Y: (y - top) * side, Width: side, Height: side,
				Address: strings.NewReplacer("{z}", strconv.Itoa(zoom), "{x}", strconv.Itoa(int(column)), "{y}", strconv.Itoa(int(y))).Replace(t.address)})
		}
	}
	return out
}

// mercator is where a point lies, in tiles from the top left of a world so many tiles across.
func mercator(p geo.Point, across float64) (x, y float64) {
	lat := p.Latitude * math.Pi / 180
	return across * (p.Longitude + 180) / 360, across * (1 - math.Asinh(math.Tan(lat))/math.Pi) / 2
}

// drawn is a case's positions as a map; nil without any.
func (t *Tiles) drawn(sketch func(width, height float64) (dispute.Sketch, bool)) *Map {
	s, ok := sketch(MapWidth, MapHeight)
	if !ok {
		return nil
	}
	m := &Map{Sketch: s, Tiles: t.under(s)}
	if len(m.Tiles) > 0 {
		m.Credit = t.Credit
	}
	return m
}
