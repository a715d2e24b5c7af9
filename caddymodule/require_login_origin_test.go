package caddymodule

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
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
		{"an IPv6 address", "::1", "[::1]:18191", false, "http://[::1]:18191", ""},
		{"an IPv6 address, at the usual port", "2001:DB8::1", ":443", true, "https://[2001:db8::1]", ""},
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

// TestOriginsBehindMatchers: the hosts that matchers name are narrowed by each on the way.
func TestOriginsBehindMatchers(t *testing.T) {
	for _, tt := range []struct {
		name, site, want, fails string
	}{
		{"a host of a wildcard", "@a host a.localhost\nrequire_login @a", "http://a.localhost", ""},
		{"two of them", "@a host a.localhost b.localhost\nrequire_login @a", "http://a.localhost http://b.localhost", ""},
		{"a handle", "@a host a.localhost\nhandle @a {\nrequire_login /x/*\n}", "http://a.localhost", ""},
		{"a handle in a handle", "@a host a.localhost b.localhost\nhandle @a {\n@b host b.localhost c.localhost\nhandle @b {\nrequire_login\n}\n}", "http://b.localhost", ""},
		{"none of them", "@a host a.example.com\nrequire_login @a", "", "not to be seen"},
		{"the wildcard", "require_login /x/*", "", "stands for several"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := &siteGateway{newGateway(t)}
			t.Cleanup(func() { _ = caddy.Stop() })
			at := strings.Replace(g.API, "localhost", "*.localhost", 1)
			err := g.loadSite(tt.site+"\nrespond OPEN", func(file string) string { return strings.Replace(file, g.API+" {", at+" {", 1) })
			if tt.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fails) {
					t.Errorf("error %v, want %q in it", err, tt.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			port := strings.TrimPrefix(g.API, "http://localhost")
			var got []string
			for _, origin := range slices.Sorted(maps.Keys(serving.app().sites)) {
				got = append(got, strings.TrimSuffix(origin, port))
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("sites %q, want %s", got, tt.want)
			}
		})
	}
}
