package caddymodule

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// failingApp is another app of the configuration, which fails at its Start.
type failingApp struct{}

func init() { caddy.RegisterModule(failingApp{}) }

func (failingApp) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "test_failing", New: func() caddy.Module { return new(failingApp) }}
}

// afterOurs counts how often ours had started before it. Caddy starts apps in no order.
var afterOurs int

func (failingApp) Start() error {
	serving.mu.Lock()
	defer serving.mu.Unlock()
	if len(serving.apps) > 1 {
		afterOurs++
	}
	return errors.New("this app never starts")
}

func (failingApp) Stop() error { return nil }

// loadWith loads a configuration with another app in it.
func (g *gateway) loadWith(o gatewayOptions, app string) error {
	g.t.Helper()
	var config map[string]json.RawMessage
	var apps map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(g.config(o), &config), json.Unmarshal(config["apps"], &apps)); err != nil {
		g.t.Fatal(err)
	}
	apps[app] = json.RawMessage(`{}`)
	var err error
	if config["apps"], err = json.Marshal(apps); err != nil {
		g.t.Fatal(err)
	}
	all, err := json.Marshal(config)
	if err != nil {
		g.t.Fatal(err)
	}
	err = caddy.Load(all, true)
	g.client.CloseIdleConnections()
	return err
}

// refusals are reloads that Caddy refuses after it has replaced its admin endpoint.
func (g *gateway) refusals() map[string]func() error {
	busy, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = busy.Close() })
	onBusy := "respond ok\n}\nhttp://" + busy.Addr().String() + " {\n respond busy"
	elsewhere := filepath.Join(g.dir, "elsewhere.db")
	return map[string]func() error{
		"a secret that is not set":     func() error { return g.load(gatewayOptions{Secret: "{env.GATEHOUSE_NOT_SET}"}) },
		"a taken port":                 func() error { return g.load(gatewayOptions{API: onBusy}) },
		"a taken port, another store":  func() error { return g.load(gatewayOptions{API: onBusy, Store: elsewhere}) },
		"an unknown module":            func() error { return g.loadWith(gatewayOptions{}, "test_unknown") },
		"a store of another secret":    func() error { return g.load(gatewayOptions{Secret: NewGatewaySecret()}) },
		"another app that fails":       func() error { return g.loadWith(gatewayOptions{}, "test_failing") },
		"no oauth, and one that fails": func() error { return g.loadBare("test_failing") },
	}
}

// loadBare loads a configuration without us.
func (g *gateway) loadBare(app string) error {
	return caddy.Load(fmt.Appendf(nil, `{"admin":{"listen":%q,"config":{"persist":false}},"apps":{%q:{}}}`, g.AdminAddr, app), true)
}

// toolsWork reports what of the tools for bad days does not act on what serves.
func (g *gateway) toolsWork(session tokenAnswer) {
	g.t.Helper()
	if out, err := g.run("grants", "list", "local|alice"); err != nil || !strings.Contains(out, "my-spa") {
		g.t.Errorf("grants list: %v\n%s", err, out)
	}
	if out, err := g.run("stats"); err != nil || !strings.Contains(out, "bolt:"+g.Store+"\n") || !strings.Contains(out, " ok\n") {
		g.t.Errorf("stats: %v\n%s", err, out)
	}
	_, text := g.admin(http.MethodGet, "/metrics")
	for _, want := range []string{`caddy_oauth_build_info{go_version="` + runtime.Version() + `",version="(devel)"} 1`, `caddy_oauth_healthy{reason=""} 1`, "caddy_oauth_signing_key_age_seconds{", "caddy_oauth_feed_lag_seconds", "caddy_oauth_denylist_entries", `caddy_oauth_refreshes_total{outcome="rotated"}`} {
		if !strings.Contains(text, want) {
			g.t.Errorf("the metrics have no %s", want)
		}
	}
	if resp, _ := g.do(g.request(g.url("/oauth/health"), nil)); resp.StatusCode != http.StatusOK {
		g.t.Errorf("health: %d", resp.StatusCode)
	}
	before := len(g.logs())
	// Who signs in and out several times in one second gets a login that is over at once (A2).
	defer func() {
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second + 10*time.Millisecond)))
	}()
	if out, err := g.run("grants", "end", "local|alice"); err != nil || !strings.Contains(out, "ended: 1 refresh") {
		g.t.Errorf("grants end: %v\n%s", err, out)
	}
	if !strings.Contains(g.logs()[before:], `"msg":"admin","outcome":"end_grants"`) {
		g.t.Error("the log of what serves does not tell of the end")
	}
	if answer := g.refresh(session.RefreshToken); answer.Error != "invalid_grant" {
		g.t.Errorf("refresh after the end: %d %s", answer.status, answer.body)
	}
	if resp, _ := g.call("/orders", session.AccessToken); resp.StatusCode != http.StatusUnauthorized {
		g.t.Errorf("guarded route after the end: %d, want 401", resp.StatusCode)
	}
}

// R11, ADM-15: Caddy replaces its admin endpoint before it knows whether a reload
// succeeds. The command and the admin API were off, or acted on the refused
// configuration, until a restart.
func TestToolsAfterARefusedReload(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	for name, reload := range g.refusals() {
		t.Run("R11: "+name, func(t *testing.T) {
			here := *g
			here.t = t
			times := 1
			if strings.Contains(name, "port") || strings.Contains(name, "fails") {
				times = 8 // apps start in no order
			}
			for range times {
				if err := reload(); err == nil {
					t.Fatal("the reload was not refused")
				}
			}
			here.toolsWork(here.login())
			if err := g.load(gatewayOptions{}); err != nil {
				t.Fatalf("a good reload afterwards: %v", err)
			}
			here.toolsWork(here.login())
		})
	}
	if afterOurs == 0 {
		t.Error("the other app has never failed after ours had started")
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if n := references(g.Store); n != 0 {
		t.Errorf("%d references to the store are left", n)
	}
	if app := serving.app(); app != nil {
		t.Error("an app serves after the stop")
	}
}

// R11: where a refused reload has moved Caddy's admin endpoint, the tools work there.
func TestToolsWhereARefusedReloadHasMovedTheAdminEndpoint(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	session := g.login()
	moved := *newGateway(t)
	file := bytes.ReplaceAll(g.caddyfile(gatewayOptions{Secret: NewGatewaySecret()}), []byte("admin "+g.AdminAddr), []byte("admin "+moved.AdminAddr))
	if err := g.loadCaddyfile(file); err == nil {
		t.Fatal("the reload was not refused")
	}
	var out string
	var err error
	eventually(t, "Caddy to leave the old address", func() bool { out, err = g.run("stats"); return err != nil })
	if !strings.Contains(err.Error(), "refused reload") {
		t.Errorf("the error does not say where the endpoint may be: %v\n%s", err, out)
	}
	g.AdminAddr = moved.AdminAddr
	g.toolsWork(session)
}

// R11: refused reloads leave nothing behind.
func TestRefusedReloadsLeak(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	session := g.login()
	refusals := g.refusals()
	settle := func() (goroutines, files int) {
		g.client.CloseIdleConnections()
		eventually(t, "one configuration to be left", func() bool { return references(g.Store) == 1 })
		return runtime.NumGoroutine(), openFiles(t)
	}
	for _, reload := range refusals { // whatever is made once is made
		_ = reload()
	}
	var goroutines, files int
	eventually(t, "goroutines to settle", func() bool {
		before := goroutines
		goroutines, files = settle()
		return goroutines == before
	})
	for i := range 8 {
		for name, reload := range refusals {
			if err := reload(); err == nil {
				t.Fatalf("%s was not refused", name)
			}
			if session = g.refresh(session.RefreshToken); session.AccessToken == "" {
				t.Fatalf("refresh after %s, round %d: %d %s", name, i, session.status, session.body)
			}
		}
	}
	const slack = 5 // of Caddy's and the client's own connections
	var nowGoroutines, nowFiles int
	eventually(t, "goroutines and files to go back", func() bool {
		nowGoroutines, nowFiles = settle()
		return nowGoroutines <= goroutines+slack && nowFiles <= files+slack
	})
	t.Logf("goroutines %d, were %d; open files %d, were %d", nowGoroutines, goroutines, nowFiles, files)
	serving.mu.Lock()
	n := len(serving.apps)
	serving.mu.Unlock()
	if n != 1 {
		t.Errorf("%d apps serve, want 1", n)
	}
	g.toolsWork(session)
}
