package tokens_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/keyring"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/state"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestScopeFlood: a 64 KiB scope is refused before it is looked through.
func TestScopeFlood(t *testing.T) {
	var b strings.Builder
	for n := range 15_000 {
		b.WriteString(" s")
		b.WriteByte(byte('a' + n%26))
		b.WriteByte(byte('a' + n/26%26))
		b.WriteByte(byte('a' + n/676%26))
	}
	if _, ok := oauth.ParseScope(b.String()[1:]); ok {
		t.Error("15,000 scopes were taken")
	}
}

// TestSignOutWithoutRefreshToken: logging out ends the access tokens of
// applications that got no refresh token, too, and of no other session.
func TestSignOutWithoutRefreshToken(t *testing.T) {
	g := newGateway(t)
	l, cookie := g.signIn(alice)
	here := g.mustToken("spa", codeRequest(g.codeFor(l, "scope", "openid orders:read")))
	elsewhere := g.login("scope", "openid orders:read")
	if err := g.SignOut(t.Context(), cookie); err != nil {
		t.Fatal(err)
	}
	if g.passes(here.AccessToken) || !g.passes(elsewhere.AccessToken) {
		t.Error("logout did not end exactly this session's access token")
	}
}

// TestKeysOutliveIDTokens: a replaced key stays published as long as an ID
// token that it signed, which may be longer than any access token lives.
func TestKeysOutliveIDTokens(t *testing.T) {
	g := newGateway(t)
	g.configure(g.secrets("a"), keyring.Settings{Algorithms: []jose.Algorithm{jose.ES256}, KeepFor: 10 * time.Hour})
	res := g.login()
	if err := g.state.Keys.Rotate(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	g.pass(9 * time.Hour)
	if err := g.state.Keys.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := g.ParseLogoutHint(res.IDToken); err != nil {
		t.Errorf("the key of a living ID token is gone: %v", err)
	}
}

// TestReuseIsHeardWhenTheThiefHangsUp: what the store decides is reported and
// acted upon also when nobody waits for the answer.
func TestReuseIsHeardWhenTheThiefHangsUp(t *testing.T) {
	g := newGateway(t)
	first := g.login()
	second := g.refreshOK(first.RefreshToken)
	g.pass(time.Minute)
	g.passes(second.AccessToken) // so that nothing has to be asked for before the decision
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	_, _ = g.Token(ctx, g.client("spa"), refreshRequest(first.RefreshToken))
	if n := g.events.count(oauth.EventRefreshReuse, ""); n != 1 {
		t.Errorf("%d reuse events", n)
	}
	if g.passes(second.AccessToken) {
		t.Error("the access token of the killed family passes")
	}
}

// TestLateCode: a login that was ended between being looked up and its code
// being issued yields no tokens.
func TestLateCode(t *testing.T) {
	ends := map[string]func(*gateway, string){
		"signed out everywhere": func(g *gateway, _ string) {
			if _, err := g.EndUser(g.t.Context(), alice.Subject); err != nil {
				g.t.Fatal(err)
			}
		},
		"signed out": func(g *gateway, cookie string) {
			if err := g.SignOut(g.t.Context(), cookie); err != nil {
				g.t.Fatal(err)
			}
		},
		"password changed, and signed in again": func(g *gateway, _ string) {
			changed := alice
			changed.Fingerprint = storage.FingerprintOf("$2a$new")
			g.cfg.Accounts = accounts{storage.TagSubject(alice.Subject): changed.Fingerprint}
			g.reload()
			g.signIn(changed)
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t)
			l, cookie := g.signIn(alice)
			a, err := g.ParseAuthorization(t.Context(), request())
			if err != nil {
				t.Fatal(err)
			}
			early := g.codeFor(l)
			end(g, cookie)
			_, err = g.IssueCode(t.Context(), a, l)
			refused(t, err, oauth.LoginRequired, "")
			_, err = g.token("spa", codeRequest(early))
			refused(t, err, oauth.InvalidGrant, "")
		})
	}
}

// TestPasswordChangeEndsAccessTokens: the first login with a new password ends
// all that was begun with the old one, and itself is good.
func TestPasswordChangeEndsAccessTokens(t *testing.T) {
	g := newGateway(t)
	before := g.login()
	changed := alice
	changed.Fingerprint = storage.FingerprintOf("$2a$new")
	g.cfg.Accounts = accounts{storage.TagSubject(alice.Subject): changed.Fingerprint}
	g.reload()
	l, _ := g.signIn(changed)
	after := g.mustToken("spa", codeRequest(g.codeFor(l)))
	if g.passes(before.AccessToken) {
		t.Error("an access token from before passes")
	}
	g.refusedRefresh(before.RefreshToken, oauth.ReasonUnknown)
	if !g.passes(after.AccessToken) {
		t.Error("the new login's access token is denied")
	}
	g.refreshOK(after.RefreshToken)
}

// TestEndUserReachesTokensDatedAhead: a token that was dated one second ahead,
// after its client was ended, is reached by a sign-out in the same second.
func TestEndUserReachesTokensDatedAhead(t *testing.T) {
	g := newGateway(t)
	if err := g.EndClient(t.Context(), "spa"); err != nil {
		t.Fatal(err)
	}
	res := g.login("scope", "openid orders:read")
	if _, err := g.EndUser(t.Context(), alice.Subject); err != nil {
		t.Fatal(err)
	}
	if g.passes(res.AccessToken) {
		t.Error("the token escaped the sign-out")
	}
}

// TestRefusedSecretsDoNoDamage: settings whose secrets do not open the keys
// change nothing, and the ones before still work, after a restart too.
func TestRefusedSecretsDoNoDamage(t *testing.T) {
	g := newGateway(t) // sealed under a
	token := g.login().RefreshToken
	g.configureSecrets("a", "b")
	if err := g.state.Configure(t.Context(), state.Settings{Secrets: g.secrets("b"), TokenLifetime: time.Hour}); err == nil {
		t.Fatal("b alone was taken, though the keys are sealed under a")
	}
	token = g.refreshOK(token).RefreshToken
	g.configureSecrets("a")
	token = g.refreshOK(token).RefreshToken
	if _, err := g.store.Open(t.Context(), storage.OpenRequest{Secrets: g.secrets("a").IDs()}); err != nil {
		t.Errorf("the store does not open under a any more: %v", err)
	}
	g.refreshOK(token)
}

// TestGrantsAreCanonical: the order in which scopes are asked for does not make
// another grant.
func TestGrantsAreCanonical(t *testing.T) {
	g := newGateway(t)
	g.login("scope", "openid offline_access orders:read orders:write")
	g.login("scope", "orders:write orders:read offline_access openid")
	families, err := g.Grants(t.Context(), alice.Subject)
	if err != nil || len(families) != 2 || families[0].Grant != families[1].Grant {
		t.Errorf("families %+v, %v", families, err)
	}
}

// TestSlowHashesAreComputedOnce: with two slow hashes the newer secret costs one
// comparison in all, and every failure costs the same.
func TestSlowHashesAreComputedOnce(t *testing.T) {
	hash := func(secret string) string {
		h, err := bcrypt.GenerateFromPassword([]byte(secret), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		return string(h)
	}
	var computed atomic.Int64
	g := newGateway(t, func(c *tokens.Config) {
		c.CompareHash = func(hash, plaintext []byte) (bool, error) {
			computed.Add(1)
			return bcrypt.CompareHashAndPassword(hash, plaintext) == nil, nil
		}
		c.Clients[3].SecretHashes = []string{hash("old"), hash("new")}
		c.Clients[4].SecretHashes = []string{hash("one")}
	})
	cost := func(id, secret string) int64 {
		before := computed.Load()
		_, _ = g.Authenticator().Authenticate(t.Context(), clients.Credentials{ClientID: id, Secret: secret, Method: clients.AuthPost})
		return computed.Load() - before
	}
	cost("web", "new")
	if n := cost("web", "new"); n != 0 {
		t.Errorf("a secret that matched before costs %d comparisons", n)
	}
	for _, id := range []string{"web", "machine", "auditor", "nobody", "spa"} {
		if n := cost(id, "wrong"); n != 2 {
			t.Errorf("a wrong secret at %s costs %d comparisons, want 2", id, n)
		}
	}
}

// TestClockSetBack: neither strict mode nor the leeway opens when the store's
// clock is set back behind the last rotation.
func TestClockSetBack(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	f := storage.Family{Generation: 2, Created: now.Add(-time.Hour), Rotated: now, Attempt: storage.Attempt{1}}
	r := storage.RotateRequest{Presented: 1, Rotation: true}
	if got, _ := storage.Decide(f, nil, r, now.Add(-time.Second)); got != storage.RotateReused {
		t.Errorf("strict: outcome %d", got)
	}
	r.Leeway = 10 * time.Second
	if got, _ := storage.Decide(f, nil, r, now.Add(-5*time.Second)); got != storage.RotateReplayed {
		t.Errorf("5 s back: outcome %d", got)
	}
	if got, _ := storage.Decide(f, nil, r, now.Add(-time.Minute)); got != storage.RotateReused {
		t.Errorf("a minute back: outcome %d", got)
	}
}

// TestDevelopingSilently: an app in development on this machine is answered
// silently by a gateway on this machine only.
func TestDevelopingSilently(t *testing.T) {
	for issuer, want := range map[string]oauth.ErrorCode{issuerURL: oauth.ConsentRequired, "http://localhost:8080/": ""} {
		g := newGateway(t, func(c *tokens.Config) {
			c.Issuer = issuer
			c.Clients[0].RedirectURIs = append(c.Clients[0].RedirectURIs, "http://localhost:8081/")
		})
		l, _ := g.signIn(alice)
		a, err := g.ParseAuthorization(t.Context(), request("redirect_uri", "http://localhost:8081/", "prompt", "none"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = g.NextStep(t.Context(), a, l, tokens.Progress{})
		if want == "" && err != nil || want != "" && oauth.AsError(err).Code != want {
			t.Errorf("issuer %s: %v, want %q", issuer, err, want)
		}
	}
}
