package caddymodule

import (
	"errors"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens"
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
	// `native` clients http on a loopback address (the port may then vary) or
	// their own scheme. Default: none; all but `machine` clients and those with
	// `device_code` require one.
	RedirectURIs []string `json:"redirect_uris,omitempty"`

	// Where a person may be sent after a logout. Default: none.
	LogoutURIs []string `json:"logout_uris,omitempty"`

	// Whether it may ask for tokens from a device that has no browser, such as a
	// television or a terminal: the device shows a code, and a person lets it in at
	// `/activate` (RFC 8628). For `native` and `web` clients. Default: false
	DeviceCode bool `json:"device_code,omitempty"`

	// The browser origins whose scripts may call the token endpoint. Default: the
	// origins of the redirect URIs for a `spa`, none for the others.
	Origins []string `json:"origins,omitempty"`

	// The identifiers of the APIs it may ask for. Default: none.
	APIs []string `json:"apis,omitempty"`

	// The scopes, of those APIs, that it may ask for. Default: all of them.
	Scopes []string `json:"scopes,omitempty"`

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

	// When a person is asked whether the client may go on: `always`, `never` or `auto`,
	// which asks when a session would otherwise answer silently for a client whose
	// redirect URI any software on the device can claim (RFC 8252 §8.6). Default: auto
	Consent string `json:"consent,omitempty"`

	// Whether the client gets refresh tokens and ID tokens as OpenID Connect
	// says. When false, `offline_access` counts only with an audience, as for Auth0's
	// older clients. Default: true
	OIDCConformant *bool `json:"oidc_conformant,omitempty"`

	// Whether the client must use PKCE. Only `web` clients may leave it away, and
	// only for an SDK that cannot: Auth0's for Java servlets. What remains against a
	// stolen code is the client's secret. Default: true
	PKCE *bool `json:"pkce,omitempty"`

	// The algorithm of this client's ID tokens. Default: the one of Signing
	IDTokenAlgorithm string `json:"id_token_algorithm,omitempty"`

	// How its refresh tokens live. Default: as RefreshToken says.
	RefreshToken *RefreshToken `json:"refresh_token,omitempty"`

	// Whether each of its token requests has to come with a DPoP proof, so that all
	// its tokens are bound to its key (RFC 9449). Without this it may send proofs. Default: false
	DPoPRequired bool `json:"dpop_required,omitempty"`

	// What its TLS client certificate is for (RFC 8705). Default: nothing
	MTLS *ClientMTLS `json:"mtls,omitempty"`

	hashes []string          // SecretHashes, resolved
	keys   tokens.ClientKeys // PublicKeys, resolved, and those at JWKSURI
}

// The word of ConsentAuto in a configuration.
const consentAuto = "auto"

// block names the client in errors.
func (c *Client) block() string { return title("client", c.ID) }

// Check finds what the text shows to be wrong, as far as the client alone goes.
func (c *Client) Check() error {
	if err := checkClientID(c.ID); err != nil {
		return wrong("", "%s", err)
	}
	return firstOf(c.checkType, c.checkURIs, c.checkMTLS, c.checkSecrets, c.checkKeys, c.checkWords, c.checkRefresh)
}

// checkClientID checks a client_id. A bar would let a machine's subject,
// `<client_id>@clients`, be a user's, `<login>|<id>`.
func checkClientID(id string) error {
	switch {
	case id == "":
		return errors.New("the client_id is empty: write one, such as my-app")
	case strings.ContainsAny(id, "{}"):
		return errors.New("the client_id holds a placeholder, which is not replaced here: write it out")
	case strings.Contains(id, "*"):
		return errors.New("the client_id has a wildcard: write one client for each")
	case strings.Contains(id, "|"):
		return errors.New("the client_id has a bar, which separates the parts of a user's name: leave it out")
	case !tokens.ValidScope(id):
		return errors.New("the client_id may have neither spaces nor quotes, only printable ASCII (RFC 6749 appendix A.1): write one, such as my-app")
	}
	return nil
}

func (c *Client) kind() tokens.ClientType { return tokens.ClientType(c.Type) }

// checkType checks the type and the options that do not go with it.
func (c *Client) checkType() error {
	switch c.kind() {
	case tokens.ClientSPA, tokens.ClientNative, tokens.ClientWeb:
		if c.DeviceCode && c.kind() == tokens.ClientSPA {
			return wrong("device_code", "`type spa` runs in a browser, where people can sign in at once: leave it out, or write `type native`")
		}
		if len(c.RedirectURIs) == 0 && !c.DeviceCode {
			return wrong("", "`type %s` needs redirect_uris: write where it takes its answers, such as `redirect_uris https://app.example.com/callback`", c.Type)
		}
		return nil
	case tokens.ClientMachine:
		return c.checkMachine()
	case "":
		return wrong("", "it needs a type: write `type spa`, `native`, `web` or `machine`")
	}
	return wrong("type", "%q is not known: write spa (in a browser), native (on a device), web (on a server) or machine (without users)", c.Type)
}

// checkMachine refuses what needs users.
func (c *Client) checkMachine() error {
	unfit := []struct {
		option string
		given  bool
	}{
		{"redirect_uris", len(c.RedirectURIs) > 0},
		{"logout_uris", len(c.LogoutURIs) > 0},
		{"device_code", c.DeviceCode},
		{"origins", len(c.Origins) > 0},
		{"consent", c.Consent != ""},
		{"oidc_conformant", c.OIDCConformant != nil},
		{"pkce", c.PKCE != nil},
		{"id_token_algorithm", c.IDTokenAlgorithm != ""},
		{"refresh_token", c.RefreshToken != nil},
	}
	for _, u := range unfit {
		if u.given {
			return wrong(u.option, "`type machine` has no users: leave it out, or write `type web`")
		}
	}
	if len(c.APIs) == 0 {
		return wrong("", "`type machine` needs apis: without one there is nothing it could ask for")
	}
	return nil
}

func (c *Client) checkURIs() error {
	check := func(uri string) error { return checkRedirect(uri, c.kind()) }
	if err := checkEach("redirect_uris", c.RedirectURIs, check); err != nil {
		return err
	}
	if err := checkEach("logout_uris", c.LogoutURIs, check); err != nil {
		return err
	}
	return checkEach("origins", c.Origins, checkOrigin)
}

func (c *Client) checkWords() error {
	switch c.Consent {
	case "", consentAuto, string(tokens.ConsentAlways), string(tokens.ConsentNever):
	default:
		return wrong("consent", "%q is not known: write always, never or auto", c.Consent)
	}
	if err := checkAlgorithm("id_token_algorithm", c.IDTokenAlgorithm); err != nil {
		return err
	}
	if c.PKCE != nil && !*c.PKCE && c.kind() != tokens.ClientWeb {
		return wrong("pkce", "`type %s` has no secret to protect its codes, so it needs PKCE (RFC 9700 §2.1.1): leave it on", c.Type)
	}
	noCheck := func(string) error { return nil }
	if err := checkEach("apis", c.APIs, noCheck); err != nil {
		return err
	}
	return checkEach("scopes", c.Scopes, func(scope string) error {
		if slices.Contains(tokens.ReservedScopes, scope) {
			return errors.New("may be asked for by every client: leave it out; only the scopes of APIs are limited here")
		}
		return checkAPIScope(scope)
	})
}

func (c *Client) checkRefresh() error {
	if !c.RefreshToken.rotation() && c.kind() != tokens.ClientWeb {
		return within("refresh_token", wrong("rotation", "`type %s` can keep no secret, so its refresh tokens have to rotate (RFC 9700 §4.14.2): leave it on", c.Type))
	}
	if err := c.RefreshToken.Check(); err != nil {
		return within("refresh_token", err)
	}
	return within("refresh_token", c.checkCookieClient())
}

// checkAPIs checks what the client may ask for against the APIs there are.
func (c *Client) checkAPIs(apis []*API) error {
	var scopes []string
	for _, id := range c.APIs {
		i := slices.IndexFunc(apis, func(a *API) bool { return a.Identifier == id })
		if i < 0 {
			return wrongValue("apis", id, "is not configured: %s", knownAPIs(apis))
		}
		scopes = append(scopes, apis[i].Scopes...)
	}
	for _, scope := range c.Scopes {
		if !slices.Contains(scopes, scope) {
			return wrongValue("scopes", scope, "is no scope of the client's apis: add it to one of them, or leave it out")
		}
	}
	return nil
}

func knownAPIs(apis []*API) string {
	if len(apis) == 0 {
		return "there is no api block yet; add one"
	}
	ids := make([]string, len(apis))
	for i, a := range apis {
		ids[i] = a.Identifier
	}
	return "write an api block for it, or one of " + strings.Join(ids, ", ")
}

// origins returns the browser origins of the client.
func (c *Client) origins() []string {
	if len(c.Origins) > 0 || c.kind() != tokens.ClientSPA {
		return c.Origins
	}
	var origins []string
	for _, uri := range c.RedirectURIs {
		if origin := tokens.OriginOf(uri); !slices.Contains(origins, origin) {
			origins = append(origins, origin)
		}
	}
	return origins
}

// core returns the client as the core has it.
func (c *Client) core() *tokens.Client {
	name, consent := c.Name, tokens.ConsentMode(c.Consent)
	if name == "" {
		name = c.ID
	}
	if consent == consentAuto {
		consent = tokens.ConsentAuto
	}
	return &tokens.Client{
		ID:             c.ID,
		Name:           name,
		Type:           c.kind(),
		RedirectURIs:   c.RedirectURIs,
		DeviceCode:     c.DeviceCode,
		LogoutURIs:     c.LogoutURIs,
		Origins:        c.origins(),
		APIs:           c.APIs,
		Scopes:         c.Scopes,
		SecretHashes:   c.hashes,
		Keys:           c.keys,
		WithoutPKCE:    c.PKCE != nil && !*c.PKCE,
		OIDCConformant: c.OIDCConformant == nil || *c.OIDCConformant,
		Consent:        consent,
		IDTokenAlg:     c.IDTokenAlgorithm,
		Refresh:        c.RefreshToken.core(),

		TLS:              c.coreTLS(),
		DPoPRequired:     c.DPoPRequired,
		CertificateBound: c.certificateBound(),
	}
}
