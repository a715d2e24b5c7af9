package caddymodule

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/handler/guard"
	"github.com/gatehouse-auth/gatehouse/handler/identity"
	"github.com/gatehouse-auth/gatehouse/tokens"
)

// Provision finds the app and builds the guard on it.
func (b *BearerAuth) Provision(ctx caddy.Context) error {
	app, err := b.provision(ctx)
	if err != nil {
		return err
	}
	app.warnProxies(ctx)
	key, err := b.siteKey()
	if err != nil {
		return err
	}
	if b.SiteOnly {
		beside, err := app.guards.beside(key)
		if err != nil {
			return fmt.Errorf("bearer_auth: %w", err)
		}
		b.guard = beside.(*BearerAuth).guard //nolint:forcetypeassert // the key is that of our own kind
		return nil
	}
	app.guards.addSite(key, b)
	return nil
}

func (b *BearerAuth) provision(ctx caddy.Context) (*App, error) {
	if err := b.Check(); err != nil {
		return nil, fmt.Errorf("bearer_auth: %w", err)
	}
	app, err := b.oauthApp(ctx)
	if err != nil {
		return nil, err
	}
	b.guards = app.guards
	if b.SiteOnly {
		return app, nil
	}
	if b.guard, err = b.newGuard(app); err != nil {
		return nil, err
	}
	app.guards.addDocument(b.guard)
	return app, nil
}

// newGuard makes the guard.
func (b *BearerAuth) newGuard(app *App) (*guard.Guard, error) {
	cfg := b.guardConfig()
	cfg.Observer = app.observer
	b.observer, b.streams, b.backend = app.observer, app.streams, app.backend
	cfg.Proofs = app.proofs
	if !app.unconfigured() {
		if err := b.takeOwn(app, &cfg); err != nil {
			return nil, err
		}
	}
	if err := b.addIssuers(app, &cfg); err != nil {
		return nil, err
	}
	guard, err := guard.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("bearer_auth: %w", err)
	}
	return guard, nil
}

// takeOwn makes a guard take the tokens of the app.
func (b *BearerAuth) takeOwn(app *App, cfg *guard.Config) error {
	if err := b.checkAudience(app.backend.issuer); err != nil {
		return err
	}
	if err := b.mentionGroups(app, app.backend.issuer); err != nil {
		return err
	}
	app.guards.counted(b.Audience)
	app.noteRule(b.For, "bearer_auth of "+strings.Join(b.Audience, " "))
	cfg.Access = app.backend.issuer
	cfg.Proofs = app.backend.issuer.Proofs()
	cfg.Ready = func(context.Context) error { return app.backend.readyToCheck() }
	cfg.Origins = originsOf(app.backend.issuer, b.Audience)
	cfg.IssuerURL = app.Issuer
	return nil
}

// guardConfig is what the options alone say.
func (b *BearerAuth) guardConfig() guard.Config {
	cfg := guard.Config{
		Audience:   b.Audience,
		Scopes:     b.Scopes,
		ScopeAny:   b.ScopeAny,
		For:        b.For,
		StepUp:     guard.StepUp{ACR: b.ACR, MaxAge: time.Duration(b.MaxAge)},
		Optional:   b.Optional,
		StripToken: b.StripToken,

		Cookie:      b.Cookie,
		TokenHeader: b.TokenHeader,

		DPoPRequired: b.DPoPRequired,
		ClientOrigin: clientOrigin,
		RequestURLs:  b.requestURLs,
		Passage:      passageOf,

		CORS:        !b.NoCORS,
		MCP:         b.MCP,
		Path:        originalEscapedPath,
		MetadataURL: b.MetadataURL,
		Realm:       b.Realm,
	}
	for _, rule := range b.Claims {
		cfg.Claims = append(cfg.Claims, guard.ClaimRule{Claim: rule.Claim, Values: rule.Values})
	}
	for _, h := range b.Headers {
		cfg.Headers = append(cfg.Headers, identity.Mapping{Header: h.Header, Claim: h.Claim, Encoding: h.Encoding})
	}
	return cfg
}

// originsOf accepts the origins of the clients that may use one of the APIs.
func originsOf(issuer *tokens.Issuer, audiences []string) func(string) bool {
	allowed := make(map[string]bool)
	for _, c := range issuer.Clients() {
		if !slices.ContainsFunc(c.APIs, func(api string) bool { return slices.Contains(audiences, api) }) {
			continue
		}
		for _, origin := range c.Origins {
			allowed[origin] = true
		}
	}
	return func(origin string) bool { return allowed[origin] }
}
