package handler

import (
	"net/http"
	"strings"
	"testing"
)

// RFC 8252 §8.6: other software on the device can claim the redirect URI of a native
// client, so that a provider that knows the person must not answer it without a page
// that names the client. Whoever chose the provider on such a page has seen it.
func TestProviderNamesTheClient(t *testing.T) {
	idp := &scripted{name: "company", finish: bob}
	native := []string{"client_id", "native", "redirect_uri", "http://127.0.0.1:5000/cb", "audience", "", "scope", "openid"}
	g := newGateway(t, withLogins(false, idp))
	b := g.browser()
	res := b.get(b.comeBack(b.get(authorizeURL(native...)).Header.Get("Location"), idp))
	if res.StatusCode != http.StatusOK || !strings.Contains(res.Body, "Allow access?") {
		t.Fatalf("straight there and back: status %d to %s", res.StatusCode, res.Header.Get("Location"))
	}
	action, fields := form(t, res.Body)
	fields.Set("action", "allow")
	if to, q := location(t, b.post(action, fields)); to != "http://127.0.0.1:5000/cb" || q.Get("code") == "" {
		t.Errorf("after the page: %s with %v", to, q)
	}
	g = newGateway(t, withLogins(true, idp))
	b = g.browser()
	target := b.comeBack(b.choose(authorizeURL(native...), "company").Header.Get("Location"), idp)
	if to, q := location(t, b.get(target)); to != "http://127.0.0.1:5000/cb" || q.Get("code") == "" {
		t.Errorf("chosen on a page: %s with %v", to, q)
	}
}
