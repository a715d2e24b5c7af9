package upstream

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/gatehouse-auth/gatehouse/handler/fetch"
	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/jwks"
)

// keySet verifies signatures for go-oidc, by the keys that the background holds, or by the
// client secret. It is for one token.
type keySet struct {
	of             *OIDC
	issuer, tenant string // of the token
	// fresh is by whose allowance the keys are fetched again; nil is that of sign-ins.
	fresh *freshness
	// made is the iat of a token that is sent again when it is refused for a while: zero for others.
	made time.Time

	err error // why it has not verified: go-oidc keeps the text alone
}

var _ oidc.KeySet = (*keySet)(nil)

// VerifySignature implements oidc.KeySet.
func (k *keySet) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	token, err := jose.ReadCompact(raw, maxIDToken)
	if err == nil {
		err = k.verify(ctx, token)
	}
	k.err = err
	return token.Payload, err
}

func (k *keySet) verify(ctx context.Context, token jose.Compact) error {
	if HS256.Is(token.Header.Alg) { // which is pinned: see checkIDToken
		return k.of.cfg.verifyHMAC(token)
	}
	if held := k.of.heldKeys(ctx); held != nil && k.matches(*held, token) {
		return nil
	}
	fresh, retry := &k.of.fresh, keyRetry
	if k.fresh != nil {
		if held := k.of.keys.Trusted(k.of.cfg.Clock()); held != nil && held.Set.Names(token.Header.Kid) {
			return forged(reasonSignature, "checking token: the key that it names has not signed it")
		}
		fresh, retry = k.fresh, keyPause
	}
	asked := k.of.cfg.Clock()
	held, fetched, err := k.of.freshKeys(ctx, fresh, retry)
	if held == nil {
		return failed(login.FailedDown, reasonNoKeys, errors.New("checking ID token: the keys of the provider have not been had yet"))
	}
	if k.matches(*held, token) {
		return nil
	}
	if err != nil {
		return failed(login.FailedDown, reasonNoKeys, fmt.Errorf("checking ID token: no key that was had before has signed it, and there are no newer ones: %w", withoutURL(err)))
	}
	// The provider may have had the key since the last fetch: then the token is good after the next.
	if !k.made.IsZero() && fetched.Before(asked) && fetched.Before(k.made.Add(maxClockLag)) {
		return &login.FailedError{
			Failure: login.FailedBusy, Reason: reasonNoKeys, After: fetched.Add(keyPause).Sub(asked),
			Cause: fmt.Errorf("checking logout token: it names the key %q, which is newer than the last fetch of keys, and they are fetched every %s at most", providerText(token.Header.Kid), keyPause),
		}
	}
	return forged(reasonSignature, "checking ID token: no key of the provider has signed it, of which it names %q", providerText(token.Header.Kid))
}

// matches reports whether a key of the set has signed the token. A key that names an
// issuer is that one's (Entra).
func (k *keySet) matches(set jose.Set, token jose.Compact) bool {
	for _, key := range set.Find(token.Header.Kid, token.Header.Alg) {
		whose := strings.ReplaceAll(key.Issuer(), tenantMark, k.tenant)
		if (whose == "" || whose == k.issuer) && key.VerifySignature([]byte(token.Signed), token.Signature) == nil {
			return true
		}
	}
	return false
}

// verifyHMAC verifies a signature by the client secret (RFC 7518 §3.2, F24).
func (c *Config) verifyHMAC(token jose.Compact) error {
	secrets, err := c.secrets()
	if err != nil {
		return failed(login.FailedBroken, reasonSettings, err)
	}
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		_, _ = mac.Write([]byte(token.Signed))
		if hmac.Equal(mac.Sum(nil), token.Signature) {
			return nil
		}
	}
	return forged(reasonSignature, "checking ID token: the client secret has not signed it")
}

// newKeys makes what holds the provider's keys.
func (o *OIDC) newKeys() *jwks.Remote {
	rsa := jose.RS256
	for _, a := range o.cfg.Algorithms {
		if a.RSA() {
			rsa = a
			break
		}
	}
	return jwks.NewRemote(jwks.RemoteConfig{
		Issuer: o.cfg.Issuer, Fetch: o.fetchKeys, RSA: rsa, Observer: o.cfg.Observer, Clock: o.cfg.Clock,
	})
}

// fetchKeys is a jwks.Fetch.
func (o *OIDC) fetchKeys(ctx context.Context) ([]byte, time.Duration, error) {
	doc := o.published.held.Load()
	if doc == nil {
		return nil, 0, errors.New("fetching key set: the discovery document has not been had yet")
	}
	return fetch.NewKeyFetcher(fetch.KeySource{JWKSURI: doc.JWKS, Client: o.client}, nil).Fetch(ctx)
}

// heldKeys returns the keys. While there are none yet it waits a bounded moment.
func (o *OIDC) heldKeys(ctx context.Context) *jose.Set {
	if o.keys.Await(ctx, o.cfg.Clock) {
		if held := o.keys.Trusted(o.cfg.Clock()); held != nil {
			return &held.Set
		}
	}
	o.keys.Missing()
	return nil
}

// keyPause is the least time between two fetches that tokens with unknown keys bring about (F17).
const keyPause = 30 * time.Second

// maxClockLag is by how much a provider's clock may be behind ours, where its times are compared
// with what happened here.
const maxClockLag = 10 * time.Second

// keyRetry takes its place after a fetch that has failed.
const keyRetry = 5 * time.Second

// freshness is an allowance to fetch the keys again for tokens with unknown ones. Sign-ins,
// whose tokens come from the provider itself, have one of their own.
type freshness struct {
	mu  sync.Mutex // held while keys are fetched
	at  time.Time
	err error // what became of that
}

// freshKeys fetches the keys again, unless that was done a moment ago, and returns them:
// a provider may have changed them without a word, and the person's code is spent. It says
// when that was begun. Where the fetch has failed, the error comes along with the keys of before.
func (o *OIDC) freshKeys(ctx context.Context, f *freshness, retry time.Duration) (_ *jose.Set, begun time.Time, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	pause := keyPause
	if f.err != nil {
		pause = retry
	}
	if now := o.cfg.Clock(); now.Sub(f.at) >= pause {
		f.at = now
		_, f.err = o.keys.Refresh(ctx) // which tells of it
	}
	held := o.keys.Trusted(o.cfg.Clock())
	if held == nil {
		return nil, f.at, f.err
	}
	return &held.Set, f.at, f.err
}
