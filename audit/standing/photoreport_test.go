package standing

import (
	"reflect"
	"testing"

	"porchlight/audit"
)

// TestCountPhotos counts by hand: of six deliveries one is handed over and one came back,
// which leaves four that owe a photo; one has a good photo after a bad one, one a photo to
// look at, one only a dark one, one none.
func TestCountPhotos(t *testing.T) {
	shot := func(id string, v audit.Verdict, findings ...audit.Finding) audit.JudgedUpload {
		return audit.JudgedUpload{Upload: audit.Upload{PhotoID: id}, Report: audit.Report{Verdict: v, Checklist: "guide-2026", Findings: findings}}
	}
	dark := audit.Finding{Check: "brightness", Result: audit.Fail, Reason: string(audit.PhotoTooDark)}
	delivered := func(id string) audit.Delivery { return audit.Delivery{TrackingID: id, Outcome: audit.Delivered} }
	handed, returned := delivered("T5"), delivered("T6")
	handed.Instruction, returned.Outcome = audit.HandToCustomer, audit.Returned
	c := PhotoCounts{DriverID: "D1"}
	g := audit.Guide2026()
	c.Add(delivered("T1"), []audit.JudgedUpload{shot("a", audit.Retake, dark), shot("b", audit.Accept)}, g)
	c.Add(delivered("T2"), []audit.JudgedUpload{shot("c", audit.Review)}, g)
	c.Add(delivered("T3"), []audit.JudgedUpload{shot("d", audit.Retake, dark)}, g)
	c.Add(delivered("T4"), nil, g)
	c.Add(handed, nil, g)
	c.Add(returned, nil, g)
	if n := c; n.Success != 2 || n.Rejects != 1 {
		t.Errorf("counted %+v before a person looked", n)
	}
	ruled := func(id string, v audit.Verdict, kind audit.RulingKind, r audit.Reason) audit.JudgedUpload {
		p := shot(id, v, dark)
		p.Ruling = &audit.Ruling{Kind: kind, Reason: r}
		return p
	}
	byPerson := PhotoCounts{DriverID: "D1"}
	byPerson.Add(delivered("T1"), []audit.JudgedUpload{ruled("a", audit.Review, audit.RuledReject, audit.PackageInCar)}, g)
	byPerson.Add(delivered("T2"), []audit.JudgedUpload{ruled("b", audit.Retake, audit.RuledAccept, "")}, g)
	if byPerson.Rejects != 1 || byPerson.PackageInCar != 1 || byPerson.Success != 1 || byPerson.PhotoTooDark != 0 {
		t.Errorf("a person's words are counted as %+v", byPerson)
	}
	want := PhotoCounts{DriverID: "D1", Opportunities: 4, Success: 2, Bypass: 1, Rejects: 1, ReasonCounts: ReasonCounts{PhotoTooDark: 1},
		Rejected: []RejectedPhoto{{TrackingID: "T3", PhotoID: "d", Reason: audit.PhotoTooDark, Checklist: "guide-2026"}}}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("counted %+v\nwant    %+v", c, want)
	}

	carrier := []PhotoWeek{{DriverID: "D1", Opportunities: 4, Success: 2, Bypass: 0, Rejects: 2, ReasonCounts: ReasonCounts{PhotoTooDark: 1, BlurryPhoto: 1}},
		{DriverID: "D2", Opportunities: 3, Success: 3}, {DriverID: "D3", Opportunities: 1, Success: 1}}
	got := ComparePhotos(carrier, []PhotoCounts{c, {DriverID: "D3", Opportunities: 1, Success: 1}})
	if len(got) != 2 || got[0].DriverID != "D1" || got[1].DriverID != "D2" || got[1].Ours != nil {
		t.Fatalf("differences %+v", got)
	}
	gaps := []FigureGap{{"bypass", 0, 1}, {"rejects", 2, 1}, {"blurry_photo", 1, 0}}
	if !reflect.DeepEqual(got[0].Figures, gaps) {
		t.Errorf("D1 differs in %+v, want %+v", got[0].Figures, gaps)
	}
}
