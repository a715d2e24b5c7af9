package handler

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/wire/wiretest"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// wantPage checks that an error stays on our own page.
func wantPage(t *testing.T, res *wiretest.Answer, status int) string {
	t.Helper()
	body := res.Body
	if res.StatusCode != status || res.Header.Get("Location") != "" || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		t.Errorf("answer %d, Location %q, %q; want a page with %d", res.StatusCode, res.Header.Get("Location"), res.Header.Get("Content-Type"), status)
	}
	wantProtected(t, res)
	return body
}

// wantProtected checks AUZ-25 and WEB-16 on a page or redirect.
func wantProtected(t *testing.T, res *wiretest.Answer) {
	t.Helper()
	h := res.Header
	if p := h.Get("Referrer-Policy"); p != "no-referrer" && p != "same-origin" {
		t.Errorf("Referrer-Policy %q", p)
	}
	if h.Get("Cache-Control") != "no-store" || h.Get("X-Frame-Options") != "DENY" ||
		!strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("headers %v", h)
	}
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("WEB-06: %s on a page", name)
		}
	}
}

// wantRedirectError checks R(code): to the registered URI, with state and iss.
func wantRedirectError(t *testing.T, res *wiretest.Answer, code string) {
	t.Helper()
	to, q := location(t, res)
	if to != spaRedirect || q.Get("error") != code || q.Get("state") != "st" || q.Get("iss") != testIssuer || q.Has("code") {
		t.Errorf("redirect to %s with %v, want error %s", to, q, code)
	}
}

// withoutCode finds the texts that a page only shows.
var withoutCode = regexp.MustCompile(`<code>[^<>]*</code>`)

func TestHardeningAUZPage(t *testing.T) {
	g := newGateway(t)
	for _, tc := range []struct{ name, target string }{
		{"AUZ-01 client_id missing", authorizeURL("client_id", "")},
		{"AUZ-01 client_id unknown", authorizeURL("client_id", "nobody")},
		{"AUZ-01 client_id repeated", authorizeURL() + "&client_id=spa"},
		{"AUZ-03 redirect_uri missing, two registered", authorizeURL("redirect_uri", "")},
		{"AUZ-10 redirect_uri repeated", authorizeURL() + "&redirect_uri=" + url.QueryEscape(spaRedirect)},
		{"query malformed", authorizeURL() + "&x=%zz"},
		{"machine", authorizeURL("client_id", "machine")},
		{"RED-01 case of path", authorizeURL("redirect_uri", "https://app.example.com/CB")},
		{"RED-01 case of scheme", authorizeURL("redirect_uri", "HTTPS://app.example.com/cb")},
		{"RED-02 query", authorizeURL("redirect_uri", spaRedirect+"?x=1")},
		{"RED-02 empty query", authorizeURL("redirect_uri", spaRedirect+"?")},
		{"RED-02 fragment", authorizeURL("redirect_uri", spaRedirect+"#f")},
		{"RED-02 slash", authorizeURL("redirect_uri", spaRedirect+"/")},
		{"RED-03 dots", authorizeURL("redirect_uri", spaRedirect+"/../evil")},
		{"RED-03 encoded dots", authorizeURL("redirect_uri", spaRedirect+"%2f..%2fx")},
		{"RED-05 suffix", authorizeURL("redirect_uri", "https://app.example.com.evil.com/cb")},
		{"RED-05 port", authorizeURL("redirect_uri", "https://app.example.com:444/cb")},
		{"RED-05 http", authorizeURL("redirect_uri", "http://app.example.com/cb")},
		{"RED-07 backslash", authorizeURL("redirect_uri", `https://app.example.com\@evil.com/cb`)},
		{"RED-07 no scheme", authorizeURL("redirect_uri", "//evil.com")},
		{"RED-08 newline", authorizeURL("redirect_uri", "https://app.example.com/cb\n")},
		{"RED-08 trailing dot", authorizeURL("redirect_uri", "https://app.example.com./cb")},
		{"RED-11 not loopback", authorizeURL("client_id", "native", "redirect_uri", "http://127.0.0.1.evil.com/cb")},
		{"RED-11 localhost", authorizeURL("client_id", "native", "redirect_uri", "http://localhost:51004/cb")},
		{"RED-11 query", authorizeURL("client_id", "native", "redirect_uri", "http://127.0.0.1:51004/cb?foo=bar")},
		{"RED-14 bad scope too", authorizeURL("scope", "\x01", "redirect_uri", "https://evil.com/")},
		{"AUZ-06 bad mode too", authorizeURL("response_mode", "form_post.jwt", "redirect_uri", "https://evil.com/")},
		{"prompt=none too", authorizeURL("prompt", "none", "redirect_uri", "https://evil.com/")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			page := wantPage(t, g.do(http.MethodGet, tc.target, ""), http.StatusBadRequest)
			if strings.Contains(withoutCode.ReplaceAllString(page, ""), "evil") {
				t.Error("the page repeats what was asked, and not as mere text")
			}
		})
	}
}

func TestHardeningAUZRedirect(t *testing.T) {
	g := newGateway(t)
	for _, tc := range []struct{ name, target, code string }{
		{"AUZ-04", authorizeURL("response_type", ""), "invalid_request"},
		{"response_type token", authorizeURL("response_type", "token"), "unsupported_response_type"},
		{"AUZ-06 fragment.jwt", authorizeURL("response_mode", "fragment.jwt"), "invalid_request"},
		{"AUZ-06 jwt", authorizeURL("response_mode", "form_post.jwt"), "invalid_request"},
		{"AUZ-07", authorizeURL("code_challenge", ""), "invalid_request"},
		{"AUZ-08 plain", authorizeURL("code_challenge_method", "plain"), "invalid_request"},
		{"AUZ-08 missing", authorizeURL("code_challenge_method", ""), "invalid_request"},
		{"AUZ-09", authorizeURL("code_challenge", strings.Repeat("a", 42)), "invalid_request"},
		{"AUZ-10", authorizeURL() + "&scope=openid", "invalid_request"},
		{"AUZ-15", authorizeURL("prompt", "none"), "login_required"},
		{"AUZ-17", authorizeURL("max_age", "abc"), "invalid_request"},
		{"AUZ-17 negative", authorizeURL("max_age", "-1"), "invalid_request"},
		{"AUZ-18", authorizeURL("id_token_hint", "a.b.c"), "invalid_request"},
		{"AUZ-19 request", authorizeURL("request", "x"), "request_not_supported"},
		{"AUZ-20 another redirect_uri in it", authorizeURL("request", unsigned(`{"client_id":"spa","redirect_uri":"https://evil.example/cb","state":"theirs"}`)), "request_not_supported"},
		{"AUZ-19 request_uri", authorizeURL("request_uri", "http://169.254.169.254/"), "request_uri_not_supported"},
		{"AUZ-21", authorizeURL("claims", "{"), "invalid_request"},
		{"audience of nobody", authorizeURL("audience", "https://other.example.com"), "invalid_target"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := g.do(http.MethodGet, tc.target, "")
			wantProtected(t, res)
			wantRedirectError(t, res, tc.code)
		})
	}
	if n := g.store.writes.Load(); n != 0 {
		t.Errorf("%d writes to the store", n)
	}
}

// AUZ-11, AUZ-22: unknown parameters are ignored; a POST works as a GET does.
func TestHardeningAUZ11And22(t *testing.T) {
	g := newGateway(t)
	q := authorizeURL("unknown", "x", "display", "page", "acr_values", "1")[len("/authorize?"):]
	res := g.do(http.MethodPost, "/authorize", q, "Content-Type", formType)
	if page := wantPage(t, res, http.StatusOK); !strings.Contains(page, `name="password"`) {
		t.Error("a POST shows no login page")
	}
}

// State and nonce come back byte for byte, whatever they are made of.
func TestStateByteForByte(t *testing.T) {
	g := newGateway(t)
	state := "a b+c%2B&=#?/\\\"'<>é\u2028\U0001F600~\t"
	_, q := location(t, g.browser().signIn(authorizeURL("state", state, "nonce", state), "alice", testPassword))
	if q.Get("state") != state {
		t.Errorf("state %q, want %q", q.Get("state"), state)
	}
	g.pass(time.Minute)
	res := g.browser().signIn(authorizeURL("state", state, "response_mode", "form_post"), "alice", testPassword)
	if _, fields := form(t, res.Body); fields.Get("state") != state {
		t.Errorf("state by form_post %q", fields.Get("state"))
	}
}

// AUZ-26: whoever cancels goes back with access_denied. AUZ-24: after the login's POST, by a 303.
func TestHardeningAUZ24And26(t *testing.T) {
	g := newGateway(t)
	b := g.browser()
	res := b.get(authorizeURL())
	action, fields := form(t, res.Body)
	fields.Set("action", "cancel")
	wantRedirectError(t, b.post(action, fields), "access_denied")
	res = b.signIn(authorizeURL(), "alice", testPassword)
	wantProtected(t, res)
	location(t, res) // 303
}

// AUZ-27: what the application suggests is text, and a locale is looked up in a table.
func TestHardeningAUZ27(t *testing.T) {
	g := newGateway(t)
	evil := `"><script>alert(1)</script>`
	page := wantPage(t, g.do(http.MethodGet, authorizeURL("login_hint", evil, "ui_locales", "../../etc/passwd"), ""), http.StatusOK)
	if strings.Contains(page, "<script>") || !strings.Contains(page, "&lt;script&gt;") {
		t.Error("login_hint is not escaped, or not prefilled")
	}
}

// AUZ-29, AUZ-31: a claimable redirect URI is never answered silently.
func TestHardeningAUZ29And31(t *testing.T) {
	g := newGateway(t)
	b := g.browser()
	location(t, b.signIn(authorizeURL(), "alice", testPassword))
	native := []string{"client_id", "native", "redirect_uri", "com.example.app:/cb", "audience", "", "scope", "openid email"}
	to, q := location(t, b.get(authorizeURL(append(native, "prompt", "none")...)))
	if to != "com.example.app:/cb" || q.Get("error") != "consent_required" {
		t.Errorf("silent: %s %v", to, q)
	}
	for range 2 { // a consent is not remembered
		res := b.get(authorizeURL(native...), "Sec-Fetch-Site", "cross-site")
		page := wantPage(t, res, http.StatusOK)
		if !strings.Contains(page, "Phone &lt;b&gt;") || !strings.Contains(page, "com.example.app") {
			t.Errorf("no consent page:\n%s", page)
		}
		if csp := res.Header.Get("Content-Security-Policy"); strings.Contains(csp, "form-action") { // S1
			t.Errorf("policy %q", csp)
		}
		action, fields := form(t, page)
		fields.Set("action", "allow")
		if to, q := location(t, b.post(action, fields)); to != "com.example.app:/cb" || q.Get("code") == "" {
			t.Errorf("after consent: %s %v", to, q)
		}
	}
}

// WEB-11: the consent form works once, in its own session and browser.
func TestHardeningWEB11(t *testing.T) {
	g := newGateway(t)
	b, thief := g.browser(), g.browser()
	location(t, b.signIn(authorizeURL(), "alice", testPassword))
	location(t, thief.signIn(authorizeURL(), "bob", testPassword))
	target := authorizeURL("prompt", "consent")
	action, fields := form(t, b.get(target).Body)
	fields.Set("action", "allow")
	wantPage(t, thief.post(action, fields), http.StatusForbidden)
	mixed := b.clone() // alice's browser cookie with bob's session
	mixed.cookies[g.cookies.session] = thief.cookies[g.cookies.session]
	wantPage(t, mixed.post(action, fields), http.StatusForbidden)
	if _, q := location(t, b.post(action, fields)); q.Get("code") == "" {
		t.Errorf("the first post: %v", q)
	}
	wantPage(t, mixed.post(action, fields), http.StatusForbidden)
	g.pass(repeatWindow + time.Nanosecond)
	wantPage(t, b.post(action, fields), http.StatusForbidden)
	action, fields = form(t, b.get(target).Body)
	g.pass(ticketLifetime)
	wantPage(t, b.post(action, fields), http.StatusForbidden)
	action, fields = form(t, b.get(target).Body)
	fields.Set("action", "cancel")
	wantRedirectError(t, b.post(action, fields), "access_denied")
}

func TestResponseModes(t *testing.T) {
	g := newGateway(t)
	b := g.browser()
	res := b.signIn(authorizeURL("response_mode", "form_post"), "alice", testPassword)
	page := res.Body
	action, fields := form(t, page)
	if action != spaRedirect || fields.Get("code") == "" || fields.Get("iss") != testIssuer || fields.Get("state") != "st" {
		t.Errorf("form_post to %s with %v", action, fields)
	}
	csp := res.Header.Get("Content-Security-Policy")
	if strings.Contains(csp, "form-action") || !strings.Contains(csp, "script-src 'nonce-") { // S1
		t.Errorf("policy %q", csp)
	}
	// S20: fragment, for answers and for errors.
	for parameter, target := range map[string]string{
		"code":  authorizeURL("response_mode", "fragment"),
		"error": authorizeURL("response_mode", "fragment", "scope", `"`),
	} {
		path, fragment, _ := strings.Cut(b.get(target).Header.Get("Location"), "#")
		if q, err := url.ParseQuery(fragment); err != nil || path != spaRedirect || q.Get(parameter) == "" || q.Get("state") != "st" || q.Get("iss") != testIssuer {
			t.Errorf("S20: fragment to %s with %s", path, fragment)
		}
	}
	// A popup: not framed by anyone.
	res = b.get(authorizeURL("response_mode", "web_message"))
	page = wantPage(t, res, http.StatusOK)
	if !strings.Contains(page, `type: "authorization_response"`) || !strings.Contains(page, `"https://app.example.com"`) || !strings.Contains(page, `"code":"`) {
		t.Errorf("web_message:\n%s", page)
	}
	if res.Header.Get("Cross-Origin-Opener-Policy") != "" {
		t.Error("a popup with COOP cannot answer its opener")
	}
	// A hidden frame: of the redirect URI's origin only (WEB-16, WEB-17).
	for _, who := range []*browser{b, g.browser()} {
		res = who.get(authorizeURL("response_mode", "web_message", "prompt", "none", "redirect_uri", spaOrigin))
		csp = res.Header.Get("Content-Security-Policy")
		if !strings.HasSuffix(csp, "frame-ancestors "+spaOrigin) || res.Header.Get("X-Frame-Options") != "" {
			t.Errorf("policy %q, X-Frame-Options %q", csp, res.Header.Get("X-Frame-Options"))
		}
	}
	if page = res.Body; !strings.Contains(page, `"error":"login_required"`) {
		t.Errorf("without a session:\n%s", page)
	}
	// A registered redirect URI keeps its own query.
	_, q := location(t, b.get(authorizeURL("client_id", "web", "redirect_uri", "https://web.example.com/cb?keep=1")))
	if q.Get("keep") != "1" || q.Get("code") == "" {
		t.Errorf("query %v", q)
	}
}

// S1: form-action named the redirect URI's origin, and Chromium applies it to
// the application's own redirects too. Where a form leads to an application,
// nobody knows the origins of the whole chain.
func TestS1FormAction(t *testing.T) {
	g := newGateway(t)
	b := g.browser()
	logout := "/oidc/logout?client_id=spa&post_logout_redirect_uri=" + url.QueryEscape(spaOrigin+"/")
	policyOf := func(res *wiretest.Answer) string {
		_, directive, _ := strings.Cut(res.Header.Get("Content-Security-Policy"), "form-action ")
		directive, _, _ = strings.Cut(directive, ";")
		return directive
	}
	check := func(name, target, want string) {
		t.Helper()
		if got := policyOf(b.get(target)); got != want {
			t.Errorf("%s: form-action %q, want %q", name, got, want)
		}
	}
	check("login", authorizeURL(), "")
	check("login of a form_post", authorizeURL("response_mode", "form_post"), "'self'")
	check("login of a popup", authorizeURL("response_mode", "web_message"), "'self'")
	check("login of the account", "/account", "'self'")
	check("login of a device", "/activate", "'self'")
	check("an error", authorizeURL("redirect_uri", "https://elsewhere.example/"), "'none'")
	res := b.signIn(authorizeURL(), "alice", "wrong")
	if got := policyOf(res); got != "" {
		t.Errorf("login once more: form-action %q", got)
	}
	location(t, b.signIn(authorizeURL(), "alice", testPassword))
	check("consent", authorizeURL("prompt", "consent"), "")
	check("consent of a form_post", authorizeURL("prompt", "consent", "response_mode", "form_post"), "'self'")
	check("form_post", authorizeURL("response_mode", "form_post"), "")
	check("web_message", authorizeURL("response_mode", "web_message"), "'none'")
	check("account", "/account", "'self'")
	check("device", "/activate", "'self'")
	check("logout to an application", logout, "")
	check("logout", "/oidc/logout", "'self'")
	check("logout to a stray address", logout+"x", "'self'")
}

// A store that is down: people see a page to try again, hidden frames get an answer.
func TestAuthorizeWithoutStore(t *testing.T) {
	g := newGateway(t)
	b := g.browser()
	location(t, b.signIn(authorizeURL(), "alice", testPassword))
	g.store.down.Store(true)
	res := b.get(authorizeURL())
	if wantPage(t, res, http.StatusServiceUnavailable); res.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	wantRedirectError(t, b.get(authorizeURL("prompt", "none")), "temporarily_unavailable")
	if !g.heard.has(oauth.EventStoreTrouble, "authorize") {
		t.Error("no event")
	}
}

// DOS-15: a panic leaves no lock held and the next request works.
func TestHardeningDOS15(t *testing.T) {
	g := newGateway(t)
	ready := g.Ready
	g.Ready = func(context.Context) error { panic("injected") }
	func() {
		defer func() { _ = recover() }()
		g.do(http.MethodGet, authorizeURL(), "")
	}()
	g.Ready = ready
	wantPage(t, g.do(http.MethodGet, authorizeURL(), ""), http.StatusOK)
}
