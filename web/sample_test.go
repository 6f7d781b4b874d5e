package web

import (
	"math"
	"strings"
	"testing"
	"time"

	"porchlight/audit"
	"porchlight/audit/custody"
	"porchlight/audit/dispute"
	"porchlight/audit/geo"
	"porchlight/audit/pixel"
	"porchlight/audit/rows"
	"porchlight/audit/standing"
	"porchlight/audit/vision"
)

var now = time.Date(2026, 5, 4, 21, 30, 0, 0, time.UTC) // 2:30 PM in Seattle

func local(hour, minute int) *time.Time {
	t := time.Date(2026, 5, 4, hour+7, minute, 0, 0, time.UTC)
	return &t
}

const photoID = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

// delivery is a plain one, in Seattle.
func delivery(id, address string, in audit.Instruction, hour int) audit.Delivery {
	return audit.Delivery{TrackingID: id, DriverID: "D7", Instruction: in, WindowStart: local(hour, 0), WindowEnd: local(hour+2, 0),
		Stop: audit.Stop{Address: address, Locality: "Seattle", Postcode: "98107", TimeZone: "America/Los_Angeles"}}
}

func report(v audit.Verdict, score int, findings ...audit.Finding) audit.Report {
	return audit.Report{ReportID: "R1", PhotoID: photoID, Checklist: "guide-2026", Verdict: v, Score: score, Findings: findings, JudgedAt: *local(14, 5)}
}

func upload(role audit.PhotoRole) audit.Upload {
	return audit.Upload{UploadID: "U1", PhotoID: photoID, TrackingID: "TBA310000000101", Role: role, CapturedAt: local(14, 4), ReceivedAt: *local(14, 5),
		DriverID: "D7", Fix: &audit.Fix{Point: geo.Point{Latitude: 47.6, Longitude: -122.3}}}
}

var (
	near    = audit.Finding{Check: "location", Result: audit.Pass, Value: 12.4, Limit: 50.0, Unit: "m", Source: "phone", Detail: "12 m from the stop"}
	dark    = audit.Finding{Check: "brightness", Result: audit.Fail, Value: 31.27, Limit: 60.0, Unit: "luma 0-255", Reason: "photo_too_dark", Advice: "Turn on the flash or your flashlight, step closer"}
	bright  = audit.Finding{Check: "brightness", Result: audit.Pass, Value: 131.9, Limit: 80.0, Unit: "luma 0-255"}
	blown   = audit.Finding{Check: "exposure", Result: audit.Warn, Value: 0.284, Limit: 0.25, Unit: "share of pixels", Reason: "other", Advice: "Turn away from the light"}
	houseNr = audit.Finding{Check: "house_number", Result: audit.Pass, Value: "1217", Limit: "1217", Source: "vision"}
	people  = audit.Finding{Check: "person", Result: audit.Unknown, Reason: "no vision models installed"}
	size    = audit.Finding{Check: "readable", Result: audit.Pass, Value: 4032, Limit: 800.0, Unit: "px"}
	pair    = audit.Finding{Check: "set", Result: audit.Fail, Value: 1, Limit: 2, Unit: "photos", Detail: "Missing: the hidden package close up", Advice: "Add a photo showing the hidden package close up"}
)

func evidence() dispute.Evidence {
	d := delivery("TBA310000000101", "1217 NW 62nd St", audit.Hidden, 14)
	d.DeliveredAt, d.Outcome, d.Note = local(14, 6), audit.Delivered, "Behind the planter, left of the door"
	return dispute.Evidence{Delivery: d, Photos: []audit.JudgedUpload{
		{Upload: upload(audit.Context), Report: report(audit.Accept, 95, near, bright, blown, houseNr, people, size), Measurement: *seen()},
		{Upload: upload(audit.CloseUp), Report: report(audit.Review, 70, near, bright, people), Ruling: &audit.Ruling{Kind: audit.RuledReject, Reason: audit.PackageInCar}},
	}}
}

// seen is a measurement in which the models found things, one of them past the photo's edge.
func seen() *audit.Measurement {
	return &audit.Measurement{Measures: &pixel.Measures{Width: 3000, Height: 4000}, Vision: &vision.Reading{
		Texts: []vision.Text{{Text: "1217", Score: 0.98, Box: vision.Box{0.5, 0.1, 0.6, 0.2}}},
		Boxes: []vision.Detection{{Label: vision.Package, Score: 0.91, Box: vision.Box{0.25, 0.5, 0.75, 1.5}}, {Label: vision.Person, Score: 0.5, Box: vision.Box{2, 2, 3, 3}}}}}
}

// fleet is two days' photos: one accepted, one left to a person and one too dark, used before.
func fleet() *standing.Fleet {
	f := standing.NewFleet(now.AddDate(0, 0, -1), now)
	shot := func(v audit.Verdict, at time.Time, findings ...audit.Finding) {
		u := upload(audit.Context)
		u.ReceivedAt = at
		f.Add(audit.JudgedUpload{Upload: u, Report: report(v, 50, findings...)}, audit.Guide2026())
	}
	shot(audit.Accept, now, bright)
	shot(audit.Review, now, pair)
	shot(audit.Retake, now.AddDate(0, 0, -1), dark, audit.Finding{Check: "reuse", Result: audit.Fail, Detail: "the same photo was used at another stop"})
	shot(audit.Accept, now.AddDate(0, 0, -9), bright)
	f.Done()
	return f
}

// tried is a checklist's trial on three photos, of which one is judged otherwise now.
func tried() *Trial {
	c := audit.Guide2026()
	t := NewTrial(c)
	for i, light := range []float64{30, 120, 200} {
		m := audit.Measurement{Measures: &pixel.Measures{Width: 3000, Height: 4000, BrightTile: light, EntropyBits: 7, Blur: -2}}
		r := c.Judge(m, audit.Subject{Upload: upload(audit.Context)})
		if i == 0 {
			r.Verdict = audit.Accept
		}
		t.Add(c, audit.Case{JudgedUpload: audit.JudgedUpload{Upload: upload(audit.Context), Measurement: m, Report: r}}, 5)
	}
	return t
}

func pointer(v float64) *float64 { return &v }

// assessed is a driver's standing with a claim and a warning.
func assessed() standing.Report {
	t := standing.Targets2026()
	y := standing.Tally{Window: standing.Window{From: now.AddDate(0, -1, 0), To: now, Packages: 500, By: "packages"},
		Attempted: 500, Delivered: 485, Timed: 400, OnTime: 388, NotReceived: 1, Blocks: 20, Kept: 20}
	return standing.Report{DriverID: "D7", At: now, Targets: t.Version, Label: t.Label, Assessment: t.Assess(y), SettledUntil: now.AddDate(0, 0, -2), AppealDays: 10, Open: 3,
		Warnings: []standing.Warning{{Kind: "standing_dropped", Text: "the standing was fantastic on 2026-05-01 and is fair now"}}, EventCount: 1,
		Events: []standing.Event{{At: now.AddDate(0, 0, -1), Kind: standing.PackageMissing, Figure: standing.NotReceived, ID: "C1", Text: "claim C1: package T1 not received"}}}
}

// full is every page with all it can show.
func full() map[string]Page {
	base := Base{Role: audit.Agent, Name: "Jo Oduya", CSRF: "csrf-1", Now: now}
	driver := Base{Role: audit.Driver, DriverID: "D7", CSRF: "csrf-1", Now: now}
	hidden := delivery("TBA310000000101", "1217 NW 62nd St", audit.Hidden, 14)
	hidden.Unit, hidden.DoNotRing, hidden.Proofs = "4B", true, audit.Proofs{audit.ProofPhoto, audit.ProofOneTimePassword}
	next := delivery("TBA310000000103", "860 Elm Terrace Apartments North", audit.FrontDoor, 15)
	both := []audit.PhotoRole{audit.Context, audit.CloseUp}
	one := []audit.PhotoRole{audit.Placement}
	tomorrow := delivery("TBA310000000105", "77 Bay Rd", audit.ToMailroom, 38)
	overdue, soon := now.Add(-50*time.Hour), now.Add(5*time.Hour)
	claim := dispute.Claim{ClaimID: "CLM-2026-00017", TrackingID: "TBA310000000101", ReportedAt: local(18, 40), DueAt: &soon, Reason: "delivered_not_received",
		Statement: "I was home all day and nothing came.\nThe photo is not my door.", Channel: "stripe"}
	late := claim
	late.ClaimID, late.DueAt = "CLM-2026-00009", &overdue
	undated := dispute.Claim{ClaimID: "CLM-2026-00021", TrackingID: "TBA310000000777"}
	recommendation := dispute.Recommendation{Recommendation: dispute.DisputeClaim, Summary: "dispute: photo at 12 m, number matches", Strength: 9, Rules: "rules-2026",
		Reasons:    []dispute.Point{{Rule: "photo.near", Text: "the photo was taken 12 m from the stop", Source: "photo 9f86d081884c"}, {Rule: "photo.number", Text: "the house number 1217 can be read in the photo", Source: "photo 9f86d081884c"}},
		Weaknesses: []dispute.Point{{Rule: "fix.phone", Text: "the position is the phone's own, the file has none", Source: "driver's phone"}}}
	finished := now.Add(-time.Hour)
	run := audit.Run{RunID: "0198-run", Checklist: "guide-2026b", StartedAt: now.Add(-2 * time.Hour), FinishedAt: &finished, Done: 18250, Flipped: 2, Failed: 1,
		Filter: audit.Filter{Since: now.AddDate(0, -1, 0), DriverID: "D7"}, Measure: true}
	running := audit.Run{RunID: "0199-run", Checklist: "guide-2026", StartedAt: now, State: audit.RunRunning, Total: 2000, Done: 500}
	around := dispute.Around{Stop: []dispute.PastClaim{{ClaimID: "C#4", TrackingID: "T4", At: now, Decision: dispute.Upheld}}, Driver: []dispute.PastClaim{{ClaimID: "C5", TrackingID: "T5", At: now}}}
	leading := func(f audit.Finding) *audit.Finding { return &f }
	assessed, days := assessed(), []standing.Day{{Day: "2026-05-04", Standing: standing.Fair, Events: assessed().Events,
		Changes: []standing.Change{{Figure: standing.DeliveredRate, Before: pointer(0.98), After: pointer(0.97), From: standing.Great, To: standing.Fair},
			{Figure: standing.FeedbackRating, Before: pointer(4.6), From: standing.Fair, To: standing.Unknown}}}}
	return map[string]Page{
		"signin":              SignIn{Base: Base{CSRF: "csrf-1"}, Message: "That token is not known. Ask dispatch for a new one.", Next: "/driver"},
		"signin_organisation": SignIn{Base: Base{CSRF: "csrf-1"}, Organisation: true, Next: "/agent"},
		"signin_link":         SignIn{Base: Base{CSRF: "csrf-1"}, Token: "secret-1"},
		"home":                Home{},
		"driver": Driver{driver, []Stop{
			{Delivery: tomorrow, Required: one, Missing: one},
			{Delivery: next, Required: one, Missing: one, Verdict: audit.Retake},
			{Delivery: hidden, Required: both, Missing: both[1:], Verdict: audit.Accept},
			{Delivery: delivery("TBA310000000104", "12 Pine St", audit.FrontDoor, 12), Required: one, Verdict: audit.Accept},
			{Delivery: delivery("TBA310000000106", "14 Pine St", audit.SideDoor, 12), Required: one, Verdict: audit.Review},
			{Delivery: delivery("TBA310000000107", "9 Hill Ave", audit.HandToCustomer, 16)},
		}},
		"driver_stop": DriverStop{Base: driver, Stop: Stop{Delivery: hidden, Required: both, Missing: both[1:], Verdict: audit.Accept},
			Here:    []audit.Delivery{{TrackingID: "TBA310000000102"}, {TrackingID: "TBA310000000108"}},
			Photos:  []Photo{{upload(audit.Context), report(audit.Retake, 40, dark, near), leading(dark), nil, seen()}, {upload(audit.Context), report(audit.Accept, 95, near, bright), nil, local(15, 0), seen()}},
			Message: "The photo has 31000000 bytes, 25000000 are the most", Pause: 2 * time.Minute, InAll: 5 * time.Minute,
			Events: []dispute.Event{{EventID: "E1", Kind: "contact_text", At: now.Add(-3 * time.Minute), Detail: "the phone's position, precise to 12 m"}, {EventID: "E2", Kind: "access_problem", Detail: "the code did not work", At: now}}},
		"driver_rejects": DriverRejects{driver, 7, 40, []Reject{
			{Stop: Stop{Delivery: hidden}, Photo: Photo{upload(audit.Context), report(audit.Retake, 40, dark, near), leading(dark), nil, seen()}, Made: true},
			{Stop: Stop{Delivery: next}, Photo: Photo{upload(audit.Placement), report(audit.Review, 60, pair), leading(pair), nil, seen()}}}},
		"driver_disputes": DriverDisputes{driver, []DisputeRow{{claim, evidence().Delivery, &soon, nil}, {late, evidence().Delivery, &overdue, nil},
			{undated, audit.Delivery{}, nil, &dispute.Outcome{Decision: dispute.Overturned}}}, "c/1"},
		"driver_dispute": DriverDispute{driver, DisputeRow{claim, evidence().Delivery, &soon, nil},
			dispute.Draft{Subject: "Dispute: delivery TBA310000000101", Text: "Hello,\n\nplease review.\n", Photos: []dispute.Photo{{PhotoID: photoID, Role: audit.Context, Report: report(audit.Accept, 95)}}}},
		"verdict_retake": DriverVerdict{Base: driver, Stop: Stop{Delivery: hidden, Required: both, Missing: both, Verdict: audit.Retake},
			Photo: Photo{upload(audit.Context), report(audit.Retake, 40, size, dark, blown, near, houseNr, people), leading(dark), nil, seen()}, Next: &next},
		"verdict_accept": DriverVerdict{Base: driver, Stop: Stop{Delivery: next, Required: one, Verdict: audit.Accept},
			Photo: Photo{upload(audit.Placement), report(audit.Accept, 95, size, bright, near, houseNr, people), nil, nil, seen()}, Next: &hidden, Before: true},
		"verdict_review": DriverVerdict{Base: driver, Stop: Stop{Delivery: hidden, Required: both, Missing: both[1:], Verdict: audit.Review},
			Photo: Photo{upload(audit.Context), report(audit.Review, 60, size, bright, near, pair), leading(pair), nil, seen()}},
		"import": ImportClaims{Base: base, Message: "Line 205 is cut off", Summary: &rows.Summary{Created: 133, Updated: 1, Unchanged: 2, RejectedCount: 67,
			Rejected: []rows.Rejection{{Line: 2, Code: audit.CodeInvalid, Message: "tracking_id is missing"}}}},
		"agent": Agent{Base: base, Asked: Asked{Search: "12 Elm", Due: OneWeek, Answer: dispute.DisputeClaim, Channel: "stripe", Reason: "not here"}, Claims: []ClaimRow{
			{late, evidence().Delivery, dispute.DisputeClaim, recommendation.Summary},
			{claim, evidence().Delivery, dispute.ReviewClaim, "review: the photo's position is unknown"},
			{undated, audit.Delivery{}, dispute.AcceptClaim, "accept: the delivery is not on record"},
		}, Next: "cursor 2/3", Looked: 250, Channels: []string{"email", "stripe"}},
		"agent_claim": AgentClaim{Base: base, CaseFile: dispute.CaseFile{Claim: claim, Evidence: evidence(), Recommendation: recommendation,
			Driver: &dispute.DriverRecord{DriverID: "D7", Packages: 500, NotReceived: 2, From: now.AddDate(0, -1, 0), To: now}},
			Timeline: []dispute.Line{{At: *local(14, 0), What: "delivery window opens", Source: "delivery record"}, {At: *local(14, 4), What: "photo taken (context)", Source: "driver's phone, sent with photo 9f86d081884c"},
				{At: *local(14, 6), What: "recorded as delivered", Source: "delivery record"}},
			Undated: []dispute.Line{{What: "Behind the planter, left of the door", Source: "driver's note"}}, NotOnRecord: []string{"where the package was scanned", "any contact attempt"},
			Due: claim.DueAt, Channels: []dispute.Channel{{Name: "stripe", Title: "Stripe"}, {Name: "email", Title: "E-mail of the driver"}},
			Packets: []PacketRow{{"0198-packet", now}}, Issued: "0198-packet", Around: around},
		"agent_dispatch": AgentClaim{Base: Base{Role: audit.Dispatch, CSRF: "csrf-1", Now: now}, CaseFile: dispute.CaseFile{Claim: claim, Evidence: evidence(), Recommendation: recommendation}},
		"agent_packet": AgentPacket{base, dispute.Packet{PacketID: "0198-packet", ClaimID: claim.ClaimID, IssuedAt: now, Claim: claim, Delivery: hidden, Recommendation: recommendation,
			Timeline: []dispute.Line{{At: *local(14, 6), What: "recorded as delivered", Source: "delivery record"}}, NotOnRecord: []string{"a photo"},
			Photos: []dispute.Photo{{PhotoID: photoID, Original: dispute.Intact, Role: audit.Context, TrackingID: hidden.TrackingID, ReceivedAt: now, Report: report(audit.Accept, 95, near), Measurement: seen()},
				{PhotoID: strings.Repeat("0", 64), Original: dispute.Missing, Role: audit.CloseUp, ReceivedAt: now, Report: report(audit.Review, 70, bright)}},
			Integrity: dispute.Integrity{Originals: []dispute.Original{{PhotoID: photoID, Bytes: 3_141_592, State: dispute.Intact}}, Checklists: []string{"guide-2026"}, Rules: "rules-2026", Custody: &custody.Head{Seq: 7, Hash: photoID}}},
			[]dispute.Channel{{Name: "stripe", Title: "Stripe"}}, nil},
		"agent_photo": AgentPhoto{base, photoID, []audit.JudgedUpload{{Upload: upload(audit.Context), Report: report(audit.Accept, 95, near, bright, houseNr), Measurement: *seen()}},
			[]audit.Report{{ReportID: "R0", Verdict: audit.Review, Score: 60, Checklist: "guide-2025", JudgedAt: now}, {ReportID: "R1"}}, 2},
		"agent_photo_deleted": AgentPhoto{Base: base, PhotoID: photoID, Zoom: 1, Uploads: []audit.JudgedUpload{{Upload: upload(audit.Context), Report: report(audit.Accept, 95, near), Measurement: *seen(), DeletedAt: local(15, 0)}}},
		"review":              Review{base, &audit.JudgedUpload{Upload: upload(audit.Context), Report: report(audit.Review, 70, pair, near), Measurement: *seen()}, hidden, leading(pair), 3, "c1", "c2", &audit.Ruling{UploadID: "U0", PhotoID: photoID, Kind: audit.RuledAccept}, "Not so"},
		"review_dispatch":     Review{Base: Base{Role: audit.Dispatch, Now: now}, Photo: &audit.JudgedUpload{Upload: upload(audit.Context), Report: report(audit.Review, 70, pair)}, Waiting: 1000},
		"standing":            DriverStanding{base, assessed, days, "C1", standing.Great},
		"standing_own":        DriverStanding{Base: driver, Report: assessed, History: days},
		"drivers":             Drivers{base, []standing.Snapshot{{DriverID: "D7", Day: "2026-05-04", ComputedAt: now, Assessment: assessed.Assessment}}, standing.Fair, "c"},
		"reuse": Reuse{base, "", 31, []audit.Cluster{{Uploads: []audit.Sighting{
			{UploadID: "U1", PhotoID: photoID, TrackingID: "TBA310000000101", DriverID: "D7", StopKey: "a", At: now.AddDate(0, 0, -1)},
			{UploadID: "U2", PhotoID: photoID, TrackingID: "TBA310000000102", DriverID: "D7", StopKey: "b", At: now},
			{UploadID: "U3", PhotoID: strings.Repeat("0", 64), TrackingID: "TBA310000000103", StopKey: "c", At: now, Distance: 1, Quality: 80}}, More: true}}, "", "c"},
		"reaudits": Reaudits{base, []audit.Run{running, run}, "c"},
		"reaudit": Reaudit{base, run, []FlipRow{
			{audit.Flip{UploadID: "U1", PhotoID: photoID, TrackingID: "TBA310000000101", DriverID: "D7", Before: audit.Accept, After: audit.Retake, Check: "blur", Detail: "blur 1.31 (limit 1)"},
				Changes(report(audit.Accept, 95, bright, near), report(audit.Retake, 40, dark, near, houseNr))},
			{audit.Flip{UploadID: "U2", PhotoID: photoID, TrackingID: "TBA310000000102", Before: audit.Retake, After: audit.Review}, nil}}, "c", ""},
		"reaudit_running": Reaudit{Base: base, Run: running},
		"fleet":           Fleet{base, 7, fleet(), true, dispute.Buildings([]dispute.ClaimedStop{{ClaimID: "C#1", Delivery: hidden}, {ClaimID: "C2", Delivery: evidence().Delivery, Decision: dispute.Upheld}, {ClaimID: "C3", Delivery: next}}), 3},
		"fleet_carrier": CarrierWeek{base, "2026-W19", "", []standing.PhotoWeek{{DriverID: "D7", Opportunities: 4, Success: 3, Rejects: 1, ReasonCounts: standing.ReasonCounts{BlurryPhoto: 1}}},
			[]standing.PhotoCounts{{DriverID: "D7", Opportunities: 4, Success: 2, Rejects: 2, ReasonCounts: standing.ReasonCounts{PhotoTooDark: 2}}},
			[]standing.PhotoDifference{{DriverID: "D7", Carrier: &standing.PhotoWeek{}, Ours: &standing.PhotoCounts{Rejected: []standing.RejectedPhoto{{PhotoID: photoID, Reason: audit.PhotoTooDark}}}, Figures: []standing.FigureGap{{Figure: "rejects", Carrier: 1, Ours: 2}}}, {DriverID: "D8", Figures: []standing.FigureGap{{Figure: "success", Carrier: 1}}}}},
		"checklist": Checklist{Base: Base{Role: audit.Admin, CSRF: "csrf-1", Now: now}, Text: "version: guide-2027\n", Version: "guide-2027", InUse: "guide-2026", Trial: tried(), Tried: true, Kept: true,
			Versions: []audit.KeptChecklist{{Version: "guide-2026", SHA256: photoID, KeptAt: now}}},
		"checklist_faulty": Checklist{Base: base, Text: "no", InUse: "guide-2026", Message: "line 1: the check blur is missing\nline 2: oops", Trial: NewTrial(audit.Guide2026()), Tried: true},
		"problem":          Problem{base, 404, audit.CodeNotFound, "There is no claim CLM-9", "0198-request"},
	}
}

// empty is every page with nothing to show but the ids without which there is no page.
func empty() map[string]Page {
	d := Base{Role: audit.Driver}
	stop := Stop{Delivery: audit.Delivery{TrackingID: "T1"}}
	return map[string]Page{
		"signin": SignIn{}, "home": Home{}, "driver": Driver{Base: d}, "driver_stop": DriverStop{Base: d, Stop: stop}, "driver_verdict": DriverVerdict{Base: d, Stop: stop},
		"driver_rejects": DriverRejects{Base: d}, "driver_disputes": DriverDisputes{Base: d}, "driver_dispute": DriverDispute{Base: d, DisputeRow: DisputeRow{Claim: dispute.Claim{ClaimID: "C1"}}},
		"reuse": Reuse{}, "review": Review{}, "fleet": Fleet{Days: 7}, "fleet_counted": Fleet{Days: 7, Counted: standing.NewFleet(now, now)}, "fleet_carrier": CarrierWeek{Week: "2026-W19"}, "checklist": Checklist{}, "checklist_untried": Checklist{Trial: NewTrial(audit.Guide2026())},
		"agent_packet": AgentPacket{Packet: dispute.Packet{ClaimID: "C1"}}, "agent_photo": AgentPhoto{PhotoID: photoID},
		"agent": Agent{}, "import": ImportClaims{}, "agent_claim": AgentClaim{CaseFile: dispute.CaseFile{Claim: dispute.Claim{ClaimID: "C1"}}}, "reaudits": Reaudits{}, "standing": DriverStanding{Base: Base{Role: audit.Agent}, Report: standing.Targets2026().Judge(standing.Facts{DriverID: "D1"}, now)},
		"drivers": Drivers{}, "reaudit": Reaudit{}, "problem": Problem{},
	}
}

// evil tries what breaks pages: markup, quotes, an end of a title, a script URL, text
// that runs from right to left, and a very long word.
const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)>'</title>{{.}} javascript:alert(3) ?a=b#c %2e%2e ` + "\u202e\u2066" + `</textarea>`

// hostile is every page with [evil] in each text that comes from outside.
func hostile(t *testing.T) map[string]Page {
	tiles, err := NewTiles("https://tiles.example/{z}/{x}/{y}.png?"+evil, evil)
	if err != nil {
		t.Fatal(err)
	}
	t.Helper()
	long := evil + strings.Repeat("W", 300)
	base := Base{Title: evil, Role: audit.Agent, DriverID: evil, Name: long, CSRF: evil, Now: now}
	d := audit.Delivery{TrackingID: evil, DriverID: evil, Recipient: long, Carrier: evil, Instruction: evil, Proofs: audit.Proofs{evil}, Note: evil, OutcomeReason: evil,
		Stop: audit.Stop{Address: long, Unit: evil, Locality: evil, Postcode: evil, Country: evil, TimeZone: evil, Kind: evil}}
	u := audit.Upload{UploadID: evil, PhotoID: evil, TrackingID: evil, Role: evil, DriverID: evil, MediaType: evil}
	f := audit.Finding{Check: evil, Result: evil, Value: evil, Limit: evil, Unit: evil, Reason: evil, Advice: evil, Detail: evil, Source: evil}
	number := audit.Finding{Check: "house_number", Result: audit.Fail, Value: evil, Advice: evil}
	r := audit.Report{PhotoID: evil, Checklist: evil, Verdict: evil, Findings: []audit.Finding{f, number}}
	stop := Stop{Delivery: d, Required: []audit.PhotoRole{evil}, Missing: []audit.PhotoRole{evil}, Verdict: evil}
	photo := Photo{u, r, &f, nil, nil}
	c := dispute.Claim{ClaimID: evil, TrackingID: evil, Reason: evil, Statement: long, Channel: evil}
	points := []dispute.Point{{Rule: evil, Text: evil, Source: evil}}
	ruled := &audit.Ruling{RulingID: evil, UploadID: evil, PhotoID: evil, Kind: evil, Reason: evil, Note: evil, RuledBy: evil, RuledAt: now}
	flip := audit.Flip{UploadID: evil, PhotoID: evil, TrackingID: evil, DriverID: evil, Before: evil, After: evil, Check: evil, Detail: evil}
	past := []dispute.PastClaim{{ClaimID: evil, TrackingID: evil, At: now, Decision: evil}}
	read := &audit.Measurement{Vision: &vision.Reading{Texts: []vision.Text{{Text: long, Box: vision.Box{0, 0, 1, 1}}}, Boxes: []vision.Detection{{Label: evil, Box: vision.Box{-1e300, math.Inf(-1), 2, math.Inf(1)}}, {Box: vision.Box{math.NaN(), 0, 1, 1}}}}}
	lines := []dispute.Line{{At: now, Local: evil, What: evil, Source: evil}}
	run := audit.Run{RunID: evil, Checklist: evil, Filter: audit.Filter{DriverID: evil}, StartedAt: now}
	evilReport := standing.Report{DriverID: evil, Label: evil, Assessment: standing.Assessment{Standing: evil, Unknown: []string{evil}, Figures: []standing.Figure{{Name: evil, Unit: evil, Standing: evil, Counted: evil}}},
		Warnings: []standing.Warning{{Kind: evil, Text: evil}}, Events: []standing.Event{{At: now, Kind: standing.PackageMissing, Figure: evil, ID: evil, Text: long}, {At: now, Kind: evil, ID: evil, Text: evil}}}
	return map[string]Page{
		"signin": SignIn{base, evil, evil, evil, true}, "signin_organisation": SignIn{Base: base, Next: evil, Organisation: true}, "home": Home{base}, "driver": Driver{base, []Stop{stop}},
		"driver_stop":     DriverStop{Base: base, Stop: stop, Here: []audit.Delivery{d}, Photos: []Photo{photo}, Message: evil, Events: []dispute.Event{{EventID: evil, Kind: evil, At: now, Detail: evil}}},
		"driver_rejects":  DriverRejects{base, 7, 1, []Reject{{stop, photo, false}}},
		"driver_disputes": DriverDisputes{base, []DisputeRow{{c, d, &now, nil}, {c, d, nil, &dispute.Outcome{Decision: evil}}}, evil},
		"driver_dispute":  DriverDispute{base, DisputeRow{c, d, &now, nil}, dispute.Draft{Subject: evil, Text: long, Photos: []dispute.Photo{{PhotoID: evil, Role: evil, Report: r}}}},
		"driver_verdict":  DriverVerdict{base, stop, photo, true, &d},
		"agent":           Agent{base, Asked{evil, true, evil, evil, evil, evil}, []ClaimRow{{c, d, evil, evil}}, evil, 1, []string{evil}},
		"import":          ImportClaims{base, evil, &rows.Summary{RejectedCount: 2, Rejected: []rows.Rejection{{Line: 2, Code: evil, Message: evil}}}},
		"agent_packet": AgentPacket{base, dispute.Packet{PacketID: evil, ClaimID: evil, IssuedAt: now, Claim: c, Delivery: d, Recommendation: dispute.Recommendation{Recommendation: evil, Summary: evil, Reasons: points, Weaknesses: points},
			Timeline: lines, Undated: lines, NotOnRecord: []string{evil}, Photos: []dispute.Photo{{PhotoID: evil, Original: dispute.Intact, Role: evil, TrackingID: evil, Report: r, Measurement: read}, {PhotoID: evil, Original: evil, Report: r}},
			Driver: &dispute.DriverRecord{DriverID: evil}, Integrity: dispute.Integrity{Originals: []dispute.Original{{PhotoID: evil, State: evil}}, Checklists: []string{evil}, Rules: evil, Custody: &custody.Head{Seq: 1, Hash: evil}}},
			[]dispute.Channel{{Name: evil, Title: evil}}, tiles},
		"review":      Review{base, &audit.JudgedUpload{Upload: u, Report: r, Measurement: *read, Ruling: ruled}, d, &f, 1, evil, evil, ruled, evil},
		"agent_photo": AgentPhoto{base, evil, []audit.JudgedUpload{{Upload: u, Report: r, Measurement: *read}}, []audit.Report{r, {ReportID: evil, Checklist: evil, TrackingID: evil}}, 4},
		"agent_claim": AgentClaim{base, dispute.CaseFile{Claim: c, Evidence: dispute.Evidence{Delivery: d, Photos: []audit.JudgedUpload{{Upload: u, Report: r, Measurement: *read, Ruling: ruled}},
			Attached: []dispute.Attachment{{AttachmentID: evil, What: long, Name: evil, At: now}}, History: dispute.History{NearScans: []dispute.NearScan{{TrackingID: evil}}}},
			Recommendation: dispute.Recommendation{Recommendation: evil, Summary: evil, Reasons: points, Weaknesses: points}, Driver: &dispute.DriverRecord{DriverID: evil}}, lines, lines, []string{evil},
			[]PacketRow{{evil, now}}, evil, evil, nil,
			&dispute.Outcome{Decision: evil, Note: evil, DecidedAt: now}, []dispute.Channel{{Name: evil, Title: evil}},
			dispute.Around{Stop: past, Driver: past}, tiles},
		"standing": DriverStanding{base, evilReport, []standing.Day{{Day: evil, Standing: evil, Changes: []standing.Change{{Figure: evil, From: evil, To: evil}}, Events: evilReport.Events}}, evil, evil},
		"drivers":  Drivers{base, []standing.Snapshot{{DriverID: evil, Day: evil, Assessment: evilReport.Assessment}}, evil, evil},
		"reuse":    Reuse{base, evil, 31, []audit.Cluster{{Uploads: []audit.Sighting{{UploadID: evil, PhotoID: evil, TrackingID: evil, DriverID: evil, StopKey: evil}, {PhotoID: evil, TrackingID: evil, DriverID: evil}}}}, evil, evil},
		"reaudits": Reaudits{base, []audit.Run{run}, evil},
		"reaudit":  Reaudit{base, run, []FlipRow{{flip, []FindingChange{{f, f}}}}, evil, evil},
		"fleet": Fleet{base, 7, &standing.Fleet{Days: []standing.FleetDay{{Day: evil, VerdictCounts: standing.VerdictCounts{Retake: 1}}}, Drivers: []standing.FleetDriver{{DriverID: evil, VerdictCounts: standing.VerdictCounts{Retake: 1}}},
			Reused: []standing.ReusedPhoto{{Upload: u, Finding: f}}}, true, []dispute.Building{{Stop: d.Stop, Claims: []dispute.ClaimedStop{{ClaimID: evil, Delivery: d}}}}, 1},
		"fleet_carrier": CarrierWeek{base, evil, "", []standing.PhotoWeek{{DriverID: evil, ReasonCounts: standing.ReasonCounts{Other: 2}}}, nil, []standing.PhotoDifference{{DriverID: evil, Ours: &standing.PhotoCounts{Rejected: []standing.RejectedPhoto{{PhotoID: evil, Reason: evil}}}, Figures: []standing.FigureGap{{Figure: evil}}}}},
		"fleet_no_week": CarrierWeek{Base: base, Week: evil, Message: evil},
		"checklist":     Checklist{base, evil, evil, evil, []audit.KeptChecklist{{Version: evil, SHA256: evil}}, &Trial{Photos: 1, Flipped: 2, Flips: []audit.Flip{flip}, Moves: []Move{{evil, evil, 1}}, limits: []audit.Limit{{Check: evil, Key: evil}}, values: map[string][]float64{evil: {1}}, units: map[string]string{evil: evil}}, true, true, evil},
		"problem":       Problem{base, 500, evil, evil, evil},
	}
}
