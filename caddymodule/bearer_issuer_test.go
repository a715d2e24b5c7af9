package caddymodule

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// issuerErrors are what only JSON can get wrong about other issuers; the
// Caddyfile's errors are in testdata.
var issuerErrors = []struct{ name, config, want string }{
	{"null issuer", `{"audience":["a"],"issuers":[null]}`, "issuers: there is a null in the list: "},
	{"no issuer", `{"audience":["a"],"issuers":[{}]}`, `issuer "": issuer: it is required: `},
	{
		"max_token_age below nothing", `{"audience":["a"],"issuers":[{"issuer":"https://a.example.com/","max_token_age":"-1h"}]}`,
		"issuer https://a.example.com/: max_token_age: -1h is less than no time: ",
	},
	{"max_age below nothing", `{"audience":["a"],"max_age":"-1h"}`, "max_age: it is less than zero: "},
	{"no audience", `{"issuers":[{"issuer":"https://a.example.com/","audience":["b"]}]}`, "audience: name at least one, "},
}

func TestCheckIssuerJSON(t *testing.T) {
	for _, tt := range issuerErrors {
		t.Run(tt.name, func(t *testing.T) {
			var b BearerAuth
			if err := caddy.StrictUnmarshalJSON([]byte(tt.config), &b); err != nil {
				t.Fatal(err)
			}
			if err := b.Check(); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("Check() = %v, want %s…", err, tt.want)
			}
		})
	}
}
