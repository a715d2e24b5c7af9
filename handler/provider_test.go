package handler

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/handler/wire/wiretest"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// scripted is a provider that answers as a test says. What a real one does is tested
// in package upstream, and in the browser tests.
type scripted struct {
	name     string
	domains  []string
	begins   error
	gone     error // it is away
	finish   func(d login.Departure, answer url.Values) (*login.Arrival, error)
	finished atomic.Int32
	mu       sync.Mutex
	left     []login.Departure
}

func (p *scripted) Name() string  { return p.name }
func (p *scripted) Label() string { return "The " + p.name + " account" }

func (p *scripted) Fingerprint(storage.UserTag) storage.Fingerprint {
	return storage.FingerprintOf(p.name)
}

func (p *scripted) Begin(d login.Departure) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = append(p.left, d)
	return "https://" + p.name + ".example/authorize?state=" + d.State, p.begins
}

func (p *scripted) Finish(_ context.Context, d login.Departure, answer url.Values) (*login.Arrival, error) {
	p.finished.Add(1)
	return p.finish(d, answer)
}

func (p *scripted) Recheck(context.Context, string, string) (*login.Arrival, error) {
	return nil, &login.FailedError{Failure: login.FailedDown, Reason: "scripted"}
}

func (p *scripted) Schedule() login.Schedule { return login.Schedule{} }
func (p *scripted) Domains() []string        { return p.domains }
func (p *scripted) Trouble() error           { return nil }
func (p *scripted) Away() error              { return p.gone }

// last is the last departure.
func (p *scripted) last() login.Departure {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left[len(p.left)-1]
}

// bob comes in, when he says so himself.
func bob(login.Departure, url.Values) (*login.Arrival, error) {
	return &login.Arrival{ID: "b-1", Claims: map[string]any{"name": "Bob"}}, nil
}

// fails makes a provider fail.
func fails(f login.Failure) func(login.Departure, url.Values) (*login.Arrival, error) {
	return failsBy(f, "scripted")
}

// failsBy is fails with a reason.
func failsBy(f login.Failure, reason string) func(login.Departure, url.Values) (*login.Arrival, error) {
	return func(login.Departure, url.Values) (*login.Arrival, error) {
		return nil, &login.FailedError{Failure: f, Account: "bob@example.org", ID: "b-1", Reason: reason, Cause: errors.New("as the test says")}
	}
}

// withLogins replaces the logins; local stays where it is asked for.
func withLogins(local bool, providers ...*scripted) func(*tokens.Config, *Config) {
	var logins []login.Login
	for _, p := range providers {
		logins = append(logins, p)
	}
	return withProviders(local, logins...)
}

func withProviders(local bool, providers ...login.Login) func(*tokens.Config, *Config) {
	return func(core *tokens.Config, cfg *Config) {
		if !local {
			cfg.Logins = nil
		}
		cfg.Logins = append(cfg.Logins, providers...)
		core.Accounts = login.Accounts(cfg.Logins)
		core.ACRs = login.ACRs(cfg.Logins)
	}
}

// comeBack follows a redirect to a provider, and back with a code.
func (b *browser) comeBack(res string, p *scripted, more ...string) (target string) {
	b.g.t.Helper()
	if !strings.HasPrefix(res, "https://"+p.name+".example/authorize?state=") {
		b.g.t.Fatalf("went to %s, not to the provider", res)
	}
	q := url.Values{"code": {"provider-code"}, "state": {p.last().State}}
	for i := 0; i < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return "/callback/" + p.name + "?" + q.Encode()
}

// The only provider is gone to without a page, and back to the application with a code.
func TestProviderStraight(t *testing.T) {
	idp := &scripted{name: "company", finish: bob}
	g := newGateway(t, withLogins(false, idp))
	b := g.browser()
	res := b.get(authorizeURL())
	target := b.comeBack(res.Header.Get("Location"), idp)
	d := idp.last()
	if len(d.State) < 22 || len(d.State) > 128 || len(d.Nonce) < 22 || len(d.Verifier) < 43 || d.RedirectURI != testIssuer+"callback/company" {
		t.Errorf("F11 F12: departure %d, %d, %d characters, %s", len(d.State), len(d.Nonce), len(d.Verifier), d.RedirectURI)
	}
	c := b.cookies[g.cookies.flow+d.State[:flowNameLen]]
	if c == nil || !strings.HasPrefix(c.Name, "__Host-") || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.Partitioned {
		t.Fatalf("F05: the cookie of the flow is %v", c)
	}
	if strings.Contains(res.Header.Get("Location"), d.Verifier) || strings.Contains(c.Value, d.Nonce) {
		t.Error("a secret of the flow can be read")
	}
	to, q := location(t, b.get(target))
	if to != spaRedirect || q.Get("code") == "" || q.Get("state") != "st" {
		t.Fatalf("came to %s with %v", to, q)
	}
	answer := jsonOf(t, g.exchange(q.Get("code")))
	claims := payloadOf(t, answer["id_token"])
	if claims["sub"] != "company|b-1" || claims["auth_time"] != nil {
		t.Errorf("F70: ID token %v", claims)
	}
	// F06: Back, or F5, goes on where the first went; the code of the provider is redeemed once.
	for range 2 {
		if to, q := location(t, b.get(target)); to != spaRedirect || q.Get("code") == "" {
			t.Errorf("F06: the callback again leads to %s with %v", to, q)
		}
	}
	if n := idp.finished.Load(); n != 1 {
		t.Errorf("the code was redeemed %d times", n)
	}
}

// F01, F03: tabs do not disturb each other, in whatever order they end.
func TestF01F03Tabs(t *testing.T) {
	idp := &scripted{name: "company", finish: bob}
	g := newGateway(t, withLogins(false, idp))
	b := g.browser()
	var targets []string
	for range 3 {
		targets = append(targets, b.comeBack(b.get(authorizeURL()).Header.Get("Location"), idp))
	}
	slices.Reverse(targets)
	for i, target := range targets {
		if to, q := location(t, b.get(target)); to != spaRedirect || q.Get("code") == "" {
			t.Errorf("tab %d ends at %s with %v", i, to, q)
		}
	}
}

// A hundred times the same callback at once: one redemption, and everybody is signed in.
func TestProviderOnce(t *testing.T) {
	release := make(chan struct{})
	idp := &scripted{name: "company", finish: func(login.Departure, url.Values) (*login.Arrival, error) {
		<-release
		return bob(login.Departure{}, nil)
	}}
	g := newGateway(t, withLogins(false, idp))
	b := g.browser()
	target := b.comeBack(b.get(authorizeURL()).Header.Get("Location"), idp)
	var wg sync.WaitGroup
	var in atomic.Int32
	for range 100 {
		tab := b.clone()
		wg.Go(func() {
			res := tab.get(target)
			if strings.HasPrefix(res.Header.Get("Location"), spaRedirect+"?code=") {
				in.Add(1)
			} else {
				t.Errorf("status %d to %s\n%s", res.StatusCode, res.Header.Get("Location"), res.Body)
			}
		})
	}
	close(release)
	wg.Wait()
	if n, redeemed := in.Load(), idp.finished.Load(); n != 100 || redeemed != 1 {
		t.Errorf("%d of 100 came in, %d redemptions", n, redeemed)
	}
}

// What is no answer to a flow of this browser never reaches the provider.
func TestProviderStray(t *testing.T) {
	idp, other := &scripted{name: "company", finish: bob}, &scripted{name: "partner", finish: bob}
	g := newGateway(t, withLogins(false, idp, other))
	b := g.browser()
	target := b.comeBack(b.choose(authorizeURL(), "company").Header.Get("Location"), idp)
	for name, get := range map[string]func() int{
		"WEB-06: another browser":    func() int { return g.browser().get(target).StatusCode },
		"M23: another login's path":  func() int { return b.get(strings.Replace(target, "company", "partner", 1)).StatusCode },
		"a state that nobody made":   func() int { return b.get("/callback/company?code=x&state=" + strings.Repeat("a", 43)).StatusCode },
		"a short state":              func() int { return b.get("/callback/company?code=x&state=a").StatusCode },
		"two states":                 func() int { return b.get(target + "&state=a").StatusCode },
		"F74: no parameters at all":  func() int { return b.get("/callback/company").StatusCode },
		"a login that is not there":  func() int { return b.get("/callback/nobody?code=x&state=a").StatusCode - http.StatusNotFound + 400 },
		"a login with a password":    func() int { return b.get("/callback/local?code=x&state=a").StatusCode - http.StatusNotFound + 400 },
		"a cookie of another secret": func() int { return b.planted(target) },
	} {
		if status := get(); status != http.StatusBadRequest {
			t.Errorf("%s: status %d", name, status)
		}
	}
	if n := idp.finished.Load() + other.finished.Load(); n != 0 {
		t.Errorf("the providers were asked %d times", n)
	}
	if to, _ := location(t, b.get(target)); to != spaRedirect {
		t.Errorf("the person then comes to %s", to)
	}
}

// planted comes back with a cookie that somebody else has made.
func (b *browser) planted(target string) int {
	tab := b.clone()
	for name, c := range tab.cookies {
		if strings.HasPrefix(name, b.g.cookies.flow) {
			changed := *c
			changed.Value = strings.Repeat("A", len(c.Value))
			tab.cookies[name] = &changed
		}
	}
	return tab.get(target).StatusCode
}

// choose picks a provider on the login page.
func (b *browser) choose(target, name string) *wiretest.Answer {
	b.g.t.Helper()
	action, fields := form(b.g.t, b.get(target).Body)
	fields.Set("provider", name)
	return b.post(action, fields)
}

// F07, F08: who takes too long begins again, once by itself, then by a click.
func TestF07F08Expired(t *testing.T) {
	idp := &scripted{name: "company", finish: bob}
	g := newGateway(t, withLogins(false, idp))
	b := g.browser()
	target := b.comeBack(b.get(authorizeURL()).Header.Get("Location"), idp)
	g.pass(flowLifetime + time.Second)
	target = b.comeBack(b.get(target).Header.Get("Location"), idp)
	g.pass(flowLifetime + time.Second)
	res := b.get(target)
	if res.StatusCode != http.StatusForbidden || !strings.Contains(res.Body, "too long") {
		t.Fatalf("the second time: status %d\n%s", res.StatusCode, res.Body)
	}
	action, fields := form(t, res.Body)
	fields.Set("provider", "company")
	target = b.comeBack(b.post(action, fields).Header.Get("Location"), idp)
	if to, q := location(t, b.get(target)); to != spaRedirect || q.Get("code") == "" {
		t.Errorf("came to %s with %v", to, q)
	}
	// F09: a page at the provider that expired, or a spent code: the same.
	idp.finish = fails(login.FailedAgain)
	other := g.browser()
	target = other.comeBack(other.get(authorizeURL()).Header.Get("Location"), idp)
	target = other.comeBack(other.get(target).Header.Get("Location"), idp)
	if res := other.get(target); res.StatusCode != http.StatusForbidden {
		t.Errorf("F09: the second time: status %d", res.StatusCode)
	}
}

// Each failure has its page or its answer, which says what to do now.
func TestProviderFailures(t *testing.T) {
	for name, tc := range map[string]struct {
		failure login.Failure
		reason  string
		status  int
		says    string
		outcome oauth.Outcome
	}{
		"down":            {login.FailedDown, "", http.StatusServiceUnavailable, "The company account cannot be reached", oauth.OutcomeProviderDown},
		"F40: broken":     {login.FailedBroken, "", http.StatusServiceUnavailable, "The company account cannot be used until", oauth.OutcomeProviderBroken},
		"M2: too many":    {login.FailedBusy, "busy", http.StatusServiceUnavailable, "Many people are signing in", oauth.OutcomeBusy},
		"F73: cancelled":  {login.FailedCancelled, "", http.StatusForbidden, "canceled", oauth.OutcomeCancelled},
		"forged":          {login.FailedForged, "", http.StatusBadRequest, "cannot be continued", oauth.OutcomeFailed},
		"F59: not let in": {login.FailedNotAllowed, "", http.StatusForbidden, "company|b-1", oauth.OutcomeNotAllowed},
		"F30: no groups":  {login.FailedNotAllowed, groupsUnknown, http.StatusForbidden, "did not say which groups", oauth.OutcomeNotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			idp := &scripted{name: "company", finish: failsBy(tc.failure, tc.reason)}
			g := newGateway(t, withLogins(true, idp))
			b := g.browser()
			target := b.comeBack(b.choose(authorizeURL(), "company").Header.Get("Location"), idp)
			res := b.get(target)
			if res.StatusCode != tc.status || !strings.Contains(res.Body, tc.says) || strings.Contains(res.Body, "as the test says") {
				t.Fatalf("status %d\n%s", res.StatusCode, res.Body)
			}
			if events := g.heard.heardOf(oauth.EventLogin); len(events) != 1 || events[0].Outcome != tc.outcome {
				t.Errorf("not one event, with %s: %v", tc.outcome, events)
			}
			if tc.failure == login.FailedForged {
				return
			}
			// Three ways on: another account, another login, back to the application.
			action, fields := form(t, res.Body)
			fields.Set("action", actionCancel)
			if _, q := location(t, b.post(action, fields)); q.Get("error") != "access_denied" {
				t.Errorf("back at the application with %v", q)
			}
			fields.Del("action")
			fields.Set("provider", "company")
			b.comeBack(b.post(action, fields).Header.Get("Location"), idp)
			if again := tc.failure == login.FailedNotAllowed; idp.last().Asked.SelectAccount != again {
				t.Errorf("F59: asks for another account: %v", idp.last().Asked.SelectAccount)
			}
			fields.Del("provider")
			fields.Set("username", "alice")
			fields.Set("password", testPassword)
			fields.Set("login", "local")
			if to, q := location(t, b.post(action, fields)); to != spaRedirect || q.Get("code") == "" {
				t.Errorf("by the other login: %s %v", to, q)
			}
		})
	}
}

// H3, F68, F69, F71: what was asked for is passed on, and what cannot be had is told
// to the application, after one attempt.
func TestH3Asked(t *testing.T) {
	for name, tc := range map[string]struct {
		change []string
		want   func(a login.Asked) bool
		code   string
	}{
		"prompt=login":          {[]string{"prompt", "login"}, func(a login.Asked) bool { return a.Again }, "login_required"},
		"max_age=0":             {[]string{"max_age", "0"}, func(a login.Asked) bool { return a.HasMaxAge && a.MaxAge == 0 }, "login_required"},
		"max_age=600":           {[]string{"max_age", "600"}, func(a login.Asked) bool { return a.HasMaxAge && a.MaxAge == 600 }, "login_required"},
		"prompt=select_account": {[]string{"prompt", "select_account"}, func(a login.Asked) bool { return a.SelectAccount && !a.Again }, "login_required"},
		"login_hint":            {[]string{"login_hint", "bob@example.org"}, func(a login.Asked) bool { return a.LoginHint == "bob@example.org" }, "login_required"},
	} {
		t.Run(name, func(t *testing.T) {
			idp := &scripted{name: "company", finish: fails(login.FailedNotMet)}
			g := newGateway(t, withLogins(false, idp))
			b := g.browser()
			target := b.comeBack(b.get(authorizeURL(tc.change...)).Header.Get("Location"), idp)
			if a := idp.last().Asked; !tc.want(a) {
				t.Errorf("asked %+v", a)
			}
			if to, q := location(t, b.get(target)); to != spaRedirect || q.Get("error") != tc.code {
				t.Errorf("the application hears %v", q)
			}
		})
	}
	// F67: prompt=none never leaves.
	idp := &scripted{name: "company", finish: bob}
	g := newGateway(t, withLogins(false, idp))
	if to, q := location(t, g.browser().get(authorizeURL("prompt", "none"))); to != spaRedirect || q.Get("error") != "login_required" || len(idp.left) != 0 {
		t.Errorf("F67: prompt=none leads to %s %v", to, q)
	}
}

// A browser keeps eight flows and 6 KiB of them at most, the newest.
func TestProviderFlowBounds(t *testing.T) {
	for name, tc := range map[string]struct {
		state string
		kept  int
	}{
		"short requests": {"st", maxFlows},
		"long requests":  {strings.Repeat("s", 1500), 2},
	} {
		t.Run(name, func(t *testing.T) {
			idp := &scripted{name: "company", finish: bob}
			g := newGateway(t, withLogins(false, idp))
			b := g.browser()
			var last string
			for range 2*maxFlows + 1 {
				g.pass(time.Second)
				last = b.comeBack(b.get(authorizeURL("state", tc.state)).Header.Get("Location"), idp)
			}
			count, size := 0, 0
			for name, c := range b.cookies {
				if strings.HasPrefix(name, g.cookies.flow) {
					count, size = count+1, size+len(name)+len(c.Value)
				}
			}
			if count > tc.kept || count < tc.kept-1 || size > maxFlowBytes {
				t.Errorf("%d cookies of %d bytes", count, size)
			}
			if to, q := location(t, b.get(last)); to != spaRedirect || q.Get("state") != tc.state {
				t.Errorf("the newest ends at %s", to)
			}
		})
	}
	idp := &scripted{name: "company", finish: bob}
	g := newGateway(t, withLogins(false, idp))
	if _, q := location(t, g.browser().get(authorizeURL("state", strings.Repeat("s", 2000), "nonce", strings.Repeat("n", 1000)))); q.Get("error") != "invalid_request" {
		t.Errorf("a request that fits in no cookie: %v", q)
	}
}

// F04: a provider's form_post comes without our cookies, and is posted again by a page of
// ours. The code never stands in a URL.
func TestF04FormPost(t *testing.T) {
	idp := &scripted{name: "apple", finish: bob}
	g := newGateway(t, withLogins(false, idp))
	b := g.browser()
	target := b.comeBack(b.get(authorizeURL()).Header.Get("Location"), idp)
	path, query, _ := strings.Cut(target, "?")
	answer, _ := url.ParseQuery(query)
	answer.Set("user", `{"name":{"firstName":"Bob"}}`)
	res := g.post(path, answer, "Origin", "null", "Sec-Fetch-Site", "cross-site")
	action, fields := form(t, res.Body)
	if res.StatusCode != http.StatusOK || action != testIssuer+"callback/apple" || fields.Get("code") != "provider-code" || fields.Get("user") == "" {
		t.Fatalf("status %d\n%s", res.StatusCode, res.Body)
	}
	if len(res.Cookies) != 0 {
		t.Errorf("cookies are set over those that were not sent: %v", res.Cookies)
	}
	if to, q := location(t, b.post(path, fields, "Origin", strings.TrimSuffix(testIssuer, "/"), "Sec-Fetch-Site", "same-origin")); to != spaRedirect || q.Get("code") == "" {
		t.Errorf("came to %s", to)
	}
}

// M2: who comes back with what was never sent is slowed down, by address, and told so.
func TestM2Flood(t *testing.T) {
	idp := &scripted{name: "company", finish: failsBy(login.FailedAgain, "code")}
	g := newGateway(t, withLogins(false, idp), fromTestAddress)
	flood := func(times int, address string) (last *wiretest.Answer) {
		for range times {
			b := g.browser()
			target := b.comeBack(b.get(authorizeURL()).Header.Get("Location"), idp)
			last = b.get(target, "X-Test-Address", address)
		}
		return last
	}
	if res := flood(40, "192.0.2.1"); res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" || !strings.Contains(res.Body, "Too many attempts") {
		t.Errorf("status %d\n%s", res.StatusCode, res.Body)
	}
	if !g.heard.has(oauth.EventLogin, oauth.OutcomeDelayed) {
		t.Error("no event says that the address has to wait")
	}
	if n := idp.finished.Load(); n > 12 {
		t.Errorf("the provider was asked %d times for 40 made-up answers", n)
	}
	for reason, asked := range map[string]bool{"state": false, "issuer": false, "no_code": false, "id_token": true, "signature": true, "time": true, "error": true} {
		idp.finish = failsBy(login.FailedForged, reason)
		before := idp.finished.Load()
		flood(40, "192.0.2.99"+reason)
		if all := idp.finished.Load()-before == 40; all != asked {
			t.Errorf("%s: all of 40 answers were taken: %t", reason, all)
		}
	}
	idp.finish = bob
	b := g.browser()
	target := b.comeBack(b.get(authorizeURL()).Header.Get("Location"), idp)
	if to, _ := location(t, b.get(target, "X-Test-Address", "198.51.100.7")); to != spaRedirect {
		t.Error("somebody at another address is held up")
	}
}

// F75: which login it is: the page with all of them, the one used last first, or
// straight to the one that the request names.
func TestF75Choosing(t *testing.T) {
	company := &scripted{name: "company", finish: bob, domains: []string{"example.org"}}
	partner := &scripted{name: "partner", finish: bob}
	only := func(core *tokens.Config, _ *Config) {
		for _, c := range core.Clients {
			if c.ID == "spa" {
				c.Logins = []string{"partner"}
			}
		}
	}
	g := newGateway(t, withLogins(true, company, partner))
	b := g.browser()
	page := b.get(authorizeURL())
	for _, text := range []string{"Continue with The company account", "Continue with The partner account", `name="password"`} {
		if !strings.Contains(page.Body, text) {
			t.Errorf("the page lacks %q", text)
		}
	}
	if csp := page.Header.Get("Content-Security-Policy"); strings.Contains(csp, "form-action") {
		t.Errorf("the form cannot lead to a provider: %s", csp)
	}
	for name, target := range map[string]string{
		"connection":          authorizeURL("connection", "company"),
		"domain":              authorizeURL("login_hint", "carol@EXAMPLE.org"),
		"connection wins":     authorizeURL("connection", "company", "prompt", "select_account"),
		"not an evil address": authorizeURL("login_hint", "x@example.org@evil.example", "connection", "company"),
	} {
		if res := g.browser().get(target); !strings.HasPrefix(res.Header.Get("Location"), "https://company.example/") {
			t.Errorf("%s: status %d to %s", name, res.StatusCode, res.Header.Get("Location"))
		}
	}
	for name, target := range map[string]string{
		"M17: an unknown connection": authorizeURL("connection", "nobody"),
		"F55: another domain":        authorizeURL("login_hint", "carol@evil-example.org"),
		"F55: two at signs":          authorizeURL("login_hint", "carol@example.org@evil.example"),
	} {
		if res := g.browser().get(target); res.StatusCode != http.StatusOK || strings.Contains(res.Body, "nobody") {
			t.Errorf("%s: status %d", name, res.StatusCode)
		}
	}
	b.get(b.comeBack(b.choose(authorizeURL(), "partner").Header.Get("Location"), partner))
	body := b.get(authorizeURL("prompt", "login")).Body
	if first, second := strings.Index(body, "The partner"), strings.Index(body, "The company"); first < 0 || second < first {
		t.Error("the login used last is not the first")
	}

	// M7: a client that takes the people of one login.
	g = newGateway(t, withLogins(true, company, partner), only)
	b = g.browser()
	b.cookies = g.signedInBy(company).cookies
	if to, _ := location(t, b.get(authorizeURL())); to != "https://partner.example/authorize" {
		t.Errorf("M7: with a session of another login the client is answered at %s", to)
	}
	if _, q := location(t, b.get(authorizeURL("prompt", "none"))); q.Get("error") != "login_required" {
		t.Errorf("M7: silently: %v", q)
	}
	two := func(core *tokens.Config, cfg *Config) {
		only(core, cfg)
		for _, c := range core.Clients {
			if c.ID == "spa" {
				c.Logins = []string{"partner", "local"}
			}
		}
	}
	g = newGateway(t, withLogins(true, company, partner), two)
	b.g, b.cookies = g, g.signedInBy(company).cookies
	if res := b.get(authorizeURL()); res.StatusCode != http.StatusForbidden || !strings.Contains(res.Body, "does not accept") || strings.Contains(res.Body, "The company account") {
		t.Errorf("M7: the page: status %d\n%s", res.StatusCode, res.Body)
	}
}

// signedInBy is a browser in which bob has signed in by a provider, for a page of ours.
func (g *gateway) signedInBy(p *scripted) *browser {
	g.t.Helper()
	b := g.browser()
	target := b.comeBack(b.choose("/account", p.name).Header.Get("Location"), p)
	if to, _ := location(g.t, b.get(target)); to != "/account" {
		g.t.Fatalf("came to %s", to)
	}
	return b
}

// F60: who has signed out is not signed in again without a click.
func TestF60SignedOut(t *testing.T) {
	idp := &scripted{name: "company", finish: bob}
	g := newGateway(t, withLogins(false, idp))
	b := g.browser()
	b.get(b.comeBack(b.get(authorizeURL()).Header.Get("Location"), idp))
	action, fields := form(t, b.get("/oidc/logout").Body)
	fields.Set("action", "logout")
	b.post(action, fields)
	res := b.choose(authorizeURL(), "company")
	target := b.comeBack(res.Header.Get("Location"), idp)
	if !idp.last().Asked.SelectAccount {
		t.Error("the provider may sign the person in again by itself")
	}
	if to, _ := location(t, b.get(target)); to != spaRedirect {
		t.Errorf("came to %s", to)
	}
	if res := b.get(authorizeURL("prompt", "login")); !strings.HasPrefix(res.Header.Get("Location"), "https://company.example/") {
		t.Error("after signing in, one login is a page again")
	}
}

// M12: one person cannot fill the store by signing in again and again.
func TestM12SignsInAgainAndAgain(t *testing.T) {
	idp := &scripted{name: "company", finish: bob}
	g := newGateway(t, withLogins(false, idp))
	in := 0
	for range 120 {
		b := g.browser()
		if res := b.get(b.comeBack(b.get(authorizeURL()).Header.Get("Location"), idp)); res.StatusCode == http.StatusSeeOther {
			in++
		} else if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
			t.Fatalf("status %d", res.StatusCode)
		}
	}
	if in != 100 {
		t.Errorf("bob signed in %d times at once", in)
	}
	idp.finish = func(login.Departure, url.Values) (*login.Arrival, error) { return &login.Arrival{ID: "c-1"}, nil }
	b := g.browser()
	if to, _ := location(t, b.get(b.comeBack(b.get(authorizeURL()).Header.Get("Location"), idp))); to != spaRedirect {
		t.Error("somebody else is held up")
	}
}
