package handler

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/handler/wire/wiretest"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// signingOut is a provider at which people sign out, while it has an address for that.
type signingOut struct {
	telling

	away bool
	sent login.Leave
}

func (p *signingOut) Leaves() bool { return true }

func (p *signingOut) LeaveURL(l login.Leave) string {
	p.sent = l
	if p.away {
		return ""
	}
	return "https://company.example/end?state=" + l.State
}

// signingOutGateway has such a provider, and a browser in which bob is signed in by it.
func signingOutGateway(t *testing.T) (*gateway, *signingOut, *browser) {
	t.Helper()
	idp := &signingOut{telling: telling{scripted: scripted{name: "company", finish: func(login.Departure, url.Values) (*login.Arrival, error) {
		return &login.Arrival{ID: "b-1", ProviderSession: "s1", IDToken: "the.ID.token"}, nil
	}}}}
	g := newGateway(t, withProviders(false, idp, &scripted{name: "silent", finish: bob}))
	idp.said = g.clock
	return g, idp, g.signedInBy(&idp.scripted)
}

// agrees presses the button of the page that asks.
func (b *browser) agrees(target string) *wiretest.Answer {
	b.g.t.Helper()
	action, fields := form(b.g.t, b.get(target).Body)
	fields.Set("action", "logout")
	return b.post(action, fields)
}

const atCompany = "https://company.example/end"

// F62, M8: ours ends first, then the person is at the provider, and comes back to where the
// application wants them, once. What the provider tells of it then ends nothing more.
func TestF62M8SignedOutThere(t *testing.T) {
	g, idp, b := signingOutGateway(t)
	for _, page := range []string{"/account", "/oidc/logout"} { // Chromium applies it to redirects
		if policy := b.get(page).Header.Get("Content-Security-Policy"); policy == "" || strings.Contains(policy, "form-action") {
			t.Errorf("%s: a form cannot lead to the provider: %s", page, policy)
		}
	}
	copied := b.clone()
	to, q := location(t, b.agrees("/oidc/logout?client_id=spa&state=a+b&post_logout_redirect_uri="+url.QueryEscape(spaOrigin+"/")))
	if to != atCompany || idp.sent.IDToken != "the.ID.token" || idp.sent.ReturnTo != testIssuer+"signed-out/company" || len(q.Get("state")) < 22 {
		t.Fatalf("went to %s with %+v", to, idp.sent)
	}
	if b.signedIn() || copied.signedIn() {
		t.Error("still signed in here, on the way there")
	}
	if res := g.tellLogout("company", "s1"); res.StatusCode != http.StatusOK {
		t.Errorf("M8: the provider's own word: %d", res.StatusCode)
	}
	back := "/signed-out/company?state=" + q.Get("state")
	for name, res := range map[string]*wiretest.Answer{
		"another browser":   g.browser().get(back),
		"another state":     b.get("/signed-out/company?state=x"),
		"two states":        b.get(back + "&state=x"),
		"the other login's": b.get("/signed-out/silent?state=" + q.Get("state")),
	} {
		if text := wantPage(t, res, http.StatusOK); !strings.Contains(text, "You are signed out") {
			t.Errorf("%s: %s", name, text)
		}
	}
	if to, q := location(t, b.get(back)); to != spaOrigin+"/" || q.Get("state") != "a b" {
		t.Errorf("came back to %s with %v", to, q)
	}
	wantPage(t, b.get(back), http.StatusOK) // once

	b.comeBack(b.choose(authorizeURL(), "company").Header.Get("Location"), &idp.scripted)
	if !idp.last().Asked.SelectAccount {
		t.Error("M17: the provider may sign the person in again by itself")
	}
}

// F62: a page says where somebody may still be signed in, and not after they were there.
func TestF62StillSignedInThere(t *testing.T) {
	still := func(res *wiretest.Answer) bool {
		t.Helper()
		return strings.Contains(wantPage(t, res, http.StatusOK), "You may still be signed in at The company account.")
	}
	g, idp, b := signingOutGateway(t)
	_, q := location(t, b.agrees("/oidc/logout"))
	if still(b.get("/signed-out/company?state=" + q.Get("state"))) {
		t.Error("it says so of somebody who was there")
	}
	idp.away = true
	if !still(g.signedInBy(&idp.scripted).agrees("/oidc/logout")) {
		t.Error("it does not say so where the provider has no address")
	}
	idp.away = false
	b = g.signedInBy(&idp.scripted)
	action, fields := form(t, b.get("/account").Body)
	fields.Set("action", "everywhere")
	if to, _ := location(t, b.post(action, fields)); to != atCompany {
		t.Errorf("everywhere: went to %s", to)
	}
	if b.signedIn() {
		t.Error("everywhere: still signed in")
	}
	// Auth0's and Cognito's way brings no state back, and takes no longer than a form.
	b = g.signedInBy(&idp.scripted)
	auth0 := "/v2/logout?client_id=spa&returnTo=" + url.QueryEscape(spaOrigin+"/")
	wantPage(t, b.get(auth0, "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Mode", "navigate"), http.StatusOK)
	if !b.signedIn() {
		t.Error("M15: a frame signs people out")
	}
	for _, late := range []bool{false, true} {
		b = g.signedInBy(&idp.scripted)
		if to, _ := location(t, b.get(auth0)); to != atCompany {
			t.Fatalf("went to %s", to)
		}
		if late {
			g.now.Add(int64(16 * time.Minute))
			wantPage(t, b.get("/signed-out/company"), http.StatusOK)
		} else if to, _ := location(t, b.get("/signed-out/company")); to != spaOrigin+"/" {
			t.Errorf("came back to %s", to)
		}
	}

	_, _, b = toldGateway(t)
	if !still(b.agrees("/oidc/logout")) {
		t.Error("it does not say so where nobody is sent there")
	}
	b = newGateway(t).browser()
	location(t, b.signIn(authorizeURL(), "alice", testPassword))
	if strings.Contains(wantPage(t, b.agrees("/oidc/logout"), http.StatusOK), "still be signed in") {
		t.Error("it says so of a login of our own")
	}
}

// F62: a sign-out at a site goes on to the provider, once its session has ended. What a site has
// sealed signs nobody out who is signed in.
func TestF62LeftSite(t *testing.T) {
	g, idp, b := signingOutGateway(t)
	// leave ends the session of a browser, as a site does, and returns where that sends it.
	leave := func(b *browser) string {
		t.Helper()
		l, err := g.Issuer.CurrentLogin(t.Context(), b.cookies[g.cookies.session].Value)
		if err != nil || l == nil {
			t.Fatal(l, err)
		}
		c := &verify.Claims{Subject: l.Profile.Subject}
		c.User, c.Session = l.Session.User, l.Session.Root
		q, err := g.Issuer.Sites().End(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return g.SignedOutURL()[len(testIssuer)-1:] + "?" + q.Encode()
	}
	target := leave(b)
	if b.signedIn() {
		t.Fatal("still signed in here, on the way there")
	}
	someone := g.signedInBy(&idp.scripted)
	if text := wantPage(t, someone.get(target), http.StatusOK); !strings.Contains(text, `value="logout"`) || !someone.signedIn() {
		t.Errorf("another session: no question: %s", text)
	}
	wantPage(t, b.get(target, "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Mode", "navigate"), http.StatusOK)
	to, q := location(t, b.get(target))
	if to != atCompany || idp.sent.IDToken != "the.ID.token" {
		t.Fatalf("went to %s with %+v", to, idp.sent)
	}
	idp.sent = login.Leave{}
	if to, q = location(t, b.get(target)); to != atCompany || idp.sent.IDToken != "the.ID.token" {
		t.Fatalf("by a second click: went to %s with %+v", to, idp.sent)
	}
	text := wantPage(t, b.get("/signed-out/company?state="+q.Get("state")), http.StatusOK)
	if !strings.Contains(text, "You are signed out") || strings.Contains(text, "still be signed in") {
		t.Errorf("came back to %s", text)
	}
	b.comeBack(b.choose(authorizeURL(), "company").Header.Get("Location"), &idp.scripted)
	if !idp.last().Asked.SelectAccount {
		t.Error("M17: the provider may sign the person in again by itself")
	}

	b = g.signedInBy(&idp.scripted)
	target = leave(b)
	g.now.Add(int64(2 * time.Minute))
	wantPage(t, b.get(target), http.StatusOK) // it is too old

	b = g.signedInBy(&idp.scripted)
	idp.away = true
	for range 2 {
		if text := wantPage(t, b.get(leave(b)), http.StatusOK); !strings.Contains(text, "You may still be signed in at The company account.") {
			t.Errorf("the provider is away, or keeps people: %s", text)
		}
		g, _, b = toldGateway(t) // which signs nobody out
	}
}
