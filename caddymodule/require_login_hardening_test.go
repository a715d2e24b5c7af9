package caddymodule

import (
	"net/http"
	"strings"
	"testing"
)

// TestHardeningHDRSites: attacks HDR-09 to HDR-18 at a site, with rows P4, P8 and P9: what a client
// says of its address, of the URL, the method or itself opens nothing, and changes no address
// that we emit.
func TestHardeningHDRSites(t *testing.T) {
	g := startSite(t, "@outside not client_ip 10.0.0.0/8\nrequire_login @outside {\norigin ORIGIN\nheader X-User-Id sub\npublic /public/* /health\n}\nreverse_proxy UPSTREAM")
	host := strings.TrimPrefix(g.API, "http://")
	send := func(method, path, host string, lines ...string) (reply, string) {
		t.Helper()
		return g.raw(g.API, method+" "+path+" HTTP/1.1\nHost: "+host+"\n"+strings.Join(append(lines, "Connection: close"), "\n")+"\n\n")
	}
	for _, tt := range []struct{ row, method, path, line string }{
		{"HDR-09 P8", "GET", "/admin", "X-Forwarded-For: 10.0.0.1"},
		{"HDR-09 P8", "GET", "/admin", "Forwarded: for=10.0.0.1"},
		{"HDR-09 P8", "GET", "/admin", "X-Real-Ip: 10.0.0.1"},
		{"HDR-09 P8", "GET", "/admin", "Cf-Connecting-Ip: 10.0.0.1"},
		{"HDR-10", "GET", "/admin", "X-Forwarded-Host: evil.example"},
		{"HDR-10", "GET", "/admin", "Forwarded: host=evil.example"},
		{"HDR-11", "GET", "/admin", "X-Forwarded-Proto: evil_protocol"},
		{"HDR-12", "GET", "/admin", "X-Forwarded-Uri: /public/x"},
		{"HDR-12", "GET", "/admin", "X-Original-Url: /public/x"},
		{"HDR-12", "GET", "/admin", "X-Rewrite-Url: /public/x"},
		{"HDR-13", "GET", "/admin", "X-Forwarded-Prefix: /public"},
		{"HDR-13", "GET", "/admin", "X-Forwarded-Method: OPTIONS"},
		{"HDR-14 P9", "GET", "/admin", "User-Agent: kube-probe/1.30"},
		{"HDR-17", "HEAD", "/admin", ""},
		{"HDR-17", "TRACE", "/admin", ""},
		{"HDR-17", "get", "/admin", ""},
		{"HDR-17", "PROPFIND", "/admin", "X-Http-Method-Override: GET"},
		{"HDR-17", "GET", "/admin", "Upgrade: websocket"},
		{"HDR-17", "GET", "/admin", "Upgrade: h2c"},
		{"HDR-18", "OPTIONS", "/admin", ""},
		{"HDR-18", "OPTIONS", "/admin", "Origin: https://evil.example\nAccess-Control-Request-Method: GET"},
		{"HDR-18", "OPTIONS", "*", ""},
		{"HDR-15", "GET", "//admin", ""},
		{"HDR-15", "GET", "/./admin", ""},
		{"HDR-15", "GET", "/public/../admin", ""},
		{"HDR-15", "GET", "/public/..%2fadmin", ""},
		{"HDR-15", "GET", "/public/%2e%2e/admin", ""},
		{"HDR-15", "GET", "/public/..;/admin", ""},
		{"HDR-15", "GET", "/public/..%5cadmin", ""},
		{"HDR-15", "GET", "/%61dmin", ""},
		{"HDR-15", "GET", "/admin%2f", ""},
		{"HDR-15", "GET", "/ADMIN", ""},
		{"HDR-15", "GET", "/admin;x=/public/x", ""},
		{"HDR-15", "GET", "/admin%23/public/x", ""},
		{"HDR-15", "GET", "/admin?x=/public/x", ""},
		{"HDR-15", "GET", "/healthx", ""},
	} {
		lines := []string{"Accept: */*"}
		if tt.line != "" {
			lines = append(lines, tt.line)
		}
		resp, body := send(tt.method, tt.path, host, lines...)
		if seen := g.upstream.take(); len(seen) > 0 || resp.StatusCode == http.StatusOK && tt.path != "*" {
			t.Errorf("%s: %s %s %s: %d, the upstream saw %d requests", tt.row, tt.method, tt.path, tt.line, resp.StatusCode, len(seen))
		}
		if text := body + strings.Join(resp.Header["Www-Authenticate"], " ") + resp.Header.Get("Location"); strings.Contains(text, "evil") ||
			tt.path == "/admin" && resp.StatusCode == http.StatusUnauthorized && tt.method != "HEAD" && !strings.Contains(text, g.API+"/.gatehouse/login?to=%2Fadmin") {
			t.Errorf("%s: %s %s %s: %s", tt.row, tt.method, tt.path, tt.line, text)
		}
	}
	for row, name := range map[string]string{"HDR-16": strings.ToUpper(host), "HDR-10": "evil.example"} {
		resp, body := send("GET", "/admin", name, "Accept: */*")
		if len(g.upstream.take()) > 0 || resp.StatusCode == http.StatusOK && body != "" || strings.Contains(body, "evil") {
			t.Errorf("%s: host %s: %d %s", row, name, resp.StatusCode, body)
		}
	}
	for _, path := range []string{"/public/x", "/health"} { // else nothing would get there at all
		if resp, _ := send("GET", path, host); resp.StatusCode != http.StatusOK || len(g.upstream.take()) != 1 {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}
