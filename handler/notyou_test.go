package handler

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// O9: who is not the person on a page signs in with their own account, for the same
// thing. Until then nobody is signed out.
func TestO9NotYou(t *testing.T) {
	g := newDeviceGateway(t)
	device := jsonOf(t, g.post("/oauth/device/code", url.Values{"client_id": {"tv"}, "scope": {"openid"}}))
	code, _ := device["user_code"].(string)
	for _, tc := range []struct {
		name, target string
		first        url.Values // sent before the page in question
		shows        string
	}{
		{"consent", authorizeURL("prompt", "consent", "login_hint", "alice"), nil, "Allow access?"},
		{"account", "/account", nil, "Your account"},
		{"activate", "/activate?user_code=" + code, nil, code},
		{"device", "/activate?user_code=" + code, url.Values{"action": {"continue"}}, code},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := g.browser()
			b.signIn(authorizeURL(), "alice", testPassword)
			alice := b.clone()
			page := b.get(tc.target)
			if tc.first != nil {
				action, fields := form(t, page.Body)
				fields.Set("action", "continue")
				fields.Set("user_code", code)
				page = b.post(action, fields)
			}
			action, fields := form(t, page.Body)
			if !strings.Contains(page.Body, "Not you?") || !strings.Contains(page.Body, "Alice") {
				t.Fatalf("the page does not ask:\n%s", page.Body)
			}
			fields.Set("action", "another")
			if tc.name == "activate" {
				fields.Set("user_code", code) // what stands in the field
			}
			login := b.post(action, fields)
			wantPage(t, login, http.StatusOK)
			if !strings.Contains(login.Body, `name="password"`) || strings.Contains(login.Body, `value="alice"`) {
				t.Fatalf("no fresh login page:\n%s", login.Body)
			}
			wantPage(t, alice.get("/account"), http.StatusOK) // who is still there
			if page := alice.get("/account").Body; !strings.Contains(page, "Alice") {
				t.Error("alice was signed out by a button that says nothing of it")
			}
			action, fields = form(t, login.Body)
			fields.Set("username", "bob")
			fields.Set("password", testPassword)
			res := b.post(action, fields)
			if res.StatusCode == http.StatusSeeOther {
				res = b.get(res.Header.Get("Location"))
			}
			if !strings.Contains(res.Body, tc.shows) || !strings.Contains(res.Body, "<dd>bob</dd>") {
				t.Errorf("bob is not taken on:\n%s", res.Body)
			}
			if page := alice.get("/account").Body; strings.Contains(page, "Alice") {
				t.Error("the session of the browser was not replaced")
			}
		})
	}
}

// O9: a plain sign-out at the account page ends this browser's session, and nobody else's.
func TestO9SignOutAtAccount(t *testing.T) {
	g := newGateway(t)
	here, there := g.browser(), g.browser()
	mine, theirs := here.tokensOf(), there.tokensOf()
	copied := here.clone()
	action, fields := form(t, here.get("/account").Body)
	fields.Set("action", "signout")
	if page := wantPage(t, here.post(action, fields), http.StatusOK); !strings.Contains(page, "You are signed out") {
		t.Errorf("page\n%s", page)
	}
	if page := copied.get("/account").Body; !strings.Contains(page, `name="password"`) {
		t.Error("the session lives")
	}
	if res := g.refresh(mine["refresh_token"]); res.StatusCode != http.StatusBadRequest {
		t.Errorf("what was signed in from here goes on: %d", res.StatusCode)
	}
	if res := g.refresh(theirs["refresh_token"]); res.StatusCode != http.StatusOK {
		t.Errorf("the other browser was signed out: %s", res.Body)
	}
	if page := there.get("/account").Body; !strings.Contains(page, "Your account") {
		t.Error("the other session was ended")
	}
}

// The account page says by which login the person came, and shows long lists in parts.
func TestAccountOfManyDevices(t *testing.T) {
	g := newGateway(t, func(core *tokens.Config, _ *Config) {
		for i := range core.Clients {
			core.Clients[i].Refresh.MaxActive = 200
		}
	})
	b := g.browser()
	b.signIn(authorizeURL(), "alice", testPassword)
	const many = 45
	for range many {
		_, q := location(t, b.get(authorizeURL()))
		if res := g.exchange(q.Get("code")); res.StatusCode != http.StatusOK {
			t.Fatal(res.Body)
		}
	}
	seen := make(map[string]bool)
	next, pages := "/account", 0
	for ; next != "" && pages < 10; pages++ {
		page := wantPage(t, b.get(next), http.StatusOK)
		ids := applications(page)
		if len(ids) > listed {
			t.Errorf("%s shows %d", next, len(ids))
		}
		for _, id := range ids {
			seen[id] = true
		}
		for _, part := range []string{"of 3", "Signed in with", "<dd>local</dd>", "<time datetime="} {
			if !strings.Contains(page, part) {
				t.Errorf("%s: no %s in\n%s", next, part, page)
			}
		}
		next = ""
		if _, after, ok := strings.Cut(page, `rel="next"`); ok {
			_ = after
			before, _, _ := strings.Cut(page, `" rel="next"`)
			next = before[strings.LastIndex(before, `"`)+1:]
		}
	}
	if len(seen) != many || pages != 3 {
		t.Errorf("%d applications on %d pages", len(seen), pages)
	}
	// Who ends one stays where they are, and a page that is no more shows the last.
	page := b.get("/account?page=3").Body
	action, fields := form(t, page)
	if action != "/account?page=3" {
		t.Errorf("the form goes to %s", action)
	}
	for _, id := range applications(page) {
		fields.Set("end", id)
		page = wantPage(t, b.post(action, fields), http.StatusOK)
	}
	if ids := applications(page); len(ids) != listed || !strings.Contains(page, "Page 2 of 2") {
		t.Errorf("%d applications:\n%s", len(ids), page)
	}
	for _, odd := range []string{"/account?page=99999999999999999999", "/account?page=-1", "/account?page=x"} {
		wantPage(t, b.get(odd), http.StatusOK)
	}
}

// withReferences gives each request a reference.
func withReferences(_ *tokens.Config, cfg *Config) {
	cfg.RequestID = func(r *http.Request) string { return "ref-" + r.Header.Get("X-Test") }
}

// An error page says what to do, and by what reference the log knows of it; one of
// which the log knows nothing has none.
func TestErrorPagesHaveTheReferenceOfTheLog(t *testing.T) {
	g := newGateway(t, withReferences)
	b := g.browser()
	b.signIn(authorizeURL(), "alice", testPassword)
	for _, tc := range []struct {
		name, method, target, body string
		cut                        bool
		status                     int
		kind                       oauth.EventKind
		says                       string
	}{
		{"unknown client", http.MethodGet, authorizeURL("client_id", "nobody"), "", false, 400, oauth.EventRequestRefused, "tell its developers"},
		{"strange redirect URI", http.MethodGet, authorizeURL("redirect_uri", "https://evil.example/"), "", false, 400, oauth.EventRequestRefused, "redirect_uris"},
		{"a form that is none of ours", http.MethodPost, "/login", "request=x", false, 403, oauth.EventRequestRefused, "start again"},
		{"wrong method", http.MethodPut, "/account", "", false, 405, oauth.EventRequestRefused, "Go back"},
		{"store away", http.MethodGet, "/account", "", true, 503, oauth.EventStoreTrouble, "load this page again"},
		{"store away, with a form", http.MethodPost, "/account", "request=x", true, 503, oauth.EventStoreTrouble, "It is not certain that what you asked for was done"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := len(g.heard.of(tc.kind))
			if tc.cut {
				g.store.down.Store(true)
				defer g.store.down.Store(false)
			}
			page := wantPage(t, b.send(tc.method, tc.target, tc.body, "Content-Type", formType, "X-Test", "17"), tc.status)
			if got := len(g.heard.of(tc.kind)) - before; got != 1 {
				t.Errorf("%d events", got)
			}
			for _, part := range []string{"ref-17", tc.says, "give the people who run this service this reference", " UTC"} {
				if !strings.Contains(page, part) {
					t.Errorf("no %q in\n%s", part, page)
				}
			}
		})
	}
	if page := b.get("/login", "X-Test", "17").Body; strings.Contains(page, "ref-17") {
		t.Errorf("a page that is no error has a reference:\n%s", page)
	}
	quiet := newGateway(t)
	if page := quiet.do(http.MethodGet, authorizeURL("client_id", "nobody"), "").Body; strings.Contains(page, "Reference") {
		t.Errorf("without a log there is none:\n%s", page)
	}
}

// A page is told of in the log before shared state is open, too.
func TestPagesBeforeTheStoreIsOpen(t *testing.T) {
	g := newGateway(t, withReferences, func(_ *tokens.Config, cfg *Config) {
		cfg.Ready = func(context.Context) error { return oauth.Unavailable(context.DeadlineExceeded) }
	})
	page := wantPage(t, g.do(http.MethodGet, "/account", "", "X-Test", "9"), http.StatusServiceUnavailable)
	if len(g.heard.of(oauth.EventStoreTrouble)) != 1 || !strings.Contains(page, "ref-9") {
		t.Errorf("%v\n%s", g.heard.of(oauth.EventStoreTrouble), page)
	}
}

// The script that shows a password runs under the nonce of its page, and only where there is one.
func TestO9ShowPassword(t *testing.T) {
	g := newGateway(t)
	seen := make(map[string]bool)
	for range 2 {
		res := g.do(http.MethodGet, authorizeURL(), "")
		_, after, ok := strings.Cut(res.Body, `<script nonce="`)
		nonce, _, _ := strings.Cut(after, `"`)
		if !ok || seen[nonce] || !strings.Contains(res.Header.Get("Content-Security-Policy"), "; script-src 'nonce-"+nonce+"';") {
			t.Errorf("nonce %q, policy %s", nonce, res.Header.Get("Content-Security-Policy"))
		}
		if !strings.Contains(res.Body, `data-hide="Hide password" hidden>Show password</button>`) {
			t.Errorf("page\n%s", res.Body)
		}
		seen[nonce] = true
	}
	if res := g.do(http.MethodGet, "/login", ""); strings.Contains(res.Header.Get("Content-Security-Policy"), "script-src") {
		t.Errorf("policy %s", res.Header.Get("Content-Security-Policy"))
	}
}

// The account page says what applications may do since when, and takes it back at once.
func TestAccountShowsAndWithdrawsConsent(t *testing.T) {
	g := newGateway(t)
	b := g.browser()
	b.signIn(authorizeURL(), "alice", testPassword)
	action, fields := form(t, b.get(authorizeURL("prompt", "consent")).Body)
	fields.Set("action", "allow")
	_, q := location(t, b.post(action, fields))
	tok := jsonOf(t, g.exchange(q.Get("code")))
	page := wantPage(t, b.get("/account?ui_locales=de"), http.StatusOK)
	id := withdrawButton.FindStringSubmatch(page)
	for _, part := range []string{"Ihre E-Mail-Adresse sehen", "orders:read verwenden", "Erlaubt am <time", "Zugriff entziehen: Orders"} {
		if id == nil || !strings.Contains(page, part) {
			t.Fatalf("no %s in\n%s", part, page)
		}
	}
	action, fields = form(t, page)
	mallory := g.browser()
	mallory.signIn(authorizeURL(), "bob", testPassword)
	_, theirs := form(t, mallory.get("/account").Body)
	for _, bad := range []string{"", "00", id[1] + "00", "zz" + id[1][2:]} {
		fields.Set("withdraw", bad)
		if res := b.post(action, fields); res.StatusCode != http.StatusBadRequest {
			t.Errorf("%q: %d", bad, res.StatusCode)
		}
	}
	theirs.Set("withdraw", id[1])
	wantPage(t, mallory.post(action, theirs), http.StatusOK) // theirs, of which there is none
	if res := g.refresh(tok["refresh_token"]); res.StatusCode != http.StatusOK {
		t.Fatalf("bob has withdrawn what alice agreed to: %s", res.Body)
	} else {
		tok = jsonOf(t, res)
	}
	fields.Set("withdraw", id[1])
	page = wantPage(t, b.post(action, fields), http.StatusOK)
	for _, part := range []string{"Zugriff entzogen", "keiner Anwendung Zugriff gegeben", "Keine Anwendung hält Sie angemeldet"} {
		if !strings.Contains(page, part) {
			t.Errorf("no %s in\n%s", part, page)
		}
	}
	if res := g.refresh(tok["refresh_token"]); res.StatusCode != http.StatusBadRequest {
		t.Errorf("the application goes on: %d", res.StatusCode)
	}
}

var withdrawButton = regexp.MustCompile(`name="withdraw" value="([^"]*)"`)
