package caddymodule

import (
	"fmt"
	"maps"
	"slices"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/handler/upstream"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// Provision checks the login, reads its key, and makes sure that its secrets are there. It
// asks no network.
func (l *OIDCLogin) Provision(ctx caddy.Context) error {
	if err := grammar.Within(l.block(), l.Check()); err != nil {
		return err
	}
	if err := l.readKey(); err != nil {
		return fmt.Errorf("%s: %w", l.block(), err)
	}
	return l.provision(ctx, l.block(), l.findings())
}

// Login makes the way to sign in.
func (l *OIDCLogin) Login(heard oauth.Observer) (_ login.Login, err error) {
	if l.oidc, err = upstream.NewOIDC(l.core(heard)); err != nil {
		return nil, err
	}
	return l.oidc, nil
}

// Start begins to fetch what the provider publishes, in the background.
func (l *OIDCLogin) Start() error {
	l.oidc.Start()
	return nil
}

// Cleanup ends that.
func (l *OIDCLogin) Cleanup() error {
	if l.oidc != nil {
		l.oidc.Close()
	}
	return nil
}

// scopes are what is asked for.
func (l *OIDCLogin) scopes() []string {
	if len(l.Scopes) > 0 {
		return l.Scopes
	}
	scopes := []string{oauth.ScopeOpenID, oauth.ScopeProfile, oauth.ScopeEmail}
	if l.Recheck != 0 && l.provider().refresh == refreshByScope {
		scopes = append(scopes, oauth.ScopeOfflineAccess)
	}
	return scopes
}

// parameters are those of the configuration, and what makes the provider give a refresh token.
func (l *OIDCLogin) parameters() map[string]string {
	parameters := make(map[string]string)
	if l.Recheck != 0 && l.provider().refresh == refreshByParameter {
		parameters["access_type"] = "offline"
	}
	maps.Copy(parameters, l.Parameters)
	return parameters
}

// subject are the claims that name a person. The oid of Entra is unique in one tenant.
func (l *OIDCLogin) subject() []string {
	switch {
	case len(l.Subject) > 0:
		return l.Subject
	case len(l.Tenants) > 0:
		return []string{"tid", "oid"}
	}
	return []string{"sub"}
}

// groupsClaims are the claims that hold groups. One that is expected makes it trouble that
// the userinfo endpoint is away, so that none is where there are no groups.
func (l *OIDCLogin) groupsClaims() []string {
	if len(l.GroupsClaims) > 0 || l.provider().noGroups {
		return l.GroupsClaims
	}
	return []string{"groups"}
}

// core is the login's configuration as package upstream has it.
func (l *OIDCLogin) core(heard oauth.Observer) upstream.Config {
	cfg := l.config(l.name(), heard)
	cfg.Issuer, cfg.IssuerAlias, cfg.Tenants = l.Issuer, l.IssuerAlias, l.Tenants
	cfg.Scopes, cfg.ResponseMode = l.scopes(), l.ResponseMode
	parameters := l.parameters()
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		cfg.Parameters = append(cfg.Parameters, upstream.KeyValue{Name: name, Value: parameters[name]})
	}
	cfg.NoPKCE, cfg.NoNonce, cfg.NoIssuerCheck, cfg.NoMaxAge, cfg.NoUserinfo = l.NoPKCE, l.NoNonce, l.NoIssuerCheck, l.NoMaxAge, l.NoUserinfo
	cfg.Prompts = l.Prompts
	for _, name := range l.Algorithms {
		cfg.Algorithms = append(cfg.Algorithms, jose.Algorithm(name))
	}
	cfg.Subject, cfg.EmailTrusted, cfg.GroupsClaims, cfg.Overage = l.subject(), l.EmailTrusted, l.groupsClaims(), l.GroupsOverage
	cfg.Claims, cfg.ACRs, cfg.KeepIDToken = l.Claims, l.ACRs, l.LogoutUpstream
	e := orZero(l.Endpoints)
	cfg.Endpoints = upstream.Endpoints{Authorization: e.Authorization, Token: e.Token, Userinfo: e.Userinfo, JWKS: e.JWKS, EndSession: e.EndSession}
	l.authenticate(&cfg)
	return cfg
}

// Interface guards
var (
	_ LoginModule        = (*OIDCLogin)(nil)
	_ caddy.Provisioner  = (*OIDCLogin)(nil)
	_ caddy.CleanerUpper = (*OIDCLogin)(nil)
)
