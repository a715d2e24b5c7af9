package caddymodule

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// The attacks of group HDR: whatever a client sends beside a token, the
// upstream hears who it is from us alone, and nothing without a token. Caddy
// drops headers with `_` and `.` by itself: the gateway here is told to keep
// them, else the test would show nothing.

const aliasHeaders = `expected_underscore_headers X_Auth_Subject X_Auth-Subject X_Auth_Email X_Plain_Header
		expected_dot_headers X.Auth.Subject X-Auth.Subject X.Plain.Header`

func hardened(t *testing.T) *gateway {
	t.Helper()
	return startGateway(t, gatewayOptions{Servers: aliasHeaders})
}

// raw sends a request byte for byte and returns the status, the header and the body.
func (g *gateway) raw(address, request string) (reply, string) {
	g.t.Helper()
	answer, body, err := sendRaw(address, request)
	if err != nil {
		g.t.Fatalf("sending %q: %v", request, err)
	}
	return answer, body
}

func sendRaw(address, request string) (reply, string, error) {
	conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(address, "http://"), "/"))
	if err != nil {
		return reply{}, "", err
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n")); err != nil {
		return reply{}, "", err
	}
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return reply{}, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header}, string(body), err
}

// identityHeaders returns all that an upstream may take for the subject or the email:
// CGI and its heirs know no case and write every sign as "_".
func identityHeaders(h http.Header) []string {
	var found []string
	for name, values := range h {
		folded := strings.NewReplacer("-", "_", ".", "_").Replace(strings.ToLower(name))
		if folded == "x_auth_subject" || folded == "x_auth_email" {
			found = append(found, name+"="+strings.Join(values, "|"))
		}
	}
	slices.Sort(found)
	return found
}

// HDR-01, HDR-02, HDR-05, HDR-07: the client's own identity headers.
func TestIdentityHeaders(t *testing.T) {
	g := hardened(t)
	alice, machine := g.login().AccessToken, g.machineToken()
	const subject = "X-Auth-Subject=local|alice"
	tests := []struct {
		name, token string
		headers     []string
		want        []string
	}{
		{"HDR-01 same name", alice, []string{"X-Auth-Subject", "admin"}, []string{subject}},
		{"HDR-01 twice", alice, []string{"X-Auth-Subject", "admin", "X-Auth-Subject", "root"}, []string{subject}},
		{"HDR-01 other case", alice, []string{"x-auth-subject", "admin"}, []string{subject}},
		{"HDR-02 the token has no such claim", machine, []string{"X-Auth-Email", "admin@x"}, []string{"X-Auth-Subject=worker@clients"}},
		{"HDR-05 underscores", alice, []string{"X_Auth_Subject", "admin"}, []string{subject}},
		{"HDR-05 mixed signs", alice, []string{"X_Auth-Subject", "admin"}, []string{subject}},
		{"HDR-05 dots", alice, []string{"X.Auth.Subject", "admin"}, []string{subject}},
		{"HDR-05 a dot", alice, []string{"X-Auth.Subject", "admin"}, []string{subject}},
		{"HDR-05 of a claim that is missing", machine, []string{"X_Auth_Email", "admin@x"}, []string{"X-Auth-Subject=worker@clients"}},
		{"HDR-07 hop by hop", alice, []string{"Connection", "X-Auth-Subject"}, []string{subject}},
		{"HDR-07 among others", alice, []string{"Connection", "close, x-auth-subject, Authorization, X-Forwarded-For"}, []string{subject}},
		{"HDR-07 on two lines", alice, []string{"Connection", "keep-alive", "Connection", "X-Auth-Subject"}, []string{subject}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var lines strings.Builder
			for i := 0; i < len(tt.headers); i += 2 {
				fmt.Fprintf(&lines, "%s: %s\n", tt.headers[i], tt.headers[i+1])
			}
			resp, body := g.raw(g.API, "GET /orders HTTP/1.1\nHost: localhost\nAuthorization: Bearer "+tt.token+"\n"+lines.String()+"\n")
			seen := g.upstream.take()
			if resp.StatusCode != http.StatusOK || len(seen) != 1 {
				t.Fatalf("status %d %s, %d requests at the upstream", resp.StatusCode, body, len(seen))
			}
			if got := identityHeaders(seen[0].Header); !slices.Equal(got, tt.want) {
				t.Errorf("the upstream sees %v, want %v", got, tt.want)
			}
		})
	}
	// That the tests above show something: such headers do come through.
	g.raw(g.API, "GET /orders HTTP/1.1\nHost: localhost\nAuthorization: Bearer "+alice+"\nX_Plain_Header: a\nX.Plain.Header: b\n\n")
	seen := g.upstream.take()
	if len(seen) != 1 || len(seen[0].Header["X_plain_header"])+len(seen[0].Header["X.plain.header"]) != 2 {
		t.Errorf("Caddy does not pass on headers with _ and . at all: %v", seen)
	}
}

// HDR-22: only what is mapped becomes a header.
func TestOnlyMappedClaimsBecomeHeaders(t *testing.T) {
	g := hardened(t)
	g.call("/orders", g.login().AccessToken)
	seen := g.upstream.take()
	if len(seen) != 1 {
		t.Fatalf("%d requests at the upstream", len(seen))
	}
	names := slices.Sorted(maps.Keys(seen[0].Header))
	want := []string{
		"Accept-Encoding", "Authorization", "User-Agent", "Via", "X-Auth-Subject",
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
	}
	if !slices.Equal(names, want) {
		t.Errorf("the upstream sees the headers %v, want %v", names, want)
	}
}

// HDR-10, HDR-11, HDR-13: no URL of ours follows a request.
func TestURLsDeriveFromTheIssuer(t *testing.T) {
	g := hardened(t)
	query := "/authorize?client_id=my-spa&response_type=code&redirect_uri=http%3A%2F%2Flocalhost%3A3999%2Fcallback&prompt=none" +
		"&scope=openid&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
	forged := []string{
		"X-Forwarded-Host: evil.example", "Forwarded: host=evil.example;proto=https", "X-Forwarded-Proto: evil_protocol",
		"X-Forwarded-Proto: http", "X-Forwarded-Prefix: /evil", "X-Forwarded-Method: OPTIONS", "X-Forwarded-Port: 666",
		"X-Original-URL: /evil", "X-Rewrite-URL: /evil",
	}
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", query} {
		plain, plainBody := g.raw(g.Issuer, "GET "+path+" HTTP/1.1\nHost: localhost\nConnection: close\n\n")
		if plain.StatusCode >= http.StatusBadRequest {
			t.Fatalf("%s: %d %s", path, plain.StatusCode, plainBody)
		}
		for _, header := range forged {
			resp, body := g.raw(g.Issuer, "GET "+path+" HTTP/1.1\nHost: localhost\nConnection: close\n"+header+"\n\n")
			if body != plainBody || resp.Header.Get("Location") != plain.Header.Get("Location") || strings.Contains(resp.Header.Get("Set-Cookie"), "evil") {
				t.Errorf("%s with %q: %d %s %s", path, header, resp.StatusCode, resp.Header.Get("Location"), body)
			}
		}
	}
}

// HDR-10: so does the host that the request names, where Caddy serves it at all.
func TestHostHeaderChangesNoURL(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	site := strings.TrimSuffix(g.Issuer, "/")
	config := bytes.ReplaceAll(g.caddyfile(gatewayOptions{}), []byte("\n"+site+" {"), []byte("\n:"+site[strings.LastIndex(site, ":")+1:]+" {"))
	if err := g.loadCaddyfile(config); err != nil {
		t.Fatal(err)
	}
	var body string
	eventually(t, "an answer after the reload", func() bool {
		// Until the old server is gone, Caddy may cut a connection that it took.
		var err error
		_, body, err = sendRaw(g.Issuer, "GET /.well-known/openid-configuration HTTP/1.1\nHost: evil.example\nConnection: close\n\n")
		return err == nil
	})
	if !strings.Contains(body, g.Issuer) || strings.Contains(body, "evil") {
		t.Errorf("discovery for another host: %s", body)
	}
}

// HDR-12, HDR-13, HDR-15, HDR-17: no spelling of a request gets past the guard without a token.
func TestNothingPassesWithoutAToken(t *testing.T) {
	g := hardened(t)
	requests := []string{
		"GET /admin HTTP/1.1\nHost: localhost\nX-Forwarded-Uri: /public\nX-Original-URL: /public\nX-Rewrite-URL: /public\n\n",
		"GET /admin HTTP/1.1\nHost: localhost\nX-Forwarded-Prefix: /x\nX-Forwarded-Method: OPTIONS\n\n",
		"HEAD /admin HTTP/1.1\nHost: localhost\n\n",
		"TRACE /admin HTTP/1.1\nHost: localhost\n\n",
		"get /admin HTTP/1.1\nHost: localhost\n\n",
		"PROPFIND /admin HTTP/1.1\nHost: localhost\n\n",
		"POST /admin HTTP/1.1\nHost: localhost\nX-HTTP-Method-Override: GET\nContent-Length: 0\n\n",
		"GET /admin HTTP/1.1\nHost: localhost\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\n\n",
		"GET /admin HTTP/1.1\nHost: localhost\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAAQAAP__\n\n",
		"GET /admin HTTP/1.1\nHost: localhost\nConnection: Authorization\nAuthorization: Basic YTpi\n\n",
		"GET /admin HTTP/1.0\nHost: localhost\n\n",
	}
	for _, path := range []string{
		"//admin", "/./admin", "/public/../admin", "/public/..%2fadmin", "/%61dmin", "/admin%2f", "/ADMIN", "/admin;x=1",
		"/admin%23", "/admin?x=/public", `/\admin`, "/admin%00", "/%2e%2e/admin", "/.well-known/oauth-protected-resource/../../admin",
		"/.well-known/oauth-protected-resource%2f..%2f..%2fadmin", "http://localhost/admin",
	} {
		requests = append(requests, "GET "+path+" HTTP/1.1\nHost: localhost\n\n")
	}
	for _, request := range requests {
		resp, _ := g.raw(g.API, request)
		if resp.StatusCode < http.StatusBadRequest {
			t.Errorf("%q: status %d", request, resp.StatusCode)
		}
		if seen := g.upstream.take(); len(seen) != 0 {
			t.Errorf("%q reached the upstream", request)
		}
	}
}

// HDR-15: with a matcher, the spellings that Caddy takes for the path are guarded too.
func TestGuardWithAMatcher(t *testing.T) {
	g := startGateway(t, gatewayOptions{API: `bearer_auth /admin* {
			audience https://api.example.com
		}
		reverse_proxy UPSTREAM`})
	for _, path := range []string{
		"/admin", "//admin", "/./admin", "/public/../admin", "/public/..%2fadmin", "/%61dmin", "/admin%2f", "/ADMIN",
		"/admin;x=1", "/admin%23", "/admin?x=/public",
	} {
		resp, _ := g.raw(g.API, "GET "+path+" HTTP/1.1\nHost: localhost\n\n")
		if seen := g.upstream.take(); len(seen) != 0 || resp.StatusCode < http.StatusBadRequest {
			t.Errorf("%s: status %d, %d requests at the upstream", path, resp.StatusCode, len(seen))
		}
	}
}

// HDR-18: only a true CORS preflight passes unauthenticated, and goes no further than the guard.
func TestOptions(t *testing.T) {
	g := hardened(t)
	const origin = "Origin: http://localhost:3999\n"
	tests := []struct {
		name, headers string
		status        int
	}{
		{"plain", "", http.StatusUnauthorized},
		{"with an origin alone", origin, http.StatusUnauthorized},
		{"with a method alone", "Access-Control-Request-Method: GET\n", http.StatusUnauthorized},
		{"preflight", origin + "Access-Control-Request-Method: GET\n", http.StatusNoContent},
		{"preflight with a body", origin + "Access-Control-Request-Method: GET\nContent-Length: 4\n", http.StatusNoContent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp, _ := g.raw(g.API, "OPTIONS /orders HTTP/1.1\nHost: localhost\nConnection: close\n"+tt.headers+"\nbody")
			if resp.StatusCode != tt.status {
				t.Errorf("status %d, want %d", resp.StatusCode, tt.status)
			}
			if seen := g.upstream.take(); len(seen) != 0 {
				t.Error("it reached the upstream")
			}
		})
	}
}

// claimsHandler sets the claims of its configuration as the guard does, so that
// tokens can say what ours never would.
type claimsHandler struct {
	Payload string `json:"payload,omitempty"`
}

func init() {
	caddy.RegisterModule(claimsHandler{})
	httpcaddyfile.RegisterHandlerDirective("test_claims", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h.Next()
		c := new(claimsHandler)
		if !h.Args(&c.Payload) {
			return nil, h.ArgErr()
		}
		return c, nil
	})
	httpcaddyfile.RegisterDirectiveOrder("test_claims", httpcaddyfile.Before, "basic_auth")
}

func (claimsHandler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.test_claims", New: func() caddy.Module { return new(claimsHandler) }}
}

func (c *claimsHandler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	claims, err := verify.ParseClaims([]byte(c.Payload), nil)
	if err != nil {
		return err
	}
	setUser(r, claims)
	return next.ServeHTTP(w, r)
}

// HDR-19, HDR-20: what a claim says is text. It is never expanded, and breaks no header.
func TestPlaceholdersAreLiteral(t *testing.T) {
	const canary = "canary-of-the-environment"
	t.Setenv("GATEHOUSE_TEST_CANARY", canary)
	now := 1_700_000_000
	claims := func(name string) string {
		b, err := json.Marshal(map[string]any{
			"iss": "https://a.example/", "sub": name, "aud": "a", "client_id": "c", "jti": "j", "iat": now, "exp": now + 600, "name": name,
		})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	tests := []struct {
		name, claim string
		passes      bool
	}{
		{"HDR-20 environment", "{env.GATEHOUSE_TEST_CANARY}", true},
		{"HDR-20 file", "{file./etc/hostname}", true},
		{"HDR-20 header of the request", "{http.request.header.X-Secret}", true},
		{"HDR-20 placeholder of a placeholder", "{{env.GATEHOUSE_TEST_CANARY}}", true},
		{"HDR-19 line break", "bob\r\nX-Admin: 1", false},
		{"HDR-19 NUL", "bob\x00", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// In JSON, so that nothing reads the braces on the way in.
			g := startGateway(t, gatewayOptions{})
			config := g.config(gatewayOptions{API: `route {
					test_claims MARK
					request_header X-Copy {http.auth.user.id}
					reverse_proxy UPSTREAM {
						header_up X-User {http.auth.user.name}
					}
				}`})
			mark, err := json.Marshal(claims(tt.claim))
			if err != nil {
				t.Fatal(err)
			}
			if err := caddy.Load(bytes.Replace(config, []byte(`"MARK"`), mark, 1), true); err != nil {
				t.Fatal(err)
			}
			g.handedOver()
			resp, body := g.call("/", "", "X-Secret", "canary-of-the-request")
			seen := g.upstream.take()
			if !tt.passes {
				for _, r := range seen {
					if r.Header.Get("X-Admin") != "" || strings.ContainsAny(r.Header.Get("X-User"), "\r\n\x00") {
						t.Errorf("the upstream sees %v", r.Header)
					}
				}
				return
			}
			if resp.StatusCode != http.StatusOK || len(seen) != 1 {
				t.Fatalf("status %d %s, %d requests at the upstream", resp.StatusCode, body, len(seen))
			}
			for _, name := range []string{"X-User", "X-Copy"} {
				if got := seen[0].Header.Get(name); got != tt.claim {
					t.Errorf("%s: the upstream sees %q, want the text %q", name, got, tt.claim)
				}
			}
		})
	}
}

// A guard outside of Caddy's HTTP server has no placeholders to set.
func TestSetUserWithoutReplacer(t *testing.T) {
	setUser(httptest.NewRequest(http.MethodGet, "/", nil), nil)
}
