package handler

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

func TestHealth(t *testing.T) {
	for _, c := range []struct {
		name    string
		method  string
		trouble oauth.Trouble
		status  int
		body    string
		retry   string
	}{
		{"well", http.MethodGet, "", 200, "ok\n", ""},
		{"store", http.MethodGet, oauth.TroubleStore, 503, "store_unavailable\n", "2"},
		{"secret", http.MethodGet, oauth.TroubleSecret, 503, "wrong_secret\n", "2"},
		{"A10: issuer", http.MethodGet, oauth.TroubleIssuer, 503, "other_issuer\n", "2"},
		{"R8: store that may lose", http.MethodGet, oauth.TroubleUnsafe, 503, "store_unsafe\n", "2"},
		{"clock", http.MethodHead, oauth.TroubleClock, 503, "clock_skew\n", "2"},
		{"other method", http.MethodPost, "", 405, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGateway(t)
			g.Health = func() oauth.Trouble { return c.trouble }
			// Even before the store is open, and without trying to open it.
			g.Ready = func(context.Context) error {
				t.Error("the request opens the store")
				return errors.New("no store")
			}
			w := g.do(c.method, testIssuer+"oauth/health", "")
			if w.StatusCode != c.status || w.Header.Get("Retry-After") != c.retry {
				t.Errorf("status %d, Retry-After %q", w.StatusCode, w.Header.Get("Retry-After"))
			}
			if c.body != "" && (w.Body != c.body || w.Header.Get("Content-Type") != "text/plain; charset=utf-8" || w.Header.Get("Cache-Control") != "no-store") {
				t.Errorf("answer %q, %v", w.Body, w.Header)
			}
		})
	}
}
