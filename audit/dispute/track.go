package dispute

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"porchlight/audit"
	"porchlight/audit/geo"
)

// TrackPoint is one point of a driver's track.
type TrackPoint struct {
	DriverID string    `json:"driver_id"`
	At       time.Time `json:"at"`
	geo.Point
	AccuracyM float64 `json:"accuracy_m,omitempty"` // metres; 0 where it is not on record
}

// Validate checks a point as a row of an import. Errors: [audit.CodeInvalid].
func (f TrackPoint) Validate() error {
	if err := audit.ValidateID("driver_id", f.DriverID); err != nil {
		return err
	}
	switch {
	case f.At.IsZero():
		return audit.Errorf(audit.CodeInvalid, "at is missing")
	case !f.Valid():
		return audit.Errorf(audit.CodeInvalid, "%s is no position", f.Point)
	case !(f.AccuracyM >= 0 && f.AccuracyM <= 1e6):
		return audit.Errorf(audit.CodeInvalid, "accuracy_m %g is not a distance in metres", f.AccuracyM)
	}
	return nil
}

// TrackWithin is how far around a delivery its evidence holds the driver's track.
const TrackWithin = 10 * time.Minute

// trackPlace is where the track has the driver at the time of the delivery: between the
// points before and after, in proportion to the time, with the gap between them said.
func trackPlace(ev Evidence) (Place, bool) {
	at := ev.deliveredAt()
	if at == nil || len(ev.Track) == 0 {
		return Place{}, false
	}
	i, exact := slices.BinarySearchFunc(ev.Track, *at, func(f TrackPoint, t time.Time) int { return f.At.Compare(t) })
	p := Place{Kind: PlaceTrack, Mark: "T", At: at.UTC(), Source: sourceTrack}
	switch {
	case exact:
		p.Point, p.RadiusM, p.What = ev.Track[i].Point, ev.Track[i].AccuracyM, "tracked at the delivery"
	case i == 0 || i == len(ev.Track):
		near := ev.Track[min(i, len(ev.Track)-1)]
		p.Point, p.RadiusM, p.At = near.Point, near.AccuracyM, near.At.UTC()
		p.What = "nearest point of the track, " + audit.Lasting(near.At.Sub(*at).Abs()) + " from the delivery"
	default:
		a, b := ev.Track[i-1], ev.Track[i]
		gap := b.At.Sub(a.At)
		share := float64(at.Sub(a.At)) / float64(gap)
		p.Point = geo.Point{Latitude: a.Latitude + share*(b.Latitude-a.Latitude), Longitude: a.Longitude + share*(b.Longitude-a.Longitude)}
		p.RadiusM = max(a.AccuracyM, b.AccuracyM)
		p.What = fmt.Sprintf("tracked at the delivery, between points %s and %s m apart", audit.Lasting(gap), metres(geo.Distance(a.Point, b.Point)))
	}
	if stop, ok := ev.Delivery.Point(); ok {
		m := geo.Distance(p.Point, stop)
		p.AwayM = &m
	}
	return p, p.Valid()
}

// Bounds of a file of tracks.
const (
	MaxTrackBytes  = 64 << 20
	maxTrackPoints = 1_000_000
)

// ParseTrack reads a driver's track: GPX (1.0 or 1.1, track and route points with their
// time) or GeoJSON (RFC 7946; points with a time in their properties, or lines with a
// coordTimes array beside them). Points without a time are left out and counted.
// Errors: [audit.CodeInvalid].
func ParseTrack(r io.Reader, driverID string) (fixes []TrackPoint, untimed int, err error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxTrackBytes+1))
	if err != nil {
		return nil, 0, audit.Errorf(audit.CodeUnreadable, "The track cannot be read", err)
	}
	if len(b) > MaxTrackBytes {
		return nil, 0, audit.Errorf(audit.CodeInvalid, "The track is larger than %d bytes", MaxTrackBytes)
	}
	t := &track{driverID: driverID}
	if head := bytes.TrimLeft(b, "\xef\xbb\xbf \t\r\n"); len(head) > 0 && head[0] == '{' {
		err = t.geoJSON(head)
	} else {
		err = t.gpx(b)
	}
	return t.fixes, t.untimed, err
}

type track struct {
	driverID string
	fixes    []TrackPoint
	untimed  int
}

func (t *track) add(p geo.Point, at string) error {
	if len(t.fixes)+t.untimed >= maxTrackPoints {
		return audit.Errorf(audit.CodeInvalid, "The track has more than %d points", maxTrackPoints)
	}
	when, err := time.Parse(time.RFC3339Nano, at)
	if err != nil || !p.Valid() {
		t.untimed++
		return nil
	}
	t.fixes = append(t.fixes, TrackPoint{DriverID: t.driverID, At: when.UTC(), Point: p})
	return nil
}

func (t *track) gpx(b []byte) error {
	dec := xml.NewDecoder(bytes.NewReader(b))
	seen := false
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return audit.Errorf(audit.CodeInvalid, "The track is no GPX and no GeoJSON: %v", err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch start.Name.Local {
		case "gpx":
			seen = true
		case "trkpt", "rtept", "wpt":
			var p struct {
				Latitude  float64 `xml:"lat,attr"`
				Longitude float64 `xml:"lon,attr"`
				Time      string  `xml:"time"`
			}
			if err := dec.DecodeElement(&p, &start); err != nil {
				return audit.Errorf(audit.CodeInvalid, "The track has a point that cannot be read: %v", err)
			}
			if err := t.add(geo.Point{Latitude: p.Latitude, Longitude: p.Longitude}, p.Time); err != nil {
				return err
			}
		}
	}
	if !seen {
		return audit.Errorf(audit.CodeInvalid, "The track is no GPX and no GeoJSON")
	}
	return nil
}

func (t *track) geoJSON(b []byte) error {
	type feature struct {
		Geometry struct {
			Type        string          `json:"type"`
			Coordinates json.RawMessage `json:"coordinates"`
		} `json:"geometry"`
		Properties struct {
			Time       string          `json:"time"`
			CoordTimes json.RawMessage `json:"coordTimes"`
		} `json:"properties"`
	}
	var doc struct {
		Type     string    `json:"type"`
		Features []feature `json:"features"`
		feature
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return audit.Errorf(audit.CodeInvalid, "The track's GeoJSON cannot be read: %v", err)
	}
	switch doc.Type {
	case "Feature":
		doc.Features = []feature{doc.feature}
	case "FeatureCollection":
	default:
		return audit.Errorf(audit.CodeInvalid, "The track's GeoJSON is a %.40q, not a Feature or FeatureCollection", doc.Type)
	}
	line := func(points [][]float64, times []string) error {
		for i, p := range points {
			if len(p) < 2 {
				return audit.Errorf(audit.CodeInvalid, "The track has a point without two coordinates")
			}
			at := ""
			if i < len(times) {
				at = times[i]
			}
			if err := t.add(geo.Point{Latitude: p[1], Longitude: p[0]}, at); err != nil {
				return err
			}
		}
		return nil
	}
	bad := func(err error) error {
		return audit.Errorf(audit.CodeInvalid, "The track has a feature that cannot be read: %v", err)
	}
	for _, f := range doc.Features {
		var err error
		switch f.Geometry.Type {
		case "Point":
			var p []float64
			if err := json.Unmarshal(f.Geometry.Coordinates, &p); err != nil {
				return bad(err)
			}
			err = line([][]float64{p}, []string{f.Properties.Time})
		case "LineString":
			var points [][]float64
			var times []string
			if err := json.Unmarshal(f.Geometry.Coordinates, &points); err != nil {
				return bad(err)
			}
			if len(f.Properties.CoordTimes) > 0 {
				if err := json.Unmarshal(f.Properties.CoordTimes, &times); err != nil {
					return bad(err)
				}
			}
			err = line(points, times)
		case "MultiLineString":
			var lines [][][]float64
			var times [][]string
			if err := json.Unmarshal(f.Geometry.Coordinates, &lines); err != nil {
				return bad(err)
			}
			if len(f.Properties.CoordTimes) > 0 {
				if err := json.Unmarshal(f.Properties.CoordTimes, &times); err != nil {
					return bad(err)
				}
			}
			for i, points := range lines {
				var at []string
				if i < len(times) {
					at = times[i]
				}
				if err = line(points, at); err != nil {
					break
				}
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
