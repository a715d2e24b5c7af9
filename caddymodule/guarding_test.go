package caddymodule

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

// What docs/api.md says of guards in a real Caddy.

// HDR-18 where CORS is the upstream's: it answers the preflight, which nothing
// else on the site can pass for.
func TestCORSOff(t *testing.T) {
	g := startGateway(t, gatewayOptions{API: "bearer_auth {\n\taudience https://api.example.com\n\theader X-User-Id sub\n\tcors off\n}\n" +
		"reverse_proxy UPSTREAM {\n\theader_up X-Claims \"<{http.auth.user.id}>\"\n}"})
	ask := []string{"Origin", "https://app.example.com", "Access-Control-Request-Method", "PUT", "X-User-Id", "admin", "Cookie", "gatehouse_session=x"}
	preflight := g.request(g.API+"/orders", nil, ask...)
	preflight.Method = http.MethodOptions
	resp, body := g.do(preflight)
	seen := g.upstream.take()
	if resp.StatusCode != http.StatusOK || len(seen) != 1 {
		t.Fatalf("preflight: %d %s", resp.StatusCode, body)
	}
	if h := seen[0].Header; h["X-User-Id"] != nil || h["Cookie"] != nil || h.Get("X-Claims") != "<>" || h.Get("Access-Control-Request-Method") != "PUT" {
		t.Errorf("the upstream sees %v", h)
	}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodOptions} {
		r := g.request(g.API+"/orders", nil, ask...)
		if r.Method = method; method == http.MethodOptions {
			r.Header.Del("Access-Control-Request-Method")
		}
		if resp, _ := g.do(r); resp.StatusCode != http.StatusUnauthorized || len(g.upstream.take()) != 0 {
			t.Errorf("%s: %d", method, resp.StatusCode)
		}
	}
}

// The origin of a request is what the client sees, where Caddy trusts the proxy
// that says so: for cookies, and for the document that a challenge names.
func TestClientOriginBehindProxies(t *testing.T) {
	const api = "bearer_auth {\n\taudience urn:orders https://api.example.com\n\tfrom cookie tok\n}\nreverse_proxy UPSTREAM"
	outside := []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "outside.example.com"}
	for name, trusted := range map[string]bool{"trusted": true, "not trusted": false} {
		t.Run(name, func(t *testing.T) {
			o := gatewayOptions{API: api, OAuth: "api urn:orders {\n\tscopes orders:read\n}"}
			if trusted {
				o.Servers = "trusted_proxies static private_ranges 127.0.0.1/8 ::1"
			}
			g := startGateway(t, o)
			resp, _ := g.call("/", "", outside...)
			if named := strings.Contains(resp.Header.Get("WWW-Authenticate"), `resource_metadata="https://outside.example.com/.well-known/`); named != trusted {
				t.Errorf("challenge %q", resp.Header.Get("WWW-Authenticate"))
			}
			post := g.request(g.API+"/", nil, append(outside, "Origin", "https://outside.example.com", "Cookie", "tok="+g.machineToken())...)
			post.Method = http.MethodPost
			if resp, _ := g.do(post); (resp.StatusCode == http.StatusOK) != trusted {
				t.Errorf("a POST with the cookie from this origin: %d", resp.StatusCode)
			}
		})
	}
}

// RFC 9728 §3.1: each audience of a site has its document at its own place,
// whichever guard a request for it meets first.
func TestResourceMetadataOfTwoAudiences(t *testing.T) {
	const place = "/.well-known/oauth-protected-resource"
	g := newGateway(t)
	root, v2 := "bearer_auth {\n\taudience "+g.API+"\n}\n", "bearer_auth /v2/* {\n\taudience "+g.API+"/v2\n}\n"
	rest := "@v1 not path /v2/*\n" + strings.Replace(root, "bearer_auth", "bearer_auth @v1", 1)
	apis := "api " + g.API + " {\n\tscopes v1\n}\napi " + g.API + "/v2 {\n\tscopes v2\n}\n"
	for name, guards := range map[string]string{"both": root + v2, "apart": v2 + rest, "apart, the other way round": rest + v2} {
		t.Run(name, func(t *testing.T) {
			if err := g.load(gatewayOptions{OAuth: apis, API: guards + "reverse_proxy UPSTREAM"}); err != nil {
				t.Fatal(err)
			}
			for path, want := range map[string]string{place: g.API + `",`, place + "/v2": g.API + `/v2",`} {
				if resp, body := g.call(path, ""); resp.StatusCode != http.StatusOK || !strings.Contains(body, `"resource": "`+want) {
					t.Errorf("%s: %d %s", path, resp.StatusCode, body)
				}
			}
			for path, want := range map[string]string{"/orders": place + `"`, "/v2/orders": place + `/v2"`} {
				resp, _ := g.call(path, "")
				if challenge := resp.Header.Get("WWW-Authenticate"); !strings.HasSuffix(challenge, `resource_metadata="`+g.API+want) {
					t.Errorf("%s: %s", path, challenge)
				}
			}
		})
	}
	if err := g.load(gatewayOptions{OAuth: apis, API: strings.Replace(v2, "/v2/* ", "", 1) + "reverse_proxy UPSTREAM"}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{place, place + "/v3", place + "/v2/../../../orders"} {
		if resp, _ := g.call(path, ""); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s, which belongs to no audience: %d", path, resp.StatusCode)
		}
	}
}

// RFC 9728 §5.1: inside of a block with a matcher, as docs/api.md shows it.
func TestResourceMetadataInHandle(t *testing.T) {
	g := newGateway(t)
	page, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```caddyfile\napi.example.com {\n\thandle_path")
	site, _, found := strings.Cut("\thandle_path"+rest, "}\n```")
	if !found {
		t.Fatal("docs/api.md shows no site with handle_path")
	}
	o := gatewayOptions{
		OAuth: "api " + g.API + "/v1 {\n\tscopes v1\n}",
		API:   strings.NewReplacer("https://api.example.com", g.API, "localhost:9000", "UPSTREAM").Replace(site),
	}
	if err := g.load(o); err != nil {
		t.Fatal(err)
	}
	resp, _ := g.call("/v1/orders", "")
	_, named, _ := strings.Cut(resp.Header.Get("WWW-Authenticate"), `resource_metadata="`)
	named = strings.TrimSuffix(named, `"`)
	if resp.StatusCode != http.StatusUnauthorized || named != g.API+"/.well-known/oauth-protected-resource/v1" {
		t.Fatalf("%d, the challenge names %q", resp.StatusCode, named)
	}
	if resp, body := g.do(g.request(named, nil)); resp.StatusCode != http.StatusOK || !strings.Contains(body, g.API+"/v1") {
		t.Errorf("%s: %d %s", named, resp.StatusCode, body)
	}
	if resp, _ := g.call("/.well-known/oauth-protected-resource/other", ""); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("another path of the block: %d", resp.StatusCode)
	}
}

var guardedSite = regexp.MustCompile("(?s)```caddyfile\napi\\.example\\.com \\{\n([^`]*@guarded not [^`]*)\\}\n```")

// HDR-15: what docs/api.md recommends for public paths: no spelling of one brings
// a request without a token to the upstream that is guarded.
func TestPublicPathsOfTheDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	site := guardedSite.FindSubmatch(page)
	if site == nil {
		t.Fatal("docs/api.md shows no site with public paths")
	}
	g := startGateway(t, gatewayOptions{API: strings.ReplaceAll(string(site[1]), "localhost:9000", "UPSTREAM")})
	for _, path := range []string{"/health", "/robots.txt", "/%68ealth", "/health?a=b"} {
		if resp, _ := g.raw(g.API, "GET "+path+" HTTP/1.1\nHost: localhost\n\n"); resp.StatusCode != http.StatusOK || len(g.upstream.take()) != 1 {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	for _, path := range []string{
		"/admin", "/docs", "/docs/..;/admin", "/docs/..%5Cadmin", "/docs/..%2Fadmin", "/docs/../admin", "/docs/%2e%2e/admin", "/docs/.%2e/admin", "//docs/../admin",
		"/health/..;/admin", "/health/../admin", "/health%2F..%2Fadmin", "/admin/..%2Fhealth", "/admin/../health", "/health/", "//health", "/HEALTH", "/health;x", "/health%00", "/health.",
	} {
		resp, _ := g.raw(g.API, "GET "+path+" HTTP/1.1\nHost: localhost\n\n")
		if seen := g.upstream.take(); resp.StatusCode < 400 || len(seen) != 0 {
			t.Errorf("%s: %d, %d requests at the upstream", path, resp.StatusCode, len(seen))
		}
	}
	token := g.machineToken()
	if resp, _ := g.call("/admin", token); resp.StatusCode != http.StatusOK {
		t.Errorf("with a token: %d", resp.StatusCode)
	}
}
