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

// OIDCLogin lets people sign in at an OpenID provider: Entra, Google, Keycloak, Okta and any
// other that has OpenID Connect. The presets of the Caddyfile, such as `login google`, are
// this module with options that go with the provider; docs/logins.md has a block for each.
//
// People are known by the name of this login and by what the provider calls them, and by
// nothing else: somebody who comes by two logins is two people.
type OIDCLogin struct {
	ProviderLogin
	ProviderAuth

	// The provider's issuer, to the letter: what its discovery document and its ID
	// tokens have. `{tenantid}` in it stands for each of `tenants`. Default: none, it is required.
	Issuer string `json:"issuer,omitempty"`

	// Another issuer that its ID tokens and answers may name, such as `accounts.google.com`
	// of Google. Default: none.
	IssuerAlias string `json:"issuer_alias,omitempty"`

	// The tenants of Entra whose people may come in, where the issuer has `{tenantid}`. Default: none.
	Tenants []string `json:"tenants,omitempty"`

	// What is asked for. Default: openid profile email, and offline_access too where `recheck`
	// is set and the provider wants it for that
	Scopes []string `json:"scopes,omitempty"`

	// Further parameters of the authorization request, such as `domain_hint`. Default: none.
	Parameters map[string]string `json:"parameters,omitempty"`

	// How the provider answers: `query`, or `form_post` where it wants that. Default: query
	ResponseMode string `json:"response_mode,omitempty"`

	// Do without PKCE, for a provider that fails with it. Default: false
	NoPKCE bool `json:"no_pkce,omitempty"`

	// Do without a nonce, for a provider that leaves it out of its ID tokens. Default: false
	NoNonce bool `json:"no_nonce,omitempty"`

	// Take answers without the `iss` that the provider announces (RFC 9207). One that is
	// there is compared all the same. Default: false
	NoIssuerCheck bool `json:"no_issuer_check,omitempty"`

	// The values of `prompt` that the provider knows; `none` alone for no other. What it cannot
	// be asked for is not promised to an application. Default: all of OpenID Connect
	Prompts []string `json:"prompts,omitempty"`

	// Never send `max_age`, for a provider that ignores or refuses it. Default: false
	NoMaxAge bool `json:"no_max_age,omitempty"`

	// The algorithms of its ID tokens. HS256 stands alone: its key is the client's secret.
	// Default: those that it announces and that have a public key.
	Algorithms []string `json:"algorithms,omitempty"`

	// The claims that name a person for good: the second half of the subject. Of several the
	// texts are joined by a dot. With others they are other people. Default: sub
	Subject []string `json:"subject,omitempty"`

	// Take every address for verified, where the directory is the operator's own and nobody
	// can write an address into it but them. Default: false, only what the provider calls verified
	EmailTrusted bool `json:"email_trusted,omitempty"`

	// The claims that hold groups; a dot steps into an object. Default: groups, and none where
	// the provider is known to have no groups
	GroupsClaims []string `json:"groups_claims,omitempty"`

	// Ask Microsoft Graph for a person's groups where an ID token has too many of them. The app
	// there needs a permission of Graph for that. Default: false
	GroupsOverage bool `json:"groups_overage,omitempty"`

	// More claims to keep: our name, theirs; a dot steps into an object. Default: none.
	Claims map[string]string `json:"claims,omitempty"`

	// What the provider's values of `acr` are called here: our name, theirs. All others are
	// left out. Default: none.
	ACRs map[string]string `json:"acrs,omitempty"`

	// Who signs out here is signed out at the provider too, and comes back by
	// `<issuer>/signed-out/<name>`, which has to be registered there. Default: false
	LogoutUpstream bool `json:"logout_upstream,omitempty"`

	// Never ask its userinfo endpoint. Default: false
	NoUserinfo bool `json:"no_userinfo,omitempty"`

	// Addresses in the place of those that it announces. Default: none.
	Endpoints *LoginEndpoints `json:"endpoints,omitempty"`

	oidc *upstream.OIDC
}

// LoginEndpoints are addresses of a provider, as where this gateway reaches it by another name.
type LoginEndpoints struct {
	// Where people sign in. Default: as announced
	Authorization string `json:"authorization,omitempty"`

	// Where codes are exchanged. Default: as announced
	Token string `json:"token,omitempty"`

	// Where claims are asked for. Default: as announced
	Userinfo string `json:"userinfo,omitempty"`

	// Where its keys are. Default: as announced
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
