package caddymodule

import (
	"net/http"
	"strings"
	"testing"
)

func TestLoginCallRefreshAndReuse(t *testing.T) {
	g := startGateway(t, gatewayOptions{Client: "refresh_token {\n leeway 0s\n}"})
	first := g.login()
	resp, body := g.call("/orders", first.AccessToken)
	if resp.StatusCode != http.StatusOK || body != "upstream /orders" {
		t.Fatalf("guarded call: %d %s", resp.StatusCode, body)
	}
	if seen := g.upstream.take(); len(seen) != 1 || seen[0].Header.Get("X-Auth-Subject") != "local|alice" {
		t.Fatalf("the upstream saw %d requests: %v", len(seen), seen)
	}
	second := g.refresh(first.RefreshToken)
	if second.AccessToken == "" {
		t.Fatalf("refresh: %d %s", second.status, second.body)
	}
	if stolen := g.refresh(first.RefreshToken); stolen.status != http.StatusBadRequest || stolen.Error != "invalid_grant" {
		t.Fatalf("reuse: %d %s", stolen.status, stolen.body)
	}
	if after := g.refresh(second.RefreshToken); after.Error != "invalid_grant" {
		t.Errorf("refresh after a reuse: %d %s", after.status, after.body)
	}
	if resp, _ := g.call("/orders", second.AccessToken); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("call after a reuse: %d, want 401", resp.StatusCode)
	}
	logs := g.logs()
	for _, want := range []string{`"msg":"login"`, `"msg":"refresh_reuse_detected"`, `"logger":"oauth"`, `"request_id":"`} {
		if !strings.Contains(logs, want) {
			t.Errorf("the log has no %s", want)
		}
	}
}
