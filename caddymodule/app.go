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
	"github.com/gatehouse-auth/gatehouse/tokens/dpop"
	"github.com/gatehouse-auth/gatehouse/tokens/logout"
	"github.com/gatehouse-auth/gatehouse/tokens/people"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

func init() {
	caddy.RegisterModule(App{})
}

// App is an OAuth 2 and OpenID Connect authorization server: it signs people in, and issues,
// rotates, and revokes tokens. The handler `oauth_server` serves its endpoints, and the handler
// `bearer_auth` guards APIs with its tokens.
//
// `caddy validate` finds every mistake that the text of a configuration shows. It does not
// touch the store's files or the network.
type App struct {
	// The URL that identifies this authorization server, used exactly as you write it here
	// (Auth0's SDKs expect a slash at the end). The server derives every URL that it emits from
	// the issuer, never from a request. It must be an https URL; http works only on localhost.
	// Default: none, it is required.
	Issuer string `json:"issuer,omitempty"`

	// The issuer that this server had before, while its URL changes. A store belongs to one
	// issuer, because if two issuers shared a store, the tokens and sessions of one would be
	// valid at the other. With this option, the server opens the previous issuer's store and
	// takes it over. Every earlier access token is refused, and clients refresh. Remove the
	// line when every gateway has the new issuer. Default: none.
	PreviousIssuer string `json:"previous_issuer,omitempty"`

	// The secrets, at least 32 bytes each. The keys that protect refresh tokens, cookies, and
	// the stored signing keys are all derived from them. The first secret is used for
	// everything new, and all of them verify. To change a secret, deploy three times:
	// `old new`, then `new old`, then `new`. Write `{env.NAME}` or `{file.PATH}`, because a
	// literal secret ends up in the adapted JSON. To make one, run `openssl rand -base64 48`.
	// Default: a secret that is generated and kept beside the embedded database; other stores
	// need one.
	Secrets []string `json:"secrets,omitempty"`

	// Where refresh tokens, sessions, codes, revocations, and signing keys are kept. Default:
	// `bolt`, an embedded database in Caddy's data directory.
	StoreRaw json.RawMessage `json:"store,omitempty" caddy:"namespace=oauth.stores inline_key=module"`

	// How revoked access tokens are refused. Default: see Denylist.
	Denylist *Denylist `json:"denylist,omitempty"`

	// How much memory verified access tokens may take up, in bytes; in the Caddyfile, write a
	// unit. The signature of a token that is not in the cache is checked again. Default:
	// 134217728, which is `token_cache 128MiB`
	TokenCache int64 `json:"token_cache,omitempty"`

	// How clients prove that they hold the keys that their tokens are bound to. Default: see
	// DPoP.
	DPoP *DPoP `json:"dpop,omitempty"`

	// How tokens are signed. Default: see Signing.
	Signing *Signing `json:"signing,omitempty"`

	// How long people stay signed in at this server. Default: see Session.
	Session *Session `json:"session,omitempty"`

	// How the pages look. Default: see Theme.
	Theme *Theme `json:"theme,omitempty"`

	// The ways to sign in, in the order in which the login page shows them. Default: none; as
	// soon as a client has users, one is required.
	LoginsRaw []json.RawMessage `json:"logins,omitempty" caddy:"namespace=oauth.logins inline_key=module"`

	// Groups of people, for rules about who can do what. A group name from a provider counts
	// only if a group takes it, or if its login has `groups_as_sent`. Groups of local users
	// count as they are. Default: none.
	Groups []*Group `json:"groups,omitempty"`

	// The APIs that access tokens are issued for. Default: none; tokens are then good for
	// `/userinfo` only.
	APIs []*API `json:"apis,omitempty"`

	// The applications that can request tokens. Default: none.
	Clients []*Client `json:"clients,omitempty"`

	// How programs such as MCP clients can register themselves as clients. Default: not at all
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
