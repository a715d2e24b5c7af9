package handler

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
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
				t.Errorf("%d %s", res.StatusCode, res.body)
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
		t.Errorf("after the outage: %d %s", res.StatusCode, res.body)
	}
}

func TestHardeningREV10To13(t *testing.T) {
	g := newGateway(t)
	tok := g.browser().tokensOf()
	ask := func(token string) *answer {
		return g.post("/oauth/introspect", url.Values{"token": {token}}, "Authorization", basic("machine", webSecret))
	}
	if got := jsonOf(t, ask(tok["access_token"].(string))); got["active"] != true || got["sub"] != "local|alice" {
		t.Errorf("introspection: %v", got)
	}
	for _, token := range []string{"x", tok["refresh_token"].(string), tok["id_token"].(string), "a.b.c"} {
		if body := strings.TrimSpace(ask(token).body); body != `{"active":false}` {
			t.Errorf("inactive: %s", body)
		}
	}
	wantOAuthError(t, g.post("/oauth/introspect", url.Values{"token": {"x"}, "client_id": {"spa"}}), http.StatusUnauthorized, "invalid_client")
	for i := range scanMisses {
		if res := ask(fmt.Sprint("guess", i)); res.StatusCode == http.StatusTooManyRequests {
			if res.Header.Get("Retry-After") == "" || i < scanMisses-10 {
				t.Errorf("after %d misses: %v", i, res.Header)
			}
			g.pass(scanWindow)
			if res := ask(tok["access_token"].(string)); res.StatusCode != http.StatusOK {
				t.Errorf("after a minute: %d", res.StatusCode)
			}
			return
		}
	}
	t.Error("token scanning was never stopped (REV-13)")
}
