package main

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"porchlight/audit"
	"porchlight/server"
)

// signInSettings say how people sign in, and from where.
type signInSettings struct {
	publicURL                      string
	issuer, clientID, clientSecret string
	rolesClaim                     string
	roles, scopes, proxies         []string
}

func (s *signInSettings) flags(f *pflag.FlagSet) {
	f.StringVar(&s.publicURL, "public-url", "", "`URL` at which people reach the service, such as https://porchlight.example; needed for sign-in with OpenID Connect")
	f.StringVar(&s.issuer, "oidc-issuer", "", "`URL` of the OpenID provider that agents and admins sign in with, as the provider itself writes it; default none")
	f.StringVar(&s.clientID, "oidc-client-id", "", "Porchlight's client `ID` with the provider")
	f.StringVar(&s.clientSecret, "oidc-client-secret", "", "its client secret; set it in the environment (PORCHLIGHT_OIDC_CLIENT_SECRET), where other users of the machine cannot see it; none for a public client")
	f.StringVar(&s.rolesClaim, "oidc-roles-claim", "roles", "`CLAIM` that says what a person may do, a text or a list; dots lead into objects, such as realm_access.roles")
	f.StringSliceVar(&s.roles, "oidc-roles", []string{"agent=agent", "dispatch=dispatch", "admin=admin"},
		"which of the claim's values stand for which role, `ROLE=VALUE`,...; a role may be named more than once; admin goes over agent, agent over dispatch")
	f.StringSliceVar(&s.scopes, "oidc-scopes", []string{"profile", "email"}, "`SCOPES` to ask the provider for, beside openid")
	f.StringSliceVar(&s.proxies, "trusted-proxy", nil, "`CIDR`s or addresses of the proxies whose X-Forwarded-For is believed, for limits by client address; default none")
	setting("public-url", "oidc-issuer", "oidc-client-id", "oidc-client-secret", "oidc-roles-claim", "oidc-roles", "oidc-scopes", "trusted-proxy")
}

// read checks the settings and reports all their faults at once. provider is nil where
// none is set.
func (s *signInSettings) read() (provider *server.OIDC, public string, proxies []string, err error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if s.publicURL != "" {
		u, err := url.Parse(s.publicURL)
		if err != nil || !isWebURL(u) || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
			fault("--public-url %q is not https://HOST or http://HOST:PORT, without a path", s.publicURL)
		} else {
			public = u.Scheme + "://" + u.Host
		}
	}
	for _, text := range s.proxies {
		text = strings.TrimSpace(text)
		_, notNetwork := netip.ParsePrefix(text)
		_, notAddress := netip.ParseAddr(text)
		if notNetwork != nil && notAddress != nil {
			fault("--trusted-proxy %q is neither a network such as 10.0.0.0/8 nor an address", text)
		}
		proxies = append(proxies, text)
	}
	roles := map[audit.Role][]string{}
	for _, pair := range s.roles {
		role, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		switch {
		case !ok || value == "":
			fault("--oidc-roles %q is not ROLE=VALUE", pair)
		case audit.Role(role) == audit.Driver:
			fault("--oidc-roles %q: drivers sign in with tokens", pair)
		case !slices.Contains(audit.Roles, audit.Role(role)):
			fault("--oidc-roles %q: the roles are agent, dispatch and admin", pair)
		default:
			roles[audit.Role(role)] = append(roles[audit.Role(role)], value)
		}
	}
	if s.issuer == "" {
		if s.clientID != "" || s.clientSecret != "" {
			fault("--oidc-issuer is missing: --oidc-client-id and --oidc-client-secret are of no use without it")
		}
		return nil, public, proxies, errors.Join(faults...)
	}
	if u, err := url.Parse(s.issuer); err != nil || !isWebURL(u) || u.RawQuery != "" {
		fault("--oidc-issuer %q is not https://HOST or https://HOST/PATH", s.issuer)
	}
	if s.clientID == "" {
		fault("--oidc-client-id is missing: --oidc-issuer needs it")
	}
	if s.publicURL == "" {
		fault("--public-url is missing: --oidc-issuer needs it, for the redirect URI /signin/callback")
	}
	if s.rolesClaim == "" {
		fault("--oidc-roles-claim is empty")
	}
	return &server.OIDC{Issuer: s.issuer, ClientID: s.clientID, ClientSecret: s.clientSecret, Scopes: s.scopes,
		RolesClaim: s.rolesClaim, Roles: roles}, public, proxies, errors.Join(faults...)
}

func isWebURL(u *url.URL) bool {
	return (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && u.Fragment == ""
}
