package caddymodule

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/caddymodule/adminapi"
)

func TestAdminEndsGrants(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	one, two := g.login(), g.login()
	status, body := g.admin(http.MethodGet, "/oauth/grants?subject=local%7Calice")
	var list adminapi.GrantList
	if err := json.Unmarshal([]byte(body), &list); err != nil || status != http.StatusOK || len(list.Grants) != 2 {
		t.Fatalf("listing: %d %s", status, body)
	}
	if grant := list.Grants[0]; grant.Client != "my-spa" || grant.Generation != 1 || grant.Expires.IsZero() || grant.AuthTime.IsZero() {
		t.Errorf("grant %+v", grant)
	}
	status, body = g.admin(http.MethodDelete, "/oauth/grants?subject=local%7Calice&family="+list.Grants[0].Family)
	if status != http.StatusOK || body != "{\"ended\":1}\n" {
		t.Fatalf("ending one: %d %s", status, body)
	}
	if answer := g.refresh(one.RefreshToken); answer.Error != "invalid_grant" {
		t.Errorf("refresh of the ended family: %d %s", answer.status, answer.body)
	}
	if resp, _ := g.call("/orders", one.AccessToken); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("access token of the ended family: %d, want 401", resp.StatusCode)
	}
	if two = g.refresh(two.RefreshToken); two.AccessToken == "" {
		t.Fatalf("refresh of the other family: %d %s", two.status, two.body)
	}
	status, body = g.admin(http.MethodDelete, "/oauth/grants?subject=local%7Calice")
	if status != http.StatusOK || body != "{\"ended\":1}\n" {
		t.Fatalf("ending all: %d %s", status, body)
	}
	if answer := g.refresh(two.RefreshToken); answer.Error != "invalid_grant" {
		t.Errorf("refresh after the end: %d %s", answer.status, answer.body)
	}
}

func TestAdminEndsAClient(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	token, session := g.machineToken(), g.login()
	if status, body := g.admin(http.MethodPost, "/oauth/clients/worker/end"); status != http.StatusOK {
		t.Fatalf("ending a client: %d %s", status, body)
	}
	if resp, _ := g.call("/orders", token); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("token of the ended client: %d, want 401", resp.StatusCode)
	}
	if resp, _ := g.call("/orders", session.AccessToken); resp.StatusCode != http.StatusOK {
		t.Errorf("token of another client: %d, want 200", resp.StatusCode)
	}
}

func TestAdminRotatesKeys(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	token := g.machineToken()
	status, body := g.admin(http.MethodPost, "/oauth/keys/rotate?immediate=true")
	var keys adminapi.KeyList
	if err := json.Unmarshal([]byte(body), &keys); err != nil || status != http.StatusOK || len(keys.Keys) < 4 {
		t.Fatalf("rotating: %d %s", status, body)
	}
	if resp, _ := g.call("/orders", token); resp.StatusCode != http.StatusOK {
		t.Errorf("token of the replaced key: %d, want 200", resp.StatusCode)
	}
	if resp, _ := g.call("/orders", g.machineToken()); resp.StatusCode != http.StatusOK {
		t.Errorf("token of the new key: %d, want 200", resp.StatusCode)
	}
}

func TestAdminErrors(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	tests := []struct {
		name, method, path string
		status             int
	}{
		{"no subject", http.MethodGet, "/oauth/grants", http.StatusBadRequest},
		{"no subject to end", http.MethodDelete, "/oauth/grants", http.StatusBadRequest},
		{"bad family", http.MethodDelete, "/oauth/grants?subject=a&family=b", http.StatusBadRequest},
		{"empty family ends nothing", http.MethodDelete, "/oauth/grants?subject=a&family=", http.StatusBadRequest},
		{"wrong method", http.MethodPost, "/oauth/grants?subject=a", http.StatusMethodNotAllowed},
		{"reading is no end", http.MethodGet, "/oauth/clients/my-spa/end", http.StatusMethodNotAllowed},
		{"unknown path", http.MethodGet, "/oauth/persons", http.StatusNotFound},
		{"path with more", http.MethodGet, "/oauth/users/a/b", http.StatusNotFound},
		{"client and subject", http.MethodGet, "/oauth/grants?subject=a&client=b", http.StatusBadRequest},
		{"unknown family", http.MethodGet, "/oauth/grants?family=hYOaL1gOij6LtAJgvMow1A", http.StatusNotFound},
		{"bad family to find", http.MethodGet, "/oauth/grants?family=b", http.StatusBadRequest},
		{"client without before", http.MethodDelete, "/oauth/grants?client=my-spa", http.StatusBadRequest},
		{"everyone without before", http.MethodDelete, "/oauth/grants?everyone=true", http.StatusBadRequest},
		{"before for nobody", http.MethodDelete, "/oauth/grants?before=2026-01-01T00:00:00Z", http.StatusBadRequest},
		{"everyone and one", http.MethodDelete, "/oauth/grants?before=2026-01-01T00:00:00Z&everyone=true&subject=a", http.StatusBadRequest},
		{"everyone, perhaps", http.MethodDelete, "/oauth/grants?before=2026-01-01T00:00:00Z&everyone=yes", http.StatusBadRequest},
		{"before and family", http.MethodDelete, "/oauth/grants?before=2026-01-01T00:00:00Z&subject=a&family=b", http.StatusBadRequest},
		{"no time", http.MethodDelete, "/oauth/grants?before=yesterday&subject=a", http.StatusBadRequest},
		{"time to come", http.MethodDelete, "/oauth/grants?before=2126-01-01T00:00:00Z&subject=a", http.StatusBadRequest},
		{"users who are half disabled", http.MethodGet, "/oauth/users?disabled=no", http.StatusBadRequest},
		{"users of no login", http.MethodGet, "/oauth/users?login=nobody", http.StatusBadRequest},
		{"no token", http.MethodPost, "/oauth/tokens/deny", http.StatusBadRequest},
		{"unknown key", http.MethodDelete, "/oauth/keys/none", http.StatusNotFound},
		{"immediate", http.MethodPost, "/oauth/keys/rotate?immediate=yes", http.StatusBadRequest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, body := g.admin(tt.method, tt.path)
			var failure struct {
				Error string `json:"error"`
			}
			if err := json.Unmarshal([]byte(body), &failure); err != nil || status != tt.status || failure.Error == "" {
				t.Errorf("%d %s, want %d and an error in JSON", status, body, tt.status)
			}
		})
	}
}

func TestAdminWithoutTheApp(t *testing.T) {
	g := newGateway(t)
	t.Cleanup(func() { _ = caddy.Stop() })
	config := `{"admin":{"listen":"` + g.AdminAddr + `","config":{"persist":false}},"logging":{"logs":{"default":{"level":"ERROR"}}}}`
	if err := caddy.Load([]byte(config), true); err != nil {
		t.Fatal(err)
	}
	if status, body := g.admin(http.MethodGet, "/oauth/stats"); status != http.StatusNotFound || !strings.Contains(body, "global option") {
		t.Errorf("%d %s", status, body)
	}
}
