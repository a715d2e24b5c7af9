package handler

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/handler/wire/wiretest"
)

// inLanguage demands that a page is in a language, and says that it depends on what was asked for.
func inLanguage(t *testing.T, what, lang string, res *wiretest.Answer) {
	t.Helper()
	if !strings.Contains(res.Body, `<html lang="`+lang+`">`) || res.Header.Get("Content-Language") != lang {
		t.Errorf("%s: status %d, Content-Language %q, want a page in %s:\n%s", what, res.StatusCode, res.Header.Get("Content-Language"), lang, res.Body)
	}
	if !slices.Contains(res.Header.Values("Vary"), "Accept-Language") {
		t.Errorf("%s: Vary %q", what, res.Header.Values("Vary"))
	}
}

// O9: a page is in the language that the application asks for, else in one of the
// browser's; so is the page that answers its form.
func TestO9Languages(t *testing.T) {
	g := newGateway(t)
	for _, tc := range []struct{ name, target, accept, lang string }{
		{"nobody asks", authorizeURL(), "", "en"},
		{"the browser", authorizeURL(), "fr-CH, de;q=0.5", "fr"},
		{"the application first", authorizeURL("ui_locales", "xx ja"), "fr", "ja"},
		{"an application that asks for none of ours", authorizeURL("ui_locales", "xx"), "es", "es"},
		{"a refused request", authorizeURL("client_id", "nobody", "ui_locales", "de"), "fr", "de"},
		{"account", "/account", "de-AT", "de"},
		{"account by parameter", "/account?ui_locales=es", "de", "es"},
		{"activate", "/activate", "ja", "ja"},
		{"logout", "/oidc/logout?ui_locales=fr", "ja", "fr"},
		{"a callback of nobody", "/login", "fr", "fr"},
	} {
		inLanguage(t, tc.name, tc.lang, g.do(http.MethodGet, tc.target, "", "Accept-Language", tc.accept))
	}
}

// The language stays from form to form, whoever has chosen it.
func TestO9LanguageOfForms(t *testing.T) {
	g := newGateway(t)
	for _, tc := range []struct {
		name, locales string
		headers       []string
	}{
		{"the application", "de", nil},
		{"the browser", "", []string{"Accept-Language", "de"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := g.browser()
			headers := append([]string{"Origin", "https://auth.example.com"}, tc.headers...)
			send := func(res *wiretest.Answer, fields url.Values) *wiretest.Answer {
				t.Helper()
				action, hidden := form(t, res.Body)
				maps.Copy(hidden, fields)
				return b.post(action, hidden, headers...)
			}
			res := b.get(authorizeURL("ui_locales", tc.locales, "prompt", "consent"), headers...)
			inLanguage(t, "login", "de", res)
			res = send(res, url.Values{"username": {"alice"}, "password": {"wrong"}, "login": {"local"}})
			inLanguage(t, "wrong password", "de", res)
			res = send(res, url.Values{"username": {"alice"}, "password": {testPassword}, "login": {"local"}})
			inLanguage(t, "consent", "de", res)
			res = b.get("/account?ui_locales="+tc.locales, headers...)
			inLanguage(t, "account", "de", res)
			res = b.get("/activate?ui_locales="+tc.locales, headers...)
			inLanguage(t, "activate", "de", res)
			inLanguage(t, "a wrong code", "de", send(res, url.Values{"action": {"continue"}, "user_code": {"XXXX"}}))
			res = b.get("/oidc/logout?ui_locales="+tc.locales, headers...)
			inLanguage(t, "logout", "de", res)
			inLanguage(t, "still in", "de", send(res, url.Values{"action": {"cancel"}}))
			inLanguage(t, "signed out", "de", send(res, url.Values{"action": {"logout"}}))
		})
	}
}

func TestDiscoverySaysTheLanguages(t *testing.T) {
	g := newGateway(t)
	document := jsonOf(t, g.do(http.MethodGet, "/.well-known/openid-configuration", ""))
	var got []string
	for _, l := range document["ui_locales_supported"].([]any) {
		got = append(got, l.(string))
	}
	if !slices.Equal(got, []string{"de", "en", "es", "fr", "ja"}) {
		t.Errorf("ui_locales_supported %q", got)
	}
}
