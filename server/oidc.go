package server

import (
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"porchlight/audit"
)

// OIDC says how agents, dispatch and admins sign in with their organisation's OpenID
// provider: OpenID Connect Core 1.0, the code flow with PKCE (RFC 7636).
type OIDC struct {
	// Issuer is the provider's URL, exactly as the provider itself writes it.
	Issuer string
	// ClientID and ClientSecret are Porchlight's with the provider. A public client has
	// no secret.
	ClientID, ClientSecret string
	// Scopes are asked for beside openid; default profile and email.
	Scopes []string
	// RolesClaim is where the ID token, or else the user info, says what a person may do:
	// a text or a list of texts. Dots lead into objects (realm_access.roles). Default roles.
	RolesClaim string
	// Roles are the claim's values that stand for a role. Where several fit, admin goes
	// over agent, agent over dispatch. Drivers sign in with tokens.
	Roles map[audit.Role][]string
}

// providerRoles are the roles that a provider can give, the first one that fits.
var providerRoles = []audit.Role{audit.Admin, audit.Agent, audit.Dispatch}

func (o *OIDC) validate(publicURL string) error {
	var errs []error
	if o.Issuer == "" || o.ClientID == "" {
		errs = append(errs, errors.New("server: Config.OIDC needs Issuer and ClientID"))
	}
	if publicURL == "" {
		errs = append(errs, errors.New("server: Config.OIDC needs Config.PublicURL"))
	}
	for role := range o.Roles {
		if !slices.Contains(providerRoles, role) {
			errs = append(errs, errors.New("server: Config.OIDC.Roles: no person signs in as "+string(role)))
		}
	}
	return errors.Join(errs...)
}

const (
	providerTime  = 10 * time.Second // for one answer of the provider
	providerRetry = 2 * time.Second  // between two attempts to find a provider that is down
	providerBytes = 1 << 20          // of one answer of the provider
	attemptTime   = 10 * time.Minute // from the button to the provider's answer
	maxNameBytes  = 200              // of a person's name
)

// provider is the OpenID provider. It is looked up when it is first needed, and again
// until that succeeds: Porchlight starts without it.
type provider struct {
	OIDC
	redirectURL string
	http        *http.Client
	now         func() time.Time

	mu    sync.Mutex
	found *oidc.Provider
	oauth *oauth2.Config // one for good: it learns how the provider wants the secret
	err   error          // of the last attempt to find it
	tried time.Time
}

func newProvider(c Config) *provider {
	p := &provider{OIDC: *c.OIDC, redirectURL: strings.TrimRight(c.PublicURL, "/") + "/signin/callback", now: c.Now,
		http: &http.Client{Timeout: providerTime, Transport: bounded{http.DefaultTransport}}}
	if p.RolesClaim == "" {
		p.RolesClaim = "roles"
	}
	if p.Scopes == nil {
		p.Scopes = []string{"profile", "email"}
	}
	return p
}

// bounded cuts answers that are too long.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, providerBytes), res.Body}
	}
	return res, err
}

// discover finds the provider's endpoints. Errors: [CodeProvider].
func (p *provider) discover() (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	if p.err == nil || p.now().Sub(p.tried) >= providerRetry {
		// Not the request's context: whoever asks first asks for all who wait.
		p.found, p.err = oidc.NewProvider(oidc.ClientContext(context.Background(), p.http), p.Issuer)
		p.tried = p.now()
	}
	if p.err != nil {
		return nil, providerDown(p.err)
	}
	p.oauth = &oauth2.Config{ClientID: p.ClientID, ClientSecret: p.ClientSecret, RedirectURL: p.redirectURL, Endpoint: p.found.Endpoint(),
		Scopes: append([]string{oidc.ScopeOpenID}, p.Scopes...)}
	return p.found, nil
}

func providerDown(cause error) error {
	return audit.Errorf(CodeProvider, "Your organisation's sign-in cannot be reached: try again in a moment", cause)
}

// signInFailed words a sign-in that has to begin anew; the cause goes to the log.
func signInFailed(cause error) error {
	return audit.Errorf(CodeSignIn, "Signing in did not work: try once more", cause)
}

// attempt is a sign-in that the provider has not answered yet.
type attempt struct {
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"` // PKCE's, RFC 7636
	Next     string    `json:"next"`     // path to go to after it
	At       time.Time `json:"at"`
}

// address is where the provider, once found, asks a person who they are.
func (p *provider) address(a attempt) string {
	return p.oauth.AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier))
}

// person exchanges the provider's code for who it vouches for.
// Errors: [CodeSignIn], [CodeProvider], [CodeNoRole].
func (p *provider) person(ctx context.Context, found *oidc.Provider, code string, a attempt) (person, error) {
	ctx = oidc.ClientContext(ctx, p.http)
	token, err := p.oauth.Exchange(ctx, code, oauth2.VerifierOption(a.Verifier))
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused) && refused.Response.StatusCode < http.StatusInternalServerError:
		return person{}, signInFailed(err)
	case err != nil:
		return person{}, providerDown(err)
	}
	id, known, err := p.verify(ctx, found, token, a)
	if err != nil {
		return person{}, signInFailed(err)
	}
	if _, ok := claim(known, p.RolesClaim); !ok && found.UserInfoEndpoint() != "" {
		if err := addUserInfo(ctx, found, token, id.Subject, known); err != nil {
			return person{}, err
		}
	}
	who := person{Issuer: p.Issuer, Subject: id.Subject, Name: nameOf(known)}
	values, _ := claim(known, p.RolesClaim)
	for _, role := range providerRoles {
		if slices.ContainsFunc(p.Roles[role], func(v string) bool { return slices.Contains(values, v) }) {
			who.Role = role
			return who, nil
		}
	}
	return who, audit.Errorf(CodeNoRole, "Your organisation knows you, but you have no role in Porchlight: ask your administrator for one",
		errors.New("no role for "+audit.Principal{Issuer: who.Issuer, Subject: who.Subject}.Actor()))
}

// verify checks the ID token (OpenID Connect Core 1.0, section 3.1.3.7) and gives its
// claims.
func (p *provider) verify(ctx context.Context, found *oidc.Provider, token *oauth2.Token, a attempt) (*oidc.IDToken, map[string]any, error) {
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return nil, nil, errors.New("the provider sent no ID token")
	}
	id, err := found.Verifier(&oidc.Config{ClientID: p.ClientID, Now: p.now}).Verify(ctx, raw)
	if err != nil {
		return nil, nil, err
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(a.Nonce)) != 1 {
		return nil, nil, errors.New("the ID token's nonce is another one")
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(token.AccessToken); err != nil {
			return nil, nil, err
		}
	}
	known := map[string]any{}
	if err := id.Claims(&known); err != nil {
		return nil, nil, err
	}
	party, given := known["azp"].(string)
	if given && party != p.ClientID || !given && len(id.Audience) > 1 {
		return nil, nil, errors.New("the ID token was issued to another party")
	}
	if id.Subject == "" || len(id.Subject) > 255 {
		return nil, nil, errors.New("the ID token's subject is not of 1 to 255 characters")
	}
	return id, known, nil
}

// addUserInfo adds the claims that only the user info has: many providers keep the ID
// token short. Errors: [CodeSignIn], [CodeProvider].
func addUserInfo(ctx context.Context, found *oidc.Provider, token *oauth2.Token, subject string, known map[string]any) error {
	info, err := found.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return providerDown(err)
	}
	if info.Subject != subject {
		return signInFailed(errors.New("the user info is another person's"))
	}
	more := map[string]any{}
	if err := info.Claims(&more); err != nil {
		return signInFailed(err)
	}
	for k, v := range more {
		if _, ok := known[k]; !ok {
			known[k] = v
		}
	}
	return nil
}

// nameOf is what a person is called, or else what they sign in with.
func nameOf(claims map[string]any) string {
	for _, key := range []string{"name", "preferred_username", "email"} {
		if s, _ := claims[key].(string); strings.TrimSpace(s) != "" {
			s = strings.TrimSpace(strings.ToValidUTF8(s, ""))
			return strings.ToValidUTF8(s[:min(len(s), maxNameBytes)], "")
		}
	}
	return ""
}

// claim is the texts that a claim holds. A name is first looked for as it is, since
// names may be URLs, then its parts between dots.
func claim(claims map[string]any, name string) (values []string, ok bool) {
	switch v := claims[name].(type) {
	case string:
		return []string{v}, true
	case []any:
		for _, e := range v {
			if s, isText := e.(string); isText {
				values = append(values, s)
			}
		}
		return values, true
	}
	for i, r := range name {
		if r != '.' {
			continue
		}
		if inner, isObject := claims[name[:i]].(map[string]any); isObject {
			if values, ok := claim(inner, name[i+1:]); ok {
				return values, true
			}
		}
	}
	return nil, false
}
