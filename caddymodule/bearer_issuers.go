package caddymodule

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/handler/guard"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// checkIssuers checks the other issuers, one by one and beside each other.
func (b *BearerAuth) checkIssuers() error {
	seen := make(map[string]bool)
	for _, issuer := range b.Issuers {
		if issuer == nil {
			return grammar.Within("issuers", grammar.Wrong("", "there is a null in the list: leave it out"))
		}
		if seen[issuer.Issuer] {
			return grammar.Within(issuer.block(), grammar.Wrong("", "duplicate issuer: put all of its options in one block"))
		}
		if err := issuer.Check(); err != nil {
			return grammar.Within(issuer.block(), err)
		}
		seen[issuer.Issuer] = true
		for _, name := range issuer.names() {
			if seen[name] && name != issuer.Issuer {
				return grammar.Within(issuer.block(), grammar.Wrong("tenants", "%s has a block of its own: leave one of them out", name))
			}
			seen[name] = true
		}
	}
	return nil
}

// oauthApp returns the app that a guard works for. One that names other issuers
// needs none to be configured: Caddy makes an unconfigured one then.
func (b *BearerAuth) oauthApp(ctx caddy.Context) (*App, error) {
	if len(b.Issuers) == 0 {
		return oauthApp(ctx, "bearer_auth")
	}
	app, err := ctx.App("oauth")
	if err != nil {
		return nil, fmt.Errorf("bearer_auth: %w", err)
	}
	return app.(*App), nil
}

// takesOwn reports whether tokens of this gateway can have one of the audiences.
func (b *BearerAuth) takesOwn(issuer *tokens.Issuer) bool {
	return slices.ContainsFunc(b.Audience, func(audience string) bool {
		_, ok := issuer.API(audience)
		return ok
	})
}

// addIssuers makes a guard take the tokens of the other issuers as well.
func (b *BearerAuth) addIssuers(app *App, cfg *guard.Config) error {
	if len(b.Issuers) == 0 {
		return nil
	}
	if !app.unconfigured() && b.takesOwn(app.backend.issuer) {
		cfg.Servers = []string{app.Issuer}
	}
	cfg.Audiences = make(map[string][]string)
	origins := make(map[string]bool)
	for _, issuer := range b.Issuers {
		for _, name := range issuer.names() {
			if name == app.Issuer {
				return fmt.Errorf("bearer_auth: issuer %s is this gateway itself, whose tokens pass anyhow: leave the block out", name)
			}
			cfg.Servers = append(cfg.Servers, name)
			cfg.IssuerURL = cmp.Or(cfg.IssuerURL, name)
			if len(issuer.Audience) > 0 {
				cfg.Audiences[name] = issuer.Audience
			}
		}
		for _, origin := range issuer.Origins {
			origins[origin] = true
		}
	}
	clients := cfg.Origins
	cfg.Origins = func(origin string) bool { return origins[origin] || clients != nil && clients(origin) }
	return b.addGate(app, cfg)
}

// addGate makes what verifies the tokens of several issuers.
func (b *BearerAuth) addGate(app *App, cfg *guard.Config) error {
	var others []*verify.Foreign
	for _, issuer := range b.Issuers {
		if err := issuer.resolve(app.log); err != nil {
			return fmt.Errorf("bearer_auth: %w", err)
		}
		_, rsa := issuer.algorithms()
		keys, err := app.issuerKeys.take(keysPoolKey{source: issuer.source(), rsa: rsa}, app.observer)
		if err != nil {
			return err
		}
		for _, name := range issuer.names() {
			others = append(others, issuer.core(name, keys))
		}
	}
	if app.unconfigured() {
		gate, err := verify.NewForeignGate(app.verified, time.Now, others...)
		if err != nil {
			return fmt.Errorf("bearer_auth: %w", err)
		}
		cfg.Access = gate
		return nil
	}
	gate, err := app.backend.issuer.Gate(cfg.Ready, others...)
	if err != nil {
		return fmt.Errorf("bearer_auth: %w", err)
	}
	cfg.Access = gate
	cfg.Ready = nil // the gate asks, for our own tokens
	return nil
}
