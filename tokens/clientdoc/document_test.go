package clientdoc

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
)

const testURL = "https://client.example/oauth/client.json"

// Documents that are good, and such as are refused as a whole: M-44, CLI-13.
func TestM44Parse(t *testing.T) {
	t.Parallel()
	const public = `{"keys":[{"kty":"EC","crv":"P-256","kid":"a","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`
	secret := func(member string) json.RawMessage {
		return json.RawMessage(strings.Replace(public, `"kid":"a"`, `"kid":"a","`+member+`":"AAAA"`, 1))
	}
	keyed := func(more map[string]any) map[string]any {
		m := map[string]any{"token_endpoint_auth_method": "private_key_jwt"}
		maps.Copy(m, more)
		return m
	}
	for _, tt := range []struct {
		name          string
		change        map[string]any
		public, keyed bool
		want          string // of the error
	}{
		{"the least", nil, true, false, ""},
		{"none", map[string]any{"token_endpoint_auth_method": "none"}, true, false, ""},
		{"null", map[string]any{"token_endpoint_auth_method": nil, "client_name": nil, "jwks": nil, "client_secret": nil}, true, false, ""},
		{"another URL", map[string]any{"client_id": testURL + "/"}, false, false, "not the URL"},
		{"no client_id", map[string]any{"client_id": nil}, false, false, "not the URL"},
		{"a secret", map[string]any{"client_secret": "x"}, false, false, "client_secret"},
		{"a secret method", map[string]any{"token_endpoint_auth_method": "client_secret_basic"}, false, false, "client_secret_basic"},
		{"a symmetric assertion", map[string]any{"token_endpoint_auth_method": "client_secret_jwt"}, false, false, "client_secret_jwt"},
		{"no redirect URIs", map[string]any{"redirect_uris": []string{}}, false, false, "0 redirect_uris"},
		{"too many", map[string]any{"redirect_uris": make([]string, 51)}, false, false, "51 redirect_uris"},
		{"a long one", map[string]any{"redirect_uris": []string{strings.Repeat("x", 1001)}}, false, false, "1000 bytes"},
		{"a wrong type", map[string]any{"redirect_uris": "https://client.example/cb"}, false, false, "redirect_uris has the wrong type"},
		{"keys inline", keyed(map[string]any{"jwks": json.RawMessage(public)}), false, true, ""},
		{"keys at its own origin", keyed(map[string]any{"jwks_uri": "https://client.example/jwks.json"}), false, true, ""},
		{"keys elsewhere", keyed(map[string]any{"jwks_uri": "https://evil.example/jwks.json"}), false, false, "own origin"},
		{"keys at another port", keyed(map[string]any{"jwks_uri": "https://client.example:8443/jwks.json"}), false, false, "own origin"},
		{"keys by http", keyed(map[string]any{"jwks_uri": "http://client.example/jwks.json"}), false, false, "own origin"},
		{"keys twice", keyed(map[string]any{"jwks": json.RawMessage(public), "jwks_uri": "https://client.example/jwks.json"}), false, false, "one of them"},
		{"no keys", keyed(nil), false, false, "neither jwks nor jwks_uri"},
		{"a private key", keyed(map[string]any{"jwks": secret("d")}), false, false, "private key"},
		{"a symmetric key", keyed(map[string]any{"jwks": json.RawMessage(`{"keys":[{"kty":"oct","k":"AAAA"}]}`)}), false, false, "symmetric"},
		{"an unknown algorithm", keyed(map[string]any{"jwks": json.RawMessage(public), "token_endpoint_auth_signing_alg": "HS256"}), false, false, "HS256"},
		{"either", keyed(map[string]any{"jwks": json.RawMessage(public), "token_endpoint_auth_methods_supported": []string{"none", "private_key_jwt"}}), true, true, ""},
		{"either, and no keys", keyed(map[string]any{"token_endpoint_auth_methods_supported": []string{"none", "private_key_jwt"}}), true, false, ""},
	} {
		doc := map[string]any{"client_id": testURL, "redirect_uris": []string{"https://client.example/cb"}}
		maps.Copy(doc, tt.change)
		text, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(testURL, text)
		switch {
		case tt.want == "" && err != nil, tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: error %v, want %q in it", tt.name, err, tt.want)
		case err == nil && (got.Public != tt.public || got.Keyed != tt.keyed):
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
	for _, text := range []string{"", "null", "[]", `"x"`, "{", "<html>", strings.Repeat("[", 1000)} {
		if _, err := Parse(testURL, []byte(text)); err == nil {
			t.Errorf("%.20q is taken for a document", text)
		}
	}
}

// TestM41Admits: which client_ids may be clients.
func TestM41Admits(t *testing.T) {
	t.Parallel()
	some := Rules{Allow: []string{"https://claude.ai/", "https://vscode.dev/oauth/client-metadata.json", "https://mcp.example:8443/c/"}, Pinned: map[string]*Document{"https://pinned.example/c": {}}}
	every := Rules{Any: true}
	for id, want := range map[string][2]bool{
		"https://claude.ai/oauth/x":                       {true, true},
		"https://claude.ai.evil.example/x":                {false, true},
		"https://claude.ai:8443/oauth/x":                  {false, false},
		"https://vscode.dev/oauth/client-metadata.json":   {true, true},
		"https://vscode.dev/oauth/client-metadata.json/x": {false, true},
		"https://mcp.example:8443/c/x":                    {true, false},
		"https://mcp.example:8443/other":                  {false, false},
		"https://pinned.example/c":                        {true, true},
		"https://[2606:4700::1111]/c":                     {false, true},
		"https://[2606:4700::1111]:8443/c":                {false, false},
		"https://claude.ai/../x":                          {false, false},
		"https://claude.ai/":                              {false, false},
		"http://claude.ai/oauth/x":                        {false, false},
		"my-spa":                                          {false, false},
	} {
		if got := [2]bool{some.Admits(id), every.Admits(id)}; got != want {
			t.Errorf("%s is admitted: %v, want %v", id, got, want)
		}
	}
}
