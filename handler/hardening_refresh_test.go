package handler

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// unsigned is a JWT with alg none.
func unsigned(claims string) string {
	segment := base64.RawURLEncoding.EncodeToString
	return segment([]byte(`{"alg":"none"}`)) + "." + segment([]byte(claims)) + "."
}

// payloadOf reads the payload of a JWT, and checks nothing.
func payloadOf(t *testing.T, token any) map[string]any {
	t.Helper()
	text, _ := token.(string)
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWT", token)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	claims := make(map[string]any)
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func refreshForm(client string, token any) url.Values {
	text, _ := token.(string)
	return url.Values{"grant_type": {"refresh_token"}, "client_id": {client}, "refresh_token": {text}}
}

// RT-09: the refresh token of a confidential client is nothing without the
// client's secret, and what was refused is not used up.
func TestHardeningRT09(t *testing.T) {
	g := newGateway(t)
	b := g.browser()
	const back = "https://web.example.com/cb?keep=1"
	_, q := location(t, b.signIn(authorizeURL("client_id", "web", "redirect_uri", back), "alice", testPassword))
	first := jsonOf(t, g.post("/oauth/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {q.Get("code")}, "redirect_uri": {back}, "code_verifier": {testVerifier},
	}, "Authorization", basic("web", webSecret)))
	writes := g.store.writes.Load()
	stolen := refreshForm("web", first["refresh_token"])
	wantOAuthError(t, g.post("/oauth/token", stolen), http.StatusUnauthorized, "invalid_client")
	for _, secret := range []string{"wrong", "p:%+ é"} {
		stolen.Set("client_secret", secret)
		wantOAuthError(t, g.post("/oauth/token", stolen), http.StatusUnauthorized, "invalid_client")
	}
	wantOAuthError(t, g.post("/oauth/token", refreshForm("spa", first["refresh_token"])), http.StatusBadRequest, "invalid_grant")
	if n := g.store.writes.Load(); n != writes {
		t.Errorf("the refusals made %d writes to the store", n-writes)
	}
	stolen.Set("client_secret", webSecret)
	if next := jsonOf(t, g.post("/oauth/token", stolen)); next["refresh_token"] == nil {
		t.Errorf("with its secret: %v", next)
	}
}

// RT-17: the ID token of a refresh is about the same login. See OpenID Connect
// Core §12.2.
func TestHardeningRT17(t *testing.T) {
	g := newGateway(t)
	first := g.browser().tokensOf()
	was := payloadOf(t, first["id_token"])
	g.pass(7 * time.Minute)
	is := payloadOf(t, jsonOf(t, g.post("/oauth/token", refreshForm("spa", first["refresh_token"])))["id_token"])
	for _, name := range []string{"iss", "sub", "aud", "auth_time", "sid"} {
		if was[name] == nil || is[name] != was[name] {
			t.Errorf("%s was %v and is %v", name, was[name], is[name])
		}
	}
	if nonce, there := is["nonce"]; there && nonce != was["nonce"] {
		t.Errorf("nonce %v", nonce)
	}
	if was["iat"].(float64)+7*60 != is["iat"].(float64) {
		t.Errorf("iat was %v and is %v", was["iat"], is["iat"])
	}
}
