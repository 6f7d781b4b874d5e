package server

import (
	"strings"
	"testing"
	"time"

	"porchlight/audit"
)

func TestTokensThroughTheAPI(t *testing.T) {
	s := newStack(t)
	const path = "/api/v1/tokens"
	made := s.as(t, audit.Admin, "POST", path, "application/json", `{"role":"driver","driver_id":"D7","expires_in":3600}`)
	if made.StatusCode != 201 {
		t.Fatalf("make: %d %s", made.StatusCode, made.body)
	}
	got := decodeAs[TokenMade](t, made)
	if got.Role != audit.Driver || got.DriverID != "D7" || got.ExpiresAt == nil || got.ExpiresAt.Sub(got.CreatedAt) != time.Hour || !strings.HasPrefix(got.Secret, "pl_") {
		t.Errorf("made %+v", got)
	}
	use := func() int {
		r := s.request(t, "GET", "/api/v1/deliveries/T9", "", nil)
		r.Header.Set("Authorization", "Bearer "+got.Secret)
		return s.send(t, r).StatusCode
	}
	if status := use(); status != 404 {
		t.Errorf("using it: %d, want 404", status)
	}
	var all []audit.Token
	pages := 0
	for cursor := ""; ; pages++ {
		r := s.get(t, audit.Admin, path+"?limit=2&cursor="+cursor)
		if strings.Contains(string(r.body), tokenHash(got.Secret)) || strings.Contains(string(r.body), got.Secret) || strings.Contains(string(r.body), "hash") {
			t.Errorf("the list tells a hash or a secret: %s", r.body)
		}
		page := decodeAs[List[audit.Token]](t, r)
		all = append(all, page.Items...)
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if len(all) != len(audit.Roles)+1 || pages != 2 || all[len(all)-1].TokenID != got.TokenID {
		t.Errorf("%d tokens on %d pages, last %+v", len(all), pages+1, all[len(all)-1])
	}
	for range 2 {
		if r := s.as(t, audit.Admin, "DELETE", path+"/"+got.TokenID, "", ""); r.StatusCode != 204 || len(r.body) > 0 {
			t.Errorf("revoke: %d %s", r.StatusCode, r.body)
		}
	}
	if status := use(); status != 401 {
		t.Errorf("using it after: %d, want 401", status)
	}
	for _, c := range []struct {
		body string
		code audit.Code
	}{
		{`{"role":"driver"}`, audit.CodeInvalid},
		{`{"role":"agent","driver_id":"D1"}`, audit.CodeInvalid},
		{`{"role":"king"}`, audit.CodeInvalid},
		{`{}`, audit.CodeInvalid},
		{`{"role":"agent","expires_in":0}`, audit.CodeInvalid},
		{`{"role":"agent","expires_in":9223372036854775807}`, audit.CodeInvalid},
		{`{"role":"agent","hash":"x"}`, audit.CodeUnknownField},
	} {
		r := s.as(t, audit.Admin, "POST", path, "application/json", c.body)
		if p := r.problem(t); p.Code != c.code {
			t.Errorf("%s: %d %s, want %s", c.body, r.StatusCode, p.Code, c.code)
		}
	}
	for query, want := range map[string]int{"?cursor=!!!": 422, "?limit=0": 422, "?role=admin": 422} {
		if r := s.get(t, audit.Admin, path+query); r.StatusCode != want {
			t.Errorf("%s: %d, want %d", query, r.StatusCode, want)
		}
	}
}
