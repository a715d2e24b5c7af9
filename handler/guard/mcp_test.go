package guard

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

const mcpServer = "https://mcp.example.com/mcp"

// newMCPGuard is a guard as `mcp` makes it.
func newMCPGuard(t *testing.T, change ...func(*Config)) *Guard {
	t.Helper()
	known := checker{
		"good":  claimsOf(t, `{"aud":["`+mcpServer+`"],"scope":"mcp:tools"}`),
		"other": claimsOf(t, `{"aud":["`+mcpServer+`"],"scope":"mcp:read"}`),
	}
	return newTestGuard(t, known, append([]func(*Config){func(c *Config) {
		c.Audience, c.Scopes, c.MCP = []string{mcpServer}, []string{"mcp:tools"}, true
	}}, change...)...)
}

// M-27, M-28: the document is at each guarded path and at the root, and names the address that the
// client was given: VS Code, the Go SDK and the Gemini CLI compare it as text.
func TestM27M28Documents(t *testing.T) {
	for audience, places := range map[string]map[string]string{
		mcpServer: {
			"/mcp": mcpServer, "": mcpServer, "/mcp/": mcpServer + "/", "/mcp/a/b": mcpServer + "/a/b", "/mcp/a%2Fb": mcpServer + "/a%2Fb",
			"/mcpx": "-", "/other": "-", "/": "-",
		},
		"https://mcp.example.com": {"": "https://mcp.example.com", "/mcp": mcpServer, "/": "https://mcp.example.com/"},
	} {
		g := newMCPGuard(t, func(c *Config) { c.Audience = []string{audience} })
		for at, want := range places {
			r := request(t, http.MethodGet, "https://mcp.example.com"+MetadataPath+at)
			if served := g.ServesMetadata(r.URL.Path); served != (want != "-") {
				t.Errorf("%s: %q is served: %t", audience, at, served)
				continue
			}
			if want == "-" {
				continue
			}
			w := httptest.NewRecorder()
			g.Metadata(w, r)
			var document struct {
				Resource string   `json:"resource"`
				Servers  []string `json:"authorization_servers"`
				Scopes   []string `json:"scopes_supported"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &document); err != nil || document.Resource != want || len(document.Servers) != 1 || document.Servers[0] != testIssuer || len(document.Scopes) != 1 {
				t.Errorf("%s: at %q: %+v, %v; want %s", audience, at, document, err, want)
			}
		}
	}
}

// M-29, M-30: the same challenge for each method: Bearer first, quoted, with the scope and the absolute
// address of the path's own document.
func TestM29M30Challenge(t *testing.T) {
	g := newMCPGuard(t)
	for path, document := range map[string]string{"/mcp": "/mcp", "/mcp/": "/mcp/", "/mcp/x?y=z": "/mcp/x", "/elsewhere": "/mcp"} {
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodHead, http.MethodDelete} {
			res, seen := guarded(t, g, request(t, method, "https://mcp.example.com"+path), nil)
			want := `Bearer realm="` + mcpServer + `", scope="mcp:tools", resource_metadata="https://mcp.example.com` + MetadataPath + document + `"`
			if lines := res.Header["Www-Authenticate"]; seen != nil || res.StatusCode != http.StatusUnauthorized || len(lines) != 1 || lines[0] != want {
				t.Errorf("%s %s: %d %q, want %q", method, path, res.StatusCode, lines, want)
			}
		}
	}
}

// M-25: too little scope is 403 with all scopes of the route. M-06: what no login can change asks for none.
func TestM06M25Forbidden(t *testing.T) {
	g := newMCPGuard(t, func(c *Config) { c.Scopes = []string{"mcp:tools", "mcp:admin"} })
	res, _ := guarded(t, g, request(t, http.MethodPost, mcpServer, "Authorization", "Bearer good"), nil)
	if line := res.Header.Get("WWW-Authenticate"); res.StatusCode != http.StatusForbidden || !strings.HasPrefix(line, "Bearer ") ||
		!strings.Contains(line, `error="insufficient_scope"`) || !strings.Contains(line, `scope="mcp:tools mcp:admin"`) || !strings.Contains(line, `resource_metadata="https://mcp.example.com`+MetadataPath+`/mcp"`) {
		t.Errorf("%d %q", res.StatusCode, line)
	}
	g = newMCPGuard(t, func(c *Config) { c.Claims = []ClaimRule{{Claim: "org", Values: []string{"acme"}}} })
	res, _ = guarded(t, g, request(t, http.MethodPost, mcpServer, "Authorization", "Bearer good"), nil)
	if line := res.Header.Get("WWW-Authenticate"); res.StatusCode != http.StatusForbidden || strings.Contains(line, "error=") || strings.Contains(line, "resource_metadata") {
		t.Errorf("a claim: %d %q", res.StatusCode, line)
	}
}

// M-31: pages of any origin, such as the MCP Inspector's: preflights without a token, refusals that a
// script can read, the session id of the upstream, and never with cookies.
func TestM31CORS(t *testing.T) {
	g := newMCPGuard(t)
	const inspector = "http://localhost:6274"
	asked := "authorization,content-type,mcp-protocol-version,mcp-session-id,last-event-id,mcp-method,mcp-name"
	res, seen := guarded(t, g, request(t, http.MethodOptions, mcpServer, "Origin", inspector, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", asked), nil)
	if seen != nil || res.StatusCode != http.StatusNoContent || res.Header.Get("Access-Control-Allow-Origin") != inspector || res.Header.Get("Access-Control-Allow-Headers") != asked {
		t.Errorf("preflight: %d %v", res.StatusCode, res.Header)
	}
	for _, token := range []string{"Bearer good", "Bearer bad"} {
		res, _ := guarded(t, g, request(t, http.MethodPost, mcpServer, "Origin", inspector, "Authorization", token), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Mcp-Session-Id", "1")
			w.Header().Set("Access-Control-Allow-Origin", "https://upstream.example.com")
			w.WriteHeader(http.StatusOK)
		})
		exposed := res.Header.Get("Access-Control-Expose-Headers")
		if res.Header.Get("Access-Control-Allow-Origin") != inspector || !strings.Contains(exposed, "WWW-Authenticate") || !strings.Contains(exposed, "Mcp-Session-Id") || res.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %d %v", token, res.StatusCode, res.Header)
		}
	}
	if _, err := New(Config{Access: checker{}, Audience: []string{mcpServer}, IssuerURL: testIssuer, MCP: true, Cookie: "token"}); err == nil {
		t.Error("with a cookie")
	}
}

// M-48, M-50: a token is refused with 401, too little scope with 403, and never with 400 or 404, at which VS Code begins a
// new session and sends the same again; but two tokens are 400. What is let in goes up without the token.
func TestM48M50Answers(t *testing.T) {
	g := newMCPGuard(t, func(c *Config) { c.StripToken = true })
	for _, tt := range []struct {
		name   string
		tokens []string
		want   int
	}{
		{"none", nil, http.StatusUnauthorized},
		{"garbage", []string{"Bearer bad"}, http.StatusUnauthorized},
		{"another scheme", []string{"Basic Z29vZDo="}, http.StatusUnauthorized},
		{"too little scope", []string{"Bearer other"}, http.StatusForbidden},
		{"two", []string{"Bearer good", "Bearer other"}, http.StatusBadRequest},
		{"good", []string{"Bearer good"}, http.StatusOK},
	} {
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
			r := request(t, method, mcpServer, "Mcp-Session-Id", "gone")
			r.Header["Authorization"] = slices.Clone(tt.tokens)
			res, seen := guarded(t, g, r, nil)
			if res.StatusCode != tt.want {
				t.Errorf("%s, %s: status %d, want %d", tt.name, method, res.StatusCode, tt.want)
			}
			if (seen != nil) != (tt.want == http.StatusOK) || seen != nil && (seen.Header.Get("Authorization") != "" || seen.Header.Get("Mcp-Session-Id") != "gone") {
				t.Errorf("%s, %s: the server gets %v", tt.name, method, seen)
			}
		}
	}
}
