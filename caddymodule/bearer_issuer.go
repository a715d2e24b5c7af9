package caddymodule

import (
	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
)

// BearerIssuer is another issuer whose access tokens a guard takes beside those
// of the `oauth` app: Auth0, Keycloak, Entra, Google and others that sign JWTs.
// A token is chosen by its `iss`, which has to be this issuer to the letter, and
// is verified with this issuer's keys alone.
//
// The keys are fetched in the background and shared by all routes; only while the
// first fetch is under way do requests wait for it, two seconds at most. While an issuer
// cannot be reached, the keys it showed last are trusted for 24 hours, also when Caddy
// is restarted: they are kept in Caddy's storage. Without keys its tokens are
// answered with 503 and `Retry-After`.
//
// The denylist of the `oauth` app is about its own tokens; it is not asked for
// those of others. They are good until they expire: see `max_token_age`.
//
// A subject is unique for its issuer only. So `{http.auth.user.id}`, a header
// that is mapped from `sub` and a rule on `sub` mean `<iss>|<sub>` for tokens of
// other issuers, unless `iss` is mapped, or demanded, as well; the placeholder
// `{http.auth.user.sub}` is the bare `sub`.
type BearerIssuer struct {
	// The `iss` of the tokens, to the letter. It is an https URL; where `jwks_uri`,
	// `jwks_file` or `public_key` says what its keys are, any text
	// (RFC 7519 §4.1.1). `{tenantid}` in it stands for each of `tenants`.
	// Default: none, it is required.
	Issuer string `json:"issuer,omitempty"`

	// The address of the issuer's JWK set, an https URL. Default: what its
	// metadata says, at `/.well-known/openid-configuration` behind the issuer or
	// else at `/.well-known/oauth-authorization-server` between its host and path.
	JWKSURI string `json:"jwks_uri,omitempty"`

	// A file with the issuer's keys, read again each minute: a JWK set, a JWK, or PEM
	// blocks of public keys or certificates. Of a certificate its key alone is used.
	// Default: none.
	JWKSFile string `json:"jwks_file,omitempty"`

	// The issuer's keys, written out, in one of the forms of `jwks_file`; or
	// `{env.NAME}` or `{file.PATH}`. Default: none.
	PublicKey string `json:"public_key,omitempty"`

	// A header with which the keys, and the metadata, are asked for. It is sent to the
	// host of `jwks_uri`, or else of the issuer, and nowhere else. Default: none.
	JWKSHeader *JWKSHeader `json:"jwks_header,omitempty"`

	// A PEM file of the certificates that may vouch for the server of the keys, in
	// the place of those that the system trusts. It is read at each fetch. Default: none.
	CA string `json:"ca,omitempty"`

	// Let its keys be at a private, loopback or link-local address, and at an
	// http URL there. Default: false
	AllowPrivate bool `json:"allow_private,omitempty"`

	// The tenants of Entra whose tokens are taken: what stands in the place of
	// `{tenantid}` in the issuer. They share the keys at `jwks_uri`; a key that Entra
	// keeps for one tenant is good for that one alone. Default: none.
	Tenants []string `json:"tenants,omitempty"`

	// The algorithms that its keys may be for: ES256, ES384, ES512, EdDSA,
	// RS256, RS384, RS512, PS256, PS384, PS512. An RSA key that names no
	// algorithm is for the first of these that begins with RS or PS.
	// Default: those that its keys name, and RS256 for RSA keys that name none.
	Algorithms []string `json:"algorithms,omitempty"`

	// The type of its tokens beside `at+jwt`, for issuers that do not send that
	// one: `JWT` takes tokens with this type or none. ID tokens are refused where
	// they can be told apart; the audience keeps them out for certain.
	// Default: none, only `at+jwt` is taken.
	Type string `json:"typ,omitempty"`

	// Take ID tokens too, and access tokens that have claims of such: `nonce`,
	// `at_hash`, `c_hash`, `s_hash`. Logout tokens, DPoP proofs and the refresh tokens
	// of Keycloak never pass. Tokens of the type `at+jwt` need no such option.
	// Default: false
	AllowIDTokens bool `json:"allow_id_tokens,omitempty"`

	// What the tokens of this issuer must be made for, at least one of these, in
	// the place of the guard's own audience. Default: the guard's audience.
	Audience []string `json:"audience,omitempty"`

	// The claims that say what a token is made for, such as `client_id` of Cognito or
	// `azp` of Clerk: the first of them that has a value. A dot steps into an object.
	// Default: `aud`
	AudienceClaims []string `json:"audience_claims,omitempty"`

	// The claims whose values are the scopes of its tokens: texts of scopes with
	// spaces between, or lists, such as `permissions` of Auth0 or `scp` and
	// `roles` of Entra. An element of a list is one word, and left out where it is
	// no scope, such as the name of a group with a space in it; so is the text of a
	// claim whose name ends in `roles`, `groups` or `entitlements`. A dot steps into
	// an object. Default: `scope`, or else `scp`.
	ScopeClaims []string `json:"scope_claims,omitempty"`

	// The claims that name the user, such as `oid` of Entra: the first of them that
	// is there, so that `sub client_id` takes the tokens of machines that have no
	// `sub`. A dot steps into an object. Default: `sub`
	SubjectClaims []string `json:"subject_claims,omitempty"`

	// The claims of this issuer that are believed; rules, headers and
	// placeholders see no others, but for iss, sub, aud, exp, iat, nbf, jti,
	// scope and client_id. Default: all of them.
	Claims []string `json:"claims,omitempty"`

	// Refuse tokens of this issuer that are made to live longer than this.
	// Default: no bound.
	MaxTokenAge caddy.Duration `json:"max_token_age,omitempty"`

	// How long its tokens may be, in bytes; in the Caddyfile with a unit. At most 64KiB.
	// Default: 8192, which is `max_token_size 8KiB`
	MaxTokenSize int64 `json:"max_token_size,omitempty"`

	// How many members its tokens may have, on all levels together: claims, and what
	// objects in them hold. As many values a list may have. At most 10000. Default: 256
	MaxTokenMembers int `json:"max_token_members,omitempty"`

	// How far its clock may differ from ours: so much later a token expires, and so much
	// earlier it begins. From 0s, which is strict, to 1m. Default: 10s
	Leeway *caddy.Duration `json:"leeway,omitempty"`

	// The origins of this issuer's browser applications, for CORS.
	// Default: none; those of the `oauth` app's own clients count as well.
	Origins []string `json:"origins,omitempty"`

	document string // PublicKey, resolved
}

// JWKSHeader is a header that the server of an issuer's keys wants to see, such as
// that of Kubernetes.
type JWKSHeader struct {
	// The name, such as `Authorization`. Default: none, it is required.
	Name string `json:"name,omitempty"`

	// The value, such as `Bearer {file./var/run/secrets/kubernetes.io/serviceaccount/token}`:
	// `{file.PATH}` and `{env.NAME}` in it are read at each fetch. Written out, it lands
	// in the adapted JSON. Default: none, it is required.
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
