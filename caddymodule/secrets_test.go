package caddymodule

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
)

// redactLogs is the log filter of the documentation: it takes out what carries
// codes, states and tokens. Caddy redacts Authorization and cookies by itself.
const redactLogs = `log {
		output file %DIR%/access.log {
			roll_disabled
		}
		format filter {
			wrap json
			fields {
				request>uri query {
					replace code REDACTED
					replace state REDACTED
					replace site_request REDACTED
					replace site_logout REDACTED
					replace nonce REDACTED
					replace access_token REDACTED
					replace id_token_hint REDACTED
					replace login_hint REDACTED
					replace logout_hint REDACTED
					replace client_secret REDACTED
					replace code_challenge REDACTED
				}
				request>headers>Referer delete
				request>headers>Dpop delete
				resp_headers>Location delete
			}
		}
	}
	oauth_server`

// SEC-01, SEC-02, SEC-04, SEC-05, SEC-09, CLI-18, RT-24: no secret, code, token
// or session is in any log, metric, event, answer of the admin API, in the
// configuration, or in the store.
func TestSecretsAreNowhere(t *testing.T) {
	g := newGateway(t)
	t.Setenv("GATEHOUSE_TEST_SECRET", g.Secret)
	options := gatewayOptions{
		Secret: "{env.GATEHOUSE_TEST_SECRET}",
		Server: strings.ReplaceAll(redactLogs, "%DIR%", g.dir),
		Client: "refresh_token {\n leeway 0s\n}",
	}
	if err := g.load(options); err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{
		"gateway secret": g.Secret, "password": testPassword, "client secret": g.Machine,
		"state": "canary-state", "nonce": "canary-nonce",
	}
	g.exercise(secrets)
	_, metrics := g.admin(http.MethodGet, "/metrics")
	_, config := g.admin(http.MethodGet, "/config/")
	_, stats := g.admin(http.MethodGet, "/oauth/stats")
	_, grants := g.admin(http.MethodGet, "/oauth/grants?subject=local%7Calice")
	access, err := os.ReadFile(g.dir + "/access.log")
	if err != nil {
		t.Fatal(err)
	}
	store, err := os.ReadFile(g.Store)
	if err != nil {
		t.Fatal(err)
	}
	// What must hold for the logs below to show anything.
	if !strings.Contains(string(access), "/authorize?") || !strings.Contains(metrics, "caddy_oauth_refreshes_total") {
		t.Fatal("the access log or the metrics are not there")
	}
	places := map[string]string{
		"log": g.logs(), "access log": string(access), "metrics": metrics, "config": config,
		"stats": stats, "grants": grants, "store": string(store),
	}
	for place, text := range places {
		for what, secret := range secrets {
			if what == "nonce" && place == "store" {
				continue // it waits beside the code for its ID token, and proves nothing
			}
			for _, form := range spellings(secret) {
				if strings.Contains(text, form) {
					t.Errorf("the %s is in the %s", what, place)
				}
			}
		}
	}
	for _, private := range []string{"local|alice", "alice", "127.0.0.1\""} {
		if strings.Contains(metrics, private) {
			t.Errorf("SEC-07: %q is in the metrics", private)
		}
	}
}

// spellings returns how a secret may be written where it must not be.
func spellings(secret string) []string {
	return []string{
		secret, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret)),
		base64.RawURLEncoding.EncodeToString([]byte(secret)), hex.EncodeToString([]byte(secret)),
	}
}

// exercise uses every endpoint, rightly and wrongly, and notes what is secret.
func (g *gateway) exercise(secrets map[string]string) {
	g.t.Helper()
	verifier := strings.Repeat("canary-verifier-", 3)
	secrets["verifier"], secrets["code"] = verifier, g.authorize(verifier)
	redeem := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"my-spa"}, "redirect_uri": {testCallback},
		"code": {secrets["code"]}, "code_verifier": {verifier},
	}
	first := g.token(redeem)
	second := g.refresh(first.RefreshToken)
	secrets["access token"], secrets["refresh token"], secrets["ID token"] = first.AccessToken, first.RefreshToken, first.IDToken
	secrets["second access token"], secrets["second refresh token"] = second.AccessToken, second.RefreshToken
	secrets["machine's token"] = g.machineToken()
	for what, secret := range secrets {
		if secret == "" {
			g.t.Fatalf("there is no %s", what)
		}
	}
	for _, token := range []string{second.AccessToken, second.AccessToken + "x", "canary-garbage-token", "a.canary-garbage-token.c"} {
		g.call("/orders", token)
	}
	secrets["garbage"] = "canary-garbage"
	g.call("/orders", "", "Cookie", "canary-garbage-cookie=1", "Proxy-Authorization", "Bearer canary-garbage-token")
	g.token(redeem)                 // the code again
	g.refresh(first.RefreshToken)   // the token again
	g.refresh("rt1.canary-garbage") // no token of ours
	g.token(url.Values{"grant_type": {"client_credentials"}, "client_id": {"worker"}, "client_secret": {"canary-garbage-secret"}})
	g.do(g.request(g.url("/oauth/token"), url.Values{"grant_type": {"canary-garbage-grant"}}, "Authorization", "Basic Y2FuYXJ5OmNhbmFyeS1nYXJiYWdl"))
	for _, path := range []string{"/oauth/revoke", "/oauth/introspect"} {
		g.do(g.request(g.url(path), url.Values{"client_id": {"worker"}, "client_secret": {g.Machine}, "token": {secrets["machine's token"]}}))
	}
	g.do(g.request(g.url("/userinfo"), nil, "Authorization", "Bearer "+second.AccessToken))
	g.do(g.request(g.url("/oidc/logout?id_token_hint="+first.IDToken+"&state=canary-state"), nil))
	g.do(g.request(g.url("/authorize?client_id=my-spa&access_token=canary-garbage-token"), nil))
}

// SEC-05: what a client sends forges no log line.
func TestLogInjection(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	forged := "x\n{\"level\":\"info\",\"msg\":\"forged\"}\x1b[31m" + strings.Repeat("y", 5000)
	g.token(url.Values{"grant_type": {"refresh_token"}, "client_id": {forged}, "refresh_token": {"rt1." + forged}})
	g.token(url.Values{"grant_type": {forged}, "client_id": {"my-spa"}})
	g.do(g.request(g.url("/authorize?client_id="+url.QueryEscape(forged)), nil))
	for line := range strings.Lines(g.logs()) {
		var entry struct {
			Message string `json:"msg"`
			Logger  string `json:"logger"`
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Errorf("not a line of JSON: %.200q", line)
		}
		if entry.Message == "forged" || strings.Contains(line, "\x1b") {
			t.Errorf("a client wrote a line of the log: %.200q", line)
		}
		if entry.Logger == "oauth" && len(line) > 2000 {
			t.Errorf("a client made a line of %d bytes", len(line))
		}
	}
}

// SEC-11: the audit log has what happened, to whom, from where.
func TestAuditLog(t *testing.T) {
	g := startGateway(t, gatewayOptions{Client: "refresh_token {\n leeway 0s\n}"})
	first := g.login()
	g.refresh(first.RefreshToken)
	g.refresh(first.RefreshToken)
	g.do(g.request(g.url("/oauth/revoke"), url.Values{"client_id": {"my-spa"}, "token": {g.login().RefreshToken}})) // the first has ended
	g.token(url.Values{"grant_type": {"client_credentials"}, "client_id": {"worker"}, "client_secret": {"wrong"}})
	g.admin(http.MethodPost, "/oauth/keys/rotate?immediate=true")
	found := make(map[string]map[string]any)
	for line := range strings.Lines(g.logs()) {
		entry := make(map[string]any)
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if entry["logger"] == "oauth" {
			found[entry["msg"].(string)] = entry
		}
	}
	tests := []struct {
		event  string
		fields []string
	}{
		{"login", []string{"outcome", "subject", "client_ip", "request_id"}},
		{"code_issued", []string{"client", "subject", "client_ip", "request_id"}},
		{"token_issued", []string{"client", "grant_type", "subject", "user", "family", "client_ip", "request_id"}},
		{"refresh", []string{"outcome", "client", "user", "family", "client_ip", "request_id"}},
		{"refresh_reuse_detected", []string{"client", "user", "family", "client_ip", "request_id"}},
		{"token_refused", []string{"outcome", "client", "grant_type", "client_ip", "request_id"}},
		{"client_auth", []string{"outcome", "client", "client_ip", "request_id"}},
		{"revoked", []string{"client", "user", "family", "client_ip", "request_id"}},
		{"key_rotated", []string{"outcome"}},
	}
	for _, tt := range tests {
		entry, ok := found[tt.event]
		if !ok {
			t.Errorf("there is no line for %s", tt.event)
			continue
		}
		for _, field := range tt.fields {
			if entry[field] == nil || entry[field] == "" {
				t.Errorf("the line for %s has no %s: %v", tt.event, field, entry)
			}
		}
	}
	// The tag of the subject leads from one line to the next.
	tag := sha256.Sum256([]byte("local|alice"))
	if want := base64.RawURLEncoding.EncodeToString(tag[:16]); found["refresh"]["user"] != want || found["login"]["user"] != want {
		t.Errorf("user is %v at the login and %v at the refresh, want %s", found["login"]["user"], found["refresh"]["user"], want)
	}
}
