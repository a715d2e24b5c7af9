package caddymodule

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// TestH5EmailPlaceholder: row H5 of sites: `{http.auth.user.email}` is nobody's unverified word,
// by token or session: an upstream, or an expression, would take the sender for somebody else.
func TestH5EmailPlaceholder(t *testing.T) {
	for more, want := range map[string]string{
		``: "", `,"email_verified":false`: "", `,"email_verified":"true"`: "", `,"email_verified":true`: "alice@example.com",
	} {
		claims, err := verify.ParseClaims([]byte(`{"iss":"https://auth.example.com/","sub":"google|1","aud":"a","client_id":"c","jti":"j","iat":1,"exp":2,"email":"alice@example.com"`+more+`}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		repl := caddy.NewReplacer()
		r := httptest.NewRequestWithContext(context.WithValue(t.Context(), caddy.ReplacerCtxKey, repl), http.MethodGet, "/", http.NoBody)
		setUser(r, claims)
		if got := repl.ReplaceAll("{http.auth.user.email}", ""); got != want {
			t.Errorf("%s: %q, want %q", more, got, want)
		}
		if got := repl.ReplaceAll("{http.auth.user.sub}", ""); got != "google|1" {
			t.Errorf("%s: sub %q", more, got)
		}
	}
}
