package handler

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/boltstore"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

const (
	testIssuer   = "https://auth.example.com/"
	testAPI      = "https://api.example.com"
	spaOrigin    = "https://app.example.com"
	spaRedirect  = "https://app.example.com/cb"
	testVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	webSecret    = "secret-of-the-web-client-0123456789"
	testPassword = "correct horse"
)

// gateway is a Server over a whole core with a real store, and a clock that
// the test moves.
type gateway struct {
	*Server
	t     *testing.T
	state *tokens.State
	store *switchStore
	heard *observer
	now   atomic.Int64
}

func (g *gateway) clock() time.Time     { return time.Unix(0, g.now.Load()) }
func (g *gateway) pass(d time.Duration) { g.now.Add(int64(d)) }

// switchStore is a store that can be cut off, and that counts writes.
type switchStore struct {
	tokens.Store
	down   atomic.Bool
	writes atomic.Int64
}

var errDown = errors.New("calling the store: cut off by the test")

func (s *switchStore) write() error {
	s.writes.Add(1)
	return s.read()
}

func (s *switchStore) read() error {
	if s.down.Load() {
		return errDown
	}
	return nil
}

func (s *switchStore) Rotate(ctx context.Context, r tokens.RotateRequest) (tokens.RotateResult, error) {
	if err := s.write(); err != nil {
		return tokens.RotateResult{}, err
	}
	return s.Store.Rotate(ctx, r)
}

func (s *switchStore) CreateFamily(ctx context.Context, r tokens.CreateRequest) (tokens.CreateResult, error) {
	if err := s.write(); err != nil {
		return tokens.CreateResult{}, err
	}
	return s.Store.CreateFamily(ctx, r)
}

func (s *switchStore) End(ctx context.Context, r tokens.EndRequest) (tokens.EndResult, error) {
	if err := s.write(); err != nil {
		return tokens.EndResult{}, err
	}
	return s.Store.End(ctx, r)
}

func (s *switchStore) CreateSession(ctx context.Context, r tokens.SessionRequest) (tokens.Session, error) {
	if err := s.write(); err != nil {
		return tokens.Session{}, err
	}
	return s.Store.CreateSession(ctx, r)
}

func (s *switchStore) PutCode(ctx context.Context, r tokens.PutRequest) error {
	if err := s.write(); err != nil {
		return err
	}
	return s.Store.PutCode(ctx, r)
}

func (s *switchStore) TakeCode(ctx context.Context, r tokens.TakeRequest) (tokens.TakeResult, error) {
	if err := s.write(); err != nil {
		return tokens.TakeResult{}, err
	}
	return s.Store.TakeCode(ctx, r)
}

func (s *switchStore) Session(ctx context.Context, u tokens.UserTag, id tokens.SessionID, idle time.Duration) (tokens.Session, []byte, bool, error) {
	if err := s.read(); err != nil {
		return tokens.Session{}, nil, false, err
	}
	return s.Store.Session(ctx, u, id, idle)
}

// observer collects what the core and the handlers say.
type observer struct {
	mu     sync.Mutex
	events []tokens.Event
}

func (o *observer) Happened(_ context.Context, e tokens.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, e)
}

func (o *observer) Checked(tokens.Reason) {}

func (o *observer) has(kind tokens.EventKind, outcome string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.events {
		if e.Kind == kind && e.Outcome == outcome {
			return true
		}
	}
	return false
}

func testClients() []*tokens.Client {
	refresh := tokens.RefreshPolicy{Rotation: true, Leeway: 10 * time.Second, Lifetime: 24 * time.Hour, IdleLifetime: time.Hour, MaxActive: 10}
	return []*tokens.Client{
		{
			ID: "spa", Name: "Orders", Type: tokens.ClientSPA, RedirectURIs: []string{spaRedirect, spaOrigin},
			LogoutURIs: []string{spaOrigin + "/", spaOrigin + "/bye?x=1"}, Origins: []string{spaOrigin}, APIs: []string{testAPI},
			OIDCConformant: true, Refresh: refresh,
		},
		{
			ID: "other-spa", Type: tokens.ClientSPA, RedirectURIs: []string{"https://other.example.com/cb"},
			Origins: []string{"https://other.example.com"}, OIDCConformant: true, Refresh: refresh,
		},
		{
			ID: "web", Type: tokens.ClientWeb, RedirectURIs: []string{"https://web.example.com/cb?keep=1"},
			APIs: []string{testAPI}, SecretHashes: []string{tokens.HashSecret(webSecret)}, OIDCConformant: true, Refresh: refresh,
		},
		{
			ID: "web 2:%+é", Type: tokens.ClientWeb, RedirectURIs: []string{"https://web2.example.com/cb"},
			SecretHashes: []string{tokens.HashSecret("p:%+ é")}, OIDCConformant: true, Refresh: refresh,
		},
		{
			ID: "native", Name: "Phone <b>", Type: tokens.ClientNative, RedirectURIs: []string{"com.example.app:/cb", "http://127.0.0.1/cb", "http://[::1]/cb"},
			OIDCConformant: true, Refresh: refresh,
		},
		{
			ID: "machine", Type: tokens.ClientMachine, APIs: []string{testAPI},
			SecretHashes: []string{tokens.HashSecret(webSecret)},
		},
	}
}

func newGateway(t *testing.T, change ...func(*tokens.Config, *Config)) *gateway {
	t.Helper()
	g := &gateway{t: t, heard: &observer{}}
	g.now.Store(time.Now().Truncate(time.Second).UnixNano())
	g.store = &switchStore{Store: boltstore.New(boltstore.Options{Path: filepath.Join(t.TempDir(), "test.db"), Clock: g.clock})}
	secrets, err := tokens.NewSecrets(bytes.Repeat([]byte("s"), 32))
	if err != nil {
		t.Fatal(err)
	}
	g.state, err = tokens.NewState(tokens.StateConfig{
		Store: g.store, Observer: g.heard, Clock: g.clock, CacheBytes: 1 << 20, DenylistEntries: 1000,
	})
	if err != nil {
		t.Fatal(err)
	}
	err = g.state.Configure(t.Context(), tokens.Settings{
		Secrets: secrets, TokenLifetime: 10 * time.Minute, Keys: tokens.KeySettings{Algorithms: []jose.Algorithm{jose.ES256, jose.RS256}},
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
		APIs: []*tokens.API{{
			Identifier: testAPI, Scopes: []string{"orders:read", "orders:write"}, AllowOfflineAccess: true, AccessTokenLifetime: 10 * time.Minute,
		}},
		Clients: testClients(), Accounts: login.Accounts([]login.Login{local}),
		AccessTokenAlg: "ES256", IDTokenAlg: "RS256", IDTokenLifetime: 10 * time.Hour, UserinfoTokenLifetime: time.Hour,
		SessionLifetime: 7 * 24 * time.Hour, SessionIdleLifetime: 3 * 24 * time.Hour,
		CompareHash: func(_, _ []byte) (bool, error) { return false, errors.New("no slow hash in these tests") },
		Observer:    g.heard, Clock: g.clock, Rand: rand.Reader,
	}
	cfg := Config{
		IssuerURL: testIssuer, Ready: g.state.Open, JWKS: g.state.Keys.JWKS, Secrets: func() *tokens.Secrets { return secrets },
		Logins: []login.Login{local}, Theme: pages.Theme{Name: "Example"}, Observer: g.heard, Clock: g.clock,
		IDTokenAlgs: []string{"RS256"}, APIScopes: []string{"orders:read", "orders:write"},
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
func (g *gateway) do(method, target, body string, headers ...string) *answer {
	g.t.Helper()
	r := httptest.NewRequestWithContext(g.t.Context(), method, target, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return answerOf(g.t, w)
}

const formType = "application/x-www-form-urlencoded"

// post sends a form.
func (g *gateway) post(target string, form url.Values, headers ...string) *answer {
	g.t.Helper()
	return g.do(http.MethodPost, target, form.Encode(), append([]string{"Content-Type", formType}, headers...)...)
}

// answer is a response with its body read.
type answer struct {
	StatusCode int
	Header     http.Header
	Cookies    []*http.Cookie
	body       string
}

func answerOf(t *testing.T, w *httptest.ResponseRecorder) *answer {
	t.Helper()
	res := w.Result()
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &answer{StatusCode: res.StatusCode, Header: res.Header, Cookies: res.Cookies(), body: string(b)}
}

func jsonOf(t *testing.T, res *answer) map[string]any {
	t.Helper()
	text := res.body
	m := make(map[string]any)
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("status %d: not a JSON object: %q", res.StatusCode, text)
	}
	return m
}

// browser keeps cookies and fills in forms.
type browser struct {
	g       *gateway
	cookies map[string]*http.Cookie
}

func (g *gateway) browser() *browser { return &browser{g: g, cookies: make(map[string]*http.Cookie)} }

// clone is a copy of the browser's state, as a thief of cookies has it.
func (b *browser) clone() *browser { return &browser{g: b.g, cookies: maps.Clone(b.cookies)} }

func (b *browser) send(method, target, body string, headers ...string) *answer {
	b.g.t.Helper()
	for _, c := range b.cookies {
		headers = append(headers, "Cookie", c.Name+"="+c.Value)
	}
	res := b.g.do(method, target, body, headers...)
	for _, c := range res.Cookies {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
			continue
		}
		b.cookies[c.Name] = c
	}
	return res
}

func (b *browser) get(target string, headers ...string) *answer {
	b.g.t.Helper()
	return b.send(http.MethodGet, target, "", headers...)
}

func (b *browser) post(target string, form url.Values, headers ...string) *answer {
	b.g.t.Helper()
	return b.send(http.MethodPost, target, form.Encode(), append([]string{"Content-Type", formType}, headers...)...)
}

var (
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	formAction  = regexp.MustCompile(`<form method="post" action="([^"]*)">`)
)

// form reads the page's form: where it goes and its hidden fields.
func form(t *testing.T, page string) (action string, fields url.Values) {
	t.Helper()
	m := formAction.FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("there is no form on the page:\n%s", page)
	}
	fields = make(url.Values)
	for _, f := range hiddenField.FindAllStringSubmatch(page, -1) {
		fields.Add(html.UnescapeString(f[1]), html.UnescapeString(f[2]))
	}
	return html.UnescapeString(m[1]), fields
}

// authorizeURL returns a good authorization request of the SPA, with changes
// given in pairs; an empty value takes a parameter out.
func authorizeURL(change ...string) string {
	sum := sha256.Sum256([]byte(testVerifier))
	q := url.Values{
		"client_id": {"spa"}, "redirect_uri": {spaRedirect}, "response_type": {"code"},
		"scope": {"openid profile email offline_access orders:read"}, "audience": {testAPI}, "state": {"st"}, "nonce": {"no"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(change); i += 2 {
		if change[i+1] == "" {
			q.Del(change[i])
			continue
		}
		q.Set(change[i], change[i+1])
	}
	return "/authorize?" + q.Encode()
}

// signIn answers an authorization request by the login page.
func (b *browser) signIn(target, user, password string, headers ...string) *answer {
	b.g.t.Helper()
	res := b.get(target)
	if res.StatusCode != http.StatusOK {
		b.g.t.Fatalf("GET %s: status %d, want the login page\n%s", target, res.StatusCode, res.body)
	}
	action, fields := form(b.g.t, res.body)
	fields.Set("username", user)
	fields.Set("password", password)
	fields.Set("action", "login")
	return b.post(action, fields, headers...)
}

// location returns where a 303 leads and the parameters of its query.
func location(t *testing.T, res *answer) (string, url.Values) {
	t.Helper()
	if res.StatusCode != http.StatusSeeOther {
		t.Fatalf("status %d, want 303\n%s", res.StatusCode, res.body)
	}
	u, err := url.Parse(res.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	u.RawQuery = ""
	return u.String(), q
}

// exchange redeems a code at the token endpoint.
func (g *gateway) exchange(code string, headers ...string) *answer {
	g.t.Helper()
	return g.post("/oauth/token", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"spa"}, "code": {code}, "redirect_uri": {spaRedirect}, "code_verifier": {testVerifier},
	}, headers...)
}

// tokensOf signs alice in at the SPA and returns the token response.
func (b *browser) tokensOf(change ...string) map[string]any {
	b.g.t.Helper()
	_, q := location(b.g.t, b.signIn(authorizeURL(change...), "alice", testPassword))
	res := b.g.exchange(q.Get("code"))
	if res.StatusCode != http.StatusOK {
		b.g.t.Fatalf("token: status %d %s", res.StatusCode, res.body)
	}
	return jsonOf(b.g.t, res)
}
