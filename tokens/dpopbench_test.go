package tokens

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"sync/atomic"
	"testing"
	"time"
)

// proofBench is a checker of proofs, and a client that makes any.
type proofBench struct {
	tb     testing.TB
	proofs *Proofs
	now    time.Time
	key    crypto.Signer
	made   atomic.Int64
}

const (
	proofURL   = "https://auth.example.com/oauth/token"
	proofToken = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
)

func newProofBench(tb testing.TB) *proofBench {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	b := &proofBench{tb: tb, now: time.Unix(1_700_000_000, 0), key: key}
	b.proofs = NewProofs(func() time.Time { return b.now })
	return b
}

// request is a good request of the token endpoint with a proof.
func (b *proofBench) request(proof string) ProofRequest {
	return ProofRequest{Proof: proof, Method: "POST", URLs: []string{proofURL}}
}

func (b *proofBench) header(change map[string]any) map[string]any {
	return merge(map[string]any{"typ": TypeProof, "alg": "ES256", "jwk": publicJWK(b.tb, b.key)}, change)
}

func (b *proofBench) claims(change map[string]any) map[string]any {
	return merge(map[string]any{
		"jti": fmt.Sprint("proof-", b.made.Add(1)), "htm": "POST", "htu": proofURL, "iat": b.now.Unix(),
	}, change)
}

// proof makes a good proof with changes: a nil value takes a member away.
func (b *proofBench) proof(header, claims map[string]any) string {
	b.tb.Helper()
	return b.sign(mustJSON(b.tb, b.header(header)), mustJSON(b.tb, b.claims(claims)))
}

// sign signs any text as header and payload.
func (b *proofBench) sign(header, payload string) string {
	b.tb.Helper()
	return signProof(b.tb, b.key, seg(header)+"."+seg(payload))
}

func signProof(tb testing.TB, key crypto.Signer, input string) string {
	tb.Helper()
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		return input + "." + seg(string(signES256(tb, key, input)))
	case ed25519.PrivateKey:
		return input + "." + seg(string(ed25519.Sign(key, []byte(input))))
	case *rsa.PrivateKey:
		sum := sha256.Sum256([]byte(input))
		signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		if err != nil {
			tb.Fatal(err)
		}
		return input + "." + seg(string(signature))
	}
	tb.Fatalf("no way to sign with %T", key)
	return ""
}

// publicJWK writes the public key of a client.
func publicJWK(tb testing.TB, key crypto.Signer) map[string]any {
	tb.Helper()
	enc := base64.RawURLEncoding.EncodeToString
	switch key := key.Public().(type) {
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil {
			tb.Fatal(err)
		}
		half := (len(point) - 1) / 2
		return map[string]any{"kty": "EC", "crv": key.Params().Name, "x": enc(point[1 : 1+half]), "y": enc(point[1+half:])}
	case ed25519.PublicKey:
		return map[string]any{"kty": "OKP", "crv": "Ed25519", "x": enc(key)}
	case *rsa.PublicKey:
		return map[string]any{"kty": "RSA", "n": enc(key.N.Bytes()), "e": enc(big.NewInt(int64(key.E)).Bytes())}
	}
	tb.Fatalf("no JWK for %T", key)
	return nil
}

func mustJSON(tb testing.TB, v any) string {
	tb.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}
