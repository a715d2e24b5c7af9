package tokens_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestRevoke covers REV-01 and REV-04.
func TestRevoke(t *testing.T) {
	g := newGateway(t)
	revoke := func(client, token string) {
		t.Helper()
		if err := g.Revoke(t.Context(), g.client(client), token); err != nil {
			t.Fatal(err)
		}
	}
	for _, garbage := range []string{"", "garbage", "rt1.", "a.b.c"} {
		revoke("spa", garbage)
	}
	first := g.login()
	second := g.refreshOK(first.RefreshToken)
	revoke("legacy", second.RefreshToken)
	revoke("legacy", second.AccessToken)
	if !g.passes(second.AccessToken) {
		t.Fatal("another client revoked the token")
	}
	revoke("spa", second.AccessToken)
	if g.passes(second.AccessToken) || !g.passes(first.AccessToken) {
		t.Error("revoking one access token did not deny exactly that")
	}
	revoke("spa", first.RefreshToken) // any generation
	revoke("spa", first.RefreshToken)
	g.refusedRefresh(second.RefreshToken, oauth.ReasonUnknown)
	if g.passes(first.AccessToken) {
		t.Error("an access token of a revoked family passes")
	}
}

// TestIntrospect covers REV-10, REV-11, REV-12 and REV-15.
func TestIntrospect(t *testing.T) {
	g := newGateway(t)
	res := g.login()
	active := func(client, token string) bool {
		t.Helper()
		in, err := g.Introspect(t.Context(), g.client(client), token)
		if err != nil {
			t.Fatal(err)
		}
		if !in.Active && (in.Subject != "" || in.Scope != "" || in.ClientID != "") {
			t.Errorf("an inactive answer says %+v", in)
		}
		return in.Active
	}
	if !active("machine", res.AccessToken) {
		t.Error("the API's own client sees the token inactive")
	}
	if active("auditor", res.AccessToken) {
		t.Error("REV-11: another API's client sees the token")
	}
	if active("machine", res.RefreshToken) {
		t.Error("REV-12: a resource server sees a refresh token")
	}
	for _, garbage := range []string{"", "garbage", "a.b.c", res.IDToken} {
		if active("machine", garbage) {
			t.Errorf("%q is active", garbage)
		}
	}
	if _, err := g.Introspect(t.Context(), g.client("spa"), res.AccessToken); oauth.AsError(err).Code != oauth.InvalidClient {
		t.Errorf("a public client introspects: %v", err)
	}
	if err := g.Revoke(t.Context(), g.client("spa"), res.RefreshToken); err != nil {
		t.Fatal(err)
	}
	if active("machine", res.AccessToken) {
		t.Error("REV-15: active right after the revocation")
	}
	fresh := g.login()
	g.pass(11 * time.Minute)
	if active("machine", fresh.AccessToken) {
		t.Error("an expired token is active")
	}
}

// S24, P13, O12: a resource server of the audience may introspect, a web client too where it
// is one by the configuration; whoever else asks about a good token is told of.
func TestWhoMayIntrospect(t *testing.T) {
	g := newGateway(t, func(c *tokens.Config) {
		served := *c.Clients[3]
		served.ID, served.APIs, served.Serves = "served", nil, []string{ordersAPI}
		server := *c.Clients[5]
		server.ID, server.APIs, server.Serves = "server", nil, []string{ordersAPI}
		c.Clients = append(c.Clients, &served, &server)
	})
	res := g.login()
	for _, tt := range []struct {
		name, client, token string
		active              bool
		told                oauth.Outcome
	}{
		{"S24: a web client that serves the API", "served", res.AccessToken, true, ""},
		{"S24: a machine that serves the API", "server", res.AccessToken, true, ""},
		{"S24: a machine that may ask for the API", "machine", res.AccessToken, true, ""},
		{"S24: a web client that may ask for the API", "web", res.AccessToken, false, "wrong_audience"},
		{"S24: a machine of another API", "auditor", res.AccessToken, false, "wrong_audience"},
		{"S24: another client's refresh token", "served", res.RefreshToken, false, "client_mismatch"},
		{"S24: no token of ours", "web", "garbage", false, ""},
		{"S24: an ID token", "served", res.IDToken, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := g.events.count(oauth.EventIntrospectionRefused, "")
			in, err := g.Introspect(t.Context(), g.client(tt.client), tt.token)
			if err != nil || in.Active != tt.active {
				t.Errorf("%+v, %v", in, err)
			}
			told := g.events.count(oauth.EventIntrospectionRefused, "") - before
			if told != min(1, len(tt.told)) || tt.told != "" && g.events.count(oauth.EventIntrospectionRefused, tt.told) == 0 {
				t.Errorf("told %d times", told)
			}
		})
	}
	// who only serves an API may not ask for it
	_, err := g.token("server", tokens.TokenRequest{GrantType: oauth.GrantClientCredentials, Audiences: []string{ordersAPI}})
	refused(t, err, oauth.InvalidTarget, "")
}

// P12, O12: a web client gets tokens for itself where its block says so.
func TestWebClientForItself(t *testing.T) {
	for _, allowed := range []bool{false, true} {
		g := newGateway(t, func(c *tokens.Config) { c.Clients[3].ForItself = allowed })
		res, err := g.token("web", tokens.TokenRequest{GrantType: oauth.GrantClientCredentials})
		if !allowed {
			refused(t, err, oauth.UnauthorizedClient, "")
			continue
		}
		if err != nil {
			t.Fatal("P12: ", err)
		}
		c, err := g.CheckAccess(t.Context(), res.AccessToken)
		if err != nil || c.Subject != "web@clients" || res.RefreshToken != "" || res.IDToken != "" {
			t.Errorf("P12: %+v, %v", c, err)
		}
		l, _ := g.signIn(alice) // and people still sign in to it
		r := codeRequest(g.codeFor(l, "client_id", "web", "redirect_uri", webRedirect))
		r.RedirectURI = webRedirect
		g.mustToken("web", r)
	}
	g := newGateway(t, func(c *tokens.Config) { c.Clients[0].ForItself = true })
	_, err := g.token("spa", tokens.TokenRequest{GrantType: oauth.GrantClientCredentials})
	refused(t, err, oauth.UnauthorizedClient, "")
}

func TestIntrospectOwnRefreshToken(t *testing.T) {
	g := newGateway(t)
	l, _ := g.signIn(alice)
	r := codeRequest(g.codeFor(l, "client_id", "web", "redirect_uri", "https://web.example.com/cb"))
	r.RedirectURI = "https://web.example.com/cb"
	token := g.mustToken("web", r).RefreshToken
	for _, want := range []bool{true, false} {
		in, err := g.Introspect(t.Context(), g.client("web"), token)
		if err != nil || in.Active != want {
			t.Fatalf("%+v, %v; want active %v", in, err, want)
		}
		if err := g.Revoke(t.Context(), g.client("web"), token); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUserInfoNeedsOpenID(t *testing.T) {
	g := newGateway(t)
	res := g.login("scope", "orders:read")
	c, err := g.CheckAccess(t.Context(), res.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	_, err = g.UserInfo(t.Context(), c)
	refused(t, err, oauth.InsufficientScope, "")
}

// TestStoreGone closes the store under the gateway: nothing may be answered as
// if it had been decided.
func TestStoreGone(t *testing.T) {
	g := newGateway(t)
	res := g.login()
	code := g.code()
	_, cookie := g.signIn(alice)
	if err := g.store.Close(); err != nil {
		t.Fatal(err)
	}
	_, refresh := g.token("spa", refreshRequest(res.RefreshToken))
	_, exchange := g.token("spa", codeRequest(code))
	_, machine := g.token("machine", tokens.TokenRequest{GrantType: oauth.GrantClientCredentials})
	_, session := g.CurrentLogin(t.Context(), cookie)
	_, introspect := g.Introspect(t.Context(), g.client("machine"), res.AccessToken)
	for name, err := range map[string]error{
		"refresh": refresh, "code": exchange, "client credentials": machine, "session": session, "introspect": introspect,
		"revoke": g.Revoke(t.Context(), g.client("spa"), res.RefreshToken), "sign out": g.SignOut(t.Context(), cookie),
	} {
		var e *oauth.Error
		if !errors.As(err, &e) || e.Code != oauth.TemporarilyUnavailable || e.RetryAfter == 0 {
			t.Errorf("%s: %v, want temporarily_unavailable with a time", name, err)
		}
	}
	g.state.Denylist.Changed(storage.TagSubject(alice.Subject)) // as a node that has not asked about alice yet
	if _, err := g.CheckAccess(t.Context(), res.AccessToken); oauth.AsError(err).Code != oauth.TemporarilyUnavailable {
		t.Errorf("a token that was never checked: %v", err)
	}
}

// TestEndClientAndTokensInThatSecond: what a client gets after it was ended is
// good at once, and what it had before is not.
func TestEndClientAndTokensInThatSecond(t *testing.T) {
	g := newGateway(t)
	machine := tokens.TokenRequest{GrantType: oauth.GrantClientCredentials}
	short := func() string { return g.mustToken("spa", codeRequest(g.code("scope", "openid"))).AccessToken }
	before := []string{g.mustToken("machine", machine).AccessToken, short(), g.login().AccessToken}
	for _, id := range []string{"machine", "spa"} {
		if err := g.EndClient(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	after := []string{g.mustToken("machine", machine).AccessToken, short(), g.login().AccessToken}
	for n := range before {
		if g.passes(before[n]) {
			t.Errorf("token %d from before passes", n)
		}
		if !g.passes(after[n]) {
			t.Errorf("token %d from after is denied", n)
		}
	}
}
