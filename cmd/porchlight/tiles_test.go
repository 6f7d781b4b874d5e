package main

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestMapTilesSettings(t *testing.T) {
	for _, c := range []struct {
		args  []string
		tiles bool
		fault string
	}{
		{nil, false, ""},
		{[]string{"--map-tiles=https://tiles.example/{z}/{x}/{y}.png", "--map-credit=The map's makers"}, true, ""},
		{[]string{"--map-tiles=tiles.example"}, false, "--map-tiles"},
		{[]string{"--map-tiles=https://tiles.example/{z}/{x}"}, false, "--map-tiles"},
		{[]string{"--map-credit=The map's makers"}, false, "--map-tiles is missing"},
	} {
		var s serveSettings
		f := pflag.NewFlagSet("serve", pflag.ContinueOnError)
		s.flags(f)
		if err := f.Parse(c.args); err != nil {
			t.Fatal(err)
		}
		tiles, err := s.tiles()
		if c.fault == "" && (err != nil || (tiles != nil) != c.tiles) || c.fault != "" && (err == nil || !strings.HasPrefix(err.Error(), c.fault)) {
			t.Errorf("%q: tiles %v, %v; want %t, fault %q", c.args, tiles, err, c.tiles, c.fault)
		}
	}
}
