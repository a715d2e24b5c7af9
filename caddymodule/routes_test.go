package caddymodule

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/handler/guard"
)

func TestHandlersNeedTheApp(t *testing.T) {
	tests := []struct{ name, handler, want string }{
		{"oauth_server", `{"handler":"oauth_server"}`, "oauth_server: no authorization server is configured: add the global option `oauth { … }`"},
		{"bearer_auth", `{"handler":"bearer_auth","audience":["a"]}`, "bearer_auth: no authorization server is configured: add the global option `oauth { … }`"},
		{"JSON is checked", `{"handler":"bearer_auth"}`, "bearer_auth: audience: name at least one"},
		{"JSON is checked", `{"handler":"oauth_server","paths":{"tokens":"/a"}}`, `moving endpoint "tokens"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := `{"admin":{"disabled":true},"apps":{"http":{"servers":{"a":{"routes":[{"handle":[` + tt.handler + `]}]}}}}}`
			err := validateConfig(t, []byte(config))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestAudienceMustBeAnAPI(t *testing.T) {
	g := newGateway(t)
	err := validateConfig(t, g.config(gatewayOptions{API: "bearer_auth {\n audience https://typo.example.com\n}"}))
	want := `audience "https://typo.example.com" is not an ` + "`api`" + ` of the global option ` + "`oauth`" + `; there are: https://api.example.com`
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q in it", err, want)
	}
	if n := references(g.Store); n != 0 {
		t.Errorf("%d references are left after a failed provision", n)
	}
}

func TestRefusalsGoThroughHandleErrors(t *testing.T) {
	g := startGateway(t, gatewayOptions{API: `bearer_auth {
			audience https://api.example.com
			scope orders:read
		}
		reverse_proxy UPSTREAM
		handle_errors {
			respond "page for {err.status_code}: {err.message}"
		}`})
	token := g.machineToken()
	tests := []struct {
		name, token string
		status      int
		challenge   string
	}{
		{"no token", "", http.StatusUnauthorized, `Bearer realm="https://api.example.com", scope="orders:read", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource"`},
		{"bad token", "canary.token.text", http.StatusUnauthorized, `error="invalid_token"`},
		{"good token", token, http.StatusOK, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp, body := g.call("/orders", tt.token)
			if resp.StatusCode != tt.status {
				t.Fatalf("status %d, want %d: %s", resp.StatusCode, tt.status, body)
			}
			if challenge := resp.Header.Get("WWW-Authenticate"); !strings.Contains(challenge, tt.challenge) {
				t.Errorf("challenge %q, want %q in it", challenge, tt.challenge)
			}
			if tt.status != http.StatusOK && !strings.HasPrefix(body, "page for 401") {
				t.Errorf("body %q is not of handle_errors", body)
			}
			if strings.Contains(body, "canary") {
				t.Error("the page shows the token")
			}
		})
	}
}

func TestRefusalWithoutHandleErrors(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	resp, body := g.call("/orders", "canary.token.text")
	if resp.StatusCode != http.StatusUnauthorized || len(body) > 100 || strings.Contains(body, "canary") {
		t.Errorf("status %d, body %q", resp.StatusCode, body)
	}
	if seen := g.upstream.take(); len(seen) != 0 {
		t.Errorf("%d requests reached the upstream", len(seen))
	}
}

// shared returns the state that the running gateway uses.
func (g *gateway) shared() *sharedState {
	g.t.Helper()
	var found *sharedState
	states.Range(func(key, value any) bool {
		if key == "bolt:"+g.Store {
			found = value.(*sharedState)
		}
		return found == nil
	})
	if found == nil {
		g.t.Fatal("no state is shared for " + g.Store)
	}
	return found
}

func TestStoreTroubleIs503(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	session := g.login()
	if err := g.shared().state.Store.Close(); err != nil {
		t.Fatal(err)
	}
	refresh, _ := g.do(g.request(g.url("/oauth/token"), map[string][]string{
		"grant_type": {"refresh_token"}, "client_id": {"my-spa"}, "refresh_token": {session.RefreshToken},
	}))
	call, body := g.call("/orders", session.AccessToken)
	if len(body) > 100 {
		t.Errorf("body %q", body)
	}
	for name, resp := range map[string]reply{"token endpoint": refresh, "guarded route": call} {
		if resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%s: status %d, want 503", name, resp.StatusCode)
		}
		if resp.Header.Get("Retry-After") == "" || resp.Header.Get("WWW-Authenticate") != "" {
			t.Errorf("%s: headers %v: want Retry-After and no challenge", name, resp.Header)
		}
		if kind := resp.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/plain") {
			t.Errorf("%s: content type %q, want text/plain", name, kind)
		}
	}
	if logs := g.logs(); !strings.Contains(logs, `"level":"error"`) || !strings.Contains(logs, "it is closed") {
		t.Error("the log does not say what is wrong with the store")
	}
}

// siteFiles makes a folder with an index page.
func siteFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte("the app"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestEndpointsAreAheadOfTryFiles(t *testing.T) {
	g := startGateway(t, gatewayOptions{Server: `root * ` + siteFiles(t) + `
		try_files {path} /index.html
		file_server
		oauth_server {
			path token /oauth2/token
		}`})
	_, body := g.do(g.request(g.url("/.well-known/openid-configuration"), nil))
	var discovery struct {
		Issuer string `json:"issuer"`
		Token  string `json:"token_endpoint"`
	}
	if err := json.Unmarshal([]byte(body), &discovery); err != nil {
		t.Fatalf("discovery: %v: %s", err, body)
	}
	if discovery.Issuer != g.Issuer || discovery.Token != g.url("/oauth2/token") {
		t.Errorf("discovery says %+v", discovery)
	}
	if resp, body := g.do(g.request(discovery.Token, map[string][]string{"grant_type": {"x"}})); resp.StatusCode != http.StatusBadRequest && resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("moved token endpoint: %d %s", resp.StatusCode, body)
	}
	for _, path := range []string{"/", "/orders/7", "/oauth/token"} {
		if _, body := g.do(g.request(g.url(path), nil)); body != "the app" {
			t.Errorf("%s: %q, want the app", path, body)
		}
	}
}

func TestGuardIsBehindRewrites(t *testing.T) {
	g := startGateway(t, gatewayOptions{API: `rewrite /public /admin/secret
		bearer_auth /admin/* {
			audience https://api.example.com
		}
		basic_auth /admin/* {
			alice $2a$04$5D1fGyBHeOPSkzPVNwMO9uJ8qy.9oOKlsLpfnpVnQxwcJ7bTTBqWG
		}
		reverse_proxy UPSTREAM`})
	for _, path := range []string{"/public", "/admin/secret"} {
		resp, _ := g.call(path, "")
		if resp.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Bearer ") {
			t.Errorf("%s: %d %q, want the guard's 401, ahead of basic_auth's", path, resp.StatusCode, resp.Header.Get("WWW-Authenticate"))
		}
	}
	if resp, _ := g.call("/other", ""); resp.StatusCode != http.StatusOK {
		t.Errorf("outside of the matcher: %d, want 200", resp.StatusCode)
	}
}

func TestMetadataDocumentIsThereForTheWholeSite(t *testing.T) {
	block := `bearer_auth /api/* {
			audience https://api.example.com
			scope orders:read
		}`
	tests := []struct {
		name, site string
		status     int // of the API without a token
	}{
		{"guard with a matcher", block + "\nrespond app", http.StatusUnauthorized},
		{"guard without a matcher", strings.Replace(block, "/api/* ", "", 1) + "\nrespond app", http.StatusUnauthorized},
		// Every path that is no file is the app's then, /api too.
		{"behind try_files", "root * " + siteFiles(t) + "\ntry_files {path} /index.html\n" + block + "\nfile_server", http.StatusOK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := startGateway(t, gatewayOptions{API: tt.site})
			resp, body := g.call(guard.MetadataPath, "")
			var document struct {
				Resource string   `json:"resource"`
				Servers  []string `json:"authorization_servers"`
				Scopes   []string `json:"scopes_supported"`
			}
			if err := json.Unmarshal([]byte(body), &document); err != nil {
				t.Fatalf("%d %s: %v", resp.StatusCode, body, err)
			}
			if document.Resource != testAPI || len(document.Servers) != 1 || document.Servers[0] != g.Issuer || len(document.Scopes) != 1 {
				t.Errorf("document %+v", document)
			}
			if resp, _ := g.call("/api/orders", ""); resp.StatusCode != tt.status {
				t.Errorf("the API without a token: %d, want %d", resp.StatusCode, tt.status)
			}
		})
	}
}

// A rewrite must not turn the path of the document into a way around the guard.
func TestMetadataRouteIsNoWayAround(t *testing.T) {
	g := startGateway(t, gatewayOptions{API: `rewrite * /api/secret
		bearer_auth {
			audience https://api.example.com
		}
		reverse_proxy UPSTREAM`})
	for _, path := range []string{"/x", guard.MetadataPath + "/x", guard.MetadataPath} {
		g.call(path, "")
	}
	if seen := g.upstream.take(); len(seen) != 0 {
		t.Errorf("%d requests without a token reached the upstream", len(seen))
	}
}

func TestPlaceholdersOfTheUser(t *testing.T) {
	g := startGateway(t, gatewayOptions{API: `handle /api/* {
			bearer_auth {
				audience https://api.example.com
				optional
			}
			respond "{http.auth.user.id} {http.auth.user.client_id} {http.auth.user.scope} {http.auth.user.aud} {http.auth.user.none}."
		}`})
	session := g.login()
	if _, body := g.call("/api/who", session.AccessToken); !strings.HasPrefix(body, "local|alice my-spa ") || !strings.Contains(body, testAPI) || !strings.HasSuffix(body, " .") {
		t.Errorf("with a token: %q", body)
	}
	if _, body := g.call("/api/who", ""); body != "    ." {
		t.Errorf("without a token: %q", body)
	}
	if resp, _ := g.call("/api/who", "bad.token.text"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("with a bad token: %d, want 401", resp.StatusCode)
	}
}
