package caddymodule

import (
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// jsonErrors are what only JSON can get wrong; the Caddyfile's errors are in testdata.
var jsonErrors = []struct{ name, config, want string }{
	{"no issuer", `{}`, "issuer: it is required: "},
	{"issuer with http", `{"issuer":"http://auth.example.com/"}`, `issuer: "http://auth.example.com/" is not encrypted: `},
	{"cache entries below nothing", `{"denylist":{"cache_entries":-1}}`, "denylist: cache_entries: -1 is less than nothing: "},
	{"max_lag below nothing", `{"denylist":{"max_lag":"-1s"}}`, "denylist: max_lag: -1s is out of range: "},
	{"allow_stale below nothing", `{"denylist":{"allow_stale":"-1s"}}`, "denylist: on_store_failure: allow_stale -1s is out of range: "},
	{"rotate_every below nothing", `{"signing":{"rotate_every":"-90d"}}`, "signing: rotate_every: -90d is too short: "},
	{"session below nothing", `{"session":{"lifetime":"-1h"}}`, "session: lifetime: -1h is out of range: "},
	{"null API", `{"apis":[null]}`, "apis: there is a null in the list: "},
	{"API twice", `{"apis":[{"identifier":"a"},{"identifier":"a"}]}`, "api a: duplicate API: "},
	{"registration token that is missing", `{"issuer":"https://auth.example.com/","logins":[{"module":"local"}],"client_registration":{"access":"token"}}`, "client_registration: access: there is no token: "},
	{"registration token for nobody", `{"issuer":"https://auth.example.com/","logins":[{"module":"local"}],"client_registration":{"access":"open","token":"0123456789abcdef"}}`, "client_registration: access: with `access open` nobody needs a token: "},
	{"null group", `{"groups":[null]}`, "groups: there is a null in the list: "},
	{"null source of a group", `{"groups":[{"name":"a","from":[null]}]}`, "group a: from: there is one without a name: "},
	{"source of a group without names", `{"logins":[{"module":"local"}],"groups":[{"name":"a","from":[{"login":"local"}]}]}`, "group a: from: there is one without a name: "},
	{"empty name at a login", `{"logins":[{"module":"local"}],"groups":[{"name":"a","from":[{"login":"local","names":[""]}]}]}`, `group a: from: "" is empty: `},
	{"null scope", `{"apis":[{"identifier":"a","scope_details":[null]}]}`, "api a: scope: there is a null in the list: "},
	{"empty line of a scope", `{"apis":[{"identifier":"a","scopes":["b"],"scope_details":[{"scope":"b","for":[[]]}]}]}`, "api a: scope b: for: there is a line without a group: "},
	{"empty line of a client", `{"clients":[{"id":"a","type":"spa","redirect_uris":["https://a.example.com"],"for":[["b"],[]]}]}`, "client a: for: there is a line without a group: "},
	{"null client", `{"clients":[null]}`, "clients: there is a null in the list: "},
	{"client twice", `{"clients":[{"id":"a"},{"id":"a"}]}`, "client a: duplicate client: "},
	{
		"lifetime below nothing", `{"clients":[{"id":"a","type":"spa","redirect_uris":["https://a.example.com/"],"refresh_token":{"lifetime":"-30d"}}]}`,
		"client a: refresh_token: lifetime: -30d is too short: ",
	},
	{
		"idle lifetime below nothing", `{"clients":[{"id":"a","type":"spa","redirect_uris":["https://a.example.com/"],"refresh_token":{"idle_lifetime":-1}}]}`,
		"client a: refresh_token: idle_lifetime: -1ns is too short: ",
	},
	{
		"max_active below nothing", `{"clients":[{"id":"a","type":"spa","redirect_uris":["https://a.example.com/"],"refresh_token":{"max_active":-1}}]}`,
		"client a: refresh_token: max_active: -1 is less than one login: ",
	},
	{"login twice by default name", `{"logins":[{"module":"local"},{"module":"other","name":"local"}]}`, "login local: duplicate name: "},
	{
		"password in a URL", `{"clients":[{"id":"a","type":"spa","redirect_uris":["https://me:hunter2@a.example.com/"]}]}`,
		`client a: redirect_uris: "https://me:xxxxx@a.example.com/" has a user name: `,
	},
}

func TestCheckJSON(t *testing.T) {
	for _, tt := range jsonErrors {
		t.Run(tt.name, func(t *testing.T) {
			var a App
			config := tt.config
			if !strings.Contains(tt.name, "issuer") {
				config = `{"issuer":"https://auth.example.com/",` + strings.TrimPrefix(config, "{")
			}
			if err := caddy.StrictUnmarshalJSON([]byte(config), &a); err != nil {
				t.Fatal(err)
			}
			if err := a.Check(); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("Check() = %v, want %s…", err, tt.want)
			}
		})
	}
}

// localErrors are what only JSON can get wrong about a local login.
var localErrors = []struct{ name, config, want string }{
	{"no users", `{}`, "it has no users: "},
	{"null user", `{"users":[null]}`, "it has a null among its users: "},
	{"claim without a name", `{"users":[{"id":"alice","hash":"{env.A}","claims":{"":"x"}}]}`, "user alice: claim: \"\" has no name or value, or a placeholder"},
	{"no hash", `{"users":[{"id":"alice"}]}`, "user alice: the hash is empty: "},
}

func TestCheckLocalJSON(t *testing.T) {
	for _, tt := range localErrors {
		t.Run(tt.name, func(t *testing.T) {
			var l LocalLogin
			if err := caddy.StrictUnmarshalJSON([]byte(tt.config), &l); err != nil {
				t.Fatal(err)
			}
			if err := l.Check(); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("Check() = %v, want %s…", err, tt.want)
			}
		})
	}
}

const tagCollision = "client b: its client_id has the same 64-bit hash as a: change one of them"

func TestClientTagCollision(t *testing.T) {
	a := App{Clients: []*Client{{ID: "a"}, {ID: "b"}}}
	err := a.checkClients(func(string) storage.ClientTag { return storage.ClientTag{1} })
	if err == nil || err.Error() != tagCollision {
		t.Errorf("checkClients() = %v, want %s", err, tagCollision)
	}
}

// TestDangerousRedirects tries spellings that some browser takes for another
// URI, and wildcards (RED-06).
func TestDangerousRedirects(t *testing.T) {
	for _, uri := range []string{
		"JavaScript:alert(1)", "java\tscript:alert(1)", " javascript:alert(1)", "data:,x", "vbscript:x", "blob:https://a.example.com/x",
		"filesystem:https://a.example.com/x", "file:///x", "about:blank", "view-source:https://a.example.com/", "intent://x#Intent;end", "ws://a.example.com/",
		"https://a.example.com\\.evil.example/", "https:\\\\evil.example/", "https:///evil.example", "https:evil.example", "//evil.example", "/x", "x", "?x", "#x", "",
		"https://a.example.com/\x00", "https://a.example.com/\n", "https://a.example.com/%zz", "https://a.example.com./", "https://a%2eexample.com/",
		"https://*/", "https://a.example.com/*", "https://*.example.com", "http://127.0.0.1.evil.example/", "http://localhost.evil.example/", "http://0.0.0.0/",
		"http://10.0.0.1/", "https://a@evil.example/", "https://a:b@evil.example/", "https://a.example.com/x/../y", "https://a.example.com/./y",
		"https://a.example.com/%2e%2e/y", "https://a．example.com/", "https://a.example.com:/", "https://[::1/", "https://:443/",
	} {
		for _, kind := range []clients.Type{clients.SPA, clients.Native, clients.Web} {
			if err := checkRedirect(uri, kind, false); err == nil {
				t.Errorf("checkRedirect(%q, %s) passes", uri, kind)
			}
		}
	}
}

func TestGoodRedirects(t *testing.T) {
	all := []clients.Type{clients.SPA, clients.Native, clients.Web}
	native := []clients.Type{clients.Native}
	tests := []struct {
		uri   string
		kinds []clients.Type
	}{
		{"https://a.example.com", all},
		{"https://a.example.com/cb?x=1&y=%2F", all},
		{"https://a.example.com:8443/cb", all},
		{"https://xn--bcher-kva.example/cb", all},
		{"https://192.0.2.1/cb", all},
		{"https://[2001:db8::1]:8443/cb", all},
		{"http://localhost:3000/cb", all},
		{"http://app.localhost/cb", all},
		{"http://127.0.0.1/cb", all},
		{"http://[::1]:8080/cb", all},
		{"com.example.app:/cb", native},
		{"com.example.app://cb/x", native},
		{"myapp:/cb", native},                    // with a warning
		{"com.MyCompany.App://callback", native}, // S10
	}
	for _, tt := range tests {
		for _, kind := range tt.kinds {
			if err := checkRedirect(tt.uri, kind, false); err != nil {
				t.Errorf("checkRedirect(%q, %s) = %v", tt.uri, kind, err)
			}
		}
	}
}

// TestOrigins: S22: apps in a web view and browser extensions have origins of their own.
func TestOrigins(t *testing.T) {
	for _, origin := range []string{
		"https://app.example.com", "http://localhost:3000", "http://tauri.localhost", "capacitor://localhost", "ionic://localhost", "tauri://localhost",
		"chrome-extension://abcdefghijklmnopabcdefghijklmnop", "moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc", "app://localhost:3000",
	} {
		if err := new(Client).checkOrigin(origin); err != nil {
			t.Errorf("checkOrigin(%q) = %v", origin, err)
		}
	}
	for origin, want := range map[string]string{
		"capacitor://localhost/":   "write capacitor://localhost",
		"Capacitor://localhost":    "write capacitor://localhost",
		"chrome-extension://ABC":   "write chrome-extension://abc",
		"capacitor:localhost":      "is no origin",
		"capacitor://":             "is no origin",
		"capacitor://user@host":    "user name",
		"file:///x":                "is no origin",
		"javascript://localhost":   "is no origin",
		"data://x":                 "is no origin",
		"http://app:3000":          "insecure_redirects",
		"https://app.example.com?": "is more than an origin",
		"null":                     "is no origin",
		"*":                        "is no origin",
	} {
		if err := new(Client).checkOrigin(origin); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("checkOrigin(%q) = %v, want %q", origin, err, want)
		}
	}
}

// TestInsecureRedirects: S22: http at a container or a host of the LAN, by an explicit word,
// which warns; it makes nothing else pass.
func TestInsecureRedirects(t *testing.T) {
	c := Client{ID: "a", Type: "web", InsecureRedirects: true, Origins: []string{"http://app:3000"}, RedirectURIs: []string{"http://app:3000/cb", "http://nas.fritz.box/cb", "http://localhost/cb"}}
	if err := c.checkURIs(); err != nil {
		t.Errorf("checkURIs() = %v", err)
	}
	if got := c.warnings(nil); len(got) != 3 || !strings.Contains(got[0], "http://app:3000/cb is not encrypted") {
		t.Errorf("warnings() = %q", got)
	}
	c.InsecureRedirects = false
	if err := c.checkURIs(); err == nil || !strings.Contains(err.Error(), "insecure_redirects") {
		t.Errorf("checkURIs() = %v", err)
	}
	for _, uri := range []string{"http://App:3000/cb", "http://app:/cb", "http:///cb", "javascript:alert(1)", "http://a@app/cb", "http://app/../cb"} {
		if err := checkRedirect(uri, clients.Web, true); err == nil {
			t.Errorf("checkRedirect(%q) passes", uri)
		}
	}
	c = Client{ID: "a", Type: "web", InsecureRedirects: true, RedirectURIs: []string{"https://a.example.com/cb"}}
	if err := c.checkURIs(); err == nil || !strings.Contains(err.Error(), "leave it out") {
		t.Errorf("without an http address: %v", err)
	}
}

// RED-12: a scheme without a dot, which any app may claim, warns; one with a dot does not.
func TestClientWarnings(t *testing.T) {
	c := Client{RedirectURIs: []string{"https://a.example.com/", "com.example.app:/cb", "myapp:/cb"}}
	if got := c.warnings(nil); len(got) != 1 || !strings.HasPrefix(got[0], "myapp:/cb has a scheme without a dot") {
		t.Errorf("warnings() = %q", got)
	}
}

func TestLifetimeJSON(t *testing.T) {
	tests := []struct {
		json string
		want Lifetime
		ok   bool
	}{
		{`"infinite"`, Infinite, true},
		{`"30d"`, Lifetime(30 * 24 * time.Hour), true},
		{`3600000000000`, Lifetime(time.Hour), true},
		{`"forever"`, 0, false},
		{`"Infinite"`, 0, false},
		{`true`, 0, false},
	}
	for _, tt := range tests {
		var got Lifetime
		if err := got.UnmarshalJSON([]byte(tt.json)); (err == nil) != tt.ok || tt.ok && got != tt.want {
			t.Errorf("UnmarshalJSON(%s) = %v, %v", tt.json, got, err)
		}
		if !tt.ok {
			continue
		}
		again, err := got.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var back Lifetime
		if err := back.UnmarshalJSON(again); err != nil || back != tt.want {
			t.Errorf("%s comes back as %s, %v", tt.json, again, err)
		}
	}
}

func TestShow(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 10 * time.Second: "10s", 90 * time.Minute: "1h30m", 24 * time.Hour: "1d", 36 * time.Hour: "36h", -48 * time.Hour: "-2d",
		time.Millisecond: "1ms", time.Hour + time.Second: "1h0m1s",
	} {
		if got := grammar.ShowDuration(d); got != want {
			t.Errorf("show(%v) = %s, want %s", int64(d), got, want)
		}
	}
}
