package jose

import (
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

// Set is an immutable set of public keys with distinct IDs.
type Set struct {
	keys    []*PublicKey
	byID    map[string]*PublicKey
	dropped []error
}

// Key returns the key with an ID, or nil. A key without an ID is only in Keys.
func (s Set) Key(id string) *PublicKey { return s.byID[id] }

// Keys returns the keys in their order. The caller must not change the slice.
func (s Set) Keys() []*PublicKey { return s.keys }

// Dropped says which keys of the document were not taken and why, by position.
func (s Set) Dropped() []error { return s.dropped }

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
}

// ParseKeySet reads a foreign JWK set (RFC 7517 §5). Symmetric, private, weak
// and foreign-purpose keys are dropped; two usable keys with one ID, or none
// at all, are an error, so that the caller keeps the set it has. With allowed
// algorithms, keys for others are dropped. An RSA key that names no algorithm
// is pinned to the first allowed one that fits, else RS256.
func ParseKeySet(data []byte, allowed ...Algorithm) (Set, error) {
	if len(data) > MaxSetBytes {
		return Set{}, errors.New("reading key set: it is larger than 1 MiB")
	}
	var document struct {
		Keys []jsontext.Value `json:"keys"`
	}
	// Refuses duplicate members and invalid UTF-8, in keys as well.
	if err := strictjson.Unmarshal(data, &document); err != nil {
		return Set{}, fmt.Errorf("reading key set: %w", err)
	}
	if len(document.Keys) > maxKeys {
		return Set{}, fmt.Errorf("reading key set: it has more than %d keys", maxKeys)
	}
	set := Set{byID: make(map[string]*PublicKey)}
	for i, raw := range document.Keys {
		key, err := parseJWK(raw, allowed)
		if err != nil {
			set.dropped = append(set.dropped, fmt.Errorf("key %d: %w", i+1, err))
			continue
		}
		set.keys = append(set.keys, key)
		if key.id == "" {
			continue
		}
		if set.byID[key.id] != nil {
			return Set{}, errors.New("reading key set: two keys have the same ID")
		}
		set.byID[key.id] = key
	}
	if len(set.keys) == 0 {
		return Set{}, fmt.Errorf("reading key set: no usable key: %w", errors.Join(set.dropped...))
	}
	return set, nil
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
	parsed, err := jwk.ParseKey(raw)
	if err != nil {
		return nil, errors.New("the key cannot be read")
	}
	var key any
	if err := parsed.Raw(&key); err != nil {
		return nil, errors.New("the key cannot be read")
	}
	return newPublicKey(m.ID, alg, key)
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
