package handler

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/admin"
)

// M-23: any program of a computer can say that it is the client of a document or registration whose answers go to
// that computer. The page says so before anything else, each time, and nothing is answered without it.
func TestM23AnyProgramOfThisComputer(t *testing.T) {
	h := newDocHost(t)
	g := newGateway(t, h.documents(), func(core *tokens.Config, cfg *Config) {
		documents := core.Documents
		registering(core, cfg)
		core.Documents = documents
	})
	document := h.publish("/c", map[string]any{"redirect_uris": []string{"http://localhost/callback", h.URL + "/callback"}})
	registered := g.registered(codeBody)["client_id"].(string)
	b := g.browser()
	for id, path := range map[string]string{document: "", registered: ":3118"} {
		b.agree(strangerURL(id, "http://localhost"+path+"/callback"))
		for _, port := range []string{"", ":1", ":65535"} { // of whatever program
			target := strangerURL(id, "http://localhost"+port+"/callback")
			page := b.get(target).Body
			here, name := strings.Index(page, "an app on this computer"), strings.Index(page, "Claude Code")
			if here < 0 || name < here || !strings.Contains(page, "only if you started this") {
				t.Errorf("%s, port %q:\n%s", id, port, page)
			}
			if _, q := location(t, b.get(target+"&prompt=none")); q.Get("error") != "consent_required" || q.Get("code") != "" {
				t.Errorf("%s, port %q, without a page: %v", id, port, q)
			}
		}
	}
	host := strings.TrimPrefix(h.URL, "https://")
	if page := b.get(strangerURL(document, h.URL+"/callback")).Body; strings.Contains(page, "an app on this computer") || !strings.Contains(page, "<strong>"+host+"</strong>") {
		t.Errorf("an answer to the document's own host:\n%s", page)
	}
}

// M-35: a client has on its disk what was true before. What is of a block that is not there any more heals at the
// token endpoint, where clients that know nothing else learn that they have to begin anew; at the page a person reads it.
func TestM35SwitchedOff(t *testing.T) {
	h := newDocHost(t)
	g := newGateway(t, registering)
	id := g.registered(codeBody)["client_id"].(string)
	const redirect = "http://localhost:3118/callback"
	got := jsonOf(t, g.exchangeFor(id, redirect, g.browser().agree(strangerURL(id, redirect)).Get("code")))
	off := newGateway(t)
	for _, id := range []string{id, h.publish("/c", nil)} {
		for name, v := range map[string]url.Values{
			"a refresh": {"grant_type": {"refresh_token"}, "refresh_token": {got["refresh_token"].(string)}},
			"a code":    {"grant_type": {"authorization_code"}, "code": {"x"}, "redirect_uri": {redirect}, "code_verifier": {testVerifier}},
		} {
			v.Set("client_id", id)
			res := off.post("/oauth/token", v)
			if res.StatusCode != http.StatusUnauthorized || jsonOf(t, res)["error"] != "invalid_client" {
				t.Errorf("%.20s, %s: status %d %s", id, name, res.StatusCode, res.Body)
			}
		}
		if res := off.browser().get(strangerURL(id, redirect)); res.StatusCode != http.StatusBadRequest || res.Header.Get("Location") != "" {
			t.Errorf("%.20s at the page: status %d", id, res.StatusCode)
		}
	}
	if n := h.count("/c"); n != 0 {
		t.Errorf("the host was asked %d times", n)
	}
	discovery := jsonOf(t, off.do(http.MethodGet, "/.well-known/oauth-authorization-server", ""))
	if discovery["registration_endpoint"] != nil || discovery["client_id_metadata_document_supported"] != nil {
		t.Errorf("discovery: %v", discovery)
	}
}

// M-38: while the store is away a refresh is text and says when to come again, so that no client takes it for the end
// of its login; and the same refresh token is good afterwards. One that is dead is said to be.
func TestM38StoreAway(t *testing.T) {
	g := newGateway(t, registering)
	id := g.registered(codeBody)["client_id"].(string)
	const redirect = "http://localhost:3118/callback"
	first := jsonOf(t, g.exchangeFor(id, redirect, g.browser().agree(strangerURL(id, redirect)).Get("code")))
	v := url.Values{"grant_type": {"refresh_token"}, "client_id": {id}, "refresh_token": {first["refresh_token"].(string)}}
	g.store.down.Store(true)
	res := g.post("/token", v)
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") || strings.Contains(res.Body, "invalid") {
		t.Errorf("away: status %d %s %s", res.StatusCode, res.Header, res.Body)
	}
	g.store.down.Store(false)
	if res := g.post("/token", v); res.StatusCode != http.StatusOK {
		t.Errorf("there again: status %d %s", res.StatusCode, res.Body)
	}
	g.post("/oauth/revoke", url.Values{"client_id": {id}, "token": {first["refresh_token"].(string)}})
	if res := g.post("/token", v); res.StatusCode != http.StatusBadRequest || jsonOf(t, res)["error"] != "invalid_grant" {
		t.Errorf("dead: status %d %s", res.StatusCode, res.Body)
	}
}

// M-46: everybody's copy of a program has one client_id. What one person does costs no other anything; an operator's
// end reaches all of them, and never the id; and each sees at their own page what they have let in.
func TestM46OneIDForAll(t *testing.T) {
	h := newDocHost(t)
	g := newGateway(t, h.documents())
	operator := admin.New(g.Issuer, g.state)
	id := h.publish("/c", nil)
	begin := func(user string) (*browser, string) {
		t.Helper()
		b := g.browser()
		page := b.signIn(strangerURL(id, "http://localhost:3118/callback"), user, testPassword)
		action, fields := form(t, page.Body)
		fields.Set("action", "allow")
		_, q := location(t, b.post(action, fields))
		v := url.Values{"grant_type": {"authorization_code"}, "client_id": {id}, "code": {q.Get("code")}, "redirect_uri": {"http://localhost:3118/callback"}, "code_verifier": {testVerifier}}
		return b, jsonOf(t, g.post("/oauth/token", v))["refresh_token"].(string)
	}
	page, refresh := begin("alice")
	_, others := begin("bob")
	if account := page.get("/account").Body; !strings.Contains(account, strings.TrimPrefix(h.URL, "https://")) {
		t.Errorf("the page of what is signed in:\n%s", account)
	}
	g.post("/oauth/revoke", url.Values{"client_id": {id}, "token": {refresh}})
	status, body := g.refreshFor(id, others)
	if status != http.StatusOK {
		t.Fatalf("one person's copy has ended another's: %d %v", status, body)
	}
	others = body["refresh_token"].(string)
	_, refresh = begin("alice")
	if err := operator.EndClient(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{refresh, others} {
		if status, body := g.refreshFor(id, token); status != http.StatusBadRequest || body["error"] != "invalid_grant" {
			t.Errorf("ended: %d %v", status, body)
		}
	}
	g.pass(2 * time.Second)
	for _, user := range []string{"alice", "bob"} {
		_, refresh := begin(user)
		if status, body := g.refreshFor(id, refresh); status != http.StatusOK {
			t.Errorf("%s signs in again: %d %v", user, status, body)
		}
	}
}

// M-51: identity assertions (ID-JAG) are not taken, and nothing says that they are.
func TestM51NoIdentityAssertions(t *testing.T) {
	g := newGateway(t, registering)
	id := g.registered(codeBody)["client_id"].(string)
	res := g.post("/token", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "client_id": {id}, "assertion": {"a.b.c"}, "resource": {testAPI}})
	if res.StatusCode != http.StatusBadRequest || jsonOf(t, res)["error"] != "unsupported_grant_type" {
		t.Errorf("status %d %s", res.StatusCode, res.Body)
	}
	for _, path := range []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"} {
		discovery := jsonOf(t, g.do(http.MethodGet, path, ""))
		if discovery["authorization_grant_profiles_supported"] != nil || slices.Contains(discovery["grant_types_supported"].([]any), any("urn:ietf:params:oauth:grant-type:jwt-bearer")) {
			t.Errorf("%s: %v", path, discovery)
		}
	}
}
