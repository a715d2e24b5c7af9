package handler

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/clientdoc"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// Strangers who ask for what a host does not have use up what they share, and nobody else's: what
// is known or named as a whole is fetched, and whoever comes for the first time signs in first.
// H13, M-40.
func TestH13M40StrangersShare(t *testing.T) {
	h := newDocHost(t)
	g := newGateway(t, h.documents(func(p *clients.DocumentPolicy) { p.Rules.Allow = append(p.Rules.Allow, h.URL+"/named") }))
	const redirect = "http://localhost:3118/callback"
	known, named, first := h.publish("/known", nil), h.publish("/named", nil), h.publish("/first", nil)
	g.browser().signInTo(known, redirect)
	g.pass(25 * time.Hour) // and it is due
	ask := func(path string, v clientdoc.Visitor) error {
		return g.Issuer.Meet(t.Context(), mustQuery(t, strangerURL(h.URL+path, redirect)), v)
	}
	asked := func(prefix string) (n int) {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, p := range h.asked {
			if strings.HasPrefix(p, prefix) {
				n++
			}
		}
		return n
	}
	for i := range 100 {
		_ = ask(fmt.Sprintf("/none/%d", i), clientdoc.Visitor{Network: fmt.Sprintf("2001:db8:0:%x::/64", i)})
	}
	if n := asked("/none/"); n != 10 {
		t.Errorf("strangers from a hundred networks have made this gateway ask %d times in a minute, want 10", n)
	}
	for _, id := range []string{known, named} {
		path := strings.TrimPrefix(id, h.URL)
		before := asked(path)
		if res := g.browser().get(strangerURL(id, redirect)); res.StatusCode != http.StatusOK || asked(path) != before+1 {
			t.Errorf("%s: status %d, %d fetches", path, res.StatusCode, asked(path)-before)
		}
	}
	b := g.browser()
	page := b.get(strangerURL(first, redirect))
	if page.StatusCode != http.StatusOK || !strings.Contains(page.Body, `name="password"`) || asked("/first") != 0 {
		t.Fatalf("for the first time: status %d, %d fetches\n%s", page.StatusCode, asked("/first"), page.Body)
	}
	action, fields := form(t, page.Body)
	for name, value := range map[string]string{"username": "alice", "password": testPassword, "action": "login"} {
		fields.Set(name, value)
	}
	if page = b.post(action, fields); page.StatusCode != http.StatusOK || !strings.Contains(page.Body, `value="allow"`) || asked("/first") != 1 {
		t.Errorf("signed in: status %d, %d fetches\n%s", page.StatusCode, asked("/first"), page.Body)
	}
	for i := range 20 { // nor has somebody who is signed in all of it
		_ = ask(fmt.Sprintf("/mine/%d", i), clientdoc.Visitor{Person: "mallory"})
		_ = ask(fmt.Sprintf("/others/%d", i), clientdoc.Visitor{Person: "another"})
	}
	if mine, others := asked("/mine/"), asked("/others/"); mine > 10 || mine+others != 9 {
		t.Errorf("people have made this gateway ask %d and %d times, want 9 together: 20 with those before", mine, others)
	}
	g.pass(25 * time.Hour)
	before := asked("/known")
	if res := g.browser().get(strangerURL(known, redirect)); res.StatusCode != http.StatusOK || asked("/known") != before+1 {
		t.Errorf("known, a day later: status %d", res.StatusCode)
	}
}

// With `any` the sign-in before the first fetch is the one that prompt=login asks for, and
// one that is older than the request is none. H13.
func TestH13PromptLogin(t *testing.T) {
	for _, prompt := range []string{"login", "select_account", "login consent"} {
		h := newDocHost(t)
		const id = "https://client.example/oauth/client.json"
		toHost := func(ctx context.Context, address string) (clientdoc.Fetched, error) {
			return h.fetches()(ctx, strings.Replace(address, "https://client.example", h.URL, 1))
		}
		g := newGateway(t, h.documents(func(p *clients.DocumentPolicy) { p.Rules = clientdoc.Rules{Any: true, Fetch: toHost} }))
		h.serve("/oauth/client.json", serveJSON(claudeDocument(id)))
		b := g.browser()
		target := strangerURL(id, "http://localhost/callback", "prompt", prompt)
		page := b.signIn(target, "alice", testPassword)
		if page.StatusCode != http.StatusOK || !strings.Contains(page.Body, `value="allow"`) || strings.Contains(page.Body, `name="password"`) {
			t.Errorf("%s: signed in for it: status %d\n%s", prompt, page.StatusCode, page.Body)
		}
		action, fields := form(t, page.Body)
		fields.Set("action", "allow")
		if _, q := location(t, b.post(action, fields)); q.Get("code") == "" {
			t.Errorf("%s: the answer is %v", prompt, q)
		}
		if page = b.get(target); !strings.Contains(page.Body, `name="password"`) {
			t.Errorf("%s: a second request: status %d\n%s", prompt, page.StatusCode, page.Body)
		}
	}
}

// Where the document cannot be had after the sign-in, the person is at an address that can be
// asked for once more.
func TestH13UnreachableAfterSignIn(t *testing.T) {
	h := newDocHost(t)
	up := false
	g := newGateway(t, h.documents(func(p *clients.DocumentPolicy) {
		good := p.Rules.Fetch
		p.Rules = clientdoc.Rules{Any: true, Fetch: func(ctx context.Context, address string) (clientdoc.Fetched, error) {
			if !up {
				return clientdoc.Fetched{}, context.DeadlineExceeded
			}
			return good(ctx, strings.Replace(address, "https://client.example", h.URL, 1))
		}}
	}))
	const id = "https://client.example/c"
	h.serve("/c", serveJSON(claudeDocument(id)))
	b := g.browser()
	to := b.signIn(strangerURL(id, "http://localhost/callback"), "alice", testPassword).Header.Get("Location")
	if res := b.get(to); res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("away: status %d", res.StatusCode)
	}
	up = true
	g.pass(31 * time.Second)
	if res := b.get(to); res.StatusCode != http.StatusOK || !strings.Contains(res.Body, `value="allow"`) {
		t.Errorf("there again: status %d\n%s", res.StatusCode, res.Body)
	}
}

// A copy that was fetched slowly does not overwrite a newer one of another node, nor what another
// node has heard of its end: what the host was asked for last counts on both. H12.
func TestH12SlowCopy(t *testing.T) {
	for _, gone := range []bool{false, true} {
		h := newDocHost(t)
		g := newGateway(t, h.documents())
		id := h.publish("/c", nil)
		document := func(name string) clientdoc.Fetched {
			return clientdoc.Fetched{Text: fmt.Appendf(nil, `{"client_id":%q,"client_name":%q,"redirect_uris":["http://localhost/callback"]}`, id, name)}
		}
		rules := func(f clientdoc.Fetch) *clientdoc.Rules {
			return &clientdoc.Rules{Allow: []string{h.URL + "/"}, Fetch: f}
		}
		node := func() *clientdoc.Book {
			b := clientdoc.NewBook(clientdoc.BookConfig{Store: g.store, Observer: g.heard, Clock: g.clock})
			t.Cleanup(b.Close)
			return b
		}
		begun, answer := make(chan struct{}), make(chan struct{})
		slowly := rules(func(context.Context, string) (clientdoc.Fetched, error) {
			close(begun)
			<-answer
			return document("older"), nil
		})
		show, err := document("newer"), error(nil)
		quickly := rules(func(context.Context, string) (clientdoc.Fetched, error) { return show, err })
		slow, quick := node(), node()
		done := make(chan error)
		go func() {
			_, err := slow.Look(t.Context(), slowly, id, clientdoc.Visitor{})
			done <- err
		}()
		<-begun
		g.pass(time.Second)
		if _, err := quick.Look(t.Context(), quickly, id, clientdoc.Visitor{}); err != nil {
			t.Fatal(err)
		}
		if err := quick.Keep(t.Context(), quickly, id); err != nil {
			t.Fatal(err)
		}
		if gone {
			g.pass(25 * time.Hour)
			err = clientdoc.ErrGone
			if doc, err := quick.Look(t.Context(), quickly, id, clientdoc.Visitor{}); err == nil {
				t.Fatalf("gone: %v", doc)
			}
		}
		close(answer)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if err := slow.Keep(t.Context(), slowly, id); (err != nil) != gone {
			t.Errorf("gone %t: keeping the older copy: %v", gone, err)
		}
		for name, b := range map[string]*clientdoc.Book{"the slow node": slow, "a third one": node()} {
			doc, err := b.Get(t.Context(), quickly, id)
			if gone != (err != nil) || err == nil && doc.Name != "newer" {
				t.Errorf("gone %t: %s has %v, %v", gone, name, doc, err)
			}
		}
	}
}

// Whoever has to authenticate has to at the revocation endpoint, too, however the client is known;
// and a public one still need not. RFC 7009 §2.1, H11.
func TestH11RevocationAuthenticates(t *testing.T) {
	for _, public := range []bool{false, true} {
		h := newDocHost(t)
		g := newGateway(t, h.documents())
		key, err := jose.GenerateKey(jose.ES256)
		if err != nil {
			t.Fatal(err)
		}
		set, err := jose.MarshalKeySet([]*jose.PublicKey{key.Public()})
		if err != nil {
			t.Fatal(err)
		}
		s := signer{g, h.URL + "/c", key}
		doc := map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": h.URL + "/keys"}
		if public {
			doc["token_endpoint_auth_methods_supported"] = []string{"none", "private_key_jwt"}
		}
		h.publish("/c", doc)
		h.serve("/keys", serveJSON(json.RawMessage(set)))
		const redirect = "http://localhost/callback"
		v := asserting(s.assertion(s.claims(nil)), "grant_type", "authorization_code", "code_verifier", testVerifier, "redirect_uri", redirect)
		v.Set("code", g.browser().agree(strangerURL(s.id, redirect)).Get("code"))
		got := jsonOf(t, g.post("/oauth/token", v))
		access, refresh := got["access_token"].(string), got["refresh_token"].(string)
		lives := func() bool {
			_, err := g.Issuer.CheckAccess(t.Context(), access)
			return err == nil
		}
		want := http.StatusUnauthorized
		if public {
			want = http.StatusOK
		}
		if !public { // nothing of a public one is left afterwards
			res := g.post("/oauth/revoke", url.Values{"client_id": {s.id}, "token": {refresh}})
			if res.StatusCode != want || !lives() {
				t.Errorf("the refresh token without the key: status %d, the access token lives %t", res.StatusCode, lives())
			}
		}
		if res := g.post("/oauth/revoke", url.Values{"client_id": {s.id}, "token": {access}}); res.StatusCode != want || lives() == public {
			t.Errorf("public %t: the access token without a key: status %d, it lives %t", public, res.StatusCode, lives())
		}
		if public {
			if res := g.post("/oauth/revoke", url.Values{"client_id": {s.id}, "token": {refresh}}); res.StatusCode != want {
				t.Errorf("public: the refresh token without a key: status %d", res.StatusCode)
			}
			continue
		}
		h.Close() // what is kept of it is enough
		if res := g.post("/oauth/revoke", asserting(s.assertion(s.claims(nil)), "token", access)); res.StatusCode != http.StatusOK || lives() {
			t.Errorf("the access token with the key: status %d, it lives %t", res.StatusCode, lives())
		}
		if res := g.post("/oauth/revoke", asserting(s.assertion(s.claims(nil)), "token", refresh)); res.StatusCode != http.StatusOK {
			t.Errorf("the refresh token with the key: status %d", res.StatusCode)
		}
		if status, body := g.refreshFor(s.id, refresh, "client_assertion", s.assertion(s.claims(nil)), "client_assertion_type", clients.AssertionTypeJWT); status != http.StatusBadRequest {
			t.Errorf("the refresh token afterwards: %d %v", status, body)
		}
	}
	g := newGateway(t, registering)
	res := g.post("/oauth/revoke", url.Values{"client_id": {"web"}, "token": {"x"}})
	if res.StatusCode != http.StatusUnauthorized || !g.heard.has(oauth.EventClientAuth, oauth.Outcome(oauth.ReasonBadMethod)) {
		t.Errorf("a client of the configuration: status %d %s", res.StatusCode, res.Body)
	}
}
