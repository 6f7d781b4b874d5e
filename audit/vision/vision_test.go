package vision

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseAddress(t *testing.T) {
	for _, tt := range []struct {
		line, unit string
		want       Address
	}{
		{"4702 Maple St", "", Address{"4702", "", "Maple St"}},
		{"4702 Maple St Apt 3", "", Address{"4702", "3", "Maple St"}},
		{"4702 Maple St #3b, Seattle", "", Address{"4702", "3B", "Maple St"}},
		{"4702 Maple St", "Apt 12", Address{"4702", "12", "Maple St"}},
		{"4702 Maple St Apt 3", "7", Address{"4702", "7", "Maple St"}},
		{"221b Baker Street", "", Address{"221B", "", "Baker Street"}},
		{"12 a Main St", "", Address{"12A", "", "Main St"}},
		{"12 E Main St", "", Address{"12", "", "E Main St"}},
		{"Hauptstraße 12a, 10115 Berlin", "", Address{"12A", "", "Hauptstraße"}},
		{"Hauptstraße 12 a", "", Address{"12A", "", "Hauptstraße"}},
		{"3/20 High St", "", Address{"20", "3", "High St"}},
		{"Unit 5, 20 High St", "", Address{"20", "5", "High St"}},
		{"37-12 89th Ave", "", Address{"37-12", "", "89th Ave"}},
		{"5th Avenue", "", Address{"", "", ""}},
		{"The Old Mill", "", Address{}},
		{"", "", Address{}},
	} {
		if diff := cmp.Diff(tt.want, ParseAddress(tt.line, tt.unit)); diff != "" {
			t.Errorf("%q %q: %s", tt.line, tt.unit, diff)
		}
	}
}

func TestMatchNumber(t *testing.T) {
	limits := NumberLimits{Read: .5, Mismatch: .9}
	at := Address{Number: "4702", Street: "Maple St"}
	text := func(s string, score float64) Reading {
		return Reading{Texts: []Text{{Text: s, Score: score, Box: Box{.4, .4, .5, .5}}}}
	}
	onParcel := text("5811", .99)
	onParcel.Boxes = []Detection{{Label: Package, Score: .5, Box: Box{.3, .3, .6, .6}}}
	both := text("5811", .99)
	both.Texts = append(both.Texts, Text{Text: "4702", Score: .6})
	for _, tt := range []struct {
		name    string
		address Address
		reading Reading
		want    NumberMatch
	}{
		{"the number", at, text("4702", .6), Matching},
		{"the number in a line", at, text("No. 4702 Maple", .6), Matching},
		{"too unsure", at, text("4702", .4), Unread},
		{"part of a longer number", at, text("94702", .99), Unread},
		{"half hidden", at, text("702", .99), Unread},
		{"another", at, text("5811", .9), Different},
		{"another with its letter", at, text("5811 B", .95), Different},
		{"another, not sure enough", at, text("5811", .89), Unread},
		{"one digit is no other number", at, text("8", .99), Unread},
		{"both numbers in sight", at, both, Matching},
		{"on the parcel", at, onParcel, Unread},
		{"tracking label", at, text("TBA3102 5811 9942", .99), Unread},
		{"tracking number", at, text("310258119942", .99), Unread},
		{"phone", at, text("555-5811", .99), Unread},
		{"date", at, text("11/21", .99), Unread},
		{"year", at, text("2026", .99), Unread},
		{"price", at, text("$58", .99), Unread},
		{"price with cents", at, text("58.11", .99), Unread},
		{"time", at, text("10:30", .99), Unread},
		{"weight", at, text("58 lb", .99), Unread},
		{"the street's own number", Address{Number: "4702", Street: "89th Ave"}, text("89", .99), Unread},
		{"a letter alike", Address{Number: "12A"}, text("12a", .9), Matching},
		{"without its letter", Address{Number: "12A"}, text("12", .99), Unread},
		{"the unit", Address{Number: "4702", Unit: "12B"}, text("12b", .9), Matching},
		{"another unit", Address{Number: "4702", Unit: "12"}, text("17", .95), Different},
		{"a digit in a sentence", Address{Number: "7"}, text("open 7 days", .99), Unread},
		{"a digit alone", Address{Number: "7"}, text("7", .99), Matching},
		{"nothing to look for", Address{}, text("5811", .99), Unread},
		{"nothing read", at, Reading{}, Unread},
	} {
		if got, by := MatchNumber(tt.address, "98109", tt.reading, limits); got != tt.want {
			t.Errorf("%s: %d by %q, want %d", tt.name, got, by.Text, tt.want)
		}
	}
	if got, _ := MatchNumber(at, "98109", text("98109", .99), limits); got != Unread {
		t.Error("the postcode counts as another number")
	}
}

func TestBoxes(t *testing.T) {
	a, b := Box{0, 0, .5, .5}, Box{.25, .25, .75, .75}
	for name, tt := range map[string]struct{ got, want float64 }{
		"IoU": {a.IoU(b), .0625 / .4375}, "IoU apart": {a.IoU(Box{.6, .6, 1, 1}), 0}, "IoU of nothing": {Box{}.IoU(Box{}), 0},
		"within": {a.Within(b), .25}, "within all": {Box{.3, .3, .4, .4}.Within(b), 1}, "area of nothing": {Box{.5, 0, .2, 1}.Area(), 0},
		"borders": {float64(Box{0, .2, 1, .995}.Borders(.01)), 3}, "clip": {Box{-1, -1, 2, .5}.Clip().Area(), .5},
	} {
		if math.Abs(tt.got-tt.want) > 1e-12 {
			t.Errorf("%s: %g, want %g", name, tt.got, tt.want)
		}
	}
}

func TestSuppress(t *testing.T) {
	got := Suppress([]Detection{{Package, .3, Box{0, 0, .5, .5}}, {Package, .6, Box{.02, 0, .5, .5}}, {Person, .4, Box{0, 0, .5, .5}}, {Package, .2, Box{.6, .6, 1, 1}}}, .45)
	want := []Detection{{Package, .6, Box{.02, 0, .5, .5}}, {Person, .4, Box{0, 0, .5, .5}}, {Package, .2, Box{.6, .6, 1, 1}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
