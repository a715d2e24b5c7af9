package caddymodule

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// S28: what nobody serves on the issuer's site is not an empty 200. What another
// handler of the site serves, in whatever way, is left as it is.
func TestNobodyServesIt(t *testing.T) {
	g := newGateway(t)
	folder := filepath.Join(g.dir, "files")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "a.txt"), []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	const start, missing = "Start at the application", "Page not found"
	type want struct {
		path   string
		status int
		text   string // "" for an empty body
	}
	for _, tt := range []struct {
		name, site string
		headers    []string
		want       []want
	}{
		{"alone", "oauth_server", nil, []want{
			{"/", 200, start},
			{"//", 200, start},
			{"/?a=b", 200, start},
			{"/nothing", 404, missing},
			{"/loginx", 404, missing},
			{"/oauth/oauth/token", 404, missing},
			{"/account", 200, "Password"},
		}},
		{"headers and rewrites alone", "oauth_server\nheader X-Site yes\nencode\nrewrite /old /new\nhandle /x/* {\n}\nhandle_path /y/* {\nheader X-Y yes\n}\nlog", nil, []want{
			{"/", 200, start}, {"/old", 404, missing}, {"/x/a", 404, missing}, {"/y/a", 404, missing},
		}},
		{"answers without a body", "oauth_server\nrespond / 200\nrespond /empty 204\nrespond /teapot 418", nil, []want{
			{"/", 200, ""}, {"/empty", 204, ""}, {"/teapot", 418, ""}, {"/other", 404, missing},
		}},
		{"files", "oauth_server\nroot * " + folder + "\nfile_server", nil, []want{{"/a.txt", 200, "a file"}, {"/b.txt", 404, ""}}},
		{"files, else the upstream", "oauth_server\nroot * " + folder + "\nfile_server {\npass_thru\n}\nrespond /b.txt second", nil, []want{
			{"/a.txt", 200, "a file"}, {"/b.txt", 200, "second"}, {"/c.txt", 404, missing},
		}},
		{"an upstream", "oauth_server\nreverse_proxy /app/* " + strings.TrimPrefix(g.upstream.server.URL, "http://"), nil, []want{{"/app/a", 200, "upstream"}, {"/b", 404, missing}}},
		{
			"an upstream's answer, replaced", "oauth_server\nreverse_proxy " + strings.TrimPrefix(g.upstream.server.URL, "http://") + " {\n@ok status 200\nhandle_response @ok {\nheader X-Y yes\ncopy_response 202\n}\n}", nil,
			[]want{{"/a", 202, "upstream"}},
		},
		{"an error and its page", "oauth_server\nerror /gone 410\nhandle_errors {\nrespond \"our page {err.status_code}\"\n}", nil, []want{{"/gone", 410, "our page 410"}, {"/nothing", 404, missing}}},
		{"a redirect", "oauth_server\nredir / https://www.example.com/", nil, []want{{"/", 302, ""}}},
		{"a site's own route", "handle /auth/* {\nrespond behind\n}\nhandle {\noauth_server\n}", nil, []want{{"/auth/x", 200, "behind"}, {"/nothing", 404, missing}}},
		{"the call of an API", "oauth_server", []string{"Authorization", "Bearer x"}, []want{{"/nothing", 200, ""}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := g.load(gatewayOptions{Server: tt.site}); err != nil {
				t.Fatal(err)
			}
			for _, w := range tt.want {
				res, body := g.do(g.request(g.url(w.path), nil, tt.headers...))
				if res.StatusCode != w.status || w.text == "" && body != "" || !strings.Contains(body, w.text) {
					t.Errorf("%s: %d %s", w.path, res.StatusCode, body)
				}
				if ours := w.text == start || w.text == missing; ours && (res.Header.Get("X-Frame-Options") != "DENY" || res.Header.Get("Cache-Control") != "no-store") {
					t.Errorf("%s: headers %v", w.path, res.Header)
				}
			}
		})
	}
	if err := g.load(gatewayOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{http.MethodHead, http.MethodPost, http.MethodOptions} {
		r := g.request(g.url("/nothing"), nil)
		r.Method = method
		if res, body := g.do(r); res.StatusCode != http.StatusNotFound || method == http.MethodHead && body != "" {
			t.Errorf("%s: %d %s", method, res.StatusCode, body)
		}
	}
}
