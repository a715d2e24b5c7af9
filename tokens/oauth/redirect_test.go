package oauth

import "testing"

// TestMatchLogout (P11): an empty path is "/", and nothing else is forgiven.
func TestMatchLogout(t *testing.T) {
	registered := []string{"https://app.example", "http://localhost:3000/", "https://app.example/bye", "com.example.app://bye"}
	tests := []struct {
		asked string
		want  bool
	}{
		{"https://app.example", true},
		{"https://app.example/", true},
		{"http://localhost:3000", true},
		{"http://localhost:3000/", true},
		{"https://app.example/bye", true},
		{"com.example.app://bye", true},
		{"com.example.app://bye/", false},
		{"https://app.example/bye/", false},
		{"https://app.example//", false},
		{"https://app.example?x=1", false},
		{"https://app.example#x", false},
		{"https://app.example.evil.com", false},
		{`https://app.example\`, false},
		{"HTTPS://app.example", false},
		{"http://app.example", false},
		{"https://", false},
		{"", false},
	}
	for _, tt := range tests {
		if got := MatchLogout(registered, tt.asked); got != tt.want {
			t.Errorf("MatchLogout(%q) = %v, want %v", tt.asked, got, tt.want)
		}
	}
}

// TestMatchRedirect covers RED-01 to RED-08 and RED-11: the same string, or
// another port of a literal loopback address.
func TestMatchRedirect(t *testing.T) {
	web := []string{"https://app.example/cb"}
	native := []string{"http://127.0.0.1/cb", "com.example.app:/cb"}
	both := []string{"http://127.0.0.1:7777/cb", "http://[::1]/cb"}
	tests := []struct {
		name       string
		registered []string
		asked      string
		want       bool
	}{
		{"exact", web, "https://app.example/cb", true},
		{"RED-01 path case", web, "https://app.example/CB", false},
		{"RED-01 scheme case", web, "HTTPS://app.example/cb", false},
		{"RED-02 query", web, "https://app.example/cb?x=1", false},
		{"RED-02 empty query", web, "https://app.example/cb?", false},
		{"RED-02 empty fragment", web, "https://app.example/cb#", false},
		{"RED-02 fragment", web, "https://app.example/cb#frag", false},
		{"RED-02 slash", web, "https://app.example/cb/", false},
		{"RED-03 dots", web, "https://app.example/cb/../evil", false},
		{"RED-03 encoded dots", web, "https://app.example/cb%2f..%2fx", false},
		{"RED-03 backslash", web, `https://app.example/cb\..\x`, false},
		{"RED-05 suffix host", web, "https://app.example.evil.com/cb", false},
		{"RED-05 prefix host", web, "https://evilapp.example/cb", false},
		{"RED-05 port", web, "https://app.example:444/cb", false},
		{"RED-05 default port", web, "https://app.example:443/cb", false},
		{"RED-05 http", web, "http://app.example/cb", false},
		{"RED-07 userinfo", web, `https://app.example\@evil.com/cb`, false},
		{"RED-07 scheme-relative", web, "//app.example/cb", false},
		{"RED-07 no host", web, "https:app.example/cb", false},
		{"RED-08 trailing dot", web, "https://app.example./cb", false},
		{"RED-08 NUL", web, "https://app.example/cb%00", false},
		{"RED-08 tab", web, "ht\ttps://app.example/cb", false},
		{"RED-08 fullwidth slash", web, "https://app.example／cb", false},
		{"RED-11 loopback port", native, "http://127.0.0.1:51004/cb", true},
		{"RED-11 loopback without port", native, "http://127.0.0.1/cb", true},
		{"RED-11 IPv6 unregistered", native, "http://[::1]:51004/cb", false},
		{"RED-11 localhost", native, "http://localhost:51004/cb", false},
		{"RED-11 suffix", native, "http://127.0.0.1.evil.com/cb", false},
		{"RED-11 suffix after port", native, "http://127.0.0.1:80.evil.com/cb", false},
		{"RED-11 userinfo port", native, "http://127.0.0.1:80@evil.com/cb", false},
		{"RED-11 query", native, "http://127.0.0.1:51004/cb?bar=foo", false},
		{"RED-11 path", native, "http://127.0.0.1:51004/other", false},
		{"RED-11 https", native, "https://127.0.0.1:51004/cb", false},
		{"RED-11 port of six digits", native, "http://127.0.0.1:510041/cb", false},
		{"RED-11 empty port", native, "http://127.0.0.1:/cb", false},
		{"registered with a port", both, "http://127.0.0.1:51004/cb", true},
		{"IPv6 registered", both, "http://[::1]:51004/cb", true},
		{"custom scheme", native, "com.example.app:/cb", true},
		{"custom scheme path", native, "com.example.app:/cb/x", false},
		{"empty", native, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, native := range []bool{false, true} {
				if got := MatchRedirect(tt.registered, tt.asked, native); got != tt.want {
					t.Errorf("MatchRedirect(%q, native %v) = %v, want %v", tt.asked, native, got, tt.want)
				}
			}
		})
	}
}

// S23: a native app that registered localhost gets any port there, as on the
// addresses; no other client does, and no other name.
func TestMatchRedirectLocalhost(t *testing.T) {
	for _, tt := range []struct {
		registered, asked string
		want              bool // for a native app
	}{
		{"http://localhost/cb", "http://localhost:51004/cb", true},
		{"http://localhost:3000/cb", "http://localhost:51004/cb", true},
		{"http://localhost:3000/cb", "http://localhost/cb", true},
		{"http://localhost", "http://localhost:51004", true},
		{"http://localhost/cb", "http://localhost:51004/other", false},
		{"http://localhost/cb", "http://localhost:51004/cb?x=1", false},
		{"http://localhost/cb", "https://localhost:51004/cb", false},
		{"http://localhost/cb", "http://LOCALHOST:51004/cb", false},
		{"http://localhost/cb", "http://localhost.:51004/cb", false},
		{"http://localhost/cb", "http://localhost.evil.com:51004/cb", false},
		{"http://localhost/cb", "http://localhost:51004.evil.com/cb", false},
		{"http://localhost/cb", "http://localhost:80@evil.com/cb", false},
		{"http://localhost/cb", "http://app.localhost:51004/cb", false},
		{"http://localhost/cb", "http://127.0.0.1:51004/cb", false},
		{"http://127.0.0.1/cb", "http://localhost:51004/cb", false},
		{"https://localhost/cb", "https://localhost:51004/cb", false},
	} {
		if got := MatchRedirect([]string{tt.registered}, tt.asked, true); got != tt.want {
			t.Errorf("%s for a native app that registered %s: %v, want %v", tt.asked, tt.registered, got, tt.want)
		}
		if MatchRedirect([]string{tt.registered}, tt.asked, false) {
			t.Errorf("%s for another client that registered %s is accepted", tt.asked, tt.registered)
		}
	}
}

// S12: parsers of URLs write the path "/" of an API where people do not. Nothing
// else of two identifiers may differ.
func TestSameResource(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"https://mcp.test", "https://mcp.test/", true},
		{"https://mcp.test:8443", "https://mcp.test:8443/", true},
		{"https://mcp.test/mcp", "https://mcp.test/mcp", true},
		{"urn:api", "urn:api", true},
		{"https://mcp.test/mcp", "https://mcp.test/mcp/", false},
		{"https://mcp.test", "https://mcp.test//", false},
		{"https://mcp.test", "https://mcp.test/#", false},
		{"https://mcp.test", "https://mcp.test/?", false},
		{"https://mcp.test", "http://mcp.test/", false},
		{"https://mcp.test", "https://mcp.test.evil/", false},
		{"https://mcp.test", "https://MCP.test/", false},
		{"https://mcp.test", "https://mcp.test:443/", false},
		{"urn:api", "urn:api/", false},
		{"api", "api/", false},
		{"", "/", false},
	} {
		if SameResource(tt.a, tt.b) != tt.want || SameResource(tt.b, tt.a) != tt.want {
			t.Errorf("SameResource(%q, %q): want %v", tt.a, tt.b, tt.want)
		}
	}
}

func TestOriginOf(t *testing.T) {
	for uri, want := range map[string]string{
		"https://App.Example/cb":      "https://app.example",
		"https://app.example:443/cb":  "https://app.example",
		"https://app.example:8443/cb": "https://app.example:8443",
		"http://localhost:80/":        "http://localhost",
		"com.example.app:/cb":         "",
		"/cb":                         "",
		"https://:443/cb":             "",
		"https:///cb":                 "",
		"https://a%25zz/cb":           "",
		"https://a%25c3/cb":           "",
		"https://[fe80::1%25en0]/cb":  "",
		"https://[fe80::1]/cb":        "https://[fe80::1]",
	} {
		if got := OriginOf(uri); got != want {
			t.Errorf("OriginOf(%q) = %q, want %q", uri, got, want)
		}
	}
}

// FuzzMatchRedirect holds every accepted URI to the rule: registered, or a
// registered loopback URI but for its port.
func FuzzMatchRedirect(f *testing.F) {
	f.Add("http://127.0.0.1:51004/cb")
	f.Add("http://[::1]:1/cb")
	f.Add("https://app.example/cb")
	f.Add("http://localhost:1/cb")
	registered := []string{"https://app.example/cb", "http://127.0.0.1/cb", "http://[::1]:9/cb", "http://localhost:9/cb"}
	f.Fuzz(func(t *testing.T, asked string) {
		if !MatchRedirect(registered, asked, true) {
			return
		}
		switch OriginOf(asked) {
		case "https://app.example":
			if asked != registered[0] {
				t.Errorf("accepted %q", asked)
			}
		default:
			base, ok := loopbackWithoutPort(asked, loopbackHosts)
			if !ok || base != "http://127.0.0.1/cb" && base != "http://[::1]/cb" && base != "http://localhost/cb" {
				t.Errorf("accepted %q", asked)
			}
		}
	})
}

// M-27, M-47: a client names the address that it calls, and means the API that it lies below,
// on the boundary of a path segment.
func TestResourceBelow(t *testing.T) {
	const api = "https://mcp.example.com/mcp"
	for asked, want := range map[string]bool{
		api: true, api + "/": true, api + "/a/b": true, "https://MCP.Example.com/mcp": true, "HTTPS://mcp.example.com:443/mcp/": true, api + "?session=1": true,
		api + "x": false, "https://mcp.example.com": false, "https://mcp.example.com/": false, "https://mcp.example.com/MCP": false, "http://mcp.example.com/mcp": false,
		"https://mcp.example.com:8443/mcp": false, "https://mcp.example.com.evil.example/mcp": false, "https://x@mcp.example.com/mcp": false, api + "/../other": false, api + "/%2e%2e/other": false,
		"mcp": false, "": false,
	} {
		if got := BelowResource(api, asked); got != want {
			t.Errorf("%q: %t, want %t", asked, got, want)
		}
	}
	if !BelowResource("https://mcp.example.com", api) || BelowResource("tools", "tools/x") || BelowResource("https://mcp.example.com/?a", "https://mcp.example.com/?a") {
		t.Error("an API without a path takes all below it, and a name none")
	}
}
