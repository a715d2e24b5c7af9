package handler

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// askingFirst makes people agree to what the SPA asks for.
func askingFirst(c *tokens.Config, _ *Config) {
	for _, client := range c.Clients {
		if client.ID == "spa" {
			client.Consent = clients.ConsentAlways
		}
	}
	c.APIs[0].ScopeTexts = map[string]string{"orders:read": "Look at your orders", "orders:write": "Change your orders"}
}

// answer presses a button of the consent page that a request is shown.
func (b *browser) answer(page, button string) (q url.Values) {
	b.g.t.Helper()
	action, fields := form(b.g.t, page)
	fields.Set("action", button)
	_, q = location(b.g.t, b.post(action, fields))
	return q
}

func withScope(scope string, more ...string) string {
	return authorizeURL(append([]string{"scope", scope}, more...)...)
}

// withdraw takes back what alice has agreed to at the SPA.
func (b *browser) withdraw() {
	b.g.t.Helper()
	ctx := b.g.t.Context()
	login, err := b.g.Issuer.CurrentLogin(ctx, b.cookies[b.g.cookies.session].Value)
	if err == nil {
		err = b.g.Issuer.WithdrawConsent(ctx, login, storage.TagClient("spa"))
	}
	if err != nil {
		b.g.t.Fatal(err)
	}
}

// H10: a consent is asked once, and more alone, in the operator's words.
func TestH10ConsentPage(t *testing.T) {
	g := newGateway(t, askingFirst)
	b := g.browser()
	page := b.signIn(withScope("openid orders:read"), "alice", testPassword).Body
	if !strings.Contains(page, "Look at your orders") || !strings.Contains(page, "Know who you are") {
		t.Fatalf("not all is asked:\n%s", page)
	}
	if q := b.answer(page, "allow"); q.Get("code") == "" {
		t.Fatalf("allowed: %v", q)
	}
	for _, prompt := range []string{"", "none"} {
		if _, q := location(t, b.get(withScope("openid orders:read", "prompt", prompt))); q.Get("code") == "" {
			t.Errorf("prompt %q: %v", prompt, q)
		}
	}
	// In another browser, after a sign-in there.
	if _, q := location(t, g.browser().signIn(withScope("openid orders:read"), "alice", testPassword)); q.Get("code") == "" {
		t.Errorf("in another browser: %v", q)
	}
	wide := withScope("openid orders:read orders:write")
	page = wantPage(t, b.get(wide), http.StatusOK)
	if strings.Contains(page, "Look at your orders") || strings.Contains(page, "Know who you are") || !strings.Contains(page, "Change your orders") {
		t.Errorf("not the difference:\n%s", page)
	}
	if _, q := location(t, b.get(withScope("openid orders:read orders:write", "prompt", "none"))); q.Get("error") != "consent_required" {
		t.Errorf("silently: %v", q)
	}
	if q := b.answer(page, "cancel"); q.Get("error") != "access_denied" {
		t.Errorf("denied: %v", q)
	}
	page = wantPage(t, b.get(wide), http.StatusOK)
	if q := b.answer(page, "allow"); q.Get("code") == "" {
		t.Errorf("the difference is allowed: %v", q)
	}
	page = wantPage(t, b.get(withScope("openid orders:read", "prompt", "consent")), http.StatusOK)
	if !strings.Contains(page, "Look at your orders") {
		t.Errorf("prompt=consent does not ask for all:\n%s", page)
	}
	for outcome, want := range map[oauth.Outcome]int{oauth.OutcomeGiven: 2, oauth.OutcomeDenied: 1} {
		n := 0
		for _, e := range g.heard.of(oauth.EventConsent) {
			if e.Outcome == outcome {
				n++
			}
		}
		if n != want {
			t.Errorf("%d events %s, want %d", n, outcome, want)
		}
	}
}

// S3: the back button after Allow, and Deny on what it shows: nobody gets in against a Deny.
func TestS3DenyAfterAllow(t *testing.T) {
	g := newGateway(t, askingFirst)
	b := g.browser()
	action, fields := form(t, b.signIn(authorizeURL(), "alice", testPassword).Body)
	fields.Set("action", "allow")
	if _, q := location(t, b.post(action, fields)); q.Get("code") == "" {
		t.Fatal("not allowed")
	}
	g.pass(repeatWindow + 1)
	if _, q := location(t, b.post(action, fields)); q.Get("code") == "" {
		t.Errorf("Allow once more: %v", q)
	}
	for _, spoil := range []func(){func() {}, func() { g.pass(ticketLifetime) }} {
		spoil()
		fields.Set("action", "cancel")
		page := wantPage(t, b.post(action, fields), http.StatusForbidden)
		if q := b.answer(page, "cancel"); q.Get("error") != "access_denied" {
			t.Errorf("Deny on the page that is shown again: %v", q)
		}
	}
}

// S3, H10: the consent is withdrawn while a page is open that asks for the difference.
func TestS3WithdrawnBetweenShowAndAllow(t *testing.T) {
	g := newGateway(t, askingFirst)
	b := g.browser()
	b.answer(b.signIn(withScope("openid orders:read"), "alice", testPassword).Body, "allow")
	action, fields := form(t, wantPage(t, b.get(withScope("openid orders:read orders:write")), http.StatusOK))
	fields.Set("action", "allow")
	b.withdraw()
	page := wantPage(t, b.post(action, fields), http.StatusForbidden)
	if !strings.Contains(page, "Look at your orders") || !strings.Contains(page, "Change your orders") {
		t.Errorf("not all is asked:\n%s", page)
	}
	if q := b.answer(page, "allow"); q.Get("code") == "" {
		t.Errorf("allowed: %v", q)
	}
	// Two tabs show the same; the first one's answer is the other's, too.
	b.withdraw()
	one, two := b.get(authorizeURL()).Body, b.get(authorizeURL()).Body
	for name, page := range map[string]string{"first": one, "second": two} {
		if q := b.answer(page, "allow"); q.Get("code") == "" {
			t.Errorf("the %s tab: %v", name, q)
		}
	}
	// RT-15: silently, afterwards.
	b.withdraw()
	if _, q := location(t, b.get(authorizeURL("prompt", "none"))); q.Get("error") != "consent_required" {
		t.Errorf("silently: %v", q)
	}
}

// TestH10QuestionTexts: the page names what is new at the API where it is, and an API of which
// nothing but its use is asked.
func TestH10QuestionTexts(t *testing.T) {
	const other = "https://other.example.com"
	g := newGateway(t, askingFirst, func(c *tokens.Config, _ *Config) {
		c.APIs = append(c.APIs, &clients.API{Identifier: other, Scopes: []string{"orders:read"}, ScopeTexts: map[string]string{"orders:read": "Look at orders elsewhere"}})
	})
	texts := g.pages.In("en", "")
	both, scopes := []string{testAPI, other}, []string{"openid", "orders:read"}
	for _, tt := range []struct {
		access storage.Access
		want   string
	}{
		{storage.Access{"": {"openid"}, testAPI: {"orders:read"}}, "Know who you are|Look at your orders"},
		{storage.Access{other: {"orders:read"}}, "Look at orders elsewhere"},
		{storage.Access{testAPI: {"orders:read"}, other: {"orders:read"}}, "Look at your orders|Look at orders elsewhere"},
		{storage.Access{other: {}}, "Use " + other},
	} {
		if got := strings.Join(g.questionTexts(texts, &tokens.Question{Access: tt.access}, scopes, both), "|"); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.access, got, tt.want)
		}
	}
}
