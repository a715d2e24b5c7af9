// Package jose reads and writes what is signed: compact JWS, key sets, thumbprints,
// and the strict JSON in tokens (JSONReader). It hides the JOSE library behind its
// own types: no other package imports it, so that a move to another version or
// library stays in this folder. It knows no claim but `cnf`, which names a key.
//
// Begin reading at Algorithm, PrivateKey and PublicKey. See RFC 7515, 7517, 7518 and 7638.
package jose

import (
	"crypto"
	"crypto/elliptic"
	"maps"
	"slices"

	"github.com/lestrrat-go/jwx/v2/jwa"
)

// Algorithm is the JWA name of a signature algorithm with a public key.
// "none" and the HMAC family are not among them. See RFC 7518 §3.1, RFC 8037 §3.1.
type Algorithm string

// The algorithms. ES256 is the default: small tokens and fast signing.
const (
	ES256 Algorithm = "ES256"
	ES384 Algorithm = "ES384"
	ES512 Algorithm = "ES512"
	EdDSA Algorithm = "EdDSA" // Ed25519 only
	RS256 Algorithm = "RS256"
	RS384 Algorithm = "RS384"
	RS512 Algorithm = "RS512"
	PS256 Algorithm = "PS256"
	PS384 Algorithm = "PS384"
	PS512 Algorithm = "PS512"
)

// family is the kind of key that an algorithm needs.
type family uint8

const (
	familyEC family = iota + 1
	familyOKP
	familyRSA
)

type algorithmInfo struct {
	jwa    jwa.SignatureAlgorithm
	family family
	curve  elliptic.Curve // familyEC: the one curve (RFC 7518 §3.4)
	pss    crypto.Hash    // PS*: its hash
}

var algorithms = map[Algorithm]algorithmInfo{
	ES256: {jwa: jwa.ES256, family: familyEC, curve: elliptic.P256()},
	ES384: {jwa: jwa.ES384, family: familyEC, curve: elliptic.P384()},
	ES512: {jwa: jwa.ES512, family: familyEC, curve: elliptic.P521()},
	EdDSA: {jwa: jwa.EdDSA, family: familyOKP},
	RS256: {jwa: jwa.RS256, family: familyRSA},
	RS384: {jwa: jwa.RS384, family: familyRSA},
	RS512: {jwa: jwa.RS512, family: familyRSA},
	PS256: {jwa: jwa.PS256, family: familyRSA, pss: crypto.SHA256},
	PS384: {jwa: jwa.PS384, family: familyRSA, pss: crypto.SHA384},
	PS512: {jwa: jwa.PS512, family: familyRSA, pss: crypto.SHA512},
}

// Valid reports whether the algorithm is one of the constants, exactly as
// written: names are case-sensitive (RFC 7515 §4.1.1).
func (a Algorithm) Valid() bool {
	_, ok := algorithms[a]
	return ok
}

// ed25519Name is what RFC 9864 §2.2 calls EdDSA with an Ed25519 key, the only
// kind of key that EdDSA has here.
const ed25519Name = "Ed25519"

// Is reports whether the alg of a header or of a JWK names the algorithm.
func (a Algorithm) Is(name string) bool {
	return name == string(a) || a == EdDSA && name == ed25519Name
}

// RSA reports whether the algorithm needs an RSA key.
func (a Algorithm) RSA() bool { return algorithms[a].family == familyRSA }

// Algorithms returns all algorithms, sorted.
func Algorithms() []Algorithm { return slices.Sorted(maps.Keys(algorithms)) }
