package caddymodule

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// provisionBare makes an app that nobody has configured. Caddy makes one for
// guards that take the tokens of other issuers alone. It issues no tokens and has no store.
func (a *App) provisionBare(ctx caddy.Context) (err error) {
	a.log = ctx.Logger()
	if a.verified, err = tokens.NewCache(a.tokenCache()); err != nil {
		return err
	}
	return a.provisionObserver(ctx)
}

// bare reports whether the app was provisioned without a configuration.
func (a *App) bare() bool { return a.runtime == nil }

// provisionObserver makes what hears of decisions, and the place for the keys of other issuers.
func (a *App) provisionObserver(ctx caddy.Context) (err error) {
	a.ctx = ctx
	if err := processMetrics.register(ctx.GetMetricsRegistry()); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	if a.emitter, err = newEmitter(ctx, processMetrics, a.log); err != nil {
		return err
	}
	a.observer = newObserver(a.log, processMetrics, a.emitter)
	if a.proofs, err = takeProofs(); err != nil {
		return err
	}
	a.issuerKeys = new(issuerKeys)
	return nil
}
