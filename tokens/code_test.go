package tokens_test

import (
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/keyring"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

func TestCodeExchange(t *testing.T) {
	g := newGateway(t, func(c *tokens.Config) { c.IDTokenAlg = "RS256" })
	g.configure(g.secrets("a"), keyring.Settings{Algorithms: []jose.Algorithm{jose.ES256, jose.RS256}})
	res := g.login()
	if res.TokenType != "Bearer" || res.ExpiresIn != 600 || res.RefreshToken == "" || res.IDToken == "" {
		t.Errorf("answer %+v", res)
	}
	c, err := g.CheckAccess(t.Context(), res.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	if c.Issuer != issuerURL || c.Subject != alice.Subject || c.ClientID != "spa" || c.ACR != "pwd" || !c.HasFamily || !c.HasTokenID || c.AuthTime.IsZero() {
		t.Errorf("claims %+v", c)
	}
	if len(c.Audience) != 1 || c.Audience[0] != ordersAPI {
		t.Errorf("audience %q", c.Audience)
	}
	hint, err := g.ParseLogoutHint(res.IDToken)
	if err != nil || hint.ClientID != "spa" || hint.Subject != alice.Subject || hint.SessionID.String() != c.SessionID {
		t.Errorf("ID token says %+v, %v", hint, err)
	}
	info, err := g.UserInfo(t.Context(), c)
	if err != nil || info["name"] != "Alice" || info["email"] != "alice@example.com" || info["sub"] != alice.Subject {
		t.Errorf("userinfo %v, %v", info, err)
	}
}

// TestCodeRefused covers TOK-09, TOK-12 and TOK-16.
func TestCodeRefused(t *testing.T) {
	tests := []struct {
		name   string
		client string
		change func(*tokens.TokenRequest)
		code   oauth.ErrorCode
		reason oauth.Reason
		burns  bool
	}{
		{"missing", "spa", func(r *tokens.TokenRequest) { r.Code = "" }, oauth.InvalidRequest, "", false},
		{"garbage", "spa", func(r *tokens.TokenRequest) { r.Code = "garbage" }, oauth.InvalidGrant, oauth.ReasonBadMAC, false},
		{"64 KiB", "spa", func(r *tokens.TokenRequest) { r.Code = strings.Repeat("A", 64<<10) }, oauth.InvalidGrant, oauth.ReasonBadMAC, false},
		{"NUL", "spa", func(r *tokens.TokenRequest) { r.Code += "\x00" }, oauth.InvalidGrant, oauth.ReasonBadMAC, false},
		{"verifier missing", "spa", func(r *tokens.TokenRequest) { r.CodeVerifier = "" }, oauth.InvalidGrant, oauth.ReasonBadVerifier, false},
		{"verifier of 42", "spa", func(r *tokens.TokenRequest) { r.CodeVerifier = verifier[:42] }, oauth.InvalidRequest, oauth.ReasonBadVerifier, false},
		{"verifier of 129", "spa", func(r *tokens.TokenRequest) { r.CodeVerifier = strings.Repeat("a", 129) }, oauth.InvalidRequest, oauth.ReasonBadVerifier, false},
		{"verifier illegal", "spa", func(r *tokens.TokenRequest) { r.CodeVerifier = verifier + "!" }, oauth.InvalidRequest, oauth.ReasonBadVerifier, false},
		{"verifier wrong", "spa", func(r *tokens.TokenRequest) { r.CodeVerifier = strings.Repeat("a", 43) }, oauth.InvalidGrant, oauth.ReasonBadVerifier, true},
		{"verifier is challenge", "spa", func(r *tokens.TokenRequest) { r.CodeVerifier = request().Get("code_challenge") }, oauth.InvalidGrant, oauth.ReasonBadVerifier, true},
		{"another client", "legacy", func(*tokens.TokenRequest) {}, oauth.InvalidGrant, oauth.ReasonClientMismatch, true},
		{"another redirect_uri", "spa", func(r *tokens.TokenRequest) { r.RedirectURI += "/" }, oauth.InvalidGrant, oauth.ReasonCodeMismatch, true},
		{"redirect_uri missing", "spa", func(r *tokens.TokenRequest) { r.RedirectURI = "" }, oauth.InvalidGrant, oauth.ReasonCodeMismatch, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t)
			good := codeRequest(g.code())
			bad := good
			tt.change(&bad)
			_, err := g.token(tt.client, bad)
			refused(t, err, tt.code, tt.reason)
			_, err = g.token("spa", good)
			if tt.burns {
				refused(t, err, oauth.InvalidGrant, oauth.ReasonCodeSpent)
			} else if err != nil {
				t.Errorf("the code was burned by a refusal: %v", err)
			}
		})
	}
}

// TestCodeReuse covers TOK-10: the second use is refused and ends what the
// first has begun.
func TestCodeReuse(t *testing.T) {
	g := newGateway(t)
	code := g.code()
	res := g.mustToken("spa", codeRequest(code))
	g.pass(2 * time.Second)
	_, err := g.token("spa", codeRequest(code))
	refused(t, err, oauth.InvalidGrant, oauth.ReasonCodeSpent)
	if g.passes(res.AccessToken) {
		t.Error("the access token of a code that came twice passes")
	}
	g.refusedRefresh(res.RefreshToken, oauth.ReasonUnknown)
}

// TestCodeReuseWithoutRefreshToken: also an access token without a refresh
// token is ended by the second use of its code.
func TestCodeReuseWithoutRefreshToken(t *testing.T) {
	g := newGateway(t)
	code := g.code("scope", "openid orders:read")
	res := g.mustToken("spa", codeRequest(code))
	g.pass(2 * time.Second)
	_, err := g.token("spa", codeRequest(code))
	refused(t, err, oauth.InvalidGrant, oauth.ReasonCodeSpent)
	if g.passes(res.AccessToken) {
		t.Error("the access token passes")
	}
}

// TestCodeRetry: an SDK that lost the answer and tries again at once is
// refused, but what it may have got lives on. A thief within that second, who
// has no verifier, ends it.
func TestCodeRetry(t *testing.T) {
	g := newGateway(t)
	code := g.code()
	res := g.mustToken("spa", codeRequest(code))
	g.pass(500 * time.Millisecond)
	_, err := g.token("spa", codeRequest(code))
	refused(t, err, oauth.InvalidGrant, oauth.ReasonCodeSpent)
	g.refreshOK(res.RefreshToken)
	thief := codeRequest(code)
	thief.CodeVerifier = strings.Repeat("a", 43)
	_, err = g.token("spa", thief)
	refused(t, err, oauth.InvalidGrant, oauth.ReasonCodeSpent)
	if g.passes(res.AccessToken) {
		t.Error("the access token passes after a thief showed the code")
	}
}

// TestCodeParallel covers TOK-11 on one node.
func TestCodeParallel(t *testing.T) {
	g := newGateway(t)
	code := g.code()
	var ok, invalid atomic.Int64
	var refresh atomic.Value
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			res, err := g.token("spa", codeRequest(code))
			switch {
			case err == nil:
				ok.Add(1)
				refresh.Store(res.RefreshToken)
			case oauth.AsError(err).Code == oauth.InvalidGrant:
				invalid.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if ok.Load() != 1 || invalid.Load() != 99 {
		t.Fatalf("%d answers with tokens and %d invalid_grant", ok.Load(), invalid.Load())
	}
	g.refreshOK(refresh.Load().(string)) // all came within the second and had the verifier
}

func TestCodeExpires(t *testing.T) {
	g := newGateway(t)
	code := g.code()
	g.pass(61 * time.Second)
	_, err := g.token("spa", codeRequest(code))
	refused(t, err, oauth.InvalidGrant, oauth.ReasonCodeUnknown)
}

// TestCodeUserChanged covers TOK-23: the user is gone, or signed out, between
// code and tokens.
func TestCodeUserChanged(t *testing.T) {
	t.Run("removed", func(t *testing.T) {
		g := newGateway(t)
		code := g.code()
		g.cfg.Accounts = accounts{}
		g.reload()
		_, err := g.token("spa", codeRequest(code))
		refused(t, err, oauth.InvalidGrant, oauth.ReasonUserChanged)
	})
	t.Run("signed out", func(t *testing.T) {
		g := newGateway(t)
		code := g.code()
		if _, err := g.EndUser(t.Context(), alice.Subject); err != nil {
			t.Fatal(err)
		}
		_, err := g.token("spa", codeRequest(code))
		refused(t, err, oauth.InvalidGrant, "")
	})
}

func TestCodeAudience(t *testing.T) {
	g := newGateway(t)
	r := codeRequest(g.code("resource", billingAPI))
	r.Audiences = []string{billingAPI}
	c, err := g.CheckAccess(t.Context(), g.mustToken("spa", r).AccessToken)
	if err != nil || c.Audience[0] != billingAPI {
		t.Fatalf("audience %v, %v", c, err)
	}
	r = codeRequest(g.code())
	r.Audiences = []string{billingAPI}
	_, err = g.token("spa", r)
	refused(t, err, oauth.InvalidTarget, "")
	res := g.mustToken("spa", codeRequest(g.code("audience", "")))
	c, err = g.CheckAccess(t.Context(), res.AccessToken)
	if err != nil || c.Audience[0] != issuerURL+"userinfo" {
		t.Errorf("audience %v without an API, %v", c.Audience, err)
	}
	code := g.code("resource", billingAPI)
	g.cfg.Clients = testClients()
	g.cfg.Clients[0].APIs = []string{billingAPI}
	g.reload()
	_, err = g.token("spa", codeRequest(code)) // and not one for the other API
	refused(t, err, oauth.InvalidGrant, oauth.ReasonWrongAudience)
}

// TestScopeIsSaid: an answer whose scope is not the one asked for says which it
// is, also when that is none. See RFC 6749 §5.1.
func TestScopeIsSaid(t *testing.T) {
	g := newGateway(t)
	body, err := json.Marshal(g.login("scope", "unknown:scope"))
	if err != nil || !strings.Contains(string(body), `"scope":""`) {
		t.Errorf("an answer without a scope: %v", err)
	}
}

// TestClientCredentials covers TOK-20 and TOK-21.
func TestClientCredentials(t *testing.T) {
	g := newGateway(t)
	r := tokens.TokenRequest{GrantType: oauth.GrantClientCredentials}
	res := g.mustToken("machine", r)
	if res.RefreshToken != "" || res.IDToken != "" || res.Scope != "orders:read" {
		t.Errorf("answer %+v", res)
	}
	c, err := g.CheckAccess(t.Context(), res.AccessToken)
	if err != nil || c.Subject != "machine@clients" || c.HasFamily {
		t.Errorf("claims %+v, %v", c, err)
	}
	for _, scope := range []string{"orders:write", "openid", "offline_access", "nonsense"} {
		r.Scope = scope
		_, err := g.token("machine", r)
		refused(t, err, oauth.InvalidScope, "")
	}
	r.Scope, r.Audiences = "", []string{billingAPI}
	_, err = g.token("machine", r)
	refused(t, err, oauth.InvalidTarget, "")
}

// TestGrantTypes covers TOK-07 and TOK-08.
func TestGrantTypes(t *testing.T) {
	g := newGateway(t)
	tests := []struct {
		client string
		grant  oauth.GrantType
		want   oauth.ErrorCode
	}{
		{"spa", "", oauth.InvalidRequest},
		{"spa", "password", oauth.UnsupportedGrantType},
		{"spa", "implicit", oauth.UnsupportedGrantType},
		{"spa", "AUTHORIZATION_CODE", oauth.UnsupportedGrantType},
		{"spa", "urn:ietf:params:oauth:grant-type:token-exchange", oauth.UnsupportedGrantType},
		{"spa", oauth.GrantClientCredentials, oauth.UnauthorizedClient},
		{"web", oauth.GrantClientCredentials, oauth.UnauthorizedClient},
		{"machine", oauth.GrantAuthorizationCode, oauth.UnauthorizedClient},
		{"machine", oauth.GrantRefreshToken, oauth.UnauthorizedClient},
	}
	for _, tt := range tests {
		_, err := g.token(tt.client, tokens.TokenRequest{GrantType: tt.grant})
		if oauth.AsError(err).Code != tt.want {
			t.Errorf("%s, %q: %v, want %s", tt.client, tt.grant, err, tt.want)
		}
	}
}

// TestAuthenticateClient covers CLI-02 and the overlap of secrets.
func TestAuthenticateClient(t *testing.T) {
	g := newGateway(t)
	tests := []struct {
		name string
		cred clients.Credentials
		ok   bool
	}{
		{"public", clients.Credentials{ClientID: "spa", Method: clients.AuthNone}, true},
		{"public with a secret", clients.Credentials{ClientID: "spa", Secret: "x", Method: clients.AuthPost}, false},
		{"confidential without a secret", clients.Credentials{ClientID: "web", Method: clients.AuthNone}, false},
		{"basic", clients.Credentials{ClientID: "web", Secret: "web-secret", Method: clients.AuthBasic}, true},
		{"post", clients.Credentials{ClientID: "web", Secret: "web-secret", Method: clients.AuthPost}, true},
		{"wrong secret", clients.Credentials{ClientID: "web", Secret: "web-secre", Method: clients.AuthPost}, false},
		{"empty secret", clients.Credentials{ClientID: "web", Method: clients.AuthPost}, false},
		{"older of two secrets", clients.Credentials{ClientID: "machine", Secret: "old-secret", Method: clients.AuthBasic}, true},
		{"newer of two secrets", clients.Credentials{ClientID: "machine", Secret: "machine-secret", Method: clients.AuthBasic}, true},
		{"unknown client", clients.Credentials{ClientID: "nobody", Secret: "x", Method: clients.AuthBasic}, false},
		{"no client", clients.Credentials{Method: clients.AuthNone}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := g.Authenticator().Authenticate(t.Context(), tt.cred)
			if tt.ok && (err != nil || c.ID != tt.cred.ClientID) {
				t.Fatal(err)
			}
			if !tt.ok {
				refused(t, err, oauth.InvalidClient, "")
			}
		})
	}
}
