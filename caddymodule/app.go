// Package caddymodule is the Caddy side of Gatehouse: the configuration and its
// grammar, the lifecycle, metrics and events. It knows no protocol rules: those
// are in handler and tokens. The admin API is in adminapi, the command in command.
package caddymodule

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/gatehouse-auth/gatehouse/caddymodule/events"
	_ "github.com/gatehouse-auth/gatehouse/caddymodule/webhook" // registers it
	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/handler/site"
	"github.com/gatehouse-auth/gatehouse/tokens/dpop"
	"github.com/gatehouse-auth/gatehouse/tokens/logout"
	"github.com/gatehouse-auth/gatehouse/tokens/people"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
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

	// Groups of people, for rules that say who may do what. A name that a provider sends counts
	// for nothing until a group takes it, or its login has `groups_as_sent`; groups of local users
	// count as they are. Default: none.
	Groups []*Group `json:"groups,omitempty"`

	// The APIs that access tokens are made for. Default: none; the tokens are then
	// good for `/userinfo` only.
	APIs []*API `json:"apis,omitempty"`

	// The applications that may ask for tokens. Default: none.
	Clients []*Client `json:"clients,omitempty"`

	// How programs may register themselves as clients, as MCP clients do. Default: not at all
	ClientRegistration *ClientRegistration `json:"client_registration,omitempty"`

	// Which clients are known by the metadata that they publish at their client_id, as MCP
	// clients do. Default: none
	ClientDocuments *ClientDocuments `json:"client_documents,omitempty"`

	ctx          caddy.Context
	log          *zap.Logger
	secrets      []string      // resolved
	store        StoreModule   // guest of oauth.stores
	logins       []login.Login // of the guests of oauth.logins
	loginModules []LoginModule
	logouts      *logout.Sender    // nil where no client is told of sign-outs
	written      []anyLogin        // the logins, as LoginsRaw had them
	people       *people.Directory // nil where the configuration speaks of no groups
	emitter      *events.Emitter
	observer     *events.Observer
	backend      *backend // see backend.go; nil for an unconfigured app
	issuerKeys   *issuerKeys
	verified     *verify.Cache // of an unconfigured app
	proofs       *dpop.Proofs
	streams      *sharedStreams
	guards       *guards
	sites        map[string]*site.Site // of the guards, by origin; nil until they are bound
	servers      map[*caddyhttp.Server]bool // that have a handler of ours; see warnProxies
}

// CaddyModule returns the Caddy module information.
func (App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "oauth",
		New: func() caddy.Module { return new(App) },
	}
}

// unconfigured reports whether nobody has configured the app. Caddy makes such a one for
// guards that take the tokens of other issuers alone: it issues no tokens and has no store.
func (a *App) unconfigured() bool { return a.backend == nil }
