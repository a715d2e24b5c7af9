package caddymodule

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// series returns the value of a series in the text that Prometheus scrapes.
func series(t *testing.T, text, name string) float64 {
	t.Helper()
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			value, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				t.Fatal(err)
			}
			return value
		}
	}
	t.Errorf("there is no series %s", name)
	return 0
}

func TestMetricsOfAGateway(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	names := []string{
		`caddy_oauth_events_total{event="login",outcome="ok"}`,
		`caddy_oauth_refreshes_total{outcome="rotated"}`,
		`caddy_oauth_tokens_issued_total{grant_type="client_credentials"}`,
		`caddy_oauth_tokens_refused_total{reason="bad_mac"}`,
		`caddy_oauth_token_checks_total{verdict="ok"}`,
		`caddy_oauth_token_checks_total{verdict="malformed"}`,
		`caddy_oauth_store_duration_seconds_count{op="rotate"}`,
		`caddy_oauth_endpoint_duration_seconds_count{code="2xx",endpoint="token"}`,
		`caddy_oauth_endpoint_duration_seconds_count{code="4xx",endpoint="token"}`,
		`caddy_oauth_endpoint_duration_seconds_count{code="3xx",endpoint="login"}`,
	}
	use := func() string {
		session := g.login()
		g.refresh(session.RefreshToken)
		g.refresh("rt1.AAAA")
		g.call("/orders", g.machineToken())
		g.call("/orders", "garbage")
		_, text := g.admin(http.MethodGet, "/metrics")
		return text
	}
	before := use()
	if err := g.load(gatewayOptions{}); err != nil {
		t.Fatal(err)
	}
	after := use()
	for _, name := range names {
		if was, is := series(t, before, name), series(t, after, name); is <= was || was <= 0 {
			t.Errorf("%s is %v after a reload, was %v", name, is, was)
		}
	}
	for _, alg := range []string{"ES256", "RS256"} {
		series(t, after, `caddy_oauth_signing_key_age_seconds{algorithm="`+alg+`",state="current"}`)
	}
}
