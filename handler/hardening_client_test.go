package handler

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
)

// CLI-01: an unknown client and a wrong secret get the same answer.
func TestHardeningCLI01(t *testing.T) {
	g := newGateway(t)
	var bodies []string
	for _, f := range []url.Values{
		{"client_id": {"nobody"}, "client_secret": {"x"}},
		{"client_id": {"web"}, "client_secret": {"x"}},
		{"client_id": {"web"}}, // CLI-02
		{"client_id": {"spa"}, "client_secret": {"x"}},
		{"client_id": {"nobody"}},
		{},
	} {
		f.Set("grant_type", "refresh_token")
		res := g.post("/oauth/token", f)
		if res.StatusCode != http.StatusUnauthorized || res.Header.Get("WWW-Authenticate") != "" {
			t.Errorf("%v: %d %q", f, res.StatusCode, res.Header.Get("WWW-Authenticate"))
		}
		bodies = append(bodies, res.Body)
	}
	for _, b := range bodies {
		if b != bodies[0] {
			t.Errorf("bodies differ: %q and %q", b, bodies[0])
		}
	}
}

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

// CLI-04, CLI-05, CLI-06: two client IDs, the encoding of RFC 6749 App. B, and broken headers.
func TestHardeningCLI04To06(t *testing.T) {
	g := newGateway(t, func(core *tokens.Config, _ *Config) {
		core.Clients[2].SecretHashes = append(core.Clients[2].SecretHashes, clients.HashSecret("p+1%2B"))
		for id, secret := range map[string]string{"web+3": "a+b%zz%2B=", "web+4": "p+1%2B"} {
			core.Clients = append(core.Clients, &clients.Client{ID: id, Type: clients.Web, SecretHashes: []string{clients.HashSecret(secret)}})
		}
	})
	raw := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	odd := basic(url.QueryEscape("web 2:%+é"), url.QueryEscape("p:%+ é"))
	for _, tc := range []struct {
		name, header string
		body         url.Values
		status       int // 400 invalid_grant means that the client was authenticated
		code         string
	}{
		{"good", basic("web", webSecret), nil, 400, "invalid_grant"},
		{"the same id in the body", basic("web", webSecret), url.Values{"client_id": {"web"}}, 400, "invalid_grant"},
		{"encoded", odd, nil, 400, "invalid_grant"},
		{"lower case scheme", strings.Replace(basic("web", webSecret), "Basic", "basic", 1), nil, 400, "invalid_grant"},
		{"encoded twice", basic(url.QueryEscape(url.QueryEscape("web 2:%+é")), url.QueryEscape(url.QueryEscape("p:%+ é"))), nil, 401, "invalid_client"},
		{"other id in the body", basic("web", webSecret), url.Values{"client_id": {"spa"}}, 400, "invalid_request"},
		{"secret in the body too", basic("web", webSecret), url.Values{"client_secret": {webSecret}}, 400, "invalid_request"},
		{"bad escape", basic("web", "%zz"), nil, 401, "invalid_client"},
		{"wrong secret", basic("web", "x"), nil, 401, "invalid_client"},
		{"no colon", raw("web"), nil, 401, "invalid_client"},
		{"not base64", "Basic !!!", nil, 401, "invalid_client"},
		{"newline", "Basic " + "d2Vi\nOng=", nil, 401, "invalid_client"},
		{"empty id", basic("", "x"), nil, 401, "invalid_client"},
		{"S17: empty secret of a client that has none", basic("spa", ""), nil, 400, "invalid_grant"},
		{"S17: empty secret of a client that has one", basic("web", ""), nil, 401, "invalid_client"},
		{"S17: empty secret, another id in the body", basic("spa", ""), url.Values{"client_id": {"native"}}, 400, "invalid_request"},
		{"S17: empty secret, one in the body", basic("web", ""), url.Values{"client_secret": {webSecret}}, 400, "invalid_request"},
		{"S17: the secret alone encoded", basic("web+3", url.QueryEscape("a+b%zz%2B=")), nil, 400, "invalid_grant"},
		{"S17: all of it encoded", basic(url.QueryEscape("web+3"), url.QueryEscape("a+b%zz%2B=")), nil, 400, "invalid_grant"},
		{"S17: nothing encoded", raw("web+3:a+b%zz%2B="), nil, 400, "invalid_grant"},
		{"S17: nothing encoded, the same id in the body", raw("web+3:a+b%zz%2B="), url.Values{"client_id": {"web+3"}}, 400, "invalid_grant"},
		{"S17: nothing encoded, and it can be decoded", raw("web:p+1%2B"), nil, 400, "invalid_grant"},
		{"S17: nothing encoded, id and secret", raw("web+4:p+1%2B"), nil, 400, "invalid_grant"},
		{"S17: a plus for a blank, as decoded", raw("web:p 1+"), nil, 401, "invalid_client"},
		{"not UTF-8", raw("web:\xff"), nil, 401, "invalid_client"},
		{"other scheme", "Bearer x", url.Values{"client_id": {"spa"}}, 401, "invalid_client"},
		{"scheme only", "Basic", nil, 401, "invalid_client"},
		{"empty", "", url.Values{"client_id": {"spa"}}, 401, "invalid_client"},
		{"an assertion too", basic("web", webSecret), url.Values{"client_assertion": {"x"}, "client_assertion_type": {clients.AssertionTypeJWT}}, 400, "invalid_request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}
			maps.Copy(f, tc.body)
			res := g.post("/oauth/token", f, "Authorization", tc.header)
			challenge := res.Header.Get("WWW-Authenticate")
			if (challenge != "") != (tc.status == 401) || tc.status == 401 && !strings.HasPrefix(challenge, `Basic realm="`) {
				t.Errorf("challenge %q", challenge)
			}
			wantOAuthError(t, res, tc.status, tc.code)
		})
	}
	res := g.do(http.MethodPost, "/oauth/token", "grant_type=refresh_token", "Content-Type", formType,
		"Authorization", basic("web", webSecret), "Authorization", basic("web", webSecret))
	wantOAuthError(t, res, http.StatusBadRequest, "invalid_request")
}

// CLI-07: basic and post are one; CLI-17: no header but Authorization counts.
func TestHardeningCLI07And17(t *testing.T) {
	g := newGateway(t)
	f := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}, "client_id": {"web"}, "client_secret": {webSecret}}
	wantOAuthError(t, g.post("/oauth/token", f), http.StatusBadRequest, "invalid_grant")
	f.Del("client_secret")
	wantOAuthError(t, g.post("/oauth/token", f, "X-SSL-Client-Cert", "x", "X-Client-Cert", "x"), http.StatusUnauthorized, "invalid_client")
}
