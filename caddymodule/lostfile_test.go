package caddymodule

import (
	"net/http"
	"os"
	"path/filepath"
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
	g.restore(o, saved, session.RefreshToken)
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

// H1: the whole folder of a running gateway was removed, its generated secret too:
// `backup`, which health tells to use, failed for want of the secret's file and of
// room beside the database.
func TestH1FolderOfARunningGateway(t *testing.T) {
	g := newGateway(t)
	g.Store = filepath.Join(g.dir, "data", "gatehouse.db")
	t.Setenv("TMPDIR", t.TempDir())
	o := gatewayOptions{Secret: "none", Store: g.Store}
	if err := g.load(o); err != nil {
		t.Fatal(err)
	}
	session := g.login()
	if err := os.RemoveAll(filepath.Dir(g.Store)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the alarm", func() bool { return strings.Contains(g.logs(), g.Store+": its file was removed") })
	saved := filepath.Join(g.dir, "saved.db")
	out, _ := g.ok("backup", saved)
	if want := "copy " + saved + " to " + g.Store + " and " + saved + ".secret to " + g.Store + ".secret, "; !strings.Contains(out, want) {
		t.Errorf("backup says: %s, want %q", out, want)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := os.Stat(filepath.Dir(g.Store)); err == nil {
		t.Error("the folder was made again")
	}
	secret, err := os.ReadFile(saved + ".secret")
	if err != nil || strings.Contains(g.logs(), strings.TrimSpace(string(secret))) {
		t.Errorf("the secret is in the log, or not in the backup: %v", err)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Dir(g.Store), 0o700); err != nil {
		t.Fatal(err)
	}
	g.restore(o, saved, session.RefreshToken)
}

// H2: a start on a database without its secret wrote another secret beside it, and
// was then refused with advice about several gateways.
func TestH2DatabaseWithoutItsSecret(t *testing.T) {
	o := gatewayOptions{Secret: "none"}
	g := startGateway(t, o)
	session := g.login()
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	path := g.Store + ".secret"
	secret, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	err = g.load(o)
	if err == nil || !strings.Contains(err.Error(), path+" is missing: restore it from the same backup as "+g.Store) || strings.Contains(err.Error(), "gateway") {
		t.Errorf("without the secret: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("another secret was written")
	}
	if err := os.WriteFile(path, []byte(NewGatewaySecret()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err = g.load(o)
	if err == nil || !strings.Contains(err.Error(), path+" is not the secret that "+g.Store+" was written under: restore both from the same backup") ||
		strings.Contains(err.Error(), "every gateway") {
		t.Errorf("with another secret: %v", err)
	}
	if err := os.WriteFile(path, secret, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := g.load(o); err != nil {
		t.Fatal(err)
	}
	if session = g.refresh(session.RefreshToken); session.RefreshToken == "" {
		t.Errorf("refresh after the restore: %d %s", session.status, session.body)
	}
}
