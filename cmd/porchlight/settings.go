package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"
	"gopkg.in/yaml.v3"
)

// settle gives every flag that is not on the command line its value from the
// environment, else from the file named by --config. All faults are reported at once.
func settle(flags *pflag.FlagSet, lookup func(string) (string, bool)) error {
	file, faults := map[string]string{}, []error(nil)
	config := flags.Lookup("config")
	if config != nil && !config.Changed {
		if v, ok := lookup("PORCHLIGHT_CONFIG"); ok {
			faults = append(faults, flags.Set("config", v))
		}
	}
	if config != nil && config.Value.String() != "" {
		b, err := os.ReadFile(config.Value.String())
		if err != nil {
			return fmt.Errorf("--config: %w", err)
		}
		if err := yaml.Unmarshal(b, &file); err != nil {
			return fmt.Errorf("--config %s: %w", config.Value, err)
		}
	}
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "config" || f.Name == "help" {
			return
		}
		name := "PORCHLIGHT_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if v, ok := lookup(name); ok {
			if err := flags.Set(f.Name, v); err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", name, err))
			}
		} else if v, ok := file[f.Name]; ok {
			if err := flags.Set(f.Name, v); err != nil {
				faults = append(faults, fmt.Errorf("%s: %s: %w", config.Value, f.Name, err))
			}
		}
	})
	for key := range file {
		if !settingNames[key] {
			faults = append(faults, fmt.Errorf("%s: there is no setting %q", config.Value, key))
		}
	}
	return errors.Join(faults...)
}

// settingNames are all settings that a file may name, whichever command reads it.
var settingNames = map[string]bool{}

// setting notes that a flag is a setting, so that one file serves all commands.
func setting(names ...string) {
	for _, n := range names {
		settingNames[n] = true
	}
}
