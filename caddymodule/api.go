package caddymodule

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

const (
	defaultAccessTokenLifetime = 10 * time.Minute
	minAccessTokenLifetime     = 10 * time.Second
	maxAccessTokenLifetime     = 24 * time.Hour
)

// API is a resource server behind `bearer_auth`. Each access token is for one API.
type API struct {
	// The identifier of the API, which becomes the audience of its access tokens. It is usually
	// a URL, but nothing is fetched from it. Default: none, it is required.
	Identifier string `json:"identifier,omitempty"`

	// The scopes that clients can request. Default: none.
	Scopes []string `json:"scopes,omitempty"`

	// Details of some of these scopes: who can get them, and the text that people see when they
	// are asked to agree. Default: nothing
	ScopeDetails []*ScopeDetail `json:"scope_details,omitempty"`

	// What access tokens for this API say about the person in addition to `sub` (RFC 9068
	// §2.2.3): names of claims, such as `email`, and `groups` for the groups that the person is
	// in. Default: nothing
	TokenClaims []string `json:"token_claims,omitempty"`

	// Whether requests that name no API are for this one, if the client can use it. At most one
	// API can be the default. Without a default, a person's tokens from such requests are good
	// for `/userinfo` only. Default: false
	Default bool `json:"default,omitempty"`

	// Whether clients that request the scope `offline_access` get refresh tokens for this API.
	// Default: false
	AllowOfflineAccess bool `json:"allow_offline_access,omitempty"`

	// How long an access token is valid, from 10s to 24h. Default: 10m
	AccessTokenLifetime caddy.Duration `json:"access_token_lifetime,omitempty"`

	// The format of access tokens, for APIs that verify tokens themselves. With `rfc9068`, the
	// type is `at+jwt` and `client_id` names the client. With `auth0`, tokens look like Auth0's
	// own, with the type `JWT` and `azp`, which many libraries expect. `bearer_auth` and
	// introspection accept both. Default: rfc9068
	TokenProfile string `json:"token_profile,omitempty"`

	// The algorithm that signs access tokens for this API. Default: `access_token_algorithm` of
	// `signing`, or RS256 with the profile `auth0`
	SigningAlgorithm string `json:"signing_algorithm,omitempty"`
}

// The words of clients.TokenProfile in a configuration.
const (
	profileRFC9068 = "rfc9068"
	profileAuth0   = string(clients.ProfileAuth0)
)

// block names the API in errors.
func (a *API) block() string { return grammar.Title("api", a.Identifier) }

func (a *API) options() grammar.Options {
	return grammar.Options{
		"scopes":                grammar.List(&a.Scopes),
		"scope":                 {Read: a.readScope, Many: true},
		"token_claims":          grammar.List(&a.TokenClaims),
		"default":               grammar.Flag(&a.Default),
		"allow_offline_access":  grammar.Flag(&a.AllowOfflineAccess),
		"access_token_lifetime": grammar.Duration(&a.AccessTokenLifetime),
		"token_profile":         grammar.String(&a.TokenProfile),
		"signing_algorithm":     grammar.String(&a.SigningAlgorithm),
	}
}

// Check finds what the text shows to be wrong.
func (a *API) Check() error {
	if err := checkIdentifier(a.Identifier); err != nil {
		return grammar.Wrong("", "%s", err)
	}
	if err := checkEach("scopes", a.Scopes, checkAPIScope); err != nil {
		return err
	}
	if err := a.checkScopeDetails(); err != nil {
		return err
	}
	if err := checkEach("token_claims", a.TokenClaims, checkTokenClaim); err != nil {
		return err
	}
	if l := a.accessTokenLifetime(); l < minAccessTokenLifetime || l > maxAccessTokenLifetime {
		return grammar.Wrong("access_token_lifetime", "%s is out of range: take %s to %s", grammar.ShowDuration(l), grammar.ShowDuration(minAccessTokenLifetime), grammar.ShowDuration(maxAccessTokenLifetime))
	}
	switch a.TokenProfile {
	case "", profileRFC9068, profileAuth0:
	default:
		return grammar.Wrong("token_profile", "%q is not known: write rfc9068 (type at+jwt) or auth0 (type JWT, RS256)", a.TokenProfile)
	}
	return checkAlgorithm("signing_algorithm", a.SigningAlgorithm)
}

// checkIdentifier checks the identifier of an API. See RFC 8707 §2.
func checkIdentifier(id string) error {
	switch {
	case id == "":
		return errors.New("the identifier is empty: write what `audience` names, such as https://api.example.com")
	case strings.Contains(id, "*"):
		return errors.New("the identifier has a wildcard: an audience is compared exactly; write one API for each")
	case strings.ContainsAny(id, "{}"):
		return errors.New("the identifier holds a placeholder, which is not replaced here: write it out")
	case strings.Contains(id, "#"):
		return errors.New("the identifier has a fragment: leave out everything from the # on (RFC 8707 §2)")
	case !oauth.ValidScope(id):
		return errors.New("the identifier may have neither spaces nor quotes, only printable ASCII: write it as https://api.example.com")
	}
	return nil
}

// checkAPIScope checks a scope that an API defines. See RFC 6749 §3.3.
func checkAPIScope(scope string) error {
	switch {
	case !oauth.ValidScope(scope):
		return errors.New("is not a scope: it may have neither spaces nor quotes, only printable ASCII")
	case slices.Contains(reservedScopes, scope):
		return errors.New("belongs to OpenID Connect, and every client may ask for it: leave it out")
	case strings.Contains(scope, "*"):
		return errors.New("has a wildcard: scopes are compared exactly; write out each")
	}
	return nil
}

// reservedScopes are the scopes that an API cannot define: those of the
// gateway, and the others of OpenID Connect Core §5.4.
var reservedScopes = append(slices.Clone(oauth.ReservedScopes), "address", "phone")

func (a *API) accessTokenLifetime() time.Duration {
	return cmp.Or(time.Duration(a.AccessTokenLifetime), defaultAccessTokenLifetime)
}

// signingAlgorithm returns that of its access tokens, "" for the one of Signing.
func (a *API) signingAlgorithm() jose.Algorithm {
	if a.SigningAlgorithm == "" && a.TokenProfile == profileAuth0 {
		return jose.RS256
	}
	return jose.Algorithm(a.SigningAlgorithm)
}

// core returns the API as the core has it.
func (a *API) core() *clients.API {
	profile := clients.ProfileRFC9068
	if a.TokenProfile == profileAuth0 {
		profile = clients.ProfileAuth0
	}
	api := &clients.API{
		Identifier:          a.Identifier,
		Scopes:              a.Scopes,
		Default:             a.Default,
		AllowOfflineAccess:  a.AllowOfflineAccess,
		AccessTokenLifetime: a.accessTokenLifetime(),
		Profile:             profile,
		SigningAlg:          a.signingAlgorithm(),
		TokenClaims:         a.TokenClaims,
	}
	a.addDetails(api)
	return api
}
