package handler

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/handler/wire/wiretest"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// telling is a provider that tells of sign-outs. A logout token is here what its session is
// called; what a real one must be is tested in package upstream.
type telling struct {
	scripted

	fails *login.FailedError
	said  func() time.Time
}

func (p *telling) ReadLogout(_ context.Context, token string) (*login.SignedOut, error) {
	if p.fails != nil {
		return nil, p.fails
	}
	return &login.SignedOut{Session: token, At: p.said()}, nil
}

func (p *telling) ReadFrontChannel(issuer, session string) (*login.SignedOut, error) {
	if issuer != "https://company.example" {
		return nil, &login.FailedError{Failure: login.FailedForged, Reason: "issuer"}
	}
	return p.ReadLogout(context.Background(), session)
}

// toldGateway has such a provider, and a browser in which bob is signed in by it.
func toldGateway(t *testing.T) (*gateway, *telling, *browser) {
	t.Helper()
	idp := &telling{scripted: scripted{name: "company", finish: func(login.Departure, url.Values) (*login.Arrival, error) {
		return &login.Arrival{ID: "b-1", ProviderSession: "s1"}, nil
	}}}
	g := newGateway(t, withProviders(false, idp, &scripted{name: "silent", finish: bob}))
	idp.said = g.clock
	b := g.browser()
	target := b.comeBack(b.choose("/account", "company").Header.Get("Location"), &idp.scripted)
	if to, _ := location(t, b.get(target)); to != "/account" {
		t.Fatalf("came to %s", to)
	}
	return g, idp, b
}

// signedIn reports whether the session of the browser goes on.
func (b *browser) signedIn() bool {
	b.g.t.Helper()
	c := b.cookies[b.g.cookies.session]
	if c == nil {
		return false
	}
	l, err := b.g.Issuer.CurrentLogin(b.g.t.Context(), c.Value)
	if err != nil {
		b.g.t.Fatal(err)
	}
	return l != nil
}

func (g *gateway) tellLogout(name, token string) *wiretest.Answer {
	return g.post("/backchannel-logout/"+name, url.Values{"logout_token": {token}})
}

// H8, F65: the answers to a provider's word: 200 whatever was found, 400 for a token that is
// not good, 503 for what is to be told again, and then it works.
func TestH8BackChannel(t *testing.T) {
	g, idp, b := toldGateway(t)
	wantOAuthError(t, g.tellLogout("silent", "s1"), http.StatusBadRequest, "invalid_request")
	if res := g.tellLogout("nobody", "s1"); res.StatusCode != http.StatusNotFound {
		t.Errorf("a login that is not there: status %d", res.StatusCode)
	}
	wantOAuthError(t, g.post("/backchannel-logout/company", url.Values{}), http.StatusBadRequest, "invalid_request")
	wantOAuthError(t, g.post("/backchannel-logout/company", url.Values{"logout_token": {"s1", "s1"}}), http.StatusBadRequest, "invalid_request")
	if res := g.do(http.MethodGet, "/backchannel-logout/company?logout_token=s1", ""); res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: status %d", res.StatusCode)
	}
	if res := g.tellLogout("company", "other"); res.StatusCode != http.StatusOK || res.Header.Get("Cache-Control") != "no-store" || res.Body != "" {
		t.Errorf("a session that nobody has: status %d, %v", res.StatusCode, res.Header)
	}
	for failure, status := range map[login.Failure]int{
		login.FailedForged: http.StatusBadRequest, login.FailedDown: http.StatusServiceUnavailable, login.FailedBusy: http.StatusServiceUnavailable,
	} {
		idp.fails = &login.FailedError{Failure: failure, Reason: "scripted", After: 3 * time.Second}
		res := g.tellLogout("company", "s1")
		if res.StatusCode != status || (status == http.StatusServiceUnavailable) != (res.Header.Get("Retry-After") == "3") {
			t.Errorf("failure %d: status %d, %v", failure, res.StatusCode, res.Header)
		}
	}
	idp.fails = nil
	if !b.signedIn() {
		t.Fatal("a word that is not good has signed somebody out")
	}
	g.store.down.Store(true)
	if res := g.tellLogout("company", "s1"); res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("F65: the store is away: status %d", res.StatusCode)
	}
	g.store.down.Store(false)
	for range 2 {
		if res := g.tellLogout("company", "s1"); res.StatusCode != http.StatusOK {
			t.Errorf("F65: the store is back: status %d", res.StatusCode)
		}
	}
	if b.signedIn() {
		t.Error("still signed in")
	}
	if n := len(g.heard.of(oauth.EventLogout)); n != 1 {
		t.Errorf("%d events", n)
	}
}

// F63: a frame of the provider's, without cookies, and may be framed.
func TestF63FrontChannel(t *testing.T) {
	g, _, b := toldGateway(t)
	const frame = "/frontchannel-logout/company"
	for _, target := range []string{frame, frame + "?iss=https://company.example", frame + "?iss=https://evil.example&sid=s1", frame + "?iss=https://company.example&sid=s1&sid=s2"} {
		if res := g.do(http.MethodGet, target, ""); res.StatusCode != http.StatusOK || res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("X-Frame-Options") != "" {
			t.Errorf("%s: status %d, %v", target, res.StatusCode, res.Header)
		}
	}
	if !b.signedIn() {
		t.Fatal("a frame that names no session of the provider's has signed somebody out")
	}
	g.store.down.Store(true)
	if res := g.do(http.MethodGet, frame+"?iss=https://company.example&sid=s1", ""); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("the store is away: status %d", res.StatusCode)
	}
	g.store.down.Store(false)
	if res := g.do(http.MethodGet, frame+"?iss=https://company.example&sid=s1", ""); res.StatusCode != http.StatusOK || b.signedIn() {
		t.Errorf("status %d, and still signed in", res.StatusCode)
	}
}
