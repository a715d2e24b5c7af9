package handler

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"testing"

	"github.com/gatehouse-auth/gatehouse/handler/wire/wiretest"
)

const (
	testIssuer   = "https://auth.example.com/"
	testAPI      = "https://api.example.com"
	spaOrigin    = "https://app.example.com"
	spaRedirect  = "https://app.example.com/cb"
	testVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	webSecret    = "secret-of-the-web-client-0123456789"
	testPassword = "correct horse"
)

func jsonOf(t *testing.T, res *wiretest.Answer) map[string]any {
	t.Helper()
	text := res.Body
	m := make(map[string]any)
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("status %d: not a JSON object: %q", res.StatusCode, text)
	}
	return m
}

// browser keeps cookies and fills in forms.
type browser struct {
	g       *gateway
	cookies map[string]*http.Cookie
}

func (g *gateway) browser() *browser { return &browser{g: g, cookies: make(map[string]*http.Cookie)} }

// clone is a copy of the browser's state, as a thief of cookies has it.
func (b *browser) clone() *browser { return &browser{g: b.g, cookies: maps.Clone(b.cookies)} }

func (b *browser) send(method, target, body string, headers ...string) *wiretest.Answer {
	b.g.t.Helper()
	for _, c := range b.cookies {
		headers = append(headers, "Cookie", c.Name+"="+c.Value)
	}
	res := b.g.do(method, target, body, headers...)
	for _, c := range res.Cookies {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
			continue
		}
		b.cookies[c.Name] = c
	}
	return res
}

func (b *browser) get(target string, headers ...string) *wiretest.Answer {
	b.g.t.Helper()
	return b.send(http.MethodGet, target, "", headers...)
}

var (
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	scriptNonce = regexp.MustCompile(`<script nonce="[^"]*">`)
	formAction  = regexp.MustCompile(`<form method="post" action="([^"]*)">`)
)

// form reads the page's form: where it goes and its hidden fields.
func form(t *testing.T, page string) (action string, fields url.Values) {
	t.Helper()
	m := formAction.FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("there is no form on the page:\n%s", page)
	}
	fields = make(url.Values)
	for _, f := range hiddenField.FindAllStringSubmatch(page, -1) {
		fields.Add(html.UnescapeString(f[1]), html.UnescapeString(f[2]))
	}
	return html.UnescapeString(m[1]), fields
}

// authorizeURL returns a good authorization request of the SPA, with changes
// given in pairs; an empty value takes a parameter out.
func authorizeURL(change ...string) string {
	sum := sha256.Sum256([]byte(testVerifier))
	q := url.Values{
		"client_id": {"spa"}, "redirect_uri": {spaRedirect}, "response_type": {"code"},
		"scope": {"openid profile email offline_access orders:read"}, "audience": {testAPI}, "state": {"st"}, "nonce": {"no"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(change); i += 2 {
		if change[i+1] == "" {
			q.Del(change[i])
			continue
		}
		q.Set(change[i], change[i+1])
	}
	return "/authorize?" + q.Encode()
}

// signIn answers an authorization request by the login page.
func (b *browser) signIn(target, user, password string, headers ...string) *wiretest.Answer {
	b.g.t.Helper()
	res := b.get(target)
	if res.StatusCode != http.StatusOK {
		b.g.t.Fatalf("GET %s: status %d, want the login page\n%s", target, res.StatusCode, res.Body)
	}
	action, fields := form(b.g.t, res.Body)
	fields.Set("username", user)
	fields.Set("password", password)
	fields.Set("action", "login")
	return b.post(action, fields, headers...)
}

// location returns where a 303 leads and the parameters of its query.
func location(t *testing.T, res *wiretest.Answer) (string, url.Values) {
	t.Helper()
	if res.StatusCode != http.StatusSeeOther {
		t.Fatalf("status %d, want 303\n%s", res.StatusCode, res.Body)
	}
	u, err := url.Parse(res.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	u.RawQuery = ""
	return u.String(), q
}

// exchange redeems a code at the token endpoint.
func (g *gateway) exchange(code string, headers ...string) *wiretest.Answer {
	g.t.Helper()
	return g.post("/oauth/token", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"spa"}, "code": {code}, "redirect_uri": {spaRedirect}, "code_verifier": {testVerifier},
	}, headers...)
}

// tokensOf signs alice in at the SPA and returns the token response.
func (b *browser) tokensOf(change ...string) map[string]any {
	b.g.t.Helper()
	_, q := location(b.g.t, b.signIn(authorizeURL(change...), "alice", testPassword))
	res := b.g.exchange(q.Get("code"))
	if res.StatusCode != http.StatusOK {
		b.g.t.Fatalf("token: status %d %s", res.StatusCode, res.Body)
	}
	return jsonOf(b.g.t, res)
}
