package caddymodule

import (
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// Without keys nobody can say whether a token is good: 503, never 401.
func TestIssuerThatIsDown(t *testing.T) {
	a := newOtherIssuer(t)
	a.setDown(true)
	g := startGateway(t, gatewayOptions{API: guardOf(a.block())})
	eventually(t, "the first fetch", func() bool { return a.count() > 0 })
	resp, _ := g.call("/orders", a.mint(nil))
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || resp.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	if resp, _ := g.call("/orders", g.machineToken()); resp.StatusCode != http.StatusOK {
		t.Errorf("a token of ours: %d", resp.StatusCode)
	}
	a.setDown(false)
	g.eventuallyPasses(a.mint(nil))
	eventually(t, "the log", func() bool {
		return strings.Contains(g.logs(), `"outcome":"unreachable"`) && strings.Contains(g.logs(), "the answer is 502")
	})
}

// A reload goes on with the keys that are there; the last one to leave ends the fetching.
func TestReloadKeepsIssuerKeys(t *testing.T) {
	a := newOtherIssuer(t)
	g := newGateway(t)
	with := gatewayOptions{API: guardOf(a.block()) + "\nhandle /two {\n bearer_auth {\n audience " + testAPI + "\n" + a.block("algorithms ES256") + "\n}\n}"}
	if err := g.load(with); err != nil {
		t.Fatal(err)
	}
	token := a.mint(nil)
	g.eventuallyPasses(token)
	if n := a.count(); n != 1 {
		t.Errorf("%d fetches for two routes", n)
	}
	for range 5 {
		if err := g.load(with); err != nil {
			t.Fatal(err)
		}
		if resp, _ := g.call("/orders", token); resp.StatusCode != http.StatusOK {
			t.Errorf("after a reload: %d", resp.StatusCode)
		}
	}
	if n := a.count(); n != 1 {
		t.Errorf("%d fetches after reloads", n)
	}
	eventually(t, "the old configurations to end", func() bool { sets, users := keysInUse(); return sets == 1 && users == 1 })
	// `caddy validate` beside the server, and a configuration that fails, take nothing away.
	if err := validateConfig(t, g.config(with)); err != nil {
		t.Fatal(err)
	}
	broken := with
	broken.API += "\nhandle /three {\n bearer_auth {\n audience https://typo.example.com\n}\n}"
	if err := g.load(broken); err == nil {
		t.Fatal("a broken configuration loads")
	}
	if sets, users := keysInUse(); sets != 1 || users != 1 {
		t.Errorf("%d key sets are held by %d", sets, users)
	}
	if resp, _ := g.call("/orders", token); resp.StatusCode != http.StatusOK {
		t.Errorf("after a configuration that failed: %d", resp.StatusCode)
	}
	// The issuer is removed: what it signed, cached or not, is worth nothing.
	if err := g.load(gatewayOptions{}); err != nil {
		t.Fatal(err)
	}
	if resp, _ := g.call("/orders", token); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("after the issuer is removed: %d", resp.StatusCode)
	}
	eventually(t, "the keys to be released", func() bool { sets, _ := keysInUse(); return sets == 0 })
}

// DOS-16: the fetching ends with the configuration.
func TestIssuerKeysLeakNothing(t *testing.T) {
	a := newOtherIssuer(t)
	g := startGateway(t, gatewayOptions{API: guardOf(a.block())})
	g.eventuallyPasses(a.mint(nil))
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if sets, users := keysInUse(); sets != 0 || users != 0 {
		t.Errorf("%d key sets are held by %d", sets, users)
	}
	stacks := make([]byte, 1<<20)
	eventually(t, "the end of the goroutines", func() bool { // a moment after they have said so
		return !strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), "RemoteKeys")
	})
}

// Validation reaches nobody.
func TestValidateFetchesNoKeys(t *testing.T) {
	a := newOtherIssuer(t)
	g := newGateway(t)
	if err := validateConfig(t, g.config(gatewayOptions{API: guardOf(a.block())})); err != nil {
		t.Fatal(err)
	}
	if n := a.count(); n != 0 {
		t.Errorf("%d fetches", n)
	}
}
