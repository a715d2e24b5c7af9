package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/gatehouse-auth/gatehouse/caddymodule/events"
	"github.com/gatehouse-auth/gatehouse/handler/fetch"
	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// Provision checks the configuration, reads the secrets and loads the guest
// modules. It opens no store and no connection.
func (a *App) Provision(ctx caddy.Context) error {
	if reflect.ValueOf(*a).IsZero() {
		return a.provisionUnconfigured(ctx)
	}
	a.log = ctx.Logger()
	if err := a.Check(); err != nil {
		return err
	}
	secrets, err := resolveSecrets(a.log, a.Secrets)
	if err != nil {
		return err
	}
	a.secrets = secrets
	if w := a.Signing.warning(); w != "" {
		a.log.Warn(w)
	}
	for _, c := range a.Clients {
		for _, w := range c.warnings(a.APIs) {
			a.log.Warn(w, zap.String("client", c.ID))
		}
		if err := c.resolve(); err != nil {
			return err
		}
	}
	for _, w := range a.strangerWarnings() {
		a.log.Warn(w)
	}
	if err := a.ClientRegistration.resolve(); err != nil {
		return fmt.Errorf("client_registration: %w", err)
	}
	if err := a.ClientDocuments.resolve(); err != nil {
		return fmt.Errorf("client_documents: %w", err)
	}
	if err := a.provisionObserver(ctx); err != nil {
		return err
	}
	a.written = readLogins(a.LoginsRaw) // which loading clears
	if err := a.loadGuests(ctx); err != nil {
		return err
	}
	a.people = a.directory(a.written, login.Groups(a.logins))
	return a.provisionBackend(ctx)
}

// Start opens what serving needs.
func (a *App) Start() error {
	if err := a.checkRoutes(); err != nil {
		return err
	}
	if bind := a.guards.bind; bind != nil {
		if err := bind(a.web()); err != nil {
			return err
		}
	}
	for _, l := range a.loginModules {
		if err := l.Start(); err != nil {
			return err
		}
	}
	if !a.unconfigured() {
		a.warnOfGroups()
		if err := a.backend.start(); err != nil {
			return err
		}
		a.warnRemoved()
		a.startLogouts()
	}
	if err := a.issuerKeys.start(); err != nil {
		return err
	}
	serving.begin(a)
	return nil
}

// Stop closes nothing: an older configuration's requests may still run.
func (a *App) Stop() error {
	serving.end(a)
	a.endLogouts() // the next configuration goes on
	return nil
}

// Cleanup releases what Provision took.
func (a *App) Cleanup() error {
	if a.observer != nil {
		a.observer.Close()
	}
	serving.end(a) // a configuration that Caddy has refused after its start is not stopped
	a.endLogouts()
	if a.emitter != nil {
		a.emitter.Close()
	}
	if a.verified != nil {
		a.verified.Close()
	}
	var proofs error
	if a.proofs != nil {
		proofs = releaseProofs()
	}
	return errors.Join(a.backend.release(), a.issuerKeys.release(), a.streams.release(a.observer), proofs)
}

func (a *App) loadGuests(ctx caddy.Context) error {
	if a.StoreRaw == nil {
		a.StoreRaw = json.RawMessage(`{"module":"bolt"}`)
	}
	store, err := ctx.LoadModule(a, "StoreRaw")
	if err != nil {
		return fmt.Errorf("loading the store: %w", err)
	}
	guest, ok := store.(StoreModule)
	if !ok {
		return fmt.Errorf("loading the store: %T is not a store module", store)
	}
	a.store = guest

	if len(a.LoginsRaw) == 0 {
		return nil
	}
	logins, err := ctx.LoadModule(a, "LoginsRaw")
	if err != nil {
		return fmt.Errorf("loading a login: %w", err)
	}
	for _, guest := range logins.([]any) {
		module, ok := guest.(LoginModule)
		if !ok {
			return fmt.Errorf("loading a login: %T is not a login module", guest)
		}
		if hub, ok := module.(*GitHubLogin); ok {
			hub.groupsWanted = a.takesFrom(hub.named("github"))
		}
		made, err := module.Login(a.observer)
		if err != nil {
			return fmt.Errorf("making a login: %w", err)
		}
		a.logins = append(a.logins, made)
		a.loginModules = append(a.loginModules, module)
	}
	return nil
}

// provisionUnconfigured makes an app that nobody has configured. Caddy makes one for
// guards that take the tokens of other issuers alone. It issues no tokens and has no store.
func (a *App) provisionUnconfigured(ctx caddy.Context) (err error) {
	a.log = ctx.Logger()
	if a.verified, err = verify.NewCache(a.tokenCache()); err != nil {
		return err
	}
	return a.provisionObserver(ctx)
}

// provisionObserver makes what hears of decisions, and the place for the keys of other issuers.
func (a *App) provisionObserver(ctx caddy.Context) (err error) {
	a.ctx, a.guards = ctx, newGuards()
	if err := events.Process.Register(ctx.GetMetricsRegistry(), newGaugeCollector(serving.app)); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	if a.emitter, err = events.NewEmitter(ctx, events.Process, a.log); err != nil {
		return err
	}
	a.observer = events.NewObserver(a.log, events.Process, a.emitter)
	if a.proofs, err = takeProofs(); err != nil {
		return err
	}
	if a.streams, err = takeStreams(a.observer); err != nil {
		return err
	}
	a.issuerKeys = &issuerKeys{storage: ctx.Storage()}
	return nil
}

// provisionBackend makes the parts that serve, and takes the shared state.
func (a *App) provisionBackend(ctx caddy.Context) error {
	store := a.store
	if len(a.secrets) == 0 && store.SecretFile() == "" {
		return fmt.Errorf("%s needs `secret`: other gateways share this store, so none can be generated; "+
			"make one with `caddy oauth secret` and configure it on each", store.CaddyModule().ID)
	}
	shared, err := shareState(store, a.stateLimits(), events.Process, a.streams.Wake)
	if err != nil {
		return err
	}
	if shared.limits != a.stateLimits() {
		a.log.Warn("token_cache and cache_entries of denylist stay as they were until Caddy restarts: the caches are shared with the configuration before")
	}
	r := &backend{
		shared:     shared,
		store:      store,
		poolKey:    store.PoolKey(),
		issuerURL:  a.Issuer,
		ctx:        ctx,
		log:        a.log,
		observer:   a.observer,
		secrets:    a.secrets,
		secretFile: store.SecretFile(),
		settings:   a.coreSettings(),
	}
	r.reference = newReference(r.giveBack, func(err error) {
		r.observer.Happened(context.WithoutCancel(r.ctx), oauth.Event{Kind: oauth.EventStoreTrouble, Outcome: oauth.OutcomeClose, Cause: err})
	})
	a.backend = r // from here on Cleanup releases it
	if err := a.takeClientKeys(r.observer); err != nil {
		return err
	}
	r.issuer, err = tokens.NewIssuer(a.coreConfig(r.observer), shared.state)
	return err
}

// takeClientKeys finds the keys of the clients that publish them at a jwks_uri,
// and fetches nothing. The issuer of an assertion is its client.
func (a *App) takeClientKeys(heard *events.Observer) (err error) {
	for _, c := range a.Clients {
		if c.JWKSURI == "" {
			continue
		}
		rsa := jose.RS256
		if alg := jose.Algorithm(c.AssertionAlgorithm); alg.RSA() {
			rsa = alg
		}
		source := fetch.KeySource{Issuer: c.ID, JWKSURI: c.JWKSURI, AllowPrivate: c.JWKSAllowPrivate}
		if c.keys.Remote, err = a.issuerKeys.take(keysPoolKey{source: source, rsa: rsa, client: true}, heard); err != nil {
			return err
		}
	}
	return nil
}

// warnRemoved compares with the configuration before this one on the same store.
// All of its guards have been provisioned when the first app starts.
func (a *App) warnRemoved() {
	if !a.backend.entered.Load() {
		return
	}
	p := &protection{guards: a.guards.count, clients: make(map[string]bool), apis: make(map[string]bool), blocks: a.blocks()}
	for _, c := range a.Clients {
		p.clients[c.ID] = true
	}
	for _, api := range a.APIs {
		p.apis[api.Identifier] = true
	}
	if before := a.backend.shared.protect(a.backend.configuration, p); before != nil {
		p.warnRemoved(a.log, before)
	}
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
