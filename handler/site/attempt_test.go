package site_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/site"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// comeBack signs in up to the callback, which it does not open.
func (b *browser) comeBack(address, name string) (callback string) {
	b.n.t.Helper()
	page := b.start(address)
	ticket := ticketField.FindStringSubmatch(page.body)
	if ticket == nil {
		b.n.t.Fatalf("no login page: %s", page.body)
	}
	form := url.Values{"request": {ticket[1]}, "login": {"local"}, "username": {name}, "password": {password}, "action": {"login"}}
	a := b.send(http.MethodPost, issuerURL+"login", strings.NewReader(form.Encode()), "Content-Type", "application/x-www-form-urlencoded",
		"Origin", strings.TrimSuffix(issuerURL, "/"), "Sec-Fetch-Site", "same-origin")
	to := a.Header.Get("Location")
	if !strings.HasPrefix(to, wiki+"/.gatehouse/callback?code=") {
		b.n.t.Fatalf("signed in, and sent to %q", to)
	}
	return to
}

// TestH4LoginCSRF: rows S13 and review H4: the callback of somebody else's sign-in signs
// nobody in; the person signs in themself, once.
func TestH4LoginCSRF(t *testing.T) {
	n := newWorld(t).node()
	app := n.guard(wiki)
	mallory, alice := n.browser(), n.browser()
	stolen := mallory.comeBack(wiki+"/", "bob")
	a := alice.open(stolen)
	if alice.cookie(wiki) != "" || !strings.HasPrefix(a.at, issuerURL) {
		t.Fatalf("the callback of another browser led to %s", a.at)
	}
	alice.submit(a, "alice").wants(t, http.StatusOK, "the application at /")
	if got := app.last.Header.Get("X-User-Id"); got != "local|alice" {
		t.Errorf("signed in as %q", got)
	}
	// Whoever is signed in stays who they are.
	alice.open(n.browser().comeBack(wiki+"/else", "bob")).wants(t, http.StatusOK, "the application at /else")
	if got := app.last.Header.Get("X-User-Id"); got != "local|alice" {
		t.Errorf("signed in as %q", got)
	}
}

// TestH4Fixation: the session that a browser had ends when another one begins there
// (WEB-13), and the application's own cookies go with the person (row H6).
func TestH4Fixation(t *testing.T) {
	n := newWorld(t).node()
	app := n.guard(wiki)
	b := n.browser()
	b.signIn(wiki+"/", "bob")
	old := b.cookie(wiki)
	b.jar.SetCookies(must(url.Parse(wiki))(t), []*http.Cookie{{Name: "grafana_session", Value: "bobs", Path: "/"}})
	b.submit(b.open(wiki+"/.gatehouse/login?other=1&to=/"), "alice").wants(t, http.StatusOK, "")
	if got := app.last.Header.Get("X-User-Id"); got != "local|alice" || b.cookie(wiki) == old {
		t.Errorf("signed in as %q", got)
	}
	if got := app.last.Header.Get("Cookie"); got != "" {
		t.Errorf("the application sees %q of the person before", got)
	}
	thief := n.browser()
	thief.plant(wiki, old)
	thief.open(wiki+"/").wants(t, http.StatusUnauthorized, "sign-in")
}

// plant gives a browser the cookie of a site.
func (b *browser) plant(origin, value string) {
	b.jar.SetCookies(must(url.Parse(origin))(b.n.t), []*http.Cookie{{Name: cookieName(b.n.bound[origin]), Value: value, Path: "/", Secure: true}})
}

// TestReturnAddresses: rows S11, RED-18 and review H7: whatever is asked for, the way back is
// the configured origin and a path of it.
func TestReturnAddresses(t *testing.T) {
	n := newWorld(t).node()
	n.guard(wiki)
	b := n.browser()
	b.signIn(wiki+"/", "alice")
	for to, want := range map[string]string{
		"/a/b?c=d&e=%2F#f":                  wiki + "/a/b?c=d&e=%2F",
		"//evil.com/x":                      wiki + "/evil.com/x",
		"///evil.com":                       wiki + "/evil.com",
		`/\evil.com`:                        wiki + "/",
		"\\\\evil.com":                      wiki + "/",
		"/\t/evil.com":                      wiki + "/",
		"/\n/evil.com":                      wiki + "/",
		"https://evil.com/":                 wiki + "/",
		"javascript:alert(1)":               wiki + "/",
		"evil":                              wiki + "/",
		"":                                  wiki + "/",
		"/.gatehouse/logout":                wiki + "/",
		"//.gatehouse/logout":               wiki + "/",
		"/%2egatehouse/logout":              wiki + "/",
		`/d/dash?var-x=a\.b&y=\\evil.com`:   wiki + "/d/dash?var-x=a%5C.b&y=%5C%5Cevil.com",
		`/d\dash?x=y`:                       wiki + "/",
		`?\evil.com`:                        wiki + "/",
		`/?\evil.com#\`:                     wiki + "/?%5Cevil.com",
		"/%2f%2fevil.com":                   wiki + "/%2f%2fevil.com",
		"/@evil.com":                        wiki + "/@evil.com",
		"/./.gatehouse/logout":              wiki + "/",
		"/x/../.gatehouse/logout":           wiki + "/",
		"/%2e/.gatehouse/logout":            wiki + "/",
		"/x/%2E%2e/.gatehouse/logout":       wiki + "/",
		"/x%2f..%2f.gatehouse/logout":       wiki + "/",
		"/%2f.gatehouse/logout":             wiki + "/",
		"/a/..":                             wiki + "/",
		"/a/...":                            wiki + "/a/...",
		"/p?q=" + strings.Repeat("x", 2000): wiki + "/p?q=" + strings.Repeat("x", 2000),
		"/" + strings.Repeat("x", 2100):     wiki + "/",
		"/p?q=" + strings.Repeat("x", 2100): wiki + "/p",
	} {
		a := b.send(http.MethodGet, wiki+"/.gatehouse/login?to="+url.QueryEscape(to), nil, navigates...)
		if got := a.Header.Get("Location"); a.StatusCode != http.StatusSeeOther || got != want {
			t.Errorf("%q leads to %q, want %q", to, got, want)
		}
	}
	for _, path := range []string{"//evil.com/x", "/\\evil.com"} { // as the client asks for it
		a := n.browser().send(http.MethodGet, wiki+path, nil, "Accept", "*/*")
		if !strings.Contains(a.body, `"login":"https://wiki.example.com/.gatehouse/login?to=%2F`) || strings.Contains(a.body, "to=%2F%2F") {
			t.Errorf("%q: %s", path, a.body)
		}
	}
}

// TestS1Tabs: rows S1, S2, S4 and M16: tabs do not disturb one another, however many there
// are, and each ends on its own address.
func TestS1Tabs(t *testing.T) {
	n := newWorld(t).node()
	n.guard(wiki)
	b := n.browser()
	var callbacks []string
	first := b.start(wiki + "/tab0")
	b.submit(first, "alice") // now there is a single sign-on session
	b.plant(wiki, "")
	for _, tab := range []string{"/tab1", "/tab2", "/tab3"} {
		begun := b.send(http.MethodGet, wiki+"/.gatehouse/login?to="+tab, nil, navigates...)
		callbacks = append(callbacks, b.send(http.MethodGet, begun.Header.Get("Location"), nil, navigates...).Header.Get("Location"))
	}
	for i, callback := range callbacks {
		b.open(callback).wants(t, http.StatusOK, "the application at /tab"+string(rune('1'+i)))
	}
	for range 30 {
		b.plant(wiki, "")
		b.send(http.MethodGet, wiki+"/.gatehouse/login?to=/", nil, navigates...)
	}
	pending := 0
	for _, c := range b.jar.Cookies(must(url.Parse(wiki))(t)) {
		if strings.HasPrefix(c.Name, "__Host-gatehouse_pending_") {
			pending++
		}
	}
	if pending == 0 || pending > 5 {
		t.Errorf("%d attempts are under way", pending)
	}
	b.open(wiki + "/.gatehouse/login?to=/")
	for _, c := range b.jar.Cookies(must(url.Parse(wiki))(t)) {
		if strings.HasPrefix(c.Name, "__Host-gatehouse_pending_") {
			t.Errorf("%s is left after the sign-in", c.Name)
		}
	}
}

// TestS3Back: rows S3 and S8: a callback that is opened again leads on where somebody is
// signed in, begins anew once where not, and ends on a page: there is no loop.
func TestS3Back(t *testing.T) {
	n := newWorld(t).node()
	n.guard(wiki)
	b := n.browser()
	callback := b.comeBack(wiki+"/page", "alice")
	b.open(callback).wants(t, http.StatusOK, "the application at /page")
	b.open(callback).wants(t, http.StatusOK, "the application at /page")
	n.pass(11 * time.Minute)
	b.open(callback).wants(t, http.StatusOK, "the application at /page")
	b.open(wiki+"/.gatehouse/callback?state=rubbish&code=x").wants(t, http.StatusOK, "the application at /")

	slow := n.browser()
	late := slow.comeBack(wiki+"/slow", "alice")
	n.pass(11 * time.Minute)
	slow.open(late).wants(t, http.StatusOK, "the application at /slow") // by single sign-on, once more

	// A browser that keeps no cookie of the site.
	forgetful := n.browser()
	address := forgetful.comeBack(wiki+"/page", "alice")
	forgetful.jar.SetCookies(must(url.Parse(wiki))(t), expired(forgetful, wiki))
	for i := 0; ; i++ {
		a := forgetful.send(http.MethodGet, address, nil, navigates...)
		address = a.Header.Get("Location")
		if address == "" {
			a.wants(t, http.StatusForbidden, "did not keep the cookie")
			break
		}
		if i > 6 {
			t.Fatalf("a loop: %s", address)
		}
		if strings.HasPrefix(a.at, wiki) {
			forgetful.jar.SetCookies(must(url.Parse(wiki))(t), expired(forgetful, wiki))
		}
	}
}

func expired(b *browser, origin string) []*http.Cookie {
	cookies := b.jar.Cookies(must(url.Parse(origin))(b.n.t))
	for _, c := range cookies {
		c.MaxAge, c.Path, c.Secure = -1, "/", true
	}
	return cookies
}

// TestS6Fragment: rows S5 and S6: the start page keeps what no server hears, and the way back
// gives it back: the page that does so is told by the state.
func TestS6Fragment(t *testing.T) {
	n := newWorld(t).node()
	n.guard(wiki)
	b := n.browser()
	start := b.open(wiki + "/page")
	for _, text := range []string{"sessionStorage.setItem", "visibilityState", `data-of="` + wiki + `/.gatehouse/login?"`} {
		if !strings.Contains(start.body, text) {
			t.Errorf("the start page lacks %s:\n%s", text, start.body)
		}
	}
	if policy := start.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "script-src 'nonce-") || !strings.Contains(policy, "frame-ancestors 'none'") {
		t.Errorf("policy %q", policy)
	}
	b.submit(b.open(wiki+"/.gatehouse/login?to=/page&keep=1"), "alice").wants(t, http.StatusOK, "sessionStorage.getItem")
	b.open(wiki+"/.gatehouse/login?to=/page&keep=1").wants(t, http.StatusOK, `href="`+wiki+`/page"`)
	b.open(wiki+"/.gatehouse/login?to=/page&close=1").wants(t, http.StatusOK, "window.close()")
}

// TestStartRedirect: the word `start redirect`.
func TestStartRedirect(t *testing.T) {
	n := newWorld(t).node()
	n.guard(wiki, func(_ *site.SiteConfig, c *site.Config) { c.StartRedirect = true })
	b := n.browser()
	b.submit(b.open(wiki+"/page?x=1"), "alice").wants(t, http.StatusOK, "the application at /page?x=1")
}

// TestN11Prefetch: what a browser fetches ahead consumes nothing.
func TestN11Prefetch(t *testing.T) {
	n := newWorld(t).node()
	n.guard(wiki)
	b := n.browser()
	callback := b.comeBack(wiki+"/page", "alice")
	ahead := append([]string{"Sec-Purpose", "prefetch"}, navigates...)
	for _, address := range []string{callback, wiki + "/.gatehouse/login?to=/", wiki + "/.gatehouse/logout"} {
		if a := b.send(http.MethodGet, address, nil, ahead...); a.StatusCode < 400 || a.Header.Get("Set-Cookie") != "" || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s", address, a.StatusCode, a.Header)
		}
	}
	b.open(callback).wants(t, http.StatusOK, "the application at /page")
	b.send(http.MethodGet, wiki+"/.gatehouse/logout", nil, ahead...)
	b.open(wiki+"/").wants(t, http.StatusOK, "")
}

// TestC7OnlyGuardsBegin: review C7: nobody but a guard begins a sign-in to a site, and nobody
// but a guard redeems its code.
func TestC7OnlyGuardsBegin(t *testing.T) {
	n := newWorld(t).node()
	n.guard(wiki)
	b := n.browser()
	q := url.Values{
		"client_id": {"site|" + wiki}, "redirect_uri": {wiki + "/.gatehouse/callback"}, "response_type": {"code"}, "scope": {"openid"},
		"code_challenge": {strings.Repeat("A", 43)}, "code_challenge_method": {"S256"}, "state": {"x"},
	}
	b.open(issuerURL+"authorize?"+q.Encode()).wants(t, http.StatusBadRequest, "")
	begun := b.send(http.MethodGet, wiki+"/.gatehouse/login?to=/", nil, navigates...).Header.Get("Location")
	u := must(url.Parse(begun))(t)
	sealed := u.Query().Get("site_request")
	for name, text := range map[string]string{"cut": sealed[:len(sealed)-2], "changed": "A" + sealed[1:], "nothing": "x", "a state": n.Sites().Seal(wiki, "request", []byte(`{"o":"https://evil.com"}`))} {
		a := b.send(http.MethodGet, issuerURL+"authorize?site_request="+text+"&redirect_uri=https://evil.com/", nil, navigates...)
		if a.StatusCode != http.StatusBadRequest || a.Header.Get("Location") != "" {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.Header)
		}
	}
	// Parameters beside the sealed request count for nothing.
	b.open(begun+"&redirect_uri=https://evil.com/&client_id=evil&prompt=none&response_mode=fragment").wants(t, http.StatusOK, "wiki.example.com")
	// Ten minutes.
	n.pass(10 * time.Minute)
	a := b.send(http.MethodGet, begun, nil, navigates...)
	if got := a.Header.Get("Location"); !strings.HasPrefix(got, wiki+"/.gatehouse/callback?error=login_required") {
		t.Errorf("an old request leads to %q", got)
	}
	// The code is no application's.
	callback := must(url.Parse(b.comeBack(wiki+"/", "alice")))(t)
	app := &clients.Client{ID: "site|" + wiki, Type: clients.SPA}
	_, err := n.Token(t.Context(), app, tokens.TokenRequest{
		GrantType: oauth.GrantAuthorizationCode, Code: callback.Query().Get("code"), RedirectURI: wiki + "/.gatehouse/callback", CodeVerifier: strings.Repeat("A", 43),
	})
	if err == nil || oauth.AsError(err).Code != oauth.InvalidGrant {
		t.Errorf("redeeming at the token endpoint: %v", err)
	}
	if n.heard.has(oauth.EventSiteSession, oauth.OutcomeOK) {
		t.Error("a session began")
	}
}

// TestMixUp: the answer of another issuer signs nobody in (RFC 9207).
func TestMixUp(t *testing.T) {
	n := newWorld(t).node()
	n.guard(wiki)
	b := n.browser()
	callback := b.comeBack(wiki+"/", "alice")
	b.open(strings.Replace(callback, url.QueryEscape(issuerURL), url.QueryEscape("https://evil.com/"), 1)).wants(t, http.StatusForbidden, "not signed in")
	if b.cookie(wiki) != "" {
		t.Error("signed in")
	}
}

// TestS3Refused: row S3: who may not come in any more by the time of the callback sees so, and is
// not sent round again.
func TestS3Refused(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	n.guard(wiki)
	b := n.browser()
	callback := b.comeBack(wiki+"/", "alice")
	reloaded := w.node(w.users("bob")...)
	reloaded.guard(wiki)
	there := &browser{n: reloaded, jar: b.jar}
	there.open(callback).wants(t, http.StatusForbidden, "this account may not use it")
	if len(there.sent) != 1 {
		t.Errorf("sent to %q", there.sent)
	}
}

// TestRefusedThere: who cancels, hears so, and can try again.
func TestRefusedThere(t *testing.T) {
	n := newWorld(t).node()
	n.guard(wiki)
	b := n.browser()
	page := b.start(wiki + "/page")
	form := url.Values{"request": {ticketField.FindStringSubmatch(page.body)[1]}, "action": {"cancel"}}
	a := b.send(http.MethodPost, issuerURL+"login", strings.NewReader(form.Encode()), "Content-Type", "application/x-www-form-urlencoded",
		"Origin", strings.TrimSuffix(issuerURL, "/"))
	b.open(a.Header.Get("Location")).wants(t, http.StatusForbidden, "/.gatehouse/login?to=%2Fpage")
}
