package jose

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"math/big"
	"testing"
)

// G7 and G12: which keys a token gets to try.
func TestFindKeys(t *testing.T) {
	named, other, rs := publicJWK(t, ES256), publicJWK(t, ES256), publicJWK(t, RS256)
	unnamed := maps.Clone(other)
	delete(unnamed, "kid")
	two := maps.Clone(rs)
	two["alg"] = "RS512"
	kid := func(jwk map[string]any) string { return jwk["kid"].(string) }
	for _, tt := range []struct {
		name     string
		keys     []map[string]any
		kid, alg string
		want     int
	}{
		{"by its ID", []map[string]any{named, other, rs}, kid(named), "ES256", 1},
		{"by its ID, another algorithm", []map[string]any{named, other, rs}, kid(named), "RS256", 0},
		{"G7: by ID and algorithm", []map[string]any{rs, two}, kid(rs), "RS512", 1},
		{"unknown ID", []map[string]any{named}, "x", "ES256", 0},
		{"unknown ID, a key without one", []map[string]any{named, unnamed}, "x", "ES256", 1},
		{"G12: no ID, one key of the algorithm", []map[string]any{named, rs}, "", "ES256", 1},
		{"G12: no ID, another algorithm", []map[string]any{named}, "", "RS256", 0},
		{"no ID, two keys", []map[string]any{named, other}, "", "ES256", 0},
		{"no ID, a key without one beside another", []map[string]any{named, unnamed}, "", "ES256", 1},
	} {
		set, err := ParseKeySet(mustJSON(t, map[string]any{"keys": tt.keys}))
		if err != nil {
			t.Fatal(err)
		}
		found := set.Find(tt.kid, tt.alg)
		if len(found) != tt.want {
			t.Errorf("%s: %d keys, want %d", tt.name, len(found), tt.want)
		}
		for _, key := range found {
			if !set.Has(key) {
				t.Errorf("%s: a key is not in its own set", tt.name)
			}
		}
	}
}

// G12 and G13: a document of an operator is a set, one key, or PEM blocks.
func TestParseKeys(t *testing.T) {
	key, err := GenerateKey(ES256)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.public.key)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.public.key, key.key)
	if err != nil {
		t.Fatal(err)
	}
	set, err := MarshalKeySet([]*PublicKey{key.Public()})
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, bytes []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}))
	}
	for name, document := range map[string]string{
		"a set": string(set), "a set behind a byte order mark": "\xef\xbb\xbf" + string(set), "one key": string(set[len(`{"keys":[`) : len(set)-len(`]}`)]),
		"PEM": block("PUBLIC KEY", der), "a certificate": block("CERTIFICATE", certificate), "both of one key": block("PUBLIC KEY", der) + "\n" + block("CERTIFICATE", certificate),
	} {
		read, err := ParseKeys([]byte(document), RS256)
		if err != nil || len(read.Keys()) != 1 || !read.Keys()[0].key.(*ecdsa.PublicKey).Equal(key.public.key) {
			t.Errorf("%s: %d keys, %v", name, len(read.Keys()), err)
		}
	}
	for name, document := range map[string]string{
		"nothing": "", "HTML": "<html>", "a private key": block("PRIVATE KEY", der), "a damaged certificate": block("CERTIFICATE", der), "half a block": "-----BEGIN PUBLIC KEY-----\n",
	} {
		if _, err := ParseKeys([]byte(document), RS256); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
