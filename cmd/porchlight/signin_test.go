package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"porchlight/audit"
	"porchlight/server"
)

func TestSignInSettings(t *testing.T) {
	type want struct {
		provider *server.OIDC
		public   string
		proxies  []string
		faults   []string // what each fault begins with
	}
	environment := map[string]string{"PORCHLIGHT_OIDC_CLIENT_SECRET": "s3cret", "PORCHLIGHT_OIDC_ROLES": "agent=support,agent=helpdesk,admin=ops"}
	for _, c := range []struct {
		name string
		args []string
		env  map[string]string
		want want
	}{
		{"none", nil, nil, want{}},
		{"defaults", []string{"--oidc-issuer=https://id.example/realm", "--oidc-client-id=p", "--public-url=https://p.example/"}, nil,
			want{&server.OIDC{Issuer: "https://id.example/realm", ClientID: "p", Scopes: []string{"profile", "email"}, RolesClaim: "roles",
				Roles: map[audit.Role][]string{audit.Agent: {"agent"}, audit.Dispatch: {"dispatch"}, audit.Admin: {"admin"}}}, "https://p.example", nil, nil}},
		{"all of them", []string{"--oidc-issuer=http://127.0.0.1:9000", "--oidc-client-id=p", "--public-url=http://127.0.0.1:8080", "--oidc-scopes=profile,groups",
			"--oidc-roles-claim=realm_access.roles", "--trusted-proxy=10.0.0.0/8,::1"}, environment,
			want{&server.OIDC{Issuer: "http://127.0.0.1:9000", ClientID: "p", ClientSecret: "s3cret", Scopes: []string{"profile", "groups"}, RolesClaim: "realm_access.roles",
				Roles: map[audit.Role][]string{audit.Agent: {"support", "helpdesk"}, audit.Admin: {"ops"}}}, "http://127.0.0.1:8080", []string{"10.0.0.0/8", "::1"}, nil}},
		{"all faults at once", []string{"--oidc-issuer=id.example", "--public-url=https://p.example/path", "--trusted-proxy=everyone", "--oidc-roles=driver=d,king=k,agent",
			"--oidc-roles-claim="}, nil,
			want{faults: []string{"--public-url", "--trusted-proxy", "--oidc-roles", "--oidc-roles", "--oidc-roles", "--oidc-issuer", "--oidc-client-id", "--oidc-roles-claim"}}},
		{"a provider without a public URL", []string{"--oidc-issuer=https://id.example", "--oidc-client-id=p"}, nil, want{faults: []string{"--public-url is missing"}}},
		{"a client without a provider", []string{"--oidc-client-id=p"}, nil, want{faults: []string{"--oidc-issuer is missing"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s signInSettings
			f := pflag.NewFlagSet("serve", pflag.ContinueOnError)
			s.flags(f)
			if err := f.Parse(c.args); err != nil {
				t.Fatal(err)
			}
			if err := settle(f, func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }); err != nil {
				t.Fatal(err)
			}
			provider, public, proxies, err := s.read()
			if err != nil || len(c.want.faults) > 0 {
				var got []string
				if err != nil {
					got = strings.Split(err.Error(), "\n")
				}
				if len(got) != len(c.want.faults) {
					t.Fatalf("faults %q, want %q", got, c.want.faults)
				}
				for i, w := range c.want.faults {
					if !strings.HasPrefix(got[i], w) {
						t.Errorf("fault %q, want one of %s", got[i], w)
					}
				}
				return
			}
			if diff := cmp.Diff(c.want, want{provider, public, proxies, nil}, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
		})
	}
}
