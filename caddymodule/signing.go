package caddymodule

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// The defaults of Signing.
const (
	defaultAccessTokenAlgorithm = "ES256"
	defaultIDTokenAlgorithm     = "RS256"
	defaultRotateEvery          = 90 * 24 * time.Hour
	defaultIDTokenLifetime      = 10 * time.Hour
)

// Signing is how tokens are signed. Keys are created, published before they are used, rotated,
// and removed after the last token that they signed expires, all automatically.
type Signing struct {
	// The algorithm that signs access tokens. Default: ES256
	AccessTokenAlgorithm string `json:"access_token_algorithm,omitempty"`

	// The algorithm that signs ID tokens. A client can have its own. RS256 is always announced
	// and always has a key. Default: RS256, the one that every client library supports
	IDTokenAlgorithm string `json:"id_token_algorithm,omitempty"`

	// How long a key is used for signing. Default: 90d
	RotateEvery caddy.Duration `json:"rotate_every,omitempty"`

	// How long an ID token is valid. Default: 10h
	IDTokenLifetime caddy.Duration `json:"id_token_lifetime,omitempty"`
}

// The limits of Signing.
const (
	// A key is published for an hour before it signs, so that whoever caches
	// the published keys knows it; twice that leaves it an hour of use.
	minRotateEvery     = 2 * time.Hour
	minIDTokenLifetime = time.Minute
	maxIDTokenLifetime = 7 * 24 * time.Hour
)

func (s *Signing) options() grammar.Options {
	return grammar.Options{
		"access_token_algorithm": grammar.String(&s.AccessTokenAlgorithm),
		"id_token_algorithm":     grammar.String(&s.IDTokenAlgorithm),
		"id_token_lifetime":      grammar.Duration(&s.IDTokenLifetime),
		"rotate_every":           grammar.Duration(&s.RotateEvery),
	}
}

// Check finds what the text shows to be wrong.
func (s *Signing) Check() error {
	if s == nil {
		return nil
	}
	if err := checkAlgorithm("access_token_algorithm", s.AccessTokenAlgorithm); err != nil {
		return err
	}
	if err := checkAlgorithm("id_token_algorithm", s.IDTokenAlgorithm); err != nil {
		return err
	}
	if every := s.rotateEvery(); every < minRotateEvery {
		return grammar.Wrong("rotate_every", "%s is too short: a key is published an hour before it signs; take at least %s", grammar.ShowDuration(every), grammar.ShowDuration(minRotateEvery))
	}
	if l := s.idTokenLifetime(); l < minIDTokenLifetime || l > maxIDTokenLifetime {
		return grammar.Wrong("id_token_lifetime", "%s is out of range: take %s to %s", grammar.ShowDuration(l), grammar.ShowDuration(minIDTokenLifetime), grammar.ShowDuration(maxIDTokenLifetime))
	}
	return nil
}

// algorithms are those that a key can be made for. See RFC 7518 §3.1, RFC 8037 §3.1.
var algorithms = []string{"ES256", "ES384", "ES512", "EdDSA", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}

// checkAlgorithm checks the name of a signature algorithm; "" is the default one.
func checkAlgorithm(option, name string) error {
	if name == "" || jose.Algorithm(name).Valid() {
		return nil
	}
	reason := "is not known"
	upper := strings.ToUpper(name)
	spelt := slices.IndexFunc(algorithms, func(a string) bool { return strings.EqualFold(a, name) })
	switch {
	case spelt >= 0:
		return grammar.Wrong(option, "%q is not spelt as RFC 7518 does: write %s", name, algorithms[spelt])
	case upper == "NONE":
		reason = "signs nothing"
	case strings.HasPrefix(upper, "HS"):
		reason = "needs a key that every API would have to share"
	}
	return grammar.Wrong(option, "%q %s: take one of %s", name, reason, strings.Join(algorithms, ", "))
}

// warning is a finding that may be meant so, "" for none.
func (s *Signing) warning() string {
	if alg := s.idTokenAlgorithm(); alg != defaultIDTokenAlgorithm {
		return fmt.Sprintf("id_token_algorithm %s is for all clients: libraries that expect RS256, the default of OpenID Connect (Core §3.1.3.7), "+
			"refuse their ID tokens; leave the line out, and write it at the clients that can", alg)
	}
	return ""
}

func (s *Signing) accessTokenAlgorithm() string {
	return cmp.Or(orZero(s).AccessTokenAlgorithm, defaultAccessTokenAlgorithm)
}

func (s *Signing) idTokenAlgorithm() string {
	return cmp.Or(orZero(s).IDTokenAlgorithm, defaultIDTokenAlgorithm)
}

func (s *Signing) rotateEvery() time.Duration {
	return cmp.Or(time.Duration(orZero(s).RotateEvery), defaultRotateEvery)
}

func (s *Signing) idTokenLifetime() time.Duration {
	return cmp.Or(time.Duration(orZero(s).IDTokenLifetime), defaultIDTokenLifetime)
}
