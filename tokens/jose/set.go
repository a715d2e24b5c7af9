package jose

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	strictjson "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/lestrrat-go/jwx/v2/jwk"
)

// Bounds of a foreign key set.
const (
	maxKeys     = 100
	MaxSetBytes = 1 << 20
)

// maxUnnamed is how many keys without an ID a foreign set has for one algorithm: a
// token may have each of them tried.
const maxUnnamed = 4

// Set is an immutable set of public keys. No two have the same ID and algorithm.
type Set struct {
	keys    []*PublicKey
	byID    map[string][]*PublicKey // "" for those without an ID
	dropped []error
}

// Names reports whether a key has the ID.
func (s Set) Names(id string) bool { return id != "" && len(s.byID[id]) > 0 }

// Find returns the keys that may have signed a token, by the kid and alg of its
// header: the one with that ID, or else those without an ID, a few at most. A token
// without a kid does not get to try the keys that have one, unless there is only one
// for its algorithm. See RFC 7515 §4.1.4.
func (s Set) Find(kid, alg string) []*PublicKey {
	if s.Names(kid) {
		return suited(s.byID[kid], alg)
	}
	if all := suited(s.keys, alg); kid == "" && len(all) == 1 {
		return all
	}
	return suited(s.byID[""], alg)
}

// suited returns the keys for an algorithm.
func suited(keys []*PublicKey, alg string) (list []*PublicKey) {
	for _, key := range keys {
		if key.alg.Is(alg) {
			list = append(list, key)
		}
	}
	return list
}

// Has reports whether this very key is in the set.
func (s Set) Has(key *PublicKey) bool { return slices.Contains(s.byID[key.id], key) }

// Keys returns the keys in their order. The caller must not change the slice.
func (s Set) Keys() []*PublicKey { return s.keys }

// Dropped says which keys of the document were not taken and why, by position.
func (s Set) Dropped() []error { return s.dropped }

// newSet makes a set of the keys that were read, nil for each that was not. Of one
// key that is there twice, once is enough. Two keys that differ and have one ID and
// algorithm are both left out: nobody can say which of them is meant.
// At most so many are without an ID.
func newSet(keys []*PublicKey, dropped []error, unnamed int) (Set, error) {
	set := Set{byID: make(map[string][]*PublicKey), dropped: dropped}
	for i, key := range keys {
		switch {
		case key == nil:
		case slices.ContainsFunc(keys[:i], key.equal):
		case key.id == "" && len(suited(set.byID[""], string(key.alg))) == unnamed:
			set.dropped = append(set.dropped, fmt.Errorf("key %d: there are %d without an ID before it", i+1, unnamed))
		case key.id != "" && slices.ContainsFunc(keys, key.conflicts):
			set.dropped = append(set.dropped, fmt.Errorf("key %d: another key has the same ID and algorithm", i+1))
		default:
			set.keys = append(set.keys, key)
			set.byID[key.id] = append(set.byID[key.id], key)
		}
	}
	if len(set.keys) == 0 {
		return Set{}, fmt.Errorf("reading key set: no usable key: %w", errors.Join(set.dropped...))
	}
	return set, nil
}

// conflicts reports whether both have one ID and algorithm, and are not the same.
func (k *PublicKey) conflicts(other *PublicKey) bool {
	return other != nil && k.id == other.id && k.alg == other.alg && !k.equal(other)
}

// jwkMembers are the members of a JWK that decide whether and how it is used
// (RFC 7517 §4). The names are matched case-sensitively, as the RFC has it.
type jwkMembers struct {
	KeyType   string         `json:"kty"`
	Use       string         `json:"use"`
	Ops       []string       `json:"key_ops"`
	Algorithm Algorithm      `json:"alg"`
	ID        string         `json:"kid"`
	Curve     string         `json:"crv"`
	Exponent  string         `json:"e"`
	Private   jsontext.Value `json:"d"`
	Issuer    string         `json:"issuer"` // of Entra: whose tokens it signs
}

// byteOrderMark begins the documents of some servers. RFC 8259 §8.1 lets readers ignore it.
var byteOrderMark = []byte("\xef\xbb\xbf")

// ParseKeySet reads a foreign JWK set (RFC 7517 §5). Symmetric, private, weak
// and foreign-purpose keys are dropped, and so are different keys with one ID and
// algorithm; a set without any usable key is an error, so that the caller keeps the
// set it has. With allowed algorithms, keys for others are dropped. An RSA key that
// names no algorithm is pinned to the first allowed one that fits, else RS256.
func ParseKeySet(data []byte, allowed ...Algorithm) (Set, error) {
	if len(data) > MaxSetBytes {
		return Set{}, errors.New("reading key set: it is larger than 1 MiB")
	}
	var document struct {
		Keys []jsontext.Value `json:"keys"`
	}
	// Refuses duplicate members and invalid UTF-8, in keys as well.
	if err := strictjson.Unmarshal(bytes.TrimPrefix(data, byteOrderMark), &document); err != nil {
		return Set{}, fmt.Errorf("reading key set: %w", err)
	}
	if len(document.Keys) > maxKeys {
		return Set{}, fmt.Errorf("reading key set: it has more than %d keys", maxKeys)
	}
	keys := make([]*PublicKey, len(document.Keys))
	var dropped []error
	for i, raw := range document.Keys {
		var err error
		if keys[i], err = parseJWK(raw, allowed); err != nil {
			dropped = append(dropped, fmt.Errorf("key %d: %w", i+1, err))
		}
	}
	return newSet(keys, dropped, maxUnnamed)
}

// check says why a key is not one to verify signatures with.
func (m *jwkMembers) check() error {
	switch {
	case m.KeyType != "EC" && m.KeyType != "RSA" && m.KeyType != "OKP":
		return errors.New("the key type is not EC, RSA or OKP")
	case m.Private != nil:
		return errors.New("the private key is published")
	case m.Use != "" && m.Use != "sig":
		return errors.New("the key is not for signatures")
	case m.Ops != nil && !slices.Contains(m.Ops, "verify"):
		return errors.New("the key is not for verifying")
	case len(m.Exponent) > 6: // 4 bytes; the library would cut a longer one
		return errors.New("the exponent is too large")
	}
	return nil
}

func parseJWK(raw jsontext.Value, allowed []Algorithm) (*PublicKey, error) {
	var m jwkMembers
	if err := strictjson.Unmarshal(raw, &m); err != nil {
		return nil, errors.New("a member has the wrong type")
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	alg := m.Algorithm
	if alg == "" {
		alg = m.impliedAlgorithm(allowed)
	}
	if alg == ed25519Name {
		alg = EdDSA
	}
	if len(allowed) > 0 && !slices.Contains(allowed, alg) {
		return nil, errors.New("the algorithm is not allowed")
	}
	key, err := readMaterial(raw)
	if err != nil {
		return nil, errors.New("the key cannot be read")
	}
	public, err := newPublicKey(m.ID, alg, key)
	if err != nil {
		return nil, err
	}
	public.issuer = m.Issuer
	return public, nil
}

// material are the members of a JWK that are the key itself. The others, such as
// certificates, are not looked at.
type material struct {
	KeyType  string `json:"kty"`
	Curve    string `json:"crv,omitempty"`
	X        string `json:"x,omitempty"`
	Y        string `json:"y,omitempty"`
	Modulus  string `json:"n,omitempty"`
	Exponent string `json:"e,omitempty"`
}

func readMaterial(raw jsontext.Value) (key any, err error) {
	var m material
	if err := strictjson.Unmarshal(raw, &m); err != nil {
		return nil, err
	}
	bare, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	parsed, err := jwk.ParseKey(bare)
	if err != nil {
		return nil, err
	}
	err = parsed.Raw(&key)
	return key, err
}

// impliedAlgorithm is the algorithm of a key that names none.
func (m *jwkMembers) impliedAlgorithm(allowed []Algorithm) Algorithm {
	switch m.Curve {
	case "P-256":
		return ES256
	case "P-384":
		return ES384
	case "P-521":
		return ES512
	case "Ed25519":
		return EdDSA
	}
	for _, a := range allowed {
		if algorithms[a].family == familyRSA {
			return a
		}
	}
	return RS256
}

// MarshalKeySet writes a JWK set of public keys, each with kid, alg and use
// (RFC 7517 §5).
func MarshalKeySet(keys []*PublicKey) ([]byte, error) {
	set := jwk.NewSet()
	for _, k := range keys {
		j, err := jwk.FromRaw(k.key)
		if err != nil {
			return nil, fmt.Errorf("encoding key set: %w", err)
		}
		for name, value := range map[string]any{
			jwk.KeyIDKey: k.id, jwk.AlgorithmKey: string(k.alg), jwk.KeyUsageKey: jwk.ForSignature,
		} {
			if err := j.Set(name, value); err != nil {
				return nil, fmt.Errorf("encoding key set: %w", err)
			}
		}
		if err := set.AddKey(j); err != nil {
			return nil, fmt.Errorf("encoding key set: %w", err)
		}
	}
	b, err := json.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("encoding key set: %w", err)
	}
	return b, nil
}
