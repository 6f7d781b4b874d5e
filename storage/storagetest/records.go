package storagetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"porchlight/audit"
	"porchlight/audit/custody"
	"porchlight/audit/dispute"
	"porchlight/audit/exif"
	"porchlight/audit/geo"
	"porchlight/audit/pixel"
	"porchlight/audit/vision"
)

// Records is a store of records with all that it offers.
type Records interface {
	audit.Records
	audit.Archive
	Ping(ctx context.Context) error
	Close() error
	PutDeliveries(ctx context.Context, ds []audit.Delivery, at time.Time) ([]audit.Change, error)
	Deliveries(ctx context.Context, f audit.DeliveryFilter, after string, limit int) ([]audit.Delivery, string, error)
	DriverDeliveries(ctx context.Context, driverID string, from, to time.Time) ([]dispute.Evidence, error)
	Evidence(ctx context.Context, trackingID string) (dispute.Evidence, error)
	PhotoUploads(ctx context.Context, photoID string) ([]audit.JudgedUpload, error)
	Reports(ctx context.Context, photoID string) ([]audit.Report, error)
	PutClaims(ctx context.Context, cs []dispute.Claim, at time.Time) ([]audit.Change, error)
	Claim(ctx context.Context, claimID string) (dispute.Claim, error)
	Claims(ctx context.Context, f dispute.ClaimFilter, after string, limit int) ([]dispute.Claim, string, error)
	ClaimsAround(ctx context.Context, d audit.Delivery, exceptClaim string) (dispute.Around, error)
	ClaimedStops(ctx context.Context, since, until time.Time, limit int) ([]dispute.ClaimedStop, error)
	Checklists(ctx context.Context, after string, limit int) ([]audit.KeptChecklist, string, error)
	AddPacket(ctx context.Context, p dispute.FrozenPacket) error
	Packet(ctx context.Context, packetID string) (dispute.FrozenPacket, error)
	Packets(ctx context.Context, claimID string) ([]dispute.FrozenPacket, error)
	AddEvents(ctx context.Context, events []dispute.Event) error
	PutTrack(ctx context.Context, fixes []dispute.TrackPoint) ([]audit.Change, error)
	AddAttachment(ctx context.Context, a dispute.Attachment) error
	Attachment(ctx context.Context, attachmentID string) (dispute.Attachment, error)
	AddOutcome(ctx context.Context, o dispute.Outcome) (dispute.Outcome, error)
	Outcome(ctx context.Context, claimID string) (*dispute.Outcome, error)
	Tallies(ctx context.Context, since, until time.Time) ([]dispute.Tally, error)
	AddRuling(ctx context.Context, r audit.Ruling) (audit.Ruling, error)
	PhotosWaiting(ctx context.Context, after string, limit int) ([]audit.JudgedUpload, string, error)
	CountPhotosWaiting(ctx context.Context, most int) (int, error)
	Rulings(ctx context.Context, f audit.RulingFilter, after string, limit int) ([]audit.Ruling, string, error)
	Clusters(ctx context.Context, f audit.ClusterFilter, after string, limit int) ([]audit.Cluster, string, error)
	RecentUploads(ctx context.Context, before string, limit int) ([]audit.JudgedUpload, error)
	RecentCases(ctx context.Context, before string, limit int) ([]audit.Case, error)
	CasesOf(ctx context.Context, uploadIDs []string) ([]audit.Case, error)
	audit.RetentionRecords
	SettleDeleted(ctx context.Context, photoID string, there func() (bool, error)) (bool, error)
	DeletedPhotos(ctx context.Context, ids []string) (map[string]time.Time, error)
	AllMarked(ctx context.Context) iter.Seq2[string, error]
	PlaceHold(ctx context.Context, h audit.Hold) error
	ReleaseHold(ctx context.Context, holdID string, at time.Time) (audit.Hold, error)
	Holds(ctx context.Context, after string, limit int) ([]audit.Hold, string, error)
	AddToken(ctx context.Context, t audit.Token) error
	TokenByHash(ctx context.Context, hash string) (audit.Token, error)
	Tokens(ctx context.Context, driverID, after string, limit int) ([]audit.Token, string, error)
	RevokeToken(ctx context.Context, tokenID string, at time.Time) error
	ChangeRun(ctx context.Context, runID string, to audit.RunState, at time.Time) (audit.Run, error)
	RunReport(ctx context.Context, runID, uploadID string) (audit.Report, bool, error)
	Failures(ctx context.Context, runID, after string, limit int) ([]audit.Failure, string, error)
	Runs(ctx context.Context, after string, limit int) ([]audit.Run, string, error)
	Flips(ctx context.Context, runID, after string, limit int) ([]audit.Flip, string, error)
	Webhooks
	Geocodes
	Standings
	custody.Appender
	CustodyHead(ctx context.Context) (custody.Head, error)
	Custody(ctx context.Context, of custody.Subject, after string, limit int) ([]custody.Entry, string, error)
	CustodyEntries(ctx context.Context) iter.Seq2[custody.Entry, error]
	PacketHeads(ctx context.Context) ([]custody.Head, error)
}

// TestRecords holds a store to the contract. fresh makes an empty database and returns
// how to open it, again and again; the suite closes what it opens.
func TestRecords(t *testing.T, fresh func(t *testing.T) (open func(t *testing.T) Records)) {
	for _, test := range []struct {
		name string
		test func(t *testing.T, r Records)
	}{
		{"Deliveries", testDeliveries},
		{"DeliveryMerge", testDeliveryMerge},
		{"DeliveryBatch", testDeliveryBatch},
		{"DriverDeliveries", testDriverDeliveries},
		{"DeliveryPages", testDeliveryPages},
		{"UploadRoundTrip", testUploadRoundTrip},
		{"UploadAgain", testUploadAgain},
		{"UploadUnknownDelivery", testUploadUnknownDelivery},
		{"UploadAlso", testUploadAlso},
		{"UploadRefusedByJudge", testUploadRefusedByJudge},
		{"UploadRejudgesOthers", testUploadRejudgesOthers},
		{"ManyUploads", testManyUploads},
		{"Evidence", testEvidence},
		{"SightingsByFingerprint", testSightingsByFingerprint},
		{"SightingsOfTurned", testSightingsOfTurned},
		{"SightingsOfTrimmed", testSightingsOfTrimmed},
		{"SightingsAtStop", testSightingsAtStop},
		{"SightingsOfEqualBytes", testSightingsOfEqualBytes},
		{"SightingsManyOfOneVisit", testSightingsManyOfOneVisit},
		{"Recognitions", testRecognitions},
		{"Clusters", testClusters},
		{"SamePhotoAtOnce", testSamePhotoAtOnce},
		{"CopiesAtOnce", testCopiesAtOnce},
		{"OneDeliveryAtOnce", testOneDeliveryAtOnce},
		{"OnePhotoTwoDeliveriesAtOnce", testOnePhotoTwoDeliveriesAtOnce},
		{"CrossedAlsoAtOnce", testCrossedAlsoAtOnce},
		{"ImportsAtOnce", testImportsAtOnce},
		{"Claims", testClaims},
		{"ClaimPages", testClaimPages},
		{"ClaimSearch", testClaimSearch},
		{"Outcomes", testOutcomes},
		{"History", testHistory},
		{"Tracks", testTracks},
		{"Attachments", testAttachments},
		{"ClaimFilters", testClaimFilters},
		{"ClaimsAround", testClaimsAround},
		{"Rulings", testRulings},
		{"RecentUploads", testRecentUploads},
		{"Packets", testPackets},
		{"Retention", testRetention},
		{"DeletedWhileUploaded", testDeletedWhileUploaded},
		{"Tokens", testTokens},
		{"Checklists", testChecklists},
		{"Runs", testRuns},
		{"Chunks", testChunks},
		{"ChunksOfMany", testChunksOfMany},
		{"RunStates", testRunStates},
		{"Published", testPublished},
		{"Remeasured", testRemeasured},
		{"Cases", testCases},
		{"CasesKeepTheOriginal", testCasesKeepTheOriginal},
		{"WebhookEndpoints", testWebhookEndpoints},
		{"WebhookEvents", testWebhookEvents},
		{"WebhookEventsAreOfTheirCause", testWebhookEventsAreOfTheirCause},
		{"WebhookLeases", testWebhookLeases},
		{"WebhookLeasesAtOnce", testWebhookLeasesAtOnce},
		{"WebhookOutcomes", testWebhookOutcomes},
		{"WebhookSweep", testWebhookSweep},
		{"WebhookMessagePages", testWebhookMessagePages},
		{"Geocodes", testGeocodes},
		{"GeocodingFailures", testGeocodingFailures},
		{"GeocodesAtOnce", testGeocodesAtOnce},
		{"GeocodedUploads", testGeocodedUploads},
		{"StandingImports", testStandingImports},
		{"StandingsAgree", testStandingsAgree},
		{"CustodyOfChanges", testCustodyOfChanges},
		{"CustodyAtOnce", testCustodyAtOnce},
		{"CustodyPages", testCustodyPages},
		{"PacketHeads", testPacketHeads},
		{"HostileTexts", testHostileTexts},
		{"Cancelled", testCancelled},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := fresh(t)(t)
			defer r.Close()
			wantCode(t, "Ping", r.Ping(t.Context()), "")
			test.test(t, r)
		})
	}
	t.Run("Durable", func(t *testing.T) { testDurable(t, fresh(t)) })
	t.Run("OpenedAtOnce", func(t *testing.T) { testOpenedAtOnce(t, fresh(t)) })
}

// noon is the day on which the suite plays.
var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func at(minutes float64) time.Time { return noon.Add(time.Duration(minutes * float64(time.Minute))) }

func ptr[T any](v T) *T { return &v }

var serial atomic.Int64

// newID is an id that sorts after those before it.
func newID(kind string) string { return fmt.Sprintf("%s-%08d", kind, serial.Add(1)) }

func photoID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

// delivery is one with every field set.
func delivery(id, driver, address string) audit.Delivery {
	return audit.Delivery{
		TrackingID: id, DriverID: driver, RouteID: "route-7", Recipient: "Jo \"J\" Müller",
		Stop: audit.Stop{Address: address, Unit: "4 b", Locality: "Zürich", Postcode: "8001", Country: "CH", Latitude: ptr(47.3769),
			Longitude: ptr(8.5417), Kind: audit.Apartment, TimeZone: "Europe/Zurich", RadiusM: ptr(80.0)},
		Instruction: audit.Hidden, DoNotRing: true, CallOnArrival: true, Proofs: audit.Proofs{audit.ProofPhoto, audit.ProofSignature},
		WindowStart: ptr(at(-60)), WindowEnd: ptr(at(60)), ScannedAt: ptr(at(1)), ScanLatitude: ptr(47.3770), ScanLongitude: ptr(8.5418),
		DeliveredAt: ptr(at(2)), Outcome: audit.Delivered, OutcomeReason: "none", Note: "behind the \"blue\" pot 🌿",
	}
}

// upload is one with every field set.
func upload(photo, trackingID, driver string, received time.Time) audit.Upload {
	return audit.Upload{
		UploadID: newID("upload"), PhotoID: photoID(photo), TrackingID: trackingID, Role: audit.Placement, CapturedAt: ptr(received.Add(-time.Minute)),
		Fix:      &audit.Fix{Point: geo.Point{Latitude: 47.37691, Longitude: 8.54172}, AccuracyM: ptr(12.5)},
		DriverID: driver, ReceivedAt: received, MediaType: "image/jpeg", Bytes: 3_141_592,
	}
}

// measurement is one with every field set.
func measurement(fingerprint string, quality int) audit.Measurement {
	return audit.Measurement{
		Version: "test-1", MediaType: "image/jpeg",
		Measures: &pixel.Measures{Width: 4032, Height: 3024, BrightTile: 181.25, BlownOut: 0.0125, EntropyBits: 7.5, FineDetail: -2.875,
			WeakestDirection: -3.125, BlurExtent: 0.375, Blur: -1.0625, Fingerprint: fingerprint, FingerprintQuality: quality,
			LensBlob: 0.03125, FlatShare: 0.25, Moire: 0.5},
		Exif: exif.Metadata{HasExif: true, Make: "Pinhole", Model: "P 1", Software: "1.0", TakenAt: "2026-03-14T12:00:00+01:00", GPSTime: ptr(at(0)),
			Latitude: ptr(47.3769), Longitude: ptr(8.5417), AccuracyM: ptr(4.5), ImageDirection: ptr(270.0), DigitalZoom: ptr(1.0),
			FlashFired: ptr(false), Orientation: 6, PixelWidth: ptr(4032), PixelHeight: ptr(3024)},
		Vision: &vision.Reading{Models: []string{"text-1"}, Texts: []vision.Text{{Text: "42", Score: 0.9, Box: vision.Box{0.1, 0.2, 0.3, 0.4}}},
			Boxes: []vision.Detection{{Label: vision.Package, Score: 0.75, Box: vision.Box{0.5, 0.5, 1, 1}}}},
		Problem: &audit.Problem{Code: audit.CodeUndecodable, Message: "half of it"},
	}
}

// print is a fingerprint of its own for each n: any two of different n are far apart.
func print(n int) string { return photoID(fmt.Sprint("fingerprint ", n)) }

// flipped is a fingerprint with the bits turned over.
func flipped(fingerprint string, bits ...int) string {
	b, _ := hex.DecodeString(fingerprint)
	for _, n := range bits {
		b[n/8] ^= 1 << (n % 8)
	}
	return hex.EncodeToString(b)
}

func report(u audit.Upload, verdict audit.Verdict, judged time.Time) audit.Report {
	return audit.Report{
		ReportID: newID("report"), UploadID: u.UploadID, TrackingID: u.TrackingID, PhotoID: u.PhotoID, Checklist: "guide-test", Verdict: verdict,
		Score: 87, JudgedAt: judged, MeasurementVersion: "test-1",
		Findings: []audit.Finding{
			{Check: "blur", Result: audit.Warn, Value: 0.5, Limit: 1.0, Unit: "points", Reason: string(audit.BlurryPhoto), Advice: "Hold still", Detail: "A bit soft"},
			{Check: "location", Result: audit.Unknown, Reason: "no fix", Source: "phone"},
			{Check: "text", Result: audit.Pass, Value: "<42> & more"},
		},
	}
}

// judgeAs is a judge that always gives one verdict, and keeps what it knew.
func judgeAs(u audit.Upload, verdict audit.Verdict, seen *audit.Known) func(audit.Known) ([]audit.Report, error) {
	return func(k audit.Known) ([]audit.Report, error) {
		if seen != nil {
			*seen = k
		}
		return []audit.Report{report(u, verdict, u.ReceivedAt.Add(time.Second))}, nil
	}
}

// add stores an upload and returns what its judge knew.
func add(t testing.TB, r Records, u audit.Upload, m audit.Measurement) (audit.Known, audit.Report) {
	t.Helper()
	var known audit.Known
	_, rep, created, err := r.AddUpload(t.Context(), u, m, judgeAs(u, audit.Accept, &known))
	wantCode(t, "AddUpload", err, "")
	if !created {
		t.Fatalf("AddUpload of %s: not created", u.UploadID)
	}
	return known, rep
}

func put(t testing.TB, r Records, ds ...audit.Delivery) {
	t.Helper()
	_, err := r.PutDeliveries(t.Context(), ds, noon)
	wantCode(t, "PutDeliveries", err, "")
}

// eachPage reads a list to its end, by pages of at most that many.
func eachPage[T any](t testing.TB, limit int, list func(after string, limit int) ([]T, string, error)) (all []T) {
	t.Helper()
	for after := ""; ; {
		page, next, err := list(after, limit)
		wantCode(t, "a page", err, "")
		if len(page) > limit {
			t.Fatalf("a page of %d, want at most %d", len(page), limit)
		}
		all = append(all, page...)
		if after = next; after == "" {
			return all
		}
	}
}

// same fails the test where got is not want; nil and empty lists are equal.
func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
