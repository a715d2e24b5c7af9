package caddymodule

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/handler/upstream"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// providerErrors are what only JSON can get wrong about a login at a provider.
var providerErrors = []struct{ name, config, want string }{
	{"no issuer", `{"client_id":"a"}`, "it needs an issuer: "},
	{"null rule", `{"issuer":"https://a.example.com","client_id":"a","client_secrets":["b"],"allow":[null]}`, "allow: there is a null in the list: "},
	{
		"claim at another rule", `{"issuer":"https://a.example.com","client_id":"a","client_secrets":["b"],"allow":[{"what":"group","claim":"hd","values":["a"]}]}`,
		"allow: the name of a claim belongs to `claim`, and only there: ",
	},
	{"recheck below nothing", `{"issuer":"https://a.example.com","client_id":"a","client_secrets":["b"],"recheck":"-1h"}`, "recheck: -1h is more often than it can be asked: "},
	{"recheck_grace below nothing", `{"issuer":"https://a.example.com","client_id":"a","client_secrets":["b"],"recheck":"1h","recheck_grace":"-1h"}`, "recheck_grace: -1h is less than recheck, "},
	{"session_lifetime below nothing", `{"issuer":"https://a.example.com","client_id":"a","client_secrets":["b"],"session_lifetime":"-1h"}`, "session_lifetime: -1h is too short"},
	{"claim without a name", `{"issuer":"https://a.example.com","client_id":"a","client_secrets":["b"],"claims":{"":"b"}}`, "claim: \"\" has no name, or a placeholder"},
}

func TestCheckProviderJSON(t *testing.T) {
	for _, tt := range providerErrors {
		t.Run(tt.name, func(t *testing.T) {
			var l OIDCLogin
			if err := caddy.StrictUnmarshalJSON([]byte(tt.config), &l); err != nil {
				t.Fatal(err)
			}
			if err := l.Check(); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("Check() = %v, want %s…", err, tt.want)
			}
		})
	}
}

// TestF80OwnClaims: a provider writes none of the claims that tokens of ours have by name.
func TestF80OwnClaims(t *testing.T) {
	for _, name := range []string{
		"scope", "aud", "sub", "iss", "exp", "iat", "nbf", "jti", "groups", "acr", "amr", "azp", "nonce", "at_hash", "c_hash", "auth_time", "client_id", "cnf", "act", "sid",
		"token_use", "gty", "gh_fam", "gh_pw", "email", "email_verified",
	} {
		l := &OIDCLogin{Issuer: "https://login.example.com/", Claims: map[string]string{name: "theirs"}}
		if err := l.checkPerson(); err == nil || !strings.Contains(err.Error(), "a provider must not write") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// All that mint.go writes into a token is among them, or is the gateway's by its prefix.
	text, err := os.ReadFile("../tokens/mint.go")
	if err != nil {
		t.Fatal(err)
	}
	_, access, _ := strings.Cut(string(text), "type accessClaims struct {")
	access, _, _ = strings.Cut(access, "\n}")
	written := 0
	for field := range strings.Lines(access) {
		_, tag, ok := strings.Cut(field, "`json:\"")
		if name, _, _ := strings.Cut(strings.TrimSuffix(strings.TrimSpace(tag), "\"`"), ","); ok && name != "-" {
			written++
			if !slices.Contains(ownClaims, name) && !strings.HasPrefix(name, ownPrefix) {
				t.Errorf("a provider could write %s", name)
			}
		}
	}
	if written < 10 {
		t.Errorf("found only %d claims of access tokens", written)
	}
}

// TestM18C3F21LoginFindings: what may be meant so, and mostly is not.
func TestM18C3F21LoginFindings(t *testing.T) {
	base := `"issuer":"https://login.example.com/","client_id":"a","client_secrets":["{env.A}"]`
	for _, tt := range []struct{ name, config, want string }{
		{"nothing", base, ""},
		{"M18 subject email", base + `,"subject":["email"]`, "`subject email` is not for good"},
		{"M18 subject preferred_username", base + `,"subject":["preferred_username"]`, "`subject preferred_username` is not for good"},
		{"C3 recheck", base + `,"recheck":"1h"`, ""}, // it asks for offline_access by itself
		{"C3 recheck with scopes", base + `,"recheck":"1h","scopes":["openid"]`, "lack offline_access"},
		{"C3 recheck at Google", `"issuer":"https://accounts.google.com","client_id":"a","client_secrets":["{env.A}"],"allow":[{"what":"anyone"}],"recheck":"1h"`, "`parameter prompt consent`"},
		{"C3 recheck at Google with consent", `"issuer":"https://accounts.google.com","client_id":"a","client_secrets":["{env.A}"],"allow":[{"what":"anyone"}],"recheck":"1h","parameters":{"prompt":"consent"}`, ""},
		{
			"C3 recheck at Google without", `"issuer":"https://accounts.google.com","client_id":"a","client_secrets":["{env.A}"],"allow":[{"what":"anyone"}],"recheck":"1h","parameters":{"access_type":"online","prompt":"consent"}`,
			"`parameter access_type offline`",
		},
		{"F21 neither PKCE nor nonce", base + `,"no_pkce":true,"no_nonce":true`, "without PKCE and without a nonce"},
		{"no PKCE", base + `,"no_pkce":true`, ""},
		{"a literal", `"issuer":"https://login.example.com/","client_id":"a","client_secrets":["{env.A}","hunter2"]`, "the second client_secret is written out"},
		{"insecure", base + `,"insecure":true`, "`insecure` lets whoever is on the way"},
		{"Auth0", `"issuer":"https://a.eu.auth0.com/","client_id":"a","client_secrets":["{env.A}"]`, "may let anybody sign up"},
		{"Cognito", `"issuer":"https://cognito-idp.eu-central-1.amazonaws.com/x","client_id":"a","client_secrets":["{env.A}"]`, "may let anybody sign up"},
		{"Auth0 with a rule", `"issuer":"https://a.eu.auth0.com/","client_id":"a","client_secrets":["{env.A}"],"allow":[{"what":"anyone"}]`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var l OIDCLogin
			if err := caddy.StrictUnmarshalJSON([]byte("{"+tt.config+"}"), &l); err != nil {
				t.Fatal(err)
			}
			if err := l.Check(); err != nil {
				t.Fatal(err)
			}
			found := strings.Join(l.findings(), "\n")
			if (found == "") != (tt.want == "") || !strings.Contains(found, tt.want) || strings.Contains(found, "hunter2") {
				t.Errorf("found %q, want %q in it", found, tt.want)
			}
		})
	}
}

// TestLoginBecomesConfig: what is written arrives where people are signed in, with the
// defaults that go with the provider.
func TestLoginBecomesConfig(t *testing.T) {
	for _, tt := range []struct {
		name, config string
		check        func(c upstream.Config) bool
	}{
		{"the name is the label", `{}`, func(c upstream.Config) bool { return c.Name == "oidc" && c.Label == "oidc" }},
		{"a label", `{"name":"a","label":"B"}`, func(c upstream.Config) bool { return c.Name == "a" && c.Label == "B" }},
		{"scopes", `{}`, func(c upstream.Config) bool { return slices.Equal(c.Scopes, []string{"openid", "profile", "email"}) }},
		{"C3 scopes with recheck", `{"recheck":"1h"}`, func(c upstream.Config) bool {
			return slices.Contains(c.Scopes, "offline_access") && c.Schedule.Recheck == time.Hour && c.Schedule.Grace == 24*time.Hour
		}},
		{"F46 Google with recheck", `{"issuer":"https://accounts.google.com","recheck":"1h"}`, func(c upstream.Config) bool {
			return !slices.Contains(c.Scopes, "offline_access") && slices.Contains(c.Parameters, upstream.KeyValue{Name: "access_type", Value: "offline"})
		}},
		{"a long recheck", `{"recheck":"30d"}`, func(c upstream.Config) bool { return c.Schedule.Grace == 30*24*time.Hour }},
		{"M18 the subject of many tenants", `{"tenants":["a"]}`, func(c upstream.Config) bool { return slices.Equal(c.Subject, []string{"tid", "oid"}) }},
		{"subject and groups", `{}`, func(c upstream.Config) bool {
			return slices.Equal(c.Subject, []string{"sub"}) && slices.Equal(c.GroupsClaims, []string{"groups"})
		}},
		{"rules", `{"allow":[{"what":"claim","claim":"hd","values":["x"]}]}`, func(c upstream.Config) bool {
			return reflect.DeepEqual(c.Allow, []upstream.Rule{{Kind: upstream.AllowClaim, Claim: "hd", Values: []string{"x"}}})
		}},
		{"parameters in order", `{"parameters":{"b":"2","a":"1"}}`, func(c upstream.Config) bool {
			return slices.Equal(c.Parameters, []upstream.KeyValue{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}})
		}},
		{"client_auth", `{"client_auth":"post"}`, func(c upstream.Config) bool { return c.ClientAuth == upstream.AuthPost }},
		{"endpoints", `{"endpoints":{"token":"a","end_session":"b"}}`, func(c upstream.Config) bool { return c.Endpoints.Token == "a" && c.Endpoints.EndSession == "b" }},
		{"algorithms", `{"algorithms":["HS256"]}`, func(c upstream.Config) bool { return slices.Equal(c.Algorithms, []jose.Algorithm{"HS256"}) }},
		{"switches", `{"no_pkce":true,"no_nonce":true,"no_issuer_check":true,"no_max_age":true,"no_userinfo":true,"email_trusted":true,"groups_overage":true,"logout_upstream":true}`, func(c upstream.Config) bool {
			return c.NoPKCE && c.NoNonce && c.NoIssuerCheck && c.NoMaxAge && c.NoUserinfo && c.EmailTrusted && c.Overage && c.KeepIDToken
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var l OIDCLogin
			if err := caddy.StrictUnmarshalJSON([]byte(tt.config), &l); err != nil {
				t.Fatal(err)
			}
			if c := l.core(nil); !tt.check(c) {
				t.Errorf("%+v", c)
			}
		})
	}
}
