package caddymodule

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/handler/identity"
)

const mappedGuard = "{\naudience https://api.example.com\nheader X-User-Id sub\n}\n"

// G16: a client could write the header that a guard sets on every path beside the
// guard, and the same upstream believed it.
func TestIdentityHeadersBesideTheGuard(t *testing.T) {
	const open = "clients can write an identity header themselves"
	for _, tt := range []struct {
		name, site string
		passes     map[string]string // path -> the header that the upstream sees of a client with a token
		warns      bool
	}{
		{"matcher", "bearer_auth /api/* " + mappedGuard + "reverse_proxy UPSTREAM", map[string]string{"/api/x": "worker@clients", "/x": ""}, false},
		{
			"two guards", "bearer_auth /api/* " + mappedGuard + "bearer_auth /v2/* " + mappedGuard + "reverse_proxy UPSTREAM",
			map[string]string{"/api/x": "worker@clients", "/v2/x": "worker@clients", "/x": ""},
			false,
		},
		{
			"two guards, one in the other", "@all path /api/*\nbearer_auth @all " + mappedGuard + "bearer_auth /api/v2/* " + mappedGuard + "reverse_proxy UPSTREAM",
			map[string]string{"/api/x": "worker@clients", "/api/v2/x": "worker@clients", "/x": ""},
			false,
		},
		{
			"two guards, one in a block", "@all path /api/*\nbearer_auth @all " + mappedGuard + "handle {\nbearer_auth /v2/* " + mappedGuard + "reverse_proxy UPSTREAM\n}",
			map[string]string{"/api/x": "worker@clients", "/v2/x": "worker@clients", "/x": ""},
			false,
		},
		{"optional", "bearer_auth " + strings.Replace(mappedGuard, "header", "optional\nheader", 1) + "reverse_proxy UPSTREAM", map[string]string{"/x": "worker@clients"}, false},
		{"try_files in the way", "try_files {path}\nbearer_auth /api/* " + mappedGuard + "reverse_proxy UPSTREAM", map[string]string{"/api/x": "worker@clients", "/x": ""}, false},
		{
			"in a block, another beside it", "handle /api/* {\nbearer_auth " + mappedGuard + "reverse_proxy UPSTREAM\n}\nhandle {\nreverse_proxy UPSTREAM\n}",
			map[string]string{"/api/x": "worker@clients", "/x": "alice"},
			true,
		},
		{
			"in handle_path, a proxy beside it", "handle_path /api/* {\nbearer_auth " + mappedGuard + "reverse_proxy UPSTREAM\n}\nreverse_proxy UPSTREAM",
			map[string]string{"/api/x": "worker@clients", "/x": "alice"},
			true,
		},
		{
			"the header is deleted there", "handle /api/* {\nbearer_auth " + mappedGuard + "reverse_proxy UPSTREAM\n}\nhandle {\nrequest_header -X-User-Id\nreverse_proxy UPSTREAM\n}",
			map[string]string{"/api/x": "worker@clients", "/x": ""},
			false,
		},
		{
			"the proxy deletes it there", "handle /api/* {\nbearer_auth " + mappedGuard + "reverse_proxy UPSTREAM\n}\nhandle {\nreverse_proxy UPSTREAM {\nheader_up -X-User-Id\n}\n}",
			map[string]string{"/api/x": "worker@clients", "/x": ""},
			false,
		},
		{"another upstream", "handle /api/* {\nbearer_auth " + mappedGuard + "reverse_proxy UPSTREAM\n}\nhandle {\nrespond other\n}", map[string]string{"/api/x": "worker@clients"}, false},
		{
			"blocks with a guard each", "handle /api/* {\nbearer_auth " + mappedGuard + "reverse_proxy UPSTREAM\n}\nhandle {\nbearer_auth /x/* " + mappedGuard + "reverse_proxy UPSTREAM\n}",
			map[string]string{"/api/x": "worker@clients", "/y": ""},
			false,
		},
		{
			"in handle_errors", "error /x 404\nbearer_auth " + mappedGuard + "reverse_proxy UPSTREAM\nhandle_errors 404 {\nreverse_proxy UPSTREAM\n}",
			map[string]string{"/api/x": "worker@clients"},
			true,
		},
	} {
		t.Run("G16: "+tt.name, func(t *testing.T) {
			g := startGateway(t, gatewayOptions{API: tt.site, Servers: "expected_underscore_headers X_User_Id"})
			token := g.machineToken()
			for path, want := range tt.passes {
				headers := []string{"X-User-Id", "alice", "Connection", "X-User-Id"}
				if !strings.Contains(tt.name, "delete") { // Caddy deletes a name in one spelling
					headers = append(headers, "X~User~Id", "alice")
				}
				g.call(path, token, headers...)
				seen := g.upstream.take()
				if len(seen) != 1 {
					t.Fatalf("%s: %d requests at the upstream", path, len(seen))
				}
				got := make(map[string]string)
				for name, values := range seen[0].Header {
					if identity.SameHeader(name, "X-User-Id") && values[0] != "" {
						got[name] = strings.Join(values, "|")
					}
				}
				if wanted := (map[string]string{"X-User-Id": want}); want == "alice" { // nobody takes it out: the warning says so
					continue
				} else if want == "" && len(got) > 0 || want != "" && !maps.Equal(got, wanted) {
					t.Errorf("%s: the upstream sees %v, want %q", path, got, want)
				}
			}
			if warned := strings.Contains(g.logs(), open); warned != tt.warns {
				t.Errorf("warned: %t, want %t", warned, tt.warns)
			}
		})
	}
}

// G16: requests beside the guard are otherwise as they came.
func TestRequestsBesideTheGuardAreAsTheyCame(t *testing.T) {
	g := startGateway(t, gatewayOptions{API: "bearer_auth /api/* " + mappedGuard + "reverse_proxy UPSTREAM"})
	resp, _ := g.call("/x", "no.token.here", "X-Other", "a", "Cookie", "a=b", "Origin", "https://any.example")
	seen := g.upstream.take()
	if resp.StatusCode != http.StatusOK || len(seen) != 1 {
		t.Fatalf("%d, %d requests at the upstream", resp.StatusCode, len(seen))
	}
	h := seen[0].Header
	if h.Get("X-Other") != "a" || h.Get("Cookie") != "a=b" || h.Get("Authorization") != "Bearer no.token.here" || resp.Header.Get("Vary") != "" {
		t.Errorf("the upstream sees %v, the client %v", h, resp.Header)
	}
}
