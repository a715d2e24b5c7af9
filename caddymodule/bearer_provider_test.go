package caddymodule

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// withProviders puts Caddy's authentication handler in the place of the guard.
func withProviders(t *testing.T, config []byte, providers string) []byte {
	t.Helper()
	return withHandlers(t, config, `{"handler":"authentication","providers":`+providers+`},{"handler":"static_response","body":"{http.auth.user.id} {http.auth.user.client_id}"}`)
}

// withHandlers puts handlers, in JSON, in the place of the guard.
func withHandlers(t *testing.T, config []byte, handlers string) []byte {
	t.Helper()
	text := string(config)
	at := strings.Index(text, `{"handler":"static_response","body":"GUARD"}`)
	if at < 0 {
		at = strings.Index(text, `{"body":"GUARD","handler":"static_response"}`)
	}
	if at < 0 {
		t.Fatalf("no place for the handler: %s", text)
	}
	end := at + strings.Index(text[at:], "}") + 1
	text = text[:at] + handlers + text[end:]
	if !json.Valid([]byte(text)) {
		t.Fatal(text)
	}
	return []byte(text)
}

const (
	bearerProvider = `"bearer":{"audience":["https://api.example.com"],"scopes":["orders:read"]}`
	basicProvider  = `"http_basic":{"accounts":[{"username":"bob","password":"$2a$04$kWYq2RtGd9A0HllCu92W1e1tAWbhNG9zSADajw0ryr83KVvfnrG0K"}]}`
)

func TestBearerProvider(t *testing.T) {
	for name, providers := range map[string]string{"alone": "{" + bearerProvider + "}", "with passwords": "{" + bearerProvider + "," + basicProvider + "}"} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t)
			config := withProviders(t, g.config(gatewayOptions{API: "respond GUARD"}), providers)
			t.Cleanup(func() { _ = caddy.Stop() })
			if err := caddy.Load(config, true); err != nil {
				t.Fatal(err)
			}
			resp, body := g.call("/", g.login().AccessToken)
			if resp.StatusCode != http.StatusOK || body != "local|alice my-spa" {
				t.Errorf("a good token: %d %q", resp.StatusCode, body)
			}
			if resp.Header.Get("WWW-Authenticate") != "" {
				t.Errorf("HDR-27: a challenge beside a success: %v", resp.Header)
			}
			for what, token := range map[string]string{"no token": "", "a bad token": "a.b.c"} {
				resp, body := g.call("/", token)
				challenge := strings.Join(resp.Header.Values("WWW-Authenticate"), ", ")
				if resp.StatusCode != http.StatusUnauthorized || challenge == "" || name == "alone" && !strings.HasPrefix(challenge, "Bearer ") {
					t.Errorf("%s: %d %s %q", what, resp.StatusCode, challenge, body)
				}
			}
			if name == "alone" {
				return
			}
			r := g.request(g.API+"/", nil)
			r.SetBasicAuth("bob", "secret")
			if resp, body := g.do(r); resp.StatusCode != http.StatusOK || !strings.HasPrefix(body, "bob ") || resp.Header.Get("WWW-Authenticate") != "" {
				t.Errorf("a password: %d %q %v", resp.StatusCode, body, resp.Header)
			}
		})
	}
}

var jsonBlock = regexp.MustCompile("(?s)```json\n(.*?)```")

// HDR-01 beside a provider that knows nothing of our headers: the handlers that
// docs/api.md shows tell the upstream who it is, whichever provider Caddy
// asks first.
func TestBearerProviderIdentity(t *testing.T) {
	page, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	block := jsonBlock.FindSubmatch(page)
	if block == nil {
		t.Fatal("docs/api.md shows no JSON")
	}
	g := newGateway(t)
	handlers := strings.Trim(strings.TrimSpace(string(block[1])), "[]")
	handlers = strings.Replace(handlers, "localhost:9000", strings.TrimPrefix(g.upstream.server.URL, "http://"), 1)
	config := withHandlers(t, g.config(gatewayOptions{API: "respond GUARD"}), handlers)
	t.Cleanup(func() { _ = caddy.Stop() })
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
	alice := "Bearer " + g.login().AccessToken
	for range 10 { // in whatever order the providers come
		for authorization, want := range map[string]string{"Basic Ym9iOnNlY3JldA==": "bob", alice: "local|alice"} {
			resp, body := g.raw(g.API, "GET / HTTP/1.1\nHost: localhost\nAuthorization: "+authorization+
				"\nX-User-Id: admin\nX_User_Id: admin\nConnection: X-User-Id\n\n")
			seen := g.upstream.take()
			if resp.StatusCode != http.StatusOK || len(seen) != 1 {
				t.Fatalf("%s: %d %s", want, resp.StatusCode, body)
			}
			if got := seen[0].Header; !slices.Equal(got["X-User-Id"], []string{want}) || got["X_user_id"] != nil || got["Authorization"] != nil {
				t.Errorf("%s: the upstream sees %v", want, got)
			}
		}
	}
}

// The challenge of another provider that writes to the same answer stays.
func TestBearerProviderChallenge(t *testing.T) {
	g := newGateway(t)
	config := withProviders(t, g.config(gatewayOptions{API: "header WWW-Authenticate Negotiate\nrespond GUARD"}), "{"+bearerProvider+"}")
	t.Cleanup(func() { _ = caddy.Stop() })
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
	resp, _ := g.call("/", "")
	if got := resp.Header.Values("WWW-Authenticate"); resp.StatusCode != http.StatusUnauthorized || len(got) != 3 || got[0] != "Negotiate" {
		t.Errorf("%d %q", resp.StatusCode, got)
	}
}

func TestBearerProviderErrors(t *testing.T) {
	g := newGateway(t)
	for fields, want := range map[string]string{
		`"audience":["https://api.example.com"],"headers":[{"header":"X-User-Id","claim":"sub"}]`: "header_up X-User-Id {http.auth.user.id}",
		`"audience":["https://api.example.com"],"strip_token":true`:                               "header_up -Authorization",
		`"audience":["https://api.example.com"],"optional":true`:                                  "optional would let everybody pass",
		`"audience":["https://api.example.com"],"site_only":true`:                                 "site_only checks nothing",
		`"audience":["https://api.example.com"],"streams":"keep"`:                                 "the provider cannot end it",
		`"audience":["https://typo.example.com"]`:                                                 "is not an `api`",
		`"audience":["https://api.example.com"],"scopes":["typo"]`:                                "so no token can have it",
		``: "audience: name at least one",
	} {
		config := withProviders(t, g.config(gatewayOptions{API: "respond GUARD"}), `{"bearer":{`+fields+`}}`)
		if err := validateConfig(t, config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q in it", fields, err, want)
		}
	}
}
