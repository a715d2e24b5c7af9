package verify

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/keyring"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
	"github.com/gatehouse-auth/gatehouse/tokens/tokenstest"
)

const testIssuer = "https://auth.example.com/"

// tokenBench is a verifier with its keys, and a pen that signs anything with them.
type tokenBench struct {
	tb       testing.TB
	cell     *tokenstest.KeyCell
	keys     *keyring.Ring
	cache    *Cache
	verifier *Verifier
	now      time.Time
}

func newTokenBench(tb testing.TB, algs ...jose.Algorithm) *tokenBench {
	tb.Helper()
	if len(algs) == 0 {
		algs = []jose.Algorithm{jose.ES256}
	}
	b := &tokenBench{tb: tb, now: time.Now().Truncate(time.Second)}
	b.cell = &tokenstest.KeyCell{Clock: b.clock}
	b.keys = keyring.New(b.cell, nil, b.clock)
	b.keys.Configure(keyring.Settings{Secrets: tokenstest.Secrets(tb, "a"), Algorithms: algs})
	b.load()
	var err error
	if b.cache, err = NewCache(0); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(b.cache.Close)
	b.verifier = New(Config{Issuer: testIssuer, Keys: b.keys, Cache: b.cache, Clock: b.clock})
	return b
}

// load reads the keys of the store.
func (b *tokenBench) load() {
	b.tb.Helper()
	if err := b.keys.Load(b.tb.Context()); err != nil {
		b.tb.Fatal(err)
	}
}

func (b *tokenBench) clock() time.Time { return b.now }

func (b *tokenBench) signer(alg jose.Algorithm) *jose.PrivateKey {
	b.tb.Helper()
	k, err := b.keys.Signers().Signer(alg)
	if err != nil {
		b.tb.Fatal(err)
	}
	return k
}

// claims are those of the base token, with changes: a nil value takes a claim away.
func (b *tokenBench) claims(change map[string]any) map[string]any {
	c := map[string]any{
		"iss": testIssuer, "sub": "local|alice", "aud": "https://api.example.com", "client_id": "my-spa",
		"exp": b.now.Add(10 * time.Minute).Unix(), "iat": b.now.Unix(), "jti": storage.TokenID{1}.String(), "scope": "orders:read orders:write",
	}
	return tokenstest.Merge(c, change)
}

// header is that of the base token, with changes.
func (b *tokenBench) header(change map[string]any) map[string]any {
	return tokenstest.Merge(map[string]any{"typ": TypeAccessToken, "alg": "ES256", "kid": b.signer(jose.ES256).ID()}, change)
}

// mint makes the base token with changes, signed by our ES256 key.
func (b *tokenBench) mint(header, claims map[string]any) string {
	b.tb.Helper()
	return b.sign(b.json(b.header(header)), b.json(b.claims(claims)))
}

func (b *tokenBench) json(v any) string {
	b.tb.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		b.tb.Fatal(err)
	}
	return string(text)
}

// sign signs any text as header and payload with our ES256 key.
func (b *tokenBench) sign(header, payload string) string {
	b.tb.Helper()
	return b.seal(tokenstest.Segment(header) + "." + tokenstest.Segment(payload))
}

// seal signs any signing input with our ES256 key.
func (b *tokenBench) seal(input string) string {
	b.tb.Helper()
	der, err := b.signer(jose.ES256).MarshalPKCS8()
	if err != nil {
		b.tb.Fatal(err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		b.tb.Fatal(err)
	}
	return input + "." + tokenstest.Segment(string(tokenstest.SignES256(b.tb, key.(crypto.Signer), input)))
}

// reasonOf returns the private reason of a refusal, "" for none, and checks its public part.
func reasonOf(tb testing.TB, err error) oauth.Reason {
	tb.Helper()
	if err == nil {
		return ""
	}
	var e *oauth.Error
	if !errors.As(err, &e) {
		tb.Fatalf("not an *Error: %v", err)
	}
	if e.Code != oauth.InvalidToken || e.Description != jose.ErrMalformed.Description {
		tb.Errorf("the refusal is not the common one: %+v", e)
	}
	return e.Reason
}
