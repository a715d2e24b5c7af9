package caddymodule

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
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
		if name, _, _ := strings.Cut(strings.TrimSuffix(strings.TrimSpace(tag), "\"`"), ","); ok {
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
		{"C3 recheck at Google", `"issuer":"https://accounts.google.com","client_id":"a","client_secrets":["{env.A}"],"allow":[{"what":"anyone"}],"recheck":"1h"`, ""},
		{
			"C3 recheck at Google without", `"issuer":"https://accounts.google.com","client_id":"a","client_secrets":["{env.A}"],"allow":[{"what":"anyone"}],"recheck":"1h","parameters":{"access_type":"online"}`,
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

// writeKey writes a private key as a file.
func writeKey(t *testing.T, kind string, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// keyErrors are files that hold no client key; config names the file.
var keyErrors = []struct{ name, config, want string }{
	{"another form", "other", "client_key: %s holds no unencrypted PKCS #8 key: `openssl pkcs8"},
	{"another curve", "strange", "client_key: %s holds a key that nothing can be signed with: "},
	{"none of Apple's", "rsa", "client_key: %s is none of Apple's, which are of P-256: take the file AuthKey_K.p8"},
}

// TestClientKeys: a key takes the place of a secret, by the algorithm that fits it.
func TestClientKeys(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	strange, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		auth ProviderAuth
		alg  jose.Algorithm
		id   string
	}{
		{"P-256", ProviderAuth{ClientKey: writeKey(t, "PRIVATE KEY", ec)}, jose.ES256, ""},
		{"P-384 with an ID", ProviderAuth{ClientKey: writeKey(t, "PRIVATE KEY", wide), ClientKeyID: "k1"}, jose.ES384, "k1"},
		{"RSA", ProviderAuth{ClientKey: writeKey(t, "PRIVATE KEY", pair)}, jose.RS256, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.auth.readKey(); err != nil {
				t.Fatal(err)
			}
			var cfg upstream.Config
			tt.auth.authenticate(&cfg)
			if cfg.ClientAuth != upstream.AuthPrivateKeyJWT || cfg.ClientKey.Algorithm() != tt.alg || tt.id != "" && cfg.ClientKey.ID() != tt.id {
				t.Errorf("%s %s %s", cfg.ClientAuth, cfg.ClientKey.Algorithm(), cfg.ClientKey.ID())
			}
			if signed, err := jose.Sign(cfg.ClientKey, "JWT", []byte("{}")); err != nil || cfg.ClientKey.Public().Verify(signed) != nil {
				t.Errorf("signing: %v", err)
			}
		})
	}
	bad := map[string]ProviderAuth{
		"other":   {ClientKey: writeKey(t, "RSA PRIVATE KEY", pair)},
		"strange": {ClientKey: writeKey(t, "PRIVATE KEY", strange)},
		"rsa":     {ClientKey: writeKey(t, "PRIVATE KEY", pair), ClientKeyID: "K", ClientTeam: "T"},
	}
	for _, tt := range keyErrors {
		auth := bad[tt.config]
		if err := auth.readKey(); err == nil || !strings.HasPrefix(err.Error(), strings.ReplaceAll(tt.want, "%s", auth.ClientKey)) {
			t.Errorf("%s: readKey() = %v, want %s…", tt.name, err, tt.want)
		}
	}
}

// TestAppleSecret: Apple's client secret is signed when it is needed, by the team's key.
func TestAppleSecret(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	l := OIDCLogin{
		ProviderLogin: ProviderLogin{ClientID: "com.example.web", Allow: []*AllowRule{{What: "anyone"}}},
		ProviderAuth:  ProviderAuth{ClientAuth: "post", ClientKey: writeKey(t, "PRIVATE KEY", key), ClientKeyID: "ABC123DEFG", ClientTeam: "TEAM123456"},
		Issuer:        "https://appleid.apple.com",
	}
	if err := l.Check(); err != nil {
		t.Fatal(err)
	}
	if err := l.readKey(); err != nil {
		t.Fatal(err)
	}
	cfg := l.core(nil)
	if cfg.ClientAuth != upstream.AuthPost || cfg.ClientKey != nil {
		t.Errorf("it authenticates by %s", cfg.ClientAuth)
	}
	before := time.Now().Unix()
	secrets, err := cfg.ClientSecrets()
	if err != nil || len(secrets) != 1 {
		t.Fatalf("%d secrets, %v", len(secrets), err)
	}
	if err := l.key.Public().Verify(secrets[0]); err != nil {
		t.Error(err)
	}
	var header struct{ Alg, Kid string }
	var claims struct {
		Iss, Sub, Aud string
		Iat, Exp      int64
	}
	for n, target := range []any{&header, &claims} {
		if err := json.Unmarshal(segment(t, secrets[0], n), target); err != nil {
			t.Fatal(err)
		}
	}
	if header.Alg != "ES256" || header.Kid != "ABC123DEFG" || claims.Iss != "TEAM123456" || claims.Sub != "com.example.web" || claims.Aud != "https://appleid.apple.com" {
		t.Errorf("header %+v, claims %+v", header, claims)
	}
	if claims.Iat < before || claims.Exp-claims.Iat != 300 {
		t.Errorf("it is good from %d to %d, now %d", claims.Iat, claims.Exp, before)
	}
}

// segment decodes a part of a compact JWS.
func segment(t *testing.T, token string, n int) []byte {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[n])
	if err != nil {
		t.Fatal(err)
	}
	return text
}
