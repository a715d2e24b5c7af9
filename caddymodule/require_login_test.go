package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/gatehouse-auth/gatehouse/handler/identity"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// siteGateway is a gateway with a site for people at the place of the API.
type siteGateway struct {
	*gateway
}

// startSite runs a gateway whose site has these directives: ORIGIN is its origin, UPSTREAM the
// upstream.
func startSite(t *testing.T, directives string, change ...func(string) string) *siteGateway {
	t.Helper()
	g := &siteGateway{newGateway(t)}
	t.Cleanup(func() { _ = caddy.Stop() })
	if err := g.loadSite(directives, change...); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *siteGateway) loadSite(directives string, change ...func(string) string) error {
	g.t.Helper()
	file := string(g.caddyfile(gatewayOptions{API: strings.ReplaceAll(directives, "ORIGIN", g.API)}))
	file = strings.ReplaceAll(file, "UPSTREAM", strings.TrimPrefix(g.upstream.server.URL, "http://"))
	for _, c := range change {
		file = c(file)
	}
	return g.loadCaddyfile([]byte(file))
}

// browser is a browser of its own: it follows redirects, and says that it navigates.
type browser struct {
	g      *siteGateway
	client *http.Client
}

func (g *siteGateway) browser() *browser {
	g.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		g.t.Fatal(err)
	}
	transport := new(http.Transport)
	g.t.Cleanup(transport.CloseIdleConnections)
	return &browser{g, &http.Client{Jar: jar, Transport: transport}}
}

func (b *browser) do(method, target string, form url.Values, headers ...string) (reply, string) {
	b.g.t.Helper()
	r := b.g.request(target, form, headers...)
	r.Method = method
	resp, err := b.client.Do(r)
	if err != nil {
		b.g.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.g.t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header}, string(body)
}

// open navigates.
func (b *browser) open(target string) (reply, string) {
	b.g.t.Helper()
	return b.do(http.MethodGet, target, nil, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Accept", "text/html")
}

var startLink = regexp.MustCompile(`href="([^"]*/\.gatehouse/login[^"]*)"`)

// signIn opens an address of the site and signs alice in, and returns what she sees then.
func (b *browser) signIn(target string) (reply, string) {
	b.g.t.Helper()
	resp, page := b.open(target)
	link := startLink.FindStringSubmatch(page)
	if link == nil {
		b.g.t.Fatalf("no way to sign in at %s: %d %s", target, resp.StatusCode, page)
	}
	to, err := url.Parse(b.g.API)
	if err == nil {
		to, err = to.Parse(strings.ReplaceAll(link[1], "&amp;", "&"))
	}
	if err != nil {
		b.g.t.Fatal(err)
	}
	resp, page = b.open(to.String())
	ticket := ticketField.FindStringSubmatch(page)
	if ticket == nil {
		return resp, page // she is signed in at the issuer
	}
	form := url.Values{"request": {ticket[1]}, "login": {"local"}, "username": {"alice"}, "password": {testPassword}, "action": {"login"}}
	return b.do(http.MethodPost, b.g.url("/login"), form, "Origin", oauth.OriginOf(b.g.Issuer), "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Accept", "text/html")
}

// identityOf returns the headers of a request that say who somebody is.
func identityOf(r *http.Request, names ...string) map[string]string {
	found := make(map[string]string)
	for name, values := range r.Header {
		for _, wanted := range names {
			if identity.SameHeader(name, wanted) {
				found[name] = strings.Join(values, "|")
			}
		}
	}
	return found
}

// A person opens a deep link, signs in, and is where they wanted to be; what stands behind
// hears who they are, and nothing that a client could have made up.
func TestRequireLogin(t *testing.T) {
	g := startSite(t, "require_login {\norigin ORIGIN\nheader X-User-Id sub\nheader X-User-Email email\npublic /health assets\n}\nreverse_proxy UPSTREAM")
	b := g.browser()
	for _, path := range []string{"/wiki", "/health/x"} {
		if resp, _ := b.do(http.MethodGet, g.API+path, nil); resp.StatusCode != http.StatusUnauthorized ||
			!strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem+json") {
			t.Errorf("%s without a session: %d %v", path, resp.StatusCode, resp.Header)
		}
	}
	for _, path := range []string{"/health", "/robots.txt"} {
		if resp, _ := b.do(http.MethodGet, g.API+path, nil, "X-User-Id", "local|alice", "X~User~Id", "a", "Remote-User", "alice"); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	for _, r := range g.upstream.take() {
		if found := identityOf(r, "X-User-Id", "Remote-User"); len(found) > 0 {
			t.Errorf("%s: the upstream sees %v", r.URL, found)
		}
	}
	resp, body := b.signIn(g.API + "/wiki/Main_Page?action=edit&section=2")
	seen := g.upstream.take()
	if resp.StatusCode != http.StatusOK || body != "upstream /wiki/Main_Page" || len(seen) != 1 || seen[0].URL.RawQuery != "action=edit&section=2" {
		t.Fatalf("after the sign-in: %d %s, %d requests at the upstream", resp.StatusCode, body, len(seen))
	}
	resp, _ = b.do(http.MethodGet, g.API+"/x", nil, "X_User_Id", "local|bob", "Cookie", "app=1; theme=dark")
	seen = g.upstream.take()
	if resp.StatusCode != http.StatusOK || len(seen) != 1 {
		t.Fatalf("a request of a script: %d", resp.StatusCode)
	}
	if found := identityOf(seen[0], "X-User-Id", "X-User-Email"); len(found) != 2 || found["X-User-Id"] != "local|alice" || found["X-User-Email"] != "alice@example.com" {
		t.Errorf("the upstream sees %v", found)
	}
	if cookie := strings.Join(seen[0].Header["Cookie"], "; "); strings.Contains(cookie, "gatehouse") || !strings.Contains(cookie, "theme=dark") {
		t.Errorf("the upstream sees the cookies %q", cookie)
	}
	if resp, _ := b.do(http.MethodPost, g.API+"/x", url.Values{"a": {"b"}}, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"); resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a form of another site: %d", resp.StatusCode)
	}
	if resp, _ := b.do(http.MethodGet, g.API+"/.gatehouse/session", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("the session: %d", resp.StatusCode)
	}
	g.upstream.take()
}

// Rows P9 and P10: the guard is where it is written, whatever stands around it; what it does for the whole
// site is done there; and where that cannot be reached the configuration is refused.
func TestRequireLoginPlaces(t *testing.T) {
	const guard = "{\norigin ORIGIN\nheader X-User-Id sub\n}\n"
	const lost = "requests for /.gatehouse/* do not get to it"
	for _, tt := range []struct {
		name, site, named string
		open              string // a path that needs no session
		refused           string
	}{
		{"alone", "require_login " + guard + "reverse_proxy UPSTREAM", "", "", ""},
		{"with a path", "require_login /private/* " + guard + "reverse_proxy UPSTREAM", "", "/open", ""},
		{"with a named matcher", "@m path /private/*\nrequire_login @m " + guard + "reverse_proxy UPSTREAM", "", "/open", ""},
		{"in route", "route {\nrequire_login " + guard + "reverse_proxy UPSTREAM\n}", "", "", ""},
		{"in handle", "handle {\nrequire_login " + guard + "reverse_proxy UPSTREAM\n}", "", "", ""},
		{"in the last handle", "handle /open {\nrespond OPEN\n}\nhandle {\nrequire_login " + guard + "reverse_proxy UPSTREAM\n}", "", "/open", ""},
		{"behind try_files", "try_files {path} /private/index.html\nrequire_login " + guard + "reverse_proxy UPSTREAM", "", "", ""},
		{"behind a rewrite", "rewrite * /private/x\nrequire_login /private/* " + guard + "reverse_proxy UPSTREAM", "", "", ""},
		{"a named route", "invoke site\nreverse_proxy UPSTREAM", "require_login " + guard, "", ""},
		{"a snippet", "import site\nreverse_proxy UPSTREAM", "(site) {\nrequire_login /private/* " + guard + "}\n", "/open", ""},
		{"a named route with a matcher", "invoke site\nreverse_proxy UPSTREAM", "require_login /private/* " + guard, "/open", ""},
		{"a named route with more", "invoke site\nreverse_proxy UPSTREAM", "header X-A b\nencode gzip\nrequire_login " + guard, "", ""},
		{"two guards", "require_login /private/* " + guard + "require_login /private/x/* {\norigin ORIGIN\nfor staff\n}\nreverse_proxy UPSTREAM", "", "/open", ""},
		{"two guards, two lives", "require_login /private/* " + guard + "require_login /b/* {\norigin ORIGIN\nlifetime 1h\n}\nreverse_proxy UPSTREAM", "", "", "share one session"},
		{"in a handle of a path", "handle /private/* {\nrequire_login " + guard + "reverse_proxy UPSTREAM\n}\nrespond OPEN", "", "", lost},
		{"in a handle of all paths in one of a path", "handle /private/* {\nhandle /* {\nrequire_login " + guard + "reverse_proxy UPSTREAM\n}\n}\nrespond OPEN", "", "", lost},
		{"a named route in a handle of a path", "handle /private/* {\ninvoke site\n}\nrespond OPEN", "require_login " + guard + "reverse_proxy UPSTREAM", "", lost},
		{"a named route behind a matcher", "@m path /private/*\ninvoke @m site\nrespond OPEN", "require_login " + guard, "", lost},
		{"in handle_path", "handle_path /private/* {\nrequire_login " + guard + "reverse_proxy UPSTREAM\n}\nrespond OPEN", "", "", lost},
		{
			"in a handle of a path, with one of our own",
			"handle /private/* {\nrequire_login " + guard + "reverse_proxy UPSTREAM\n}\nhandle /.gatehouse/* {\nrequire_login " + guard + "}\nrespond OPEN", "", "/open", "",
		},
		{"beside bearer_auth", "bearer_auth {\naudience https://api.example.com\n}\nrequire_login " + guard + "reverse_proxy UPSTREAM", "", "", "bearer_auth and require_login are in one route"},
		{"beside bearer_auth with a matcher", "bearer_auth /api/* {\naudience https://api.example.com\n}\nrequire_login /private/* " + guard + "reverse_proxy UPSTREAM", "", "/open", ""},
		{"without origin, on loopback", "require_login\nreverse_proxy UPSTREAM", "", "", ""},
		{"a block of a named route that Caddy loses", "invoke site\nrespond OPEN", "header X-A b\nhandle {\nrequire_login " + guard + "}", "", "require_login: Caddy keeps only the first handler"},
		{"a named route that nothing invokes", "respond OPEN", "require_login " + guard, "", ""}, // Caddy does not even keep it
		{"behind a proxy", "route {\nreverse_proxy UPSTREAM\nrequire_login " + guard + "}", "", "/open", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := &siteGateway{newGateway(t)}
			t.Cleanup(func() { _ = caddy.Stop() })
			err := g.loadSite(tt.site, func(file string) string {
				if strings.HasPrefix(tt.named, "(") {
					return strings.Replace(file, "\n}\n\nhttp", "\n}\n\n"+strings.ReplaceAll(tt.named, "ORIGIN", g.API)+"\nhttp", 1) // behind the global options
				}
				if tt.named != "" {
					file += "&(site) {\n" + strings.ReplaceAll(tt.named, "ORIGIN", g.API) + "\n}\n"
				}
				return file
			})
			if tt.refused != "" {
				if err == nil || !strings.Contains(err.Error(), tt.refused) {
					t.Errorf("error %v, want %q in it", err, tt.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if tt.name == "behind a proxy" {
				if !strings.Contains(g.logs(), "write require_login ahead of it") {
					t.Error("no warning")
				}
				return
			}
			if strings.HasPrefix(tt.name, "a named route that nothing") {
				return
			}
			b := g.browser()
			if resp, body := b.open(g.API + "/private/x"); resp.StatusCode != http.StatusUnauthorized || strings.Contains(body, "upstream") {
				t.Fatalf("without a session: %d %s", resp.StatusCode, body)
			}
			if resp, _ := b.do(http.MethodGet, g.API+"/.gatehouse/session", nil); resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("our own path: %d", resp.StatusCode)
			}
			if tt.open != "" {
				if resp, _ := b.do(http.MethodGet, g.API+tt.open, nil, "X-User-Id", "local|alice"); resp.StatusCode != http.StatusOK {
					t.Errorf("%s: %d", tt.open, resp.StatusCode)
				}
			}
			for _, r := range g.upstream.take() {
				if found := identityOf(r, "X-User-Id"); len(found) > 0 {
					t.Errorf("%s: the upstream sees %v of a client", r.URL, found)
				}
			}
			resp, body := b.signIn(g.API + "/private/y")
			if resp.StatusCode != http.StatusOK || !strings.HasPrefix(body, "upstream /private/") {
				t.Fatalf("signed in: %d %s", resp.StatusCode, body)
			}
			if tt.name == "two guards" {
				if resp, _ := b.open(g.API + "/private/x/y"); resp.StatusCode != http.StatusForbidden {
					t.Errorf("in no group: %d", resp.StatusCode)
				}
			}
		})
	}
}

// Rows P11 and P13: several guards of one request: each finds the session, and each asks for its own access token.
func TestRequireLoginGuardsOfOneRequest(t *testing.T) {
	g := startSite(t, "require_login /admin/* {\norigin ORIGIN\nfor admins\nheader X-Admin sub\n}\n"+
		"require_login {\norigin ORIGIN\nbearer https://api.example.com\nheader X-User-Id sub\n}\n"+
		"route /inner/* {\nrequire_login {\norigin ORIGIN\nheader X-Inner sub\n}\n}\nreverse_proxy UPSTREAM")
	b := g.browser()
	if resp, body := b.signIn(g.API + "/x"); resp.StatusCode != http.StatusOK || body != "upstream /x" {
		t.Fatalf("signed in: %d %s", resp.StatusCode, body)
	}
	if resp, _ := b.open(g.API + "/admin/x"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("in no group: %d", resp.StatusCode)
	}
	g.upstream.take()
	b.open(g.API + "/inner/x")
	if seen := g.upstream.take(); len(seen) != 1 || seen[0].Header.Get("X-User-Id") != "local|alice" || seen[0].Header.Get("X-Inner") != "local|alice" {
		t.Errorf("the upstream sees %v", seen)
	}
	token := g.login().AccessToken
	for path, want := range map[string]int{"/x": http.StatusOK, "/inner/x": http.StatusForbidden} {
		if resp, body := g.call(path, token); resp.StatusCode != want {
			t.Errorf("%s by access token: %d %s, want %d", path, resp.StatusCode, body, want)
		}
	}
}

// Row R9, G14: sign-out, and what an operator does, end a session at once: requests, and what is open.
func TestRequireLoginEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(g *siteGateway, b *browser)
	}{
		{"users end", func(g *siteGateway, _ *browser) { g.admin(http.MethodDelete, "/oauth/grants?subject=local%7Calice") }},
		{"the person is disabled", func(g *siteGateway, _ *browser) { g.admin(http.MethodPost, "/oauth/users/local%7Calice/disable") }},
		{"sign-out", func(g *siteGateway, b *browser) {
			b.do(http.MethodPost, g.API+"/.gatehouse/logout", url.Values{}, "Origin", g.API, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Accept", "text/html")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := startSite(t, "require_login {\norigin ORIGIN\n}\nreverse_proxy "+endless(t)+" {\nstream_close_delay 1h\n}")
			b, other := g.browser(), g.browser()
			if resp, _ := b.signIn(g.API + "/"); resp.StatusCode != http.StatusOK {
				t.Fatalf("signed in: %d", resp.StatusCode)
			}
			other.signIn(g.API + "/")
			all, cookies := g.openAs(b)
			tt.end(g, b)
			g.ended(all, func(*opened) bool { return true })
			if resp, _ := b.do(http.MethodGet, g.API+"/x", nil, "Cookie", cookies); resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("a script with the cookie of before: %d", resp.StatusCode)
			}
			if resp, _ := b.open(g.API + "/x"); resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("a page: %d", resp.StatusCode)
			}
			if !strings.Contains(g.logs(), `"msg":"stream_ended","outcome":"denied","client":"site|`) {
				t.Error("the log does not say why")
			}
		})
	}
}

// openAs opens all kinds of requests that take long with the session of a browser, and returns its cookies.
func (g *siteGateway) openAs(b *browser) (all []*opened, cookies string) {
	g.t.Helper()
	site, err := url.Parse(g.API)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(site) {
		cookies += c.Name + "=" + c.Value + "; "
	}
	for _, kind := range streamKinds {
		if kind.request != "GET /large" {
			all = append(all, g.open(kind.request, "none", append(kind.lines, "Cookie: "+cookies, "Origin: "+g.API, "Sec-Fetch-Site: same-origin")...))
		}
	}
	return all, cookies
}

// Row R9: what is open ends, too, when its person is not in the guard's group any more.
func TestR9LostGroup(t *testing.T) {
	in := func(member string) func(string) string {
		return func(file string) string {
			return strings.Replace(file, "\tclient my-spa", "\tgroup staff {\n\t\tmember local|"+member+"\n\t}\n\tclient my-spa", 1)
		}
	}
	site := "require_login {\norigin ORIGIN\nfor staff\n}\nreverse_proxy " + endless(t) + " {\nstream_close_delay 1h\n}"
	g := startSite(t, site, in("alice"))
	b := g.browser()
	if resp, _ := b.signIn(g.API + "/"); resp.StatusCode != http.StatusOK {
		t.Fatalf("signed in: %d", resp.StatusCode)
	}
	all, cookies := g.openAs(b)
	if err := g.loadSite(site, in("bob")); err != nil {
		t.Fatal(err)
	}
	g.ended(all, func(*opened) bool { return true })
	if resp, _ := b.do(http.MethodGet, g.API+"/x", nil, "Cookie", cookies); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a script: %d", resp.StatusCode)
	}
	if !strings.Contains(g.logs(), `"msg":"stream_ended","outcome":"not_allowed","client":"site|`) {
		t.Error("the log does not say why")
	}
}

// Reloads lose nobody, and neither does a restart.
func TestRequireLoginReloads(t *testing.T) {
	const site = "require_login {\norigin ORIGIN\n}\nreverse_proxy UPSTREAM"
	g := startSite(t, site)
	b := g.browser()
	b.signIn(g.API + "/")
	for i := range 12 {
		if i == 6 {
			if err := caddy.Stop(); err != nil {
				t.Fatal(err)
			}
		}
		if err := g.loadSite(site); err != nil {
			t.Fatal(err)
		}
		b.client.CloseIdleConnections()
		if resp, body := b.open(g.API + "/again"); resp.StatusCode != http.StatusOK || body != "upstream /again" {
			t.Fatalf("after reload %d: %d %s", i, resp.StatusCode, body)
		}
	}
}

// What the text cannot show to be wrong refuses the configuration.
func TestRequireLoginRefused(t *testing.T) {
	for _, tt := range []struct{ options, oauth, want string }{
		{"logins company", "", `there is no login "company"; there are: local`},
		{"bearer https://typo.example.com", "", `"https://typo.example.com" is not an ` + "`api`"},
		{"upstream_token https://typo.example.com", "", `"https://typo.example.com" is not an ` + "`api`"},
		{"upstream_token https://api.example.com orders:typo", "", `scope "orders:typo" is not one of https://api.example.com`},
		{"bearer https://api.example.com\nfor staff", "", "do not say which groups a person is in"},
		{"headers grafana", "login github {\nclient_id a\nclient_secret b\nallow anyone\n}", "people of several logins may have the same username"},
		{"headers grafana\nlogins local\nbearer https://api.example.com", "login github {\nclient_id a\nclient_secret b\nallow anyone\n}", "leave `bearer` out"},
		{"headers grafana\nlogins local", "login github {\nclient_id a\nclient_secret b\nallow anyone\n}", ""},
	} {
		t.Run(tt.options, func(t *testing.T) {
			g := newGateway(t)
			file := g.caddyfile(gatewayOptions{API: "require_login {\norigin " + g.API + "\n" + tt.options + "\n}\nrespond SECRET", OAuth: tt.oauth})
			config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(file, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := validateConfig(t, config); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
	g := newGateway(t)
	for handlers, want := range map[string]string{
		`{"handler":"require_login","origins":["` + g.API + `"],"site_only":true},{"handler":"static_response","body":"SECRET"}`: "the guard that it belongs to is not ahead of it",
		`{"handler":"require_login","origins":["` + g.API + `/x"]},{"handler":"static_response","body":"SECRET"}`:                "is more than an origin",
	} {
		config := withHandlers(t, g.config(gatewayOptions{API: "respond GUARD"}), handlers)
		if err := validateConfig(t, config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}

// Rows C9 and P12: the origin is found from the routes, or has to be said.
func TestRequireLoginOrigins(t *testing.T) {
	for _, tt := range []struct{ name, address, option, want string }{
		{"a host", "https://wiki.example.test:PORT", "", "https://wiki.example.test:PORT"},
		{"two hosts", "https://wiki.example.test:PORT, https://w.example.test:PORT", "", "https://w.example.test:PORT"},
		{"a wildcard", "https://*.example.test:PORT", "", "which stands for several"},
		{"a wildcard that says it", "https://*.example.test:PORT", "origin https://a.example.test:PORT https://b.example.test:PORT", "https://b.example.test:PORT"},
		{"all hosts", "https://:PORT", "", "answers to any host"},
		{"all hosts that say it", "https://:PORT", "origin https://a.example.test:PORT", "https://a.example.test:PORT"},
		{"http", "http://wiki.example.test:PORT", "", "is http here"},
		{"a name of this machine", "http://wiki.localhost:PORT", "origin http://wiki.localhost:PORT", "http://wiki.localhost:PORT"},
		{"pages of another site", "https://wiki.example.test:PORT", "allow_origins https://board.example.com", "browsers do not send its cookie with their requests"},
		{"pages of another site, as programs", "https://wiki.example.test:PORT", "keys\nallow_origins https://board.example.com", "https://wiki.example.test:PORT"},
		{"pages of a sibling", "https://wiki.example.test:PORT", "allow_origins https://board.example.test", "https://wiki.example.test:PORT"},
		{"TLS ends before", "http://wiki.example.test:PORT", "origin https://wiki.example.test", "https://wiki.example.test"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t)
			port := fmt.Sprint(redistest.FreePort(t))
			fill := func(text string) string { return strings.ReplaceAll(text, "PORT", port) }
			tls := ""
			if !strings.HasPrefix(tt.address, "http://") {
				tls = "tls internal\n"
			}
			file := string(g.caddyfile(gatewayOptions{})) + fill(tt.address+" {\n"+tls+"require_login {\n"+tt.option+"\n}\nrespond SECRET\n}\n")
			file = strings.Replace(file, "auto_https off", "auto_https disable_redirects\nskip_install_trust", 1)
			err := bindSites(t, []byte(file), func(a *App) {
				for _, l := range a.guards.logins {
					if all := l.(*RequireLogin).bound.Load().all; all[fill(tt.want)] == nil {
						t.Errorf("the sites are %v", all)
					}
				}
			})
			if !strings.HasPrefix(tt.want, "http") {
				if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "write `origin https://<host>`") && tt.option == "" {
					t.Errorf("error %v, want %q in it", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// bindSites provisions a Caddyfile and does what the start does for sites.
func bindSites(t *testing.T, file []byte, look func(*App)) error {
	t.Helper()
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	var cfg *caddy.Config
	if err := caddy.StrictUnmarshalJSON(config, &cfg); err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(cfg)
	if err != nil {
		t.Fatal(err)
	}
	app, err := ctx.App("oauth")
	if err != nil {
		t.Fatal(err)
	}
	a := app.(*App)
	defer func() { _ = a.Cleanup() }()
	if err := a.bindSites(a.web()); err != nil {
		return err
	}
	look(a)
	return nil
}
