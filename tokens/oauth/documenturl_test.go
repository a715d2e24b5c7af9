package oauth

import (
	"strings"
	"testing"
)

// TestM41DocumentURL: what can be the URL of a client's metadata (mcp.md M-41; attacks.md RED-03,
// RED-07, RED-08).
func TestM41DocumentURL(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]bool{
		"https://vscode.dev/oauth/client-metadata.json":            true,
		"https://chatgpt.com/oauth/abc/client.json?v=1":            true,
		"https://mcp.example.com:8443/client":                      true,
		"https://[2606:4700::1111]/client.json":                    true,
		"https://claude.ai":                                        false, // no path
		"https://claude.ai/":                                       false,
		"http://claude.ai/client.json":                             false,
		"HTTPS://claude.ai/client.json":                            false,
		"https://Claude.ai/client.json":                            false,
		"https://claude.ai./client.json":                           false,
		"https://claude.ai:/client.json":                           false,
		"https:///client.json":                                     false,
		"https:claude.ai/client.json":                              false,
		"//claude.ai/client.json":                                  false,
		"file:///etc/passwd":                                       false,
		"https://user@claude.ai/client.json":                       false,
		"https://claude.ai@evil.example/client.json":               false,
		"https://claude.ai\\@evil.example/c":                       false,
		"https://claude.ai/client.json#x":                          false,
		"https://claude.ai/a/../client.json":                       false,
		"https://claude.ai/a/./client.json":                        false,
		"https://claude.ai/a/%2e%2e/client.json":                   false,
		"https://claude.ai/a/..%2fclient.json":                     false,
		"https://claude.ai/a%5cb":                                  false,
		"https://claude.ai/a%00":                                   false,
		"https://claude.ai/a b":                                    false,
		"https://claude.ai/a\nb":                                   false,
		"https://clаude.ai/client.json":                            false, // Cyrillic а
		"https://claude.ai／client.json":                            false, // U+FF0F
		"https://evil.example?https://claude.ai/client.json":       false,
		"https://claude.ai/" + strings.Repeat("a", maxDocumentURL): false,
	} {
		if got := IsDocumentURL(id); got != want {
			t.Errorf("IsDocumentURL(%q) = %t", id, got)
		}
	}
	for prefix, want := range map[string]bool{
		"https://claude.ai/":       true,
		"https://claude.ai/oauth/": true,
		"https://claude.ai":        false, // claude.ai.evil.example begins with it
		"https://claude.ai/oauth":  false,
		"https://claude.ai/?a=/":   false,
		"http://claude.ai/":        false,
	} {
		if got := IsDocumentPrefix(prefix); got != want {
			t.Errorf("IsDocumentPrefix(%q) = %t", prefix, got)
		}
	}
	if got := DocumentOrigin("https://a.example:8443/b/c?d=/"); got != "https://a.example:8443" {
		t.Errorf("the origin is %q", got)
	}
}
