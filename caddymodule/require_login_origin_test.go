package caddymodule

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddytls"
)

// TestOriginOfASite: a site's origin follows from its host and port, where a browser would
// keep a cookie of it.
func TestOriginOfASite(t *testing.T) {
	for _, tt := range []struct {
		name, host, listen string
		tls                bool
		want, fails        string
	}{
		{"https", "Wiki.example.com", ":443", true, "https://wiki.example.com", ""},
		{"https at a port", "wiki.example.com", ":8443", true, "https://wiki.example.com:8443", ""},
		{"http on this machine", "localhost", "127.0.0.1:8084", false, "http://localhost:8084", ""},
		{"http on this machine, at the usual port", "wiki.localhost", ":80", false, "http://wiki.localhost", ""},
		{"http elsewhere", "wiki.example.com", ":80", false, "", "browsers keep no cookie of ours"},
		{"several hosts", "*.example.com", ":443", true, "", "stands for several"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := &caddyhttp.Server{Listen: []string{tt.listen}}
			if tt.tls {
				server.TLSConnPolicies = caddytls.ConnectionPolicies{{}}
			}
			got, err := placement{server: server}.originOf(&caddyhttp.App{}, tt.host)
			if got != tt.want || (err == nil) != (tt.fails == "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}
