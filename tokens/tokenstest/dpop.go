package tokenstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"
)

// DPoPKey is the key of a DPoP client, which makes proofs. See RFC 9449 §4.
type DPoPKey struct {
	t     testing.TB
	key   *ecdsa.PrivateKey
	clock func() time.Time
}

// NewDPoPKey makes a P-256 key; the clock dates its proofs.
func NewDPoPKey(t testing.TB, clock func() time.Time) *DPoPKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &DPoPKey{t: t, key: key, clock: clock}
}

func (k *DPoPKey) jwk() map[string]string {
	k.t.Helper()
	point, err := k.key.PublicKey.Bytes()
	if err != nil {
		k.t.Fatal(err)
	}
	enc := base64.RawURLEncoding.EncodeToString
	return map[string]string{"crv": "P-256", "kty": "EC", "x": enc(point[1:33]), "y": enc(point[33:])}
}

// Thumbprint is that of RFC 7638 §3.
func (k *DPoPKey) Thumbprint() string {
	k.t.Helper()
	b, err := json.Marshal(k.jwk()) // whose members are sorted
	if err != nil {
		k.t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Proof makes a proof for a request, and for an access token where there is
// one; more claims in pairs.
func (k *DPoPKey) Proof(method, url, token string, more ...string) string {
	k.t.Helper()
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": url, "iat": k.clock().Unix()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	for i := 0; i < len(more); i += 2 {
		claims[more[i]] = more[i+1]
	}
	input := k.segment(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": k.jwk()}) + "." + k.segment(claims)
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, k.key, sum[:])
	if err != nil {
		k.t.Fatal(err)
	}
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func (k *DPoPKey) segment(v any) string {
	k.t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		k.t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}
