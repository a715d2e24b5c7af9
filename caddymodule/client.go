package caddymodule

import (
	"slices"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// Client is an application that requests tokens.
type Client struct {
	// The client_id. Default: none, it is required.
	ID string `json:"id,omitempty"`

	// The name that people see on the consent page. Default: the ID
	Name string `json:"name,omitempty"`

	// The kind of application. An `spa` runs in a browser, and a `native` application on a
	// device: neither can keep a secret. A `web` application runs on a server. A `machine` also
	// runs on a server, but has no users. Default: none, it is required.
	Type string `json:"type,omitempty"`

	// Where responses to authorization requests can go, compared byte for byte. They must be
	// https URLs, with these exceptions: `web` and `spa` clients can use http on localhost.
	// `native` clients can use http on localhost or a loopback address (the port can then
	// vary), or their own scheme, with the same uppercase and lowercase letters that the
	// application uses. Default: none; required for all but `machine` clients and those with
	// `device_code`.
	RedirectURIs []string `json:"redirect_uris,omitempty"`

	// Where people can be sent after they sign out. Default: none.
	LogoutURIs []string `json:"logout_uris,omitempty"`

	// Where the client is told that a person's session has ended. This gateway posts a logout
	// token there (OpenID Connect Back-Channel Logout). It must be an https URL of the client's
	// server, which may be at a private address. Default: it is not told.
	BackChannelLogoutURI string `json:"backchannel_logout_uri,omitempty"`

	// Whether the client can request tokens from a device without a browser, such as a
	// television or a terminal. The device shows a code, and a person approves it at
	// `/activate` (RFC 8628). For `native` and `web` clients. Default: false
	DeviceCode bool `json:"device_code,omitempty"`

	// Whether redirect URIs, logout URIs, the back-channel logout URI, and origins can use http
	// on other machines than this one, such as a container of the same compose file or a host
	// on the LAN. Anybody on that network can read codes, so use it only for tests. Default:
	// false
	InsecureRedirects bool `json:"insecure_redirects,omitempty"`

	// The browser origins whose scripts can call the token endpoint, including origins of an
	// app in a web view or of a browser extension, such as `capacitor://localhost` and
	// `chrome-extension://<id>`. Default: the origins of the redirect URIs for an `spa`, none
	// for the others.
	Origins []string `json:"origins,omitempty"`

	// The identifiers of the APIs that the client can request tokens for. Default: none.
	APIs []string `json:"apis,omitempty"`

	// The scopes of those APIs that the client can request. Default: all of them.
	Scopes []string `json:"scopes,omitempty"`

	// The scopes of those APIs that the client gets if it requests none of an API's scopes, as
	// some MCP clients do. Default: none.
	DefaultScopes []string `json:"default_scopes,omitempty"`

	// The names of the logins through which people can sign in to the client. Default: all of
	// them
	Logins []string `json:"logins,omitempty"`

	// Who can sign in to the client, by groups: a person must be in at least one group of each
	// list. Checked at sign-in and at every refresh. Default: everybody
	For [][]string `json:"for,omitempty"`

	// The identifiers of the APIs that this client serves, for `web` and `machine` clients that
	// are resource servers. The client can introspect access tokens of these APIs, no matter
	// which client they were issued to. A `machine` client can also do this for its `apis`.
	// Default: none.
	Serves []string `json:"serves,omitempty"`

	// Whether a `web` client can also request tokens for itself, without a person, with the
	// client credentials grant, as every `machine` client can. Default: false
	ClientCredentials bool `json:"client_credentials,omitempty"`

	// Hashes of the client's secret, for `web` and `machine` clients; several while a secret is
	// being changed. Each is a bcrypt or argon2id hash, the `sha256:` form that
	// `caddy oauth secret` prints with a generated secret, or `{env.NAME}` or `{file.PATH}`
	// with such a hash. Default: none; `web` and `machine` clients require one, or a key.
	SecretHashes []string `json:"secret_hashes,omitempty"`

	// Public keys of the client, for `web` and `machine` clients that authenticate with a
	// signed assertion (private_key_jwt) instead of a secret; several while a key is being
	// changed. Each is PEM text, a JWK, or a JWK set, or `{file.PATH}` or `{env.NAME}` with
	// such a text. Default: none.
	PublicKeys []string `json:"public_keys,omitempty"`

	// Where such a client publishes its keys as a JWK set: an https URL that is fetched in the
	// background. Use it together with public keys or instead of them. Default: none.
	JWKSURI string `json:"jwks_uri,omitempty"`

	// Whether the JWK set may be at a private, loopback, or link-local address, and at an http
	// URL on localhost. Default: false
	JWKSAllowPrivate bool `json:"jwks_allow_private,omitempty"`

	// The algorithm that the client signs its assertions with; others are refused. Default: the
	// one that each key names, and RS256 for RSA keys that name none.
	AssertionAlgorithm string `json:"assertion_algorithm,omitempty"`

	// Whether to accept only assertions whose audience is the issuer, and refuse those for the
	// URL of the called endpoint, which many libraries send. Use it for a client that also
	// works with other authorization servers, if they may not all be honest. Default: false
	AssertionAudienceIssuer bool `json:"assertion_audience_issuer,omitempty"`

	// When to ask a person whether the client may continue. `always` is for other people's
	// applications: a person is asked once, and later only about what is new. If any software
	// on the device can claim the redirect URI, the person is asked every time. `auto` is for
	// your own applications: a person is asked only if a session would otherwise silently
	// answer a client whose redirect URI can be claimed in this way (RFC 8252 §8.6). With
	// `never`, people are asked only if the client itself requests it (`prompt=consent`). See
	// docs/clients.md, "Consent". Default: auto
	Consent string `json:"consent,omitempty"`

	// Whether the client gets refresh tokens and ID tokens as OpenID Connect specifies. If
	// false, `offline_access` counts only together with an audience, as for Auth0's older
	// clients. Default: true
	OIDCConformant *bool `json:"oidc_conformant,omitempty"`

	// Whether a `web` client must use PKCE, as all other clients must. Otherwise it can omit
	// PKCE, as many server libraries do by default, and only its secret or key protects a
	// stolen code. If the client sends a challenge, the verifier is always required. Default:
	// false
	PKCERequired bool `json:"pkce_required,omitempty"`

	// The algorithm of this client's ID tokens. Default: `id_token_algorithm` of `signing`
	IDTokenAlgorithm string `json:"id_token_algorithm,omitempty"`

	// How long the client's refresh tokens last, and how they are used. Default: see
	// RefreshToken.
	RefreshToken *RefreshToken `json:"refresh_token,omitempty"`

	// Whether each of the client's token requests must come with a DPoP proof, so that all its
	// tokens are bound to its key (RFC 9449). Otherwise proofs are optional. Default: false
	DPoPRequired bool `json:"dpop_required,omitempty"`

	// What the client's TLS client certificate is used for (RFC 8705). Default: nothing
	MTLS *ClientMTLS `json:"mtls,omitempty"`

	hashes []string     // SecretHashes, resolved
	keys   clients.Keys // PublicKeys, resolved, and those at JWKSURI
}

// The word of ConsentAuto in a configuration.
const consentAuto = "auto"

// block names the client in errors.
func (c *Client) block() string { return grammar.Title("client", c.ID) }

func (c *Client) options() grammar.Options {
	return grammar.Options{
		"type":                   grammar.String(&c.Type),
		"name":                   grammar.String(&c.Name),
		"redirect_uris":          grammar.List(&c.RedirectURIs),
		"logout_uris":            grammar.List(&c.LogoutURIs),
		"backchannel_logout_uri": grammar.String(&c.BackChannelLogoutURI),
		"device_code":            grammar.Flag(&c.DeviceCode),
		"insecure_redirects":     grammar.Flag(&c.InsecureRedirects),
		"origins":                grammar.List(&c.Origins),
		"apis":                   grammar.List(&c.APIs),
		"scopes":                 grammar.List(&c.Scopes),
		"default_scopes":         grammar.List(&c.DefaultScopes),
		"logins":                 grammar.List(&c.Logins),
		"for":                    grammar.Lines(&c.For),
		"serves":                 grammar.List(&c.Serves),
		"client_credentials":     grammar.Flag(&c.ClientCredentials),
		"secret_hash":            grammar.List(&c.SecretHashes),
		"public_key":             grammar.List(&c.PublicKeys),
		"jwks_uri":               grammar.String(&c.JWKSURI),
		"jwks_allow_private":     grammar.Flag(&c.JWKSAllowPrivate),
		"assertion_algorithm":    grammar.String(&c.AssertionAlgorithm),
		"assertion_audience":     grammar.Keyword("issuer", &c.AssertionAudienceIssuer),
		"consent":                grammar.String(&c.Consent),
		"pkce":                   grammar.Keyword("required", &c.PKCERequired),
		"oidc_conformant":        grammar.Switch(&c.OIDCConformant),
		"id_token_algorithm":     grammar.String(&c.IDTokenAlgorithm),
		"dpop":                   grammar.Keyword("required", &c.DPoPRequired),
		"mtls":                   {Read: c.readMTLS},
		"refresh_token":          grammar.Block(&c.RefreshToken, (*RefreshToken).options),
	}
}

func (c *Client) kind() clients.Type { return clients.Type(c.Type) }

// confidential reports whether the client authenticates.
func (c *Client) confidential() bool {
	return c.kind() == clients.Web || c.kind() == clients.Machine
}

// hasKeys reports whether it can authenticate by private_key_jwt.
func (c *Client) hasKeys() bool { return len(c.PublicKeys) > 0 || c.JWKSURI != "" }

// origins returns the browser origins of the client.
func (c *Client) origins() []string {
	if len(c.Origins) > 0 || c.kind() != clients.SPA {
		return c.Origins
	}
	var origins []string
	for _, uri := range c.RedirectURIs {
		if origin := oauth.OriginOf(uri); !slices.Contains(origins, origin) {
			origins = append(origins, origin)
		}
	}
	return origins
}
