package caddymodule

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestAMistakeIsTold: S2, G10: whoever sets an application up wrongly finds one line in the log
// that names what came, what is registered and the option, and a metric that counts it.
func TestAMistakeIsTold(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	authorize := func(redirect string) *http.Request {
		return g.request(g.url("/authorize?"+url.Values{
			"response_type": {"code"}, "client_id": {"my-spa"}, "redirect_uri": {redirect}, "code_challenge": {strings.Repeat("a", 43)}, "code_challenge_method": {"S256"},
		}.Encode()), nil)
	}
	other := strings.Split(g.machineToken(), ".")
	tests := []struct {
		name    string
		request *http.Request
		line    map[string]string
		metric  string
	}{
		{"redirect URI", authorize(testCallback + "/\x1b[31m?code=SECRET"), map[string]string{
			"msg": "request_refused", "outcome": "bad_redirect_uri", "client": "my-spa", "endpoint": "authorize",
			"sent": testCallback + "/?[31m?code=…", "registered": testCallback, "option": "redirect_uris",
		}, `caddy_oauth_events_total{event="request_refused",outcome="bad_redirect_uri"}`},
		{"long redirect URI", authorize("https://x.example/" + strings.Repeat("x", 1900)), nil, ""},
		{"origin", func() *http.Request {
			r := g.request(g.url("/oauth/token"), nil, "Origin", "http://localhost:4000", "Access-Control-Request-Method", "POST")
			r.Method = http.MethodOptions
			return r
		}(), map[string]string{
			"msg": "request_refused", "outcome": "bad_origin", "endpoint": "token", "sent": "http://localhost:4000", "registered": "http://localhost:3999", "option": "origins",
		}, `caddy_oauth_events_total{event="request_refused",outcome="bad_origin"}`},
		{"token of an unknown issuer", g.request(g.API+"/", nil, "Authorization", "Bearer "+other[0]+".eyJpc3MiOiJodHRwczovL290aGVyLmV4YW1wbGUifQ."+other[2]), map[string]string{
			"msg": "access_refused", "outcome": "wrong_issuer", "api": testAPI, "sent": "https://other.example", "registered": g.Issuer, "option": "issuer",
		}, `caddy_oauth_token_checks_total{verdict="wrong_issuer"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, before := g.admin(http.MethodGet, "/metrics")
			logged := len(g.logs())
			g.do(test.request)
			lines := strings.Split(strings.TrimSpace(g.logs()[logged:]), "\n")
			found := 0
			for _, text := range lines {
				var line map[string]any
				if json.Unmarshal([]byte(text), &line) != nil || line["msg"] != "request_refused" && line["msg"] != "access_refused" {
					continue
				}
				found++
				if sent, _ := line["sent"].(string); len(sent) > 300 || line["level"] != "info" || strings.Contains(text, "SECRET") {
					t.Errorf("the line is %s", text)
				}
				for name, want := range test.line {
					if line[name] != want {
						t.Errorf("%s is %q, want %q", name, line[name], want)
					}
				}
			}
			if test.line == nil {
				return // the second of a kind within a second waits
			}
			if _, after := g.admin(http.MethodGet, "/metrics"); found != 1 || series(t, after, test.metric) != series(t, before, test.metric)+1 {
				t.Errorf("%d lines of it in\n%s", found, strings.Join(lines, "\n"))
			}
		})
	}
	if resp, _ := g.call("/", ""); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: %d", resp.StatusCode)
	}
	_, text := g.admin(http.MethodGet, "/metrics")
	if series(t, text, `caddy_oauth_token_checks_total{verdict="no_token"}`) < 1 {
		t.Error("G10: a request without a token is not counted as no_token")
	}
}

// TestStartWarnsOfAGuardBehindTheProxy: S14: at a start, too.
func TestStartWarnsOfAGuardBehindTheProxy(t *testing.T) {
	g := startGateway(t, gatewayOptions{API: "route {\n\treverse_proxy UPSTREAM\n\tbearer_auth {\n\t\taudience https://api.example.com\n\t}\n}", Server: "oauth_server /oauth/*"})
	for _, want := range []string{"a guard stands behind a handler that answers every request", "/oauth/*, which keeps /authorize from it"} {
		if strings.Count(g.logs(), want) != 1 {
			t.Errorf("the start does not warn, once: %s", want)
		}
	}
}
