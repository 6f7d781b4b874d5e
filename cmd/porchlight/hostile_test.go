package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"porchlight/fixtures"
)

// hostile are texts that have broken other programs: for SQL, paths, headers, templates,
// formats and terminals, and texts that are none.
var hostile = []string{
	`' OR '1'='1`, `'; DROP TABLE deliveries; --`, `" OR ""="`, `1) UNION ALL (VALUES (1`, `$1`, `\'; --`, `%27%20OR%201=1`,
	`../../../../etc/passwd`, `..\..\windows\win.ini`, `/etc/passwd`, `objects/../keys/porchlight.key`, `....//....//`, `.`, `..`,
	`<script>alert(1)</script>`, `{{.}}`, `${jndi:ldap://127.0.0.1/x}`, `%s%n%x`, `$(id)`, "`id`", `| id`,
	"T1\r\nSet-Cookie: a=b", "a\x00b", "\xff\xfe", "\u202e\u2066", "\U0001F4E6\u0301", "\x1b[2J", strings.Repeat("A", 100_000), " ", "null", "-1", "1e999",
}

// TestHostileInput sends the running server what an attacker or a broken client sends.
// Nothing may end in a 5xx or tell of the server's insides, and what was on record
// before must be there afterwards.
func TestHostileInput(t *testing.T) {
	at := []string{"--data", t.TempDir()}
	p := startServer(t, append(at, "--log-level", "error")...)
	admin := newToken(t, at, "--role", "admin")
	p.do(http.StatusOK, "POST", "/api/v1/deliveries", admin, "application/json", []byte(`{"tracking_id":"T1","driver_id":"D1","address":"1 Elm St"}`))
	p.do(http.StatusOK, "POST", "/api/v1/claims", admin, "application/json", []byte(`{"claim_id":"C1","tracking_id":"T1"}`))
	before := p.do(http.StatusOK, "GET", "/api/v1/deliveries/T1", admin, "", nil).body

	requests := 0
	send := func(t *testing.T, method, path, contentType string, body []byte) answer {
		t.Helper()
		requests++
		a, err := p.try(method, path, admin, contentType, body, meantInvalid)
		switch {
		case err != nil:
			t.Errorf("%s %.200q: %v", method, path, err)
		case a.status >= 500:
			t.Errorf("%s %.200q %.200q: status %d: %.300s", method, path, body, a.status, a.body)
		case insides.Match(a.body):
			t.Errorf("%s %.200q: the answer tells %q", method, path, insides.Find(a.body))
		}
		return a
	}
	posts := map[string]map[string]any{
		"/api/v1/deliveries": {"tracking_id": "T2", "driver_id": "D1", "route_id": "R", "address": "1 Elm St", "unit": "3", "locality": "L", "postcode": "1", "country": "US",
			"latitude": 1.5, "longitude": 1.5, "stop_kind": "house", "instruction": "front_door", "proofs": []string{"photo"}, "window_start": "2026-11-20T17:00:00Z",
			"window_end": "2026-11-20T18:00:00Z", "scanned_at": "2026-11-20T17:00:00Z", "delivered_at": "2026-11-20T17:00:00Z", "outcome": "delivered", "note": "n", "time_zone": "UTC"},
		"/api/v1/claims":               {"claim_id": "C2", "tracking_id": "T1", "reported_at": "2026-11-21T09:00:00Z", "reason": "r", "statement": "s", "channel": "stripe", "due_at": "2026-12-01T00:00:00Z"},
		"/api/v1/deliveries/T1/events": {"event_id": "E1", "kind": "note", "at": "2026-11-20T17:00:00Z", "source": "driver", "detail": "d"},
		"/api/v1/tokens":               {"role": "driver", "driver_id": "D1"},
		"/api/v1/webhooks":             {"url": "https://example.com/hook", "events": []string{"claim.opened"}},
		"/api/v1/reaudits":             {"since": "2026-01-01T00:00:00Z", "driver_id": "D1"},
	}

	t.Run("every field", func(t *testing.T) {
		for path, good := range posts {
			for field := range good {
				for _, text := range hostile {
					row := map[string]any{}
					for k, v := range good {
						row[k] = v
					}
					row[field] = text
					b, err := json.Marshal(row)
					if err != nil {
						t.Fatal(err)
					}
					send(t, "POST", path, "application/json", b)
				}
			}
		}
	})
	t.Run("every parameter", func(t *testing.T) {
		for _, text := range hostile {
			if len(text) > 10_000 {
				text = text[:10_000]
			}
			for _, path := range []string{"/api/v1/deliveries/%s", "/api/v1/photos/%s", "/api/v1/photos/%s/preview", "/api/v1/photos/%s/reports", "/api/v1/claims/%s",
				"/api/v1/claims/%s/packets", "/api/v1/packets/%s.zip", "/api/v1/packets/%s.json", "/api/v1/reaudits/%s", "/static/%s", "/agent/claims/%s"} {
				send(t, "GET", fmt.Sprintf(path, url.PathEscape(text)), "", nil)
			}
			q := url.QueryEscape(text)
			for _, path := range []string{"/api/v1/claims?cursor=", "/api/v1/claims?limit=", "/api/v1/reaudits?cursor=", "/api/v1/tokens?cursor=",
				"/api/v1/custody?subject_kind=photo&subject_id=", "/signin?next=", "/signin?token=", "/agent?after="} {
				send(t, "GET", path+q, "", nil)
			}
		}
	})
	photo := fixtures.Scene{Place: 1, Shot: 1, Number: "1", Width: 320, Height: 240}.JPEG()
	t.Run("every field of an upload", func(t *testing.T) {
		for _, field := range []string{"role", "captured_at", "latitude", "longitude", "accuracy_m", "also", "another"} {
			for _, text := range hostile {
				body, contentType := form(t, photo, map[string]string{field: text})
				if a := send(t, "POST", "/api/v1/deliveries/T2/photos", contentType, body); a.status < 400 && strings.TrimSpace(text) != "" && field != "also" {
					// -1 metres, degrees and the like that are numbers may pass; texts may not.
					if text != "-1" {
						t.Errorf("%s=%.40q: status %d: %.200s", field, text, a.status, a.body)
					}
				}
			}
		}
	})
	t.Run("truncated forms", func(t *testing.T) {
		body, contentType := form(t, photo, map[string]string{"role": "placement", "captured_at": "2026-11-20T17:00:00Z"})
		for i := range 60 {
			if a := send(t, "POST", "/api/v1/deliveries/T1/photos", contentType, body[:len(body)*i/60]); a.status < 400 {
				t.Errorf("%d of %d bytes: status %d, want a refusal", len(body)*i/60, len(body), a.status)
			}
		}
	})
	t.Run("wrong content types", func(t *testing.T) {
		paths := []string{"/api/v1/deliveries/T1/photos"}
		for path := range posts {
			paths = append(paths, path)
		}
		for _, path := range paths {
			for _, contentType := range []string{"", "text/plain", "application/xml", "multipart/form-data", "multipart/form-data; boundary=", "application/json; charset=utf-16",
				"image/jpeg", "application/x-www-form-urlencoded", "a/b/c;;;", strings.Repeat("x", 5000)} {
				send(t, "POST", path, contentType, []byte("\xff\xd8\xff{}[]"))
			}
		}
	})
	t.Run("JSON bombs", func(t *testing.T) {
		bombs := map[string]string{
			"deep arrays":     strings.Repeat("[", 200_000),
			"deep objects":    strings.Repeat(`{"a":`, 200_000),
			"closed arrays":   strings.Repeat("[", 50_000) + strings.Repeat("]", 50_000),
			"a long number":   `{"tracking_id":"T3","latitude":` + strings.Repeat("9", 1_000_000) + `}`,
			"a huge exponent": `{"tracking_id":"T3","latitude":1e999999999}`,
			"a long string":   `{"tracking_id":"` + strings.Repeat("x", 5_000_000) + `"}`,
			"many fields":     `{` + strings.Repeat(`"a":1,`, 300_000) + `"b":1}`,
			"many rows":       `[` + strings.Repeat(`{},`, 100_000) + `{}]`,
			"half a pair":     `{"tracking_id":"\ud800"}`,
			"many escapes":    `{"tracking_id":"` + strings.Repeat(`\u0041`, 100_000) + `"}`,
		}
		for name, bomb := range bombs {
			for path := range posts {
				t.Run(name, func(t *testing.T) { send(t, "POST", path, "application/json", []byte(bomb)) })
			}
			send(t, "POST", "/api/v1/deliveries", "application/x-ndjson", []byte(bomb))
			send(t, "POST", "/api/v1/deliveries", "text/csv", []byte(bomb))
		}
	})
	t.Run("10 MB of headers", func(t *testing.T) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		head := append([]byte("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: "), bytes.Repeat([]byte("a"), 10<<20)...)
		_, _ = conn.Write(head) // the server may hang up before the end
		b, _ := io.ReadAll(io.LimitReader(conn, 4096))
		if len(b) > 0 && !bytes.HasPrefix(b, []byte("HTTP/1.1 431")) && !bytes.HasPrefix(b, []byte("HTTP/1.1 400")) {
			t.Errorf("the answer is %.100q, want 431", b)
		}
	})
	t.Run("no HTTP at all", func(t *testing.T) {
		for _, text := range []string{"\x00\x01\x02", "GET\r\n\r\n", "\x16\x03\x01\x02\x00\x01", "GET / HTTP/9.9\r\n\r\n", "POST /api/v1/claims HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
			"POST /api/v1/claims HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nzz\r\n"} {
			conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = conn.Write([]byte(text))
			_ = conn.(*net.TCPConn).CloseWrite()
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			b, _ := io.ReadAll(io.LimitReader(conn, 4096))
			if bytes.HasPrefix(b, []byte("HTTP/1.1 5")) && !bytes.HasPrefix(b, []byte("HTTP/1.1 505")) && !bytes.HasPrefix(b, []byte("HTTP/1.1 501")) {
				t.Errorf("%q: the answer is %.100q", text, b)
			}
			conn.Close()
		}
	})
	p.do(http.StatusOK, "GET", "/readyz", "", "", nil)
	if after := p.do(http.StatusOK, "GET", "/api/v1/deliveries/T1", admin, "", nil).body; !bytes.Equal(mask(before), mask(after)) {
		t.Errorf("delivery T1 was changed:\n%s\n%s", before, after)
	}
	t.Logf("%d hostile requests, none with a 5xx; peak memory %d MiB", requests, p.peakMiB())
}

// mask leaves out the events, to which the test adds.
func mask(delivery []byte) []byte {
	var d map[string]json.RawMessage
	if json.Unmarshal(delivery, &d) != nil {
		return delivery
	}
	delete(d, "events")
	b, _ := json.Marshal(d)
	return b
}
