package web

import (
	"io/fs"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"porchlight/audit"
)

func TestQuantity(t *testing.T) {
	tests := []struct {
		value any
		unit  string
		want  string
	}{
		{nil, "m", ""}, {12.4, "m", "12.4\u00a0m"}, {1517.26, "m", "1517\u00a0m"}, {0.284, "share of the frame", "28.4% of the frame"},
		{0.0, "", "0"}, {-0.004, "", "0"}, {1.999, "blur score", "2\u00a0blur score"}, {3.5, "bits", "3.5\u00a0bits"},
		{4032, "px", "4032\u00a0px"}, {"1217", "", "1217"}, {100.0, "luma", "100\u00a0luma"},
	}
	for _, test := range tests {
		if got := quantity(test.value, test.unit); got != test.want {
			t.Errorf("quantity(%v, %q) = %q, want %q", test.value, test.unit, got, test.want)
		}
	}
}

func TestInstructionWords(t *testing.T) {
	tests := []struct {
		instruction audit.Instruction
		required    []audit.PhotoRole
		want        string
	}{
		{audit.Hidden, []audit.PhotoRole{audit.Context, audit.CloseUp}, "Hidden: two photos, context and close-up"},
		{audit.FrontDoor, []audit.PhotoRole{audit.Placement}, "Front door: one photo, placement"},
		{"", audit.PhotoRoles, "No instruction: five photos, placement, close-up, context, obstacle and condition"},
		{audit.HandToCustomer, nil, "Hand to customer: no photo needed"},
	}
	for _, test := range tests {
		if got := instructionWords(audit.Delivery{Instruction: test.instruction}, test.required); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func TestDueWords(t *testing.T) {
	for left, want := range map[time.Duration]string{
		30 * time.Second: "Due in less than a minute", time.Minute: "Due in 1 minute", 59 * time.Minute: "Due in 59 minutes", 47 * time.Hour: "Due in 47 hours",
		72 * time.Hour: "Due in 3 days", -time.Second: "Overdue by less than a minute", -25 * time.Hour: "Overdue by 25 hours", -49 * time.Hour: "Overdue by 2 days",
	} {
		due := now.Add(left)
		if got := dueWords(&due, now); got.Words != want || got.Overdue != (left < 0) {
			t.Errorf("%s: %+v, want %q", left, *got, want)
		}
	}
	if dueWords(nil, now) != nil {
		t.Error("no date is due")
	}
}

func TestWindow(t *testing.T) {
	zone := time.FixedZone("PDT", -7*3600)
	tests := []struct {
		from, to *time.Time
		want     string
	}{
		{local(9, 0), local(11, 30), "9:00 AM to 11:30 AM PDT"},
		{local(33, 0), local(35, 0), "Tue, May 5, 9:00 AM to 11:00 AM PDT"},
		{local(22, 0), local(26, 0), "10:00 PM PDT to Tue, May 5, 2:00 AM PDT"},
		{local(9, 0), nil, "9:00 AM PDT to"},
		{nil, local(33, 0), "to Tue, May 5, 9:00 AM PDT"},
		{nil, nil, ""},
	}
	for _, test := range tests {
		got := ""
		if w := newWindow(test.from, test.to, zone, now); w != nil {
			from, to := "", ""
			if w.From != nil {
				from = w.From.Human
			}
			if w.To != nil {
				to = w.To.Human
			}
			got = strings.TrimSpace(from + " to " + to)
		}
		if got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

// TestContrast holds the style sheet's colours to WCAG 2.2, success criteria 1.4.3
// (text, 4.5 to 1) and 1.4.11 (controls and focus, 3 to 1), in both schemes.
func TestContrast(t *testing.T) {
	css, err := fs.ReadFile(Static(), "porchlight.css")
	if err != nil {
		t.Fatal(err)
	}
	light, rest, ok := strings.Cut(string(css), "@media (prefers-color-scheme: dark)")
	dark, _, end := strings.Cut(rest, "\n}\n")
	if !ok || !end {
		t.Fatal("no dark scheme")
	}
	for scheme, text := range map[string]string{"light": light, "dark": dark} {
		colour := map[string]string{}
		for _, m := range regexp.MustCompile(`--([\w-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(text, -1) {
			colour[m[1]] = m[2]
		}
		pairs := map[string]float64{"on-accent/accent": 4.5, "control/surface": 3, "control/ground": 3}
		for _, name := range []string{"text", "quiet", "accent"} {
			pairs[name+"/ground"], pairs[name+"/surface"] = 4.5, 4.5
		}
		for _, tone := range []string{"good", "bad", "look", "none"} {
			pairs[tone+"/"+tone+"-ground"], pairs["text/"+tone+"-ground"], pairs["accent/"+tone+"-ground"] = 4.5, 4.5, 4.5
		}
		for pair, want := range pairs {
			a, b, _ := strings.Cut(pair, "/")
			if got := contrast(t, colour[a], colour[b]); got < want {
				t.Errorf("%s: %s has contrast %.2f, want %.1f", scheme, pair, got, want)
			}
		}
	}
	for _, outside := range []string{"url(", "@import", "//"} {
		if strings.Contains(string(css), outside) {
			t.Errorf("the style sheet loads something: %s", outside)
		}
	}
}

// contrast is WCAG's contrast ratio of two colours, #rrggbb.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	luminance := func(c string) float64 {
		if len(c) != 7 {
			t.Fatalf("no colour %q", c)
		}
		sum := 0.0
		for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
			n, err := strconv.ParseUint(c[1+2*i:3+2*i], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			v := float64(n) / 255
			if v <= 0.04045 {
				v /= 12.92
			} else {
				v = math.Pow((v+0.055)/1.055, 2.4)
			}
			sum += weight * v
		}
		return sum
	}
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func TestStaticFiles(t *testing.T) {
	for _, name := range []string{"porchlight.css", "icon.svg"} {
		b, err := fs.ReadFile(Static(), name)
		if err != nil || len(b) == 0 {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
	if !strings.Contains(ContentSecurityPolicy, "default-src 'self'") || strings.Contains(ContentSecurityPolicy, "'unsafe-") {
		t.Errorf("the policy is open: %s", ContentSecurityPolicy)
	}
}
