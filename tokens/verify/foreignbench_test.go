package verify

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jwks"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/tokenstest"
)

const testAudience = "https://api.example.com"

// foreignIssuer is another issuer: a key, and a pen that signs anything with it.
type foreignIssuer struct {
	tb  testing.TB
	url string
	kid string
	key *ecdsa.PrivateKey
	now func() time.Time

	mu      sync.Mutex
	fetches int
	answer  string // instead of the key set
	maxAge  time.Duration
	fail    error
}

func newForeignIssuer(tb testing.TB, url, kid string, now func() time.Time) *foreignIssuer {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return &foreignIssuer{tb: tb, url: url, kid: kid, key: key, now: now, maxAge: -1}
}

// jwk is the public key with further members.
func (f *foreignIssuer) jwk(more string) string {
	point, err := f.key.PublicKey.Bytes()
	if err != nil {
		f.tb.Fatal(err)
	}
	enc := base64.RawURLEncoding
	return fmt.Sprintf(`{"kty":"EC","crv":"P-256","kid":%q,"x":%q,"y":%q%s}`, f.kid, enc.EncodeToString(point[1:33]), enc.EncodeToString(point[33:]), more)
}

// fetch is a Fetch.
func (f *foreignIssuer) fetch(context.Context) ([]byte, time.Duration, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fetches++
	if f.answer != "" {
		return []byte(f.answer), f.maxAge, f.fail
	}
	return []byte(`{"keys":[` + f.jwk("") + `]}`), f.maxAge, f.fail
}

func (f *foreignIssuer) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fetches
}

func (f *foreignIssuer) set(answer string, fail error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer, f.fail = answer, fail
}

// rotate takes a new key.
func (f *foreignIssuer) rotate(kid string) {
	next := newForeignIssuer(f.tb, f.url, kid, f.now)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.key, f.kid = next.key, kid
}

// keys are the keys of the issuer, fetched once.
func (f *foreignIssuer) keys(observer oauth.Observer) *jwks.Remote {
	f.tb.Helper()
	k := jwks.NewRemote(jwks.RemoteConfig{Issuer: f.url, Fetch: f.fetch, Observer: observer, Clock: f.now})
	if _, err := k.Refresh(context.Background()); err != nil {
		f.tb.Fatal(err)
	}
	return k
}

// mint makes a token as real issuers do, with changes.
func (f *foreignIssuer) mint(header, claims map[string]any) string {
	h := tokenstest.Merge(map[string]any{"typ": TypeAccessToken, "alg": "ES256", "kid": f.kid}, header)
	c := tokenstest.Merge(map[string]any{
		"iss": f.url, "sub": "alice", "aud": testAudience, "azp": "app", "scope": "orders:read",
		"exp": f.now().Add(10 * time.Minute).Unix(), "iat": f.now().Unix(),
	}, claims)
	return f.seal(h, c)
}

func (f *foreignIssuer) seal(header, claims any) string {
	f.tb.Helper()
	text := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			f.tb.Fatal(err)
		}
		return tokenstest.Segment(string(b))
	}
	input := text(header) + "." + text(claims)
	return input + "." + tokenstest.Segment(string(tokenstest.SignES256(f.tb, f.key, input)))
}

// foreignBench is a verifier of tokens of this gateway and two other issuers.
type foreignBench struct {
	*tokenBench
	a, b         *foreignIssuer
	keysA, keysB *jwks.Remote
}

func newForeignBench(tb testing.TB) *foreignBench {
	tb.Helper()
	bench := &foreignBench{tokenBench: newTokenBench(tb)}
	// Both use one kid, as issuers that count their keys do.
	bench.a = newForeignIssuer(tb, "https://a.example.com/", "1", bench.clock)
	bench.b = newForeignIssuer(tb, "https://b.example.com/", "1", bench.clock)
	bench.keysA, bench.keysB = bench.a.keys(nil), bench.b.keys(nil)
	return bench
}

// route is a verifier as a route has it.
func (b *foreignBench) route(others ...ForeignConfig) *Verifier {
	cfg := Config{Issuer: testIssuer, Keys: b.keys, Cache: b.cache, Clock: b.clock}
	for _, o := range others {
		cfg.Others = append(cfg.Others, NewForeign(o))
	}
	return New(cfg)
}

func (b *foreignBench) configA(change ...func(*ForeignConfig)) ForeignConfig {
	cfg := ForeignConfig{Issuer: b.a.url, Keys: b.keysA, AcceptJWT: true}
	for _, c := range change {
		c(&cfg)
	}
	return cfg
}

func (b *foreignBench) configB() ForeignConfig {
	return ForeignConfig{Issuer: b.b.url, Keys: b.keysB, AcceptJWT: true}
}

// refusal returns the private reason of a refusal, "" for none.
func refusal(tb testing.TB, err error) oauth.Reason {
	tb.Helper()
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*oauth.Error](err)
	if !ok {
		tb.Fatalf("not a plain *Error: %v", err)
	}
	return e.Reason
}

// jwkSet joins keys to a set.
func jwkSet(keys ...string) string {
	text := `{"keys":[`
	for i, k := range keys {
		if i > 0 {
			text += ","
		}
		text += k
	}
	return text + "]}"
}
