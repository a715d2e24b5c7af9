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
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/upstream"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

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
