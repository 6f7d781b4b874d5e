package audit

import (
	"testing"
	"time"

	"porchlight/audit/geo"
)

// TestJudgeGeocoded holds the location of a photo against a position that was made of
// the stop's address.
func TestJudgeGeocoded(t *testing.T) {
	geocode := func(precision float64) func(*Delivery) {
		return func(d *Delivery) {
			d.Latitude, d.Longitude = nil, nil
			d.Geocoded = &Geocode{Point: seattle, PrecisionM: precision, Kind: "building"}
		}
	}
	own := func(d *Delivery) { d.Geocoded = &Geocode{Point: seattle.Offset(5000, 0), PrecisionM: 15} }
	wide := func(d *Delivery) { geocode(20)(d); r := 200.0; d.RadiusM = &r }
	accuracy := func(m float64) *float64 { return &m }
	strict := Guide2026()
	strict.Checks.Location.GeocodedMaxM = 0
	for _, tt := range []struct {
		name      string
		stop      func(*Delivery)
		east      float64
		accuracy  *float64
		checklist *Checklist
		result    Result
		limit     any
		source    string
		reason    string
	}{
		{"at the door", geocode(15), 12, nil, nil, Pass, 65.0, "phone; stop geocoded, precise to 15 m", ""},
		{"just within 50 m and the precision", geocode(15), 64.9, nil, nil, Pass, 65.0, "phone; stop geocoded, precise to 15 m", ""},
		{"just beyond", geocode(15), 65.2, nil, nil, Warn, 65.0, "phone; stop geocoded, precise to 15 m", "other"},
		{"a fix's error counts too", geocode(15), 119, accuracy(40), nil, Pass, 120.0, "phone; stop geocoded, precise to 15 m", ""},
		{"and no further", geocode(15), 121, accuracy(40), nil, Warn, 120.0, "phone; stop geocoded, precise to 15 m", "other"},
		{"in another town it never fails", geocode(15), 9000, nil, nil, Warn, 65.0, "phone; stop geocoded, precise to 15 m", "other"},
		{"a complex's radius", wide, 219, nil, nil, Pass, 220.0, "phone; stop geocoded, precise to 20 m", ""},
		{"as coarse as may be", geocode(150), 190, nil, nil, Pass, 200.0, "phone; stop geocoded, precise to 150 m", ""},
		{"too coarse", geocode(151), 0, nil, nil, Unknown, nil, "", "the stop has no position of its own, and the one made of its address may be off by 151 m"},
		{"the fix may be off too far", geocode(15), 0, accuracy(51), nil, Unknown, nil, "phone", "the position may be off by 51 m"},
		{"the stop's own position goes first", own, 12, nil, nil, Pass, 50.0, "phone", ""},
		{"and fails", own, 400, nil, nil, Fail, 150.0, "phone", "other"},
		{"a checklist may do without", geocode(15), 0, nil, strict, Unknown, nil, "", "the stop has no position of its own, and the one made of its address may be off by 15 m"},
		{"nowhere", func(d *Delivery) { geocode(15)(d); d.Geocoded.Point = geo.Point{} }, 0, nil, nil, Unknown, nil, "", "the stop has no position"},
		{"not geocoded", func(d *Delivery) { d.Latitude, d.Longitude = nil, nil }, 0, nil, nil, Unknown, nil, "", "the stop has no position"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := delivery()
			tt.stop(&d)
			s := subject(d)
			s.Fix = &Fix{Point: seattle.Offset(tt.east, 0), AccuracyM: tt.accuracy}
			c := tt.checklist
			if c == nil {
				c = Guide2026()
			}
			f, _ := c.Judge(good(), s).Finding("location")
			if f.Result != tt.result || f.Limit != tt.limit || f.Source != tt.source || f.Reason != tt.reason {
				t.Errorf("%s, limit %v, by %q (%s): %s; want %s, %v, %q (%s)", f.Result, f.Limit, f.Source, f.Reason, f.Words(), tt.result, tt.limit, tt.source, tt.reason)
			}
		})
	}
}

// The sun stands about the same over a whole town.
func TestGeocodedNight(t *testing.T) {
	d := delivery()
	d.Latitude, d.Longitude = nil, nil
	d.Geocoded = &Geocode{Point: seattle, PrecisionM: 5000}
	night := time.Date(2026, 6, 21, 8, 0, 0, 0, time.UTC) // one in the morning in Seattle
	s, m := subject(d), good()
	s.CapturedAt, m.Blur = &night, 5
	f, _ := Guide2026().Judge(m, s).Finding("blur")
	if want := Guide2026().Checks.Blur.NightAdvice; f.Advice != want {
		t.Errorf("advice %q, want %q", f.Advice, want)
	}
}

func TestUnplaced(t *testing.T) {
	lat, lon, zero := 47.6, -122.3, 0.0
	for name, tt := range map[string]struct {
		stop Stop
		key  string // empty where it is not asked about
	}{
		"an address with its town":       {Stop{Address: "4702 Maple St.", Unit: "4 b", Locality: "Seattle"}, "4702maplest|seattle||"},
		"with its postcode and country":  {Stop{Address: " 4702  maple ST", Postcode: "98 109", Country: "US"}, "4702maplest||98109|us"},
		"all in a line":                  {Stop{Address: "4702 Maple St, Seattle"}, "4702maplestseattle|||"},
		"a street that is in many towns": {Stop{Address: "4702 Maple St", Country: "US"}, ""},
		"no address":                     {Stop{Locality: "Seattle", Postcode: "98109"}, ""},
		"an address of nothing":          {Stop{Address: " , ", Locality: "Seattle"}, ""},
		"a position of its own":          {Stop{Address: "4702 Maple St", Locality: "Seattle", Latitude: &lat, Longitude: &lon}, ""},
		"a position that is none":        {Stop{Address: "4702 Maple St", Locality: "Seattle", Latitude: &zero, Longitude: &zero}, "4702maplest|seattle||"},
		"geocoded before":                {Stop{Address: "4702 Maple St", Locality: "Seattle", Geocoded: &Geocode{Point: seattle}}, "4702maplest|seattle||"},
	} {
		a, ok := tt.stop.Unplaced()
		if ok != (tt.key != "") || ok && a.Key() != tt.key {
			t.Errorf("%s: %q, %v; want %q", name, a.Key(), ok, tt.key)
		}
	}
}

func TestRelocate(t *testing.T) {
	service := NewService(Config{NewID: func() string { return "R2" }, Now: func() time.Time { return noon }})
	geocoded := delivery()
	geocoded.Latitude, geocoded.Longitude = nil, nil
	unplaced := geocoded
	geocoded.Geocoded = &Geocode{Point: seattle, PrecisionM: 15}
	before := func(d Delivery, fix *Fix) Case {
		s := subject(d)
		s.Fix = fix
		return Case{JudgedUpload: JudgedUpload{Upload: s.Upload, Measurement: good(), Report: Guide2026().Judge(good(), s)}, Known: Known{Delivery: geocoded}}
	}
	fix := &Fix{Point: seattle.Offset(90, 0)}
	other := before(unplaced, fix)
	other.Report.Checklist = "another"
	coarse := before(unplaced, fix)
	coarse.Delivery.Geocoded = nil
	for name, tt := range map[string]struct {
		c    Case
		want Result // empty: it stays as it is
	}{
		"unknown for want of a position": {before(unplaced, fix), Warn},
		"no fix either":                  {before(unplaced, nil), Unknown}, // for another reason
		"known before":                   {before(geocoded, fix), ""},
		"by another checklist":           {other, ""},
		"still without":                  {coarse, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, ok := service.Relocate(tt.c)
			if f, _ := r.Finding("location"); ok != (tt.want != "") || ok && f.Result != tt.want {
				t.Errorf("%v, %+v; want %s", ok, f, tt.want)
			}
			if ok && (r.ReportID != "R2" || r.UploadID != "U1" || r.Measurement != nil || !r.JudgedAt.Equal(noon)) {
				t.Errorf("report %+v", r)
			}
		})
	}
}
