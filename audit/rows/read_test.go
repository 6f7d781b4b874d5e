package rows

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"porchlight/audit"
)

// claim is a row of another import, with its own rule.
type claim struct {
	ClaimID    string     `json:"claim_id"`
	TrackingID string     `json:"tracking_id"`
	ReportedAt *time.Time `json:"reported_at,omitempty"`
	Statement  string     `json:"statement,omitempty"`
	At         time.Time  `json:"at"`
	Count      int        `json:"count"`
	Hidden     string     `json:"-"`
}

func (c *claim) Validate() error {
	if c.ClaimID == "" {
		return errors.New("claim_id is missing")
	}
	return nil
}

// outcomes are rows as a table writes them: the line, and the value or error in short.
func outcomes[T any](t *testing.T, f Format, in string, show func(T) string) (got []string, end error) {
	t.Helper()
	for row, err := range Read[T](iotest.OneByteReader(strings.NewReader(in)), f) {
		switch {
		case end != nil:
			t.Fatalf("a row follows the stream's error %v", end)
		case err != nil:
			end = err
		case row.Err != nil:
			got = append(got, fmt.Sprintf("%d %s: %s", row.Line, audit.ErrorCode(row.Err), audit.ErrorMessage(row.Err)))
		default:
			got = append(got, fmt.Sprintf("%d %s", row.Line, show(row.Value)))
		}
	}
	return got, end
}

func showDelivery(d audit.Delivery) string {
	s := d.TrackingID
	for _, v := range []string{d.Address, string(d.Instruction), d.Note} {
		if v != "" {
			s += " | " + v
		}
	}
	if d.Latitude != nil {
		s += fmt.Sprintf(" | %g,%g", *d.Latitude, *d.Longitude)
	}
	if d.DoNotRing {
		s += " | quiet"
	}
	if d.WindowStart != nil {
		s += " | " + d.WindowStart.Format(time.RFC3339)
	}
	if len(d.Proofs) > 0 {
		s += fmt.Sprintf(" | %v", d.Proofs)
	}
	return s
}

func TestReadDeliveries(t *testing.T) {
	const full = `{"tracking_id":"T1","address":"12 Elm St","instruction":"hidden","latitude":47.6,"longitude":-122.3,` +
		`"do_not_ring":true,"window_start":"2026-05-04T15:04:05-07:00","proofs":["photo","signature"]}`
	const shown = "T1 | 12 Elm St | hidden | 47.6,-122.3 | quiet | 2026-05-04T15:04:05-07:00 | [photo signature]"
	deep := `{"tracking_id":"T","note":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`
	long := `{"tracking_id":"L","note":"` + strings.Repeat("x", MaxRowBytes) + `"}`
	tests := map[string]struct {
		format Format
		in     string
		want   []string
		end    audit.Code
		says   string // in the stream's error
	}{
		"object":                {JSON, "\n" + full + "\n", []string{"2 " + shown}, "", ""},
		"object behind a BOM":   {JSON, "\xef\xbb\xbf" + full, []string{"1 " + shown}, "", ""},
		"two objects":           {JSON, `{"tracking_id":"A"} {"tracking_id":"B"}`, nil, audit.CodeInvalid, "send NDJSON"},
		"array":                 {JSON, "[\n" + full + ",\r\n\r\n{\"tracking_id\":\n\"B\"}\n]\n", []string{"2 " + shown, "4 B"}, "", ""},
		"empty array":           {JSON, " [ ] ", nil, "", ""},
		"empty JSON":            {JSON, " \n", nil, audit.CodeInvalid, "ends too early"},
		"a number":              {JSON, "12", nil, audit.CodeInvalid, "object or array"},
		"array not closed":      {JSON, `[{"tracking_id":"A"},`, []string{"1 A"}, audit.CodeInvalid, "ends too early"},
		"array cut in a row":    {JSON, `[{"tracking_id":"A"},{"track`, []string{"1 A"}, audit.CodeInvalid, "ends inside the row of line 1"},
		"array cut in a string": {JSON, `[{"tracking_id":"A\`, nil, audit.CodeInvalid, "ends inside the row"},
		"trailing comma":        {JSON, `[{"tracking_id":"A"},]`, []string{"1 A"}, audit.CodeInvalid, "a row is wanted"},
		"no comma":              {JSON, "[{\"tracking_id\":\"A\"}\n{\"tracking_id\":\"B\"}]", []string{"1 A"}, audit.CodeInvalid, "Line 2: a comma"},
		"garbage behind":        {JSON, `[{"tracking_id":"A"}] x`, []string{"1 A"}, audit.CodeInvalid, "nothing may follow"},
		"bad elements do not end an array": {JSON, "[1,\nnull,\n\"a,]\\\"\",\n[{}],\n{\"tracking_id\":tru},\n{\"tracking_id\":\"B\"}]", []string{
			`1 invalid: A row is a JSON object with field names, not "1"`,
			`2 invalid: A row is a JSON object with field names, not "null"`,
			`3 invalid: A row is a JSON object with field names, not "\"a,]\\\"\""`,
			`4 invalid: A row is a JSON object with field names, not "[{}]"`,
			`5 invalid: The row is not JSON: invalid character '}' in literal true (expecting 'e')`, "6 B"}, "", ""},
		"nesting":       {JSON, "[" + deep + `,{"tracking_id":"B"}]`, []string{"1 invalid: Objects and arrays stand more than 16 deep in each other", "1 B"}, "", ""},
		"long elements": {JSON, "[" + long + ",\n" + `{"tracking_id":"B"}]`, []string{"1 invalid: The row is longer than 65536 bytes", "2 B"}, "", ""},

		"lines": {NDJSON, full + "\r\n\n  \n{\"tracking_id\":\"B\"}", []string{"1 " + shown, "4 B"}, "", ""},
		"bad lines": {NDJSON, strings.Join([]string{
			`{"tracking_id":"A"`, `{"tracking_id":"A"} {}`, `{"Tracking_ID":"A"}`, `{"tracking_id":"A","adress":"x"}`,
			`{"tracking_id":"A","tracking_id":"B"}`, `{"tracking_id":"A","latitude":"north"}`, `{"tracking_id":"A","note":7}`,
			`{"tracking_id":"A","do_not_ring":"x"}`, `{"tracking_id":"A","window_start":"yesterday"}`, `{"tracking_id":"A","proofs":{"a":1}}`,
			`{"tracking_id":"A","latitude":1e999}`, `{"tracking_id":"A","note":"a\u0000b"}`, "{\"tracking_id\":\"A\xff\"}", "{\"tracking_id\":\"\x00\"}",
			`{"tracking_id":"a b"}`, `{"address":"x"}`, long, `{"tracking_id":null}`, `{"tracking_id":"OK","latitude":null}`,
		}, "\n"), []string{
			"1 invalid: The row is not JSON: unexpected end of JSON input",
			"2 invalid: The row is not JSON: invalid character '{' after top-level value",
			`3 unknown_field: There is no field "Tracking_ID". Is tracking_id meant?`,
			`4 unknown_field: There is no field "adress". The fields are address, call_on_arrival, carrier, country, delivered_at, do_not_ring, driver_id, instruction, latitude, locality, longitude, note, outcome, outcome_reason, postcode, proofs, radius_m, recipient, route_id, scan_latitude, scan_longitude, scanned_at, stop_kind, time_zone, tracking_id, unit, window_end, window_start`,
			"5 invalid: tracking_id is given twice",
			`6 invalid: latitude: "north" is not a number`,
			`7 invalid: note: "7" is not a text`,
			`8 invalid: do_not_ring: "x" is not true or false`,
			`9 invalid: window_start: "yesterday" is not a time in RFC 3339, such as 2026-05-04T15:04:05-07:00`,
			`10 invalid: proofs cannot be "{\"a\":1}"`,
			`11 invalid: latitude: "1e999" is not a number`,
			"12 invalid: note holds a NUL character",
			"13 invalid: The row is not UTF-8: save the file as UTF-8",
			"14 invalid: The row holds a NUL character",
			`15 invalid: tracking_id "a b" may hold neither spaces, slashes nor control characters`,
			"16 invalid: tracking_id is missing",
			"17 invalid: The row is longer than 65536 bytes",
			"18 invalid: tracking_id is missing",
			"19 OK"}, "", ""},

		"csv": {CSV, "\xef\xbb\xbftracking_id,address,instruction,latitude,longitude,do_not_ring,window_start,proofs\r\n" +
			"T1,12 Elm St,hidden,47.6,-122.3,true,2026-05-04T15:04:05-07:00,photo signature\r\n\r\nB,,,,,,,\r\n",
			[]string{"2 " + shown, "4 B"}, "", ""},
		"csv quotes": {CSV, "tracking_id,note\nA,\"gate, \"\"left\"\"\nsecond line\"\nB,x", []string{"2 A | gate, \"left\"\nsecond line", "4 B | x"}, "", ""},
		"csv bad rows": {CSV, "note,tracking_id,latitude,longitude,call_on_arrival,scanned_at\n" +
			"\"two\nlines\",A,north,1,,\nx,A\nx,A,1,2,maybe,\nx\"y,A,1,2,,\n\"x\"y,A,1,2,,\nx,A,NaN,2,,\nx,A,0x10,2,,\nx,A,1e999,2,,\nx,A,1,,,\n\xff,A,1,2,,\n" +
			"x,A,1,2,,04/05/2026\n" + strings.Repeat("y", MaxRowBytes) + ",A,1,2,,\nx,B,1,2,no,2026-05-04T15:04:05Z\n", []string{
			`3 invalid: latitude: "north" is not a number`,
			"4 invalid: The header has 6 columns, this row has 2",
			`5 invalid: call_on_arrival: "maybe" is not true or false`,
			"6 invalid: A quote stands inside a cell (byte 2 of line 6): put the whole cell in quotes, and double the quotes in it",
			"7 invalid: A quote stands inside a cell (byte 3 of line 7): put the whole cell in quotes, and double the quotes in it",
			`8 invalid: latitude: "NaN" is not a number`,
			`9 invalid: latitude: "0x10" is not a number`,
			`10 invalid: latitude: "1e999" is not a number`,
			"11 invalid: latitude and longitude go together",
			"12 invalid: The row is not UTF-8: save the file as UTF-8",
			`13 invalid: scanned_at: "04/05/2026" is not a time in RFC 3339, such as 2026-05-04T15:04:05-07:00`,
			"14 invalid: The row is longer than 65536 bytes, or a quote in it is not closed",
			"15 B | x | 1,2"}, "", ""},
		"csv quote not closed":  {CSV, "tracking_id,note\nA,x\nB,\"y\nC,z\n", []string{"2 A | x", "3 invalid: A quote is opened here and never closed"}, "", ""},
		"csv long quote":        {CSV, "tracking_id,note\nA,\"" + strings.Repeat("x\n", MaxRowBytes) + "\"\nB,y\n", []string{"2 invalid: The row is longer than 65536 bytes, or a quote in it is not closed", "65539 B | y"}, "", ""},
		"csv empty":             {CSV, "\r\n\n", nil, audit.CodeInvalid, "The file is empty"},
		"csv unknown column":    {CSV, "tracking_id,adress\nA,x\n", nil, audit.CodeUnknownField, `no column "adress"`},
		"csv column in capital": {CSV, "Tracking_ID\nA\n", nil, audit.CodeUnknownField, "Is tracking_id meant?"},
		"csv repeated column":   {CSV, "tracking_id,note,note\nA,x,y\n", nil, audit.CodeInvalid, `"note" is there twice`},
		"csv semicolons":        {CSV, "tracking_id;note\nA;x\n", nil, audit.CodeInvalid, "separated by commas"},
		"csv header not UTF-8":  {CSV, "tracking_id,\xff\n", nil, audit.CodeInvalid, "not UTF-8"},
		"csv header alone":      {CSV, "tracking_id", nil, "", ""},
		"another format":        {"xml", "<a/>", nil, audit.CodeInvalid, "xml"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, end := outcomes(t, test.format, test.in, showDelivery)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			if audit.ErrorCode(end) != test.end || !strings.Contains(audit.ErrorMessage(end), test.says) && end != nil {
				t.Errorf("the stream ends with %v (%s), want %q saying %q", end, audit.ErrorCode(end), test.end, test.says)
			}
		})
	}
}

func TestReadClaims(t *testing.T) {
	show := func(c claim) string {
		return fmt.Sprintf("%s %s %d %s", c.ClaimID, c.Statement, c.Count, c.At.Format("06"))
	}
	tests := map[string]struct {
		format Format
		in     string
		want   []string
	}{
		"ndjson": {NDJSON, `{"claim_id":"C","count":2}` + "\n" + `{"tracking_id":"T"}` + "\n" + `{"claim_id":"C","count":2.5}` + "\n" + `{"claim_id":"C","Hidden":""}`,
			[]string{"1 C  2 01", "2 invalid: claim_id is missing", `3 invalid: count: "2.5" is not a whole number`,
				`4 unknown_field: There is no field "Hidden". The fields are at, claim_id, count, reported_at, statement, tracking_id`}},
		"csv, empty cells are absent": {CSV, "claim_id,count,at,statement\nC,,,\nD,3,2026-01-02T03:04:05Z,\"=1+1\"\n,1,,\nE,two,,\n",
			[]string{"2 C  0 01", "3 D =1+1 3 26", "4 invalid: claim_id is missing", `5 invalid: count: "two" is not a whole number`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, end := outcomes(t, test.format, test.in, show)
			if end != nil {
				t.Errorf("the stream ends with %v", end)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
	if _, end := outcomes(t, JSON, "{}", func(string) string { return "" }); end == nil {
		t.Error("rows of strings were read")
	}
}

func TestReadFailingReader(t *testing.T) {
	broken := errors.New("the disk is gone")
	for f, in := range map[Format]string{
		JSON: `[{"tracking_id":"A"},`, NDJSON: "{\"tracking_id\":\"A\"}\n", CSV: "tracking_id\nA\n",
	} {
		var got []string
		var end error
		for row, err := range Read[audit.Delivery](io.MultiReader(strings.NewReader(in), iotest.ErrReader(broken)), f) {
			if err != nil {
				end = err
				continue
			}
			got = append(got, row.Value.TrackingID)
		}
		if diff := cmp.Diff([]string{"A"}, got); diff != "" {
			t.Errorf("%s: rows (-want +got):\n%s", f, diff)
		}
		if !errors.Is(end, broken) || audit.ErrorCode(end) != audit.CodeUnreadable || strings.Contains(audit.ErrorMessage(end), "disk") {
			t.Errorf("%s: ended with %v", f, end)
		}
	}
}

func TestReadStops(t *testing.T) {
	for f, in := range map[Format]string{
		JSON: `[{"tracking_id":"A"},{"tracking_id":"B"}]`, NDJSON: "{\"tracking_id\":\"A\"}\n{}", CSV: "tracking_id\nA\nB\n",
	} {
		n := 0
		for range Read[audit.Delivery](strings.NewReader(in), f) {
			n++
			break
		}
		if n != 1 {
			t.Errorf("%s: %d rows before a break", f, n)
		}
	}
}

// manifest writes a CSV of n deliveries as it is read.
type manifest struct {
	n, next int
	buf     []byte
}

func (m *manifest) Read(p []byte) (int, error) {
	for len(m.buf) == 0 {
		switch {
		case m.next == 0:
			m.buf = append(m.buf, "tracking_id,address,latitude,longitude,window_start,proofs\n"...)
		case m.next > m.n:
			return 0, io.EOF
		default:
			m.buf = fmt.Appendf(m.buf, "T%d,\"%d Elm St, rear\",47.6,-122.3,2026-05-04T15:04:05Z,photo\n", m.next, m.next)
		}
		m.next++
	}
	n := copy(p, m.buf)
	m.buf = m.buf[:copy(m.buf, m.buf[n:])]
	return n, nil
}

func TestReadMillionRowsInFlatMemory(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 50_000
	}
	var most, base uint64
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	base = heap()
	got := 0
	for row, err := range Read[audit.Delivery](&manifest{n: n}, CSV) {
		if err != nil || row.Err != nil {
			t.Fatalf("row %d: %v %v", got, row.Err, err)
		}
		if got++; row.Line != got+1 || row.Value.TrackingID != fmt.Sprint("T", got) {
			t.Fatalf("row %d is %q of line %d", got, row.Value.TrackingID, row.Line)
		}
		if got%(n/10) == 0 {
			most = max(most, heap())
		}
	}
	if got != n {
		t.Errorf("%d rows, want %d", got, n)
	}
	if grown := int64(most) - int64(base); grown > 4<<20 {
		t.Errorf("reading held up to %d bytes", grown)
	}
}

func BenchmarkRead(b *testing.B) {
	for f, in := range map[Format]string{
		NDJSON: strings.Repeat(`{"tracking_id":"T1","address":"12 Elm St","latitude":47.6,"longitude":-122.3,"window_start":"2026-05-04T15:04:05Z","proofs":["photo"]}`+"\n", 1000),
		CSV:    "tracking_id,address,latitude,longitude,window_start,proofs\n" + strings.Repeat("T1,12 Elm St,47.6,-122.3,2026-05-04T15:04:05Z,photo\n", 1000),
	} {
		b.Run(string(f), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for row, err := range Read[audit.Delivery](strings.NewReader(in), f) {
					if err != nil || row.Err != nil {
						b.Fatal(row.Err, err)
					}
				}
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	formats := []Format{JSON, NDJSON, CSV}
	for _, in := range []string{
		`{"tracking_id":"A"}`, `[{"tracking_id":"A","proofs":"photo"},1,"x\"",{"a":[{}]}]`, "{\"claim_id\":\"C\"}\n{}\n\n[", "tracking_id,note\nA,\"x\ny\"\n\"\"\"\",\n",
		"[", "]", "\xef\xbb\xbf", "[[[[", "note\n\"", "tracking_id\r\n\"a\"\rb\r\n", `[{},,]`, `{"note":"\ud800"}`,
	} {
		for i := range formats {
			f.Add([]byte(in), uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, which uint8) {
		format := formats[int(which)%len(formats)]
		lines := strings.Count(string(in), "\n") + 1
		last, n, ended := 0, 0, false
		for row, err := range Read[audit.Delivery](strings.NewReader(string(in)), format) {
			if ended {
				t.Fatal("a row follows the stream's error")
			}
			if err != nil {
				ended = true
				if audit.ErrorCode(err) == audit.CodeInternal {
					t.Fatalf("no code: %v", err)
				}
				continue
			}
			if row.Line < 1 || row.Line > lines || row.Line < last && format != CSV {
				t.Fatalf("line %d after %d of %d", row.Line, last, lines)
			}
			if row.Err != nil && audit.ErrorCode(row.Err) != audit.CodeInvalid && audit.ErrorCode(row.Err) != audit.CodeUnknownField {
				t.Fatalf("code %s: %v", audit.ErrorCode(row.Err), row.Err)
			}
			last = row.Line
			// An element takes a byte and a comma or line end at least.
			if n++; n > len(in) {
				t.Fatalf("%d rows of %d bytes", n, len(in))
			}
		}
	})
}

// report is a row that may also come with the columns of somebody else's report.
type report struct {
	ID   string `json:"id"`
	Far  bool   `json:"far"`
	Note string `json:"note"`
}

func (report) Columns() map[string]string {
	return map[string]string{"tracking id": "id", "delivered > 50 m": "far", "service area": "", "dsp": ""}
}

func TestReadOthersColumns(t *testing.T) {
	show := func(r report) string { return fmt.Sprint(r.ID, " ", r.Far, " ", r.Note) }
	got, end := outcomes(t, CSV, "\"Tracking\r\n ID\",Service Area,\"Delivered >\n50 m\",note,DSP\nT1,X,\u2022,a,\nT2,X,1,,\nT3,,,,\nT4,X,perhaps,,\n", show)
	want := []string{"4 T1 true a", "5 T2 true ", "6 T3 false ", `7 invalid: far: "perhaps" is not true or false`}
	if diff := cmp.Diff(want, got); diff != "" || end != nil {
		t.Errorf("%v (-want +got):\n%s", end, diff)
	}
	for header, want := range map[string]string{"Tracking ID,id\nT1,T2\n": "twice", "Tracking ID,column 2\nT1,x\n": `no column "column 2"`, "Tracking,DSP\nT1,x\n": `no column "Tracking"`} {
		if _, end := outcomes(t, CSV, header, show); end == nil || !strings.Contains(end.Error(), want) {
			t.Errorf("%q: %v, want %s", header, end, want)
		}
	}
}
