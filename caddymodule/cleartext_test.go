package caddymodule

import (
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// ADM-12: an https issuer on a plain http site issues neither cookies nor tokens.
func TestClearTextIsRefused(t *testing.T) {
	g := newGateway(t)
	start := func(servers string) {
		t.Helper()
		options := gatewayOptions{Servers: servers, Store: filepath.Join(g.dir, "encrypted.db")} // a store belongs to one issuer
		file := strings.Replace(string(g.caddyfile(options)), "issuer "+g.Issuer, "issuer https://auth.example.com/", 1)
		if err := g.loadCaddyfile([]byte(file)); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.load(gatewayOptions{}); err != nil { // stops it all at the end
		t.Fatal(err)
	}
	login := g.url("/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {"my-spa"}, "redirect_uri": {testCallback}, "scope": {"openid"},
		"code_challenge": {strings.Repeat("a", 43)}, "code_challenge_method": {"S256"},
	}.Encode())
	machine := url.Values{"grant_type": {"client_credentials"}, "client_id": {"worker"}, "client_secret": {g.Machine}, "audience": {testAPI}}
	for _, tt := range []struct {
		name, servers string
		headers       []string
		served        bool
	}{
		{"plain", "", nil, false},
		{"anybody says that it was encrypted", "", []string{"X-Forwarded-Proto", "https"}, false},
		{"a trusted proxy says so", "trusted_proxies static 127.0.0.1 ::1", []string{"X-Forwarded-Proto", "https"}, true},
		{"the first of several says so", "trusted_proxies static 127.0.0.1 ::1", []string{"X-Forwarded-Proto", "HTTPS, http"}, true},
		{"the first of several came in clear", "trusted_proxies static 127.0.0.1 ::1", []string{"X-Forwarded-Proto", "http, https"}, false},
		{"a trusted proxy says no", "trusted_proxies static 127.0.0.1 ::1", []string{"X-Forwarded-Proto", "http"}, false},
		{"a trusted proxy says nothing", "trusted_proxies static 127.0.0.1 ::1", nil, false},
		{"another proxy is trusted", "trusted_proxies static 192.0.2.1", []string{"X-Forwarded-Proto", "https"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			start(tt.servers)
			// S6: a load balancer asks without encryption, and says nothing of it.
			if resp, body := g.do(g.request(g.url("/oauth/health"), nil, tt.headers...)); resp.StatusCode != http.StatusOK || body != "ok\n" {
				t.Errorf("/oauth/health: %d %s", resp.StatusCode, body)
			}
			for _, r := range []*http.Request{
				// The browser is at the issuer's host; the proxy in front writes another.
				g.request(login, nil, append([]string{"Cookie", "__Host-gatehouse_moved=1"}, tt.headers...)...),
				g.request(g.url("/oauth/token"), machine, tt.headers...),
				g.request(g.url("/.well-known/openid-configuration"), nil, tt.headers...),
			} {
				resp, body := g.do(r)
				if tt.served {
					if resp.StatusCode != http.StatusOK {
						t.Errorf("%s: %d %s", r.URL.Path, resp.StatusCode, body)
					}
					continue
				}
				if resp.StatusCode != http.StatusForbidden || len(resp.Header["Set-Cookie"]) > 0 || strings.Contains(body, "access_token") {
					t.Errorf("%s: %d %v %s", r.URL.Path, resp.StatusCode, resp.Header, body)
				}
				if !strings.Contains(body, "https://auth.example.com/") || resp.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("%s: the answer does not help: %v %s", r.URL.Path, resp.Header, body)
				}
			}
		})
	}
	// Each configuration that had something to refuse has said so, once.
	if n := strings.Count(g.logs(), "requests without encryption are refused"); n != 6 {
		t.Errorf("the operator was told %d times, want 6", n)
	}
}

// What the server keeps in a browser is for itself, not for what else is on its host.
func TestServerStripsItsCookies(t *testing.T) {
	g := newGateway(t)
	if err := g.load(gatewayOptions{Server: "oauth_server\nreverse_proxy " + strings.TrimPrefix(g.upstream.server.URL, "http://")}); err != nil {
		t.Fatal(err)
	}
	g.do(g.request(g.url("/"), nil, "Cookie", "a=b; __Host-gatehouse_session=s; gatehouse_browser=b; __Host-gatehouse_refresh_0123456789abcdef=rt1.x; c=d"))
	seen := g.upstream.take()
	if len(seen) != 1 || seen[0].Header.Get("Cookie") != "a=b; c=d" {
		t.Errorf("the upstream saw %d requests: %v", len(seen), seen)
	}
}
