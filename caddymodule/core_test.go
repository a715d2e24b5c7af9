package caddymodule

import (
	"reflect"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/keyring"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/state"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

const day = 24 * time.Hour

// TestDefaults holds the documented defaults and the core's values in step.
func TestDefaults(t *testing.T) {
	a := App{
		Issuer: "https://auth.example.com/",
		APIs:   []*API{{Identifier: "https://api.example.com", Scopes: []string{"b", "a"}}},
		Clients: []*Client{
			{ID: "spa", Type: "spa", RedirectURIs: []string{"https://a.example.com/cb", "https://a.example.com:443/other", "http://localhost:3000/cb"}},
			{ID: "native", Type: "native", RedirectURIs: []string{"https://a.example.com/cb"}},
		},
	}
	cfg := a.coreConfig(oauth.NopObserver{})
	refresh := clients.RefreshPolicy{Rotation: true, Leeway: 10 * time.Second, Lifetime: 30 * day, IdleLifetime: 15 * day, MaxActive: 200}
	equal(t, "API", *cfg.APIs[0], clients.API{Identifier: "https://api.example.com", Scopes: []string{"b", "a"}, AccessTokenLifetime: 10 * time.Minute})
	equal(t, "spa", *cfg.Clients[0], clients.Client{
		ID: "spa", Name: "spa", Type: clients.SPA, RedirectURIs: a.Clients[0].RedirectURIs,
		Origins: []string{"https://a.example.com", "http://localhost:3000"}, OIDCConformant: true, Refresh: refresh,
	})
	equal(t, "native", *cfg.Clients[1], clients.Client{
		ID: "native", Name: "native", Type: clients.Native, RedirectURIs: a.Clients[1].RedirectURIs, OIDCConformant: true, Refresh: refresh,
	})
	equal(t, "issuer", cfg.Issuer, "https://auth.example.com/")
	equal(t, "access token algorithm", cfg.AccessTokenAlg, "ES256")
	equal(t, "ID token algorithm", cfg.IDTokenAlg, "RS256")
	equal(t, "ID token lifetime", cfg.IDTokenLifetime, 10*time.Hour)
	equal(t, "session", cfg.SessionLifetime, 7*day)
	equal(t, "idle session", cfg.SessionIdleLifetime, 3*day)
	equal(t, "settings", a.coreSettings(), state.Settings{
		Issuers: []string{"https://auth.example.com/"},
		Keys: keyring.Settings{
			Algorithms:  []jose.Algorithm{jose.RS256, jose.ES256},
			RotateEvery: 90 * day, KeepFor: 10*time.Hour + time.Minute,
		},
		TokenLifetime: 10 * time.Minute, MaxLag: 10 * time.Second,
	})
	equal(t, "limits", a.stateLimits(), stateLimits{cacheBytes: verify.DefaultCacheBytes, denylistEntries: 1_000_000})
	equal(t, "theme", themeOf(t, &a), pages.Theme{})
	equal(t, "API scopes", a.apiScopes(), []string{"a", "b"})
}

// TestCore converts settings that are not the defaults.
func TestCore(t *testing.T) {
	a := App{
		Denylist: &Denylist{CacheEntries: 5000, MaxLag: caddy.Duration(time.Second), AllowStale: caddy.Duration(time.Minute)},
		Signing:  &Signing{AccessTokenAlgorithm: "EdDSA", IDTokenAlgorithm: "EdDSA", RotateEvery: caddy.Duration(30 * day), IDTokenLifetime: caddy.Duration(time.Minute)},
		Session:  &Session{Lifetime: caddy.Duration(day)},
		Theme:    &Theme{Name: "A", Logo: "/a.svg", Color: "#123", Favicon: "/b.svg", Help: "/help", Privacy: "/privacy"},
		APIs: []*API{
			{Identifier: "a", AllowOfflineAccess: true, AccessTokenLifetime: caddy.Duration(time.Hour)},
			{Identifier: "b", AccessTokenLifetime: caddy.Duration(time.Minute)},
		},
		Clients: []*Client{{
			ID: "web", Name: "The Web", Type: "web", RedirectURIs: []string{"https://a.example.com/cb"}, LogoutURIs: []string{"https://a.example.com/"},
			APIs: []string{"a"}, Scopes: []string{"x"}, Consent: "auto", OIDCConformant: new(false), IDTokenAlgorithm: "RS256", hashes: []string{"h"},
			RefreshToken: &RefreshToken{Rotation: new(false), Leeway: new(caddy.Duration(0)), Lifetime: Infinite, IdleLifetime: Lifetime(day), MaxActive: 1},
		}, {
			ID: "spa", Type: "spa", RedirectURIs: []string{"https://a.example.com/cb"}, Origins: []string{"https://b.example.com"}, Consent: "always",
			RefreshToken: &RefreshToken{Lifetime: Lifetime(day)},
		}},
	}
	cfg := a.coreConfig(oauth.NopObserver{})
	equal(t, "web", *cfg.Clients[0], clients.Client{
		ID: "web", Name: "The Web", Type: clients.Web, RedirectURIs: []string{"https://a.example.com/cb"}, LogoutURIs: []string{"https://a.example.com/"},
		APIs: []string{"a"}, Scopes: []string{"x"}, SecretHashes: []string{"h"}, IDTokenAlg: "RS256",
		Refresh: clients.RefreshPolicy{IdleLifetime: day, MaxActive: 1},
	})
	equal(t, "spa", *cfg.Clients[1], clients.Client{
		ID: "spa", Name: "spa", Type: clients.SPA, RedirectURIs: []string{"https://a.example.com/cb"}, Origins: []string{"https://b.example.com"},
		Consent: clients.ConsentAlways, OIDCConformant: true,
		Refresh: clients.RefreshPolicy{Rotation: true, Leeway: 10 * time.Second, Lifetime: day, IdleLifetime: day, MaxActive: 200},
	})
	equal(t, "API", *cfg.APIs[0], clients.API{Identifier: "a", AllowOfflineAccess: true, AccessTokenLifetime: time.Hour})
	equal(t, "idle session", cfg.SessionIdleLifetime, day)
	equal(t, "settings", a.coreSettings(), state.Settings{
		Issuers: []string{a.Issuer},
		Keys: keyring.Settings{
			Algorithms:  []jose.Algorithm{jose.EdDSA, jose.RS256},
			RotateEvery: 30 * day, KeepFor: time.Hour + time.Minute,
		},
		TokenLifetime: time.Hour, MaxLag: time.Second, AllowStale: time.Minute,
	})
	equal(t, "limits", a.stateLimits().denylistEntries, int64(5000))
	equal(t, "theme", themeOf(t, &a), pages.Theme{Name: "A", Logo: "/a.svg", Color: "#123", Favicon: "/b.svg", Help: "/help", Privacy: "/privacy"})
}

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

func themeOf(t *testing.T, a *App) pages.Theme {
	t.Helper()
	theme, err := a.Theme.pages()
	if err != nil {
		t.Fatal(err)
	}
	return theme
}
