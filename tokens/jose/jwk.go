package jose

import (
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"

	strictjson "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/lestrrat-go/jwx/v2/jwk"
)

// ParsePublicKey reads one JWK that a client shows as its own, for one
// algorithm, under the rules of ParseKeySet. Any private or symmetric part is
// an error. The text must be one JSON object without repeated members.
// See RFC 7517 §4, RFC 9449 §4.3.
func ParsePublicKey(text []byte, alg Algorithm) (*PublicKey, error) {
	var private struct {
		P   jsontext.Value `json:"p"`
		Q   jsontext.Value `json:"q"`
		DP  jsontext.Value `json:"dp"`
		DQ  jsontext.Value `json:"dq"`
		QI  jsontext.Value `json:"qi"`
		Oth jsontext.Value `json:"oth"`
		K   jsontext.Value `json:"k"`
	}
	if err := strictjson.Unmarshal(text, &private); err != nil {
		return nil, fmt.Errorf("reading key: %w", err)
	}
	for _, part := range []jsontext.Value{private.P, private.Q, private.DP, private.DQ, private.QI, private.Oth, private.K} {
		if part != nil {
			return nil, errors.New("reading key: it has private parts")
		}
	}
	if !alg.Valid() {
		return nil, errors.New("reading key: the algorithm is not one with a public key")
	}
	return parseJWK(text, []Algorithm{alg})
}

// Thumbprint returns the SHA-256 thumbprint of the key itself, however its JWK
// was written. See RFC 7638 §3.
func (k *PublicKey) Thumbprint() ([sha256.Size]byte, error) {
	j, err := jwk.FromRaw(k.key)
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("reading key: %w", err)
	}
	sum, err := j.Thumbprint(crypto.SHA256)
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("making thumbprint: %w", err)
	}
	return [sha256.Size]byte(sum), nil
}
