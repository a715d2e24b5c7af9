package verify

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
	"github.com/gatehouse-auth/gatehouse/tokens/tokenstest"
)

// What the access tokens of well-known issuers look like.
func TestForeignIssuersOfTheWorld(t *testing.T) {
	b := newForeignBench(t)
	for _, tt := range []struct {
		name    string
		change  func(*ForeignConfig)
		header  map[string]any
		claims  map[string]any
		subject string
		client  string
		scope   []string
	}{
		{
			name: "RFC 9068", claims: map[string]any{"azp": nil, "client_id": "app", "jti": "x"},
			subject: "alice", client: "app", scope: []string{"orders:read"},
		},
		{
			name: "Auth0", header: map[string]any{"typ": "JWT"},
			claims: map[string]any{
				"sub": "auth0|5f7c", "aud": []string{testAudience, "https://tenant.auth0.com/userinfo"}, "azp": "spa",
				"scope": "openid orders:read", "permissions": []string{"orders:read", "orders:write"}, "gty": "password",
			},
			subject: "auth0|5f7c", client: "spa", scope: []string{"openid", "orders:read"},
		},
		{
			name: "Auth0 with RBAC", header: map[string]any{"typ": "JWT"}, change: func(c *ForeignConfig) { c.ScopeClaims = []string{"permissions"} },
			claims:  map[string]any{"permissions": []string{"orders:read", "orders:write"}},
			subject: "alice", client: "app", scope: []string{"orders:read", "orders:write"},
		},
		{
			name: "Keycloak", header: map[string]any{"typ": "JWT"},
			claims: map[string]any{
				"jti": "onrtac:8d", "typ": "Bearer", "sid": "s", "acr": "1", "nonce": "n", "allowed-origins": []string{"*"}, "aud": []string{testAudience, "account"},
				"realm_access": map[string]any{"roles": []string{"admin"}}, "scope": "profile email", "email_verified": false, "auth_time": b.now.Unix(),
			},
			subject: "alice", client: "app", scope: []string{"profile", "email"},
		},
		{
			name: "Keycloak roles", header: map[string]any{"typ": "JWT"}, change: func(c *ForeignConfig) { c.ScopeClaims = []string{"scope", "realm_access.roles"} },
			claims:  map[string]any{"typ": "Bearer", "realm_access": map[string]any{"roles": []string{"admin"}}, "scope": "profile"},
			subject: "alice", client: "app", scope: []string{"profile", "admin"},
		},
		{
			name: "Entra v2, delegated", header: map[string]any{"typ": "JWT", "x5t": "abc"}, change: func(c *ForeignConfig) { c.SubjectClaims = []string{"oid"} },
			claims: map[string]any{
				"sub": "pairwise", "oid": "user-oid", "azp": "app-guid", "azpacr": "0", "scope": nil, "scp": "Orders.Read Orders.Write",
				"tid": "tenant", "uti": "x", "ver": "2.0", "nbf": b.now.Unix(), "aio": "y", "rh": "z", "xms_ftd": "w",
			},
			subject: "user-oid", client: "app-guid", scope: []string{"Orders.Read", "Orders.Write"},
		},
		{
			name: "Entra v1, application", header: map[string]any{"typ": "JWT"}, change: func(c *ForeignConfig) { c.ScopeClaims = []string{"scp", "roles"} },
			claims:  map[string]any{"azp": nil, "appid": "app-guid", "scope": nil, "roles": []string{"Orders.Read.All"}},
			subject: "alice", client: "app-guid", scope: []string{"Orders.Read.All"},
		},
		{
			name: "Okta", header: map[string]any{"typ": nil},
			claims:  map[string]any{"azp": nil, "cid": "0oa", "uid": "00u", "scope": nil, "scp": []string{"openid", "orders:read"}, "ver": 1},
			subject: "alice", client: "0oa", scope: []string{"openid", "orders:read"},
		},
		{
			name: "Google, a service's ID token", header: map[string]any{"typ": "JWT"},
			claims:  map[string]any{"azp": "1234", "email": "svc@project.iam.gserviceaccount.com", "email_verified": true, "scope": nil},
			subject: "alice", client: "1234",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			change := tt.change
			if change == nil {
				change = func(*ForeignConfig) {}
			}
			v := b.route(b.configA(change), b.configB())
			token := b.a.mint(tt.header, tt.claims)
			for _, round := range []string{"miss", "hit"} {
				c, err := v.Verify(token)
				if err != nil {
					t.Fatalf("%s: %v", round, err)
				}
				b.cache.entries.Wait()
				if c.Subject != tt.subject || c.ClientID != tt.client || !slices.Equal(c.Scope, tt.scope) || !c.Foreign() {
					t.Errorf("%s: sub %q, client %q, scope %q, foreign %t", round, c.Subject, c.ClientID, c.Scope, c.Foreign())
				}
				if sub, _ := c.Lookup("sub"); sub != tt.subject || c.Identity() != b.a.url+"|"+tt.subject {
					t.Errorf("%s: sub %q, identity %q", round, sub, c.Identity())
				}
			}
		})
	}
}

func TestForeignRefusals(t *testing.T) {
	b := newForeignBench(t)
	strict := func(c *ForeignConfig) { c.AcceptJWT = false }
	jwt := map[string]any{"typ": "JWT"}
	for _, tt := range []struct {
		name           string
		change         func(*ForeignConfig)
		header, claims map[string]any
		want           oauth.Reason
	}{
		{"good", strict, nil, nil, ""},
		{"JWT-40 at+jwt with its prefix", strict, map[string]any{"typ": "Application/AT+JWT"}, nil, ""},
		{"JWT-40 JWT", strict, jwt, nil, oauth.ReasonWrongType},
		{"JWT-40 no type", strict, map[string]any{"typ": nil}, nil, oauth.ReasonWrongType},
		{"JWT-40 JWT, taken", nil, jwt, nil, ""},
		{"JWT-40 no type, taken", nil, map[string]any{"typ": nil}, nil, ""},
		{"JWT-39 logout token", nil, map[string]any{"typ": "logout+jwt"}, nil, oauth.ReasonWrongType},
		{"JWT-39 logout token as JWT", nil, jwt, map[string]any{"events": map[string]any{}}, oauth.ReasonWrongType},
		{"JWT-39 DPoP proof", nil, jwt, map[string]any{"htm": "GET", "htu": "https://api.example.com/"}, oauth.ReasonWrongType},
		{"JWT-38 ID token with at_hash", nil, jwt, map[string]any{"at_hash": "x"}, oauth.ReasonWrongType},
		{"JWT-38 ID token with nonce", nil, jwt, map[string]any{"nonce": "x"}, oauth.ReasonWrongType},
		{"JWT-38 ID token of Keycloak", nil, jwt, map[string]any{"typ": "ID"}, oauth.ReasonWrongType},
		{"JWT-39 refresh token of Keycloak", nil, jwt, map[string]any{"typ": "Refresh"}, oauth.ReasonWrongType},
		{"JWT-38 ID token of Cognito", nil, jwt, map[string]any{"token_use": "id"}, oauth.ReasonWrongType},
		{"G12, JWT-14: no kid, and one key", nil, map[string]any{"kid": nil}, nil, ""},
		{"unknown kid", nil, map[string]any{"kid": "2"}, nil, oauth.ReasonUnknownKey},
		{"JWT-02 none", nil, map[string]any{"alg": "none"}, nil, oauth.ReasonBadSignature},
		{"another algorithm", nil, map[string]any{"alg": "RS256"}, nil, oauth.ReasonBadSignature},
		{"JWT-11 jku", nil, map[string]any{"jku": "https://evil.example/", "kid": "2"}, nil, oauth.ReasonUnknownKey},
		{"JWT-10 jwk", nil, map[string]any{"jwk": map[string]any{}, "kid": "2"}, nil, oauth.ReasonUnknownKey},
		{"G12: jku beside a good kid", nil, map[string]any{"jku": "https://evil.example/", "x5u": 1, "x5c": []string{"x"}, "jwk": nil}, nil, ""},
		{"JWT-13 crit", nil, map[string]any{"crit": []string{"x"}}, nil, oauth.ReasonTokenHeader},
		{"algorithm that is not allowed", func(c *ForeignConfig) { c.Algorithms = []jose.Algorithm{jose.RS256} }, nil, nil, oauth.ReasonBadSignature},
		{"JWT-31 no exp", nil, nil, map[string]any{"exp": nil}, oauth.ReasonClaim},
		{"JWT-31 exp as text", nil, nil, map[string]any{"exp": "9999999999"}, oauth.ReasonClaim},
		{"JWT-31 exp beyond time", nil, nil, map[string]any{"exp": 1e308}, oauth.ReasonClaim},
		{"no iat", nil, nil, map[string]any{"iat": nil}, oauth.ReasonClaim},
		{"no sub", nil, nil, map[string]any{"sub": nil}, oauth.ReasonClaim},
		{"sub as number", nil, nil, map[string]any{"sub": 1}, oauth.ReasonClaim},
		{"the claim of the subject is missing", func(c *ForeignConfig) { c.SubjectClaims = []string{"oid"} }, nil, nil, oauth.ReasonClaim},
		{"G10: JWT-37 no aud", nil, nil, map[string]any{"aud": nil}, oauth.ReasonWrongAudience},
		{"JWT-37 aud as object", nil, nil, map[string]any{"aud": map[string]any{"a": 1}}, oauth.ReasonWrongAudience},
		{"JWT-37 aud with a number", nil, nil, map[string]any{"aud": []any{testAudience, 1}}, oauth.ReasonWrongAudience},
		{"JWT-47 scope as list", nil, nil, map[string]any{"scope": []string{"orders:read"}}, ""}, // a rule finds none
		{"JWT-47 scope as list, by name", func(c *ForeignConfig) { c.ScopeClaims = []string{"scope"} }, nil, map[string]any{"scope": []string{"orders:read"}}, ""},
		{"scp as number", nil, nil, map[string]any{"scope": nil, "scp": 7}, ""},
		{"bound to a certificate", nil, nil, map[string]any{"cnf": map[string]any{"x5t#S256": "x"}}, oauth.ReasonClaim},
		{"cnf as text", nil, nil, map[string]any{"cnf": "x"}, oauth.ReasonClaim},
		{"expired", nil, nil, map[string]any{"exp": b.now.Unix() - 11, "iat": b.now.Unix() - 60}, oauth.ReasonExpired},
		{"JWT-33 nbf ahead", nil, nil, map[string]any{"nbf": b.now.Unix() + 120}, oauth.ReasonNotYetValid},
		{"JWT-33 iat ahead", nil, nil, map[string]any{"iat": b.now.Unix() + 3600, "exp": b.now.Unix() + 7200}, oauth.ReasonNotYetValid},
		{"JWT-34 ten years", nil, nil, map[string]any{"exp": b.now.AddDate(10, 0, 0).Unix()}, ""},
		{"JWT-34 ten years, bounded", func(c *ForeignConfig) { c.MaxTokenAge = time.Hour }, nil, map[string]any{"exp": b.now.AddDate(10, 0, 0).Unix()}, oauth.ReasonClaim},
		{"JWT-34 an hour, bounded", func(c *ForeignConfig) { c.MaxTokenAge = time.Hour }, nil, map[string]any{"exp": b.now.Add(time.Hour).Unix()}, ""},
		{"JWT-35 no slash", nil, nil, map[string]any{"iss": "https://a.example.com"}, oauth.ReasonWrongIssuer},
		{"JWT-35 capitals", nil, nil, map[string]any{"iss": "https://A.example.com/"}, oauth.ReasonWrongIssuer},
		{"JWT-35 port", nil, nil, map[string]any{"iss": "https://a.example.com:443/"}, oauth.ReasonWrongIssuer},
		{"JWT-35 prefix", nil, nil, map[string]any{"iss": "https://a.example.com/x"}, oauth.ReasonWrongIssuer},
		{"JWT-35 list", nil, nil, map[string]any{"iss": []string{"https://a.example.com/"}}, oauth.ReasonClaim},
		{"JWT-36 the other issuer's name", nil, nil, map[string]any{"iss": "https://b.example.com/"}, oauth.ReasonBadSignature},
		{"our name", nil, nil, map[string]any{"iss": testIssuer, "client_id": "app", "jti": "x"}, oauth.ReasonUnknownKey},
	} {
		t.Run(tt.name, func(t *testing.T) {
			change := tt.change
			if change == nil {
				change = func(*ForeignConfig) {}
			}
			cfg := b.configA(change)
			v := b.route(cfg, b.configB())
			v.leeway = oauth.DefaultLeeway
			for _, round := range []string{"miss", "again"} {
				_, err := v.Verify(b.a.mint(tt.header, tt.claims))
				if got := refusal(t, err); got != tt.want {
					t.Errorf("%s: got %q, want %q", round, got, tt.want)
				}
				b.cache.entries.Wait()
			}
		})
	}
}

// HDR-24: nobody of another issuer is one of our users or clients.
// RFC 9864 §2.2: what was EdDSA is Ed25519 now, in keys and in headers, and
// issuers are somewhere between the two.
func TestForeignEd25519(t *testing.T) {
	bench := newForeignBench(t)
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(alg string) string {
		header := fmt.Sprintf(`{"typ":"at+jwt","alg":%q,"kid":"ed"}`, alg)
		claims := fmt.Sprintf(`{"iss":%q,"sub":"alice","aud":%q,"exp":%d,"iat":%d}`, bench.a.url, testAudience, bench.clock().Add(time.Minute).Unix(), bench.clock().Unix())
		input := tokenstest.Segment(header) + "." + tokenstest.Segment(claims)
		return input + "." + tokenstest.Segment(string(ed25519.Sign(private, []byte(input))))
	}
	for _, named := range []string{``, `,"alg":"EdDSA"`, `,"alg":"Ed25519"`} {
		bench.a.set(jwkSet(fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","kid":"ed","x":%q%s}`, base64.RawURLEncoding.EncodeToString(public), named), bench.a.jwk("")), nil)
		for alg, want := range map[string]oauth.Reason{"EdDSA": "", "Ed25519": "", "Ed448": oauth.ReasonBadSignature, "ed25519": oauth.ReasonBadSignature, "ES256": oauth.ReasonBadSignature} {
			keys := bench.a.keys(nil)
			route := bench.route(bench.configA(func(c *ForeignConfig) { c.Keys, c.Algorithms = keys, []jose.Algorithm{jose.EdDSA, jose.ES256} }))
			if _, err := route.Verify(sign(alg)); refusal(t, err) != want {
				t.Errorf("key %q, header %s: %v", named, alg, err)
			}
		}
		// An EC key is never taken for one.
		keys := bench.a.keys(nil)
		route := bench.route(bench.configA(func(c *ForeignConfig) { c.Keys = keys }))
		if _, err := route.Verify(bench.a.mint(map[string]any{"alg": "Ed25519"}, nil)); refusal(t, err) != oauth.ReasonBadSignature {
			t.Errorf("an EC key: %v", err)
		}
	}
}

func TestForeignIdentity(t *testing.T) {
	b := newForeignBench(t)
	v := b.route(b.configA(), b.configB())
	seen := make(map[string]string)
	for name, token := range map[string]string{
		"own": b.mint(nil, map[string]any{"sub": "alice", "client_id": "app"}),
		"a":   b.a.mint(nil, map[string]any{"gh_fam": storage.FamilyID{7}.String()}),
		"b":   b.b.mint(nil, nil),
	} {
		c, err := v.Verify(token)
		if err != nil {
			t.Fatal(err)
		}
		if c.Subject != "alice" || c.ClientID != "app" {
			t.Errorf("%s: %q %q", name, c.Subject, c.ClientID)
		}
		if c.HasFamily || c.Foreign() != (name != "own") {
			t.Errorf("%s: has a family: %t, foreign: %t", name, c.HasFamily, c.Foreign())
		}
		for _, key := range []string{"identity " + c.Identity(), fmt.Sprint("user ", c.User), fmt.Sprint("client ", c.Client)} {
			if other, ok := seen[key]; ok {
				t.Errorf("%s and %s have one %s", name, other, key)
			}
			seen[key] = name
		}
	}
}

// HDR-28: what an issuer is not believed is not there.
func TestForeignClaimsThatAreBelieved(t *testing.T) {
	b := newForeignBench(t)
	v := b.route(b.configA(func(c *ForeignConfig) { c.Claims = []string{"email"} }))
	c, err := v.Verify(b.a.mint(nil, map[string]any{
		"admin": true, "email": "a@example.com", "acr": "gold", "auth_time": b.now.Unix(), "org": map[string]any{"id": "x"}, "sid": "s",
	}))
	if err != nil {
		t.Fatal(err)
	}
	for name, there := range map[string]bool{"email": true, "sub": true, "scope": true, "aud": true, "client_id": true, "admin": false, "acr": false, "org.id": false, "azp": false} {
		if _, ok := c.Lookup(name); ok != there {
			t.Errorf("%s is there: %t, want %t", name, ok, there)
		}
	}
	if c.ACR != "" || !c.AuthTime.IsZero() || c.SessionID != "" {
		t.Errorf("claims %+v", c)
	}
}

// JWT-42: what one route has verified is worth nothing to another with other rules.
func TestForeignCacheIsOfOneProfile(t *testing.T) {
	b := newForeignBench(t)
	token := b.a.mint(map[string]any{"typ": "JWT"}, map[string]any{"permissions": []string{"admin"}})
	lax := b.route(b.configA(), b.configB())
	if _, err := lax.Verify(token); err != nil {
		t.Fatal(err)
	}
	b.cache.entries.Wait()
	if b.cache.Get(token) == nil {
		t.Fatal("not cached")
	}
	for _, tt := range []struct {
		name  string
		route *Verifier
		want  oauth.Reason
	}{
		{"our own issuer alone", b.route(), oauth.ReasonWrongIssuer},
		{"another issuer alone", b.route(b.configB()), oauth.ReasonWrongIssuer},
		{"at+jwt alone", b.route(b.configA(func(c *ForeignConfig) { c.AcceptJWT = false })), oauth.ReasonWrongType},
		{"another algorithm", b.route(b.configA(func(c *ForeignConfig) { c.Algorithms = []jose.Algorithm{jose.EdDSA} })), oauth.ReasonBadSignature},
		{"a shorter life", b.route(b.configA(func(c *ForeignConfig) { c.MaxTokenAge = time.Minute })), oauth.ReasonClaim},
		{"other keys", b.route(b.configA(func(c *ForeignConfig) { c.Keys = b.keysB })), oauth.ReasonBadSignature},
	} {
		if _, err := tt.route.Verify(token); refusal(t, err) != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
	mapped := b.route(b.configA(func(c *ForeignConfig) { c.ScopeClaims = []string{"permissions"} }))
	for range 2 {
		for v, want := range map[*Verifier]string{lax: "orders:read", mapped: "admin"} {
			if c, err := v.Verify(token); err != nil || !slices.Equal(c.Scope, []string{want}) {
				t.Errorf("scope %v, %v, want %s", c.Scope, err, want)
			}
			b.cache.entries.Wait()
		}
	}
}

// KEY-07: a key that the issuer has withdrawn is worth nothing, cached or not;
// one that it still has stays good for what it verified.
func TestForeignKeyIsWithdrawn(t *testing.T) {
	b := newForeignBench(t)
	v := b.route(b.configA())
	token := b.a.mint(nil, nil)
	first, err := v.Verify(token)
	if err != nil {
		t.Fatal(err)
	}
	b.cache.entries.Wait()
	before := b.a.jwk("")
	old := &foreignIssuer{tb: t, url: b.a.url, kid: b.a.kid, key: b.a.key, now: b.clock}
	b.a.rotate("2")
	b.a.set(jwkSet(before, b.a.jwk("")), nil)
	refresh(t, b.keysA)
	for name, mint := range map[string]func() string{"old": func() string { return old.mint(nil, nil) }, "new": func() string { return b.a.mint(nil, nil) }} {
		if _, err := v.Verify(mint()); err != nil {
			t.Errorf("%s key: %v", name, err)
		}
	}
	if again, err := v.Verify(token); err != nil || again != first {
		t.Errorf("the cached token was verified again: %v", err)
	}
	b.a.set("", nil)
	refresh(t, b.keysA)
	if _, err := v.Verify(token); refusal(t, err) != oauth.ReasonUnknownKey {
		t.Errorf("after the key is withdrawn: %v", err)
	}
	// The same kid for another key does not make it good again.
	b.a.rotate("1")
	refresh(t, b.keysA)
	if _, err := v.Verify(token); refusal(t, err) != oauth.ReasonBadSignature {
		t.Errorf("after the kid is used again: %v", err)
	}
}

func BenchmarkVerifyForeign(b *testing.B) {
	f := newForeignBench(b)
	token := f.a.mint(map[string]any{"typ": "JWT"}, nil)
	v := f.route(f.configA(), f.configB())
	if _, err := v.Verify(token); err != nil {
		b.Fatal(err)
	}
	f.cache.entries.Wait()
	b.Run("hit", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(token); err != nil {
				b.Fatal(err)
			}
		}
	})
	v.cache = nil
	b.Run("miss", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(token); err != nil {
				b.Fatal(err)
			}
		}
	})
}
