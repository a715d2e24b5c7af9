package gatehouse_test

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"testing"

	"github.com/caddyserver/caddy/v2"

	_ "github.com/gatehouse-auth/gatehouse"
)

// builder has the JSON names of xcaddy.Builder that xcaddy.json uses.
type builder struct {
	CaddyVersion string `json:"caddy_version"`
	Plugins      []struct {
		ModulePath string `json:"module_path"`
	} `json:"plugins"`
}

// TestBuildInStep makes sure that the Caddy that is built is the Caddy that is tested.
func TestBuildInStep(t *testing.T) {
	data, err := os.ReadFile("xcaddy.json")
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var b builder
	if err := dec.Decode(&b); err != nil {
		t.Fatalf("reading xcaddy.json: %v", err)
	}
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	find := func(pattern string) string {
		t.Helper()
		found := regexp.MustCompile(pattern).FindSubmatch(mod)
		if found == nil {
			t.Fatalf("go.mod has nothing like %s", pattern)
		}
		return string(found[1])
	}
	if want := find(`(?m)^\s*github\.com/caddyserver/caddy/v2 (\S+)`); b.CaddyVersion != want {
		t.Errorf("xcaddy.json builds Caddy %s, go.mod requires %s", b.CaddyVersion, want)
	}
	module := find(`(?m)^module (\S+)`)
	if len(b.Plugins) != 1 || b.Plugins[0].ModulePath != module {
		t.Fatalf("xcaddy.json builds with %v, want only %s", b.Plugins, module)
	}
}

// TestModules makes sure that the import of this package is enough.
func TestModules(t *testing.T) {
	for _, id := range []string{
		"oauth", "http.handlers.oauth_server", "http.handlers.bearer_auth",
		"oauth.stores.bolt", "oauth.logins.local", "admin.api.oauth",
	} {
		if _, err := caddy.GetModule(id); err != nil {
			t.Errorf("module %s: %v", id, err)
		}
	}
}
