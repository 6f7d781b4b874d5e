package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// composeFile is docker-compose.yml.
const composeFile = "../../docker-compose.yml"

// composeTool is the command of Docker Compose, of either generation. No daemon is needed.
func composeTool(t *testing.T) []string {
	t.Helper()
	for _, tool := range [][]string{{"docker", "compose"}, {"docker-compose"}} {
		if exec.Command(tool[0], append(tool[1:], "version")...).Run() == nil {
			return tool
		}
	}
	if os.Getenv("PORCHLIGHT_TEST_REQUIRE") == "1" {
		t.Fatal("neither docker compose nor docker-compose is installed")
	}
	t.Skip("neither docker compose nor docker-compose is installed; .ci/test installs one")
	return nil
}

// composeConfig lets Docker Compose read the file, in a folder without a .env of its own.
func composeConfig(t *testing.T, environ ...string) (output string, err error) {
	t.Helper()
	tool := composeTool(t)
	text, err := os.ReadFile(composeFile)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "docker-compose.yml"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool[0], append(tool[1:], "config")...)
	cmd.Dir = folder
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "LC_ALL=C.UTF-8"}, environ...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// secrets are the settings that have no default.
var secrets = []string{"POSTGRES_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY"}

func TestComposeIsAccepted(t *testing.T) {
	var all []string
	for _, name := range secrets {
		all = append(all, name+"=secret-of-"+strings.ToLower(name))
	}
	out, err := composeConfig(t, all...)
	if err != nil {
		t.Fatalf("docker compose config: %v\n%s", err, out)
	}
	for _, want := range []string{"postgres://porchlight:secret-of-postgres_password@postgres", "secret-of-s3_secret_key"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
}

// TestComposeHasNoDefaultPasswords leaves out one secret at a time, then leaves it empty.
func TestComposeHasNoDefaultPasswords(t *testing.T) {
	for _, missing := range secrets {
		for how, value := range map[string][]string{"unset": nil, "empty": {missing + "="}} {
			t.Run(missing+" "+how, func(t *testing.T) {
				environ := slices.Clone(value)
				for _, name := range secrets {
					if name != missing {
						environ = append(environ, name+"=secret")
					}
				}
				out, err := composeConfig(t, environ...)
				if err == nil || !strings.Contains(out, "set "+missing) {
					t.Errorf("docker compose config: %v, want a refusal that names %s:\n%s", err, missing, out)
				}
			})
		}
	}
}

// TestComposeServices holds every service to what keeps it running and shut in.
func TestComposeServices(t *testing.T) {
	text, err := os.ReadFile(composeFile)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]struct {
			Image       string
			Restart     string
			Ports       []string
			Networks    []string
			Environment map[string]string
			Volumes     []string
			ReadOnly    bool     `yaml:"read_only"`
			CapDrop     []string `yaml:"cap_drop"`
			SecurityOpt []string `yaml:"security_opt"`
			Grace       string   `yaml:"stop_grace_period"`
			Healthcheck struct{ Test []string }
		}
		Networks map[string]struct{ Internal bool }
		Volumes  map[string]any
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Services) != 3 {
		t.Errorf("%d services, want porchlight, postgres and objects", len(file.Services))
	}
	for name, s := range file.Services {
		if _, tag, ok := strings.Cut(s.Image, ":"); !ok || tag == "latest" {
			t.Errorf("%s: the image %q has no version", name, s.Image)
		}
		if s.Restart != "unless-stopped" || s.Grace == "" || len(s.Healthcheck.Test) < 2 {
			t.Errorf("%s: restart %q, stop_grace_period %q, healthcheck %q", name, s.Restart, s.Grace, s.Healthcheck.Test)
		}
		if !s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s: read_only %v, cap_drop %q, security_opt %q", name, s.ReadOnly, s.CapDrop, s.SecurityOpt)
		}
		if len(s.Volumes) == 0 {
			t.Errorf("%s keeps nothing", name)
		}
		for _, v := range s.Volumes {
			if volume, _, _ := strings.Cut(v, ":"); !hasKey(file.Volumes, volume) {
				t.Errorf("%s: the volume %q is not there", name, v)
			}
		}
		out := slices.ContainsFunc(s.Networks, func(n string) bool { return !file.Networks[n].Internal })
		if public := name == "porchlight"; len(s.Networks) == 0 || public != out || public != (len(s.Ports) > 0) {
			t.Errorf("%s: networks %q, ports %q", name, s.Networks, s.Ports)
		}
		for key, value := range s.Environment {
			if word := strings.ToUpper(key); strings.Contains(word, "PASSWORD") || strings.Contains(word, "SECRET") || strings.Contains(word, "ACCESS_KEY") {
				if !strings.HasPrefix(value, "${") || !strings.Contains(value, ":?") {
					t.Errorf("%s: %s is %q, want one from outside", name, key, value)
				}
			}
		}
	}
}

func hasKey[V any](m map[string]V, key string) bool {
	_, ok := m[key]
	return ok
}
