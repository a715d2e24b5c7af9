package caddymodule

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
	// their own scheme. Default: none; all types but `machine` require one.
	RedirectURIs []string `json:"redirect_uris,omitempty"`

	// Where a person may be sent after a logout. Default: none.
	LogoutURIs []string `json:"logout_uris,omitempty"`

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
	// `{file.PATH}` with such a hash. Default: none; `web` and `machine` require one.
	SecretHashes []string `json:"secret_hashes,omitempty"`

	// When a person is asked whether the client may go on: `always`, `never` or `auto`,
	// which asks when a session would otherwise answer silently for a client whose
	// redirect URI any software on the device can claim (RFC 8252 §8.6). Default: auto
	Consent string `json:"consent,omitempty"`

	// Whether the client gets refresh tokens and ID tokens as OpenID Connect
	// says. When false, `offline_access` counts only with an audience, as for Auth0's
	// older clients. Default: true
	OIDCConformant *bool `json:"oidc_conformant,omitempty"`

	// The algorithm of this client's ID tokens. Default: the one of Signing
	IDTokenAlgorithm string `json:"id_token_algorithm,omitempty"`

	// How its refresh tokens live. Default: as RefreshToken says.
	RefreshToken *RefreshToken `json:"refresh_token,omitempty"`

	hashes []string // SecretHashes, resolved
}
