package handler

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/handler/wire/wiretest"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// TestA1ParameterBounds: every parameter has a bound, at every endpoint, however it
// is sent and however often; the error names it. A nonce of 60 kB was kept in Redis
// with each code.
func TestA1ParameterBounds(t *testing.T) {
	g := newGateway(t)
	b := g.browser()
	location(t, b.signIn(authorizeURL(), "alice", testPassword))
	limits := oauth.ParamLimits()
	long := func(name string) string { return strings.Repeat("a", limits[name]+1) }

	t.Run("authorize redirects", func(t *testing.T) {
		for _, name := range []string{
			"nonce", "state", "scope", "claims", "login_hint", "ui_locales", "acr_values", "prompt", "display", "max_age", "audience",
			"resource", "code_challenge", "code_challenge_method", "dpop_jkt", "id_token_hint", "request_uri", "registration", "response_type",
		} {
			target := authorizeURL(name, long(name))
			post := b.send(http.MethodPost, "/authorize", strings.TrimPrefix(target, "/authorize?"), "Content-Type", formType)
			for method, res := range map[string]*wiretest.Answer{"GET": b.get(target), "POST": post} {
				to, q := location(t, res)
				if to != spaRedirect || q.Get("error") != "invalid_request" || q.Has("code") {
					t.Errorf("%s %s: to %s with %v", method, name, to, q)
				}
				if !strings.Contains(q.Get("error_description"), "parameter "+name+" is longer") {
					t.Errorf("%s %s: %q", method, name, q.Get("error_description"))
				}
				if name == "state" && q.Has("state") {
					t.Errorf("%s: a state that is too long came back", method)
				}
			}
		}
	})
	t.Run("authorize shows a page", func(t *testing.T) {
		for _, target := range []string{
			authorizeURL("client_id", long("client_id")), authorizeURL("redirect_uri", spaRedirect+long("redirect_uri")),
			"/authorize?" + strings.Repeat("a=b&", maxParams), "/authorize?x=" + strings.Repeat("a", maxQuery),
			"/authorize?x=" + strings.Repeat("a", 1<<20),
		} {
			wantPage(t, b.get(target), http.StatusBadRequest)
		}
	})
	t.Run("duplicates", func(t *testing.T) {
		wantRedirectError(t, b.get(authorizeURL()+"&nonce=x&nonce="+long("nonce")), "invalid_request")
		wantRedirectError(t, b.get(authorizeURL()+strings.Repeat("&resource="+url.QueryEscape(testAPI), 40)), "invalid_request")
	})
	t.Run("what is as long as it may be passes", func(t *testing.T) {
		state, nonce := strings.Repeat("s", limits["state"]), strings.Repeat("n", limits["nonce"])
		_, q := location(t, b.get(authorizeURL("state", state, "nonce", nonce)))
		if q.Get("code") == "" || q.Get("state") != state {
			t.Errorf("answered %v", q)
		}
	})
	t.Run("pages", func(t *testing.T) {
		for _, target := range []string{
			"/oidc/logout?state=" + long("state"), "/oidc/logout?post_logout_redirect_uri=" + long("post_logout_redirect_uri"),
			"/oidc/logout?id_token_hint=" + long("id_token_hint"), "/v2/logout?returnTo=" + long("returnTo"), "/v2/logout?client_id=" + long("client_id"),
			"/activate?user_code=" + long("user_code"), "/account?x=" + strings.Repeat("a", maxQuery),
		} {
			wantPage(t, b.get(target), http.StatusBadRequest)
		}
	})
	t.Run("programs", func(t *testing.T) {
		for _, path := range []string{"/oauth/token", "/oauth/revoke", "/oauth/introspect", "/oauth/device/code", "/oauth/refresh"} {
			for _, name := range []string{"client_id", "client_secret", "scope", "audience", "resource", "redirect_uri", "code_verifier", "grant_type"} {
				form := url.Values{"client_id": {"spa"}, "grant_type": {"authorization_code"}}
				form.Set(name, long(name))
				object := map[string]string{}
				for k := range form {
					object[k] = form.Get(k)
				}
				body, _ := json.Marshal(object)
				for kind, text := range map[string]string{formType: form.Encode(), "application/json": string(body)} {
					res := g.do(http.MethodPost, path, text, "Content-Type", kind, "Origin", spaOrigin)
					wantOAuthError(t, res, http.StatusBadRequest, "invalid_request")
					if e := res.Body; !strings.Contains(e, "parameter "+name+" is longer") {
						t.Errorf("%s %s as %s: %q", path, name, kind, e)
					}
				}
			}
		}
	})
}
