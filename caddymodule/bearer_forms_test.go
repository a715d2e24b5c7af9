package caddymodule

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/handler/guard"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// guardPlace is a place in a Caddyfile in which a guard can stand.
type guardPlace struct {
	name   string
	module string // the handler of Caddy's that holds it
	site   string // with BODY in the place of the guard and what is beside it
	named  string // a named route of its own, with BODY, which the site invokes as ROUTE
	inner  bool   // requests for the RFC 9728 document do not arrive there
	ends   bool   // BODY has no respond of its own: the site has one
}

// guardPlaces are all that Caddy knows: TestGuardPlacesAreAll says when it knows more.
var guardPlaces = []guardPlace{
	{name: "site", site: "BODY"},
	{name: "handle", module: "subroute", site: "handle {\nBODY\n}"},
	{name: "handle with a path", module: "subroute", site: "handle /1/* {\nBODY\n}", inner: true},
	{name: "handle_path", module: "subroute", site: "handle_path /1/* {\nBODY\n}", inner: true},
	{name: "handle in handle_path", module: "subroute", site: "handle_path /1/* {\nhandle /x {\nBODY\n}\n}", inner: true},
	{name: "route", module: "subroute", site: "route {\nBODY\n}"},
	{name: "route with a path", module: "subroute", site: "route /1/* {\nBODY\n}", inner: true},
	{name: "route in route", module: "subroute", site: "route {\nroute {\nBODY\n}\n}"},
	{name: "snippet", site: "import SNIPPET"},
	{name: "snippet in handle", module: "subroute", site: "handle {\nimport SNIPPET\n}"},
	{name: "G1: invoke", module: "invoke", named: "BODY", site: "invoke ROUTE"},
	{name: "G1: invoke, respond in the site", module: "invoke", named: "BODY", site: "invoke ROUTE\nrespond SECRET", ends: true},
	{name: "G1: invoke in handle_path", module: "invoke", named: "BODY", site: "handle_path /1/* {\ninvoke ROUTE\nrespond SECRET\n}", inner: true, ends: true},
	{name: "G1: invoke in route", module: "invoke", named: "BODY", site: "route {\ninvoke ROUTE\nrespond SECRET\n}", ends: true},
	{name: "G1: invoke with a matcher", module: "invoke", named: "BODY", site: "@1 path /1/*\ninvoke @1 ROUTE\nrespond SECRET", inner: true, ends: true},
	{name: "G1: handle in the named route", module: "invoke", named: "handle {\nBODY\n}", site: "invoke ROUTE"},
	{name: "G1: route in the named route", module: "invoke", named: "route {\nBODY\n}", site: "invoke ROUTE"},
	{name: "G1: snippet in the named route", module: "invoke", named: "import SNIPPET", site: "invoke ROUTE"},
	{name: "G1: handle with a path in the named route, beside a header", module: "invoke", named: "header X-A b\nhandle /1/* {\nBODY\n}", site: "invoke ROUTE", inner: true},
	{name: "G1: route in the named route, all in it", module: "invoke", named: "route {\nheader X-A \"{\"\nhandle {\nBODY\n}\n}", site: "invoke ROUTE"},
	{name: "G1: invoke in a route of a named route, beside a header", module: "invoke", named: "BODY\n}\n&(ROUTE-outer) {\nroute {\nheader X-A b\ninvoke ROUTE\n}", site: "invoke ROUTE-outer\nrespond SECRET", ends: true},
	{name: "G1: invoke in a named route", module: "invoke", named: "BODY\n}\n&(ROUTE-outer) {\ninvoke ROUTE", site: "invoke ROUTE-outer\nrespond SECRET", ends: true},
	{name: "handle_errors", site: "error * 418\nhandle_errors {\nBODY\n}"},
	{name: "handle_errors of a status", site: "error * 418\nhandle_errors 418 {\nBODY\n}"},
	{name: "G1: invoke in handle_errors", module: "invoke", named: "BODY", site: "error * 418\nhandle_errors {\ninvoke ROUTE\nrespond SECRET 200\n}", ends: true},
	{name: "handle_response of reverse_proxy", module: "reverse_proxy", site: "reverse_proxy UPSTREAM {\nhandle_response {\nBODY\n}\n}"},
	{name: "handle_response of intercept", module: "intercept", site: "intercept {\nhandle_response {\nBODY\n}\n}\nrespond LENGTH"},
	{name: "G1: invoke in handle_response", module: "invoke", named: "BODY", site: "reverse_proxy UPSTREAM {\nhandle_response {\ninvoke ROUTE\nrespond SECRET\n}\n}", ends: true},
	// Caddy asks the matcher of what stands together once, ahead of the rewrite.
	{name: "behind a rewrite with its own matcher", site: "@own path /1/*\nuri @own strip_prefix /1\nBODY"},
	{name: "behind a rewrite with its own matcher, in route", module: "subroute", site: "route {\n@own path /1/*\nuri @own strip_prefix /1\nBODY\n}"},
}

// guardBodies are what may stand together: the guard as GUARD, with its matcher.
var guardBodies = map[string]string{
	"alone":                "GUARD",
	"beside header":        "header X-A b\nGUARD",
	"beside encode":        "GUARD\nencode gzip",
	"beside header of all": "@all path *\nheader @all X-A b\nGUARD",
	"beside vars and map":  "vars a b\nmap {path} {a} {\ndefault b\n}\nGUARD",
	"beside basic_auth":    "GUARD\nbasic_auth /other/* {\nbob $2a$04$kWYq2RtGd9A0HllCu92W1e1tAWbhNG9zSADajw0ryr83KVvfnrG0K\n}",
	"beside another guard": "GUARD\nbearer_auth /other/* {\naudience https://api.example.com\nheader X-Other sub\n}",
	"the same twice":       "GUARD\n" + "GUARD",
}

var guardMatchers = map[string]string{"": "", "*": "", "/*": "", "@m": "@m path /*\n", "@get": "@get method GET\n", "@all": "@all path *\n", "@own": ""}

// guardForm is one site of TestGuardForms.
type guardForm struct {
	guardPlace
	form string
	host string
	port int // a server for each place: one asks its sites in turn whether a host is theirs
}

// guardForms writes each place with each body and matcher, as a Caddyfile of sites.
func guardForms(g *gateway) (forms []guardForm, caddyfile string) {
	upstream := strings.TrimPrefix(g.upstream.server.URL, "http://")
	var snippets, named, sites strings.Builder
	for _, place := range guardPlaces {
		port := redistest.FreePort(g.t)
		for _, body := range slices.Sorted(maps.Keys(guardBodies)) {
			for _, matcher := range slices.Sorted(maps.Keys(guardMatchers)) {
				rewritten := strings.Contains(place.site, "@own")
				switch {
				case (matcher == "@own") != rewritten, strings.Contains(body, "header of all") && matcher == "@all":
					continue
				case rewritten && (!strings.HasPrefix(guardBodies[body], "GUARD") || strings.Contains(body, "another guard")):
					continue // not together with the rewrite: its matcher is asked behind that, as any other there
				}
				f := guardForm{place, fmt.Sprintf("%s, guard %s, matcher %q", place.name, body, matcher), fmt.Sprintf("f%d.test", len(forms)), port}
				text := strings.ReplaceAll(guardBodies[body], "GUARD", "bearer_auth "+matcher+" {\naudience https://api.example.com\nheader X-User-Id sub\n}")
				text = guardMatchers[matcher] + text
				if !place.ends {
					text += "\nrespond SECRET 200"
				}
				fill := strings.NewReplacer("BODY", text, "SNIPPET", fmt.Sprintf("s%d", len(forms)), "ROUTE", fmt.Sprintf("r%d", len(forms)), "UPSTREAM", upstream)
				fmt.Fprintf(&snippets, "(s%d) {\n%s\n}\n", len(forms), text)
				if place.named != "" {
					fmt.Fprintf(&named, "&(r%d) {\n%s\n}\n", len(forms), fill.Replace(place.named))
				}
				fmt.Fprintf(&sites, "http://%s:%d {\n%s\n}\n", f.host, port, fill.Replace(place.site))
				forms = append(forms, f)
			}
		}
	}
	return forms, snippets.String() + named.String() + sites.String()
}

// G1, ADM-14: a named route lost its guard where Caddy made one route of all that
// stood in it. Wherever a guard is written, nobody passes without a token, who has
// one does, and the RFC 9728 document is there as far as requests for it arrive.
func TestGuardForms(t *testing.T) {
	g := newGateway(t)
	forms, sites := guardForms(g)
	t.Cleanup(func() { _ = caddy.Stop() })
	if err := g.loadCaddyfile([]byte(string(g.caddyfile(gatewayOptions{})) + sites)); err != nil {
		t.Fatal(err)
	}
	token := g.machineToken()
	call := func(f guardForm, path, token string) (reply, string) {
		r := g.request(fmt.Sprintf("http://localhost:%d%s", f.port, path), nil)
		r.Host = f.host
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		return g.do(r)
	}
	for _, f := range forms {
		if resp, body := call(f, "/1/x", ""); resp.StatusCode != http.StatusUnauthorized || strings.Contains(body, "SECRET") {
			t.Errorf("%s: without a token: %d %q", f.form, resp.StatusCode, body)
		}
		if resp, body := call(f, "/1/x", token); resp.StatusCode != http.StatusOK || body != "SECRET" {
			t.Errorf("%s: with a token: %d %q", f.form, resp.StatusCode, body)
		}
		resp, body := call(f, guard.MetadataPath, "")
		if served := strings.Contains(body, `"resource": "https://api.example.com"`) && resp.StatusCode == http.StatusOK; served == f.inner {
			t.Errorf("%s: the document is served: %t: %d %q", f.form, served, resp.StatusCode, body)
		}
	}
}

// G1: what Caddy loses of a named route without our seeing it refuses the
// configuration: by the guard's own directive, by another of ours, or at the start.
func TestLostGuardsAreRefused(t *testing.T) {
	const guard = "bearer_auth {\naudience https://api.example.com\n}\n"
	const issuer = "http://localhost:9 {\noauth_server\n}\n"
	for _, tt := range []struct{ name, routes, want string }{
		{"handle beside header", "&(a) {\nheader X-A b\nhandle {\n" + guard + "}\n}\n", "bearer_auth: Caddy keeps only the first handler of a named route"},
		{"handle beside a brace", "&(a) {\nheader X-A \"{\"\nhandle {\n" + guard + "}\n}\n", "bearer_auth: Caddy keeps only"},
		{"route beside root", "&(a) {\nroot /srv\nroute {\n" + guard + "}\n}\n", "bearer_auth: Caddy keeps only"},
		{"handle in handle beside encode", "&(a) {\nencode gzip\nhandle {\nhandle /1/* {\n" + guard + "}\n}\n}\n", "bearer_auth: Caddy keeps only"},
		{"handle of a snippet", "(s) {\nhandle {\n" + guard + "}\n}\n&(a) {\nheader X-A b\nimport s\n}\n", "bearer_auth: Caddy keeps only"},
		{"two blocks", "&(a) {\nhandle {\nrespond OPEN\n}\nhandle {\n" + guard + "}\n}\n", "bearer_auth: Caddy keeps only"},
		{"invoke beside header", "&(b) {\n" + guard + "}\n&(a) {\nheader X-A b\ninvoke b\n}\n" + issuer, "named route a, `invoke b`: Caddy keeps only"},
		{"invoke of an invoke", "&(c) {\n" + guard + "}\n&(b) {\ninvoke c\n}\n&(a) {\nheader X-A b\ninvoke b\n}\n" + issuer, "named route a, `invoke b`: Caddy keeps only"},
		{"invoke, seen by a guard", "&(b) {\n" + guard + "}\n&(a) {\nheader X-A b\ninvoke b\n}\nhttp://localhost:9 {\n" + guard + "}\n", "named route a, `invoke b`: Caddy keeps only"},
		{"invoke, seen by nobody", "&(b) {\n" + guard + "}\n&(a) {\nheader X-A b\ninvoke b\n}\n", "named route b: it holds a guard, and nothing invokes it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t)
			file := string(g.caddyfile(gatewayOptions{API: "invoke a\nrespond SECRET", Server: "respond nothing"})) + tt.routes
			t.Cleanup(func() { _ = caddy.Stop() })
			if err := g.loadCaddyfile([]byte(file)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}

// A handler of Caddy's that holds others is a place for guards: where a new
// version has one more, TestGuardForms has to know it.
func TestGuardPlacesAreAll(t *testing.T) {
	known := map[string]bool{}
	for _, place := range guardPlaces {
		known[place.module] = true
	}
	for _, info := range caddy.GetModules("http.handlers") {
		if holdsRoutes(reflect.TypeOf(info.New()), 0) && !known[info.ID.Name()] {
			t.Errorf("%s holds routes, and no place of guardPlaces is in it", info.ID)
		}
	}
}

// holdsRoutes reports whether a type has a field, or one of a field of its own, with routes.
func holdsRoutes(t reflect.Type, depth int) bool {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t == reflect.TypeFor[caddyhttp.Route]() {
		return true
	}
	if t.Kind() != reflect.Struct || depth > 4 || !strings.Contains(t.PkgPath(), "caddy") {
		return false
	}
	for f := range t.Fields() {
		if f.IsExported() && f.Tag.Get("json") != "-" && f.Tag.Get("json") != "" && holdsRoutes(f.Type, depth+1) {
			return true
		}
	}
	return false
}

// G1 in JSON: by hand, and what is only half of what the directive makes.
func TestGuardFormsInJSON(t *testing.T) {
	const own, secret = `{"handler":"bearer_auth","audience":["https://api.example.com"]}`, `{"handler":"static_response","body":"SECRET"}`
	const site = `{"handler":"bearer_auth","audience":["https://api.example.com"],"site_only":true}`
	const other = `{"handler":"bearer_auth","audience":["https://api.example.com"],"scopes":["orders:read"]}`
	route := func(handlers string) string { return `{"handler":"subroute","routes":[{"handle":[` + handlers + `]}]}` }
	provider := `{"handler":"authentication","providers":{"bearer":{"audience":["https://api.example.com"]}}}`
	const lost = "the guard that it belongs to is not ahead of it"
	for _, tt := range []struct{ name, handlers, refused string }{
		{"beside", own + "," + secret, ""},
		{"in a subroute", route(own + "," + secret), ""},
		{"in a subroute of its own", route(route(own)) + "," + secret, ""},
		{"in errors of a subroute", `{"handler":"subroute","routes":[{"handle":[{"handler":"error","status_code":"418"}]}],"errors":{"routes":[{"handle":[` + own + "," + strings.Replace(secret, "}", `,"status_code":"200"}`, 1) + `]}]}}`, ""},
		{"with the handler for the site", own + "," + site + "," + secret, ""},
		{"as a provider", provider + "," + secret, ""},
		{"G1: the handler for the site alone", site + "," + secret, lost},
		{"G1: ahead of its guard", site + "," + own + "," + secret, lost},
		{"G1: with another guard", other + "," + site + "," + secret, lost},
		{"G1: twice, with one guard", own + "," + site + "," + site + "," + secret, lost},
		{"G1: with a provider", provider + "," + site + "," + secret, lost},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t)
			config := withHandlers(t, g.config(gatewayOptions{API: "respond GUARD"}), tt.handlers)
			if tt.refused != "" {
				if err := validateConfig(t, config); err == nil || !strings.Contains(err.Error(), tt.refused) {
					t.Errorf("error %v, want %q in it", err, tt.refused)
				}
				return
			}
			t.Cleanup(func() { _ = caddy.Stop() })
			if err := caddy.Load(config, true); err != nil {
				t.Fatal(err)
			}
			if resp, body := g.call("/", ""); resp.StatusCode != http.StatusUnauthorized || strings.Contains(body, "SECRET") {
				t.Errorf("without a token: %d %q", resp.StatusCode, body)
			}
			if resp, body := g.call("/", g.machineToken()); resp.StatusCode != http.StatusOK || body != "SECRET" {
				t.Errorf("with a token: %d %q", resp.StatusCode, body)
			}
			if strings.Contains(tt.name, "provider") {
				return
			}
			if resp, body := g.call(guard.MetadataPath, ""); resp.StatusCode != http.StatusOK || !strings.Contains(body, `"resource"`) {
				t.Errorf("the document: %d %q", resp.StatusCode, body)
			}
		})
	}
}
