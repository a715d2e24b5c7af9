package handler

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/handler/wire/wiretest"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/boltstore"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/keyring"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/state"
)

// gateway is a Server over a whole core with a real store, and a clock that
// the test moves.
type gateway struct {
	*Server
	t     *testing.T
	state *state.State
	store *switchStore
	heard *observer
	now   atomic.Int64
}

func (g *gateway) clock() time.Time { return time.Unix(0, g.now.Load()) }

func (g *gateway) pass(d time.Duration) { g.now.Add(int64(d)) }

// observer collects what the core and the handlers say.
type observer struct {
	mu     sync.Mutex
	events []oauth.Event
}

func (o *observer) Happened(_ context.Context, e oauth.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, e)
}

func (o *observer) Checked(oauth.Reason) {}

// of returns the events of a kind.
func (o *observer) of(kind oauth.EventKind) []oauth.Event {
	o.mu.Lock()
	defer o.mu.Unlock()
	var found []oauth.Event
	for _, e := range o.events {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

func (o *observer) has(kind oauth.EventKind, outcome oauth.Outcome) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.events {
		if e.Kind == kind && e.Outcome == outcome {
			return true
		}
	}
	return false
}

func testClients() []*clients.Client {
	refresh := clients.RefreshPolicy{Rotation: true, Leeway: 10 * time.Second, Lifetime: 24 * time.Hour, IdleLifetime: time.Hour, MaxActive: 10}
	return []*clients.Client{
		{
			ID: "spa", Name: "Orders", Type: clients.SPA, RedirectURIs: []string{spaRedirect, spaOrigin},
			LogoutURIs: []string{spaOrigin + "/", spaOrigin + "/bye?x=1"}, Origins: []string{spaOrigin}, APIs: []string{testAPI},
			OIDCConformant: true, Refresh: refresh,
		},
		{
			ID: "other-spa", Type: clients.SPA, RedirectURIs: []string{"https://other.example.com/cb"},
			Origins: []string{"https://other.example.com"}, OIDCConformant: true, Refresh: refresh,
		},
		{
			ID: "web", Type: clients.Web, RedirectURIs: []string{"https://web.example.com/cb?keep=1"},
			APIs: []string{testAPI}, SecretHashes: []string{clients.HashSecret(webSecret)}, OIDCConformant: true, Refresh: refresh,
		},
		{
			ID: "web 2:%+é", Type: clients.Web, RedirectURIs: []string{"https://web2.example.com/cb"},
			SecretHashes: []string{clients.HashSecret("p:%+ é")}, OIDCConformant: true, Refresh: refresh,
		},
		{
			ID: "native", Name: "Phone <b>", Type: clients.Native, RedirectURIs: []string{"com.example.app:/cb", "http://127.0.0.1/cb", "http://[::1]/cb"},
			OIDCConformant: true, Refresh: refresh,
		},
		{
			ID: "machine", Type: clients.Machine, APIs: []string{testAPI},
			SecretHashes: []string{clients.HashSecret(webSecret)},
		},
	}
}

func newGateway(t *testing.T, change ...func(*tokens.Config, *Config)) *gateway {
	t.Helper()
	g := &gateway{t: t, heard: &observer{}}
	g.now.Store(time.Now().Truncate(time.Second).UnixNano())
	g.store = &switchStore{Store: boltstore.New(boltstore.Options{Path: filepath.Join(t.TempDir(), "test.db"), Clock: g.clock})}
	derived, err := secrets.NewSecrets(bytes.Repeat([]byte("s"), 32))
	if err != nil {
		t.Fatal(err)
	}
	g.state, err = state.New(state.Config{
		Store: g.store, Observer: g.heard, Clock: g.clock, CacheBytes: 1 << 20, DenylistEntries: 1000,
	})
	if err != nil {
		t.Fatal(err)
	}
	err = g.state.Configure(t.Context(), state.Settings{
		Secrets: derived, TokenLifetime: 10 * time.Minute, Keys: keyring.Settings{Algorithms: []jose.Algorithm{jose.ES256, jose.RS256}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.state.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.state.Close(); err != nil {
			t.Error(err)
		}
	})
	hash, err := bcrypt.GenerateFromPassword([]byte(testPassword), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	local, err := login.NewLocal(login.LocalConfig{
		Name: "local", Clock: g.clock, FakeHash: hash,
		Users: []login.User{
			{Name: "alice", Hash: string(hash), Claims: map[string]any{"name": "Alice", "email": "alice@example.com", "email_verified": true}},
			{Name: "bob", Hash: string(hash)},
		},
		Compare: func(h, p []byte) (bool, error) { return bcrypt.CompareHashAndPassword(h, p) == nil, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	core := tokens.Config{
		Issuer: testIssuer,
		APIs: []*clients.API{{
			Identifier: testAPI, Scopes: []string{"orders:read", "orders:write"}, AllowOfflineAccess: true, AccessTokenLifetime: 10 * time.Minute,
		}},
		Clients: testClients(), Accounts: login.Accounts([]login.Login{local}),
		AccessTokenAlg: "ES256", IDTokenAlg: "RS256", IDTokenLifetime: 10 * time.Hour, UserinfoTokenLifetime: time.Hour,
		SessionLifetime: 7 * 24 * time.Hour, SessionIdleLifetime: 3 * 24 * time.Hour,
		CompareHash: func(_, _ []byte) (bool, error) { return false, errors.New("no slow hash in these tests") },
		Observer:    g.heard, Clock: g.clock, Rand: rand.Reader,
	}
	cfg := Config{
		IssuerURL: testIssuer, Ready: g.state.Open, JWKS: g.state.Keys.JWKS, Secrets: func() *secrets.Secrets { return derived },
		Logins: []login.Login{local}, Theme: pages.Theme{Name: "Example"}, Observer: g.heard, Clock: g.clock,
		SigningAlgs: []jose.Algorithm{jose.RS256, jose.ES256}, APIScopes: []string{"orders:read", "orders:write"},
	}
	for _, c := range change {
		c(&core, &cfg)
	}
	if cfg.Issuer, err = tokens.NewIssuer(core, g.state); err != nil {
		t.Fatal(err)
	}
	if g.Server, err = NewServer(cfg); err != nil {
		t.Fatal(err)
	}
	return g
}

// do sends one request with the headers given in pairs.
func (g *gateway) do(method, target, body string, headers ...string) *wiretest.Answer {
	g.t.Helper()
	r := httptest.NewRequestWithContext(g.t.Context(), method, target, strings.NewReader(body))
	if strings.HasPrefix(target, "/") {
		r.Host = g.issuerHost
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return wiretest.AnswerOf(g.t, w)
}

// post sends a form.
func (g *gateway) post(target string, form url.Values, headers ...string) *wiretest.Answer {
	g.t.Helper()
	return g.do(http.MethodPost, target, form.Encode(), append([]string{"Content-Type", formType}, headers...)...)
}

func (b *browser) post(target string, form url.Values, headers ...string) *wiretest.Answer {
	b.g.t.Helper()
	return b.send(http.MethodPost, target, form.Encode(), append([]string{"Content-Type", formType}, headers...)...)
}
