package caddymodule

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// TestRequireLoginAtTheIssuer: a site may be on the issuer's own host: people sign in to it, see
// who they are and sign out, and no cookie of ours goes upstream.
func TestRequireLoginAtTheIssuer(t *testing.T) {
	for _, tt := range []struct{ name, path, site string }{
		{"a guard of some paths", "", "oauth_server\nrequire_login /admin/*\nreverse_proxy UPSTREAM"},
		{"the guard first", "", "route {\nrequire_login /admin/*\noauth_server\nreverse_proxy UPSTREAM\n}"},
		{"an issuer with a path", "idp/", "oauth_server\nrequire_login\nreverse_proxy UPSTREAM"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := &siteGateway{newGateway(t)}
			host := strings.TrimSuffix(g.Issuer, "/")
			g.Issuer += tt.path
			t.Cleanup(func() { _ = caddy.Stop() })
			file := string(g.caddyfile(gatewayOptions{Server: tt.site}))
			file = strings.Replace(file, g.url("")+" {", host+" {", 1)
			if err := g.loadCaddyfile([]byte(strings.ReplaceAll(file, "UPSTREAM", strings.TrimPrefix(g.upstream.server.URL, "http://")))); err != nil {
				t.Fatal(err)
			}
			b := g.browser()
			if resp, body := b.signIn(host + "/admin/x"); resp.StatusCode != http.StatusOK || body != "upstream /admin/x" {
				t.Fatalf("signed in: %d %s", resp.StatusCode, body)
			}
			b.do(http.MethodGet, host+"/open", nil, "Cookie", "theme=dark")
			seen := g.upstream.take()
			for _, r := range seen {
				if cookies := strings.Join(r.Header["Cookie"], "; "); strings.Contains(cookies, "gatehouse") {
					t.Errorf("%s: the upstream sees %q", r.URL, cookies)
				}
			}
			if len(seen) != 2 {
				t.Errorf("%d requests at the upstream", len(seen))
			}
			if resp, body := b.do(http.MethodGet, host+"/.gatehouse/session", nil); resp.StatusCode != http.StatusOK {
				t.Errorf("the session: %d %s", resp.StatusCode, body)
			}
			if resp, body := b.do(http.MethodPost, host+"/.gatehouse/logout", url.Values{}, "Sec-Fetch-Site", "same-origin", "Origin", host); resp.StatusCode != http.StatusOK {
				t.Errorf("sign-out: %d %s", resp.StatusCode, body)
			}
			if resp, _ := b.do(http.MethodGet, host+"/admin/x", nil); resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("signed out: %d", resp.StatusCode)
			}
		})
	}
}
