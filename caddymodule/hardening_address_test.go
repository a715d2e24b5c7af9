package caddymodule

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// unsignedToken writes a JWT whose signature is none.
func unsignedToken(header, payload string) string {
	segment := base64.RawURLEncoding.EncodeToString
	return segment([]byte(header)) + "." + segment([]byte(payload)) + "." + segment(make([]byte, 64))
}

// HDR-09: who asks is the other end of the connection, unless it is a proxy that
// Caddy was told to trust.
//
// A9: without trusted_proxies_strict the address is whatever the client writes
// ahead of what the proxy adds, and nobody was told.
func TestClientAddress(t *testing.T) {
	const claimed, added = "203.0.113.7", "198.51.100.9" // what the client writes, and what the proxy sees
	g := startGateway(t, gatewayOptions{})
	for _, tt := range []struct {
		name, servers, want string
		warned              bool
	}{
		{"nobody is trusted", "", "127.0.0.1", false},
		{"another proxy is trusted", "trusted_proxies static 192.0.2.0/24", "127.0.0.1", true},
		{"this one is", "trusted_proxies static private_ranges", claimed, true},
		{"A9: this one is, strictly", "trusted_proxies static private_ranges\n\t\ttrusted_proxies_strict", added, false},
		{"A9: strict about nobody", "trusted_proxies_strict", "127.0.0.1", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := len(g.logs())
			if err := g.load(gatewayOptions{Servers: tt.servers}); err != nil {
				t.Fatal(err)
			}
			warnings := 0
			if tt.warned {
				warnings = 2 // one for each server, the issuer's and the API's
			}
			if got := strings.Count(g.logs()[before:], "trusted_proxies without trusted_proxies_strict"); got != warnings {
				t.Errorf("%d warnings, want %d", got, warnings)
			}
			before = len(g.logs())
			g.do(g.request(g.url("/oauth/token"), url.Values{"grant_type": {"refresh_token"}, "client_id": {"nobody"}},
				"X-Forwarded-For", claimed+", "+added, "X-Real-Ip", claimed, "Forwarded", "for="+claimed, "True-Client-Ip", claimed))
			found := ""
			for line := range strings.Lines(g.logs()[before:]) {
				var entry struct {
					Logger   string `json:"logger"`
					ClientIP string `json:"client_ip"`
				}
				if err := json.Unmarshal([]byte(line), &entry); err == nil && entry.Logger == "oauth" && entry.ClientIP != "" {
					found = entry.ClientIP
				}
			}
			if ip, err := netip.ParseAddr(found); err != nil || found != tt.want && (!ip.IsLoopback() || tt.want != "127.0.0.1") {
				t.Errorf("the log says that %q asked, want %s", found, tt.want)
			}
		})
	}
}

// HDR-16: with so many hosts that Caddy looks them up in another way, case still
// makes no other host.
func TestGuardOfManyHosts(t *testing.T) {
	g := newGateway(t)
	port := g.API[strings.LastIndex(g.API, ":"):]
	hosts := make([]string, 0, 150)
	for i := range 149 {
		hosts = append(hosts, fmt.Sprintf("http://host%d.localhost%s", i, port))
	}
	hosts = append(hosts, "http://admin.localhost"+port)
	// They share the API's port; its own site answers for the hosts that are not theirs.
	guarded := strings.Join(hosts, ", ") + " {\n" + guardOf() + "\n}\n"
	err := g.load(gatewayOptions{API: "respond elsewhere 404\n}\n" + strings.TrimSuffix(strings.TrimSpace(guarded), "}")})
	if err != nil {
		t.Fatal(err)
	}
	token := g.machineToken()
	for _, host := range []string{"admin.localhost", "ADMIN.localhost", "Admin.LocalHost", "admin.localhost:80", "ADMIN.localhost" + port, "admin.localhost.", "HOST77.localhost"} {
		resp, _ := g.raw(g.API, "GET /admin HTTP/1.1\nHost: "+host+"\nConnection: close\n\n")
		if seen := g.upstream.take(); len(seen) != 0 || resp.StatusCode == http.StatusOK && host != "admin.localhost." {
			t.Errorf("%s: status %d, %d requests at the upstream", host, resp.StatusCode, len(seen))
		}
	}
	resp, body := g.raw(g.API, "GET /admin HTTP/1.1\nHost: ADMIN.localhost\nAuthorization: Bearer "+token+"\nConnection: close\n\n")
	if resp.StatusCode != http.StatusOK || len(g.upstream.take()) != 1 {
		t.Errorf("with a token: %d %s", resp.StatusCode, body)
	}
}

// panicHandler is a fault in what stands behind the guard.
type panicHandler struct{}

func init() {
	caddy.RegisterModule(panicHandler{})
	httpcaddyfile.RegisterHandlerDirective("test_panic", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h.Next()
		return new(panicHandler), nil
	})
	httpcaddyfile.RegisterDirectiveOrder("test_panic", httpcaddyfile.After, "basic_auth")
}

func (panicHandler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.test_panic", New: func() caddy.Module { return new(panicHandler) }}
}

func (*panicHandler) ServeHTTP(http.ResponseWriter, *http.Request, caddyhttp.Handler) error {
	panic("canary of a fault")
}

// SEC-08: a fault behind the guard, and an error that its upstream makes, tell
// the client nothing, and the log no token.
func TestFaultsTellNothing(t *testing.T) {
	g := startGateway(t, gatewayOptions{API: `bearer_auth {
			audience https://api.example.com
		}
		test_panic`})
	token := g.machineToken()
	request := "GET /orders HTTP/1.1\nHost: localhost\nConnection: close\nAuthorization: Bearer " + token + "\n\n"
	if resp, body, err := sendRaw(g.API, request); err == nil && (resp.StatusCode < 500 || body != "") {
		t.Errorf("a panic is answered %d %q", resp.StatusCode, body)
	}
	if err := g.load(gatewayOptions{API: `bearer_auth {
			audience https://api.example.com
		}
		reverse_proxy 127.0.0.1:1`}); err != nil {
		t.Fatal(err)
	}
	resp, body := g.raw(g.API, request)
	if resp.StatusCode != http.StatusBadGateway || len(body) > 100 || strings.Contains(body, "127.0.0.1") {
		t.Errorf("an upstream that is down: %d %q", resp.StatusCode, body)
	}
	logs := g.logs()
	if !strings.Contains(logs, "127.0.0.1:1") {
		t.Error("the log does not name the upstream that is down")
	}
	for part := range strings.SplitSeq(token, ".") {
		if strings.Contains(logs, part[:min(len(part), 40)]) {
			t.Error("a part of the token is in the log")
		}
	}
	if err := g.load(gatewayOptions{}); err != nil {
		t.Fatal(err)
	}
	if resp, body := g.call("/orders", token); resp.StatusCode != http.StatusOK {
		t.Errorf("after the faults: %d %s", resp.StatusCode, body)
	}
}
