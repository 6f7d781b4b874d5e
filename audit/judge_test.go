package audit

import (
	"testing"
	"time"

	"porchlight/audit/geo"
	"porchlight/audit/pixel"
)

// good is the measurement of a photo with which nothing is wrong, taken at seattle.
func good() Measurement {
	m := Measurement{Version: MeasurementVersion, MediaType: "image/jpeg", Measures: &pixel.Measures{
		Width: 4000, Height: 3000, BrightTile: 150, BlownOut: .01, EntropyBits: 7, Blur: -3, FingerprintQuality: 100,
		Fingerprint: "f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22",
	}}
	m.Exif.Make, m.Exif.Model = "Drawn", "Camera"
	return m
}

var (
	seattle = geo.Point{Latitude: 47.6205, Longitude: -122.3493}
	noon    = time.Date(2026, 6, 21, 20, 0, 0, 0, time.UTC) // one o'clock in Seattle
)

func degrees(p geo.Point) (lat, lon *float64) { return &p.Latitude, &p.Longitude }

// delivery is one to a front door in seattle, scanned at noon.
func delivery() Delivery {
	d := Delivery{TrackingID: "T1", DriverID: "D1", Instruction: FrontDoor, ScannedAt: &noon,
		Stop: Stop{Address: "4702 Maple St", Kind: House, TimeZone: "America/Los_Angeles"}}
	d.Latitude, d.Longitude = degrees(seattle)
	return d
}

func subject(d Delivery) Subject {
	return Subject{Upload: Upload{UploadID: "U1", PhotoID: "aa", TrackingID: d.TrackingID, DriverID: d.DriverID, Role: Placement,
		CapturedAt: &noon, ReceivedAt: noon}, Known: Known{Delivery: d}}
}

// TestJudgeLimits holds each check just within and just beyond its limits.
func TestJudgeLimits(t *testing.T) {
	fix := func(east float64, accuracy ...float64) *Fix {
		f := &Fix{Point: seattle.Offset(east, 0)}
		if len(accuracy) > 0 {
			f.AccuracyM = &accuracy[0]
		}
		return f
	}
	ago := func(d time.Duration) *time.Time { at := noon.Add(-d); return &at }
	far := seattle.Offset(400, 0)
	for _, tt := range []struct {
		name    string
		check   string
		change  func(m *Measurement, s *Subject)
		result  Result
		verdict Verdict
		reason  string
	}{
		{"a good photo", "brightness", func(m *Measurement, s *Subject) {}, Pass, Accept, ""},
		{"small", "readable", func(m *Measurement, s *Subject) { m.Width, m.Height = 799, 600 }, Warn, Accept, "other"},
		{"just large enough", "readable", func(m *Measurement, s *Subject) { m.Width, m.Height = 800, 600 }, Pass, Accept, ""},
		{"does not decode", "readable", func(m *Measurement, s *Subject) {
			m.Measures, m.Problem = nil, &Problem{CodeUndecodable, "broken"}
		}, Fail, Retake, "other"},
		{"dark", "brightness", func(m *Measurement, s *Subject) { m.BrightTile = 59.9 }, Fail, Retake, "photo_too_dark"},
		{"dim", "brightness", func(m *Measurement, s *Subject) { m.BrightTile = 79.9 }, Warn, Accept, "photo_too_dark"},
		{"just light enough", "brightness", func(m *Measurement, s *Subject) { m.BrightTile = 80 }, Pass, Accept, ""},
		{"blown out", "exposure", func(m *Measurement, s *Subject) { m.BlownOut = .36 }, Fail, Review, "other"},
		{"bright", "exposure", func(m *Measurement, s *Subject) { m.BlownOut = .26 }, Warn, Accept, "other"},
		{"blurred", "blur", func(m *Measurement, s *Subject) { m.Blur = 1.01 }, Fail, Retake, "blurry_photo"},
		{"doubtful", "blur", func(m *Measurement, s *Subject) { m.Blur = .5 }, Warn, Accept, "blurry_photo"},
		{"blurred in the dark", "blur", func(m *Measurement, s *Subject) { m.Blur, m.BrightTile = 5, 20 }, Unknown, Retake, "too dark to tell"},
		{"nothing to see", "detail", func(m *Measurement, s *Subject) { m.EntropyBits = 2.9 }, Fail, Review, "package_not_clearly_visible"},
		{"little to see", "detail", func(m *Measurement, s *Subject) { m.EntropyBits = 3.9 }, Warn, Accept, "package_not_clearly_visible"},
		{"no position", "location", func(m *Measurement, s *Subject) {}, Unknown, Accept, "no position in the photo and none from the phone"},
		{"at the door", "location", func(m *Measurement, s *Subject) { s.Fix = fix(12) }, Pass, Accept, ""},
		{"across the street", "location", func(m *Measurement, s *Subject) { s.Fix = fix(60) }, Warn, Accept, "other"},
		{"wrong street", "location", func(m *Measurement, s *Subject) { s.Fix = fix(151) }, Fail, Retake, "other"},
		{"error widens the radius", "location", func(m *Measurement, s *Subject) { s.Fix = fix(100, 40) }, Pass, Accept, ""},
		{"error too large to tell", "location", func(m *Measurement, s *Subject) { s.Fix = fix(400, 51) }, Unknown, Accept, "the position may be off by 51 m"},
		{"the file's position goes first", "location", func(m *Measurement, s *Subject) {
			s.Fix = fix(0)
			m.Exif.Latitude, m.Exif.Longitude = degrees(far)
		}, Fail, Retake, "other"},
		{"an apartment complex", "location", func(m *Measurement, s *Subject) {
			r := 200.0
			s.Fix, s.Delivery.RadiusM = fix(190), &r
		}, Pass, Accept, ""},
		{"taken 3 minutes before the scan", "time", func(m *Measurement, s *Subject) { s.CapturedAt = ago(3 * time.Minute) }, Warn, Accept, "other"},
		{"taken 11 minutes before the scan", "time", func(m *Measurement, s *Subject) { s.CapturedAt = ago(11 * time.Minute) }, Fail, Review, "other"},
		{"taken after it arrived", "time", func(m *Measurement, s *Subject) { s.ReceivedAt = noon.Add(-time.Hour) }, Fail, Review, "other"},
		{"arrived a day later, as from a phone that was offline", "time", func(m *Measurement, s *Subject) { s.ReceivedAt = noon.Add(24 * time.Hour) }, Pass, Accept, ""},
		{"no scan, arrived late", "time", func(m *Measurement, s *Subject) {
			s.Delivery.ScannedAt, s.ReceivedAt = nil, noon.Add(time.Hour)
		}, Unknown, Accept, "no scan to compare with, and the photo arrived late"},
		{"zoomed in", "framing", func(m *Measurement, s *Subject) { z := 2.5; m.Exif.DigitalZoom = &z }, Warn, Accept, "package_too_close"},
		{"cropped", "framing", func(m *Measurement, s *Subject) {
			w, h := 4000, 3000
			m.Exif.PixelWidth, m.Exif.PixelHeight, m.Width, m.Height = &w, &h, 2000, 1500
		}, Warn, Accept, "package_too_close"},
		{"finger", "lens", func(m *Measurement, s *Subject) { m.LensBlob = .1 }, Warn, Review, "other"},
		{"edited", "original", func(m *Measurement, s *Subject) { m.Exif.Software = "Adobe Photoshop 27" }, Warn, Review, "other"},
		{"screenshot", "original", func(m *Measurement, s *Subject) { m.Exif.Make, m.Exif.Model, m.FlatShare = "", "", .8 }, Warn, Review, "other"},
		{"no camera named", "original", func(m *Measurement, s *Subject) { m.Exif.Make, m.Exif.Model = "", "" }, Unknown, Accept, "the file names no camera"},
		{"no models", "house_number", func(m *Measurement, s *Subject) {}, Unknown, Accept, "no vision models installed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, s := good(), subject(delivery())
			tt.change(&m, &s)
			r := Guide2026().Judge(m, s)
			f, ok := r.Finding(tt.check)
			if !ok {
				t.Fatalf("no finding %s", tt.check)
			}
			if f.Result != tt.result || f.Reason != tt.reason {
				t.Errorf("%s: %s (%s) %s, want %s (%s)", tt.check, f.Result, f.Reason, f.Words(), tt.result, tt.reason)
			}
			if r.Verdict != tt.verdict {
				t.Errorf("verdict %s, want %s: %+v", r.Verdict, tt.verdict, r.Findings)
			}
			if (f.Result == Fail || f.Result == Warn) && f.Advice == "" {
				t.Error("no advice")
			}
			if r.Score < 0 || r.Score > 100 || (r.Verdict == Retake) != (r.Score <= 50) {
				t.Errorf("score %d for %s", r.Score, r.Verdict)
			}
		})
	}
}

func TestJudgeReuse(t *testing.T) {
	d := delivery()
	other := Stop{Address: "4704 Maple St"}
	near := func(distance int, s Sighting) Sighting {
		s.PhotoID, s.Distance, s.Quality = "bb", distance, 100
		return s
	}
	same := Sighting{PhotoID: "aa", TrackingID: "T0", DriverID: "D1", Quality: 100}
	here := func(s Sighting, ago time.Duration) []Sighting {
		s.StopKey, s.At = d.Key(), noon.Add(-ago)
		return []Sighting{s}
	}
	elsewhere := func(s Sighting) []Sighting {
		s.StopKey, s.At = other.Key(), noon.Add(-time.Hour)
		return []Sighting{s}
	}
	day := 24 * time.Hour
	for _, tt := range []struct {
		name      string
		sightings []Sighting
		want      Result
		verdict   Verdict
	}{
		{"never seen", nil, Pass, Accept},
		{"same bytes at another stop", elsewhere(same), Fail, Retake},
		{"same bytes, same stop, same visit: three packages, one photo", here(same, time.Minute), Pass, Accept},
		{"same bytes, same stop, next day", here(same, day), Fail, Retake},
		{"similar at another stop", elsewhere(near(31, same)), Fail, Retake},
		{"less similar at another stop", elsewhere(near(32, same)), Pass, Accept},
		{"less similar at the same stop, other day", here(near(60, same), day), Warn, Review},
		{"less similar, same stop, 91 days ago", here(near(60, same), 91*day), Pass, Accept},
		{"not similar", here(near(61, same), day), Pass, Accept},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := subject(d)
			s.Sightings = tt.sightings
			r := Guide2026().Judge(good(), s)
			f, _ := r.Finding("reuse")
			if f.Result != tt.want || r.Verdict != tt.verdict {
				t.Errorf("%s, verdict %s (%s), want %s, %s", f.Result, r.Verdict, f.Words(), tt.want, tt.verdict)
			}
		})
	}
	t.Run("a poor fingerprint proves nothing", func(t *testing.T) {
		m, s := good(), subject(d)
		m.FingerprintQuality, s.Sightings = 49, elsewhere(near(3, same))
		if f, _ := Guide2026().Judge(m, s).Finding("reuse"); f.Result != Pass {
			t.Errorf("%s, want pass", f.Result)
		}
	})
}

func TestJudgeSet(t *testing.T) {
	hidden := delivery()
	hidden.Instruction = Hidden
	handed := delivery()
	handed.Instruction = HandToCustomer
	locker := delivery()
	locker.Kind = Locker
	other := func(role PhotoRole, v Verdict) []JudgedUpload {
		return []JudgedUpload{{Upload: Upload{UploadID: "U0", Role: role}, Report: Report{Verdict: v}}}
	}
	for _, tt := range []struct {
		name   string
		d      Delivery
		role   PhotoRole
		others []JudgedUpload
		want   Result
		advice string
	}{
		{"front door", delivery(), Placement, nil, Pass, ""},
		{"hidden, context alone", hidden, Context, nil, Fail, "Add a photo showing the hidden package close up"},
		{"hidden, close-up alone", hidden, CloseUp, nil, Fail, "Add a photo showing the hiding place with the door"},
		{"hidden, both", hidden, CloseUp, other(Context, Accept), Pass, ""},
		{"hidden, the other one is to be taken again", hidden, CloseUp, other(Context, Retake), Fail, "Add a photo showing the hiding place with the door"},
		{"handed over", handed, Placement, nil, Pass, ""},
		{"locker", locker, Placement, nil, Unknown, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := subject(tt.d)
			s.Role, s.Others = tt.role, tt.others
			f, _ := Guide2026().Judge(good(), s).Finding("set")
			if f.Result != tt.want || f.Advice != tt.advice {
				t.Errorf("%s %q, want %s %q", f.Result, f.Advice, tt.want, tt.advice)
			}
		})
	}
}

func TestNightChangesAdviceNotLimits(t *testing.T) {
	m, day := good(), subject(delivery())
	m.Blur = 2
	night := day
	midnight := noon.Add(11 * time.Hour)
	night.CapturedAt = &midnight
	d, _ := Guide2026().Judge(m, day).Finding("blur")
	n, _ := Guide2026().Judge(m, night).Finding("blur")
	if d.Result != n.Result || d.Limit != n.Limit {
		t.Errorf("by day %v, by night %v", d, n)
	}
	if d.Advice == n.Advice {
		t.Errorf("the advice is %q by day and by night", d.Advice)
	}
}

func BenchmarkJudge(b *testing.B) {
	c, m, s := Guide2026(), good(), subject(delivery())
	b.ReportAllocs()
	for b.Loop() {
		c.Judge(m, s)
	}
}

func TestWords(t *testing.T) {
	for want, f := range map[string]Finding{
		"brightness 31.48 (limit 60) luma":  {Check: "brightness", Result: Fail, Value: 31.4771, Limit: 60, Unit: "luma"},
		"house_number 4571 (expected 4571)": {Check: "house_number", Result: Pass, Value: "4571", Limit: "4571"},
		"unknown: no_vision":                {Check: "package", Result: Unknown, Reason: "no_vision"},
		"No package was found in the photo": {Check: "package", Result: Fail, Value: 0.1, Limit: 0.35, Detail: "No package was found in the photo"},
		string(Pass):                        {Check: "lens", Result: Pass},
	} {
		if got := f.Words(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
