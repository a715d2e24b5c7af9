package issuertest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/admin"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/keyring"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/state"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
	"github.com/gatehouse-auth/gatehouse/tokens/storetest"
)

// The APIs and the redirect URI of a core.
const (
	ordersAPI  = "https://orders.example.com"
	billingAPI = "https://billing.example.com"
	closedAPI  = "https://closed.example.com"
	redirect   = "https://app.example.com/cb"
	verifier   = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)

// core is a whole Issuer over the store under test, with one confidential
// client that has users. Its configuration can be changed, as a reload does.
type core struct {
	*tokens.Issuer
	*admin.Operator
	t      *testing.T
	h      storetest.Harness
	state  *state.State
	broken *brokenStore
	cfg    tokens.Config
	base   atomic.Pointer[time.Time] // of the clock, where the test moves it; nil until it is known
	passed atomic.Int64              // nanoseconds
}

// newCore makes a core with short lifetimes where the store's clock runs by itself.
func newCore(t *testing.T, h storetest.Harness) *core {
	t.Helper()
	c := &core{t: t, h: h, broken: &brokenStore{Store: h.Store}}
	c.open()
	now := storetest.Must(h.Store.Now(t.Context()))(t)
	c.base.Store(&now)
	// The heartbeat has to see this node's clock as it is from now on.
	for h := c.state.Health(); h.Checked.Before(c.clock().Add(-time.Hour)) || h.ClockSkew.Abs() > state.AlarmClockSkew; h = c.state.Health() {
		time.Sleep(10 * time.Millisecond)
	}
	c.cfg = tokens.Config{
		Issuer: "https://auth.example.com/",
		APIs: []*clients.API{
			{Identifier: ordersAPI, Scopes: []string{"orders:read", "orders:write"}, AllowOfflineAccess: true, AccessTokenLifetime: time.Hour},
			{Identifier: billingAPI, Scopes: []string{"billing:read"}, AllowOfflineAccess: true, AccessTokenLifetime: time.Hour},
			{Identifier: closedAPI, Scopes: []string{"closed:read"}, AccessTokenLifetime: time.Hour},
		},
		Clients: []*clients.Client{{
			ID: "app", Type: clients.Web, RedirectURIs: []string{redirect}, APIs: []string{ordersAPI, billingAPI, closedAPI}, OIDCConformant: true,
			Refresh: clients.RefreshPolicy{Rotation: true, Leeway: storetest.Leeway, Lifetime: 30 * 24 * time.Hour, IdleLifetime: 15 * 24 * time.Hour, MaxActive: 200},
		}},
		Accounts: everybody{}, AccessTokenAlg: "ES256", IDTokenAlg: "ES256", IDTokenLifetime: time.Hour, UserinfoTokenLifetime: time.Hour,
		SessionLifetime: 90 * 24 * time.Hour,
		CompareHash:     func(_, _ []byte) (bool, error) { return false, errors.New("no slow hash in these tests") },
		Observer:        oauth.NopObserver{}, Clock: c.clock, Rand: rand.Reader,
	}
	c.reload()
	return c
}

// open makes a state over the store, and opens it until the test ends.
func (c *core) open() {
	c.t.Helper()
	secrets := storetest.Must(secrets.NewSecrets([]byte(strings.Repeat("s", 32))))(c.t)
	c.state = storetest.Must(state.New(state.Config{
		Store: c.broken, Observer: oauth.NopObserver{}, Clock: c.clock, CacheBytes: 1 << 20, DenylistEntries: 1000,
	}))(c.t)
	storetest.NoError(c.t, c.state.Configure(c.t.Context(), state.Settings{
		Secrets: secrets, TokenLifetime: time.Hour, Keys: keyring.Settings{Algorithms: []jose.Algorithm{jose.ES256}},
	}))
	storetest.NoError(c.t, c.state.Open(c.t.Context()))
	c.t.Cleanup(func() {
		if err := c.state.Close(); err != nil {
			c.t.Errorf("closing the state: %v", err)
		}
	})
}

// node is another gateway over the same store, which knows what the store says alone.
func (c *core) node() *core {
	c.t.Helper()
	n := &core{t: c.t, h: c.h, broken: c.broken, cfg: c.cfg}
	n.base.Store(c.base.Load())
	n.open()
	n.reload()
	return n
}

// everybody has the same password.
type everybody struct{}

func (everybody) Fingerprints(storage.UserTag, ...string) []storage.Fingerprint {
	return []storage.Fingerprint{storetest.Fingerprint}
}

func (everybody) Lists(storage.UserTag) bool { return true }

func (everybody) Standing(storage.UserTag, string) (bool, *storage.Mark) { return false, nil }

func (c *core) clock() time.Time {
	base := c.base.Load()
	if c.h.Advance == nil || base == nil {
		return time.Now()
	}
	return base.Add(time.Duration(c.passed.Load()))
}

func (c *core) pass(d time.Duration) {
	if c.h.Advance == nil {
		time.Sleep(d)
		return
	}
	c.passed.Add(int64(d))
	c.h.Advance(d)
}

// needClock skips what takes longer than a test may.
func (c *core) needClock() {
	c.t.Helper()
	if c.h.Advance == nil {
		c.t.Skip("the clock of this store can't be moved by a test")
	}
}

func (c *core) reload(change ...func(*clients.RefreshPolicy)) {
	c.t.Helper()
	client := *c.cfg.Clients[0]
	storetest.Apply(&client.Refresh, change)
	c.cfg.Clients = []*clients.Client{&client}
	c.Issuer = storetest.Must(tokens.NewIssuer(c.cfg, c.state))(c.t)
	c.Operator = admin.New(c.Issuer, c.state)
}

func (c *core) client() *clients.Client {
	client, _ := c.Configured("app")
	return client
}

// login is a whole login in a browser of its own; parameters replace those of
// the request, "" removes one.
func (c *core) login(subject string, parameters ...string) *tokens.TokenResponse {
	c.t.Helper()
	return storetest.Must(c.tryLogin(subject, parameters...))(c.t)
}

func (c *core) tryLogin(subject string, parameters ...string) (*tokens.TokenResponse, error) {
	a, err := c.ParseAuthorization(c.t.Context(), parametersOf(parameters...))
	if err != nil {
		return nil, err
	}
	ctx := c.t.Context()
	l, _, err := c.SignIn(ctx, tokens.Profile{Subject: subject, Login: "local", Fingerprint: storetest.Fingerprint}, "")
	if err != nil {
		return nil, err
	}
	code, err := c.IssueCode(ctx, a, l)
	if err != nil {
		return nil, err
	}
	return c.Token(ctx, c.client(), tokens.TokenRequest{
		GrantType: oauth.GrantAuthorizationCode, Code: code, RedirectURI: redirect, CodeVerifier: verifier,
	})
}

// parametersOf returns those of a request; parameters replace its own, "" removes one.
func parametersOf(parameters ...string) url.Values {
	sum := sha256.Sum256([]byte(verifier))
	v := url.Values{
		"client_id": {"app"}, "redirect_uri": {redirect}, "response_type": {"code"}, "audience": {ordersAPI},
		"scope":          {"openid offline_access orders:read orders:write billing:read"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(parameters); i += 2 {
		v.Del(parameters[i])
		for value := range strings.FieldsSeq(parameters[i+1]) {
			v.Add(parameters[i], value)
		}
	}
	if scopes := v["scope"]; len(scopes) > 1 {
		v.Set("scope", strings.Join(scopes, " "))
	}
	return v
}

func (c *core) tryRefresh(token string, change ...func(*tokens.TokenRequest)) (*tokens.TokenResponse, error) {
	r := tokens.TokenRequest{GrantType: oauth.GrantRefreshToken, RefreshToken: token}
	storetest.Apply(&r, change)
	return c.Token(c.t.Context(), c.client(), r)
}

func (c *core) refresh(token string, change ...func(*tokens.TokenRequest)) *tokens.TokenResponse {
	c.t.Helper()
	return storetest.Must(c.tryRefresh(token, change...))(c.t)
}

// refused demands that a refresh is refused with this code.
func (c *core) refused(token string, code oauth.ErrorCode, change ...func(*tokens.TokenRequest)) {
	c.t.Helper()
	if _, err := c.tryRefresh(token, change...); err == nil || oauth.AsError(err).Code != code {
		c.t.Errorf("refresh: %v, want %s", err, code)
	}
}

// dead demands that a refresh token is dead.
func (c *core) dead(token string) {
	c.t.Helper()
	c.refused(token, oauth.InvalidGrant)
}

// passes reports whether a guarded route lets an access token through.
func (c *core) passes(access string) bool {
	c.t.Helper()
	_, err := c.CheckAccess(c.t.Context(), access)
	if err != nil && oauth.AsError(err).Code != oauth.InvalidToken {
		c.t.Fatal(err)
	}
	return err == nil
}

// live returns how many logins of alice live.
func (c *core) live() int {
	c.t.Helper()
	return len(storetest.Must(c.Grants(c.t.Context(), "local|alice"))(c.t))
}

// brokenStore fails the calls that decide about refreshes while it is broken.
type brokenStore struct {
	storage.Store
	mu  sync.Mutex
	err error
}

func (b *brokenStore) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

func (b *brokenStore) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

func (b *brokenStore) Rotate(ctx context.Context, r storage.RotateRequest) (storage.RotateResult, error) {
	if err := b.failure(); err != nil {
		return storage.RotateResult{}, err
	}
	return b.Store.Rotate(ctx, r)
}
