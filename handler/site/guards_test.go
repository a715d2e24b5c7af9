package site_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/guard"
	"github.com/gatehouse-auth/gatehouse/handler/identity"
	"github.com/gatehouse-auth/gatehouse/handler/site"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
)

// passages are what the guards of requests share.
func passages() func(*http.Request) *site.Passage {
	all := make(map[*http.Request]*site.Passage)
	return func(r *http.Request) *site.Passage {
		if all[r] == nil {
			all[r] = new(site.Passage)
		}
		return all[r]
	}
}

// guards puts guards in front of an application, one behind the other: each checks what begins
// with its path, and takes out of all other requests what is its own.
func (n *node) guards(cfg ...site.Config) *upstream {
	n.t.Helper()
	app, passage := n.guard(wiki), passages()
	var next http.Handler = app
	for i := len(cfg) - 1; i >= 0; i-- {
		cfg[i].Sites, cfg[i].Passage = []*site.Site{n.bound[wiki]}, passage
		path := "/"
		if i == 0 {
			path = "/admin/"
		}
		g, behind := must(site.New(cfg[i]))(n.t), next
		checked := serving(n.bound[wiki], g, behind)
		next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, path) || site.Owns(r.URL.Path) {
				checked.ServeHTTP(w, r)
				return
			}
			g.TakeOut(r)
			behind.ServeHTTP(w, r)
		})
	}
	n.hosts[wikiHost] = next
	return app
}

func headers(pairs ...string) (all []identity.Mapping) {
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, identity.Mapping{Header: pairs[i], Claim: pairs[i+1]})
	}
	return all
}

// TestH1InnerGuardSays: row H1: under one name, in any spelling, the inner guard is the one that
// says what it means.
func TestH1InnerGuardSays(t *testing.T) {
	n := newWorld(t).node()
	app := n.guards(site.Config{}, site.Config{Headers: headers("X-User-Id", "sub", "X-Name", "name")}, site.Config{Headers: headers("X_User_Id", "username", "X-Name", "nothing")})
	n.browser().signIn(wiki+"/", "alice").wants(t, http.StatusOK, "")
	if h := app.last.Header; h.Get("X_user_id") != "alice" || h.Get("X-User-Id") != "" || h.Get("X-Name") != "" {
		t.Errorf("upstream: %s", h)
	}
}

// bearer takes the access tokens of an API.
func (n *node) bearer(api string) site.Bearer {
	gate := must(n.Gate(n.state.Open))(n.t)
	return must(guard.New(guard.Config{Access: gate, IssuerURL: issuerURL, Audience: []string{api}, StripToken: true}))(n.t)
}

// TestP11SessionOfAllGuards: row P11: a guard finds the session although another one has taken
// our cookies out: beside its matcher, in the same route, or for a path that is public there.
func TestP11SessionOfAllGuards(t *testing.T) {
	n := newWorld(t).node()
	app := n.guards(
		site.Config{For: [][]string{{"admins"}}},
		site.Config{Public: func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/docs/") }},
		site.Config{Headers: headers("X-User-Id", "sub")},
	)
	b := n.browser()
	for _, path := range []string{"/x", "/docs/x"} {
		b.signIn(wiki+path, "alice").wants(t, http.StatusOK, "the application at "+path)
		if got := app.last.Header; got.Get("X-User-Id") != "local|alice" || got.Get("Cookie") != "" {
			t.Errorf("%s: upstream %s", path, got)
		}
		b.open(wiki+"/admin/x").wants(t, http.StatusForbidden, "local|alice")
		b = n.browser()
	}
}

// TestH1GuardsOfOneRequest: row H1: what one guard says of a person, another one leaves, and
// what a client says under the names of any of them, its token's included, never arrives.
func TestH1GuardsOfOneRequest(t *testing.T) {
	for name, outer := range map[string]site.Config{
		"outer": {Headers: headers("X-User-Id", "sub", "Remote-User", "username")},
		"token": {Headers: headers("X-User-Id", "sub"), Upstream: &site.UpstreamToken{API: wikiAPI, Scopes: []string{"pages:read"}, Header: "X-Token"}},
	} {
		for _, path := range []string{"/", "/admin/"} {
			n := newWorld(t).node()
			forged := []string{"X-User-Id", "root", "Remote-User", "root", "X-Inner", "root", "X_inner", "root", "X-Admin", "root", "X-Admin-Token", "root", "X_Admin_Token", "root", "X-Name", "root"}
			if name == "token" {
				forged = append(forged, "X-Token", "root", "X_token", "root")
			}
			inner := site.Config{Headers: headers("X-Name", "username"), Upstream: &site.UpstreamToken{API: wikiAPI, Header: "X-Inner"}}
			cfg := []site.Config{{Headers: headers("X-Admin", "username"), Upstream: &site.UpstreamToken{API: wikiAPI, Header: "X-Admin-Token"}}, outer, inner}
			app := n.guards(cfg...)
			b := n.browser()
			b.signIn(wiki+path, "alice")
			b.fetch(http.MethodGet, wiki+path, forged...).wants(t, http.StatusOK, "")
			h := app.last.Header
			if h.Get("X-User-Id") != "local|alice" || h.Get("X-Name") != "alice" || h.Get("X-Inner") == "" || name == "token" && h.Get("X-Token") == "" ||
				name == "outer" && h.Get("Remote-User") != "alice" || (h.Get("X-Admin") == "alice") != (path == "/admin/") {
				t.Errorf("%s %s: upstream %s", name, path, h)
			}
			for header, values := range h {
				if strings.Contains(strings.Join(values, ""), "root") {
					t.Errorf("%s %s: %s: %q", name, path, header, values)
				}
			}
		}
	}
}

// TestP3InnerGuard: rows P1 and P3: who has come by an access token or an app key is let in by
// each guard of the request for itself.
func TestP3InnerGuard(t *testing.T) {
	const other = "https://other.example.com"
	n := newWorld(t).node()
	b := n.browser()
	app := n.guard(wiki, func(_ *site.SiteConfig, c *site.Config) {
		c.Keys = true
		c.Upstream = &site.UpstreamToken{API: wikiAPI, Scopes: []string{"pages:read"}, Header: "X-Token"}
	})
	b.signIn(wiki+"/", "alice")
	token := app.last.Header.Get("X-Token")
	key := must(n.NewSiteKey(t.Context(), must(n.CurrentLogin(t.Context(), issuerSession(b)))(t), wiki, "x"))(t)
	takes := n.bearer(wikiAPI)
	for name, tt := range map[string]struct {
		inner      site.Config
		token, key int
	}{
		"none":   {site.Config{}, http.StatusForbidden, http.StatusForbidden},
		"both":   {site.Config{Bearer: takes, Keys: true}, http.StatusOK, http.StatusOK},
		"other":  {site.Config{Bearer: n.bearer(other)}, http.StatusUnauthorized, http.StatusForbidden},
		"for":    {site.Config{Bearer: takes, Keys: true, For: [][]string{{"admins"}}}, http.StatusForbidden, http.StatusForbidden},
		"staff":  {site.Config{Bearer: takes, Keys: true, For: [][]string{{"staff"}}}, http.StatusOK, http.StatusOK},
		"logins": {site.Config{Bearer: takes, Keys: true, Rules: sites.Rules{Logins: []string{"company"}}}, http.StatusForbidden, http.StatusForbidden},
		"acr":    {site.Config{Bearer: takes, Keys: true, Rules: sites.Rules{ACRs: []string{"mfa"}}}, http.StatusUnauthorized, http.StatusForbidden},
	} {
		n.guards(site.Config{}, site.Config{Bearer: takes, Keys: true}, tt.inner)
		for credential, want := range map[string]int{token: tt.token, key: tt.key} {
			a := n.browser().send(http.MethodGet, wiki+"/x", nil, "Authorization", "Bearer "+credential, "Accept", "*/*")
			if a.StatusCode != want {
				t.Errorf("%s: %.4s: %d, want %d", name, credential, a.StatusCode, want)
			}
		}
	}
}

// TestP3BearerRules: `for`, `logins`, `acr` and `max_age` hold for access tokens as for people.
func TestP3BearerRules(t *testing.T) {
	n := newWorld(t).node()
	app := n.guard(wiki, func(_ *site.SiteConfig, c *site.Config) {
		c.Upstream = &site.UpstreamToken{API: wikiAPI, Scopes: []string{"pages:read"}, Header: "X-Token"}
	})
	b := n.browser()
	b.signIn(wiki+"/", "alice")
	n.pass(5 * time.Minute)
	token := app.last.Header.Get("X-Token")
	for name, tt := range map[string]struct {
		rules sites.Rules
		want  int
	}{
		"none":          {sites.Rules{}, http.StatusOK},
		"logins":        {sites.Rules{Logins: []string{"local"}}, http.StatusOK},
		"another login": {sites.Rules{Logins: []string{"company"}}, http.StatusForbidden},
		"acr":           {sites.Rules{ACRs: []string{"mfa"}}, http.StatusUnauthorized},
		"max_age":       {sites.Rules{MaxAge: 6 * time.Minute}, http.StatusOK},
		"too old":       {sites.Rules{MaxAge: 4 * time.Minute}, http.StatusUnauthorized},
	} {
		n.guard(wiki, func(_ *site.SiteConfig, c *site.Config) { c.Rules, c.Bearer = tt.rules, n.bearer(wikiAPI) })
		a := n.browser().send(http.MethodGet, wiki+"/", nil, "Authorization", "Bearer "+token, "Accept", "*/*")
		if a.StatusCode != tt.want {
			t.Errorf("%s: %d, want %d", name, a.StatusCode, tt.want)
		}
	}
}
