package caddymodule

import (
	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
)

// BearerIssuer is another issuer whose access tokens a guard accepts besides those of the
// `oauth` app: Auth0, Keycloak, Entra, Google, and others that sign JWTs. A token belongs to
// this issuer if its `iss` matches exactly, and is verified only with this issuer's keys.
//
// The keys are fetched in the background and shared by all routes. Requests wait for them only
// while the first fetch is in progress, and for two seconds at most. If an issuer cannot be
// reached, its last known keys are trusted for 24 hours. They are kept in Caddy's storage, so
// this holds even if Caddy restarts. Without keys, its tokens get a 503 with `Retry-After`.
//
// The denylist of the `oauth` app covers only the app's own tokens and is not consulted for
// those of others. Tokens of other issuers are valid until they expire: see `max_token_age`.
//
// A subject is unique only within its issuer. For tokens of other issuers,
// `{http.auth.user.id}`, a header mapped from `sub`, and a rule on `sub` therefore use
// `<iss>|<sub>`, unless `iss` is mapped or required as well. The placeholder
// `{http.auth.user.sub}` is the plain `sub`.
type BearerIssuer struct {
	// The `iss` of the tokens, which must match exactly. It must be an https URL, unless
	// `jwks_uri`, `jwks_file`, or `public_key` provides the keys; it can then be any text (RFC
	// 7519 §4.1.1). `{tenantid}` in it stands for each of the `tenants`. Default: none, it is
	// required.
	Issuer string `json:"issuer,omitempty"`

	// The https URL of the issuer's JWK set. Default: the one in its metadata, which is looked
	// up at `/.well-known/openid-configuration` after the issuer, or else at
	// `/.well-known/oauth-authorization-server` between its host and path.
	JWKSURI string `json:"jwks_uri,omitempty"`

	// A file with the issuer's keys, read again every minute: a JWK set, a JWK, or PEM blocks
	// of public keys or certificates. Only the key of a certificate is used. Default: none.
	JWKSFile string `json:"jwks_file,omitempty"`

	// The issuer's keys, written out in one of the formats of `jwks_file`, or `{env.NAME}` or
	// `{file.PATH}`. Default: none.
	PublicKey string `json:"public_key,omitempty"`

	// A header to send when fetching the keys and the metadata. It is sent only to the host of
	// `jwks_uri`, or else to the host of the issuer. Default: none.
	JWKSHeader *JWKSHeader `json:"jwks_header,omitempty"`

	// A PEM file of the CA certificates to trust for the server of the keys, instead of those
	// that the system trusts. It is read at each fetch. Default: none.
	CA string `json:"ca,omitempty"`

	// Whether the keys may be at a private, loopback, or link-local address, and at an http URL
	// there. Default: false
	AllowPrivate bool `json:"allow_private,omitempty"`

	// The Entra tenants whose tokens are accepted: the values that `{tenantid}` in the issuer
	// can have. They share the keys at `jwks_uri`; a key that Entra keeps for one tenant is
	// accepted only for that tenant. Default: none.
	Tenants []string `json:"tenants,omitempty"`

	// The accepted algorithms of the issuer's keys: ES256, ES384, ES512, EdDSA, RS256, RS384,
	// RS512, PS256, PS384, PS512. An RSA key that names no algorithm is used with the first of
	// these that begins with RS or PS. Default: those that its keys name, and RS256 for RSA
	// keys that name none.
	Algorithms []string `json:"algorithms,omitempty"`

	// A token type to accept in addition to `at+jwt`, for issuers that do not use it. With
	// `JWT`, tokens with this type or no type are accepted. ID tokens are refused if they can
	// be recognized; the audience keeps them out reliably. Default: none, only `at+jwt` is
	// accepted.
	Type string `json:"typ,omitempty"`

	// Whether to accept ID tokens, and access tokens that have claims of ID tokens: `nonce`,
	// `at_hash`, `c_hash`, `s_hash`. Logout tokens, DPoP proofs, and Keycloak's refresh tokens
	// are never accepted. Tokens of the type `at+jwt` do not need this option. Default: false
	AllowIDTokens bool `json:"allow_id_tokens,omitempty"`

	// What this issuer's tokens must be for, at least one of these, instead of the guard's own
	// audience. Default: the guard's audience.
	Audience []string `json:"audience,omitempty"`

	// The claims that name the audience, such as `client_id` for Cognito or `azp` for Clerk.
	// The first one with a value counts. A dot steps into an object. Default: `aud`
	AudienceClaims []string `json:"audience_claims,omitempty"`

	// The claims whose values are scopes: strings of scopes separated by spaces, or lists, such
	// as `permissions` for Auth0, or `scp` and `roles` for Entra. An element of a list is a
	// single scope. It is left out if it cannot be a scope, such as a group name with a space
	// in it. The same applies to the string of a claim whose name ends in `roles`, `groups`, or
	// `entitlements`. A dot steps into an object. Default: `scope`, or else `scp`.
	ScopeClaims []string `json:"scope_claims,omitempty"`

	// The claims that name the user, such as `oid` for Entra. The first one that is present
	// counts, so `sub client_id` accepts tokens of machines that have no `sub`. A dot steps
	// into an object. Default: `sub`
	SubjectClaims []string `json:"subject_claims,omitempty"`

	// The claims that this issuer is trusted for. Rules, headers, and placeholders see only
	// these, and iss, sub, aud, exp, iat, nbf, jti, scope, and client_id. Default: all of them.
	Claims []string `json:"claims,omitempty"`

	// The longest accepted lifetime. Tokens that this issuer issued for longer are refused.
	// Default: no limit.
	MaxTokenAge caddy.Duration `json:"max_token_age,omitempty"`

	// The maximum length of a token, in bytes, up to 64KiB; in the Caddyfile, write a unit.
	// Default: 8192, which is `max_token_size 8KiB`
	MaxTokenSize int64 `json:"max_token_size,omitempty"`

	// The maximum number of members in a token, on all levels together: its claims, and the
	// members of objects in them. A list can have the same number of values. At most 10000.
	// Default: 256
	MaxTokenMembers int `json:"max_token_members,omitempty"`

	// How far the issuer's clock may differ from this gateway's. A token is accepted this much
	// before it becomes valid and after it expires. From 0s, which is strict, to 1m. Default:
	// 10s
	Leeway *caddy.Duration `json:"leeway,omitempty"`

	// The origins of this issuer's browser applications, for CORS. Default: none; those of the
	// `oauth` app's own clients count as well.
	Origins []string `json:"origins,omitempty"`

	document string // PublicKey, resolved
}

// JWKSHeader is a header that the server of an issuer's keys requires, such as that of
// Kubernetes.
type JWKSHeader struct {
	// The name, such as `Authorization`. Default: none, it is required.
	Name string `json:"name,omitempty"`

	// The value, such as `Bearer {file./var/run/secrets/kubernetes.io/serviceaccount/token}`.
	// `{file.PATH}` and `{env.NAME}` in it are read at each fetch. A literal value ends up in
	// the adapted JSON. Default: none, it is required.
	Value string `json:"value,omitempty"`
}

// block names the issuer in errors.
func (i *BearerIssuer) block() string { return grammar.Title("issuer", i.Issuer) }

// options are the words of the issuer's block.
func (i *BearerIssuer) options() grammar.Options {
	return grammar.Options{
		"jwks_uri":          grammar.String(&i.JWKSURI),
		"jwks_file":         grammar.String(&i.JWKSFile),
		"public_key":        grammar.String(&i.PublicKey),
		"jwks_header":       grammar.Args("<name> <value>", i.setHeader),
		"ca":                grammar.String(&i.CA),
		"allow_private":     grammar.Flag(&i.AllowPrivate),
		"tenants":           grammar.List(&i.Tenants),
		"algorithms":        grammar.List(&i.Algorithms),
		"typ":               grammar.String(&i.Type),
		"allow_id_tokens":   grammar.Flag(&i.AllowIDTokens),
		"audience":          grammar.List(&i.Audience),
		"audience_claim":    grammar.List(&i.AudienceClaims),
		"scope_claim":       grammar.List(&i.ScopeClaims),
		"subject_claim":     grammar.List(&i.SubjectClaims),
		"claims":            grammar.List(&i.Claims),
		"max_token_age":     grammar.Duration(&i.MaxTokenAge),
		"max_token_size":    grammar.Size(&i.MaxTokenSize),
		"max_token_members": grammar.Count(&i.MaxTokenMembers),
		"leeway":            grammar.DurationFrom0(&i.Leeway),
		"origins":           grammar.List(&i.Origins),
	}
}

func (i *BearerIssuer) setHeader(args []string) error {
	i.JWKSHeader = &JWKSHeader{Name: args[0], Value: args[1]}
	return nil
}
