package rows

import (
	"testing"

	"porchlight/audit"
)

func TestDetect(t *testing.T) {
	tests := map[string]struct {
		contentType, fileName, head string
		want                        Format
	}{
		"content type":            {"application/json; charset=utf-8", "x.csv", "a,b", JSON},
		"csv type":                {"text/csv; header=present", "", "{", CSV},
		"ndjson type":             {"application/x-ndjson", "", "", NDJSON},
		"extension":               {"application/octet-stream", "Route 7.CSV", "", CSV},
		"json lines":              {"", "a.jsonl", "[", NDJSON},
		"what Excel sends":        {"application/vnd.ms-excel", "a.csv", "", CSV},
		"what curl sends":         {"application/x-www-form-urlencoded", "", "\xef\xbb\xbf\n [{}]", JSON},
		"broken content type":     {"text/", "", "tracking_id,note\n", CSV},
		"one object":              {"", "", `{"a":1}` + "\n", JSON},
		"an object a line":        {"", "", `{"a":1}` + "\r\n" + `{"a":`, NDJSON},
		"an object over lines":    {"", "", "{\n\"a\":1}", JSON},
		"a line longer than head": {"", "", `{"a":"xxxxx`, NDJSON},
		"one column":              {"", "", "tracking_id\nT1\n", CSV},
		"a photo":                 {"", "", "\xff\xd8\xff\xe0\x00\x10JFIF", ""},
		"nothing":                 {"", "", " \n", ""},
		"latin 1":                 {"", "", "stra\xdfe,b\n1,2\n", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Detect(test.contentType, test.fileName, []byte(test.head))
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if (err == nil) != (test.want != "") || err != nil && audit.ErrorCode(err) != audit.CodeInvalid {
				t.Errorf("error %v", err)
			}
		})
	}
}
