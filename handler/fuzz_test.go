package handler

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
)

func FuzzParseBasic(f *testing.F) {
	for _, seed := range []string{basic("web", "secret"), basic("a%20b", "c+d"), basic("a", "%zz"), basic("spa", ""), "Basic ", "basic eA==", "Basic %%%", "Bearer x", "Basic Og=="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		c, err := parseBasic(header)
		if err != nil {
			return
		}
		if c.ClientID == "" || (c.Secret == "") != (c.Method == clients.AuthNone) || !utf8.ValidString(c.ClientID+c.Secret) {
			t.Errorf("parsed %+v", c)
		}
		// What was read, written again, reads the same: it was decoded once.
		again, err := parseBasic(basic(url.QueryEscape(c.ClientID), url.QueryEscape(c.Secret)))
		if err != nil || again.ClientID != c.ClientID || again.Secret != c.Secret {
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
