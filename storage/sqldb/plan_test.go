package sqldb

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"porchlight/audit"
	"porchlight/audit/dispute"
	"porchlight/audit/pixel"
)

// TestPlansUseIndexes asks the planner how it would run what runs often. A test's
// tables are so small that reading them whole would be right: Postgres, which counts
// rows, is told that it is dear; SQLite does not count them.
func TestPlansUseIndexes(t *testing.T) {
	both(t, func(t *testing.T, db *DB) {
		for i := range 50 {
			sample(t, db, i)
		}
		tx, err := db.writer.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		s := db.on(tx)
		if _, ok := db.dialect.(postgres); ok {
			if _, err := s.exec(t.Context(), `SET LOCAL enable_seqscan = off`); err != nil {
				t.Fatal(err)
			}
		}
		meeting := db.dialect.meeting([]probe{probeOf(audit.Fingerprint{1, 2, 3, 4})})
		for _, q := range []plan{
			{"delivery", queryDelivery, []any{"T1"}},
			{"a driver's deliveries", queryDriverDeliveries, []any{"D1", 0, 1}},
			{"uploads of a photo", queryPhotoUploads, []any{"p"}},
			{"uploads by id", queryJudged + `WHERE u.upload_id IN ($1,$2)`, []any{"a", "b"}},
			{"a delivery's uploads", queryLinks + `($1,$2)`, []any{"a", "b"}},
			{"reports", queryReports, []any{"p"}},
			{"a stop's photos with features", queryStopScenes, []any{"T1", 100, 9, "p", "v", 32}},
			{"what comparing found", queryRecognitions + `($1,$2)`, []any{"a", "b"}},
			{"claim", queryClaim, []any{"C1"}},
			{"deliveries by time", queryDeliveries, []any{9, "T1", 0, 9, 10}},
			{"a driver's page", queryDriverPage, []any{9, "T1", 0, 9, "D1", 10}},
			planOf(dispute.ClaimFilter{}),
			planOf(dispute.ClaimFilter{Open: true}),
			planOf(dispute.ClaimFilter{Open: true, DueFrom: time.UnixMicro(3)}),
			planOf(dispute.ClaimFilter{TrackingID: "T1"}),
			planOf(dispute.ClaimFilter{Open: true, Search: "12 Main"}),
			{"a claim's outcome", queryOutcome, []any{"C1"}},
			{"outcomes of a period", queryTallies, []any{1, 9}},
			{"scans at the same time", queryNearScans, []any{"D1", 0, 9, "s"}},
			{"a stop's other packages", queryStopHistory, []any{"s", "T1", 9}},
			{"claims at a stop", queryStopClaims, []any{"s", 200, "C1", 20}},
			{"claims on a driver's packages of late", queryDriversClaims, []any{"D1", 500, "C1", 20}},
			{"claims that came in", queryClaimedStops, []any{0, 9, 100}},
			{"checklists", queryChecklists, []any{0, "v", 10}},
			{"a driver's track", queryTrack, []any{"D1", 0, 9}},
			{"a week's photo report", queryPhotoWeeks, []any{"2026-W47"}},
			{"uploads of late", queryRecent, []any{"a", 10}},
			{"photos that wait", queryPhotosWaiting, []any{"a", 10}},
			{"how many wait", queryCountPhotosWaiting, []any{1000}},
			{"photos that wait no longer", deleteWaiting + `($1,$2)`, []any{"a", "b"}},
			{"rulings that count", queryRuled + `($1,$2)`, []any{"a", "b"}},
			{"rulings by time", queryRulings, []any{9, "a", 10}},
			{"rulings on an upload", queryUploadRulings, []any{9, "a", "u", 10}},
			{"attachments", queryAttachments, []any{"T1"}},
			{"packets", queryPackets, []any{"C1"}},
			{"a delivery's events", queryEvents + `($1,$2)` + eventOrder, []any{"a", "b"}},
			{"token", queryTokens + ` WHERE hash = $1`, []any{"h"}},
			{"tokens by age", queryTokenPage, []any{0, "K1", 10}},
			{"a driver's tokens", queryDriverTokens, []any{0, "K1", "D1", 10}},
			{"a person's session", queryWebSession, []any{"h", 0}},
			{"photos that may be alike", meeting.query, meeting.args},
			{"photos by their keys", queryPictures(db.dialect), []any{db.dialect.numbers([]int64{1, 2}), "p"}},
			{"pairs of like photos", queryPairPage, []any{31, "a", "b", 10}},
			{"what an upload is like", queryPairsLater + `($2,$3)`, []any{31, "a", "b"}},
			{"what is like an upload", queryPairsEarlier + `($2,$3)`, []any{31, "a", "b"}},
			{"photos at a stop", queryAtStop, []any{"D1", "s", 0, 50}},
			planOfChunk(audit.Filter{}),
			planOfChunk(audit.Filter{Since: time.UnixMicro(1), Until: time.UnixMicro(9), DriverID: "D1"}),
			planOfCases(audit.Filter{}),
			planOfCases(audit.Filter{Since: time.UnixMicro(1), Until: time.UnixMicro(9), DriverID: "D1"}),
			{"all photos", queryPhotoIDs, []any{"a", 10}},
			{"photos past their retention", queryExpired, []any{0, "a", 9, 10}},
			{"what keeps photos: uploads", queryUploadsOf + `($1,$2)`, []any{"a", "b"}},
			{"what keeps photos: claims", queryClaimed + `($1,$2)`, []any{"a", "b"}},
			{"what keeps photos: holds", queryHeld + `($2,$3)`, []any{"photo", "a", "b"}},
			{"photos that are being deleted", queryMarked, []any{10}},
			{"all of them", queryAllMarked, []any{"a", 10}},
			{"which of them are", queryMarkedOf + `($1,$2)`, []any{"a", "b"}},
			{"deleted photos", queryDeleted + `($1,$2)`, []any{"a", "b"}},
			{"holds", queryHolds, []any{0, "a", 10}},
			{"all attachments", queryAttachmentIDs, []any{"a", 10}},
			{"all fingerprints", queryFingerprints, []any{"a", 10}},
			{"a packed report", queryPack, []any{"R1", "a"}},
			{"published runs", queryPublished, []any{1}},
			{"open runs", queryOpenRuns + ` ORDER BY started_at, run_id`, []any{"running"}},
			{"an open chunk", queryOpenChunk, []any{"R1", 1}},
			{"failures", queryFailures, []any{"R1", "a", 10}},
			{"runs", queryRuns, []any{0, "R1", 10}},
			{"claims on deliveries", queryClaimsOn + `($1,$2)`, []any{"a", "b"}},
			{"flips", queryFlips, []any{"R1", "a", 10}},
			{"a span's uploads that wait for a person", queryWaitingSpan, []any{"a", "b"}},
			{"messages that are due", queryDue, []any{"W1", 0, 10}},
			{"an endpoint's messages", queryListed, []any{"W1", 0, "a", 10}},
			{"an address to ask about", queryDueAddress, []any{0}},
			{"deliveries at an address", queryAtAddress, []any{"a"}},
			{"geocodes", queryGeocodes + `($1,$2)`, []any{"a", "b"}},
			{"a driver's last packages", queryLastPackages, []any{"D1", 9, 500}},
			{"a driver's packages since", queryPackagesSince, []any{"D1", 9, 0}},
			{"the first of a window", queryWindowFirst, []any{"D1", 9, 499}},
			{"a driver's open packages", queryOpen, []any{"D1", 0, 9}},
			{"claims on a driver's packages", queryDriverClaims, []any{"D1", 0, 9}},
			{"concessions on a driver's packages", queryDriverConcessions, []any{"D1", 0, 9}},
			{"a driver's blocks", queryDriverBlocks, []any{"D1", 9, 20}},
			{"a driver's feedback", queryDriverFeedback, []any{"D1", 0, 9}},
			{"a driver's history", queryDriverPast, []any{"D1", "2026-11-20", 60}},
			{"standings of a day", queryStandings, []any{"2026-11-20", "D1", 10}},
			{"standings of a level", queryStandingsLevel, []any{"2026-11-20", "D1", "at_risk", 10}},
			{"the latest standings", queryStandingDay, nil},
			{"counted packages of drivers", countQuery("($1),($2)", fmt.Sprintf(innerLast, 3, 4)), []any{"D1", "D2", 9, 500}},
			{"counted packages of days", countQuery("($1),($2)", fmt.Sprintf(innerSince, 3, 4)), []any{"D1", "D2", 9, 0}},
			{"custody head", queryCustodyHead, nil},
			{"custody", queryCustodyPage, []any{0, 10}},
			{"custody of a subject", queryCustodySubject, []any{0, "photo", "p", 10}},
		} {
			lines, err := collect(t.Context(), s, scanPlan(db), db.dialect.explain()+q.query, q.args...)
			if err != nil {
				t.Errorf("%s: %v", q.name, err)
				continue
			}
			for _, line := range lines {
				if strings.Contains(line, "Seq Scan") || strings.HasPrefix(line, "SCAN ") && !strings.Contains(line, "USING") && line != "SCAN d" && line != "SCAN w" && !strings.Contains(line, "CONSTANT ROW") && !strings.Contains(line, "VIRTUAL TABLE") {
					t.Errorf("%s reads a whole table:\n%s", q.name, strings.Join(lines, "\n"))
					break
				}
			}
		}
	})
}

type plan struct {
	name  string
	query string
	args  []any
}

func planOf(f dispute.ClaimFilter) plan {
	query, args := claimsQuery(f, 0, "C1", 9)
	return plan{fmt.Sprintf("claims %+v", f), query, append(args, 10)}
}

func planOfChunk(f audit.Filter) plan {
	query, args := matchingQuery(f, "a", 10)
	return plan{fmt.Sprintf("a re-audit's chunk %+v", f), query, args}
}

func planOfCases(f audit.Filter) plan {
	query, args := spanQuery(f, audit.Span{First: "a", Last: "b"})
	return plan{fmt.Sprintf("a chunk's cases %+v", f), query, args}
}

func scanPlan(db *DB) func(scan func(...any) error) (string, error) {
	if _, ok := db.dialect.(sqlite); ok {
		return func(scan func(...any) error) (line string, err error) {
			var ignored sql.RawBytes
			err = scan(&ignored, &ignored, &ignored, &line)
			return line, err
		}
	}
	return scanText
}

const sampleVersion = "sample-1"

// sample stores delivery and upload number i, with a fingerprint of its own.
func sample(t testing.TB, db *DB, i int) audit.Upload {
	t.Helper()
	u, m := sampleUpload(i)
	if _, err := db.PutDeliveries(t.Context(), []audit.Delivery{sampleDelivery(i)}, u.ReceivedAt); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := db.AddUpload(t.Context(), u, m, judgeSample(u)); err != nil {
		t.Fatal(err)
	}
	return u
}

func sampleDelivery(i int) audit.Delivery {
	at := time.Date(2026, 1, 1, 0, 0, i, 0, time.UTC)
	latitude, longitude := 47.0+float64(i)/1e5, 8.5
	return audit.Delivery{TrackingID: fmt.Sprintf("T%09d", i), DriverID: fmt.Sprint("D", i%100), RouteID: "R1", WindowStart: &at, DeliveredAt: &at,
		Stop: audit.Stop{Address: fmt.Sprint(i/3, " Main Street"), Locality: "Town", Postcode: "8001", Country: "CH", Latitude: &latitude, Longitude: &longitude,
			Kind: audit.House, TimeZone: "Europe/Zurich"}, Instruction: audit.FrontDoor, Outcome: audit.Delivered}
}

func sampleUpload(i int) (audit.Upload, audit.Measurement) {
	at := time.Date(2026, 1, 1, 0, 0, i, 0, time.UTC)
	u := audit.Upload{UploadID: fmt.Sprintf("01890a5d-ac96-774b-bcce-%012d", i), PhotoID: audit.PhotoID(fmt.Append(nil, "photo ", i)),
		TrackingID: fmt.Sprintf("T%09d", i), DriverID: fmt.Sprint("D", i%100), Role: audit.Placement, CapturedAt: &at, ReceivedAt: at, MediaType: "image/jpeg", Bytes: 3_000_000}
	m := audit.Measurement{Version: sampleVersion, MediaType: "image/jpeg", Measures: &pixel.Measures{Width: 4032, Height: 3024, BrightTile: 181.2518,
		BlownOut: 0.01251, EntropyBits: 7.51234567, FineDetail: -2.87512345, WeakestDirection: -3.1251234, BlurExtent: 0.3751234, Blur: -1.0625123,
		Fingerprint: audit.PhotoID(fmt.Append(nil, "print ", i)), FingerprintQuality: 90}}
	m.Exif.HasExif, m.Exif.Make, m.Exif.Model, m.Exif.TakenAt = true, "Pinhole", "P 1", "2026-01-01T00:00:00+01:00"
	return u, m
}

// judgeSample makes a report of the size that the built-in checklist makes.
func judgeSample(u audit.Upload) func(audit.Known) ([]audit.Report, error) {
	return func(audit.Known) ([]audit.Report, error) {
		return []audit.Report{sampleReport(u, "01890a5e"+u.UploadID[8:])}, nil
	}
}

func sampleReport(u audit.Upload, id string) audit.Report {
	r := audit.Report{ReportID: id, UploadID: u.UploadID, TrackingID: u.TrackingID, PhotoID: u.PhotoID, Checklist: "guide-2026",
		Verdict: audit.Accept, Score: 95, JudgedAt: u.ReceivedAt, MeasurementVersion: sampleVersion}
	for _, check := range []string{"readable", "brightness", "exposure", "blur", "detail", "location", "time", "house_number", "package", "framing",
		"person", "lens", "landmark", "original", "reuse", "set"} {
		r.Findings = append(r.Findings, audit.Finding{Check: check, Result: audit.Pass, Value: 181.25, Limit: 80.0, Unit: "luma", Detail: "The lit part is light enough"})
	}
	return r
}
