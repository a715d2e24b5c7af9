package handler

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// heardOf returns the events of a kind that the observer has heard since the last call.
func (o *observer) heardOf(kinds ...oauth.EventKind) (found []oauth.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.events {
		if slices.Contains(kinds, e.Kind) {
			found = append(found, e)
		}
	}
	o.events = nil
	return found
}

// refusedEvents are those of requests that brought nothing.
var refusedEvents = []oauth.EventKind{oauth.EventRequestRefused, oauth.EventTokenRefused, oauth.EventClientAuth}

// TestRefusalsAreTold: S2: each refused request is one event, which says who was
// refused and why, what came, what is registered and which option says so.
func TestRefusalsAreTold(t *testing.T) {
	g := newGateway(t)
	basic := func(header string) func() { // the answer does not matter
		return func() {
			g.post("/oauth/token", url.Values{"grant_type": {"client_credentials"}}, "Authorization", header)
		}
	}
	get := func(target string, headers ...string) func() {
		return func() { g.do(http.MethodGet, target, "", headers...) }
	}
	form := func(target string, pairs ...string) func() {
		v := make(url.Values)
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return func() { g.post(target, v, "Origin", "https://stranger.example") }
	}
	preflight := func(target string) func() {
		return func() {
			g.do(http.MethodOptions, target, "", "Origin", "https://stranger.example", "Access-Control-Request-Method", "POST")
		}
	}
	tests := []struct {
		name       string
		send       func()
		kind       oauth.EventKind
		outcome    oauth.Reason
		client     string
		endpoint   string
		sent       string
		registered string // one of them
		option     string
		why        string // in the error
	}{
		{"unknown client", get(authorizeURL("client_id", "nobody")), oauth.EventRequestRefused, oauth.ReasonUnknownClient, "", "authorize", "nobody", "spa", "client", "not registered"},
		{"redirect URI", get(authorizeURL("redirect_uri", spaRedirect+"?code=SECRET")), oauth.EventRequestRefused, oauth.ReasonBadRedirect, "spa", "authorize", spaRedirect + "?code=…", spaRedirect, "redirect_uris", "redirect_uri"},
		{"no redirect URI", get(authorizeURL("redirect_uri", "")), oauth.EventRequestRefused, oauth.ReasonBadRedirect, "spa", "authorize", "", spaRedirect, "redirect_uris", "missing"},
		{"machine signs in", get(authorizeURL("client_id", "machine")), oauth.EventRequestRefused, oauth.ReasonUnsupportedGrant, "machine", "authorize", "authorization_code", "machine", "type", "cannot sign"},
		{"no PKCE", get(authorizeURL("code_challenge", "")), oauth.EventRequestRefused, oauth.ReasonNoPKCE, "spa", "authorize", "", "S256", "", "code_challenge"},
		{"no PKCE, web client", get(authorizeURL("client_id", "web", "redirect_uri", "https://web.example.com/cb?keep=1", "code_challenge", "")), oauth.EventRequestRefused, oauth.ReasonNoPKCE, "web", "authorize", "", "S256", "pkce", "code_challenge"},
		{"plain PKCE", get(authorizeURL("code_challenge_method", "plain")), oauth.EventRequestRefused, oauth.ReasonMalformed, "spa", "authorize", "plain", "S256", "", "S256"},
		{"scope", get(authorizeURL("scope", `open"id`)), oauth.EventRequestRefused, oauth.ReasonScope, "spa", "authorize", `open"id`, "", "", "malformed"},
		{"target", get(authorizeURL("audience", "https://other.example")), oauth.EventRequestRefused, oauth.ReasonWrongAudience, "spa", "authorize", "https://other.example", testAPI, "apis", "audience"},
		{"response type", get(authorizeURL("response_type", "token")), oauth.EventRequestRefused, oauth.ReasonMalformed, "spa", "authorize", "token", "code", "", "response_type"},
		{"query", get(authorizeURL() + "&x=%zz"), oauth.EventRequestRefused, oauth.ReasonMalformed, "", "authorize", "", "", "", "query"},
		{"Basic without base64", basic("Basic machine:" + webSecret), oauth.EventRequestRefused, oauth.ReasonBadMethod, "", "token", "", "", "", "base64"},
		{"Basic without colon", basic("Basic bWFjaGluZQ=="), oauth.EventRequestRefused, oauth.ReasonBadMethod, "", "token", "", "", "", "colon"},
		{"another scheme", basic("Digest x"), oauth.EventRequestRefused, oauth.ReasonBadMethod, "", "token", "", "", "", "scheme"},
		{"client without its secret", form("/oauth/token", "grant_type", "client_credentials", "client_id", "machine"), oauth.EventClientAuth, oauth.ReasonBadMethod, "machine", "", "none", "client_secret_basic", "secret_hash", ""},
		{"unknown client with a secret", basic("Basic bm9ib2R5OnNlY3JldA=="), oauth.EventClientAuth, oauth.ReasonUnknownClient, "", "", "nobody", "spa", "client", ""},
		{"scope of a machine", func() {
			g.post("/oauth/token", url.Values{"grant_type": {"client_credentials"}, "scope": {"orders:delete"}, "client_id": {"machine"}, "client_secret": {webSecret}})
		}, oauth.EventTokenRefused, oauth.ReasonScope, "machine", "", "orders:delete", "orders:read", "scopes", "scope"},
		{"preflight", preflight("/oauth/token"), oauth.EventRequestRefused, oauth.ReasonBadOrigin, "", "token", "https://stranger.example", spaOrigin, "origins", "browser"},
		{"parameters in the URL", func() { g.post("/oauth/token?client_id=spa", url.Values{}) }, oauth.EventRequestRefused, oauth.ReasonMalformed, "", "token", "", "", "", "not in the URL"},
		{"GET to the token endpoint", get("/oauth/token"), oauth.EventRequestRefused, oauth.ReasonMalformed, "", "token", "GET", "POST", "", "method"},
		{"logout address", get("/oidc/logout?client_id=spa&post_logout_redirect_uri=https%3A%2F%2Fevil.example"), oauth.EventRequestRefused, oauth.ReasonBadRedirect, "spa", "logout", "https://evil.example", spaOrigin + "/", "logout_uris", "post_logout_redirect_uri"},
		{"Auth0's logout address", get("/v2/logout?client_id=spa&returnTo=https%3A%2F%2Fevil.example"), oauth.EventRequestRefused, oauth.ReasonBadRedirect, "spa", "auth0_logout", "https://evil.example", spaOrigin + "/", "logout_uris", "returnTo"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g.heard.heardOf()
			test.send()
			events := g.heard.heardOf(refusedEvents...)
			if len(events) != 1 && test.name != "client without its secret" { // whose origin is a stranger's, too
				t.Fatalf("events %+v, want one", events)
			}
			e := events[len(events)-1]
			if e.Kind != test.kind || e.Outcome != oauth.Outcome(test.outcome) || e.Client != test.client || e.Endpoint != test.endpoint {
				t.Errorf("event %s %s of client %q at %q", e.Kind, e.Outcome, e.Client, e.Endpoint)
			}
			m := e.Mismatch
			if m == nil {
				m = new(oauth.Mismatch)
			}
			if m.Sent != test.sent || m.Option != test.option || test.registered != "" && !slices.Contains(m.Registered, test.registered) {
				t.Errorf("mismatch %+v", m)
			}
			if why := ""; test.why != "" {
				if e.Cause != nil {
					why = e.Cause.Error()
				}
				if !strings.Contains(why, test.why) || strings.Contains(why, webSecret) {
					t.Errorf("the error is %q, want it to name %q", why, test.why)
				}
			}
		})
	}
}

// TestOriginRefused: S2: a page of another client's origin, or of none, gets an answer that its
// browser keeps from it: the log says so, and of which client.
func TestOriginRefused(t *testing.T) {
	g := newGateway(t)
	for _, origin := range []string{"https://other.example.com", "https://stranger.example", "null"} {
		g.heard.heardOf()
		g.post("/oauth/token", url.Values{"client_id": {"spa"}, "grant_type": {"refresh_token"}, "refresh_token": {"x"}}, "Origin", origin)
		events := g.heard.heardOf(oauth.EventRequestRefused)
		if len(events) != 1 || events[0].Outcome != oauth.Outcome(oauth.ReasonBadOrigin) || events[0].Client != "spa" || events[0].Mismatch.Sent != origin {
			t.Errorf("%s: events %+v", origin, events)
		}
	}
	for _, origin := range []string{spaOrigin, g.issuerOrigin} {
		g.heard.heardOf()
		g.post("/oauth/token", url.Values{"client_id": {"spa"}, "grant_type": {"refresh_token"}, "refresh_token": {"x"}}, "Origin", origin)
		if events := g.heard.heardOf(oauth.EventRequestRefused); len(events) != 0 {
			t.Errorf("%s: events %+v", origin, events)
		}
	}
}

// TestOrdinaryAnswersAreNoRefusals: what an app that is set up well brings about is not told as a mistake.
func TestOrdinaryAnswersAreNoRefusals(t *testing.T) {
	g := newGateway(t)
	g.do(http.MethodGet, authorizeURL("prompt", "none"), "") // login_required
	g.do(http.MethodGet, "/userinfo", "")                    // no token
	g.do(http.MethodGet, authorizeURL("scope", "openid unheard:of"), "")
	if events := g.heard.heardOf(refusedEvents...); len(events) != 0 {
		t.Errorf("events %+v", events)
	}
}

// TestErrorPageNamesTheAddress: S2: whoever looks at the page sees which address came,
// as text, and which option would change it.
func TestErrorPageNamesTheAddress(t *testing.T) {
	g := newGateway(t)
	page := wantPage(t, g.do(http.MethodGet, authorizeURL("redirect_uri", "https://app.example.com/<b>\x1b?code=SECRET"), ""), http.StatusBadRequest)
	for _, want := range []string{"<code>https://app.example.com/&lt;b&gt;??code=…</code>", "<code>redirect_uris</code>", "invalid_request"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s:\n%s", want, page)
		}
	}
	if strings.Contains(page, spaRedirect) || strings.Contains(page, "SECRET") {
		t.Errorf("the page tells strangers what is registered, or repeats a secret:\n%s", page)
	}
	page = wantPage(t, g.do(http.MethodGet, authorizeURL("redirect_uri", "https://app.example.com/"+strings.Repeat("x", 1900)), ""), http.StatusBadRequest)
	if strings.Contains(page, strings.Repeat("x", 300)) {
		t.Error("the page repeats an address without a bound")
	}
}
