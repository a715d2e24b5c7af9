package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/boltstore"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

const (
	secret   = "bench-secret-bench-secret-bench-secret"
	audience = "https://api.bench.example"
	redirect = "https://app.bench.example/cb"
)

// seed writes into a store, before the server opens it, what a measurement
// needs: so the server has never seen these tokens.
type seed struct {
	store  *boltstore.Store
	state  *tokens.State
	issuer *tokens.Issuer
}

// noAccounts stands for people who are not local users.
type noAccounts struct{}

func (noAccounts) Fingerprint(tokens.UserTag) tokens.Fingerprint { return tokens.Fingerprint{} }

func openSeed(ctx context.Context, path, issuerURL, alg string) (*seed, error) {
	s := &seed{store: boltstore.New(boltstore.Options{Path: path})}
	var err error
	s.state, err = tokens.NewState(tokens.StateConfig{
		Store: s.store, Observer: tokens.NopObserver{}, Clock: time.Now, CacheBytes: 1 << 20, DenylistEntries: 1000,
	})
	if err != nil {
		return nil, err
	}
	secrets, err := tokens.NewSecrets([]byte(secret))
	if err != nil {
		return nil, err
	}
	err = s.state.Configure(ctx, tokens.Settings{
		Secrets: secrets, Keys: tokens.KeySettings{Algorithms: []jose.Algorithm{jose.Algorithm(alg), jose.RS256}}, TokenLifetime: time.Hour,
	})
	if err != nil {
		return nil, err
	}
	if err := s.state.Open(ctx); err != nil {
		return nil, err
	}
	s.issuer, err = tokens.NewIssuer(tokens.Config{
		Issuer:         issuerURL,
		APIs:           []*tokens.API{{Identifier: audience, Scopes: []string{"read"}, AllowOfflineAccess: true, AccessTokenLifetime: time.Hour}},
		Clients:        benchClients(),
		Accounts:       noAccounts{},
		AccessTokenAlg: alg, IDTokenAlg: "RS256",
		IDTokenLifetime: time.Hour, UserinfoTokenLifetime: time.Hour, SessionLifetime: time.Hour, SessionIdleLifetime: time.Hour,
		Observer: tokens.NopObserver{}, Clock: time.Now, Rand: rand.Reader,
	}, s.state)
	return s, err
}

func benchClients() []*tokens.Client {
	return []*tokens.Client{
		{
			ID: "spa", Type: tokens.ClientSPA, RedirectURIs: []string{redirect}, APIs: []string{audience}, OIDCConformant: true,
			Refresh: tokens.RefreshPolicy{Rotation: true, Leeway: 10 * time.Second, Lifetime: 24 * time.Hour, IdleLifetime: 24 * time.Hour, MaxActive: 200},
		},
		{ID: "machine", Type: tokens.ClientMachine, APIs: []string{audience}},
	}
}

func (s *seed) close() error { return s.state.Close() }

// accessTokens mints n access tokens, each different.
func (s *seed) accessTokens(ctx context.Context, n int) ([]string, error) {
	client, _ := s.issuer.Client("machine")
	out := make([]string, n)
	for i := range out {
		res, err := s.issuer.Token(ctx, client, tokens.TokenRequest{GrantType: tokens.GrantClientCredentials})
		if err != nil {
			return nil, err
		}
		out[i] = res.AccessToken
	}
	return out, nil
}

// refreshTokens logs n people in at the SPA, asking for the scopes.
func (s *seed) refreshTokens(ctx context.Context, n int, scope string) ([]string, error) {
	client, _ := s.issuer.Client("spa")
	verifier := string(bytes.Repeat([]byte("v"), 43))
	sum := sha256.Sum256([]byte(verifier))
	request := url.Values{
		"client_id": {"spa"}, "redirect_uri": {redirect}, "response_type": {"code"}, "scope": {scope}, "audience": {audience},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	out := make([]string, n)
	for i := range out {
		login, _, err := s.issuer.SignIn(ctx, tokens.Profile{Subject: fmt.Sprintf("bench|%d", i), Login: "bench"}, "")
		if err != nil {
			return nil, err
		}
		a, err := s.issuer.ParseAuthorization(request)
		if err != nil {
			return nil, err
		}
		code, err := s.issuer.IssueCode(ctx, a, login)
		if err != nil {
			return nil, err
		}
		res, err := s.issuer.Token(ctx, client, tokens.TokenRequest{
			GrantType: tokens.GrantAuthorizationCode, Code: code, RedirectURI: redirect, CodeVerifier: verifier,
		})
		if err != nil {
			return nil, err
		}
		out[i] = res.RefreshToken
	}
	return out, nil
}
