package caddymodule

import (
	"slices"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// Client is an application that asks for tokens.
type Client struct {
	// The client_id. Default: none, it is required.
	ID string `json:"id,omitempty"`

	// What people read on the consent page. Default: the ID
	Name string `json:"name,omitempty"`

	// What kind of application it is. `spa` runs in a browser and `native` on a
	// device: they can keep no secret. `web` runs on a server, and `machine` too,
	// but without users. Default: none, it is required.
	Type string `json:"type,omitempty"`

	// Where answers to authorization requests may go, compared byte for byte.
	// They are https URLs; `web` and `spa` clients may use http on localhost, and
	// `native` clients http on localhost or a loopback address (the port may then
	// vary) or their own scheme, in the capitals that the application uses. Default: none; all but `machine` clients and those with
	// `device_code` require one.
	RedirectURIs []string `json:"redirect_uris,omitempty"`

	// Where a person may be sent after a logout. Default: none.
	LogoutURIs []string `json:"logout_uris,omitempty"`

	// Where it is told that the session of a person has ended, by a logout token that this
	// gateway posts there (OpenID Connect Back-Channel Logout): an https URL of its server, which
	// may be at a private address. Default: it is not told.
	BackChannelLogoutURI string `json:"backchannel_logout_uri,omitempty"`

	// Whether it may ask for tokens from a device that has no browser, such as a
	// television or a terminal: the device shows a code, and a person lets it in at
	// `/activate` (RFC 8628). For `native` and `web` clients. Default: false
	DeviceCode bool `json:"device_code,omitempty"`

	// Whether redirect and logout URIs, the one of back-channel logout, and origins may be http at other machines than
	// this one, such as a container of the same compose file or a host of the LAN.
	// Whoever is on that network can read codes, so it is for tests. Default: false
	InsecureRedirects bool `json:"insecure_redirects,omitempty"`

	// The browser origins whose scripts may call the token endpoint; those of an
	// app in a web view or of a browser's extension, too, such as
	// `capacitor://localhost` and `chrome-extension://<id>`. Default: the
	// origins of the redirect URIs for a `spa`, none for the others.
	Origins []string `json:"origins,omitempty"`

	// The identifiers of the APIs it may ask for. Default: none.
	APIs []string `json:"apis,omitempty"`

	// The scopes, of those APIs, that it may ask for. Default: all of them.
	Scopes []string `json:"scopes,omitempty"`

	// The scopes, of those APIs, that it gets where it asks for none of an API's, as some MCP clients do. Default: none.
	DefaultScopes []string `json:"default_scopes,omitempty"`

	// The names of the logins by which people may sign in to it. Default: all of them
	Logins []string `json:"logins,omitempty"`

	// Who may sign in to it, by groups: of each list, a person has to be in one. It is decided
	// at sign-in and at every refresh. Default: everybody
	For [][]string `json:"for,omitempty"`

	// The identifiers of the APIs that it serves, for `web` and `machine` clients that are
	// resource servers: it may introspect their access tokens, whoever they were issued
	// to. A `machine` client may do so for its apis, too. Default: none.
	Serves []string `json:"serves,omitempty"`

	// Let a `web` client ask for tokens for itself, without a person, by the client
	// credentials grant, as every `machine` client may. Default: false
	ClientCredentials bool `json:"client_credentials,omitempty"`

	// Hashes of the client's secret, for `web` and `machine` clients; several
	// while a secret is changed. They are bcrypt, argon2id, or the `sha256:` form that
	// `caddy oauth secret` prints with a generated secret; or `{env.NAME}` or
	// `{file.PATH}` with such a hash. Default: none; `web` and `machine` require one, or a key.
	SecretHashes []string `json:"secret_hashes,omitempty"`

	// Public keys of the client, for `web` and `machine` clients that authenticate
	// by a signed assertion (private_key_jwt) instead of a secret; several while
	// a key is changed. Each is PEM text, a JWK or a JWK set; or `{file.PATH}` or
	// `{env.NAME}` with such a text. Default: none.
	PublicKeys []string `json:"public_keys,omitempty"`

	// Where such a client publishes its keys as a JWK set, an https URL that is
	// fetched in the background; beside public keys or instead of them. Default: none.
	JWKSURI string `json:"jwks_uri,omitempty"`

	// Let the JWK set be at a private, loopback or link-local address, and at an
	// http URL on localhost. Default: false
	JWKSAllowPrivate bool `json:"jwks_allow_private,omitempty"`

	// The algorithm that the client signs its assertions with; others are
	// refused. Default: the one of each key, and RS256 for RSA keys that name none.
	AssertionAlgorithm string `json:"assertion_algorithm,omitempty"`

	// Take only assertions whose audience is the issuer, and not those for the URL of the
	// endpoint that is called, as many libraries write it. It is for a client that works
	// with other authorization servers, too, which may not all be honest. Default: false
	AssertionAudienceIssuer bool `json:"assertion_audience_issuer,omitempty"`

	// When a person is asked whether the client may go on. `always` is for the applications of
	// others: a person is asked once, later only for what is new, and each time where any
	// software on the device can claim the redirect URI. `auto` is for your own: it asks
	// only where a session would otherwise answer silently for a client whose redirect URI can be claimed so
	// (RFC 8252 §8.6). `never` asks for nothing, but where the client itself wants it
	// (`prompt=consent`). See docs/clients.md, "Consent". Default: auto
	Consent string `json:"consent,omitempty"`

	// Whether the client gets refresh tokens and ID tokens as OpenID Connect
	// says. When false, `offline_access` counts only with an audience, as for Auth0's
	// older clients. Default: true
	OIDCConformant *bool `json:"oidc_conformant,omitempty"`

	// Whether a `web` client has to use PKCE, as all others must. Without this it may
	// go without, as many libraries for servers do by default: then its secret or key alone
	// protects a stolen code. Where it sends a challenge, that is demanded. Default: false
	PKCERequired bool `json:"pkce_required,omitempty"`

	// The algorithm of this client's ID tokens. Default: the one of Signing
	IDTokenAlgorithm string `json:"id_token_algorithm,omitempty"`

	// How its refresh tokens live. Default: as RefreshToken says.
	RefreshToken *RefreshToken `json:"refresh_token,omitempty"`

	// Whether each of its token requests has to come with a DPoP proof, so that all
	// its tokens are bound to its key (RFC 9449). Without this it may send proofs. Default: false
	DPoPRequired bool `json:"dpop_required,omitempty"`

	// What its TLS client certificate is for (RFC 8705). Default: nothing
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
