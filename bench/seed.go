package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/boltstore"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/keyring"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/state"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

const (
	secret   = "bench-secret-bench-secret-bench-secret"
	audience = "https://api.bench.example"
	redirect = "https://app.bench.example/cb"
)

// seed writes into a store, before the server opens it, what a measurement
// needs: so the server has never seen these tokens.
type seed struct {
	state  *state.State
	issuer *tokens.Issuer
	people atomic.Int64 // of logins, so that each is of another
}

// benchAccounts are people who came by the login bench of the server's Caddyfile.
type benchAccounts struct{}

// benchLogin is that login's fingerprint, as package upstream makes it.
var benchLogin = func() storage.Fingerprint {
	sum := sha256.Sum256([]byte("bench\x00https://github.com/login/oauth\x00sub"))
	return storage.Fingerprint(sum[:8])
}()

func (benchAccounts) Fingerprints(storage.UserTag, ...string) []storage.Fingerprint {
	return []storage.Fingerprint{benchLogin}
}

func (benchAccounts) Lists(storage.UserTag) bool { return false }

func (benchAccounts) Standing(storage.UserTag, string) (bool, *storage.Mark) { return false, nil }

func openSeed(ctx context.Context, path, issuerURL, alg string) (*seed, error) {
	return seedStore(ctx, boltstore.New(boltstore.Options{Path: path}), issuerURL, alg)
}

// seedStore is openSeed for any store.
func seedStore(ctx context.Context, store storage.Store, issuerURL, alg string) (*seed, error) {
	s := new(seed)
	var err error
	s.state, err = state.New(state.Config{
		Store: store, Observer: oauth.NopObserver{}, Clock: time.Now, CacheBytes: 1 << 20, DenylistEntries: 1000,
	})
	if err != nil {
		return nil, err
	}
	secrets, err := secrets.NewSecrets([]byte(secret))
	if err != nil {
		return nil, err
	}
	err = s.state.Configure(ctx, state.Settings{
		Secrets: secrets, Keys: keyring.Settings{Algorithms: []jose.Algorithm{jose.Algorithm(alg), jose.RS256}}, TokenLifetime: time.Hour,
	})
	if err != nil {
		return nil, err
	}
	if err := s.state.Open(ctx); err != nil {
		return nil, err
	}
	s.issuer, err = tokens.NewIssuer(tokens.Config{
		Issuer:         issuerURL,
		APIs:           []*clients.API{{Identifier: audience, Scopes: []string{"read"}, AllowOfflineAccess: true, AccessTokenLifetime: time.Hour}},
		Clients:        benchClients(),
		Accounts:       benchAccounts{},
		AccessTokenAlg: alg, IDTokenAlg: "RS256",
		IDTokenLifetime: time.Hour, UserinfoTokenLifetime: time.Hour, SessionLifetime: time.Hour, SessionIdleLifetime: time.Hour,
		Observer: oauth.NopObserver{}, Clock: time.Now, Rand: rand.Reader,
	}, s.state)
	return s, err
}

func benchClients() []*clients.Client {
	return []*clients.Client{
		{
			ID: "spa", Type: clients.SPA, RedirectURIs: []string{redirect}, APIs: []string{audience}, OIDCConformant: true,
			Refresh: clients.RefreshPolicy{Rotation: true, Leeway: 10 * time.Second, Lifetime: 24 * time.Hour, IdleLifetime: 24 * time.Hour, MaxActive: 200},
		},
		{ID: "machine", Type: clients.Machine, APIs: []string{audience}},
	}
}

func (s *seed) close() error { return s.state.Close() }

// accessTokens mints n access tokens, each different.
func (s *seed) accessTokens(ctx context.Context, n int) ([]string, error) {
	client, _ := s.issuer.Configured("machine")
	return each(n, runtime.GOMAXPROCS(0), func() (string, error) {
		res, err := s.issuer.Token(ctx, client, tokens.TokenRequest{GrantType: oauth.GrantClientCredentials})
		if err != nil {
			return "", err
		}
		return res.AccessToken, nil
	})
}

// refreshTokens logs n people in at the SPA, asking for the scopes.
func (s *seed) refreshTokens(ctx context.Context, n int, scope string) ([]string, error) {
	return s.logins(ctx, n, scope, func(res *tokens.TokenResponse) string { return res.RefreshToken })
}

// userTokens returns access tokens of n people.
func (s *seed) userTokens(ctx context.Context, n int) ([]string, error) {
	return s.logins(ctx, n, "read", func(res *tokens.TokenResponse) string { return res.AccessToken })
}

// logins logs n people in, some at a time, and keeps one token of each.
func (s *seed) logins(ctx context.Context, n int, scope string, which func(*tokens.TokenResponse) string) ([]string, error) {
	return each(n, 32, func() (string, error) {
		res, err := s.login(ctx, fmt.Sprintf("bench|%d", s.people.Add(1)), scope)
		if err != nil {
			return "", err
		}
		return which(res), nil
	})
}

// each calls one n times, by some workers at once, and returns what it made or
// the first error.
func each(n, workers int, one func() (string, error)) ([]string, error) {
	out := make([]string, n)
	failures := make(chan error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				made, err := one()
				if err != nil {
					failures <- err
					return
				}
				out[i] = made
			}
		})
	}
	wg.Wait()
	close(failures)
	return out, <-failures
}

// login logs one person in.
func (s *seed) login(ctx context.Context, subject, scope string) (*tokens.TokenResponse, error) {
	client, _ := s.issuer.Configured("spa")
	verifier := string(bytes.Repeat([]byte("v"), 43))
	sum := sha256.Sum256([]byte(verifier))
	login, _, err := s.issuer.SignIn(ctx, tokens.Profile{Subject: subject, Login: "bench", Fingerprint: benchLogin}, "")
	if err != nil {
		return nil, err
	}
	a, err := s.issuer.ParseAuthorization(ctx, url.Values{
		"client_id": {"spa"}, "redirect_uri": {redirect}, "response_type": {"code"}, "scope": {scope}, "audience": {audience},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	})
	if err != nil {
		return nil, err
	}
	code, err := s.issuer.IssueCode(ctx, a, login)
	if err != nil {
		return nil, err
	}
	return s.issuer.Token(ctx, client, tokens.TokenRequest{
		GrantType: oauth.GrantAuthorizationCode, Code: code, RedirectURI: redirect, CodeVerifier: verifier,
	})
}
