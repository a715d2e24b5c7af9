package caddymodule

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// R4, R5: what becomes of the file of a running gateway is in its health, in the
// log and in an alarm; what it held can be saved, and nobody is out.
func TestR5FileOfARunningGateway(t *testing.T) {
	o := gatewayOptions{Secret: "none"}
	g := startGateway(t, o)
	session := g.login()
	health := func() (int, string) {
		resp, body := g.do(g.request(g.url("/oauth/health"), nil))
		return resp.StatusCode, body
	}
	if err := os.Remove(g.Store); err != nil {
		t.Fatal(err)
	}
	eventually(t, "health to tell", func() bool { status, _ := health(); return status == http.StatusServiceUnavailable })
	if body, status := g.tryRefresh(session.RefreshToken); status != http.StatusServiceUnavailable || strings.HasPrefix(body, "{") {
		t.Errorf("refresh: %d %s", status, body)
	}
	if resp, _ := g.call("/orders", session.AccessToken); resp.StatusCode != http.StatusOK {
		t.Errorf("guarded call: %d", resp.StatusCode)
	}
	eventually(t, "the alarm", func() bool {
		return strings.Contains(g.logs(), `"msg":"store_new","outcome":"removed"`) && strings.Contains(g.logs(), g.Store+": its file was removed")
	})
	saved := g.Store + ".saved"
	g.ok("backup", saved)
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	g.copyBack(saved)
	if err := g.load(o); err != nil {
		t.Fatal(err)
	}
	if session = g.refresh(session.RefreshToken); session.RefreshToken == "" {
		t.Errorf("refresh after the restore: %d %s", session.status, session.body)
	}
	if strings.Contains(g.logs(), `"outcome":"begun"`) {
		t.Error("a restored store is taken for a new one")
	}
}

// R5: an empty or a missing database beside a secret that is not new.
func TestR5StartsWithoutItsData(t *testing.T) {
	o := gatewayOptions{Secret: "none"}
	g := startGateway(t, o)
	session := g.login()
	if strings.Contains(g.logs(), `"msg":"store_new"`) {
		t.Error("the first start is an alarm")
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(g.Store, 0); err != nil {
		t.Fatal(err)
	}
	err := g.load(o)
	if err == nil || !strings.Contains(err.Error(), g.Store) || !strings.Contains(err.Error(), "the data was lost; restore a backup") {
		t.Errorf("starting on an empty file: %v", err)
	}
	if err := os.Remove(g.Store); err != nil {
		t.Fatal(err)
	}
	if err := g.load(o); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(g.logs(), `"msg":"store_new","outcome":"begun"`) {
		t.Error("no alarm")
	}
	if answer := g.refresh(session.RefreshToken); answer.Error != "invalid_grant" {
		t.Errorf("refresh: %d %s", answer.status, answer.body)
	}
	if resp, _ := g.call("/orders", session.AccessToken); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("an access token of before: %d", resp.StatusCode)
	}
}
