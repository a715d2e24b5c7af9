package caddymodule

import (
	"net/http"
	"net/url"
	"path/filepath"
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

// G11: a reload that changes where and how the keys are fetched goes on with those that
// are there, and so does a restart, while the issuer is away; what was purged is gone.
func TestIssuerKeysOutlastChanges(t *testing.T) {
	a := newOtherIssuer(t)
	g := startGateway(t, gatewayOptions{API: guardOf(a.block())})
	token := a.mint(nil)
	g.eventuallyPasses(token)
	kept := func() []string {
		files, err := filepath.Glob(filepath.Join(g.dir, "caddy", "gatehouse", "issuer_keys", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	eventually(t, "the keys to be kept", func() bool { return len(kept()) == 1 })
	a.setDown(true)
	for name, block := range map[string]string{
		"another algorithm for RSA keys": a.block("algorithms ES256 PS256"),
		"another jwks_uri":               a.block("jwks_uri " + a.URL() + "moved"),
		"another option of the fetch":    a.block("jwks_header X-Key 1", "jwks_uri https://localhost:1/keys"),
	} {
		if err := g.load(gatewayOptions{API: guardOf(block)}); err != nil {
			t.Fatal(err)
		}
		if resp, _ := g.call("/orders", token); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
		if err := g.load(gatewayOptions{API: guardOf(a.block())}); err != nil {
			t.Fatal(err)
		}
	}
	restart := func() int {
		if err := caddy.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := g.load(gatewayOptions{API: guardOf(a.block())}); err != nil {
			t.Fatal(err)
		}
		resp, _ := g.call("/orders", token)
		return resp.StatusCode
	}
	if status := restart(); status != http.StatusOK {
		t.Errorf("after a restart: %d", status)
	}
	if status, body := g.admin(http.MethodPost, "/oauth/issuers/purge?issuer="+url.QueryEscape(a.URL())); status != http.StatusOK {
		t.Fatalf("purge: %d %s", status, body)
	}
	if files := kept(); len(files) != 0 {
		t.Errorf("after a purge there is %q", files)
	}
	if status := restart(); status != http.StatusServiceUnavailable {
		t.Errorf("after a purge and a restart: %d", status)
	}
}

// G13: a file that is not there is an error of the start, and names itself.
func TestIssuerFilesAreCheckedAtTheStart(t *testing.T) {
	g := newGateway(t)
	for option, block := range map[string]string{
		"jwks_file": "issuer https://a.example.com/ {\n jwks_file " + g.dir + "/none.json\n}",
		"ca":        "issuer https://a.example.com/ {\n ca " + g.dir + "/none.pem\n}",
	} {
		o := gatewayOptions{API: guardOf(block)}
		if err := validateConfig(t, g.config(o)); err != nil {
			t.Errorf("%s: validation reads the file: %v", option, err)
		}
		if err := g.load(o); err == nil || !strings.Contains(err.Error(), "issuer https://a.example.com/") || !strings.Contains(err.Error(), g.dir+"/none") {
			t.Errorf("%s: error %v", option, err)
		}
	}
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
