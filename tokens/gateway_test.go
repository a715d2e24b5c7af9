package tokens_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/admin"
	"github.com/gatehouse-auth/gatehouse/tokens/boltstore"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/keyring"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/state"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

const (
	issuerURL   = "https://auth.example.com/"
	ordersAPI   = "https://orders.example.com"
	billingAPI  = "https://billing.example.com"
	spaRedirect = "https://app.example.com/cb"
	verifier    = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)

// gateway is a whole core over a real store, with a clock that the test moves.
type gateway struct {
	*tokens.Issuer
	*admin.Operator
	t      *testing.T
	state  *state.State
	store  *boltstore.Store
	cfg    tokens.Config
	events *events
	// lifetime is the longest of access tokens, an hour for 0.
	lifetime time.Duration

	mu  sync.Mutex
	now time.Time
}

func (g *gateway) clock() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.now
}

func (g *gateway) pass(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now = g.now.Add(d)
}

// events collects what the core says.
type events struct {
	mu  sync.Mutex
	all []oauth.Event
	new chan struct{} // closed with the next one
}

func (e *events) Happened(_ context.Context, ev oauth.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, ev)
	if e.new != nil {
		close(e.new)
		e.new = nil
	}
}

// changed returns what is closed with the next event.
func (e *events) changed() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.new == nil {
		e.new = make(chan struct{})
	}
	return e.new
}

func (e *events) Checked(oauth.Reason) {}

func (e *events) count(kind oauth.EventKind, outcome oauth.Outcome) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, ev := range e.all {
		if ev.Kind == kind && (outcome == "" || ev.Outcome == outcome) {
			n++
		}
	}
	return n
}

// openStore does as a gateway does, which comes again while Redis is out of reach: on a
// busy machine a fresh one may take longer than a test's timeout to answer.
func (g *gateway) openStore() {
	g.t.Helper()
	start := time.Now()
	err := g.state.Open(g.t.Context())
	for errors.Is(err, redisstore.ErrUnreachable) && time.Since(start) < 20*time.Second {
		err = g.state.Open(g.t.Context())
	}
	if err != nil {
		g.t.Fatal(err)
	}
}

// accounts are the local users of a test, and under the zero tag a provider's login.
type accounts map[storage.UserTag]storage.Fingerprint

func (a accounts) Fingerprints(u storage.UserTag, logins ...string) (prints []storage.Fingerprint) {
	for login, who := range map[string]storage.UserTag{"local": u, "company": {}} {
		if f, ok := a[who]; ok && (len(logins) == 0 || slices.Contains(logins, login)) {
			prints = append(prints, f)
		}
	}
	return prints
}

func (a accounts) Lists(u storage.UserTag) bool { return a[u] != (storage.Fingerprint{}) }

func (a accounts) Standing(u storage.UserTag, subject string) (gone bool, mark *storage.Mark) {
	if !strings.HasPrefix(subject, "local|") {
		return false, nil
	}
	if f, ok := a[u]; ok {
		return false, new(f.Mark())
	}
	return true, nil
}

// company is the fingerprint of a provider's login.
var company = storage.Fingerprint{0xc0}

var alice = tokens.Profile{
	Subject: "local|alice", Login: "local", ACR: "pwd", Fingerprint: storage.FingerprintOf("$2a$alice"),
	Claims: map[string]any{"name": "Alice", "email": "alice@example.com", "email_verified": true},
}

func newGateway(t *testing.T, change ...func(*tokens.Config)) *gateway {
	t.Helper()
	return newBriefGateway(t, 0, change...)
}

// newBriefGateway has access tokens that live for so long, an hour for 0.
func newBriefGateway(t *testing.T, lifetime time.Duration, change ...func(*tokens.Config)) *gateway {
	t.Helper()
	g := &gateway{t: t, now: time.Now().Truncate(time.Second), events: &events{}, lifetime: lifetime}
	g.store = boltstore.New(boltstore.Options{Path: filepath.Join(t.TempDir(), "test.db"), Clock: g.clock})
	g.start(g.store, g.clock, change...)
	return g
}

// start opens the core over a store.
func (g *gateway) start(store storage.Store, clock func() time.Time, change ...func(*tokens.Config)) {
	t := g.t
	t.Helper()
	var err error
	g.state, err = state.New(state.Config{
		Store: store, Observer: g.events, Clock: clock, CacheBytes: 1 << 20, DenylistEntries: 1000,
	})
	if err != nil {
		t.Fatal(err)
	}
	g.configureSecrets("a")
	g.openStore()
	t.Cleanup(func() {
		if err := g.state.Close(); err != nil {
			t.Error(err)
		}
	})
	g.cfg = tokens.Config{
		Issuer: issuerURL,
		APIs: []*clients.API{
			{Identifier: ordersAPI, Scopes: []string{"orders:read", "orders:write"}, AllowOfflineAccess: true, AccessTokenLifetime: 10 * time.Minute},
			{Identifier: billingAPI, Scopes: []string{"billing:read"}, AccessTokenLifetime: 5 * time.Minute},
		},
		Clients:        testClients(),
		Accounts:       accounts{storage.TagSubject(alice.Subject): alice.Fingerprint, {}: company},
		AccessTokenAlg: "ES256", IDTokenAlg: "ES256",
		IDTokenLifetime: 10 * time.Hour, UserinfoTokenLifetime: time.Hour, SessionLifetime: 7 * 24 * time.Hour, SessionIdleLifetime: 3 * 24 * time.Hour,
		CompareHash: func(_, _ []byte) (bool, error) { return false, errors.New("no slow hash in these tests") },
		Observer:    g.events, Clock: clock, Rand: rand.Reader,
	}
	for _, c := range change {
		c(&g.cfg)
	}
	g.reload()
}

// reload makes a new Issuer of the configuration, as a reload of Caddy does.
func (g *gateway) reload() {
	g.t.Helper()
	var err error
	if g.Issuer, err = tokens.NewIssuer(g.cfg, g.state); err != nil {
		g.t.Fatal(err)
	}
	g.Operator = admin.New(g.Issuer, g.state)
}

func (g *gateway) secrets(names ...string) *secrets.Secrets {
	g.t.Helper()
	var values [][]byte
	for _, n := range names {
		values = append(values, []byte(strings.Repeat(n, 32)))
	}
	secrets, err := secrets.NewSecrets(values...)
	if err != nil {
		g.t.Fatal(err)
	}
	return secrets
}

func (g *gateway) configureSecrets(names ...string) {
	g.t.Helper()
	g.configure(g.secrets(names...), keyring.Settings{Algorithms: []jose.Algorithm{jose.ES256}})
}

func (g *gateway) configure(secrets *secrets.Secrets, keys keyring.Settings) {
	g.t.Helper()
	if err := g.state.Configure(g.t.Context(), state.Settings{Secrets: secrets, TokenLifetime: cmp.Or(g.lifetime, time.Hour), Keys: keys}); err != nil {
		g.t.Fatal(err)
	}
}

func testClients() []*clients.Client {
	policy := clients.RefreshPolicy{
		Rotation: true, Leeway: 10 * time.Second, Lifetime: 30 * 24 * time.Hour, IdleLifetime: 15 * 24 * time.Hour, MaxActive: 200,
	}
	kept := policy
	kept.Rotation = false
	return []*clients.Client{
		{
			ID: "spa", Type: clients.SPA, RedirectURIs: []string{spaRedirect}, Origins: []string{"https://app.example.com"},
			APIs: []string{ordersAPI, billingAPI}, OIDCConformant: true, Refresh: policy,
		},
		{
			ID: "legacy", Type: clients.SPA, RedirectURIs: []string{spaRedirect}, APIs: []string{ordersAPI}, Refresh: policy,
		},
		{
			ID: "native", Type: clients.Native, RedirectURIs: []string{"http://127.0.0.1/cb", "com.example.app:/cb"},
			APIs: []string{ordersAPI}, OIDCConformant: true, Refresh: policy,
		},
		{
			ID: "web", Type: clients.Web, RedirectURIs: []string{"https://web.example.com/cb"}, APIs: []string{ordersAPI},
			SecretHashes: []string{clients.HashSecret("web-secret")}, OIDCConformant: true, Refresh: kept,
		},
		{
			ID: "machine", Type: clients.Machine, APIs: []string{ordersAPI}, Scopes: []string{"orders:read"},
			SecretHashes: []string{clients.HashSecret("old-secret"), clients.HashSecret("machine-secret")},
		},
		{ID: "auditor", Type: clients.Machine, APIs: []string{billingAPI}, SecretHashes: []string{clients.HashSecret("auditor-secret")}},
	}
}

func (g *gateway) client(id string) *clients.Client {
	g.t.Helper()
	c, ok := g.Configured(id)
	if !ok {
		g.t.Fatalf("no client %s", id)
	}
	return c
}

// request is a good authorization request of the SPA; overrides replace
// parameters ("" removes one).
func request(overrides ...string) url.Values {
	sum := sha256.Sum256([]byte(verifier))
	v := url.Values{
		"client_id": {"spa"}, "redirect_uri": {spaRedirect}, "response_type": {"code"}, "audience": {ordersAPI},
		"scope": {"openid profile email offline_access orders:read"}, "state": {"st"}, "nonce": {"no"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(overrides); i += 2 {
		if overrides[i+1] == "" {
			v.Del(overrides[i])
		} else {
			v.Set(overrides[i], overrides[i+1])
		}
	}
	return v
}

// signIn begins a session.
func (g *gateway) signIn(p tokens.Profile) (*tokens.Login, string) {
	g.t.Helper()
	l, cookie, err := g.SignIn(g.t.Context(), p, "")
	if err != nil {
		g.t.Fatal(err)
	}
	return l, cookie
}

// code logs alice in and gets a code for the request.
func (g *gateway) code(overrides ...string) string {
	g.t.Helper()
	l, _ := g.signIn(alice)
	return g.codeFor(l, overrides...)
}

func (g *gateway) codeFor(l *tokens.Login, overrides ...string) string {
	g.t.Helper()
	a, err := g.ParseAuthorization(g.t.Context(), request(overrides...))
	if err != nil {
		g.t.Fatal(err)
	}
	code, err := g.IssueCode(g.t.Context(), a, l)
	if err != nil {
		g.t.Fatal(err)
	}
	return code
}

func codeRequest(code string) tokens.TokenRequest {
	return tokens.TokenRequest{GrantType: oauth.GrantAuthorizationCode, Code: code, RedirectURI: spaRedirect, CodeVerifier: verifier}
}

// login is a whole login at the SPA.
func (g *gateway) login(overrides ...string) *tokens.TokenResponse {
	g.t.Helper()
	return g.mustToken("spa", codeRequest(g.code(overrides...)))
}

// exchanged redeems a code at the SPA.
func (g *gateway) exchanged(code string) *tokens.TokenResponse {
	g.t.Helper()
	return g.mustToken("spa", codeRequest(code))
}

func (g *gateway) token(client string, r tokens.TokenRequest) (*tokens.TokenResponse, error) {
	g.t.Helper()
	return g.Token(g.t.Context(), g.client(client), r)
}

func (g *gateway) mustToken(client string, r tokens.TokenRequest) *tokens.TokenResponse {
	g.t.Helper()
	res, err := g.token(client, r)
	if err != nil {
		g.t.Fatal(err)
	}
	return res
}

func refreshRequest(token string) tokens.TokenRequest {
	return tokens.TokenRequest{GrantType: oauth.GrantRefreshToken, RefreshToken: token}
}

// refreshOK refreshes at the SPA.
func (g *gateway) refreshOK(token string) *tokens.TokenResponse {
	g.t.Helper()
	return g.mustToken("spa", refreshRequest(token))
}

// refused fails the test unless err is a refusal with this code and reason.
func refused(t *testing.T, err error, code oauth.ErrorCode, reason oauth.Reason) {
	t.Helper()
	var e *oauth.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want %s (%s)", err, code, reason)
	}
	if e.Code != code || reason != "" && e.Reason != reason {
		t.Fatalf("%s (%s), want %s (%s)", e.Code, e.Reason, code, reason)
	}
}

// refusedRefresh fails the test unless the refresh is refused for this reason.
func (g *gateway) refusedRefresh(token string, reason oauth.Reason) {
	g.t.Helper()
	_, err := g.token("spa", refreshRequest(token))
	refused(g.t, err, oauth.InvalidGrant, reason)
	if e := oauth.AsError(err); e.Description != "Unknown or invalid refresh token." {
		g.t.Errorf("description %q tells dead tokens apart", e.Description)
	}
}

// passes reports whether a guarded route would let the token through.
func (g *gateway) passes(token string) bool {
	g.t.Helper()
	_, err := g.CheckAccess(g.t.Context(), token)
	if err != nil && oauth.AsError(err).Code != oauth.InvalidToken {
		g.t.Fatal(err)
	}
	return err == nil
}
