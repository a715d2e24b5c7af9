package handler

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/handler/wire/wiretest"
)

// codeFor signs alice in at the SPA and returns a fresh code.
func (g *gateway) codeFor(change ...string) string {
	g.t.Helper()
	_, q := location(g.t, g.browser().signIn(authorizeURL(change...), "alice", testPassword))
	return q.Get("code")
}

// wantOAuthError checks an error answer of an endpoint for programs.
func wantOAuthError(t *testing.T, res *wiretest.Answer, status int, code string) {
	t.Helper()
	body := jsonOf(t, res)
	if res.StatusCode != status || body["error"] != code {
		t.Errorf("answer %d %v, want %d %s", res.StatusCode, body, status, code)
	}
	if res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", res.Header)
	}
	for name := range body {
		if name != "error" && name != "error_description" {
			t.Errorf("the answer says %s", name)
		}
	}
}

// TOK-01: the token endpoint takes POST alone.
func TestHardeningTOK01(t *testing.T) {
	g := newGateway(t)
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodHead, http.MethodOptions} {
		res := g.do(method, "/oauth/token?grant_type=authorization_code", "")
		if res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != http.MethodPost {
			t.Errorf("%s: %d, Allow %q", method, res.StatusCode, res.Header.Get("Allow"))
		}
	}
}

// TOK-02: a form, or one flat JSON object; nothing else.
func TestHardeningTOK02(t *testing.T) {
	g := newGateway(t)
	good := "grant_type=client_credentials&client_id=machine&client_secret=" + webSecret
	object := `{"grant_type":"client_credentials","client_id":"machine","client_secret":"` + webSecret + `"`
	for _, tc := range []struct {
		name, contentType, body string
		status                  int
	}{
		{"form", formType, good, 200},
		{"form with charset", formType + "; charset=UTF-8", good, 200},
		{"JSON", "application/json", object + "}", 200},
		{"JSON, unknown member", "application/json", object + `,"x":"y"}`, 200},
		{"multipart", "multipart/form-data; boundary=b", "--b\r\n\r\nx\r\n--b--", 400},
		{"text", "text/plain", good, 400},
		{"none", "", good, 400},
		{"charset", formType + "; charset=utf-16", good, 400},
		{"S15: ISO-8859-1", formType + "; charset=ISO-8859-1", good, 200},
		{"S15: us-ascii", formType + `; charset="US-ASCII"`, good, 200},
		{"S15: JSON in ISO-8859-1", "application/json; charset=iso-8859-1", object + "}", 200},
		{"S15: JSON in ISO-8859-1, escaped", "application/json; charset=iso-8859-1", object + `,"x":"\u00e9"}`, 200},
		{"S15: ISO-8859-1, not ASCII", formType + "; charset=ISO-8859-1", good + "&x=\xe9", 400},
		{"S15: ISO-8859-1, not ASCII, encoded", formType + "; charset=ISO-8859-1", good + "&x=%e9", 400},
		{"S15: JSON in ISO-8859-1, not ASCII", "application/json; charset=iso-8859-1", object + `,"x":"é"}`, 400},
		{"S15: a second attribute", formType + "; charset=utf-8; x=y", good, 400},
		{"malformed type", "application/;", good, 400},
		{"JSON with another type", "application/hal+json", object + "}", 400},
		{"JSON as text", "text/plain", object + "}", 400},
		// P3: null is absent; numbers and booleans are their text.
		{"number", "application/json", object + `,"x":1}`, 200},
		{"boolean", "application/json", object + `,"x":true}`, 200},
		{"null", "application/json", object + `,"organization":null}`, 200},
		{"null for what is needed", "application/json", `{"grant_type":null,"client_id":"machine","client_secret":"` + webSecret + `"}`, 400},
		{"repeated after null", "application/json", object + `,"x":null,"x":"y"}`, 400},
		{"nested", "application/json", object + `,"x":{"y":"z"}}`, 400},
		{"list", "application/json", object + `,"resource":["a"]}`, 400},
		{"repeated", "application/json", object + `,"client_id":"machine"}`, 400},
		{"repeated by escape", "application/json", object + `,"client\u005fid":"machine"}`, 400},
		{"tail", "application/json", object + `} {}`, 400},
		{"cut", "application/json", object, 400},
		{"array", "application/json", `["grant_type"]`, 400},
		{"string", "application/json", `"x"`, 400},
		{"empty", "application/json", ``, 400},
		{"not UTF-8", "application/json", object + ",\"x\":\"\xff\"}", 400},
		{"BOM", "application/json", "\ufeff" + object + "}", 400},
		{"deep", "application/json", object + `,"x":` + strings.Repeat("[", 10_000), 400},
		{"bad escape", formType, good + "&x=%zz", 400},
		{"semicolons", formType, strings.ReplaceAll(good, "&", ";"), 400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := g.do(http.MethodPost, "/oauth/token", tc.body, "Content-Type", tc.contentType)
			if tc.status == http.StatusOK {
				if res.StatusCode != http.StatusOK {
					t.Errorf("%d %s", res.StatusCode, res.Body)
				}
				return
			}
			wantOAuthError(t, res, tc.status, "invalid_request")
		})
	}
	if n := g.store.writes.Load(); n != 0 {
		t.Errorf("%d writes to the store", n)
	}
}

// TOK-04, TOK-05: a repeated parameter is refused, an empty one is omitted.
func TestHardeningTOK04And05(t *testing.T) {
	g := newGateway(t)
	code := g.codeFor()
	good := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"spa"}, "code": {code}, "redirect_uri": {spaRedirect}, "code_verifier": {testVerifier},
	}.Encode()
	for _, name := range []string{"grant_type", "code", "client_id", "scope", "unknown"} {
		res := g.do(http.MethodPost, "/oauth/token", good+"&"+name+"=a&"+name+"=a", "Content-Type", formType)
		wantOAuthError(t, res, http.StatusBadRequest, "invalid_request")
	}
	empty := strings.Replace(good, "code_verifier="+testVerifier, "code_verifier=", 1)
	wantOAuthError(t, g.do(http.MethodPost, "/oauth/token", empty, "Content-Type", formType), http.StatusBadRequest, "invalid_grant")
	if res := g.do(http.MethodPost, "/oauth/token", good+"&scope=&client_secret=", "Content-Type", formType); res.StatusCode != http.StatusOK {
		t.Errorf("an empty parameter is not omitted: %d %s", res.StatusCode, res.Body)
	}
}

func TestHardeningTOK07And08(t *testing.T) {
	g := newGateway(t)
	for grant, want := range map[string]string{
		"": "invalid_request", "password": "unsupported_grant_type", "implicit": "unsupported_grant_type",
		"urn:ietf:params:oauth:grant-type:token-exchange": "unsupported_grant_type", "AUTHORIZATION_CODE": "unsupported_grant_type",
		"client_credentials": "unauthorized_client",
	} {
		wantOAuthError(t, g.post("/oauth/token", url.Values{"grant_type": {grant}, "client_id": {"spa"}}), http.StatusBadRequest, want)
	}
}

func TestHardeningTOK09(t *testing.T) {
	g := newGateway(t)
	for _, code := range []string{"x", strings.Repeat("A", 64), strings.Repeat("A", 50_000), "a\x00b", "é", "../../etc/passwd"} {
		wantOAuthError(t, g.exchange(code), http.StatusBadRequest, "invalid_grant")
	}
	if n := g.store.writes.Load(); n != 0 {
		t.Errorf("%d writes to the store", n)
	}
}

func TestHardeningTOK10(t *testing.T) {
	g := newGateway(t)
	code := g.codeFor()
	first := jsonOf(t, g.exchange(code))
	g.pass(5 * time.Second)
	wantOAuthError(t, g.exchange(code), http.StatusBadRequest, "invalid_grant")
	res := g.do(http.MethodGet, "/userinfo", "", "Authorization", "Bearer "+first["access_token"].(string))
	if res.StatusCode != http.StatusUnauthorized {
		t.Errorf("the access token of a code used twice: %d", res.StatusCode)
	}
	wantOAuthError(t, g.post("/oauth/token", url.Values{
		"grant_type": {"refresh_token"}, "client_id": {"spa"}, "refresh_token": {first["refresh_token"].(string)},
	}), http.StatusBadRequest, "invalid_grant")
}

func TestHardeningTOK11(t *testing.T) {
	g := newGateway(t)
	code := g.codeFor()
	var mu sync.Mutex
	statuses := make(map[int]int)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			res := g.exchange(code)
			mu.Lock()
			defer mu.Unlock()
			statuses[res.StatusCode]++
		})
	}
	wg.Wait()
	if statuses[200] != 1 || statuses[400] != 99 {
		t.Errorf("statuses %v, want one 200 and 99 400", statuses)
	}
}

func TestHardeningTOK16(t *testing.T) {
	g := newGateway(t)
	for _, tc := range []struct{ name, verifier, want string }{
		{"missing", "", "invalid_grant"},
		{"wrong", strings.Repeat("x", 43), "invalid_grant"},
		{"42 characters", testVerifier[1:], "invalid_request"},
		{"129 characters", strings.Repeat("x", 129), "invalid_request"},
		{"illegal", testVerifier[1:] + "+", "invalid_request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wantOAuthError(t, g.post("/oauth/token", url.Values{
				"grant_type": {"authorization_code"}, "client_id": {"spa"}, "code": {g.codeFor()}, "redirect_uri": {spaRedirect}, "code_verifier": {tc.verifier},
			}), http.StatusBadRequest, tc.want)
			g.pass(time.Hour) // past the delay after failures
		})
	}
}

func TestHardeningTOK20And21(t *testing.T) {
	g := newGateway(t)
	for _, tc := range []struct {
		name  string
		extra url.Values
		want  string
	}{
		{"scope of nobody", url.Values{"scope": {"admin"}, "audience": {testAPI}}, "invalid_scope"},
		{"openid", url.Values{"scope": {"openid"}, "audience": {testAPI}}, "invalid_scope"},
		{"offline_access", url.Values{"scope": {"offline_access"}, "audience": {testAPI}}, "invalid_scope"},
		{"other audience", url.Values{"audience": {"https://other.example.com"}}, "invalid_target"},
		{"two resources, one foreign", url.Values{"resource": {testAPI, "https://other.example.com"}}, "invalid_target"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := url.Values{"grant_type": {"client_credentials"}, "client_id": {"machine"}, "client_secret": {webSecret}}
			maps.Copy(f, tc.extra)
			wantOAuthError(t, g.post("/oauth/token", f), http.StatusBadRequest, tc.want)
		})
	}
	ok := jsonOf(t, g.post("/oauth/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {"machine"}, "client_secret": {webSecret}, "audience": {testAPI},
	}))
	if ok["access_token"] == nil || ok["refresh_token"] != nil || ok["id_token"] != nil {
		t.Errorf("client_credentials: %v", ok)
	}
}

// TOK-25, TOK-26: the answer is JSON whatever is asked for, and repeats nothing of the request.
func TestHardeningTOK25And26(t *testing.T) {
	g := newGateway(t)
	evil := `<script>alert(1)</script>"\`
	for _, f := range []url.Values{
		{"grant_type": {evil}, "client_id": {"spa"}},
		{"grant_type": {"authorization_code"}, "client_id": {evil}},
		{"grant_type": {"authorization_code"}, "client_id": {"spa"}, "code": {evil}, "code_verifier": {evil}},
		{"grant_type": {"refresh_token"}, "client_id": {"spa"}, "refresh_token": {evil}},
		{evil: {"a", "b"}},
	} {
		res := g.post("/oauth/token", f, "Accept", "text/html", "X-Requested-With", "XMLHttpRequest")
		body := res.Body
		if res.Header.Get("Content-Type") != "application/json" || strings.Contains(body, "alert") || strings.Contains(body, "goroutine") {
			t.Errorf("%v: %q %s", f, res.Header.Get("Content-Type"), body)
		}
	}
}

// Secrets in the URL are refused, whoever the client is.
func TestHardeningQuerySecrets(t *testing.T) {
	g := newGateway(t)
	f := url.Values{"grant_type": {"client_credentials"}, "client_id": {"machine"}, "client_secret": {webSecret}}
	for _, query := range []string{"client_secret=" + webSecret, "refresh_token=rt1.x", "code=x", "%63ode=x", "a=%zz"} {
		wantOAuthError(t, g.post("/oauth/token?"+query, f), http.StatusBadRequest, "invalid_request")
	}
	if res := g.post("/oauth/token?utm_source=x", f); res.StatusCode != http.StatusOK {
		t.Errorf("a harmless query: %d", res.StatusCode)
	}
}

// DOS-01: a body without an end is read no further than the limit.
func TestHardeningDOS01(t *testing.T) {
	g := newGateway(t)
	for _, target := range []string{"/oauth/token", "/oauth/revoke", "/oauth/introspect"} {
		read := &endless{}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, target, read)
		r.Header.Set("Content-Type", formType)
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		wantOAuthError(t, wiretest.AnswerOf(t, w), http.StatusRequestEntityTooLarge, "invalid_request")
		if read.n > 2*wire.MaxBody {
			t.Errorf("%s: %d bytes were read", target, read.n)
		}
	}
	res := g.do(http.MethodPost, "/login", strings.Repeat("a", wire.MaxBody+1), "Content-Type", formType)
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("login: %d", res.StatusCode)
	}
}

// endless is a body without an end.
type endless struct{ n int }

func (e *endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'a'
	}
	e.n += len(b)
	return len(b), nil
}

// DOS-02: ten thousand parameters, a name of 60 kB.
func TestHardeningDOS02(t *testing.T) {
	g := newGateway(t)
	for name, body := range map[string]string{
		"many":      strings.Repeat("a=b&", 10_000),
		"long name": strings.Repeat("a", 60_000) + "=b",
	} {
		res := g.do(http.MethodPost, "/oauth/token", body, "Content-Type", formType)
		if res.StatusCode != http.StatusBadRequest && res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
}
