package handler

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/handler/pages"
)

func FuzzParseBasic(f *testing.F) {
	for _, seed := range []string{basic("web", "secret"), basic("a%20b", "c+d"), "Basic ", "basic eA==", "Basic %%%", "Bearer x", "Basic Og=="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		c, err := parseBasic(header)
		if err != nil {
			return
		}
		if c.ClientID == "" || c.Secret == "" || !utf8.ValidString(c.ClientID+c.Secret) {
			t.Errorf("parsed %+v", c)
		}
		// What was read, written again, reads the same: it was decoded once.
		again, err := parseBasic(basic(url.QueryEscape(c.ClientID), url.QueryEscape(c.Secret)))
		if err != nil || again != c {
			t.Errorf("%q reads as %+v, then %+v (%v)", header, c, again, err)
		}
	})
}

func FuzzParams(f *testing.F) {
	for _, seed := range []string{`{"a":"b"}`, `{"a":"b","a":"c"}`, "a=b&c=d", "a=b&a=c", `{"a":{}}`, "%zz", `{"a":"\ud800"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, parse := range []func([]byte) (params, error){parseObject, parseForm} {
			p, err := parse([]byte(body))
			if err != nil {
				continue
			}
			for name, values := range p {
				if len(values) != 1 && name != "resource" {
					t.Errorf("%q stands %d times", name, len(values))
				}
			}
		}
	})
}

func FuzzBearerToken(f *testing.F) {
	for _, seed := range []string{"Bearer a.b.c", "bearer x", "Bearer", "Bearer a, Bearer b", "Basic x", "Bearer {\"a\":1}"} {
		f.Add(seed, "access_token=x")
	}
	f.Fuzz(func(t *testing.T, header, query string) {
		r := &http.Request{Header: http.Header{"Authorization": {header}}, URL: &url.URL{RawQuery: query}}
		token, _, err := presentedToken(r)
		if err == nil && (token == "" || strings.HasPrefix(token, " ") || !strings.Contains(header, token)) {
			t.Errorf("%q reads as %q", header, token)
		}
	})
}

// An answer stays at the redirect URI that was registered, whatever it says.
func FuzzAppendQuery(f *testing.F) {
	f.Add("https://app.example.com/cb?x=1", "a&b=c#d")
	f.Add("com.example.app:/cb", "\r\nLocation: https://evil.example")
	f.Fuzz(func(t *testing.T, uri, state string) {
		base, err := url.Parse(uri)
		if err != nil || base.Fragment != "" || strings.Contains(uri, "#") {
			return
		}
		got := appendQuery(uri, []pages.Field{{Name: "state", Value: state}, {Name: "iss", Value: testIssuer}})
		if !strings.HasPrefix(got, uri) || strings.ContainsAny(got[len(uri):], " \r\n#\"<>\\") {
			t.Fatalf("appendQuery(%q, %q) = %q", uri, state, got)
		}
		if q, err := url.ParseQuery(got[strings.IndexByte(got, '?')+1:]); err == nil && !q.Has("iss") {
			t.Errorf("no iss in %q", got)
		}
	})
}

// Whatever a client sends, cleanRequest leaves no spelling of a mapped header.
func FuzzCleanRequest(f *testing.F) {
	f.Add("X-Auth-Subject", "close, x_auth.subject, X~Auth!Subject", "a=b; gatehouse_session=x;;")
	f.Fuzz(func(t *testing.T, name, connection, cookies string) {
		g := newTestGuard(t, nil, mapping("X-Auth-Subject", "sub"))
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header = http.Header{name: {"admin"}, "Connection": {connection}, "Cookie": {cookies}}
		g.cleanRequest(r)
		fold := func(s string) string { // G2
			return strings.Map(func(c rune) rune {
				if c < 0x80 && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
					return '-'
				}
				return c
			}, strings.ToLower(s))
		}
		for left := range r.Header {
			if fold(left) == "x-auth-subject" {
				t.Errorf("%q is left", left)
			}
		}
		for option := range strings.SplitSeq(strings.Join(r.Header["Connection"], ","), ",") {
			if fold(strings.TrimSpace(option)) == "x-auth-subject" {
				t.Errorf("Connection %q", r.Header["Connection"])
			}
		}
		for _, line := range r.Header["Cookie"] {
			for part := range strings.SplitSeq(line, ";") {
				if key, _, _ := strings.Cut(strings.TrimSpace(part), "="); strings.TrimSpace(key) == sessionCookie {
					t.Errorf("Cookie %q", line)
				}
			}
		}
	})
}
