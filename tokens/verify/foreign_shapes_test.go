package verify

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// members are so many claims of nobody.
func members(n int) map[string]any {
	m := make(map[string]any, n)
	for i := range n {
		m[fmt.Sprint(i)] = i
	}
	return m
}

// What issuers put into tokens beside what the specifications say, and what of it an option takes.
func TestForeignShapes(t *testing.T) {
	b := newForeignBench(t)
	idTokens := func(c *ForeignConfig) { c.AcceptIDTokens = true }
	jwt := map[string]any{"typ": "JWT"}
	logout := map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}
	cognito := map[string]any{"aud": nil, "client_id": "app", "token_use": "access"}
	audience := func(names ...string) func(*ForeignConfig) {
		return func(c *ForeignConfig) { c.AudienceClaims = names }
	}
	subject := func(c *ForeignConfig) { c.SubjectClaims = []string{"sub", "client.id", "client_id"} }
	for _, tt := range []struct {
		name           string
		change         func(*ForeignConfig)
		header, claims map[string]any
		want           oauth.Reason
	}{
		{"G5: nonce", idTokens, jwt, map[string]any{"nonce": "n"}, ""},
		{"G5: at_hash", idTokens, jwt, map[string]any{"at_hash": "x", "c_hash": "x"}, ""},
		{"G5: at_hash, refused without the option", nil, jwt, map[string]any{"at_hash": "x"}, oauth.ReasonWrongType},
		{"G5: the type decides", nil, nil, map[string]any{"nonce": "n", "at_hash": "x", "events": logout, "htm": "GET", "htu": "x"}, ""},
		{"G5: a claim that is called events", nil, jwt, map[string]any{"events": []string{"login"}}, ""},
		{"G5: an object that is called events", nil, jwt, map[string]any{"events": map[string]any{"login": 1}}, ""},
		{"G5: a claim that is called htm", nil, jwt, map[string]any{"htm": "x"}, ""},
		{"G5: a logout token never", idTokens, jwt, map[string]any{"events": logout}, oauth.ReasonWrongType},
		{"G5: a DPoP proof never", idTokens, jwt, map[string]any{"htm": "GET", "htu": "https://api.example.com/"}, oauth.ReasonWrongType},
		{"G5: a refresh token of Keycloak never", idTokens, jwt, map[string]any{"typ": "Refresh"}, oauth.ReasonWrongType},
		{"G5: an ID token of Keycloak", idTokens, jwt, map[string]any{"typ": "ID"}, ""},
		{"G8: a nonce of another type", nil, jwt, map[string]any{"nonce": 7, "at_hash": []string{}}, ""},
		{"G12: an audience elsewhere", audience("client_id"), nil, cognito, ""},
		{"G12: the first that says something", audience("aud", "client_id"), nil, map[string]any{"aud": []string{}, "client_id": "app"}, ""},
		{"G12: no audience anywhere", audience("aud", "resource"), nil, map[string]any{"aud": []string{}}, oauth.ReasonWrongAudience},
		{"G12: aud alone by default", nil, nil, cognito, oauth.ReasonWrongAudience},
		{"G12: a machine without sub", subject, nil, map[string]any{"sub": nil, "client_id": "job"}, ""},
		{"G12: nobody at all", subject, nil, map[string]any{"sub": nil, "azp": nil}, oauth.ReasonClaim},
		{"G12: 256 members", nil, nil, map[string]any{"more": members(248)}, ""},
		{"G12: 257 members", nil, nil, map[string]any{"more": members(249)}, oauth.ReasonTooLarge},
		{"G12: 257 members, by option", func(c *ForeignConfig) { c.MaxTokenMembers = 257 }, nil, map[string]any{"more": members(249)}, ""},
		{"G12: 258 members, by option", func(c *ForeignConfig) { c.MaxTokenMembers = 257 }, nil, map[string]any{"more": members(250)}, oauth.ReasonTooLarge},
		{"G12: 130 audiences", nil, nil, map[string]any{"aud": append(slices.Repeat([]string{"x"}, 129), testAudience)}, ""},
		{"G12: too many audiences", nil, nil, map[string]any{"aud": append(slices.Repeat([]string{"x"}, 256), testAudience)}, oauth.ReasonWrongAudience},
		{"G15: a large token", nil, nil, map[string]any{"photo": strings.Repeat("x", 6<<10)}, oauth.ReasonTooLarge},
		{"G15: a large token, by option", func(c *ForeignConfig) { c.MaxTokenBytes = 16 << 10 }, nil, map[string]any{"photo": strings.Repeat("x", 6<<10)}, ""},
		{"G15: leeway", func(c *ForeignConfig) { c.Leeway = 30 * time.Second }, nil, map[string]any{"nbf": b.now.Unix() + 29}, ""},
		{"G15: beyond the leeway", func(c *ForeignConfig) { c.Leeway = 30 * time.Second }, nil, map[string]any{"nbf": b.now.Unix() + 31}, oauth.ReasonNotYetValid},
		{"G15: strict", nil, nil, map[string]any{"exp": b.now.Unix(), "iat": b.now.Unix() - 60}, oauth.ReasonExpired},
	} {
		t.Run(tt.name, func(t *testing.T) {
			change := tt.change
			if change == nil {
				change = func(*ForeignConfig) {}
			}
			v := b.route(b.configA(change), b.configB())
			token := b.a.mint(tt.header, tt.claims)
			for _, round := range []string{"miss", "hit"} {
				if _, err := v.Verify(token); refusal(t, err) != tt.want {
					t.Errorf("%s: %v, want %q", round, err, tt.want)
				}
				b.cache.entries.Wait()
			}
			// What is large for one issuer is too large for another.
			if _, err := v.Verify(b.b.mint(nil, map[string]any{"more": members(249)})); refusal(t, err) == "" {
				t.Error("the other issuer has its bounds widened")
			}
		})
	}
}

// G8: optional claims of another type say nothing, so that no rule finds what it needs.
func TestForeignClaimsOfOtherTypes(t *testing.T) {
	b := newForeignBench(t)
	v := b.route(b.configA(), b.configB())
	for _, name := range []string{"acr", "sid", "azp", "scope", "nbf", "auth_time", "jti", "client_id"} {
		for _, value := range []any{7.5, true, []any{"x", 1}, map[string]any{"x": 1}, "2026-01-01T00:00:00Z"} {
			date := name == "nbf" || name == "auth_time"
			if _, text := value.(string); text && !date || value == 7.5 && date {
				continue // that is its type
			}
			claims := map[string]any{name: value}
			c, err := v.Verify(b.a.mint(nil, claims))
			if err != nil {
				t.Errorf("%s %v: %v", name, value, err)
				continue
			}
			if name == "acr" && c.ACR != "" || name == "sid" && c.SessionID != "" || name == "scope" && len(c.Scope) > 0 ||
				name == "nbf" && !c.NotBefore.IsZero() || name == "auth_time" && !c.AuthTime.IsZero() || name == "jti" && c.ID != "" {
				t.Errorf("%s %v is read as %+v", name, value, c)
			}
		}
	}
	// Null is a value, too.
	header := map[string]any{"typ": TypeAccessToken, "alg": "ES256", "kid": b.a.kid}
	claims := map[string]any{"iss": b.a.url, "sub": "alice", "aud": testAudience, "exp": b.now.Unix() + 60, "iat": b.now.Unix()}
	for _, name := range []string{"acr", "sid", "azp", "scope", "scp", "nonce", "nbf", "auth_time", "jti", "client_id"} {
		claims[name] = nil
	}
	if _, err := v.Verify(b.a.seal(header, claims)); err != nil {
		t.Errorf("null: %v", err)
	}
	claims["cnf"] = nil // what binds a token is never ignored
	if _, err := v.Verify(b.a.seal(header, claims)); refusal(t, err) != oauth.ReasonClaim {
		t.Errorf("cnf null: %v", err)
	}
}

// G7: ForgeRock publishes one kid for several algorithms.
func TestForeignKeysOfOneID(t *testing.T) {
	b := newForeignBench(t)
	stranger := newForeignIssuer(t, b.a.url, b.a.kid, b.clock)
	rsa, err := jose.GenerateKey(jose.RS256)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jose.MarshalKeySet([]*jose.PublicKey{rsa.Public()})
	if err != nil {
		t.Fatal(err)
	}
	rs256 := strings.Replace(strings.TrimSuffix(strings.TrimPrefix(string(document), `{"keys":[`), `]}`), rsa.ID(), b.a.kid, 1)
	rs512 := strings.Replace(rs256, "RS256", "RS512", 1)
	for _, tt := range []struct {
		name string
		keys []string
		want oauth.Reason
	}{
		{"one kid for RS256, RS512 and ES256", []string{rs256, rs512, b.a.jwk("")}, ""},
		{"one key twice", []string{b.a.jwk(""), b.a.jwk(`,"use":"sig","alg":"ES256"`)}, ""},
		{"two keys that cannot be told apart", []string{b.a.jwk(""), stranger.jwk(""), rs256}, oauth.ReasonBadSignature},
	} {
		b.a.set(jwkSet(tt.keys...), nil)
		keys := b.a.keys(nil)
		v := b.route(b.configA(func(c *ForeignConfig) { c.Keys = keys }))
		if _, err := v.Verify(b.a.mint(nil, nil)); refusal(t, err) != tt.want {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// G13: of the keys that Entra publishes for all tenants, some are those of one tenant.
func TestForeignKeysOfOneTenant(t *testing.T) {
	b := newForeignBench(t)
	for owner, want := range map[string]oauth.Reason{
		"": "", "https://login.example.com/{tenantid}/v2.0": "", b.a.url: "", b.b.url: oauth.ReasonBadSignature,
	} {
		b.a.set(jwkSet(b.a.jwk(fmt.Sprintf(`,"issuer":%q`, owner))), nil)
		keys := b.a.keys(nil)
		v := b.route(b.configA(func(c *ForeignConfig) { c.Keys, c.SharesKeys = keys, true }))
		if _, err := v.Verify(b.a.mint(nil, nil)); refusal(t, err) != want {
			t.Errorf("a key of %q: %v, want %q", owner, err, want)
		}
	}
}
