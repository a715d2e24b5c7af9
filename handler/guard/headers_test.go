package guard

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
)

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
				if key, _, _ := strings.Cut(strings.TrimSpace(part), "="); strings.TrimSpace(key) == wire.SessionCookie {
					t.Errorf("Cookie %q", line)
				}
			}
		}
	})
}
