package site_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/site"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestR8OneRenewal: rows R8 and C6, review H6: of twenty requests at the moment of renewal one
// asks the store, nobody waits but that one, and no answer sets a cookie.
func TestR8OneRenewal(t *testing.T) {
	n := newWorld(t).node()
	n.guard(wiki)
	b := n.browser()
	b.signIn(wiki+"/", "alice")
	n.pass(10 * time.Minute)
	before := n.store.rotated.Load()
	gate := make(chan struct{})
	n.store.slow.Store(&gate)
	cookie := b.cookie(wiki)
	ask := func() *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, wiki+"/", nil)
		r.AddCookie(&http.Cookie{Name: cookieName(n.bound[wiki]), Value: cookie})
		w := httptest.NewRecorder()
		n.hosts[wikiHost].ServeHTTP(w, r)
		return w
	}
	first := make(chan *httptest.ResponseRecorder)
	go func() { first <- ask() }()
	for n.store.rotated.Load() == before {
		runtime.Gosched()
	}
	for range 20 {
		if w := ask(); w.Code != http.StatusOK || w.Header().Get("Set-Cookie") != "" {
			t.Fatalf("%d %s", w.Code, w.Header())
		}
	}
	close(gate)
	if w := <-first; w.Code != http.StatusOK || w.Header().Get("Set-Cookie") != "" {
		t.Errorf("the first one: %d %s", w.Code, w.Header())
	}
	n.store.slow.Store(nil)
	if calls := n.store.rotated.Load() - before; calls != 1 {
		t.Errorf("%d renewals", calls)
	}
	// A node that knows nothing asks once, too, and all wait for it.
	n.guard(wiki)
	before = n.store.rotated.Load()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if w := ask(); w.Code != http.StatusOK {
				t.Errorf("%d", w.Code)
			}
		})
	}
	all.Wait()
	if calls := n.store.rotated.Load() - before; calls != 1 {
		t.Errorf("%d first questions", calls)
	}
}

// TestH6Idle: review H6: with an idle lifetime of five minutes somebody who does something
// each minute stays signed in for an hour, and is out five minutes after.
func TestH6Idle(t *testing.T) {
	n := newWorld(t).node()
	n.guard(wiki, func(s *site.SiteConfig, _ *site.Config) { s.Life.Idle = 5 * time.Minute })
	b := n.browser()
	b.signIn(wiki+"/", "alice")
	for range 60 {
		n.pass(time.Minute)
		b.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusOK, "")
	}
	n.pass(5*time.Minute + 75*time.Second)
	b.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusUnauthorized, "")
}

// TestIdleNeverEarly: nobody is out before the idle lifetime has passed since their last request,
// of which the store may not have heard, whichever node asks; a quarter later they are out.
func TestIdleNeverEarly(t *testing.T) {
	w := newWorld(t)
	n, other := w.node(), w.node()
	minute := func(s *site.SiteConfig, _ *site.Config) { s.Life.Idle = time.Minute }
	n.guard(wiki, minute)
	other.guard(wiki, minute)
	b := n.browser()
	b.signIn(wiki+"/", "alice")
	for _, wait := range []time.Duration{14900 * time.Millisecond, 59 * time.Second, 14 * time.Second, 59 * time.Second} {
		n.pass(wait)
		b.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusOK, "")
		b.n = other
		b.fetch(http.MethodGet, wiki+"/.gatehouse/session").wants(t, http.StatusOK, "")
		b.n = n
	}
	n.pass(76 * time.Second)
	b.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusUnauthorized, "")
}

// TestR7Activity: row R7: with `activity people` a page that polls keeps nobody signed in, and
// the look at /.gatehouse/session never does.
func TestR7Activity(t *testing.T) {
	for _, onlyPeople := range []bool{true, false} {
		n := newWorld(t).node()
		n.guard(wiki, func(s *site.SiteConfig, c *site.Config) { s.Life.Idle, c.OnlyPeople = time.Hour, onlyPeople })
		b := n.browser()
		b.signIn(wiki+"/", "alice")
		for range 75 {
			n.pass(time.Minute)
			b.fetch(http.MethodGet, wiki+"/poll")
			b.fetch(http.MethodGet, wiki+"/.gatehouse/session")
		}
		if got := b.fetch(http.MethodGet, wiki+"/poll").StatusCode; (got == http.StatusOK) == onlyPeople {
			t.Errorf("only people %v: %d", onlyPeople, got)
		}
		b = n.browser()
		b.signIn(wiki+"/", "bob")
		for range 20 { // a person who does something each quarter of an hour, and a page that polls
			for range 14 {
				n.pass(time.Minute)
				b.fetch(http.MethodGet, wiki+"/poll")
			}
			n.pass(time.Minute)
			b.open(wiki+"/").wants(t, http.StatusOK, "")
		}
		for range 75 {
			n.pass(time.Minute)
			b.fetch(http.MethodGet, wiki+"/.gatehouse/session")
		}
		b.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusUnauthorized, "")
	}
}

// TestSessionInfo: what scripts hear.
func TestSessionInfo(t *testing.T) {
	n := newWorld(t).node()
	n.guard(wiki)
	b := n.browser()
	b.fetch(http.MethodGet, wiki+"/.gatehouse/session").wants(t, http.StatusUnauthorized, "/.gatehouse/login?to=%2F")
	b.signIn(wiki+"/", "alice")
	a := b.fetch(http.MethodGet, wiki+"/.gatehouse/session").wants(t, http.StatusOK, "")
	var said map[string]any
	ok(t, json.Unmarshal([]byte(a.body), &said))
	if said["sub"] != "local|alice" || said["username"] != "alice" || said["name"] != "José 李雷" || said["email"] != "alice@example.com" || said["expires_at"] == "" {
		t.Errorf("said %s", a.body)
	}
	if a.Header.Get("Cross-Origin-Resource-Policy") != "same-origin" || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %s", a.Header)
	}
	b.send(http.MethodGet, wiki+"/.gatehouse/session", nil, "Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors").wants(t, http.StatusForbidden, "")
	b.fetch(http.MethodPost, wiki+"/.gatehouse/session").wants(t, http.StatusMethodNotAllowed, "")
	b.open(wiki+"/.gatehouse/other").wants(t, http.StatusNotFound, "")
}

// TestP19Logout: rows P17, P18 (WEB-10), P19, R13 and WEB-18: a sign-out at one site ends the single
// sign-on session and every site in one call, on each node, and a copy of the cookie is worth
// nothing; nobody is signed in again without a click.
func TestP19Logout(t *testing.T) {
	w := newWorld(t)
	n, other := w.node(), w.node()
	n.guard(wiki)
	n.guard(dash)
	other.guard(wiki)
	b := n.browser()
	b.signIn(wiki+"/", "alice")
	b.open(dash + "/")
	b.open(b.open(dash+"/.gatehouse/login?to=/x").at).wants(t, http.StatusOK, "the application at /x") // single sign-on
	elsewhere := n.browser()
	elsewhere.signIn(wiki+"/", "alice")
	thief := other.browser()
	thief.n.bound[wiki] = other.bound[wiki]
	thief.plant(wiki, b.cookie(wiki))
	thief.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusOK, "")

	for name, headers := range map[string][]string{
		"image":     {"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"},
		"stranger":  append([]string{"Sec-Fetch-Site", "cross-site"}, navigates...),
		"sibling":   append([]string{"Sec-Fetch-Site", "same-site"}, navigates...),
		"the bar":   append([]string{"Sec-Fetch-Site", "none"}, navigates...),
		"old":       {"Accept", "text/html"},
		"a frame":   {"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"},
		"a preview": append([]string{"Purpose", "prefetch", "Sec-Fetch-Site", "same-origin"}, navigates...),
	} {
		if a := b.send(http.MethodGet, wiki+"/.gatehouse/logout", nil, headers...); a.Header.Get("Set-Cookie") != "" || a.Header.Get("Location") != "" {
			t.Errorf("%s signs out: %d %s", name, a.StatusCode, a.Header)
		}
	}
	b.send(http.MethodPost, wiki+"/.gatehouse/logout", nil, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.com").wants(t, http.StatusForbidden, "")
	b.open(wiki+"/").wants(t, http.StatusOK, "")

	before := n.store.ended.Load()
	a := b.send(http.MethodPost, wiki+"/.gatehouse/logout", nil, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate")
	if calls := n.store.ended.Load() - before; calls != 1 || a.StatusCode != http.StatusSeeOther || a.Header.Get("Clear-Site-Data") != `"cache"` {
		t.Fatalf("%d calls, %d %s", calls, a.StatusCode, a.Header)
	}
	b.open(a.Header.Get("Location")).wants(t, http.StatusOK, "signed out")
	b.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusUnauthorized, "")
	b.fetch(http.MethodGet, dash+"/").wants(t, http.StatusUnauthorized, "")
	elsewhere.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusOK, "") // another browser is another session
	if got := ticketField.FindString(b.start(wiki + "/").body); got == "" {
		t.Error("nobody is asked who they are")
	}
	n.pass(storage.DefaultMaxLag + time.Second)
	thief.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusUnauthorized, "")

	// A link of the page does, too, but no HEAD.
	head := elsewhere.send(http.MethodHead, wiki+"/.gatehouse/logout", nil, append([]string{"Sec-Fetch-Site", "same-origin"}, navigates...)...)
	if head.Header.Get("Location")+head.Header.Get("Set-Cookie") != "" {
		t.Errorf("HEAD signs out: %s", head.Header)
	}
	elsewhere.send(http.MethodGet, wiki+"/.gatehouse/logout", nil, append([]string{"Sec-Fetch-Site", "same-origin"}, navigates...)...).wants(t, http.StatusSeeOther, "")
	elsewhere.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusUnauthorized, "")
}

// TestEnds: `users end`, sign-out everywhere, at /account, the end of a client, of everybody,
// a user who is removed or has another password, reach a site as they reach a token.
func TestEnds(t *testing.T) {
	for name, end := range map[string]func(n *node, l *tokens.Login) error{
		"everywhere": func(n *node, l *tokens.Login) error { return n.SignOutEverywhere(t.Context(), l) },
		"account": func(n *node, l *tokens.Login) error {
			apps, _, err := n.SignedIn(t.Context(), l, 0, 10)
			if err != nil || len(apps) != 1 || apps[0].Site != wiki {
				t.Fatalf("at /account: %+v %v", apps, err)
			}
			return n.SignOutOf(t.Context(), l, apps[0].Family.ID)
		},
		"user": func(n *node, l *tokens.Login) error {
			_, err := n.store.Store.End(t.Context(), storage.EndRequest{User: l.Session.User, Scope: storage.EndUser, DenyFor: time.Hour, Attempt: storage.Attempt{1}})
			n.pass(storage.DefaultMaxLag + time.Second)
			return err
		},
	} {
		n := newWorld(t).node()
		n.guard(wiki)
		b := n.browser()
		b.signIn(wiki+"/", "alice")
		l := must(n.CurrentLogin(t.Context(), issuerSession(b)))(t)
		b.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusOK, "")
		ok(t, end(n, l))
		if a := b.fetch(http.MethodGet, wiki+"/"); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
	}
}

// TestLocalUserIsGone: review H19: who is removed, or has another password, is out at once.
func TestLocalUserIsGone(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	n.guard(wiki)
	b := n.browser()
	b.signIn(wiki+"/", "alice")
	reloaded := w.node(w.users("bob")...)
	reloaded.guard(wiki)
	moved := &browser{n: reloaded, jar: b.jar}
	moved.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusUnauthorized, "")
	b.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusOK, "") // the node before the reload
}

// TestGroupsFollow: a lost group counts at once where the configuration says it, and at the
// next renewal in any case; nobody is redirected for it (N8), and another account is offered (N9).
func TestGroupsFollow(t *testing.T) {
	n := newWorld(t).node()
	app := n.guard(wiki, func(_ *site.SiteConfig, c *site.Config) { c.For = [][]string{{"staff"}} })
	b := n.browser()
	b.signIn(wiki+"/", "alice").wants(t, http.StatusOK, "")
	refused := n.browser()
	a := refused.signIn(wiki+"/page", "bob").wants(t, http.StatusForbidden, "local|bob")
	if !strings.Contains(a.body, `/.gatehouse/login?to=%2Fpage&amp;other=1"`) || app.hits != 1 {
		t.Errorf("%s", a.said())
	}
	refused.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusForbidden, "urn:gatehouse:sign-in")
	if !n.heard.has(oauth.EventAccessRefused, oauth.Outcome(oauth.ReasonNotAllowed)) {
		t.Error("nobody heard of it")
	}
	refused.submit(refused.open(wiki+"/.gatehouse/login?to=/page&other=1"), "alice").wants(t, http.StatusOK, "the application at /page")
}

// TestRules: `logins`, `acr` and `max_age`.
func TestRules(t *testing.T) {
	n := newWorld(t).node()
	n.guard(wiki, func(_ *site.SiteConfig, c *site.Config) { c.Rules.MaxAge = time.Hour })
	n.guard(dash, func(_ *site.SiteConfig, c *site.Config) { c.Rules.Logins = []string{"company"} })
	n.guard("https://both.example.com", func(_ *site.SiteConfig, c *site.Config) { c.Rules.Logins = []string{"company", "local"} })
	b := n.browser()
	b.signIn(wiki+"/", "alice").wants(t, http.StatusOK, "")
	n.pass(59 * time.Minute)
	b.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusOK, "")
	n.pass(2 * time.Minute)
	b.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusUnauthorized, "rule=")
	b.signIn(wiki+"/page", "alice").wants(t, http.StatusOK, "the application at /page") // with the password, again
	// Of a login that the guard does not take: neither at the issuer, nor by a session that
	// another guard of the origin has begun.
	if a := b.start(dash + "/"); strings.HasPrefix(a.at, dash) {
		t.Errorf("by another login: %s", a.said())
	}
	b.start("https://both.example.com/")
	b.open("https://both.example.com/.gatehouse/login?to=/").wants(t, http.StatusOK, "")
	strict := must(site.New(site.Config{Sites: []*site.Site{n.bound["https://both.example.com"]}, Rules: sites.Rules{Logins: []string{"company"}}}))(t)
	n.hosts["both.example.com"] = serving(n.bound["https://both.example.com"], strict, &upstream{})
	// Another account is one that the guard takes, too.
	link := regexp.MustCompile(`href="[^"]*login\?rule=([^"&]+)&amp;to=%2F&amp;other=1"`)
	if a := b.open("https://both.example.com/").wants(t, http.StatusForbidden, "local|alice"); link.FindString(a.body) == "" {
		t.Errorf("no way to another account by the rule: %s", a.said())
	}
	// There is no rule but those of guards.
	if a := b.fetch(http.MethodGet, wiki+"/.gatehouse/login?to=/&rule=x%22%26y"); strings.Contains(a.body, "rule") {
		t.Errorf("%s", a.body)
	}
}

// TestStoreAway: P16: without the store 503, as a page for people, and as long as the dial says.
func TestStoreAway(t *testing.T) {
	for _, stale := range []time.Duration{0, time.Minute} {
		n := newWorld(t).node()
		n.guard(wiki, func(s *site.SiteConfig, _ *site.Config) { s.AllowStale = stale })
		n.state.Denylist.Configure(storage.DefaultMaxLag, time.Hour) // it is the session that is looked at
		b := n.browser()
		b.signIn(wiki+"/", "alice")
		n.pass(storage.DefaultMaxLag)
		b.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusOK, "") // so that the denylist has an answer to be stale
		n.pass(-storage.DefaultMaxLag / 2)
		n.store.away.Store(true)
		b.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusOK, "")
		n.pass(10*time.Minute + time.Second)
		want := http.StatusServiceUnavailable
		if stale > 0 {
			want = http.StatusOK
		}
		got := b.fetch(http.MethodGet, wiki+"/").StatusCode
		for late := time.Now().Add(5 * time.Second); got != want && time.Now().Before(late); got = b.fetch(http.MethodGet, wiki+"/").StatusCode {
			runtime.Gosched() // the denylist's cache takes an answer a little later
		}
		if got != want {
			t.Errorf("stale %v: %d", stale, got)
		}
		n.pass(2 * time.Minute)
		a := b.open(wiki+"/").wants(t, http.StatusServiceUnavailable, "Nothing is wrong with your account")
		if a.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		b.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusServiceUnavailable, "urn:gatehouse:sign-in")
		a = b.send(http.MethodPost, wiki+"/.gatehouse/logout", nil, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate")
		a.wants(t, http.StatusServiceUnavailable, "still signed in")
		n.store.away.Store(false)
		n.pass(2 * time.Second)
		b.open(wiki+"/").wants(t, http.StatusOK, "")
	}
}

// TestClockSteps: a clock that is set back, or ahead, makes nobody's belief older than it may be.
func TestClockSteps(t *testing.T) {
	n := newWorld(t).node()
	n.guard(wiki)
	n.pass(time.Hour) // the store was not made yesterday
	b := n.browser()
	b.signIn(wiki+"/", "alice")
	before := n.store.rotated.Load()
	n.pass(-time.Minute)
	b.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusOK, "")
	if n.store.rotated.Load() == before {
		t.Error("after the clock was set back the store was not asked")
	}
	n.pass(time.Minute)
	b.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusOK, "")
}

// TestOneCookieOneSite: rows C3 and C4: the cookie of one site opens no other, on another port
// neither, and what does not open is no cookie.
func TestOneCookieOneSite(t *testing.T) {
	n := newWorld(t).node()
	n.guard(wiki)
	n.guard(dash)
	n.guard(wiki + ":8443")
	if cookieName(n.bound[wiki]) == cookieName(n.bound[wiki+":8443"]) {
		t.Error("two ports share a cookie")
	}
	b := n.browser()
	b.signIn(wiki+"/", "alice")
	for _, origin := range []string{dash, wiki + ":8443"} {
		thief := n.browser()
		thief.plant(origin, b.cookie(wiki))
		thief.fetch(http.MethodGet, origin+"/").wants(t, http.StatusUnauthorized, "")
	}
	// WEB-14: a planted cookie beside the true one.
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, wiki+"/", nil)
	name := cookieName(n.bound[wiki])
	r.Header.Set("Cookie", name+"=planted; "+name+"="+b.cookie(wiki)+"; "+name+"=")
	w := httptest.NewRecorder()
	n.hosts[wikiHost].ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Errorf("%d beside a planted cookie", w.Code)
	}
	for _, value := range []string{"", "x", strings.Repeat("A", 96), strings.Repeat("A", 9000), b.cookie(wiki)[:95] + "\x00"} {
		broken := n.browser()
		broken.plant(wiki, value)
		broken.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusUnauthorized, "")
	}
}

// TestMisdirected: rows R14 and P12, HDR-10, review C7: another Host gets 421, whatever it asks for.
func TestMisdirected(t *testing.T) {
	n := newWorld(t).node()
	n.guard(wiki)
	for _, host := range []string{"evil.com", "wiki.example.com.evil.com", "wiki.example.com:8443", "", "WIKI.example.com."} {
		for _, path := range []string{"/", "/.gatehouse/login?to=/"} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, wiki+path, nil)
			r.Host = host
			w := httptest.NewRecorder()
			n.hosts[wikiHost].ServeHTTP(w, r)
			if w.Code != http.StatusMisdirectedRequest {
				t.Errorf("host %q: %d", host, w.Code)
			}
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, wiki+"/", nil)
	r.Host = "evil.com"
	r.Header.Set("Accept", "text/html")
	w := httptest.NewRecorder()
	n.hosts[wikiHost].ServeHTTP(w, r)
	if w.Code != http.StatusMisdirectedRequest || !strings.Contains(w.Body.String(), "Wrong address") || len(w.Header()["Set-Cookie"]) > 0 || strings.Contains(w.Body.String(), "evil.com") {
		t.Errorf("a person: %d %v %s", w.Code, w.Header(), w.Body)
	}
	for _, host := range []string{"WIKI.example.com", "wiki.example.com:443"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, wiki+"/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		n.hosts[wikiHost].ServeHTTP(w, r)
		if w.Code != http.StatusUnauthorized {
			t.Errorf("host %q: %d", host, w.Code)
		}
	}
}

// TestNodes: row S9 and P14: a sign-in that begins at one node ends at another, and only one
// of them has to have the site; the cookie is good at each.
func TestNodes(t *testing.T) {
	w := newWorld(t)
	a, z := w.node(), w.node()
	a.guard(wiki)
	b := a.browser()
	a.hosts[authHost] = z.server // the other node answers for the issuer, and has no site
	b.signIn(wiki+"/page", "alice").wants(t, http.StatusOK, "the application at /page")
	z.guard(wiki)
	there := &browser{n: z, jar: b.jar}
	there.open(wiki+"/").wants(t, http.StatusOK, "")

	mixed := a.browser()
	callback := mixed.comeBack(wiki+"/mixed", "alice")
	(&browser{n: z, jar: mixed.jar}).open(callback).wants(t, http.StatusOK, "the application at /mixed")

	// The clock of a node that is wrong dates no attempt.
	w.ahead = 12 * time.Minute
	early := w.node()
	early.guard(wiki)
	mixed = early.browser()
	callback = mixed.comeBack(wiki+"/early", "alice")
	there = &browser{n: z, jar: mixed.jar}
	there.open(callback).wants(t, http.StatusOK, "the application at /early")
	if len(there.sent) > 2 {
		t.Errorf("it took %q", there.sent)
	}
}

// TestManySessions: the node's memory of sessions is bounded.
func TestManySessions(t *testing.T) {
	n := newWorld(t).node()
	n.guard(wiki, func(s *site.SiteConfig, _ *site.Config) { s.MaxSessions = 3 })
	all := make([]*browser, 6)
	for i := range all {
		all[i] = n.browser()
		all[i].signIn(wiki+"/", "alice").wants(t, http.StatusOK, "")
	}
	for range 2 {
		for _, b := range all {
			b.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusOK, "")
		}
	}
	if held := n.bound[wiki].Held(); held > 3 {
		t.Errorf("%d sessions are held", held)
	}
}

// TestBelief: what a node believes is covered by the denylist.
func TestBelief(t *testing.T) {
	for idle, want := range map[time.Duration]time.Duration{0: 10*time.Minute + 30*time.Second, 4 * time.Minute: 90 * time.Second, time.Hour: 10*time.Minute + 30*time.Second} {
		if got := site.Belief(idle, time.Second); got != want+time.Second {
			t.Errorf("idle %v: %v", idle, got)
		}
	}
}
