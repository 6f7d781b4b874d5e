package storagetest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"porchlight/audit"
	"porchlight/audit/dispute"
	"porchlight/audit/standing"
)

// Standings is what a store knows of drivers' standings.
type Standings interface {
	PutBlocks(ctx context.Context, rows []standing.Block, at time.Time) ([]audit.Change, error)
	PutFeedback(ctx context.Context, rows []standing.Feedback, at time.Time) ([]audit.Change, error)
	PutConcessions(ctx context.Context, rows []standing.Concession, at time.Time) ([]audit.Change, error)
	PutPhotoWeeks(ctx context.Context, rows []standing.PhotoWeek, at time.Time) ([]audit.Change, error)
	DriverFacts(ctx context.Context, t *standing.Targets, driverID string, at time.Time) (standing.Facts, error)
	RecomputeStandings(ctx context.Context, t *standing.Targets, day standing.Date, at time.Time, done func(int)) (int, error)
	Standings(ctx context.Context, day standing.Date, level standing.Standing, after string, limit int) ([]standing.Snapshot, string, error)
	LatestStandings(ctx context.Context) (standing.Date, time.Time, error)
}

// testStandingImports holds that rows go in once, are merged or replaced, and are logged.
func testStandingImports(t *testing.T, r Records) {
	start := at(0)
	block := standing.Block{BlockID: "B1", DriverID: "D1", ScheduledStart: &start, ScheduledEnd: ptr(at(180))}
	late := standing.Feedback{FeedbackID: "F1", DriverID: "D1", TrackingID: "T1", At: at(1), Rating: 2, Mishandled: true, Details: "thrown \"over\" the fence"}
	conceded := standing.Concession{TrackingID: "T1", ConcessionDate: "2026-03-13", Far: true, NoProof: true}
	week := standing.PhotoWeek{Week: "2026-W11", DriverID: "D1", Opportunities: 3, Success: 2, Rejects: 1, ReasonCounts: standing.ReasonCounts{BlurryPhoto: 1}}
	for _, want := range []audit.Change{audit.Created, audit.Unchanged} {
		for name, put := range map[string]func() ([]audit.Change, error){
			"PutBlocks":   func() ([]audit.Change, error) { return r.PutBlocks(t.Context(), []standing.Block{block}, noon) },
			"PutFeedback": func() ([]audit.Change, error) { return r.PutFeedback(t.Context(), []standing.Feedback{late}, noon) },
			"PutConcessions": func() ([]audit.Change, error) {
				return r.PutConcessions(t.Context(), []standing.Concession{conceded}, noon)
			},
			"PutPhotoWeeks": func() ([]audit.Change, error) { return r.PutPhotoWeeks(t.Context(), []standing.PhotoWeek{week}, noon) },
		} {
			got, err := put()
			wantCode(t, name, err, "")
			same(t, name, got, []audit.Change{want})
		}
	}
	// A check-in alone keeps the rest; a concession is replaced whole.
	changes, err := r.PutBlocks(t.Context(), []standing.Block{{BlockID: "B1", CheckedInAt: ptr(at(3))}}, noon)
	wantCode(t, "PutBlocks", err, "")
	same(t, "changes", changes, []audit.Change{audit.Updated})
	conceded.Far = false
	changes, err = r.PutConcessions(t.Context(), []standing.Concession{conceded}, noon)
	wantCode(t, "PutConcessions", err, "")
	same(t, "changes", changes, []audit.Change{audit.Updated})
	_, err = r.PutBlocks(t.Context(), []standing.Block{{BlockID: "B2", CheckedInAt: ptr(at(3))}}, noon)
	wantCode(t, "PutBlocks without a driver", err, audit.CodeInvalid)
	_, err = r.PutPhotoWeeks(t.Context(), []standing.PhotoWeek{{DriverID: "D1"}}, noon)
	wantCode(t, "PutPhotoWeeks without a week", err, audit.CodeInvalid)
	_, err = r.PutFeedback(t.Context(), []standing.Feedback{{FeedbackID: "F2", DriverID: "D1", At: at(1), Details: "a\x00b"}}, noon)
	wantCode(t, "PutFeedback with a NUL", err, audit.CodeInvalid)

	put(t, r, delivery("T1", "D1", "1 Elm St"))
	_, err = r.PutClaims(t.Context(), []dispute.Claim{{ClaimID: "C1", TrackingID: "T1", ReportedAt: ptr(at(60)), Reason: "delivered_not_received"}}, noon)
	wantCode(t, "PutClaims", err, "")
	facts, err := r.DriverFacts(t.Context(), standing.Targets2026(), "D1", at(120))
	wantCode(t, "DriverFacts", err, "")
	block.CheckedInAt = ptr(at(3))
	same(t, "facts", facts, standing.Facts{DriverID: "D1",
		Packages: []standing.Package{{TrackingID: "T1", At: at(-60), Mark: standing.Counted | standing.Attempted | standing.Delivered | standing.Timed | standing.OnTime}},
		Missing: []standing.Missing{{ID: "C1", TrackingID: "T1", PackageAt: at(-60), ReportedAt: at(60), Types: []string{"delivered_not_received"}},
			{ID: "T1@2026-03-13", TrackingID: "T1", PackageAt: at(-60), ReportedAt: conceded.ConcessionDate.Start(), Types: []string{"no_pod"}, Concession: true}},
		Blocks: []standing.Block{block}, Feedback: []standing.Feedback{late}})
	none, err := r.DriverFacts(t.Context(), standing.Targets2026(), "D9", at(120))
	wantCode(t, "DriverFacts of nobody", err, "")
	same(t, "facts of nobody", none, standing.Facts{DriverID: "D9"})

	logged := map[string]int{}
	for _, e := range custodyLog(t, r) {
		logged[fmt.Sprint(e.Action, " ", e.Kind, " ", e.ID)]++
	}
	same(t, "custody log", logged, map[string]int{"block.changed block B1": 2, "feedback.changed feedback F1": 1, "concession.changed concession T1@2026-03-13": 2,
		"photo_report.changed photo_report 2026-W11@D1": 1, "delivery.changed delivery T1": 1, "claim.changed claim C1": 1})
}

// testStandingsAgree holds that computing all drivers at once gives what computing each
// gives, on drivers with few packages and many, old ones and packages of one moment.
func testStandingsAgree(t *testing.T, r Records) {
	targets := standing.Targets2026()
	targets.Window.Packages, targets.Window.Days, targets.AtLeast.Packages = 20, 3, 5
	targets.Blocks.Last = 4
	random := rand.New(rand.NewPCG(1, 2))
	now := at(0)
	var ds []audit.Delivery
	var cs []dispute.Claim
	var conceded []standing.Concession
	var blocks []standing.Block
	var ratings []standing.Feedback
	for driver := range 30 {
		id := fmt.Sprintf("D%02d", driver)
		for i := range driver * 2 {
			// Hours are whole, so that many packages are of one moment, and so are windows' bounds.
			began := now.Add(-time.Duration(random.IntN(1+driver*5)-3) * time.Hour)
			d := audit.Delivery{TrackingID: fmt.Sprintf("T%s%03d", id, i), DriverID: id, WindowStart: &began, WindowEnd: ptr(began.Add(time.Hour)),
				Outcome: append(slices.Repeat([]audit.Outcome{audit.Delivered}, 8), "", audit.Attempted, audit.Returned)[random.IntN(11)]}
			if random.IntN(4) > 0 {
				d.DeliveredAt = ptr(began.Add(time.Duration(random.IntN(90)) * time.Minute))
			}
			ds = append(ds, d)
			if random.IntN(6) == 0 {
				c := dispute.Claim{ClaimID: fmt.Sprint("C", len(cs)), TrackingID: d.TrackingID}
				if random.IntN(2) == 0 {
					c.ReportedAt = ptr(began.Add(30 * time.Hour))
				}
				cs = append(cs, c)
			}
			if random.IntN(8) == 0 {
				conceded = append(conceded, standing.Concession{TrackingID: d.TrackingID, ConcessionDate: standing.DayOf(began), ImpactsScorecard: []string{"Yes", "No"}[random.IntN(2)]})
			}
			if random.IntN(3) == 0 {
				ratings = append(ratings, standing.Feedback{FeedbackID: fmt.Sprint("F", len(ratings)), DriverID: id, At: began, Rating: random.IntN(6)})
			}
		}
		for i := range driver % 8 {
			start := now.Add(-time.Duration(random.IntN(5)) * time.Hour)
			b := standing.Block{BlockID: fmt.Sprint("B", id, i), DriverID: id, ScheduledStart: &start}
			if random.IntN(3) > 0 {
				b.CheckedInAt = ptr(start.Add(time.Duration(random.IntN(8)) * time.Minute))
			}
			blocks = append(blocks, b)
		}
	}
	_, err := r.PutDeliveries(t.Context(), ds, noon.AddDate(0, 0, -1))
	wantCode(t, "PutDeliveries", err, "")
	_, err = r.PutClaims(t.Context(), cs, noon)
	wantCode(t, "PutClaims", err, "")
	_, err = r.PutConcessions(t.Context(), conceded, noon)
	wantCode(t, "PutConcessions", err, "")
	_, err = r.PutBlocks(t.Context(), blocks, noon)
	wantCode(t, "PutBlocks", err, "")
	_, err = r.PutFeedback(t.Context(), ratings, noon)
	wantCode(t, "PutFeedback", err, "")

	day, _, err := r.LatestStandings(t.Context())
	wantCode(t, "LatestStandings", err, "")
	same(t, "the latest of none", day, standing.Date(""))
	var by, levels []string
	// A claim that was overturned counts no longer, and neither way of counting has it.
	claims, _, err := r.Claims(t.Context(), dispute.ClaimFilter{}, "", 100)
	wantCode(t, "Claims", err, "")
	if len(claims) == 0 {
		t.Fatal("there is no claim to overturn")
	}
	overturned := claims[0]
	d, err := r.Delivery(t.Context(), overturned.TrackingID)
	wantCode(t, "Delivery", err, "")
	claimed := func() int {
		facts, err := r.DriverFacts(t.Context(), targets, d.DriverID, now)
		wantCode(t, "DriverFacts", err, "")
		return len(facts.Missing)
	}
	before := claimed()
	_, err = r.AddOutcome(t.Context(), dispute.Outcome{ClaimID: overturned.ClaimID, Decision: dispute.Overturned, DecidedAt: now, RecordedAt: now})
	wantCode(t, "AddOutcome", err, "")
	if after := claimed(); after != before-1 {
		t.Errorf("%d packages of %s are claimed after one claim was overturned, %d before", after, d.DriverID, before)
	}
	for _, when := range []time.Time{now, now.Add(-6 * time.Hour)} {
		day := standing.DayOf(when)
		n, err := r.RecomputeStandings(t.Context(), targets, day, when, nil)
		wantCode(t, "RecomputeStandings", err, "")
		kept, next, err := r.Standings(t.Context(), day, "", "", 100)
		wantCode(t, "Standings", err, "")
		if len(kept) != n || next != "" || n < 28 {
			t.Errorf("%d standings are listed, %d were computed", len(kept), n)
		}
		for _, s := range kept {
			facts, err := r.DriverFacts(t.Context(), targets, s.DriverID, when)
			wantCode(t, "DriverFacts", err, "")
			want := targets.Judge(facts, when).Assessment
			same(t, fmt.Sprint(s.DriverID, " at ", when), asJSON(t, s.Assessment), asJSON(t, want))
			by, levels = append(by, s.Window.By), append(levels, string(s.Standing))
		}
	}
	slices.Sort(by)
	slices.Sort(levels)
	if by, levels = slices.Compact(by), slices.Compact(levels); len(by) != 2 || len(levels) < 3 {
		t.Errorf("only windows by %v and the standings %v came up", by, levels)
	}
	day, computed, err := r.LatestStandings(t.Context())
	wantCode(t, "LatestStandings", err, "")
	if day != standing.DayOf(now) || computed.IsZero() {
		t.Errorf("the latest is %s, computed at %s", day, computed)
	}

	for _, level := range standing.Standings {
		all, _, err := r.Standings(t.Context(), day, level, "", 100)
		wantCode(t, "Standings", err, "")
		paged := eachPage(t, 3, func(after string, limit int) ([]standing.Snapshot, string, error) {
			return r.Standings(t.Context(), day, level, after, limit)
		})
		if len(paged) != len(all) || slices.ContainsFunc(all, func(s standing.Snapshot) bool { return s.Standing != level }) {
			t.Errorf("%s: %d standings on pages, %d at once", level, len(paged), len(all))
		}
	}
	_, _, err = r.Standings(t.Context(), day, "", "!!!", 3)
	wantCode(t, "Standings from a cursor that is none", err, audit.CodeInvalid)
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	wantCode(t, "Marshal", err, "")
	return string(b)
}
