package dispute

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"porchlight/audit"
	"porchlight/audit/geo"
)

// PlaceKind says what happened at a place.
type PlaceKind string

const (
	PlaceStop  PlaceKind = "stop"
	PlaceScan  PlaceKind = "scan"
	PlacePhoto PlaceKind = "photo"
	PlaceEvent PlaceKind = "event"
	PlaceTrack PlaceKind = "track" // where the track has the driver at the delivery's time
)

// Place is a position that is on record for a delivery.
type Place struct {
	Kind PlaceKind `json:"kind"`
	Mark string    `json:"mark"` // short, for the map: S, P1, ...
	geo.Point
	// RadiusM is the circle that the place may lie in, in metres; 0 where its error is not
	// on record. The stop's is the distance within which its checklist takes a photo.
	RadiusM float64   `json:"radius_m,omitempty"`
	AwayM   *float64  `json:"away_m,omitempty"` // metres from the stop, where that has a position
	At      time.Time `json:"at,omitzero"`
	What    string    `json:"what"`
	Source  string    `json:"source"`
}

// places lists the positions on record: the stop first, then in the order of the timeline's
// kinds. It is pure.
func places(ev Evidence) []Place {
	d := ev.Delivery
	out := []Place{}
	stop, known := d.Point()
	what, source := "the stop", sourceDelivery
	radius := stopRadius(ev.Photos)
	if g := d.Geocoded; !known && g != nil && g.Valid() {
		stop, known = g.Point, true
		what, source, radius = "the stop's address on the map, "+g.Precision(), g.Source, g.PrecisionM
	}
	if known {
		out = append(out, Place{Kind: PlaceStop, Mark: "S", Point: stop, RadiusM: radius, What: what, Source: source})
	}
	add := func(p Place) {
		if !p.Valid() {
			return
		}
		if known {
			m := math.Round(geo.Distance(p.Point, stop)*10) / 10
			p.AwayM = &m
		}
		out = append(out, p)
	}
	if at, ok := d.Scan(); ok {
		p := Place{Kind: PlaceScan, Mark: "C", Point: at, What: "package scanned", Source: sourceScan}
		if d.ScannedAt != nil {
			p.At = d.ScannedAt.UTC()
		}
		add(p)
	}
	for i, u := range ev.Photos {
		mark := "P" + strconv.Itoa(i+1)
		p := Place{Kind: PlacePhoto, Mark: mark, At: u.Upload.ReceivedAt.UTC(), What: fmt.Sprintf("photo %d, %s", i+1, u.Upload.Role)}
		if u.Upload.CapturedAt != nil {
			p.At = u.Upload.CapturedAt.UTC()
		}
		// The file's own position goes over the phone's, as in the checklist.
		if x := u.Measurement.Exif; x.Latitude != nil && x.Longitude != nil {
			p.Point, p.Source = geo.Point{Latitude: *x.Latitude, Longitude: *x.Longitude}, sourcePhoto(u.Upload.PhotoID)+" EXIF"
			if x.AccuracyM != nil {
				p.RadiusM = *x.AccuracyM
			}
		} else if fix := u.Upload.Fix; fix != nil {
			p.Point, p.Source = fix.Point, sourcePhone+", sent with "+sourcePhoto(u.Upload.PhotoID)
			if fix.AccuracyM != nil {
				p.RadiusM = *fix.AccuracyM
			}
		}
		add(p)
	}
	n := 0
	for _, e := range ev.Events {
		if at, ok := e.point(); ok {
			n++
			add(Place{Kind: PlaceEvent, Mark: "E" + strconv.Itoa(n), Point: at, At: e.At.UTC(), What: e.words(), Source: sourceEvent(e)})
		}
	}
	if p, ok := trackPlace(ev); ok {
		add(p)
	}
	return out
}

// stopRadius is the distance in metres within which the photos' checklists take a photo
// as taken at the stop; 0 where none was judged by its location.
func stopRadius(photos []audit.JudgedUpload) (radius float64) {
	for _, p := range photos {
		if f, ok := p.Report.Finding("location"); ok && (f.Result == audit.Pass || f.Result == audit.Warn) { // a fail's limit is another
			if limit, ok := f.Limit.(float64); ok {
				radius = max(radius, limit)
			}
		}
	}
	return radius
}
