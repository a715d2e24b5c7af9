package site_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/guard"
	"github.com/gatehouse-auth/gatehouse/handler/identity"
	"github.com/gatehouse-auth/gatehouse/handler/site"
	"github.com/gatehouse-auth/gatehouse/tokens/admin"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
)

// TestForgedHeaders: rows H1 and H2, HDR rows: no client says who it is, on guarded and on
// public paths, by the names that the guard sets and by those that are well known, in any
// spelling; the rest of the request goes on as it is.
func TestForgedHeaders(t *testing.T) {
	n := newWorld(t).node()
	app := n.guard(wiki, func(_ *site.SiteConfig, c *site.Config) {
		c.Public = func(r *http.Request) bool { return r.URL.Path == "/health" }
	})
	b := n.browser()
	b.signIn(wiki+"/", "alice")
	forged := []string{
		"X-User-Id", "local|root", "X_user_id", "local|root", "X.User.Id", "local|root", "X-Groups", "admins", "X-WEBAUTH-USER", "root", "x_webauth_user", "root",
		"Remote-User", "root", "X-Forwarded-User", "root", "X-Auth-Request-Email", "root@example.com", "X-Authentik-Username", "root",
		"Connection", "keep-alive, X-User-Id, Remote-User",
	}
	kept := []string{"X-Custom", "kept", "Authorization", "Token of-the-application", "X-Forwarded-For", "192.0.2.1"}
	for _, path := range []string{"/", "/health"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, wiki+path, nil)
		for i := 0; i < len(forged); i += 2 {
			r.Header[forged[i]] = []string{forged[i+1]}
		}
		for i := 0; i < len(kept); i += 2 {
			r.Header.Set(kept[i], kept[i+1])
		}
		r.Header.Set("Cookie", "a=1;b = 2 ;"+cookieName(n.bound[wiki])+"="+b.cookie(wiki)+"; __Host-gatehouse_pending_abc=x;  c=\"3\"")
		w := httptest.NewRecorder()
		n.hosts[wikiHost].ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d", path, w.Code)
		}
		for name, values := range app.last.Header {
			if text := strings.Join(values, " "); strings.Contains(text, "root") || strings.Contains(text, "admins") {
				t.Errorf("%s: %s: %s went upstream", path, name, text)
			}
		}
		want := ""
		if path == "/" {
			want = "local|alice"
		}
		if got := app.last.Header.Get("X-User-Id"); got != want {
			t.Errorf("%s: the user is %q, want %q", path, got, want)
		}
		for i := 0; i < len(kept); i += 2 {
			if app.last.Header.Get(kept[i]) != kept[i+1] {
				t.Errorf("%s: %s is %q", path, kept[i], app.last.Header[kept[i]])
			}
		}
		if got := app.last.Header.Get("Cookie"); got != "a=1;b = 2 ;  c=\"3\"" {
			t.Errorf("%s: Cookie is %q", path, got)
		}
		if got := app.last.Header.Get("Connection"); got != "keep-alive" {
			t.Errorf("%s: Connection is %q", path, got)
		}
	}
}

// TestP4Public: row P4: a path that the application may take for another one is not public.
func TestP4Public(t *testing.T) {
	n := newWorld(t).node()
	n.guard(wiki, func(_ *site.SiteConfig, c *site.Config) {
		c.Public = func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/feed/") }
	})
	for path, want := range map[string]int{
		"/feed/a": http.StatusOK, "/feed/a;v=1/..b/.c": http.StatusOK,
		"/feed/..;/admin": http.StatusUnauthorized, "/feed/..%5Cadmin": http.StatusUnauthorized, "/feed/..;x%5Cadmin": http.StatusUnauthorized,
		"/feed/x%5C..%5C..%5Cadmin": http.StatusUnauthorized, "/feed/../admin": http.StatusUnauthorized, "/feed/%2e%2e/admin": http.StatusUnauthorized, "/feed/.;/x": http.StatusUnauthorized,
	} {
		if a := n.browser().fetch(http.MethodGet, wiki+path); a.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, a.StatusCode, want)
		}
	}
}

// TestNamesInHeaders: rows H3, H5 and H7, HDR-19 and HDR-20: names of all the world, verified
// addresses alone, and no claim that means something in a token of ours.
func TestNamesInHeaders(t *testing.T) {
	n := newWorld(t).node()
	app := n.guard(wiki, func(_ *site.SiteConfig, c *site.Config) {
		c.Headers = []identity.Mapping{
			{Header: "X-Name", Claim: "name"},
			{Header: "X-Raw", Claim: "name", Encoding: identity.Raw},
			{Header: "X-Login", Claim: "username"},
			{Header: "X-Email", Claim: "email"},
			{Header: "X-Family", Claim: "gh_fam"},
			{Header: "X-Department", Claim: "department"},
		}
	})
	b := n.browser()
	b.signIn(wiki+"/", "alice")
	for name, want := range map[string]string{
		"X-Name": "Jos%C3%A9 %E6%9D%8E%E9%9B%B7", "X-Raw": "José 李雷", "X-Login": "alice", "X-Email": "alice@example.com", "X-Department": "sales",
	} {
		if got := app.last.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := app.last.Header.Get("X-Family"); got == "forged" {
		t.Error("a claim of the login has taken the place of ours")
	}
	other := n.browser()
	other.signIn(wiki+"/", "bob")
	if got := app.last.Header.Get("X-Email"); got != "" {
		t.Errorf("bob is %q, which nobody has verified", got)
	}
}

// TestUpstreamAnswers: rows N7 and R12, cache deception: the application's own 401 and 403 pass,
// and what it says about shared caches does not.
func TestUpstreamAnswers(t *testing.T) {
	n := newWorld(t).node()
	app := n.guard(wiki)
	keep := n.guard(dash, func(_ *site.SiteConfig, c *site.Config) { c.KeepCache = true })
	b := n.browser()
	b.signIn(wiki+"/", "alice")
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		app.status = status
		app.header.Set("Www-Authenticate", `Custom realm="app"`)
		a := b.fetch(http.MethodGet, wiki+"/")
		if a.wants(t, status, "the application"); a.Header.Get("Www-Authenticate") != `Custom realm="app"` {
			t.Errorf("challenge %q", a.Header["Www-Authenticate"])
		}
	}
	app.status = 0
	for said, want := range map[string]string{
		"public, max-age=60": "private, max-age=60", "s-maxage=60": "private", "": "private", "no-store": "no-store", "private": "private",
	} {
		app.header = http.Header{"Cache-Control": {said}, "Cdn-Cache-Control": {"max-age=60"}, "Surrogate-Control": {"max-age=60"}}
		a := b.fetch(http.MethodGet, wiki+"/account/x.css")
		if got := a.Header.Get("Cache-Control"); got != want || a.Header.Get("Cdn-Cache-Control")+a.Header.Get("Surrogate-Control") != "" {
			t.Errorf("%q became %q, %s", said, got, a.Header)
		}
		if a.Header.Get("Vary") != "" || a.Header.Get("Set-Cookie") != "" {
			t.Errorf("headers %s", a.Header)
		}
	}
	b.open(dash + "/")
	keep.header.Set("Cache-Control", "public")
	b.open(dash + "/.gatehouse/login?to=/")
	if got := b.fetch(http.MethodGet, dash+"/").Header.Get("Cache-Control"); got != "public" {
		t.Errorf("with `cache keep`: %q", got)
	}
}

// TestUpstreamToken: row R10 and review M10: the application's own Authorization goes on, unless
// a token of ours takes its place: of these scopes alone, as far as the person has them, one
// for many requests, and dead with the session.
func TestUpstreamToken(t *testing.T) {
	for _, header := range []string{"", "X-Access-Token"} {
		n := newWorld(t).node()
		app := n.guard(wiki, func(_ *site.SiteConfig, c *site.Config) {
			c.Upstream = &site.UpstreamToken{API: wikiAPI, Scopes: []string{"pages:read", "pages:write", "pages:admin"}, Header: header}
		})
		b := n.browser()
		b.signIn(wiki+"/", "bob") // who has no pages:write
		token := func() string {
			t.Helper()
			b.fetch(http.MethodGet, wiki+"/", "Authorization", "Basic Zm9yZ2VkOng=", "X-Access-Token", "forged").wants(t, http.StatusOK, "")
			if header != "" {
				if got := app.last.Header.Get("Authorization"); got != "Basic Zm9yZ2VkOng=" {
					t.Errorf("Authorization is %q", got)
				}
				return app.last.Header.Get(header)
			}
			return strings.TrimPrefix(app.last.Header.Get("Authorization"), "Bearer ")
		}
		first := token()
		c := must(n.CheckAccess(t.Context(), first))(t)
		if c.Subject != "local|bob" || c.Audience[0] != wikiAPI || strings.Join(c.Scope, " ") != "pages:read" || c.ClientID != "site|"+wiki || !c.HasFamily || !c.HasSession {
			t.Errorf("token %+v", c)
		}
		if token() != first {
			t.Error("each request has a token of its own")
		}
		n.pass(9*time.Minute + 31*time.Second)
		second := token()
		if second == first || must(n.CheckAccess(t.Context(), second))(t).Expiry.Before(n.clock().Add(9*time.Minute)) {
			t.Error("the token goes on until its end")
		}
		ok(t, n.SignOutEverywhere(t.Context(), must(n.CurrentLogin(t.Context(), issuerSession(b)))(t)))
		if _, err := n.CheckAccess(t.Context(), second); err == nil {
			t.Error("the token outlives the session")
		}
	}
}

// TestKeys: rows P1, P2 and R11: an app key lets a program in, by either way of Authorization, to
// one site; it outlives the browser's sign-out, stands at /account, and ends there.
func TestKeys(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	withKeys := func(_ *site.SiteConfig, c *site.Config) { c.Keys, c.For = true, [][]string{{"staff"}} }
	app := n.guard(wiki, withKeys)
	n.guard(dash, withKeys)
	n.guard("https://closed.example.com")
	b := n.browser()
	b.signIn(wiki+"/", "alice")
	l := must(n.CurrentLogin(t.Context(), issuerSession(b)))(t)
	for _, name := range []string{"", " ", "a\nb", strings.Repeat("x", 65), "\xff"} {
		if _, err := n.NewSiteKey(t.Context(), l, wiki, name); err == nil || oauth.AsError(err).Code != oauth.InvalidRequest {
			t.Errorf("name %q: %v", name, err)
		}
	}
	if _, err := n.NewSiteKey(t.Context(), l, dash, "x"); err == nil {
		t.Error("a key for a site where she is not signed in")
	}
	key := must(n.NewSiteKey(t.Context(), l, wiki, "Phone"))(t)
	if !strings.HasPrefix(key, "gk1.") || len(key) > 110 {
		t.Errorf("key %q", key)
	}
	program := n.browser()
	asBasic := func(password string) string {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, wiki, nil)
		r.SetBasicAuth("anybody", password)
		return r.Header.Get("Authorization")
	}
	try := func(origin, authorization string) *answer {
		return program.send(http.MethodPost, origin+"/api", nil, "Authorization", authorization, "User-Agent", "git/2", "Accept", "*/*")
	}
	for _, authorization := range []string{"Bearer " + key, "bearer " + key, asBasic(key)} {
		try(wiki, authorization).wants(t, http.StatusOK, "the application")
		if app.last.Header.Get("X-User-Id") != "local|alice" || app.last.Header.Get("Authorization") != "" {
			t.Errorf("upstream: %s", app.last.Header)
		}
	}
	calls := n.store.rotated.Load()
	try(wiki, "Bearer "+key)
	if n.store.rotated.Load() != calls {
		t.Error("a known key asks the store")
	}
	try(dash, "Bearer "+key).wants(t, http.StatusUnauthorized, "app key")
	try("https://closed.example.com", "Bearer "+key).wants(t, http.StatusUnauthorized, "")
	for _, bad := range []string{"gk1.", "gk1.x", key[:len(key)-1], key + "A", "gk1." + b.cookie(wiki)} {
		a := try(wiki, "Bearer "+bad).wants(t, http.StatusUnauthorized, "")
		if !strings.Contains(strings.Join(a.Header["Www-Authenticate"], " "), "Basic") {
			t.Errorf("challenge %q", a.Header["Www-Authenticate"])
		}
	}
	thief := n.browser()
	thief.plant(wiki, strings.TrimPrefix(key, "gk1."))
	thief.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusUnauthorized, "")

	ok(t, n.SignOut(t.Context(), issuerSession(b)))
	b.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusUnauthorized, "")
	try(wiki, "Bearer "+key).wants(t, http.StatusOK, "")
	b.submit(b.open(wiki+"/.gatehouse/login?to=/"), "alice")
	l = must(n.CurrentLogin(t.Context(), issuerSession(b)))(t)
	ended := false
	apps, _, err := n.SignedIn(t.Context(), l, 0, 10)
	ok(t, err)
	for _, in := range apps {
		if in.Key == "Phone" && in.Site == wiki {
			ok(t, n.SignOutOf(t.Context(), l, in.Family.ID))
			ended = true
		}
	}
	if !ended {
		t.Error("the key is not at /account")
	}
	try(wiki, "Bearer "+key).wants(t, http.StatusUnauthorized, "")

	// Who loses the group is out, key or not.
	second := must(n.NewSiteKey(t.Context(), l, wiki, "Tablet"))(t)
	changed := w.node(w.users("alice")...) // in no group now, and with the same password
	changed.guard(wiki, withKeys)
	program = changed.browser()
	try(wiki, "Bearer "+second).wants(t, http.StatusForbidden, "")
	n.pass(366 * 24 * time.Hour)
	program = n.browser()
	try(wiki, "Bearer "+second).wants(t, http.StatusUnauthorized, "")
}

// TestC8KeysOutliveSecrets: an app key stays good over three deploys that change `secret`, also one
// that nobody has used meanwhile: a program does not come back for another.
func TestC8KeysOutliveSecrets(t *testing.T) {
	w := newWorld(t)
	old, young := bytes.Repeat([]byte("s"), 32), bytes.Repeat([]byte("t"), 32)
	withKeys := func(_ *site.SiteConfig, c *site.Config) { c.Keys = true }
	n := w.node()
	n.guard(wiki, withKeys)
	b := n.browser()
	b.signIn(wiki+"/", "alice")
	key := must(n.NewSiteKey(t.Context(), must(n.CurrentLogin(t.Context(), issuerSession(b)))(t), wiki, "Phone"))(t)
	for _, w.secrets = range [][][]byte{{old, young}, {young, old}, {young}} {
		n = w.node()
		ok(t, n.state.Keys.Tick(t.Context()))
		n.guard(wiki, withKeys)
	}
	n.browser().send(http.MethodGet, wiki+"/", nil, "Authorization", "Bearer "+key).wants(t, http.StatusOK, "the application")
	b.n = n
	b.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusUnauthorized, "") // else the secret has not changed
}

// TestEndOfASite: to end a site as a client ends its sessions and its app keys, and nothing of
// another site.
func TestEndOfASite(t *testing.T) {
	n := newWorld(t).node()
	withKeys := func(_ *site.SiteConfig, c *site.Config) { c.Keys = true }
	operator := admin.New(n.Issuer, n.state)
	b := n.browser()
	keys := make(map[string]string)
	for _, origin := range []string{wiki, dash} {
		n.guard(origin, withKeys)
		if origin == wiki {
			b.signIn(origin+"/", "alice")
		} else {
			b.start(origin + "/")
		}
		keys[origin] = must(n.NewSiteKey(t.Context(), must(n.CurrentLogin(t.Context(), issuerSession(b)))(t), origin, "Phone"))(t)
	}
	try := func(origin string, status int) {
		t.Helper()
		b.fetch(http.MethodGet, origin+"/").wants(t, status, "")
		n.browser().send(http.MethodGet, origin+"/", nil, "Authorization", "Bearer "+keys[origin]).wants(t, status, "")
	}
	try(wiki, http.StatusOK)
	listed := 0
	ok(t, operator.ScanGrants(t.Context(), sites.ClientID(wiki), nil, func(g admin.UserGrants) error { listed += len(g.Families); return nil }))
	if listed != 2 {
		t.Errorf("%d grants of the site are listed, want the session and the key", listed)
	}
	ok(t, operator.EndClient(t.Context(), sites.ClientID(wiki)))
	try(wiki, http.StatusUnauthorized)
	try(dash, http.StatusOK)
	done := must(operator.EndBegun(t.Context(), admin.Ends{Client: sites.ClientID(dash), Before: n.clock()}, nil))(t)
	if done.Families != 2 {
		t.Errorf("%+v, want two families", done)
	}
	try(dash, http.StatusUnauthorized)
}

// TestBearer: row P3: programs may come with an access token; a bad one is 401 and no login, and
// what let the request in goes no further.
func TestBearer(t *testing.T) {
	n := newWorld(t).node()
	app := n.guard(wiki, func(_ *site.SiteConfig, c *site.Config) {
		gate := must(n.Gate(n.state.Open))(t)
		c.Bearer = must(guard.New(guard.Config{Access: gate, IssuerURL: issuerURL, Audience: []string{wikiAPI}, StripToken: true}))(t)
		c.Upstream = &site.UpstreamToken{API: wikiAPI, Scopes: []string{"pages:read"}, Header: "X-Token"}
	})
	b := n.browser()
	b.signIn(wiki+"/", "alice")
	token := app.last.Header.Get("X-Token")
	program := n.browser()
	program.send(http.MethodPost, wiki+"/api", nil, "Authorization", "Bearer "+token).wants(t, http.StatusOK, "")
	if app.last.Header.Get("X-User-Id") != "local|alice" || app.last.Header.Get("Authorization") != "" {
		t.Errorf("upstream: %s", app.last.Header)
	}
	b.fetch(http.MethodGet, wiki+"/", "Authorization", "Bearer bad").wants(t, http.StatusUnauthorized, "")
	b.fetch(http.MethodGet, wiki+"/", "Authorization", "Token of-the-application").wants(t, http.StatusOK, "")
}

// TestGuardsInAGuard: row P11: two guards of one origin share one session, each with its own
// `for`; a guard in a guard sees who the outer one has let in, and takes nothing away that the
// outer one has set.
func TestGuardsInAGuard(t *testing.T) {
	n := newWorld(t).node()
	passage := passages()
	app := n.guard(wiki, func(_ *site.SiteConfig, c *site.Config) {
		c.Keys, c.Passage = true, passage
		c.Headers = append(c.Headers, identity.Mapping{Header: "Remote-User", Claim: "username"})
	})
	outer := must(site.New(site.Config{
		Sites: []*site.Site{n.bound[wiki]}, Keys: true, Passage: passage, Headers: []identity.Mapping{{Header: "Remote-User", Claim: "username"}, {Header: "X-Outer", Claim: "sub"}},
	}))(t)
	inner := must(site.New(site.Config{
		Sites: []*site.Site{n.bound[wiki]}, Keys: true, Passage: passage, For: [][]string{{"staff"}}, Headers: []identity.Mapping{{Header: "X-Inner", Claim: "sub"}},
	}))(t)
	n.hosts[wikiHost] = serving(n.bound[wiki], outer, serving(n.bound[wiki], inner, app))
	alice, bob := n.browser(), n.browser()
	alice.signIn(wiki+"/", "alice").wants(t, http.StatusOK, "")
	if h := app.last.Header; h.Get("Remote-User") != "alice" || h.Get("X-Outer") != "local|alice" || h.Get("X-Inner") != "local|alice" {
		t.Errorf("upstream: %s", h)
	}
	bob.signIn(wiki+"/", "bob").wants(t, http.StatusForbidden, "local|bob")
	key := must(n.NewSiteKey(t.Context(), must(n.CurrentLogin(t.Context(), issuerSession(alice)))(t), wiki, "x"))(t)
	n.browser().send(http.MethodGet, wiki+"/", nil, "Authorization", "Bearer "+key).wants(t, http.StatusOK, "")
}

// TestKeyPage: an app key is made at the account, named, shown once, and stands in the list.
func TestKeyPage(t *testing.T) {
	n := newWorld(t).node()
	n.guard(wiki, func(_ *site.SiteConfig, c *site.Config) { c.Keys = true })
	b := n.browser()
	b.signIn(wiki+"/", "alice")
	b.open(issuerURL+"account").wants(t, http.StatusOK, `href="/account/keys"`)
	page := b.open(issuerURL+"account/keys").wants(t, http.StatusOK, `<option value="https://wiki.example.com">wiki.example.com</option>`)
	send := func(origin, name string, headers ...string) *answer {
		form := url.Values{"request": {ticketField.FindStringSubmatch(page.body)[1]}, "site": {origin}, "name": {name}}
		return b.send(http.MethodPost, issuerURL+"account/keys", strings.NewReader(form.Encode()), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)...)
	}
	send(wiki, "Phone", "Origin", "https://evil.com").wants(t, http.StatusForbidden, "")
	send(dash, "Phone").wants(t, http.StatusForbidden, "No key was made")
	send(wiki, " ").wants(t, http.StatusForbidden, "No key was made")
	made := send(wiki, "Phone <b>").wants(t, http.StatusOK, "gk1.")
	key := regexp.MustCompile(`gk1\.[\w-]+`).FindString(made.body)
	if made.Header.Get("Cache-Control") != "no-store" || key == "" {
		t.Errorf("%s", made.Header)
	}
	n.browser().send(http.MethodGet, wiki+"/", nil, "Authorization", "Bearer "+key).wants(t, http.StatusOK, "the application")
	b.open(issuerURL+"account").wants(t, http.StatusOK, "App keys: Phone &lt;b&gt;")
	if strings.Contains(b.open(issuerURL+"account/keys").body, "gk1.") {
		t.Error("the key is shown again")
	}
	other := n.browser() // of somebody without a session at such a site
	other.submit(other.open(issuerURL+"account/keys"), "bob").wants(t, http.StatusOK, "not signed in to a site")
}
