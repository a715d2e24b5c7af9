// Package caddymodule is the Caddy side of Gatehouse: the configuration and its
// grammar, the lifecycle, metrics and events. It knows no protocol rules: those
// are in handler and tokens. The admin API is in adminapi, the command in command.
package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens"
)

func init() {
	caddy.RegisterModule(App{})
}

// App is an OAuth 2 and OpenID Connect authorization server: it logs people in
// and issues, rotates and revokes tokens. The handler `oauth_server` serves its
// endpoints, the handler `bearer_auth` guards APIs with its tokens.
//
// What the text of a configuration shows to be wrong is found by
// `caddy validate`, which touches no file of the store and no network.
type App struct {
	// The URL that names this authorization server, emitted exactly as it is
	// written here (Auth0's SDKs want the slash at the end). Every URL that the
	// server emits derives from it, never from a request. It is an https URL;
	// http only on localhost. Default: none, it is required.
	Issuer string `json:"issuer,omitempty"`

	// The issuer that this server was before, while its URL changes. A store
	// belongs to its issuer, since tokens and sessions of two that shared one
	// would be good at both: it is opened for this one, too, and taken over. Every
	// access token of before is refused, and clients refresh. Remove the line when
	// every gateway has the new issuer. Default: none.
	PreviousIssuer string `json:"previous_issuer,omitempty"`

	// The secrets, at least 32 bytes each, from which every key is derived that
	// protects refresh tokens, cookies and the stored signing keys. The first
	// mints and all verify, so a secret is changed in three deploys: `old new`,
	// `new old`, `new`. Write `{env.NAME}` or `{file.PATH}`: a literal secret
	// lands in the adapted JSON. Make one with `openssl rand -base64 48`.
	// Default: one that is generated and kept beside the embedded database;
	// other stores need one.
	Secrets []string `json:"secrets,omitempty"`

	// Where refresh tokens, sessions, codes, denials and signing keys are kept.
	// Default: `bolt`, an embedded database in Caddy's data directory.
	StoreRaw json.RawMessage `json:"store,omitempty" caddy:"namespace=oauth.stores inline_key=module"`

	// How revoked access tokens are refused. Default: as Denylist says.
	Denylist *Denylist `json:"denylist,omitempty"`

	// How much memory the access tokens may take that have been verified, in
	// bytes; in the Caddyfile with a unit. A token that is not among them has its
	// signature checked again. Default: 134217728, which is `token_cache 128MiB`
	TokenCache int64 `json:"token_cache,omitempty"`

	// How clients prove that they hold the keys of their tokens. Default: as DPoP says.
	DPoP *DPoP `json:"dpop,omitempty"`

	// How tokens are signed. Default: as Signing says.
	Signing *Signing `json:"signing,omitempty"`

	// How long a person stays signed in at this server. Default: as Session says.
	Session *Session `json:"session,omitempty"`

	// How the pages look. Default: as Theme says.
	Theme *Theme `json:"theme,omitempty"`

	// The ways in which people log in, in the order in which the login page
	// shows them. Default: none; one is required as soon as a client has users.
	LoginsRaw []json.RawMessage `json:"logins,omitempty" caddy:"namespace=oauth.logins inline_key=module"`

	// The APIs that access tokens are made for. Default: none; the tokens are then
	// good for `/userinfo` only.
	APIs []*API `json:"apis,omitempty"`

	// The applications that may ask for tokens. Default: none.
	Clients []*Client `json:"clients,omitempty"`

	ctx          caddy.Context
	log          *zap.Logger
	secrets      []string      // resolved
	store        StoreModule   // guest of oauth.stores
	logins       []login.Login // of the guests of oauth.logins
	loginModules []LoginModule
	emitter      *emitter
	observer     *observer
	runtime      *runtime // see runtime.go; nil for a bare app
	issuerKeys   *issuerKeys
	verified     *tokens.Cache // of a bare app
	proofs       *tokens.Proofs
	guards       map[string]int             // how many guards there are, by audience
	documents    documents                  // of the guards
	servers      map[*caddyhttp.Server]bool // that have a handler of ours; see warnProxies
	siteParts    siteParts                  // of the guards
}

// CaddyModule returns the Caddy module information.
func (App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "oauth",
		New: func() caddy.Module { return new(App) },
	}
}

// Provision checks the configuration, reads the secrets and loads the guest
// modules. It opens no store and no connection.
func (a *App) Provision(ctx caddy.Context) error {
	if reflect.ValueOf(*a).IsZero() {
		return a.provisionBare(ctx)
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
	for _, c := range a.Clients {
		for _, w := range c.warnings(a.APIs) {
			a.log.Warn(w, zap.String("client", c.ID))
		}
		if err := c.resolve(); err != nil {
			return err
		}
	}
	if err := a.loadGuests(ctx); err != nil {
		return err
	}
	if err := a.provisionObserver(ctx); err != nil {
		return err
	}
	return a.provisionRuntime(ctx)
}

// Start opens what serving needs.
func (a *App) Start() error {
	if err := a.checkReach(); err != nil {
		return err
	}
	for _, l := range a.loginModules {
		if err := l.Start(); err != nil {
			return err
		}
	}
	if !a.bare() {
		if err := a.startRuntime(); err != nil {
			return err
		}
		a.tellLosses()
	}
	a.issuerKeys.start()
	serving.begin(a)
	return nil
}

// Stop closes nothing: an older configuration's requests may still run.
func (a *App) Stop() error {
	serving.end(a)
	return nil
}

// Cleanup releases what Provision took.
func (a *App) Cleanup() error {
	if a.observer != nil {
		a.observer.flood.flush()
	}
	serving.end(a) // a configuration that Caddy has refused after its start is not stopped
	if a.emitter != nil {
		a.emitter.close()
	}
	if a.verified != nil {
		a.verified.Close()
	}
	var proofs error
	if a.proofs != nil {
		proofs = releaseProofs()
	}
	return errors.Join(a.cleanupRuntime(), a.issuerKeys.release(), proofs)
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
		a.logins = append(a.logins, module.Login())
		a.loginModules = append(a.loginModules, module)
	}
	return nil
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
