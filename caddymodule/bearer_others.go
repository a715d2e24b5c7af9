package caddymodule

import (
	"context"
	"fmt"
	"slices"

	"github.com/gatehouse-auth/gatehouse/handler"
	"github.com/gatehouse-auth/gatehouse/tokens"
)

// checkIssuers checks the other issuers, one by one and beside each other.
func (b *BearerAuth) checkIssuers() error {
	seen := make(map[string]bool)
	for _, issuer := range b.Issuers {
		if issuer == nil {
			return within("issuers", wrong("", "there is a null in the list: leave it out"))
		}
		if seen[issuer.Issuer] {
			return within(issuer.block(), wrong("", "this issuer is there twice: put its options in one block"))
		}
		seen[issuer.Issuer] = true
		if err := issuer.Check(); err != nil {
			return within(issuer.block(), err)
		}
	}
	return nil
}

// takesOwn reports whether tokens of this gateway can have one of the audiences.
func (b *BearerAuth) takesOwn(issuer *tokens.Issuer) bool {
	return slices.ContainsFunc(b.Audience, func(audience string) bool {
		_, ok := issuer.API(audience)
		return ok
	})
}

// addIssuers makes a guard take the tokens of the other issuers as well.
func (b *BearerAuth) addIssuers(app *App, cfg *handler.GuardConfig) error {
	if len(b.Issuers) == 0 {
		return nil
	}
	if b.takesOwn(app.runtime.issuer) {
		cfg.Servers = []string{app.Issuer}
	}
	cfg.Audiences = make(map[string][]string)
	origins := make(map[string]bool)
	var others []*tokens.Foreign
	for _, issuer := range b.Issuers {
		if issuer.Issuer == app.Issuer {
			return fmt.Errorf("bearer_auth: issuer %s is this gateway itself, whose tokens pass anyhow: leave the block out", issuer.Issuer)
		}
		cfg.Servers = append(cfg.Servers, issuer.Issuer)
		for _, origin := range issuer.Origins {
			origins[origin] = true
		}
		if len(issuer.Audience) > 0 {
			cfg.Audiences[issuer.Issuer] = issuer.Audience
		}
		if b.MetadataOnly {
			continue // nothing is verified
		}
		_, rsa := issuer.algorithms()
		keys, err := app.issuerKeys.take(issuer.source(), rsa, app.runtime.observer)
		if err != nil {
			return err
		}
		others = append(others, issuer.core(keys))
	}
	gate, err := tokens.NewGate(app.runtime.issuer, cfg.Ready, others...)
	if err != nil {
		return fmt.Errorf("bearer_auth: %w", err)
	}
	cfg.Issuer = gate
	cfg.Ready = func(context.Context) error { return nil } // the gate asks, for our own tokens
	clients := cfg.Origins
	cfg.Origins = func(origin string) bool { return origins[origin] || clients(origin) }
	return nil
}
