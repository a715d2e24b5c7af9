package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/handler/fetch"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/jwks"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// BearerIssuer is another issuer whose access tokens a guard takes beside those
// of the `oauth` app: Auth0, Keycloak, Entra, Google and others that sign JWTs.
// A token is chosen by its `iss`, which has to be this issuer to the letter, and
// is verified with this issuer's keys alone.
//
// The keys are fetched in the background and shared by all routes; no request
// waits for them. While an issuer cannot be reached, the keys it showed last
// are trusted for 24 hours. Until the first fetch has succeeded its tokens are
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
	// The `iss` of the tokens, an https URL. Default: none, it is required.
	Issuer string `json:"issuer,omitempty"`

	// The address of the issuer's JWK set, an https URL. Default: what its
	// metadata says, at `/.well-known/openid-configuration` behind the issuer or
	// else at `/.well-known/oauth-authorization-server` between its host and path.
	JWKSURI string `json:"jwks_uri,omitempty"`

	// The algorithms that its keys may be for: ES256, ES384, ES512, EdDSA,
	// RS256, RS384, RS512, PS256, PS384, PS512. An RSA key that names no
	// algorithm is for the first of these that begins with RS or PS.
	// Default: those that its keys name, and RS256 for RSA keys that name none.
	Algorithms []string `json:"algorithms,omitempty"`

	// What the tokens of this issuer must be made for, at least one of these, in
	// the place of the guard's own audience. Default: the guard's audience.
	Audience []string `json:"audience,omitempty"`

	// The type of its tokens beside `at+jwt`, for issuers that do not send that
	// one: `JWT` takes tokens with this type or none. ID tokens are refused where
	// they can be told apart; the audience keeps them out for certain.
	// Default: none, only `at+jwt` is taken.
	Type string `json:"typ,omitempty"`

	// Let its keys be at a private, loopback or link-local address, and at an
	// http URL on localhost. Default: false
	AllowPrivate bool `json:"allow_private,omitempty"`

	// The claims whose values are the scopes of its tokens: texts of scopes with
	// spaces between, or lists, such as `permissions` of Auth0 or `scp` and
	// `roles` of Entra. An element of a list is one word, and left out where it is
	// no scope, such as the name of a group with a space in it; so is the text of a
	// claim whose name ends in `roles`, `groups` or `entitlements`. A dot steps into
	// an object. Default: `scope`, or else `scp`.
	ScopeClaims []string `json:"scope_claims,omitempty"`

	// The claim that names the user, such as `oid` of Entra. Default: `sub`
	SubjectClaim string `json:"subject_claim,omitempty"`

	// The claims of this issuer that are believed; rules, headers and
	// placeholders see no others, but for iss, sub, aud, exp, iat, nbf, jti,
	// scope and client_id. Default: all of them.
	Claims []string `json:"claims,omitempty"`

	// Refuse tokens of this issuer that are made to live longer than this.
	// Default: no bound.
	MaxTokenAge caddy.Duration `json:"max_token_age,omitempty"`

	// The origins of this issuer's browser applications, for CORS.
	// Default: none; those of the `oauth` app's own clients count as well.
	Origins []string `json:"origins,omitempty"`
}

// block names the issuer in errors.
func (i *BearerIssuer) block() string { return grammar.Title("issuer", i.Issuer) }

// Check finds what the text of the configuration shows to be wrong.
func (i *BearerIssuer) Check() error {
	return grammar.FirstOf(
		i.checkPlaces,
		i.checkAlgorithms,
		func() error { return checkEach("audience", i.Audience, plainText) },
		func() error { return checkEach("scope_claim", i.ScopeClaims, plainText) },
		func() error { return checkEach("claims", i.Claims, plainText) },
		func() error {
			if err := writtenOut(i.SubjectClaim); err != nil {
				return grammar.WrongValue("subject_claim", i.SubjectClaim, "%s", err)
			}
			return nil
		},
		func() error { return checkEach("origins", i.Origins, checkOrigin) },
		func() error {
			if i.Type != "" && i.Type != "JWT" {
				return grammar.WrongValue("typ", i.Type, "is no type of access tokens: write `typ JWT`, or leave it out for at+jwt alone")
			}
			if i.MaxTokenAge < 0 {
				return grammar.Wrong("max_token_age", "%s is less than no time: leave it out for no bound", grammar.ShowDuration(time.Duration(i.MaxTokenAge)))
			}
			return nil
		},
	)
}

// checkPlaces checks where the issuer and its keys are.
func (i *BearerIssuer) checkPlaces() error {
	if i.Issuer == "" {
		return grammar.Wrong("issuer", "it is required: the `iss` of the tokens, such as `issuer https://tenant.auth0.com/`")
	}
	if err := checkIssuer("issuer", i.Issuer); err != nil {
		return err
	}
	if strings.Contains(i.Issuer, "|") {
		return grammar.WrongValue("issuer", i.Issuer, "has a |, which stands between issuer and subject in `{http.auth.user.id}`")
	}
	if i.JWKSURI != "" {
		u, err := parseURL(i.JWKSURI)
		if err == nil {
			err = checkWeb(u)
		}
		if err != nil {
			return grammar.WrongValue("jwks_uri", i.JWKSURI, "%s", err)
		}
	}
	if at := i.keysAt(); strings.HasPrefix(at, "http:") && !i.AllowPrivate {
		return grammar.Wrong("", "%s is on this machine: add `allow_private`", at)
	}
	return nil
}

// keysAt is where the keys, or the document that says where they are, are fetched from.
func (i *BearerIssuer) keysAt() string {
	if i.JWKSURI != "" {
		return i.JWKSURI
	}
	return i.Issuer
}

func (i *BearerIssuer) checkAlgorithms() error {
	return checkEach("algorithms", i.Algorithms, func(name string) error {
		if jose.Algorithm(name).Valid() {
			return nil
		}
		return fmt.Errorf("is no algorithm that signs with a public key: write some of %s", joinAlgorithms())
	})
}

func joinAlgorithms() string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(jose.Algorithms()), "[]"), " ", ", ")
}

func plainText(value string) error {
	if value == "" {
		return errors.New("is empty: write a value, or leave it out")
	}
	return writtenOut(value)
}

// source says where the keys are.
func (i *BearerIssuer) source() fetch.KeySource {
	return fetch.KeySource{Issuer: i.Issuer, JWKSURI: i.JWKSURI, AllowPrivate: i.AllowPrivate}
}

// algorithms are the configured ones, and the one of RSA keys that name none.
func (i *BearerIssuer) algorithms() (all []jose.Algorithm, rsa jose.Algorithm) {
	rsa = jose.RS256
	for _, name := range i.Algorithms {
		all = append(all, jose.Algorithm(name))
	}
	if at := slices.IndexFunc(all, jose.Algorithm.RSA); at >= 0 {
		rsa = all[at]
	}
	return all, rsa
}

// core returns the issuer as the core has it, over its keys.
func (i *BearerIssuer) core(keys *jwks.Remote) *verify.Foreign {
	algorithms, _ := i.algorithms()
	return verify.NewForeign(verify.ForeignConfig{
		Issuer:       i.Issuer,
		Keys:         keys,
		Algorithms:   algorithms,
		AcceptJWT:    i.Type == "JWT",
		ScopeClaims:  i.ScopeClaims,
		SubjectClaim: i.SubjectClaim,
		Claims:       i.Claims,
		MaxTokenAge:  time.Duration(i.MaxTokenAge),
	})
}

// options are the words of the issuer's block.
func (i *BearerIssuer) options() grammar.Options {
	return grammar.Options{
		"jwks_uri":      grammar.String(&i.JWKSURI),
		"algorithms":    grammar.List(&i.Algorithms),
		"audience":      grammar.List(&i.Audience),
		"typ":           grammar.String(&i.Type),
		"allow_private": grammar.Flag(&i.AllowPrivate),
		"scope_claim":   grammar.List(&i.ScopeClaims),
		"subject_claim": grammar.String(&i.SubjectClaim),
		"claims":        grammar.List(&i.Claims),
		"max_token_age": grammar.Duration(&i.MaxTokenAge),
		"origins":       grammar.List(&i.Origins),
	}
}
