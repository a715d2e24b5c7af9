package wire

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func FuzzBearerToken(f *testing.F) {
	for _, seed := range []string{"Bearer a.b.c", "bearer x", "Bearer", "Bearer a, Bearer b", "Basic x", "Bearer {\"a\":1}"} {
		f.Add(seed, "access_token=x")
	}
	f.Fuzz(func(t *testing.T, header, query string) {
		r := &http.Request{Header: http.Header{"Authorization": {header}}, URL: &url.URL{RawQuery: query}}
		token, _, err := PresentedToken(r)
		if err == nil && (token == "" || strings.HasPrefix(token, " ") || !strings.Contains(header, token)) {
			t.Errorf("%q reads as %q", header, token)
		}
	})
}
