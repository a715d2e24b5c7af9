package caddymodule

import (
	"fmt"
	"maps"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/handler/upstream"
)

func init() {
	caddy.RegisterModule(OIDCLogin{})
}

// OIDCLogin lets people sign in at an OpenID provider: Entra, Google, Keycloak, Okta, or any
// other that supports OpenID Connect. The Caddyfile's presets, such as `login google`, are this
// module with options that fit the provider; docs/logins.md has a block for each.
//
// People are identified only by the name of this login and the provider's ID for them. Somebody
// who signs in through two logins is two people.
type OIDCLogin struct {
	ProviderLogin
	ProviderAuth

	// The provider's issuer, exactly as it appears in its discovery document and its ID tokens.
	// `{tenantid}` in it stands for each of the `tenants`. Default: none, it is required.
	Issuer string `json:"issuer,omitempty"`

	// Another issuer that the provider's ID tokens and responses can name, such as Google's
	// `accounts.google.com`. Default: none.
	IssuerAlias string `json:"issuer_alias,omitempty"`

	// The Entra tenants whose people can sign in, if the issuer contains `{tenantid}`. Default:
	// none.
	Tenants []string `json:"tenants,omitempty"`

	// The scopes to request. Default: openid profile email, and offline_access if `recheck` is
	// set and the provider needs it for that
	Scopes []string `json:"scopes,omitempty"`

	// More parameters for the authorization request, such as `domain_hint`. Default: none.
	Parameters map[string]string `json:"parameters,omitempty"`

	// How the provider responds: `query`, or `form_post` if the provider requires it. Default:
	// query
	ResponseMode string `json:"response_mode,omitempty"`

	// Whether to omit PKCE, for a provider that fails with it. Default: false
	NoPKCE bool `json:"no_pkce,omitempty"`

	// Whether to do without a nonce, for a provider that leaves it out of its ID tokens.
	// Default: false
	NoNonce bool `json:"no_nonce,omitempty"`

	// Whether to accept responses without the `iss` that the provider announces (RFC 9207). If
	// `iss` is present, it is always checked. Default: false
	NoIssuerCheck bool `json:"no_issuer_check,omitempty"`

	// The values of `prompt` that the provider supports; `none` alone means that it supports no
	// others. An application is not promised what the provider cannot be asked for. Default:
	// all of OpenID Connect
	Prompts []string `json:"prompts,omitempty"`

	// Whether to never send `max_age`, for a provider that ignores or refuses it. Default:
	// false
	NoMaxAge bool `json:"no_max_age,omitempty"`

	// The algorithms of the provider's ID tokens. HS256 must stand alone, because its key is
	// the client's secret. Default: those that it announces and that have a public key.
	Algorithms []string `json:"algorithms,omitempty"`

	// The claims that identify a person permanently: the second half of the subject. The values
	// of several claims are joined with dots. If you change the claims, everybody becomes a
	// different person. Default: sub
	Subject []string `json:"subject,omitempty"`

	// Whether to treat every address as verified. Use it only for your own directory, if nobody
	// else can enter an address there. Default: false, only what the provider calls verified
	EmailTrusted bool `json:"email_trusted,omitempty"`

	// The claims that contain groups; a dot steps into an object. Default: groups, and none if
	// the provider is known to have no groups
	GroupsClaims []string `json:"groups_claims,omitempty"`

	// Whether to ask Microsoft Graph for a person's groups if there are too many for an ID
	// token. The app registered there needs a Graph permission for this. Default: false
	GroupsOverage bool `json:"groups_overage,omitempty"`

	// More claims to keep: the name here, then the provider's name; a dot steps into an object.
	// Default: none.
	Claims map[string]string `json:"claims,omitempty"`

	// The names here for the provider's values of `acr`: the name here, then the provider's.
	// All others are left out. Default: none.
	ACRs map[string]string `json:"acrs,omitempty"`

	// Whether people who sign out here are also signed out at the provider. They come back
	// through `<issuer>/signed-out/<name>`, which you must register there. Default: false
	LogoutUpstream bool `json:"logout_upstream,omitempty"`

	// Whether to never call the provider's userinfo endpoint. Default: false
	NoUserinfo bool `json:"no_userinfo,omitempty"`

	// Addresses to use instead of those that the provider announces. Default: none.
	Endpoints *LoginEndpoints `json:"endpoints,omitempty"`

	oidc *upstream.OIDC
}

// LoginEndpoints are addresses of a provider, for example if this gateway reaches it under a
// different name.
type LoginEndpoints struct {
	// Where people sign in. Default: as announced
	Authorization string `json:"authorization,omitempty"`

	// Where codes are exchanged. Default: as announced
	Token string `json:"token,omitempty"`

	// Where claims are requested. Default: as announced
	Userinfo string `json:"userinfo,omitempty"`

	// Where the provider's keys are. Default: as announced
	JWKS string `json:"jwks,omitempty"`

	// Where people sign out. Default: as announced
	EndSession string `json:"end_session,omitempty"`
}

// named are the endpoints by their words in the Caddyfile.
func (e *LoginEndpoints) named() map[string]*string {
	return map[string]*string{
		"authorization": &e.Authorization, "token": &e.Token, "userinfo": &e.Userinfo, "jwks": &e.JWKS, "end_session": &e.EndSession,
	}
}

// CaddyModule returns the Caddy module information.
func (OIDCLogin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "oauth.logins.oidc",
		New: func() caddy.Module { return new(OIDCLogin) },
	}
}

// options are the words of the login's block.
func (l *OIDCLogin) options() grammar.Options {
	options := l.providerOptions()
	maps.Copy(options, l.authOptions())
	maps.Copy(options, grammar.Options{
		"issuer_alias":    grammar.String(&l.IssuerAlias),
		"tenants":         grammar.List(&l.Tenants),
		"scopes":          grammar.List(&l.Scopes),
		"parameter":       pairs("<name> <value>", &l.Parameters),
		"response_mode":   grammar.String(&l.ResponseMode),
		"pkce":            grammar.Keyword("off", &l.NoPKCE),
		"nonce":           grammar.Keyword("off", &l.NoNonce),
		"issuer_check":    grammar.Keyword("off", &l.NoIssuerCheck),
		"prompts":         grammar.List(&l.Prompts),
		"max_age":         grammar.Keyword("off", &l.NoMaxAge),
		"algorithms":      grammar.List(&l.Algorithms),
		"subject":         grammar.List(&l.Subject),
		"email":           grammar.Keyword("trusted", &l.EmailTrusted),
		"groups_claim":    grammar.List(&l.GroupsClaims),
		"groups_overage":  grammar.Keyword("graph", &l.GroupsOverage),
		"claim":           pairs("<ours> <theirs>", &l.Claims),
		"acr":             pairs("<ours> <theirs>", &l.ACRs),
		"logout_upstream": grammar.Flag(&l.LogoutUpstream),
		"userinfo":        grammar.Keyword("off", &l.NoUserinfo),
		"endpoint":        grammar.Args("<which> <url>", l.setEndpoint).Repeated(),
	})
	return options
}

// pairs is an option that gives something another name, and may be repeated.
func pairs(usage string, target *map[string]string) grammar.Option {
	return grammar.Args(usage, func(args []string) error {
		if _, taken := (*target)[args[0]]; taken {
			return fmt.Errorf("%q is there before: keep one", args[0])
		}
		if *target == nil {
			*target = make(map[string]string)
		}
		(*target)[args[0]] = args[1]
		return nil
	}).Repeated()
}

func (l *OIDCLogin) setEndpoint(args []string) error {
	if l.Endpoints == nil {
		l.Endpoints = new(LoginEndpoints)
	}
	endpoint, ok := l.Endpoints.named()[args[0]]
	if !ok {
		return fmt.Errorf("%q is not known: write one of authorization, token, userinfo, jwks, end_session", args[0])
	}
	*endpoint = args[1]
	return nil
}
