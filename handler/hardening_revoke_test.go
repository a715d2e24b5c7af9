package handler

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/handler/wire/wiretest"
)

func TestHardeningREV(t *testing.T) {
	g := newGateway(t)
	tok := g.browser().tokensOf()
	for _, tc := range []struct {
		name   string
		f      url.Values
		status int
	}{
		{"REV-01 garbage", url.Values{"client_id": {"spa"}, "token": {"garbage"}}, 200},
		{"REV-01 unknown", url.Values{"client_id": {"spa"}, "token": {"rt1." + strings.Repeat("A", 96)}}, 200},
		{"REV-06 unknown hint", url.Values{"client_id": {"spa"}, "token": {"x"}, "token_type_hint": {"y"}}, 200},
		{"REV-02 no authentication", url.Values{"client_id": {"web"}, "token": {"x"}}, 401},
		{"REV-02 bad secret", url.Values{"client_id": {"web"}, "client_secret": {"x"}, "token": {"x"}}, 401},
		{"no token", url.Values{"client_id": {"spa"}}, 400},
		{"another client's token", url.Values{"client_id": {"other-spa"}, "token": {tok["refresh_token"].(string)}}, 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if res := g.post("/oauth/revoke", tc.f); res.StatusCode != tc.status {
				t.Errorf("%d %s", res.StatusCode, res.Body)
			}
		})
	}
	refresh := url.Values{"grant_type": {"refresh_token"}, "client_id": {"spa"}, "refresh_token": {tok["refresh_token"].(string)}}
	if res := g.post("/oauth/token", refresh); res.StatusCode != http.StatusOK {
		t.Errorf("another client has ended the grant: %d", res.StatusCode)
	}
}

// REV-07: no 200 unless it is stored; TOK: 503 in plain text, so that SDKs keep their token.
func TestHardeningREV07(t *testing.T) {
	g := newGateway(t)
	tok := g.browser().tokensOf()
	g.store.down.Store(true)
	for target, f := range map[string]url.Values{
		"/oauth/revoke": {"client_id": {"spa"}, "token": {tok["refresh_token"].(string)}},
		"/oauth/token":  {"client_id": {"spa"}, "grant_type": {"refresh_token"}, "refresh_token": {tok["refresh_token"].(string)}},
	} {
		res := g.post(target, f, "Origin", spaOrigin)
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" ||
			!strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") || res.Header.Get("Access-Control-Allow-Origin") != spaOrigin {
			t.Errorf("%s: %d %v", target, res.StatusCode, res.Header)
		}
	}
	g.store.down.Store(false)
	res := g.post("/oauth/token", url.Values{"client_id": {"spa"}, "grant_type": {"refresh_token"}, "refresh_token": {tok["refresh_token"].(string)}})
	if res.StatusCode != http.StatusOK {
		t.Errorf("after the outage: %d %s", res.StatusCode, res.Body)
	}
}

func TestHardeningREV10To12(t *testing.T) {
	g := newGateway(t)
	tok := g.browser().tokensOf()
	ask := func(token string) *wiretest.Answer {
		return g.post("/oauth/introspect", url.Values{"token": {token}}, "Authorization", basic("machine", webSecret))
	}
	if got := jsonOf(t, ask(tok["access_token"].(string))); got["active"] != true || got["sub"] != "local|alice" {
		t.Errorf("introspection: %v", got)
	}
	for _, token := range []string{"x", tok["refresh_token"].(string), tok["id_token"].(string), "a.b.c"} {
		if body := strings.TrimSpace(ask(token).Body); body != `{"active":false}` {
			t.Errorf("inactive: %s", body)
		}
	}
	wantOAuthError(t, g.post("/oauth/introspect", url.Values{"token": {"x"}, "client_id": {"spa"}}), http.StatusUnauthorized, "invalid_client")
}

// A5, REV-13: what fails form, MAC or signature is refused before the store is
// asked, and counts nothing: 17 garbage tokens a second, which anybody can send
// to a resource server, made it 429 for all its good ones.
func TestA5GarbageTokens(t *testing.T) {
	g := newGateway(t)
	tok := g.browser().tokensOf()
	access, refresh := tok["access_token"].(string), tok["refresh_token"].(string)
	header, _, _ := strings.Cut(access, ".")
	garbage := map[string]string{
		"text":                      "guess",
		"of a refresh token's form": "rt1." + strings.Repeat("A", len(refresh)-len("rt1.")),
		"another MAC":               other(refresh, len(refresh)-10),
		"another family":            other(refresh, 30),
		"three parts":               "a.b.c",
		"another signature":         other(access, len(access)-10),
		"another payload":           other(access, len(header)+20),
		"another key":               base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","typ":"at+jwt","kid":"none"}`)) + access[len(header):],
		"no signature":              base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`)) + access[len(header):],
		"an ID token":               tok["id_token"].(string),
		"long":                      strings.Repeat("x", 50_000),
	}
	machine := basic("machine", webSecret)
	check := func(name, token string) {
		t.Helper()
		res := g.post("/oauth/introspect", url.Values{"token": {token}}, "Authorization", machine)
		if body := strings.TrimSpace(res.Body); res.StatusCode != http.StatusOK || body != `{"active":false}` {
			t.Fatalf("%s: introspection: %d %s", name, res.StatusCode, body)
		}
		if res := g.post("/oauth/revoke", url.Values{"token": {token}, "client_id": {"spa"}}); res.StatusCode != http.StatusOK {
			t.Fatalf("%s: revocation: %d %s", name, res.StatusCode, res.Body)
		}
		if res := g.do(http.MethodGet, "/userinfo", "", "Authorization", "Bearer "+token); res.StatusCode != http.StatusUnauthorized {
			t.Fatalf("%s: userinfo: %d %s", name, res.StatusCode, res.Body)
		}
		for grant, parameter := range map[string]string{"refresh_token": "refresh_token", "authorization_code": "code"} {
			f := url.Values{"grant_type": {grant}, parameter: {token}, "client_id": {"spa"}, "redirect_uri": {spaRedirect}, "code_verifier": {testVerifier}}
			if res := g.post("/oauth/token", f); res.StatusCode != http.StatusBadRequest {
				t.Fatalf("%s: %s: %d %s", name, grant, res.StatusCode, res.Body)
			}
		}
	}
	g.store.down.Store(true) // nobody asks it
	for name, token := range garbage {
		check(name, token)
	}
	g.store.down.Store(false)
	for range 3000 {
		for _, token := range []string{garbage["text"], garbage["another MAC"]} {
			if res := g.post("/oauth/introspect", url.Values{"token": {token}}, "Authorization", machine); res.StatusCode != http.StatusOK {
				t.Fatalf("introspection: %d", res.StatusCode)
			}
		}
	}
	// Nor does a token count that was good once: whoever has one may send it again and again.
	g.post("/oauth/revoke", url.Values{"token": {access}, "client_id": {"spa"}})
	for range 1500 {
		if res := g.post("/oauth/introspect", url.Values{"token": {access}}, "Authorization", machine); strings.TrimSpace(res.Body) != `{"active":false}` {
			t.Fatalf("a revoked token: %d %s", res.StatusCode, res.Body)
		}
	}
	good := g.browser().tokensOf()["access_token"].(string)
	if got := jsonOf(t, g.post("/oauth/introspect", url.Values{"token": {good}}, "Authorization", machine)); got["active"] != true {
		t.Errorf("a good token after all these: %v", got)
	}
}

// other returns a token with another character at a place.
func other(token string, at int) string {
	sign := byte('A')
	if token[at] == sign {
		sign = 'B'
	}
	return token[:at] + string(sign) + token[at+1:]
}
