package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// checkFile is a Caddyfile for `caddy oauth check`, of an issuer, options of oauth and sites.
func checkFile(t *testing.T, issuer, options, sites string) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_DATA_HOME", dir)
	file := filepath.Join(dir, "Caddyfile")
	text := fmt.Sprintf(`{
	admin off
	persist_config off
	storage file_system %s
	oauth {
		issuer %s
		login local {
			user alice %s
		}
		api https://api.example.com {
			scopes orders:read
		}
		%s
	}
}
%s
`, dir, issuer, testBcrypt, options, sites)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// check runs `caddy oauth check --offline`, and returns what it prints.
func check(t *testing.T, issuer, options, sites string) string {
	t.Helper()
	g := &gateway{t: t}
	out, warnings, err := g.runWith("", "check", "--offline", "--config", checkFile(t, issuer, options, sites), "--adapter", "caddyfile")
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, warnings)
	}
	return out
}

// TestCheckFindsWhereTheIssuerIsNotServed: S14: what is valid, and leaves the issuer's URL or a
// route other than was meant, is named.
func TestCheckFindsWhereTheIssuerIsNotServed(t *testing.T) {
	const root, below = "https://auth.example.com/", "https://www.example.com/auth/"
	tests := []struct{ name, issuer, sites, want string }{
		{"served", root, "auth.example.com {\n oauth_server\n}", ""},
		{"served by a wildcard", root, "*.example.com {\n tls internal\n oauth_server\n}", ""},
		{"served on any host", root, ":443 {\n oauth_server\n}", ""},
		{"served below a path", below, "www.example.com {\n oauth_server\n respond ok\n}", ""},
		{"served below a path, in handle", below, "www.example.com {\n handle /auth/* {\n  oauth_server\n }\n handle {\n  respond ok\n }\n}", ""},
		{"served by one of two", root, "www.example.com {\n oauth_server\n}\nauth.example.com {\n oauth_server\n}", ""},
		{"served in a named route", root, "&(auth) {\n oauth_server\n}\nauth.example.com {\n invoke auth\n}", ""},
		{"in handle_path", below, "www.example.com {\n handle_path /auth/* {\n  oauth_server\n }\n}", "write `handle /auth/*` in the place of `handle_path`"},
		{"in a route with a stripped prefix", below, "www.example.com {\n route /auth/* {\n  uri strip_prefix /auth\n  oauth_server\n }\n}", "strips /auth from the path"},
		{"nowhere", root, "auth.example.com {\n respond ok\n}", "no site has `oauth_server`"},
		{"on another host", root, "login.example.com {\n oauth_server\n}", "on the host login.example.com and the issuer is " + root},
		{"on another port", root, "auth.example.com:8443 {\n oauth_server\n}", "listens on :8443 and the issuer " + root + " is on port 443"},
		{"behind a path matcher", root, "auth.example.com {\n oauth_server /oauth/*\n}", "/oauth/*, which keeps /authorize from it"},
		{"in handle of another path", below, "www.example.com {\n handle /login/* {\n  oauth_server\n }\n}", "/login/*, which keeps /auth/authorize"},
		{"behind another matcher", root, "auth.example.com {\n @get method GET\n oauth_server @get\n}", "a matcher that looks at more than host and path"},
		{"guard behind the proxy", root, "auth.example.com {\n oauth_server\n}\napi.example.com {\n route {\n  reverse_proxy localhost:9\n  bearer_auth {\n   audience https://api.example.com\n  }\n }\n}", "a guard stands behind a handler that answers every request"},
		{"guard behind files", root, "auth.example.com {\n oauth_server\n}\napi.example.com {\n route {\n  file_server\n  bearer_auth {\n   audience https://api.example.com\n  }\n }\n}", "a guard stands behind"},
		{"guard behind a proxy of something else", root, "auth.example.com {\n oauth_server\n}\napi.example.com {\n route {\n  reverse_proxy /public/* localhost:9\n  bearer_auth {\n   audience https://api.example.com\n  }\n  reverse_proxy localhost:9\n }\n}", ""},
		{"issuer without its slash", "https://auth.example.com", "auth.example.com {\n oauth_server\n}", "info: oauth: the issuer does not end in a slash"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out := check(t, test.issuer, "", test.sites)
			if test.want == "" && out != "nothing found\n" || !strings.Contains(out, test.want) {
				t.Errorf("the findings are %q, want %q", out, test.want)
			}
		})
	}
}

// TestCheckFindsAddressesThatDoNotFit: redirect URIs, origins and logout URIs that make no sense together.
func TestCheckFindsAddressesThatDoNotFit(t *testing.T) {
	const hash = "secret_hash " + testSHA256 + "\n"
	tests := []struct{ name, client, want string }{
		{"fits", "type spa\nredirect_uris https://app.example.com/cb\nlogout_uris https://app.example.com/", ""},
		{"origins lack one", "type spa\nredirect_uris https://app.example.com/cb\norigins https://www.example.com", "warning: client my-app: https://app.example.com/cb is of the origin https://app.example.com, which origins lacks"},
		{"localhost", "type spa\nredirect_uris https://app.example.com/cb http://localhost:3000/cb", "take it out of production [redirect_uris]"},
		{"loopback of a native app", "type native\nredirect_uris http://127.0.0.1/cb", ""},
		{"plain scheme", "type native\nredirect_uris myapp:/cb", "scheme without a dot"},
		{"another host after the logout", "type spa\nredirect_uris https://app.example.com/cb\nlogout_uris https://www.example.com/", "[logout_uris]"},
		{"in clear", "type web\n" + hash + "redirect_uris http://app:3000/cb\ninsecure_redirects", "is not encrypted"},
		{"origins of a web client", "type web\n" + hash + "redirect_uris https://app.example.com/cb\norigins https://app.example.com", "info: client my-app: origins are for scripts"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out := check(t, "https://auth.example.com/", "client my-app {\n"+test.client+"\n}", "auth.example.com {\n oauth_server\n}")
			if test.want == "" && out != "nothing found\n" || !strings.Contains(out, test.want) {
				t.Errorf("the findings are %q, want %q", out, test.want)
			}
		})
	}
}

// TestCheckAsksTheIssuer: whether discovery answers at the issuer's URL, and says the same issuer.
func TestCheckAsksTheIssuer(t *testing.T) {
	var answer func(w http.ResponseWriter, self string)
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/.well-known/openid-configuration" {
			t.Errorf("%s was asked for", r.URL.Path)
		}
		answer(w, server.URL+"/")
	}))
	defer server.Close()
	say := func(issuer string) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, self string) {
			fmt.Fprintf(w, `{"issuer":%q}`, strings.Replace(issuer, "SELF", self, 1))
		}
	}
	tests := []struct {
		name   string
		answer func(http.ResponseWriter, string)
		want   string
		fails  bool
	}{
		{"the same", say("SELF"), "nothing found", false},
		{"without the slash", say("http://other.example"), `names the issuer "http://other.example"`, true},
		{"not found", func(w http.ResponseWriter, _ string) { w.WriteHeader(http.StatusNotFound) }, "answers 404", true},
		{"a redirect", func(w http.ResponseWriter, _ string) {
			w.Header().Set("Location", "/x")
			w.WriteHeader(http.StatusFound)
		}, `redirects to "/x"`, true},
		{"a page", func(w http.ResponseWriter, _ string) { fmt.Fprint(w, "<html>") }, "something else than a discovery document", true},
	}
	g := &gateway{t: t}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			answer = test.answer
			file := checkFile(t, server.URL+"/", "", server.URL+" {\n oauth_server\n}")
			out, _, err := g.runWith("", "check", "--config", file, "--adapter", "caddyfile")
			if !strings.Contains(out, test.want) || (err != nil) != test.fails {
				t.Errorf("%q, %v, want %q", out, err, test.want)
			}
		})
	}
	server.Close()
	file := checkFile(t, server.URL+"/", "", server.URL+" {\n oauth_server\n}")
	out, _, err := g.runWith("", "check", "--json", "--config", file, "--adapter", "caddyfile")
	var findings []Finding
	if json.Unmarshal([]byte(out), &findings) != nil || len(findings) != 1 || findings[0].Severity != SeverityInfo || err != nil {
		t.Errorf("where nobody answers: %q, %v", out, err)
	}
}

// TestCheckRefuses: a configuration that Caddy would refuse, and one without the app.
func TestCheckRefuses(t *testing.T) {
	g := &gateway{t: t}
	bare := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(bare, []byte("example.com {\n respond ok\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, file := range map[string]string{
		"there is no authorization server": bare,
		"wrong argument count":             checkFile(t, "https://auth.example.com/", "", "auth.example.com {\n oauth_server\n tls a b c d\n}"),
		"is not an `api`":                  checkFile(t, "https://auth.example.com/", "", "api.example.com {\n bearer_auth {\n  audience https://x.example\n }\n}"),
		"no such file":                     filepath.Join(t.TempDir(), "none"),
	} {
		if out, _, err := g.runWith("", "check", "--offline", "--config", file, "--adapter", "caddyfile"); err == nil || !strings.Contains(strings.ToLower(err.Error()), want) {
			t.Errorf("%s: %q, %v, want %q", file, out, err, want)
		}
	}
	if _, warnings, err := g.runWith("", "check"); err == nil || !strings.Contains(warnings, "--config") {
		t.Errorf("without --config: %q, %v", warnings, err)
	}
}
