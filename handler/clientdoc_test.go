package handler

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/fetch"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/admin"
	"github.com/gatehouse-auth/gatehouse/tokens/clientdoc"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// docHost is a real HTTPS server that clients publish their metadata at.
type docHost struct {
	t *testing.T
	*httptest.Server

	mu    sync.Mutex
	paths map[string]http.HandlerFunc
	asked []string // the paths, in order
}

func newDocHost(t *testing.T) *docHost {
	t.Helper()
	h := &docHost{t: t, paths: make(map[string]http.HandlerFunc)}
	h.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.asked = append(h.asked, r.URL.Path)
		serve := h.paths[r.URL.Path]
		h.mu.Unlock()
		if serve == nil {
			http.NotFound(w, r)
			return
		}
		serve(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

// count returns how often a path was asked for.
func (h *docHost) count(path string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.asked {
		if p == path {
			n++
		}
	}
	return n
}

func (h *docHost) serve(path string, answer http.HandlerFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.paths[path] = answer
}

func serveJSON(body any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(body)
	}
}

// claudeDocument is the document of Claude Code, as far as it is known: without ports.
func claudeDocument(id string) map[string]any {
	return map[string]any{
		"client_id": id, "client_name": "Claude Code", "redirect_uris": []string{"http://localhost/callback", "http://127.0.0.1/callback", "https://evil.example/cb"},
		"grant_types": []string{"authorization_code", "refresh_token"}, "response_types": []string{"code"}, "token_endpoint_auth_method": "none",
		"logo_uri": "https://elsewhere.example/logo.png", "contacts": nil, "unknown": map[string]any{"a": 1},
	}
}

// publish puts a document at a path and returns its client_id.
func (h *docHost) publish(path string, change map[string]any) string {
	h.t.Helper()
	id := h.URL + path
	doc := claudeDocument(id)
	maps.Copy(doc, change)
	maps.DeleteFunc(doc, func(_ string, v any) bool { return v == deleted })
	h.serve(path, serveJSON(doc))
	return id
}

const deleted = "\x00"

// fetches is how a gateway in a test gets to the host: with every guard but that of addresses.
func (h *docHost) fetches() clientdoc.Fetch {
	pool := x509.NewCertPool()
	pool.AddCert(h.Certificate())
	return fetch.ClientDocuments(true, func() (*x509.CertPool, error) { return pool, nil })
}

// documents lets in the clients of the host.
func (h *docHost) documents(change ...func(*clients.DocumentPolicy)) func(*tokens.Config, *Config) {
	return func(core *tokens.Config, cfg *Config) {
		registering(core, cfg)
		core.Documents = &clients.DocumentPolicy{Policy: *core.Registration, Rules: clientdoc.Rules{Allow: []string{h.URL + "/"}, Fetch: h.fetches()}}
		core.Registration = nil
		for _, c := range change {
			c(core.Documents)
		}
	}
}

func (g *gateway) refreshFor(id, refresh string, more ...string) (status int, got map[string]any) {
	g.t.Helper()
	v := url.Values{"grant_type": {"refresh_token"}, "client_id": {id}, "refresh_token": {refresh}}
	for i := 0; i < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	res := g.post("/oauth/token", v)
	if res.StatusCode == http.StatusServiceUnavailable {
		if res.Header.Get("Retry-After") == "" {
			g.t.Errorf("503 without Retry-After: %s", res.Body)
		}
		return res.StatusCode, nil
	}
	return res.StatusCode, jsonOf(g.t, res)
}

// signInTo runs a whole login of a client that publishes its metadata.
func (b *browser) signInTo(id, redirect string) map[string]any {
	b.g.t.Helper()
	q := b.agree(strangerURL(id, redirect))
	v := url.Values{"grant_type": {"authorization_code"}, "client_id": {id}, "code": {q.Get("code")}, "redirect_uri": {redirect}, "code_verifier": {testVerifier}}
	res := b.g.post("/oauth/token", v)
	got := jsonOf(b.g.t, res)
	if res.StatusCode != http.StatusOK || got["refresh_token"] == nil {
		b.g.t.Fatalf("status %d %s", res.StatusCode, res.Body)
	}
	return got
}

// A whole login of a client that is known by its document: at any loopback port, with one
// request out for all of it, and asked each time. M-08, M-13, M-20, M-22, M-43, AUZ-28, S21.
func TestM08M13M20M22M43AUZ28S21Document(t *testing.T) {
	h := newDocHost(t)
	g := newGateway(t, h.documents())
	id := h.publish("/oauth/client.json", nil)
	discovery := jsonOf(t, g.do(http.MethodGet, "/.well-known/oauth-authorization-server", ""))
	if discovery["client_id_metadata_document_supported"] != true || !slices.Contains(discovery["token_endpoint_auth_methods_supported"].([]any), any("none")) || discovery["registration_endpoint"] != nil {
		t.Errorf("discovery: %v", discovery)
	}
	b := g.browser()
	var refresh string
	for _, redirect := range []string{"http://localhost:3118/callback", "http://127.0.0.1:50123/callback"} {
		got := b.signInTo(id, redirect)
		claims, err := g.Issuer.CheckAccess(t.Context(), got["access_token"].(string))
		if err != nil || claims.ClientID != id || claims.Client.Kind() != storage.AllDocuments || got["scope"] == "" {
			t.Errorf("access token: %+v, %v", claims, err)
		}
		refresh = got["refresh_token"].(string)
	}
	if status, got := g.refreshFor(id, refresh); status != http.StatusOK || got["refresh_token"] == refresh {
		t.Errorf("refresh: status %d %v", status, got)
	}
	for _, redirect := range []string{"https://evil.example/cb", "http://localhost:3118/other", "http://[::1]/callback", "https://localhost/callback", h.URL + "/oauth/cb"} {
		if res := b.get(strangerURL(id, redirect)); res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: status %d", redirect, res.StatusCode)
		}
	}
	if n := h.count("/oauth/client.json"); n != 1 {
		t.Errorf("the host was asked %d times", n)
	}
	page := b.get(strangerURL(id, "http://localhost:1/callback")).Body
	host := strings.TrimPrefix(h.URL, "https://")
	where, from, name := strings.Index(page, "an app on this computer"), strings.Index(page, host), strings.Index(page, "Claude Code")
	if where < 0 || from < where || name < from || !strings.Contains(page, "only if you started this") {
		t.Errorf("the page leads with where the answer goes, then the host, then the name:\n%s", page)
	}
}

// What the host says when it is asked again, and what becomes of the client: C8, H12, M-37, M-39.
func TestH12M37M39HostAway(t *testing.T) {
	html := func(status int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte("<html>Just a moment..."))
		}
	}
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		good   bool // the last good document serves
		want   oauth.Outcome
	}{
		{"a challenge", html(403, "Content-Type", "text/html", "Cf-Mitigated", "challenge"), true, oauth.DocumentUnreachable},
		{"an error", html(500, "Content-Type", "text/html"), true, oauth.DocumentUnreachable},
		{"HTML", html(200, "Content-Type", "text/html"), true, oauth.DocumentUnreachable},
		{"a redirect", html(302, "Location", "/other"), true, oauth.DocumentUnreachable},
		{"a redirect to another host", html(307, "Location", "http://127.0.0.1/"), true, oauth.DocumentUnreachable},
		{"HTML that says that it is JSON", html(200, "Content-Type", "application/json"), false, oauth.DocumentRefused},
		{"too large", serveJSON(map[string]any{"x": strings.Repeat("x", 65<<10)}), true, oauth.DocumentUnreachable},
		{"404", html(404), false, oauth.DocumentGone},
		{"410", html(410), false, oauth.DocumentGone},
		{"another client_id", serveJSON(claudeDocument("https://claude.ai/client.json")), false, oauth.DocumentRefused},
		{"null", serveJSON(nil), false, oauth.DocumentRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newDocHost(t)
			g := newGateway(t, h.documents())
			id := h.publish("/c", nil)
			redirect := "http://localhost:3118/callback"
			refresh := g.browser().signInTo(id, redirect)["refresh_token"].(string)
			h.serve("/c", tt.answer)
			g.pass(25 * time.Hour)
			res := g.browser().get(strangerURL(id, redirect))
			if ok := res.StatusCode == http.StatusOK; ok != tt.good || !ok && res.StatusCode != http.StatusBadRequest || !g.heard.has(oauth.EventClientDocument, tt.want) {
				t.Errorf("status %d, events %v\n%s", res.StatusCode, g.heard.of(oauth.EventClientDocument), res.Body)
			}
			asked := h.count("/c")
			for range 5 {
				g.browser().get(strangerURL(id, redirect))
			}
			if n := h.count("/c"); n != asked {
				t.Errorf("a host that has failed was asked %d times more within half a minute", n-asked)
			}
			if status, got := g.refreshFor(id, refresh); status != http.StatusOK { // whatever the host says
				t.Errorf("refresh: status %d %v", status, got)
			}
			h.publish("/c", nil)
			g.pass(31 * time.Second)
			if res := g.browser().get(strangerURL(id, redirect)); res.StatusCode != http.StatusOK {
				t.Errorf("half a minute later the host is well: status %d %s", res.StatusCode, res.Body)
			}
		})
	}
}

// A gateway that has never seen the document says come again, and never invalid_client. Over plain http there are no documents: M-37, M-45.
func TestM37M45Unseen(t *testing.T) {
	h := newDocHost(t)
	g := newGateway(t, h.documents())
	id := h.URL + "/c"
	h.serve("/c", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	res := g.browser().get(strangerURL(id, "http://localhost/callback"))
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("authorize: status %d %s", res.StatusCode, res.Header)
	}
	res = g.post("/oauth/token", url.Values{"grant_type": {"authorization_code"}, "client_id": {id}, "code": {"x"}, "redirect_uri": {"http://localhost/callback"}, "code_verifier": {testVerifier}})
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || strings.Contains(res.Body, "invalid_client") {
		t.Errorf("token: status %d %s %s", res.StatusCode, res.Header, res.Body)
	}
	for _, unadmitted := range []string{"https://elsewhere.example/c", h.URL, h.URL + "/", h.URL + "/a/../c", h.URL + "/c#x", strings.Replace(h.URL, "https", "http", 1) + "/c"} {
		before := h.count("/c")
		if res := g.browser().get(strangerURL(unadmitted, "http://localhost/callback")); res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: status %d", unadmitted, res.StatusCode)
		}
		res := g.post("/oauth/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {unadmitted}, "refresh_token": {"rt1.x"}})
		if res.StatusCode != http.StatusUnauthorized || h.count("/c") != before {
			t.Errorf("%s: status %d %s", unadmitted, res.StatusCode, res.Body)
		}
	}
	for name, target := range map[string]string{ // H13: nothing is fetched for what cannot be answered
		"no challenge":     strangerURL(id, "http://localhost/callback", "code_challenge", ""),
		"plain":            strangerURL(id, "http://localhost/callback", "code_challenge_method", "plain"),
		"no response_type": strangerURL(id, "http://localhost/callback", "response_type", ""),
		"no redirect_uri":  strangerURL(id, ""),
	} {
		g.pass(time.Minute)
		before := h.count("/c")
		if res := g.browser().get(target); res.StatusCode != http.StatusBadRequest || h.count("/c") != before {
			t.Errorf("%s: status %d, and the host was asked", name, res.StatusCode)
		}
	}
}

// With `any` nothing is fetched before somebody is signed in: H13.
func TestH13Any(t *testing.T) {
	h := newDocHost(t)
	const id = "https://client.example/oauth/client.json"
	toHost := func(ctx context.Context, address string) (clientdoc.Fetched, error) {
		return h.fetches()(ctx, strings.Replace(address, "https://client.example", h.URL, 1))
	}
	g := newGateway(t, h.documents(func(p *clients.DocumentPolicy) { p.Rules = clientdoc.Rules{Any: true, Fetch: toHost} }))
	doc := claudeDocument(id)
	doc["redirect_uris"] = []string{"https://client.example/cb"}
	h.serve("/oauth/client.json", serveJSON(doc))
	b := g.browser()
	target := strangerURL(id, "https://client.example/cb", "state", "kept")
	page := b.get(target)
	if page.StatusCode != http.StatusOK || !strings.Contains(page.Body, `name="password"`) || !strings.Contains(page.Body, "client.example") || h.count("/oauth/client.json") != 0 {
		t.Fatalf("status %d, the host was asked %d times\n%s", page.StatusCode, h.count("/oauth/client.json"), page.Body)
	}
	action, fields := form(t, page.Body)
	fields.Set("username", "alice")
	fields.Set("password", testPassword)
	fields.Set("action", "login")
	page = b.post(action, fields)
	if page.StatusCode != http.StatusOK || !strings.Contains(page.Body, `value="allow"`) || h.count("/oauth/client.json") != 1 {
		t.Fatalf("signed in: status %d\n%s", page.StatusCode, page.Body)
	}
	action, fields = form(t, page.Body)
	fields.Set("action", "allow")
	if _, q := location(t, b.post(action, fields)); q.Get("code") == "" || q.Get("state") != "kept" {
		t.Errorf("the answer is %v", q)
	}
	for _, other := range []string{"https://client.example:8443/oauth/client.json", "https://127.0.0.1:8443/c"} { // a port is admitted by name alone
		if res := b.get(strangerURL(other, "https://client.example/cb")); res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: status %d", other, res.StatusCode)
		}
	}
	for i := range 30 {
		b.get(strangerURL(fmt.Sprintf("https://client.example/%d", i), "https://client.example/cb"))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.asked) != 10 {
		t.Errorf("one visitor has made this gateway ask %d times in a minute, want 10", len(h.asked))
	}
}

// A redirect URI that the document drops between the page and the answer gets nothing, and
// another one is asked for anew: H12.
func TestH12RedirectChanges(t *testing.T) {
	h := newDocHost(t)
	g := newGateway(t, h.documents())
	id := h.publish("/c", map[string]any{"redirect_uris": []string{h.URL + "/one"}})
	b := g.browser()
	page := b.signIn(strangerURL(id, h.URL+"/one"), "alice", testPassword)
	h.publish("/c", map[string]any{"redirect_uris": []string{h.URL + "/two"}})
	g.pass(2 * time.Hour)
	if res := b.get(strangerURL(id, h.URL+"/two")); !strings.Contains(res.Body, `value="allow"`) { // which fetches it again
		t.Fatalf("status %d %s", res.StatusCode, res.Body)
	}
	action, fields := form(t, page.Body)
	fields.Set("action", "allow")
	res := b.post(action, fields)
	if res.Header.Get("Location") != "" || res.StatusCode == http.StatusSeeOther {
		t.Errorf("the answer went to %s", res.Header.Get("Location"))
	}
	b.signInTo(id, h.URL+"/two")
}

// ChatGPT's document: private_key_jwt by RS256, keys on its own host, both methods in the list of
// those that it has. M-44.
func TestM44PrivateKeyJWT(t *testing.T) {
	for _, mixed := range []bool{false, true} {
		h := newDocHost(t)
		g := newGateway(t, h.documents())
		key, err := jose.GenerateKey(jose.RS256)
		if err != nil {
			t.Fatal(err)
		}
		set, err := jose.MarshalKeySet([]*jose.PublicKey{key.Public()})
		if err != nil {
			t.Fatal(err)
		}
		s := signer{g, h.URL + "/oauth/client.json", key}
		doc := map[string]any{"client_name": "ChatGPT", "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "RS256", "jwks_uri": h.URL + "/oauth/jwks.json"}
		if mixed {
			doc["token_endpoint_auth_methods_supported"] = []string{"none", "private_key_jwt"}
		}
		h.publish("/oauth/client.json", doc)
		h.serve("/oauth/jwks.json", serveJSON(json.RawMessage(set)))
		redirect := "http://localhost/callback"
		b := g.browser()
		code := func() string { return b.agree(strangerURL(s.id, redirect)).Get("code") }
		exchange := func(code string, v url.Values) *answerOf {
			v.Set("grant_type", "authorization_code")
			v.Set("code", code)
			v.Set("redirect_uri", redirect)
			v.Set("code_verifier", testVerifier)
			res := g.post("/oauth/token", v)
			return &answerOf{res.StatusCode, jsonOf(t, res)}
		}
		if got := exchange(code(), url.Values{"client_id": {s.id}}); (got.status == http.StatusOK) != mixed {
			t.Errorf("mixed %t: without a key: %v", mixed, got)
		}
		if got := exchange(code(), url.Values{"client_id": {s.id}, "token": {"x"}, "refresh_token": {"x"}}); (got.status == http.StatusOK) != mixed {
			t.Errorf("mixed %t: without a key, beside what it does not show: %v", mixed, got)
		}
		got := exchange(code(), asserting(s.assertion(s.claims(nil))))
		if got.status != http.StatusOK {
			t.Fatalf("mixed %t: with its key: %v", mixed, got)
		}
		refresh := got.body["refresh_token"].(string)
		h.Close() // and nobody needs it any more
		status, body := g.refreshFor(s.id, refresh, "client_assertion", s.assertion(s.claims(nil)), "client_assertion_type", clients.AssertionTypeJWT)
		if status != http.StatusOK {
			t.Fatalf("mixed %t: refresh with the host away: %d %v", mixed, status, body)
		}
		if status, body := g.refreshFor(s.id, body["refresh_token"].(string)); (status == http.StatusOK) != mixed {
			t.Errorf("mixed %t: refresh without a key: %d %v", mixed, status, body)
		}
	}
}

// A client that replaces the keys in its document goes on, though nobody signs in by it: until the
// document was fetched again it is asked to come back, and never forgets who it is. H12, M-37.
func TestH12M37KeysInDocument(t *testing.T) {
	h := newDocHost(t)
	g := newGateway(t, h.documents())
	signs := func() signer {
		key, err := jose.GenerateKey(jose.ES256)
		if err != nil {
			t.Fatal(err)
		}
		set, err := jose.MarshalKeySet([]*jose.PublicKey{key.Public()})
		if err != nil {
			t.Fatal(err)
		}
		return signer{g, h.publish("/c", map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": json.RawMessage(set)}), key}
	}
	asserted := func(s signer, refresh string) (int, map[string]any) {
		return g.refreshFor(s.id, refresh, "client_assertion", s.assertion(s.claims(nil)), "client_assertion_type", clients.AssertionTypeJWT)
	}
	first := signs()
	redirect := "http://localhost/callback"
	v := asserting(first.assertion(first.claims(nil)))
	v.Set("grant_type", "authorization_code")
	v.Set("code", g.browser().agree(strangerURL(first.id, redirect)).Get("code"))
	v.Set("redirect_uri", redirect)
	v.Set("code_verifier", testVerifier)
	refresh := jsonOf(t, g.post("/oauth/token", v))["refresh_token"].(string)

	second := signs()
	if status, body := asserted(second, refresh); status != http.StatusUnauthorized {
		t.Errorf("a key that the document does not have, while that is fresh: %d %v", status, body)
	}
	g.pass(25 * time.Hour)
	asked := h.count("/c")
	status, body := asserted(second, refresh)
	for begun := time.Now(); status != http.StatusOK && time.Since(begun) < 10*time.Second; status, body = asserted(second, refresh) {
		if status != http.StatusServiceUnavailable {
			t.Fatalf("while the document is fetched: %d %v", status, body)
		}
	}
	if status != http.StatusOK || h.count("/c") != asked+1 {
		t.Errorf("with the new key: %d %v, %d fetches", status, body, h.count("/c")-asked)
	}
}

type answerOf struct {
	status int
	body   map[string]any
}

// Pages of one sign-in may come from several nodes: what the host has shown to one of them, the
// others know, and what it shows later counts. H12, M-37.
func TestH12M37OtherNodes(t *testing.T) {
	h := newDocHost(t)
	g := newGateway(t, h.documents())
	id, redirect := h.publish("/c", nil), "http://localhost:3118/callback"
	away := errors.New("the host is away")
	var answer error
	asked := 0
	rules := &clientdoc.Rules{Allow: []string{h.URL + "/"}, Fetch: func(context.Context, string) (clientdoc.Fetched, error) {
		asked++
		return clientdoc.Fetched{}, answer
	}}
	node := func() *clientdoc.Book {
		b := clientdoc.NewBook(clientdoc.BookConfig{Store: g.store, Observer: g.heard, Clock: g.clock})
		t.Cleanup(b.Close)
		return b
	}
	early, late := node(), node()
	answer = away
	if _, err := early.Look(t.Context(), rules, id, clientdoc.Visitor{}); !errors.Is(err, clientdoc.ErrUnseen) {
		t.Fatalf("the host is away: %v", err)
	}
	if res := g.browser().get(strangerURL(id, redirect)); res.StatusCode != http.StatusOK {
		t.Fatalf("the login page: status %d %s", res.StatusCode, res.Body)
	}
	asked = 0
	if doc, err := late.Get(t.Context(), rules, id); err != nil || doc.URL != id {
		t.Errorf("a node that has not heard of it: %v, %v", doc, err)
	}
	g.pass(31 * time.Second)
	if doc, err := early.Get(t.Context(), rules, id); err != nil || doc.URL != id || asked != 0 {
		t.Errorf("a node that could not fetch it: %v, %v, %d fetches", doc, err, asked)
	}

	answer = clientdoc.ErrGone
	g.pass(25 * time.Hour)
	if doc, err := early.Look(t.Context(), rules, id, clientdoc.Visitor{}); err == nil || asked != 1 {
		t.Errorf("the host has taken it back: %v, %d fetches", doc, asked)
	}
	g.pass(31 * time.Second)
	if doc, err := late.Get(t.Context(), rules, id); err != nil || doc.URL != id {
		t.Errorf("a node that has not looked since: %v, %v", doc, err)
	}
	if doc, err := early.Get(t.Context(), rules, id); err == nil {
		t.Errorf("after it was taken back: %v", doc)
	}
}

// A document that was pinned, and is no longer, is fetched: M-39.
func TestM39Unpinned(t *testing.T) {
	h := newDocHost(t)
	g := newGateway(t, h.documents())
	id := h.URL + "/c"
	text := []byte(`{"client_id":"` + id + `","redirect_uris":["http://localhost/callback"]}`)
	pin, err := clientdoc.Parse(id, text)
	if err != nil {
		t.Fatal(err)
	}
	b := clientdoc.NewBook(clientdoc.BookConfig{Store: g.store, Observer: g.heard, Clock: g.clock})
	t.Cleanup(b.Close)
	asked := 0
	rules := clientdoc.Rules{Allow: []string{h.URL + "/"}, Fetch: func(context.Context, string) (clientdoc.Fetched, error) {
		asked++
		return clientdoc.Fetched{Text: text}, nil
	}}
	pinned := rules
	pinned.Pinned = map[string]*clientdoc.Document{id: pin}
	if doc, err := b.Look(t.Context(), &pinned, id, clientdoc.Visitor{}); err != nil || doc != pin || asked != 0 {
		t.Fatalf("pinned: %v, %v, %d fetches", doc, err, asked)
	}
	if _, err := b.Look(t.Context(), &rules, id, clientdoc.Visitor{}); err != nil || asked != 1 {
		t.Fatalf("not any more: %v, %d fetches", err, asked)
	}
	if _, err := b.Get(t.Context(), &rules, id); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// A stranger who has a thousand other documents fetched takes nothing from anybody: what somebody
// has agreed to is kept, also for a gateway that starts while the host is away. H12, M-39, M-40.
func TestH12M39M40Flushed(t *testing.T) {
	h := newDocHost(t)
	g := newGateway(t, h.documents())
	id, redirect := h.publish("/c", nil), "http://localhost:3118/callback"
	refresh := g.browser().signInTo(id, redirect)["refresh_token"].(string)
	for i := range 1100 {
		if i%10 == 0 {
			g.pass(time.Minute)
		}
		_ = g.Issuer.Meet(t.Context(), mustQuery(t, strangerURL(h.publish(fmt.Sprintf("/flood/%d", i), nil), redirect)), clientdoc.Visitor{Network: fmt.Sprint(i)})
	}
	if n := len(g.heard.of(oauth.EventClientDocument)); n < 1000 {
		t.Fatalf("%d documents were fetched", n)
	}
	h.Close()
	asked := h.count("/c")
	if res := g.browser().get(strangerURL(id, redirect)); res.StatusCode != http.StatusOK {
		t.Errorf("flushed: status %d %s", res.StatusCode, res.Body)
	}
	g.pass(25 * time.Hour) // and it is due
	if res := g.browser().get(strangerURL(id, redirect)); res.StatusCode != http.StatusOK || h.count("/c") != asked {
		t.Errorf("due, with the host away: status %d %s", res.StatusCode, res.Body)
	}
	status, body := g.refreshFor(id, refresh)
	if status != http.StatusOK {
		t.Fatalf("refresh: status %d %v", status, body)
	}
	g.pass(31 * 24 * time.Hour)
	res := g.browser().get(strangerURL(id, redirect))
	if res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(res.Body, "application&#39;s own details") {
		t.Errorf("a month later: status %d %s", res.StatusCode, res.Body)
	}
	// It is no trouble of ours, of which a stranger could make alarms.
	if g.heard.of(oauth.EventStoreTrouble) != nil || !g.heard.has(oauth.EventRequestRefused, oauth.Outcome(oauth.ReasonClientDocument)) {
		t.Errorf("heard of %v", g.heard.heardOf(oauth.EventStoreTrouble, oauth.EventRequestRefused))
	}
}

// M-05: one person who lets a thousand clients in holds 200 families, whichever kind they are of.
// What is past the cap costs the same each time: both stores are asked for the thousand
// (storetest, "a thousand that nobody registered").
func TestM05Documents(t *testing.T) {
	h := newDocHost(t)
	g := newGateway(t, h.documents())
	login, _, err := g.Issuer.SignIn(t.Context(), tokens.Profile{Subject: "local|bob", Login: "local", Fingerprint: bobs(g)}, "")
	if err != nil {
		t.Fatal(err)
	}
	const uri = "http://localhost/callback"
	for i := range 220 {
		g.pass(6 * time.Second)
		q := mustQuery(t, strangerURL(h.publish(fmt.Sprintf("/%d", i), nil), uri))
		if err := g.Issuer.Meet(t.Context(), q, clientdoc.Visitor{Person: "bob"}); err != nil {
			t.Fatal(err)
		}
		a, err := g.Issuer.ParseAuthorization(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		code, err := g.Issuer.IssueCode(t.Context(), a, login)
		if err != nil {
			t.Fatal(err)
		}
		client, err := g.Issuer.Client(t.Context(), a.ClientID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.Issuer.Token(t.Context(), client, tokens.TokenRequest{GrantType: oauth.GrantAuthorizationCode, Code: code, RedirectURI: uri, CodeVerifier: testVerifier}); err != nil {
			t.Fatal(err)
		}
	}
	if families, err := g.Issuer.Grants(t.Context(), "local|bob"); err != nil || len(families) != 200 {
		t.Errorf("%d families, %v", len(families), err)
	}
}

// H11: a client that publishes its metadata has none of the powers of one that an operator knows,
// whatever it says of itself.
func TestH11DocumentPowers(t *testing.T) {
	h := newDocHost(t)
	g := newGateway(t, h.documents())
	id := h.publish("/c", map[string]any{
		"post_logout_redirect_uris": []string{"https://evil.example/"}, "backchannel_logout_uri": "https://evil.example/", "web_origins": []string{"https://evil.example"},
		"grant_types": []string{"authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code"}, "scope": "orders:write admin",
	})
	redirect := "http://localhost/callback"
	got := g.browser().signInTo(id, redirect)
	for name, form := range map[string]url.Values{
		"machine": {"grant_type": {"client_credentials"}, "client_id": {id}},
		"device":  {"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {id}, "device_code": {"x"}},
	} {
		if res := g.post("/oauth/token", form); res.StatusCode != http.StatusBadRequest || jsonOf(t, res)["error"] != "unauthorized_client" {
			t.Errorf("%s: status %d %s", name, res.StatusCode, res.Body)
		}
	}
	if res := g.post("/oauth/device/code", url.Values{"client_id": {id}}); res.StatusCode != http.StatusBadRequest {
		t.Errorf("device code: status %d %s", res.StatusCode, res.Body)
	}
	if res := g.post("/oauth/introspect", url.Values{"client_id": {id}, "token": {got["access_token"].(string)}}); res.StatusCode == http.StatusOK {
		t.Errorf("introspection: %s", res.Body)
	}
	for _, mode := range []string{"form_post", "fragment", "web_message"} {
		if _, q := location(t, g.browser().get(strangerURL(id, redirect, "response_mode", mode))); q.Get("error") != "invalid_request" {
			t.Errorf("%s: %v", mode, q)
		}
	}
	for _, target := range []string{"/v2/logout?client_id=" + url.QueryEscape(id) + "&returnTo=https://evil.example/", "/oidc/logout?client_id=" + url.QueryEscape(id) + "&post_logout_redirect_uri=https://evil.example/"} {
		if res := g.browser().get(target); strings.Contains(res.Header.Get("Location"), "evil") {
			t.Errorf("%s leads to %s", target, res.Header.Get("Location"))
		}
	}
	if res := g.post("/oauth/revoke", url.Values{"client_id": {id}, "token": {got["refresh_token"].(string)}}); res.StatusCode != http.StatusOK {
		t.Errorf("revoking its own: status %d %s", res.StatusCode, res.Body)
	}
	if status, body := g.refreshFor(id, got["refresh_token"].(string)); status != http.StatusBadRequest || body["error"] != "invalid_grant" {
		t.Errorf("revoked, and then: %d %v", status, body)
	}
}

// M-21: names made to deceive are cleaned, cut and quoted, behind where the answer goes.
func TestM21DocumentNames(t *testing.T) {
	h := newDocHost(t)
	g := newGateway(t, h.documents())
	for i, name := range []string{"Google", "Goog\u200ble\n\n\u202eevil", "Gооgle (Cyrillic)", strings.Repeat("Google ", 30), `Google</strong><script>alert(1)</script>`} {
		id := h.publish(fmt.Sprintf("/%d", i), map[string]any{"client_name": name, "redirect_uris": []string{h.URL + "/cb"}})
		page := g.browser().signIn(strangerURL(id, h.URL+"/cb"), "alice", testPassword).Body
		host := strings.TrimPrefix(h.URL, "https://")
		where, called := strings.Index(page, "<strong>"+host+"</strong>"), max(strings.Index(page, "Goog"), strings.Index(page, "Gо"))
		if where < 0 || called < where || strings.ContainsAny(page, "\u200b\u202e") || strings.Contains(page, "<script>alert") || strings.Count(page, "Google ") > 8 {
			t.Errorf("%q:\n%s", name, page)
		}
	}
}

// M-36: with on_reuse refuse an old copy of a refresh token is refused, and the newest is good.
func TestM36OnReuseRefuse(t *testing.T) {
	for _, refuse := range []bool{true, false} {
		h := newDocHost(t)
		g := newGateway(t, h.documents(func(p *clients.DocumentPolicy) { p.Refresh.ReuseRefused = refuse }))
		id := h.publish("/c", nil)
		first := g.browser().signInTo(id, "http://localhost/callback")["refresh_token"].(string)
		_, body := g.refreshFor(id, first)
		second := body["refresh_token"].(string)
		g.pass(3 * time.Minute)
		if status, body := g.refreshFor(id, first); status != http.StatusBadRequest || body["error"] != "invalid_grant" {
			t.Errorf("the old one: %d %v", status, body)
		}
		want := oauth.Outcome(oauth.ReasonReuse)
		if refuse {
			want = oauth.OutcomeSpared
		}
		if status, body := g.refreshFor(id, second); (status == http.StatusOK) != refuse || !g.heard.has(oauth.EventRefreshReuse, want) {
			t.Errorf("on_reuse refuse %t, the newest: %d %v", refuse, status, body)
		}
	}
}

// Guesses of the registration token are slowed down by address, and so are registrations.
func TestRegistrationLimits(t *testing.T) {
	g := newGateway(t, registering, func(_ *tokens.Config, cfg *Config) { cfg.RegistrationToken = "a-registration-token" })
	for range 25 {
		if res := g.registerBody(codeBody, "Authorization", "Bearer wrong"); res.StatusCode != http.StatusUnauthorized {
			t.Fatalf("status %d %s", res.StatusCode, res.Body)
		}
	}
	if res := g.registerBody(codeBody, "Authorization", "Bearer wrong"); res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
		t.Errorf("the guess after the last: status %d %s", res.StatusCode, res.Header)
	}
	g.pass(time.Hour)
	for range registrationBurst {
		if res := g.registerBody(codeBody, "Authorization", "Bearer a-registration-token"); res.StatusCode != http.StatusCreated {
			t.Fatalf("status %d %s", res.StatusCode, res.Body)
		}
	}
	if res := g.registerBody(codeBody, "Authorization", "Bearer a-registration-token"); res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
		t.Errorf("the registration after the last: status %d %s", res.StatusCode, res.Header)
	}
}

// H15: an operator ends and blocks a client by its URL, and sees it in the list of clients.
func TestH15DocumentBlock(t *testing.T) {
	h := newDocHost(t)
	g := newGateway(t, h.documents())
	operator := admin.New(g.Issuer, g.state)
	id, redirect := h.publish("/c", nil), "http://localhost/callback"
	b := g.browser()
	refresh := b.signInTo(id, redirect)["refresh_token"].(string)
	list, _, err := operator.ListClients(t.Context())
	if err != nil || !slices.ContainsFunc(list, func(c admin.ListedClient) bool {
		return c.ID == g.Issuer.TagOf(id).String() && strings.HasPrefix(c.ID, "document:") && c.Families == 1
	}) {
		t.Errorf("the list: %+v, %v", list, err)
	}
	if err := operator.EndClient(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if status, body := g.refreshFor(id, refresh); status != http.StatusBadRequest || body["error"] != "invalid_grant" {
		t.Errorf("ended: %d %v", status, body)
	}
	g.pass(2 * time.Second)
	b.signInTo(id, redirect) // the id is as good as before
	if err := operator.BlockClient(t.Context(), id, true); err != nil {
		t.Fatal(err)
	}
	if _, q := location(t, b.get(strangerURL(id, redirect))); q.Get("error") != "unauthorized_client" {
		t.Errorf("blocked: %v", q)
	}
}

// M-25, AUZ-28: a client that asks for more later is asked about all of it, and gets no more than
// the person was shown.
func TestM25AUZ28DocumentGrows(t *testing.T) {
	h := newDocHost(t)
	g := newGateway(t, h.documents())
	id, redirect := h.publish("/c", nil), "http://localhost/callback"
	b := g.browser()
	got := b.signInTo(id, redirect)
	if status, body := g.refreshFor(id, got["refresh_token"].(string), "scope", "orders:read orders:write"); status != http.StatusOK || strings.Contains(fmt.Sprint(body["scope"]), "orders:write") {
		t.Errorf("a refresh that asks for more: %d %v", status, body)
	}
	page := b.get(strangerURL(id, redirect, "scope", "orders:read orders:write"))
	if !strings.Contains(page.Body, "orders:write") || !strings.Contains(page.Body, "orders:read") || !strings.Contains(page.Body, `value="allow"`) {
		t.Errorf("the page:\n%s", page.Body)
	}
}
