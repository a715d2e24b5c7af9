// Package tokenstest is what tests of the core share: a DPoP client, a writer of
// JWS, and a store of keys in memory.
package tokenstest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"testing"
)

// Segment is one part of a compact JWS (RFC 7515 §7.1).
func Segment(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// Merge changes some members of m, and returns it: a nil value takes one away.
func Merge(m, change map[string]any) map[string]any {
	maps.Copy(m, change)
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
	return m
}

// SignES256 returns the signature of a JWS over input. See RFC 7518 §3.4.
func SignES256(tb testing.TB, key crypto.Signer, input string) []byte {
	tb.Helper()
	sum := sha256.Sum256([]byte(input))
	der, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		tb.Fatal(err)
	}
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &rs); err != nil {
		tb.Fatal(err)
	}
	return append(rs.R.FillBytes(make([]byte, 32)), rs.S.FillBytes(make([]byte, 32))...)
}

// SignInput signs the first two parts of a compact JWS by ES256, EdDSA or RS256, as
// the key is, and returns all three.
func SignInput(tb testing.TB, key crypto.Signer, input string) string {
	tb.Helper()
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		return input + "." + Segment(string(SignES256(tb, key, input)))
	case ed25519.PrivateKey:
		return input + "." + Segment(string(ed25519.Sign(key, []byte(input))))
	case *rsa.PrivateKey:
		sum := sha256.Sum256([]byte(input))
		signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		if err != nil {
			tb.Fatal(err)
		}
		return input + "." + Segment(string(signature))
	}
	tb.Fatalf("no way to sign with %T", key)
	return ""
}

// PublicJWK writes the public key of a client.
func PublicJWK(tb testing.TB, key crypto.Signer) map[string]any {
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

// JSON writes a value as JSON.
func JSON(tb testing.TB, v any) string {
	tb.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}
