package caddymodule

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/tokens/boltstore"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// eventually waits for what happens in the background of Caddy.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("waited too long for: %s", what)
		case <-tick.C:
		}
	}
}

func storeFiles(t *testing.T, g *gateway) []string {
	t.Helper()
	files, err := filepath.Glob(g.Store + "*")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func references(path string) int {
	n, _ := states.References("bolt:" + path)
	return n
}

func validateConfig(t *testing.T, config []byte) error {
	t.Helper()
	var cfg caddy.Config
	if err := caddy.StrictUnmarshalJSON(config, &cfg); err != nil {
		t.Fatal(err)
	}
	return caddy.Validate(&cfg)
}

func TestValidateLeavesNoFile(t *testing.T) {
	g := newGateway(t)
	if err := validateConfig(t, g.config(gatewayOptions{Secret: "none"})); err != nil {
		t.Fatal(err)
	}
	if files := storeFiles(t, g); len(files) != 0 {
		t.Errorf("caddy validate left %v", files)
	}
	if n := references(g.Store); n != 0 {
		t.Errorf("%d references to the state are left", n)
	}
}

func TestValidateBesideALiveServer(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	session := g.login()
	other := gatewayOptions{Secret: NewGatewaySecret(), Deny: "max_lag 1s"}
	if err := validateConfig(t, g.config(other)); err != nil {
		t.Fatal(err)
	}
	if n := references(g.Store); n != 1 {
		t.Errorf("%d references to the state, want 1", n)
	}
	if after := g.refresh(session.RefreshToken); after.AccessToken == "" {
		t.Errorf("refresh after a validation with another secret: %d %s", after.status, after.body)
	}
}

func TestOpensWithTheFirstRequestOrTheStart(t *testing.T) {
	g := newGateway(t)
	var cfg caddy.Config
	if err := caddy.StrictUnmarshalJSON(g.config(gatewayOptions{}), &cfg); err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	module, err := ctx.App("oauth")
	if err != nil {
		t.Fatal(err)
	}
	app := module.(*App)
	if files := storeFiles(t, g); len(files) != 0 {
		t.Fatalf("Provision made %v", files)
	}
	if err := app.backend.ready(); err != nil { // as a request does whose app has not started
		t.Fatal(err)
	}
	if files := storeFiles(t, g); len(files) != 1 {
		t.Fatalf("after the first request there are %v", files)
	}
	if err := app.Start(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // Caddy may call it after a failed Provision, too
		if err := app.Cleanup(); err != nil {
			t.Fatal(err)
		}
	}
	if n := references(g.Store); n != 0 {
		t.Errorf("%d references are left", n)
	}
	if _, err := app.backend.issuer.Grants(t.Context(), "local|alice"); err == nil {
		t.Error("a request after the end found the store open")
	}
	if err := app.Stop(); err != nil {
		t.Error(err)
	}
}

func TestStartNamesWhoHoldsTheFile(t *testing.T) {
	if testing.Short() {
		t.Skip("waits 10 seconds for the lock")
	}
	g := newGateway(t)
	holder := boltstore.New(boltstore.Options{Path: g.Store})
	if _, err := holder.Open(t.Context(), storage.OpenRequest{}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Close() }()
	err := g.load(gatewayOptions{})
	if err == nil {
		t.Fatal("started on a locked file")
	}
	wants := []string{"oauth app module: start", g.Store}
	if runtime.GOOS == "linux" {
		wants = append(wants, strconv.Itoa(os.Getpid()))
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error has no %q: %v", want, err)
		}
	}
	if n := references(g.Store); n != 0 {
		t.Errorf("%d references are left after a failed start", n)
	}
}

func TestGeneratedSecretLastsAndStaysSecret(t *testing.T) {
	g := startGateway(t, gatewayOptions{Secret: "none"})
	session := g.login()
	secret, err := os.ReadFile(g.Store + ".secret")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.load(gatewayOptions{Secret: "none"}); err != nil {
		t.Fatal(err)
	}
	if after := g.refresh(session.RefreshToken); after.AccessToken == "" {
		t.Errorf("refresh after a reload: %d %s", after.status, after.body)
	}
	if strings.Contains(g.logs(), strings.TrimSpace(string(secret))) {
		t.Error("the generated secret is in the log")
	}
	// It can be moved into the configuration.
	if err := g.load(gatewayOptions{Secret: "{file." + g.Store + ".secret}"}); err != nil {
		t.Errorf("configuring the generated secret: %v", err)
	}
}
