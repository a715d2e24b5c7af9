package tokens_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/boltstore"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

func TestRefreshRotates(t *testing.T) {
	g := newGateway(t)
	first := g.login()
	claims, err := g.CheckAccess(t.Context(), first.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	token := first.RefreshToken
	for range 5 {
		g.pass(time.Minute)
		next := g.refreshOK(token)
		if next.RefreshToken == token || next.AccessToken == first.AccessToken || next.IDToken == "" {
			t.Fatal("a refresh changed nothing")
		}
		if next.Scope != first.Scope {
			t.Errorf("scope %q, want %q", next.Scope, first.Scope)
		}
		c, err := g.CheckAccess(t.Context(), next.AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		if c.Subject != claims.Subject || c.Family != claims.Family || c.SessionID != claims.SessionID || !c.AuthTime.Equal(claims.AuthTime) {
			t.Error("sub, family, sid or auth_time changed")
		}
		token = next.RefreshToken
	}
	if !g.passes(first.AccessToken) {
		t.Error("a refresh killed the live access token")
	}
}

// TestRefreshReuse covers RT-01 and RT-22: the predecessor after the leeway
// ends the family and denies its access tokens.
func TestRefreshReuse(t *testing.T) {
	g := newGateway(t)
	first := g.login()
	second := g.refreshOK(first.RefreshToken)
	g.pass(11 * time.Second)
	g.refusedRefresh(first.RefreshToken, oauth.ReasonReuse)
	g.refusedRefresh(second.RefreshToken, oauth.ReasonUnknown)
	for name, token := range map[string]string{"first": first.AccessToken, "second": second.AccessToken} {
		if g.passes(token) {
			t.Errorf("the %s access token of a killed family passes", name)
		}
	}
	if n := g.events.count(oauth.EventRefreshReuse, ""); n != 1 {
		t.Errorf("%d reuse events", n)
	}
	if !g.passes(g.login().AccessToken) {
		t.Error("a new login after the kill is denied")
	}
}

// unsureStore is a store that can't confirm what it has decided about a refresh token.
type unsureStore struct {
	storage.Store

	unsure bool
	lines  []storage.FeedLine
}

func (u *unsureStore) Announce(ctx context.Context, l storage.FeedLine) error {
	u.lines = append(u.lines, l)
	return u.Store.Announce(ctx, l)
}

func (u *unsureStore) Rotate(ctx context.Context, r storage.RotateRequest) (storage.RotateResult, error) {
	res, err := u.Store.Rotate(ctx, r)
	if err == nil && u.unsure {
		err = errors.New("no replica has confirmed it")
	}
	return res, err
}

// TestRefreshReuseUnconfirmed: a theft that the store has ended, and can't be
// certain of, is announced though the answer is to try again.
func TestRefreshReuseUnconfirmed(t *testing.T) {
	g := &gateway{t: t, now: time.Now().Truncate(time.Second), events: &events{}}
	store := &unsureStore{Store: boltstore.New(boltstore.Options{Path: filepath.Join(t.TempDir(), "test.db"), Clock: g.clock})}
	g.start(store, g.clock)
	first := g.login()
	second := g.refreshOK(first.RefreshToken)
	if !g.passes(second.AccessToken) {
		t.Fatal("an access token does not pass")
	}
	g.pass(11 * time.Second)
	store.unsure, store.lines = true, nil
	_, err := g.token("spa", tokens.TokenRequest{GrantType: oauth.GrantRefreshToken, RefreshToken: first.RefreshToken})
	if oauth.AsError(err).Code != oauth.TemporarilyUnavailable {
		t.Errorf("answered %v", err)
	}
	if n := g.events.count(oauth.EventRefreshReuse, ""); n != 1 {
		t.Errorf("%d reuse events", n)
	}
	if g.passes(second.AccessToken) {
		t.Error("the access token of a killed family passes")
	}
	if want := []storage.FeedLine{{Kind: storage.FeedUser, User: storage.TagSubject(alice.Subject)}}; !slices.Equal(store.lines, want) {
		t.Errorf("told the others %v", store.lines)
	}
}

// TestRefreshGrandparent covers RT-02 and RT-04.
func TestRefreshGrandparent(t *testing.T) {
	g := newGateway(t)
	first := g.login()
	second := g.refreshOK(first.RefreshToken)
	third := g.refreshOK(second.RefreshToken)
	g.refusedRefresh(first.RefreshToken, oauth.ReasonReuse)
	g.refusedRefresh(third.RefreshToken, oauth.ReasonUnknown)
}

// TestRefreshLostAnswer covers the retry within the leeway: the same
// successor, however often, and no new generation.
func TestRefreshLostAnswer(t *testing.T) {
	g := newGateway(t)
	first := g.login()
	second := g.refreshOK(first.RefreshToken)
	for range 9 {
		g.pass(time.Second)
		if again := g.refreshOK(first.RefreshToken); again.RefreshToken != second.RefreshToken {
			t.Fatal("a retry within the leeway got another successor")
		}
	}
	g.refreshOK(second.RefreshToken)
	if n := g.events.count(oauth.EventRefresh, "replayed"); n != 9 {
		t.Errorf("%d replays reported", n)
	}
}

// TestRefreshParallel covers RT-06: one token, a hundred requests at once.
func TestRefreshParallel(t *testing.T) {
	g := newGateway(t)
	first := g.login()
	var mu sync.Mutex
	successors := map[string]int{}
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			res, err := g.token("spa", refreshRequest(first.RefreshToken))
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			successors[res.RefreshToken]++
		})
	}
	wg.Wait()
	if len(successors) != 1 {
		t.Errorf("%d different successors", len(successors))
	}
	if n := g.events.count(oauth.EventRefresh, "rotated"); n != 1 {
		t.Errorf("%d rotations", n)
	}
}

// otherEnd returns a token with another last character.
func otherEnd(token string) string {
	last := "A"
	if strings.HasSuffix(token, last) {
		last = "B"
	}
	return token[:len(token)-1] + last
}

// TestRefreshRefusedDoesNotRotate presents a good token with what must be
// refused; the token is still good afterwards.
func TestRefreshRefusedDoesNotRotate(t *testing.T) {
	g := newGateway(t)
	token := g.login("resource", billingAPI, "scope", "openid offline_access orders:read billing:read").RefreshToken
	tests := []struct {
		name   string
		client string
		change func(*tokens.TokenRequest)
		code   oauth.ErrorCode
	}{
		{"wider scope", "spa", func(r *tokens.TokenRequest) { r.Scope = "orders:write" }, oauth.InvalidScope},
		{"malformed scope", "spa", func(r *tokens.TokenRequest) { r.Scope = `a"b` }, oauth.InvalidScope},
		{"unknown audience", "spa", func(r *tokens.TokenRequest) { r.Audiences = []string{"https://other.example"} }, oauth.InvalidTarget},
		{"two audiences", "spa", func(r *tokens.TokenRequest) { r.Audiences = []string{ordersAPI, billingAPI} }, oauth.InvalidTarget},
		{"granted API without offline access", "spa", func(r *tokens.TokenRequest) { r.Audiences = []string{billingAPI} }, oauth.InvalidGrant},
		{"scope of the other API", "spa", func(r *tokens.TokenRequest) { r.Scope = "billing:read" }, oauth.InvalidScope},
		{"another client", "native", func(*tokens.TokenRequest) {}, oauth.InvalidGrant},
		{"changed MAC", "spa", func(r *tokens.TokenRequest) { r.RefreshToken = otherEnd(r.RefreshToken) }, oauth.InvalidGrant},
		{"garbage", "spa", func(r *tokens.TokenRequest) { r.RefreshToken = "garbage" }, oauth.InvalidGrant},
		{"missing", "spa", func(r *tokens.TokenRequest) { r.RefreshToken = "" }, oauth.InvalidRequest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := refreshRequest(token)
			tt.change(&r)
			_, err := g.token(tt.client, r)
			refused(t, err, tt.code, "")
		})
	}
	if n := g.events.count(oauth.EventRefresh, ""); n != 0 {
		t.Errorf("%d decisions of the store for refusals", n)
	}
	g.refreshOK(token)
}

// TestRefreshScope covers RT-12: narrower for one token, the grant stays.
func TestRefreshScope(t *testing.T) {
	g := newGateway(t)
	token := g.login("scope", "openid offline_access orders:read orders:write").RefreshToken
	r := refreshRequest(token)
	r.Scope = "orders:read"
	narrow := g.mustToken("spa", r)
	if narrow.Scope != "orders:read" || narrow.IDToken == "" {
		t.Errorf("narrowed answer has scope %q", narrow.Scope)
	}
	if whole := g.refreshOK(narrow.RefreshToken); whole.Scope != "openid offline_access orders:read orders:write" {
		t.Errorf("scope %q after a narrowed refresh", whole.Scope)
	}
}

// TestRefreshEnds covers RT-14: idle and absolute lifetime; rotation never
// moves the absolute end.
func TestRefreshEnds(t *testing.T) {
	const day = 24 * time.Hour
	t.Run("idle", func(t *testing.T) {
		g := newGateway(t)
		token := g.login().RefreshToken
		g.pass(15*day + time.Second)
		g.refusedRefresh(token, oauth.ReasonExpired)
	})
	t.Run("absolute", func(t *testing.T) {
		g := newGateway(t)
		token := g.login().RefreshToken
		for range 5 {
			g.pass(5 * day)
			token = g.refreshOK(token).RefreshToken
		}
		g.pass(5*day + time.Second)
		g.refusedRefresh(token, oauth.ReasonExpired)
	})
}

// TestRefreshAfterChange covers RT-15: what the configuration takes away is
// gone at the next refresh.
func TestRefreshAfterChange(t *testing.T) {
	tests := []struct {
		name   string
		change func(*gateway)
		reason oauth.Reason
	}{
		{"password changed", func(g *gateway) {
			g.cfg.Accounts = accounts{storage.TagSubject(alice.Subject): storage.FingerprintOf("$2a$new")}
		}, oauth.ReasonUserChanged},
		{"user removed", func(g *gateway) { g.cfg.Accounts = accounts{} }, oauth.ReasonUserChanged},
		{"offline access off", func(g *gateway) {
			api := *g.cfg.APIs[0]
			api.AllowOfflineAccess = false
			g.cfg.APIs = []*clients.API{&api, g.cfg.APIs[1]}
		}, oauth.ReasonOfflineOff},
		{"API taken from the client", func(g *gateway) {
			g.cfg.Clients = testClients()
			g.cfg.Clients[0].APIs = []string{billingAPI}
		}, oauth.ReasonOfflineOff},
		{"API taken from the client, which has another", func(g *gateway) {
			api := *g.cfg.APIs[1]
			api.AllowOfflineAccess = true
			g.cfg.APIs = []*clients.API{g.cfg.APIs[0], &api}
			g.cfg.Clients = testClients()
			g.cfg.Clients[0].APIs = []string{billingAPI}
		}, oauth.ReasonOfflineOff},
		{"lifetime shortened", func(g *gateway) {
			g.cfg.Clients = testClients()
			g.cfg.Clients[0].Refresh.Lifetime = time.Second
			g.pass(2 * time.Second)
		}, oauth.ReasonExpired},
		{"signed out everywhere", func(g *gateway) {
			if _, err := g.EndUser(g.t.Context(), alice.Subject); err != nil {
				g.t.Fatal(err)
			}
		}, oauth.ReasonUnknown},
		{"client ended", func(g *gateway) {
			if err := g.EndClient(g.t.Context(), "spa"); err != nil {
				g.t.Fatal(err)
			}
		}, oauth.ReasonUnknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t)
			token := g.login("resource", billingAPI).RefreshToken
			tt.change(g)
			g.reload()
			g.refusedRefresh(token, tt.reason)
		})
	}
}

func TestRefreshStrict(t *testing.T) {
	g := newGateway(t, func(c *tokens.Config) { c.Clients[0].Refresh.Leeway = 0 })
	first := g.login()
	g.refreshOK(first.RefreshToken)
	g.refusedRefresh(first.RefreshToken, oauth.ReasonReuse)
}

func TestRefreshWithoutRotation(t *testing.T) {
	g := newGateway(t)
	l, _ := g.signIn(alice)
	code := g.codeFor(l, "client_id", "web", "redirect_uri", "https://web.example.com/cb")
	r := codeRequest(code)
	r.RedirectURI = "https://web.example.com/cb"
	token := g.mustToken("web", r).RefreshToken
	for range 3 {
		g.pass(time.Hour)
		if next := g.mustToken("web", refreshRequest(token)); next.RefreshToken != token {
			t.Fatal("the refresh token changed")
		}
	}
}

// TestRefreshSecretChange changes the secret in three deploys.
func TestRefreshSecretChange(t *testing.T) {
	g := newGateway(t)
	token := g.login().RefreshToken
	_, cookie := g.signIn(alice)
	for _, names := range [][]string{{"a", "b"}, {"b", "a"}} {
		g.configureSecrets(names...)
		token = g.refreshOK(token).RefreshToken
	}
	if n := g.events.count(oauth.EventSecretFallback, ""); n == 0 {
		t.Error("no use of the older secret was counted")
	}
	if l, err := g.CurrentLogin(t.Context(), cookie); err != nil || l == nil {
		t.Errorf("the session was lost: %v", err)
	}
	g.configureSecrets("b")
	g.refreshOK(token)
}

// TestMaxActive holds the cap: the oldest family is ended and its access
// tokens denied, other clients' families are left alone.
func TestMaxActive(t *testing.T) {
	g := newGateway(t, func(c *tokens.Config) { c.Clients[0].Refresh.MaxActive = 3 })
	var all []*tokens.TokenResponse
	for range 5 {
		all = append(all, g.login())
		g.pass(2 * time.Second)
	}
	for n, res := range all {
		if want := n >= 2; g.passes(res.AccessToken) != want {
			t.Errorf("login %d: passes is not %v", n, want)
		}
	}
	families, err := g.Grants(t.Context(), alice.Subject)
	if err != nil || len(families) != 3 {
		t.Errorf("%d live families, %v", len(families), err)
	}
	if n := g.events.count(oauth.EventFamilyEvicted, "max_active"); n != 2 {
		t.Errorf("%d evictions reported", n)
	}
}

// TestOfflineAccess covers the conditions under which a refresh token is issued.
func TestOfflineAccess(t *testing.T) {
	tests := []struct {
		name      string
		client    string
		overrides []string
		want      bool
	}{
		{"asked, API allows", "spa", nil, true},
		{"not asked", "spa", []string{"scope", "openid orders:read"}, false},
		{"API does not allow", "spa", []string{"audience", billingAPI}, false},
		{"conformant, no audience", "spa", []string{"audience", ""}, true},
		{"not conformant, no audience", "legacy", []string{"client_id", "legacy", "audience", ""}, false},
		{"not conformant, audience", "legacy", []string{"client_id", "legacy"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t)
			res := g.mustToken(tt.client, codeRequest(g.code(tt.overrides...)))
			if got := res.RefreshToken != ""; got != tt.want {
				t.Errorf("refresh token issued: %v", got)
			}
			scopes, _ := oauth.ParseScope(res.Scope)
			if slices.Contains(scopes, "offline_access") != tt.want {
				t.Errorf("scope %q", res.Scope)
			}
		})
	}
}
