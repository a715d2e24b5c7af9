package handler

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/handler/wire/wiretest"
	"github.com/gatehouse-auth/gatehouse/tokens"
)

// S28: the issuer's own address says where to begin, also one with a path.
func TestServeNothing(t *testing.T) {
	for _, tc := range []struct {
		issuer, path string
		status       int
		text         string
	}{
		{testIssuer, "/", 200, "Start at the application"},
		{testIssuer, "/x", 404, "Page not found"},
		{testIssuer + "tenant/", "/tenant/", 200, "Start at the application"},
		{testIssuer + "tenant", "/tenant", 200, "Start at the application"},
		{testIssuer + "tenant", "/", 404, "Page not found"},
		{testIssuer + "tenant", "/tenantx", 404, "Page not found"},
	} {
		g := newGateway(t, func(core *tokens.Config, cfg *Config) { core.Issuer, cfg.IssuerURL = tc.issuer, tc.issuer })
		w := httptest.NewRecorder()
		g.ServeNothing(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, tc.path, nil))
		if page := wantPage(t, wiretest.AnswerOf(t, w), tc.status); !strings.Contains(page, tc.text) {
			t.Errorf("%s of %s:\n%s", tc.path, tc.issuer, page)
		}
	}
}
