package handler

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/handler/wire/wiretest"
)

// WEB-03: origins are compared whole; null is none.
func TestHardeningWEB03(t *testing.T) {
	g := newGateway(t)
	f := url.Values{"grant_type": {"refresh_token"}, "client_id": {"spa"}, "refresh_token": {"x"}}
	for _, tc := range []struct {
		name    string
		origins []string
		want    string
	}{
		{"registered", []string{spaOrigin}, spaOrigin},
		{"another client's", []string{"https://other.example.com"}, ""},
		{"null", []string{"null"}, ""},
		{"suffix", []string{"https://app.example.com.evil.com"}, ""},
		{"case", []string{"https://APP.example.com"}, ""},
		{"http", []string{"http://app.example.com"}, ""},
		{"port", []string{"https://app.example.com:8443"}, ""},
		{"two", []string{spaOrigin, spaOrigin}, ""},
		{"8 KiB", []string{"https://" + strings.Repeat("a", 8192)}, ""},
		{"none", nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var headers []string
			for _, o := range tc.origins {
				headers = append(headers, "Origin", o)
			}
			for _, target := range []string{"/oauth/token", "/oauth/revoke"} {
				res := g.post(target, f, headers...)
				if got := res.Header.Get("Access-Control-Allow-Origin"); got != tc.want {
					t.Errorf("%s: Access-Control-Allow-Origin %q, want %q", target, got, tc.want)
				}
				credentials := "" // at the token endpoint no answer depends on a cookie
				if target == "/oauth/token" && tc.want != "" {
					credentials = "true"
				}
				if res.Header.Get("Vary") != "Origin" || res.Header.Get("Access-Control-Allow-Credentials") != credentials {
					t.Errorf("%s: %v", target, res.Header)
				}
			}
		})
	}
}

// Errors carry the headers too, also where no client is known yet; a preflight
// asks for the union of all clients' origins.
func TestCORSOfErrorsAndPreflights(t *testing.T) {
	g := newGateway(t)
	for name, res := range map[string]*wiretest.Answer{
		"malformed": g.do(http.MethodPost, "/oauth/token", "{", "Content-Type", "application/json", "Origin", spaOrigin),
		"too large": g.do(http.MethodPost, "/oauth/token", strings.Repeat("a", wire.MaxBody+1), "Content-Type", formType, "Origin", spaOrigin),
		"method":    g.do(http.MethodGet, "/oauth/token", "", "Origin", spaOrigin),
		"unknown":   g.post("/oauth/token", url.Values{"client_id": {"nobody"}}, "Origin", spaOrigin),
		"userinfo":  g.do(http.MethodGet, "/userinfo", "", "Origin", spaOrigin),
	} {
		if res.Header.Get("Access-Control-Allow-Origin") != spaOrigin || !strings.Contains(res.Header.Get("Access-Control-Expose-Headers"), "WWW-Authenticate") {
			t.Errorf("%s: %d %v", name, res.StatusCode, res.Header)
		}
	}
	for _, target := range []string{"/oauth/token", "/oauth/revoke", "/userinfo"} {
		res := g.do(http.MethodOptions, target, "", "Origin", "https://other.example.com",
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "auth0-client,content-type,traceparent,sentry-trace,baggage,x-sdk")
		h := res.Header
		if res.StatusCode != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != "https://other.example.com" ||
			h.Get("Access-Control-Allow-Headers") != "auth0-client,content-type,traceparent,sentry-trace,baggage,x-sdk" || // S9
			h.Get("Access-Control-Max-Age") == "" {
			t.Errorf("%s: %d %v", target, res.StatusCode, h)
		}
		res = g.do(http.MethodOptions, target, "", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST")
		if res.Header.Get("Access-Control-Allow-Origin") != "" || res.Header.Get("Access-Control-Allow-Methods") != "" || res.Header.Get("Access-Control-Allow-Headers") != "" {
			t.Errorf("%s for a stranger: %v", target, res.Header)
		}
	}
	if res := g.post("/oauth/introspect", nil, "Origin", spaOrigin); res.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("introspection is for servers, not for pages")
	}
	tok := g.browser().tokensOf()
	bearer := "Bearer " + tok["access_token"].(string)
	if res := g.do(http.MethodGet, "/userinfo", "", "Authorization", bearer, "Origin", "https://other.example.com"); res.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("another client's page may read who is signed in")
	}
}

// WEB-05, WEB-06: documents for everybody without credentials, pages for no other origin.
func TestHardeningWEB05And06(t *testing.T) {
	g := newGateway(t)
	for _, target := range []string{"/.well-known/openid-configuration", "/.well-known/jwks.json", "/.well-known/oauth-authorization-server"} {
		res := g.do(http.MethodGet, target, "", "Origin", "https://evil.example")
		if res.Header.Get("Access-Control-Allow-Origin") != "*" || res.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %v", target, res.Header)
		}
		// S9: a tracing SDK's headers, from anywhere.
		res = g.do(http.MethodOptions, target, "", "Origin", "https://evil.example", "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "traceparent,x-sdk")
		if res.StatusCode != http.StatusNoContent || res.Header.Get("Access-Control-Allow-Headers") != "traceparent,x-sdk" || res.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("preflight of %s: %d %v", target, res.StatusCode, res.Header)
		}
	}
	for _, target := range []string{authorizeURL(), "/login", "/consent", "/oidc/logout", "/v2/logout"} {
		wantProtected(t, g.do(http.MethodGet, target, "", "Origin", spaOrigin))
	}
}

func TestHardeningHDR10And11(t *testing.T) {
	g := newGateway(t)
	evil := []string{
		"X-Forwarded-Host", "evil.example", "Forwarded", "host=evil.example;proto=http", "X-Forwarded-Proto", "evil",
		"X-Forwarded-Prefix", "/evil", "X-Original-URL", "/evil",
	}
	b := g.browser()
	for _, target := range []string{"http://evil.example/.well-known/openid-configuration", "http://evil.example" + authorizeURL()} {
		res := b.get(target, evil...)
		if body := hiddenField.ReplaceAllString(res.Body, ""); strings.Contains(body, "evil") { // a ticket may say anything
			t.Errorf("%s: a header shows in\n%s", target, body)
		}
	}
	res := b.signIn(authorizeURL(), "alice", testPassword, evil...)
	if to, q := location(t, res); to != spaRedirect || q.Get("iss") != testIssuer {
		t.Errorf("redirect to %s %v", to, q)
	}
	if c := b.cookies["__Host-gatehouse_session"]; c == nil || !c.Secure {
		t.Errorf("session cookie %v", c)
	}
}

func TestUserinfoErrors(t *testing.T) {
	g := newGateway(t)
	tok := g.browser().tokensOf()
	access := tok["access_token"].(string)
	machine := jsonOf(t, g.post("/oauth/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {"machine"}, "client_secret": {webSecret}, "audience": {testAPI},
	}))["access_token"].(string)
	for _, tc := range []struct {
		name    string
		headers []string
		target  string
		status  int
		want    string // in the challenge
	}{
		{"none", nil, "/userinfo", 401, `Bearer realm="https://auth.example.com/"`},
		{"bad", []string{"Authorization", "Bearer x"}, "/userinfo", 401, `error="invalid_token"`},
		{"in the URL", nil, "/userinfo?access_token=" + access, 401, `Bearer realm="https://auth.example.com/"`},
		{"twice", []string{"Authorization", "Bearer " + access}, "/userinfo?access_token=" + access, 400, `error="invalid_request"`},
		{"no openid", []string{"Authorization", "Bearer " + machine}, "/userinfo", 403, `error="insufficient_scope"`},
		{"ID token", []string{"Authorization", "Bearer " + tok["id_token"].(string)}, "/userinfo", 401, `error="invalid_token"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := g.do(http.MethodPost, tc.target, "", tc.headers...)
			if got := res.Header.Get("WWW-Authenticate"); res.StatusCode != tc.status || !strings.Contains(got, tc.want) {
				t.Errorf("%d %q, want %d %s", res.StatusCode, got, tc.status, tc.want)
			}
			if tc.name == "none" && strings.Contains(res.Header.Get("WWW-Authenticate"), "error") {
				t.Error("a bare challenge has no error")
			}
		})
	}
}
