package caddymodule

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// consentTo signs alice in to my-spa and presses Allow, and returns what the code gives.
func (g *gateway) consentTo() tokenAnswer {
	g.t.Helper()
	return g.agreeTo("my-spa", testCallback)
}

// agreeTo is consentTo for any client; alice may be signed in.
func (g *gateway) agreeTo(client, redirect string) tokenAnswer {
	g.t.Helper()
	verifier := strings.Repeat("canary-verifier-", 3)
	challenge := sha256.Sum256([]byte(verifier))
	query := url.Values{
		"response_type": {"code"}, "client_id": {client}, "redirect_uri": {redirect}, "scope": {"openid offline_access orders:read"}, "audience": {testAPI},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	origin := []string{"Origin", strings.TrimSuffix(g.Issuer, "/")}
	_, page := g.do(g.request(g.url("/authorize?"+query.Encode()), nil))
	form := func(path string, more url.Values) (reply, string) {
		ticket := ticketField.FindStringSubmatch(page)
		if ticket == nil {
			g.t.Fatalf("no form for %s: %s", path, page)
		}
		more.Set("request", ticket[1])
		return g.do(g.request(g.url(path), more, origin...))
	}
	if strings.Contains(page, `name="password"`) {
		_, page = form("/login", url.Values{"login": {"local"}, "username": {"alice"}, "password": {testPassword}, "action": {"login"}})
	}
	resp, page := form("/consent", url.Values{"action": {"allow"}})
	location, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || location.Query().Get("code") == "" {
		g.t.Fatalf("no code: %d %s %s", resp.StatusCode, location, page)
	}
	return g.token(url.Values{
		"grant_type": {"authorization_code"}, "client_id": {client}, "redirect_uri": {redirect},
		"code": {location.Query().Get("code")}, "code_verifier": {verifier},
	})
}

// TestConsentCommands: an operator sees what somebody has agreed to, and takes it back.
func TestConsentCommands(t *testing.T) {
	g := startGateway(t, gatewayOptions{Client: "consent always\nname \"Orders desk\""})
	answer := g.consentTo()
	out, _ := g.ok("consents", "list", "local|alice")
	for _, want := range []string{"CLIENT", "my-spa", "Orders desk", testAPI, "offline_access openid orders:read"} {
		if !strings.Contains(out, want) {
			t.Errorf("the list lacks %q:\n%s", want, out)
		}
	}
	if status, body := g.admin(http.MethodGet, "/oauth/consents?subject=local|alice"); status != http.StatusOK || !strings.Contains(body, `"client":"my-spa"`) {
		t.Errorf("GET: %d %s", status, body)
	}
	for path, want := range map[string]int{
		"/oauth/consents":                                       http.StatusBadRequest,
		"/oauth/consents?subject=local|alice":                   http.StatusBadRequest,
		"/oauth/consents?subject=local|alice&client=my-spaa":    http.StatusNotFound,
		"/oauth/consents?subject=local|nobody&client=my-spa":    http.StatusNotFound,
		"/oauth/consents?subject=local|alice&client=0011223344": http.StatusNotFound,
	} {
		if status, body := g.admin(http.MethodDelete, path); status != want {
			t.Errorf("DELETE %s: %d %s", path, status, body)
		}
	}
	if resp, _ := g.call("/orders", answer.AccessToken); resp.StatusCode != http.StatusOK {
		t.Fatalf("guarded call: %d", resp.StatusCode)
	}
	if out, _ := g.ok("consents", "withdraw", "local|alice", "my-spa"); out != "withdrawn: what local|alice has agreed to at my-spa; ended: 1 refresh token family, codes and access tokens\n" {
		t.Errorf("withdrawn:\n%s", out)
	}
	if resp, _ := g.call("/orders", answer.AccessToken); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("guarded call: %d, want 401", resp.StatusCode)
	}
	if a := g.refresh(answer.RefreshToken); a.Error != "invalid_grant" {
		t.Errorf("refresh: %d %s", a.status, a.body)
	}
	if out, _ := g.ok("consents", "list", "local|alice"); out != "local|alice has agreed to nothing\n" {
		t.Errorf("afterwards:\n%s", out)
	}
	if logs := g.logs(); !strings.Contains(logs, `"withdraw_consent"`) || !strings.Contains(logs, `"msg":"consent","outcome":"given"`) || !strings.Contains(logs, `"msg":"consent","outcome":"withdrawn"`) {
		t.Error("the log lacks what was agreed to, the audit or the withdrawal")
	}
}
